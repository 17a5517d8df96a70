package verbatim

import (
	"unicode"
	"unicode/utf8"
)

// Language is one of those that the models read, or Unknown.
type Language uint8

// The languages, in the order of the models' columns.
const (
	German Language = iota
	English
	Spanish
	French
	Italian
	Dutch
	Portuguese
	languages int = iota

	// Unknown is a text of another language, or of none.
	Unknown Language = 255
)

var languageCodes = [languages]string{"de", "en", "es", "fr", "it", "nl", "pt"}

// String is the ISO 639-1 code; und (ISO 639-2, undetermined) for Unknown.
func (l Language) String() string {
	if int(l) < languages {
		return languageCodes[l]
	}
	return "und"
}

// ParseLanguage reads an ISO 639-1 code, also with a region (fr-CA, en_US), in any case.
func ParseLanguage(s string) (Language, bool) {
	if len(s) < 2 || len(s) > 2 && s[2] != '-' && s[2] != '_' {
		return Unknown, false
	}
	for i, code := range languageCodes {
		if s[0]|0x20 == code[0] && s[1]|0x20 == code[1] {
			return Language(i), true
		}
	}
	return Unknown, false
}

// languageLetters bounds what the language is decided by.
const languageLetters = 160

// letterItems gives the one to five letters in a row, and the words, of a text's beginning: letters in lower case with their accents, _ around words.
func (s *scratch) letterItems(text string) []item {
	s.items, s.letters, s.starts = s.items[:0], s.letters[:0], s.starts[:0]
	s.latin, s.foreign = 0, 0
	put := func(r rune) {
		s.starts = append(s.starts, int32(len(s.letters)))
		s.letters = utf8.AppendRune(s.letters, r)
	}
	put('_')
	skip := false
	for i, r := range text {
		if s.latin+s.foreign >= languageLetters || i > 4*languageLetters {
			break
		}
		if skip {
			skip = !unicode.IsSpace(r)
			continue
		}
		switch {
		case r == '@' || (r == 'h' || r == 'w') && linkLength(text[i:]) > 0:
			skip = true
		case r < utf8.RuneSelf && (r|0x20 >= 'a' && r|0x20 <= 'z'):
			s.latin++
			put(r | 0x20)
		case unicode.IsLetter(r):
			if unicode.Is(unicode.Latin, r) {
				s.latin++
			} else {
				s.foreign++
			}
			put(unicode.ToLower(r))
		case unicode.IsMark(r):
			put(r)
		case r == '\'' || r == '’':
			put('\'')
		default:
			if s.letters[len(s.letters)-1] != '_' {
				put('_')
			}
		}
	}
	if s.letters[len(s.letters)-1] != '_' {
		put('_')
	}
	n := len(s.starts)
	s.starts = append(s.starts, int32(len(s.letters)))
	from := 0
	for i := 0; i < n; i++ {
		border := s.letters[s.starts[i]] == '_'
		for k := 1; k <= 5 && i+k <= n; k++ {
			if k > 1 || !border {
				s.items = append(s.items, item{hash(uint64(k), s.letters[s.starts[i]:s.starts[i+k]]), 1})
			}
		}
		if i > 0 && border {
			s.items = append(s.items, item{hash(9, s.letters[s.starts[from]:s.starts[i]]), 1})
			from = i
		}
	}
	return s.items
}

// detect tells a text's language, its share and how many of its letter groups the model knows. Without a letter there is no language.
func (s *scratch) detect(m *linear, text string) (Language, float32, float32) {
	items := s.letterItems(text)
	if s.foreign > s.latin || s.latin == 0 {
		return Unknown, 0, 0
	}
	var scores [languages]float32
	known := m.scores(items, nil, scores[:])
	softmax(scores[:])
	best := German
	for l, p := range scores {
		if p > scores[best] {
			best = Language(l)
		}
	}
	return best, scores[best], float32(known) / float32(len(items))
}
