package archive_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

var topic = schema.Topic{Name: "events", Partitions: 2, Archived: true}

// world is an embedded log with its archive, and what was acknowledged.
type world struct {
	t      fataler
	root   string // holds one folder per life of the log
	lives  int
	log    string
	store  archive.Store
	place  place
	broker *broker.Broker
	client *kafka.Client
	counts []int
	reader *eventlog.Log
}

type fataler interface {
	Fatalf(format string, args ...any)
	Helper()
}

func newWorld(t fataler, root string, at places) *world {
	w := &world{t: t, root: root, log: filepath.Join(root, "log0"), counts: make([]int, topic.Partitions)}
	var err error
	w.store, w.place, err = at(root)
	w.must(err)
	w.start()
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%v", err)
	}
}

func (w *world) start() {
	w.t.Helper()
	var err error
	w.broker, err = broker.Start(context.Background(), broker.Config{Dir: w.log, Topics: []schema.Topic{topic}, SyncWrites: true, SegmentBytes: 3000})
	w.must(err)
	w.client, err = kafka.Open(context.Background(), kafka.Config{Brokers: []string{w.broker.Addr()}})
	w.must(err)
	w.reader = nil
}

func (w *world) close() {
	w.client.Close()
	w.broker.Close()
}

// crash starts a new life from a copy of the files as they are, then lets the old one go.
func (w *world) crash() {
	w.t.Helper()
	w.lives++
	old, oldBroker, oldClient := w.log, w.broker, w.client
	w.log = filepath.Join(w.root, fmt.Sprintf("log%d", w.lives))
	w.must(copyFolder(w.log, old))
	oldClient.Close()
	oldBroker.Close()
	w.must(os.RemoveAll(old))
	w.start()
}

func copyFolder(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o600)
	})
}

// value is what the n-th record of a partition holds: its number and some filling.
func value(partition int32, n int) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(n))
	return append(b, make([]byte, 20+(n*7+int(partition))%180)...)
}

func recordedAt(n int) time.Time { return time.UnixMilli(1_700_000_000_000 + int64(n/3)) }

func (w *world) produce(partition int32, n int) {
	w.t.Helper()
	first := w.counts[partition]
	messages := make([]kafka.Message, n)
	for i := range messages {
		messages[i] = kafka.Message{Key: []byte{byte(partition)}, Value: value(partition, first+i)}
	}
	base, err := w.client.Produce(context.Background(), topic.Name, partition, messages, recordedAt(first))
	w.must(err)
	if base != int64(first) {
		w.t.Fatalf("partition %d: %d records were acknowledged, the next one got offset %d", partition, first, base)
	}
	w.counts[partition] += n
}

func (w *world) role(store archive.Store) *archive.Role {
	return archive.New(archive.Config{Source: w.client, Store: store, Sequences: archive.Sequences([]schema.Topic{topic}, 1)})
}

func part(partition int32) archive.Part {
	return archive.Part{Topic: topic.Name, Generation: 1, Partition: partition}
}

// read checks that the sequence from an offset to the end is what was acknowledged, by a fresh reader or the one that has
// lived through everything.
func (w *world) read(partition int32, from int64, fresh bool) {
	w.t.Helper()
	ctx := context.Background()
	if w.reader == nil || fresh {
		reader, err := eventlog.Open(ctx, w.client, w.store, topic.Name, 1)
		w.must(err)
		w.reader = reader
	}
	end := int64(w.counts[partition])
	for at := from; at < end; {
		b, err := w.reader.Read(ctx, partition, at, 0)
		w.must(err)
		if b.From != at || b.Next <= at || b.Next > end || int64(len(b.Records)) != b.Next-b.From {
			w.t.Fatalf("partition %d at %d: read [%d,%d) with %d records of %d", partition, at, b.From, b.Next, len(b.Records), end)
		}
		for i, r := range b.Records {
			n := int(at) + i
			if r.Offset != int64(n) || string(r.Value) != string(value(partition, n)) || len(r.Key) != 1 {
				w.t.Fatalf("partition %d: record %d is wrong: offset %d, value %x", partition, n, r.Offset, r.Value)
			}
		}
		at = b.Next
	}
	if b, err := w.reader.Read(ctx, partition, end, 0); err != nil || b.Next != end {
		w.t.Fatalf("partition %d at its end %d: %+v %v", partition, end, b, err)
	}
}

