package attribute

import (
	"encoding/binary"
	"errors"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/person"
)

// The stored form of what one persona says: for each list of Attributes in its order a count and the values, texts with their length before them. It holds
// no provenance: a persona has one source, and who is who depends on what is said alone. So a value that is said again changes nothing.

// AppendValues appends the stored form of the values.
func (a *Attributes) AppendValues(b []byte) []byte {
	w := writing{b}
	for i := range w.count(len(a.Names)) {
		n := &a.Names[i].Value
		w.texts(n.Given, n.Further, n.Family, n.Maiden, n.Suffix)
		w.flag(n.Unsplit)
	}
	for i := range w.count(len(a.Births)) {
		d := &a.Births[i].Value
		w.numbers(uint64(d.Year), uint64(d.Month), uint64(d.Day))
		w.flag(d.Ambiguous)
	}
	for i := range w.count(len(a.Addresses)) {
		p := &a.Addresses[i].Value
		w.texts(p.Number, p.Repeat, p.Type, p.Street, p.Box, p.Postcode, p.Commune)
		w.numbers(uint64(p.Borough))
		w.texts(p.Department, p.Country)
	}
	for i := range w.count(len(a.Mailboxes)) {
		m := &a.Mailboxes[i].Value
		w.texts(m.Local, m.Domain, m.Stem)
	}
	for i := range w.count(len(a.Phones)) {
		w.texts(string(a.Phones[i].Value))
	}
	for i := range w.count(len(a.Genders)) {
		w.numbers(uint64(a.Genders[i].Value))
	}
	for i := range w.count(len(a.Birthplaces)) {
		p := &a.Birthplaces[i].Value
		w.texts(p.Commune, p.Department, p.Country)
		w.numbers(uint64(p.Borough))
	}
	for i := range w.count(len(a.Occupations)) {
		w.texts(string(a.Occupations[i].Value))
	}
	for i := range w.count(len(a.IDs)) {
		w.texts(a.IDs[i].Value.Kind, a.IDs[i].Value.Value)
	}
	for i := range w.count(len(a.Free)) {
		w.texts(a.Free[i].Value.Kind, a.Free[i].Value.Value)
	}
	return w.b
}

var errDamaged = errors.New("the stored values of a persona are damaged")

// DecodeValues reads the stored form. The result shares nothing with it.
func DecodeValues(b []byte) (Attributes, error) {
	r := stored{b: b}
	a := Attributes{}
	read(&r, &a.Names, func(n *Name) {
		n.Given, n.Further, n.Family, n.Maiden, n.Suffix = r.text(), r.text(), r.text(), r.text(), r.text()
		n.Unsplit = r.number() != 0
	})
	read(&r, &a.Births, func(d *Date) {
		d.Year, d.Month, d.Day = uint16(r.number()), uint8(r.number()), uint8(r.number())
		d.Ambiguous = r.number() != 0
	})
	read(&r, &a.Addresses, func(p *Address) {
		p.Number, p.Repeat, p.Type, p.Street, p.Box, p.Postcode, p.Commune = r.text(), r.text(), r.text(), r.text(), r.text(), r.text(), r.text()
		p.Borough = uint8(r.number())
		p.Department, p.Country = r.text(), r.text()
	})
	read(&r, &a.Mailboxes, func(m *Mailbox) { m.Local, m.Domain, m.Stem = r.text(), r.text(), r.text() })
	read(&r, &a.Phones, func(p *Phone) { *p = Phone(r.text()) })
	read(&r, &a.Genders, func(g *Gender) { *g = person.Gender(r.number()) })
	read(&r, &a.Birthplaces, func(p *Place) {
		p.Commune, p.Department, p.Country = r.text(), r.text(), r.text()
		p.Borough = uint8(r.number())
	})
	read(&r, &a.Occupations, func(t *Term) { *t = Term(r.text()) })
	read(&r, &a.IDs, func(i *ID) { i.Kind, i.Value = r.text(), r.text() })
	read(&r, &a.Free, func(f *Free) { f.Kind, f.Value = r.text(), r.text() })
	if r.bad || len(r.b) > 0 {
		return Attributes{}, errDamaged
	}
	return a, nil
}

// Bare is the same values without provenance: what the stored form keeps.
func (a *Attributes) Bare() Attributes {
	return Attributes{
		Names: bare(a.Names), Births: bare(a.Births), Addresses: bare(a.Addresses), Mailboxes: bare(a.Mailboxes), Phones: bare(a.Phones),
		Genders: bare(a.Genders), Birthplaces: bare(a.Birthplaces), Occupations: bare(a.Occupations), IDs: bare(a.IDs), Free: bare(a.Free),
	}
}

func bare[V comparable](set []Said[V]) []Said[V] {
	if set == nil {
		return nil
	}
	out := make([]Said[V], 0, len(set))
	for i := range set {
		if n := len(out); n == 0 || out[n-1].Value != set[i].Value { // several sources may say one
			out = append(out, Said[V]{Value: set[i].Value})
		}
	}
	return out
}

type writing struct{ b []byte }

func (w *writing) count(n int) int {
	w.b = binary.AppendUvarint(w.b, uint64(n))
	return n
}

func (w *writing) texts(texts ...string) {
	for _, t := range texts {
		w.b = append(binary.AppendUvarint(w.b, uint64(len(t))), t...)
	}
}

func (w *writing) numbers(numbers ...uint64) {
	for _, n := range numbers {
		w.b = binary.AppendUvarint(w.b, n)
	}
}

func (w *writing) flag(set bool) {
	if set {
		w.numbers(1)
	} else {
		w.numbers(0)
	}
}

// stored reads the stored form front to back. What is missing sets bad.
type stored struct {
	b   []byte
	bad bool
}

func (r *stored) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *stored) text() string {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return ""
	}
	out := string(r.b[:n])
	r.b = r.b[n:]
	return out
}

func read[V comparable](r *stored, set *[]Said[V], value func(*V)) {
	n := r.number()
	if n > Limit {
		r.bad, r.b = true, nil
		return
	}
	for ; n > 0 && !r.bad; n-- {
		s := Said[V]{}
		value(&s.Value)
		*set = append(*set, s)
	}
}
