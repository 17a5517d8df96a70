package collector

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/webhook"
	"github.com/dossier-cdp/dossier/pipelines/configuration"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
)

// mappingFolder has the mappings that we ship for webhooks.
const mappingFolder = "../../deploy/mappings/hooks"

// hooked makes the rig take webhooks by a configuration, with secrets by name.
func (r *rig) hooked(t testing.TB, document string, secrets map[string]string) {
	t.Helper()
	c, err := configuration.Parse([]byte(document), time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	w, _ := r.workspace("main")
	w.Source = c.Source
	w.Hook = func(source string) (*webhook.Hook, bool) { h, ok := c.Hooks[source]; return h, ok }
	w.Secrets = func(names []string) ([]string, error) {
		var values []string
		for _, name := range names {
			value, known := secrets[strings.TrimPrefix(name, "secret:")]
			if !known {
				return nil, errors.New("there is no " + name)
			}
			values = append(values, value)
		}
		return values, nil
	}
}

const (
	whSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	deskHook = `{"sources":{"desk":{"channel":"chat","country":"FR","hook":{
		"mapping":"name: desk\npath: messages\nevents:\n  - {type: message.received, time: at, conversation: $.thread, text: text, identifiers: [{kind: email, value: from}], properties: {}}",
		"signature":{"scheme":"standard","secrets":["secret:DESK","secret:DESK_OLD"]}}}}}`
	deskBody = `{"thread":"c1","messages":[{"at":"2026-03-01T11:00:00Z","from":"ann@example.com","text":"où est mon colis ?"},{"at":"2026-03-01T11:01:00Z","from":"ann@example.com","text":"allô ?"}]}`
)

// signed posts a body as the library of Standard Webhooks signs it.
func (r *rig) signed(t testing.TB, path, secret, id string, at time.Time, body string) answer {
	t.Helper()
	theirs, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := theirs.Sign(id, at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return r.post(t, path, "", body, "webhook-id", id, "webhook-timestamp", strconv.FormatInt(at.Unix(), 10), "webhook-signature", signature)
}

func TestHook(t *testing.T) {
	r := newRig(t, Limits{})
	old := "whsec_" + base64.StdEncoding.EncodeToString([]byte("the secret before this one"))
	r.hooked(t, deskHook, map[string]string{"DESK": whSecret, "DESK_OLD": old})
	first := r.signed(t, "/hooks/desk", whSecret, "msg_1", r.now, deskBody)
	if first.status != 200 || first.Accepted != 2 || len(first.IDs) != 2 {
		t.Fatalf("%d %s", first.status, first.body)
	}
	for _, e := range r.events(t) {
		if e.Source != "desk" || e.Channel != schema.ChannelChat || e.Conversation != "c1" || e.Provenance.Trust != schema.TrustServer || e.Provenance.Mapping != "desk" || e.Provenance.Country != "FR" {
			t.Fatalf("%+v", e)
		}
	}
	// The same webhook, sent again within the window, at another moment, with the secret before: the same events.
	r.now = r.now.Add(4 * time.Minute)
	again := r.signed(t, "/hooks/desk/", old, "msg_1", r.now.Add(-time.Minute), deskBody)
	if again.status != 200 || again.Accepted != 2 || *again.IDs[0] != *first.IDs[0] || *again.IDs[1] != *first.IDs[1] {
		t.Fatalf("%d %s, first %s", again.status, again.body, first.body)
	}
	if other := r.signed(t, "/hooks/desk", whSecret, "msg_2", r.now, deskBody); *other.IDs[0] == *first.IDs[0] {
		t.Fatal("another webhook is the same event")
	}

	stored, letters := r.log.len(), r.letters.len()
	for name, c := range map[string]struct {
		a      answer
		status int
		code   string
	}{
		"an unknown source": {r.signed(t, "/hooks/till", whSecret, "m", r.now, deskBody), 404, "source_unknown"},
		"no source":         {r.signed(t, "/hooks/", whSecret, "m", r.now, deskBody), 404, "source_unknown"},
		"another secret":    {r.signed(t, "/hooks/desk", "whsec_"+base64.StdEncoding.EncodeToString([]byte("not ours")), "m", r.now, deskBody), 401, "signature_wrong"},
		"no signature":      {r.post(t, "/hooks/desk", "", deskBody), 401, "signature_missing"},
		"a server key":      {r.post(t, "/hooks/desk", serverKey, deskBody), 401, "signature_missing"},
		"too old":           {r.signed(t, "/hooks/desk", whSecret, "m", r.now.Add(-6*time.Minute), deskBody), 401, "timestamp_too_old"},
		"ahead":             {r.signed(t, "/hooks/desk", whSecret, "m", r.now.Add(6*time.Minute), deskBody), 401, "timestamp_in_future"},
		"no JSON":           {r.signed(t, "/hooks/desk", whSecret, "m", r.now, `{"messages":`), 400, "not_json"},
		"empty":             {r.signed(t, "/hooks/desk", whSecret, "m", r.now, ""), 400, "not_json"},
		"too large":         {r.signed(t, "/hooks/desk", whSecret, "m", r.now, `"`+strings.Repeat("x", hookBytes)+`"`), 413, "body_too_large"},
	} {
		if c.a.status != c.status || c.a.code() != c.code {
			t.Errorf("%s: %d %s, want %d %s", name, c.a.status, c.a.body, c.status, c.code)
		}
	}
	if r.log.len() != stored || r.letters.len() != letters {
		t.Error("what was not believed or not read was stored")
	}
	request := httptest.NewRequest(http.MethodGet, "/hooks/desk", nil)
	if a := r.do(t, request); a.status != 405 || a.header.Get("Allow") != "POST" {
		t.Errorf("GET: %d %v", a.status, a.header)
	}
}

// TestHookUnmapped: what is signed and can be parsed is never answered so that the provider sends it again; it is in the dead letters, whole.
func TestHookUnmapped(t *testing.T) {
	r := newRig(t, Limits{})
	r.hooked(t, deskHook, map[string]string{"DESK": whSecret, "DESK_OLD": whSecret})
	for n, c := range []struct {
		body     string
		accepted int
		codes    []string
		raw      string // of the first letter
	}{
		{`{"other":1}`, 0, []string{"field_invalid"}, `{"other":1}`},
		{`[7]`, 0, []string{"not_an_object"}, `[7]`},
		{`{"thread":"c9","messages":[{"at":"yesterday","from":"bob@example.com","text":"a"},{"at":"2026-03-01T11:00:00Z","text":"b"}]}`, 1, []string{"time_invalid"}, `{"at":"yesterday","from":"bob@example.com","text":"a"}`},
		{`{"messages":[{"at":"2026-03-09T11:00:00Z","text":"c"}]}`, 0, []string{"time_in_future"}, `{"at":"2026-03-09T11:00:00Z","text":"c"}`},
		{`{"messages":[]}`, 0, nil, ""},
	} {
		r.letters.messages = nil
		a := r.signed(t, "/hooks/desk", whSecret, "m"+strconv.Itoa(n), r.now, c.body)
		if a.status != 200 || a.Accepted != c.accepted || len(a.Refused) != len(c.codes) {
			t.Errorf("%s: %d %s", c.body, a.status, a.body)
			continue
		}
		letters := r.refusedLetters(t)
		if len(letters) != len(c.codes) {
			t.Errorf("%s: %d letters", c.body, len(letters))
			continue
		}
		for i, l := range letters {
			if l.Code != c.codes[i] || l.Source != "desk" || l.Endpoint != "/hooks/desk" || l.Mapping != "desk" || l.Context != nil {
				t.Errorf("%s: %+v %s", c.body, l.Clear, l.Context)
			}
		}
		if len(letters) > 0 && string(letters[0].Raw) != c.raw {
			t.Errorf("%s: the letter has %s", c.body, letters[0].Raw)
		}
	}
	// Without a log nothing is answered with 200.
	r.log.setFail(errFull)
	if a := r.signed(t, "/hooks/desk", whSecret, "m", r.now, deskBody); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("without a log: %d %s", a.status, a.body)
	}
	r.log.setFail(nil)
	r.letters.setFail(errFull)
	if a := r.signed(t, "/hooks/desk", whSecret, "m", r.now, `{"other":1}`); a.status != 503 {
		t.Errorf("without dead letters: %d %s", a.status, a.body)
	}
}

func TestHookSecrets(t *testing.T) {
	r := newRig(t, Limits{})
	r.hooked(t, deskHook, map[string]string{"DESK": whSecret})
	if a := r.signed(t, "/hooks/desk", whSecret, "m", r.now, deskBody); a.status != 503 || a.code() != "secret_missing" || a.header.Get("Retry-After") == "" {
		t.Errorf("without a secret: %d %s", a.status, a.body)
	}
	r.hooked(t, deskHook, map[string]string{"DESK": "?", "DESK_OLD": whSecret})
	if a := r.signed(t, "/hooks/desk", whSecret, "m", r.now, deskBody); a.status != 503 || a.code() != webhook.CodeSecretInvalid {
		t.Errorf("with a secret that is none: %d %s", a.status, a.body)
	}
	none := newRig(t, Limits{})
	if a := none.post(t, "/hooks/desk", "", deskBody); a.status != 503 {
		t.Errorf("a workspace that is not ready: %d %s", a.status, a.body)
	}
}

// TestHookJavaScript: the library of Standard Webhooks for JavaScript, unmodified.
func TestHookJavaScript(t *testing.T) {
	npmPackages(t, peerFolder, "node")
	r := newRig(t, Limits{})
	r.now = time.Now()
	r.hooked(t, deskHook, map[string]string{"DESK": whSecret, "DESK_OLD": whSecret})
	server := httptest.NewServer(r.Handler())
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for ago, want := range map[string]string{"0": `200 {"accepted":2`, "200": `200 {"accepted":2`, "3600": "401 ", "-3600": "401 "} {
		out, err := exec.CommandContext(ctx, "node", filepath.Join(peerFolder, "webhook.mjs"), server.URL+"/hooks/desk", whSecret, "msg_1", ago, deskBody).CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("%s seconds ago: %s %v, want %s", ago, out, err, want)
		}
	}
	events := r.events(t)
	if len(events) != 4 || events[0].ID != events[2].ID || events[1].ID != events[3].ID {
		t.Errorf("%d events written", len(events))
	}
}

