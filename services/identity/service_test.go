package identity

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/persona"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

func inMemory(log *fakeLog, events ...schema.Event) Config {
	log.addEvents(0, events...)
	return Config{Folder: "state", Store: state.Options{FS: vfs.NewMem()}, Log: log, Feed: log}
}

func epochZero(e schema.Event) schema.PersonaEpoch { return schema.PersonaEpoch{Persona: e.Persona} }

func TestLookups(t *testing.T) {
	crm := contact("crm", "crm_id", "C-1", day, email("Ann@Example.com"), trait("first_name", "Ann"), trait("last_name", "Martin"),
		schema.Identifier{Kind: "phone", Value: "06 12 34 56 78", Assurance: schema.AssuranceVerified})
	shop := contact("shop", "user_id", "u1", 2*day, email("ann@example.com"), trait("first_name", "Anne"), trait("last_name", "Martin"))
	other := contact("shop", "user_id", "u2", 3*day, email("bob@example.com"), trait("first_name", "Bob"))
	c := inMemory(newLog("c", 1), crm, shop, other)
	c.Settings.Countries = []string{"FR"}
	r := start(t, c)
	r.view(func(v *View) {
		for _, ask := range [][3]string{{"email", "ANN@example.com "}, {"crm_id", "C-1"}, {"user_id", "u1"}, {"phone", "+33612345678"}, {"phone", "0612345678"},
			{"phone", "06.12.34.56.78", "FR"}, {"profile", shop.Persona.String()}} {
			o, err := v.Owners(ask[0], ask[1], ask[2])
			if err != nil || len(o.Profiles) != 1 || o.Profiles[0] != crm.Persona || o.More || o.Generic {
				t.Errorf("owners of %v: %v, %v, want %s alone", ask, o, err, crm.Persona)
			}
		}
		for _, ask := range [][3]string{{"email", "nobody@example.com"}, {"phone", "0612345678", "GB"}, {"email", "null"}, {"user_id", "U1"}, {"profile", "01234567-89ab-8cde-8f01-23456789abcd"}} {
			if o, err := v.Owners(ask[0], ask[1], ask[2]); err != nil || len(o.Profiles) != 0 {
				t.Errorf("owners of %v: %v, %v, want none", ask, o, err)
			}
		}
		p, err := v.Profile(shop.Persona) // by a persona that is not the canonical one
		must(t, err)
		if p.ID != crm.Persona || len(p.Members) != 2 || !p.Known || p.First != day || p.Last != 2*day || p.Hold != identity.Free {
			t.Errorf("profile %+v", p)
		}
		var traits []string
		for _, g := range p.GoldenRecord() {
			traits = append(traits, g.Name+"="+g.Value)
		}
		if want := `[first_name="Anne" last_name="Martin"]`; fmt.Sprint(traits) != want {
			t.Errorf("golden record %v, want %s", traits, want)
		}
		why, err := v.Why(crm.Persona, shop.Persona)
		must(t, err)
		if !why.Same || len(why.Path) != 1 || why.Path[0].Key.Kind != "email" {
			t.Errorf("why: %+v", why)
		}
		if value, err := v.ValueOf(crm.Persona, why.Path[0].Key); err != nil || value != "Ann@Example.com" {
			t.Errorf("value of the key %q, %v", value, err)
		}
		if why, err := v.Why(crm.Persona, other.Persona); err != nil || why.Same || !why.Known {
			t.Errorf("why not: %+v, %v", why, err)
		}
		if how, err := v.How(shop.Persona); err != nil || len(how) != 1 {
			t.Errorf("how: %+v, %v", how, err)
		}
		personas, err := v.Personas("email", "ann@example.com", "", 10)
		if want := []schema.ProfileID{crm.Persona, shop.Persona}; err != nil || len(personas) != 2 || !slices.Contains(personas, want[0]) || !slices.Contains(personas, want[1]) {
			t.Errorf("personas %v, %v, want %v", personas, err, want)
		}
		first, err := v.Page(schema.ProfileID{}, 1)
		must(t, err)
		rest, err := v.Page(first[0], 10)
		must(t, err)
		if len(rest) != 1 || first[0].Compare(rest[0]) >= 0 {
			t.Errorf("pages %v, %v", first, rest)
		}
	})
}

