package deadletter

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
)

// TestApply: edits change what they name and leave the rest as it is written.
func TestApply(t *testing.T) {
	set := func(path, value string) Edit { return Edit{Op: "set", Path: path, Value: json.RawMessage(value)} }
	for name, c := range map[string]struct {
		payload string
		edits   []Edit
		want    string // empty: refused
	}{
		"set":                   {`{"type":"call.exploded","n":12345678901234567890.10}`, []Edit{set("type", `"call.ended"`)}, `{"n":12345678901234567890.10,"type":"call.ended"}`},
		"set what is not there": {`{}`, []Edit{set("traits.address.city", `"Évry"`)}, `{"traits":{"address":{"city":"Évry"}}}`},
		"set in a list":         {`{"a":[{"b":1},{"b":2}]}`, []Edit{set("a.1.b", `3`)}, `{"a":[{"b":1},{"b":3}]}`},
		"set beyond a list":     {`{"a":[1]}`, []Edit{set("a.1", `3`)}, ""},
		"set within a text":     {`{"a":"b"}`, []Edit{set("a.c", `3`)}, ""},
		"no value":              {`{}`, []Edit{set("a", `b`)}, ""},
		"remove":                {`{"a":{"b":1,"c":2}}`, []Edit{{Op: "remove", Path: "a.b"}}, `{"a":{"c":2}}`},
		"remove of a list":      {`{"a":[1,2,3]}`, []Edit{{Op: "remove", Path: "a.1"}}, `{"a":[1,3]}`},
		"remove what is not":    {`{"a":1}`, []Edit{{Op: "remove", Path: "b.c"}}, `{"a":1}`},
		"rename":                {`{"user":{"mail":"x<y>"}}`, []Edit{{Op: "rename", Path: "user.mail", To: "traits.email"}}, `{"traits":{"email":"x<y>"},"user":{}}`},
		"rename what is not":    {`{"a":1}`, []Edit{{Op: "rename", Path: "b", To: "c"}}, `{"a":1}`},
		"one after the other":   {`{"a":1}`, []Edit{{Op: "rename", Path: "a", To: "b"}, set("b", "2")}, `{"b":2}`},
		"no path":               {`{"a":1}`, []Edit{set("a..b", "2")}, ""},
		"no such edit":          {`{"a":1}`, []Edit{{Op: "explode", Path: "a"}}, ""},
		"no JSON":               {`a=1`, []Edit{set("a", "2")}, ""},
	} {
		got, err := Apply([]byte(c.payload), c.edits)
		if refused := (*schema.Refusal)(nil); (c.want == "") != errors.As(err, &refused) || c.want != "" && string(got) != c.want {
			t.Errorf("%s: %s %v", name, got, err)
		}
	}
}

// FuzzApply: no payload and no path ends it, and what comes out is JSON.
func FuzzApply(f *testing.F) {
	f.Add([]byte(`{"a":[{"b":1}]}`), "a.0.b", "c", []byte(`[1]`))
	f.Fuzz(func(t *testing.T, payload []byte, path, to string, value []byte) {
		for _, e := range []Edit{{Op: "set", Path: path, Value: value}, {Op: "remove", Path: path}, {Op: "rename", Path: path, To: to}} {
			out, err := Apply(bytes.Clone(payload), []Edit{e})
			if err == nil && !json.Valid(out) {
				t.Errorf("%+v of %q: %q", e, payload, out)
			}
		}
	})
}
