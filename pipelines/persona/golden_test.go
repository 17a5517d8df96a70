package persona

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/dossier-cdp/dossier/schema"
)

// said makes the state of one persona from lines such as "3 verified name=\"Ann\"" (day, assurance, trait and value).
func said(id byte, source string, trust schema.Trust, lines ...string) *State {
	s := &State{}
	for i, line := range lines {
		e := &schema.Event{}
		var d int
		var assurance, trait string
		if _, err := fmt.Sscanf(line, "%d %s", &d, &assurance); err != nil {
			panic(err)
		}
		trait = strings.SplitN(line, " ", 3)[2]
		name, value, _ := strings.Cut(trait, "=")
		e.ID, e.Persona, e.Source, e.OccurredAt = schema.EventID{id, byte(i)}, schema.PersonaID{id}, source, schema.Instant(d)*day
		e.Provenance.Trust, e.Account = trust, schema.Account{Kind: "user_id", Value: fmt.Sprint("u", id)}
		a, _ := schema.ParseAssurance(assurance)
		e.Identifiers = []schema.Identifier{{Kind: "cookie", Value: fmt.Sprint("c", id), Assurance: a}}
		e.Traits = []schema.Trait{{Name: name, Value: []byte(value)}}
		if s.IsZero() {
			s = Begin(schema.PersonaID{id}, e)
		}
		s.Fold(e, Registry{})
	}
	return s
}

func TestGoldenRecord(t *testing.T) {
	server, client := schema.TrustServer, schema.TrustClient
	for _, c := range []struct {
		name   string
		states []*State
		rules  Rules
		want   []string
	}{
		{"the more assured value wins over the later one", []*State{said(1, "crm", server, `1 verified name="Ann"`), said(2, "web", server, `5 declared name="Bob"`)}, Rules{},
			[]string{`name="Ann" crm 1 verified, then "Bob" web`}},
		{"of equal assurance the later one", []*State{said(1, "crm", server, `1 verified name="Ann"`), said(2, "web", server, `5 verified name="Bob"`)}, Rules{},
			[]string{`name="Bob" web 5 verified, then "Ann" crm`}},
		{"latest, whatever the assurance", []*State{said(1, "crm", server, `1 verified name="Ann"`), said(2, "web", server, `5 declared name="Bob"`)},
			Rules{Traits: map[string]Survivorship{"name": {Order: Latest}}}, []string{`name="Bob" web 5 declared, then "Ann" crm`}},
		{"earliest, even if many came since", []*State{said(1, "crm", server, `3 verified name="a"`, `4 verified name="b"`, `5 verified name="c"`, `6 verified name="d"`, `7 verified name="e"`,
			`8 verified name="f"`, `9 verified name="g"`, `10 verified name="h"`, `11 verified name="i"`, `12 verified name="j"`)},
			Rules{Default: Survivorship{Order: Earliest}}, []string{`name="a" crm 3 verified, then "c" crm, "d" crm, "e" crm, "f" crm, "g" crm, "h" crm, "i" crm, "j" crm`}},
		{"priority of sources", []*State{said(1, "crm", server, `1 declared name="Ann"`), said(2, "web", server, `5 verified name="Bob"`), said(3, "shop", server, `6 verified name="Cid"`)},
			Rules{Traits: map[string]Survivorship{"name": {Sources: []string{"crm", "web"}}}}, []string{`name="Ann" crm 1 declared, then "Bob" web, "Cid" shop`}},
		{"members of an object each on their own (Unomi #262)", []*State{said(1, "crm", server, `1 verified address={"city":"Lyon","zip":"69001"}`, `2 verified address={"city":"Paris"}`)}, Rules{},
			[]string{`address.zip="69001" crm 1 verified`, `address.city="Paris" crm 2 verified, then "Lyon" crm`}},
		{"a rule for an object is one for its members", []*State{said(1, "crm", server, `1 verified address={"city":"Lyon"}`, `2 verified address={"city":"Paris"}`)},
			Rules{Traits: map[string]Survivorship{"address": {Order: Earliest}}}, []string{`address.city="Lyon" crm 1 verified, then "Paris" crm`}},
		{"null takes back what its source said before, and no other source's", []*State{said(1, "crm", server, `1 verified name="Ann"`), said(2, "web", server, `2 verified name="Bob"`, `3 verified name=null`)}, Rules{},
			[]string{`name="Ann" crm 1 verified`}},
		{"null reaches the source's other personas", []*State{said(1, "web", server, `1 verified name="Ann"`), said(2, "web", server, `3 verified name=null`)}, Rules{}, nil},
		{"what is said after a null counts", []*State{said(1, "web", server, `1 verified name="Ann"`, `2 verified name=null`, `3 verified name="Eve"`)}, Rules{},
			[]string{`name="Eve" web 3 verified`}},
		{"a declared null does not take back a verified value", []*State{said(1, "web", server, `1 verified name="Ann"`, `2 declared name=null`)}, Rules{},
			[]string{`name="Ann" web 1 verified`}},
		{"null of an object takes back its members", []*State{said(1, "web", server, `1 verified address={"city":"Lyon"}`, `2 verified address=null`)}, Rules{}, nil},
		{"a client persona adds nothing where a server persona is", []*State{said(1, "crm", server, `1 declared name="Ann"`), said(2, "web", client, `5 declared name="Bob"`, `6 declared hat="red"`)}, Rules{},
			[]string{`name="Ann" crm 1 declared`}},
		{"and is all there is where none is; nothing it says is verified", []*State{said(2, "web", client, `5 verified name="Bob"`)}, Rules{},
			[]string{`name="Bob" web 5 declared`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 2 {
				var got []string
				for _, g := range GoldenRecord(c.states, &c.rules) {
					line := fmt.Sprintf("%s=%s %s %d %s", g.Name, g.Value, g.Source, g.OccurredAt/day, g.Assurance)
					for i, r := range g.RunnersUp {
						line += []string{", then ", ", "}[min(i, 1)] + r.Value + " " + r.Source
					}
					got = append(got, line)
				}
				slices.Sort(got)
				slices.Sort(c.want)
				if !slices.Equal(got, c.want) {
					t.Errorf("got  %q\nwant %q", got, c.want)
				}
				slices.Reverse(c.states)
			}
		})
	}
}

