package segments

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/pipelines/segment/segmenttest"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// fault is what befalls one call.
type fault int

const (
	none fault = iota
	failed
	failedApplied
	slow         // takes a while, and succeeds
	crashed      // the process is gone before the call
	crashedAfter // and after it
	faultKinds
)

func (f fault) String() string {
	return [...]string{"well", "failed", "failed but applied", "slow", "crash before", "crash after"}[f]
}

var errCrash = schema.Classify(schema.Fatal, errors.New("crash"))

// faults decides what befalls the calls of each boundary of one life.
type faults struct {
	mu    sync.Mutex
	calls map[string]int
	at    func(call int, what string) fault
	dead  bool
	crash func() // takes what a crash leaves; nil takes nothing
}

func (f *faults) around(what string, apply func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return errCrash
	}
	kind := none
	if f.at != nil {
		kind = f.at(f.calls[what], what)
	}
	f.calls[what]++
	if kind == slow {
		f.mu.Unlock() // the others go on
		time.Sleep(15 * time.Millisecond)
		f.mu.Lock()
	}
	if kind == none || kind == slow || kind == failedApplied || kind == crashedAfter {
		if err := apply(); err != nil {
			return err
		}
	}
	switch kind {
	case failed, failedApplied:
		return schema.Classify(schema.Transient, errors.New(what))
	case crashed, crashedAfter:
		f.dead = true
		f.crash()
		return errCrash
	}
	return nil
}

// struck is a stage whose every call may be struck.
type struck struct {
	*stage
	f *faults
}

func (s struck) Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (b eventlog.OpenedBatch, err error) {
	err = s.f.around("read", func() (err error) {
		b, err = s.stage.Read(ctx, partition, offset, wait)
		return err
	})
	return b, err
}

func (s struck) Ends(ctx context.Context) (ends []int64, err error) {
	err = s.f.around("ends", func() (err error) {
		ends, err = s.stage.Ends(ctx)
		return err
	})
	return ends, err
}

func (s struck) Check(context.Context, eventlog.Checkpoint) error {
	return s.f.around("check", func() error { return nil })
}

func (s struck) Produce(ctx context.Context, topic string, partition int32, messages []kafka.Message, at time.Time) (base int64, err error) {
	err = s.f.around("produce", func() (err error) {
		base, err = s.stage.Produce(ctx, topic, partition, messages, at)
		return err
	})
	return base, err
}

func (s struck) People(ctx context.Context, workspace string, ids []schema.ProfileID) (people []*graphql.Person, err error) {
	err = s.f.around("people", func() (err error) {
		people, err = s.stage.People(ctx, workspace, ids)
		return err
	})
	return people, err
}

func (s struck) Page(ctx context.Context, workspace string, after schema.ProfileID, limit int) (page []schema.ProfileID, err error) {
	err = s.f.around("page", func() (err error) {
		page, err = s.stage.Page(ctx, workspace, after, limit)
		return err
	})
	return page, err
}

// struckTopic is a topic whose every read may be struck.
type struckTopic struct {
	Topic
	name string
	f    *faults
}

func (s struckTopic) Ends(ctx context.Context) (ends []int64, err error) {
	err = s.f.around(s.name+" end", func() (err error) {
		ends, err = s.Topic.Ends(ctx)
		return err
	})
	return ends, err
}

func (s struckTopic) Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (b eventlog.Batch, err error) {
	err = s.f.around(s.name+" read", func() (err error) {
		b, err = s.Topic.Read(ctx, partition, offset, wait)
		return err
	})
	return b, err
}

// memoryRows are the tables in memory, as the engine keeps them: every version of a row of people, of which the highest counts, and changes under their ids.
type memoryRows struct {
	mu      sync.Mutex
	people  map[schema.ProfileID]map[uint64]*row
	history map[string]*Change
}

func newMemoryRows() *memoryRows {
	return &memoryRows{people: map[schema.ProfileID]map[uint64]*row{}, history: map[string]*Change{}}
}

