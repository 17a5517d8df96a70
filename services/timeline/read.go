package timeline

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/dossier-cdp/dossier/schema"
)

// Into reads back into an event what DetailsOf wrote: its identifiers, traits, consents and country, which is all that identity reads of details. The rest of the
// provenance and the assertion are left as they are. Details that this package did not write are refused.
func (d Details) Into(e *schema.Event) error {
	if err := d.identifiers(e); err != nil {
		return fmt.Errorf("read the identifiers of event %s: %w", e.ID, err)
	}
	if err := d.traits(e); err != nil {
		return fmt.Errorf("read the traits of event %s: %w", e.ID, err)
	}
	if err := d.consents(e); err != nil {
		return fmt.Errorf("read the consents of event %s: %w", e.ID, err)
	}
	var p struct{ Country string }
	if len(d.Provenance) > 0 {
		if err := json.Unmarshal(d.Provenance, &p); err != nil {
			return fmt.Errorf("read the provenance of event %s: %w", e.ID, errRow)
		}
	}
	e.Provenance.Country = p.Country
	return nil
}

// errRow says nothing of what is in the row: that is personal.
var errRow = schema.Classify(schema.Fatal, fmt.Errorf("the row is not as it was written: build the timeline anew"))

func (d Details) identifiers(e *schema.Event) error {
	var list []struct{ Assurance, Kind, SupersededBy, Value string }
	if len(d.Identifiers) == 0 {
		return nil
	}
	if err := json.Unmarshal(d.Identifiers, &list); err != nil {
		return errRow
	}
	for _, x := range list {
		assurance, ok := schema.ParseAssurance(x.Assurance)
		if !ok {
			return errRow
		}
		e.Identifiers = append(e.Identifiers, schema.Identifier{Kind: x.Kind, Value: x.Value, Assurance: assurance, SupersededBy: x.SupersededBy})
	}
	return nil
}

// traits keeps the order of the row, which is that of the names.
func (d Details) traits(e *schema.Event) error {
	if len(d.Traits) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(d.Traits))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return errRow
	}
	for decoder.More() {
		token, err := decoder.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return errRow
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return errRow
		}
		e.Traits = append(e.Traits, schema.Trait{Name: name, Value: value})
	}
	return nil
}

func (d Details) consents(e *schema.Event) error {
	var list []struct{ Channel, Expiry, Kind, LegalBasis, Proof, Purpose, State, TextVersion, Value string }
	if len(d.Consents) == 0 {
		return nil
	}
	if err := json.Unmarshal(d.Consents, &list); err != nil {
		return errRow
	}
	for _, x := range list {
		c := schema.Consent{Kind: x.Kind, Value: x.Value, Purpose: x.Purpose, LegalBasis: x.LegalBasis, TextVersion: x.TextVersion, Proof: x.Proof}
		ok := true
		if x.Channel != "" {
			c.Channel, ok = schema.ParseChannel(x.Channel)
		}
		if c.State, _ = schema.ParseConsentState(x.State); !ok {
			return errRow
		}
		if x.Expiry != "" {
			var err error
			if c.Expiry, err = schema.ParseInstant(x.Expiry); err != nil {
				return errRow
			}
		}
		e.Consents = append(e.Consents, c)
	}
	return nil
}
