package backup_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/backup"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// place is a log with its archive, of two generations of events.
type place struct {
	t           *testing.T
	broker      *broker.Broker
	client      *kafka.Client
	store       archive.Store
	generations []eventlog.Generation
	written     int
}

func newPlace(t *testing.T, topics ...schema.Topic) *place {
	t.Helper()
	p := &place{t: t}
	var err error
	if p.broker, err = broker.Start(t.Context(), broker.Config{Topics: append(schema.Topics(), topics...), Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.broker.Close() })
	if p.client, err = kafka.Open(t.Context(), kafka.Config{Brokers: []string{p.broker.Addr()}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.client.Close)
	if p.store, err = archive.OpenFolder(filepath.Join(t.TempDir(), "archive")); err != nil {
		t.Fatal(err)
	}
	p.generations = []eventlog.Generation{{Live: schema.TopicEvents}}
	return p
}

func (p *place) write(topic string, partition int32, n int) {
	p.t.Helper()
	for range n {
		p.written++
		m := []kafka.Message{{Key: fmt.Appendf(nil, "k%d", p.written), Value: fmt.Appendf(nil, "record %d of %s", p.written, topic), Headers: []kafka.Header{{Key: "h", Value: []byte{byte(p.written)}}}}}
		if p.written%3 == 0 {
			m[0].Key = nil
		}
		if _, err := p.client.Produce(p.t.Context(), topic, partition, m, time.UnixMilli(int64(1_700_000_000_000+p.written/2))); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *place) logs(ctx context.Context) ([]*eventlog.Log, error) {
	events, err := eventlog.OpenGenerations(ctx, p.client, p.store, schema.TopicEvents, p.generations)
	if err != nil {
		return nil, err
	}
	logs := []*eventlog.Log{events}
	for _, topic := range []string{schema.TopicDeadLetters, schema.TopicProfiles, schema.TopicDecisions, schema.TopicControl} {
		log, err := eventlog.Open(ctx, p.client, p.store, topic, 0)
		if err != nil {
			return nil, err
		}
		logs = append(logs, log)
	}
	return logs, nil
}

func (p *place) origin() *backup.Origin {
	return &backup.Origin{Store: p.store, Logs: p.logs, Now: time.Now}
}

// archive copies what a generation of events has, in small segments.
func (p *place) archive(s archive.Sequence) {
	p.t.Helper()
	role := archive.New(archive.Config{Source: p.client, Store: p.store, Sequences: []archive.Sequence{s}, CutBytes: func(int32) int64 { return 400 }})
	if err := role.Run(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
}

// content is every record of every topic, without its place in a generation.
func (p *place) content(skipControl int) map[string][]string {
	p.t.Helper()
	logs, err := p.logs(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	all := map[string][]string{}
	for _, log := range logs {
		ends, err := log.Ends(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		for partition, end := range ends {
			if log.Topic() == schema.TopicControl {
				end -= int64(skipControl)
			}
			name := fmt.Sprintf("%s/%d", log.Topic(), partition)
			for at := int64(0); at < end; {
				b, err := log.Read(p.t.Context(), int32(partition), at, 0)
				if err != nil {
					p.t.Fatal(err)
				}
				for _, r := range b.Records {
					if r.Offset < end {
						all[name] = append(all[name], fmt.Sprintf("%d %v %q %q %v", r.Offset, r.RecordedAt, r.Key, r.Value, r.Headers))
					}
				}
				at = b.Next
			}
		}
	}
	return all
}

// filled has an archived and closed generation, a live one of which nothing is archived, and records in the other topics.
func filled(t *testing.T) *place {
	t.Helper()
	p := newPlace(t, schema.Topic{Name: "events.g1", Partitions: 3})
	p.write(schema.TopicControl, 0, 5)
	p.write(schema.TopicEvents, 0, 40)
	p.write(schema.TopicEvents, 1, 25)
	p.generations = []eventlog.Generation{{Live: schema.TopicEvents, Ends: []int64{40, 25}}, {Number: 1, Live: "events.g1"}}
	p.archive(archive.Sequence{Topic: schema.TopicEvents, Live: schema.TopicEvents, Ends: []int64{40, 25}})
	p.write("events.g1", 0, 7)
	p.write("events.g1", 2, 9)
	p.write(schema.TopicDeadLetters, 0, 6)
	p.write(schema.TopicProfiles, 0, 11)
	return p
}

// counting counts what is asked of a source, and fails at a call.
type counting struct {
	backup.Source
	segments, ranges int
	failAt           int // of segments and ranges together; 0: never
}

var errInjected = errors.New("injected")

func (c *counting) hit() error {
	if c.failAt--; c.failAt == 0 {
		return errInjected
	}
	return nil
}

func (c *counting) Segment(ctx context.Context, part archive.Part, name string) ([]byte, error) {
	if err := c.hit(); err != nil {
		return nil, err
	}
	c.segments++
	return c.Source.Segment(ctx, part, name)
}

func (c *counting) Range(ctx context.Context, part archive.Part, from, next int64) ([]byte, error) {
	if err := c.hit(); err != nil {
		return nil, err
	}
	c.ranges++
	return c.Source.Range(ctx, part, from, next)
}

func restore(t *testing.T, dir string, to *place) error {
	t.Helper()
	folder, err := backup.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	last := uint32(0)
	for _, p := range folder.Manifest.Parts {
		if p.Topic == schema.TopicEvents && p.Generation > last {
			last = p.Generation
		}
	}
	ends := make([][]int64, last+1)
	for _, p := range folder.Manifest.Parts {
		if p.Topic == schema.TopicEvents {
			ends[p.Generation] = append(ends[p.Generation], p.Records)
		}
	}
	target := backup.Target{Store: to.store, Log: to.client, Now: time.Now, Begin: func(_ context.Context, topic schema.Topic) error { return to.broker.Ensure(topic) }}
	if err := folder.Restore(t.Context(), target, nil); err != nil {
		return err
	}
	to.generations = nil
	for g := range ends {
		to.generations = append(to.generations, eventlog.Generation{Number: uint32(g), Ends: ends[g]})
	}
	live := schema.GenerationTopic(schema.TopicEvents, last+1)
	to.generations = append(to.generations, eventlog.Generation{Number: last + 1, Live: live})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := to.client.Offsets(t.Context(), live); err == nil {
			return nil
		} else if time.Now().After(deadline) {
			return err
		}
	}
}

// What is restored is every record of every topic, with its offset, time, key and headers, and one more that starts the generation; and
// it can be backed up again.
func TestRestoreIsWhole(t *testing.T) {
	p := filled(t)
	dir := filepath.Join(t.TempDir(), "backup")
	m, err := backup.Copy(t.Context(), p.origin(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if m.Records(schema.TopicEvents) != 81 || m.Records("") != 81+5+6+11 {
		t.Errorf("%+v", m)
	}
	want := p.content(0)
	to := newPlace(t)
	if err := restore(t, dir, to); err != nil {
		t.Fatal(err)
	}
	if got := to.content(1); !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	log, err := eventlog.Open(t.Context(), to.client, to.store, schema.TopicControl, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := log.Read(t.Context(), 0, 5, 0)
	if err != nil || len(b.Records) != 1 {
		t.Fatalf("%+v %v", b, err)
	}
	c, err := schema.ParseControl(b.Records[0].Value)
	if err != nil || c.Kind != schema.ControlGenerationStarted || c.Generation.Check(1) != nil || !c.Generation.Restored || !reflect.DeepEqual(c.Generation.Ends, []int64{7, 0, 9}) || c.Generation.Partitions != 3 {
		t.Fatalf("the record that starts the generation: %+v %v", c, err)
	}
	to.write("events.g2", 1, 4)
	again := filepath.Join(t.TempDir(), "again")
	if _, err := backup.Copy(t.Context(), to.origin(), again, nil); err != nil {
		t.Fatal(err)
	}
	want = to.content(0)
	third := newPlace(t)
	if err := restore(t, again, third); err != nil {
		t.Fatal(err)
	}
	if got := third.content(1); !reflect.DeepEqual(got, want) {
		t.Fatalf("the second time: got %v, want %v", got, want)
	}
	if err := restore(t, dir, third); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("over something: %v", err)
	}
	if _, err := backup.Copy(t.Context(), p.origin(), again, nil); err == nil || !strings.Contains(err.Error(), "another folder") {
		t.Errorf("one that has less: %v", err)
	}
}

// Wherever a copy fails, the backup that was there before still counts and is whole; the next copy ends it, and fetches only what is new.
func TestCopyFails(t *testing.T) {
	p := filled(t)
	whole := filepath.Join(t.TempDir(), "whole")
	all := &counting{Source: p.origin()}
	if _, err := backup.Copy(t.Context(), all, whole, nil); err != nil {
		t.Fatal(err)
	}
	again := &counting{Source: p.origin()}
	if _, err := backup.Copy(t.Context(), again, whole, nil); err != nil {
		t.Fatal(err)
	}
	if all.segments < 5 || again.segments != 0 || again.ranges != all.ranges {
		t.Errorf("at first %+v, then %+v", all, again)
	}
	before := filepath.Join(t.TempDir(), "before")
	small := newPlace(t)
	small.write(schema.TopicControl, 0, 5)
	small.write(schema.TopicEvents, 0, 3)
	if _, err := backup.Copy(t.Context(), small.origin(), before, nil); err != nil {
		t.Fatal(err)
	}
	for failAt := 1; failAt <= all.segments+all.ranges; failAt++ {
		dir := filepath.Join(t.TempDir(), "backup")
		there := failAt%2 == 0
		if there {
			if err := os.CopyFS(dir, os.DirFS(before)); err != nil {
				t.Fatal(err)
			}
		}
		failing := &counting{Source: p.origin(), failAt: failAt}
		if _, err := backup.Copy(t.Context(), failing, dir, nil); !errors.Is(err, errInjected) {
			t.Fatalf("at call %d: %v", failAt, err)
		}
		folder, err := backup.Open(dir)
		switch {
		case !there && !errors.Is(err, fs.ErrNotExist):
			t.Fatalf("at call %d: there is a backup: %v", failAt, err)
		case there && (err != nil || folder.Manifest.Records(schema.TopicEvents) != 3 || folder.Check(t.Context()) != nil):
			t.Fatalf("at call %d: the backup before does not count: %v", failAt, err)
		}
		rest := &counting{Source: p.origin()}
		if _, err := backup.Copy(t.Context(), rest, dir, nil); err != nil {
			t.Fatalf("after call %d: %v", failAt, err)
		}
		if rest.segments+failing.segments != all.segments {
			t.Errorf("after call %d: %d segments were fetched, and then %d, of %d", failAt, failing.segments, rest.segments, all.segments)
		}
		if folder, err = backup.Open(dir); err != nil || folder.Check(t.Context()) != nil || folder.Manifest.Records("") != 103 {
			t.Fatalf("after call %d: %v", failAt, err)
		}
	}
}

// A source that gives something else than was asked for is not believed.
type lying struct {
	backup.Source
	lie func(file []byte) []byte
}

func (l lying) Segment(ctx context.Context, part archive.Part, name string) ([]byte, error) {
	b, err := l.Source.Segment(ctx, part, name)
	return l.lie(b), err
}

func (l lying) Range(ctx context.Context, part archive.Part, from, next int64) ([]byte, error) {
	b, err := l.Source.Range(ctx, part, from, next)
	return l.lie(b), err
}

func TestCopyVerifies(t *testing.T) {
	p := filled(t)
	for name, lie := range map[string]func([]byte) []byte{
		"altered": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"cut off": func(b []byte) []byte { return b[:len(b)-1] },
		"nothing": func([]byte) []byte { return nil },
	} {
		dir := filepath.Join(t.TempDir(), "backup")
		if _, err := backup.Copy(t.Context(), lying{p.origin(), lie}, dir, nil); err == nil {
			t.Errorf("%s: it was taken", name)
		}
		if _, err := backup.Open(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: there is a backup: %v", name, err)
		}
	}
	empty := newPlace(t)
	if _, err := backup.Copy(t.Context(), empty.origin(), filepath.Join(t.TempDir(), "backup"), nil); err == nil {
		t.Error("what is no installation was backed up")
	}
	o := p.origin()
	for _, c := range []struct{ from, next int64 }{{-1, 3}, {3, 3}, {0, 8}} {
		if _, err := o.Range(t.Context(), archive.Part{Topic: schema.TopicEvents, Generation: 1}, c.from, c.next); schema.ClassOf(err) != schema.Rejected {
			t.Errorf("range %+v: %v", c, err)
		}
	}
}
