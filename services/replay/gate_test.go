package replay

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// oneBatch gives the same batch whenever it is asked.
type oneBatch struct{ reads int }

func (b *oneBatch) Read(_ context.Context, partition int32, offset int64, _ time.Duration) (eventlog.OpenedBatch, error) {
	b.reads++
	events := make([]eventlog.Opened, 2)
	for n, kind := range []schema.Type{schema.TypeOrderPlaced, schema.TypeMessageReceived} {
		events[n].Event = &schema.Event{Clear: schema.Clear{Type: kind, OccurredAt: schema.Instant(n + 1)}}
	}
	return eventlog.OpenedBatch{Partition: partition, From: offset, Next: offset + 2, Events: events}, nil
}

// TestGate: a reader is held while the gate is paused and while live events wait, works at half its pace while they come, and at its own otherwise.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var live Live
		gate, source := &Gate{Live: func() Live { return live }}, &oneBatch{}
		feed := NewFeed(source, gate, archive.Filter{})
		pass := func(work time.Duration) time.Duration {
			time.Sleep(work)
			begun := time.Now()
			if _, err := feed.Read(t.Context(), 0, 0, 0); err != nil {
				t.Fatal(err)
			}
			return time.Since(begun)
		}
		pass(0)
		if took := pass(80 * time.Millisecond); took != 0 {
			t.Errorf("idle it rests for %s", took)
		}
		live.Busy = true
		if took := pass(80 * time.Millisecond); took != 80*time.Millisecond {
			t.Errorf("beside live events it rests for %s after 80 ms of work", took)
		}
		if took := pass(5 * time.Second); took != longestRest {
			t.Errorf("after long work it rests for %s", took)
		}
		live.Lag = time.Second
		go func() {
			time.Sleep(3 * time.Second)
			live.Lag = 0
		}()
		if took := pass(0); took < 3*time.Second || took > 3*time.Second+2*lookEvery {
			t.Errorf("while live events waited for 3 s it rested for %s", took)
		}
		live = Live{}
		gate.Pause(true)
		go func() {
			time.Sleep(time.Minute)
			gate.Pause(false)
		}()
		if took := pass(0); took != time.Minute || !source.asked(6) {
			t.Errorf("paused for a minute it rested for %s, %d reads", took, source.reads)
		}
		gate.Pause(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := feed.Read(ctx, 0, 0, 0); !errors.Is(err, context.DeadlineExceeded) || schema.ClassOf(err) != schema.Transient {
			t.Errorf("a reader that ends while the gate is paused: %v", err)
		}
	})
}

func (b *oneBatch) asked(n int) bool { return b.reads == n }

// TestFeedFilters: what is not wanted is void to the role, and the batch that others share stays as it is.
func TestFeedFilters(t *testing.T) {
	feed := NewFeed(&oneBatch{}, &Gate{}, archive.Filter{Types: []schema.Type{schema.TypeOrderPlaced}})
	b, err := feed.Read(t.Context(), 1, 4, 0)
	if err != nil {
		t.Fatal(err)
	}
	if b.From != 4 || b.Next != 6 || len(b.Events) != 2 || b.Events[0].Event == nil || b.Events[1].Event != nil || b.Events[1].Void == nil {
		t.Errorf("the batch is %+v", b)
	}
}

// TestChanges: a reader gets every change once, in order; a new life, and one that was left far behind, begin with the record that all is to be read anew.
func TestChanges(t *testing.T) {
	begun := time.Unix(1_700_000_000, 0)
	c, err := NewChanges("main", begun)
	if err != nil {
		t.Fatal(err)
	}
	produce := func(n int) {
		t.Helper()
		if _, err := c.Produce(t.Context(), "", 0, make([]kafka.Message, n), begun); err != nil {
			t.Fatal(err)
		}
	}
	read := func(at int64) eventlog.Batch {
		t.Helper()
		b, err := c.Read(t.Context(), 0, at, 0)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := read(0)
	if len(first.Records) != 1 || string(first.Records[0].Value) != `{"kind":"rebuilt","workspace":"main"}` {
		t.Fatalf("it begins with %+v", first)
	}
	at, got := first.Next, 0
	for range 50 {
		produce(1000)
		b := read(at)
		got, at = got+len(b.Records), b.Next
		if again := read(b.From); again.Next != b.Next || len(again.Records) != len(b.Records) {
			t.Fatal("what was read cannot be read again")
		}
	}
	if b := read(at); got != 50_000 || len(b.Records) != 0 || b.Next != at {
		t.Errorf("%d changes were read, then %d", got, len(b.Records))
	}
	produce(mostChanges + 1)
	b := read(at)
	if len(b.Records) != 1 || b.Records[0].Value == nil || b.Next <= at {
		t.Errorf("a reader that was left behind gets %d records", len(b.Records))
	}
	ends, err := c.Ends(t.Context())
	if err != nil || ends[0] != b.Next {
		t.Errorf("it ends at %v, %v", ends, err)
	}
	next, err := NewChanges("main", begun.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := next.Read(t.Context(), 0, b.Next, 0); err != nil || len(b.Records) != 1 || b.From <= ends[0] {
		t.Errorf("a new life begins at %d, behind %d: %v", b.From, ends[0], err)
	}
}

// TestPlan: a plan is read as it was written, a folder without one is none, and what cannot be meant is refused.
func TestPlan(t *testing.T) {
	folder := t.TempDir()
	if _, found, err := LoadPlan(folder); found || err != nil {
		t.Errorf("an empty folder: %v, %v", found, err)
	}
	p := Plan{Name: "next", Configuration: []byte(`{"identity":{}}`), Types: []string{"order.placed"}, From: "2026-01-01T00:00:00Z", Paused: true}
	if err := p.Save(folder); err != nil {
		t.Fatal(err)
	}
	got, found, err := LoadPlan(folder)
	if err != nil || !found || got.Name != "next" || string(got.Configuration) != `{"identity":{}}` || !got.Paused {
		t.Errorf("%+v, %v, %v", got, found, err)
	}
	if f, err := got.Filter(); err != nil || f.Empty() || f.Match(&schema.Clear{Type: schema.TypeOrderPlaced}) {
		t.Errorf("the filter is %+v, %v", f, err)
	}
	if err := ForgetPlan(folder); err != nil {
		t.Fatal(err)
	}
	if _, found, err := LoadPlan(folder); found || err != nil {
		t.Errorf("a forgotten one: %v, %v", found, err)
	}
	for _, name := range []string{"", "Next", "1st", "a-b", "_x", "../x", "ombre é", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"} {
		if CheckName(name) == nil {
			t.Errorf("%q may name a shadow", name)
		}
	}
	for _, p := range []Plan{{Types: []string{"order.eaten"}}, {From: "yesterday"}, {To: "x"}, {From: "2026-02-01T00:00:00Z", To: "2026-01-01T00:00:00Z"}} {
		if _, err := p.Filter(); err == nil {
			t.Errorf("%+v is taken", p)
		}
	}
}
