package attribute

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/date"
	"github.com/dossier-cdp/dossier/schema"
)

// Field names what a trait says.
type Field string

// The fields. A free kind is Free followed by its name.
const (
	FieldFull       Field = "full_name" // a whole name in one field, in any order
	FieldGiven      Field = "given_name"
	FieldFurther    Field = "further_names"
	FieldFamily     Field = "family_name"
	FieldMaiden     Field = "maiden_name"
	FieldSuffix     Field = "name_suffix"
	FieldGender     Field = "gender" // or civility
	FieldBirth      Field = "birth_date"
	FieldBirthYear  Field = "birth_year"
	FieldBirthMonth Field = "birth_month"
	FieldBirthDay   Field = "birth_day"
	FieldBirthplace Field = "birthplace"
	FieldOccupation Field = "occupation"
	FieldNumber     Field = "street_number"
	FieldStreet     Field = "street" // with or without the number, or a whole address
	FieldMore       Field = "address_more"
	FieldBox        Field = "box"
	FieldPostcode   Field = "postcode"
	FieldCity       Field = "city"
	FieldState      Field = "state"
	FieldCountry    Field = "country"
	FieldEmail      Field = "email"
	FieldPhone      Field = "phone"
	FieldNone       Field = "none" // says nothing about who it is
)

// FreePrefix starts the Field of a free kind, "free:membership", whose values are compared as words; another Form may follow:
// "free:membership:exact".
const FreePrefix = "free:"

// Form is how values of a free kind are brought to normal form.
type Form string

// The forms.
const (
	FormWords  Form = "words"  // lower-case words of a to z and digits
	FormExact  Form = "exact"  // as given, without blanks around
	FormDigits Form = "digits" // the digits only
	FormDate   Form = "date"   // a date
)

// Kind is the free kind that the field is of, in the form that its values are brought to; "" if it is another field.
func (f Field) Kind() (kind string, form Form) { return f.free() }

// free is the kind and the form of the field of a free kind; "" if it is another field.
func (f Field) free() (kind string, form Form) {
	rest, ok := strings.CutPrefix(string(f), FreePrefix)
	if !ok {
		return "", ""
	}
	kind, word, stated := strings.Cut(rest, ":")
	if !stated {
		return kind, FormWords
	}
	switch form = Form(word); form {
	case FormWords, FormExact, FormDigits, FormDate:
		return kind, form
	}
	return "", ""
}

// normal brings a value to the form; "" if nothing is left.
func (f Form) normal(v, country string) string {
	switch f {
	case FormExact:
		if v = strings.TrimSpace(v); len(v) > longestFree {
			return "" // no key that anybody compares
		}
		return v
	case FormDigits:
		v = strings.Map(func(r rune) rune {
			if r < '0' || r > '9' {
				return -1
			}
			return r
		}, v)
		return v[:min(len(v), longestFree)]
	case FormDate:
		if d := date.Parse(v, country); !d.IsZero() {
			return d.String()
		}
		return ""
	}
	return words(v)
}

var fields = []Field{FieldFull, FieldGiven, FieldFurther, FieldFamily, FieldMaiden, FieldSuffix, FieldGender, FieldBirth, FieldBirthYear, FieldBirthMonth, FieldBirthDay, FieldBirthplace, FieldOccupation,
	FieldNumber, FieldStreet, FieldMore, FieldBox, FieldPostcode, FieldCity, FieldState, FieldCountry, FieldEmail, FieldPhone, FieldNone}

// Map says which trait says what. The zero value is good: trait names in use (first_name, prenom, dateOfBirth, address.city …) are known.
// Its own entries go before those.
type Map map[string]Field

// Validate finds the first field that does not exist, in an order that never changes.
func (m Map) Validate() error {
	traits := make([]string, 0, len(m))
	for trait := range m {
		traits = append(traits, trait)
	}
	slices.Sort(traits)
	for _, trait := range traits {
		f := m[trait]
		if kind, _ := f.free(); kind != "" || slices.Contains(fields, f) {
			continue
		}
		return schema.Refuse("attribute_unknown", fmt.Sprintf("trait %q is mapped to %q, which is no attribute", trait, f), "use one of "+list()+", or free:NAME, free:NAME:exact, free:NAME:digits, free:NAME:date")
	}
	return nil
}

func list() string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = string(f)
	}
	return strings.Join(names, ", ")
}

// of finds the field of a trait: the map's, else the known one, else none.
func (m Map) of(trait string) Field {
	if f, ok := m[trait]; ok {
		return f
	}
	return known[trait]
}

// known has the trait names in use by field: the names of schema.org and of Segment's identify call in their spellings, and French ones.
var known = func() map[string]Field {
	byName := map[string]Field{}
	for f, names := range map[Field]string{
		FieldFull:       "full_name fullName fullname name nom_complet",
		FieldGiven:      "given_name givenName first_name firstName firstname prenom prénom",
		FieldFurther:    "further_names middle_name middleName middlename additionalName additional_name second_name prenoms autres_prenoms",
		FieldFamily:     "family_name familyName last_name lastName lastname surname nom nom_famille",
		FieldMaiden:     "maiden_name maidenName maidenname birth_name birthName nom_naissance nom_jeune_fille nom_de_naissance",
		FieldSuffix:     "name_suffix honorificSuffix suffix",
		FieldGender:     "gender sex sexe civility civilite civilité title honorificPrefix salutation",
		FieldBirth:      "birth_date birthDate birthdate birthday date_of_birth dateOfBirth dob date_naissance date_de_naissance",
		FieldBirthYear:  "birth_year birthYear year_of_birth annee_naissance",
		FieldBirthMonth: "birth_month birthMonth mois_naissance",
		FieldBirthDay:   "birth_day birthDay jour_naissance",
		FieldBirthplace: "birthplace birth_place birthPlace place_of_birth lieu_naissance lieu_de_naissance",
		FieldOccupation: "occupation job job_title jobTitle profession metier",
		FieldNumber:     "street_number streetNumber house_number houseNumber numero_voie address.number address.street_number",
		FieldStreet:     "street address address1 address_1 addressLine1 address_line_1 streetAddress street_address adresse voie rue address.street address.line1 address.streetAddress",
		FieldMore:       "address_more address2 address_2 addressLine2 address_line_2 complement complement_adresse address.line2 address.street2",
		FieldBox:        "box po_box boite_postale apartment flat unit address.box address.unit",
		FieldPostcode:   "postcode postal_code postalCode zip zipcode zip_code code_postal cp address.postcode address.postalCode address.postal_code address.zip",
		FieldCity:       "city town commune ville suburb locality addressLocality address.city address.town address.locality",
		FieldState:      "state region department departement address.state address.region",
		FieldCountry:    "country country_code countryCode pays address.country address.countryCode address.country_code",
		FieldEmail:      "email e_mail mail",
		FieldPhone:      "phone phone_number phoneNumber telephone mobile tel",
	} {
		for _, n := range strings.Fields(names) {
			byName[n] = f
		}
	}
	return byName
}()
