package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
		"clusters: {a: {brokers: ['b:1'], password: 'secret:lower'}}": "secret:NAME",
	} {
		if _, err := read(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v, want one line with %q", text, err, want)
		}
	}
	if clusters, err := readClusters(path + ".not.there"); err != nil || clusters != nil {
		t.Errorf("no file: %+v %v", clusters, err)
	}
}
