package identity

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/identifier"
	"github.com/dossier-cdp/dossier/pipelines/identifier/name"
	"github.com/dossier-cdp/dossier/schema"
)

// Hasher gives the keyed hashes and ids that identity works with. Package seal's ring and package ids' deriver provide them.
type Hasher interface {
	// IdentifierHash is the keyed hash of an identifier's normal form.
	IdentifierHash(kind, value string) [16]byte
	// Public is the public id of (persona, epoch).
	Public(of schema.PersonaEpoch) NodeID
}

// FromEvent gives the evidence of one event, and the assertions that it makes. For an event that is only an assertion the
// persona is zero: a decision is no contact, so link and release leave no trace. It is NewReader(hash, rules).Read, for callers
// that read few events.
func FromEvent(e *schema.Event, recordedAt schema.Instant, hash Hasher, rules *Rules) (Persona, []Assertion) {
	p, assertions := NewReader(hash, rules).Read(e, recordedAt)
	return *p, assertions
}

// Reader reads events into evidence. It remembers normal forms and hashes of recent values, which changes its speed only. It must not
// be used concurrently.
type Reader struct {
	hash    Hasher
	rules   *Rules
	seen    map[seenKey]seenValue
	publics map[schema.PersonaEpoch]NodeID
	blocked map[string]map[string]bool
	kinds   map[string]*identifier.Kind
	out     Persona
}

type seenKey struct{ kind, country, value string }

type seenValue struct {
	hash [16]byte
	ok   bool
}

// remembered bounds each memory of a Reader; a full memory is emptied. Longer values than longestRemembered are not kept.
const (
	remembered        = 1 << 15
	longestRemembered = 128
)

// NewReader makes a reader.
func NewReader(hash Hasher, rules *Rules) *Reader {
	r := &Reader{
		hash: hash, rules: rules, seen: map[seenKey]seenValue{}, publics: map[schema.PersonaEpoch]NodeID{}, blocked: map[string]map[string]bool{},
		kinds: map[string]*identifier.Kind{},
	}
	for kind, values := range rules.Blocked {
		if kind != "" {
			kind = identifier.Of(kind).Name
		}
		if r.blocked[kind] == nil {
			r.blocked[kind] = map[string]bool{}
		}
		for _, v := range values {
			r.blocked[kind][v] = true
		}
	}
	return r
}

// Read gives the evidence of one event, and the assertions that it makes. The persona is valid until the next Read: Join or Clone it.
func (r *Reader) Read(e *schema.Event, recordedAt schema.Instant) (*Persona, []Assertion) {
	p := &r.out
	*p = Persona{Keys: p.Keys[:0], Names: p.Names[:0], Births: p.Births[:0]}
	switch e.Type {
	case schema.TypeIdentityLinked, schema.TypeIdentitySeparated, schema.TypeIdentityReleased:
		return p, r.assertions(e, recordedAt)
	}
	p.Of = schema.PersonaEpoch{Persona: e.Persona, Epoch: e.Key.Epoch}
	p.ID = r.public(p.Of)
	p.Source, p.Trust, p.AccountKind = e.Source, e.Provenance.Trust, e.Account.Kind
	p.Standing = r.standing(e)
	p.First, p.Recorded = e.OccurredAt, recordedAt

	ceiling := schema.AssuranceVerified
	if e.Provenance.Trust != schema.TrustServer {
		ceiling = schema.AssuranceDeclared
	}
	r.key(p, e, schema.Identifier{Kind: e.Account.Kind, Value: e.Account.Value, Assurance: ceiling}, recordedAt)
	for i := range e.Identifiers {
		id := e.Identifiers[i]
		id.Assurance = max(min(id.Assurance, ceiling), schema.AssuranceInferred)
		r.key(p, e, id, recordedAt)
	}
	r.traits(p, e, ceiling, recordedAt)
	return p, nil
}

// Kind is identifier.Of, from memory: a kind that is not in the registry is made once.
func (r *Reader) Kind(name string) *identifier.Kind {
	k, ok := r.kinds[name]
	if !ok {
		if len(r.kinds) >= remembered {
			clear(r.kinds)
		}
		name = strings.Clone(name)
		k = identifier.Of(name)
		r.kinds[name] = k
	}
	return k
}

// Key gives the key of a value, false if the value is no evidence.
func (r *Reader) Key(kind *identifier.Kind, value, country string) (key Key, ok bool) {
	key.Kind = kind.Name
	key.Hash, ok = r.hashOf(kind, value, country)
	return key, ok
}

// Node is the id of a persona and epoch.
func (r *Reader) Node(of schema.PersonaEpoch) NodeID { return r.public(of) }

func (r *Reader) public(of schema.PersonaEpoch) NodeID {
	if of.Persona.IsZero() {
		return NodeID{}
	}
	id, ok := r.publics[of]
	if !ok {
		if len(r.publics) >= remembered {
			clear(r.publics)
		}
		id = r.hash.Public(of)
		r.publics[of] = id
	}
	return id
}

func (r *Reader) standing(e *schema.Event) Standing {
	switch {
	case !r.Kind(e.Account.Kind).Account:
		return Unknown
	case e.Provenance.Trust == schema.TrustServer:
		return Known
	}
	return Claimed
}

