package main

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/identifier"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/schema/seal"
	service "github.com/dossier-cdp/dossier/services/identity"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/mix"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// What the benchmarks of the fold are made of.
const (
	foldChunk    = 64 << 10 // events that are made at once
	foldInMemory = 200_000  // events that are folded in memory for comparison, at least one round of the mix
	foldCommit   = 16 << 10 // events between two resolutions in memory, as between two commits of the service
	steadyRounds = 9        // rounds of the demo's mix that make about 30 events a persona
)

// foldNew folds the demo's mix, in which three of ten events bring a new persona.
func (c *benchCommand) foldNew(ctx context.Context) (benchResult, error) { return c.foldMix(ctx, 1) }

// foldSteady folds the demo's mix as people go on with it: about one of thirty events brings a new persona.
func (c *benchCommand) foldSteady(ctx context.Context) (benchResult, error) {
	return c.foldMix(ctx, steadyRounds)
}

// foldMix folds Store events into the stored state as the identity role does, without log and decryption, and as many as foldInMemory in memory beside it. Rates are
// for one core: what its whole time would do.
func (c *benchCommand) foldMix(ctx context.Context, rounds int) (out benchResult, err error) {
	events, err := mix.Demo(mainWorkspace)
	if err != nil {
		return out, err
	}
	prf := seal.NewPRF(seal.Key{1})
	m := &mixture{events: events, rounds: rounds, personas: ids.New(prf)}

	m.copies = int(max(1, foldInMemory/int64(len(events)*rounds)))
	inMemory, n := m.give(foldMemory(prf))

	m.copies = int(max(1, c.Store/int64(len(events)*rounds)))
	m.values = map[uint64]struct{}{}
	dir, err := os.MkdirTemp(c.Dir, "dossier-bench-fold-")
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	flow := &flow{grown: make(chan struct{})}
	s, err := service.Open(ctx, service.Config{
		Workspace: mainWorkspace, Folder: dir, Feed: flow, Log: flow, Hash: service.NewHasher(prf),
		Store: state.Options{CacheBytes: identityCache(), Logger: slog.New(slog.DiscardHandler)}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return out, err
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	if err := until(ctx, time.Millisecond, func() bool { ready, _, _ := s.Ready(); return ready }); err != nil {
		return out, errors.Join(err, s.Close())
	}
	var failed error
	durable, stored := m.give(func(chunk []schema.Event) {
		if failed == nil {
			failed = s.WaitFor(ctx, flow.add(chunk))
		}
	})
	v, err := s.View()
	if err != nil {
		return out, errors.Join(failed, err)
	}
	profiles, personas, err := v.Count()
	err = errors.Join(failed, err, v.Close())
	cancel()
	err = errors.Join(err, <-ended, s.Close())
	if err != nil {
		return out, err
	}
	size, err := sizeOf(dir)
	cpu := float64(durable.Microseconds()) / float64(stored)
	return benchResult{
		N: stored, PerSecond: 1e6 / cpu, CPU: cpu, LimitPerSecond: float64(n) / inMemory.Seconds(), Limit: "in memory",
		Note: fmt.Sprintf("(a core; %.1f events a persona, %.1f personas a profile, %.1f values a persona; %.0f bytes on disk a value, %.0f a persona)",
			float64(stored)/float64(personas), float64(personas)/float64(profiles), float64(len(m.values))/float64(personas),
			float64(size)/float64(len(m.values)), float64(size)/float64(personas)),
	}, err
}

// foldMemory keeps in memory what the stored state keeps: evidence, who is who, and what each persona's events say.
func foldMemory(prf *seal.PRF) func(chunk []schema.Event) {
	memory, at := mix.NewMemory(service.NewHasher(prf)), schema.Instant(0)
	return func(chunk []schema.Event) {
		for i := range chunk {
			at++
			err := memory.Fold(&chunk[i], at)
			if err == nil && (i%foldCommit == foldCommit-1 || i+1 == len(chunk)) {
				err = memory.Resolve()
			}
			if err != nil {
				panic(err) // Unreachable: a graph in memory fails at nothing
			}
		}
	}
}

// mixture makes the events of a benchmark.
type mixture struct {
	events         []schema.Event
	copies, rounds int
	personas       *ids.Deriver
	values         map[uint64]struct{} // hashes of the different values that were given; nil counts none
}

// give calls f with chunks of the events, in the order of time: the copies' people live at the same time. It gives the CPU time of everything but the making of the
// events, and their number.
func (m *mixture) give(f func(chunk []schema.Event)) (spent time.Duration, n int64) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	chunk, seed := make([]schema.Event, 0, foldChunk), maphash.MakeSeed()
	begun, making := used(syscall.RUSAGE_SELF), time.Duration(0)
	from := used(rusageThread)
	flush := func() {
		making += used(rusageThread) - from
		f(chunk)
		from = used(rusageThread)
		n += int64(len(chunk))
		chunk = chunk[:0]
	}
	for round := range m.rounds {
		for i := range m.events {
			for k := range m.copies {
				e := mix.Copy(&m.events[i], k, round, m.personas)
				if m.values != nil && round == 0 {
					m.count(seed, e.Account.Kind, e.Account.Value)
					for _, id := range e.Identifiers {
						m.count(seed, id.Kind, id.Value)
					}
				}
				if chunk = append(chunk, e); len(chunk) == cap(chunk) {
					flush()
				}
			}
		}
	}
	flush()
	return used(syscall.RUSAGE_SELF) - begun - making, n
}

func (m *mixture) count(seed maphash.Seed, kind, value string) {
	if k := identifier.Of(kind); k.Evidence && value != "" {
		m.values[maphash.String(seed, k.Name+" "+value)] = struct{}{}
	}
}

const rusageThread = 1 // of the calling thread; package syscall does not name it

// used is the CPU time of this process, or of the calling thread.
func used(who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		return 0 // Unreachable: who is valid
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// flow is a log in memory that holds the latest events only: one reader takes them before the next ones come.
type flow struct {
	mu     sync.Mutex
	from   int64
	events []eventlog.Opened
	grown  chan struct{}
}

// add replaces the events, and gives the position of the last one.
func (f *flow) add(events []schema.Event) schema.Position {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.from += int64(len(f.events))
	f.events = f.events[:0]
	for i := range events {
		at := schema.Position{Generation: 1, Offset: f.from + int64(i)}
		f.events = append(f.events, eventlog.Opened{Position: at, RecordedAt: schema.Instant(at.Offset + 1), Event: &events[i]})
	}
	close(f.grown)
	f.grown = make(chan struct{})
	return schema.Position{Generation: 1, Offset: f.from + int64(len(f.events)) - 1}
}

// Read implements service.Feed, in batches of the size that a read of the log gives.
func (f *flow) Read(ctx context.Context, _ int32, offset int64, wait time.Duration) (eventlog.OpenedBatch, error) {
	const batch = 1024
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		f.mu.Lock()
		at, grown := int(offset-f.from), f.grown
		if at < len(f.events) {
			some := f.events[at:min(len(f.events), at+batch)]
			f.mu.Unlock()
			return eventlog.OpenedBatch{From: offset, Next: offset + int64(len(some)), Events: some}, nil
		}
		f.mu.Unlock()
		select {
		case <-ctx.Done():
			return eventlog.OpenedBatch{}, schema.Classify(schema.Transient, ctx.Err())
		case <-timer.C:
			return eventlog.OpenedBatch{From: offset, Next: offset}, nil
		case <-grown:
		}
	}
}

// Partitions and the other methods implement service.Log.
func (f *flow) Partitions() int32 { return 1 }

// Generation implements service.Log.
func (f *flow) Generation() uint32 { return 1 }

// Ends implements service.Log.
func (f *flow) Ends(context.Context) ([]int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return []int64{f.from + int64(len(f.events))}, nil
}

// Start implements service.Log.
func (f *flow) Start(partition int32) eventlog.Checkpoint {
	return eventlog.Checkpoint{Cluster: "bench", Position: schema.Position{Generation: 1, Partition: partition}}
}

// After implements service.Log.
func (f *flow) After(partition int32, next int64, last [16]byte) eventlog.Checkpoint {
	c := f.Start(partition)
	c.Position.Offset, c.Last = next, last
	return c
}

// Check implements service.Log.
func (f *flow) Check(context.Context, eventlog.Checkpoint) error { return nil }

func sizeOf(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		i, err := d.Info()
		if err == nil {
			n += i.Size()
		}
		return err
	})
	return n, err
}

