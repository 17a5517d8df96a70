package identity_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
)

// served is what a partition says of server personas: who is with whom under which id, who is held, and which of them may match.
func served(t *testing.T, m *identity.Memory, rules *identity.Rules) []string {
	t.Helper()
	region, err := identity.Expand(m, rules, m.Nodes())
	if err != nil {
		t.Fatal(err)
	}
	partition := region.Resolve()
	var out []string
	is := map[identity.NodeID]bool{}
	for _, p := range partition.Profiles {
		if !p.Served {
			continue
		}
		is[p.ID] = true
		var members []identity.NodeID
		for _, id := range p.Members {
			if have, _ := m.Profile(id); have != p.ID {
				t.Fatalf("%s is in %s when all is resolved at once, in %s by regions", id, p.ID, have)
			}
			if node, _ := m.Persona(id); node.Trust == schema.TrustServer {
				members = append(members, id)
			}
		}
		out = append(out, fmt.Sprintf("%s %s: %s", p.ID, p.Quarantined(), members))
	}
	for _, match := range partition.Possible {
		if is[match.A] && is[match.B] {
			out = append(out, fmt.Sprint(match))
		}
	}
	return out
}

// TestClientKeysDecideNothingAboutServers: in every world, what becomes of server personas does not change when client personas lose all that they
// carry. People's decisions may name them.
func TestClientKeysDecideNothingAboutServers(t *testing.T) {
	first, last := seeds(t, 300, 10000)
	for seed := first; seed <= last; seed++ {
		w := newWorld(seed, 20+int(seed%40))
		rules := nastyRules(w.rng)
		full, bare := identity.NewMemory(plainHasher{}, rules), identity.NewMemory(plainHasher{}, rules)
		for i, at := range w.rng.Perm(len(w.events)) {
			e := w.events[at]
			full.Add(&e, 0)
			if e.Provenance.Trust == schema.TrustClient {
				e.Account, e.Identifiers, e.Traits = schema.Account{Kind: "conversation_id", Value: strconv.Itoa(i)}, nil, nil
			}
			bare.Add(&e, 0)
			if w.rng.IntN(6) == 0 {
				resolve(t, full)
				resolve(t, bare)
			}
		}
		resolve(t, full)
		resolve(t, bare)
		if got, want := served(t, full, rules), served(t, bare, rules); !slices.Equal(got, want) {
			t.Fatalf("DOSSIER_SEED=%d: with what client keys say\n%v\nwithout\n%v", seed, got, want)
		}
	}
}

// victims are server events of one person in three sources, of her nameless order, and of another one who shares her mailbox.
func victims() []schema.Event {
	of := func(source, kind, account, given string, ids ...string) schema.Event {
		var e schema.Event
		e.Type, e.Source = schema.TypeProfileIdentified, source
		e.Provenance = schema.Provenance{Trust: schema.TrustServer, Country: "FR"}
		e.Account = schema.Account{Kind: kind, Value: account}
		e.Persona = personaOf(source, schema.TrustServer, e.Account)
		e.OccurredAt = 1000
		for i := 0; i < len(ids); i += 2 {
			e.Identifiers = append(e.Identifiers, schema.Identifier{Kind: ids[i], Value: ids[i+1], Assurance: schema.AssuranceVerified})
		}
		if given != "" {
			e.Traits = []schema.Trait{{Name: "first_name", Value: []byte(strconv.Quote(given))}, {Name: "last_name", Value: []byte(`"Martin"`)}}
		}
		return e
	}
	return []schema.Event{
		of("shop", "user_id", "u1", "Jeanne", "email", "jeanne@example.com", "phone", "+33612345678"),
		of("crm", "crm_id", "r1", "Jeanne", "email", "jeanne@example.com"),
		of("store", "card", "c1", "Jeanne", "phone", "+33612345678"),
		of("desk", "conversation_id", "7", "", "email", "jeanne@example.com"),
		of("crm", "crm_id", "r2", "Paul", "email", "jeanne@example.com"),
	}
}

