// Package persona keeps what is known of one persona, and joins personas into what is known of one person.
//
// A State is a function of the set of events of one persona: Fold and Join are idempotent, commutative and associative, so order,
// duplicates and batches change nothing, down to the bytes of AppendBinary and AppendJSON. GoldenRecord, Identifiers and Consents are functions of the set
// of the states of a profile, so a merge or a split rewrites nothing: it only changes which states are asked.
//
// What must be counted or summed is not here: it is counted in the timeline, which holds each event once.
//
// Every part is bounded, by rules that are joins themselves; the limits are beside the rules. What a limit leaves out of a state
// is still in the log and in the timeline.
package persona

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// State is what the events of one (persona, epoch) say. Its slices are sorted and hold each key once, so equal states are equal
// byte for byte. The zero State is that of no event.
type State struct {
	ID          schema.ProfileID // the public id of the persona and epoch
	Of          schema.PersonaEpoch
	Source      string
	Trust       schema.Trust
	Account     schema.Account
	First, Last schema.Instant // OccurredAt of the first and the last event
	Contacts    []Contact      // by channel
	Identifiers []Identifier   // by kind and normal form
	Traits      []Trait        // by name
	Consents    []Statement    // by subject, the latest first
}

// Contact is when a channel carried events of the persona.
type Contact struct {
	Channel     schema.Channel
	First, Last schema.Instant // OccurredAt
}

// IsZero says whether no event was folded.
func (s *State) IsZero() bool { return s.ID.IsZero() }

// Begin is the state of a persona of which nothing is known but the event that it belongs to. id is the public id of the event's persona
// and epoch.
func Begin(id schema.ProfileID, e *schema.Event) *State {
	return &State{
		ID: id, Of: schema.PersonaEpoch{Persona: e.Persona, Epoch: e.Key.Epoch},
		Source: strings.Clone(e.Source), Trust: e.Provenance.Trust,
		Account: schema.Account{Kind: strings.Clone(e.Account.Kind), Value: strings.Clone(e.Account.Value)},
		First:   e.OccurredAt, Last: e.OccurredAt,
	}
}

// Fold adds an event that says something of its persona, and says whether anything changed. It keeps no memory of e. A person's decision
// about two personas says nothing of either: it is no contact, and must not be folded, so that link and release together leave no trace.
func (s *State) Fold(e *schema.Event, kinds Kinds) (changed bool) {
	changed = s.span(e.OccurredAt, e.OccurredAt)
	changed = s.contact(Contact{e.Channel, e.OccurredAt, e.OccurredAt}) || changed
	changed = s.foldIdentifiers(e, kinds) || changed
	changed = s.foldTraits(e) || changed
	return s.FoldConsents(e, kinds) || changed
}

// Join adds what other knows of the same persona and says whether anything changed. It panics if the ids differ: that is a mistake
// of the caller, never of the input. The states share nothing afterwards that either may change.
func (s *State) Join(other *State) (changed bool) {
	if other.IsZero() {
		return false
	}
	if s.IsZero() {
		*s = *other.Clone()
		return true
	}
	if s.ID != other.ID {
		panic("persona: join of two personas")
	}
	changed = s.span(other.First, other.Last)
	for _, c := range other.Contacts {
		changed = s.contact(c) || changed
	}
	for i := range other.Identifiers {
		changed = s.identifier(&other.Identifiers[i]) || changed
	}
	for i := range other.Traits {
		changed = s.joinTrait(&other.Traits[i]) || changed
	}
	for i := range other.Consents {
		changed = s.statement(&other.Consents[i]) || changed
	}
	return changed
}

// Clone copies the state.
func (s *State) Clone() *State {
	c := *s
	c.Contacts = slices.Clone(s.Contacts)
	c.Identifiers = slices.Clone(s.Identifiers)
	c.Consents = slices.Clone(s.Consents)
	c.Traits = slices.Clone(s.Traits)
	for i := range c.Traits {
		c.Traits[i].Best = slices.Clone(s.Traits[i].Best)
	}
	return &c
}

func (s *State) span(first, last schema.Instant) (changed bool) {
	if first < s.First {
		s.First, changed = first, true
	}
	if last > s.Last {
		s.Last, changed = last, true
	}
	return changed
}

func (s *State) findContact(channel schema.Channel) (int, bool) {
	for i := range s.Contacts {
		if c := s.Contacts[i].Channel; c >= channel {
			return i, c == channel
		}
	}
	return len(s.Contacts), false
}

