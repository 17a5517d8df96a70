package identity

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// slowFeed answers every read late.
type slowFeed struct{ *fakeLog }

func (s slowFeed) Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (eventlog.OpenedBatch, error) {
	time.Sleep(time.Millisecond)
	return s.fakeLog.Read(ctx, partition, offset, wait)
}

// TestCommitFaults kills the service after each commit, once so that the commit is lost, once so that it is there, with reads that fail or
// are slow when it starts again: what is exported is what a quiet run exports.
func TestCommitFaults(t *testing.T) {
	const size = 40
	rules := nastyRules(rand.New(rand.NewPCG(5, 1)))
	t.Run("exact", func(t *testing.T) {
		commitFaults(t, newWorld(5, size).events, Settings{Rules: rules}, []string{"well", "failed", "slow"})
	})
	rules.QuarantineSize += 15
	t.Run("weighed", func(t *testing.T) {
		commitFaults(t, newCrowd(5, size).events, Settings{Rules: rules, Model: smallModel(t, rand.New(rand.NewPCG(5, 2)))}, []string{"well"})
	})
}

func commitFaults(t *testing.T, events []schema.Event, settings Settings, reads []string) {
	size := len(events)
	log := newLog("c", 1)
	log.addEvents(0, events...)
	log.most = 3
	config := func(fs vfs.FS) Config {
		return Config{Folder: "state", Store: state.Options{FS: fs}, Log: log, Feed: log, Settings: settings, CommitRecords: 1}
	}
	quietRun := start(t, config(vfs.NewMem()))
	want := quietRun.export()
	quietRun.stop()
	for after := 1; after < size; after += 3 {
		for _, kept := range []int{0, 100} {
			for _, read := range reads {
				fs := vfs.NewCrashableMem()
				log.stop[0] = after
				r := start(t, config(fs))
				must(t, r.WaitFor(t.Context(), schema.Position{Generation: 1, Offset: int64(after - 1)}))
				crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rand.New(rand.NewPCG(uint64(after), 1))})
				r.stop()
				delete(log.stop, 0)
				c := config(crashed)
				switch read {
				case "failed":
					log.down = 2
				case "slow":
					c.Feed = slowFeed{log}
				}
				r = start(t, c)
				if got := r.export(); got != want {
					t.Fatalf("killed after record %d, %d %% of what was not synced is there, then reads go %s: exports\n%s\nwant\n%s", after, kept, read, got, want)
				}
				r.stop()
			}
		}
	}
}

// struckSink is a sink of which one call is struck.
type struckSink struct {
	*mapSink
	calls, at int
	kind      string
	release   chan struct{}
}

func (s *struckSink) strike(apply func()) error {
	s.mu.Lock()
	call := s.calls
	s.calls++
	s.mu.Unlock()
	struck := call == s.at
	if struck && s.kind == "slow" {
		<-s.release
	}
	if !struck || s.kind != "failed" {
		s.mu.Lock()
		apply()
		s.mu.Unlock()
	}
	if struck && s.kind != "slow" {
		return schema.Classify(schema.Transient, errors.New(s.kind))
	}
	return nil
}

func (s *struckSink) Changed(_ context.Context, version uint64, changes []Change) error {
	return s.strike(func() {
		for _, c := range changes {
			for _, m := range c.Personas {
				s.put(version, Placed{m, c.To})
			}
		}
	})
}

func (s *struckSink) Rebuilt(_ context.Context, version uint64, places iter.Seq2[Placed, error]) (err error) {
	return errors.Join(s.strike(func() {
		for p, failed := range places {
			if err = failed; err != nil {
				return
			}
			s.put(version, p)
		}
	}), err)
}

// TestSinkFaults strikes each call of a sink in turn: it fails, it fails after it took effect, or it stands still. The sink comes to know
// the whole, and what is folded and answered meanwhile does not wait for it.
func TestSinkFaults(t *testing.T) {
	t.Run("exact", func(t *testing.T) { sinkFaults(t, newWorld(6, 30).events, Settings{}) })
	t.Run("weighed", func(t *testing.T) {
		sinkFaults(t, newCrowd(6, 30).events, Settings{Model: smallModel(t, rand.New(rand.NewPCG(6, 2)))})
	})
}

func sinkFaults(t *testing.T, events []schema.Event, settings Settings) {
	run := func(t *testing.T, at int, kind string) (calls int) {
		log := newLog("c", 1)
		sink := &struckSink{mapSink: newMapSink(t, 1), at: at, kind: kind, release: make(chan struct{})}
		r := start(t, Config{Folder: "state", Store: state.Options{FS: vfs.NewMem()}, Log: log, Feed: log, Sinks: []Sink{sink}, Settings: settings, CommitRecords: 1})
		defer r.stop()
		for _, e := range events {
			last := log.addEvents(0, e)
			must(t, r.WaitFor(t.Context(), last)) // a sink that stands still holds nobody up
		}
		close(sink.release)
		r.await(func() bool { return sink.whole(r) })
		sink.mu.Lock()
		defer sink.mu.Unlock()
		if at >= 0 && sink.calls <= at {
			t.Fatalf("call %d was never made", at)
		}
		return sink.calls
	}
	calls := run(t, -1, "")
	if calls < 5 {
		t.Fatalf("%d calls are too few to prove anything", calls)
	}
	for _, kind := range []string{"failed", "failed but applied", "slow"} {
		for at := range min(calls, 6) {
			t.Run(fmt.Sprint(kind, " ", at), func(t *testing.T) { run(t, at, kind) })
		}
	}
}
