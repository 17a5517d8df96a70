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
	kinds   map[string]*kindMemory
	values  int // that were new since the kinds' memories were aged
	publics generations[schema.PersonaEpoch, NodeID]
	blocked map[string]map[string]bool
	out     Persona
	words   generations[string, string]

	lean bool // see Lean

	described generations[string, *described] // by what the traits say
	said      []byte
}

// kindMemory is a kind, and the values of it that came lately. Country is empty unless the kind is national.
type kindMemory struct {
	*identifier.Kind
	seen     generations[string, *seenValue]
	national generations[[2]string, *seenValue]
}

// seenValue is what becomes of a value. The hash is made when it is asked for first: what is no evidence needs none.
type seenValue struct {
	normal   string
	err      error
	hash     [16]byte
	hashed   bool
	evidence bool // false if it is no evidence; not known until it is hashed
}

// remembered bounds each generation of a Reader's memories of values, of ids and of what traits say. Longer values than longestRemembered are not kept.
const (
	remembered        = 1 << 15
	rememberedKinds   = 1 << 10
	longestRemembered = 128
)

// generations is a memory that forgets what was not asked for since it was last full.
type generations[K comparable, V any] struct{ young, old map[K]V }

func (m *generations[K, V]) get(k K) (v V, ok bool) {
	if v, ok = m.young[k]; ok {
		return v, true
	}
	if v, ok = m.old[k]; ok {
		m.put(k, v)
	}
	return v, ok
}

func (m *generations[K, V]) put(k K, v V) {
	if len(m.young) >= remembered {
		m.age()
	}
	if m.young == nil {
		m.young = map[K]V{}
	}
	m.young[k] = v
}

func (m *generations[K, V]) age() { m.old, m.young = m.young, nil }

