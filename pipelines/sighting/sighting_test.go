package sighting_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/persona"
	"github.com/dossier-cdp/dossier/pipelines/sighting"
	"github.com/dossier-cdp/dossier/schema"
)

// plainHasher stands in for the key ring.
type plainHasher struct{}

func (plainHasher) IdentifierHash(kind, value string) (out [16]byte) {
	h := sha256.Sum256([]byte(kind + "\x00" + value))
	copy(out[:], h[:])
	return out
}

func (plainHasher) Public(of schema.PersonaEpoch) identity.NodeID { return of.Persona }

// event makes an event of the one persona that the test is about: mostly what it said before, now and then something new, malformed or declared.
func event(rng *rand.Rand) *schema.Event {
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	e := &schema.Event{}
	e.ID, e.Persona = schema.EventID{1 + byte(rng.IntN(200)), byte(rng.IntN(200))}, schema.PersonaID{7}
	e.Type, e.Source, e.Channel = schema.TypeTrackPerformed, "shop", []schema.Channel{schema.ChannelWeb, schema.ChannelApp}[rng.IntN(2)]
	e.OccurredAt = schema.Instant(rng.IntN(1000))
	e.Provenance.Trust, e.Provenance.Country = schema.TrustServer, pick("FR", "FR", "FR", "BE")
	e.Account = schema.Account{Kind: "user_id", Value: "u1"}
	for range rng.IntN(4) {
		id := schema.Identifier{Assurance: schema.Assurance(1 + rng.IntN(3))}
		switch rng.IntN(5) {
		case 0:
			id.Kind, id.Value = pick("email", "mail"), pick("ann@example.com", "Ann@Example.com", "bob@example.com", "unknown", "nobody at all")
		case 1:
			id.Kind, id.Value = "phone", pick("06 12 34 56 78", "+33612345678", "+32 6 12 34 56 78", "0470 12 34 56", "12", "+33 6 12 34 56 78")
		case 2:
			id.Kind, id.Value = pick("anonymous_id", "anonymousId"), pick("a1", "a1", "a2", "", "null")
		case 3:
			id.Kind, id.Value = pick("conversation_id", "own_number", "user_id"), pick("1", "2", "u1")
		case 4:
			id.Kind, id.Value = "card", pick("C-1", "c1", "C2")
			if rng.IntN(4) == 0 {
				id.SupersededBy = "C3"
			}
		}
		e.Identifiers = append(e.Identifiers, id)
	}
	switch rng.IntN(6) {
	case 3, 4:
		e.Traits = []schema.Trait{{Name: pick("city", "a.b"), Value: []byte(pick(`"Lyon"`, `"Lyon"`, `null`, `{"x":1}`))}, {Name: "birthday", Value: []byte(pick(`"1980-02-03"`, `"1980-02-03"`, `"x"`))},
			{Name: "first_name", Value: []byte(`"Ann"`)}, {Name: "nom", Value: []byte(pick(`"Martin"`, `"Martin"`, `"Durand"`))}, {Name: "street", Value: []byte(`"1 rue X"`)}}[rng.IntN(4):]
	case 0:
		e.Traits = []schema.Trait{{Name: "first_name", Value: []byte(pick(`"Ann"`, `"Anne"`))}, {Name: "last_name", Value: []byte(`"Martin"`)}}
	case 1:
		e.Consents = []schema.Consent{{Kind: "email", Value: "ann@example.com", Channel: schema.ChannelEmail, Purpose: "news", State: schema.ConsentGranted}}
	case 2:
		e.Type = schema.TypeIdentityAliased
	}
	return e
}

// known is what is kept of the persona, with and without sightings.
type known struct {
	evidence *identity.Persona
	state    *persona.State
}

func (k *known) fold(e *schema.Event, at schema.Instant, reader *identity.Reader) {
	found, _ := reader.Read(e, at)
	if k.state == nil {
		k.evidence, k.state = &identity.Persona{}, persona.Begin(found.ID, e)
	}
	k.evidence.Join(found)
	k.state.Fold(e, persona.Registry{})
}

func (k *known) bytes(t *testing.T) []byte {
	b, err := k.evidence.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return k.state.AppendBinary(append(b, '|'))
}

// What events leave is the same whether those that are sightings are folded as such or the long way, also if sightings are joined later, from their stored form.
func TestSightings(t *testing.T) {
	seed, worlds := uint64(time.Now().UnixNano()), 150
	if s := os.Getenv("DOSSIER_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed, worlds = n, 1
	} else if os.Getenv("DOSSIER_PROVE") == "1" {
		worlds = 20_000
	}
	taken, repeated, all := 0, 0, 0
	for ; worlds > 0; worlds, seed = worlds-1, seed+1 {
		rng := rand.New(rand.NewPCG(seed, 1))
		rules := identity.DefaultRules()
		if rng.IntN(2) == 0 {
			rules.Blocked = map[string][]string{"email": {"ann@example.com"}, "": {"a2"}}
		}
		reader := identity.NewReader(plainHasher{}, rules)
		r := sighting.NewReader(reader)
		var short, long, stored known // stored is what short was at the last event that was no sighting
		var since []byte
		for i := range 60 {
			e, at := event(rng), schema.Instant(i+rng.IntN(3)-1)
			long.fold(e, at, reader)
			all++
			if x := r.Read(e, at, short.evidence, short.state); x == nil {
				short.fold(e, at, reader)
				r.Link(e, short.state)
				stored, since = known{short.evidence.Clone(), short.state.Clone()}, nil
			} else {
				taken++
				repeated += min(1, len(x.Traits))
				x.Join(short.evidence, short.state)
				since = x.AppendBinary(since, short.evidence.First)
				if short.state.FoldConsents(e, persona.Registry{}) {
					stored, since = known{short.evidence.Clone(), short.state.Clone()}, nil
				}
			}
			want, got := long.bytes(t), short.bytes(t)
			if !bytes.Equal(want, got) {
				t.Fatalf("DOSSIER_SEED=%d: after event %d (%+v):\n%q\nwant\n%q", seed, i, e, got, want)
			}
			later := known{stored.evidence.Clone(), stored.state.Clone()}
			for twice := range 2 {
				var x sighting.Sighting
				for rest := since; len(rest) > 0; {
					var err error
					if rest, err = x.Decode(rest, later.evidence.First); err != nil {
						t.Fatal(err)
					}
					if x.Join(later.evidence, later.state) && twice > 0 {
						t.Fatalf("DOSSIER_SEED=%d: a sighting joined again changes something", seed)
					}
				}
				if got := later.bytes(t); !bytes.Equal(want, got) {
					t.Fatalf("DOSSIER_SEED=%d: after event %d, from the stored form:\n%q\nwant\n%q", seed, i, got, want)
				}
			}
		}
	}
	t.Logf("%d of %d events were sightings, %d with traits", taken, all, repeated)
	if taken < all/20 || repeated < all/200 {
		t.Error("so few sightings that the test says little")
	}
}

