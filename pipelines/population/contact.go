package population

import (
	"fmt"
	"math"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// digits gives the decimal digits of a number's image under the permutation of all numbers of so many digits.
func (p *Population) digits(kind string, n uint64, digits int) string {
	limit := uint64(math.Pow10(digits))
	return fmt.Sprintf("%0*d", digits, permute(n%limit, limit, p.key(kind)))
}

// mobile is a mobile number in the country's national form. Nobody else has it: 06 and 07 take 170 million French ones, 07 a billion
// British ones.
func (p *Population) mobile(m *person, which uint64) string {
	n := uint64(m.number)*2 + which
	if p.country.code == "gb" {
		return fmt.Sprintf("07%09d", permute(n, 1e9, p.key("mobile")))
	}
	image := permute(n, 170_000_000, p.key("mobile"))
	if image < 100_000_000 {
		return fmt.Sprintf("06%08d", image)
	}
	return fmt.Sprintf("07%08d", 30_000_000+image-100_000_000)
}

// fixed is the household's landline number. British areas take some hundred thousand numbers each, so two households may have one, as neighbours
// who moved do.
func (p *Population) fixed(h *household) string {
	area, length := h.homes[0].area, 10
	if p.country.code == "gb" {
		length = 11
	}
	return area + p.digits("landline "+area, uint64(h.number), length-len(area))
}

// mailboxName is a new mailbox that carries the person's name. The commoner the name, the more digits stand behind it.
func (p *Population) mailboxName(c chance, m *person) string {
	given, family := plain(m.given), plain(m.family)
	var local string
	rate := m.nameRate
	switch u := c.IntN(100); {
	case u < 34:
		local = given + "." + family
	case u < 54:
		local = given + family
	case u < 74:
		local = given + "_" + family
	case u < 94:
		local, rate = given[:1]+family, 1e6*m.familyShare/12
	default:
		local = family + "." + given
	}
	// Of a million people, rate share the name, and forty forms of its mailbox.
	digits := 0
	switch {
	case rate > 300:
		digits = 6
	case rate > 3:
		digits = 4
	case rate > .05 || c.of(.25):
		digits = 2
	}
	if digits > 0 {
		local += fmt.Sprintf("%0*d", digits, c.IntN(int(math.Pow10(digits))))
	}
	return local + "@" + pick(c, p.country.domains)
}

// plain is a name as mailboxes and handles write it: lower case, letters only, no accents.
func plain(name string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.ToLower(name)) {
		if r >= 'a' && r <= 'z' {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// unaccented is a name without its accents.
func unaccented(s string) string {
	ascii := true
	for i := range len(s) {
		ascii = ascii && s[i] < 0x80
	}
	if ascii {
		return s
	}
	var b strings.Builder
	for _, r := range norm.NFD.String(s) {
		if !unicode.Is(unicode.Mn, r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// handle is a name on a network.
func (p *Population) handle(m *person) string {
	given, family := plain(m.given), plain(m.family)
	return fmt.Sprintf("@%s%s%d", given[:min(7, len(given))], family[:min(6, len(family))], permute(uint64(m.number), 1<<32, p.key("handle"))%100_000)
}