// current lists who has a row now, and which.
func (m *memoryRows) current() (out []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, versions := range m.people {
		newest := uint64(0)
		for v := range versions {
			newest = max(newest, v)
		}
		if r := *versions[newest]; r.deleted == 0 {
			r.drawn, r.held, r.suppressed = nil, nil, 0 // which identity does not know
			out = append(out, fmt.Sprintf("%s %x", id, r.digest()))
		}
	}
	slices.Sort(out)
	return out
}

// struckRows are memoryRows of which every call may be struck.
type struckRows struct {
	*memoryRows
	f *faults
}

func (s struckRows) around(what string, apply func()) error {
	return s.f.around(what, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		apply()
		return nil
	})
}

func (s struckRows) Identity(context.Context) (string, error) {
	return "memory", s.around("identity", func() {})
}

func (s struckRows) Newest(context.Context) (newest uint64, err error) {
	err = s.around("newest", func() {
		for _, versions := range s.people {
			for v := range versions {
				newest = max(newest, v)
			}
		}
	})
	return newest, err
}

func (s struckRows) since(_ context.Context, _ string, version uint64) (people []schema.ProfileID, err error) {
	err = s.around("since", func() {
		for id, versions := range s.people {
			for v := range versions {
				if v > version && !slices.Contains(people, id) {
					people = append(people, id)
				}
			}
		}
	})
	return people, err
}

func (s struckRows) put(_ context.Context, _ string, version uint64, rows []*row) error {
	return s.around("put", func() {
		for _, r := range rows {
			if s.people[r.profile] == nil {
				s.people[r.profile] = map[uint64]*row{}
			}
			s.people[r.profile][version] = r
		}
	})
}

func (s struckRows) record(_ context.Context, changes []*Change) error {
	return s.around("record", func() {
		for _, c := range changes {
			s.history[c.ID] = c
		}
	})
}

func (s struckRows) empty(context.Context, string) error {
	return s.around("empty", func() { clear(s.people) })
}

func (s struckRows) expire(_ context.Context, _ string, below uint64) error {
	return s.around("expire", func() {
		for id, versions := range s.people {
			maps.DeleteFunc(versions, func(v uint64, _ *row) bool { return v < below })
			if len(versions) == 0 {
				delete(s.people, id)
			}
		}
	})
}

func (s struckRows) emptyHistory(context.Context, string) error {
	return s.around("empty history", func() { clear(s.history) })
}

func (s struckRows) forget(_ context.Context, _ string, profiles, gone []schema.ProfileID, below uint64) error {
	return s.around("forget", func() {
		for _, id := range profiles {
			for v := range s.people[id] {
				if v < below {
					delete(s.people[id], v)
				}
			}
			if len(s.people[id]) == 0 {
				delete(s.people, id)
			}
		}
		for id, c := range s.history {
			if slices.ContainsFunc(gone, func(g schema.ProfileID) bool { return g.String() == c.Profile }) {
				delete(s.history, id)
			}
		}
	})
}

// boundaries are all calls that leave the process, but the state store's: what a crash leaves of that is taken at each of them.
var boundaries = []string{
	"identity", "newest", "since", "empty", "ends", "check", "read", "profiles end", "profiles read", "decisions end", "decisions read", "people", "page", "known", "put", "produce", "record",
}

// play is lives of the role over one stage, tables and state.
type play struct {
	t       *testing.T
	s       *stage
	rows    *memoryRows
	fs      *vfs.MemFS
	survive int // of what was not synced, in percent, at a crash
	lives   int64
	silent  bool
	void    map[schema.PersonaID]bool
	people  []schema.ProfileID
	home    map[schema.ProfileID]schema.ProfileID
}

// dropping takes what a silent life decides.
type dropping struct{}

func (dropping) Produce(context.Context, string, int32, []kafka.Message, time.Time) (int64, error) {
	return 0, nil
}

