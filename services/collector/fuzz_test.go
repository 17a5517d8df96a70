package collector

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/envelope"
)

// FuzzIngest: whatever a body holds, the answer is one of those that are documented, what was accepted can be opened, and each
// item is either accepted or refused.
func FuzzIngest(f *testing.F) {
	f.Add("/v1/batch", "", []byte(`{"batch":[`+goodTrack+`,{"type":"alias","userId":"a","previousId":"b"}],"context":{"ip":"1"}}`))
	f.Add("/v1/events", "", []byte(`{"type":"message.received","identifiers":{"email":["a@b.fr"]},"rating":4,"amount":"1.50"}`+"\n{}"))
	f.Add("/v1/events", "", []byte(`[{"type":"consent.recorded","consents":[{"state":"denied"}]},7]`))
	f.Add("/v1/identify", "", []byte(`{"anonymousId":7,"traits":{"email":"x","\u0000":null}}`))
	f.Add("/v1/track", "gzip", []byte(gzipped(goodTrack)))
	f.Add("/v1/track", "deflate", []byte{0x78, 0x9c, 1})
	f.Add("/v1/track", "zstd", []byte{0x28, 0xb5, 0x2f, 0xfd, 0})
	f.Add("/v1/track", "br", []byte{0x0b})
	r := newRig(f, Limits{Body: 64 << 10, InFlight: 1 << 20})
	f.Fuzz(func(t *testing.T, path, encoding string, body []byte) {
		r.log.messages, r.letters.messages = nil, nil
		req := httptest.NewRequest(http.MethodPost, "/v1/batch", bytes.NewReader(body))
		req.URL.Path = path
		req.Header.Set("Content-Encoding", encoding)
		req.SetBasicAuth(serverKey, "")
		w := httptest.NewRecorder()
		r.Handler().ServeHTTP(w, req)
		var a answer
		text, err := io.ReadAll(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &a); err != nil {
			t.Fatalf("%d %q: %v", w.Code, text, err)
		}
		if r.Metrics().requests[w.Code] == nil {
			t.Fatalf("status %d", w.Code)
		}
		if w.Code == http.StatusServiceUnavailable {
			t.Fatalf("503: %s", text)
		}
		for _, m := range r.log.messages {
			var e schema.Event
			if err := envelope.Open(r.ring, m.Value, &e); err != nil {
				t.Fatal(err)
			}
			if e.ID.IsZero() || e.Persona.IsZero() || e.Type == 0 || e.Channel == 0 || e.Actor == 0 || e.Source == "" {
				t.Fatalf("%+v", e.Clear)
			}
		}
		if a.Accepted > 0 && a.Accepted != len(r.log.messages) {
			t.Fatalf("%d accepted, %d written", a.Accepted, len(r.log.messages))
		}
		r.refusedLetters(t)
		if left := r.budget.left.Load(); left != r.limits.InFlight {
			t.Fatalf("%d bytes of the budget are lost", r.limits.InFlight-left)
		}
	})
}

// FuzzParts: taking a body apart and parsing the parts agrees with parsing it whole.
func FuzzParts(f *testing.F) {
	f.Add([]byte(`{"batch":[{"a":1},"b",[]],"c":{"d":"\"]"}}`))
	f.Add([]byte(` { "batch" : [ ] } `))
	f.Add([]byte(`{"batch":[1,2,3}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var p parts
		if failure := p.batch(text, 1000); failure != nil {
			return
		}
		var whole map[string]json.RawMessage
		var items []json.RawMessage
		if json.Unmarshal(text, &whole) != nil || json.Unmarshal(whole["batch"], &items) != nil {
			return // an item is no JSON: found when it is parsed
		}
		if len(items) != len(p.items) {
			t.Fatalf("%d items, want %d", len(p.items), len(items))
		}
		for i, at := range p.items {
			if !bytes.Equal(text[at.from:at.to], items[i]) {
				t.Fatalf("item %d is %q, want %q", i, text[at.from:at.to], items[i])
			}
		}
	})
}
