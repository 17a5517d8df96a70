package collector

import (
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/schema"
)

// TestPublicKeyIsPowerless: a public key can neither link, nor consent, nor erase, nor pose as an agent, a bot or the brand, nor
// verify an identifier, nor write into another source. Each attempt is answered 403 and stored nowhere.
func TestPublicKeyIsPowerless(t *testing.T) {
	event := func(kind, more string) string {
		return `{"type":"` + kind + `","userId":"u1","occurredAt":"2026-03-01T11:00:00Z"` + more + `}`
	}
	const a, b = `"01234567-89ab-8cde-8f01-23456789abcd"`, `"11234567-89ab-8cde-8f01-23456789abcd"`
	pair := `,"a":` + a + `,"b":` + b
	attempts := map[string]string{
		"link":                   event("identity.linked", pair),
		"separate":               event("identity.separated", pair),
		"release":                event("identity.released", `,"of":`+a),
		"consent":                event("consent.recorded", `,"consents":[{"channel":"email","purpose":"news","state":"granted","proof":"x"}]`),
		"consent on the side":    event("message.received", `,"consents":[{"channel":"email","purpose":"news","state":"granted","proof":"x"}]`),
		"erase":                  event("profile.erased", ""),
		"configure":              event("configuration.changed", ""),
		"pose as an agent":       event("message.received", `,"actor":"agent"`),
		"pose as an agent by id": event("message.received", `,"actor":{"kind":"customer","id":"agent-7"}`),
		"pose as the brand":      event("message.received", `,"actor":"brand"`),
		"answer a customer":      event("message.sent", ""),
		"resolve a case":         event("case.resolved", ""),
		"grant a gesture":        event("gesture.granted", ""),
		"deliver an order":       event("order.delivered", ""),
		"take a payment":         event("payment.received", ""),
		"verify an identifier":   event("message.received", `,"identifiers":[{"kind":"email","value":"a@b.fr","assurance":"verified"}]`),
		"replace a card":         event("message.received", `,"identifiers":[{"kind":"card","value":"1","supersededBy":"2"}]`),
		"write into the CRM":     event("message.received", `,"source":"crm"`),
		"pose as a mapping":      event("message.received", `,"mapping":"crm","routing":"`+strings.Repeat("0", 64)+`"`),
	}
	for name, body := range attempts {
		r := newRig(t, Limits{})
		a := r.post(t, "/v1/events", clientKey, body)
		if a.status != 403 || a.code() != channel.CodeNotForClientKey || len(a.Refused) != 1 || a.Refused[0].Hint == "" {
			t.Errorf("%s: answered %d %s", name, a.status, a.body)
		}
		if r.log.len() != 0 || r.letters.len() != 0 {
			t.Errorf("%s: stored", name)
		}
		if mixed := r.post(t, "/v1/events", clientKey, body+"\n"+event("message.received", "")+"\n"); mixed.status != 200 || mixed.Accepted != 1 || r.log.len() != 1 || r.letters.len() != 0 {
			t.Errorf("%s, beside a good event: answered %d %s", name, mixed.status, mixed.body)
		}
	}
}

