package persona

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/dossier-cdp/dossier/schema"
)

const day = schema.Instant(86_400_000_000)

var someone = schema.PersonaID{1}

// anEvent draws from a universe so small that everything collides: times, ids, values, subjects.
func anEvent(t *rapid.T) *schema.Event {
	e := &schema.Event{}
	e.ID = schema.EventID{byte(rapid.IntRange(1, 12).Draw(t, "event"))}
	e.Persona, e.Source = someone, "shop"
	e.Account = schema.Account{Kind: "user_id", Value: "u1"}
	e.Provenance.Trust, e.Provenance.Country = schema.TrustServer, "FR"
	e.OccurredAt = schema.Instant(rapid.IntRange(-3, 5).Draw(t, "day")) * day
	e.Channel = rapid.SampledFrom([]schema.Channel{schema.ChannelWeb, schema.ChannelEmail, schema.ChannelPhone}).Draw(t, "channel")
	value := rapid.SampledFrom([]string{`"a"`, `"b"`, `1`, `null`, `{"x":1,"y":{"z":null}}`, `{"x":null,"y":2}`, `"` + strings.Repeat("l", 2000) + `"`,
		`"` + strings.Repeat("m", MaxTraitBytes) + `"`, `[1,null]`, `"c"`, `"d"`, `"e"`, `"f"`, `"g"`, `"h"`, `"i"`, `{}`, `{"x.y":1}`})
	for range rapid.IntRange(0, 3).Draw(t, "traits") {
		e.Traits = append(e.Traits, schema.Trait{
			Name: rapid.SampledFrom([]string{"name", "address", "x.y"}).Draw(t, "trait"), Value: []byte(value.Draw(t, "value"))})
	}
	for range rapid.IntRange(0, 2).Draw(t, "identifiers") {
		e.Identifiers = append(e.Identifiers, schema.Identifier{
			Kind:         rapid.SampledFrom([]string{"email", "mail", "phone", "cookie"}).Draw(t, "kind"),
			Value:        rapid.SampledFrom([]string{"Ann@x.fr", "ann@x.fr", "0612345678", "+33612345678", "null", "c1"}).Draw(t, "id"),
			Assurance:    schema.Assurance(rapid.IntRange(1, 3).Draw(t, "assurance")),
			SupersededBy: rapid.SampledFrom([]string{"", "", "n1", "n2"}).Draw(t, "next")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "consents") {
		e.Consents = append(e.Consents, schema.Consent{
			Kind: rapid.SampledFrom([]string{"", "email", "mail"}).Draw(t, "point"), Value: "ann@x.fr", Channel: schema.ChannelEmail, Purpose: "news",
			State: schema.ConsentState(rapid.IntRange(1, 3).Draw(t, "state"))})
	}
	return e
}

func fold(events []*schema.Event) *State {
	s := &State{}
	for _, e := range events {
		if s.IsZero() {
			s = Begin(someone, e)
		}
		s.Fold(e, Registry{})
	}
	return s
}

// Any order, any duplicates, folded one by one or in parts that are joined in any order: the same bytes. Reading them back gives them again.
func TestStateIsAFunctionOfTheSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(anEvent), 1, 40).Draw(t, "events")
		// An id stands for one content.
		seen := map[schema.EventID]bool{}
		events = slices.DeleteFunc(events, func(e *schema.Event) bool { dup := seen[e.ID]; seen[e.ID] = true; return dup })
		want := fold(events).AppendBinary(nil)

		shuffled := rapid.Permutation(append(slices.Clone(events), events[:rapid.IntRange(0, len(events)).Draw(t, "again")]...)).Draw(t, "order")
		if got := fold(shuffled).AppendBinary(nil); !bytes.Equal(got, want) {
			t.Fatalf("another order gives another state:\n%q\n%q", got, want)
		}
		joined := &State{}
		memory := Registry{}
		for len(shuffled) > 0 {
			n := rapid.IntRange(1, len(shuffled)).Draw(t, "part")
			part := Begin(someone, shuffled[0])
			for _, e := range shuffled[:n] {
				part.Fold(e, memory)
			}
			if part.Join(joined); rapid.Bool().Draw(t, "other way") {
				joined.Join(part)
			} else {
				joined = part
			}
			shuffled = shuffled[n:]
		}
		got := joined.AppendBinary(nil)
		if !bytes.Equal(got, want) {
			t.Fatalf("joined parts give another state:\n%q\n%q", got, want)
		}
		if joined.Join(fold(events)) {
			t.Fatal("joining the same again reports a change")
		}
		back, err := Decode(got)
		if err != nil || !bytes.Equal(back.AppendBinary(nil), got) || !bytes.Equal(back.AppendJSON(nil, nil), joined.AppendJSON(nil, nil)) {
			t.Fatalf("does not survive the codec: %v", err)
		}
		for n := range got {
			if _, err := Decode(got[:n]); err == nil {
				t.Fatalf("%d of %d bytes decode without an error", n, len(got))
			}
		}
	})
}

