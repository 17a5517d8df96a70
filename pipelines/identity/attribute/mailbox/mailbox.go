// Package mailbox reads e-mail addresses and handles for the names that people put into them.
package mailbox

import (
	"cmp"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/given"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/person"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/script"
)

// Mailbox is an e-mail address in normal form. The zero value says nothing.
type Mailbox struct {
	// Local is what stands before the @, without plus tag, as package identifier leaves it.
	Local string
	// Domain is what stands after the @, in ASCII.
	Domain string
	// Stem is the letters of Local, in a to z, without dots, digits and signs: "jean.dupont84" and "jeandupont" are "jeandupont".
	Stem string
}

// longestLocal bounds what is read of a local part or a handle, in bytes; the mail standard (RFC 5321, 4.5.3.1.1) allows 64.
const longestLocal = 64

// Of takes an address in the normal form of package identifier (name@domain) apart.
func Of(address string) Mailbox {
	at := strings.LastIndexByte(address, '@')
	if at <= 0 {
		return Mailbox{}
	}
	return Mailbox{Local: address[:at], Domain: address[at+1:], Stem: Stem(address[:at])}
}

// Stem is the letters of a local part or a handle: no plus tag, no digits, no signs. The stem of a stem is itself.
func Stem(local string) string {
	if tag := strings.IndexByte(local, '+'); tag > 0 {
		local = local[:tag]
	}
	if plain(local) {
		return local
	}
	return strings.Map(func(r rune) rune {
		if r == ' ' || r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, script.Fold(bounded(local)))
}

func plain(s string) bool {
	for i := range len(s) {
		if s[i] < 'a' || s[i] > 'z' {
			return false
		}
	}
	return len(s) <= longestLocal
}

func bounded(s string) string {
	if len(s) <= longestLocal {
		return s
	}
	end := longestLocal
	for end > 0 && s[end]&0xc0 == 0x80 {
		end--
	}
	return s[:end]
}

// Compare orders mailboxes by local part, then domain.
func (m Mailbox) Compare(n Mailbox) int {
	return cmp.Or(strings.Compare(m.Local, n.Local), strings.Compare(m.Domain, n.Domain), strings.Compare(m.Stem, n.Stem))
}

// IsZero says whether there is none.
func (m Mailbox) IsZero() bool { return m == Mailbox{} }

// String is the address. It is personal and belongs in no log.
func (m Mailbox) String() string { return m.Local + "@" + m.Domain }

// NameIn reads the name that a local part or a handle carries: "jean.dupont84" and "dupont_jean" by their signs, "jeandupont" by the longest
// known given name at its start or its end. It gives the zero value if it finds no given name beside three letters or more. A mailbox is
// often a relative's, so such a name is a hint, never what the persona said of itself.
func NameIn(local string) person.Name {
	if tag := strings.IndexByte(local, '+'); tag > 0 {
		local = local[:tag]
	}
	var words []string
	for w := range strings.FieldsSeq(script.Fold(bounded(local))) {
		if w = strings.Trim(w, "0123456789"); w != "" {
			words = append(words, w)
		}
	}
	if len(words) > 1 {
		n, _ := person.Of(person.Parts{Full: strings.Join(words, " ")})
		if given.Known(n.Given) && len(n.Given) > 1 && n.Family != "" {
			return n
		}
		return person.Name{}
	}
	if len(words) == 0 {
		return person.Name{}
	}
	stem := words[0]
	const shortest, longest = 3, 40
	if len(stem) > longest || strings.ContainsAny(stem, "0123456789") {
		return person.Name{}
	}
	best, class := person.Name{}, uint8(255)
	consider := func(name, family string) {
		e, ok := given.Find(name)
		if !ok || len(name) < len(best.Given) || len(name) == len(best.Given) && e.Class() >= class {
			return
		}
		best, class = person.Name{Given: name, Family: family, Unsplit: true}, e.Class()
	}
	for cut := shortest; cut+shortest <= len(stem); cut++ {
		consider(stem[:cut], stem[cut:])
		consider(stem[cut:], stem[:cut])
	}
	return best
}

// Spelling says how a stem spells a name.
type Spelling uint8

// The spellings, weakest first.
const (
	None     Spelling = iota // the stem says nothing of the name
	Part                     // it holds the given or the family name, of four letters or more
	Cut                      // the beginnings of given and family name, three letters or more of each: "catherbonnet"
	Initial                  // an initial and the other name whole: "jdupont", "dupontj", "jeand"
	Complete                 // given and family name, in either order
)

func (s Spelling) String() string {
	return [...]string{"none", "part", "cut", "initial", "complete"}[min(s, Complete)]
}

// Spells says how the stem of a mailbox or a handle spells a name. A missing part of the name spells nothing.
func Spells(stem string, n person.Name) Spelling {
	if stem == "" {
		return None
	}
	g, f := strings.ReplaceAll(n.Given, " ", ""), strings.ReplaceAll(n.Family, " ", "")
	const short, long = 3, 4
	switch {
	case g != "" && f != "":
		switch {
		case join(stem, g, f), join(stem, f, g):
			return Complete
		case len(f) >= short && (join(stem, g[:1], f) || join(stem, f, g[:1])), len(g) >= short && (join(stem, g, f[:1]) || join(stem, f[:1], g)):
			return Initial
		}
		for cut := short; cut+short <= len(stem); cut++ {
			if strings.HasPrefix(g, stem[:cut]) && strings.HasPrefix(f, stem[cut:]) || strings.HasPrefix(f, stem[:cut]) && strings.HasPrefix(g, stem[cut:]) {
				return Cut
			}
		}
	}
	if len(g) >= long && strings.Contains(stem, g) || len(f) >= long && strings.Contains(stem, f) {
		return Part
	}
	return None
}

// join says whether s is a and b.
func join(s, a, b string) bool {
	return len(s) == len(a)+len(b) && strings.HasPrefix(s, a) && strings.HasSuffix(s, b)
}