func TestPublicKeyDeclaresAtMost(t *testing.T) {
	r := newRig(t, Limits{})
	r.sources["site"] = &channel.Source{Name: "site", Assurance: schema.AssuranceVerified, Actor: schema.ActorAgent, Agents: []string{"*"}}
	bodies := []string{
		`{"type":"identify","userId":"u1","traits":{"email":"ann@example.com","phone":"0612345678"},"context":{"externalIds":[{"id":"c1","type":"card","collection":"users"}]}}`,
		`{"type":"alias","userId":"u1","previousId":"u2"}`,
	}
	for _, body := range bodies {
		if a := r.post(t, "/v1/batch", clientKey, `{"batch":[`+body+`]}`); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if a := r.post(t, "/v1/events", clientKey, `{"type":"message.received","identifiers":{"email":"ann@example.com","user_id":"u1"}}`); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for _, e := range r.events(t) {
		if e.Provenance.Trust != schema.TrustClient || e.Actor != schema.ActorCustomer || e.ActorID != "" {
			t.Errorf("trust %s, actor %s", e.Provenance.Trust, e.Actor)
		}
		if len(e.Identifiers) == 0 {
			t.Error("no identifiers")
		}
		for _, id := range e.Identifiers {
			if id.Assurance > schema.AssuranceDeclared {
				t.Errorf("%s is %s", id.Kind, id.Assurance)
			}
		}
	}
}

// TestServerKeyDecidesNothing: links and separations are people's decisions and need a token with the scope.
func TestServerKeyDecidesNothing(t *testing.T) {
	link := `{"type":"identity.linked","a":{"source":"shop","account":{"kind":"user_id","value":"u1"}},"b":{"source":"crm","account":{"kind":"crm_id","value":"7"}},"reason":"same person, by phone"}`
	for key, status := range map[string]int{serverKey: 403, readToken: 403, decideToken: 200} {
		r := newRig(t, Limits{})
		a := r.post(t, "/v1/events", key, link)
		if a.status != status {
			t.Fatalf("%s: %d %s", key, a.status, a.body)
		}
		if status != 200 {
			if a.code() != channel.CodeScopeMissing || r.log.len() != 0 || r.letters.len() != 0 {
				t.Fatalf("%s: %d %s", key, a.status, a.body)
			}
			continue
		}
		e := r.events(t)[0]
		want := r.ids.Persona("main", "shop", schema.TrustServer, schema.Account{Kind: "user_id", Value: "u1"})
		if e.Type != schema.TypeIdentityLinked || e.Assertion == nil || e.Assertion.A.Persona != want || e.Persona != want || e.Assertion.B.Persona.IsZero() {
			t.Fatalf("%+v", e)
		}
		if e.Actor != schema.ActorAgent || e.ActorID != "ann" || e.Assertion.Reason == "" {
			t.Fatalf("not attributed: %s %q", e.Actor, e.ActorID)
		}
		release := `{"type":"identity.released","of":"` + *a.IDs[0] + `"}`
		if a := r.post(t, "/v1/events", decideToken, release); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if got := r.events(t)[1].Assertion.Of; got != e.ID {
			t.Fatalf("releases %s, not %s", got, e.ID)
		}
		if a := r.post(t, "/v1/track", decideToken, goodTrack); a.status != 403 {
			t.Fatalf("a token tracks: %d %s", a.status, a.body)
		}
		if a := r.post(t, "/v1/events", decideToken, `{"type":"message.received","userId":"u1"}`); a.status != 403 {
			t.Fatalf("a token sends a customer's message: %d %s", a.status, a.body)
		}
	}
}

// TestDecisionsEndWithThePerson: a link that names an epoch that was erased is refused.
func TestDecisionsEndWithThePerson(t *testing.T) {
	r := newRig(t, Limits{})
	account := schema.Account{Kind: "user_id", Value: "u1"}
	persona := r.ids.Persona("main", "shop", schema.TrustServer, account)
	r.ring.Punch(persona, 0)
	link := `{"type":"identity.linked","a":{"persona":"` + persona.String() + `","epoch":0},"b":{"source":"crm","account":{"kind":"crm_id","value":"7"}}}`
	if a := r.post(t, "/v1/events", decideToken, link); a.status != 400 || a.code() != channel.CodeErased || r.letters.len() != 0 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := r.post(t, "/v1/events", decideToken, strings.Replace(link, `"epoch":0`, `"epoch":1`, 1)); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if e := r.events(t)[0]; e.Key.Epoch != 1 {
		t.Fatalf("epoch %d", e.Key.Epoch)
	}
}

func TestServerKeySpeaksForOthers(t *testing.T) {
	r := newRig(t, Limits{})
	r.sources["desk"] = &channel.Source{Name: "desk", Channel: schema.ChannelEmail, Assurance: schema.AssuranceDeclared, Agents: []string{"*@shop.example"}, Bots: []string{"ShopAssist"}}
	body := strings.Join([]string{
		`{"type":"message.sent","source":"desk","actor":{"kind":"agent","id":"a7"},"account":{"kind":"crm_id","value":"7"},"text":"hello"}`,
		`{"type":"message.received","source":"desk","identifiers":{"email":["bob@shop.example"]},"conversation":"c1"}`,
		`{"type":"message.received","source":"desk","userId":"u1","userAgent":"ShopAssist/2"}`,
		`{"type":"message.received","source":"desk","userId":"u1","userAgent":"Mozilla/5.0 (compatible; Googlebot/2.1)"}`,
		`{"type":"message.received","source":"desk","text":"who am I?"}`,
		`{"type":"consent.recorded","source":"desk","account":{"kind":"crm_id","value":"7"},"consents":[{"kind":"email","value":"a@b.fr","channel":"email","purpose":"news","state":"granted","proof":"form 12"}]}`,
	}, "\n")
	if a := r.post(t, "/v1/events", serverKey, body); a.status != 200 || a.Accepted != 6 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	events := r.events(t)
	for i, want := range []struct {
		actor   schema.Actor
		account string
	}{{schema.ActorAgent, "crm_id"}, {schema.ActorAgent, "conversation_id"}, {schema.ActorBot, "user_id"}, {schema.ActorBot, "user_id"}, {schema.ActorCustomer, "record_id"}, {schema.ActorCustomer, "crm_id"}} {
		if e := events[i]; e.Actor != want.actor || e.Account.Kind != want.account || e.Channel != schema.ChannelEmail || e.Source != "desk" {
			t.Errorf("event %d: actor %s, account %s, channel %s, source %s", i, e.Actor, e.Account.Kind, e.Channel, e.Source)
		}
	}
	if id := events[1].Identifiers[0]; id.Assurance != schema.AssuranceDeclared {
		t.Errorf("the source's assurance is not kept: %s", id.Assurance)
	}
	if c := events[5].Consents; len(c) != 1 || c[0].State != schema.ConsentGranted || c[0].Proof != "form 12" {
		t.Errorf("%+v", c)
	}
}

// TestATokenOnSegmentsPath: it is no write key, and the answer says what to send.
func TestATokenOnSegmentsPath(t *testing.T) {
	r := newRig(t, Limits{})
	for _, token := range []string{readToken, decideToken} {
		a := r.post(t, "/v1/track", token, goodTrack)
		if a.status != 403 || a.code() != channel.CodeScopeMissing || !strings.Contains(a.body, "write key") || !strings.Contains(a.body, "/v1/events") || strings.Contains(a.body, "decide") {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}
