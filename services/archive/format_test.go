package archive

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

var update = flag.Bool("update", false, "write the golden archive of a format that has none yet")

// goldenRecord is the n-th record of the golden archive.
func goldenRecord(n int64) kafka.Record {
	r := kafka.Record{
		Offset: n, Time: schema.Instant(1_700_000_000_000_000 + n*1000), Key: fmt.Appendf(nil, "key %d", n%3), Value: bytes.Repeat([]byte{byte(n)}, int(n*7%50)),
	}
	if n%4 == 0 {
		r.Headers = []kafka.Header{{Key: "traceparent", Value: fmt.Appendf(nil, "00-%d", n)}, {Key: "empty"}}
	}
	if n%5 == 0 {
		r.Key = nil
	}
	return r
}

// TestGoldenArchives: an archive that an earlier version wrote is read for ever, record by record. The folders of testdata are never
// edited; -update makes the one of a new format.
func TestGoldenArchives(t *testing.T) {
	const records, segments = 60, 4
	part := Part{"events", 0, 1}
	if folder := filepath.Join("testdata", "format1"); *update {
		if _, err := os.Stat(folder); err == nil {
			t.Fatalf("%s is there: a golden archive is never edited", folder)
		}
		store, err := OpenFolder(folder)
		if err != nil {
			t.Fatal(err)
		}
		p, err := OpenPartition(t.Context(), store, part)
		if err != nil {
			t.Fatal(err)
		}
		for from := int64(0); from < records; from += records / segments {
			w := NewSegmentWriter(part, from)
			for n := from; n < from+records/segments; n++ {
				r := goldenRecord(n)
				if err := w.Add(&r); err != nil {
					t.Fatal(err)
				}
			}
			file, _ := w.Finish()
			s, err := OpenSegment(file, sha256.Sum256(file))
			if err != nil {
				t.Fatal(err)
			}
			e, err := s.Entry()
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Import(t.Context(), e, file); err != nil {
				t.Fatal(err)
			}
		}
	}
	folders, err := filepath.Glob(filepath.Join("testdata", "format*"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("%v %v", folders, err)
	}
	for _, folder := range folders {
		copied := t.TempDir() // a missing index is written beside its segment
		if err := os.CopyFS(copied, os.DirFS(folder)); err != nil {
			t.Fatal(err)
		}
		store, err := OpenFolder(copied)
		if err != nil {
			t.Fatal(err)
		}
		if health, err := Verify(t.Context(), store); err != nil || health.Records != records || health.Segments != segments {
			t.Errorf("%s: %+v %v", folder, health, err)
		}
		p, err := OpenPartition(t.Context(), store, part)
		if err != nil {
			t.Fatal(err)
		}
		at := int64(0)
		for _, e := range p.Entries(records) {
			s, err := p.Open(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Read(s.From)
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				if want := goldenRecord(at); fmt.Sprintf("%+v", got[i]) != fmt.Sprintf("%+v", want) {
					t.Fatalf("%s: got %+v, want %+v", folder, got[i], want)
				}
				at++
			}
			if x, _, err := p.Index(t.Context(), e); err != nil || x.Excludes(&Filter{Workspace: "other"}) {
				t.Errorf("%s: an index of what is no event: %v", folder, err)
			}
		}
		if at != records {
			t.Errorf("%s: %d records", folder, at)
		}
	}
}

// What a newer version wrote is refused as that, not as damage of unknown kind.
func TestNewerArchiveRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "format1"))); err != nil {
		t.Fatal(err)
	}
	store, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	part := Part{"events", 0, 1}
	path := store.Locate(part, manifestName)
	manifest, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(manifest, []byte(`{"from"`), []byte(`{"format":2,"codec":"zstd","from"`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenPartition(t.Context(), store, part); err == nil || !strings.Contains(err.Error(), "newer dossier") || schema.ClassOf(err) != schema.Fatal {
		t.Errorf("a newer manifest: %v", err)
	}
	file := append([]byte("DSSEGM02"), bytes.Repeat([]byte{1}, 300)...)
	if _, err := OpenSegment(file, sha256.Sum256(file)); err == nil || !strings.Contains(err.Error(), "newer dossier") {
		t.Errorf("a newer segment: %v", err)
	}
}
