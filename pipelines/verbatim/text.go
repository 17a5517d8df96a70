package verbatim

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// Bounds of what is read of one text. A longer text is read at its head and its tail: who wants something says it at the beginning or the end.
const (
	headBytes = 16 << 10
	tailBytes = 4 << 10
)

// kind says what a token is.
type kind uint8

const (
	word kind = iota
	number
	sign    // punctuation that matters: ! ? … and what ends a clause
	picture // an emoji or an emoticon
	link
	handle // @somebody
	tag    // #something, without the sign
)

// token is one unit of a text. Text is in folded form: lower case, without accents, at most two equal letters in a row.
type token struct {
	text       []byte
	start, end int // bytes of the text that was read
	kind       kind
	capitals   bool // two letters or more, all of them capitals
	stretched  bool // a letter was there three times or more
	edge       bool // a sign that ends a clause
}

// folded gives the letters without accents of Latin-1 Supplement and Latin Extended-A, in lower case.
var folded [0x180]string

func init() {
	for from, to := range map[string]string{
		"àáâãäåāăą": "a", "çćĉċč": "c", "ďđð": "d", "èéêëēĕėęě": "e", "ĝğġģ": "g", "ĥħ": "h", "ìíîïĩīĭįı": "i", "ĵ": "j", "ķ": "k",
		"ĺļľŀł": "l", "ñńņňŉŋ": "n", "òóôõöøōŏő": "o", "ŕŗř": "r", "śŝşš": "s", "ţťŧþ": "t", "ùúûüũūŭůűų": "u", "ŵ": "w", "ýÿŷ": "y",
		"źżž": "z", "æ": "ae", "œ": "oe", "ß": "ss",
	} {
		for _, r := range from {
			folded[r] = to
			if u := unicode.ToUpper(r); u < 0x180 {
				folded[u] = to
			}
		}
	}
}

// appendFolded appends a letter in folded form.
func appendFolded(dst []byte, r rune) []byte {
	switch {
	case r >= 'A' && r <= 'Z':
		return append(dst, byte(r)+'a'-'A')
	case r < utf8.RuneSelf:
		return append(dst, byte(r))
	case r < 0x180 && folded[r] != "":
		return append(dst, folded[r]...)
	}
	return utf8.AppendRune(dst, unicode.ToLower(r))
}

// bounded gives what is read of a text, and whether something was left out.
func bounded(text string) (string, bool) {
	if len(text) <= headBytes+tailBytes {
		return text, false
	}
	head, tail := headBytes, len(text)-tailBytes
	for head > headBytes-utf8.UTFMax && !utf8.RuneStart(text[head]) {
		head--
	}
	for tail < len(text)-tailBytes+utf8.UTFMax && !utf8.RuneStart(text[tail]) {
		tail++
	}
	return text[:head] + "\n" + text[tail:], true
}

// emoticons of letters, signs and digits, read before anything else. Longest first where one begins another.
var emoticons = [][]byte{
	[]byte(":'-("), []byte(":'("), []byte(":-)"), []byte(":-("), []byte(":-D"), []byte(":-/"), []byte(":-P"), []byte(";-)"), []byte(":-|"),
	[]byte(":)"), []byte(":("), []byte(":D"), []byte(":/"), []byte(":P"), []byte(";)"), []byte("=)"), []byte("=("), []byte("^^"), []byte("<3"), []byte(":|"),
	[]byte(": )"), []byte(": ("), []byte("xD"), []byte("XD"),
}

// split takes a text apart. The tokens refer to the scratch space and live as long as it.
func (s *scratch) split(text string) []token {
	s.fold, s.tokens = s.fold[:0], s.tokens[:0]
	if cap(s.fold) < 2*len(text)+64 {
		s.fold = make([]byte, 0, 2*len(text)+64) // folding doubles a letter at most, so that the slices of tokens stay where they are
	}
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case c == '\n':
			s.put(sign, i, i+1, "\n").edge = true
			i++
		case c == '@' && i+1 < len(text) && isWordByte(text[i+1]) && (i == 0 || !isWordByte(text[i-1])):
			end := i + 1
			for end < len(text) && isWordByte(text[end]) {
				end++
			}
			s.put(handle, i, end, "@")
			i = end
		case c == '#' && i+1 < len(text) && isWordByte(text[i+1]):
			before := len(s.tokens)
			i = s.word(text, i+1)
			for k := before; k < len(s.tokens); k++ {
				s.tokens[k].kind = tag
			}
		case c == 'h' && linkLength(text[i:]) > 0, c == 'w' && linkLength(text[i:]) > 0:
			n := linkLength(text[i:])
			s.put(link, i, i+n, "http")
			i += n
		case c >= '0' && c <= '9':
			i = s.number(text, i)
		case c < utf8.RuneSelf && !isWordByte(c):
			i = s.sign(text, i)
		default:
			r, n := utf8.DecodeRuneInString(text[i:])
			switch {
			case c == 'x' || c == 'X':
				if m := emoticon(text[i:]); m > 0 && (i == 0 || text[i-1] == ' ') && (i+m == len(text) || !isWordByte(text[i+m])) {
					s.put(picture, i, i+m, text[i:i+m])
					i += m
					continue
				}
				i = s.word(text, i)
			case unicode.IsLetter(r) || unicode.IsMark(r) || c == '_':
				i = s.word(text, i)
			case r == '…':
				s.put(sign, i, i+n, "..").edge = true
				i += n
			case r == '’' || r == '«' || r == '»' || r == '“' || r == '”' || r == utf8.RuneError || unicode.IsSpace(r) || r == 0xfe0f || r == 0x200d:
				i += n
			case r == '。' || r == '！' || r == '？':
				s.put(sign, i, i+n, ".").edge = true
				i += n
			case unicode.Is(unicode.So, r) || unicode.Is(unicode.Sk, r) || r >= 0x1f000:
				s.put(picture, i, i+n, text[i:i+n])
				i += n
			default:
				i += n
			}
		}
	}
	return s.tokens
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c >= utf8.RuneSelf
}