func newPlay(t *testing.T, r *rand.Rand, survive int) (*play, []*schema.Event) {
	w := segmenttest.New(r, 6)
	s := &stage{w: w, now: w.Now, of: w.Of, known: map[schema.ProfileID]*segment.Person{}, set: segment.Set{"base": w.Segment("base")}}
	for n := range 3 {
		name := fmt.Sprint("s", n)
		s.set[name] = w.Segment(name, "base")
	}
	p := &play{t: t, s: s, rows: newMemoryRows(), fs: vfs.NewCrashableMem(), survive: survive, void: map[schema.PersonaID]bool{}, home: map[schema.ProfileID]schema.ProfileID{}}
	var events []*schema.Event
	for _, x := range w.People {
		s.known[x.ID] = x
		p.people = append(p.people, x.ID)
		for persona, of := range w.Of {
			if of == x.ID {
				p.home[persona] = of
				events = append(events, w.Events[persona]...)
			}
		}
	}
	slices.SortFunc(events, func(a, b *schema.Event) int { return a.ID.Compare(b.ID) })
	r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	return p, events
}

// live has the role live with faults until then returns, or a crash ends it, and says whether one did. then is called when nothing is left to do.
func (p *play) live(f *faults, then func(r *running) error) (dead bool) {
	p.t.Helper()
	p.lives++
	f.calls = map[string]int{}
	var left *vfs.MemFS
	f.crash = func() {
		left = p.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: p.survive, RNG: rand.New(rand.NewPCG(uint64(p.lives), 1))})
	}
	store, err := state.Open("state", state.Options{FS: p.fs})
	if err != nil {
		p.t.Fatal(err)
	}
	on := struck{p.s, f}
	c := p.s.config(struckRows{p.rows, f}, store)
	c.Feed, c.Log, c.Producer, c.People = on, on, on, on
	c.Profiles, c.Decisions = struckTopic{c.Profiles, "profiles", f}, struckTopic{c.Decisions, "decisions", f}
	c.Known = func(context.Context, []int64) error { return f.around("known", func() error { return nil }) }
	c.Void = func(of *schema.Clear) bool { return p.void[of.Persona] }
	if c.Silent = p.silent; p.silent {
		c.Producer = dropping{}
	}
	role := New(c)
	ctx, cancel := context.WithCancel(p.t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- role.Run(ctx, p.lives) }()
	r := &running{role, store, nil}
	deadline := time.Now().Add(30 * time.Second)
	for gone := false; !gone; {
		select {
		case err = <-ended:
			gone = true
		case <-time.After(2 * time.Millisecond):
			if time.Now().After(deadline) {
				p.t.Fatal("the role does not come to rest")
			}
			if !r.rests(p.t, p.s) {
				continue
			}
			if then != nil {
				if failed := then(r); failed != nil && !errors.Is(failed, errCrash) {
					p.t.Fatal(failed)
				} else if failed == nil {
					then = nil
				}
				continue // what it began is finished
			}
			cancel()
			err, gone = <-ended, true
		}
	}
	dead = f.dead
	if err != nil && !(dead && errors.Is(err, errCrash)) {
		p.t.Fatal(err)
	}
	if err := store.Close(); err != nil && !dead {
		p.t.Fatal(err)
	}
	if dead {
		p.fs = left
	}
	return dead
}

// grow adds events, a merge or a split, and time.
func (p *play) grow(r *rand.Rand, events []*schema.Event) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.s.log = append(p.s.log, events...)
	if len(events) > 0 {
		p.s.log = append(p.s.log, events[r.IntN(len(events))]) // a copy
	}
	p.s.now += schema.Instant(r.Int64N(86_400_000_000))
	a, b := p.people[r.IntN(len(p.people))], p.people[r.IntN(len(p.people))]
	if a == b || p.s.of[b] != b {
		return
	}
	from := p.s.of[a]
	to, kind := b, "merged"
	if from != a {
		to, kind = a, "split"
	}
	var moved []schema.ProfileID
	for persona, of := range p.s.of {
		if of == from && (kind == "merged" || p.home[persona] == a) {
			moved = append(moved, persona)
		}
	}
	p.s.move(kind, from, to, moved)
}

