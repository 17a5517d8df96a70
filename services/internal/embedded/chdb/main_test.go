package chdb

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// orphanMark turns the test binary into a parent that starts an engine and waits to be killed.
const orphanMark = "DOSSIER_TEST_ORPHAN_FOLDER"

// fakeServerMark turns the test binary into a stand-alone server that answers Ok to everything.
const fakeServerMark = "DOSSIER_TEST_SERVER_FOLDER"

func TestMain(m *testing.M) {
	MaybeServeChild()
	if dir := os.Getenv(orphanMark); dir != "" {
		beParent(dir)
	}
	if dir := os.Getenv(fakeServerMark); dir != "" {
		beServer(dir)
	}
	os.Exit(m.Run())
}

func beParent(dir string) {
	if err := os.Unsetenv(orphanMark); err != nil {
		panic(err)
	}
	e, err := Start(context.Background(), Config{DataDir: dir})
	if err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
	fmt.Println(e.PID())
	select {}
}

// startEngine starts an engine in a folder; it ends with the test.
func startEngine(t testing.TB, config Config, times times) *Engine {
	t.Helper()
	e, err := start(context.Background(), config, times)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := e.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return e
}

// within waits until ok holds: for what another process does, which nothing here can be told of.
func within(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

func beServer(dir string) {
	config, err := os.ReadFile(filepath.Join(dir, configFile))
	if err != nil {
		panic(err)
	}
	_, after, _ := strings.Cut(string(config), "<http_port>")
	port, _, _ := strings.Cut(after, "<")
	panic(http.ListenAndServe("127.0.0.1:"+port, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "Ok.\n")
	})))
}
