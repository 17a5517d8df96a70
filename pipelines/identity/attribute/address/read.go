package address

import (
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/identifier/name"
)

// Parts are the fields in which a source gives one address, each possibly empty, as it gave them.
type Parts struct {
	Number, Street, More, Box   string // More is a second line
	Postcode, City, State, Land string // Land is a country's name or code
	Country                     string // the source's country, ISO 3166 alpha-2, by which the rest is read
}

// Of reads an address of its parts.
func Of(p Parts) Address {
	number, street := p.Number, strings.TrimSpace(p.Street)
	if number == "" {
		end := 0
		for end < len(street) && street[end] >= '0' && street[end] <= '9' {
			end++
		}
		number, street = street[:end], street[end:]
	}
	a := Address{Number: strings.TrimSpace(number), Street: name.Fold(street), Box: name.Fold(p.More + " " + p.Box), Commune: name.Fold(p.City), Department: name.Fold(p.State)}
	a.Postcode = strings.ToLower(strings.Join(strings.Fields(p.Postcode), ""))
	return a
}

// PlaceOf reads a place of birth, such as "Lyon 3e (69)".
func PlaceOf(s, country string) Place {
	return Place{Commune: name.Fold(s)}
}
