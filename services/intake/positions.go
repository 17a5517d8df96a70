package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// Positions keep how far each topic was read, where whoever reads it next finds it.
type Positions interface {
	// Kept gives the first offset that was not read of each partition of a topic, by the topic's key; none if it was never read.
	Kept(key string) (map[int32]int64, error)
	// Keep replaces what is kept of a topic, and returns when that is durable. After an error it may be kept or not.
	Keep(ctx context.Context, key string, next map[int32]int64) error
}

// InStore keeps positions beside a process that has everything to itself.
func InStore(s *state.Store) Positions { return inStore{s} }

type inStore struct{ store *state.Store }

func (s inStore) Kept(key string) (map[int32]int64, error) {
	offsets, err := state.Offsets(s.store, key)
	next := make(map[int32]int64, len(offsets))
	for p, o := range offsets {
		next[p] = o.Next
	}
	return next, err
}

func (s inStore) Keep(_ context.Context, key string, next map[int32]int64) error {
	b := s.store.NewBatch()
	for p, at := range next {
		if err := b.SetOffset(key, p, state.Offset{Next: at}); err != nil {
			return errors.Join(err, b.Discard())
		}
	}
	return b.CommitDurable()
}

// Notes are those of a lease: coordination.Lease has them.
type Notes interface {
	Note(ctx context.Context, key string, value []byte) error
	Noted(key string) (value []byte, found bool)
}

// InNotes keeps positions in the notes of the intake's lease, where the next owner finds them in whichever process it runs. Those of an
// owner that has lost the lease count for nothing.
func InNotes(n Notes) Positions { return inNotes{n} }

type inNotes struct{ notes Notes }

// A note is a JSON object: partition → first offset that was not read.

func (n inNotes) Kept(key string) (map[int32]int64, error) {
	next := map[int32]int64{}
	if value, found := n.notes.Noted(key); found {
		if err := json.Unmarshal(value, &next); err != nil {
			return nil, schema.Classify(schema.Fatal, fmt.Errorf("a note of the intake in the topic %s cannot be read: %w", schema.TopicCoordination, err))
		}
	}
	return next, nil
}

func (n inNotes) Keep(ctx context.Context, key string, next map[int32]int64) error {
	value, err := json.Marshal(next)
	if err != nil {
		return err
	}
	return n.notes.Note(ctx, key, value)
}

// keptWithin bounds the last attempt to keep positions when reading ends.
const keptWithin = 3 * time.Second

// progress is how far the partitions of one topic were read. What is durable in the log is noted here at once, and kept now and then: a
// process that is killed leaves some records to be read again, and none that is not.
type progress struct {
	positions Positions
	key       string
	logger    *slog.Logger

	keeping sync.Mutex // held while they are kept

	mu      sync.Mutex
	next    map[int32]int64
	changed bool
}

// reached notes how far a partition was read.
func (p *progress) reached(partition int32, next int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next[partition], p.changed = next, true
}

// of is how far a partition was read, if it was.
func (p *progress) of(partition int32) (int64, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next, was := p.next[partition]
	return next, was
}

// keep makes durable what was reached.
func (p *progress) keep(ctx context.Context) error {
	p.keeping.Lock()
	defer p.keeping.Unlock()
	p.mu.Lock()
	next, changed := maps.Clone(p.next), p.changed
	p.changed = false
	p.mu.Unlock()
	if !changed {
		return nil
	}
	err := p.positions.Keep(ctx, p.key, next)
	if err != nil {
		p.mu.Lock()
		p.changed = true
		p.mu.Unlock()
		return fmt.Errorf("keep how far a topic was read: %w", err)
	}
	return nil
}

// run keeps what is reached until ctx ends, and then once more. It fails where what keeps the positions does, but not in passing.
func (p *progress) run(ctx context.Context, every time.Duration) error {
	for sleep(ctx, every) {
		if err := p.keep(ctx); err != nil && schema.ClassOf(err) != schema.Transient {
			return err
		} else if err != nil && ctx.Err() == nil {
			p.logger.Warn("it is tried again", "error", err)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), keptWithin)
	defer cancel()
	if err := p.keep(last); err != nil && schema.ClassOf(err) != schema.Transient {
		return err
	} else if err != nil {
		p.logger.Warn("the next process reads some records again", "error", err)
	}
	return nil
}