func (r *Reader) key(p *Persona, e *schema.Event, id schema.Identifier, recordedAt schema.Instant) {
	if id.Kind == "" || id.Value == "" {
		return
	}
	kind := r.Kind(id.Kind)
	if !kind.Evidence {
		return
	}
	hash, ok := r.hashOf(kind, id.Value, e.Provenance.Country)
	if !ok {
		return
	}
	found := Evidence{Key: Key{kind.Name, hash}, Assurance: id.Assurance, First: e.OccurredAt, Last: e.OccurredAt, Recorded: recordedAt}
	own := id.Kind == e.Account.Kind && id.Value == e.Account.Value
	found.Alias = e.Type == schema.TypeIdentityAliased && e.Provenance.Trust == schema.TrustServer && !own
	found.Carried = !found.Alias
	if id.SupersededBy != "" {
		if next, ok := r.hashOf(kind, id.SupersededBy, e.Provenance.Country); ok && next != hash {
			found.SupersededBy = next
			successor := found
			successor.Hash, successor.SupersededBy = next, [16]byte{}
			p.joinKey(&successor)
		}
	}
	p.joinKey(&found)
}

// hashOf gives the keyed hash of a value's normal form, false if the value is no evidence.
func (r *Reader) hashOf(kind *identifier.Kind, value, country string) ([16]byte, bool) {
	if !kind.National {
		country = ""
	}
	if len(value) > longestRemembered {
		return r.normalHash(kind.Name, value, country)
	}
	k := seenKey{kind.Name, country, value}
	if v, ok := r.seen[k]; ok {
		return v.hash, v.ok
	}
	if len(r.seen) >= remembered {
		clear(r.seen)
	}
	var v seenValue
	v.hash, v.ok = r.normalHash(kind.Name, value, country)
	k.value, k.country = strings.Clone(value), strings.Clone(country)
	r.seen[k] = v
	return v.hash, v.ok
}

func (r *Reader) normalHash(kind, value, country string) ([16]byte, bool) {
	normal, err := identifier.Normalize(kind, value, country)
	if err != nil || r.blocked[kind][normal] || r.blocked[""][normal] {
		return [16]byte{}, false
	}
	return r.hash.IdentifierHash(kind, normal), true
}

func (r *Reader) traits(p *Persona, e *schema.Event, assurance schema.Assurance, recordedAt schema.Instant) {
	if len(e.Traits) == 0 {
		return
	}
	var given, family, full, street, postcode, city, born string
	for _, t := range e.Traits {
		switch t.Name {
		case "first_name", "firstName", "given_name", "givenName", "prenom":
			given = text(t.Value)
		case "last_name", "lastName", "family_name", "familyName", "surname", "nom":
			family = text(t.Value)
		case "name", "full_name", "fullName":
			full = text(t.Value)
		case "birth_date", "birthday", "birthdate", "birthDate", "date_of_birth", "dob":
			if y, m, d, ok := name.Birth(text(t.Value)); ok {
				p.joinBirths([]Birth{{uint16(y), uint16(m), uint16(d), recordedAt}})
				if m > 0 {
					born = fmt.Sprintf("%04d-%02d-%02d", y, m, d)
				}
			}
		case "street", "address", "address1", "address_1", "address.street":
			street = text(t.Value)
		case "postcode", "postal_code", "postalCode", "zip", "zipcode", "address.postalCode":
			postcode = text(t.Value)
		case "city", "town", "address.city":
			city = text(t.Value)
		}
	}
	var n name.Name
	if given != "" || family != "" {
		n = name.Of(given, family)
	} else if full != "" {
		n = name.Split(full)
	}
	if n.Given != "" || n.Family != "" {
		p.joinNames([]Name{{Given: n.Given, Family: n.Family, Unsplit: n.Unsplit, Assurance: assurance, Recorded: recordedAt}})
	}
	if n.Given != "" && n.Family != "" && born != "" {
		r.key(p, e, schema.Identifier{Kind: identifier.NameAndBirth, Value: n.Given + "|" + n.Family + "|" + born, Assurance: assurance}, recordedAt)
	}
	if street != "" {
		r.key(p, e, schema.Identifier{Kind: "address", Value: identifier.Address(street, postcode, city), Assurance: assurance}, recordedAt)
	}
}

// text reads a trait's value if it is a string.
func text(value []byte) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	if slices.Contains(value, '\\') {
		var s string
		if json.Unmarshal(value, &s) != nil {
			return ""
		}
		return s
	}
	return string(value[1 : len(value)-1])
}

// assertions reads a decision. Only a server's word counts: the collector lets no client key send one.
func (r *Reader) assertions(e *schema.Event, recordedAt schema.Instant) []Assertion {
	if e.Assertion == nil || e.Provenance.Trust != schema.TrustServer {
		return nil
	}
	a := Assertion{ID: e.ID, OccurredAt: e.OccurredAt, Recorded: recordedAt, Actor: e.ActorID, Reason: e.Assertion.Reason}
	if e.Type == schema.TypeIdentityReleased {
		a.Kind, a.Of = Released, e.Assertion.Of
		return []Assertion{a}
	}
	a.Kind = Linked
	if e.Type == schema.TypeIdentitySeparated {
		a.Kind = Separated
	}
	a.A, a.B = r.public(e.Assertion.A), r.public(e.Assertion.B)
	if a.A == a.B || a.A.IsZero() || a.B.IsZero() {
		return nil
	}
	if a.A.Compare(a.B) > 0 {
		a.A, a.B = a.B, a.A
	}
	return []Assertion{a}
}