// A call centre's default number: hundreds of people carry it. It joins nobody, and its owners are listed up to a bound.
func TestGenericValue(t *testing.T) {
	number := schema.Identifier{Kind: "phone", Value: "0800 123 123", Assurance: schema.AssuranceVerified}
	log := newLog("c", 1)
	r := start(t, inMemory(log))
	var at schema.Position
	for i := range 300 {
		at = log.addEvents(0, contact("calls", "user_id", fmt.Sprint("r", i), schema.Instant(i)*day, number, trait("first_name", []string{"Jean", "Marie", "Paul"}[i%3])))
		if i%37 == 0 {
			must(t, r.WaitFor(t.Context(), at))
		}
	}
	must(t, r.WaitFor(t.Context(), at))
	r.view(func(v *View) {
		o, err := v.Owners("phone", "0800123123", "FR")
		if err != nil || !o.Generic || !o.More || len(o.Profiles) != MaxOwners || o.Personas != 300 {
			t.Errorf("owners: generic %v, more %v, %d profiles, %d personas, %v", o.Generic, o.More, len(o.Profiles), o.Personas, err)
		}
		if profiles, personas, err := v.Count(); err != nil || profiles != 300 || personas != 300 {
			t.Errorf("%d profiles of %d personas, %v", profiles, personas, err)
		}
	})
}

// Complaints 2 and 15: ids once handed out resolve for ever; a link that is taken back leaves no trace.
func TestLinkAndReleaseEqualNeverLinked(t *testing.T) {
	a, b := contact("crm", "crm_id", "1", 2*day, trait("first_name", "Ann")), contact("shop", "user_id", "2", day, trait("first_name", "Bea"))
	r := start(t, inMemory(newLog("c", 1), a, b))
	never := r.export()
	link := decided(schema.TypeIdentityLinked, 3*day, epochZero(a), epochZero(b))
	log := r.config.Log.(*fakeLog)
	must(t, r.WaitFor(t.Context(), log.addEvents(0, link)))
	r.view(func(v *View) {
		p, err := v.Profile(a.Persona)
		if err != nil || len(p.Members) != 2 || p.ID != b.Persona {
			t.Errorf("linked: %+v, %v", p, err)
		}
	})
	must(t, r.WaitFor(t.Context(), log.addEvents(0, released(4*day, link.ID))))
	if got := r.export(); got != never {
		t.Errorf("link and release leave\n%s\nwant\n%s", got, never)
	}
	r.view(func(v *View) {
		for _, id := range []schema.ProfileID{a.Persona, b.Persona} {
			if p, err := v.Profile(id); err != nil || p == nil || p.ID != id {
				t.Errorf("profile %s: %v, %v", id, p, err)
			}
		}
	})
}

