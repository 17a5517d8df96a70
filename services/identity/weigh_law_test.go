package identity

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/identity/identitytest"
	models "github.com/dossier-cdp/dossier/pipelines/identity/match"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

func shipped(t testing.TB, name string) *models.Model {
	m, err := models.Shipped(name)
	must(t, err)
	return m
}

// A slip in a mailbox made two people of one. Under a model they are one, who can say why; what a person decides beats the weights, both ways; and
// whoever is erased takes what rested on him along.
func TestWeighedAcrossASlip(t *testing.T) {
	home := schema.Trait{Name: "address", Value: []byte(`{"street":"14 rue des Acacias","postal_code":"69003","city":"Lyon"}`)}
	says := func(source, account, given, mail string, at schema.Instant) schema.Event {
		return contact(source, "crm_id", account, at, email(mail), trait("first_name", given), trait("last_name", "Kerguelen"), home)
	}
	web := says("shop", "1", "Mireille", "mireille.kerguelen@example.fr", 1*day)
	till := says("till", "2", "Mireile", "mireille.kergeulen@example.fr", 2*day)
	wife := says("shop", "3", "Théodore", "mireille.kerguelen@example.fr", 3*day)
	public := contact("site", "anonymous_id", "4", schema.TrustClient, 1*day, trait("first_name", "Mireille"), trait("last_name", "Kerguelen"), trait("birth_date", "1950-01-02"))
	log := newLog("c", 1)
	log.addEvents(0, web, till, wife, public)
	plain := start(t, Config{Folder: "state", Store: state.Options{FS: vfs.NewMem()}, Log: log, Feed: log})
	plain.view(func(v *View) {
		if n, _, _ := v.Count(); n != 4 || v.ModelVersion() != "" {
			t.Errorf("%d profiles without a model, want 4", n)
		}
		if w, err := v.Weigh(web.Persona, till.Persona); w != nil || err != nil {
			t.Errorf("weighed without a model: %v, %v", w, err)
		}
	})
	plain.stop()

	fs := vfs.NewMem()
	c := Config{Folder: "state", Store: state.Options{FS: fs}, Log: log, Feed: log, Settings: Settings{Model: shipped(t, "fr")}}
	r := start(t, c)
	of := func(e schema.Event) schema.ProfileID {
		return NewHasher(prf).Public(schema.PersonaEpoch{Persona: e.Persona})
	}
	profiles := func(want uint64) {
		t.Helper()
		r.view(func(v *View) {
			if n, _, err := v.Count(); n != want || err != nil {
				t.Errorf("%d profiles, want %d (%v)", n, want, err)
			}
		})
	}
	profiles(3)
	one := of(web)
	r.view(func(v *View) {
		p, err := v.Profile(of(till))
		must(t, err)
		if p.ID != one || len(p.Members) != 2 {
			t.Fatalf("profile %s with %d members, want %s with 2", p.ID, len(p.Members), one)
		}
		why, err := v.Why(of(web), of(till))
		must(t, err)
		if !why.Same || len(why.Path) != 1 || why.Path[0].Rule != identity.RuleWeigh {
			t.Errorf("why: %+v", why)
		}
		how, err := v.How(of(till))
		must(t, err)
		if !slices.ContainsFunc(how, func(s identity.Step) bool { return s.Rule == identity.RuleWeigh }) {
			t.Errorf("how: %v", how)
		}
		w, err := v.Weigh(of(web), of(till))
		must(t, err)
		if !w.Same || w.Reason != "" || w.Posterior < 5*models.Bit || len(w.Keys) == 0 || !slices.ContainsFunc(w.Fields, func(f models.FieldWeight) bool { return f.Field == "email" && f.Level == "typo" }) {
			t.Errorf("weighed: %+v", w)
		}
		w, err = v.Weigh(of(till), of(wife))
		must(t, err)
		if w.Same || w.Reason != string(models.ReasonGivenName) {
			t.Errorf("the spouse: %+v", w)
		}
		w, err = v.Weigh(of(till), of(public))
		must(t, err)
		if w.Same || w.Reason != ReasonUnweighed || len(w.Fields) > 0 {
			t.Errorf("a public key's word was weighed: %+v", w)
		}
		h, err := v.Household(of(till))
		must(t, err)
		if h == nil || len(h.Members) != 2 || !slices.ContainsFunc(h.Members, func(m Resident) bool {
			return m.Profile == of(wife) && slices.Equal(m.Shares, []string{"address", "email"})
		}) {
			t.Errorf("household %+v", h)
		}
		for _, e := range []schema.Event{web, till} {
			owners, err := v.Owners("email", e.Identifiers[0].Value, "")
			must(t, err)
			if !slices.Contains(owners.Profiles, one) {
				t.Errorf("the mailbox belongs to %v, want %s", owners.Profiles, one)
			}
		}
	})
	apart := decided(schema.TypeIdentitySeparated, 5*day, schema.PersonaEpoch{Persona: web.Persona}, schema.PersonaEpoch{Persona: till.Persona})
	must(t, r.WaitFor(t.Context(), log.addEvents(0, apart)))
	profiles(4)
	r.view(func(v *View) {
		w, err := v.Weigh(of(web), of(till))
		must(t, err)
		if w.Same || w.Reason != string(identity.ReasonSeparated) || w.Posterior < 5*models.Bit {
			t.Errorf("separated: %+v", w)
		}
		if list, err := v.PossibleMatches(of(web)); err != nil || slices.ContainsFunc(list, func(m PossibleMatch) bool { return m.A == of(till) || m.B == of(till) }) {
			t.Errorf("who was separated is proposed again: %v (%v)", list, err)
		}
	})
	must(t, r.WaitFor(t.Context(), log.addEvents(0, released(6*day, apart.ID))))
	profiles(3)
	// The till learns another name, so what joined them is gone; and that it was wrong.
	must(t, r.Erase(t.Context(), Erasure{Of: schema.PersonaEpoch{Persona: web.Persona}, CutOff: 10 * day}))
	profiles(3)
	r.view(func(v *View) {
		p, err := v.Profile(of(till))
		must(t, err)
		if p.ID != of(till) || len(p.Members) != 1 {
			t.Errorf("after the erasure: %s with %d members", p.ID, len(p.Members))
		}
		if p, err := v.Profile(of(web)); err != nil || p != nil {
			t.Errorf("who was erased is still there (%v)", err)
		}
	})
	before := r.export()
	r.stop()
	r = start(t, Config{Folder: "state", Store: state.Options{FS: fs}, Log: log, Feed: log, Settings: c.Settings})
	if got := r.export(); got != before {
		t.Errorf("after a restart\n%s\nwant\n%s", got, before)
	}
}