// Any interleaving of producing, archiving, crashes, clean restarts and reading shows exactly the acknowledged records.
func TestSequenceUnderAnyInterleaving(t *testing.T) { everywhere(t, testSequence) }

func testSequence(t *testing.T, at places) {
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		root := filepath.Join(dir, fmt.Sprint(run))
		w := newWorld(t, root, at)
		defer func() {
			w.close()
			if err := os.RemoveAll(root); err != nil {
				t.Fatal(err)
			}
		}()
		for range rapid.IntRange(5, 25).Draw(t, "steps") {
			p := int32(rapid.IntRange(0, int(topic.Partitions)-1).Draw(t, "partition"))
			switch rapid.SampledFrom([]string{"produce", "produce", "produce", "archive", "archive", "crash", "restart", "read", "read"}).Draw(t, "step") {
			case "produce":
				w.produce(p, rapid.IntRange(1, 40).Draw(t, "records"))
			case "archive":
				w.must(w.role(w.store).CatchUp(context.Background(), part(p), int64(rapid.IntRange(1, 6000).Draw(t, "cut"))))
			case "crash":
				w.crash()
			case "restart":
				w.close()
				w.start()
			case "read":
				w.read(p, int64(rapid.IntRange(0, w.counts[p]).Draw(t, "from")), rapid.Bool().Draw(t, "fresh"))
			}
		}
		for p := range topic.Partitions {
			w.read(p, 0, true)
		}
		if _, err := archive.Verify(context.Background(), w.store); err != nil {
			t.Fatal(err)
		}
	})
}

var errInjected = errors.New("injected")

// faultyStore fails the n-th write or read-back, before or after it happened.
type faultyStore struct {
	archive.Store
	op      string
	left    int
	applied bool
}

func (f *faultyStore) hit(op string) bool {
	if op != f.op {
		return false
	}
	f.left--
	return f.left == 0
}

func (f *faultyStore) Put(ctx context.Context, p archive.Part, name string, file []byte) error {
	op := "put"
	if strings.HasSuffix(name, ".index") {
		op = "put index"
	}
	if f.hit(op) {
		if f.applied {
			if err := f.Store.Put(ctx, p, name, file); err != nil {
				return err
			}
		}
		return errInjected
	}
	if f.hit(op + " torn") {
		if err := f.Store.Put(ctx, p, name, file[:len(file)/2]); err != nil {
			return err
		}
		return nil // a disk that lies
	}
	return f.Store.Put(ctx, p, name, file)
}

func (f *faultyStore) Get(ctx context.Context, p archive.Part, name string) ([]byte, error) {
	if f.hit("get") {
		return nil, errInjected
	}
	return f.Store.Get(ctx, p, name)
}

func (f *faultyStore) Append(ctx context.Context, p archive.Part, at int64, line []byte) error {
	switch {
	case f.hit("append"):
		if f.applied {
			if err := f.Store.Append(ctx, p, at, line); err != nil {
				return err
			}
		}
		return errInjected
	case f.hit("append torn"):
		if err := f.Store.Append(ctx, p, at, line[:len(line)/2]); err != nil {
			return err
		}
		return errInjected
	}
	return f.Store.Append(ctx, p, at, line)
}

// faultySource fails the n-th drop, before or after it happened.
type faultySource struct {
	archive.Source
	left    int
	applied bool
}

func (f *faultySource) DeleteRecords(ctx context.Context, topic string, partition int32, before int64) error {
	if f.left--; f.left != 0 {
		return f.Source.DeleteRecords(ctx, topic, partition, before)
	}
	if f.applied {
		if err := f.Source.DeleteRecords(ctx, topic, partition, before); err != nil {
			return err
		}
	}
	return schema.Classify(schema.Transient, errInjected)
}

// Every write boundary of the archive, failed and failed but applied: the next run carries on, and nothing is lost or doubled.
func TestFaultTable(t *testing.T) { everywhere(t, testFaultTable) }

