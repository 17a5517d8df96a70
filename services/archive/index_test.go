package archive

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// clearRecord is an event of which only the clear part can be read, in the wire form of event.proto, by hand.
func clearRecord(offset int64, c *schema.Clear) kafka.Record {
	var clear []byte
	number := func(field int, v uint64) {
		clear = appendVarint(append(clear, byte(field<<3)), v)
	}
	text := func(field int, v []byte) {
		clear = append(appendVarint(append(clear, byte(field<<3|2)), uint64(len(v))), v...)
	}
	zigzag := func(v int64) uint64 { return uint64(v<<1) ^ uint64(v>>63) }
	number(1, 1)
	text(2, c.ID[:])
	text(3, []byte(c.Workspace))
	text(4, []byte(c.Source))
	text(5, c.Persona[:])
	number(9, zigzag(int64(c.OccurredAt)))
	number(13, uint64(c.Type))
	value := append(appendVarint([]byte{1<<3 | 2}, uint64(len(clear))), clear...)
	value = append(value, 2<<3|2, 1, 0)
	return kafka.Record{Offset: offset, Time: schema.Instant(offset) * 1000, Key: c.Persona[:], Value: value}
}

func appendVarint(dst []byte, v uint64) []byte {
	for ; v >= 0x80; v >>= 7 {
		dst = append(dst, byte(v)|0x80)
	}
	return append(dst, byte(v))
}

var (
	someTypes   = []schema.Type{schema.TypeOrderPlaced, schema.TypePageViewed, schema.TypeMessageReceived, schema.TypeCallEnded}
	someSources = []string{"shop", "web", "crm", "desk"}
)

func somePersona(n int) (p schema.PersonaID) {
	p[0], p[15] = byte(n+1), byte(n)
	return p
}

func someClear(t *rapid.T, n int) *schema.Clear {
	c := &schema.Clear{
		Workspace: "main", Source: rapid.SampledFrom(someSources[:2]).Draw(t, "source"), Type: rapid.SampledFrom(someTypes[:3]).Draw(t, "type"),
		Persona: somePersona(rapid.IntRange(0, 20).Draw(t, "persona")), OccurredAt: schema.Instant(rapid.Int64Range(-5e6, 5e6).Draw(t, "occurred")),
	}
	c.ID[0], c.ID[1] = 1, byte(n)
	return c
}

// A segment that the index excludes holds nothing that the filter wants; one that holds nothing of a type, source or time is excluded.
func TestIndexExcludes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		made := newIndexer()
		var all []*schema.Clear
		for n := range rapid.IntRange(1, 30).Draw(t, "events") {
			c := someClear(t, n)
			all = append(all, c)
			r := clearRecord(int64(n), c)
			made.add(&r)
		}
		digest := sha256.Sum256([]byte("segment"))
		_, file, err := made.finish(digest)
		if err != nil {
			t.Fatal(err)
		}
		index, err := openIndex(file, digest)
		if err != nil {
			t.Fatal(err)
		}
		f := Filter{}
		if rapid.Bool().Draw(t, "by workspace") {
			f.Workspace = rapid.SampledFrom([]string{"main", "other"}).Draw(t, "workspace")
		}
		if rapid.Bool().Draw(t, "by type") {
			f.Types = rapid.SliceOfN(rapid.SampledFrom(someTypes), 1, 2).Draw(t, "types")
		}
		if rapid.Bool().Draw(t, "by source") {
			f.Sources = rapid.SliceOfN(rapid.SampledFrom(someSources), 1, 2).Draw(t, "sources")
		}
		if rapid.Bool().Draw(t, "by persona") {
			f.Personas = []schema.PersonaID{somePersona(rapid.IntRange(0, 40).Draw(t, "wanted"))}
		}
		if rapid.Bool().Draw(t, "by time") {
			f.From = schema.Instant(rapid.Int64Range(-8e6, 8e6).Draw(t, "from"))
			f.To = f.From + schema.Instant(rapid.Int64Range(0, 4e6).Draw(t, "long"))
		}
		matched := 0
		for _, c := range all {
			if f.Match(c) {
				matched++
			}
		}
		excluded := index.Excludes(&f)
		if excluded && matched > 0 {
			t.Fatalf("%+v: %d events match, and the segment is passed over", f, matched)
		}
		if f.Empty() && (excluded || matched != len(all)) {
			t.Fatalf("an empty filter matches %d of %d, excluded %v", matched, len(all), excluded)
		}
	})
}

