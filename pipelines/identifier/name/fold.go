package name

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

var letters = map[rune]string{'œ': "oe", 'æ': "ae", 'ß': "ss", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'ı': "i"}

// Fold brings a name to lower-case words without accents: "Jean-Irénée O'Brien" is "jean irenee obrien". Letters of other scripts
// are kept in lower case. Digits and signs part words; apostrophes vanish. Folding what is folded changes nothing.
func Fold(s string) string {
	if folded(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	gap := false
	for _, r := range norm.NFKD.String(strings.ToLower(norm.NFKC.String(s))) {
		if unicode.Is(unicode.Mn, r) || r == '\'' || r == '’' || r == '‘' || r == 'ʼ' || r == '`' {
			continue
		}
		if !unicode.IsLetter(r) {
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte(' ')
			gap = false
		}
		if two, ok := letters[r]; ok {
			b.WriteString(two)
		} else {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// folded says whether s is plainly in folded form, which spares most calls the work.
func folded(s string) bool {
	before := byte(' ')
	for i := range len(s) {
		if c := s[i]; c >= 'a' && c <= 'z' || c == ' ' && before != ' ' {
			before = c
			continue
		}
		return false
	}
	return before != ' ' || s == ""
}

func squeeze(s string) string { return strings.ReplaceAll(s, " ", "") }
