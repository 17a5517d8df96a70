package timeline

import "github.com/dossier-cdp/dossier/schema"

// Details are the parts of an event that a row keeps as canonical JSON; empty where the event has none.
type Details struct {
	Identifiers, Traits, Consents, Assertion, Provenance []byte
}

// DetailsOf writes the details of an event as its row has them.
func DetailsOf(e *schema.Event) (d Details) {
	if len(e.Identifiers) > 0 {
		d.Identifiers = appendIdentifiers(nil, e.Identifiers)
	}
	if len(e.Traits) > 0 {
		d.Traits = appendTraits(nil, e.Traits)
	}
	if len(e.Consents) > 0 {
		d.Consents = appendConsents(nil, e.Consents)
	}
	if e.Assertion != nil {
		d.Assertion = appendAssertion(nil, e.Assertion)
	}
	d.Provenance = appendProvenance(nil, &e.Provenance)
	return d
}
