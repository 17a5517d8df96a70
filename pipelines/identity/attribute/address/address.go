// Package address reads postal addresses, French ones with their customs, others by common ones.
package address

import (
	"cmp"
	"strings"
)

// Address is a postal address or a part of one, in normal form: lower-case words of a to z and digits, one blank between two. The zero
// value says nothing.
type Address struct {
	Number     string // the house number, digits only: "12"; the first of a range
	Repeat     string // what follows the number: "bis", "ter", "a"
	Type       string // the kind of street, written out: "avenue"; "" if none was found
	Street     string // the street's own name, without number and type: "general de gaulle", "des lilas"; a lieu-dit stands here too
	Box        string // the rest of the way: building, flat, residence, box
	Postcode   string // without blanks, lower case: "75012", "sw1a1aa"; leading zeros restored where the country says how many digits
	Commune    string // the town, without CEDEX and borough: "saint etienne", "paris"
	Borough    uint8  // the arrondissement of Paris, Lyon and Marseille, from postcode or commune; 0 if none
	Department string // the French department from the postcode or as given: "2a", "75", "974"; elsewhere the region or state
	Country    string // ISO 3166 alpha-2, upper case; "" if not said
}

// IsZero says whether nothing is known. A country alone is nothing.
func (a Address) IsZero() bool {
	a.Country = ""
	return a == Address{}
}

// Compare orders addresses by their parts, the widest first.
func (a Address) Compare(b Address) int {
	return cmp.Or(strings.Compare(a.Country, b.Country), strings.Compare(a.Department, b.Department), strings.Compare(a.Postcode, b.Postcode), strings.Compare(a.Commune, b.Commune),
		cmp.Compare(a.Borough, b.Borough), strings.Compare(a.Street, b.Street), strings.Compare(a.Type, b.Type), strings.Compare(a.Number, b.Number), strings.Compare(a.Repeat, b.Repeat), strings.Compare(a.Box, b.Box))
}

// Area is the part of the postcode that covers a district: the department of a French one (its first two figures), the outward code of a
// British one ("sw1a"), and the first half of others; "" if there is none.
func (a Address) Area() string {
	code := a.Postcode
	n := len(code)
	if digits := leadingDigits(code); n >= 5 && n <= 7 && digits == 0 && code[n-3] >= '0' && code[n-3] <= '9' && leadingDigits(code[n-2:]) == 0 {
		return code[:n-3]
	}
	return code[:n/2]
}

// Place is a place of birth, in the normal form of an address. The zero value says nothing.
type Place struct {
	Commune    string
	Borough    uint8
	Department string
	Country    string
}

// Compare orders places by their parts, the widest first.
func (p Place) Compare(q Place) int {
	return cmp.Or(strings.Compare(p.Country, q.Country), strings.Compare(p.Department, q.Department), strings.Compare(p.Commune, q.Commune), cmp.Compare(p.Borough, q.Borough))
}
