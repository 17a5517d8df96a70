package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
)

// TestNoPublicKeyMakesAnAnswerAmbiguous: whoever reads a site's public key can claim other people's ids and addresses with it. A person whom a server knows
// by them is still the one answer; people whom only public keys know are several, as long as nobody can tell.
func TestNoPublicKeyMakesAnAnswerAmbiguous(t *testing.T) {
	besideOthers(t)
	i := install(t)
	i.send(t, basic(i.WriteKey),
		json.RawMessage(`{"type":"profile.identified","source":"shop","messageId":"s1","occurredAt":"2025-01-01T00:00:00Z","userId":"V1","traits":{"first_name":"Vera"},"identifiers":{"email":"vera@example.com"}}`),
		json.RawMessage(`{"type":"profile.identified","source":"shop","messageId":"s2","occurredAt":"2025-01-01T00:00:00Z","userId":"W1","traits":{"first_name":"Walter"},"identifiers":{"email":"walter@example.com"}}`))
	i.send(t, basic(i.ClientKey),
		json.RawMessage(`{"type":"profile.identified","messageId":"c2","occurredAt":"2025-01-02T00:00:00Z","userId":"x7","traits":{"first_name":"Mallory"},"identifiers":[{"kind":"email","value":"vera@example.com"},{"kind":"user_id","value":"V1"}]}`),
		json.RawMessage(`{"type":"profile.identified","messageId":"c3","occurredAt":"2025-01-02T00:00:00Z","userId":"y1","traits":{"first_name":"Yann"},"identifiers":{"email":"shared@example.com"}}`),
		json.RawMessage(`{"type":"profile.identified","messageId":"c4","occurredAt":"2025-01-02T00:00:00Z","userId":"y2","traits":{"first_name":"Yves"},"identifiers":{"email":"shared@example.com"}}`))
	if status, answer := i.post(t, "/v1/alias", basic(i.ClientKey), []byte(`{"messageId":"c1","timestamp":"2025-01-02T00:00:00Z","userId":"V1","previousId":"W1"}`)); status != 200 {
		t.Fatalf("alias: %d %s", status, answer)
	}
	i.wait(t)
	for _, x := range []struct{ kind, value, account string }{
		{"user_id", "V1", "V1"}, {"user_id", "W1", "W1"}, {"email", "vera@example.com", "V1"}, {"email", "walter@example.com", "W1"},
	} {
		want := i.holder(t, i.persona(t, "shop", x.account))
		if got := i.owner(t, x.kind, x.value); got != want {
			t.Errorf("%s %s is %s, want %s", x.kind, x.value, got, want)
		}
		if o := i.dossier(t, "show", x.kind+":"+x.value); o.code != 0 {
			t.Errorf("show %s:%s: exit %d: %s", x.kind, x.value, o.code, o.stderr)
		}
	}
	var names struct {
		Dossier struct {
			GoldenRecord []struct{ Name, Value string }
		}
	}
	i.query(t, `{ dossier(identifier: {kind: "email", value: "vera@example.com"}) { goldenRecord { name value } } }`, nil, &names)
	if got := fmt.Sprint(names.Dossier.GoldenRecord); got != "[{first_name Vera}]" {
		t.Errorf("golden record %s", got)
	}
	if o := i.dossier(t, "show", "email:shared@example.com"); o.code != 3 {
		t.Errorf("two visitors with one address: exit %d: %s", o.code, o.stdout)
	}

	// Nor can it speak for anybody: consents need a server's word.
	status, answer := i.post(t, "/v1/events", basic(i.ClientKey), []byte(
		`{"type":"profile.identified","messageId":"c5","userId":"V1","consents":[{"kind":"email","value":"vera@example.com","channel":"email","purpose":"news","state":"denied"}]}`))
	if status != 403 {
		t.Errorf("a refusal through a public key: %d %s", status, answer)
	}
}