// After a split a refusal stays with every contact point that was in the profile; what is said afterwards is each person's own.
func TestRefusalsOutliveASplit(t *testing.T) {
	news := func(value string, s schema.ConsentState) schema.Consent {
		return schema.Consent{Kind: "email", Value: value, Channel: schema.ChannelEmail, Purpose: "news", State: s}
	}
	card := schema.Identifier{Kind: "card", Value: "K1", Assurance: schema.AssuranceVerified}
	a := contact("crm", "crm_id", "1", day, card, email("a@example.com"), trait("first_name", "Ann"), news("a@example.com", schema.ConsentGranted))
	b := contact("store", "crm_id", "2", day, card, email("b@example.com"), trait("first_name", "Ann"), news("b@example.com", schema.ConsentGranted))
	third := contact("mail", "crm_id", "3", day, email("a@example.com"), trait("first_name", "Zoe"))
	log := newLog("c", 1)
	r := start(t, inMemory(log, a, b, third))
	allowed := func(id schema.ProfileID) string {
		out := []string{}
		r.view(func(v *View) {
			p, err := v.Profile(id)
			must(t, err)
			for _, c := range p.Consents(50 * day) {
				out = append(out, fmt.Sprintf("%s %v %s", c.Normal, c.Allowed, c.Reason))
			}
		})
		return strings.Join(out, ", ")
	}
	check := func(when string, id schema.ProfileID, want string) {
		t.Helper()
		if got := allowed(id); got != want {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	check("together", a.Persona, "a@example.com true granted, b@example.com true granted")

	refusal := contact("crm", "crm_id", "1", 5*day, news("a@example.com", schema.ConsentWithdrawn))
	must(t, r.WaitFor(t.Context(), log.addEvents(0, refusal)))
	check("refused", b.Persona, "a@example.com false refused, b@example.com false profile_refused")
	check("another person with the same address", third.Persona, "a@example.com false inherited")

	split := decided(schema.TypeIdentitySeparated, 10*day, epochZero(a), epochZero(b))
	must(t, r.WaitFor(t.Context(), log.addEvents(0, split)))
	check("after the split, who refused", a.Persona, "a@example.com false refused")
	check("after the split, the other", b.Persona, "b@example.com false inherited")

	again := contact("crm", "crm_id", "1", 20*day, news("a@example.com", schema.ConsentGranted))
	must(t, r.WaitFor(t.Context(), log.addEvents(0, again)))
	check("granted again, who refused", a.Persona, "a@example.com true granted")
	check("granted again by the one, the other", b.Persona, "b@example.com false inherited")

	own := contact("store", "crm_id", "2", 21*day, news("b@example.com", schema.ConsentGranted))
	must(t, r.WaitFor(t.Context(), log.addEvents(0, own)))
	check("the other's refusal of its former self is inherited still", b.Persona, "b@example.com false inherited")

	must(t, r.WaitFor(t.Context(), log.addEvents(0, released(22*day, split.ID))))
	check("the split is taken back", b.Persona, "a@example.com true granted, b@example.com true granted")
}

func TestNotReadyBeforeTheEndOfTheLog(t *testing.T) {
	log := newLog("c", 2)
	c := inMemory(log, newWorld(1, 50).events...)
	log.stop[0] = 10
	log.addEvents(1, contact("shop", "user_id", "u1", day))
	c.Log = newLog("c", 2) // the end of the log is known, but it cannot be read yet
	c.Log.(*fakeLog).parts = log.parts
	r := launch(t, c)
	r.await(func() bool { _, _, share := r.Ready(); return share > 0 })
	if ready, reason, _ := r.Ready(); ready || !strings.Contains(reason, "reads the log") {
		t.Errorf("ready %v: %q", ready, reason)
	}
	if _, err := r.View(); !errors.Is(err, ErrNotReady) {
		t.Errorf("a lookup is answered with %v, want ErrNotReady", err)
	}
	log.mu.Lock()
	delete(log.stop, 0)
	close(log.grown)
	log.grown = make(chan struct{})
	log.mu.Unlock()
	r.await(func() bool { ready, _, _ := r.Ready(); return ready })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := r.WaitFor(ctx, schema.Position{Generation: 1, Offset: 1000}); schema.ClassOf(err) != schema.Transient {
		t.Errorf("waiting for what never comes gives %v", err)
	}
	if err := r.WaitFor(t.Context(), schema.Position{Generation: 1, Partition: 9, Offset: 1}); schema.ClassOf(err) != schema.Rejected {
		t.Errorf("waiting for a partition that is none gives %v", err)
	}
	r.stop()
	if ready, reason, _ := r.Ready(); ready || reason != "identity has stopped" {
		t.Errorf("after the stop: ready %v, %q", ready, reason)
	}
	if _, err := r.View(); !errors.Is(err, ErrNotReady) {
		t.Errorf("after the stop a lookup is answered with %v", err)
	}
}

// mapSink follows the changes as the timeline's map does: by version, some deliveries failing before or after they took effect.
type mapSink struct {
	mu      sync.Mutex
	rng     *rand.Rand
	last    uint64
	places  map[schema.ProfileID]Placed
	version map[schema.ProfileID]uint64
	kinds   map[ChangeKind]int
	rebuilt int
	t       *testing.T
}

func newMapSink(t *testing.T, seed uint64) *mapSink {
	return &mapSink{rng: rand.New(rand.NewPCG(seed, 9)), places: map[schema.ProfileID]Placed{}, version: map[schema.ProfileID]uint64{}, kinds: map[ChangeKind]int{}, t: t}
}

func (s *mapSink) Name() string { return "map" }

func (s *mapSink) put(version uint64, p Placed) {
	if version >= s.version[p.Node] {
		s.places[p.Node], s.version[p.Node] = p, version
	}
}

func (s *mapSink) Changed(_ context.Context, version uint64, changes []Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rng.IntN(20) == 0 {
		return errors.New("failed")
	}
	for _, c := range changes {
		s.kinds[c.Kind]++
		if c.From == c.To || len(c.Personas) == 0 || c.From.IsZero() != (c.Kind == Created) {
			s.t.Errorf("change %+v", c)
		}
		for _, m := range c.Personas {
			s.put(version, Placed{m, c.To})
		}
	}
	s.last = max(s.last, version)
	if s.rng.IntN(20) == 0 {
		return errors.New("failed, but it took effect")
	}
	return nil
}

func (s *mapSink) Rebuilt(_ context.Context, version uint64, places iter.Seq2[Placed, error]) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rebuilt++
	for p, err := range places {
		if err != nil {
			return err
		}
		s.put(version, p)
	}
	return nil
}

// whole says whether the sink has come to know what the service answers.
func (s *mapSink) whole(r *running) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	same := true
	r.view(func(v *View) {
		n := 0
		for p, err := range placements(v.snapshot, v.worker.projection.weigher != nil) {
			must(s.t, err)
			n++
			same = same && s.places[p.Node] == p
		}
		same = same && n == len(s.places)
	})
	return same
}

