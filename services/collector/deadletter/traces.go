package deadletter

import (
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dossier-cdp/dossier/schema/seal"
)

// MaxTraces is how many hashes one letter lists.
const MaxTraces = 1000

// The bounds of what may be an id, in bytes.
const (
	shortestID = 3
	longestID  = 512
)

// phoneDigits is how many of its last digits name a phone number, so that 06 12 34 56 78 and +33 6 12 34 56 78 are one.
const phoneDigits = 8

// Trace is the form in which a value is looked for in letters, whatever its kind: an e-mail address or an id in lower case, a
// phone number by its last digits. A value may have two forms; an erasure looks for each of them.
func Trace(value string) []string {
	value = strings.ToLower(strings.TrimSpace(value))
	if value == "" {
		return nil
	}
	forms := []string{value}
	if digits := digitsOf(value); len(digits) >= phoneDigits && !strings.ContainsFunc(value, isLetter) {
		forms = append(forms, "phone "+digits[len(digits)-phoneDigits:])
	}
	return forms
}

// Known gives the hashes of values that a person is known by, in every form in which letters list them, sorted: what an erasure needs
// (schema.ControlErasure.Traces).
func Known(prf *seal.PRF, values []string) []string {
	var hashes []string
	for _, value := range values {
		for _, form := range Trace(value) {
			hashes = append(hashes, HashTrace(prf, form))
		}
	}
	slices.Sort(hashes)
	return slices.Compact(hashes)
}

// HashTrace is the hash of one form, as it stands in the clear part of letters.
func HashTrace(prf *seal.PRF, form string) string {
	hash := prf.IdentifierHash("dead letter", form)
	return hex.EncodeToString(hash[:])
}

// Traces lists the hashes of everything in texts that an erasure may look for, sorted: the content of every JSON string and number
// that could be an id (3 to 512 bytes without whitespace), every e-mail address and every run of digits that could be a phone number,
// also within longer texts and in bytes that are no JSON at all. What has no digit, @ or _ is an id only where its member's name says so. Beyond MaxTraces it says so.
func Traces(prf *seal.PRF, texts ...[]byte) (hashes []string, overflow bool) {
	forms := map[string]struct{}{}
	for _, text := range texts {
		scan(string(text), func(form string) bool {
			forms[form] = struct{}{}
			return len(forms) <= MaxTraces
		})
	}
	if overflow = len(forms) > MaxTraces; overflow {
		return nil, true
	}
	for form := range forms {
		hashes = append(hashes, HashTrace(prf, form))
	}
	slices.Sort(hashes)
	return hashes, false
}

// scan gives every form in text, until found returns false.
func scan(text string, found func(form string) bool) {
	give := func(value string) bool {
		for _, form := range Trace(value) {
			if !found(form) {
				return false
			}
		}
		return true
	}
	text = unescape(text)
	// Words: whatever stands between quotes, blanks, brackets and commas. They are ids, addresses, and parts of phone numbers.
	for _, word := range strings.FieldsFunc(text, separates) {
		if len(word) < shortestID || len(word) > longestID || !strings.ContainsFunc(word, tellsApart) {
			continue
		}
		if !give(strings.TrimRight(word, ".:!?'")) {
			return
		}
	}
	for _, member := range members.FindAllStringSubmatch(text, -1) {
		if namesSomebody(member[1]) && !give(member[2]) {
			return
		}
	}
	phones(text, found)
}

// members are the members of JSON objects whose value is a text without blanks.
var members = regexp.MustCompile(`"([\pL\pN_.-]{1,64})"\s*:\s*"([^"\s]{3,512})"`)

// namesSomebody says whether a member of this name holds what its source calls somebody: ids without a digit, such as anna-lee, are told from words of a
// language by it alone.
func namesSomebody(member string) bool {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune("_.-", r) {
			return -1
		}
		return r
	}, strings.ToLower(member))
	switch name {
	case "value", "handle", "username", "login", "account", "user", "customer", "card", "cookie", "device", "email", "phone":
		return true
	}
	return strings.HasSuffix(name, "id") && name != "messageid" && name != "eventid" && name != "requestid"
}

// separates says whether a character ends a word.
func separates(r rune) bool {
	return r <= ' ' || r == utf8.RuneError || strings.ContainsRune(`"{}[]()<>,;\`, r)
}

// tellsApart says whether a character makes a word an id rather than a word of a language: a digit, an @, a _.
func tellsApart(r rune) bool { return r >= '0' && r <= '9' || r == '@' || r == '_' }

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r > 127 }

// phones gives every run of digits, with what people write between them, that is long enough for a phone number.
func phones(text string, found func(form string) bool) {
	var digits []byte
	end := func() bool {
		long := len(digits) >= phoneDigits && len(digits) <= 20
		form := ""
		if long {
			form = "phone " + string(digits[len(digits)-phoneDigits:])
		}
		digits = digits[:0]
		return !long || found(form)
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			digits = append(digits, c)
		case strings.IndexByte(" .-/()+", c) >= 0:
		default:
			if !end() {
				return
			}
		}
	}
	end()
}

func digitsOf(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// unescape undoes JSON's \u escapes of ASCII and \/, so that an address written with them is found too.
func unescape(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		switch text[i] {
		case 'u':
			if i+4 < len(text) {
				if raw, err := hex.DecodeString(text[i+1 : i+5]); err == nil {
					b.WriteRune(rune(raw[0])<<8 | rune(raw[1]))
					i += 4
					continue
				}
			}
			b.WriteByte(' ')
		case '/':
			b.WriteByte('/')
		default:
			b.WriteByte(' ') // a quote, a line break: the end of a word
		}
	}
	return b.String()
}
