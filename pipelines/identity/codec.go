package identity

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// The stored form of a Persona, version 1. Integers are varints (signed ones zigzag), texts are preceded by their length; clocks of
// parts are stored as differences to the persona's First and Recorded, which keeps them short.
//
//	version  1 byte
//	id 16, persona 16, epoch
//	source, trust, account kind, standing, first, recorded
//	count of kinds used by keys, each a text
//	count of keys, each: kind (index), hash 16, flags (assurance, 4 alias, 8 superseded, 16 carried), first, last − first, recorded, [hash 16]
//	count of names, each: given, family, flags (assurance, 4 unsplit), recorded
//	count of births, each: year, month, day, recorded
//	count of crowded kinds, each a text
const personaVersion = 1

const (
	flagAlias      = 4
	flagSuperseded = 8
	flagCarried    = 16
	flagUnsplit    = 4
	flagAssurance  = 3
)

// AppendBinary appends the stored form. Equal personas have equal forms.
func (p *Persona) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, personaVersion)
	b = append(b, p.ID[:]...)
	b = append(b, p.Of.Persona[:]...)
	b = binary.AppendUvarint(b, uint64(p.Of.Epoch))
	b = appendText(b, p.Source)
	b = append(b, byte(p.Trust))
	b = appendText(b, p.AccountKind)
	b = append(b, byte(p.Standing))
	b = binary.AppendVarint(b, int64(p.First))
	b = binary.AppendVarint(b, int64(p.Recorded))

	var kinds []string
	for i := range p.Keys {
		if k := p.Keys[i].Kind; len(kinds) == 0 || kinds[len(kinds)-1] != k {
			kinds = append(kinds, k)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(kinds)))
	for _, k := range kinds {
		b = appendText(b, k)
	}
	b = binary.AppendUvarint(b, uint64(len(p.Keys)))
	kind := 0
	for i := range p.Keys {
		e := &p.Keys[i]
		for kinds[kind] != e.Kind {
			kind++
		}
		b = binary.AppendUvarint(b, uint64(kind))
		b = append(b, e.Hash[:]...)
		flags := byte(e.Assurance)
		if e.Alias {
			flags |= flagAlias
		}
		if e.Carried {
			flags |= flagCarried
		}
		if e.SupersededBy != ([16]byte{}) {
			flags |= flagSuperseded
		}
		b = append(b, flags)
		b = binary.AppendVarint(b, int64(e.First-p.First))
		b = binary.AppendVarint(b, int64(e.Last-e.First))
		b = binary.AppendVarint(b, int64(e.Recorded-p.Recorded))
		if flags&flagSuperseded != 0 {
			b = append(b, e.SupersededBy[:]...)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(p.Names)))
	for _, n := range p.Names {
		b = appendText(b, n.Given)
		b = appendText(b, n.Family)
		flags := byte(n.Assurance)
		if n.Unsplit {
			flags |= flagUnsplit
		}
		b = append(b, flags)
		b = binary.AppendVarint(b, int64(n.Recorded-p.Recorded))
	}
	b = binary.AppendUvarint(b, uint64(len(p.Births)))
	for _, n := range p.Births {
		b = binary.AppendUvarint(b, uint64(n.Year))
		b = append(b, byte(n.Month), byte(n.Day))
		b = binary.AppendVarint(b, int64(n.Recorded-p.Recorded))
	}
	b = binary.AppendUvarint(b, uint64(len(p.Crowded)))
	for _, k := range p.Crowded {
		b = appendText(b, k)
	}
	return b, nil
}

// MarshalBinary gives the stored form.
func (p *Persona) MarshalBinary() ([]byte, error) {
	return p.AppendBinary(make([]byte, 0, 96+48*len(p.Keys)+32*len(p.Names)))
}

var errPersona = errors.New("stored persona is damaged")

// UnmarshalBinary reads the stored form; p shares nothing with b. A damaged or later form is an error, and p is then undefined.
func (p *Persona) UnmarshalBinary(b []byte) error {
	in := decoder{b: b, texts: string(b)} // one allocation; every text of the persona is a part of it
	if v := in.byte(); v != personaVersion {
		return fmt.Errorf("stored persona has version %d, want %d", v, personaVersion)
	}
	*p = Persona{}
	in.fill(p.ID[:])
	in.fill(p.Of.Persona[:])
	p.Of.Epoch = uint32(in.uvarint())
	p.Source = in.text()
	p.Trust = schema.Trust(in.byte())
	p.AccountKind = in.text()
	p.Standing = Standing(in.byte())
	p.First = schema.Instant(in.varint())
	p.Recorded = schema.Instant(in.varint())
	if p.Standing > Known {
		return errPersona
	}
	kinds := make([]string, in.count(1))
	for i := range kinds {
		kinds[i] = in.text()
	}
	if n := in.count(21); n > 0 {
		p.Keys = make([]Evidence, n)
	}
	for i := range p.Keys {
		e := &p.Keys[i]
		kind := in.uvarint()
		if kind >= uint64(len(kinds)) {
			return errPersona
		}
		e.Kind = kinds[kind]
		in.fill(e.Hash[:])
		flags := in.byte()
		e.Assurance = schema.Assurance(flags & flagAssurance)
		e.Alias, e.Carried = flags&flagAlias != 0, flags&flagCarried != 0
		e.First = p.First + schema.Instant(in.varint())
		e.Last = e.First + schema.Instant(in.varint())
		e.Recorded = p.Recorded + schema.Instant(in.varint())
		if flags&flagSuperseded != 0 {
			in.fill(e.SupersededBy[:])
		}
	}
	if n := in.count(4); n > 0 {
		p.Names = make([]Name, n)
	}
	for i := range p.Names {
		n := &p.Names[i]
		n.Given, n.Family = in.text(), in.text()
		flags := in.byte()
		n.Assurance, n.Unsplit = schema.Assurance(flags&flagAssurance), flags&flagUnsplit != 0
		n.Recorded = p.Recorded + schema.Instant(in.varint())
	}
	if n := in.count(4); n > 0 {
		p.Births = make([]Birth, n)
	}
	for i := range p.Births {
		p.Births[i] = Birth{Year: uint16(in.uvarint()), Month: uint16(in.byte()), Day: uint16(in.byte())}
		p.Births[i].Recorded = p.Recorded + schema.Instant(in.varint())
	}
	if n := in.count(1); n > 0 {
		p.Crowded = make([]string, n)
	}
	for i := range p.Crowded {
		p.Crowded[i] = in.text()
	}
	if in.bad || len(in.b) > 0 || !p.sorted() {
		return errPersona
	}
	return nil
}