// The limits are joins too: sets far beyond them, in two orders and two groupings, give the same bytes.
func TestLimitsAreJoins(t *testing.T) {
	var events []*schema.Event
	for i := range 700 {
		e := &schema.Event{}
		e.ID, e.Persona, e.Source, e.OccurredAt = schema.EventID{1, byte(i >> 8), byte(i)}, someone, "shop", schema.Instant(i)*day
		e.Provenance.Trust = schema.TrustServer
		e.Identifiers = []schema.Identifier{{Kind: "cookie", Value: fmt.Sprint("c", i*7919%1000), Assurance: schema.AssuranceVerified}}
		e.Traits = []schema.Trait{{Name: fmt.Sprint("t", i*31%700), Value: []byte("1")}, {Name: "v", Value: fmt.Append(nil, i*17%50)}}
		e.Consents = []schema.Consent{{Channel: schema.ChannelEmail, Purpose: "news", State: schema.ConsentGranted}}
		events = append(events, e)
	}
	want := fold(events)
	if n := len(want.Identifiers); n != MaxIdentifiers {
		t.Errorf("%d identifiers, want %d", n, MaxIdentifiers)
	}
	if n := len(want.Traits); n != MaxTraits {
		t.Errorf("%d traits, want %d", n, MaxTraits)
	}
	if n := len(want.Consents); n != MaxStatements {
		t.Errorf("%d statements, want %d", n, MaxStatements)
	}
	reversed := slices.Clone(events)
	slices.Reverse(reversed)
	other := fold(reversed[:400])
	other.Join(fold(reversed[300:]))
	if !bytes.Equal(other.AppendBinary(nil), want.AppendBinary(nil)) {
		t.Error("another order and grouping gives another state")
	}
}