// However often deliveries fail and the process is stopped or killed, a sink comes to know who is who, also through a build from nothing and under other rules.
func TestSinksComeToKnowTheWhole(t *testing.T) {
	first, last := seeds(t, 3, 50)
	for seed := first; seed <= last; seed++ {
		w := newWorld(seed, 200)
		rng := rand.New(rand.NewPCG(seed, 4))
		log, sink, fs := newLog("c", 1), newMapSink(t, seed), vfs.NewCrashableMem()
		for part := range slices.Chunk(w.events, 40) {
			r := start(t, Config{Folder: "state", Store: state.Options{FS: fs}, Log: log, Feed: log, Sinks: []Sink{sink}, CommitRecords: 1, Settings: Settings{Rules: nastyRules(rand.New(rand.NewPCG(seed, 1)))}})
			at := log.addEvents(0, part...)
			must(t, r.WaitFor(t.Context(), at))
			if rng.IntN(2) == 0 {
				crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
				r.stop()
				fs = crashed
				continue
			}
			r.await(func() bool { return sink.whole(r) })
			r.stop()
		}
		fs = vfs.NewCrashableMem() // lost
		r := start(t, Config{Folder: "state", Store: state.Options{FS: fs}, Log: log, Feed: log, Sinks: []Sink{sink}})
		r.await(func() bool { return sink.whole(r) })
		if sink.kinds[Created] == 0 || sink.kinds[Merged]+sink.kinds[Split]+sink.kinds[Canonical] == 0 || sink.rebuilt < 2 {
			t.Errorf("DOSSIER_SEED=%d: changes %v, %d rebuilds: nothing was tested", seed, sink.kinds, sink.rebuilt)
		}
		r.stop()
	}
}

func TestComplaint20_EveryChangeIsTold(t *testing.T) {
	log := newLog("c", 1)
	topic := &fakeProducer{}
	c := inMemory(log)
	c.Sinks = []Sink{&ProfilesTopic{Workspace: workspace, Producer: topic, Now: time.Now}}
	r := start(t, c)
	tell := func(e schema.Event) string {
		t.Helper()
		before := topic.count()
		must(t, r.WaitFor(t.Context(), log.addEvents(0, e)))
		r.await(func() bool { return topic.count() > before })
		return topic.last()
	}
	r.await(func() bool { return topic.count() == 1 })
	if got, want := topic.last(), `{"kind":"rebuilt","workspace":"main","version":281474976710656}`; got != want {
		t.Errorf("at first %s, want %s", got, want)
	}
	a, b := contact("crm", "crm_id", "1", 2*day), contact("shop", "user_id", "2", day)
	one := contact("web", "anonymous_id", "x")
	for _, step := range []struct {
		e    schema.Event
		want string
	}{
		{a, `"kind":"created","workspace":"main","to":"` + a.Persona.String() + `","personas":["` + a.Persona.String() + `"]`},
		{b, `"kind":"created"`},
		{decided(schema.TypeIdentityLinked, 3*day, epochZero(a), epochZero(b)), `"kind":"merged","workspace":"main","from":"` + a.Persona.String() + `","to":"` + b.Persona.String() + `","personas":["` + a.Persona.String() + `"]`},
		{contact("crm", "crm_id", "1", 0*day), `"kind":"canonical","workspace":"main","from":"` + b.Persona.String() + `","to":"` + a.Persona.String() + `","personas":[`},
		{decided(schema.TypeIdentitySeparated, 4*day, epochZero(a), epochZero(b)), `"kind":"split","workspace":"main","from":"` + a.Persona.String() + `","to":"` + b.Persona.String() + `","personas":["` + b.Persona.String() + `"]`},
		{one, `"kind":"created"`},
	} {
		if got := tell(step.e); !strings.Contains(got, step.want) {
			t.Errorf("told %s, want %s", got, step.want)
		}
	}
}