func testFaultTable(t *testing.T, at places) {
	for _, c := range []struct {
		op      string
		applied bool
	}{
		{"put", false}, {"put", true}, {"put torn", true}, {"get", false}, {"put index", false}, {"put index", true},
		{"append", false}, {"append", true}, {"append torn", true},
		{"drop", false}, {"drop", true},
	} {
		for nth := 1; nth <= 2; nth++ {
			t.Run(fmt.Sprintf("%s applied=%v nth=%d", c.op, c.applied, nth), func(t *testing.T) {
				w := newWorld(t, t.TempDir(), at)
				defer w.close()
				if c.op == "append torn" && w.place.objects {
					return // an object is there whole or not at all: TestS3Cut
				}
				w.produce(0, 100)
				source := archive.Source(w.client)
				if c.op == "drop" {
					source = &faultySource{w.client, nth, c.applied}
				}
				role := archive.New(archive.Config{
					Source: source, Store: &faultyStore{w.store, c.op, nth, c.applied},
					Sequences: archive.Sequences([]schema.Topic{topic}, 1),
				})
				err := role.CatchUp(t.Context(), part(0), 2000)
				if err == nil {
					t.Fatal("the fault was not noticed")
				}
				if kafka.Class(err) != schema.Transient {
					t.Fatalf("the fault is %v: %v", kafka.Class(err), err)
				}
				w.read(0, 0, true)
				w.produce(0, 50)
				w.crash()
				w.read(0, 0, true)
				w.must(w.role(w.store).CatchUp(t.Context(), part(0), 2000))
				w.read(0, 0, true)
				health, err := archive.Verify(t.Context(), w.store)
				if err != nil {
					t.Fatal(err)
				}
				if health.Segments < 3 || len(health.Unlisted) > 1 {
					t.Fatalf("got %+v", health)
				}
			})
		}
	}
}

// A role whose source fails for a while goes on by itself, and ends without an error when it is told to.
func TestRunRecovers(t *testing.T) { everywhere(t, testRunRecovers) }

func testRunRecovers(t *testing.T, at places) {
	w := newWorld(t, t.TempDir(), at)
	defer w.close()
	w.produce(0, 200)
	w.produce(1, 200)
	role := archive.New(archive.Config{
		Source: &faultySource{w.client, 2, false}, Store: &faultyStore{w.store, "append", 3, true},
		Sequences: archive.Sequences([]schema.Topic{topic}, 1), CutBytes: func(int32) int64 { return 2000 },
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- role.Run(ctx) }()
	total := int64(0)
	for deadline := time.Now().Add(15 * time.Second); total < 300; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of 400 records were archived", total)
		}
		total = 0
		for p := range topic.Partitions {
			a, err := archive.OpenPartition(t.Context(), w.store, part(p))
			if err != nil {
				t.Fatal(err)
			}
			_, next := a.Range()
			total += next
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := role.Metrics().Failures.Load(); n != 2 {
		t.Errorf("counted %d failures, want 2", n)
	}
	w.read(0, 0, true)
	w.read(1, 0, true)
}

// What was done to the files from outside is found and named, by readers and by Verify.
func TestTampering(t *testing.T) { everywhere(t, testTampering) }

func testTampering(t *testing.T, at places) {
	segments := func(t *testing.T, w *world) []string {
		names, err := w.store.Names(t.Context(), part(0))
		if err != nil || len(names) < 3 {
			t.Fatalf("%v %v", names, err)
		}
		for i, n := range names {
			names[i] = w.store.Locate(part(0), n)
		}
		return names
	}
	manifest := func(w *world) string { return w.store.Locate(part(0), "manifest.ndjson") }
	edit := func(t *testing.T, w *world, name string, change func([]byte) []byte) {
		path := w.place.path(name)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, change(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lines := func(t *testing.T, w *world) []string {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(w.place.path(manifest(w)), "*"))
		if err != nil || len(found) < 3 {
			t.Fatalf("%v %v", found, err)
		}
		for i, path := range found {
			found[i] = manifest(w) + filepath.Base(path)
		}
		return found
	}
	for name, tamper := range map[string]func(t *testing.T, w *world) string{
		"altered byte": func(t *testing.T, w *world) string {
			path := segments(t, w)[0]
			edit(t, w, path, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
			return path
		},
		"torn file": func(t *testing.T, w *world) string {
			path := segments(t, w)[1]
			edit(t, w, path, func(b []byte) []byte { return b[:len(b)-1] })
			return path
		},
		"missing file": func(t *testing.T, w *world) string {
			path := segments(t, w)[0]
			if err := os.Remove(w.place.path(path)); err != nil {
				t.Fatal(err)
			}
			return path
		},
		"swapped files": func(t *testing.T, w *world) string {
			names := segments(t, w)
			other, err := os.ReadFile(w.place.path(names[1]))
			if err != nil {
				t.Fatal(err)
			}
			edit(t, w, names[0], func([]byte) []byte { return other })
			return names[0]
		},
		"manifest line changed": func(t *testing.T, w *world) string {
			name := manifest(w)
			if w.place.objects {
				name = lines(t, w)[0]
			}
			edit(t, w, name, func(b []byte) []byte { return []byte(strings.Replace(string(b), `"raw":2`, `"raw":3`, 1)) })
			return manifest(w)
		},
		"manifest line removed": func(t *testing.T, w *world) string {
			if w.place.objects {
				name := lines(t, w)[1]
				if err := os.Remove(w.place.path(name)); err != nil {
					t.Fatal(err)
				}
				return name
			}
			edit(t, w, manifest(w), func(b []byte) []byte {
				lines := strings.SplitAfter(string(b), "\n")
				return []byte(strings.Join(slices.Delete(lines, 1, 2), ""))
			})
			return manifest(w)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, t.TempDir(), at)
			defer w.close()
			w.produce(0, 300)
			w.must(w.role(w.store).CatchUp(t.Context(), part(0), 2000))
			path := tamper(t, w)

			_, err := archive.Verify(t.Context(), w.store)
			if err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("Verify says %v, want it to name %s", err, path)
			}
			err = nil
			log, err := eventlog.Open(t.Context(), w.client, w.store, topic.Name, 1)
			for at := int64(0); err == nil && at < 300; {
				var b eventlog.Batch
				b, err = log.Read(t.Context(), 0, at, 0)
				at = b.Next
			}
			if err == nil || !strings.Contains(err.Error(), path) || kafka.Class(err) != schema.Fatal {
				t.Errorf("a reader gets %v, want a fatal error that names %s", err, path)
			}
		})
	}
}

