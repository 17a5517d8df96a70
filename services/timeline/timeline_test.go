package timeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// rounds is how many seeds a property is tried with.
func rounds(usual int) int {
	if os.Getenv("DOSSIER_PROVE") != "" {
		return usual * 20
	}
	return usual
}

// world is a log, what must come of it, and a role that dies and comes back.
type world struct {
	feed    *fakeFeed
	table   *fakeTable
	letters *fakeLetters
	faults  *faults
	fs      *vfs.MemFS
	random  *rand.Rand
	void    func(*schema.Clear) bool

	rows   map[schema.EventID]schema.Position // the row that must stand for each event
	buried map[schema.Position]bool           // what may be a dead letter; true if it must
}

// newWorld makes a nasty log: copies, void and damaged records, poison, years from 1890 on, events of later epochs.
func newWorld(seed uint64, partitions, records int) *world {
	r := rand.New(rand.NewPCG(seed, 1))
	f := &faults{}
	w := &world{
		faults: f, random: r, fs: vfs.NewCrashableMem(),
		feed:    &fakeFeed{faults: f, step: 1 + r.IntN(9)},
		letters: &fakeLetters{faults: f, at: map[schema.Position]Letter{}},
		rows:    map[schema.EventID]schema.Position{}, buried: map[schema.Position]bool{},
	}
	poison := map[schema.EventID]bool{}
	copies := map[schema.EventID]int{}
	w.table = &fakeTable{f, &fakeRows{tokens: map[string]bool{}, poison: func(id schema.EventID) bool { return poison[id] }}}
	for p := range partitions {
		var log []eventlog.Opened
		for len(log) < records {
			position := schema.Position{Generation: 3, Partition: int32(p), Offset: int64(len(log))}
			o := eventlog.Opened{Position: position, RecordedAt: schema.Instant(1e15 + len(log))}
			switch dice := r.IntN(20); {
			case dice < 5 && len(log) > 0: // a copy
				copied := log[r.IntN(len(log))]
				o.Event, o.Void, o.Bad = copied.Event, copied.Void, copied.Bad
			default:
				year := []int{1890, 1950, 1999, 2000, 2024, 2025, 2026}[min(6, r.IntN(20))]
				e := sampleEvent(r, 50, schema.InstantOf(time.Date(year, 3, 1, r.IntN(24), 0, 0, 0, time.UTC)))
				o.Event = e
				switch {
				case dice == 5:
					o.Void = errors.New("punched")
				case dice == 6:
					o.Event, o.Bad = nil, schema.Refuse("damaged", "cannot be decoded", "")
				case dice == 7:
					poison[e.ID] = true
				}
			}
			log = append(log, o)
			switch {
			case o.Bad != nil || o.Event != nil && o.Void == nil && (poison[o.Event.ID] || o.Event.OccurredAt < schema.FirstTimelineInstant):
				first := o.Event == nil || copies[o.Event.ID] == 0
				w.buried[position] = first // a copy beside the first one is no other letter
				if o.Event != nil {
					copies[o.Event.ID]++
				}
			case o.Void == nil:
				if _, known := w.rows[o.Event.ID]; !known {
					w.rows[o.Event.ID] = position
				}
			}
		}
		w.feed.partitions = append(w.feed.partitions, log)
	}
	return w
}

