// Package sighting is the commonest contact of all: one of a persona that is known, by values that it is known by. It says when it was, and nothing else. So no
// value of it is brought to its normal form or hashed, nobody is decided anew, and what has to be stored of it is a few bytes beside what is stored already.
//
// A Sighting that is joined to evidence and state leaves them as identity.Persona.Join and persona.State.Fold of its event would, bit for bit: it is a shorter way to
// the same place. Whatever could lead elsewhere is no sighting, and takes the long way.
package sighting

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/persona"
	"github.com/dossier-cdp/dossier/schema"
)

// Sighting is that a persona was seen, on a channel, by identifiers and with traits as it was seen before: it moves latest times. It belongs to the state that it was
// read beside, and is good until an event that is none is folded.
type Sighting struct {
	At          schema.Instant // OccurredAt; not before any first time that it could move
	Channel     schema.Channel
	Identifiers []uint16 // by which it was seen: places in persona.State.Identifiers, rising
	Keys        []uint16 // places in identity.Persona.Keys, rising
	Traits      []uint16 // places in persona.State.Traits, rising

	// Of the traits, zero if there are none.
	Event     schema.EventID
	Assurance schema.Assurance
}

// Reader reads events that may be sightings. It must not be used concurrently.
type Reader struct {
	evidence *identity.Reader
	out      Sighting
}

// NewReader makes a reader beside a reader of evidence, whose memory of values it shares.
func NewReader(evidence *identity.Reader) *Reader { return &Reader{evidence: evidence} }

// Read reads an event beside what is known of its persona, nil if it may say more than a sighting does. The state must be linked (Link) after each event that was
// folded into it and is no sighting. What it gives is good until the next Read.
func (r *Reader) Read(e *schema.Event, recordedAt schema.Instant, evidence *identity.Persona, state *persona.State) *Sighting {
	if !May(e) || evidence == nil || state == nil {
		return nil
	}
	if e.OccurredAt < evidence.First || recordedAt < evidence.Recorded || !state.Met(e.Channel, e.OccurredAt) {
		return nil
	}
	s := &r.out
	*s = Sighting{At: e.OccurredAt, Channel: e.Channel, Identifiers: s.Identifiers[:0], Keys: s.Keys[:0], Traits: s.Traits[:0]}
	ceiling := schema.AssuranceVerified
	if e.Provenance.Trust != schema.TrustServer {
		ceiling = schema.AssuranceDeclared
	}
	account := schema.Identifier{Kind: e.Account.Kind, Value: e.Account.Value, Assurance: ceiling}
	if r.evidence.Evidence(account.Kind) && !r.see(&account, e, ceiling, recordedAt, evidence, state) {
		return nil
	}
	for i := range e.Identifiers {
		if !r.see(&e.Identifiers[i], e, ceiling, recordedAt, evidence, state) {
			return nil
		}
	}
	if len(e.Traits) > 0 && !r.repeat(e, recordedAt, evidence, state) {
		return nil
	}
	return s
}

// repeat notes the traits, and the keys that come of them, false if they say something new.
func (r *Reader) repeat(e *schema.Event, recordedAt schema.Instant, evidence *identity.Persona, state *persona.State) bool {
	s := &r.out
	for i := range e.Traits {
		place, ok := state.Says(&e.Traits[i], e.OccurredAt)
		if !ok {
			return false
		}
		s.Traits = insert(s.Traits, place)
	}
	s.Event, s.Assurance = e.ID, persona.AssuranceOfTraits(e)
	found, _ := r.evidence.Read(e, recordedAt)
	if !evidence.Covers(found) {
		return false
	}
	for i := range found.Keys {
		place := evidence.Place(found.Keys[i].Key)
		if said := &evidence.Keys[place]; place > most || e.OccurredAt < said.First || recordedAt < said.Recorded {
			return false
		}
		s.Keys = insert(s.Keys, place)
	}
	return evidence.Described(found, recordedAt)
}

// insert adds a place to a rising list.
func insert(places []uint16, place int) []uint16 {
	at, found := slices.BinarySearch(places, uint16(place))
	if found {
		return places
	}
	return slices.Insert(places, at, uint16(place))
}

// May says whether an event may be a sighting of some persona. Consents are no part of a sighting: whoever folds one folds them beside it (persona.State.FoldConsents).
func May(e *schema.Event) bool {
	return !e.Type.Decides() && e.Type != schema.TypeIdentityAliased && e.Assertion == nil
}

// see notes that the persona was seen by an identifier, false if that says something new.
func (r *Reader) see(id *schema.Identifier, e *schema.Event, ceiling schema.Assurance, recordedAt schema.Instant, evidence *identity.Persona, state *persona.State) bool {
	if id.Kind == "" || id.Value == "" {
		return true
	}
	if id.SupersededBy != "" {
		return false
	}
	i := r.find(id, e.Provenance.Country, state)
	if i < 0 {
		return false
	}
	known := &state.Identifiers[i]
	if min(id.Assurance, ceiling) > known.Assurance || e.OccurredAt < known.First {
		return false
	}
	if known.Key != ([16]byte{}) {
		place := evidence.Place(identity.Key{Kind: known.Kind, Hash: known.Key})
		if place < 0 || place > most {
			return false
		}
		said := &evidence.Keys[place]
		if max(min(id.Assurance, ceiling), schema.AssuranceInferred) > said.Assurance || !said.Carried || e.OccurredAt < said.First || recordedAt < said.Recorded {
			return false
		}
		r.out.Keys = insert(r.out.Keys, place)
	}
	r.out.Identifiers = insert(r.out.Identifiers, i)
	return true
}

// most is the largest place that a sighting can name. Who has more identifiers or keys than that is seen the long way.
const most = 1<<16 - 1

