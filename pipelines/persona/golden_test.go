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

// TestAConsentTakesNoNameAway: an agent records the consent of somebody whom only a public key knows. That makes a server persona of the account, which
// says what is allowed, and leaves the rest of the dossier as it was. The first word of a server about the person ends that.
func TestAConsentTakesNoNameAway(t *testing.T) {
	visitor := said(1, "web", schema.TrustClient, `1 declared name="Zoe"`)
	server := func(change func(e *schema.Event)) *State {
		e := &schema.Event{}
		e.ID, e.Persona, e.Source, e.OccurredAt = schema.EventID{9}, schema.PersonaID{2}, "web", 2*day
		e.Provenance.Trust, e.Account = schema.TrustServer, visitor.Account
		e.Identifiers = []schema.Identifier{{Kind: "userId", Value: visitor.Account.Value, Assurance: schema.AssuranceVerified}}
		e.Consents = []schema.Consent{{Channel: schema.ChannelEmail, Purpose: "news", State: schema.ConsentGranted, Proof: "call 7"}}
		change(e)
		s := Begin(schema.PersonaID{2}, e)
		s.Fold(e, Registry{})
		return s
	}
	for _, c := range []struct {
		name   string
		change func(e *schema.Event)
		stays  bool
	}{
		{"a consent", func(*schema.Event) {}, true},
		{"with a contact point that is said to be declared", func(e *schema.Event) {
			e.Identifiers = append(e.Identifiers, schema.Identifier{Kind: "email", Value: "zoe@example.com", Assurance: schema.AssuranceDeclared})
		}, true},
		{"an account that no consent is of", func(e *schema.Event) { e.Consents = nil }, false},
		{"a verified address", func(e *schema.Event) {
			e.Identifiers = append(e.Identifiers, schema.Identifier{Kind: "email", Value: "zoe@example.com", Assurance: schema.AssuranceVerified})
		}, false},
		{"a trait", func(e *schema.Event) { e.Traits = []schema.Trait{{Name: "city", Value: []byte(`"Lyon"`)}} }, false},
	} {
		states := []*State{visitor, server(c.change)}
		shown := slices.ContainsFunc(GoldenRecord(states, &Rules{}), func(g Golden) bool { return g.Name == "name" })
		confirmed := slices.ContainsFunc(Identifiers(states), func(k Known) bool { return k.Kind == "cookie" && k.Confirmed })
		if shown != c.stays || confirmed != c.stays {
			t.Errorf("%s: name shown %v, cookie confirmed %v, want %v", c.name, shown, confirmed, c.stays)
		}
		if allowed := slices.ContainsFunc(Consents(states, nil, 10*day, Registry{}), func(x Consent) bool { return x.Allowed }); allowed != (c.name != "an account that no consent is of") {
			t.Errorf("%s: allowed %v", c.name, allowed)
		}
	}
}