// personas lists those of a person who has at least so many, and no other ones than at the beginning, the one that names the person first; of the last such person for one,
// of the first for more.
func (p *play) personas(least int) (out []schema.ProfileID) {
	people := slices.Clone(p.people)
	if least == 1 {
		slices.Reverse(people)
	}
	for _, id := range people {
		out = out[:0]
		for persona, of := range p.s.of {
			if of == id {
				out = append(out, persona)
			}
		}
		slices.SortFunc(out, schema.ProfileID.Compare) // the person's own is the first
		if len(out) >= least {
			return out
		}
	}
	p.t.Fatalf("nobody has %d personas", least)
	return nil
}

// same holds what was decided, the history and the table of people against the set of events.
func (p *play) same() (decided int) {
	p.t.Helper()
	if got, want := p.s.has(p.t), p.s.want(); !slices.Equal(got, want) {
		p.s.explain(p.t, got, want)
		p.t.Fatalf("decided\n%s\nwant\n%s", got, want)
	}
	if got, want := len(p.rows.history), len(p.s.changes); got != want {
		p.t.Fatalf("the history has %d changes, the topic %d", got, want)
	}
	var want []string
	for id := range p.s.known {
		if p.s.of[id] == id {
			want = append(want, fmt.Sprintf("%s %x", id, rowOf(PersonOf(p.s.person(id))).digest()))
		}
	}
	slices.Sort(want)
	if got := p.rows.current(); !slices.Equal(got, want) {
		p.t.Fatalf("people are\n%s\nwant\n%s", got, want)
	}
	return len(p.s.changes)
}

// later ends a life after a call, so that the next one finds offsets, and rows or changes that it does not know of.
func later(p *play, r *rand.Rand, what string) (crashed bool) {
	p.live(&faults{}, nil)
	for range 20 {
		p.grow(r, nil)
		struck := false
		crashed = p.live(&faults{at: func(_ int, w string) fault {
			if w != what || struck {
				return none
			}
			struck = true
			return crashedAfter
		}}, nil)
		if crashed {
			return true
		}
	}
	return false
}

// strikeOnce has one call of a boundary struck, in the first life that makes it, and holds what comes of it. It says whether the call was made, and how much was decided.
func strikeOnce(t *testing.T, r *rand.Rand, what string, call int, kind fault, survive int) (hit bool, decided int) {
	t.Helper()
	p, events := newPlay(t, r, survive)
	p.grow(r, events[:len(events)/3])
	before := map[string]string{"check": "put", "since": "put", "decisions read": "record"}[what] // what only a later life asks
	if before != "" && !later(p, r, before) {
		return false, 0
	}
	for life := 0; ; life++ {
		f := &faults{at: func(c int, w string) fault {
			if w != what || c != call || hit {
				return none
			}
			hit = true
			return kind
		}}
		grown := func(*running) error {
			p.grow(r, events[len(events)/3:2*len(events)/3])
			return nil
		}
		if life > 0 {
			grown = nil
		}
		if dead := p.live(f, grown); !dead || life > 1 {
			break
		}
	}
	p.grow(r, events[2*len(events)/3:])
	if p.live(&faults{}, nil) {
		t.Fatal("a life without faults crashed")
	}
	return hit, p.same()
}