func (s *State) contact(c Contact) (changed bool) {
	i, found := s.findContact(c.Channel)
	if !found {
		s.Contacts = slices.Insert(s.Contacts, i, c)
		return true
	}
	at := &s.Contacts[i]
	if c.First < at.First {
		at.First, changed = c.First, true
	}
	if c.Last > at.Last {
		at.Last, changed = c.Last, true
	}
	return changed
}

// Identifier is a value by which the persona's source knows the customer; its account is one of them.
type Identifier struct {
	Kind         string
	Normal       string // the normal form; the value as given where Unusable
	Unusable     bool   // identifies nobody (a placeholder, a malformed value): shown, never evidence
	Value        string // as last given; of two given at one moment the larger
	Assurance    schema.Assurance
	First, Last  schema.Instant // OccurredAt
	SupersededBy string         // the value that replaces this one, as last said
	SupersededAt schema.Instant // when that was said

	// Key is the hash by which identity knows the value, if whoever keeps the state noted it (package sighting); zero if the value is no evidence. It is not part
	// of the binary form.
	Key [16]byte
}

// MaxIdentifiers is how many values of one kind a state holds: the smallest normal forms, by length, then bytes. An order that never
// changes is what keeps this a join: the recency of a value could not decide, since its first time would be forgotten with it.
const MaxIdentifiers = 256

func (a *Identifier) compare(b *Identifier) int {
	return cmp.Or(strings.Compare(a.Kind, b.Kind), cmp.Compare(len(a.Normal), len(b.Normal)), strings.Compare(a.Normal, b.Normal))
}

func (s *State) foldIdentifiers(e *schema.Event, kinds Kinds) (changed bool) {
	if kinds.Evidence(e.Account.Kind) {
		changed = s.foldIdentifier(e, &schema.Identifier{Kind: e.Account.Kind, Value: e.Account.Value, Assurance: schema.AssuranceVerified}, kinds)
	}
	for i := range e.Identifiers {
		changed = s.foldIdentifier(e, &e.Identifiers[i], kinds) || changed
	}
	return changed
}

func (s *State) foldIdentifier(e *schema.Event, id *schema.Identifier, kinds Kinds) bool {
	if id.Kind == "" || id.Value == "" {
		return false
	}
	seen := Identifier{
		Kind: kinds.Name(id.Kind), Value: id.Value, Assurance: believable(e.Provenance.Trust, id.Assurance),
		First: e.OccurredAt, Last: e.OccurredAt, SupersededBy: id.SupersededBy,
	}
	seen.Normal, seen.Unusable = normalize(kinds, seen.Kind, id.Value, e.Provenance.Country)
	if seen.SupersededBy != "" {
		seen.SupersededAt = e.OccurredAt
	}
	return s.identifier(&seen)
}

// normalize falls back to the value as given where there is no normal form, so that nothing a source said is hidden.
func normalize(kinds Kinds, kind, value, country string) (normal string, unusable bool) {
	normal, refusal := kinds.Normalize(kind, value, country)
	if refusal != nil || normal == "" {
		return value, true
	}
	return normal, false
}

// believable bounds what a public key can claim: nothing that it says is verified.
func believable(trust schema.Trust, a schema.Assurance) schema.Assurance {
	if trust != schema.TrustServer {
		return min(a, schema.AssuranceDeclared)
	}
	return a
}

func (s *State) identifier(seen *Identifier) (changed bool) {
	i, found := s.findIdentifier(seen)
	if !found {
		s.Identifiers = slices.Insert(s.Identifiers, i, seen.clone())
		if last := s.lastOfKind(i); last-s.firstOfKind(i) >= MaxIdentifiers {
			s.Identifiers = slices.Delete(s.Identifiers, last, last+1)
			return i != last
		}
		return true
	}
	at := &s.Identifiers[i]
	if seen.Last > at.Last || seen.Last == at.Last && seen.Value > at.Value {
		if seen.Value != at.Value {
			at.Value = strings.Clone(seen.Value)
		}
		at.Last, changed = seen.Last, true
	}
	if seen.First < at.First {
		at.First, changed = seen.First, true
	}
	if seen.Assurance > at.Assurance {
		at.Assurance, changed = seen.Assurance, true
	}
	if at.Unusable && !seen.Unusable { // under two countries, one of which can read it
		at.Unusable, changed = false, true
	}
	if seen.SupersededBy != "" && (at.SupersededBy == "" ||
		cmp.Or(cmp.Compare(seen.SupersededAt, at.SupersededAt), strings.Compare(seen.SupersededBy, at.SupersededBy)) > 0) {
		at.SupersededAt, at.SupersededBy, changed = seen.SupersededAt, strings.Clone(seen.SupersededBy), true
	}
	return changed
}

