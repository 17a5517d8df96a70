package timeline

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// fakeNotes are the notes of a lease: only those of the newest epoch count.
type fakeNotes struct {
	mu    sync.Mutex
	epoch int
	value []byte
	found bool
}

func (n *fakeNotes) noted() ([]byte, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.value, n.found
}

// fakeLease is one owner's part in them.
type fakeLease struct {
	*fakeNotes
	mine   int
	faults *faults
}

func (l *fakeLease) Note(ctx context.Context, _ string, value []byte) error {
	return l.faults.around(ctx, "declare", func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.epoch != l.mine {
			return schema.Classify(schema.Transient, errors.New("the lease is lost"))
		}
		l.value, l.found = value, true
		return nil
	})
}

func (l *fakeLease) Noted(string) ([]byte, bool) { return l.noted() }

// owner is a process that holds the lease for a while.
type owner struct {
	faults *faults
	role   *Timeline
	store  *state.Store
	stop   context.CancelFunc
	ended  chan error
	paused chan struct{} // closed when it stands still in the middle of a call
	resume func()
}

// take makes the next owner, which stands still at its call-th call after it leads. Its index is in fs.
func (w *world) take(t *testing.T, notes *fakeNotes, fs vfs.FS, call int, follow func(o *owner)) *owner {
	t.Helper()
	o := &owner{faults: &faults{}, ended: make(chan error, 1), paused: make(chan struct{})}
	resumed := make(chan struct{})
	o.resume = sync.OnceFunc(func() { close(resumed) })
	leads, calls := false, 0
	dice := rand.New(rand.NewPCG(w.random.Uint64(), 4))
	o.faults.at = func(int, string) fault { // under the lock of around
		if !leads {
			return none
		}
		if calls++; calls == call {
			close(o.paused)
			<-resumed
		}
		if dice.IntN(25) == 0 {
			return []fault{failed, failedApplied, slow}[dice.IntN(3)]
		}
		return none
	}
	var err error
	if o.store, err = state.Open("timeline", state.Options{FS: fs, Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	letters := &fakeLetters{faults: &faults{}, at: w.letters.at}
	feed := &fakeFeed{faults: o.faults, partitions: w.feed.partitions, step: w.feed.step}
	o.role = New(Config{
		Feed: feed, Log: feed, Partitions: int32(len(w.feed.partitions)), Generation: 3, Table: &fakeTable{o.faults, w.table.fakeRows}, Store: o.store,
		DeadLetters: lettersOf{letters, &w.table.mu}, Public: fakePublic, Linger: time.Duration(1+w.random.IntN(2000)) * time.Microsecond,
		BackOff: time.Microsecond, BatchRecords: 1 + w.random.IntN(40), InsertLimit: 2 * time.Millisecond, Logger: quiet,
	})
	if follow != nil {
		ctx, cancel := context.WithCancel(t.Context())
		followed := make(chan error, 1)
		go func() { followed <- o.role.Follow(ctx, notes.noted) }()
		follow(o)
		cancel()
		if err := <-followed; err != nil {
			t.Fatal(err)
		}
	}
	notes.mu.Lock()
	notes.epoch++
	lease := &fakeLease{notes, notes.epoch, o.faults}
	notes.mu.Unlock()
	o.faults.mu.Lock()
	leads = true
	o.faults.mu.Unlock()
	var ctx context.Context
	ctx, o.stop = context.WithCancel(t.Context())
	go func() { o.ended <- o.role.Lead(ctx, LeasedIntents(lease)) }()
	return o
}

// lettersOf guards letters that several owners write.
type lettersOf struct {
	*fakeLetters
	mu *sync.Mutex
}

func (l lettersOf) Put(_ context.Context, letter Letter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at[letter.Position] = letter
	return nil
}

// end lets the owner go on where it stood, ends its lease, and waits for it.
func (o *owner) end(t *testing.T, after time.Duration) {
	t.Helper()
	o.resume()
	time.Sleep(after) // it may go on for a moment before it finds out
	o.stop()
	if err := <-o.ended; err != nil {
		t.Fatal(err)
	}
	o.faults.late.Wait()
	if err := o.store.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestTakeover lets owners stand still anywhere, others take over from them with an index that is new, old or kept up, and the former ones
// go on in the middle of whatever they did: each event has one row.
func TestTakeover(t *testing.T) {
	for seed := range uint64(rounds(60)) {
		w := newWorld(seed, 1+int(seed%3), 100)
		notes := &fakeNotes{}
		var standing []*owner
		idle := []vfs.FS{}
		disks := map[*owner]vfs.FS{}
		rouse := func() {
			o := standing[0]
			standing = standing[1:]
			o.end(t, time.Duration(w.random.IntN(3))*time.Millisecond)
			idle = append(idle, disks[o])
		}
		for range 2 + w.random.IntN(4) {
			fs := vfs.FS(vfs.NewMem())
			if len(idle) > 0 && w.random.IntN(3) > 0 {
				fs, idle = idle[0], idle[1:]
			}
			pause := time.Duration(w.random.IntN(5)) * time.Millisecond
			follow := func(*owner) { time.Sleep(pause) }
			if w.random.IntN(2) == 0 {
				follow = nil
			}
			o := w.take(t, notes, fs, 1+w.random.IntN(60), follow)
			disks[o] = fs
			arrived, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- o.role.WaitFor(arrived, w.feed.ends()) }()
			select {
			case <-o.paused:
			case <-done:
			case err := <-o.ended:
				t.Fatalf("seed %d: an owner ended with %v", seed, err)
			case <-time.After(30 * time.Second):
				t.Fatalf("seed %d: an owner neither stands still nor arrives", seed)
			}
			cancel()
			if standing = append(standing, o); w.random.IntN(2) == 0 {
				rouse()
			}
		}
		last := w.take(t, notes, vfs.NewMem(), -1, nil)
		for len(standing) > 0 {
			rouse()
		}
		if err := last.role.WaitFor(t.Context(), w.feed.ends()); err != nil {
			t.Fatal(err)
		}
		last.end(t, 0)
		w.check(t)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestFollowerIsReady: whoever has followed needs only what was written since when it takes over, and reads no whole table.
func TestFollowerIsReady(t *testing.T) {
	w := newWorld(41, 2, 200)
	notes := &fakeNotes{}
	first := w.take(t, notes, vfs.NewMem(), -1, nil)
	if err := first.role.WaitFor(t.Context(), w.feed.ends()); err != nil {
		t.Fatal(err)
	}
	fs := vfs.NewMem()
	follower := w.take(t, notes, fs, -1, func(o *owner) {
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			o.faults.mu.Lock()
			caughtUp := o.faults.calls["since"] > 0
			o.faults.mu.Unlock()
			if caughtUp && o.role.index.filtered.Load() {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("the follower does not catch up")
			}
		}
	})
	if err := follower.role.WaitFor(t.Context(), w.feed.ends()); err != nil {
		t.Fatal(err)
	}
	follower.end(t, 0)
	first.end(t, 0)
	w.check(t)
	if reads := follower.faults.calls["index"]; reads != 1 {
		t.Errorf("the table was read whole %d times", reads)
	}
	if follower.faults.calls["read"] >= len(w.feed.partitions[0])/w.feed.step {
		t.Errorf("the follower read the log %d times, as if nothing had been written", follower.faults.calls["read"])
	}
}
