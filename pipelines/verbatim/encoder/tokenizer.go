package encoder

import (
	"math"
	"unicode/utf8"
)

// Pieces of the vocabulary that stand for no text.
const (
	unknownPiece = 0
	beginPiece   = 1
	endPiece     = 2
)

// space is what SentencePiece writes for a blank.
const space = "\u2581"

// tokenizer parts a text into the pieces that are likeliest together (T. Kudo, Subword Regularization, 2018: the unigram model of SentencePiece), after
// the normalisation that the vocabulary was made with.
type tokenizer struct {
	scores  []float32
	ids     map[string]int32
	longest int // bytes of a piece
	lowest  float32
	unknown float32 // score of a letter that no piece has

	// The normaliser is a double-array trie (the format of Darts) whose values are places in texts, where each ends in a zero byte.
	units []uint32
	texts []byte
}

func (t *tokenizer) start(pieces int) {
	t.scores, t.ids, t.lowest = make([]float32, 0, pieces), make(map[string]int32, pieces), math.MaxFloat32
}

func (t *tokenizer) add(piece string, score float32) {
	t.ids[piece] = int32(len(t.scores))
	t.scores = append(t.scores, score)
	t.lowest = min(t.lowest, score)
	t.unknown = t.lowest - 10
	t.longest = max(t.longest, len(piece))
}

// tokenScratch is space that is used again for each text.
type tokenScratch struct {
	text []byte
	best []float32
	from []int32
	id   []int32
}

// replaced gives what the longest beginning of b that the normaliser knows becomes, and how long that is; else the first letter as it is.
func (t *tokenizer) replaced(b []byte) (text []byte, n int) {
	longest, value := 0, uint32(0)
	if len(t.units) > 0 {
		u := t.units[0]
		at := offset(u)
		for i := 0; i < len(b); {
			c := uint32(b[i])
			if at ^= c; int(at) >= len(t.units) {
				break
			}
			if u = t.units[at]; u&0x800000ff != c {
				break
			}
			at ^= offset(u)
			i++
			if u&0x100 != 0 && int(at) < len(t.units) {
				longest, value = i, t.units[at]&0x7fffffff
			}
		}
	}
	if longest == 0 || int(value) >= len(t.texts) {
		_, n := utf8.DecodeRune(b)
		return b[:n], n
	}
	end := int(value)
	for end < len(t.texts) && t.texts[end] != 0 {
		end++
	}
	return t.texts[value:end], longest
}

func offset(unit uint32) uint32 { return unit >> 10 << (unit & 0x200 >> 6) }

// normalized writes a text as the vocabulary spells it: blanks as one sign each, none in a row, one before the first word.
func (t *tokenizer) normalized(text []byte, out []byte) []byte {
	for len(text) > 0 {
		as, n := t.replaced(text)
		if string(as) != " " {
			break
		}
		text = text[n:]
	}
	if len(text) == 0 {
		return out
	}
	out = append(out, space...)
	blank := true
	for len(text) > 0 {
		as, n := t.replaced(text)
		text = text[n:]
		for blank && len(as) > 0 && as[0] == ' ' {
			as = as[1:]
		}
		if len(as) == 0 {
			continue
		}
		for _, c := range as {
			if c == ' ' {
				out = append(out, space...)
			} else {
				out = append(out, c)
			}
		}
		blank = as[len(as)-1] == ' '
	}
	for len(out) >= len(space) && string(out[len(out)-len(space):]) == space {
		out = out[:len(out)-len(space)]
	}
	return out
}

// maxBytes bounds what is looked at of a text: more than 256 pieces have.
const maxBytes = 8 << 10

// encode appends the pieces of a text, between begin and end.
func (t *tokenizer) encode(text string, s *tokenScratch, out []int32) []int32 {
	if len(text) > maxBytes {
		cut := maxBytes
		for cut > maxBytes-utf8.UTFMax && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut]
	}
	d := t.normalized([]byte(text), s.text[:0])
	s.text = d
	n := len(d)
	if n == 0 {
		return append(out, beginPiece, unknownPiece, endPiece)
	}
	if cap(s.best) < n+1 {
		s.best, s.from, s.id = make([]float32, 2*n+1), make([]int32, 2*n+1), make([]int32, 2*n+1)
	}
	best, from, id := s.best[:n+1], s.from[:n+1], s.id[:n+1]
	best[0] = 0
	for i := 1; i <= n; i++ {
		best[i] = -math.MaxFloat32
	}
	for i := 0; i < n; {
		_, letter := utf8.DecodeRune(d[i:])
		known := false
		for j := i + letter; j <= min(n, i+t.longest); {
			if piece, ok := t.ids[string(d[i:j])]; ok {
				if score := best[i] + t.scores[piece]; score > best[j] {
					best[j], from[j], id[j] = score, int32(i), piece
				}
				known = known || j == i+letter
			}
			if j == n {
				break
			}
			_, w := utf8.DecodeRune(d[j:])
			j += w
		}
		if score := best[i] + t.unknown; !known && score > best[i+letter] {
			best[i+letter], from[i+letter], id[i+letter] = score, int32(i), unknownPiece
		}
		i += letter
	}
	first := len(out)
	out = append(out, endPiece)
	for at := n; at > 0; at = int(from[at]) {
		out = append(out, id[at])
	}
	out = append(out, beginPiece)
	for a, b := first, len(out)-1; a < b; a, b = a+1, b-1 {
		out[a], out[b] = out[b], out[a]
	}
	return out
}
