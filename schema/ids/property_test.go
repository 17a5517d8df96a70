package ids

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"pgregory.net/rapid"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
	"github.com/dossier-cdp/dossier/schema/seal"
)

// object is what a sender says, free of any form of writing it down. Values are nil, bool, digits, string, []any or object.
type object map[string]any

// digits is a number without exponent, leading or trailing zeros.
type digits string

func drawDigits(t *rapid.T) digits {
	whole := strings.TrimLeft(rapid.StringMatching(`[0-9]{0,30}`).Draw(t, "whole"), "0")
	frac := strings.TrimRight(rapid.StringMatching(`[0-9]{0,12}`).Draw(t, "frac"), "0")
	if whole == "" {
		whole = "0"
	}
	n := whole
	if frac != "" {
		n += "." + frac
	}
	if n != "0" && rapid.Bool().Draw(t, "negative") {
		n = "-" + n
	}
	return digits(n)
}

func drawValue(t *rapid.T, depth int) any {
	kinds := 6
	if depth == 0 {
		kinds = 4
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return drawDigits(t)
	case 3:
		return rapid.String().Draw(t, "string")
	case 4:
		list := make([]any, rapid.IntRange(0, 4).Draw(t, "length"))
		for i := range list {
			list[i] = drawValue(t, depth-1)
		}
		return list
	}
	return drawObject(t, depth-1)
}

func drawObject(t *rapid.T, depth int) object {
	o := object{}
	for range rapid.IntRange(0, 5).Draw(t, "members") {
		o[rapid.OneOf(rapid.SampledFrom([]string{"userId", "event", "a", "context", "sentAt", "é", "😀", ""}), rapid.String()).Draw(t, "key")] = drawValue(t, depth)
	}
	return o
}

