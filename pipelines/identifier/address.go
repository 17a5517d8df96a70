package identifier

import (
	"strings"
	"unicode"

	"github.com/dossier-cdp/dossier/pipelines/identifier/name"
	"github.com/dossier-cdp/dossier/schema"
)

// streetWords are the ways to write the kind of a street, short form first.
var streetWords = map[string]string{
	"av": "avenue", "ave": "avenue", "bd": "boulevard", "bld": "boulevard", "blvd": "boulevard", "boul": "boulevard", "ch": "chemin", "che": "chemin",
	"imp": "impasse", "pl": "place", "r": "rue", "all": "allee", "rte": "route", "sq": "square", "fg": "faubourg", "fbg": "faubourg", "lot": "lotissement",
	"res": "residence", "st": "saint", "ste": "sainte", "dr": "docteur", "gal": "general", "mal": "marechal", "pdt": "president", "rd": "road", "ln": "lane",
}

// Address makes the value of an address identifier of its parts. It gives "" unless the street has a house number and the place is
// known by postcode or city: less than that names a neighbourhood, not a home.
func Address(street, postcode, city string) string {
	place := fold(postcode)
	if place == "" {
		place = fold(city)
	}
	if place == "" || !strings.ContainsFunc(street, unicode.IsDigit) {
		return ""
	}
	s := fold(street)
	if s == "" {
		return ""
	}
	return s + ", " + strings.ReplaceAll(place, " ", "")
}

// fold is name.Fold for texts with numbers, with the kind of the street written out.
func fold(s string) string {
	var out []string
	for _, word := range strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r) && r != '\'' && r != '’'
	}) {
		if !strings.ContainsFunc(word, unicode.IsDigit) {
			word = name.Fold(word)
		}
		if long, ok := streetWords[word]; ok {
			word = long
		}
		if word != "" {
			out = append(out, word)
		}
	}
	return strings.Join(out, " ")
}

func address(value, _ string) (string, error) {
	street, place, ok := cutLast(value, ",")
	if ok {
		street, place = fold(street), strings.ReplaceAll(fold(place), " ", "")
	}
	if !ok || street == "" || place == "" || !strings.ContainsFunc(street, unicode.IsDigit) {
		return "", schema.Refuse("identifier_invalid", "address is not of the form street with number, postcode or city", "send it in that form, or as traits street, postcode and city")
	}
	return street + ", " + place, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
