package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	linking    = `mutation($a: ID!, $b: ID!, $reason: String!, $key: String!) { done: link(a: $a, b: $b, reason: $reason, idempotencyKey: $key) { event } }`
	releasing  = `mutation($of: ID!, $reason: String!, $key: String!) { done: release(event: $of, reason: $reason, idempotencyKey: $key) { event } }`
	separating = `mutation($a: ID!, $b: ID!, $reason: String!, $key: String!) { done: separate(a: $a, b: $b, reason: $reason, idempotencyKey: $key) { event } }`
	consenting = `mutation($a: ID!, $consent: ConsentInput!, $reason: String!, $key: String!) { done: recordConsent(profile: $a, consent: $consent, reason: $reason, idempotencyKey: $key) { event } }`
)

// TestOneKeyOneDecision: repeated, a decision is the same one; another decision under its key is refused, whatever differs.
func TestOneKeyOneDecision(t *testing.T) {
	besideOthers(t)
	i := install(t)
	for k := 1; k <= 3; k++ {
		i.send(t, basic(i.WriteKey), json.RawMessage(fmt.Sprintf(
			`{"type":"profile.identified","source":"shop","messageId":"m%d","occurredAt":"2025-01-0%dT00:00:00Z","account":{"kind":"crm_id","value":"one-key-%d"},"identifiers":{"email":"k%d@example.com"}}`, k, k, k, k)))
	}
	i.wait(t)
	persona := func(k int) string { return i.persona(t, "shop", fmt.Sprint("one-key-", k)) }
	a, b, c := persona(1), persona(2), persona(3)
	grant := func(value, purpose string) map[string]any {
		return map[string]any{"kind": "email", "value": value, "channel": "email", "purpose": purpose, "state": "granted", "proof": "call 7"}
	}
	decide := func(document, key string, variables map[string]any) (event, code string) {
		t.Helper()
		variables["key"] = key
		var answer struct{ Done struct{ Event string } }
		if errs := i.ask(t, i.APIToken, document, variables, &answer); len(errs) > 0 {
			return "", errs[0].Extensions.Code
		}
		return answer.Done.Event, ""
	}
	pair := func(a, b, reason string) map[string]any { return map[string]any{"a": a, "b": b, "reason": reason} }
	said := func(a string, consent map[string]any) map[string]any {
		return map[string]any{"a": a, "consent": consent, "reason": "on the phone"}
	}

	linked, code := decide(linking, "K", pair(a, b, "same card"))
	if code != "" {
		t.Fatal(code)
	}
	consented, code := decide(consenting, "C", said(c, grant("k3@example.com", "news")))
	if code != "" {
		t.Fatal(code)
	}
	for _, x := range []struct {
		name, document, key string
		variables           map[string]any
		want                string // empty: refused
	}{
		{"again", linking, "K", pair(a, b, "same card"), linked},
		{"with its sides exchanged", linking, "K", pair(b, a, "same card"), linked},
		{"another side", linking, "K", pair(a, c, "same card"), ""},
		{"nothing in common", linking, "K", pair(b, c, "same card"), ""},
		{"another reason", linking, "K", pair(a, b, "same phone"), ""},
		{"the opposite", separating, "K", pair(a, b, "same card"), ""},
		{"a consent", consenting, "K", said(a, grant("k1@example.com", "news")), ""},
		{"a consent again", consenting, "C", said(c, grant("k3@example.com", "news")), consented},
		{"for another purpose", consenting, "C", said(c, grant("k3@example.com", "survey")), ""},
		{"of somebody else", consenting, "C", said(a, grant("k1@example.com", "news")), ""},
	} {
		event, code := decide(x.document, x.key, x.variables)
		if event != x.want || (x.want == "") != (code == "CONFLICT") {
			t.Errorf("%s: event %q, code %q, want %q", x.name, event, code, x.want)
		}
	}
	if i.holder(t, a) != i.holder(t, b) || i.holder(t, a) == i.holder(t, c) {
		t.Errorf("a and b are linked, and c is neither: %s, %s, %s", i.holder(t, a), i.holder(t, b), i.holder(t, c))
	}

	// Another actor's keys are their own.
	other := i.newToken(t, "decide")
	var answer struct{ Done struct{ Event string } }
	variables := pair(a, c, "same house")
	variables["key"] = "K"
	if errs := i.ask(t, other, separating, variables, &answer); len(errs) > 0 {
		t.Errorf("another actor's decision under the same key: %v", errs)
	}
	corrected(t, i)
	refitted(t, i)
}