// Father and son of one name and one address are two people by their birth dates, and a household.
func TestFatherAndSonAreAHousehold(t *testing.T) {
	says := func(account, born string, at schema.Instant) schema.Event {
		return contact("shop", "crm_id", account, at, email("jean.kerguelen@example.fr"), trait("first_name", "Jean"), trait("last_name", "Kerguelen"), trait("birth_date", born),
			schema.Trait{Name: "address", Value: []byte(`{"street":"14 rue des Acacias","postal_code":"69003","city":"Lyon"}`)})
	}
	father, son := says("1", "1950-03-12", 1*day), says("2", "1981-11-02", 2*day)
	log := newLog("c", 1)
	log.addEvents(0, father, son)
	r := start(t, Config{Folder: "state", Store: state.Options{FS: vfs.NewMem()}, Log: log, Feed: log, Settings: Settings{Model: shipped(t, "fr")}})
	defer r.stop()
	r.view(func(v *View) {
		if n, _, err := v.Count(); n != 2 || err != nil {
			t.Errorf("%d profiles (%v), want 2", n, err)
		}
		h, err := v.Household(NewHasher(prf).Public(schema.PersonaEpoch{Persona: father.Persona}))
		must(t, err)
		if h == nil || len(h.Members) != 2 || !slices.Equal(h.Members[0].Shares, []string{"address", "email"}) {
			t.Errorf("household %+v", h)
		}
	})
}

