package webhook

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"pgregory.net/rapid"
)

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i+1 < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func ready(t testing.TB, s Signature) *Signature {
	t.Helper()
	if s.Secrets == nil {
		s.Secrets = []string{"secret:S"}
	}
	if err := s.prepare(); err != nil {
		t.Fatal(err)
	}
	return &s
}

// The signatures below are the providers' own: from the text of Standard Webhooks, and from the documentation of GitHub, Slack and Twilio. Those
// of Stripe, Shopify and Zendesk were made by another program.
func TestProviders(t *testing.T) {
	slack := "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	twilio := url.Values{"Digits": {"1234"}, "From": {"+14158675309"}, "To": {"+18005551212"}, "Caller": {"+14158675309"}, "CallSid": {"CA1234567890ABCDE"}}
	for _, c := range []struct {
		name, secret string
		signature    Signature
		request      Request
		at           int64 // seconds, of signing; 0: it has none
	}{
		{"standard webhooks", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Signature{Scheme: "standard"}, Request{
			Header: headers("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp", "1614265330", "webhook-signature", "v1a,xyz v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
			Body:   []byte(`{"test": 2432232314}`),
		}, 1614265330},
		{"github", "It's a Secret to Everybody", Signature{Scheme: "hmac", Header: "X-Hub-Signature-256", Prefix: "sha256="}, Request{
			Header: headers("X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"), Body: []byte("Hello, World!"),
		}, 0},
		{"slack", "8f742231b10e8888abcd99yyyzzz85a5", Signature{Scheme: "hmac", Header: "X-Slack-Signature", Prefix: "v0=", Timestamp: "X-Slack-Request-Timestamp", Signed: "v0:{timestamp}:{body}"}, Request{
			Header: headers("X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503", "X-Slack-Request-Timestamp", "1531420618"), Body: []byte(slack),
		}, 1531420618},
		{"twilio", "12345", Signature{Scheme: "form", Header: "X-Twilio-Signature", URL: "https://mycompany.com/myapp.php?foo=1&bar=2"}, Request{
			Header: headers("X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8="), Form: twilio,
		}, 0},
		{"stripe", "whsec_test", Signature{Scheme: "hmac", Header: "Stripe-Signature", Field: "v1", TimeField: "t", Signed: "{timestamp}.{body}"}, Request{
			Header: headers("Stripe-Signature", "t=1700000000,v1=0000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925,v0=6ffbb59b"), Body: []byte(`{"id":"evt_1"}`),
		}, 1700000000},
		{"shopify", "hush", Signature{Scheme: "hmac", Header: "X-Shopify-Hmac-Sha256", Encoding: "base64"}, Request{
			Header: headers("X-Shopify-Hmac-Sha256", "qBvrsZF7RfB1iS6BX6IHqJTp5L911P7intnPeTPsH0I="), Body: []byte(`{"id":820982911946154508}`),
		}, 0},
		{"zendesk", "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==", Signature{Scheme: "hmac", Header: "X-Zendesk-Webhook-Signature", Encoding: "base64", Timestamp: "X-Zendesk-Webhook-Signature-Timestamp", Signed: "{timestamp}{body}"}, Request{
			Header: headers("X-Zendesk-Webhook-Signature", "ZyPRlM3HgnpIaroqiHpT6LrKhfx1k9rvR7QdD1hBbZM=", "X-Zendesk-Webhook-Signature-Timestamp", "2021-03-25T05:09:27Z"), Body: []byte(`{"id":7}`),
		}, 1616648967},
		{"gitlab", "tok", Signature{Scheme: "token", Header: "X-Gitlab-Token"}, Request{Header: headers("X-Gitlab-Token", "tok"), Body: []byte("{}")}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := ready(t, c.signature)
			now := time.Unix(c.at, 0)
			check := func(what string, secrets []string, r Request, now time.Time, want string) {
				t.Helper()
				code := ""
				if refusal := s.Verify(&r, secrets, now); refusal != nil {
					code = refusal.Code
				}
				if code != want {
					t.Errorf("%s: %q, want %q", what, code, want)
				}
			}
			check("as it is", []string{c.secret}, c.request, now, "")
			other := c.secret[:len(c.secret)-2] + "AA"
			if strings.HasPrefix(c.secret, "whsec_M") {
				other = "whsec_AAAA"
			}
			check("while the secret is being changed", []string{other, c.secret}, c.request, now, "")
			check("another secret", []string{other}, c.request, now, CodeSignatureWrong)
			check("no header", []string{c.secret}, Request{Header: http.Header{}, Body: c.request.Body}, now, CodeSignatureMissing)
			if c.signature.Scheme != SchemeToken {
				changed := c.request
				changed.Body, changed.Form = append([]byte(" "), c.request.Body...), url.Values{"Digits": {"1235"}}
				check("another body", []string{c.secret}, changed, now, CodeSignatureWrong)
			}
			if c.at != 0 {
				check("just in time", []string{c.secret}, c.request, now.Add(DefaultTolerance), "")
				check("too old", []string{c.secret}, c.request, now.Add(DefaultTolerance+time.Second), CodeTimestampTooOld)
				check("too early", []string{c.secret}, c.request, now.Add(-DefaultTolerance-time.Second), CodeTimestampAhead)
			}
		})
	}
}

