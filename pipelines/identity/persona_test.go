package identity_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strconv"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
)

// evidenceOf reads events of one persona, with clocks, and more values of one kind than a persona keeps if crowded.
func evidenceOf(rng *rand.Rand, crowded bool) []identity.Persona {
	w := &world{rng: rng}
	var out []identity.Persona
	for i := range 6 {
		e := w.contact()
		e.ID = w.id(i)
		e.Account = schema.Account{Kind: "user_id", Value: "u0"}
		e.Source, e.Provenance.Trust = "shop", schema.TrustServer
		e.Persona = personaOf(e.Source, e.Provenance.Trust, e.Account)
		e.OccurredAt = schema.Instant(rng.IntN(1000))
		if crowded {
			for range 200 {
				e.Identifiers = append(e.Identifiers, schema.Identifier{Kind: "email", Value: "m" + strconv.Itoa(rng.IntN(2000)) + "@example.com", Assurance: 2})
			}
			e.Traits = append(e.Traits, schema.Trait{Name: "first_name", Value: []byte(`"X` + string(rune('a'+rng.IntN(26))) + `"`)})
		}
		p, _ := identity.FromEvent(&e, schema.Instant(rng.IntN(1000)), plainHasher{}, identity.DefaultRules())
		out = append(out, p)
	}
	return out
}

func stored(t *testing.T, p *identity.Persona) []byte {
	t.Helper()
	b, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestJoinLaws: any order, any grouping and any repetition of the same evidence is stored as the same bytes; and a change is
// reported if and only if there is one.
func TestJoinLaws(t *testing.T) {
	first, last := seeds(t, 400, 20000)
	for seed := first; seed <= last; seed++ {
		rng := rand.New(rand.NewPCG(seed, 2))
		parts := evidenceOf(rng, seed%8 == 0)
		var want identity.Persona
		for i := range parts {
			want.Join(&parts[i])
		}
		for range 3 {
			order := append(rng.Perm(len(parts)), rng.Perm(len(parts))[:rng.IntN(len(parts))]...)
			cut := rng.IntN(len(order))
			var left, right identity.Persona
			for i, at := range order {
				side := &left
				if i >= cut {
					side = &right
				}
				before := stored(t, side)
				covered := !side.IsZero() && side.Covers(&parts[at])
				change := side.Join(&parts[at])
				if same := bytes.Equal(before, stored(t, side)); same != (change == identity.Unchanged) {
					t.Fatalf("seed %d: reported %d, and the same bytes: %t", seed, change, same)
				}
				if covered && change == identity.Substance {
					t.Fatalf("seed %d: covered evidence changed the substance", seed)
				}
			}
			left.Join(&right)
			if !bytes.Equal(stored(t, &left), stored(t, &want)) {
				t.Fatalf("seed %d, order %v cut at %d:\ngot  %+v\nwant %+v", seed, order, cut, left, want)
			}
		}
	}
}

func TestCrowdedKindIsNoEvidence(t *testing.T) {
	var p identity.Persona
	for i := range identity.KeyLimit + 1 {
		var e schema.Event
		e.Source, e.Provenance.Trust = "kiosk", schema.TrustServer
		e.Account = schema.Account{Kind: "user_id", Value: "u"}
		e.Persona = personaOf(e.Source, e.Provenance.Trust, e.Account)
		e.Identifiers = []schema.Identifier{{Kind: "email", Value: fmt.Sprintf("m%d@example.com", i), Assurance: 3}}
		q, _ := identity.FromEvent(&e, 0, plainHasher{}, identity.DefaultRules())
		p.Join(&q)
	}
	linking := 0
	for i := range p.Keys {
		if identity.DefaultRules().Links(&p, &p.Keys[i]) {
			linking++
		}
	}
	if !p.IsCrowded("email") || linking != 1 || len(p.Keys) != identity.KeyLimit+1 {
		t.Errorf("crowded %v, %d keys, of which %d link; want email crowded, %d keys, the user id links", p.Crowded, len(p.Keys), linking, identity.KeyLimit+1)
	}
}

// FuzzPersona: whatever UnmarshalBinary accepts it can write and read again, as the same value.
func FuzzPersona(f *testing.F) {
	for _, p := range evidenceOf(rand.New(rand.NewPCG(1, 2)), false) {
		b, err := p.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p, q identity.Persona
		if p.UnmarshalBinary(raw) != nil {
			return
		}
		if err := q.UnmarshalBinary(stored(t, &p)); err != nil || !reflect.DeepEqual(p, q) {
			t.Fatalf("%+v is read again as %+v, %v", p, q, err)
		}
	})
}

func FuzzHubAndAssertion(f *testing.F) {
	h := identity.HubState{Servers: identity.SideState{Carriers: 3, Beside: []uint64{2, 4}}, Clients: identity.SideState{Carriers: 1, Beside: []uint64{7}}}
	b, err := h.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	a := identity.Assertion{Kind: identity.Linked, Actor: "x", Reason: "y", OccurredAt: -5}
	if b, err = a.MarshalBinary(); err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var h, h2 identity.HubState
		if h.UnmarshalBinary(raw) == nil {
			if b, err := h.MarshalBinary(); err != nil || h2.UnmarshalBinary(b) != nil || !reflect.DeepEqual(h, h2) {
				t.Fatalf("%+v is read again as %+v", h, h2)
			}
		}
		var a, a2 identity.Assertion
		if a.UnmarshalBinary(raw) == nil {
			if b, err := a.MarshalBinary(); err != nil || a2.UnmarshalBinary(b) != nil || a != a2 {
				t.Fatalf("%+v is read again as %+v", a, a2)
			}
		}
	})
}

// TestStoredForm: what is written today stays readable for ever. The bytes in testdata are never edited.
func TestStoredForm(t *testing.T) {
	var p identity.Persona
	for _, q := range evidenceOf(rand.New(rand.NewPCG(3, 2)), false) {
		p.Join(&q)
	}
	golden(t, "testdata/stored/persona-1", stored(t, &p))
}
