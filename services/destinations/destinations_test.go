package destinations

import (
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
	"github.com/dossier-cdp/dossier/pipelines/destination"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
	"github.com/dossier-cdp/dossier/services/internal/state"
	"github.com/dossier-cdp/dossier/services/internal/webhook"
)

// stage is topics, identity and destinations in memory.
type stage struct {
	mu        sync.Mutex
	decisions [][]byte
	profiles  [][]byte
	people    map[schema.ProfileID]*graphql.Person
	all       []*destination.Destination
	lose      int           // of the next appends, so many fail after they were applied
	away      int           // so many asks of identity fail
	skip      time.Duration // of the clock

	got    map[string][]sent // by destination, what it took
	broken map[string]error  // what a destination answers; a *webhook.Refused, or another error
	lost   map[string]int    // of the next messages, so many are taken and the answer is lost
}

type sent struct{ id, kind, profile string }

func newStage(names ...string) *stage {
	s := &stage{people: map[schema.ProfileID]*graphql.Person{}, got: map[string][]sent{}, broken: map[string]error{}, lost: map[string]int{}}
	for _, name := range names {
		s.all = append(s.all, &destination.Destination{Name: name, Kind: "memory", Feeds: []string{destination.Segments, destination.Alerts, destination.Profiles}, Purpose: "news", Channel: "email", Rate: destination.MaxRate})
	}
	return s
}

func (s *stage) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.skip)
}

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
	now := r.s.now()
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	b := eventlog.Batch{From: offset, Next: offset}
	for _, v := range (*r.of(r.s))[offset:] {
		b.Records = append(b.Records, eventlog.Record{Value: v, RecordedAt: schema.InstantOf(now)})
		b.Next++
	}
	return b, nil
}

func (s *stage) Produce(_ context.Context, _ string, _ int32, messages []kafka.Message, _ time.Time) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range messages {
		s.decisions = append(s.decisions, slices.Clone(m.Value))
	}
	if s.lose > 0 {
		s.lose--
		return 0, schema.Classify(schema.Transient, errors.New("the answer was lost"))
	}
	return 0, nil
}

func (s *stage) ask(_ context.Context, _ string, ids []schema.ProfileID) ([]*graphql.Person, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away > 0 {
		s.away--
		return nil, schema.Classify(schema.Transient, errors.New("identity is away"))
	}
	out := make([]*graphql.Person, len(ids))
	for i, id := range ids {
		out[i] = s.people[id]
	}
	return out, nil
}

// Send is a destination.
func (s *stage) Send(_ context.Context, d *destination.Destination, messages []*destination.Message) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := make([]error, len(messages))
	about := map[string]bool{}
	for i, m := range messages {
		if about[m.Key()] {
			errs[i] = schema.Classify(schema.Fatal, errors.New("two messages about one person at once"))
		}
		about[m.Key()] = true
		if err := s.broken[d.Name]; err != nil {
			errs[i] = err
			continue
		}
		s.got[d.Name] = append(s.got[d.Name], sent{m.ID, m.Type, m.Profile})
		if s.lost[d.Name] > 0 {
			s.lost[d.Name]--
			errs[i] = schema.Classify(schema.Transient, errors.New("the answer was lost"))
		}
	}
	return errs
}

func (s *stage) AtOnce() int { return 16 }