func TestRulesAreValidated(t *testing.T) {
	if err := (&Rules{Traits: map[string]Survivorship{"name": {Order: "newest"}}}).Validate(); schema.ClassOf(err) != schema.Rejected || !strings.Contains(err.Error(), "trait name") {
		t.Errorf("got %v", err)
	}
	if err := (&Rules{Default: Survivorship{Order: Latest}}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestIdentifiersOfAProfile(t *testing.T) {
	at := func(s *State, d int, kind, value string) *State {
		e := &schema.Event{}
		e.OccurredAt, e.Provenance = schema.Instant(d)*day, schema.Provenance{Trust: s.Trust, Country: "FR"}
		e.Identifiers = []schema.Identifier{{Kind: kind, Value: value, Assurance: schema.AssuranceDeclared}}
		s.Fold(e, Registry{})
		return s
	}
	a := at(said(1, "crm", schema.TrustServer, `1 verified name="Ann"`), 2, "phone", "0612345678")
	b := at(at(said(2, "web", schema.TrustClient, `1 verified name="Ann"`), 3, "phone", "+33 6 12 34 56 78"), 3, "email", "x@y.fr")
	var got []string
	for _, k := range Identifiers([]*State{b, a}) {
		got = append(got, fmt.Sprintf("%s %s %q %v %v %d..%d %d", k.Kind, k.Normal, k.Value, k.Confirmed, k.Sources, k.First/day, k.Last/day, len(k.Personas)))
	}
	want := []string{`cookie c1 "c1" true [crm] 1..1 1`, `cookie c2 "c2" false [web] 1..1 1`, `email x@y.fr "x@y.fr" false [web] 3..3 1`,
		`phone +33612345678 "+33 6 12 34 56 78" true [crm web] 2..3 2`,
		`user_id u1 "u1" true [crm] 1..1 1`, `user_id u2 "u2" false [web] 1..1 1`}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// However the personas of a profile are listed, and whichever was heard first, the golden record, the identifiers and the consents are the same.
func TestProfileIsAFunctionOfTheSetOfStates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var states []*State
		for i := range rapid.IntRange(1, 4).Draw(t, "personas") {
			events := rapid.SliceOfN(rapid.Custom(anEvent), 1, 8).Draw(t, "events")
			trust := rapid.SampledFrom([]schema.Trust{schema.TrustServer, schema.TrustServer, schema.TrustClient}).Draw(t, "trust")
			s := &State{}
			for _, e := range events {
				e.Persona, e.Provenance.Trust, e.Source = schema.PersonaID{byte(i + 1)}, trust, fmt.Sprint("s", i%2)
				if s.IsZero() {
					s = Begin(schema.PersonaID{byte(i + 1)}, e)
				}
				s.Fold(e, Registry{})
			}
			states = append(states, s)
		}
		show := func(states []*State) string {
			var b []byte
			for _, g := range GoldenRecord(states, &Rules{}) {
				b = append(g.AppendJSON(b), '\n')
			}
			for _, k := range Identifiers(states) {
				b = append(k.AppendJSON(b), '\n')
			}
			for _, c := range Consents(states, nil, 3*day, Registry{}) {
				b = append(c.AppendJSON(b), '\n')
			}
			return string(b)
		}
		want := show(states)
		if got := show(rapid.Permutation(states).Draw(t, "order")); got != want {
			t.Fatalf("another order of personas gives\n%s\nnot\n%s", got, want)
		}
	})
}
