// Package mailbox reads e-mail addresses and handles.
package mailbox

import (
	"cmp"
	"strings"

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
