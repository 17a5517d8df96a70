package identity

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// NodeID is the public id of (persona, epoch). It is the only id that identity uses, so an erased person's next epoch is another node.
type NodeID = schema.ProfileID

// Key is an identifier's value: its kind and the keyed hash of its normal form. No value can be read from it.
type Key struct {
	Kind string
	Hash [16]byte
}

// Compare orders keys by kind, then hash.
func (k Key) Compare(l Key) int {
	if c := strings.Compare(k.Kind, l.Kind); c != 0 {
		return c
	}
	return bytes.Compare(k.Hash[:], l.Hash[:])
}

// String names the key without its value: kind and the first bytes of the hash.
func (k Key) String() string { return k.Kind + ":" + schema.Hash8(k.Hash) }

// Evidence is what a persona says about one key. Every field joins: the strongest assurance, whether an alias or
// anything else said it, the earliest and the
// latest OccurredAt, the earliest RecordedAt.
type Evidence struct {
	Key
	Assurance    schema.Assurance
	Alias        bool           // said by an identity.aliased event of a server key
	Carried      bool           // said by any other event
	First, Last  schema.Instant // OccurredAt
	Recorded     schema.Instant // smallest RecordedAt
	SupersededBy [16]byte       // the hash of the same kind that replaced this one; zero if none
}

// Name is one name as the persona's source gave it, in normal form (package name). Unsplit is set when the source gave a full
// name whose parts could not be told apart: Given and Family are then a guess.
type Name struct {
	Given, Family string
	Unsplit       bool
	Assurance     schema.Assurance
	Recorded      schema.Instant // smallest RecordedAt
}

// Birth is one birth date as the persona's source gave it.
type Birth struct {
	Year, Month, Day uint16
	Recorded         schema.Instant // smallest RecordedAt
}

// Standing says how far a persona's account names somebody.
type Standing uint8

// The standings, weakest first.
const (
	Unknown Standing = 0 // a device, a conversation, a record
	Claimed Standing = 1 // a declared id in client trust: anyone can say it
	Known   Standing = 2 // a declared id in server trust
)

func (s Standing) String() string { return [...]string{"unknown", "claimed", "known"}[s] }

// Persona is the evidence of one (persona, epoch). It joins: Join is idempotent, commutative and associative, so the evidence of a
// set of events is the same however they come.
//
// Sizes are bounded: a kind with more than KeyLimit values is crowded. It keeps the KeyLimit smallest hashes (the smallest of a
// union are among the smallest of its parts, so this is still a join) and is no evidence any more.
type Persona struct {
	ID          NodeID
	Of          schema.PersonaEpoch
	Source      string
	Trust       schema.Trust
	AccountKind string
	Standing    Standing
	First       schema.Instant // smallest OccurredAt; decides the canonical persona
	Recorded    schema.Instant // smallest RecordedAt
	Keys        []Evidence     // sorted by Key, one per key
	Names       []Name         // sorted, at most nameLimit
	Births      []Birth        // sorted, at most birthLimit
	Crowded     []string       // kinds past KeyLimit, sorted
}

// KeyLimit is how many values of one kind a persona may carry before the kind is crowded.
const KeyLimit = 512

const (
	nameLimit  = 16
	birthLimit = 8
)

// Change says what a join changed.
type Change uint8

// The changes, smallest first.
const (
	// Unchanged: the other side added nothing.
	Unchanged Change = 0
	// Clocks: only times moved that decide no partition: store it, no need to resolve.
	Clocks Change = 1
	// Substance: something that bears on the partition changed: the persona's region must be resolved again.
	Substance Change = 2
)

// IsZero says whether there is no evidence at all, not even of the persona's existence.
func (p *Persona) IsZero() bool { return p.ID.IsZero() }

