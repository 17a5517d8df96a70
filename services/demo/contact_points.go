package demo

import (
	"fmt"
	"slices"
	"strings"
)

// numbers hands out telephone numbers that nobody has, each once: from the ranges that ARCEP, Ofcom and the NANPA keep free.
type numbers struct {
	next  map[string]int
	taken map[string]bool // e-mail addresses
}

// draw gives the next number of a range of size numbers, in an order that does not look like one: 3701 and a power of ten have no
// common divisor.
func (n *numbers) draw(area string, size int) int {
	i := n.next[area]
	if i == size {
		panic("no number is left in " + area) // Unreachable: a test counts the people of each town
	}
	n.next[area]++
	return (i*3701 + 11) % size
}

// mobile gives a mobile number in E.164.
func (n *numbers) mobile(a Address) string {
	switch a.Country {
	case "FR":
		return fmt.Sprintf("+3363998%04d", n.draw("mobile FR", 10_000))
	case "GB":
		return fmt.Sprintf("+447700900%03d", n.draw("mobile GB", 1000))
	}
	return "+1" + a.area + fmt.Sprintf("01%02d", n.draw(a.area, 100))
}

// landline gives a number of the town in E.164.
func (n *numbers) landline(a Address) string {
	switch a.Country {
	case "FR":
		block := map[string]string{"0199": "00", "0261": "91", "0353": "01", "0465": "71", "0536": "49"}[a.area]
		return "+33" + a.area[1:] + block + fmt.Sprintf("%04d", n.draw(a.area, 10_000))
	case "GB":
		return "+44" + a.area[1:] + fmt.Sprintf("0%03d", n.draw(a.area, 1000))
	}
	return n.mobile(a)
}

// written is a number as people and systems write it.
func (c chance) written(e164 string) string {
	switch {
	case strings.HasPrefix(e164, "+33"):
		n := "0" + e164[3:]
		pairs := []string{n[0:2], n[2:4], n[4:6], n[6:8], n[8:10]}
		switch c.IntN(7) {
		case 0:
			return n
		case 1:
			return strings.Join(pairs, ".")
		case 2:
			return "+33 " + n[1:2] + " " + strings.Join(pairs[1:], " ")
		case 3:
			return "0033" + n[1:]
		case 4:
			return e164
		case 5:
			return strings.Join(pairs, "-")
		}
		return strings.Join(pairs, " ")
	case strings.HasPrefix(e164, "+44"):
		n := "0" + e164[3:]
		switch c.IntN(4) {
		case 0:
			return n
		case 1:
			return n[:5] + " " + n[5:]
		case 2:
			return "+44 " + n[1:5] + " " + n[5:]
		}
		return e164
	}
	n := e164[2:]
	switch c.IntN(3) {
	case 0:
		return "(" + n[:3] + ") " + n[3:6] + "-" + n[6:]
	case 1:
		return n[:3] + "-" + n[3:6] + "-" + n[6:]
	}
	return e164
}

var (
	domainsFR = []string{"courriel.example", "boite-aux-lettres.example", "lumiere-mail.example", "monfil.example", "mel-rapide.example"}
	domainsEN = []string{"inbox.example", "postbox.example", "quickmail.example", "swiftpost.example"}
)

var accents = strings.NewReplacer(
	"é", "e", "è", "e", "ê", "e", "ë", "e", "à", "a", "â", "a", "ô", "o", "ö", "o", "î", "i", "ï", "i", "ç", "c", "û", "u", "ü", "u", "ù", "u", "œ", "oe",
	"É", "e", "'", "", "’", "", " ", "",
)

// plain is a name as it stands in an e-mail address.
func plain(name string) string { return strings.ToLower(accents.Replace(name)) }

// email draws an address of somebody's own that nobody else has.
func (n *numbers) email(c chance, french bool, given, family string, birthYear int) string {
	g, f := plain(given), plain(family)
	domains := domainsEN
	if french {
		domains = domainsFR
	}
	local := ""
	switch c.IntN(6) {
	case 0:
		local = g[:1] + "." + f
	case 1:
		local = g + f + fmt.Sprintf("%02d", birthYear%100)
	case 2:
		local = f + "." + g
	case 3:
		local = g + "_" + f
	default:
		local = g + "." + f
	}
	return n.free(local, pick(c, domains))
}

// free makes an address of a local part and a domain that is not taken yet, and takes it.
func (n *numbers) free(local, domain string) string {
	address := local + "@" + domain
	for i := 2; n.taken[address]; i++ {
		address = fmt.Sprintf("%s%d@%s", local, i, domain)
	}
	n.taken[address] = true
	return address
}

// mistypedAddress is an e-mail address with a slip before the @.
func (c chance) mistypedAddress(address string) string {
	local, domain, _ := strings.Cut(address, "@")
	return c.mistyped(local) + "@" + domain
}

// mistyped is a word as a call-centre agent in a hurry types it: two letters swapped, one doubled, or one dropped.
func (c chance) mistyped(word string) string {
	r := []rune(word)
	if len(r) < 5 {
		return word
	}
	i := c.between(1, len(r)-3)
	switch c.IntN(3) {
	case 0:
		r[i], r[i+1] = r[i+1], r[i]
	case 1:
		r = slices.Insert(r, i, r[i])
	default:
		r = slices.Delete(r, i, i+1)
	}
	return string(r)
}
