package timeline

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// The details of an event that are not columns are kept as canonical JSON (package canonical), absent members left out.
// What an event has none of is empty:
//
//	identifiers  [{"assurance":"verified","kind":"email","supersededBy":"…","value":"…"}, …]  in the event's order
//	traits       {"NAME":VALUE, …}
//	consents     [{"channel","expiry","kind","legalBasis","proof","purpose","state","textVersion","value"}, …]
//	assertion    {"a":{"epoch":0,"persona":"…"},"b":{…},"of":"…","reason":"…"}
//	provenance   {"country","library","mapping","messageId","receiptTimed","routing","timeStatement","userAgent"}

// object writes the members of one JSON object, which must come in the order of their keys.
type object struct {
	dst   []byte
	begun bool
}

// key begins a member. The key must need no escapes.
func (o *object) key(key string) {
	o.next()
	o.dst = append(o.dst, '"')
	o.dst = append(o.dst, key...)
	o.dst = append(o.dst, '"', ':')
}

func (o *object) next() {
	if o.begun {
		o.dst = append(o.dst, ',')
	} else {
		o.dst, o.begun = append(o.dst, '{'), true
	}
}

// text writes a string member, or nothing if it is empty.
func (o *object) text(key, value string) {
	if value != "" {
		o.key(key)
		o.dst = canonical.AppendString(o.dst, value)
	}
}

func (o *object) end() []byte {
	if !o.begun {
		o.dst = append(o.dst, '{')
	}
	return append(o.dst, '}')
}

func appendIdentifiers(dst []byte, identifiers []schema.Identifier) []byte {
	if len(identifiers) == 0 {
		return dst
	}
	for i, id := range identifiers {
		dst = append(dst, "[,"[min(i, 1)])
		o := object{dst: dst}
		o.text("assurance", id.Assurance.String())
		o.text("kind", id.Kind)
		o.text("supersededBy", id.SupersededBy)
		o.key("value")
		o.dst = canonical.AppendString(o.dst, id.Value)
		dst = o.end()
	}
	return append(dst, ']')
}

// appendTraits sorts by name. Of two values for one name the later of the event's list counts.
func appendTraits(dst []byte, traits []schema.Trait) []byte {
	if len(traits) == 0 {
		return dst
	}
	if !slices.IsSortedFunc(traits, func(a, b schema.Trait) int { return strings.Compare(a.Name, b.Name) }) {
		traits = slices.Clone(traits) // the event is shared
		slices.SortStableFunc(traits, func(a, b schema.Trait) int { return strings.Compare(a.Name, b.Name) })
	}
	o := object{dst: dst}
	for i, t := range traits {
		if i+1 < len(traits) && traits[i+1].Name == t.Name {
			continue
		}
		o.next()
		o.dst = append(canonical.AppendString(o.dst, t.Name), ':')
		o.dst = append(o.dst, t.Value...)
	}
	return o.end()
}

func appendConsents(dst []byte, consents []schema.Consent) []byte {
	if len(consents) == 0 {
		return dst
	}
	for i, c := range consents {
		dst = append(dst, "[,"[min(i, 1)])
		o := object{dst: dst}
		if c.Channel != 0 {
			o.text("channel", c.Channel.String())
		}
		if c.Expiry != 0 {
			o.text("expiry", c.Expiry.String())
		}
		o.text("kind", c.Kind)
		o.text("legalBasis", c.LegalBasis)
		o.text("proof", c.Proof)
		o.text("purpose", c.Purpose)
		o.text("state", c.State.String())
		o.text("textVersion", c.TextVersion)
		o.text("value", c.Value)
		dst = o.end()
	}
	return append(dst, ']')
}

func appendAssertion(dst []byte, a *schema.Assertion) []byte {
	if a == nil {
		return dst
	}
	o := object{dst: dst}
	for _, side := range []struct {
		key string
		of  schema.PersonaEpoch
	}{{"a", a.A}, {"b", a.B}} {
		if side.of.Persona.IsZero() {
			continue
		}
		o.key(side.key)
		o.dst = append(o.dst, `{"epoch":`...)
		o.dst = strconv.AppendUint(o.dst, uint64(side.of.Epoch), 10)
		o.dst = append(o.dst, `,"persona":`...)
		o.dst = append(canonical.AppendString(o.dst, side.of.Persona.String()), '}')
	}
	if !a.Of.IsZero() {
		o.text("of", a.Of.String())
	}
	o.text("reason", a.Reason)
	return o.end()
}

func appendProvenance(dst []byte, p *schema.Provenance) []byte {
	o := object{dst: dst}
	o.text("country", p.Country)
	o.text("library", p.Library)
	o.text("mapping", p.Mapping)
	o.text("messageId", p.MessageID)
	if p.ReceiptTimed {
		o.key("receiptTimed")
		o.dst = append(o.dst, "true"...)
	}
	o.text("routing", p.Routing)
	o.text("timeStatement", p.TimeStatement)
	o.text("userAgent", p.UserAgent)
	return o.end()
}