const correcting = `mutation($of: ID!, $c: CorrectionInput!, $reason: String!, $key: String!) { done: correctVerbatim(interaction: $of, correction: $c, reason: $reason, idempotencyKey: $key) { event } }`

// corrected: what a customer writes is read, puts its case into the top lane, and is what a person says of it from then on, once.
func corrected(t *testing.T, i *installation) {
	t.Helper()
	i.send(t, basic(i.WriteKey), json.RawMessage(`{"type":"message.received","source":"shop","channel":"email","messageId":"text","occurredAt":"2025-01-04T00:00:00Z",
		"account":{"kind":"crm_id","value":"one-key-3"},"conversation":"fire","text":"Bonjour, votre grille-pain a pris feu dans ma cuisine, je suis furieux. Je vais saisir la DGCCRF."}`))
	i.wait(t)
	type read struct {
		ID       string
		Verbatim *struct {
			Language, Polarity, Criticality, Version string
			Themes                                   []struct{ ID, Polarity string }
			Reasons                                  []struct{ Code, Words string }
			CorrectedBy                              *string
			Correction                               *string
		}
	}
	state := func() (r read, lane string) {
		t.Helper()
		var answer struct {
			Dossier struct {
				Timeline struct{ Edges []struct{ Node read } }
			}
			Inbox struct {
				Edges []struct {
					Node struct {
						Priority struct {
							Lane               string
							CriticalityReasons []string
						}
					}
				}
			}
		}
		i.query(t, `{ dossier(identifier: {kind: "email", value: "k3@example.com"}) { timeline(first: 5, types: ["message.received"]) { edges { node { id verbatim {
			language polarity criticality version themes { id polarity } reasons { code words } correctedBy correction } } } } }
			inbox(first: 1) { edges { node { priority { lane criticalityReasons } } } } }`, nil, &answer)
		if len(answer.Dossier.Timeline.Edges) != 1 || answer.Dossier.Timeline.Edges[0].Node.Verbatim == nil || len(answer.Inbox.Edges) != 1 {
			t.Fatalf("%+v", answer)
		}
		return answer.Dossier.Timeline.Edges[0].Node, fmt.Sprint(answer.Inbox.Edges[0].Node.Priority)
	}
	before, lane := state()
	if v := before.Verbatim; v.Language != "fr" || v.Polarity != "neg" || v.Criticality != "critical" || len(v.Reasons) != 2 || v.Reasons[0].Code != "safety" || v.CorrectedBy != nil || v.Version == "" ||
		lane != "{critical [legal safety]}" {
		t.Errorf("read as %+v, its case is %s", v, lane)
	}
	decide := func(of, key string, correction map[string]any) (event, code string) {
		t.Helper()
		var answer struct{ Done struct{ Event string } }
		if errs := i.ask(t, i.APIToken, correcting, map[string]any{"of": of, "c": correction, "reason": "a film", "key": key}, &answer); len(errs) > 0 {
			return "", errs[0].Extensions.Code
		}
		return answer.Done.Event, ""
	}
	event, code := decide(before.ID, "V", map[string]any{"criticality": "none", "themes": []string{"service"}})
	if code != "" {
		t.Fatal(code)
	}
	after, lane := state()
	if v := after.Verbatim; v.Polarity != "neg" || v.Criticality != "none" || len(v.Reasons) != 0 || len(v.Themes) != 1 || v.Themes[0].ID != "service" || v.CorrectedBy == nil || *v.Correction != event ||
		v.Version != before.Verbatim.Version || lane == "{critical [legal safety]}" {
		t.Errorf("corrected to %+v, its case is %s", v, lane)
	}
	if again, _ := decide(before.ID, "V", map[string]any{"criticality": "none", "themes": []string{"service"}}); again != event {
		t.Errorf("the same key made %s, and first %s", again, event)
	}
	for _, x := range []struct {
		of, key, code string
		c             map[string]any
	}{
		{before.ID, "V", "CONFLICT", map[string]any{"criticality": "low"}}, {event, "W", "BAD_USER_INPUT", map[string]any{"criticality": "low"}},
		{before.ID, "W", "BAD_USER_INPUT", map[string]any{"polarity": "bad"}}, {before.ID, "W", "BAD_USER_INPUT", map[string]any{}},
	} {
		if event, code := decide(x.of, x.key, x.c); code != x.code {
			t.Errorf("%v: event %q, code %q, want %q", x.c, event, code, x.code)
		}
	}
}