// rebuild removes what identity knows, and measures what the next start takes beyond one that finds it: to read archive and log, open each event, and fold it.
func (c *benchCommand) rebuild(ctx context.Context, s *store) (out benchResult, err error) {
	restart := func(prepare func() error) (took, cpu time.Duration, err error) {
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return 0, 0, err
		}
		if err := s.cmd.Wait(); err != nil {
			return 0, 0, err
		}
		if err := prepare(); err != nil {
			return 0, 0, err
		}
		began := time.Now()
		if err := s.up(ctx); err != nil {
			return 0, 0, err
		}
		if err := s.settle(ctx); err != nil {
			return 0, 0, err
		}
		return time.Since(began), s.cpu(), nil
	}
	tookKept, cpuKept, err := restart(func() error { return nil })
	if err != nil {
		return out, err
	}
	took, cpu, err := restart(func() error { return os.RemoveAll(filepath.Join(s.dir, "state", "identity")) })
	if err != nil {
		return out, err
	}
	out = benchResult{N: c.Store, PerSecond: float64(c.Store) / (took - tookKept).Seconds(), CPU: float64((cpu - cpuKept).Microseconds()) / float64(c.Store), RSS: s.rss()}
	out.Note = fmt.Sprintf("(%.1f s, %.1f s with the state; %.0f events a persona)", took.Seconds(), tookKept.Seconds(), float64(c.Store)/float64(s.people))
	return out, nil
}
