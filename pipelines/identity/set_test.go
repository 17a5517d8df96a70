package identity_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
)

// seeds gives how many random worlds a property test tries: few in a quick run, many under DOSSIER_PROVE=1, one under
// DOSSIER_SEED=n.
func seeds(t *testing.T, quick, prove uint64) (first, last uint64) {
	if s := os.Getenv("DOSSIER_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n, n
	}
	if os.Getenv("DOSSIER_PROVE") == "1" {
		return 1, prove
	}
	return 1, quick
}

// world makes nasty events: few values shared by many, names that clash, values that turn generic, decisions that contradict each
// other and are withdrawn, aliases, replaced cards, client keys that claim what is not theirs.
type world struct {
	rng    *rand.Rand
	events []schema.Event
}

func (w *world) pick(values ...string) string { return values[w.rng.IntN(len(values))] }

func (w *world) contact() schema.Event {
	var e schema.Event
	e.Type = schema.TypeProfileIdentified
	e.Source = w.pick("shop", "crm", "store")
	e.Provenance = schema.Provenance{Trust: schema.TrustServer, Country: "FR"}
	if w.rng.IntN(3) == 0 {
		e.Provenance.Trust = schema.TrustClient
	}
	n := strconv.Itoa(w.rng.IntN(6))
	switch w.rng.IntN(5) {
	case 0:
		e.Account = schema.Account{Kind: "user_id", Value: "u" + n}
	case 1:
		e.Account = schema.Account{Kind: "card", Value: "c" + n}
	case 2:
		e.Account = schema.Account{Kind: "crm_id", Value: "r" + n}
	case 3:
		e.Account = schema.Account{Kind: "anonymous_id", Value: "a" + n}
	default:
		e.Account = schema.Account{Kind: "conversation_id", Value: strconv.Itoa(w.rng.IntN(12))}
	}
	e.Persona = personaOf(e.Source, e.Provenance.Trust, e.Account)
	for range w.rng.IntN(3) {
		n := strconv.Itoa(w.rng.IntN(5))
		id := schema.Identifier{Assurance: schema.Assurance(1 + w.rng.IntN(3))}
		switch w.rng.IntN(6) {
		case 0, 1:
			id.Kind, id.Value = "email", "mail"+n+"@example.com"
		case 2:
			id.Kind, id.Value = "phone", "+3361234567"+n
		case 3:
			id.Kind, id.Value = "anonymous_id", "a"+n
		case 4:
			id.Kind, id.Value = "card", "c"+n
			if w.rng.IntN(4) == 0 {
				id.SupersededBy = "c" + strconv.Itoa(w.rng.IntN(5))
			}
		default:
			id.Kind, id.Value = "user_id", "u"+n
		}
		e.Identifiers = append(e.Identifiers, id)
	}
	if w.rng.IntN(10) == 0 {
		e.Type = schema.TypeIdentityAliased
	}
	if w.rng.IntN(2) == 0 {
		e.Traits = append(e.Traits,
			schema.Trait{Name: "first_name", Value: []byte(`"` + w.pick("Jean", "Jeanne", "Jena", "Marie", "Paul", "Jean-Paul", "J.", "Xqzrt") + `"`)},
			schema.Trait{Name: "last_name", Value: []byte(`"` + w.pick("Martin", "Durand", "Martim") + `"`)})
	}
	if w.rng.IntN(4) == 0 {
		e.Traits = append(e.Traits, schema.Trait{Name: "birth_date", Value: []byte(`"` + w.pick("1980-02-03", "1980-03-02", "1955-11-30", "1980-01-01") + `"`)})
	}
	return e
}

func (w *world) decision() schema.Event {
	var e schema.Event
	e.Provenance.Trust = schema.TrustServer
	e.Type = schema.TypeIdentityLinked
	switch w.rng.IntN(3) {
	case 0:
		e.Type = schema.TypeIdentitySeparated
	case 1:
		e.Type = schema.TypeIdentityReleased
		e.Assertion = &schema.Assertion{Of: w.id(w.rng.IntN(len(w.events) + 4))}
		return e
	}
	e.Assertion = &schema.Assertion{}
	for _, side := range []*schema.PersonaEpoch{&e.Assertion.A, &e.Assertion.B} {
		*side = schema.PersonaEpoch{Persona: w.contact().Persona}
		if len(w.events) > 0 && w.rng.IntN(4) > 0 {
			of := w.events[w.rng.IntN(len(w.events))]
			*side = schema.PersonaEpoch{Persona: of.Persona, Epoch: of.Key.Epoch}
		}
	}
	return e
}