// TestConsentOfAVisitor: an agent records what somebody allows whom only a public key knows. It holds, and takes nothing out of the dossier.
func TestConsentOfAVisitor(t *testing.T) {
	besideOthers(t)
	i := install(t)
	i.send(t, basic(i.ClientKey),
		json.RawMessage(`{"type":"profile.identified","messageId":"v1","occurredAt":"2025-01-01T00:00:00Z","userId":"visitor-1","traits":{"first_name":"Zoe"},"identifiers":{"email":"zoe@example.com"}}`),
		json.RawMessage(`{"type":"message.received","messageId":"v2","occurredAt":"2025-01-01T00:00:00Z","conversation":"form-9","traits":{"first_name":"Ugo"},"identifiers":{"email":"ugo@example.com"},"text":"bonjour"}`))
	i.wait(t)
	type dossier struct {
		Profile      struct{ ID string }
		GoldenRecord []struct{ Name, Value string }
		Consents     []struct {
			Value   string
			Allowed bool
		}
	}
	read := func(email string) (d dossier) {
		t.Helper()
		var answer struct{ Dossier *dossier }
		i.query(t, `query($e: String!) { dossier(identifier: {kind: "email", value: $e}) { profile { id } goldenRecord { name value } consents { value allowed } } }`, map[string]any{"e": email}, &answer)
		if answer.Dossier == nil {
			t.Fatalf("nobody owns %s", email)
		}
		return *answer.Dossier
	}
	// Of a contact whose account is nobody's, a contact point can say yes or no, and nothing else.
	errs := i.ask(t, i.APIToken, consenting, map[string]any{"a": read("ugo@example.com").Profile.ID, "reason": "on the phone", "key": "whole", "consent": map[string]any{
		"channel": "phone", "purpose": "news", "state": "denied"}}, nil)
	if len(errs) != 1 || errs[0].Extensions.Code != "BAD_USER_INPUT" {
		t.Errorf("a consent that nothing would join to the person: %v", errs)
	}
	for _, x := range []struct{ email, name string }{{"zoe@example.com", "Zoe"}, {"ugo@example.com", "Ugo"}} {
		before := read(x.email)
		if len(before.GoldenRecord) == 0 || len(before.Consents) != 0 {
			t.Fatalf("before: %+v", before)
		}
		var answer struct{ Done struct{ Event string } }
		i.query(t, consenting, map[string]any{"a": before.Profile.ID, "reason": "on the phone", "key": x.name, "consent": map[string]any{
			"kind": "email", "value": x.email, "channel": "email", "purpose": "news", "state": "granted", "proof": "call 7"}}, &answer)
		after := read(x.email)
		if fmt.Sprint(after.GoldenRecord) != fmt.Sprint(before.GoldenRecord) {
			t.Errorf("%s: golden record %v, and before the consent %v", x.name, after.GoldenRecord, before.GoldenRecord)
		}
		if len(after.Consents) != 1 || !after.Consents[0].Allowed || after.Consents[0].Value != x.email {
			t.Errorf("%s: consents %+v", x.name, after.Consents)
		}
		if i.holder(t, before.Profile.ID) != after.Profile.ID {
			t.Errorf("%s: the id %s names %s, and the dossier is %s", x.name, before.Profile.ID, i.holder(t, before.Profile.ID), after.Profile.ID)
		}
	}
}

