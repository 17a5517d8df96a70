package timeline

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
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
	slow                // it takes longer than the caller waits, and is done after that
	torn                // the process and its engine end when an insert's token is noted and its rows are not
	faultKinds
)

func (f fault) String() string {
	return [...]string{"none", "failed", "failed but applied", "crash", "crash after it was applied", "slow", "torn"}[f]
}

var errCrash = errors.New("crash")

// faults decides what befalls each call of every boundary, by its number among the calls of that boundary.
type faults struct {
	mu    sync.Mutex
	calls map[string]int
	at    func(call int, what string) fault
	dead  bool
	tears bool           // what is applied now is torn
	late  sync.WaitGroup // what is done after its caller gave up
}

// around runs apply as the fault of this call demands. A dead process does nothing more; what it has sent may arrive all the same.
func (f *faults) around(ctx context.Context, what string, apply func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return errCrash
	}
	if f.calls == nil {
		f.calls = map[string]int{}
	}
	call := f.calls[what]
	f.calls[what]++
	kind := none
	if f.at != nil {
		kind = f.at(call, what)
	}
	if kind == failedApplied || kind == crashedAfter || kind == torn || kind == none {
		f.tears = kind == torn
		if err := apply(); err != nil && kind != crashedAfter && kind != torn {
			return err
		}
	}
	switch kind {
	case failed, failedApplied:
		return schema.Classify(schema.Transient, fmt.Errorf("%s: %s", what, kind))
	case crashed, crashedAfter, torn:
		f.dead = true
		return errCrash
	case slow:
		return f.slowly(ctx, what, apply)
	}
	return nil
}

// writes are the boundaries whose calls leave something behind.
var writes = []string{"insert", "declare", "letter", "erase"}

// slowly outlasts the caller where it has set itself a limit. The caller of around holds mu.
func (f *faults) slowly(ctx context.Context, what string, apply func() error) error {
	f.mu.Unlock()
	defer f.mu.Lock()
	deadline, limited := ctx.Deadline()
	if !limited {
		time.Sleep(2 * time.Millisecond)
		return apply()
	}
	if slices.Contains(writes, what) {
		f.late.Go(func() {
			time.Sleep(time.Until(deadline) + time.Duration(rand.IntN(3000))*time.Microsecond)
			if err := apply(); err != nil && schema.ClassOf(err) != schema.Rejected {
				panic(err) // nobody else hears of it
			}
		})
	}
	<-ctx.Done()
	return ctx.Err()
}

// fakeRow is a row as the fake table holds it.
type fakeRow struct {
	Indexed
	persona schema.PersonaID
	class   string
}

// fakeTable keeps rows in memory with ClickHouse's rules: a block is atomic, a token counts once, a block with a poison row is refused.
type fakeTable struct {
	faults *faults // of the process that uses it
	*fakeRows
}

// fakeRows is what all processes share.
type fakeRows struct {
	mu     sync.Mutex
	rows   []fakeRow
	tokens map[string]bool
	poison func(id schema.EventID) bool
	sizes  []int
}

// Identity changes with the map of tokens: a table that is lost forgets both.
func (f *fakeTable) Identity(ctx context.Context) (identity string, err error) {
	err = f.faults.around(ctx, "identity", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		identity = fmt.Sprintf("%p", f.tokens)
		return nil
	})
	return identity, err
}

func (f *fakeTable) Insert(ctx context.Context, token string, b *Block) error {
	rows := rowsOf(b) // the block's memory is used again when the caller has given up
	return f.faults.around(ctx, "insert", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
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
		if f.faults.tears {
			return nil
		}
		f.rows = append(f.rows, rows...)
		f.sizes = append(f.sizes, len(rows))
		return nil
	})
}

