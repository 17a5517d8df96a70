package timeline

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
)

// TestDetailsAreReadBack: what identity reads of an event is in its row, whatever a source sends.
func TestDetailsAreReadBack(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	text := func() string {
		return []string{"", "a", "Élodie d’Arc", "\"quoted\\", "line\nbreak", "\u202e<é>&", "😡", strings.Repeat("x", 300), "\x00\x1f"}[rng.IntN(9)]
	}
	for range 2000 {
		e := &schema.Event{}
		e.Provenance.Country, e.Provenance.MessageID, e.Provenance.ReceiptTimed = []string{"", "FR", "GB"}[rng.IntN(3)], text(), rng.IntN(2) == 0
		for range rng.IntN(4) {
			e.Identifiers = append(e.Identifiers, schema.Identifier{Kind: "k" + text(), Value: text(), Assurance: schema.Assurance(1 + rng.IntN(3)), SupersededBy: text()})
		}
		for i := range rng.IntN(4) {
			value := []string{`"x"`, `null`, `{"a":[1,2.50,true],"b":{"c":"<&>"}}`, `12345678901234567890.000001`, `[]`}[rng.IntN(5)]
			e.Traits = append(e.Traits, schema.Trait{Name: string(rune('a'+i)) + text(), Value: []byte(value)})
		}
		for range rng.IntN(3) {
			e.Consents = append(e.Consents, schema.Consent{
				Kind: text(), Value: text(), Channel: schema.Channel(rng.IntN(5)), Purpose: text(), State: schema.ConsentState(1 + rng.IntN(3)),
				LegalBasis: text(), TextVersion: text(), Proof: text(), Expiry: schema.Instant(rng.IntN(2)) * 1_700_000_000_000_001,
			})
		}
		got := &schema.Event{}
		if err := DetailsOf(e).Into(got); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		slices.SortFunc(e.Traits, func(a, b schema.Trait) int { return strings.Compare(a.Name, b.Name) })
		e.Provenance = schema.Provenance{Country: e.Provenance.Country}
		if !reflect.DeepEqual(got, e) {
			t.Fatalf("seed %d: read back\n%+v\nwritten\n%+v", seed, got, e)
		}
	}
	for _, broken := range []Details{{Identifiers: []byte(`{`)}, {Identifiers: []byte(`[{"assurance":"sure"}]`)}, {Traits: []byte(`["a"]`)}, {Traits: []byte(`{"a":`)}, {Consents: []byte(`[{"channel":"owl"}]`)}, {Provenance: []byte(`x`)}} {
		if err := broken.Into(&schema.Event{}); err == nil || strings.Contains(err.Error(), "owl") {
			t.Errorf("%s%s%s%s was read (%v)", broken.Identifiers, broken.Traits, broken.Consents, broken.Provenance, err)
		}
	}
}
