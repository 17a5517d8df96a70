package address

import (
	"strconv"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/script"
)

// Parts are the fields in which a source gives one address, each possibly empty, as it gave them.
type Parts struct {
	Number, Street, More, Box   string // More is a second line
	Postcode, City, State, Land string // Land is a country's name or code
	Country                     string // the source's country, ISO 3166 alpha-2, by whose customs the rest is read unless Land says another

	// Exact is set if the fields are those of an Address already: then nothing is looked for in Street and City, and these hold the rest.
	Exact        bool
	Repeat, Type string
	Borough      uint8
}

// french are the countries whose addresses are written as in France.
var french = map[string]bool{"FR": true, "BE": true, "LU": true, "MC": true, "CH": true, "GP": true, "MQ": true, "GF": true, "RE": true, "YT": true, "PM": true, "BL": true, "MF": true, "NC": true, "PF": true, "WF": true, "ES": true, "IT": true, "PT": true, "BR": true, "MA": true, "DZ": true, "TN": true, "": true}

// digitsOfPostcode says how many digits a postcode has where it has digits only: lost leading zeros can then be restored.
var digitsOfPostcode = map[string]int{"FR": 5, "MC": 5, "GP": 5, "MQ": 5, "GF": 5, "RE": 5, "YT": 5, "DE": 5, "ES": 5, "IT": 5, "US": 5, "MA": 5, "DZ": 5, "BE": 4, "CH": 4, "LU": 4, "AT": 4, "AU": 4, "DK": 4, "NO": 4, "TN": 4}

// Of reads an address of its parts. A street that holds a whole address ("12 rue de la Gare, 75012 Paris") is taken apart.
func Of(p Parts) Address {
	a := Address{Country: Country(p.Land)}
	country := a.Country
	if country == "" {
		country = strings.ToUpper(p.Country)
	}
	romance := french[country]
	if p.Exact {
		a.Number, a.Repeat, a.Type, a.Street, a.Box = bounded(p.Number), bounded(p.Repeat), bounded(p.Type), bounded(p.Street), bounded(p.Box)
		a.Postcode, a.Commune, a.Borough, a.Department = postcodeOf(p.Postcode, country), bounded(p.City), p.Borough, bounded(p.State)
		return a
	}
	street := p.Street
	if p.Postcode == "" && p.City == "" {
		street, p.Postcode, p.City = whole(street, country)
	}
	postcode := p.Postcode
	if postcode == "" { // "75012 Paris" as the city
		if code, city, ok := strings.Cut(strings.TrimSpace(p.City), " "); ok && len(code) == digitsOfPostcode[country] && leadingDigits(code) == len(code) {
			postcode, p.City = code, city
		}
	}
	a.Postcode = postcodeOf(postcode, country)
	a.Commune, a.Borough, a.Department = commune(p.City, country)
	if d := state(p.State, country); d != "" {
		a.Department = d
	}
	if country == "FR" || country == "" && len(a.Postcode) == 5 && leadingDigits(a.Postcode) == 5 {
		a.byPostcode()
	}
	if !romance && p.Street != "" && !endsInKind(p.Street) && endsInKind(p.More) {
		street, p.More = p.More, p.Street // the lines are the wrong way round: a house's name comes first
	}
	if p.Box != "" || p.More != "" {
		var room [mostWords]string
		a.Box = join(cut(cut(room[:0], p.Box), p.More), false)
	}
	if p.Number != "" {
		var room [mostWords]string
		words := cut(room[:0], p.Number)
		if len(words) > 0 && leadingDigits(words[0]) > 0 {
			var b Address
			b.number(append(words, "x", "x"), false)
			a.Number, a.Repeat = b.Number, b.Repeat
		} else {
			a.Box = strings.TrimSpace(a.Box + " " + join(words, false))
		}
	}
	if street != "" {
		a.street(street, romance, a.Number != "")
	}
	a.Box = bounded(a.Box)
	a.Number = strings.TrimLeft(a.Number, "0")
	return a
}

func bounded(s string) string {
	if s == "" {
		return ""
	}
	var room [mostWords]string
	return join(cut(room[:0], s), false)
}

// endsInKind says whether a line ends in a kind of street that stands after the name.
func endsInKind(s string) bool {
	var room [mostWords]string
	words := cut(room[:0], s)
	return len(words) > 1 && after[words[len(words)-1]] != ""
}

// whole takes postcode and commune from the end of a French address in one field.
func whole(s, country string) (street, postcode, city string) {
	n := digitsOfPostcode[country]
	if n == 0 || len(s) > longestField {
		return s, "", ""
	}
	for i := len(s) - 1; i > 0; i-- {
		if s[i-1] != ' ' && s[i-1] != ',' && s[i-1] != '\n' && s[i-1] != '-' || leadingDigits(s[i:]) != n {
			continue
		}
		if end := i + n; end == len(s) || s[end] == ' ' || s[end] == ',' {
			if before := strings.Trim(s[:i], " ,\n-"); before != "" {
				return before, s[i:end], strings.Trim(s[end:], " ,\n")
			}
		}
	}
	return s, "", ""
}