// Join adds what q knows of the same persona and says what that changed. It panics if the ids differ: that is a mistake of the
// caller, never of the input. It shares nothing with q afterwards. The receiver may be zero.
func (p *Persona) Join(q *Persona) Change {
	if q.IsZero() {
		return Unchanged
	}
	if p.IsZero() {
		*p = *q.Clone()
		return Substance
	}
	if p.ID != q.ID {
		panic("identity: join of two personas")
	}
	change := Unchanged
	raise := func(c Change) { change = max(change, c) }
	if q.First < p.First {
		p.First = q.First
		raise(Substance)
	}
	if q.Recorded < p.Recorded {
		p.Recorded = q.Recorded
		raise(Clocks)
	}
	raise(p.joinKeys(q.Keys))
	raise(p.joinNames(q.Names))
	raise(p.joinBirths(q.Births))
	for _, kind := range q.Crowded {
		if p.crowd(kind) {
			raise(Substance)
		}
	}
	return change
}

func (p *Persona) joinKeys(keys []Evidence) Change {
	change := Unchanged
	for i := range keys {
		change = max(change, p.joinKey(&keys[i]))
	}
	return change
}

func (p *Persona) joinKey(e *Evidence) Change {
	at, found := p.find(e.Key)
	if found {
		return p.Keys[at].join(e)
	}
	if p.IsCrowded(e.Kind) && !p.below(e.Key) {
		return Unchanged
	}
	p.Keys = slices.Insert(p.Keys, at, *e)
	p.trim(e.Kind)
	return Substance
}

// below says whether a key of a crowded kind is smaller than the largest that is kept.
func (p *Persona) below(k Key) bool {
	_, end := p.span(k.Kind)
	return end > 0 && k.Compare(p.Keys[end-1].Key) < 0
}

func (p *Persona) span(kind string) (start, end int) {
	start, _ = slices.BinarySearchFunc(p.Keys, kind, func(e Evidence, k string) int { return strings.Compare(e.Kind, k) })
	end = start
	for end < len(p.Keys) && p.Keys[end].Kind == kind {
		end++
	}
	return start, end
}

func (p *Persona) trim(kind string) {
	start, end := p.span(kind)
	if end-start <= KeyLimit {
		return
	}
	p.Keys = slices.Delete(p.Keys, start+KeyLimit, end)
	p.crowd(kind)
}

func (p *Persona) crowd(kind string) bool {
	at, found := slices.BinarySearch(p.Crowded, kind)
	if !found {
		p.Crowded = slices.Insert(p.Crowded, at, kind)
	}
	return !found
}

// IsCrowded says whether the persona carries so many values of a kind that they are no evidence.
func (p *Persona) IsCrowded(kind string) bool {
	if len(p.Crowded) == 0 {
		return false
	}
	_, found := slices.BinarySearch(p.Crowded, kind)
	return found
}

func (p *Persona) find(k Key) (int, bool) {
	if len(p.Keys) <= 8 {
		for i := range p.Keys {
			if c := p.Keys[i].Key.Compare(k); c >= 0 {
				return i, c == 0
			}
		}
		return len(p.Keys), false
	}
	return slices.BinarySearchFunc(p.Keys, k, func(e Evidence, k Key) int { return e.Key.Compare(k) })
}

// Evidence finds what the persona says about a key, nil if nothing.
func (p *Persona) Evidence(k Key) *Evidence {
	if at, found := p.find(k); found {
		return &p.Keys[at]
	}
	return nil
}

// Described says whether p has the names and birth dates of q, recorded not later than that.
func (p *Persona) Described(q *Persona, by schema.Instant) bool {
	for _, n := range q.Names {
		if at, found := slices.BinarySearchFunc(p.Names, n, Name.compare); !found || by < p.Names[at].Recorded {
			return false
		}
	}
	for _, b := range q.Births {
		if at, found := slices.BinarySearchFunc(p.Births, b, Birth.compare); !found || by < p.Births[at].Recorded {
			return false
		}
	}
	return true
}

// Place is where the persona's evidence of a key is in Keys, -1 if there is none.
func (p *Persona) Place(k Key) int {
	if at, found := p.find(k); found {
		return at
	}
	return -1
}

func (e *Evidence) join(f *Evidence) Change {
	change := Unchanged
	if f.Assurance > e.Assurance {
		e.Assurance = f.Assurance
		change = Substance
	}
	if f.Alias && !e.Alias || f.Carried && !e.Carried {
		e.Alias, e.Carried = e.Alias || f.Alias, e.Carried || f.Carried
		change = Substance
	}
	if bytes.Compare(f.SupersededBy[:], e.SupersededBy[:]) > 0 {
		e.SupersededBy = f.SupersededBy
		change = Substance
	}
	if f.First < e.First {
		e.First = f.First
		change = max(change, Clocks)
	}
	if f.Last > e.Last {
		e.Last = f.Last
		change = max(change, Clocks)
	}
	if f.Recorded < e.Recorded {
		e.Recorded = f.Recorded
		change = max(change, Clocks)
	}
	return change
}

