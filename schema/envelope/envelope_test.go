package envelope

import (
	"crypto/rand"
	"errors"
	"reflect"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
)

// oneKey has one key for every event.
type oneKey struct {
	key seal.Key
	err error
}

func (k oneKey) EventCipher(schema.PersonaID, schema.KeyID) (*seal.Cipher, error) {
	if k.err != nil {
		return nil, k.err
	}
	return seal.NewCipher(k.key)
}

var testKeys = oneKey{key: seal.Key{1, 2, 3}}

func sealed(t testing.TB, e *schema.Event) []byte {
	t.Helper()
	s := Sealer{Keys: testKeys, Nonces: rand.Reader}
	value, err := s.Seal(nil, e)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func full() schema.Event {
	return schema.Event{
		Clear: schema.Clear{
			Version: 1, ID: schema.EventID{1, 15: 2}, Workspace: "main", Source: "shop", Persona: schema.PersonaID{3, 15: 4},
			Key:        schema.KeyID{Epoch: 2, Class: "standard", Year: 2026},
			OccurredAt: 1_780_000_000_000_001, ReceivedAt: 1_780_000_000_500_000, Skew: -250_000,
			Channel: schema.ChannelWeb, Type: schema.TypeTrackPerformed, Actor: schema.ActorCustomer,
		},
		Sealed: schema.Sealed{
			Account: schema.Account{Kind: "user_id", Value: "u-1"},
			Identifiers: []schema.Identifier{
				{Kind: "email", Value: "Zoé@example.org", Assurance: schema.AssuranceVerified},
				{Kind: "card", Value: "123", Assurance: schema.AssuranceDeclared, SupersededBy: "456"},
				{},
			},
			Traits: []schema.Trait{{Name: "firstName", Value: []byte(`"Zoé"`)}, {Name: "age", Value: []byte("null")}},
			Consents: []schema.Consent{{
				Kind: "email", Value: "z@example.org", Channel: schema.ChannelEmail, Purpose: "newsletter", State: schema.ConsentGranted,
				LegalBasis: "consent", TextVersion: "v3", Proof: "form 7", Expiry: -1,
			}},
			Conversation: "c1", Case: "k1", Parent: "p1", Mention: "@brand", Entity: "order-1", Text: "Bonjour\x00 😀 مرحبا", Language: "fr-CA",
			Rating: "4.5", RatingScale: "1-5", Amount: "12345678901234567890.50", Currency: "EUR", Name: "Order Completed",
			Properties: []byte(`{"a":[1,2,{"b":null}]}`),
			Assertion: &schema.Assertion{
				A: schema.PersonaEpoch{Persona: schema.PersonaID{5}, Epoch: 1}, B: schema.PersonaEpoch{Persona: schema.PersonaID{6}},
				Of: schema.EventID{7}, Reason: "same person",
			},
			ActorID: "agent-7",
			Provenance: schema.Provenance{
				Trust: schema.TrustServer, MessageID: "m-1", Routing: "r", Mapping: "segment", Country: "FR", Library: "x 1.0",
				UserAgent: "Mozilla/5.0", ReceiptTimed: true, TimeStatement: "2026-05-28T20:26:40.000001Z",
			},
		},
	}
}

func TestRoundTrip(t *testing.T) {
	for _, e := range []schema.Event{full(), {Clear: full().Clear}} {
		value := sealed(t, &e)
		var got schema.Event
		if err := Open(testKeys, value, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, e) {
			t.Errorf("\n got %+v\nwant %+v", got, e)
		}
		var c schema.Clear
		if err := ReadClear(value, &c); err != nil || !reflect.DeepEqual(c, e.Clear) {
			t.Errorf("clear part: %v, %+v", err, c)
		}
	}
}

func TestVoidEventsAreNotRefused(t *testing.T) {
	e := full()
	value := sealed(t, &e)
	for _, gone := range []error{seal.ErrPunched, seal.ErrExpired} {
		var got schema.Event
		err := Open(oneKey{err: gone}, value, &got)
		if !errors.Is(err, ErrVoid) {
			t.Errorf("%v: got %v, want ErrVoid", gone, err)
		}
		if !reflect.DeepEqual(got.Clear, e.Clear) || !reflect.DeepEqual(got.Sealed, schema.Sealed{}) {
			t.Errorf("%v: got %+v", gone, got)
		}
	}
}