func (w *world) id(n int) (id schema.EventID) {
	id[0], id[1], id[15] = byte(n*37), byte(n>>8), byte(n)
	return id
}

func newWorld(seed uint64, size int) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 1))}
	for i := range size {
		e := w.contact()
		if w.rng.IntN(6) == 0 {
			e = w.decision()
		}
		e.ID = w.id(i)
		e.OccurredAt = schema.Instant(w.rng.IntN(40))
		if w.rng.IntN(12) == 0 {
			e.Key.Epoch = 1
		}
		w.events = append(w.events, e)
	}
	return w
}

// nastyRules turn everything on at sizes that small worlds reach.
func nastyRules(rng *rand.Rand) *identity.Rules {
	r := identity.DefaultRules()
	r.GenericDegree = 3 + rng.IntN(10)
	r.HubSize = 4 + rng.IntN(12)
	r.QuarantineSize = 3 + rng.IntN(25)
	for i := range r.Kinds {
		if k := &r.Kinds[i]; k.Unique {
			k.UnlessNamed = rng.IntN(2) == 0
			k.PerSource = rng.IntN(2) == 0
			k.WindowDays = rng.IntN(2)
		} else if k.Limit > 0 {
			k.Limit = 1 + rng.IntN(3)
		}
	}
	if err := r.Prepare(); err != nil {
		panic(err)
	}
	return r
}

// picture is everything that a partition says.
func picture(m *identity.Memory) []string {
	var out []string
	for _, id := range m.Nodes() {
		p, _ := m.Profile(id)
		hold, _ := m.Hold(id)
		out = append(out, fmt.Sprintf("%s in %s, %s", id, p, hold))
	}
	return out
}

func resolve(t *testing.T, m *identity.Memory) {
	t.Helper()
	if err := m.Resolve(); err != nil {
		t.Fatal(err)
	}
}

// TestIncrementalIsFull: however the events come, in whatever batches, with duplicates, with erasures at any point, resolving what
// was touched gives what resolving everything at the end gives.
func TestIncrementalIsFull(t *testing.T) {
	first, last := seeds(t, 500, 20000)
	for seed := first; seed <= last; seed++ {
		size := 5 + int(seed%60)
		w := newWorld(seed, size)
		rules := nastyRules(w.rng)
		var erased []identity.NodeID
		for range w.rng.IntN(3) {
			e := w.events[w.rng.IntN(size)]
			erased = append(erased, plainHasher{}.Public(schema.PersonaEpoch{Persona: e.Persona, Epoch: e.Key.Epoch}))
		}

		full := identity.NewMemory(plainHasher{}, rules)
		for i := range w.events {
			full.Add(&w.events[i], 0)
		}
		for _, id := range erased {
			full.Erase(id)
		}
		if err := full.ResolveAll(); err != nil {
			t.Fatal(err)
		}
		want := picture(full)

		for round := range 3 {
			m := identity.NewMemory(plainHasher{}, rules)
			order := w.rng.Perm(size)
			order = append(order, w.rng.Perm(size)[:w.rng.IntN(size)]...)
			w.rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			batch := 1 + w.rng.IntN(8)
			eraseAt := w.rng.IntN(len(order))
			for i, at := range order {
				if i == eraseAt {
					for _, id := range erased {
						m.Erase(id)
					}
				}
				m.Add(&w.events[at], 0)
				if w.rng.IntN(batch) == 0 {
					resolve(t, m)
				}
			}
			resolve(t, m)
			if got := picture(m); !slices.Equal(got, want) {
				for i := range max(len(got), len(want)) {
					if i >= len(got) || i >= len(want) || got[i] != want[i] {
						t.Errorf("seed %d round %d: node %d: got %q, want %q", seed, round, i, slices.Concat(got, []string{"nothing"})[min(i, len(got))], slices.Concat(want, []string{"nothing"})[min(i, len(want))])
						break
					}
				}
				t.Fatalf("DOSSIER_SEED=%d repeats it", seed)
			}
		}
	}
}