// See notes that the key was seen at a time that is not before its first, and says whether that moves its latest.
func (e *Evidence) See(at schema.Instant) (changed bool) {
	if at > e.Last {
		e.Last, changed = at, true
	}
	return changed
}

// compare orders names by what they say, not by when it was recorded.
func (n Name) compare(m Name) int {
	return cmp.Or(strings.Compare(n.Given, m.Given), strings.Compare(n.Family, m.Family), compareBool(n.Unsplit, m.Unsplit))
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func (p *Persona) joinNames(names []Name) Change {
	change := Unchanged
	for _, n := range names {
		at, found := slices.BinarySearchFunc(p.Names, n, Name.compare)
		switch {
		case found:
			if n.Assurance > p.Names[at].Assurance {
				p.Names[at].Assurance = n.Assurance
				change = Substance
			}
			if n.Recorded < p.Names[at].Recorded {
				p.Names[at].Recorded = n.Recorded
				change = max(change, Clocks)
			}
		case at < nameLimit:
			p.Names = slices.Insert(p.Names, at, n)
			p.Names = p.Names[:min(len(p.Names), nameLimit)]
			change = Substance
		}
	}
	return change
}

func (b Birth) compare(c Birth) int {
	return cmp.Or(cmp.Compare(b.Year, c.Year), cmp.Compare(b.Month, c.Month), cmp.Compare(b.Day, c.Day))
}

func (p *Persona) joinBirths(births []Birth) Change {
	change := Unchanged
	for _, b := range births {
		at, found := slices.BinarySearchFunc(p.Births, b, Birth.compare)
		switch {
		case found:
			if b.Recorded < p.Births[at].Recorded {
				p.Births[at].Recorded = b.Recorded
				change = max(change, Clocks)
			}
		case at < birthLimit:
			p.Births = slices.Insert(p.Births, at, b)
			p.Births = p.Births[:min(len(p.Births), birthLimit)]
			change = Substance
		}
	}
	return change
}

// served says whether a server key vouches for the persona.
func (p *Persona) served() bool { return p.Trust == schema.TrustServer }

// Clone copies the persona; the copy shares nothing with the original.
func (p *Persona) Clone() *Persona {
	q := *p
	q.Keys = slices.Clone(p.Keys)
	q.Names = slices.Clone(p.Names)
	q.Births = slices.Clone(p.Births)
	q.Crowded = slices.Clone(p.Crowded)
	return &q
}

// Before orders personas by their claim to be the canonical one: those of server keys first, so that no client key renames a profile, then
// known, then claimed, then earliest OccurredAt, then id.
func (p *Persona) Before(q *Persona) bool {
	return cmp.Or(compareBool(q.served(), p.served()), -cmp.Compare(p.Standing, q.Standing), cmp.Compare(p.First, q.First), p.ID.Compare(q.ID)) < 0
}

// covers says whether joining q would change nothing but clocks.
func (p *Persona) covers(q *Persona) bool {
	if q.First < p.First {
		return false
	}
	for i := range q.Keys {
		f := &q.Keys[i]
		e := p.Evidence(f.Key)
		if e == nil || f.Assurance > e.Assurance || f.Alias && !e.Alias || f.Carried && !e.Carried || bytes.Compare(f.SupersededBy[:], e.SupersededBy[:]) > 0 {
			return false
		}
	}
	for _, n := range q.Names {
		at, found := slices.BinarySearchFunc(p.Names, n, Name.compare)
		if !found || n.Assurance > p.Names[at].Assurance {
			return false
		}
	}
	for _, b := range q.Births {
		if _, found := slices.BinarySearchFunc(p.Births, b, Birth.compare); !found {
			return false
		}
	}
	for _, kind := range q.Crowded {
		if !p.IsCrowded(kind) {
			return false
		}
	}
	return true
}
