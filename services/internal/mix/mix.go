// Package mix makes streams of events as a retailer's channels send them, of any length, for benchmarks: the demo workspace, copied to other people, and
// lived through again.
//
// An event has what identity reads of it; ids and clocks are its own, texts, amounts and products are left out. Nothing is sealed or sent.
package mix

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/native"
	"github.com/dossier-cdp/dossier/pipelines/channel/segment"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
	"github.com/dossier-cdp/dossier/services/demo"
)

// Demo is the demo workspace, in the order of time: what the channels of a retailer send in 18 months. Its events have no personas and ids yet: Copy gives them.
func Demo(workspace string) ([]schema.Event, error) {
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
		out = append(out, keep(workspace, &m.Event))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("map the demo workspace: %w", err)
	}
	return out, nil
}

// keep copies what identity reads of an event.
func keep(workspace string, from *schema.Event) schema.Event {
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

// Personas derives personas; package ids' deriver is one.
type Personas interface {
	Persona(workspace, source string, trust schema.Trust, a schema.Account) schema.PersonaID
}

// Copy is an event of a mix as it happens to the people of copy k, with a persona and an id: their accounts, contact points, family names and streets are their
// own. Copy 0 are the people of the mix. They live through it as often as there are rounds, one after the other, from 0: the later ones bring contacts and no evidence.
func Copy(from *schema.Event, k, round int, personas Personas) schema.Event {
	const years = 2 * 366 * 24 * 3600 * 1_000_000
	e := *from
	e.OccurredAt += schema.Instant(round) * years
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
	e.Persona = personas.Persona(e.Workspace, e.Source, e.Provenance.Trust, e.Account)
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