// sorted says whether all lists are in order and without repetition, as Join keeps them.
func (p *Persona) sorted() bool {
	return ascending(p.Keys, func(a, b Evidence) int { return a.Key.Compare(b.Key) }) && ascending(p.Names, Name.compare) &&
		ascending(p.Births, Birth.compare) && ascending(p.Crowded, strings.Compare)
}

func ascending[T any](list []T, compare func(a, b T) int) bool {
	for i := 1; i < len(list); i++ {
		if compare(list[i-1], list[i]) >= 0 {
			return false
		}
	}
	return true
}

// The stored form of a HubState, version 2: version byte, then for servers and clients: carriers, count of Beside, each 8 bytes big-endian.
const hubVersion = 2

// AppendBinary appends the stored form. Equal states have equal forms.
func (h *HubState) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, hubVersion)
	for _, side := range []*SideState{&h.Servers, &h.Clients} {
		b = binary.AppendUvarint(b, uint64(side.Carriers))
		b = binary.AppendUvarint(b, uint64(len(side.Beside)))
		for _, v := range side.Beside {
			b = binary.BigEndian.AppendUint64(b, v)
		}
	}
	return b, nil
}

// MarshalBinary gives the stored form.
func (h *HubState) MarshalBinary() ([]byte, error) {
	return h.AppendBinary(make([]byte, 0, 8+8*len(h.Servers.Beside)+8*len(h.Clients.Beside)))
}

// UnmarshalBinary reads the stored form. A damaged or other form is an error, and h is then undefined.
func (h *HubState) UnmarshalBinary(b []byte) error {
	in := decoder{b: b}
	if v := in.byte(); v != hubVersion {
		return fmt.Errorf("stored hub has version %d, want %d", v, hubVersion)
	}
	*h = HubState{}
	for _, side := range []*SideState{&h.Servers, &h.Clients} {
		side.Carriers = int(in.uvarint())
		if n := in.count(8); n > 0 {
			side.Beside = make([]uint64, n)
		}
		for i := range side.Beside {
			var v [8]byte
			in.fill(v[:])
			side.Beside[i] = binary.BigEndian.Uint64(v[:])
		}
		in.bad = in.bad || side.Carriers < 0
	}
	if in.bad || len(in.b) > 0 {
		return errors.New("stored hub is damaged")
	}
	return nil
}

// The stored form of an Assertion, version 1: version byte, id 16, kind, a 16, b 16, of 16, occurred, recorded, actor, reason.
const assertionVersion = 1

// MarshalBinary gives the stored form.
func (a *Assertion) MarshalBinary() ([]byte, error) {
	b := append(make([]byte, 0, 96), assertionVersion)
	b = append(b, a.ID[:]...)
	b = append(b, byte(a.Kind))
	b = append(b, a.A[:]...)
	b = append(b, a.B[:]...)
	b = append(b, a.Of[:]...)
	b = binary.AppendVarint(b, int64(a.OccurredAt))
	b = binary.AppendVarint(b, int64(a.Recorded))
	b = appendText(b, a.Actor)
	return appendText(b, a.Reason), nil
}

// UnmarshalBinary reads the stored form. A damaged or later form is an error, and a is then undefined.
func (a *Assertion) UnmarshalBinary(b []byte) error {
	in := decoder{b: b}
	if v := in.byte(); v != assertionVersion {
		return fmt.Errorf("stored assertion has version %d, want %d", v, assertionVersion)
	}
	*a = Assertion{}
	in.fill(a.ID[:])
	a.Kind = AssertionKind(in.byte())
	in.fill(a.A[:])
	in.fill(a.B[:])
	in.fill(a.Of[:])
	a.OccurredAt, a.Recorded = schema.Instant(in.varint()), schema.Instant(in.varint())
	a.Actor, a.Reason = in.text(), in.text()
	if in.bad || len(in.b) > 0 || a.Kind > Housed {
		return errors.New("stored assertion is damaged")
	}
	return nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decoder reads a stored form. After damage it gives zeros and bad is set.
type decoder struct {
	b     []byte
	texts string // what b is the end of, as a string that texts may be parts of; empty if each is to be a copy
	bad   bool
}

func (d *decoder) fail() { d.b, d.bad = nil, true }

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) fill(dst []byte) {
	if len(d.b) < len(dst) {
		d.fail()
		return
	}
	d.b = d.b[copy(dst, d.b):]
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count reads how many items of at least size bytes follow, and refuses more than the bytes left can hold.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.b)/size) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) text() (s string) {
	n := d.count(1)
	if at := len(d.texts) - len(d.b); at >= 0 && !d.bad && d.texts != "" {
		s = d.texts[at : at+n]
	} else {
		s = string(d.b[:n])
	}
	d.b = d.b[n:]
	return s
}
