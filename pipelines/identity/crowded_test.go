package identity_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
)

// crowd makes the events of one persona that says more than is kept of anybody, beside an e-mail that two others share: which names or ids
// are kept is a function of the set, so what stands beside the e-mail must be one, too.
func crowd(rng *rand.Rand) []schema.Event {
	at := func(n int, kind, account string, add func(*schema.Event)) schema.Event {
		var e schema.Event
		e.Account = schema.Account{Kind: kind, Value: account}
		e.Type, e.Source = schema.TypeProfileIdentified, "shop"
		e.Provenance = schema.Provenance{Trust: schema.TrustServer, Country: "FR"}
		e.Persona, e.OccurredAt, e.ID[0], e.ID[1] = personaOf(e.Source, schema.TrustServer, e.Account), schema.Instant(n), byte(n), byte(n>>8)
		e.Identifiers = []schema.Identifier{{Kind: "email", Value: "till@example.com", Assurance: schema.AssuranceVerified}}
		add(&e)
		return e
	}
	name := func(e *schema.Event, given, family string) {
		e.Traits = []schema.Trait{{Name: "first_name", Value: []byte(`"` + given + `"`)}, {Name: "last_name", Value: []byte(`"` + family + `"`)}}
	}
	var out []schema.Event
	ids := rng.IntN(12) == 0 // they take long
	for n := range 1 + rng.IntN(40) {
		out = append(out, at(n, "crm_id", "till", func(e *schema.Event) {
			name(e, "Jeanne", string(rune('a'+n%26))+"artin"+string(rune('a'+n/26)))
		}))
	}
	if ids {
		for n := range identity.KeyLimit + rng.IntN(3) {
			out = append(out, at(100+n, "crm_id", "till", func(e *schema.Event) {
				e.Identifiers = append(e.Identifiers, schema.Identifier{Kind: "user_id", Value: fmt.Sprint("u", n), Assurance: schema.AssuranceVerified})
			}))
		}
	}
	for n, account := range []string{"one", "two"} {
		out = append(out, at(1000+n, "crm_id", account, func(e *schema.Event) { name(e, "Paul", "Durand") }))
	}
	return out
}

// TestCrowdedIsASet: of a persona that says more than is kept, what is dropped stands beside nothing any more, whether it came before what
// is kept or after.
func TestCrowdedIsASet(t *testing.T) {
	first, last := seeds(t, 40, 1000)
	together := 0
	for seed := first; seed <= last; seed++ {
		rng := rand.New(rand.NewPCG(seed, 3))
		events := crowd(rng)
		rules := identity.DefaultRules()
		rules.GenericDegree = 2 + rng.IntN(30)
		var want []string
		for round := range 3 {
			m := identity.NewMemory(plainHasher{}, rules)
			for _, at := range rng.Perm(len(events)) {
				m.Add(&events[at], 0)
				if rng.IntN(50) == 0 {
					resolve(t, m)
				}
			}
			resolve(t, m)
			got := picture(m)
			if round == 0 {
				want = got
				continue
			}
			if !slices.Equal(got, want) {
				t.Fatalf("DOSSIER_SEED=%d: round %d: got\n%q, want\n%q", seed, round, got, want)
			}
		}
		profiles := map[schema.ProfileID]bool{}
		m := identity.NewMemory(plainHasher{}, rules)
		for i := range events {
			m.Add(&events[i], 0)
		}
		resolve(t, m)
		for _, id := range m.Nodes() {
			p, _ := m.Profile(id)
			profiles[p] = true
		}
		if len(profiles) == 2 {
			together++
		}
	}
	if first != last && (together == 0 || together == int(last-first+1)) {
		t.Errorf("in %d of %d worlds the two were one: the others prove nothing", together, last-first+1)
	}
}
