package attribute

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/identifier"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/address"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/date"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/mailbox"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/person"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/script"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// Saying is the circumstance of one event.
type Saying struct {
	Source    string
	Country   string // the source's country, ISO 3166 alpha-2: names, dates, phones and addresses are read by its customs
	Assurance schema.Assurance
	At        schema.Instant // OccurredAt
}

// FromTraits reads the traits of one event: those that name parts of one value are read together. A trait that is null, or nothing that can
// be read, says nothing. Values of objects are found under the names of their members joined by dots (address.city). The result
// shares nothing with the traits.
func FromTraits(traits []schema.Trait, s Saying, m Map) Attributes {
	r := newReading(s, m)
	r.traits(traits)
	return r.out
}

// FromEvent reads the traits, the identifiers and the account of one event. Identifiers carry their own assurance, never above that of the
// event's key; traits have the key's. The result shares nothing with the event.
func FromEvent(e *schema.Event, m Map) Attributes {
	s := Saying{Source: strings.Clone(e.Source), Country: e.Provenance.Country, Assurance: schema.AssuranceVerified, At: e.OccurredAt}
	if e.Provenance.Trust != schema.TrustServer {
		s.Assurance = schema.AssuranceDeclared
	}
	r := newReading(s, m)
	r.traits(e.Traits)
	r.identifier(e.Account.Kind, e.Account.Value, s.Assurance)
	for i := range e.Identifiers {
		id := &e.Identifiers[i]
		r.identifier(id.Kind, id.Value, max(min(id.Assurance, s.Assurance), schema.AssuranceInferred))
	}
	return r.out
}

// reading is what one event said so far. Parts of one value wait until all traits are read.
type reading struct {
	m                Map
	saying           Saying
	said             Provenance
	out              Attributes
	who              person.Parts
	where            address.Parts
	year, month, day string
}

// english are the countries whose names are written in the English order of given, middle and family name.
var english = map[string]bool{"GB": true, "US": true, "AU": true, "NZ": true, "IE": true, "CA": true, "ZA": true}

func newReading(s Saying, m Map) *reading {
	r := &reading{m: m, saying: s, said: Provenance{s.Source, s.Assurance, s.At, s.At}}
	r.where.Country = s.Country
	r.who.English = english[s.Country]
	return r
}

func (r *reading) identifier(kind, value string, assurance schema.Assurance) {
	if kind == "" || value == "" {
		return
	}
	k := identifier.Of(kind)
	if !k.Evidence {
		return
	}
	normal, err := identifier.Normalize(k.Name, value, r.saying.Country)
	if err != nil {
		return // not what can be evidence; the refusal is the collector's concern
	}
	p := r.said
	p.Assurance = assurance
	normal = strings.Clone(normal)
	switch k.Name {
	case "email":
		r.out.Mailboxes = add(r.out.Mailboxes, mailbox.Of(normal), p, Mailbox.Compare)
	case "phone":
		r.out.Phones = add(r.out.Phones, Phone(normal), p, cmp.Compare[Phone])
	case "address":
		a := address.Parts{Country: r.saying.Country}
		a.Street, a.Postcode = normal, ""
		if i := strings.LastIndex(normal, ", "); i >= 0 {
			a.Street, a.Postcode = normal[:i], normal[i+2:]
			if strings.IndexFunc(a.Postcode, func(r rune) bool { return r >= '0' && r <= '9' }) < 0 {
				a.Postcode, a.City = "", a.Postcode
			}
		}
		r.out.Addresses = add(r.out.Addresses, address.Of(a), p, Address.Compare)
	default:
		name := k.Name
		if name == kind {
			name = strings.Clone(kind)
		}
		r.out.IDs = add(r.out.IDs, ID{name, normal}, p, ID.Compare)
	}
}

