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

// Sighting is that a persona was seen, on a channel and by identifiers by which it was seen before: it moves latest times. It belongs to the state that it was read beside, and is good until an event that is none is folded.
type Sighting struct {
	At          schema.Instant // OccurredAt; not before any first time that it could move
	Channel     schema.Channel
	Identifiers []uint16 // by which it was seen: places in persona.State.Identifiers, rising
}

// Reader reads events that may be sightings. It must not be used concurrently.
type Reader struct {
	evidence *identity.Reader
	kinds    persona.Kinds
	out      Sighting
}

// NewReader makes a reader. What the kinds answer for a value must be what the reader of evidence makes of it.
func NewReader(evidence *identity.Reader, kinds persona.Kinds) *Reader {
	return &Reader{evidence: evidence, kinds: kinds}
}

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
	s.At, s.Channel, s.Identifiers = e.OccurredAt, e.Channel, s.Identifiers[:0]
	ceiling := schema.AssuranceVerified
	if e.Provenance.Trust != schema.TrustServer {
		ceiling = schema.AssuranceDeclared
	}
	account := schema.Identifier{Kind: e.Account.Kind, Value: e.Account.Value, Assurance: ceiling}
	if r.evidence.Kind(account.Kind).Evidence && !r.see(&account, e, ceiling, recordedAt, evidence, state) {
		return nil
	}
	for i := range e.Identifiers {
		if !r.see(&e.Identifiers[i], e, ceiling, recordedAt, evidence, state) {
			return nil
		}
	}
	return s
}

// May says whether an event may be a sighting of some persona.
func May(e *schema.Event) bool {
	switch e.Type {
	case schema.TypeIdentityLinked, schema.TypeIdentitySeparated, schema.TypeIdentityReleased, schema.TypeIdentityAliased:
		return false
	}
	return len(e.Traits) == 0 && len(e.Consents) == 0 && e.Assertion == nil
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
		said := evidence.Evidence(identity.Key{Kind: known.Kind, Hash: known.Key})
		if said == nil || max(min(id.Assurance, ceiling), schema.AssuranceInferred) > said.Assurance || !said.Carried || e.OccurredAt < said.First || recordedAt < said.Recorded {
			return false
		}
	}
	if at, found := slices.BinarySearch(r.out.Identifiers, uint16(i)); !found {
		r.out.Identifiers = slices.Insert(r.out.Identifiers, at, uint16(i))
	}
	return true
}

// find gives the place of an identifier that was last given as it is given now, -1 if there is none.
func (r *Reader) find(id *schema.Identifier, country string, state *persona.State) int {
	kind := r.evidence.Kind(id.Kind)
	for i := range state.Identifiers {
		known := &state.Identifiers[i]
		if known.Value != id.Value || known.Kind != kind.Name || i > 1<<16-1 {
			continue
		}
		if kind.National { // the same digits are another number in another country
			normal, err := r.kinds.Normalize(kind.Name, id.Value, country)
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
	of := r.evidence.Kind(kind)
	if !of.Evidence {
		return
	}
	key, ok := r.evidence.Key(of, value, country)
	if !ok {
		return
	}
	normal, err := r.kinds.Normalize(of.Name, value, country)
	if err != nil {
		return
	}
	if known := state.Identifier(of.Name, normal); known != nil {
		known.Key = key.Hash
	}
}

// Join moves the latest times of what is known, and says whether any moved.
func (s *Sighting) Join(evidence *identity.Persona, state *persona.State) (changed bool) {
	changed = state.See(s.At, s.Channel, s.Identifiers)
	for _, i := range s.Identifiers {
		if known := &state.Identifiers[i]; known.Key != ([16]byte{}) {
			if said := evidence.Evidence(identity.Key{Kind: known.Kind, Hash: known.Key}); said != nil {
				changed = said.See(s.At) || changed
			}
		}
	}
	return changed
}

// Tops says whether who joins s need not join t: it is by the same identifiers, on the same channel, and not later. A sighting moves latest times only.
func (s *Sighting) Tops(t *Sighting) bool {
	return s.At >= t.At && s.Channel == t.Channel && slices.Equal(s.Identifiers, t.Identifiers)
}

var errDamaged = errors.New("stored sighting is damaged")

// AppendBinary appends the stored form: OccurredAt as a difference to first, channel(1), count, places. Numbers are varints.
func (s *Sighting) AppendBinary(dst []byte, first schema.Instant) []byte {
	dst = binary.AppendUvarint(dst, uint64(s.At-first))
	dst = binary.AppendUvarint(append(dst, byte(s.Channel)), uint64(len(s.Identifiers)))
	for _, i := range s.Identifiers {
		dst = binary.AppendUvarint(dst, uint64(i))
	}
	return dst
}

// Decode reads the first of several stored forms, one behind the other, of a state of so many identifiers, and gives the rest.
func (s *Sighting) Decode(b []byte, first schema.Instant, identifiers int) (rest []byte, err error) {
	bad := false
	number := func() uint64 {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			bad = true
			return 0
		}
		b = b[size:]
		return n
	}
	s.At = first + schema.Instant(number())
	if len(b) == 0 {
		return nil, errDamaged
	}
	s.Channel, b = schema.Channel(b[0]), b[1:]
	s.Identifiers = s.Identifiers[:0]
	for n := number(); n > 0 && !bad; n-- {
		i := number()
		if i >= uint64(identifiers) {
			return nil, errDamaged
		}
		s.Identifiers = append(s.Identifiers, uint16(i))
	}
	if bad {
		return nil, errDamaged
	}
	return b, nil
}
