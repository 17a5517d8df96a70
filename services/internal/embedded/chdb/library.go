package chdb

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// The one build of libchdb that this package is written for: its C interface changes with the library.
// deploy/engine holds the same version and digest.
const (
	LibraryVersion = "26.7.3-stable.1"
	librarySHA256  = "36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5"
	librarySize    = 566330096
	libraryFile    = "libchdb.so"
)

// ErrNoLibrary says that no engine library was found on this machine.
var ErrNoLibrary = errors.New("the engine library is missing")

// FindLibrary returns the absolute path of the engine library: DOSSIER_ENGINE_LIBRARY when set, else libchdb.so beside the
// running binary, else the cache folder that `make engine` fills (DOSSIER_CACHE, XDG_CACHE_HOME or HOME decide where).
// The error wraps ErrNoLibrary and says what to do.
func FindLibrary(getenv func(string) string) (string, error) {
	if path := getenv("DOSSIER_ENGINE_LIBRARY"); path != "" {
		path, err := filepath.Abs(path)
		if err != nil {
			return "", fmt.Errorf("find the engine library: %w", err)
		}
		if err := checkLibrary(path); err != nil {
			return "", fmt.Errorf("DOSSIER_ENGINE_LIBRARY: %w", err)
		}
		return path, nil
	}
	var places []string
	if self, err := os.Executable(); err == nil {
		places = append(places, filepath.Join(filepath.Dir(self), libraryFile))
	}
	if cache := cacheFolder(getenv); cache != "" {
		places = append(places, filepath.Join(cache, "libchdb", LibraryVersion, libraryFile))
	}
	for _, path := range places {
		err := checkLibrary(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		return path, nil
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return "", fmt.Errorf("%w for %s/%s: install a `clickhouse` binary on PATH, or give --clickhouse URL", ErrNoLibrary, runtime.GOOS, runtime.GOARCH)
	}
	return "", fmt.Errorf("%w: run `make engine`, or give --clickhouse URL", ErrNoLibrary)
}

func cacheFolder(getenv func(string) string) string {
	if dir := getenv("DOSSIER_CACHE"); dir != "" {
		return dir
	}
	if dir := getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "dossier")
	}
	if dir := getenv("HOME"); dir != "" {
		return filepath.Join(dir, ".cache", "dossier")
	}
	return ""
}

// checkLibrary finds a missing, foreign or cut file by its size: hashing it would cost half a second of every start.
// verifyLibrary does hash, once a start has failed.
func checkLibrary(path string) error {
	file, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoLibrary, err)
	}
	if !file.Mode().IsRegular() || file.Size() != librarySize {
		return fmt.Errorf("the engine library %s has %d bytes, version %s has %d: it is cut or another version; run `make engine`",
			path, file.Size(), LibraryVersion, librarySize)
	}
	return nil
}

// verifyLibrary compares the library's digest with the pinned one.
func verifyLibrary(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoLibrary, err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("read the engine library %s: %w", path, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != librarySHA256 {
		return fmt.Errorf("the engine library %s is corrupt: its SHA-256 is %s, expected %s; run `make engine`", path, got, librarySHA256)
	}
	return nil
}
