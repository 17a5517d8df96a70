package canonical

import (
	"bytes"
	"encoding/json"
	"math/big"
	"testing"
	"unicode/utf8"

	"github.com/dossier-cdp/dossier/schema"
)

// FuzzParse holds the reader to encoding/json: what we accept it accepts, with the same value; what it refuses we refuse.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		track, `{"a":[1,-0,1.50,15e-1,1E+2,0.0050],"b":{"\u0061":"\ud83d\ude00\u0000"},"":null}`, `[true,false,null," \/\b\f\n\r\t\"\\"]`,
		`{"a":1,"a":2}`, `"\ud800"`, "\"\xff\"", `01`, `[1,]`, `{"a"}`, `1e1001`, `-`, `"\u12"`, ` {} `, `{}{}`, "\ufeff1", `[[[[]]]]`, `1e-999`, "\"a\x01\"",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := Parse(text, Limits{})
		if err != nil {
			if schema.ClassOf(err) != schema.Rejected {
				t.Fatalf("%q: %v is no refusal", text, err)
			}
			if r := err.(*schema.Refusal); r.Code == CodeSyntax && json.Valid(text) && utf8.Valid(text) {
				t.Fatalf("%q: encoding/json accepts what is refused: %v", text, err)
			}
			return
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		var want any
		if err := decoder.Decode(&want); err != nil {
			t.Fatalf("%q: accepted, but encoding/json says %v", text, err)
		}
		same(t, d.Root(), want)
		form := d.Root().AppendCanonical(nil, nil)
		again, err := Parse(form, Limits{})
		if err != nil {
			t.Fatalf("%q: its canonical form %q is refused: %v", text, form, err)
		}
		same(t, again.Root(), want)
		if second := again.Root().AppendCanonical(nil, nil); !bytes.Equal(second, form) {
			t.Fatalf("%q: canonical twice gives %q, then %q", text, form, second)
		}
		if again.Root().at().flags&flagCanonical == 0 && !hasEscapes(form) {
			t.Fatalf("%q is not recognised as canonical", form)
		}
		if walked := again.Root().AppendCanonical(nil, func(int, string) bool { return false }); !bytes.Equal(walked, form) {
			t.Fatalf("%q: with a filter that keeps all it is %q", form, walked)
		}
		d.Release()
		again.Release()
	})
}

func hasEscapes(form []byte) bool { return bytes.IndexByte(form, '\\') >= 0 }

func same(t *testing.T, n Node, want any) {
	t.Helper()
	switch want := want.(type) {
	case nil:
		if n.Kind() != Null {
			t.Fatalf("got %s, want null", n.Kind())
		}
	case bool:
		if got, ok := n.Bool(); !ok || got != want {
			t.Fatalf("got %v (%s), want %v", got, n.Kind(), want)
		}
	case json.Number:
		got, ok := n.Num()
		a, okA := new(big.Rat).SetString(got)
		b, okB := new(big.Rat).SetString(want.String())
		if !ok || !okA || !okB || a.Cmp(b) != 0 {
			t.Fatalf("got %q (%s), want %s", got, n.Kind(), want)
		}
	case string:
		if got, ok := n.Str(); !ok || got != want {
			t.Fatalf("got %q (%s), want %q", got, n.Kind(), want)
		}
	case []any:
		if n.Kind() != Array || n.Len() != len(want) {
			t.Fatalf("got %s of %d, want an array of %d", n.Kind(), n.Len(), len(want))
		}
		for i := range want {
			same(t, n.At(i), want[i])
		}
	case map[string]any:
		if n.Kind() != Object || n.Len() != len(want) {
			t.Fatalf("got %s of %d, want an object of %d", n.Kind(), n.Len(), len(want))
		}
		last, count := "", 0
		n.Each(func(key string, v Node) bool {
			if count > 0 && key <= last {
				t.Fatalf("member %q comes after %q", key, last)
			}
			last, count = key, count+1
			same(t, v, want[key])
			same(t, n.Get(key), want[key])
			return true
		})
	}
}