// What is remembered of personas tells the same sightings as a look at what is known of them, however few are remembered.
func TestHeard(t *testing.T) {
	seed, worlds := uint64(time.Now().UnixNano()), 150
	if s := os.Getenv("DOSSIER_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed, worlds = n, 1
	} else if os.Getenv("DOSSIER_PROVE") == "1" {
		worlds = 20_000
	}
	again, all := 0, 0
	for ; worlds > 0; worlds, seed = worlds-1, seed+1 {
		rng := rand.New(rand.NewPCG(seed, 1))
		reader := identity.NewReader(plainHasher{}, identity.DefaultRules())
		r, heard := sighting.NewReader(reader), sighting.NewHeard(1+rng.IntN(4), maphash.MakeSeed())
		people := [4]known{}
		var stored [4]sighting.Run
		var before [60]*schema.Event
		for i := range before {
			e, at := event(rng), schema.Instant(i+rng.IntN(3)-1)
			if rng.IntN(2) == 0 && i > 0 { // it says what was said before
				old := *before[rng.IntN(i)]
				old.ID, old.OccurredAt = e.ID, e.OccurredAt+500
				e = &old
			} else {
				e.Persona[0] = byte(1 + rng.IntN(len(people)))
			}
			before[i] = e
			all++
			k := &people[e.Persona[0]-1]
			var told *sighting.Sighting
			if sighting.May(e) {
				told, _ = heard.Again(e, at)
			}
			x := r.Read(e, at, k.evidence, k.state)
			switch {
			case told != nil:
				again++
				if x == nil || fmt.Sprint(*told) != fmt.Sprint(*x) {
					t.Fatalf("DOSSIER_SEED=%d: event %d (%+v) is remembered as sighting %v, it is %v", seed, i, e, told, x)
				}
			case x != nil:
				if s := heard.Note(e, at, x, k.evidence); s.Node != k.evidence.ID || s.First != k.evidence.First {
					t.Fatalf("DOSSIER_SEED=%d: event %d: speaker %+v", seed, i, s)
				}
			default:
				heard.Forget(schema.PersonaEpoch{Persona: e.Persona})
				k.fold(e, at, reader)
				r.Link(e, k.state)
				stored[e.Persona[0]-1].Reset()
				continue
			}
			// A run of sightings says what all of them say.
			from := known{k.evidence.Clone(), k.state.Clone()}
			run := &stored[e.Persona[0]-1]
			run.Add(x, k.evidence.First)
			x.Join(k.evidence, k.state)
			k.state.FoldConsents(e, persona.Registry{})
			from.state.FoldConsents(e, persona.Registry{})
			var y sighting.Sighting
			for rest := run.Bytes; len(rest) > 0; {
				var err error
				if rest, err = y.Decode(rest, from.evidence.First); err != nil {
					t.Fatal(err)
				}
				y.Join(from.evidence, from.state)
			}
			if want, got := k.bytes(t), from.bytes(t); !bytes.Equal(want, got) {
				t.Fatalf("DOSSIER_SEED=%d: after event %d, by a run:\n%q\nwant\n%q", seed, i, got, want)
			}
		}
	}
	t.Logf("%d of %d events were remembered", again, all)
	if again < all/100 {
		t.Error("so few were remembered that the test says little")
	}
}

// A stored form that was cut or changed is an error or another sighting, never a panic.
func FuzzDecode(f *testing.F) {
	x := sighting.Sighting{At: 1 << 50, Channel: schema.ChannelWeb, Identifiers: []uint16{0, 3, 200}}
	f.Add(x.AppendBinary(nil, 5))
	x.Keys, x.Traits, x.Event, x.Assurance = []uint16{7}, []uint16{1, 2}, schema.EventID{9}, schema.AssuranceVerified
	f.Add(x.AppendBinary(nil, 5))
	f.Fuzz(func(t *testing.T, b []byte) {
		var x, y sighting.Sighting
		rest, err := x.Decode(b, 5)
		if err != nil {
			return
		}
		again := x.AppendBinary(nil, 5)
		if _, err := y.Decode(append(again, rest...), 5); err != nil || fmt.Sprint(x) != fmt.Sprint(y) {
			t.Fatalf("%v is read again as %v, %v", x, y, err)
		}
	})
}