func (s *scratch) put(k kind, start, end int, text string) *token {
	at := len(s.fold)
	s.fold = append(s.fold, text...)
	s.tokens = append(s.tokens, token{text: s.fold[at:len(s.fold):len(s.fold)], start: start, end: end, kind: k})
	return &s.tokens[len(s.tokens)-1]
}

func linkLength(s string) int {
	if !(len(s) >= 4 && (s[:4] == "http" || s[:4] == "www.")) {
		return 0
	}
	n := 4
	for n < len(s) && s[n] > ' ' && s[n] != '"' && s[n] != '<' && s[n] != ')' {
		n++
	}
	if s[0] == 'h' && n > 4 && n < 9 && s[4] != ':' && s[4] != 's' {
		return 0 // a word that begins so
	}
	return n
}

func emoticon(s string) int {
	for _, e := range emoticons {
		if len(s) >= len(e) && s[:len(e)] == string(e) {
			return len(e)
		}
	}
	return 0
}

// number reads digits with what may stand between them.
func (s *scratch) number(text string, i int) int {
	end := i
	for end < len(text) && (text[end] >= '0' && text[end] <= '9' || (text[end] == '.' || text[end] == ',' || text[end] == ':') && end+1 < len(text) && text[end+1] >= '0' && text[end+1] <= '9') {
		end++
	}
	if end < len(text) && isWordByte(text[end]) { // 2nd, 3ème, iphone-like words that begin with a digit
		return s.word(text, i)
	}
	if end-i <= 4 {
		s.put(number, i, end, text[i:end])
	} else {
		s.put(number, i, end, "00000")
	}
	return end
}

func (s *scratch) sign(text string, i int) int {
	if n := emoticon(text[i:]); n > 0 {
		s.put(picture, i, i+n, text[i:i+n])
		return i + n
	}
	switch c := text[i]; c {
	case '!', '?', '.', ';', ':', ',':
		end := i + 1
		for end < len(text) && text[end] == c {
			end++
		}
		t := s.put(sign, i, end, text[i:i+min(2, end-i)])
		t.edge = c != ',' && c != ':'
		t.stretched = end-i > 1
		return end
	case '(', ')', '"', '/', '-', '%', '$', '&', '+', '*':
		s.put(sign, i, i+1, text[i:i+1])
	}
	return i + 1
}

// word reads letters and digits. Apostrophes part words: what is elided in French stands alone, n't becomes not.
func (s *scratch) word(text string, i int) int {
	start, at := i, len(s.fold)
	var last rune
	run, letters, capitals := 0, 0, 0
	stretched := false
	for i < len(text) {
		r, n := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(text[i:])
		}
		if r == '\'' || r == '’' || r == '`' {
			next, _ := utf8.DecodeRuneInString(text[i+n:])
			if !unicode.IsLetter(next) || i == start {
				break
			}
			if (next == 't' || next == 'T') && len(s.fold) > at && s.fold[len(s.fold)-1] == 'n' && !followed(text[i+n+1:]) { // n't
				if s.fold = s.fold[:len(s.fold)-1]; len(s.fold) > at {
					s.keep(at, start, i-1, false, stretched)
				}
				s.put(word, i-1, i+n+1, "not")
				return i + n + 1
			}
			s.keep(at, start, i, letters > 1 && letters == capitals, stretched)
			return s.word(text, i+n)
		}
		if !unicode.IsLetter(r) && !unicode.IsMark(r) && !(r >= '0' && r <= '9') && r != '_' {
			break
		}
		if unicode.IsMark(r) && r >= 0x300 && r < 0x370 { // an accent of its own
			i += n
			continue
		}
		letters++
		if unicode.IsUpper(r) {
			capitals++
		}
		if lower := unicode.ToLower(r); lower == last {
			run++
		} else {
			last, run = lower, 1
		}
		if run > 2 {
			stretched = true
		} else if len(s.fold)-at < 64 {
			s.fold = appendFolded(s.fold, r)
		}
		i += n
	}
	if len(s.fold) > at {
		s.keep(at, start, i, letters > 1 && letters == capitals, stretched)
	}
	if i == start {
		_, n := utf8.DecodeRuneInString(text[i:])
		return i + n
	}
	return i
}

// followed says whether a letter comes next.
func followed(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsLetter(r)
}

func (s *scratch) keep(at, start, end int, capitals, stretched bool) {
	t := s.fold[at:len(s.fold):len(s.fold)]
	if bytes.Equal(t, []byte("cannot")) {
		s.put(word, start, start+3, "can")
		s.put(word, start+3, end, "not")
		return
	}
	s.tokens = append(s.tokens, token{text: t, start: start, end: end, kind: word, capitals: capitals, stretched: stretched})
}

// scratch is space that is used again for each text.
type scratch struct {
	fold    []byte
	tokens  []token
	items   []item
	dense   []float32
	seen    []seen // features of the text, by hash; its length is a power of 2
	round   uint32
	letters []byte
	starts  []int32
	matches []match
	scores  []float32
	room    []float32
	vector  []float32 // of the encoder, and signs of writing

	latin, foreign int // letters of the text whose language was looked for
}