func (s *stage) start(t *testing.T, dir string, pause func(failed int, err error) (time.Duration, bool)) (d *Destinations, stop func()) {
	t.Helper()
	store, err := state.Open(dir, state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d = New(Config{
		Workspace: "main", Producer: s, People: s.ask, Suppressed: func(p *graphql.Person) bool { return p.Quarantined }, Store: store, Sinks: map[string]Sink{"memory": s}, Pause: pause,
		Decisions: records{s, func(s *stage) *[][]byte { return &s.decisions }}, Profiles: records{s, func(s *stage) *[][]byte { return &s.profiles }},
		Destinations: func() []*destination.Destination {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.all
		},
		BackOff: time.Millisecond, Look: 2 * time.Millisecond, Now: s.now, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	return d, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
}

func profile(n int) schema.ProfileID { return schema.ProfileID{byte(n), 1, 6: 0x80, 8: 0x80} }

// decide records that somebody came into an audience, or left it.
func (s *stage) decide(name string, n int, entered bool, k int) string {
	kind := "audience.left"
	if entered {
		kind = "audience.entered"
	}
	id := fmt.Sprintf("%s-%d-%d", name, n, k)
	s.decisions = append(s.decisions, fmt.Appendf(nil, `{"id":%q,"kind":%q,"workspace":"main","segment":"vip","destination":%q,"profile":%q,"at":"2026-03-01T00:00:00Z"}`, id, kind, name, profile(n)))
	return id
}

func (s *stage) consents(n int, allowed bool) {
	s.people[profile(n)] = &graphql.Person{ID: profile(n), Consents: []graphql.Consent{{Kind: "email", Value: fmt.Sprint(n, "@example.com"), Purpose: "news", Channel: schema.ChannelEmail, Allowed: allowed}}}
}

func (s *stage) receipts(t *testing.T) (out []Receipt) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range s.decisions {
		var r Receipt
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatal(err)
		}
		if r.Kind == Sent || r.Kind == Withheld || r.Kind == Dead {
			out = append(out, r)
		}
	}
	return out
}

func quickly(failed int, err error) (time.Duration, bool) {
	return time.Millisecond, schema.ClassOf(err) != schema.Rejected && failed < 1_000
}

// quiet waits until nothing waits for the destinations named, and everything is read.
func (s *stage) quiet(t *testing.T, d *Destinations, names ...string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			lines, err := d.Lines()
			t.Fatalf("it does not come to rest: %+v %v", lines, err)
		}
		s.mu.Lock()
		decisions, profiles := int64(len(s.decisions)), int64(len(s.profiles))
		s.mu.Unlock()
		if at := d.at(); at.Decisions < decisions || at.Profiles < profiles {
			continue
		}
		busy := false
		for _, name := range names {
			n, _, err := d.Length(name, 10)
			if err != nil {
				t.Fatal(err)
			}
			busy = busy || n > 0
		}
		if !busy {
			return
		}
	}
}

