package demo

import (
	"encoding/json"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/native"
	"github.com/dossier-cdp/dossier/pipelines/channel/segment"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// TestAccepted holds every event to the mappers that the collector has, and the truth to the accounts that they choose.
func TestAccepted(t *testing.T) {
	received := schema.InstantOf(End)
	sender := func(trust schema.Trust, source string, limits channel.Limits) *channel.Sender {
		return &channel.Sender{
			Workspace: "main", Source: &channel.Source{Name: source}, Sources: func(name string) *channel.Source { return &channel.Source{Name: name} },
			Trust: trust, ReceivedAt: received, Limits: limits,
		}
	}
	server, client := sender(schema.TrustServer, "server", channel.NativeLimits()), sender(schema.TrustClient, web, channel.SegmentLimits())
	var accounts []accountOf
	summary, err := Generate(Seed, func(class Class, source string, text json.RawMessage) error {
		doc, err := canonical.Parse(text, canonical.Limits{Depth: 64})
		if err != nil {
			t.Fatal(err)
		}
		defer doc.Release()
		var m channel.Mapped
		var refusal *schema.Refusal
		if class == Server {
			refusal = native.Map(doc.Root(), server, &m)
		} else {
			refusal = segment.Map(doc.Root(), canonical.Node{}, "", client, &m)
		}
		if refusal != nil {
			t.Fatalf("%s: %s", text, refusal)
		}
		if m.Event.Source != source {
			t.Fatalf("source %q, want %q", m.Event.Source, source)
		}
		accounts = append(accounts, accountOf{source, m.Event.Account.Kind, m.Event.Account.Value, m.Event.Provenance.Trust})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range accounts {
		if _, known := summary.Truth.accounts[a]; !known {
			t.Errorf("the truth does not know the account of kind %s of source %s", a.kind, a.source)
		}
	}
}
