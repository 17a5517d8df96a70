package intake

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// board is where the owners of a lease leave their notes.
type board struct {
	mu    sync.Mutex
	notes map[string][]byte
	kept  int
}

// owner is one of them. Once it has lost the lease, its notes count for nothing.
type owner struct {
	*board
	lost atomic.Bool
	fail atomic.Int32 // so many attempts fail in passing
}

func (o *owner) Note(_ context.Context, key string, value []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lost.Load() || o.fail.Add(-1) >= 0 {
		return schema.Classify(schema.Transient, errors.New("the lease is lost, or the log is away"))
	}
	o.notes[key] = slices.Clone(value)
	o.kept++
	return nil
}

func (o *owner) Noted(key string) ([]byte, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	value, found := o.notes[key]
	return value, found
}

const fromEnd = `{"sources":{"crm":{"kafka":{"cluster":"company","topic":"crm","from":"end",` + customerMap + `}}}}`

// TestTakeover: an owner that is gone at any moment, or only believes itself owner, leaves nothing unread and nothing twice, also of a topic
// that is read from its end.
func TestTakeover(t *testing.T) {
	r := newRig(t, 2)
	b := &board{notes: map[string][]byte{}}
	r.configure(t, fromEnd)
	r.send(t, 0, customers(0, 50)...) // before anybody reads
	kept := func() int {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.kept
	}
	first := &owner{board: b}
	first.fail.Store(3) // the log is away at first: nothing is read before the beginning is kept
	r.notes = first
	stop := r.run(t)
	eventually(t, "the beginning is kept", func() bool { return kept() > 0 })
	want := 0
	for round := range 6 {
		r.send(t, 0, customers(1000*round+100, 40)...)
		r.send(t, 1, customers(1000*round+500, 20)...)
		want += 60
		if round%2 == 0 {
			eventually(t, "all are there", func() bool { n, _, _ := r.counts(); return n == want })
		}
		r.notes.(*owner).lost.Store(true) // paused for longer than its lease: it goes on
		r.send(t, 0, customers(1000*round+200, 7)...)
		want += 7
		next := &owner{board: b}
		r.notes = next
		before := stop
		stop = r.run(t)
		if round%3 == 0 {
			time.Sleep(3 * time.Millisecond)
		}
		before()
	}
	eventually(t, "all are there", func() bool { n, _, _ := r.counts(); return n >= want })
	stop()
	events, copies, letters := r.counts()
	if events != want || letters != 0 {
		t.Errorf("%d events of %d, %d letters", events, want, letters)
	}
	t.Logf("%d events, %d copies", events, copies)
	next, err := r.positions().Kept((*r.topics.Load())["crm"].Key())
	if err != nil || next[0] != 50+6*47 || next[1] != 6*20 {
		t.Errorf("%v %v", next, err)
	}
}

// TestPartitionsAreAdded: a partition that a topic got while nobody read is read from its beginning, also where the topic was read from its end.
func TestPartitionsAreAdded(t *testing.T) {
	r := newRig(t, 2)
	r.configure(t, fromEnd)
	key := (*r.topics.Load())["crm"].Key()
	if err := r.positions().Keep(t.Context(), key, map[int32]int64{0: 0}); err != nil { // as of one partition
		t.Fatal(err)
	}
	r.send(t, 1, customers(0, 9)...)
	defer r.run(t)()
	eventually(t, "they are read", func() bool { n, _, _ := r.counts(); return n == 9 })
}

// TestPositionsCannotBeKept: what fails for good ends the intake, and does not leave it reading.
func TestPositionsCannotBeKept(t *testing.T) {
	r := newRig(t, 1)
	r.configure(t, customerTopic)
	r.notes = broken{}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := r.intake().Run(ctx); err == nil || ctx.Err() != nil || schema.ClassOf(err) != schema.Fatal {
		t.Errorf("it ends with %v", err)
	}
}

// broken has notes of a later version.
type broken struct{}

func (broken) Note(context.Context, string, []byte) error { return nil }
func (broken) Noted(string) ([]byte, bool)                { return []byte("[]"), true }