// TestFaultAtEveryBoundary strikes each call that leaves the process: it fails, it fails after it took effect, it is late, or the process is gone before or after it,
// with all, or nothing, of what the state store had not synced. Memberships, history and the table of people are what the set of events comes to; the log grows between the
// lives.
func TestFaultAtEveryBoundary(t *testing.T) {
	calls, prove := []int{0, 2}, os.Getenv("DOSSIER_PROVE") != ""
	if prove {
		calls = []int{0, 1, 2, 5, 9}
	}
	var mu sync.Mutex
	hits, decided := map[string]int{}, 0
	t.Run("all", func(t *testing.T) {
		for n, what := range boundaries {
			t.Run(what, func(t *testing.T) {
				t.Parallel()
				for kind := failed; kind < faultKinds; kind++ {
					for _, call := range calls {
						if call > 0 && !prove && kind != failedApplied && kind != crashedAfter {
							continue
						}
						survive := 100 * ((call/2 + int(kind)) % 2)
						if what == "since" { // which only who knows of rows asks
							survive = 100
						}
						hit := false
						for world := uint64(0); world < 6 && !hit; world++ { // until one makes the call
							var changes int
							hit, changes = strikeOnce(t, rand.New(rand.NewPCG(uint64(n)+100*world, uint64(10*call)+uint64(kind))), what, call, kind, survive)
							mu.Lock()
							if decided += changes; hit {
								hits[what+", "+kind.String()]++
							}
							mu.Unlock()
						}
						if t.Failed() {
							t.Fatalf("%s, call %d, %s, %d %% survives", what, call, kind, survive)
						}
					}
				}
			})
		}
	})
	for _, what := range boundaries {
		for kind := failed; kind < faultKinds; kind++ {
			if hits[what+", "+kind.String()] == 0 && !t.Failed() {
				t.Errorf("%s: it never was %s", what, kind)
			}
		}
	}
	if cases := len(boundaries) * (len(calls) + int(faultKinds)); decided < cases {
		t.Errorf("%d changes in %d cases: they say too little", decided, cases)
	}
}

// TestAnyFaults strikes one call of ten, life after life.
func TestAnyFaults(t *testing.T) {
	worlds := 8
	if os.Getenv("DOSSIER_PROVE") != "" {
		worlds = 200
	}
	for world := range worlds {
		t.Run(fmt.Sprint(world), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(world), 77))
			p, events := newPlay(t, r, 100*(world%2))
			for len(events) > 0 {
				n := min(len(events), 1+r.IntN(8))
				p.grow(r, events[:n])
				events = events[n:]
				chance := rand.New(rand.NewPCG(uint64(world), uint64(len(events))))
				p.live(&faults{at: func(int, string) fault {
					if chance.IntN(10) == 0 {
						return 1 + fault(chance.IntN(int(faultKinds)-1))
					}
					return none
				}}, nil)
			}
			p.live(&faults{}, nil)
			p.same()
		})
	}
}

// TestTurns has two owners, each with a state of its own, take turns, as after takeovers: what one decided the other one takes over, and decides only what is new.
func TestTurns(t *testing.T) {
	for world := range 6 {
		t.Run(fmt.Sprint(world), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(world), 99))
			p, events := newPlay(t, r, 100)
			other := vfs.NewCrashableMem()
			for len(events) > 0 {
				n := min(len(events), 1+r.IntN(6))
				p.grow(r, events[:n])
				events = events[n:]
				puts := r.IntN(3)
				p.live(&faults{at: func(call int, what string) fault {
					if world%2 == 1 && what == "put" && call == puts {
						return crashedAfter
					}
					return none
				}}, nil)
				p.fs, other = other, p.fs
			}
			p.live(&faults{}, nil)
			p.same()
		})
	}
}

