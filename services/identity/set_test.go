package identity

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// What is exported is a function of the set of events: any order, duplicates, one or several partitions, commits of any size, restarts and crashes between
// any two of them. And it is what the resolver in memory says of all the evidence at once.
func TestTheSetAloneDecides(t *testing.T) {
	first, last := seeds(t, 12, 400)
	for seed := first; seed <= last; seed++ {
		w := newWorld(seed, 30+int(seed%5)*25)
		rng := rand.New(rand.NewPCG(seed, 2))
		rules := nastyRules(rng)

		one := newLog("c", 1)
		one.addEvents(0, w.events...)
		quietRun := start(t, Config{Folder: "state", Store: state.Options{FS: vfs.NewMem()}, Log: one, Feed: one, Settings: Settings{Rules: rules}})
		want := quietRun.export()
		checkAgainstModel(t, seed, quietRun, w.events, rules)
		quietRun.stop()

		for round := range 3 {
			log := shuffled(rng, w.events, 1+rng.IntN(4))
			got := runBroken(t, rng, log, rules)
			if got != want {
				t.Fatalf("DOSSIER_SEED=%d: round %d exports\n%s\nwant\n%s", seed, round, got, want)
			}
		}
	}
}

// Of a persona that says more names than are kept, those that are dropped stand beside nothing any more, whether they came before what is
// kept or after. So whether the e-mail that two others share is theirs alone does not depend on the order.
func TestCrowdedIsASet(t *testing.T) {
	mail := schema.Identifier{Kind: "email", Value: "till@example.com", Assurance: schema.AssuranceVerified}
	first, last := seeds(t, 8, 200)
	for seed := first; seed <= last; seed++ {
		rng := rand.New(rand.NewPCG(seed, 5))
		rules := identity.DefaultRules()
		rules.GenericDegree = 14 + rng.IntN(6) // 16 names are kept, and some sound alike
		var events []schema.Event
		for n := range 20 + rng.IntN(20) {
			events = append(events, contact("shop", "crm_id", "till", mail, schema.Instant(n), trait("first_name", "Jeanne"), trait("last_name", "Sa"+string("bfglmnr"[n/7])+"a"+string("bfglmnr"[n%7])+"a")))
		}
		for n, account := range []string{"one", "two"} {
			events = append(events, contact("shop", "crm_id", account, mail, schema.Instant(100+n), trait("first_name", "Paul"), trait("last_name", "Durand")))
		}
		want := ""
		for round := range 3 {
			log := shuffled(rng, events, 1+rng.IntN(3))
			if round == 0 { // what is kept comes first
				log = newLog("c", 1)
				log.addEvents(0, events...)
			}
			got := runBroken(t, rng, log, rules)
			if round == 0 {
				want = got
			} else if got != want {
				t.Fatalf("DOSSIER_SEED=%d: round %d exports\n%s\nwant\n%s", seed, round, got, want)
			}
		}
	}
}

// runBroken folds the log in parts: stopped or killed and started again after each.
func runBroken(t *testing.T, rng *rand.Rand, log *fakeLog, rules *identity.Rules) string {
	t.Helper()
	return runBrokenUnder(t, rng, log, Settings{Rules: rules})
}

func runBrokenUnder(t *testing.T, rng *rand.Rand, log *fakeLog, settings Settings) string {
	t.Helper()
	fs := vfs.NewCrashableMem()
	for i := range log.parts {
		log.stop[int32(i)] = 0
	}
	log.most = 1 + rng.IntN(9)
	if rng.IntN(8) == 0 {
		log.down = 2
	}
	for {
		more := false
		for i := range log.parts {
			p := int32(i)
			log.stop[p] = min(len(log.parts[i]), log.stop[p]+rng.IntN(20))
			more = more || log.stop[p] < len(log.parts[i])
		}
		r := start(t, Config{Folder: "state", Store: state.Options{FS: fs}, Log: log, Feed: log, Settings: settings, CommitRecords: 1 + rng.IntN(30)})
		if !more {
			out := r.export()
			r.stop()
			return out
		}
		if rng.IntN(2) == 0 { // killed: what was not synced may be gone, a part of it may be there
			crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
			r.stop()
			fs = crashed
			continue
		}
		r.stop()
	}
}

// checkAgainstModel compares with identity.Memory, and checks that every persona is in exactly one profile.
func checkAgainstModel(t *testing.T, seed uint64, r *running, events []schema.Event, rules *identity.Rules) {
	t.Helper()
	model := identity.NewMemory(NewHasher(prf), rules)
	for i := range events {
		model.Add(&events[i], schema.Instant(i+1))
	}
	must(t, model.ResolveAll())
	r.view(func(v *View) {
		seen := map[schema.ProfileID]bool{}
		ids, err := v.Page(schema.ProfileID{}, 1<<20)
		must(t, err)
		for _, id := range ids {
			p, err := v.Profile(id)
			must(t, err)
			for _, m := range p.Members {
				if seen[m.ID] {
					t.Errorf("DOSSIER_SEED=%d: persona %s is in two profiles", seed, m.ID)
				}
				seen[m.ID] = true
				if want, _ := model.Profile(m.ID); want != p.ID {
					t.Errorf("DOSSIER_SEED=%d: persona %s is in profile %s, want %s", seed, m.ID, p.ID, want)
				}
			}
		}
		if len(seen) != len(model.Nodes()) {
			t.Errorf("DOSSIER_SEED=%d: %d personas, want %d", seed, len(seen), len(model.Nodes()))
		}
	})
}