// A log that is not the one that was archived is refused, as is an archive that has lost its end or everything.
func TestOtherLog(t *testing.T) { everywhere(t, testOtherLog) }

func testOtherLog(t *testing.T, at places) {
	t.Run("another log", func(t *testing.T) {
		w := newWorld(t, t.TempDir(), at)
		w.produce(0, 100)
		w.must(w.role(w.store).CatchUp(t.Context(), part(0), 2000))
		w.close()
		w.log = filepath.Join(w.root, "other")
		w.start()
		defer w.close()
		w.counts[0] = 0
		if err := w.role(w.store).CatchUp(t.Context(), part(0), 2000); kafka.Class(err) != schema.Fatal {
			t.Errorf("a shorter log: %v", err)
		}
		if _, err := w.client.Produce(t.Context(), topic.Name, 0, make([]kafka.Message, 200), time.UnixMilli(5)); err != nil {
			t.Fatal(err)
		}
		if err := w.role(w.store).CatchUp(t.Context(), part(0), 2000); kafka.Class(err) != schema.Fatal {
			t.Errorf("a longer log: %v", err)
		}
	})
	t.Run("archive lost", func(t *testing.T) {
		w := newWorld(t, t.TempDir(), at)
		defer w.close()
		w.produce(0, 300)
		w.must(w.role(w.store).CatchUp(t.Context(), part(0), 2000))
		if err := os.RemoveAll(w.place.folder); err != nil {
			t.Fatal(err)
		}
		gap := (*archive.GapError)(nil)
		if err := w.role(w.store).CatchUp(t.Context(), part(0), 2000); !errors.As(err, &gap) || kafka.Class(err) != schema.Fatal {
			t.Errorf("the role gets %v", err)
		}
		log, err := eventlog.Open(t.Context(), w.client, w.store, topic.Name, 1)
		w.must(err)
		if _, err := log.Read(t.Context(), 0, 0, 0); !errors.As(err, &gap) || kafka.Class(err) != schema.Fatal {
			t.Errorf("a reader gets %v", err)
		}
	})
}