// TestPromoted: a silent state that takes the place of the live one, and the other way round, at any time and through crashes, decides nothing that was decided before, and
// misses nothing: what is told, the history and the table of people are those of the set of events.
func TestPromoted(t *testing.T) {
	for world := range 8 {
		t.Run(fmt.Sprint(world), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(world), 44))
			p, events := newPlay(t, r, 100*(world%2))
			other, otherRows := vfs.NewCrashableMem(), newMemoryRows()
			turn := func() { p.fs, other, p.rows, otherRows = other, p.fs, otherRows, p.rows }
			for len(events) > 0 {
				n := min(len(events), 1+r.IntN(6))
				p.grow(r, events[:n])
				events = events[n:]
				if r.IntN(3) > 0 { // the silent one is behind when it is asked to go on
					turn()
					p.silent = true
					p.live(&faults{}, nil)
					p.silent = false
					turn()
				}
				p.live(&faults{}, nil)
				decided := p.same()
				if r.IntN(2) == 0 {
					continue
				}
				turn()
				at, what := r.IntN(3), []string{"empty history", "record", "put", "decisions read", "produce"}[r.IntN(5)]
				for crashing := world > 3; ; crashing = false {
					crashed := p.live(&faults{at: func(call int, w string) fault {
						if crashing && w == what && call == at {
							return crashedAfter
						}
						return none
					}}, nil)
					if !crashed {
						break
					}
				}
				if now := p.same(); now != decided {
					t.Fatalf("a promotion between alike states decided %d changes", now-decided)
				}
			}
		})
	}
}

// TestEraseThroughFaults strikes each call of an erasure, which is repeated until it succeeds, as its owner does: of who is erased no row, no fact and no part of the history is
// left, and others stay as they are.
func TestEraseThroughFaults(t *testing.T) {
	for n, what := range []string{"known", "people", "put", "produce", "record", "forget"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for kind := failed; kind < faultKinds; kind++ {
				r := rand.New(rand.NewPCG(uint64(n), 88))
				p, events := newPlay(t, r, 100*(int(kind)%2))
				for _, e := range events { // everybody is in something
					e.Type, e.OccurredAt = schema.TypeOrderPlaced, p.s.now-1
				}
				bought, err := segment.Parse("bought", []byte(`{"where":{"event":{"type":"order.placed"}}}`), time.LoadLocation)
				if err != nil {
					t.Fatal(err)
				}
				p.s.set["bought"] = bought
				p.s.log = events
				p.live(&faults{}, nil)
				p.same()
				// One persona of a person goes, who stays; then all of another person.
				part, whole := p.personas(2), p.personas(1)
				all, holder := append(part[1:2:2], whole...), whole[0]
				for _, persona := range all {
					p.void[persona] = true
					delete(p.s.of, persona)
				}
				delete(p.s.known, holder)
				hit, began := false, false
				f := &faults{at: func(_ int, w string) fault {
					if w != what || hit || !began {
						return none
					}
					hit = true
					return kind
				}}
				erase := func(role *running) error {
					began = true
					for _, persona := range all {
						for {
							err := role.Erase(t.Context(), schema.PersonaEpoch{Persona: persona})
							if err == nil {
								break
							}
							if schema.ClassOf(err) != schema.Transient {
								return err
							}
						}
					}
					return nil
				}
				for life := 0; p.live(f, erase) && life < 2; life++ {
					f = &faults{}
				}
				if !hit {
					t.Fatalf("%s: no call was %s", what, kind)
				}
				for _, id := range all {
					if len(p.rows.people[id]) > 0 {
						t.Errorf("%s: %s: a row of who is erased is left", what, kind)
					}
				}
				for _, c := range p.rows.history {
					if c.Profile == holder.String() {
						t.Errorf("%s: %s: the history tells of who is erased", what, kind)
					}
				}
				store, err := state.Open("state", state.Options{FS: p.fs})
				if err != nil {
					t.Fatal(err)
				}
				for _, persona := range all {
					prefix := key('e', persona[:])
					err := store.Scan(prefix, state.After(prefix), func(_, _ []byte) error {
						t.Errorf("%s: %s: a fact of who is erased is left", what, kind)
						return state.ErrStop
					})
					if err != nil {
						t.Error(err)
					}
				}
				if err := store.Close(); err != nil {
					t.Error(err)
				}
				if got, want := p.s.has(t), p.s.want(); !slices.Equal(got, want) {
					t.Errorf("%s: %s: in are\n%s\nwant\n%s", what, kind, got, want)
				}
			}
		})
	}
}