func TestComplaint18_ErasureIsAsIfItHadNeverBeen(t *testing.T) {
	first, last := seeds(t, 15, 200)
	for seed := first; seed <= last; seed++ {
		w := newWorld(seed, 60)
		rng := rand.New(rand.NewPCG(seed, 3))
		rules := nastyRules(rng)
		var erasures []Erasure
		void := map[schema.PersonaID]bool{}
		for range 1 + rng.IntN(4) {
			e := &w.events[rng.IntN(len(w.events))]
			if e.Assertion == nil {
				erasures = append(erasures, Erasure{Of: schema.PersonaEpoch{Persona: e.Persona}, CutOff: 50 * day})
				void[e.Persona] = true
			}
		}
		var left []schema.Event
		for _, e := range w.events {
			if void[e.Persona] || e.Assertion != nil && (void[e.Assertion.A.Persona] || void[e.Assertion.B.Persona]) {
				continue
			}
			left = append(left, e)
		}
		// The erased contact comes back: a new, empty person.
		var later []schema.Event
		for _, e := range erasures {
			for _, old := range w.events {
				if old.Persona == e.Of.Persona && old.Assertion == nil {
					again := contact(old.Source, old.Account.Kind, old.Account.Value, old.Provenance.Trust, 60*day, schema.KeyID{Epoch: 1}, email("new@example.com"))
					later = append(later, again)
					break
				}
			}
		}
		clean := newLog("c", 1)
		clean.addEvents(0, left...)
		clean.addEvents(0, later...)
		want := start(t, Config{Folder: "state", Store: state.Options{FS: vfs.NewMem()}, Log: clean, Feed: clean, Settings: Settings{Rules: rules}})

		// Erased in the middle, at the start, at the end; then started again, with late copies of what is void.
		for when := range 3 {
			log, fs := newLog("c", 2), vfs.NewMem()
			c := Config{Folder: "state", Store: state.Options{FS: fs}, Log: log, Feed: log, Settings: Settings{Rules: rules}}
			half := len(w.events) / 2
			if when == 1 {
				c.Erasures = erasures
			}
			log.addEvents(0, w.events[:half]...)
			r := start(t, c)
			if when == 0 {
				for _, e := range erasures {
					must(t, r.Erase(t.Context(), e))
					must(t, r.Erase(t.Context(), e))
				}
			}
			at := log.addEvents(0, w.events[half:]...)
			must(t, r.WaitFor(t.Context(), at))
			if when == 2 {
				for _, e := range erasures {
					must(t, r.Erase(t.Context(), e))
				}
			}
			log.addEvents(1, later...)
			r.stop()
			log.addEvents(0, w.events...)
			r = start(t, c)
			if got, want := r.export(), want.export(); got != want {
				t.Fatalf("DOSSIER_SEED=%d: erased at %d, exports\n%s\nwant\n%s", seed, when, got, want)
			}
			r.view(func(v *View) {
				for id := range void {
					if p, err := v.Profile(id); err != nil || p != nil {
						t.Errorf("DOSSIER_SEED=%d: erased persona %s still answers (%v)", seed, id, err)
					}
				}
			})
			checkNothingLeft(t, seed, r, void)
			r.stop()
		}
		want.stop()
	}
}

// checkNothingLeft looks for erased personas in the keys and values of the store. The row that makes their events void names them, of course.
func checkNothingLeft(t *testing.T, seed uint64, r *running, void map[schema.PersonaID]bool) {
	t.Helper()
	r.view(func(v *View) {
		must(t, v.snapshot.Scan([]byte{'a'}, []byte{'z'}, func(key, value []byte) error {
			for id := range void {
				if key[0] != 'x' && key[0] != 'o' && (contains(key, id) || contains(value, id)) {
					if key[0] == 'p' && schema.PersonaID(key[1:]) != id { // the next epoch's state names its persona
						continue
					}
					t.Errorf("DOSSIER_SEED=%d: erased persona %s is still in a row of table %c", seed, id, key[0])
				}
			}
			return nil
		}))
	})
}

func contains(b []byte, id schema.PersonaID) bool {
	for i := 0; i+16 <= len(b); i++ {
		if schema.PersonaID(b[i:i+16]) == id {
			return true
		}
	}
	return false
}

// A lost folder, one of another log, and one that was cut off in the middle of a first build: the same answers.
func TestComplaint28_LostStateIsBuiltAnew(t *testing.T) {
	w := newWorld(7, 120)
	log := newLog("c", 2)
	log.addEvents(0, w.events[:60]...)
	log.addEvents(1, w.events[60:]...)
	c := Config{Folder: t.TempDir(), Log: log, Feed: log}
	r := start(t, c)
	want := r.export()
	r.stop()

	folders, err := filepath.Glob(filepath.Join(c.Folder, "*"))
	must(t, err)
	if len(folders) != 1 {
		t.Fatalf("state folders %v, want one", folders)
	}
	must(t, os.RemoveAll(folders[0]))
	r = start(t, c)
	if got := r.export(); got != want {
		t.Error("another export after the folder was lost")
	}
	r.stop()

	other := newLog("d", 2)
	other.addEvents(0, w.events[:60]...)
	other.addEvents(1, w.events[60:]...)
	c.Log, c.Feed = other, other
	r = start(t, c)
	if got := r.export(); got != want {
		t.Error("another export after the log was exchanged")
	}
	r.stop()

	strict := identity.DefaultRules()
	strict.GenericDegree = 5
	must(t, strict.Prepare())
	c.Settings.Rules = strict // changed while nothing ran: the former state goes when the new one answers
	r = start(t, c)
	r.await(func() bool {
		folders, err := filepath.Glob(filepath.Join(c.Folder, "*"))
		must(t, err)
		return len(folders) == 1
	})
	r.stop()

	other.parts[1] = other.parts[1][:20] // it lost its end
	r = start(t, c)
	if got := r.export(); got == want {
		t.Error("the state of a log that lost its end was kept")
	}
}