// TestDestinations: whatever fails, is lost, restarted or rebuilt, each destination ends up knowing of each person what was decided last, in order, each
// message under one id; nobody without consent is told of; each message has a receipt. The seed is printed; DOSSIER_SEED repeats it.
func TestDestinations(t *testing.T) {
	seed, worlds := rand.Uint64(), 6
	if os.Getenv("DOSSIER_PROVE") != "" {
		worlds = 200
	}
	if text := os.Getenv("DOSSIER_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for world := range worlds {
		names := []string{"a", "b", "c"}
		s := newStage(names...)
		const people = 8
		for n := range people {
			s.consents(n, n != 3) // one never consents
		}
		base, lives := t.TempDir(), 0
		dir := func() string { return fmt.Sprint(base, "/", lives) }
		d, stop := s.start(t, dir(), quickly)
		in := map[string]bool{}
		kind := map[string]string{} // of each message
		for step := range 60 {
			s.mu.Lock()
			name, n := names[r.IntN(len(names))], r.IntN(people)
			who := fmt.Sprint(name, n)
			switch what := r.IntN(12); what {
			case 0:
				s.lose = r.IntN(3)
			case 1:
				s.away = r.IntN(4)
			case 2:
				s.lost[name] = r.IntN(3)
			case 3:
				s.broken[name] = schema.Classify(schema.Transient, errors.New("500"))
			case 4:
				clear(s.broken)
			case 5: // a kill, or a state that is lost
				s.mu.Unlock()
				stop()
				if r.IntN(2) == 0 {
					lives++
				}
				d, stop = s.start(t, dir(), quickly)
				s.mu.Lock()
			case 6: // another configuration: what is paused waits
				all := slices.Clone(s.all)
				at := slices.IndexFunc(all, func(d *destination.Destination) bool { return d.Name == name })
				one := *all[at]
				one.Paused = !one.Paused
				all[at] = &one
				s.all = all
			default:
				in[who] = !in[who]
				id := s.decide(name, n, in[who], step)
				kind[id] = map[bool]string{true: "audience.entered", false: "audience.left"}[in[who]]
			}
			s.mu.Unlock()
			if r.IntN(4) == 0 {
				time.Sleep(2 * time.Millisecond)
			}
		}
		s.mu.Lock()
		clear(s.broken)
		clear(s.lost)
		var all []*destination.Destination
		for _, d := range s.all {
			one := *d
			one.Paused = false
			all = append(all, &one)
		}
		s.all = all
		s.mu.Unlock()
		s.quiet(t, d, names...)
		stop()
		for _, name := range names {
			last, order := map[string]string{}, map[string][]string{}
			for _, m := range s.got[name] {
				if m.kind != kind[m.id] {
					t.Fatalf("world %d: %s came as %s, it is %s", world, m.id, m.kind, kind[m.id])
				}
				last[m.profile] = m.kind
				if list := order[m.profile]; len(list) == 0 || list[len(list)-1] != m.id {
					order[m.profile] = append(list, m.id)
				}
				if m.kind == "audience.entered" && m.profile == profile(3).String() {
					t.Errorf("world %d: %s was told of who has not consented", world, name)
				}
			}
			for n := range people {
				if n == 3 {
					continue
				}
				id := profile(n).String()
				if want := in[fmt.Sprint(name, n)]; (last[id] == "audience.entered") != want {
					t.Errorf("world %d: %s knows of %d: %q, want %v; it was told %q", world, name, n, last[id], want, order[id])
				}
			}
		}
		ended := map[string]string{}
		for _, r := range s.receipts(t) {
			if before := ended[r.ID]; before != "" && before != r.Kind+r.Reason && before[:len(Sent)] != Sent && r.Kind != Sent {
				t.Errorf("world %d: %s has ended as %s and as %s", world, r.ID, before, r.Kind+r.Reason)
			}
			ended[r.ID] = r.Kind + r.Reason
		}
		for id, of := range kind {
			if ended[id] == "" && of == "audience.left" {
				t.Errorf("world %d: %s has no receipt", world, id)
			}
		}
	}
}

// TestFailing: a destination that answers 500, 429, nothing or garbage for an hour is asked ever more seldom and gets everything in the end, others are not
// held up; what it never takes is a dead letter, which a person can have sent again.
func TestFailing(t *testing.T) {
	s := newStage("well", "ill")
	for n := range 5 {
		s.consents(n, true)
	}
	var pauses []time.Duration
	d, stop := s.start(t, t.TempDir(), func(failed int, err error) (time.Duration, bool) {
		pause, again := webhook.Pause(failed, err)
		s.mu.Lock()
		defer s.mu.Unlock()
		pauses = append(pauses, pause)
		return pause, again
	})
	defer func() { stop() }()
	for _, answer := range []error{
		schema.Classify(schema.Transient, &webhook.Refused{Status: 500}), schema.Classify(schema.Transient, &webhook.Refused{Status: 429, After: 10 * time.Minute}),
		schema.Classify(schema.Transient, errors.New("reach the destination: x509: certificate has expired or is not yet valid")),
	} {
		s.mu.Lock()
		s.broken["ill"] = answer
		before := len(s.got["well"])
		for n := range 5 {
			s.decide("well", n, true, 1000*len(s.decisions)+n)
			s.decide("ill", n, true, 1000*len(s.decisions)+n)
		}
		s.mu.Unlock()
		for range 12 { // an hour goes by
			time.Sleep(5 * time.Millisecond)
			s.mu.Lock()
			s.skip += 5 * time.Minute
			s.mu.Unlock()
		}
		s.quiet(t, d, "well")
		lines, err := d.Lines()
		if err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		if len(s.got["well"])-before != 5 {
			t.Errorf("%v: the other destination was told %d times", answer, len(s.got["well"])-before)
		}
		if lines[1].Waiting == 0 || lines[1].Trying == 0 || lines[1].Reason == "" {
			t.Errorf("%v: nothing shows that it fails: %+v", answer, lines[1])
		}
		s.broken["ill"] = nil
		s.mu.Unlock()
		for range 50 {
			time.Sleep(2 * time.Millisecond)
			s.mu.Lock()
			s.skip += time.Hour
			s.mu.Unlock()
		}
		s.quiet(t, d, "ill")
		s.mu.Lock()
		ids := map[string]int{}
		for _, m := range s.got["ill"] {
			ids[m.id]++
		}
		if len(ids) != len(s.got["ill"]) || len(s.got["ill"])%5 != 0 {
			t.Errorf("%v: it was told %v", answer, s.got["ill"])
		}
		s.mu.Unlock()
	}
	s.mu.Lock()
	if !slices.ContainsFunc(pauses, func(d time.Duration) bool { return d >= 10*time.Minute }) {
		t.Errorf("what a destination asks to wait is not waited: %s", pauses)
	}
	s.broken["ill"] = schema.Classify(schema.Rejected, &webhook.Refused{Status: 410})
	id := s.decide("ill", 0, false, 1)
	s.mu.Unlock()
	s.quiet(t, d, "ill")
	letters, err := d.Letters("ill", 10)
	if err != nil || len(letters) != 1 || letters[0].ID != id || letters[0].Reason == "" || letters[0].Attempts != 1 {
		t.Fatalf("dead letters %+v %v", letters, err)
	}
	s.mu.Lock()
	s.broken["ill"] = nil
	s.mu.Unlock()
	if n, err := d.Retry(t.Context(), "ill"); n != 1 || err != nil {
		t.Fatalf("%d retried: %v", n, err)
	}
	s.quiet(t, d, "ill")
	if last := s.got["ill"][len(s.got["ill"])-1]; last.id != id {
		t.Errorf("after the retry it knows %+v", last)
	}
}

