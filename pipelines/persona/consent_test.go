package persona

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
)

// consenting makes a persona's state from lines "DAY STATE SUBJECT [expires DAY]" and "DAY carries POINT"; a subject is a contact point or "account".
func consenting(id byte, trust schema.Trust, lines ...string) *State {
	s := &State{}
	for i, line := range lines {
		w := strings.Fields(line)
		e := &schema.Event{}
		d := 0
		fmt.Sscan(w[0], &d)
		e.ID, e.Persona, e.Source, e.OccurredAt = schema.EventID{byte(d), id, byte(i)}, schema.PersonaID{id}, fmt.Sprint("s", id), schema.Instant(d)*day
		e.Provenance.Trust = trust
		if w[1] == "carries" {
			e.Identifiers = []schema.Identifier{{Kind: "email", Value: w[2], Assurance: schema.AssuranceVerified}}
		} else {
			c := schema.Consent{Kind: "email", Value: w[2], Channel: schema.ChannelEmail, Purpose: "news"}
			if w[2] == "account" {
				c.Kind, c.Value = "", ""
			}
			c.State, _ = schema.ParseConsentState(w[1])
			if len(w) == 5 {
				fmt.Sscan(w[4], &d)
				c.Expiry = schema.Instant(d) * day
			}
			e.Consents = []schema.Consent{c}
		}
		if s.IsZero() {
			s = Begin(schema.PersonaID{id}, e)
		}
		s.Fold(e, Registry{})
	}
	return s
}

func TestConsents(t *testing.T) {
	server, client := schema.TrustServer, schema.TrustClient
	for _, c := range []struct {
		name      string
		states    []*State
		inherited []Inherited
		want      []string
	}{
		{"unknown is no", []*State{consenting(1, server, "1 carries a@x.fr")}, nil, nil},
		{"a grant is for its contact point alone", []*State{consenting(1, server, "1 granted a@x.fr"), consenting(2, server, "2 carries b@x.fr")}, nil,
			[]string{"a@x.fr yes granted", "b@x.fr no other_contact_point"}},
		{"a refusal is for the whole profile, also against a later grant for another contact point", []*State{consenting(1, server, "1 withdrawn a@x.fr"), consenting(2, server, "2 granted b@x.fr")}, nil,
			[]string{"a@x.fr no refused", "b@x.fr no profile_refused"}},
		{"a later grant for the same contact point lifts it, through any persona", []*State{consenting(1, server, "1 denied a@x.fr"), consenting(2, server, "2 granted a@x.fr")}, nil,
			[]string{"a@x.fr yes granted"}},
		{"an earlier grant does not", []*State{consenting(1, server, "3 denied a@x.fr"), consenting(2, server, "2 granted a@x.fr")}, nil,
			[]string{"a@x.fr no refused"}},
		{"a grant expires", []*State{consenting(1, server, "1 granted a@x.fr expires 10")}, nil, []string{"a@x.fr no expired"}},
		{"and holds until then", []*State{consenting(1, server, "1 granted a@x.fr expires 11")}, nil, []string{"a@x.fr yes granted"}},
		{"a refusal does not expire", []*State{consenting(1, server, "1 denied a@x.fr expires 2")}, nil, []string{"a@x.fr no refused"}},
		{"an account's grant is for what that persona carries", []*State{consenting(1, server, "1 granted account", "1 carries a@x.fr"), consenting(2, server, "2 carries b@x.fr")}, nil,
			[]string{"a@x.fr yes account_granted", "account yes granted", "b@x.fr no other_contact_point"}},
		{"an account's refusal is for the whole profile", []*State{consenting(1, server, "1 denied account"), consenting(2, server, "2 granted b@x.fr")}, nil,
			[]string{"account no refused", "b@x.fr no profile_refused"}},
		{"a client persona's grant proves nothing", []*State{consenting(1, client, "1 granted a@x.fr", "1 carries a@x.fr")}, nil, nil},
		{"nor does its refusal count against a server persona", []*State{consenting(1, client, "1 denied a@x.fr"), consenting(2, server, "2 granted b@x.fr")}, nil,
			[]string{"b@x.fr yes granted"}},
		{"but holds for a visitor whom no server knows", []*State{consenting(1, client, "1 denied a@x.fr", "2 carries b@x.fr"), consenting(2, client, "3 carries c@x.fr")}, nil,
			[]string{"a@x.fr no refused", "b@x.fr no profile_refused", "c@x.fr no profile_refused"}},
		{"what is said after now does not count", []*State{consenting(1, server, "11 granted a@x.fr")}, nil, nil},
		{"an inherited refusal is for the whole profile", []*State{consenting(1, server, "1 granted a@x.fr", "1 carries b@x.fr")},
			[]Inherited{{Statement: consenting(9, server, "2 denied z@x.fr").Consents[0], From: schema.PersonaID{9}}},
			[]string{"a@x.fr no inherited", "b@x.fr no inherited"}},
		{"but of a contact point of the profile's own, the latest word counts", []*State{consenting(1, server, "3 granted a@x.fr")},
			[]Inherited{{Statement: consenting(9, server, "2 denied a@x.fr").Consents[0], From: schema.PersonaID{9}}},
			[]string{"a@x.fr yes granted"}},
		{"another person's refusal of a shared contact point reaches that alone", []*State{consenting(1, server, "1 granted a@x.fr", "1 granted b@x.fr")},
			[]Inherited{{Statement: consenting(9, server, "2 denied b@x.fr").Consents[0], From: schema.PersonaID{9}, PointOnly: true}},
			[]string{"a@x.fr yes granted", "b@x.fr no inherited"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, x := range Consents(c.states, c.inherited, 10*day, Registry{}) {
				subject := x.Normal
				if x.Kind == "" {
					subject = "account"
				}
				got = append(got, fmt.Sprintf("%s %s %s", subject, map[bool]string{true: "yes", false: "no"}[x.Allowed], x.Reason))
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestInForceAt(t *testing.T) {
	s := consenting(1, schema.TrustServer, "1 granted a@x.fr", "3 denied a@x.fr", "5 granted a@x.fr")
	for at, want := range map[schema.Instant]schema.ConsentState{1: schema.ConsentGranted, 2: schema.ConsentGranted, 3: schema.ConsentDenied, 9: schema.ConsentGranted} {
		if got := s.InForceAt(at * day); len(got) != 1 || got[0].State != want {
			t.Errorf("day %d: %v, want %v", at, got, want)
		}
	}
	if got := s.InForceAt(0); len(got) != 0 {
		t.Errorf("before anything was said: %v", got)
	}
}