// postcodeOf brings a postcode to letters and digits without blanks. Where it has digits only, other signs go and lost zeros come back.
func postcodeOf(s, country string) string {
	if s == "" {
		return ""
	}
	if len(s) > longestWord {
		s = s[:longestWord]
	}
	folded := strings.ReplaceAll(script.Fold(s), " ", "")
	n, ok := digitsOfPostcode[country]
	if !ok {
		return folded
	}
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, folded)
	digits = digits[:min(len(digits), n)] // ZIP+4 and its like
	switch {
	case strings.Trim(digits, "0") == "":
		return ""
	case len(digits) >= n-2 || country == "FR" && len(digits) == n-1:
		return strings.Repeat("0", n-len(digits)) + digits
	}
	return digits
}

// byPostcode says what a French postcode says: the department, and in Paris, Lyon and Marseille the borough and the commune.
func (a *Address) byPostcode() {
	code := a.Postcode
	if len(code) != 5 || leadingDigits(code) != 5 {
		return
	}
	switch department := code[:2]; department {
	case "20":
		a.Department = "2b" // 202 and 206
		if code[2] <= '1' {
			a.Department = "2a"
		}
	case "97", "98":
		a.Department = code[:3]
	default:
		a.Department = department
	}
	number, err := strconv.Atoi(code)
	if err != nil {
		return
	}
	city, first, last := "", 0, 0
	switch {
	case number == 75116:
		city, first, last, number = "paris", 75001, 75020, 75016
	case code[:3] == "750":
		city, first, last = "paris", 75001, 75020
	case code[:4] == "6900":
		city, first, last = "lyon", 69001, 69009
	case code[:3] == "130":
		city, first, last = "marseille", 13001, 13016
	}
	if city == "" || number < first || number > last || a.Commune != "" && a.Commune != city {
		return
	}
	a.Commune, a.Borough = city, uint8(number-first+1)
}

// state reads a department, region or state: "2A", "1", "Rhône", "NSW".
func state(s, country string) string {
	if s == "" {
		return ""
	}
	folded := bounded(s)
	if country == "FR" && len(folded) == 1 && leadingDigits(folded) == 1 {
		return "0" + folded
	}
	return folded
}

// commune reads a town: CEDEX goes, borough and department are told apart.
func commune(s, country string) (name string, borough uint8, department string) {
	if s == "" {
		return "", 0, ""
	}
	if i := strings.IndexByte(s, '('); i >= 0 {
		inside, _, _ := strings.Cut(s[i+1:], ")")
		s = s[:i]
		if folded := script.Fold(inside); isDepartment(folded) {
			department = state(folded, country)
		}
	}
	var room [mostWords]string
	words := cut(room[:0], s)
	for i, w := range words {
		if i > 0 && w == "cedex" {
			words = words[:i]
			break
		}
	}
	if n := len(words); n > 1 {
		at := 0
		for i := 1; i < n; i++ {
			if leadingDigits(words[i]) > 0 {
				at = i
				break
			}
		}
		switch words[0] {
		case "paris", "lyon", "marseille":
			if at > 0 {
				if b, err := strconv.Atoi(words[at][:leadingDigits(words[at])]); err == nil && b >= 1 && b <= 20 {
					borough = uint8(b)
				}
				words = words[:1]
			}
		default:
			if at > 0 && leadingDigits(words[at]) == len(words[at]) && at == n-1 {
				words = words[:at]
			}
		}
	}
	if n := len(words); n > 1 {
		for i := 1; i+1 < n; i++ {
			if words[i] == "s" {
				words[i] = "sur" // Boulogne s/ Mer
			}
		}
	}
	return join(words, false), borough, department
}

func isDepartment(s string) bool {
	return s == "2a" || s == "2b" || len(s) >= 1 && len(s) <= 3 && leadingDigits(s) == len(s)
}

// PlaceOf reads a place of birth, such as "Lyon 3e (69)", "75012 Paris", "Alger, Algérie". The country is the source's.
func PlaceOf(s, country string) Place {
	if len(s) > longestField {
		s = s[:longestField]
	}
	country = strings.ToUpper(country)
	head, tail, _ := strings.Cut(s, ",")
	var p Place
	if inside, ok := parenthesis(head); ok {
		p.Country = Country(inside)
	}
	if tail != "" {
		if c := Country(tail); c != "" {
			p.Country = c
		} else if country == "FR" || country == "" {
			p.Department = state(tail, country)
		}
	}
	a := Of(Parts{City: head, Country: country})
	p.Commune, p.Borough = a.Commune, a.Borough
	if a.Department != "" {
		p.Department = a.Department
	}
	return p
}

func parenthesis(s string) (string, bool) {
	_, inside, ok := strings.Cut(s, "(")
	inside, _, _ = strings.Cut(inside, ")")
	return inside, ok
}

// Parts are fields that read as this address again, under the same country of the source.
func (a Address) Parts(country string) Parts {
	return Parts{Number: a.Number, Repeat: a.Repeat, Type: a.Type, Street: a.Street, Box: a.Box, Postcode: a.Postcode, City: a.Commune, Borough: a.Borough, State: a.Department, Land: a.Country, Country: country, Exact: true}
}
