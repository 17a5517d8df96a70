package e2e

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unpack puts the data folder of an earlier format in place of an installation's, and gives what its digest was then.
func (i *installation) unpack(t *testing.T, archive string) (digest string) {
	t.Helper()
	file, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	files := tar.NewReader(unzipped)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return digest
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		name, in := strings.CutPrefix(header.Name, "data")
		path := filepath.Join(i.data, filepath.FromSlash(name))
		switch {
		case header.Name == "digest":
			digest = string(content)
		case !in:
			t.Fatalf("%s holds %s", archive, header.Name)
		case header.Typeflag == tar.TypeDir:
			err = os.MkdirAll(path, 0o700)
		default:
			err = os.WriteFile(path, content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// digestLines gives the lines of a digest by name.
func digestLines(digest string) map[string]string {
	lines := map[string]string{}
	for line := range strings.Lines(digest) {
		if fields := strings.Fields(line); len(fields) == 3 {
			lines[fields[1]] = line
		}
	}
	return lines
}

// TestUpgrade: a data folder of each earlier format opens; what was in it is there, and says the same as a new installation that is given
// the same, as does a state that is built anew. It goes on working, and takes the same events without counting them twice.
func TestUpgrade(t *testing.T) {
	besideOthers(t)
	folders, err := filepath.Glob(filepath.Join("testdata", "upgrade", "*.tar.gz"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("%v %v", folders, err)
	}
	for _, archive := range folders {
		t.Run(filepath.Base(archive), func(t *testing.T) {
			i := prepare(t)
			was := digestLines(i.unpack(t, archive))
			i.read(t)
			i.URL = "" // another port
			i.up(t)
			got := i.digest(t)
			if now := digestLines(got)["events"]; now != was["events"] {
				t.Errorf("events: %q, was %q", now, was["events"])
			}
			for _, name := range []string{"personas", "timeline"} { // who is who may be decided otherwise since, which their lines tell
				if now, then := counts(t, got)[name], counts(t, was["personas"]+was["timeline"])[name]; now != then {
					t.Errorf("%d %s, were %d", now, name, then)
				}
			}
			fresh := install(t)
			inputs := nastyEvents(1)
			ids := fresh.give(t, rand.New(rand.NewPCG(0, 0)), inputs)
			fresh.give(t, rand.New(rand.NewPCG(0, 0)), releases(inputs, ids))
			fresh.sameDigest(t, got, i)
			fresh.kill(t)
			i.give(t, rand.New(rand.NewPCG(0, 0)), nastyEvents(1))
			i.sameDigest(t, got, nil)
			i.down(t)
			if err := errors.Join(os.RemoveAll(filepath.Join(i.data, "state")), os.RemoveAll(filepath.Join(i.data, "clickhouse"))); err != nil {
				t.Fatal(err)
			}
			i.up(t)
			i.sameDigest(t, got, nil)
		})
	}
}

// TestDowngradeRefused: what a newer version wrote is refused by one line that says so, and nothing is changed.
func TestDowngradeRefused(t *testing.T) {
	besideOthers(t)
	i := install(t)
	i.give(t, rand.New(rand.NewPCG(0, 0)), nastyEvents(5)[:40])
	i.down(t)
	edit := func(path string, change func(content string) string) func() error {
		return func() error {
			found, err := filepath.Glob(filepath.Join(i.data, path))
			if err == nil && len(found) != 1 {
				err = errors.New(path + " is not there")
			}
			if err != nil {
				return err
			}
			content, err := os.ReadFile(found[0])
			if err != nil {
				return err
			}
			changed := change(string(content))
			if changed == string(content) {
				return errors.New(path + " is as before")
			}
			return os.WriteFile(found[0], []byte(changed), 0o600)
		}
	}
	replace := func(old, with string) func(string) string {
		return func(content string) string { return strings.Replace(content, old, with, 1) }
	}
	for _, c := range []struct {
		what, path string
		change     func(string) string
	}{
		{"the data folder", "format", replace("3", "4")},
		{"the embedded log", "log/broker.json", replace(`"version": 2`, `"version": 3`)},
		{"the ring", "keys/ring", replace("file\x01", "file\x02")},
		{"the ring's key", "keeper/ring.key", replace("key\x01", "key\x02")},
	} {
		t.Run(c.what, func(t *testing.T) {
			before := listing(t, i.data)
			if err := edit(c.path, c.change)(); err != nil {
				t.Fatal(err)
			}
			edited := listing(t, i.data)
			o := command(t, i.env, "up", "--data", i.data, "--listen", "127.0.0.1:0")
			text := strings.TrimSpace(o.stderr)
			if o.code != 1 || strings.Contains(text, "\n") || !strings.Contains(text, "newer") {
				t.Errorf("%s: ended with %d: %s", c.what, o.code, text)
			}
			sameFiles(t, edited, listing(t, i.data))
			if err := os.WriteFile(filepath.Join(i.data, c.path), before[filepath.FromSlash(c.path)], 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
	i.up(t)
}
