package attribute

import (
	"cmp"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/address"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/date"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/mailbox"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/person"
	"github.com/dossier-cdp/dossier/schema"
)

// Attributes is what one persona, or a set of them, ever said of itself, in normal form. Each list is a set: sorted, one element per
// (value, source), at most Limit long. The zero value says nothing.
type Attributes struct {
	Names       []Said[Name]
	Births      []Said[Date]
	Addresses   []Said[Address]
	Mailboxes   []Said[Mailbox]
	Phones      []Said[Phone]
	Genders     []Said[Gender]
	Birthplaces []Said[Place]
	Occupations []Said[Term]
	IDs         []Said[ID]
	Free        []Said[Free]
}

// Limit is how many elements each list keeps. Those with the smallest values stay: the smallest of a union are among the smallest of its
// parts, so what is kept does not depend on the order of joins.
const Limit = 32

// Said is a value with what is known of its saying.
type Said[V comparable] struct {
	Value V
	Provenance
}

// Provenance says who said a value, how far it is believed, and when. It joins: the strongest assurance, the first and the last time.
type Provenance struct {
	Source      string           // the source that said it; part of the element's identity
	Assurance   schema.Assurance // the strongest
	First, Last schema.Instant   // smallest and largest OccurredAt
}

// The kinds of values. All are comparable with ==, and their zero value says nothing.
type (
	// Name is a person's name.
	Name = person.Name
	// Date is a birth date, whole or partial.
	Date = date.Date
	// Address is a postal address or a part of one.
	Address = address.Address
	// Place is a birthplace.
	Place = address.Place
	// Mailbox is an e-mail address.
	Mailbox = mailbox.Mailbox
	// Gender is what a persona said, or its civility.
	Gender = person.Gender
	// Phone is a number in E.164 form, such as +33612345678.
	Phone string
	// Term is a text in lower-case words of a to z and digits, such as an occupation.
	Term string
)

// ID is an identifier that names somebody or something of his: a card, a user id, a cookie, a handle. E-mail addresses and phones have
// lists of their own.
type ID struct {
	Kind  string // the registry's name of the kind (package identifier)
	Value string // in the normal form of its kind
}

// Free is a value of a kind that only the configuration knows.
type Free struct {
	Kind  string // as configured
	Value string // in the form that the configuration names
}

// IsZero says whether nothing was said.
func (a *Attributes) IsZero() bool {
	return len(a.Names)+len(a.Births)+len(a.Addresses)+len(a.Mailboxes)+len(a.Phones)+len(a.Genders)+len(a.Birthplaces)+len(a.Occupations)+len(a.IDs)+len(a.Free) == 0
}

// Join is what a or b says. It is idempotent, commutative and associative, and shares the lists of a and b only where one of them adds
// nothing to the other; treat attributes as immutable.
func Join(a, b Attributes) Attributes {
	a.Names = join(a.Names, b.Names, Name.Compare)
	a.Births = join(a.Births, b.Births, Date.Compare)
	a.Addresses = join(a.Addresses, b.Addresses, Address.Compare)
	a.Mailboxes = join(a.Mailboxes, b.Mailboxes, Mailbox.Compare)
	a.Phones = join(a.Phones, b.Phones, cmp.Compare[Phone])
	a.Genders = join(a.Genders, b.Genders, cmp.Compare[Gender])
	a.Birthplaces = join(a.Birthplaces, b.Birthplaces, Place.Compare)
	a.Occupations = join(a.Occupations, b.Occupations, cmp.Compare[Term])
	a.IDs = join(a.IDs, b.IDs, ID.Compare)
	a.Free = join(a.Free, b.Free, Free.Compare)
	return a
}

// Compare orders ids by kind, then value.
func (i ID) Compare(j ID) int {
	return cmp.Or(strings.Compare(i.Kind, j.Kind), strings.Compare(i.Value, j.Value))
}

// Compare orders free values by kind, then value.
func (f Free) Compare(g Free) int {
	return cmp.Or(strings.Compare(f.Kind, g.Kind), strings.Compare(f.Value, g.Value))
}

// join merges two sets. It allocates nothing if either is empty.
func join[V comparable](as, bs []Said[V], compare func(V, V) int) []Said[V] {
	switch {
	case len(bs) == 0:
		return as
	case len(as) == 0:
		return bs
	}
	out := make([]Said[V], 0, len(as)+len(bs))
	for len(as) > 0 && len(bs) > 0 && len(out) < Limit {
		switch c := order(&as[0], &bs[0], compare); {
		case c < 0:
			out, as = append(out, as[0]), as[1:]
		case c > 0:
			out, bs = append(out, bs[0]), bs[1:]
		default:
			s := as[0]
			s.Provenance.join(&bs[0].Provenance)
			out, as, bs = append(out, s), as[1:], bs[1:]
		}
	}
	out = append(append(out, as...), bs...)
	return out[:min(len(out), Limit)]
}

func (p *Provenance) join(q *Provenance) {
	p.Assurance = max(p.Assurance, q.Assurance)
	p.First, p.Last = min(p.First, q.First), max(p.Last, q.Last)
}

func order[V comparable](a, b *Said[V], compare func(V, V) int) int {
	return cmp.Or(compare(a.Value, b.Value), strings.Compare(a.Source, b.Source))
}

// add puts one value in its place.
func add[V comparable](set []Said[V], v V, p Provenance, compare func(V, V) int) []Said[V] {
	var zero V
	switch {
	case v == zero:
		return set
	case len(set) == 0:
		return []Said[V]{{v, p}} // most lists have one element
	}
	return insert(set, Said[V]{v, p}, compare)
}

func insert[V comparable](set []Said[V], s Said[V], compare func(V, V) int) []Said[V] {
	at, found := slices.BinarySearchFunc(set, &s, func(e Said[V], s *Said[V]) int { return order(&e, s, compare) })
	if found {
		set[at].Provenance.join(&s.Provenance)
		return set
	}
	if at >= Limit {
		return set
	}
	set = slices.Insert(set, at, s)
	return set[:min(len(set), Limit)]
}