// What is weighed too is, after an erasure, as if the erased had never been: in the middle, at the start, at the end, with late copies of what is void. No row
// names them.
func TestErasedIsNotWeighed(t *testing.T) {
	first, last := seeds(t, 5, 100)
	for seed := first; seed <= last; seed++ {
		w := newCrowd(seed, 70)
		rng := rand.New(rand.NewPCG(seed, 14))
		settings := Settings{Rules: nastyRules(rng), Model: smallModel(t, rng)}
		settings.Rules.QuarantineSize += 15
		var erasures []Erasure
		void := map[schema.PersonaID]bool{}
		for range 1 + rng.IntN(4) {
			if e := &w.events[rng.IntN(len(w.events))]; e.Assertion == nil {
				erasures = append(erasures, Erasure{Of: schema.PersonaEpoch{Persona: e.Persona}, CutOff: 50 * day})
				void[e.Persona] = true
			}
		}
		clean := newLog("c", 1)
		for _, e := range w.events {
			if !void[e.Persona] && (e.Assertion == nil || !void[e.Assertion.A.Persona] && !void[e.Assertion.B.Persona]) {
				clean.addEvents(0, e)
			}
		}
		fresh := start(t, Config{Folder: "state", Store: state.Options{FS: vfs.NewMem()}, Log: clean, Feed: clean, Settings: settings})
		want := fresh.export()
		fresh.stop()
		for when := range 3 {
			log := newLog("c", 1)
			c := Config{Folder: "state", Store: state.Options{FS: vfs.NewMem()}, Log: log, Feed: log, Settings: settings}
			if when == 1 {
				c.Erasures = erasures
			}
			half := len(w.events) / 2
			log.addEvents(0, w.events[:half]...)
			r := start(t, c)
			erase := func() {
				for _, e := range erasures {
					must(t, r.Erase(t.Context(), e))
				}
			}
			if when == 0 {
				erase()
			}
			must(t, r.WaitFor(t.Context(), log.addEvents(0, w.events[half:]...)))
			if when == 2 {
				erase()
			}
			r.stop()
			log.addEvents(0, w.events...)
			r = start(t, c)
			if got := r.export(); got != want {
				t.Fatalf("DOSSIER_SEED=%d: erased at %d, exports\n%s\nwant\n%s", seed, when, got, want)
			}
			checkNothingLeft(t, seed, r, void)
			r.stop()
		}
	}
}

// casesEngine is a projection without the goroutines of a service, to run the cases against.
type casesEngine struct {
	t *testing.T
	p *projection
}

func (c casesEngine) Add(e *schema.Event) {
	e.Workspace = workspace
	must(c.t, c.p.fold(e, 1))
}

func (c casesEngine) Resolve() error { return c.p.commit() }

func (c casesEngine) Profile(persona identity.NodeID) (identity.NodeID, bool) {
	at, err := c.p.graph.place(persona)
	must(c.t, err)
	id, err := c.p.holder(at.profile)
	must(c.t, err)
	return id, !id.IsZero()
}

func (c casesEngine) Possible() (pairs [][2]identity.NodeID, err error) {
	for after := []byte(nil); ; {
		list, next, err := c.p.weigher.index.Queue(after, 1)
		if err != nil {
			return nil, err
		}
		for _, m := range list {
			pairs = append(pairs, [2]identity.NodeID{m.A, m.B})
		}
		if after = next; next == nil {
			break
		}
	}
	// And what the exact strata propose.
	err = c.p.store.Scan([]byte{'f'}, []byte{'f' + 1}, func(key, value []byte) error {
		r, err := decodeProfile(value)
		if err != nil {
			return err
		}
		for _, m := range r.possible {
			pairs = append(pairs, [2]identity.NodeID{identity.NodeID(key[1:]), m.other})
		}
		return nil
	})
	return pairs, err
}

// The cases that must come out right hold in the service too: every order, every event twice, decided after each.
func TestCasesInTheService(t *testing.T) {
	model := shipped(t, "fr")
	rules := identity.DefaultRules()
	identitytest.Run(t, 2, func() identitytest.Engine {
		log := newLog("c", 1)
		c := Config{Workspace: workspace, Log: log, Feed: log, Hash: identitytest.Hasher{}, Store: state.Options{FS: vfs.NewMem(), Logger: quiet}}
		p, err := openProjection(t.Context(), "state", &c, rules, weighing{model, model.Records})
		must(t, err)
		p.built = true
		t.Cleanup(func() { must(t, p.close()) })
		return casesEngine{t, p}
	})
}

// Personas in a model's rows are personal data: nothing of them stands in an error.
func TestDamagedWeights(t *testing.T) {
	_, err := readSaid(&graph{lookup: nil, recent: func() *state.Recent {
		r := state.NewRecent(1 << 16)
		r.Put(saidKey(identity.NodeID{1}), []byte("\x01\x05Alice"))
		return r
	}()}, identity.NodeID{1})
	if err == nil || strings.Contains(err.Error(), "Alice") {
		t.Errorf("a damaged row gives %v", err)
	}
}
