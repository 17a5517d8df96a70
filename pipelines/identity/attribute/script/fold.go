// Package script brings texts of any script to lower-case words of a to z and digits, so that spellings of one word with other accents,
// signs or letters become equal.
//
// Latin letters lose their accents (Unicode's compatibility decomposition; œ, æ, ß, ø, ł, đ, ð, þ by their customary spelling). Cyrillic,
// Arabic, Hebrew and Greek letters are transliterated after the romanisations of BGN/PCGN and ELOT 743, Armenian and Georgian after BGN/PCGN,
// Hangul after the Revised Romanization of 2000, kana after Hepburn, all without their diacritics; scripts that write no vowels have
// the commonest names in a list of their own. Letters of any other script (Han among them) stay as they are, in lower case.
package script

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Fold brings a text to words with one blank between two. Whatever is no letter and no digit parts words, but apostrophes and invisible
// characters vanish: "Jean-Irénée O’Brien 2" is "jean irenee obrien 2". Folding what is folded changes nothing and allocates nothing.
func Fold(s string) string {
	if folded(s) {
		return s
	}
	return fold(s, false)
}

// Split is Fold with apostrophes parting words too: "rue de l’Église" is "rue de l eglise".
func Split(s string) string {
	if folded(s) {
		return s
	}
	return fold(s, true)
}

// rooms are buffers to fold in.
var rooms = sync.Pool{New: func() any { return new([]byte) }}

func fold(s string, apostrophes bool) string {
	room := rooms.Get().(*[]byte)
	*room = Append((*room)[:0], s, apostrophes)
	out := string(*room)
	rooms.Put(room)
	return out
}

// Append appends the folded form of s to dst, with a blank between them if dst does not end in one or is empty. Apostrophes part words if
// apostrophes is set.
func Append(dst []byte, s string, apostrophes bool) []byte {
	if needsComposing(s) {
		s = norm.NFKC.String(s)
	}
	w := writer{dst: dst, start: len(dst), gap: len(dst) > 0 && dst[len(dst)-1] != ' '}
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
				w.letter(c)
			case c >= 'A' && c <= 'Z':
				w.letter(c + 'a' - 'A')
			case (c == '\'' || c == '`') && !apostrophes:
			default:
				w.part()
			}
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch {
		case apostrophe(r):
			if apostrophes {
				w.part()
			}
		case r < utf8.RuneSelf+latinRunes:
			if spelled := latin[r-utf8.RuneSelf]; spelled != "" {
				w.word(spelled)
			} else if r != '\u00ad' {
				w.part()
			}
		default:
			w.foreign(r)
		}
	}
	w.end()
	return w.dst
}

// folded says whether s is plainly in folded form.
func folded(s string) bool {
	before := byte(' ')
	for i := range len(s) {
		if c := s[i]; c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == ' ' && before != ' ' {
			before = c
			continue
		}
		return false
	}
	return before != ' ' || s == ""
}

// needsComposing says whether compatibility composition may change s, beyond what the Latin table knows.
func needsComposing(s string) bool {
	for _, r := range s {
		if r >= utf8.RuneSelf+latinRunes && !apostrophe(r) {
			return true
		}
	}
	return false
}

func apostrophe(r rune) bool { return r == '’' || r == '‘' || r == 'ʼ' || r == '´' || r == '′' }

// writer appends folded letters. A word of a script without vowels is held until it ends, since whole words may have a spelling of their
// own.
type writer struct {
	dst   []byte
	start int
	gap   bool   // a blank is due before the next letter
	last  rune   // the letter before in the same word, for spellings that depend on it
	held  []rune // the letters of a word in a script without vowels
}

func (w *writer) letter(c byte) {
	w.end()
	w.blank()
	w.dst = append(w.dst, c)
	w.last = rune(c)
}

func (w *writer) word(s string) {
	w.end()
	w.blank()
	w.dst = append(w.dst, s...)
	w.last = 0
}

// part ends the word: a blank is due before the next.
func (w *writer) part() {
	w.end()
	w.gap = true
}

func (w *writer) blank() {
	if w.gap {
		if len(w.dst) > w.start || w.start > 0 {
			w.dst = append(w.dst, ' ')
		}
		w.gap, w.last = false, 0
	}
}