func rowsOf(b *Block) []fakeRow {
	// Each of these columns has values of one length.
	column := func(name string, i int) []byte {
		for _, c := range b.Columns {
			if c.Name == name {
				length := len(c.Values) / b.Rows
				return c.Values[i*length : (i+1)*length]
			}
		}
		panic("no column " + name)
	}
	le := binary.LittleEndian
	id := func(word []byte) (id [16]byte) {
		binary.BigEndian.PutUint64(id[:], le.Uint64(word))
		binary.BigEndian.PutUint64(id[8:], le.Uint64(word[8:]))
		return id
	}
	classes := make([]string, b.Rows)
	for _, c := range b.Columns {
		if c.Name != "retention" {
			continue
		}
		for i, left := 0, c.Values; i < b.Rows; i++ {
			length, n := binary.Uvarint(left)
			classes[i], left = string(left[n:n+int(length)]), left[n+int(length):]
		}
	}
	rows := make([]fakeRow, b.Rows)
	for i := range rows {
		rows[i] = fakeRow{Indexed{
			ID:         id(column("id", i)),
			OccurredAt: schema.Instant(le.Uint64(column("occurred_at", i))),
			Epoch:      le.Uint32(column("epoch", i)),
			Position: schema.Position{
				Generation: le.Uint32(column("log_generation", i)),
				Partition:  int32(le.Uint32(column("log_partition", i))),
				Offset:     int64(le.Uint64(column("log_offset", i))),
			},
		}, id(column("persona", i)), classes[i]}
	}
	return rows
}

func (f *fakeTable) Present(ctx context.Context, ranges []Range, yield func(partition int32, offset int64)) error {
	return f.faults.around(ctx, "present", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, r := range f.rows {
			p := r.Position
			if slices.ContainsFunc(ranges, func(r Range) bool { return r.Partition == p.Partition && r.From <= p.Offset && p.Offset < r.To }) {
				yield(p.Partition, p.Offset)
			}
		}
		return nil
	})
}

func (f *fakeTable) Since(ctx context.Context, next []int64, yield func(Indexed) error) error {
	return f.faults.around(ctx, "since", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, r := range f.rows {
			if r.Position.Offset >= next[r.Position.Partition] {
				if err := yield(r.Indexed); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (f *fakeTable) Index(ctx context.Context, yield func(Indexed) error) error {
	return f.faults.around(ctx, "index", func() error {
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
	return slices.Contains(v.Closed, r.persona) || slices.Contains(v.Current, r.persona) && r.OccurredAt <= v.CutOff
}

// fakePublic is the persona with the epoch in its last byte.
func fakePublic(_ string, p schema.PersonaEpoch) schema.ProfileID {
	p.Persona[15] ^= byte(p.Epoch)
	return p.Persona
}

func (f *fakeTable) Erased(ctx context.Context, v Voided, yield func(Indexed) error) error {
	return f.faults.around(ctx, "erased", func() error {
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

func (f *fakeTable) Erase(ctx context.Context, v Voided) error {
	return f.faults.around(ctx, "erase", func() error {
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

func (f *fakeTable) expired(r fakeRow, of []schema.ExpiredYear) bool {
	return slices.Contains(of, schema.ExpiredYear{Class: r.class, Year: r.OccurredAt.Year()})
}

func (f *fakeTable) Expired(ctx context.Context, _ string, of []schema.ExpiredYear, yield func(Indexed) error) error {
	return f.faults.around(ctx, "expired", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, r := range f.rows {
			if f.expired(r, of) {
				if err := yield(r.Indexed); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (f *fakeTable) Expire(ctx context.Context, _ string, of []schema.ExpiredYear) error {
	return f.faults.around(ctx, "expire", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.rows = slices.DeleteFunc(slices.Clone(f.rows), func(r fakeRow) bool { return f.expired(r, of) })
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
	err := f.faults.around(ctx, "read", func() error {
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

func (f *fakeFeed) Check(ctx context.Context, c eventlog.Checkpoint) error {
	return f.faults.around(ctx, "check", func() error {
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

func (f *fakeLetters) Put(ctx context.Context, l Letter) error {
	return f.faults.around(ctx, "letter", func() error {
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

func (f faultyIntents) Declare(ctx context.Context, open []Intent) error {
	return f.faults.around(ctx, "declare", func() error { return f.Intents.Declare(ctx, open) })
}