// What is of no type, source, time or persona of a segment is passed over; a stranger is taken for one of its personas rarely.
func TestIndexPassesOver(t *testing.T) {
	made := newIndexer()
	for n := range 2000 {
		c := &schema.Clear{Workspace: "main", Source: "shop", Type: schema.TypeOrderPlaced, OccurredAt: schema.Instant(n), Persona: somePersona(n % 256)}
		c.Persona[3] = byte(n / 256)
		c.ID[0] = 1
		r := clearRecord(int64(n), c)
		made.add(&r)
	}
	index, _, err := made.finish([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]Filter{
		"workspace": {Workspace: "other"},
		"type":      {Types: []schema.Type{schema.TypePageViewed}},
		"source":    {Sources: []string{"web", "crm"}},
		"earlier":   {To: 0, From: 2000},
		"later":     {From: -10, To: -5},
	} {
		if !index.Excludes(&f) {
			t.Errorf("%s: not passed over", name)
		}
	}
	wrong := 0
	for n := range 10_000 {
		p := schema.PersonaID{7: byte(n), 8: byte(n >> 8), 9: 9}
		if !index.Excludes(&Filter{Personas: []schema.PersonaID{p}}) {
			wrong++
		}
	}
	if wrong > 200 {
		t.Errorf("%d of 10,000 strangers are taken for one of 2,000 personas", wrong)
	}
}

// A segment with a record that this version cannot read is never passed over.
func TestIndexOfUnreadable(t *testing.T) {
	made := newIndexer()
	r := clearRecord(0, &schema.Clear{ID: [16]byte{1}, Persona: somePersona(1), Workspace: "main", Source: "shop"})
	made.add(&r)
	made.add(&kafka.Record{Offset: 1, Value: []byte("of a later version")})
	digest := [32]byte{3}
	_, file, err := made.finish(digest)
	if err != nil {
		t.Fatal(err)
	}
	index, err := openIndex(file, digest)
	if err != nil {
		t.Fatal(err)
	}
	if index.Excludes(&Filter{Workspace: "other"}) {
		t.Error("it is passed over")
	}
}

// An index that is missing, altered, of another segment or torn is made again, and is the same bytes.
func TestIndexIsRebuilt(t *testing.T) {
	dir := t.TempDir()
	store, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	part := Part{indexedTopic, 0, 0}
	p, err := OpenPartition(t.Context(), store, part)
	if err != nil {
		t.Fatal(err)
	}
	var entries []Entry
	for n := range 2 {
		b := newBuilder()
		b.start(part.Topic, 0, 0, int64(n))
		r := clearRecord(int64(n), &schema.Clear{ID: [16]byte{1}, Persona: somePersona(n), Workspace: "main", Source: fmt.Sprintf("source%d", n)})
		if err := b.add(&r); err != nil {
			t.Fatal(err)
		}
		file, s := b.finish()
		e := Entry{From: s.From, Next: s.Next, Earliest: s.Earliest, Latest: s.Latest, RawBytes: s.RawBytes, SegmentBytes: s.SegmentBytes, Digest: s.Digest, Last: RecordDigest(0, &r)}
		if err := p.Import(t.Context(), e, file); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	path := func(n int) string { return filepath.Join(dir, indexedTopic, "0", "0", entries[n].indexName()) }
	want := make([][]byte, 2)
	for n := range entries {
		index, rebuilt, err := p.Index(t.Context(), entries[n])
		if err != nil || !rebuilt || index.table.Sources[0] != fmt.Sprintf("source%d", n) {
			t.Fatalf("%+v %v %v", index, rebuilt, err)
		}
		if want[n], err = os.ReadFile(path(n)); err != nil {
			t.Fatal(err)
		}
		if _, rebuilt, err := p.Index(t.Context(), entries[n]); rebuilt || err != nil {
			t.Fatalf("it is rebuilt again: %v", err)
		}
	}
	for name, change := range map[string]func() error{
		"missing":    func() error { return os.Remove(path(0)) },
		"torn":       func() error { return os.WriteFile(path(0), want[0][:len(want[0])/2], 0o600) },
		"empty":      func() error { return os.WriteFile(path(0), nil, 0o600) },
		"of another": func() error { return os.WriteFile(path(0), want[1], 0o600) },
		"altered": func() error {
			return os.WriteFile(path(0), bytes.ReplaceAll(want[0], []byte("source0"), []byte("source9")), 0o600)
		},
		"altered order": func() error { return os.WriteFile(path(0), append([]byte("DSINDX02"), want[0][8:]...), 0o600) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		index, rebuilt, err := p.Index(t.Context(), entries[0])
		if err != nil || !rebuilt || index.table.Sources[0] != "source0" {
			t.Errorf("%s: %v %v", name, rebuilt, err)
		}
		if got, err := os.ReadFile(path(0)); err != nil || !bytes.Equal(got, want[0]) {
			t.Errorf("%s: another file was made: %v", name, err)
		}
	}
	if err := os.Remove(filepath.Join(filepath.Dir(path(0)), entries[0].Name())); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path(0)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Index(t.Context(), entries[0]); err == nil {
		t.Error("an index was made without its segment")
	} else if _, err := os.Stat(path(0)); !os.IsNotExist(err) && err != fs.ErrNotExist {
		t.Errorf("%v", err)
	}
}

// FuzzOpenIndex gives the decoder bytes whose digests are right, as who controls the archive could.
func FuzzOpenIndex(f *testing.F) {
	made := newIndexer()
	r := clearRecord(0, &schema.Clear{ID: [16]byte{1}, Persona: somePersona(1), Workspace: "main", Source: "shop"})
	made.add(&r)
	_, file, err := made.finish([32]byte{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file[indexHead-4 : len(file)-sha256.Size])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		file := append(append([]byte(indexMagic), make([]byte, sha256.Size)...), body...)
		sum := sha256.Sum256(file)
		x, err := openIndex(append(file, sum[:]...), [32]byte{})
		if err != nil {
			return
		}
		x.Excludes(&Filter{Workspace: "main", Types: someTypes, Sources: someSources, Personas: []schema.PersonaID{somePersona(1)}, From: 1, To: 2})
	})
}

// BenchmarkIndex is what the index costs for each archived event.
func BenchmarkIndex(b *testing.B) {
	records := make([]kafka.Record, 8000)
	for n := range records {
		c := &schema.Clear{Workspace: "main", Source: someSources[n%4], Type: someTypes[n%4], OccurredAt: schema.Instant(n), Persona: somePersona(n % 200)}
		c.ID[0], c.Persona[3] = 1, byte(n/1000)
		records[n] = clearRecord(int64(n), c)
	}
	cpu := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu()
	defer func() { b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op") }()
	for n := 0; n < b.N; n += len(records) {
		made := newIndexer()
		for i := range records {
			made.add(&records[i])
		}
		if _, _, err := made.finish([32]byte{}); err != nil {
			b.Fatal(err)
		}
	}
}
