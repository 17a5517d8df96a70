package attribute

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/identifier"
	"github.com/dossier-cdp/dossier/pipelines/identifier/name"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/address"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/date"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/mailbox"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/person"
	"github.com/dossier-cdp/dossier/schema"
)

// Saying is the circumstance of one event.
type Saying struct {
	Source    string
	Country   string // the source's country, ISO 3166 alpha-2: dates, phones and addresses are read by its customs
	Assurance schema.Assurance
	At        schema.Instant // OccurredAt
}

// FromTraits reads the traits of one event: those that name parts of one value are read together. A trait that is null, or nothing that can
// be read, says nothing. Values of objects are found under the names of their members joined by dots (address.city).
func FromTraits(traits []schema.Trait, s Saying, m Map) Attributes {
	var a Attributes
	read(&a, traits, s, m)
	return a
}

// FromEvent reads the traits, the identifiers and the account of one event. Identifiers carry their own assurance, never above that of the
// event's key; traits have the key's.
func FromEvent(e *schema.Event, m Map) Attributes {
	s := Saying{Source: e.Source, Country: e.Provenance.Country, Assurance: schema.AssuranceVerified, At: e.OccurredAt}
	if e.Provenance.Trust != schema.TrustServer {
		s.Assurance = schema.AssuranceDeclared
	}
	a := FromTraits(e.Traits, s, m)
	identify(&a, e.Account.Kind, e.Account.Value, s.Assurance, s)
	for i := range e.Identifiers {
		id := &e.Identifiers[i]
		identify(&a, id.Kind, id.Value, max(min(id.Assurance, s.Assurance), schema.AssuranceInferred), s)
	}
	return a
}

func identify(a *Attributes, kind, value string, assurance schema.Assurance, s Saying) {
	if kind == "" || value == "" {
		return
	}
	k := identifier.Of(kind)
	if !k.Evidence {
		return
	}
	normal, err := identifier.Normalize(k.Name, value, s.Country)
	if err != nil {
		return
	}
	p := Provenance{s.Source, assurance, s.At, s.At}
	switch k.Name {
	case "email":
		a.Mailboxes = add(a.Mailboxes, mailbox.Of(normal), p, Mailbox.Compare)
	case "phone":
		a.Phones = add(a.Phones, Phone(normal), p, cmp.Compare[Phone])
	case "address":
		street, place, _ := strings.Cut(normal, ", ")
		a.Addresses = add(a.Addresses, address.Of(address.Parts{Street: street, Postcode: place, Country: s.Country}), p, Address.Compare)
	default:
		a.IDs = add(a.IDs, ID{k.Name, normal}, p, ID.Compare)
	}
}

func read(a *Attributes, traits []schema.Trait, s Saying, m Map) {
	p := Provenance{s.Source, s.Assurance, s.At, s.At}
	var who person.Parts
	var where address.Parts
	var year, month, day string
	where.Country = s.Country
	for i := range traits {
		field := m.of(traits[i].Name)
		if field == "" || field == FieldNone {
			continue
		}
		v := text(traits[i].Value)
		if v == "" {
			continue
		}
		switch field {
		case FieldFull:
			who.Full = v
		case FieldGiven:
			who.Given = v
		case FieldFurther:
			who.Further = v
		case FieldFamily:
			who.Family = v
		case FieldMaiden:
			who.Maiden = v
		case FieldSuffix:
			who.Suffix = v
		case FieldGender:
			a.Genders = add(a.Genders, person.GenderOf(v), p, cmp.Compare[Gender])
		case FieldBirth:
			a.Births = add(a.Births, date.Parse(v, s.Country), p, Date.Compare)
		case FieldBirthYear:
			year = v
		case FieldBirthMonth:
			month = v
		case FieldBirthDay:
			day = v
		case FieldBirthplace:
			a.Birthplaces = add(a.Birthplaces, address.PlaceOf(v, s.Country), p, Place.Compare)
		case FieldOccupation:
			a.Occupations = add(a.Occupations, Term(name.Fold(v)), p, cmp.Compare[Term])
		case FieldNumber:
			where.Number = v
		case FieldStreet:
			where.Street = v
		case FieldMore:
			where.More = v
		case FieldBox:
			where.Box = v
		case FieldPostcode:
			where.Postcode = v
		case FieldCity:
			where.City = v
		case FieldState:
			where.State = v
		case FieldCountry:
			where.Land = v
		case FieldEmail:
			identify(a, "email", v, s.Assurance, s)
		case FieldPhone:
			identify(a, "phone", v, s.Assurance, s)
		default:
			a.Free = add(a.Free, Free{string(field[len(FreePrefix):]), name.Fold(v)}, p, Free.Compare)
		}
	}
	n, civility := person.Of(who)
	a.Names = add(a.Names, n, p, Name.Compare)
	a.Genders = add(a.Genders, civility, p, cmp.Compare[Gender])
	if w := address.Of(where); !w.IsZero() {
		a.Addresses = add(a.Addresses, w, p, Address.Compare)
	}
	if year != "" || month != "" || day != "" {
		number := func(s string) int {
			n, err := strconv.Atoi(s)
			if err != nil {
				return 0
			}
			return n
		}
		d := Date{Year: uint16(number(year)), Month: uint8(number(month)), Day: uint8(number(day))}
		a.Births = add(a.Births, d, p, Date.Compare)
	}
}

// text reads a trait's value if it is a string or a number.
func text(value []byte) string {
	switch {
	case len(value) == 0:
		return ""
	case value[0] != '"':
		if value[0] == '-' || value[0] >= '0' && value[0] <= '9' {
			return string(value)
		}
		return ""
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}
