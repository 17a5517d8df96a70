package e2e

import (
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBadStart: what keeps an installation from starting is one clear line and exit 1, and nothing of the data folder is damaged.
func TestBadStart(t *testing.T) {
	besideOthers(t)
	i := install(t)
	i.send(t, basic(i.WriteKey), someEvents(50)...)
	digest := i.digest(t)

	// While it runs: its folder and its port are taken.
	up := func(env []string, args ...string) outcome {
		return command(t, append(env, i.place.variables()...), append([]string{"up"}, args...)...)
	}
	refused := func(name string, o outcome, words ...string) {
		t.Helper()
		if o.code != 1 || o.stdout != "" || !oneLine(o.stderr) || !strings.HasPrefix(o.stderr, "dossier: ") {
			t.Errorf("%s: %+v", name, o)
		}
		for _, word := range words {
			if !strings.Contains(o.stderr, word) {
				t.Errorf("%s: %q does not say %q", name, o.stderr, word)
			}
		}
	}
	address := strings.TrimPrefix(i.URL, "http://")
	refused("port taken", up([]string{masterKey}, "--data", filepath.Join(t.TempDir(), "new"), "--listen", address), address, "--listen")
	refused("folder in use", up([]string{masterKey}, "--data", i.data, "--listen", "127.0.0.1:0"), i.data, "in use")
	i.sameDigest(t, digest, nil)
	i.down(t)

	before := listing(t, i.data)
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close() //nolint:errcheck // it accepted nothing
	refused("port taken by another program", up([]string{masterKey}, "--data", i.data, "--listen", other.Addr().String()), other.Addr().String())
	refused("no address", up([]string{masterKey}, "--data", i.data, "--listen", "127.0.0.1:99999"), "127.0.0.1:99999", "--listen")
	refused("wrong master key", up([]string{strings.Replace(masterKey, "00", "ff", 1)}, "--data", i.data, "--listen", "127.0.0.1:0"), "master key")
	refused("half a master key", up([]string{masterKey[:len(masterKey)-10]}, "--data", i.data, "--listen", "127.0.0.1:0"), "64 hexadecimal digits")
	refused("no file of a master key", up([]string{"DOSSIER_MASTER_KEY_FILE=" + filepath.Join(i.data, "nothing")}, "--data", i.data, "--listen", "127.0.0.1:0"), "DOSSIER_MASTER_KEY_FILE")
	refused("no master key", up(nil, "--data", i.data, "--listen", "127.0.0.1:0"), "DOSSIER_MASTER_KEY")

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused("a file in the place of a folder", up([]string{masterKey}, "--data", file, "--listen", "127.0.0.1:0"), file, "--data")
	readOnly := t.TempDir()
	if err := os.Chmod(readOnly, 0o500); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // who may write everywhere but here
		readOnly = "/proc"
	}
	refused("not writable", up([]string{masterKey}, "--data", filepath.Join(readOnly, "data"), "--listen", "127.0.0.1:0"), readOnly, "--data")
	sameFiles(t, before, listing(t, i.data))

	// The engine's library is missing, empty, or cut.
	library := func(path string) []string { return []string{masterKey, "DOSSIER_ENGINE_LIBRARY=" + path} }
	empty := filepath.Join(t.TempDir(), "libchdb.so")
	if err := os.WriteFile(empty, []byte("no library"), 0o755); err != nil {
		t.Fatal(err)
	}
	refused("no library", up(library(filepath.Join(t.TempDir(), "libchdb.so")), "--data", i.data, "--listen", "127.0.0.1:0"), "libchdb.so")
	refused("no cache", up([]string{masterKey, "DOSSIER_CACHE=" + t.TempDir()}, "--data", i.data, "--listen", "127.0.0.1:0"), "make engine")
	refused("another file as library", up(library(empty), "--data", i.data, "--listen", "127.0.0.1:0"), empty)
	refused("half a library", up(library(cutLibrary(t)), "--data", i.data, "--listen", "127.0.0.1:0"), "libchdb.so")
	refused("a library that is not what it was", up(library(hollowLibrary(t)), "--data", i.data, "--listen", "127.0.0.1:0"), "libchdb.so", "corrupt")
	keys := func(files map[string][]byte) map[string][]byte {
		maps.DeleteFunc(files, func(name string, _ []byte) bool {
			return !strings.HasPrefix(name, "keys") && !strings.HasPrefix(name, "keeper") && !strings.HasPrefix(name, "archive") && name != "credentials.json"
		})
		return files
	}
	sameFiles(t, keys(before), keys(listing(t, i.data)))

	i.up(t)
	i.sameDigest(t, digest, nil)
}

// engineLibrary finds the engine's library where `make engine` puts it.
func engineLibrary(t *testing.T) string {
	t.Helper()
	cache := os.Getenv("DOSSIER_CACHE")
	if cache == "" {
		folder, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(folder, "dossier")
	}
	found, err := filepath.Glob(filepath.Join(cache, "libchdb", "*", "libchdb.so"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no engine library in %s: run make engine (%v)", cache, err)
	}
	return found[0]
}

// cutLibrary copies the beginning of the engine's library.
func cutLibrary(t *testing.T) string {
	t.Helper()
	from, err := os.Open(engineLibrary(t))
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close() //nolint:errcheck // it is only read
	path := filepath.Join(t.TempDir(), "libchdb.so")
	to, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(to, from, 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// hollowLibrary has the length of the engine's library and its beginning, and is otherwise empty.
func hollowLibrary(t *testing.T) string {
	t.Helper()
	whole, err := os.Stat(engineLibrary(t))
	if err != nil {
		t.Fatal(err)
	}
	path := cutLibrary(t)
	if err := os.Truncate(path, whole.Size()); err != nil {
		t.Fatal(err)
	}
	return path
}