// refitted: what people correct makes another version, by which texts are read from then on; the others keep theirs until all are restated.
func refitted(t *testing.T, i *installation) {
	t.Helper()
	const wood = 24
	var events []json.RawMessage
	message := func(n int, at, text string) json.RawMessage {
		return json.RawMessage(fmt.Sprintf(`{"type":"message.received","source":"shop","channel":"email","messageId":"wood-%d",%s"account":{"kind":"crm_id","value":"wood-%d"},"text":%q}`, n, at, n, text))
	}
	for n := range wood {
		events = append(events, message(n, `"occurredAt":"2025-01-05T00:00:00Z",`, fmt.Sprintf("La planche %d est arrivée toute verte.", n)))
	}
	for n := range wood {
		events = append(events, message(wood+n, `"occurredAt":"2025-01-05T00:00:00Z",`, fmt.Sprintf("Livraison rapide et soignée, commande %d.", n)))
	}
	ids := i.send(t, basic(i.WriteKey), events...)
	i.wait(t)
	version := func(person int) (v struct{ Version, Polarity string }) {
		t.Helper()
		var answer struct {
			Dossier struct {
				Timeline struct {
					Edges []struct {
						Node struct {
							Verbatim struct{ Version, Polarity string }
						}
					}
				}
			}
		}
		i.query(t, fmt.Sprintf(`{ dossier(identifier: {kind: "crm_id", value: "wood-%d"}) { timeline(first: 1, types: ["message.received"]) { edges { node { verbatim { version polarity } } } } } }`, person), nil, &answer)
		if len(answer.Dossier.Timeline.Edges) == 1 {
			v = answer.Dossier.Timeline.Edges[0].Node.Verbatim
		}
		return v
	}
	shipped := version(0)
	if o := i.dossier(t, "verbatim", "refit"); o.code == 0 {
		t.Error("a refit without corrections learns something")
	}
	if o := i.dossier(t, "verbatim", "restate"); o.code == 0 {
		t.Error("there is nothing to restate, and it is restated")
	}
	for n, of := range ids[:wood] {
		errs := i.ask(t, i.APIToken, correcting, map[string]any{"of": of, "c": map[string]any{"polarity": "neg"}, "reason": "wet wood", "key": fmt.Sprint("wood-", n)}, &struct{}{})
		if len(errs) > 0 {
			t.Fatalf("%+v", errs)
		}
	}
	var line struct {
		Version string
		Texts   int
	}
	if err := json.Unmarshal([]byte(i.must(t, "verbatim", "refit", "--reason", "wood", "--json")), &line); err != nil || line.Texts < wood || line.Version == "" {
		t.Fatalf("%+v, %v", line, err)
	}
	i.send(t, basic(i.WriteKey), message(2*wood, "", "La planche du salon est arrivée toute verte."))
	i.wait(t)
	if old, now := version(wood+1), version(2*wood); old.Version != shipped.Version || !strings.HasPrefix(now.Version, line.Version+"+") || now.Polarity != "neg" {
		t.Errorf("after the refit to %s a text from before is read by %s, one from after by %+v", line.Version, old.Version, now)
	}
	i.must(t, "verbatim", "restate", "--reason", "wood")
	deadline := time.Now().Add(30 * time.Second)
	for version(wood+1).Version != version(2*wood).Version {
		if time.Now().After(deadline) {
			t.Fatalf("restated, a text is read by %+v", version(wood+1))
		}
		time.Sleep(200 * time.Millisecond)
	}
	if list := i.must(t, "verbatim", "models"); strings.Count(list, line.Version) != 2 {
		t.Errorf("the list of versions is\n%s", list)
	}
}