type fakeProducer struct {
	mu   sync.Mutex
	told []string
}

func (p *fakeProducer) Produce(_ context.Context, topic string, partition int32, messages []kafka.Message, _ time.Time) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if topic != schema.TopicProfiles || partition != 0 {
		return 0, fmt.Errorf("written to %s/%d", topic, partition)
	}
	for _, m := range messages {
		p.told = append(p.told, string(m.Value))
	}
	return 0, nil
}

func (p *fakeProducer) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.told)
}

func (p *fakeProducer) last() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.told[len(p.told)-1]
}

// Other rules are built beside while the old state answers, also while events come and personas are erased; survivorship changes at once.
func TestReconfigure(t *testing.T) {
	w := newWorld(3, 150)
	log, sink := newLog("c", 1), newMapSink(t, 3)
	strict := identity.DefaultRules()
	strict.Kinds = slices.DeleteFunc(strict.Kinds, func(k identity.KindRule) bool { return k.Kind == "email" })
	strict.Kinds = append(strict.Kinds, identity.KindRule{Kind: "email", Strength: identity.None})
	must(t, strict.Prepare())
	folder := t.TempDir()
	r := start(t, Config{Folder: folder, Log: log, Feed: log, Sinks: []Sink{sink}, Settings: Settings{Hash: "h1"}})
	log.addEvents(0, w.events[:100]...)
	must(t, r.Reconfigure(t.Context(), Settings{Hash: "h2", Rules: strict, Survivorship: persona.Rules{Default: persona.Survivorship{Order: persona.Earliest}}}))
	erased := Erasure{Of: epochZero(w.events[0]), CutOff: 90 * day}
	must(t, r.Erase(t.Context(), erased))
	at := log.addEvents(0, w.events[100:]...)
	r.await(func() bool {
		v, err := r.View()
		must(t, err)
		defer v.Close()
		return v.Configuration() == "h2"
	})
	must(t, r.WaitFor(t.Context(), at))
	clean := newLog("c", 1)
	for _, e := range w.events {
		if e.Persona != erased.Of.Persona && (e.Assertion == nil || e.Assertion.B.Persona != erased.Of.Persona) {
			clean.addEvents(0, e)
		}
	}
	c := inMemory(clean)
	c.Settings = Settings{Rules: strict, Survivorship: persona.Rules{Default: persona.Survivorship{Order: persona.Earliest}}}
	want := start(t, c)
	if got, want := r.export(), want.export(); got != want {
		t.Errorf("after the exchange\n%s\nwant\n%s", got, want)
	}
	r.await(func() bool {
		sink.mu.Lock()
		delete(sink.places, erased.Of.Persona) // the timeline deletes it by the erasure itself
		sink.mu.Unlock()
		return sink.whole(r)
	})
	if folders, err := os.ReadDir(folder); err != nil || len(folders) != 1 {
		t.Errorf("folders %v, %v: want the new one alone", folders, err)
	}
}

// What cannot be read for ever stops the role with the reason; nothing is skipped.
func TestAFatalReadStopsTheRole(t *testing.T) {
	log := newLog("c", 1)
	s, err := Open(t.Context(), Config{Workspace: workspace, Folder: "state", Store: state.Options{FS: vfs.NewMem(), Logger: quiet}, Log: log, Feed: gone{log}, Hash: NewHasher(prf), Logger: quiet})
	must(t, err)
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "partition 0 from offset 0: gap") {
		t.Errorf("Run gave %v", err)
	}
	if ready, reason, _ := s.Ready(); ready || !strings.Contains(reason, "gap") {
		t.Errorf("ready %v, %q", ready, reason)
	}
	must(t, s.Close())
}

type gone struct{ Feed }

func (gone) Read(context.Context, int32, int64, time.Duration) (b eventlog.OpenedBatch, err error) {
	return b, schema.Classify(schema.Fatal, errors.New("gap"))
}
