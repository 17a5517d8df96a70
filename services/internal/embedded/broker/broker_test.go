package broker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

var events = schema.Topic{Name: "events", Partitions: 1}

func config(dir string) broker.Config {
	return broker.Config{Dir: dir, Topics: []schema.Topic{events}, SyncWrites: true, SegmentBytes: 2000}
}

func start(t *testing.T, dir string) (*broker.Broker, *kafka.Client) {
	t.Helper()
	b, err := broker.Start(t.Context(), config(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	c, err := kafka.Open(t.Context(), kafka.Config{Brokers: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return b, c
}

func fill(t *testing.T, c *kafka.Client, batches int) {
	t.Helper()
	for i := range batches {
		m := []kafka.Message{{Key: []byte("k"), Value: bytes.Repeat([]byte{byte(i)}, 200)}, {Value: []byte("second")}}
		if _, err := c.Produce(t.Context(), events.Name, 0, m, time.UnixMilli(int64(1000+i))); err != nil {
			t.Fatal(err)
		}
	}
}

// snapshot copies the folder as a crash would leave it.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(filepath.Join(to, "copy"), os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(to, "copy")
}

func segments(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "log", "partitions", "events-0", "*.dat"))
	if err != nil || len(paths) < 3 {
		t.Fatalf("%v %v", paths, err)
	}
	// By base offset: names are not padded.
	for i := range paths {
		for j := i + 1; j < len(paths); j++ {
			if len(paths[j]) < len(paths[i]) || len(paths[j]) == len(paths[i]) && paths[j] < paths[i] {
				paths[i], paths[j] = paths[j], paths[i]
			}
		}
	}
	return paths
}

func end(t *testing.T, c *kafka.Client) kafka.Range {
	t.Helper()
	r, err := c.Offsets(t.Context(), events.Name)
	if err != nil {
		t.Fatal(err)
	}
	return r[0]
}

func TestRestart(t *testing.T) {
	dir := t.TempDir()
	b, c := start(t, dir)
	id := b.ClusterID()
	fill(t, c, 30)
	crashed := snapshot(t, dir)
	c.Close()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"clean": dir, "crash": crashed} {
		b, c := start(t, dir)
		if b.ClusterID() != id || b.Found().Segments < 3 || b.Found().Torn != 0 || b.Truncations() != 0 {
			t.Errorf("%s: %s %+v", name, b.ClusterID(), b.Found())
		}
		if got := end(t, c); got != (kafka.Range{First: 0, Next: 60}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestFolderInUse(t *testing.T) {
	dir := t.TempDir()
	b, _ := start(t, dir)
	if _, err := broker.Start(t.Context(), config(dir)); !errors.Is(err, broker.ErrInUse) {
		t.Fatalf("a second broker: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := broker.Start(t.Context(), config(dir))
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestFolderNotWritable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := broker.Start(t.Context(), config(filepath.Join(file, "log"))); err == nil || strings.Contains(err.Error(), "\n") {
		t.Fatalf("got %v, want one line", err)
	}
}

// The end of the last segment may be cut at any byte by a crash: the batches before it are all there, and writing goes on.
func TestTornEnd(t *testing.T) {
	dir := t.TempDir()
	_, c := start(t, dir)
	fill(t, c, 30)
	paths := segments(t, dir)
	last := paths[len(paths)-1]
	whole, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	one := len(whole) / batches(t, whole)
	for _, cut := range []int{1, 11, 12, 60, 61, 100, one - 1} {
		crashed := snapshot(t, dir)
		rel, err := filepath.Rel(dir, last)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(crashed, rel), whole[:len(whole)-one+cut], 0o600); err != nil {
			t.Fatal(err)
		}
		b, c := start(t, crashed)
		if b.Found().Torn != int64(cut) {
			t.Errorf("cut %d: %+v", cut, b.Found())
		}
		if got := end(t, c); got.Next != 58 {
			t.Errorf("cut %d: %+v", cut, got)
		}
		fill(t, c, 1)
		if got := end(t, c); got.Next != 60 {
			t.Errorf("cut %d, then written: %+v", cut, got)
		}
		c.Close()
		b.Close()
	}
}

func batches(t *testing.T, segment []byte) int {
	t.Helper()
	n := 0
	for len(segment) > 0 {
		size := 12 + int(segment[8])<<24 + int(segment[9])<<16 + int(segment[10])<<8 + int(segment[11])
		segment = segment[size:]
		n++
	}
	if n < 2 {
		t.Fatalf("the last segment has %d batches; the test needs two", n)
	}
	return n
}

// Damage that a crash cannot cause is refused and named, and the folder is left as it was.
func TestDamageIsRefused(t *testing.T) {
	dir := t.TempDir()
	_, c := start(t, dir)
	fill(t, c, 31)
	rel := func(i int) string {
		paths := segments(t, dir)
		r, err := filepath.Rel(dir, paths[(i+len(paths))%len(paths)])
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	flip := func(at int) func(b []byte) []byte {
		return func(b []byte) []byte { b[(at+len(b))%len(b)] ^= 0x10; return b }
	}
	for name, c := range map[string]struct {
		file   string
		change func(b []byte) []byte // nil removes the file
	}{
		"byte in the first segment":      {rel(0), flip(100)},
		"length in the first segment":    {rel(0), flip(9)},
		"end of the first segment":       {rel(0), func(b []byte) []byte { return b[:len(b)-5] }},
		"byte at the last segment's top": {rel(-1), flip(80)},
		"length in the last segment":     {rel(-1), flip(9)},
		"first offset of a segment":      {rel(1), flip(7)},
		"missing segment":                {rel(1), nil},
		"missing topics file":            {"log/topics.json", nil},
		"missing identity":               {"broker.json", nil},
		"broken identity":                {"broker.json", func(b []byte) []byte { return b[:10] }},
		"another topic id": {"broker.json", func(b []byte) []byte {
			var m map[string]any
			if json.Unmarshal(b, &m) != nil {
				return nil
			}
			m["topics"].(map[string]any)["events"].(map[string]any)["id"] = "00"
			b, err := json.Marshal(m)
			if err != nil {
				return nil
			}
			return b
		}},
	} {
		t.Run(name, func(t *testing.T) {
			damagedDir := snapshot(t, dir)
			path := filepath.Join(damagedDir, c.file)
			if c.change == nil {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			} else {
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, c.change(b), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before := sizes(t, damagedDir)
			_, err := broker.Start(t.Context(), config(damagedDir))
			damage := (*broker.DamageError)(nil)
			if !errors.As(err, &damage) || damage.Path == "" {
				t.Fatalf("got %v, want a DamageError", err)
			}
			if after := sizes(t, damagedDir); before != after {
				t.Errorf("the folder changed\nfrom %s\nto   %s", before, after)
			}
		})
	}
}

func sizes(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	for _, path := range []string{"log/partitions/events-0", "log"} {
		entries, err := os.ReadDir(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(e.Name(), ".dat") || e.Name() == "topics.json" {
				all = append(all, fmt.Sprint(e.Name(), " ", info.Size()))
			}
		}
	}
	return strings.Join(all, ", ")
}

// After a clean stop even the last batch cannot be torn.
func TestLostEndAfterCleanStop(t *testing.T) {
	dir := t.TempDir()
	b, c := start(t, dir)
	fill(t, c, 30)
	c.Close()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	paths := segments(t, dir)
	last := paths[len(paths)-1]
	whole, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	whole[len(whole)-3] ^= 1
	if err := os.WriteFile(last, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	damage := (*broker.DamageError)(nil)
	if _, err := broker.Start(t.Context(), config(dir)); !errors.As(err, &damage) {
		t.Fatalf("got %v", err)
	}
}

// The engine forgets the end of a partition that is empty on disk, so the last record always stays: after a crash the next
// offset goes on.
func TestDeleteRecordsKeepsTheEnd(t *testing.T) {
	dir := t.TempDir()
	b, c := start(t, dir)
	fill(t, c, 30)
	if err := b.DeleteRecords(events.Name, 0, 60); err != nil {
		t.Fatal(err)
	}
	if got := end(t, c); got != (kafka.Range{First: 59, Next: 60}) {
		t.Fatalf("got %+v", got)
	}
	if n := len(mustGlob(t, dir)); n != 1 {
		t.Fatalf("%d segments are left", n)
	}
	_, crashed := start(t, snapshot(t, dir))
	if got := end(t, crashed); got.Next != 60 || got.First < 40 {
		t.Fatalf("after a crash: %+v", got)
	}
	fill(t, crashed, 1)
	if got := end(t, crashed); got.Next != 62 {
		t.Fatalf("after a crash and a write: %+v", got)
	}
	if err := b.DeleteRecords(events.Name, 0, 10); err != nil {
		t.Errorf("what is gone already: %v", err)
	}
	if err := b.DeleteRecords("nothing", 0, 10); err == nil {
		t.Error("an unknown topic was cut")
	}
}

func mustGlob(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "log", "partitions", "events-0", "*.dat"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestTopics(t *testing.T) {
	dir := t.TempDir()
	cfg := broker.Config{Dir: dir, Topics: schema.Topics()}
	b, err := broker.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	c, err := kafka.Open(t.Context(), kafka.Config{Brokers: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.EnsureTopics(t.Context(), schema.Topics(), 0, 0); err != nil {
		t.Errorf("the client finds other topics: %v", err)
	}
	if _, err := c.Partitions(t.Context(), "surprise"); err == nil {
		t.Error("a topic was created because somebody asked for it")
	}
	c.Close()
	b.Close()
	cfg.Partitions = 8
	if b, err = broker.Start(t.Context(), cfg); err == nil {
		b.Close()
		t.Error("another partition count was accepted")
	}
	cfg = broker.Config{Dir: t.TempDir(), Topics: schema.Topics(), Partitions: 7} // decided at the first start
	for range 2 {
		b, err := broker.Start(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		c, err := kafka.Open(t.Context(), kafka.Config{Brokers: []string{b.Addr()}})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := c.Partitions(t.Context(), schema.TopicEvents); n != 7 || err != nil {
			t.Errorf("%d partitions, %v; want 7", n, err)
		}
		c.Close()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		cfg.Partitions = 0
	}
}

func TestLoopbackOnly(t *testing.T) {
	b, _ := start(t, "")
	if !strings.HasPrefix(b.Addr(), "127.0.0.1:") {
		t.Errorf("listens on %s", b.Addr())
	}
}

func TestStartIsCancelled(t *testing.T) {
	dir := t.TempDir()
	b, c := start(t, dir)
	fill(t, c, 30)
	c.Close()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := broker.Start(ctx, config(dir)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