// write puts v down in one of its many forms.
func write(t *rapid.T, v any) string {
	space := func() string { return rapid.SampledFrom([]string{"", "", "", " ", "\n", "\t \r"}).Draw(t, "space") }
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case digits:
		return writeNumber(t, string(v))
	case string:
		return writeString(t, v)
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = space() + write(t, v[i]) + space()
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	o := v.(object)
	keys := make([]string, 0, len(o))
	for key := range o {
		keys = append(keys, key)
	}
	slices.Sort(keys) // so that the seed alone decides
	keys = rapid.Permutation(keys).Draw(t, "order")
	parts := make([]string, len(keys))
	for i, key := range keys {
		parts[i] = space() + writeString(t, key) + space() + ":" + space() + write(t, o[key]) + space()
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func writeNumber(t *rapid.T, n string) string {
	if n == "0" && rapid.Bool().Draw(t, "minus zero") {
		n = "-0"
	}
	whole, frac, _ := strings.Cut(n, ".")
	switch rapid.IntRange(0, 3).Draw(t, "form") {
	case 1: // trailing zeros
		return whole + "." + frac + strings.Repeat("0", rapid.IntRange(1, 5).Draw(t, "zeros"))
	case 2: // an exponent that shifts the fraction in
		return whole + "." + frac + "0e+00"
	case 3: // all digits before the point
		sign := ""
		if strings.HasPrefix(whole, "-") {
			sign, whole = "-", whole[1:]
		}
		all := strings.TrimLeft(whole+frac, "0")
		if all == "" {
			all = "0"
		}
		return sign + all + "E-" + strconv.Itoa(len(frac))
	}
	return n
}

func writeString(t *rapid.T, s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r < ' ' || r == '"' || r == '\\' || rapid.IntRange(0, 9).Draw(t, "escape") == 0:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, rapid.SampledFrom([]string{`\u%04x`, `\u%04X`}).Draw(t, "case"), unit)
			}
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// resend is another copy of an item, as another SDK, library or transport would send it: other form, and members of that transmission.
func resend(t *rapid.T, item object) string {
	copied := object{}
	for key, v := range item {
		copied[key] = v
	}
	for _, key := range []string{"sentAt", "receivedAt", "writeKey", "api_key", "integrations", "_metadata"} {
		delete(copied, key)
		if rapid.Bool().Draw(t, "has "+key) {
			copied[key] = drawValue(t, 1)
		}
	}
	return write(t, copied)
}

// split moves some of an item's context to its batch. What the batch says and the item contradicts does not count.
func split(t *rapid.T, context object) (own, batch object) {
	own, batch = object{}, object{}
	keys := make([]string, 0, len(context))
	for key := range context {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		inner, nested := context[key].(object)
		switch where := rapid.IntRange(0, 3).Draw(t, "where"); {
		case where == 0:
			own[key] = context[key]
		case where == 1:
			batch[key] = context[key]
		case where == 2 && nested:
			own[key], batch[key] = split(t, inner)
		default:
			own[key] = context[key]
			if !nested {
				batch[key] = drawValue(t, 1)
			}
		}
	}
	return own, batch
}

func TestEveryCopyHasOneID(t *testing.T) {
	d := New(seal.NewPRF(seal.Key{1}))
	rapid.Check(t, func(t *rapid.T) {
		item := drawObject(t, 3)
		delete(item, "context")
		context := drawObject(t, 2)
		if rapid.Bool().Draw(t, "has context") {
			item["context"] = context
		} else {
			context = nil
		}
		in := EventInput{Workspace: "main", Source: "shop", Trust: schema.TrustServer, MessageID: rapid.String().Draw(t, "message id")}
		id := func(text, batch string) schema.EventID {
			doc, err := canonical.Parse([]byte(text), canonical.Limits{})
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			var context canonical.Node
			if batch != "" {
				of, err := canonical.Parse([]byte(batch), canonical.Limits{})
				if err != nil {
					t.Fatalf("%s: %v", batch, err)
				}
				context = of.Root()
				defer of.Release()
			}
			in.Fingerprint = Fingerprint(doc.Root(), context)
			doc.Release()
			return d.Event(in)
		}
		want := id(resend(t, item), "")
		if got := id(resend(t, item), ""); got != want {
			t.Fatalf("a copy is another event: %s and %s", want, got)
		}
		if context != nil {
			own, batch := split(t, context)
			item["context"] = own
			if got := id(resend(t, item), write(t, batch)); got != want {
				t.Fatalf("a copy in a batch is another event: %s and %s", want, got)
			}
			item["context"] = context
		}
		item["one more"] = "said"
		if got := id(resend(t, item), ""); got == want {
			t.Fatal("an event that says more has the same id")
		}
	})
}

func TestEveryInputCounts(t *testing.T) {
	d := New(seal.NewPRF(seal.Key{1}))
	base := EventInput{Workspace: "w", Source: "s", Trust: schema.TrustServer, MessageID: "m", Receipt: 5}
	seen := map[schema.EventID]string{d.Event(base): "base"}
	for name, change := range map[string]func(*EventInput){
		"workspace":             func(in *EventInput) { in.Workspace = "w2" },
		"source":                func(in *EventInput) { in.Source = "s2" },
		"trust":                 func(in *EventInput) { in.Trust = schema.TrustClient },
		"routing":               func(in *EventInput) { in.Routing[31] = 1 },
		"message id":            func(in *EventInput) { in.MessageID = "m2" },
		"fingerprint":           func(in *EventInput) { in.Fingerprint[0] = 1 },
		"receipt":               func(in *EventInput) { in.Receipt = 6 },
		"no receipt":            func(in *EventInput) { in.Receipt = 0 },
		"workspace into source": func(in *EventInput) { in.Workspace, in.Source = "ws", "" },
		"long message id":       func(in *EventInput) { in.MessageID = strings.Repeat("m", 5000) },
	} {
		in := base
		change(&in)
		id := d.Event(in)
		if other, taken := seen[id]; taken {
			t.Errorf("%s and %s give one id", name, other)
		}
		seen[id] = name
		if id[6]>>4 != 8 || id[8]>>6 != 2 {
			t.Errorf("%s is no UUIDv8", id)
		}
	}
}

const track = `{"type":"track","event":"Product Viewed","messageId":"abcdef01-0003-4000-8000-00000000004d","anonymousId":"5b5a1ac6-5d60-4f4d-b0f7-8f3b2a9d3f02","userId":"user-000042","channel":"web","originalTimestamp":"2026-11-21T10:00:00.000Z","properties":{"product_id":"0123456789ab","sku":"K-123","category":"Kitchen","name":"Cast Iron Skillet 26cm","brand":"Lodge","price":123.40,"quantity":3,"currency":"USD"},"context":{"library":{"name":"RudderLabs JavaScript SDK","version":"3.7.1"},"locale":"fr-FR","ip":"203.0.113.7","page":{"path":"/p/k-123"},"userAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36"}}`

func BenchmarkFingerprint(b *testing.B) {
	doc, err := canonical.Parse([]byte(track), canonical.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		Fingerprint(doc.Root(), canonical.Node{})
	}
}

func BenchmarkFingerprintInBatch(b *testing.B) {
	doc, err := canonical.Parse([]byte(`{"batch":[`+track+`],"context":{"ip":"203.0.113.7","app":{"name":"x"}}}`), canonical.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	item, context := doc.Root().Get("batch").At(0), doc.Root().Get("context")
	b.ReportAllocs()
	for b.Loop() {
		Fingerprint(item, context)
	}
}

func BenchmarkEvent(b *testing.B) {
	d := New(seal.NewPRF(seal.Key{1}))
	in := EventInput{Workspace: "main", Source: "shop", Trust: schema.TrustServer, MessageID: "abcdef01-0003-4000-8000-00000000004d"}
	b.ReportAllocs()
	for b.Loop() {
		d.Event(in)
	}
}

func BenchmarkPersona(b *testing.B) {
	d := New(seal.NewPRF(seal.Key{1}))
	b.ReportAllocs()
	for b.Loop() {
		d.Persona("main", "shop", schema.TrustServer, schema.Account{Kind: "user_id", Value: "user-000042"})
	}
}