// clone copies the texts, which belong to an event, so that a state keeps no event in memory.
func (a *Identifier) clone() Identifier {
	b := *a
	b.Kind, b.Normal, b.Value, b.SupersededBy = strings.Clone(a.Kind), strings.Clone(a.Normal), strings.Clone(a.Value), strings.Clone(a.SupersededBy)
	return b
}

func (s *State) findIdentifier(seen *Identifier) (int, bool) {
	from, to := 0, len(s.Identifiers) // written out: a comparison by func would move every seen identifier to the heap
	for from < to {
		mid := (from + to) / 2
		switch c := s.Identifiers[mid].compare(seen); {
		case c == 0:
			return mid, true
		case c < 0:
			from = mid + 1
		default:
			to = mid
		}
	}
	return from, false
}

func (s *State) firstOfKind(i int) int {
	for i > 0 && s.Identifiers[i-1].Kind == s.Identifiers[i].Kind {
		i--
	}
	return i
}

func (s *State) lastOfKind(i int) int {
	for i+1 < len(s.Identifiers) && s.Identifiers[i+1].Kind == s.Identifiers[i].Kind {
		i++
	}
	return i
}

// Identifier finds an identifier by its normal form, nil if there is none.
func (s *State) Identifier(kind, normal string) *Identifier {
	probe := Identifier{Kind: kind, Normal: normal}
	if i, found := s.findIdentifier(&probe); found {
		return &s.Identifiers[i]
	}
	return nil
}

// Met says whether the persona had been met on a channel by some time.
func (s *State) Met(channel schema.Channel, by schema.Instant) bool {
	i, found := s.findContact(channel)
	return found && s.Contacts[i].First <= by && s.First <= by
}

// See notes a contact on a channel on which the persona had been met by then, by identifiers (places in Identifiers) that it had given as they are given now, and says
// whether any latest time moved.
func (s *State) See(at schema.Instant, channel schema.Channel, identifiers []uint16) (changed bool) {
	latest := func(t *schema.Instant) {
		if at > *t {
			*t, changed = at, true
		}
	}
	latest(&s.Last)
	if i, found := s.findContact(channel); found {
		latest(&s.Contacts[i].Last)
	}
	for _, i := range identifiers {
		latest(&s.Identifiers[i].Last)
	}
	return changed
}

// Says gives the place in Traits of a trait of which an event says what the persona's best event said, false if it says something else, or says it earliest: then the
// event has to be folded.
func (s *State) Says(t *schema.Trait, at schema.Instant) (place int, ok bool) {
	if len(t.Value) == 0 || len(t.Value) > MaxRunnerUpBytes || t.Value[0] == '{' {
		return 0, false
	}
	i, found := s.findTrait(escapeName(t.Name))
	if !found {
		return 0, false
	}
	known := &s.Traits[i]
	return i, len(known.Best) > 0 && known.Best[0].Value == string(t.Value) && !known.Earliest.IsZero() && known.Earliest.OccurredAt < at
}

// AssuranceOfTraits is how far an event's traits are believed.
func AssuranceOfTraits(e *schema.Event) schema.Assurance { return assuranceOfTraits(e) }

// Repeat notes that an event said again what the persona's best events said of traits (places in Traits), and says whether it is the best now.
func (s *State) Repeat(at schema.Instant, event schema.EventID, assurance schema.Assurance, traits []uint16) (changed bool) {
	for _, i := range traits {
		best := &s.Traits[i].Best[0]
		if c := (Candidate{best.Value, at, event, assurance}); c.rank(best) > 0 {
			*best, changed = c, true
		}
	}
	return changed
}

// carries says whether the persona gave a value that can be used to reach it.
func (s *State) carries(kind, normal string) bool {
	probe := Identifier{Kind: kind, Normal: normal}
	i, found := s.findIdentifier(&probe)
	return found && !s.Identifiers[i].Unusable
}

// later orders statements by which one counts: the later OccurredAt, then the larger event id.
func later(at schema.Instant, id schema.EventID, thanAt schema.Instant, thanID schema.EventID) int {
	return cmp.Or(cmp.Compare(at, thanAt), bytes.Compare(id[:], thanID[:]))
}
