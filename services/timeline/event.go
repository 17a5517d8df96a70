package timeline

import "github.com/dossier-cdp/dossier/schema"

// Details are the parts of an event that a row keeps as canonical JSON; empty where the event has none.
type Details struct {
	Identifiers, Traits, Consents, Assertion, Provenance []byte
}

// DetailsOf writes the details of an event.
func DetailsOf(e *schema.Event) Details {
	return Details{
		Identifiers: appendIdentifiers(nil, e.Identifiers), Traits: appendTraits(nil, e.Traits), Consents: appendConsents(nil, e.Consents),
		Assertion: appendAssertion(nil, e.Assertion), Provenance: appendProvenance(nil, &e.Provenance),
	}
}
