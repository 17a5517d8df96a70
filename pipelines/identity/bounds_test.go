package identity_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
)

// countingGraph counts the personas that are read.
type countingGraph struct {
	identity.Graph
	read int
}

func (g *countingGraph) Persona(id identity.NodeID) (*identity.Persona, error) {
	g.read++
	return g.Graph.Persona(id)
}

func visitor(n int, cookies ...int) schema.Event {
	var e schema.Event
	e.Type, e.Source, e.Provenance.Trust = schema.TypePageViewed, "site", schema.TrustClient
	e.Account = schema.Account{Kind: "conversation_id", Value: strconv.Itoa(n)}
	e.Persona = personaOf(e.Source, e.Provenance.Trust, e.Account)
	for _, c := range cookies {
		e.Identifiers = append(e.Identifiers, schema.Identifier{Kind: "cookie", Value: "cookie " + strconv.Itoa(c), Assurance: 2})
	}
	return e
}

// TestGiantCostsItsLimit: beside a chain of 20,000 personas, a change costs the limit, not the chain.
func TestGiantCostsItsLimit(t *testing.T) {
	rules := identity.DefaultRules()
	rules.QuarantineSize = 100
	m := identity.NewMemory(plainHasher{}, rules)
	const chain = 20000
	for i := range chain {
		e := visitor(i, i, i+1)
		m.Add(&e, 0)
	}
	resolve(t, m)
	for _, end := range []int{0, chain / 2} {
		e := visitor(end, end, end+1)
		if hold, _ := m.Hold(e.Persona); hold != identity.Apart {
			t.Fatalf("persona %d of the chain is %s, want held apart", end, hold)
		}
	}
	// A free component of two joins the giant, and all of it is held.
	for i := range 2 {
		e := visitor(chain+10+i, chain+100)
		m.Add(&e, 0)
	}
	resolve(t, m)
	e := visitor(chain+10, chain+100, 500)
	m.Add(&e, 0)
	g := &countingGraph{Graph: m}
	held := map[identity.NodeID]bool{}
	err := identity.Update(g, rules, []identity.NodeID{e.Persona}, func(_ *identity.Region, p *identity.Partition) error {
		for _, profile := range p.Profiles {
			for _, id := range profile.Members {
				held[id] = profile.Hold == identity.Apart
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	other := visitor(chain+11, chain+100)
	if !held[e.Persona] || !held[other.Persona] {
		t.Error("what joined the giant is not held")
	}
	if g.read > 10*rules.QuarantineSize {
		t.Errorf("read %d personas beside a giant, want at most 10 times the limit of %d", g.read, rules.QuarantineSize)
	}
}

// TestCrowdedHubStops: a default device id with 5,000 carriers, nameless all, is never listed.
func TestCrowdedHubStops(t *testing.T) {
	rules := identity.DefaultRules()
	m := identity.NewMemory(plainHasher{}, rules)
	for i := range 5000 {
		e := visitor(i, 1)
		m.Add(&e, 0)
		if i%700 == 0 {
			resolve(t, m)
		}
	}
	resolve(t, m)
	e := visitor(0, 1)
	g := &countingGraph{Graph: m}
	r, err := identity.Expand(g, rules, []identity.NodeID{e.Persona})
	if err != nil {
		t.Fatal(err)
	}
	if r.Nodes() != 1 || g.read > 2 {
		t.Errorf("the region has %d personas and read %d, want 1 and at most 2", r.Nodes(), g.read)
	}
	if p, _ := m.Profile(e.Persona); p != e.Persona {
		t.Error("carriers of a crowded value are still one profile")
	}
}

// TestComplaint24_UnrelatedDataChangesNothing: people who share nothing with others resolve the same beside them.
func TestComplaint24_UnrelatedDataChangesNothing(t *testing.T) {
	first, last := seeds(t, 100, 3000)
	for seed := first; seed <= last; seed++ {
		w := newWorld(seed, 30)
		rules := nastyRules(w.rng)
		alone := identity.NewMemory(plainHasher{}, rules)
		both := identity.NewMemory(plainHasher{}, rules)
		for i := range w.events {
			alone.Add(&w.events[i], 0)
			both.Add(&w.events[i], 0)
		}
		for i, e := range newWorld(seed+1_000_000, 30).events {
			if e.Assertion != nil {
				continue
			}
			e.ID[3] = byte(i)
			e.Source = "other " + e.Source
			e.Account.Value = "other" + e.Account.Value
			e.Persona = personaOf(e.Source, e.Provenance.Trust, e.Account)
			var ids []schema.Identifier
			for _, id := range e.Identifiers {
				if id.Kind == "phone" {
					id.Value = "+4420794609" + id.Value[len(id.Value)-1:] + "0"
				} else {
					id.Value = "other" + id.Value
				}
				if id.SupersededBy != "" {
					id.SupersededBy = "other" + id.SupersededBy
				}
				ids = append(ids, id)
			}
			e.Identifiers = ids
			for i := range e.Traits {
				if e.Traits[i].Name == "last_name" {
					e.Traits[i].Value = []byte(`"Unrelated"`)
				}
			}
			both.Add(&e, 0)
		}
		resolve(t, alone)
		resolve(t, both)
		want, got := picture(alone), picture(both)
		for _, line := range want {
			if !slices.Contains(got, line) {
				t.Fatalf("seed %d: %q is not so beside unrelated people", seed, line)
			}
		}
	}
}
