package identity

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/native"
	"github.com/dossier-cdp/dossier/pipelines/channel/segment"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
	"github.com/dossier-cdp/dossier/services/demo"
)

// Mixes of events for benchmarks: what the demo retailer's channels send in 18 months, and the labelled file of clients. Either can be had for any number of
// people: copy k is the same events of other people, whose accounts, contact points, family names and streets are their own.

// demoMix is the demo workspace, in the order of time.
func demoMix(t testing.TB) []schema.Event {
	var out []schema.Event
	_, err := demo.Generate(demo.Seed, func(class demo.Class, _ string, text json.RawMessage) error {
		doc, err := canonical.Parse(text, canonical.Limits{Depth: 64})
		if err != nil {
			return err
		}
		defer doc.Release()
		var m channel.Mapped
		s := &channel.Sender{
			Workspace: workspace, Source: &channel.Source{Name: "server"}, Sources: func(name string) *channel.Source { return &channel.Source{Name: name} },
			Trust: schema.TrustServer, ReceivedAt: schema.InstantOf(demo.End), Limits: channel.NativeLimits(),
		}
		var refusal *schema.Refusal
		if class == demo.Server {
			refusal = native.Map(doc.Root(), s, &m)
		} else {
			s.Source, s.Trust, s.Limits = &channel.Source{Name: "web"}, schema.TrustClient, channel.SegmentLimits()
			refusal = segment.Map(doc.Root(), canonical.Node{}, "", s, &m)
		}
		if refusal != nil {
			return refusal
		}
		out = append(out, keep(&m.Event))
		return nil
	})
	must(t, err)
	return out
}

// keep copies what identity reads of an event.
func keep(from *schema.Event) schema.Event {
	e := schema.Event{}
	e.Workspace, e.Source, e.Type, e.Channel, e.Actor, e.OccurredAt = workspace, strings.Clone(from.Source), from.Type, from.Channel, from.Actor, from.OccurredAt
	e.Account = schema.Account{Kind: strings.Clone(from.Account.Kind), Value: strings.Clone(from.Account.Value)}
	e.Provenance = schema.Provenance{Trust: from.Provenance.Trust, Country: strings.Clone(from.Provenance.Country)}
	for _, id := range from.Identifiers {
		id.Kind, id.Value = strings.Clone(id.Kind), strings.Clone(id.Value)
		e.Identifiers = append(e.Identifiers, id)
	}
	for _, c := range from.Consents {
		c.Kind, c.Value, c.Purpose = strings.Clone(c.Kind), strings.Clone(c.Value), strings.Clone(c.Purpose)
		e.Consents = append(e.Consents, c)
	}
	for _, x := range from.Traits {
		e.Traits = append(e.Traits, schema.Trait{Name: strings.Clone(x.Name), Value: slices.Clone(x.Value)})
	}
	return e
}

// clientsMix is the labelled file of clients: nearly every row is a persona of its own.
func clientsMix(t testing.TB) []schema.Event {
	root := os.Getenv("DOSSIER_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	f, err := os.Open(filepath.Join(root, "data", "identity", "clients_fr.csv"))
	if errors.Is(err, fs.ErrNotExist) {
		if os.Getenv("CI") != "" {
			t.Fatal("clients_fr.csv is missing: set DOSSIER_SHARED")
		}
		t.Skip("clients_fr.csv is missing: set DOSSIER_SHARED to the folder that holds data/")
	}
	must(t, err)
	rows, err := csv.NewReader(f).ReadAll()
	must(t, errors.Join(err, f.Close()))
	var out []schema.Event
	for _, fields := range rows[1:] {
		row := map[string]string{}
		for i, name := range rows[0] {
			row[name] = fields[i]
		}
		kind, account := "record_id", row["record_id"]
		switch {
		case row["source"] == "crm":
			kind = "crm_id"
		case row["source"] == "store":
			kind, account = "card", row["loyalty_card"]
		case row["source"] == "social":
			kind, account = "handle", row["handle"]
		case row["user_id"] != "":
			kind, account = "user_id", row["user_id"]
		case row["cookie"] != "":
			kind, account = "cookie", row["cookie"]
		}
		at, err := time.Parse(time.RFC3339, row["seen_at"])
		must(t, err)
		options := []any{schema.InstantOf(at)}
		assurance := schema.AssuranceVerified
		if row["source"] == "survey" {
			assurance = schema.AssuranceDeclared
		}
		for _, of := range [][2]string{{"email", "email"}, {"phone", "phone"}, {"card", "loyalty_card"}, {"user_id", "user_id"}, {"cookie", "cookie"}, {"handle", "handle"}} {
			if v := row[of[1]]; v != "" {
				options = append(options, schema.Identifier{Kind: of[0], Value: v, Assurance: assurance})
			}
		}
		for _, name := range []string{"first_name", "last_name", "full_name", "birth_date", "street", "postcode", "city"} {
			if v := row[name]; v != "" {
				quoted, err := json.Marshal(v)
				must(t, err)
				options = append(options, schema.Trait{Name: name, Value: quoted})
			}
		}
		out = append(out, contact(row["source"], kind, account, options...))
	}
	return out
}

// copyOf is the event as it happens to another person.
func copyOf(from *schema.Event, k int) schema.Event {
	e := *from
	if k > 0 {
		e.Account.Value = another(e.Account.Kind, e.Account.Value, k)
		e.Identifiers = slices.Clone(e.Identifiers)
		for i := range e.Identifiers {
			id := &e.Identifiers[i]
			if id.Value = another(id.Kind, id.Value, k); id.SupersededBy != "" {
				id.SupersededBy = another(id.Kind, id.SupersededBy, k)
			}
		}
		e.Consents = slices.Clone(e.Consents)
		for i := range e.Consents {
			if c := &e.Consents[i]; c.Kind != "" {
				c.Value = another(c.Kind, c.Value, k)
			}
		}
		e.Traits = slices.Clone(e.Traits)
		for i := range e.Traits {
			t := &e.Traits[i]
			switch t.Name {
			case "last_name", "lastName", "full_name", "name", "street", "address":
				if n := len(t.Value); n > 2 && t.Value[0] == '"' {
					t.Value = append(append(slices.Clone(t.Value[:n-1]), letters(k)...), '"')
				}
			}
		}
	}
	e.ID = schema.EventID{byte(k), byte(k >> 8), byte(e.OccurredAt), byte(e.OccurredAt >> 8), byte(e.OccurredAt >> 16), byte(e.OccurredAt >> 24), byte(e.OccurredAt >> 32)}
	e.Persona = personaOf(e.Source, e.Provenance.Trust, e.Account)
	return e
}

// letters writes a number so that it can end a name.
func letters(k int) (out []byte) {
	for ; k > 0; k /= 20 {
		out = append(out, "bcdfghjklmnpqrstvwxz"[k%20], 'a')
	}
	return out
}

// another is a value of the same form, of another person.
func another(kind, value string, k int) string {
	switch {
	case kind == "email":
		return string(letters(k)) + "." + value
	case kind == "phone":
		digits, at := []byte(value), 0
		for i := len(digits) - 1; i >= 0 && k > 0; i-- {
			if digits[i] < '0' || digits[i] > '9' {
				continue
			}
			if at++; at > 4 {
				k += int(digits[i] - '0')
				digits[i] = byte('0' + k%10)
				k /= 10
			}
		}
		return string(digits)
	}
	return value + string(letters(k))
}