// foreign appends a rune beyond the Latin table, of a composed text.
func (w *writer) foreign(r rune) {
	if unicode.Is(unicode.M, r) || unicode.Is(unicode.Cf, r) {
		return // marks are part of the letter before; joiners are none
	}
	if r >= 0x0590 && r <= 0x06ff && unicode.IsLetter(r) {
		w.held = append(w.held, r)
		return
	}
	w.end()
	if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
		w.part()
		return
	}
	w.attempt(func() { w.spell(r) })
}

// attempt writes a blank if one is due and what spell appends, or nothing at all if that is nothing: a silent letter, such as a soft sign,
// starts no word.
func (w *writer) attempt(spell func()) {
	before, gap := len(w.dst), w.gap
	w.blank()
	start := len(w.dst)
	spell()
	if len(w.dst) == start {
		w.dst, w.gap = w.dst[:before], gap
	}
}

// spell appends a letter or digit.
func (w *writer) spell(r rune) {
	if n, ok := digit(r); ok {
		w.dst = append(w.dst, '0'+n)
		return
	}
	if r >= hangulFirst && r <= hangulLast {
		w.dst = appendHangul(w.dst, r)
		w.last = r
		return
	}
	r = unicode.ToLower(r)
	if w.kana(r) || w.table(r) {
		return
	}
	var parts [32]byte
	for _, part := range string(norm.NFKD.AppendString(parts[:0], string(r))) {
		part = unicode.ToLower(part)
		switch {
		case part < utf8.RuneSelf:
			if part >= 'a' && part <= 'z' || part >= '0' && part <= '9' {
				w.dst = append(w.dst, byte(part))
			}
		case part < utf8.RuneSelf+latinRunes:
			w.dst = append(w.dst, latin[part-utf8.RuneSelf]...)
		case unicode.Is(unicode.M, part):
		case w.kana(part), w.table(part):
		case unicode.IsLetter(part):
			w.dst = utf8.AppendRune(w.dst, part)
		}
		w.last = part
	}
}

// digit is the value of a decimal digit of any script: Unicode lists them in runs from zero to nine.
func digit(r rune) (byte, bool) {
	if !unicode.IsDigit(r) {
		return 0, false
	}
	for _, run := range unicode.Nd.R16 {
		if r >= rune(run.Lo) && r <= rune(run.Hi) {
			return byte((r - rune(run.Lo)) % 10), true
		}
	}
	for _, run := range unicode.Nd.R32 {
		if r >= rune(run.Lo) && r <= rune(run.Hi) {
			return byte((r - rune(run.Lo)) % 10), true
		}
	}
	return 0, false
}

// end writes the word that is held, if any.
func (w *writer) end() {
	if len(w.held) == 0 {
		return
	}
	w.attempt(func() { w.dst = appendConsonantal(w.dst, w.held) })
	w.held, w.last = w.held[:0], 0
}

// latinRunes is how many runes after ASCII the table of Latin letters covers: Latin-1, Extended-A and Extended-B.
const latinRunes = 0x250 - utf8.RuneSelf

// latin spells Latin letters with accents in a to z; "" for what is no letter.
var latin = func() (t [latinRunes]string) {
	own := map[rune]string{
		'œ': "oe", 'æ': "ae", 'ß': "ss", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'ı': "i", 'ŋ': "ng", 'ħ': "h", 'ŧ': "t", 'ĸ': "k", 'ǝ': "e", 'ə': "e", 'ɓ': "b", 'ɗ': "d", 'ƴ': "y", 'ƙ': "k", 'ǆ': "dz", 'ǉ': "lj", 'ǌ': "nj",
	}
	for i := range t {
		r := unicode.ToLower(rune(i + utf8.RuneSelf))
		if s, ok := own[r]; ok {
			t[i] = s
			continue
		}
		var b strings.Builder
		for _, part := range norm.NFKD.String(string(r)) {
			part = unicode.ToLower(part)
			switch {
			case part >= 'a' && part <= 'z', part >= '0' && part <= '9' && unicode.IsDigit(r):
				b.WriteRune(part)
			case own[part] != "":
				b.WriteString(own[part])
			}
		}
		t[i] = b.String()
	}
	return t
}()
