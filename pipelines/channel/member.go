package channel

import (
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// Scalar reads an id or another short value that senders write as a string or as a number. Absent and null are the empty string;
// numbers are read by value, so that 42, 42.0 and 4.2e1 are one id.
func Scalar(n canonical.Node, field string) (string, *schema.Refusal) {
	switch n.Kind() {
	case canonical.Absent, canonical.Null:
		return "", nil
	case canonical.String:
		s, _ := n.Str()
		return s, nil
	case canonical.Number:
		s, _ := n.Num()
		return s, nil
	}
	return "", FieldInvalid(field, "a string or a number")
}

// Text reads a string. Absent and null are the empty string.
func Text(n canonical.Node, field string) (string, *schema.Refusal) {
	switch n.Kind() {
	case canonical.Absent, canonical.Null:
		return "", nil
	case canonical.String:
		s, _ := n.Str()
		return s, nil
	}
	return "", FieldInvalid(field, "a string")
}

// LooseText is the string, or nothing where there is none: for members that inform but decide nothing.
func LooseText(n canonical.Node) string {
	s, _ := n.Str()
	return s
}

// Decimal reads an amount or a rating, written as a number or as a string that is a number. Its form is the plain decimal.
func Decimal(n canonical.Node, field string) (string, *schema.Refusal) {
	s, refusal := Scalar(n, field)
	if refusal != nil || s == "" {
		return "", refusal
	}
	if n.Kind() == canonical.String && !isDecimal(s) {
		return "", FieldInvalid(field, "a decimal number")
	}
	return s, nil
}

// isDecimal says whether s is an optional sign, digits, and an optional fraction.
func isDecimal(s string) bool {
	if s != "" && s[0] == '-' {
		s = s[1:]
	}
	digits, points := 0, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '.' && points == 0 && digits > 0 && i+1 < len(s):
			points++
		default:
			return false
		}
	}
	return digits > 0 && digits <= 100
}

// Count counts the members of n and of every object and array within it, and stops beyond limit.
func Count(n canonical.Node, limit int) int {
	count := 0
	var walk func(canonical.Node) bool
	walk = func(n canonical.Node) bool {
		n.Each(func(_ string, v canonical.Node) bool {
			count++
			return count <= limit && walk(v)
		})
		return count <= limit
	}
	walk(n)
	return count
}

// AddTraits appends the members of an object as traits. It refuses anything else that is there and not null.
func (m *Mapped) AddTraits(n canonical.Node, field string) *schema.Refusal {
	switch n.Kind() {
	case canonical.Absent, canonical.Null:
		return nil
	case canonical.Object:
	default:
		return FieldInvalid(field, "an object")
	}
	n.Each(func(name string, v canonical.Node) bool {
		m.addTrait(name, v)
		return true
	})
	return nil
}

// addTrait appends a trait, unless the event has one of this name already.
func (m *Mapped) addTrait(name string, v canonical.Node) {
	for i := range m.Event.Traits {
		if m.Event.Traits[i].Name == name {
			return
		}
	}
	m.Event.Traits = append(m.Event.Traits, schema.Trait{Name: name, Value: v.AppendCanonical(nil, nil)})
}
