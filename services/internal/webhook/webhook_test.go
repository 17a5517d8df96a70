package webhook

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/dossier-cdp/dossier/schema"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// The library of Standard Webhooks takes what is sent, by the old secret and by the new one.
func TestSignature(t *testing.T) {
	other := "whsec_" + base64.StdEncoding.EncodeToString([]byte("another secret of 32 bytes ------"))
	var verified int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		for _, s := range []string{secret, other} {
			theirs, err := standardwebhooks.NewWebhook(s)
			if err != nil {
				t.Error(err)
			}
			if err := theirs.Verify(body, r.Header); err != nil {
				t.Errorf("by %q: %v", s[:10], err)
			} else {
				verified++
			}
			if err := theirs.Verify(append(body, ' '), r.Header); err == nil {
				t.Error("a changed body is taken")
			}
		}
	}))
	defer server.Close()
	d := Destination{URL: server.URL + "/hooks?key=hidden", Secrets: []string{secret, other}, Private: true}
	if err := New().Send(t.Context(), d, Message{"m1", []byte(`{"type":"alert.raised"}`)}); err != nil || verified != 2 {
		t.Fatalf("%v, %d verified", err, verified)
	}
	// The example of the specification.
	got, err := Sign([]string{secret}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if err != nil || got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("%s, %v", got, err)
	}
}

// What must not be reached is not dialled, and nothing of the address is told.
func TestRefused(t *testing.T) {
	reached := 0
	status, after := 200, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached++
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		if status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	tls := httptest.NewTLSServer(nil)
	defer tls.Close()
	m := Message{"m1", []byte("{}")}
	for _, x := range []struct {
		name  string
		d     Destination
		class schema.ErrorClass
		says  string
	}{
		{"plain HTTP", Destination{URL: server.URL, Secrets: []string{secret}}, schema.Rejected, "https"},
		{"a private address", Destination{URL: tls.URL + "/secret", Secrets: []string{secret}}, schema.Transient, "not public"},
		{"a name for a private address", Destination{URL: strings.Replace(tls.URL, "127.0.0.1", "localhost", 1) + "/secret", Secrets: []string{secret}}, schema.Transient, "not public"},
		{"a user", Destination{URL: "https://u:p@example.com/", Secrets: []string{secret}}, schema.Rejected, "user"},
		{"no secret", Destination{URL: server.URL, Private: true}, schema.Rejected, "without a secret"},
		{"a bad secret", Destination{URL: server.URL, Private: true, Secrets: []string{"hunter2"}}, schema.Rejected, "no secret of Standard Webhooks"},
		{"no url", Destination{URL: "::", Secrets: []string{secret}}, schema.Rejected, "url"},
	} {
		err := New().Send(t.Context(), x.d, m)
		if err == nil || schema.ClassOf(err) != x.class || !strings.Contains(err.Error(), x.says) || strings.Contains(err.Error(), "/secret") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v (class %v)", x.name, err, schema.ClassOf(err))
		}
	}
	if reached != 0 {
		t.Fatalf("%d requests arrived", reached)
	}
	d := Destination{URL: server.URL, Secrets: []string{secret}, Private: true}
	for code, class := range map[int]schema.ErrorClass{302: schema.Transient, 400: schema.Transient, 404: schema.Transient, 410: schema.Rejected, 413: schema.Rejected, 429: schema.Transient, 500: schema.Transient} {
		reached, status, after = 0, code, "70"
		err := New().Send(t.Context(), d, m)
		refused := (*Refused)(nil)
		if !errors.As(err, &refused) || refused.Status != code || schema.ClassOf(err) != class || reached != 1 {
			t.Errorf("%d: %v, class %v, reached %d", code, err, schema.ClassOf(err), reached)
		}
		wait, again := Pause(1, err)
		if again != (class == schema.Transient) || again && wait != 70*time.Second {
			t.Errorf("%d: again %v after %s", code, again, wait)
		}
	}
	whole := time.Duration(0)
	for failed := 1; ; failed++ {
		wait, again := Pause(failed, schema.Classify(schema.Transient, errors.New("x")))
		if !again {
			break
		}
		whole += wait
	}
	if whole < 12*time.Hour || whole > 24*time.Hour {
		t.Errorf("given up after %s", whole)
	}
}

func TestPublic(t *testing.T) {
	for address, want := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1:248:1893:25c8:1946": true, "127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false,
		"100.64.0.1": false, "0.0.0.0": false, "::1": false, "fe80::1": false, "fc00::1": false, "::ffff:127.0.0.1": false, "::ffff:93.184.216.34": true, "224.0.0.1": false, "240.0.0.1": false,
		"255.255.255.255": false, "64:ff9b::7f00:1": false, "198.18.0.1": false,
	} {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: public %v", address, got)
		}
	}
}
