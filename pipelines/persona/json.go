package persona

import (
	"strconv"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// The JSON of exports is canonical: members in byte order, no whitespace, times in RFC 3339, absent members left out. Values of traits are
// embedded as they are, since they are canonical themselves.

// AppendJSON appends the state as one canonical JSON object, without a line end. recordedAt, when the log recorded the persona first, is shown if
// it is given; it is no function of the set of events.
func (s *State) AppendJSON(dst []byte, recordedAt *schema.Instant) []byte {
	o := object{b: append(dst, '{')}
	o.key("account")
	account := object{b: append(o.b, '{')}
	account.string("kind", s.Account.Kind)
	account.string("value", s.Account.Value)
	o.b = append(account.b, '}')
	o.list("consents", len(s.Consents), func(b []byte, i int) []byte { return s.Consents[i].appendJSON(b) })
	o.list("contacts", len(s.Contacts), func(b []byte, i int) []byte {
		c := object{b: append(b, '{')}
		c.string("channel", s.Contacts[i].Channel.String())
		c.instant("firstOccurredAt", s.Contacts[i].First)
		c.instant("lastOccurredAt", s.Contacts[i].Last)
		return append(c.b, '}')
	})
	if s.Of.Epoch > 0 {
		o.number("epoch", uint64(s.Of.Epoch))
	}
	o.instant("firstOccurredAt", s.First)
	o.string("id", s.ID.String())
	o.list("identifiers", len(s.Identifiers), func(b []byte, i int) []byte { return s.Identifiers[i].appendJSON(b, nil) })
	o.instant("lastOccurredAt", s.Last)
	if recordedAt != nil {
		o.instant("recordedAt", *recordedAt)
	}
	o.string("source", s.Source)
	o.list("traits", len(s.Traits), func(b []byte, i int) []byte { return s.Traits[i].appendJSON(b) })
	o.string("trust", s.Trust.String())
	return append(o.b, '}')
}

func (a *Statement) appendJSON(dst []byte) []byte {
	o := object{b: append(dst, '{')}
	o.string("channel", a.Channel.String())
	o.string("event", a.Event.String())
	if a.Expiry != 0 {
		o.instant("expiry", a.Expiry)
	}
	o.string("kind", a.Kind)
	o.string("legalBasis", a.LegalBasis)
	o.string("normal", a.Normal)
	o.instant("occurredAt", a.OccurredAt)
	o.string("proof", a.Proof)
	o.string("purpose", a.Purpose)
	o.string("state", a.State.String())
	o.string("textVersion", a.TextVersion)
	o.string("value", a.Value)
	return append(o.b, '}')
}

func (a *Identifier) appendJSON(dst []byte, profile *Known) []byte {
	o := object{b: append(dst, '{')}
	o.string("assurance", a.Assurance.String())
	if profile != nil {
		o.flag("confirmed", profile.Confirmed)
	}
	o.instant("firstOccurredAt", a.First)
	o.string("kind", a.Kind)
	o.instant("lastOccurredAt", a.Last)
	o.string("normal", a.Normal)
	if profile != nil {
		o.list("sources", len(profile.Sources), func(b []byte, i int) []byte { return canonical.AppendString(b, profile.Sources[i]) })
	}
	o.string("supersededBy", a.SupersededBy)
	if a.Unusable {
		o.flag("unusable", true)
	}
	o.string("value", a.Value)
	return append(o.b, '}')
}

// AppendJSON appends the identifier as one canonical JSON object.
func (k *Known) AppendJSON(dst []byte) []byte { return k.Identifier.appendJSON(dst, k) }

func (t *Trait) appendJSON(dst []byte) []byte {
	o := object{b: append(dst, '{')}
	o.list("best", len(t.Best), func(b []byte, i int) []byte { return t.Best[i].appendJSON(b, nil) })
	if !t.Earliest.IsZero() {
		o.key("earliest")
		o.b = t.Earliest.appendJSON(o.b, nil)
	}
	o.string("name", t.Name)
	if !t.Taken.IsZero() {
		o.key("takenBack")
		o.b = t.Taken.appendJSON(o.b, nil)
	}
	return append(o.b, '}')
}

func (c *Candidate) appendJSON(dst []byte, from *Attributed) []byte {
	o := object{b: append(dst, '{')}
	o.string("assurance", c.Assurance.String())
	o.string("event", c.Event.String())
	o.instant("occurredAt", c.OccurredAt)
	if c.Value == "" {
		o.flag("omitted", true)
	}
	if from != nil {
		o.string("persona", from.Persona.String())
		o.string("source", from.Source)
		o.string("trust", from.Trust.String())
	}
	if c.Value != "" {
		o.key("value")
		o.b = append(o.b, c.Value...)
	}
	return append(o.b, '}')
}

// AppendJSON appends the trait as one canonical JSON object.
func (g *Golden) AppendJSON(dst []byte) []byte {
	o := object{b: append(dst, '{')}
	o.string("name", g.Name)
	o.list("runnersUp", len(g.RunnersUp), func(b []byte, i int) []byte { return g.RunnersUp[i].Candidate.appendJSON(b, &g.RunnersUp[i]) })
	o.key("winner")
	return append(g.Candidate.appendJSON(o.b, &g.Attributed), '}')
}

// AppendJSON appends the consent as one canonical JSON object.
func (c *Consent) AppendJSON(dst []byte) []byte {
	o := object{b: append(dst, '{')}
	if !c.Account.IsZero() {
		o.string("account", c.Account.String())
	}
	o.flag("allowed", c.Allowed)
	o.key("by")
	o.b = c.By.appendJSON(o.b)
	o.string("channel", c.Channel.String())
	o.string("kind", c.Kind)
	o.string("normal", c.Normal)
	o.string("persona", c.Persona.String())
	o.string("purpose", c.Purpose)
	o.string("reason", string(c.Reason))
	o.string("source", c.Source)
	o.string("state", c.State.String())
	o.string("value", c.Value)
	return append(o.b, '}')
}

// object writes the members of a JSON object; the caller gives them in byte order.
type object struct {
	b     []byte
	begun bool
}

func (o *object) key(key string) {
	if o.begun {
		o.b = append(o.b, ',')
	}
	o.begun = true
	o.b = append(canonical.AppendString(o.b, key), ':')
}

// string leaves an empty value out.
func (o *object) string(key, value string) {
	if value != "" {
		o.key(key)
		o.b = canonical.AppendString(o.b, value)
	}
}

func (o *object) instant(key string, t schema.Instant) { o.string(key, t.String()) }

func (o *object) number(key string, n uint64) {
	o.key(key)
	o.b = strconv.AppendUint(o.b, n, 10)
}

func (o *object) flag(key string, f bool) {
	o.key(key)
	o.b = strconv.AppendBool(o.b, f)
}

// list leaves an empty list out.
func (o *object) list(key string, n int, element func(b []byte, i int) []byte) {
	if n == 0 {
		return
	}
	o.key(key)
	o.b = append(o.b, '[')
	for i := range n {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = element(o.b, i)
	}
	o.b = append(o.b, ']')
}
