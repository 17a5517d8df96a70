package chdb

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The fetching script and this package name the same build.
func TestFetchScriptNamesTheSameLibrary(t *testing.T) {
	folder := filepath.Join("..", "..", "..", "..", "deploy", "engine")
	sum, err := os.ReadFile(filepath.Join(folder, "libchdb.sha256"))
	if err != nil {
		t.Fatal(err)
	}
	if want := librarySHA256 + "  " + libraryFile + "\n"; string(sum) != want {
		t.Errorf("libchdb.sha256 is %q, want %q", sum, want)
	}
	script, err := os.ReadFile(filepath.Join(folder, "fetch.sh"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(script), "\nversion="+LibraryVersion+"\n") {
		t.Errorf("fetch.sh does not fetch version %s", LibraryVersion)
	}
}

func TestFindLibrary(t *testing.T) {
	cache := t.TempDir()
	folder := filepath.Join(cache, "libchdb", LibraryVersion)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, libraryFile)
	if err := os.WriteFile(path, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"DOSSIER_CACHE": cache}
	getenv := func(name string) string { return env[name] }
	if _, err := FindLibrary(getenv); err == nil || errors.Is(err, ErrNoLibrary) || !strings.Contains(err.Error(), "make engine") {
		t.Errorf("a cut library: %v", err)
	}
	if err := os.Truncate(path, librarySize); err != nil {
		t.Fatal(err)
	}
	if got, err := FindLibrary(getenv); err != nil || got != path {
		t.Errorf("in DOSSIER_CACHE: %s, %v", got, err)
	}
	env = map[string]string{"XDG_CACHE_HOME": filepath.Dir(cache)}
	if _, err := FindLibrary(getenv); !errors.Is(err, ErrNoLibrary) {
		t.Errorf("an empty cache: %v", err)
	}
	env = map[string]string{"DOSSIER_ENGINE_LIBRARY": path}
	if got, err := FindLibrary(getenv); err != nil || got != path {
		t.Errorf("by DOSSIER_ENGINE_LIBRARY: %s, %v", got, err)
	}
	env = map[string]string{"DOSSIER_ENGINE_LIBRARY": "/nowhere", "DOSSIER_CACHE": cache}
	if _, err := FindLibrary(getenv); !errors.Is(err, ErrNoLibrary) {
		t.Errorf("a wrong DOSSIER_ENGINE_LIBRARY is not passed over: %v", err)
	}
}