// TestStandardWebhooksLibrary: what the library of Standard Webhooks signs we take, what it refuses we refuse.
func TestStandardWebhooksLibrary(t *testing.T) {
	s := ready(t, Signature{Scheme: SchemeStandard})
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 24, 64).Draw(t, "key")
		theirs, err := standardwebhooks.NewWebhookRaw(key)
		if err != nil {
			t.Fatal(err)
		}
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		id := rapid.StringMatching(`[a-zA-Z0-9_]{1,40}`).Draw(t, "id")
		now := time.Now()
		at := now.Add(time.Duration(rapid.IntRange(-400, 400).Draw(t, "seconds")) * time.Second)
		signature, err := theirs.Sign(id, at, body)
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "altered") {
			b := []byte(signature)
			b[rapid.IntRange(3, len(b)-3).Draw(t, "where")] ^= 1
			signature = string(b)
		}
		h := headers("webhook-id", id, "webhook-timestamp", strconv.FormatInt(at.Unix(), 10), "webhook-signature", "v2,AAAA "+signature)
		// The library reads the clock itself: keep off the very edge.
		if away := now.Sub(at).Abs(); away > 295*time.Second && away < 305*time.Second {
			return
		}
		want := theirs.Verify(body, h)
		got := s.Verify(&Request{Header: h, Body: body}, []string{encode(key)}, now)
		if (want == nil) != (got == nil) {
			t.Fatalf("the library says %v, we say %v", want, got)
		}
	})
}

func TestPrepareRefuses(t *testing.T) {
	for _, c := range []struct {
		s    Signature
		want string
	}{
		{Signature{Scheme: "standard"}, "needs secrets"},
		{Signature{Scheme: "none", Secrets: []string{"secret:S"}}, "none of standard"},
		{Signature{Scheme: "standard", Secrets: []string{"whsec_abc"}}, "stands in the configuration"},
		{Signature{Scheme: "standard", Secrets: []string{"secret:../master"}}, "stands in the configuration"},
		{Signature{Scheme: "standard", Secrets: []string{"secret:DOSSIER_MASTER_KEY"}}, "stands in the configuration"},
		{Signature{Scheme: "standard", Secrets: []string{"secret:S"}, Header: "X"}, "alone"},
		{Signature{Scheme: "standard", Secrets: []string{"secret:S"}, Tolerance: "5"}, "duration"},
		{Signature{Scheme: "hmac", Secrets: []string{"secret:S"}}, "header"},
		{Signature{Scheme: "hmac", Secrets: []string{"secret:S"}, Header: "X", Hash: "md5"}, "hash"},
		{Signature{Scheme: "hmac", Secrets: []string{"secret:S"}, Header: "X", Encoding: "base32"}, "encoding"},
		{Signature{Scheme: "hmac", Secrets: []string{"secret:S"}, Header: "X", Timestamp: "Y"}, "{timestamp}"},
		{Signature{Scheme: "hmac", Secrets: []string{"secret:S"}, Header: "X", Signed: "{timestamp}.{body}"}, "{timestamp}"},
		{Signature{Scheme: "form", Secrets: []string{"secret:S"}, Header: "X"}, "url"},
		{Signature{Scheme: "token", Secrets: []string{"secret:S"}}, "header"},
	} {
		if err := c.s.prepare(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.s, err, c.want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "1614265330", []byte(`{"test": 2432232314}`))
	f.Add("t=1,v1=00,v1=,=,", "2021-03-25T05:09:27Z", []byte("a=b&c"))
	f.Fuzz(func(t *testing.T, signature, at string, body []byte) {
		h := headers("webhook-id", "m", "webhook-timestamp", at, "webhook-signature", signature, "X", signature, "Y", at)
		for _, s := range []Signature{
			{Scheme: "standard"}, {Scheme: "hmac", Header: "X", Timestamp: "Y", Signed: "{timestamp}{body}"},
			{Scheme: "hmac", Header: "X", Field: "v1", TimeField: "t", Signed: "{timestamp}.{body}", Encoding: "base64"},
			{Scheme: "form", Header: "X", URL: "https://a.example/b"}, {Scheme: "token", Header: "X"},
		} {
			// Nobody who does not know the key signs with it.
			if r := ready(t, s).Verify(&Request{Header: h, Body: body}, []string{"whsec_" + "c2VjcmV0IHRoYXQgbm9ib2R5IGtub3dz"}, time.Unix(1614265330, 0)); r == nil {
				t.Fatalf("%s believes %q", s.Scheme, signature)
			}
		}
	})
}
