package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestReadClusters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dossier.yaml")
	read := func(text string) (map[string]cluster, error) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return readClusters(path)
	}
	clusters, err := read("up: {listen: 127.0.0.1:0}\nclusters:\n  company:\n    brokers: [a:9092, b:9092]\n    sasl: plain\n    user: dossier\n    password: secret:COMPANY\n")
	if c := clusters["company"]; err != nil || len(clusters) != 1 || len(c.Brokers) != 2 || c.User != "dossier" {
		t.Fatalf("%+v %v", clusters, err)
	}
	for _, text := range []string{"", "data: ./x\n", "clusters:\n"} {
		if clusters, err := read(text); err != nil || len(clusters) != 0 {
			t.Errorf("%q: %+v %v", text, clusters, err)
		}
	}
	for text, want := range map[string]string{
		"clusters: {a: {}}":                                 "no brokers",
		"clusters: {a: {brokers: ['b:1'], pasword: x}}":     "pasword",
		"clusters: {a: {brokers: ['b:1'], password: hush}}": "secret:NAME",
		"clusters: [": "not YAML",
		"clusters: 7": "clusters",
		"clusters: {a: {brokers: ['b:1'], registry-password: hush}}":        "secret:NAME",
		"clusters: {a: {brokers: ['b:1'], registry: 'https://u:hush@r'}}":   "without user and password",
		"clusters: {a: {brokers: ['b:1'], registry: 'registry.shop:8081'}}": "https://HOST:PORT",
		"clusters: {a: {brokers: ['b:1'], password: 'secret:lower'}}":       "secret:NAME",
	} {
		if _, err := read(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v, want one line with %q", text, err, want)
		}
	}
	if clusters, err := readClusters(path + ".not.there"); err != nil || clusters != nil {
		t.Errorf("no file: %+v %v", clusters, err)
	}
}

// TestClustersAreFollowed: what changes in the file is taken over, and what is wrong in it is not.
func TestClustersAreFollowed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dossier.yaml")
	write := func(text string) {
		t.Helper()
		if err := errors.Join(os.WriteFile(path+".new", []byte(text), 0o600), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := openClusters(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	changes, ended := make(chan struct{}, 8), make(chan struct{})
	go func() {
		c.follow(ctx, time.Millisecond, func() { changes <- struct{}{} })
		close(ended)
	}()
	before := c.digest("a")
	write("clusters: {a: {brokers: ['x:1']}}")
	<-changes
	first := c.digest("a")
	if a, known := c.named("a"); !known || a.Brokers[0] != "x:1" || first == before {
		t.Errorf("%+v %t", a, known)
	}
	write("clusters: {a: {brokers: [], b: {}}}")
	time.Sleep(20 * time.Millisecond)
	if c.digest("a") != first {
		t.Error("a wrong file is taken over")
	}
	write("clusters: {b: {brokers: ['x:1']}, a: {brokers: ['y:1']}}")
	<-changes
	if _, known := c.named("b"); !known || c.digest("a") == first {
		t.Error("a change is not taken over")
	}
	stop()
	<-ended
	if len(changes) > 0 {
		t.Error("more changes are told of than there were")
	}
}