// TestWithheld: nothing leaves of who is suppressed, unknown, has not consented, or was told of too often; who leaves before it was sent is not told of at all.
func TestWithheld(t *testing.T) {
	s := newStage("d")
	s.all[0].Cap = &destination.Cap{AtMost: 1, Within: "7d"}
	section := map[string]json.RawMessage{"d": json.RawMessage(`{"kind":"file","purpose":"news","channel":"email","cap":{"atMost":1,"within":"7d"}}`)}
	all, err := destination.Parse(section, nil)
	if err != nil {
		t.Fatal(err)
	}
	all[0].Kind, all[0].Paused = "memory", true
	s.all = all
	s.consents(0, true)
	s.consents(1, false)
	s.consents(2, true)
	s.people[profile(2)].Quarantined = true // which the stage takes for suppressed
	s.consents(4, true)
	for n := range 5 {
		s.decide("d", n, true, 1)
	}
	s.decide("d", 4, false, 2) // before it was sent
	d, stop := s.start(t, t.TempDir(), quickly)
	defer func() { stop() }()
	for d.at().Decisions < 6 {
		time.Sleep(time.Millisecond)
	}
	resumed := *all[0]
	resumed.Paused = false
	s.mu.Lock()
	s.all = []*destination.Destination{&resumed}
	s.mu.Unlock()
	s.quiet(t, d, "d")
	s.mu.Lock()
	s.decide("d", 0, false, 2)
	s.mu.Unlock()
	s.quiet(t, d, "d")
	s.mu.Lock()
	s.decide("d", 0, true, 3)
	s.mu.Unlock()
	s.quiet(t, d, "d")
	want := map[string]string{
		"d-0-1": Sent, "d-1-1": Withheld + destination.NoConsent, "d-2-1": Withheld + destination.Suppressed, "d-3-1": Withheld + destination.Nobody, "d-4-2": Sent,
		"d-0-2": Sent, "d-0-3": Withheld + destination.Capped,
	}
	got := map[string]string{}
	for _, r := range s.receipts(t) {
		got[r.ID] = r.Kind + r.Reason
	}
	for id, of := range want {
		if got[id] != of {
			t.Errorf("%s ended as %q, want %q", id, got[id], of)
		}
	}
	for _, m := range s.got["d"] {
		if m.kind == "audience.entered" && m.id != "d-0-1" {
			t.Errorf("it was told %+v", m)
		}
	}
}
