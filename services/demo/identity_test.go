package demo

import (
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/schema/seal"
)

type hasher struct {
	*ids.Deriver
	*seal.PRF
}

func (h hasher) Public(of schema.PersonaEpoch) identity.NodeID {
	return identity.NodeID(h.Deriver.Public(of))
}

// TestWhoIsWho holds identity against the truth: who has an account is one person, hardly ever two.
func TestWhoIsWho(t *testing.T) {
	g := workspace()
	prf := seal.NewPRF(seal.Key{7})
	h := hasher{ids.New(prf), prf}
	graph := identity.NewMemory(h, identity.DefaultRules())
	// The accounts by which sources know customers; calls, letters and visits are judged apart.
	people, contacts := map[identity.NodeID]int{}, map[identity.NodeID]int{}
	var m channel.Mapped
	for _, e := range g.events {
		mapped(t, e, &m)
		v := &m.Event
		v.Persona = h.Persona("main", v.Source, v.Provenance.Trust, v.Account)
		graph.Add(v, 0)
		person, sole := g.summary.Truth.Person(v.Source, v.Provenance.Trust, v.Account)
		node := h.Public(schema.PersonaEpoch{Persona: v.Persona})
		switch v.Account.Kind {
		case "crm_id", "user_id", "card":
			if !sole {
				t.Fatalf("%s %s is an account of several people", v.Source, v.Account.Kind)
			}
			people[node] = person
		default:
			if sole {
				contacts[node] = person
			}
		}
	}
	if err := graph.Resolve(); err != nil {
		t.Fatal(err)
	}
	of := func(node identity.NodeID) identity.NodeID {
		id, ok := graph.Profile(node)
		if !ok {
			t.Fatal("a persona has no profile")
		}
		return id
	}
	precision, recall, largest := pairs(people, of)
	t.Logf("%d accounts: precision %.4f, recall %.4f, largest profile %d accounts", len(people), precision, recall, largest)
	if precision < wantPrecision || recall < wantRecall || recall > .999 {
		t.Errorf("want precision ≥ %.3f and recall ≥ %.3f, and something left to find", wantPrecision, wantRecall)
	}

	// Contacts that found their person's profile, of all contacts that are in some person's.
	owner := map[identity.NodeID]map[int]bool{}
	for node, person := range people {
		id := of(node)
		if owner[id] == nil {
			owner[id] = map[int]bool{}
		}
		owner[id][person] = true
	}
	right, attached := 0, 0
	for node, person := range contacts {
		if owners := owner[of(node)]; owners != nil {
			attached++
			right += count(owners[person])
		}
	}
	t.Logf("%d contacts, of which %d in a known profile, %d in the right one", len(contacts), attached, right)
	if share := float64(right) / float64(attached); share < wantRight || attached < len(contacts)/2 {
		t.Errorf("%.4f of the contacts are in the right profile, want ≥ %.3f, and at least half of them in one", share, wantRight)
	}
}

// pairs scores a partition by pairs of accounts.
func pairs(truth map[identity.NodeID]int, of func(identity.NodeID) identity.NodeID) (precision, recall float64, largest int) {
	type cell struct {
		profile identity.NodeID
		person  int
	}
	said, meant, both := map[identity.NodeID]int{}, map[int]int{}, map[cell]int{}
	for node, person := range truth {
		id := of(node)
		said[id]++
		meant[person]++
		both[cell{id, person}]++
		largest = max(largest, said[id])
	}
	two := func(n int) float64 { return float64(n) * float64(n-1) / 2 }
	var s, m, b float64
	for _, n := range said {
		s += two(n)
	}
	for _, n := range meant {
		m += two(n)
	}
	for _, n := range both {
		b += two(n)
	}
	return b / s, b / m, largest
}

// The least that identity must reach on the workspace.
const (
	wantPrecision = .98
	wantRecall    = .90
	wantRight     = .97
)