// NewReader makes a reader.
func NewReader(hash Hasher, rules *Rules) *Reader {
	r := &Reader{hash: hash, rules: rules, kinds: map[string]*kindMemory{}, blocked: map[string]map[string]bool{}}
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
	switch {
	case e.Type.Decides():
		return p, r.assertions(e, recordedAt)
	case e.Type == schema.TypeVerbatimCorrected: // it names its persona and says nothing of it
		return p, nil
	}
	p.Of = schema.PersonaEpoch{Persona: e.Persona, Epoch: e.Key.Epoch}
	p.ID = r.public(p.Of)
	p.Source, p.Trust, p.AccountKind = r.word(e.Source), e.Provenance.Trust, r.word(e.Account.Kind)
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

// Lean has the reader leave out values of kinds that join nobody (Strength None) and have no limit: they bear on nobody's profile, and whoever keeps evidence for that
// alone need not keep them.
func (r *Reader) Lean() { r.lean = true }

// word is a text that few events differ in, kept once: what stands in an event may hold on to all that the event was read from.
func (r *Reader) word(text string) string {
	kept, ok := r.words.get(text)
	if !ok {
		kept = strings.Clone(text)
		r.words.put(kept, kept)
	}
	return kept
}

// kind is identifier.Of, from memory: a kind that is not in the registry is made once.
func (r *Reader) kind(name string) *kindMemory {
	k, ok := r.kinds[name]
	if !ok {
		if len(r.kinds) >= rememberedKinds {
			clear(r.kinds)
		}
		name = strings.Clone(name)
		k = &kindMemory{Kind: identifier.Of(name)}
		r.kinds[name] = k
	}
	return k
}

// Kind is identifier.Of, from memory.
func (r *Reader) Kind(name string) *identifier.Kind { return r.kind(name).Kind }

// Key gives the key of a value, false if the value is no evidence.
func (r *Reader) Key(kind, value, country string) (key Key, ok bool) {
	k := r.kind(kind)
	if !k.Kind.Evidence {
		return Key{}, false
	}
	key.Kind = k.Name
	key.Hash, ok = r.hashOf(k, value, country)
	return key, ok
}

// Node is the id of a persona and epoch.
func (r *Reader) Node(of schema.PersonaEpoch) NodeID { return r.public(of) }

// Name and the next three methods make a Reader the persona.Kinds of what it remembers.
func (r *Reader) Name(kind string) string { return r.kind(kind).Name }

// Evidence says whether equal values of a kind say something about who it is.
func (r *Reader) Evidence(kind string) bool { return r.kind(kind).Kind.Evidence }

// ContactPoint says whether a person can be reached by values of a kind.
func (r *Reader) ContactPoint(kind string) bool { return r.kind(kind).Kind.ContactPoint }

// Normalize is identifier.Normalize, from memory.
func (r *Reader) Normalize(kind, value, country string) (string, error) {
	v := r.look(r.kind(kind), value, country)
	return v.normal, v.err
}

func (r *Reader) public(of schema.PersonaEpoch) NodeID {
	if of.Persona.IsZero() {
		return NodeID{}
	}
	id, ok := r.publics.get(of)
	if !ok {
		id = r.hash.Public(of)
		r.publics.put(of, id)
	}
	return id
}

func (r *Reader) standing(e *schema.Event) Standing {
	switch {
	case !r.kind(e.Account.Kind).Account:
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
	kind := r.kind(id.Kind)
	if !kind.Kind.Evidence {
		return
	}
	if r.lean {
		if rule, _ := r.rules.rule(kind.Name); rule.Strength == None && rule.Limit == 0 {
			return
		}
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
func (r *Reader) hashOf(kind *kindMemory, value, country string) ([16]byte, bool) {
	v := r.look(kind, value, country)
	if !v.hashed {
		v.hashed = true
		if v.err == nil && !r.blocked[kind.Name][v.normal] && !r.blocked[""][v.normal] {
			v.hash, v.evidence = r.hash.IdentifierHash(kind.Name, v.normal), true
		}
	}
	return v.hash, v.evidence
}

func (r *Reader) look(kind *kindMemory, value, country string) *seenValue {
	if !kind.National {
		country = ""
	}
	if len(value) > longestRemembered {
		v := &seenValue{}
		v.normal, v.err = identifier.Normalize(kind.Name, value, country)
		return v
	}
	v, ok := (*seenValue)(nil), false
	if kind.National {
		v, ok = kind.national.get([2]string{country, value})
	} else {
		v, ok = kind.seen.get(value)
	}
	if ok {
		return v
	}
	if r.values++; r.values > remembered { // of all kinds together: a source may have any number of kinds
		r.values = 0
		for _, k := range r.kinds {
			k.seen.age()
			k.national.age()
		}
	}
	v, value = &seenValue{}, strings.Clone(value) // before it is made normal: what comes of it may be a part of it
	v.normal, v.err = identifier.Normalize(kind.Name, value, country)
	if kind.National {
		kind.national.put([2]string{strings.Clone(country), value}, v)
	} else {
		kind.seen.put(value, v)
	}
	return v
}

// aspect is what a trait says about who somebody is.
type aspect byte

const (
	ofNobody aspect = iota
	givenName
	familyName
	fullName
	birthDate
	street
	postcode
	city
)

func aspectOf(trait string) aspect {
	switch trait {
	case "first_name", "firstName", "given_name", "givenName", "prenom":
		return givenName
	case "last_name", "lastName", "family_name", "familyName", "surname", "nom":
		return familyName
	case "name", "full_name", "fullName":
		return fullName
	case "birth_date", "birthday", "birthdate", "birthDate", "date_of_birth", "dob":
		return birthDate
	case "street", "address", "address1", "address_1", "address.street":
		return street
	case "postcode", "postal_code", "postalCode", "zip", "zipcode", "address.postalCode":
		return postcode
	case "city", "town", "address.city":
		return city
	}
	return ofNobody
}

// described is what an event's traits say about who somebody is, in normal form.
type described struct {
	name         name.Name
	births       []Birth
	nameAndBirth string // values of identifiers; empty if there is none
	address      string
}

func (r *Reader) traits(p *Persona, e *schema.Event, assurance schema.Assurance, recordedAt schema.Instant) {
	if len(e.Traits) == 0 {
		return
	}
	said := r.said[:0]
	for i := range e.Traits {
		if of := aspectOf(e.Traits[i].Name); of != ofNobody {
			said = append(append(append(said, byte(of)), e.Traits[i].Value...), 0)
		}
	}
	r.said = said
	if len(said) == 0 {
		return
	}
	d, ok := r.described.young[string(said)]
	if !ok {
		if d, ok = r.described.get(string(said)); !ok {
			d = describe(e.Traits)
			if len(said) <= 4*longestRemembered {
				r.described.put(string(said), d)
			}
		}
	}
	for _, b := range d.births {
		b.Recorded = recordedAt
		p.joinBirths([]Birth{b})
	}
	if n := &d.name; n.Given != "" || n.Family != "" {
		p.joinNames([]Name{{Given: n.Given, Family: n.Family, Unsplit: n.Unsplit, Assurance: assurance, Recorded: recordedAt}})
	}
	if d.nameAndBirth != "" {
		r.key(p, e, schema.Identifier{Kind: identifier.NameAndBirth, Value: d.nameAndBirth, Assurance: assurance}, recordedAt)
	}
	if d.address != "" {
		r.key(p, e, schema.Identifier{Kind: "address", Value: d.address, Assurance: assurance}, recordedAt)
	}
}

// describe reads traits. Of several of one aspect the last counts, but every birth date that can be read.
func describe(traits []schema.Trait) *described {
	d := &described{}
	var of [city + 1]string
	born := ""
	for _, t := range traits {
		switch a := aspectOf(t.Name); a {
		case ofNobody:
		case birthDate:
			if y, m, d2, ok := name.Birth(text(t.Value)); ok {
				d.births = append(d.births, Birth{Year: uint16(y), Month: uint16(m), Day: uint16(d2)})
				if m > 0 {
					born = fmt.Sprintf("%04d-%02d-%02d", y, m, d2)
				}
			}
		default:
			of[a] = text(t.Value)
		}
	}
	if of[givenName] != "" || of[familyName] != "" {
		d.name = name.Of(of[givenName], of[familyName])
	} else if of[fullName] != "" {
		d.name = name.Split(of[fullName])
	}
	if d.name.Given != "" && d.name.Family != "" && born != "" {
		d.nameAndBirth = d.name.Given + "|" + d.name.Family + "|" + born
	}
	if of[street] != "" {
		d.address = identifier.Address(of[street], of[postcode], of[city])
	}
	return d
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
	switch e.Type {
	case schema.TypeIdentityLinked:
		a.Kind = Linked
	case schema.TypeIdentitySeparated:
		a.Kind = Separated
	default:
		a.Kind = Housed
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
