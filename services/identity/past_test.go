package identity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/persona"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// recalls reads a log back as the timeline does: each event once, by its first copy.
func (l *fakeLog) recalls(void map[schema.PersonaID]bool) Recall {
	return func(_ context.Context, personas []schema.ProfileID, p Past, yield func(Recalled) error) error {
		asked := map[schema.ProfileID]bool{}
		for _, id := range personas {
			asked[id] = true
		}
		seen := map[schema.EventID]bool{}
		reader := identity.NewReader(NewHasher(prf), identity.DefaultRules())
		for _, part := range l.parts {
			for i := range part {
				e := part[i].event
				node := reader.Node(schema.PersonaEpoch{Persona: e.Persona, Epoch: e.Key.Epoch})
				if seen[e.ID] || !asked[node] || void[e.Persona] || e.Type.Decides() {
					continue
				}
				seen[e.ID] = true
				if p.KnownAt != 0 && part[i].at > p.KnownAt || p.AsOf != 0 && e.OccurredAt > p.AsOf {
					continue
				}
				e.Persona, e.Key.Epoch, e.Workspace = schema.PersonaID{}, 0, ""
				if err := yield(Recalled{node, &e, part[i].at}); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// until is the log as it was when it had recorded what came up to a time.
func (l *fakeLog) until(at schema.Instant) *fakeLog {
	out := newLog(l.cluster, len(l.parts))
	for p, part := range l.parts {
		for _, r := range part {
			if r.at <= at {
				out.parts[p] = append(out.parts[p], r)
			}
		}
	}
	return out
}

// TestKnownAtIsAsIfNoMoreHadBeenRead holds the past, both ways to look at it, to an installation that has read only what was recorded by then: each profile to the
// byte, and whom each value names.
func TestKnownAtIsAsIfNoMoreHadBeenRead(t *testing.T) {
	first, last := seeds(t, 4, 300)
	for seed := first; seed <= last; seed++ {
		rng := rand.New(rand.NewPCG(seed, 9))
		w := newWorld(seed, 40+rng.IntN(60))
		log := shuffled(rng, w.events, 1+rng.IntN(3))
		settings := Settings{Rules: nastyRules(rng)}
		if rng.IntN(3) == 0 {
			settings.Rules = identity.DefaultRules()
		}
		void := map[schema.PersonaID]bool{}
		var erasures []Erasure
		for range rng.IntN(3) {
			if e := &w.events[rng.IntN(len(w.events))]; e.Assertion == nil {
				void[e.Persona] = true
				erasures = append(erasures, Erasure{Of: schema.PersonaEpoch{Persona: e.Persona}, CutOff: 50 * day})
			}
		}
		config := func(l *fakeLog) Config {
			return Config{Folder: "state", Store: state.Options{FS: vfs.NewMem()}, Log: l, Feed: l, Settings: settings, Erasures: erasures}
		}
		now := start(t, config(log))
		for range 3 {
			at := schema.Instant(1 + rng.IntN(len(log.parts[0])+2))
			comparePast(t, fmt.Sprintf("DOSSIER_SEED=%d, known at %d", seed, at), now, start(t, config(log.until(at))), Past{KnownAt: at}, settings, log.recalls(void))
		}
		now.stop()
	}
}

func comparePast(t *testing.T, when string, now, then *running, past Past, settings Settings, recall Recall) {
	t.Helper()
	defer then.stop()
	whole, err := now.WholeView(t.Context(), past, settings, recall, 0)
	must(t, err)
	wantWhole := then.export()
	var got bytes.Buffer
	_, err = whole.ExportPersonas(&got, ExportOptions{})
	must(t, err)
	_, err = whole.ExportProfiles(&got, ExportOptions{At: 100 * day})
	must(t, err)
	if got.String() != wantWhole {
		t.Fatalf("%s: the whole past is\n%s\nwant\n%s", when, got.String(), wantWhole)
	}
	must(t, whole.Close())
	then.view(func(want *View) {
		var ids []schema.ProfileID
		must(t, want.profiles(schema.ProfileID{}, func(id schema.ProfileID) error { ids = append(ids, id); return nil }))
		for _, id := range ids {
			a, err := want.Profile(id)
			must(t, err)
			v, err := now.ViewOf(t.Context(), past, settings, recall, "persona", a.Members[len(a.Members)-1].ID.String(), "")
			must(t, err)
			b, err := v.Profile(id)
			must(t, err)
			o := ExportOptions{At: 100 * day}
			if b == nil || !bytes.Equal(a.appendJSON(nil, o), b.appendJSON(nil, o)) {
				t.Fatalf("%s: %+v, want\n%s", when, b, a.appendJSON(nil, o))
			}
			must(t, v.Close())
		}
		for _, x := range [][2]string{{"email", "mail0@example.com"}, {"email", "mail3@example.com"}, {"phone", "06 12 34 56 71"}, {"card", "c2"}, {"user_id", "u1"}, {"anonymous_id", "a2"}} {
			a, err := want.Owners(x[0], x[1], "FR")
			must(t, err)
			v, err := now.ViewOf(t.Context(), past, settings, recall, x[0], x[1], "FR")
			must(t, err)
			b, err := v.Owners(x[0], x[1], "FR")
			must(t, err)
			if fmt.Sprint(a.Profiles) != fmt.Sprint(b.Profiles) {
				t.Fatalf("%s: %s %s has the owners %v, want %v", when, x[0], x[1], b.Profiles, a.Profiles)
			}
			must(t, v.Close())
		}
	})
}

// TestAsOf holds the past of what had happened to a fold of that alone, under who is who as it is known.
func TestAsOf(t *testing.T) {
	first, last := seeds(t, 5, 200)
	for seed := first; seed <= last; seed++ {
		rng := rand.New(rand.NewPCG(seed, 10))
		w := newWorld(seed, 80)
		log := shuffled(rng, w.events, 2)
		r := start(t, Config{Folder: "state", Store: state.Options{FS: vfs.NewMem()}, Log: log, Feed: log})
		asOf := schema.Instant(rng.IntN(40)) * day
		reader := identity.NewReader(NewHasher(prf), identity.DefaultRules())
		want := map[schema.ProfileID]*persona.State{}
		for i := range w.events {
			e := &w.events[i]
			if e.Type.Decides() || e.OccurredAt > asOf {
				continue
			}
			id := reader.Node(schema.PersonaEpoch{Persona: e.Persona})
			if want[id] == nil {
				want[id] = persona.Begin(id, e)
			}
			want[id].Fold(e, reader)
		}
		told := 0
		r.view(func(is *View) {
			must(t, is.profiles(schema.ProfileID{}, func(id schema.ProfileID) error {
				v, err := r.ViewOf(t.Context(), Past{AsOf: asOf}, r.InForce(), log.recalls(nil), "persona", id.String(), "")
				must(t, err)
				p, err := v.Profile(id)
				must(t, err)
				today, err := is.Profile(id)
				must(t, err)
				for _, m := range today.Members {
					var got []byte
					if p != nil {
						for _, n := range p.Members {
							if n.ID == m.ID {
								got = n.State.AppendJSON(nil, nil)
								told++
							}
						}
					}
					var wanted []byte
					if s := want[m.ID]; s != nil {
						wanted = s.AppendJSON(nil, nil)
					}
					if !bytes.Equal(got, wanted) {
						t.Fatalf("DOSSIER_SEED=%d: persona %s as of %s is\n%s\nwant\n%s", seed, m.ID, asOf, got, wanted)
					}
				}
				return v.Close()
			}))
		})
		if told != len(want) {
			t.Errorf("DOSSIER_SEED=%d: %d personas are told of, want %d", seed, told, len(want))
		}
		r.stop()
	}
}

// TestPastUnderOtherRules: what was known then was decided by the rules of then.
func TestPastUnderOtherRules(t *testing.T) {
	log := newLog("c", 1)
	a := contact("shop", "user_id", "u1", email("a@example.com"), day)
	b := contact("crm", "crm_id", "r1", email("a@example.com"), day)
	log.addEvents(0, a, b)
	apart := identity.DefaultRules()
	for i := range apart.Kinds {
		if apart.Kinds[i].Kind == "email" {
			apart.Kinds[i].Strength = identity.None
		}
	}
	must(t, apart.Prepare())
	r := start(t, Config{Folder: "state", Store: state.Options{FS: vfs.NewMem()}, Log: log, Feed: log})
	members := func(settings Settings) int {
		v, err := r.ViewOf(t.Context(), Past{KnownAt: 10}, settings, log.recalls(nil), "persona", a.Persona.String(), "")
		must(t, err)
		p, err := v.Profile(a.Persona)
		must(t, err)
		must(t, v.Close())
		return len(p.Members)
	}
	if n := members(r.InForce()); n != 2 {
		t.Errorf("under the rules in force %d personas are one, want 2", n)
	}
	if n := members(Settings{Rules: apart}); n != 1 {
		t.Errorf("under the rules of then %d personas are one, want 1", n)
	}
	if _, err := r.WholeView(t.Context(), Past{KnownAt: 10}, Settings{Rules: apart}, log.recalls(nil), 1); schema.ClassOf(err) != schema.Rejected {
		t.Errorf("a log that is too long gives %v", err)
	}
}

// TestErasureEndsThePast: no file of a view of the past outlives a purge, and no view that was begun before it is given out.
func TestErasureEndsThePast(t *testing.T) {
	log, fs := newLog("c", 1), vfs.NewMem()
	a := contact("shop", "user_id", "u1", email("a@example.com"), day)
	log.addEvents(0, a)
	r := start(t, Config{Folder: "state", Store: state.Options{FS: fs}, Log: log, Feed: log})
	v, err := r.WholeView(t.Context(), Past{KnownAt: 10}, r.InForce(), log.recalls(nil), 0)
	must(t, err)
	ended := v.then.ctx
	must(t, r.Erase(t.Context(), Erasure{Of: schema.PersonaEpoch{Persona: a.Persona}, CutOff: 2 * day}))
	if !errors.Is(context.Cause(ended), ErrForgotten) {
		t.Errorf("the view goes on after an erasure (%v)", context.Cause(ended))
	}
	purged := make(chan error, 1)
	go func() { _, err := r.Purge(context.Background()); purged <- err }()
	select {
	case err := <-purged:
		t.Fatalf("the purge did not wait for the view (%v)", err)
	default:
	}
	must(t, v.Close())
	must(t, <-purged)
	names, err := fs.List("state")
	must(t, err)
	for _, name := range names {
		if !isState(name) {
			t.Errorf("%s is left", name)
		}
	}
	v, err = r.WholeView(t.Context(), Past{KnownAt: 10}, r.InForce(), log.recalls(nil), 0)
	must(t, err)
	if p, err := v.Profile(a.Persona); err != nil || p != nil {
		t.Errorf("the erased is in the past (%v)", err)
	}
	must(t, v.Close())
}
