package segments

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/pipelines/segment/segmenttest"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// stage is a log, identity, topics and a clock in memory, around the role.
type stage struct {
	mu       sync.Mutex
	w        *segmenttest.World
	now      schema.Instant
	log      []*schema.Event
	profiles [][]byte
	changes  [][]byte
	of       map[schema.ProfileID]schema.ProfileID // persona → profile
	known    map[schema.ProfileID]*segment.Person  // what identity knows of a profile
	set      segment.Set
	lose     int // of the next produces, so many fail after they were applied
}

func (s *stage) Read(_ context.Context, _ int32, offset int64, _ time.Duration) (eventlog.OpenedBatch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := eventlog.OpenedBatch{From: offset, Next: offset}
	for _, e := range s.log[offset:] {
		b.Events = append(b.Events, eventlog.Opened{Event: e})
		b.Next++
	}
	if b.Next == offset {
		time.Sleep(time.Millisecond)
	}
	return b, nil
}

func (s *stage) After(partition int32, next int64, last [16]byte) eventlog.Checkpoint {
	return eventlog.Checkpoint{Cluster: "memory", Position: schema.Position{Partition: partition, Offset: next}, Last: last}
}

func (s *stage) Check(context.Context, eventlog.Checkpoint) error { return nil }

func (s *stage) Ends(context.Context) ([]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []int64{int64(len(s.log))}, nil
}

// records is one of the stage's topics.
type records struct {
	s  *stage
	of func(s *stage) *[][]byte
}

func (r records) Ends(context.Context) ([]int64, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return []int64{int64(len(*r.of(r.s)))}, nil
}

func (r records) Read(_ context.Context, _ int32, offset int64, _ time.Duration) (eventlog.Batch, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	b := eventlog.Batch{From: offset, Next: offset}
	for _, v := range (*r.of(r.s))[offset:] {
		b.Records = append(b.Records, eventlog.Record{Value: v, RecordedAt: r.s.now})
		b.Next++
	}
	if b.Next == offset {
		time.Sleep(time.Millisecond)
	}
	return b, nil
}

func (s *stage) Produce(_ context.Context, _ string, _ int32, messages []kafka.Message, _ time.Time) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	base := int64(len(s.changes))
	for _, m := range messages {
		s.changes = append(s.changes, slices.Clone(m.Value))
	}
	if s.lose > 0 {
		s.lose--
		return 0, schema.Classify(schema.Transient, errors.New("the answer was lost"))
	}
	return base, nil
}

func (s *stage) person(id schema.ProfileID) *graphql.Person {
	k := s.known[id]
	p := &graphql.Person{ID: id}
	for persona, holder := range s.of {
		if holder == id {
			p.Personas = append(p.Personas, graphql.Persona{ID: persona, Persona: persona})
		}
	}
	slices.SortFunc(p.Personas, func(a, b graphql.Persona) int { return a.ID.Compare(b.ID) })
	value := func(text string) json.RawMessage {
		b, err := json.Marshal(text)
		if err != nil {
			panic(err)
		}
		return b
	}
	for _, t := range k.Traits {
		trait := graphql.Trait{Name: t.Name, Candidate: graphql.Candidate{Value: value(t.Text), Source: t.Had[0].Source}}
		for _, had := range t.Had[1:] {
			trait.RunnersUp = append(trait.RunnersUp, graphql.Candidate{Value: value(had.Text), Source: had.Source})
		}
		p.Traits = append(p.Traits, trait)
	}
	for _, kind := range k.Identifiers {
		p.Identifiers = append(p.Identifiers, graphql.Held{Kind: kind, Confirmed: true})
	}
	consent := func(list []segment.Permission, allowed bool, said schema.ConsentState) {
		for _, x := range list {
			channel, _ := schema.ParseChannel(x.Channel)
			p.Consents = append(p.Consents, graphql.Consent{Purpose: x.Purpose, Channel: channel, Allowed: allowed, State: said, Expiry: x.Until})
		}
	}
	consent(k.Allowed, true, schema.ConsentGranted)
	consent(k.Refused, false, schema.ConsentDenied)
	return p
}

func (s *stage) People(_ context.Context, _ string, ids []schema.ProfileID) ([]*graphql.Person, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*graphql.Person, len(ids))
	for i, id := range ids {
		if holder, is := s.of[id]; is {
			out[i] = s.person(holder)
		}
	}
	return out, nil
}

