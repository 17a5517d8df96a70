package sighting

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
)

// Heard remembers what personas said of themselves, but for when. An event that says it again is the same sighting at another time, and is known as one without a
// look at what is known of its persona: that need not even be in memory.
//
// It rests on what a sighting rests on, which only grows: first times and RecordedAt fall, assurances rise, and places stay what they are until an event that is no
// sighting is folded into the persona (Forget). So what once was a sighting is one at any later OccurredAt and RecordedAt.
//
// It is bounded, and what it remembers changes no result, only speed. It holds no pointers, so the garbage collector has nothing to look through. It must not be used
// concurrently.
type Heard struct {
	seed   maphash.Seed
	most   int // personas
	byID   map[schema.PersonaEpoch]uint32
	known  []Speaker
	bySum  map[uint64]uint32
	shapes []shape

	nextPersona, nextShape int // that give way when there are as many as may be

	buf []byte
	out Sighting
}

// Speaker is a persona that Heard knows.
type Speaker struct {
	of       schema.PersonaEpoch
	turn     uint32         // of what is known of it: shapes of an earlier one are void
	recorded schema.Instant // the sightings are those of events recorded not before

	Node   identity.NodeID
	First  schema.Instant // OccurredAt of the first event, from which stored sightings count
	Merged int            // for the caller: how many bytes of sightings are stored beside the persona's row
}

// shape is what events of a persona say again and again.
type shape struct {
	sum     uint64
	at      schema.Instant // the sightings are those of events that occurred not before
	persona uint32
	turn    uint32
	size    uint8
	body    [31]byte // channel(1), then places as in a stored sighting; then assurance(1), if there are traits
}

// shapesOfPersona is how many shapes are remembered for each persona, over all of them.
const shapesOfPersona = 3

// NewHeard makes an empty memory of so many personas, which takes about 300 bytes for each, as they come. The seed is that of a hash by which shapes are told apart: one
// that nobody outside can know, so that nobody can make two that look the same.
func NewHeard(most int, seed maphash.Seed) *Heard {
	return &Heard{seed: seed, most: most, byID: map[schema.PersonaEpoch]uint32{}, bySum: map[uint64]uint32{}}
}

// Again gives the sighting that an event is, if it says what its persona said before; nil if that is not remembered. Of events that are none (May) nothing may be asked.
// What it gives is good until the next call.
func (h *Heard) Again(e *schema.Event, recordedAt schema.Instant) (*Sighting, *Speaker) {
	i, found := h.bySum[h.sum(e)]
	if !found {
		return nil, nil
	}
	s := &h.shapes[i]
	k := &h.known[s.persona]
	if s.turn != k.turn || k.of.Persona != e.Persona || k.of.Epoch != e.Key.Epoch || e.OccurredAt < s.at || recordedAt < k.recorded {
		return nil, nil
	}
	x, b := &h.out, s.body[:s.size]
	x.At, x.Channel, b = e.OccurredAt, schema.Channel(b[0]), b[1:]
	x.Identifiers, b = places(x.Identifiers[:0], b)
	x.Keys, b = places(x.Keys[:0], b)
	x.Traits, b = places(x.Traits[:0], b)
	x.Event, x.Assurance = schema.EventID{}, 0
	if len(x.Traits) > 0 {
		x.Event, x.Assurance = e.ID, schema.Assurance(b[0])
	}
	return x, k
}

// places reads a list that Note wrote.
func places(dst []uint16, b []byte) ([]uint16, []byte) {
	n := b[0]
	b = b[1:]
	for range n {
		dst, b = append(dst, uint16(b[0])), b[1:]
	}
	return dst, b
}