// shipped is a configuration with a mapping that we ship, as its README says to write it.
func shipped(t testing.TB, product string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(mappingFolder, product+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"mapping":%q`, text)
}

// TestShippedHooks: payloads as three products send them, by the mappings that we ship.
func TestShippedHooks(t *testing.T) {
	now := testNow
	hmac256 := func(secret, signed string) []byte {
		h := hmac.New(sha256.New, []byte(secret))
		h.Write([]byte(signed)) // a hash takes everything
		return h.Sum(nil)
	}
	document := `{"sources":{
		"zendesk":{"channel":"email","hook":` + shipped(t, "zendesk") + `,"signature":{"scheme":"hmac","header":"X-Zendesk-Webhook-Signature","encoding":"base64","timestamp":"X-Zendesk-Webhook-Signature-Timestamp","signed":"{timestamp}{body}","secrets":["secret:Z"]}}},
		"shopify":{"channel":"web","hook":` + shipped(t, "shopify") + `,"id":"X-Shopify-Event-Id","signature":{"scheme":"hmac","header":"X-Shopify-Hmac-Sha256","encoding":"base64","secrets":["secret:S"]}}},
		"stripe":{"channel":"web","hook":` + shipped(t, "stripe") + `,"signature":{"scheme":"hmac","header":"Stripe-Signature","field":"v1","timeField":"t","signed":"{timestamp}.{body}","secrets":["secret:P"]}}},
		"sms":{"channel":"sms","hook":` + shipped(t, "twilio") + `,"signature":{"scheme":"form","header":"X-Twilio-Signature","url":"https://hooks.shop.example/hooks/sms","secrets":["secret:T"]}}}}}`
	for product, c := range map[string]struct {
		headers func(name, body string) []string
		cases   map[string]string // golden: file of the payload → events
	}{
		"zendesk": {func(name, body string) []string {
			at := now.Format(time.RFC3339)
			return []string{"X-Zendesk-Webhook-Signature", base64.StdEncoding.EncodeToString(hmac256("z", at+body)), "X-Zendesk-Webhook-Signature-Timestamp", at, "X-Zendesk-Webhook-Invocation-Id", "01H"}
		}, map[string]string{
			"ticket_created":       "case.opened|zendesk_user 8447388090494|zendesk_user:8447388090494|case 5158|Help, my parcel is lost|2026-02-20T13:50:00.611672Z|",
			"comment_by_customer":  "message.received|zendesk_user 8447388090494|zendesk_user:8447388090494|case 5158|Still nothing. Où est mon colis ?|2026-02-20T14:02:12.015Z|",
			"comment_by_agent":     "message.sent|zendesk_user 8447388090494|zendesk_user:8447388090494|case 5158|We are looking for it.|2026-02-20T14:10:00Z|agent",
			"ticket_status_solved": "case.resolved|zendesk_user 8447388090494|zendesk_user:8447388090494|case 5158||2026-02-21T09:00:00Z|agent",
			"user_created":         "profile.identified|zendesk_user 8447388090494|email:jane.lee@example.com,crm_id:C-1009,zendesk_user:8447388090494|case ||2026-02-20T13:40:00Z|",
			"article_published":    "",
		}},
		"shopify": {func(name, body string) []string {
			return []string{"X-Shopify-Hmac-Sha256", base64.StdEncoding.EncodeToString(hmac256("s", body)), "X-Shopify-Event-Id", "evt-7", "X-Shopify-Topic", strings.Replace(strings.TrimSuffix(name, "_guest"), "_", "/", 1)}
		}, map[string]string{
			"orders_create":       "order.placed|shopify_customer 115310627314723954|email:jon@example.com,phone:+16135550142,shopify_customer:115310627314723954|case ||2026-02-11T15:00:00Z 598.94 EUR|",
			"orders_create_guest": "order.placed|of its own|email:guest@example.com|case ||2026-02-11T15:30:00Z 12.50 EUR|",
			"customers_create":    "profile.identified|shopify_customer 706405506930370084|email:bob@biller.com,shopify_customer:706405506930370084|case ||2026-02-11T14:00:00Z|",
		}},
		"stripe": {func(name, body string) []string {
			return []string{"Stripe-Signature", fmt.Sprintf("t=%d,v1=%s,v0=00", now.Unix(), hex.EncodeToString(hmac256("p", fmt.Sprintf("%d.%s", now.Unix(), body))))}
		}, map[string]string{
			"charge_succeeded": "payment.received|stripe_customer cus_9s6XKzkNRiz8i3|email:jenny.rosen@example.com,stripe_customer:cus_9s6XKzkNRiz8i3|case ||2026-02-28T10:00:00Z 20 EUR|",
			"customer_created": "profile.identified|stripe_customer cus_9s6XKzkNRiz8i3|email:jenny.rosen@example.com,stripe_customer:cus_9s6XKzkNRiz8i3|case ||2026-02-28T09:59:00Z|",
			"charge_in_yen":    "payment.received|stripe_customer cus_9s6XKzkNRiz8i3|stripe_customer:cus_9s6XKzkNRiz8i3|case ||2026-02-28T10:00:00Z 1500 JPY|",
			"payout_paid":      "",
		}},
		"sms": {func(name, body string) []string {
			form, err := url.ParseQuery(body)
			if err != nil {
				t.Fatal(err)
			}
			signed := "https://hooks.shop.example/hooks/sms"
			for _, name := range []string{"AccountSid", "Body", "From", "FromCountry", "MessageSid", "NumMedia", "To"} {
				signed += name + form.Get(name)
			}
			h := hmac.New(sha1.New, []byte("t"))
			h.Write([]byte(signed)) // a hash takes everything
			return []string{"X-Twilio-Signature", base64.StdEncoding.EncodeToString(h.Sum(nil)), "Content-Type", "application/x-www-form-urlencoded; charset=UTF-8"}
		}, map[string]string{
			"message_received": "message.received|conversation_id +33612345678|phone:+33612345678|case |Où est mon colis ?|2026-03-01T12:00:00Z|",
		}},
	} {
		for name, want := range c.cases {
			t.Run(product+"/"+name, func(t *testing.T) {
				r := newRig(t, Limits{})
				r.hooked(t, document, map[string]string{"Z": "z", "S": "s", "P": "p", "T": "t"})
				text, err := os.ReadFile(filepath.Join("testdata", "hooks", product+"_"+name))
				if err != nil {
					t.Fatal(err)
				}
				body := strings.TrimSpace(string(text))
				for range 2 {
					if a := r.post(t, "/hooks/"+product, "", body, c.headers(name, body)...); a.status != 200 || len(a.Refused) > 0 {
						t.Fatalf("%d %s", a.status, a.body)
					}
				}
				events := r.events(t)
				if want == "" {
					if len(events) != 0 {
						t.Fatalf("%+v", events)
					}
					return
				}
				if len(events) != 2 || events[0].ID != events[1].ID {
					t.Fatalf("%d events, want the same one twice", len(events))
				}
				if got := line(&events[0]); got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			})
		}
	}
}

// line shows what a mapping made of a payload.
func line(e *schema.Event) string {
	account := e.Account.Kind + " " + e.Account.Value
	if e.Account.Kind == "record_id" {
		account = "of its own"
	}
	var identifiers []string
	for _, id := range e.Identifiers {
		identifiers = append(identifiers, id.Kind+":"+id.Value)
	}
	at := e.OccurredAt.String()
	if e.Amount != "" {
		at += " " + e.Amount + " " + e.Currency
	}
	actor := ""
	if e.Actor != schema.ActorCustomer {
		actor = e.Actor.String()
	}
	return strings.Join([]string{e.Type.String(), account, strings.Join(identifiers, ","), "case " + e.Case, e.Text, at, actor}, "|")
}

func FuzzHook(f *testing.F) {
	for _, body := range []string{deskBody, `{"messages":[{}]}`, `{"messages":{"at":"2026-03-01T11:00:00Z"}}`, "[]", "a=b", `{"messages":[[[{"at":1}]]]}`} {
		f.Add(body, true)
		f.Add(body, false)
	}
	f.Fuzz(func(t *testing.T, body string, honest bool) {
		r := newRig(t, Limits{})
		r.hooked(t, deskHook, map[string]string{"DESK": whSecret, "DESK_OLD": whSecret})
		secret := whSecret
		if !honest {
			secret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("a stranger's"))
		}
		a := r.signed(t, "/hooks/desk", secret, "m", r.now, body)
		switch {
		case !honest && (a.status != 401 || r.log.len()+r.letters.len() > 0):
			t.Fatalf("a stranger is answered %d", a.status)
		case honest && a.status != 200 && a.status != 400:
			t.Fatalf("%q: %d %s", body, a.status, a.body)
		case a.status == 200:
			kept := 0
			for _, refused := range a.Refused {
				if refused.Code != channel.CodeErased && !channel.Forbidden(refused.Code) {
					kept++
				}
			}
			if r.log.len() != a.Accepted || r.letters.len() != kept {
				t.Fatalf("%q: %d events and %d letters of %s", body, r.log.len(), r.letters.len(), a.body)
			}
			for _, m := range r.letters.messages {
				if _, err := deadletter.Open(m.Value, r.ring); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