func TestStateAsJSON(t *testing.T) {
	e := &schema.Event{}
	e.ID, e.Persona, e.Source, e.OccurredAt, e.Channel = schema.EventID{7}, someone, "shop", 1_700_000_000_000_001, schema.ChannelWeb
	e.Account = schema.Account{Kind: "user_id", Value: "u1"}
	e.Provenance = schema.Provenance{Trust: schema.TrustServer, Country: "FR"}
	e.Identifiers = []schema.Identifier{{Kind: "phone", Value: "06 12 34 56 78", Assurance: schema.AssuranceDeclared}}
	e.Traits = []schema.Trait{{Name: "address", Value: []byte(`{"city":"Lyon","line.2":null}`)}}
	e.Consents = []schema.Consent{{Kind: "phone", Value: "06 12 34 56 78", Channel: schema.ChannelSMS, Purpose: "news", State: schema.ConsentGranted, Proof: "form"}}
	const want = `{"account":{"kind":"user_id","value":"u1"},` +
		`"consents":[{"channel":"sms","event":"07000000-0000-0000-0000-000000000000","kind":"phone","normal":"+33612345678","occurredAt":"2023-11-14T22:13:20.000001Z","proof":"form","purpose":"news","state":"granted","value":"06 12 34 56 78"}],` +
		`"contacts":[{"channel":"web","firstOccurredAt":"2023-11-14T22:13:20.000001Z","lastOccurredAt":"2023-11-14T22:13:20.000001Z"}],` +
		`"firstOccurredAt":"2023-11-14T22:13:20.000001Z","id":"01000000-0000-0000-0000-000000000000",` +
		`"identifiers":[{"assurance":"declared","firstOccurredAt":"2023-11-14T22:13:20.000001Z","kind":"phone","lastOccurredAt":"2023-11-14T22:13:20.000001Z","normal":"+33612345678","value":"06 12 34 56 78"},` +
		`{"assurance":"verified","firstOccurredAt":"2023-11-14T22:13:20.000001Z","kind":"user_id","lastOccurredAt":"2023-11-14T22:13:20.000001Z","normal":"u1","value":"u1"}],` +
		`"lastOccurredAt":"2023-11-14T22:13:20.000001Z","source":"shop",` +
		`"traits":[{"best":[{"assurance":"declared","event":"07000000-0000-0000-0000-000000000000","occurredAt":"2023-11-14T22:13:20.000001Z","value":"Lyon"}],` +
		`"earliest":{"assurance":"declared","event":"07000000-0000-0000-0000-000000000000","occurredAt":"2023-11-14T22:13:20.000001Z","value":"Lyon"},"name":"address.city"},` +
		`{"name":"address.line\\.2","takenBack":{"assurance":"declared","event":"07000000-0000-0000-0000-000000000000","occurredAt":"2023-11-14T22:13:20.000001Z","value":null}}],` +
		`"trust":"server"}`
	if got := string(fold([]*schema.Event{e}).AppendJSON(nil, nil)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func FuzzDecode(f *testing.F) {
	e := &schema.Event{}
	e.ID, e.Persona, e.Source = schema.EventID{7}, someone, "shop"
	e.Account = schema.Account{Kind: "user_id", Value: "u1"}
	e.Traits = []schema.Trait{{Name: "name", Value: []byte(`"Ann"`)}, {Name: "address", Value: []byte(`{"city":null}`)}}
	e.Consents = []schema.Consent{{Channel: schema.ChannelEmail, Purpose: "news", State: schema.ConsentGranted}}
	f.Add(fold([]*schema.Event{e}).AppendBinary(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Decode(s.AppendBinary(nil))
		if err != nil || !bytes.Equal(again.AppendBinary(nil), s.AppendBinary(nil)) {
			t.Fatalf("what was read does not survive the codec: %v", err)
		}
	})
}

// The commonest event: one more contact of a persona, with identifiers that are known.
func BenchmarkFoldKnown(b *testing.B) {
	e := &schema.Event{}
	e.ID, e.Persona, e.Source, e.Channel = schema.EventID{7}, someone, "shop", schema.ChannelWeb
	e.Account = schema.Account{Kind: "user_id", Value: "user-123456"}
	e.Provenance = schema.Provenance{Trust: schema.TrustServer, Country: "FR"}
	e.Identifiers = []schema.Identifier{{Kind: "user_id", Value: "user-123456", Assurance: schema.AssuranceVerified}, {Kind: "anonymous_id", Value: "8c0b4a0c-5f7d-4e8f", Assurance: schema.AssuranceVerified}}
	s, memory := Begin(someone, e), Registry{}
	b.ReportAllocs()
	for b.Loop() {
		e.OccurredAt += 1000
		s.Fold(e, memory)
	}
}

func BenchmarkCodec(b *testing.B) {
	e := &schema.Event{}
	e.ID, e.Persona, e.Source, e.Channel = schema.EventID{7}, someone, "shop", schema.ChannelWeb
	e.Account = schema.Account{Kind: "user_id", Value: "user-123456"}
	e.Identifiers = []schema.Identifier{{Kind: "email", Value: "ann@example.com", Assurance: schema.AssuranceVerified}, {Kind: "anonymous_id", Value: "8c0b4a0c-5f7d-4e8f", Assurance: schema.AssuranceVerified}}
	for _, name := range []string{"first_name", "last_name", "city", "plan"} {
		e.Traits = append(e.Traits, schema.Trait{Name: name, Value: []byte(`"value"`)})
	}
	s := fold([]*schema.Event{e})
	encoded := s.AppendBinary(nil)
	b.Run("append", func(b *testing.B) {
		buf := encoded
		for b.Loop() {
			buf = s.AppendBinary(buf[:0])
		}
		b.ReportMetric(float64(len(buf)), "bytes")
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Decode(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
}