func (s *stage) Page(_ context.Context, _ string, after schema.ProfileID, limit int) (out []schema.ProfileID, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.known {
		if s.of[id] == id && id.Compare(after) > 0 {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, schema.ProfileID.Compare)
	return out[:min(len(out), limit)], nil
}

// move gives all personas of one profile to another, or back, and tells it.
func (s *stage) move(kind string, from, to schema.ProfileID, personas []schema.ProfileID) {
	for _, p := range personas {
		s.of[p] = to
	}
	text, err := json.Marshal(map[string]string{"kind": kind, "workspace": "main", "from": from.String(), "to": to.String()})
	if err != nil {
		panic(err)
	}
	s.profiles = append(s.profiles, text)
}

// want are the memberships that the set of events makes now.
func (s *stage) want() (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	once := map[schema.EventID]*schema.Event{}
	for _, e := range s.log {
		once[e.ID] = e
	}
	for id := range s.known {
		if s.of[id] != id {
			continue
		}
		p := PersonOf(s.person(id))
		for _, e := range once {
			if s.of[e.Persona] == id {
				p.Events = append(p.Events, segment.FactOf(e, segmenttest.Paths))
			}
		}
		p.Suppressed, p.Drawn = s.known[id].Suppressed, s.drawn(id)
		for _, of := range s.set.Live() {
			if s.set.Evaluate(of, p, s.now).Member {
				out = append(out, id.String()+" "+of.Name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// drawn is what was recorded of a person's hold-outs: of several draws the earliest counts, of two of one instant that of the smaller id.
func (s *stage) drawn(id schema.ProfileID) (out []segment.Drawn) {
	first := map[string]*Change{}
	for _, text := range s.changes {
		c := &Change{}
		if json.Unmarshal(text, c) != nil || c.Kind != Drawn {
			continue
		}
		if who, err := schema.ParsePersonaID(c.Profile); err != nil || s.of[who] != id {
			continue
		}
		if before := first[c.Segment]; before == nil || c.At < before.At || c.At == before.At && c.Profile < before.Profile {
			first[c.Segment] = c
		}
	}
	for name, c := range first {
		out = append(out, segment.Drawn{Name: name, Held: *c.Held})
	}
	return out
}

// has are the memberships that the topic decisions comes to. Each id counts once, and nobody enters or leaves twice.
func (s *stage) has(t *testing.T) (out []string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	in, seen := map[string]bool{}, map[string]bool{}
	for _, text := range s.changes {
		c := &Change{}
		if err := json.Unmarshal(text, c); err != nil {
			t.Fatal(err)
		}
		if seen[c.ID] {
			t.Errorf("the change %s was appended twice", c.ID)
			continue
		}
		seen[c.ID] = true
		if c.Kind == Drawn {
			continue
		}
		who := c.Profile + " " + c.Segment
		if in[who] == (c.Kind == Entered) {
			t.Errorf("%s: %s although it was so", who, c.Kind)
		}
		in[who] = c.Kind == Entered
	}
	for who, is := range in {
		if is {
			out = append(out, who)
		}
	}
	slices.Sort(out)
	return out
}

// running is a life of the role.
type running struct {
	*Segments
	store *state.Store
	stop  func()
}

// config is the role around a store.
func (s *stage) config(tables Rows, store *state.Store) Config {
	return Config{
		Workspace: "main", Feed: s, Log: s, Partitions: 1, Producer: s, People: s, Tables: tables, Store: store, Logger: slog.New(slog.DiscardHandler), Linger: time.Millisecond, BackOff: time.Millisecond,
		Profiles:  records{s, func(s *stage) *[][]byte { return &s.profiles }},
		Decisions: records{s, func(s *stage) *[][]byte { return &s.changes }},
		Known:     func(context.Context, []int64) error { return nil },
		Suppressed: func(p *graphql.Person) bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.known[p.ID].Suppressed
		},
		Suppressions: func() int { return 1 },
		Public:       func(p schema.PersonaEpoch) schema.ProfileID { return p.Persona },
		Segments: func() segment.Set {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.set
		},
		Now: func() time.Time {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.now.Time()
		},
	}
}

func (s *stage) start(t *testing.T, conn *clickhouse.Conn, dir string, epoch int64) *running {
	t.Helper()
	store, err := state.Open(dir, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	role := New(s.config(Tables{conn}, store))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- role.Run(ctx, epoch) }()
	return &running{role, store, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}}
}

// quiet returns when nothing is left to do.
func (r *running) quiet(t *testing.T, s *stage) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the role does not come to rest")
		}
		if r.rests(t, s) {
			return
		}
	}
}

// rests says whether nothing is left to do.
func (r *running) rests(t *testing.T, s *stage) bool {
	if !r.opened.Load() || r.changed0() {
		return false
	}
	s.mu.Lock()
	ends, feed, now := int64(len(s.log)), int64(len(s.profiles)), s.now
	s.mu.Unlock()
	r.working.Lock()
	defer r.working.Unlock()
	busy := r.next[0] < ends || r.feed < feed || r.Sweep != "-"
	look := func(from, to []byte) {
		if err := r.store.Scan(from, to, func(_, _ []byte) error { busy = true; return state.ErrStop }); err != nil {
			t.Error(err)
		}
	}
	look([]byte{'d'}, []byte{'d' + 1})
	look([]byte{'o'}, []byte{'o' + 1})
	look([]byte{'t'}, key('t', sortable(now+1)))
	return !busy
}

// changed0 is changed, for another goroutine.
func (r *running) changed0() bool {
	r.working.Lock()
	defer r.working.Unlock()
	return r.changed()
}

// TestStream lets events, copies of them, merges, splits, times, definitions, restarts, lost answers and lost states befall the role, and holds what it decided against what
// the set of events comes to. The seed is printed; DOSSIER_SEED repeats it.
func TestStream(t *testing.T) {
	conn := clickhousetest.Start(t)
	if err := conn.Migrate(t.Context(), schema.Migrations()); err != nil {
		t.Fatal(err)
	}
	seed, worlds := rand.Uint64(), 2
	if os.Getenv("DOSSIER_PROVE") != "" {
		worlds = 400
	}
	if text := os.Getenv("DOSSIER_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	decided := 0
	for world := range worlds {
		decided += stream(t, conn, rand.New(rand.NewPCG(seed, uint64(world))), fmt.Sprintf("%s/%d", t.TempDir(), world))
		if t.Failed() {
			t.Fatalf("world %d", world)
		}
	}
	if decided < 4*worlds {
		t.Errorf("%d changes in %d worlds: they say too little", decided, worlds)
	}
}

func stream(t *testing.T, conn *clickhouse.Conn, r *rand.Rand, dir string) (decided int) {
	for _, table := range []string{"people", "segment_changes"} {
		if err := conn.Exec(t.Context(), "TRUNCATE TABLE "+table, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	w := segmenttest.New(r, 8)
	s := &stage{w: w, now: w.Now, of: w.Of, known: map[schema.ProfileID]*segment.Person{}, set: segment.Set{}}
	var people []schema.ProfileID
	var pool []*schema.Event
	home := map[schema.ProfileID]schema.ProfileID{}
	for _, p := range w.People {
		s.known[p.ID] = p
		people = append(people, p.ID)
		for persona, of := range w.Of {
			if of == p.ID {
				home[persona] = of
				pool = append(pool, w.Events[persona]...)
			}
		}
	}
	slices.SortFunc(pool, func(a, b *schema.Event) int { return a.ID.Compare(b.ID) })
	define := func() {
		set := segment.Set{"base": w.Segment("base")}
		for n := range 1 + r.IntN(4) {
			name := fmt.Sprint("s", n)
			set[name] = w.Segment(name, "base")
		}
		s.mu.Lock()
		s.set = set
		s.mu.Unlock()
	}
	define()
	lives := 0
	role := s.start(t, conn, fmt.Sprintf("%s-%d", dir, lives), 0)
	defer func() { role.stop() }()
	for step := range 40 {
		if len(pool) == 0 {
			break
		}
		s.mu.Lock()
		what := r.IntN(12)
		switch what {
		case 0: // time passes
			s.now += schema.Instant(r.Int64N(2 * 86_400_000_000))
		case 1: // a copy
			if len(s.log) > 0 {
				s.log = append(s.log, s.log[r.IntN(len(s.log))])
			}
		case 2, 3: // a merge, or a split
			a, b := people[r.IntN(len(people))], people[r.IntN(len(people))]
			var all []schema.ProfileID
			if a != b && s.of[a] == a && s.of[b] == b {
				for persona, of := range s.of {
					if of == a {
						all = append(all, persona)
					}
				}
				s.move("merged", a, b, all)
			} else if s.of[a] != a {
				from := s.of[a]
				for persona := range s.of {
					if home[persona] == a {
						all = append(all, persona)
					}
				}
				s.move("split", from, a, all)
			}
		case 4:
			s.lose = r.IntN(3)
		case 5, 6, 7:
		default:
			n := r.IntN(len(pool))
			s.log = append(s.log, pool[n])
			if r.IntN(2) == 0 {
				pool = slices.Delete(pool, n, n+1)
			}
		}
		s.mu.Unlock()
		switch what {
		case 5:
			if r.IntN(3) == 0 {
				define()
			}
		case 6: // another life on the same state
			role.stop()
			role = s.start(t, conn, fmt.Sprintf("%s-%d", dir, lives), int64(step+1))
		case 7:
			if r.IntN(4) == 0 { // the state is lost
				role.quiet(t, s)
				role.stop()
				before := len(s.changes)
				lives++
				role = s.start(t, conn, fmt.Sprintf("%s-%d", dir, lives), int64(step+1))
				role.quiet(t, s)
				if len(s.changes) != before {
					t.Errorf("step %d: a state that was built anew decided %d changes: %s", step, len(s.changes)-before, s.changes[before:])
				}
			}
		}
		if r.IntN(3) > 0 {
			continue // several at once
		}
		role.quiet(t, s)
		if got, want := s.has(t), s.want(); !slices.Equal(got, want) {
			s.explain(t, got, want)
			t.Errorf("step %d at %s: decided\n%s\nwant\n%s", step, s.now, got, want)
			return 0
		}
	}
	role.quiet(t, s)
	if got, want := s.has(t), s.want(); !slices.Equal(got, want) {
		s.explain(t, got, want)
		t.Errorf("in the end decided\n%s\nwant\n%s", got, want)
	}
	var recorded uint64
	if err := conn.QueryRow(t.Context(), "SELECT count() FROM current_segment_changes", nil, nil, &recorded); err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, text := range s.changes {
		if !bytes.Contains(text, []byte(Drawn)) {
			told++
		}
	}
	if int(recorded) != told {
		t.Errorf("the history has %d changes, the topic %d", recorded, told)
	}
	return len(s.changes)
}

// explain shows the definitions of what differs.
func (s *stage) explain(t *testing.T, got, want []string) {
	t.Helper()
	for _, of := range s.set.Live() {
		t.Logf("%s: %s", of.Name, of.Source)
	}
	for _, text := range s.changes[max(0, len(s.changes)-10):] {
		t.Logf("%s", text)
	}
}

// TestErase: of who is erased no row, old or new, is left in any part, no fact and no part of the history; others stay, and the erased one has left.
func TestErase(t *testing.T) {
	conn := clickhousetest.Start(t)
	if err := conn.Migrate(t.Context(), schema.Migrations()); err != nil {
		t.Fatal(err)
	}
	w := segmenttest.New(rand.New(rand.NewPCG(1, 1)), 2)
	s := &stage{w: w, now: w.Now, of: map[schema.ProfileID]schema.ProfileID{}, known: map[schema.ProfileID]*segment.Person{}}
	define, err := segment.Parse("bought", []byte(`{"where":{"event":{"type":"order.placed"}}}`), time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	s.set = segment.Set{"bought": define}
	for n, p := range w.People {
		p.Traits = []segment.Known{{Name: "city", Text: fmt.Sprint("town", n), Had: []segment.Said{{Source: "crm", Text: fmt.Sprint("town", n)}}}}
		s.known[p.ID], s.of[p.ID] = p, p.ID
		e := &schema.Event{}
		e.ID, e.Workspace, e.Persona, e.OccurredAt, e.Type, e.Entity = schema.EventID{9, byte(n)}, "main", p.ID, w.Now-1, schema.TypeOrderPlaced, fmt.Sprint("secret", n)
		s.log = append(s.log, e)
	}
	role := s.start(t, conn, t.TempDir(), 0)
	defer role.stop()
	role.quiet(t, s)
	gone, stays := w.People[0].ID, w.People[1].ID
	if got := s.has(t); len(got) != 2 {
		t.Fatalf("at first %s are in", got)
	}
	s.mu.Lock()
	delete(s.of, gone)
	delete(s.known, gone)
	s.mu.Unlock()
	for range 2 { // a repetition changes nothing
		if err := role.Erase(t.Context(), schema.PersonaEpoch{Persona: gone}); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"people", "segment_changes"} {
			for id, want := range map[schema.ProfileID]bool{gone: false, stays: true} {
				var rows uint64
				if err := conn.QueryRow(t.Context(), "SELECT count() FROM "+table+" WHERE profile = {id:UUID}", clickhouse.Params{"id": id}, nil, &rows); err != nil {
					t.Fatal(err)
				}
				if (rows > 0) != want {
					t.Errorf("%s has %d rows of %s", table, rows, id)
				}
			}
		}
		for id, want := range map[schema.ProfileID]int{gone: 0, stays: 1} {
			facts, err := role.facts(id, nil, s.now, nil)
			if err != nil || len(facts) != want {
				t.Errorf("%d facts of %s are left, want %d: %v", len(facts), id, want, err)
			}
		}
	}
	role.quiet(t, s)
	if got := s.has(t); len(got) != 1 || got[0] != stays.String()+" bought" {
		t.Errorf("in the end %s are in", got)
	}
}
