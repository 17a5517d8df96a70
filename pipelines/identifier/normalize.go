// Package identifier knows the kinds of identifiers: how a value of each is brought to its normal form, whether it can be evidence at
// all, and how it is shown to who may not see it.
//
// A normal form is for comparing and hashing only; what a source gave is kept as it was. Normalize is idempotent: the normal
// form of a normal form is itself.
package identifier

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"github.com/dossier-cdp/dossier/schema"
)

// maxLength is the longest value, in bytes, that can be an identifier.
const maxLength = 512

// Normalize brings a value to the normal form of its kind. The country (ISO 3166 alpha-2, the source's) reads national phone
// numbers. A value that cannot be evidence is refused with a *schema.Refusal that never shows it: identifier_empty,
// identifier_placeholder, identifier_invalid. It may still be kept and shown as data.
func Normalize(kind, value, country string) (normal string, err error) {
	value = strings.TrimFunc(value, blank)
	switch {
	case value == "":
		return "", schema.Refuse("identifier_empty", kind+" is empty", "leave it out")
	case len(value) > maxLength:
		return "", schema.Refuse("identifier_invalid", kind+" is longer than 512 bytes", "send the id itself")
	case !utf8.ValidString(value):
		return "", schema.Refuse("identifier_invalid", kind+" is not UTF-8", "send UTF-8")
	case placeholder(value):
		return "", schema.Refuse("identifier_placeholder", kind+" is a placeholder", "leave the identifier out when it is not known")
	}
	k := Of(kind)
	normal, err = k.normalize(value, country)
	if err != nil {
		return "", err
	}
	if normal == "" || placeholder(normal) {
		return "", schema.Refuse("identifier_placeholder", kind+" is a placeholder", "leave the identifier out when it is not known")
	}
	return normal, nil
}

func blank(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\u200b' || r == '\ufeff'
}

// opaque compares exactly, after Unicode composition.
func opaque(value, _ string) (string, error) { return norm.NFC.String(value), nil }

// code is for cards and numbers that people copy by hand: case and separators do not count.
func code(value, _ string) (string, error) {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || strings.ContainsRune("-._/", r) {
			return -1
		}
		return unicode.ToUpper(r)
	}, norm.NFKC.String(value)), nil
}

// device is for device and advertising ids: UUIDs in either case.
func device(value, _ string) (string, error) { return strings.ToLower(norm.NFC.String(value)), nil }

// handle is for networks whose names do not tell case apart.
func handle(value, _ string) (string, error) {
	return strings.TrimLeft(strings.ToLower(norm.NFKC.String(value)), "@ "), nil
}

func phone(value, country string) (string, error) {
	if normal, ok := frenchPhone(value, country); ok {
		return normal, nil
	}
	number, err := phonenumbers.Parse(value, strings.ToUpper(country))
	if err != nil {
		return "", schema.Refuse("identifier_invalid", "phone is no number that can be read with country "+country, "set the source's country, or send +33…")
	}
	if !phonenumbers.IsPossibleNumber(number) {
		return "", schema.Refuse("identifier_invalid", "phone has an impossible length for its country", "check the number")
	}
	normal := phonenumbers.Format(number, phonenumbers.E164)
	if repeated(normal[len(normal)-min(len(normal), 8):]) {
		return "", schema.Refuse("identifier_placeholder", "phone is a placeholder", "leave the identifier out when it is not known")
	}
	return normal, nil
}

// frenchPhone reads French numbers of nine digits as people write them, 06 12 34 56 78 or +33 6 12 34 56 78, which spares most of them the general parser. It
// says what the parser would say, or nothing.
func frenchPhone(value, country string) (normal string, ok bool) {
	digits := make([]byte, 0, 16)
	for i := range len(value) {
		switch c := value[i]; {
		case c >= '0' && c <= '9', c == '+' && i == 0:
			if len(digits) == cap(digits) {
				return "", false
			}
			digits = append(digits, c)
		case (c == ' ' || c == '.' || c == '-') && i > 0 && value[i-1] >= '0' && value[i-1] <= '9' && i+1 < len(value):
		default:
			return "", false
		}
	}
	switch {
	case len(digits) == 12 && string(digits[:3]) == "+33":
		digits = digits[3:]
	case len(digits) == 10 && digits[0] == '0' && (country == "FR" || country == "fr"):
		digits = digits[1:]
	default:
		return "", false
	}
	if digits[0] == '0' || repeated(string(digits[1:])) {
		return "", false
	}
	return "+33" + string(digits), true
}

func email(value, _ string) (string, error) {
	refusal := schema.Refuse("identifier_invalid", "email is not of the form name@domain", "check the address")
	value = strings.TrimPrefix(strings.ToLower(norm.NFKC.String(value)), "mailto:")
	at := strings.LastIndexByte(value, '@')
	if at <= 0 || at == len(value)-1 {
		return "", refusal
	}
	local, domain := value[:at], strings.TrimSuffix(value[at+1:], ".")
	if strings.ContainsFunc(value, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("<>(),;\"", r) }) {
		return "", refusal
	}
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil || !strings.Contains(ascii, ".") {
		return "", refusal
	}
	domain = strings.ToLower(ascii)
	if plus := strings.IndexByte(local, '+'); plus > 0 {
		local = local[:plus]
	}
	switch domain {
	case "googlemail.com", "gmail.com":
		domain = "gmail.com"
		local = strings.ReplaceAll(local, ".", "")
	}
	if local == "" || placeholder(local) {
		return "", schema.Refuse("identifier_placeholder", "email is a placeholder", "leave the identifier out when it is not known")
	}
	return local + "@" + domain, nil
}
