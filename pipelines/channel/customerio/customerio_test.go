package customerio

import (
	"encoding/json"
	"testing"
)

func TestCall(t *testing.T) {
	for _, c := range []struct {
		method, path, body string
		call, want         string // "" if there is none
	}{
		{"PUT", "customers/u1", `{"email":"a@b.fr","n":1.50,"anonymous_id":"x"}`, "identify", `{"type":"identify","userId":"u1","anonymousId":"x","traits":{"email":"a@b.fr","n":1.5}}`},
		{"PUT", "customers/ann%40b.fr/", ``, "identify", `{"type":"identify","userId":"ann@b.fr","traits":{"email":"ann@b.fr"}}`},
		{"PUT", "customers/a%2Fb%20c", `{}`, "identify", `{"type":"identify","userId":"a/b c","traits":{}}`},
		{"POST", "customers/u1/events", `{"name":"paid","data":{"total":5},"timestamp":1769745845,"id":"m1","extra":[1]}`, "track",
			`{"type":"track","userId":"u1","event":"paid","properties":{"total":5},"messageId":"m1","timestamp":"2026-01-30T04:04:05Z","context":{"track":{"extra":[1]}}}`},
		{"POST", "customers/u1/events", `{"type":"page","name":"/cart","timestamp":"1769745845"}`, "page", `{"type":"page","userId":"u1","name":"/cart","timestamp":"2026-01-30T04:04:05Z"}`},
		{"POST", "events", `{"name":"seen","anonymous_id":"x","timestamp":1e99}`, "track", `{"type":"track","anonymousId":"x","event":"seen","timestamp":1` + zeros(99) + `}`},
		{"PUT", "customers/u1/devices", `{"device":{"id":"d1","platform":"ios"}}`, "identify", `{"type":"identify","userId":"u1","context":{"device":{"token":"d1","type":"ios"},"track":{"device":{"id":"d1","platform":"ios"}}}}`},
		{"POST", "merge_customers", `{"primary":{"id":"u1"},"secondary":{"email":"a@b.fr"}}`, "alias", `{"type":"alias","userId":"u1","previousId":"a@b.fr","context":{"track":{"primary":{"id":"u1"},"secondary":{"email":"a@b.fr"}}}}`},
		{"POST", "merge_customers", `{"primary":7}`, "alias", `{"type":"alias","context":{"track":{"primary":7}}}`},
		{"POST", "events", `[1]`, "track", `[1]`},
		{"POST", "events", `{"a`, "track", `{"a`},
		{"DELETE", "customers/u1", ``, "", ""},
		{"POST", "customers/u1", `{}`, "", ""},
		{"POST", "customers/u1/suppress", `{}`, "", ""},
		{"PUT", "customers/", `{}`, "", ""},
		{"PUT", "customers/%zz", `{}`, "", ""},
		{"POST", "customer/events", `{}`, "", ""},
	} {
		call, text, ok := Call(c.method, c.path, []byte(c.body))
		if call != c.call || string(text) != c.want || ok != (c.call != "") {
			t.Errorf("%s %s %s: %s %s %t, want %s %s", c.method, c.path, c.body, call, text, ok, c.call, c.want)
		}
	}
}

func zeros(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = '0'
	}
	return string(b)
}

// FuzzCall: a body that is JSON becomes JSON, whatever it is.
func FuzzCall(f *testing.F) {
	f.Add("PUT", "customers/u1", `{"email":"a@b.fr"}`)
	f.Add("POST", "customers/u1/events", `{"name":"paid","timestamp":1769745845}`)
	f.Add("POST", "merge_customers", `{"primary":{"id":"u1"},"secondary":{"email":"a@b.fr"}}`)
	f.Fuzz(func(t *testing.T, method, path, body string) {
		_, text, ok := Call(method, path, []byte(body))
		if ok && json.Valid([]byte(body)) && !json.Valid(text) {
			t.Errorf("%s %s %q becomes %q", method, path, body, text)
		}
	})
}
