package timeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
)

// fault is what befalls one call.
type fault int

const (
	none          fault = iota
	failed              // a transient error, nothing done
	failedApplied       // a transient error, all done
	crashed             // the process ends, nothing done
	crashedAfter        // the process ends, all done
)

func (f fault) String() string {
	return [...]string{"none", "failed", "failed but applied", "crash", "crash after it was applied"}[f]
}

var errCrash = errors.New("crash")

// faults decides what befalls each call of every boundary, by its number.
type faults struct {
	mu    sync.Mutex
	calls int
	at    func(call int, what string) fault
	dead  bool
}

// around runs apply as the fault of this call demands. A dead process does nothing more.
func (f *faults) around(what string, apply func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return errCrash
	}
	call := f.calls
	f.calls++
	kind := none
	if f.at != nil {
		kind = f.at(call, what)
	}
	if kind == failedApplied || kind == crashedAfter || kind == none {
		if err := apply(); err != nil {
			return err
		}
	}
	switch kind {
	case failed, failedApplied:
		return schema.Classify(schema.Transient, fmt.Errorf("%s: %s", what, kind))
	case crashed, crashedAfter:
		f.dead = true
		return errCrash
	}
	return nil
}

// fakeRow is a row as the fake table holds it.
type fakeRow struct {
	Indexed
	persona schema.PersonaID
}

// fakeTable keeps rows in memory with ClickHouse's rules: a block is atomic, a token counts once, a block with a poison row is refused.
type fakeTable struct {
	faults *faults
	mu     sync.Mutex
	rows   []fakeRow
	tokens map[string]bool
	poison func(id schema.EventID) bool
	sizes  []int
}

// Identity changes with the map of tokens: a table that is lost forgets both.
func (f *fakeTable) Identity(context.Context) (identity string, err error) {
	err = f.faults.around("identity", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		identity = fmt.Sprintf("%p", f.tokens)
		return nil
	})
	return identity, err
}

func (f *fakeTable) Insert(_ context.Context, token string, b *Block) error {
	return f.faults.around("insert", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		rows := rowsOf(b)
		for _, r := range rows {
			if f.poison != nil && f.poison(r.ID) {
				return schema.Classify(schema.Rejected, errors.New("a value does not fit"))
			}
			if schema.YearBucket(r.OccurredAt) != schema.YearBucket(rows[0].OccurredAt) {
				return schema.Classify(schema.Fatal, errors.New("a block of two year buckets is not atomic"))
			}
		}
		if f.tokens[token] {
			return nil
		}
		f.tokens[token] = true
		f.rows = append(f.rows, rows...)
		f.sizes = append(f.sizes, len(rows))
		return nil
	})
}

func rowsOf(b *Block) []fakeRow {
	column := func(name string) any {
		for _, c := range b.Columns {
			if c.Name == name {
				return c.Values
			}
		}
		panic("no column " + name)
	}
	rows := make([]fakeRow, b.Rows)
	for i := range rows {
		rows[i] = fakeRow{Indexed{
			ID:         schema.EventID(at(column("id"), i)),
			OccurredAt: schema.InstantOf(column("occurred_at").([]time.Time)[i]),
			Epoch:      column("epoch").([]uint32)[i],
			Position: schema.Position{
				Generation: column("log_generation").([]uint32)[i],
				Partition:  column("log_partition").([]int32)[i],
				Offset:     column("log_offset").([]int64)[i],
			},
		}, schema.PersonaID(at(column("persona"), i))}
	}
	return rows
}

func (f *fakeTable) Present(_ context.Context, generation uint32, partition int32, from, to int64) (present map[int64]bool, err error) {
	present = map[int64]bool{}
	err = f.faults.around("present", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, r := range f.rows {
			if p := r.Position; p.Generation == generation && p.Partition == partition && p.Offset >= from && p.Offset < to {
				present[p.Offset] = true
			}
		}
		return nil
	})
	return present, err
}

func (f *fakeTable) Index(_ context.Context, yield func(Indexed) error) error {
	return f.faults.around("index", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, r := range f.rows {
			if err := yield(r.Indexed); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *fakeTable) erased(r fakeRow, v Voided) bool {
	return slices.Contains(v.Closed, r.persona) || r.persona == v.Current && r.OccurredAt <= v.CutOff
}

// fakePublic is the persona with the epoch in its last byte.
func fakePublic(_ string, p schema.PersonaEpoch) schema.ProfileID {
	p.Persona[15] ^= byte(p.Epoch)
	return p.Persona
}

func (f *fakeTable) Erased(_ context.Context, v Voided, yield func(Indexed) error) error {
	return f.faults.around("erased", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, r := range f.rows {
			if f.erased(r, v) {
				if err := yield(r.Indexed); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (f *fakeTable) Erase(_ context.Context, v Voided) error {
	return f.faults.around("erase", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		kept := f.rows[:0:0]
		for _, r := range f.rows {
			if !f.erased(r, v) {
				kept = append(kept, r)
			}
		}
		f.rows = kept
		return nil
	})
}

// fakeFeed is a log in memory.
type fakeFeed struct {
	faults     *faults
	partitions [][]eventlog.Opened
	step       int // records a read
}

func (f *fakeFeed) Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (eventlog.OpenedBatch, error) {
	log := f.partitions[partition]
	if offset >= int64(len(log)) {
		select {
		case <-ctx.Done():
			return eventlog.OpenedBatch{}, ctx.Err()
		case <-time.After(wait):
			return eventlog.OpenedBatch{From: offset, Next: offset}, nil
		}
	}
	var got eventlog.OpenedBatch
	err := f.faults.around("read", func() error {
		end := min(offset+int64(f.step), int64(len(log)))
		got = eventlog.OpenedBatch{Partition: partition, From: offset, Next: end, Events: log[offset:end], Last: digest(log[end-1])}
		return nil
	})
	return got, err
}

func (f *fakeFeed) ends() []int64 {
	var ends []int64
	for _, p := range f.partitions {
		ends = append(ends, int64(len(p)))
	}
	return ends
}

func digest(o eventlog.Opened) (last [16]byte) {
	if o.Event != nil {
		last = o.Event.ID
	}
	return last
}

func (f *fakeFeed) After(partition int32, next int64, last [16]byte) eventlog.Checkpoint {
	return eventlog.Checkpoint{Cluster: "fake", Position: schema.Position{Generation: 3, Partition: partition, Offset: next}, Last: last}
}

func (f *fakeFeed) Check(_ context.Context, c eventlog.Checkpoint) error {
	return f.faults.around("check", func() error {
		log := f.partitions[c.Position.Partition]
		if c.Position.Offset > int64(len(log)) || digest(log[c.Position.Offset-1]) != c.Last {
			return schema.Classify(schema.Fatal, eventlog.ErrOtherLog)
		}
		return nil
	})
}

// fakeLetters keeps dead letters by position.
type fakeLetters struct {
	faults *faults
	mu     sync.Mutex
	at     map[schema.Position]Letter
}

func (f *fakeLetters) Put(_ context.Context, l Letter) error {
	return f.faults.around("letter", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.at[l.Position] = l
		return nil
	})
}

// faultyIntents lets faults befall the declaration of intents.
type faultyIntents struct {
	Intents
	faults *faults
}

func (f faultyIntents) Declare(ctx context.Context, i Intent) error {
	return f.faults.around("declare", func() error { return f.Intents.Declare(ctx, i) })
}