// invented is one persona of a public key that carries some of what is the victim's, and a name.
func invented(n int, kinds ...string) schema.Event {
	var e schema.Event
	e.Type, e.Source, e.OccurredAt = schema.TypeProfileIdentified, "site", schema.Instant(n%7)
	e.Provenance = schema.Provenance{Trust: schema.TrustClient, Country: "FR"}
	e.Account = schema.Account{Kind: "anonymous_id", Value: "visitor " + strconv.Itoa(n)}
	if n%3 == 0 {
		e.Account = schema.Account{Kind: "user_id", Value: "u1"}
		e.Source = "site " + strconv.Itoa(n)
	}
	e.Persona = personaOf(e.Source, schema.TrustClient, e.Account)
	values := map[string]string{"email": "jeanne@example.com", "phone": "06 12 34 56 78", "user_id": "u1", "card": "c1", "crm_id": "r2"}
	for _, kind := range kinds {
		e.Identifiers = append(e.Identifiers, schema.Identifier{Kind: kind, Value: values[kind], Assurance: schema.AssuranceVerified})
	}
	e.Traits = []schema.Trait{
		{Name: "first_name", Value: []byte(strconv.Quote("Name" + strconv.Itoa(n)))},
		{Name: "last_name", Value: []byte(`"Martin"`)},
	}
	return e
}

// TestFloodOfClientPersonas: whoever has a public key invents 2,000 personas with another's values, before, between and after what servers
// say: her profiles are what they are without, at every size, and what a change costs stays bounded.
func TestFloodOfClientPersonas(t *testing.T) {
	rules := identity.DefaultRules()
	quiet := identity.NewMemory(plainHasher{}, rules)
	for _, e := range victims() {
		quiet.Add(&e, 0)
	}
	resolve(t, quiet)
	want := served(t, quiet, rules)
	floods := map[string]func(n int) schema.Event{
		"all values": func(n int) schema.Event { return invented(n, "email", "phone", "user_id") },
		"one value each": func(n int) schema.Event {
			return invented(n, []string{"email", "phone", "user_id", "card", "crm_id"}[n%5])
		},
		"both sides of a mailbox": func(n int) schema.Event { return invented(n, "email", []string{"card", "crm_id"}[n%2]) },
	}
	for name, flood := range floods {
		for _, size := range []int{30, 480, 2000} {
			for round := range uint64(2) {
				rng := rand.New(rand.NewPCG(round, uint64(size)))
				events := victims()
				for n := range size {
					events = append(events, flood(n))
				}
				rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
				m := identity.NewMemory(plainHasher{}, rules)
				for i := range events {
					m.Add(&events[i], 0)
					if rng.IntN(size/5) == 0 {
						resolve(t, m)
					}
				}
				resolve(t, m)
				if got := served(t, m, rules); !slices.Equal(got, want) {
					t.Fatalf("%s, %d, order %d: among invented personas\n%v\nwithout them\n%v", name, size, round, got, want)
				}
				for _, e := range victims() {
					g := &countingGraph{Graph: m}
					if err := identity.Update(g, rules, []identity.NodeID{e.Persona}, func(*identity.Region, *identity.Partition) error { return nil }); err != nil {
						t.Fatal(err)
					}
					if limit := rules.QuarantineSize + 3*rules.HubSize; g.read > limit {
						t.Errorf("%s, %d: a change of the victim reads %d personas, want at most %d", name, size, g.read, limit)
					}
				}
				e := flood(0)
				g := &countingGraph{Graph: m}
				if err := identity.Update(g, rules, []identity.NodeID{e.Persona}, func(*identity.Region, *identity.Partition) error { return nil }); err != nil {
					t.Fatal(err)
				}
				if limit := rules.QuarantineSize + 4*rules.HubSize; g.read > limit {
					t.Errorf("%s, %d: a change of an invented persona reads %d personas, want at most %d", name, size, g.read, limit)
				}
			}
		}
	}
}

// TestDecisionsNameClientPersonas: what a person decided about a client persona holds while it is flooded: linked to two, it makes them one.
func TestDecisionsNameClientPersonas(t *testing.T) {
	rules := identity.DefaultRules()
	for _, size := range []int{0, 30, 2000} {
		m := identity.NewMemory(plainHasher{}, rules)
		v := victims()
		for i := range v {
			m.Add(&v[i], 0)
		}
		hers := invented(-1, "email")
		m.Add(&hers, 0)
		for n := range size {
			e := invented(n, "email", "phone", "user_id")
			m.Add(&e, 0)
		}
		for i, to := range []int{0, 4} {
			var e schema.Event
			e.ID[0], e.Type, e.Provenance.Trust = byte(i+1), schema.TypeIdentityLinked, schema.TrustServer
			e.Assertion = &schema.Assertion{A: schema.PersonaEpoch{Persona: v[to].Persona}, B: schema.PersonaEpoch{Persona: hers.Persona}}
			m.Add(&e, 0)
		}
		resolve(t, m)
		jeanne, _ := m.Profile(v[0].Persona)
		for _, id := range []identity.NodeID{v[4].Persona, hers.Persona} {
			if got, _ := m.Profile(id); got != jeanne {
				t.Errorf("among %d invented personas %s is in %s, want %s: somebody linked it", size, id, got, jeanne)
			}
		}
	}
}