// live runs the role until it has read the whole log or died. It gives the file system that the next life finds.
func (w *world) live(t *testing.T) (done bool) {
	t.Helper()
	w.faults.mu.Lock()
	w.faults.dead = false
	w.faults.mu.Unlock()
	store, err := state.Open("timeline", state.Options{FS: w.fs, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	role := New(Config{
		Feed: w.feed, Partitions: int32(len(w.feed.partitions)), Generation: 3, Table: w.table, Store: store, DeadLetters: w.letters, Public: fakePublic,
		Intents: faultyIntents{storedIntents{store}, w.faults}, Void: w.void,
		Log:     w.feed,
		Linger:  time.Duration(1+w.random.IntN(2000)) * time.Microsecond,
		BackOff: time.Microsecond, BatchRecords: 1 + w.random.IntN(40), InsertLimit: 2 * time.Millisecond, Logger: quiet,
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- role.Run(ctx) }()
	arrived := make(chan error, 1)
	go func() { arrived <- role.WaitFor(ctx, w.feed.ends()) }()
	select {
	case err := <-ended:
		if !errors.Is(err, errCrash) {
			t.Fatalf("the role ended with %v", err)
		}
	case <-arrived:
		done = true
	case <-time.After(20 * time.Second):
		t.Fatal("the role neither ended nor arrived within 20 s")
	}
	cancel()
	if done {
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
	survivor := w.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[w.random.IntN(3)], RNG: rand.New(rand.NewPCG(w.random.Uint64(), 0))})
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	w.fs = survivor
	if done {
		w.faults.late.Wait()
	}
	return done
}

// check compares the table and the dead letters with what must be there.
func (w *world) check(t *testing.T) {
	t.Helper()
	seen := map[schema.EventID]int{}
	for _, r := range w.table.rows {
		seen[r.ID]++
		want, ok := w.rows[r.ID]
		if !ok {
			t.Errorf("row %v must not be there", r.Position)
		} else if want != r.Position {
			t.Errorf("the row of %v came from %v, want the first copy, %v", r.ID, r.Position, want)
		}
	}
	for id, position := range w.rows {
		if seen[id] != 1 {
			t.Errorf("the event of %v has %d rows, want 1", position, seen[id])
		}
	}
	for position, must := range w.buried {
		if _, ok := w.letters.at[position]; must && !ok {
			t.Errorf("no dead letter for %v", position)
		}
	}
	for position := range w.letters.at {
		if _, may := w.buried[position]; !may {
			t.Errorf("a dead letter for %v", position)
		}
	}
}

func TestEachEventOnce(t *testing.T) {
	w := newWorld(7, 3, 300)
	if !w.live(t) {
		t.Fatal("died without a fault")
	}
	w.check(t)
	w.live(t)
	w.check(t)
}

// TestFaultAtEveryBoundary lets each kind of fault befall each call of each boundary in turn.
func TestFaultAtEveryBoundary(t *testing.T) {
	const seed, partitions, records = 11, 2, 30
	quietRun := newWorld(seed, partitions, records)
	quietRun.live(t)
	for _, what := range []string{"identity", "index", "read", "declare", "insert", "letter"} {
		calls := quietRun.faults.calls[what]
		if calls == 0 {
			t.Fatalf("nothing calls %s", what)
		}
		for kind := failed; kind < faultKinds; kind++ {
			t.Run(fmt.Sprintf("%s %s", what, kind), func(t *testing.T) {
				for call := range calls {
					w := newWorld(seed, partitions, records)
					w.faults.at = func(n int, at string) fault {
						if n == call && at == what {
							return kind
						}
						return none
					}
					for lives := 0; !w.live(t); lives++ {
						if lives > 3 {
							t.Fatalf("call %d: does not come back", call)
						}
					}
					w.check(t)
					if t.Failed() {
						t.Fatalf("call %d", call)
					}
				}
			})
		}
	}
}

// TestFaultWhileRecovering lets each kind of fault befall what a start does after a crash in the middle of a batch: it repeats the intent,
// looks for its rows and checks the log.
func TestFaultWhileRecovering(t *testing.T) {
	const seed, partitions, records = 12, 2, 30
	for _, first := range []fault{crashed, crashedAfter} {
		for _, what := range []string{"identity", "check", "present", "read", "insert"} {
			for kind := failed; kind < faultKinds; kind++ {
				w := newWorld(seed, partitions, records)
				w.faults.at = func(n int, at string) fault {
					if at == "insert" && n == 3 {
						return first
					}
					return none
				}
				if what == "check" { // marks are sure to be there at the end of the log
					w.faults.at = nil
				}
				if w.live(t) != (what == "check") {
					t.Fatalf("%s, then %s of %s: the first life did not end as it should", first, kind, what)
				}
				struck := false
				w.faults.at = func(_ int, at string) fault {
					if at == what && !struck {
						struck = true
						return kind
					}
					return none
				}
				for lives := 0; !w.live(t); lives++ {
					if lives > 3 {
						t.Fatalf("%s, then %s of %s: does not come back", first, kind, what)
					}
				}
				if w.check(t); !struck || t.Failed() {
					t.Fatalf("%s, then %s of %s (struck: %v)", first, kind, what, struck)
				}
			}
		}
	}
}

// TestAnyFaults lets faults of all kinds befall any calls, also several in a row, and loses the index now and then.
func TestAnyFaults(t *testing.T) {
	for seed := range uint64(rounds(60)) {
		w := newWorld(seed, 1+int(seed%3), 120)
		dice := rand.New(rand.NewPCG(seed, 2))
		w.faults.at = func(int, string) fault {
			if dice.IntN(12) > 0 {
				return none
			}
			return fault(1 + dice.IntN(int(faultKinds)-1))
		}
		for lives := 0; !w.live(t); lives++ {
			if lives > 60 {
				w.faults.at = nil
			}
			if w.random.IntN(6) == 0 {
				w.faults.late.Wait() // an index must not be lost while an insert of a dead process runs: see the package
				w.fs = vfs.NewCrashableMem()
			}
		}
		w.check(t)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestLostTable loses the table while the index stays: another one in its place is written whole, whatever fails meanwhile.
func TestLostTable(t *testing.T) {
	for seed := range uint64(rounds(10)) {
		w, dice := newWorld(seed, 2, 60), rand.New(rand.NewPCG(seed, 3))
		w.faults.at = func(int, string) fault {
			if dice.IntN(15) > 0 {
				return none
			}
			return fault(1 + dice.IntN(int(faultKinds)-1))
		}
		for range 2 {
			for !w.live(t) {
			}
			w.check(t)
			w.table.rows, w.table.tokens = nil, map[string]bool{}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestAnotherOrderSameRows reads the same set of events in another order, with other copies: the same events have rows.
func TestAnotherOrderSameRows(t *testing.T) {
	ids := func(w *world) []string {
		var out []string
		for _, r := range w.table.rows {
			out = append(out, r.ID.String())
		}
		slices.Sort(out)
		return out
	}
	for seed := range uint64(rounds(10)) {
		a, b := newWorld(seed, 1, 150), newWorld(seed, 1, 150)
		log := b.feed.partitions[0]
		for range 40 {
			log = append(log, log[b.random.IntN(len(log))])
		}
		b.random.Shuffle(len(log), func(i, j int) { log[i], log[j] = log[j], log[i] })
		for i := range log {
			log[i].Position.Offset = int64(i)
		}
		b.feed.partitions[0] = log
		a.live(t)
		b.live(t)
		if x, y := ids(a), ids(b); !slices.Equal(x, y) {
			t.Fatalf("seed %d: %d rows in one order, %d in another", seed, len(x), len(y))
		}
	}
}

// TestExpire ends a class and year while copies of its events come again.
func TestExpire(t *testing.T) {
	for seed := range uint64(rounds(20)) {
		w := newWorld(seed, 1, 150)
		w.table.poison = nil
		years := map[int]int{}
		for n := range w.feed.partitions[0] {
			if o := &w.feed.partitions[0][n]; o.Event != nil && o.Void == nil && o.Event.OccurredAt >= schema.FirstTimelineInstant {
				e := *o.Event
				e.Key.Class, e.Key.Year = []string{"long", "short"}[e.ID[15]&1], e.OccurredAt.Year() // a copy has the class of the event
				o.Event = &e
				years[e.OccurredAt.Year()]++
			}
		}
		of := schema.ExpiredYear{Class: "short"}
		for year, n := range years {
			if n > years[of.Year] || n == years[of.Year] && year < of.Year {
				of.Year = year
			}
		}
		w.live(t)
		all := map[schema.EventID]bool{} // rows that stay
		gone := 0
		for _, r := range w.table.rows {
			if w.table.expired(r, []schema.ExpiredYear{of}) {
				gone++
			} else {
				all[r.ID] = true
			}
		}
		if gone == 0 || len(all) == 0 {
			t.Fatalf("seed %d: %d rows of %v and %d others", seed, gone, of, len(all))
		}
		w.void = func(c *schema.Clear) bool { return c.Key.Class == of.Class && c.Key.Year == of.Year }
		for _, o := range slices.Clone(w.feed.partitions[0]) {
			if o.Event != nil && o.Void == nil && w.void(&o.Event.Clear) {
				w.feed.partitions[0] = append(w.feed.partitions[0], eventlog.Opened{Position: schema.Position{Generation: 3, Offset: int64(len(w.feed.partitions[0]))}, Event: o.Event})
			}
		}
		store, err := state.Open("timeline", state.Options{FS: w.fs, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		role := New(Config{
			Feed: w.feed, Partitions: 1, Generation: 3, Table: w.table, Store: store, DeadLetters: w.letters, Public: fakePublic, Void: w.void,
			Linger: time.Millisecond, BatchRecords: 7, Logger: quiet,
		})
		w.faults.at = func(n int, what string) fault {
			if n < 2 && (what == "expired" || what == "expire") && (int(seed)+n)%2 == 0 {
				return []fault{failed, failedApplied, slow}[int(seed)%3]
			}
			return none
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- role.Run(ctx) }()
		for {
			err := role.Expire(ctx, "main", []schema.ExpiredYear{of})
			if err == nil {
				break
			}
			if schema.ClassOf(err) != schema.Transient {
				t.Fatal(err)
			}
		}
		if err := role.WaitFor(ctx, w.feed.ends()); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		got := map[schema.EventID]int{}
		for _, r := range w.table.rows {
			if got[r.ID]++; got[r.ID] > 1 || !all[r.ID] {
				t.Errorf("seed %d: a row of %s/%d is there %d times", seed, r.class, r.OccurredAt.Year(), got[r.ID])
			}
		}
		if len(got) != len(all) {
			t.Fatalf("seed %d: %d rows, want %d", seed, len(got), len(all))
		}
	}
}

// TestErase erases a persona while copies of its events come again, in its old epoch and in the next.
func TestErase(t *testing.T) {
	for seed := range uint64(rounds(20)) {
		w := newWorld(seed, 1, 150)
		w.table.poison = nil
		var victim schema.PersonaID
		for _, o := range w.feed.partitions[0] {
			if o.Event != nil && o.Void == nil && o.Event.OccurredAt >= schema.FirstTimelineInstant {
				victim = o.Event.Persona
			}
		}
		w.live(t)
		e := Erasure{Personas: []schema.PersonaEpoch{{Persona: victim}}, CutOff: schema.InstantOf(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC))}
		w.void = func(c *schema.Clear) bool {
			return c.Persona == victim && (c.Key.Epoch <= e.Personas[0].Epoch || c.OccurredAt <= e.CutOff)
		}
		// Every event of the persona comes again in the old epoch and in the next one.
		want := map[schema.EventID]bool{}
		for _, o := range slices.Clone(w.feed.partitions[0]) {
			if o.Event == nil || o.Void != nil || o.Event.Persona != victim {
				continue
			}
			next := *o.Event
			next.Key.Epoch = 1
			for _, e := range []*schema.Event{o.Event, &next} {
				w.feed.partitions[0] = append(w.feed.partitions[0], eventlog.Opened{
					Position: schema.Position{Generation: 3, Offset: int64(len(w.feed.partitions[0]))}, Event: e,
				})
			}
			if !w.void(&next.Clear) {
				want[next.ID] = true
			}
		}
		store, err := state.Open("timeline", state.Options{FS: w.fs, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		role := New(Config{
			Feed: w.feed, Partitions: 1, Generation: 3, Table: w.table, Store: store, DeadLetters: w.letters, Public: fakePublic, Void: w.void,
			Linger: time.Millisecond, BatchRecords: 7, Logger: quiet,
		})
		w.faults.at = func(n int, what string) fault {
			if n < 2 && (what == "erased" || what == "erase") && (int(seed)+n)%2 == 0 {
				return []fault{failed, failedApplied, slow}[int(seed)%3]
			}
			return none
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- role.Run(ctx) }()
		for { // at once, or after some batches; again after a failure
			err := role.Erase(ctx, "main", e)
			if err == nil {
				break
			}
			if schema.ClassOf(err) != schema.Transient {
				t.Fatal(err)
			}
		}
		if err := role.WaitFor(ctx, w.feed.ends()); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		got := map[schema.EventID]int{}
		for _, r := range w.table.rows {
			if r.persona != victim && r.persona != fakePublic("", schema.PersonaEpoch{Persona: victim, Epoch: 1}) {
				continue
			}
			got[r.ID]++
			if r.Epoch != 1 || r.OccurredAt <= e.CutOff {
				t.Errorf("seed %d: a void row of epoch %d is left", seed, r.Epoch)
			}
		}
		for id := range want {
			if got[id] != 1 {
				t.Errorf("seed %d: an event of the next epoch has %d rows, want 1", seed, got[id])
			}
		}
		if len(got) != len(want) {
			t.Errorf("seed %d: %d events of the persona, want %d", seed, len(got), len(want))
		}
	}
}

// TestRefusesAll stops instead of burying a whole log when the table refuses every row.
func TestRefusesAll(t *testing.T) {
	w := newWorld(3, 1, 400)
	w.table.poison = func(schema.EventID) bool { return true }
	store, err := state.Open("timeline", state.Options{FS: w.fs, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	role := New(Config{Feed: w.feed, Partitions: 1, Generation: 3, Table: w.table, Store: store, DeadLetters: w.letters, Public: fakePublic, Logger: quiet})
	if err := role.Run(t.Context()); schema.ClassOf(err) != schema.Fatal || err == nil {
		t.Fatalf("Run gave %v, want a fatal error", err)
	}
}

// TestRefusesAnotherLog stops when the log is shorter than what was read of it.
func TestRefusesAnotherLog(t *testing.T) {
	w := newWorld(3, 1, 100)
	w.live(t)
	w.feed.partitions[0] = w.feed.partitions[0][:50]
	store, err := state.Open("timeline", state.Options{FS: w.fs, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	role := New(Config{
		Feed: w.feed, Partitions: 1, Generation: 3, Table: w.table, Store: store, DeadLetters: w.letters, Public: fakePublic, Logger: quiet,
		Log: w.feed,
	})
	err = role.Run(t.Context())
	if !errors.Is(err, eventlog.ErrOtherLog) {
		t.Fatalf("Run gave %v, want ErrOtherLog", err)
	}
}
