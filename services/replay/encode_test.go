package replay

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

var update = flag.Bool("update", false, "write the golden files anew")

// someEvents are two events in French and English, with about every member.
func someEvents() []*schema.Event {
	at := func(day int) schema.Instant {
		return schema.InstantOf(time.Date(2026, 1, day, 9, 30, 0, 125_000, time.UTC))
	}
	first := &schema.Event{}
	first.ID, first.Persona = schema.EventID{1, 6: 0x80, 8: 0x80}, schema.PersonaID{7, 6: 0x80, 8: 0x80}
	first.Workspace, first.Source, first.Type, first.Channel, first.Actor = "main", "service clients", schema.TypeMessageReceived, schema.ChannelEmail, schema.ActorCustomer
	first.OccurredAt, first.ReceivedAt, first.Skew = at(2), at(3), 42
	first.Key = schema.KeyID{Class: "standard", Year: 2026}
	first.Account = schema.Account{Kind: "crm_id", Value: "7"}
	first.Identifiers = []schema.Identifier{{Kind: "email", Value: "élodie@exemple.fr", Assurance: schema.AssuranceVerified}}
	first.Traits = []schema.Trait{{Name: "given_name", Value: []byte(`"Élodie"`)}, {Name: "age", Value: []byte("41")}}
	first.Text, first.Language, first.Conversation = "Où est mon colis ?\nMerci", "fr", "c-1"
	first.Properties = []byte(`{"store":"Lyon"}`)
	first.Provenance = schema.Provenance{Trust: schema.TrustServer, MessageID: "m1", Country: "FR"}

	second := &schema.Event{}
	second.ID, second.Persona = schema.EventID{2, 6: 0x80, 8: 0x80}, schema.PersonaID{8, 6: 0x80, 8: 0x80}
	second.Workspace, second.Source, second.Type, second.Channel, second.Actor = "main", "shop", schema.TypeOrderPlaced, schema.ChannelStore, schema.ActorCustomer
	second.OccurredAt, second.ReceivedAt = at(4), at(4)
	second.Key = schema.KeyID{Class: "standard", Year: 2026}
	second.Account = schema.Account{Kind: "card", Value: "990"}
	second.Entity, second.Amount, second.Currency = "o-1", "19.90", "GBP"
	second.Consents = []schema.Consent{{Kind: "email", Value: "ann@example.com", Channel: schema.ChannelEmail, Purpose: "newsletter", State: schema.ConsentDenied}}
	second.Provenance = schema.Provenance{Trust: schema.TrustClient, MessageID: "m2"}
	return []*schema.Event{first, second}
}

func encoded(t *testing.T, x Encoder) []byte {
	t.Helper()
	var lines []byte
	for n, e := range someEvents() {
		var err error
		at := schema.Position{Generation: 1, Partition: int32(n), Offset: int64(10 + n)}
		if lines, err = x.Append(lines, e, schema.ProfileID{9, byte(n), 6: 0x80, 8: 0x80}, at, e.ReceivedAt+1); err != nil {
			t.Fatal(err)
		}
	}
	return lines
}

// TestEncode: golden files of both forms, with and without what is personal and what differs between installations.
func TestEncode(t *testing.T) {
	for name, x := range map[string]Encoder{
		"clear.ndjson":         {},
		"clear-clocks.ndjson":  {Clocks: true},
		"personal.ndjson":      {Personal: true},
		"clocks.ndjson":        {Personal: true, Clocks: true},
		"clear.cloudevents":    {Format: CloudEvents},
		"personal.cloudevents": {Format: CloudEvents, Personal: true},
	} {
		got, path := encoded(t, x), filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: got\n%swant\n%s", name, got, want)
		}
		personal := []string{"lodie", "colis", "Lyon", "crm_id", "990", "19.90", "ann@", "m1", "o-1", "GBP", "c-1", "given_name"}
		for _, p := range personal {
			if strings.Contains(string(got), p) && !x.Personal {
				t.Errorf("%s holds %q", name, p)
			}
			if !strings.Contains(string(got), p) && x.Personal && (x.Clocks || p != "m1") {
				t.Errorf("%s lacks %q", name, p)
			}
		}
	}
}

