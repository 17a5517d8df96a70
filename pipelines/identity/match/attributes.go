package match

import (
	"maps"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute"
)

// Attributed is the model with traits of a workspace's own: each says a known field (family_name), or a value of a free kind (free:membership:digits). A free kind
// that no field of the model compares gets one, which Train may estimate:
//
//	exact    as ids are: the same or not; it proposes pairs
//	digits   as numbers are that people copy: the same, a slip, different; it proposes pairs
//	words    as words are: the same, a slip, garbled, different
//	date     as birth dates are, but forbidding nothing
//
// What cannot be meant is a *schema.Refusal.
func (m *Model) Attributed(traits attribute.Map) (*Model, error) {
	if len(traits) == 0 {
		return m, nil
	}
	out := m.clone()
	if out.Attributes == nil {
		out.Attributes = attribute.Map{}
	}
	maps.Copy(out.Attributes, traits)
	if err := out.Attributes.Validate(); err != nil {
		return nil, err
	}
	out.Blocking = slices.Clone(m.Blocking)
	for _, trait := range slices.Sorted(maps.Keys(traits)) {
		kind, form := traits[trait].Kind()
		if kind == "" || slices.ContainsFunc(out.Fields, func(f Field) bool { return f.Name == kind }) {
			continue
		}
		f := freeField(kind, form)
		out.Fields = append(out.Fields, f)
		if f.Compare == "id" || f.Compare == "key" {
			out.Blocking = append(out.Blocking, kind)
		}
	}
	if err := out.Prepare(); err != nil {
		return nil, err
	}
	return out, nil
}

// freeField is how values of a free kind are compared until somebody trains it: the chances of card and phone, street and birth date of the models that ship.
func freeField(kind string, form attribute.Form) Field {
	f := Field{Name: kind}
	switch form {
	case attribute.FormExact:
		f.Compare, f.Fixed = "id", true
		f.Levels = []Level{{Level: "same", M: .88, U: 1e-7, Household: .03}, {Level: "different", M: .12, U: 1, Household: .97}}
	case attribute.FormDigits:
		f.Compare = "key"
		f.Levels = []Level{{Level: "same", M: .87, U: 2e-6, Household: .03, FixedU: true}, {Level: "typo", M: .02, U: 2e-5, Household: .01}, {Level: "different", M: .11, U: 1, Household: .96}}
	case attribute.FormDate:
		f.Compare, f.Rare = "date", 230
		for i, m := range []float64{.82, .1, .016, .004, .05, .004, .004, .001, .001} {
			u := []float64{.0003, .001, .003, .01, .01, .25, .72, .0003, .0008}[i]
			f.Levels = append(f.Levels, Level{Level: dateLevels[i], M: m, U: u, Household: max(u, .01)})
		}
	default:
		f.Compare = "word"
		f.Levels = []Level{{Level: "same", M: .8, U: .002, Household: .3}, {Level: "typo", M: .1, U: .001, Household: .03}, {Level: "garbled", M: .02, U: .002, Household: .01}, {Level: "different", M: .08, U: .995, Household: .66}}
	}
	return f
}

// made are the fields whose values are made of several of a persona's: no free kind may be called so.
var made = []string{"name", "calling", "birth", "email", "phone", "address"}

// free says whether a name is that of a free kind, or of another field, that the model compares.
func (m *Model) free(name string) bool {
	return slices.ContainsFunc(m.Fields, func(f Field) bool { return f.Name == name }) && !slices.Contains(made, name)
}

func (m *Model) checkAttributes() error {
	if err := m.Attributes.Validate(); err != nil {
		return err
	}
	for _, trait := range slices.Sorted(maps.Keys(m.Attributes)) {
		kind, _ := m.Attributes[trait].Kind()
		switch {
		case kind == "":
		case slices.Contains(made, kind):
			return invalid("trait %s is of the free kind %s, which is a field of its own: call the kind otherwise, or map the trait to that field", trait, kind)
		case !m.free(kind):
			return invalid("trait %s is of the free kind %s, which no field of the model compares", trait, kind)
		}
	}
	return nil
}