// find gives the place of an identifier that was last given as it is given now, -1 if there is none.
func (r *Reader) find(id *schema.Identifier, country string, state *persona.State) int {
	kind := r.evidence.Kind(id.Kind)
	for i := range state.Identifiers {
		known := &state.Identifiers[i]
		if known.Value != id.Value || known.Kind != kind.Name || i > most {
			continue
		}
		if kind.National { // the same digits are another number in another country
			normal, err := r.evidence.Normalize(id.Kind, id.Value, country)
			if unusable := err != nil || normal == ""; unusable != known.Unusable || !unusable && normal != known.Normal {
				continue
			}
		}
		return i
	}
	return -1
}

// Link notes in a state under which keys identity knows the identifiers of an event that was folded into it.
func (r *Reader) Link(e *schema.Event, state *persona.State) {
	r.link(e.Account.Kind, e.Account.Value, e.Provenance.Country, state)
	for i := range e.Identifiers {
		r.link(e.Identifiers[i].Kind, e.Identifiers[i].Value, e.Provenance.Country, state)
	}
}

func (r *Reader) link(kind, value, country string, state *persona.State) {
	if kind == "" || value == "" {
		return
	}
	key, ok := r.evidence.Key(kind, value, country)
	if !ok {
		return
	}
	if normal, err := r.evidence.Normalize(kind, value, country); err == nil {
		if known := state.Identifier(key.Kind, normal); known != nil {
			known.Key = key.Hash
		}
	}
}

// Join moves the latest times of what is known, and says whether any moved.
func (s *Sighting) Join(evidence *identity.Persona, state *persona.State) (changed bool) {
	changed = s.JoinState(state)
	return s.JoinEvidence(evidence) || changed
}

// JoinState is Join for one of the two.
func (s *Sighting) JoinState(state *persona.State) (changed bool) {
	changed = state.See(s.At, s.Channel, s.Identifiers)
	return state.Repeat(s.At, s.Event, s.Assurance, s.Traits) || changed
}

// JoinEvidence is Join for the other.
func (s *Sighting) JoinEvidence(evidence *identity.Persona) (changed bool) {
	for _, i := range s.Keys {
		changed = evidence.Keys[i].See(s.At) || changed
	}
	return changed
}

// Fits says whether all that a sighting names is there, as it is if it belongs to these two.
func (s *Sighting) Fits(evidence *identity.Persona, state *persona.State) bool {
	for _, i := range s.Traits {
		if int(i) >= len(state.Traits) || len(state.Traits[i].Best) == 0 {
			return false
		}
	}
	return below(s.Identifiers, len(state.Identifiers)) && below(s.Keys, len(evidence.Keys))
}

func below(places []uint16, n int) bool {
	for _, i := range places {
		if int(i) >= n {
			return false
		}
	}
	return true
}

// Tops says whether who joins s need not join t: it is by the same identifiers, with the same traits, on the same channel, and not earlier. A sighting moves latest times
// only.
func (s *Sighting) Tops(t *Sighting) bool {
	return s.Channel == t.Channel && s.Assurance == t.Assurance && (s.At > t.At || s.At == t.At && s.Event == t.Event) &&
		slices.Equal(s.Identifiers, t.Identifiers) && slices.Equal(s.Keys, t.Keys) && slices.Equal(s.Traits, t.Traits)
}

// Copy makes s a sighting of its own.
func (s *Sighting) Copy(from *Sighting) {
	identifiers, keys, traits := s.Identifiers[:0], s.Keys[:0], s.Traits[:0]
	*s = *from
	s.Identifiers, s.Keys, s.Traits = append(identifiers, from.Identifiers...), append(keys, from.Keys...), append(traits, from.Traits...)
}

var errDamaged = errors.New("stored sighting is damaged")

// AppendBinary appends the stored form: OccurredAt as a difference to first, channel(1), then for identifiers, keys and traits a count and places; if there are traits,
// event(16) and assurance(1). Numbers are varints.
func (s *Sighting) AppendBinary(dst []byte, first schema.Instant) []byte {
	dst = append(binary.AppendUvarint(dst, uint64(s.At-first)), byte(s.Channel))
	for _, places := range [][]uint16{s.Identifiers, s.Keys, s.Traits} {
		dst = binary.AppendUvarint(dst, uint64(len(places)))
		for _, i := range places {
			dst = binary.AppendUvarint(dst, uint64(i))
		}
	}
	if len(s.Traits) > 0 {
		dst = append(append(dst, s.Event[:]...), byte(s.Assurance))
	}
	return dst
}

// Decode reads the first of several stored forms, one behind the other, and gives the rest.
func (s *Sighting) Decode(b []byte, first schema.Instant) (rest []byte, err error) {
	number := func() uint64 {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			b, err = nil, errDamaged
			return 0
		}
		b = b[size:]
		return n
	}
	*s = Sighting{At: first + schema.Instant(number()), Identifiers: s.Identifiers[:0], Keys: s.Keys[:0], Traits: s.Traits[:0]}
	if len(b) == 0 {
		return nil, errDamaged
	}
	s.Channel, b = schema.Channel(b[0]), b[1:]
	for _, places := range []*[]uint16{&s.Identifiers, &s.Keys, &s.Traits} {
		for n := number(); n > 0 && err == nil; n-- {
			i := number()
			if i > most {
				err = errDamaged
			}
			*places = append(*places, uint16(i))
		}
	}
	if err == nil && len(s.Traits) > 0 {
		if len(b) < len(s.Event)+1 {
			return nil, errDamaged
		}
		b = b[copy(s.Event[:], b):]
		s.Assurance, b = schema.Assurance(b[0]), b[1:]
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}