// TestLines: what an encoder writes is read again, with the place behind each event; what is cut in the middle of a line is left out.
func TestLines(t *testing.T) {
	for _, x := range []Encoder{{}, {Personal: true}, {Format: CloudEvents}, {Format: CloudEvents, Personal: true, Clocks: true}} {
		text := encoded(t, x)
		var got []byte
		n := 0
		err := Lines(bytes.NewReader(append(text, `{"id":"cut`...)), func(l Line) error {
			e := someEvents()[n]
			if l.At != (Cursor{e.OccurredAt, e.ID}) || l.Persona != (schema.ProfileID{9, byte(n), 6: 0x80, 8: 0x80}).String() {
				t.Errorf("%+v: line %d is at %s, of %s", x, n, l.At, l.Persona)
			}
			got, n = append(got, l.Text...), n+1
			return nil
		})
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("%+v: %v, %s", x, err, got)
		}
	}
	long := []byte(`{"id":"01000000-0000-8000-8000-000000000000","occurredAt":"2026-01-01T00:00:00Z","text":"` + strings.Repeat("x", 3<<20) + "\"}\n")
	lines := 0
	err := Lines(bytes.NewReader(append(long, long...)), func(l Line) error {
		if lines++; !bytes.Equal(l.Text, long) {
			t.Error("a long line is not whole")
		}
		return nil
	})
	if err != nil || lines != 2 {
		t.Errorf("%d long lines: %v", lines, err)
	}
	if err := Lines(strings.NewReader("<html>\n"), func(Line) error { return nil }); err == nil {
		t.Error("what is no event is taken for one")
	}
}

// TestCursor: places and ends are read as they were written, order as events do, and what no run has printed is refused.
func TestCursor(t *testing.T) {
	events := someEvents()
	early := Cursor{-5, schema.EventID{9, 6: 0x80, 8: 0x80}} // before 1970
	list := []Cursor{{}, early, {events[0].OccurredAt, events[0].ID}, {events[0].OccurredAt, events[1].ID}, {events[1].OccurredAt, events[0].ID}}
	for n, c := range list {
		got, err := ParseCursor(c.String())
		if err != nil || got != c {
			t.Errorf("%s: %v, %v", c, got, err)
		}
		if n > 1 && bytes.Compare(list[n-1].Key(), c.Key()) >= 0 {
			t.Errorf("%s does not sort behind %s", c, list[n-1])
		}
	}
	for _, text := range []string{"x", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z/7", "/"} {
		if _, err := ParseCursor(text); err == nil {
			t.Errorf("%q is taken for a place", text)
		}
	}
	for _, text := range []string{"", "1", "1,0,7"} {
		if e, err := ParseEnd(text); err != nil || e.String() != text {
			t.Errorf("%q: %v, %v", text, e, err)
		}
	}
	for _, text := range []string{",", "-1", "a"} {
		if _, err := ParseEnd(text); err == nil {
			t.Errorf("%q is taken for an end", text)
		}
	}
	for _, c := range []struct {
		end, now, want string
	}{{"", "3,4", "3,4"}, {"3,4", "3,9", "3,4"}, {"3", "3,9", "3,0"}, {"4", "3", "no"}, {"1,1", "3", "no"}} {
		end, err := ParseEnd(c.end)
		if err != nil {
			t.Fatal(err)
		}
		now, err := ParseEnd(c.now)
		if err != nil {
			t.Fatal(err)
		}
		got, err := end.Within(now)
		if text := End(got).String(); err == nil && text != c.want || err != nil && c.want != "no" {
			t.Errorf("%s of %s: %s, %v", c.end, c.now, text, err)
		}
	}
}
