package care

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// memoryNotes are what the owners of a lease tell each other.
type memoryNotes struct {
	mu     sync.Mutex
	noted  map[string][]byte
	faults *faults
}

func (n *memoryNotes) Note(_ context.Context, key string, value []byte) error {
	return n.faults.around("note", func() error {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.noted == nil {
			n.noted = map[string][]byte{}
		}
		n.noted[key] = append([]byte{}, value...)
		return nil
	})
}

func (n *memoryNotes) Noted(key string) (value []byte, found bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	value, found = n.noted[key]
	return value, found
}

// Whatever befalls the note of the rank, no rank is used twice, and the tables are the fold of the set.
func TestRankNote(t *testing.T) {
	for kind := failed; kind < kinds; kind++ {
		seed := uint64(kind)
		r := rand.New(rand.NewPCG(seed, 11))
		w := newWorld(t, seed)
		w.notes = &memoryNotes{}
		all := events(r, 60)
		rank := uint64(0)
		for life, rest := 0, all; len(rest) > 0; life++ {
			n := min(len(rest), 20)
			w.add(r, rest[:n])
			rest = rest[n:]
			f := &faults{calls: map[string]int{}, at: func(n int, what string) fault {
				if what == "note" && n == 0 && life < 2 {
					return kind
				}
				return none
			}}
			dead := kind == crashed || kind == crashedAfter
			if err := w.run(f, nil); err != nil && !(dead && errors.Is(err, errCrash)) {
				t.Fatalf("fault %d, life %d: %v", kind, life, err)
			}
			value, _ := w.notes.Noted(NoteKey)
			if len(value) == 8 {
				now := binary.BigEndian.Uint64(value)
				if now < rank || now == rank && kind != crashed {
					t.Fatalf("fault %d, life %d: rank %d after %d", kind, life, now, rank)
				}
				rank = now
			}
			for _, rows := range w.tables.rows {
				for _, h := range rows {
					if h.version>>rankShift > rank {
						t.Fatalf("fault %d, life %d: a row of rank %d, which was not noted", kind, life, h.version>>rankShift)
					}
				}
			}
		}
		if err := w.run(nil, nil); err != nil {
			t.Fatal(err)
		}
		w.same(seed, all)
	}
}

// A commit that a power cut took back is made again: the state is older than the tables, which have rows of what it does not know.
func TestCommitTakenBack(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 12))
		w := newWorld(t, seed)
		all := events(r, 90)
		w.add(r, all[:45])
		if err := w.run(nil, nil); err != nil {
			t.Fatal(err)
		}
		before := filepath.Join(t.TempDir(), "before")
		if err := w.store.Checkpoint(before); err != nil {
			t.Fatal(err)
		}
		w.add(r, all[45:])
		if err := w.run(nil, nil); err != nil {
			t.Fatal(err)
		}
		if err := w.store.Close(); err != nil {
			t.Fatal(err)
		}
		w.dir = before
		w.open()
		if err := w.run(nil, nil); err != nil {
			t.Fatal(err)
		}
		w.same(seed, all)
	}
}

// What is slow is waited for, at every boundary.
func TestEverythingSlow(t *testing.T) {
	for i, what := range []string{"identity", "newest", "ends", "check", "read", "insert", "sweep", "note", "decided", "append"} {
		seed := uint64(i)
		r := rand.New(rand.NewPCG(seed, 13))
		w := newWorld(t, seed)
		w.notes, w.decided = &memoryNotes{}, &memoryDecided{}
		all := events(r, 60)
		w.add(r, all)
		f := &faults{calls: map[string]int{}, at: func(n int, w string) fault {
			if w == what && n < 4 {
				return slow
			}
			return none
		}}
		if err := w.run(f, nil); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		w.same(seed, all)
	}
}

// stuckTables take the rows of their first inserts and do not answer.
type stuckTables struct {
	memoryTables
	stuck *atomic.Int32
}

func (s stuckTables) Insert(ctx context.Context, token string, b *Block) error {
	if err := s.memoryTables.Insert(ctx, token, b); err != nil {
		return err
	}
	if s.stuck.Add(-1) >= 0 {
		<-ctx.Done()
		return schema.Classify(schema.Transient, ctx.Err())
	}
	return nil
}

// An insert that never answers is given up and made again.
func TestInsertStuck(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 14))
	w := newWorld(t, 1)
	all := events(r, 60)
	w.add(r, all)
	c := w.role(nil)
	stuck := &atomic.Int32{}
	stuck.Store(3)
	c.Tables, c.InsertLimit = stuckTables{memoryTables{nil, w.tables}, stuck}, 20*time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	ends, err := w.log.Ends(ctx)
	if err == nil {
		err = c.WaitFor(ctx, ends)
	}
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if stuck.Load() >= 0 {
		t.Error("no insert was stuck")
	}
	w.same(1, all)
}
