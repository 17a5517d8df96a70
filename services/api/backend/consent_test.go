package backend

import (
	"errors"
	"testing"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/persona"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/identity"
)

// stateOf is a persona that carries an e-mail address and says what it consents to.
func stateOf(id byte, trust schema.Trust, email string, said ...schema.Consent) *persona.State {
	e := &schema.Event{}
	e.Identifiers, e.Consents = []schema.Identifier{{Kind: "email", Value: email, Assurance: schema.AssuranceVerified}}, said
	e.Persona, e.ID, e.Source, e.OccurredAt = schema.PersonaID{id}, schema.EventID{id}, "crm", 1
	e.Provenance.Trust = trust
	s := persona.Begin(schema.PersonaID{id}, e)
	s.Fold(e, persona.Registry{})
	return s
}

// TestAGrantIsShownForItsContactPointAlone: after a merge, no other contact point looks granted.
func TestAGrantIsShownForItsContactPointAlone(t *testing.T) {
	granted := schema.Consent{Kind: "email", Value: "a@example.com", Channel: schema.ChannelEmail, Purpose: "news", State: schema.ConsentGranted, Proof: "form"}
	lapsed := granted
	lapsed.Purpose, lapsed.Expiry = "survey", 5
	states := []*persona.State{stateOf(1, schema.TrustServer, "a@example.com", granted, lapsed), stateOf(2, schema.TrustServer, "b@example.com")}
	shown := consents(persona.Consents(states, nil, 10, persona.Registry{}))
	if len(shown) != 2 {
		t.Fatalf("%+v, want the two statements about a@example.com", shown)
	}
	for _, c := range shown {
		allowed, reason := c.Purpose == "news", map[string]string{"news": "granted", "survey": "expired"}[c.Purpose]
		if c.Value != "a@example.com" || c.Allowed != allowed || c.Reason != reason {
			t.Errorf("%+v, want allowed %v because %s", c, allowed, reason)
		}
	}
}

func TestWhereAConsentIsRecorded(t *testing.T) {
	client, first, second := stateOf(1, schema.TrustClient, "c@example.com"), stateOf(2, schema.TrustServer, "a@example.com"), stateOf(3, schema.TrustServer, "b@example.com")
	whole := &identity.Profile{ID: schema.ProfileID{1}, Members: []identity.Member{{ID: client.ID, State: client}, {ID: first.ID, State: first}, {ID: second.ID, State: second}}}
	alone := &identity.Profile{ID: schema.ProfileID{1}, Members: whole.Members[:1]}
	form, login := stateOf(4, schema.TrustClient, "e@example.com"), stateOf(5, schema.TrustClient, "f@example.com")
	form.Account, login.Account = schema.Account{Kind: "record_id", Value: "r"}, schema.Account{Kind: "user_id", Value: "u"}
	visitor := &identity.Profile{ID: form.ID, Members: []identity.Member{{ID: form.ID, State: form}, {ID: login.ID, State: login}}}
	for _, c := range []struct {
		name     string
		profile  *identity.Profile
		carriers []schema.ProfileID
		point    string
		want     byte // 0: refused
	}{
		{"at the server persona that carries it", whole, []schema.ProfileID{{9}, {3}}, "B@example.com", 3},
		{"as given, where it is no evidence", whole, nil, "b@example.com", 3},
		{"at a server persona though a client's carries it", whole, []schema.ProfileID{{1}}, "c@example.com", 2},
		{"of the person", whole, nil, "", 2},
		{"of somebody else", whole, []schema.ProfileID{{9}}, "d@example.com", 0},
		{"of whom only a public key speaks", alone, nil, "", 1},
		{"at an account that others of the visitor's share, though another contact carries it", visitor, []schema.ProfileID{{4}}, "e@example.com", 5},
	} {
		said := &schema.Consent{Kind: "email", Value: c.point}
		if c.point == "" {
			said.Kind = ""
		}
		m, err := choosePersona(c.profile, c.carriers, said)
		if e := (*graphql.Error)(nil); c.want == 0 {
			if !errors.As(err, &e) || e.Code != graphql.CodeBadInput {
				t.Errorf("%s: %v, want a refusal", c.name, err)
			}
			continue
		}
		if err != nil || m.ID != (schema.ProfileID{c.want}) {
			t.Errorf("%s: %v %v, want persona %d", c.name, m, err, c.want)
		}
	}
}