// traits reads all traits, then makes the values that several of them are parts of.
func (r *reading) traits(traits []schema.Trait) {
	for i := range traits {
		t := &traits[i]
		if len(t.Value) > 0 && t.Value[0] == '{' {
			if doc, err := canonical.Parse(t.Value, canonical.Limits{}); err == nil {
				r.object(t.Name, doc.Root())
				doc.Release()
			}
			continue
		}
		if field := r.m.of(t.Name); field != "" && field != FieldNone {
			r.value(field, text(t.Value))
		}
	}
	n, civility := person.Of(r.who)
	r.out.Names = add(r.out.Names, n, r.said, Name.Compare)
	r.out.Genders = add(r.out.Genders, civility, r.said, cmp.Compare[Gender])
	if w := address.Of(r.where); !w.IsZero() {
		r.out.Addresses = add(r.out.Addresses, w, r.said, Address.Compare)
	}
	if r.year != "" || r.month != "" || r.day != "" {
		r.out.Births = add(r.out.Births, date.OfParts(number(r.year), number(r.month), number(r.day)), r.said, Date.Compare)
	}
}

func (r *reading) object(name string, object canonical.Node) {
	object.Each(func(key string, v canonical.Node) bool {
		path := name + "." + key
		if v.Kind() == canonical.Object {
			r.object(path, v)
		} else if field := r.m.of(path); field != "" && field != FieldNone {
			r.value(field, text(v.AppendCanonical(nil, nil)))
		}
		return true
	})
}

func number(s string) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		return 0
	}
	return n
}

// value takes one trait. Of several traits of one field the largest text counts, so that their order does not.
func (r *reading) value(field Field, v string) {
	if v == "" {
		return
	}
	largest := func(have *string) { *have = max(*have, v) }
	switch field {
	case FieldFull:
		largest(&r.who.Full)
	case FieldGiven:
		largest(&r.who.Given)
	case FieldFurther:
		largest(&r.who.Further)
	case FieldFamily:
		largest(&r.who.Family)
	case FieldMaiden:
		largest(&r.who.Maiden)
	case FieldSuffix:
		largest(&r.who.Suffix)
	case FieldGender:
		r.out.Genders = add(r.out.Genders, person.GenderOf(v), r.said, cmp.Compare[Gender])
	case FieldBirth:
		r.out.Births = add(r.out.Births, date.Parse(v, r.saying.Country), r.said, Date.Compare)
	case FieldBirthYear:
		largest(&r.year)
	case FieldBirthMonth:
		largest(&r.month)
	case FieldBirthDay:
		largest(&r.day)
	case FieldBirthplace:
		r.out.Birthplaces = add(r.out.Birthplaces, address.PlaceOf(v, r.saying.Country), r.said, Place.Compare)
	case FieldOccupation:
		r.out.Occupations = add(r.out.Occupations, Term(words(v)), r.said, cmp.Compare[Term])
	case FieldNumber:
		largest(&r.where.Number)
	case FieldStreet:
		largest(&r.where.Street)
	case FieldMore:
		largest(&r.where.More)
	case FieldBox:
		largest(&r.where.Box)
	case FieldPostcode:
		largest(&r.where.Postcode)
	case FieldCity:
		largest(&r.where.City)
	case FieldState:
		largest(&r.where.State)
	case FieldCountry:
		largest(&r.where.Land)
	case FieldEmail:
		r.identifier("email", v, r.said.Assurance)
	case FieldPhone:
		r.identifier("phone", v, r.said.Assurance)
	default:
		kind, form := field.free()
		if kind != "" {
			if v = form.normal(v, r.saying.Country); v != "" {
				r.out.Free = add(r.out.Free, Free{kind, v}, r.said, Free.Compare)
			}
		}
	}
}

// The bounds of a term and of a free value.
const (
	longestTerm = 256
	longestFree = 512
)

func words(v string) string {
	folded := script.Fold(v[:min(len(v), longestTerm)])
	for len(folded) > longestTerm { // letters of some scripts become several
		folded = folded[:max(strings.LastIndexByte(folded, ' '), 0)]
	}
	return folded
}

// text reads a trait's value if it is a string, a number or an array of strings, whose members are put one after the other.
func text(value []byte) string {
	if len(value) < 2 && (len(value) == 0 || value[0] < '0' || value[0] > '9') {
		return ""
	}
	switch c := value[0]; {
	case c == '"':
		if !slices.Contains(value, '\\') {
			return string(value[1 : len(value)-1])
		}
		var s string
		if json.Unmarshal(value, &s) != nil {
			return ""
		}
		return s
	case c == '[':
		var all []string
		if json.Unmarshal(value, &all) != nil {
			return ""
		}
		return strings.Join(all, " ")
	case c == '-' || c >= '0' && c <= '9':
		return string(value)
	}
	return ""
}
