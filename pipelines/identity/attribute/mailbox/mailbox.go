// Package mailbox reads e-mail addresses and handles for the names that people put into them.
package mailbox

import (
	"cmp"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/identifier/name"
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

// Of takes an address in the normal form of package identifier (name@domain) apart.
func Of(address string) Mailbox {
	at := strings.LastIndexByte(address, '@')
	if at <= 0 {
		return Mailbox{}
	}
	return Mailbox{Local: address[:at], Domain: address[at+1:], Stem: Stem(address[:at])}
}

// Stem is the letters of a local part or a handle.
func Stem(local string) string { return strings.ReplaceAll(name.Fold(local), " ", "") }

// Compare orders mailboxes by local part, then domain.
func (m Mailbox) Compare(n Mailbox) int {
	return cmp.Or(strings.Compare(m.Local, n.Local), strings.Compare(m.Domain, n.Domain), strings.Compare(m.Stem, n.Stem))
}

// IsZero says whether there is none.
func (m Mailbox) IsZero() bool { return m == Mailbox{} }