// Note remembers that an event was read as a sighting of a persona, beside evidence that says when it was first seen, and gives what is known of it.
func (h *Heard) Note(e *schema.Event, recordedAt schema.Instant, x *Sighting, evidence *identity.Persona) *Speaker {
	i := h.persona(evidence)
	k := &h.known[i]
	k.recorded, k.First = max(k.recorded, recordedAt), evidence.First
	var s shape
	b := append(s.body[:0], byte(x.Channel))
	for _, list := range [][]uint16{x.Identifiers, x.Keys, x.Traits} {
		if len(b)+len(list)+2 > len(s.body) {
			return k
		}
		b = append(b, byte(len(list)))
		for _, place := range list {
			if place > 0xff {
				return k
			}
			b = append(b, byte(place))
		}
	}
	if len(x.Traits) > 0 {
		b = append(b, byte(x.Assurance))
	}
	s.size, s.at, s.persona, s.turn, s.sum = uint8(len(b)), x.At, i, k.turn, h.sum(e)
	at, found := h.bySum[s.sum]
	switch {
	case found:
		if old := &h.shapes[at]; old.persona == i && old.turn == k.turn {
			s.at = min(s.at, old.at)
		}
	case len(h.shapes) < shapesOfPersona*h.most:
		at = uint32(len(h.shapes))
		h.shapes = append(h.shapes, shape{})
	default:
		at = uint32(h.nextShape)
		h.nextShape = (h.nextShape + 1) % len(h.shapes)
		delete(h.bySum, h.shapes[at].sum)
	}
	h.shapes[at], h.bySum[s.sum] = s, at
	return k
}

func (h *Heard) persona(evidence *identity.Persona) uint32 {
	i, found := h.byID[evidence.Of]
	if found {
		return i
	}
	turn := uint32(0)
	if len(h.known) < h.most {
		i = uint32(len(h.known))
		h.known = append(h.known, Speaker{})
	} else {
		i = uint32(h.nextPersona)
		h.nextPersona = (h.nextPersona + 1) % len(h.known)
		turn = h.known[i].turn + 1
		delete(h.byID, h.known[i].of)
	}
	h.known[i] = Speaker{of: evidence.Of, turn: turn, Node: evidence.ID, First: evidence.First}
	h.byID[evidence.Of] = i
	return i
}

// Forget forgets what a persona said. It must be called when an event that is no sighting changed what is known of it, and when it is erased.
func (h *Heard) Forget(of schema.PersonaEpoch) {
	if i, found := h.byID[of]; found {
		k := &h.known[i]
		k.turn++
		k.recorded = 0
	}
}

// sum tells what an event says of its persona, but for when, from what any other event says of any other.
func (h *Heard) sum(e *schema.Event) uint64 {
	b := append(h.buf[:0], e.Persona[:]...)
	b = binary.LittleEndian.AppendUint32(b, e.Key.Epoch)
	b = append(b, byte(e.Channel), byte(e.Provenance.Trust))
	text := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	text(e.Provenance.Country)
	text(e.Account.Kind)
	text(e.Account.Value)
	b = binary.AppendUvarint(b, uint64(len(e.Identifiers)))
	for i := range e.Identifiers {
		id := &e.Identifiers[i]
		text(id.Kind)
		text(id.Value)
		b = append(b, byte(id.Assurance))
		text(id.SupersededBy)
	}
	for i := range e.Traits {
		t := &e.Traits[i]
		text(t.Name)
		b = append(binary.AppendUvarint(b, uint64(len(t.Value))), t.Value...)
	}
	h.buf = b
	return maphash.Bytes(h.seed, b)
}

// Run is sightings of one persona in stored form, one behind the other, that are to be stored.
type Run struct {
	Bytes []byte
	last  Sighting // stands from lastAt on
	at    int
}

// Add adds a sighting of a persona that was first seen at a time. Of two of which one says all that the other does, that one is kept.
func (r *Run) Add(x *Sighting, first schema.Instant) {
	if len(r.Bytes) > 0 {
		if r.last.Tops(x) {
			return
		}
		if x.Tops(&r.last) {
			r.Bytes = r.Bytes[:r.at]
		} else {
			r.at = len(r.Bytes)
		}
	} else {
		r.at = 0
	}
	r.last.Copy(x)
	r.Bytes = x.AppendBinary(r.Bytes, first)
}

// Reset begins anew.
func (r *Run) Reset() { r.Bytes = r.Bytes[:0] }
