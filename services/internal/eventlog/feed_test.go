package eventlog_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/envelope"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

var errStuck = schema.Classify(schema.Transient, errors.New("the keys are not there yet"))

// opener counts what it opens. It knows values of the form v0, v1, …: every seventh is void, every eleventh bad.
type opener struct {
	opened atomic.Int64
	stuck  atomic.Bool
}

func (o *opener) open(value []byte, e *schema.Event) error {
	var n int
	if _, err := fmt.Sscanf(string(value), "v%d", &n); err != nil {
		return err
	}
	if o.stuck.Load() {
		return errStuck
	}
	o.opened.Add(1)
	switch {
	case n%7 == 6:
		return fmt.Errorf("open: %w", envelope.ErrVoid)
	case n%11 == 10:
		return schema.Refuse("damaged", "it is no event", "")
	}
	binary.BigEndian.PutUint64(e.ID[:], uint64(n))
	return nil
}

func newFeed(t *testing.T, cache int64) (*kafka.Client, *opener, *eventlog.Feed) {
	t.Helper()
	_, c := newLog(t, "", 2)
	log, err := eventlog.Open(t.Context(), c, nil, "events", 1)
	if err != nil {
		t.Fatal(err)
	}
	o := &opener{}
	return c, o, eventlog.NewFeed(log, o.open, cache)
}

// follow reads a partition from an offset up to end, in whatever pieces come, and checks every event.
func follow(ctx context.Context, f *eventlog.Feed, partition int32, from, end int64) error {
	for at := from; at < end; {
		b, err := f.Read(ctx, partition, at, 5*time.Second)
		if err != nil {
			return err
		}
		if b.From != at || int64(len(b.Events)) != b.Next-b.From || b.Partition != partition {
			return fmt.Errorf("at %d: [%d,%d) with %d events", at, b.From, b.Next, len(b.Events))
		}
		for i := range b.Events {
			n := int(at) + i
			e := &b.Events[i]
			if e.Offset != int64(n) || e.Partition != partition {
				return fmt.Errorf("event %d has position %+v", n, e.Position)
			}
			void, bad := n%7 == 6, n%11 == 10 && n%7 != 6
			if (e.Void != nil) != void || (e.Bad != nil) != bad || (e.Event != nil) != (!void && !bad) || (e.Record != nil) != bad {
				return fmt.Errorf("event %d: %+v", n, e)
			}
			if e.Event != nil && binary.BigEndian.Uint64(e.Event.ID[:]) != uint64(n) {
				return fmt.Errorf("event %d is event %s", n, e.Event.ID)
			}
			if bad && string(e.Record.Value) != fmt.Sprintf("v%d", n) {
				return fmt.Errorf("bad event %d has value %q", n, e.Record.Value)
			}
		}
		at = b.Next
	}
	return nil
}

// Roles that follow the log at the same pace, from wherever they began, cause one open for each event.
func TestFeedShares(t *testing.T) {
	c, o, feed := newFeed(t, 64<<20)
	produce(t, c, 0, 0, 100)
	ctx := t.Context()
	for _, from := range []int64{0, 0, 50, 99} {
		if err := follow(ctx, feed, 0, from, 100); err != nil {
			t.Fatal(err)
		}
	}
	if n := o.opened.Load(); n != 100 {
		t.Fatalf("%d events were opened for four readers", n)
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if err := follow(ctx, feed, 0, 100, 2000); err != nil {
				t.Error(err)
			}
		})
	}
	for from := 100; from < 2000; from += 95 {
		produce(t, c, 0, from, 95)
	}
	group.Wait()
	if n := o.opened.Load(); n != 2000 {
		t.Fatalf("%d events were opened for 2,000", n)
	}
	if s := feed.Stats(); s.Shared < 3*1900 || s.Bytes == 0 {
		t.Fatalf("got %+v", s)
	}
	feed.Forget()
	if s := feed.Stats(); s.Bytes != 0 {
		t.Fatalf("%d bytes are kept after Forget", s.Bytes)
	}
	if err := follow(ctx, feed, 0, 1990, 2000); err != nil || o.opened.Load() == 2000 {
		t.Fatalf("after Forget: %v, %d opened", err, o.opened.Load())
	}
}

// The room is a bound, also for one batch that is larger.
func TestFeedRoom(t *testing.T) {
	c, _, feed := newFeed(t, 20_000)
	for from := 0; from < 400; from += 10 {
		produce(t, c, 1, from, 10)
		if err := follow(t.Context(), feed, 1, int64(from), int64(from+10)); err != nil {
			t.Fatal(err)
		}
		if s := feed.Stats(); s.Bytes > 20_000 {
			t.Fatalf("%d bytes are kept", s.Bytes)
		}
	}
	if s := feed.Stats(); s.Bytes < 10_000 {
		t.Fatalf("only %d bytes are kept", s.Bytes)
	}
	if err := follow(t.Context(), feed, 1, 0, 400); err != nil {
		t.Fatal(err)
	}
	if s := feed.Stats(); s.Bytes > 20_000 {
		t.Fatalf("%d bytes are kept", s.Bytes)
	}
}

// A read that fails or is given up harms nobody else who waits for the same offset.
func TestFeedReaderGivesUp(t *testing.T) {
	c, o, feed := newFeed(t, 1<<20)
	o.stuck.Store(true)
	produce(t, c, 0, 0, 5)
	if _, err := feed.Read(t.Context(), 0, 0, time.Second); schema.ClassOf(err) != schema.Transient {
		t.Fatalf("a failing open: %v", err)
	}
	o.stuck.Store(false)
	impatient, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	started := make(chan struct{})
	group.Go(func() {
		close(started)
		if _, err := feed.Read(impatient, 0, 5, time.Minute); err == nil {
			t.Error("a cancelled read succeeded")
		}
	})
	<-started
	group.Go(func() {
		if err := follow(t.Context(), feed, 0, 5, 10); err != nil {
			t.Error(err)
		}
	})
	b, err := feed.Read(t.Context(), 0, 5, 20*time.Millisecond)
	if err != nil || b.Next != 5 {
		t.Fatalf("a short wait: %+v %v", b, err)
	}
	cancel()
	produce(t, c, 0, 5, 5)
	group.Wait()
}
