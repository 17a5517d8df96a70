// Package sound makes phonetic keys of words: words that sound alike, or nearly, get one key. Keys are for proposing and grading candidates,
// never proof.
//
// The input is in the form of package script; blanks do not count. Letters of other scripts are kept by French and passed over by FrenchSkeleton.
// The work is linear in the length of the input, of which the first 128 bytes are read, and keys are bounded by Longest.
package sound

import "strings"

// Longest bounds keys, in bytes; longer ones are cut.
const Longest = 32

// longestInput bounds what is read.
const longestInput = 128

func squeeze(s string) string {
	if len(s) > longestInput {
		s = s[:longestInput]
	}
	return strings.ReplaceAll(s, " ", "")
}

// French is a phonetic key for names as the French say them, after Phonex (F. Brouard, 1999) and FONEM (G. Bouchard, P. Brard,
// Y. Lavoie, 1981): silent letters go, spellings of one sound get one letter, nasal vowels are digits (1 in, 2 an, 3 on). Names that
// sound alike get one key: "Beaulac" and "Bolack" are "bolak". Words count as one.
func French(folded string) string {
	s := squeeze(folded)
	if s == "" {
		return ""
	}
	s = spelled.Replace(s)
	s = strings.TrimRight(s, "h")
	in := []byte(s)
	out := make([]byte, 0, len(in))
	vowel := func(i int) bool { return i >= 0 && i < len(in) && strings.IndexByte("aeiouy", in[i]) >= 0 }
	front := func(i int) bool { return i < len(in) && strings.IndexByte("eiy", in[i]) >= 0 }
	put := func(c byte) {
		if len(out) == 0 || out[len(out)-1] != c {
			out = append(out, c)
		}
	}
	for i := 0; i < len(in); i++ {
		c := in[i]
		// A vowel before n or m is nasal unless a vowel or the same letter follows.
		if vowel(i) && i+1 < len(in) && (in[i+1] == 'n' || in[i+1] == 'm') && !vowel(i+2) && (i+2 >= len(in) || in[i+2] != 'n' && in[i+2] != 'm') {
			switch c {
			case 'a', 'e':
				put('2')
			case 'o':
				put('3')
			default:
				put('1')
			}
			i++
			continue
		}
		switch c {
		case 'c':
			if front(i + 1) {
				put('s')
			} else {
				put('k')
			}
		case 'g':
			if front(i + 1) {
				put('j')
			} else {
				put('g')
			}
		case 's':
			if vowel(i-1) && vowel(i+1) {
				put('z')
			} else {
				put('s')
			}
		case 'q':
			put('k')
		case 'w':
			put('v')
		case 'y':
			put('i')
		case 'x':
			put('k')
			put('s')
		case 'h':
		case '5':
			put('s')
		default:
			put(c)
		}
	}
	end := len(out)
	for end > 2 && strings.IndexByte("etdszxp", out[end-1]) >= 0 {
		end--
	}
	return string(out[:min(end, Longest)])
}

var spelled = strings.NewReplacer(
	"chr", "kr", "chl", "kl", "sch", "9", "tsch", "9", "ch", "9", "sh", "9", "ph", "f", "th", "t", "ck", "k", "qu", "k", "gue", "ge", "gui", "gi", "sce", "se", "sci", "si",
	"eaux", "o", "eau", "o", "aux", "o", "au", "o", "oeu", "e", "oe", "e", "eu", "e", "ou", "u", "oi", "oa",
	"aim", "im", "ain", "in", "ein", "in", "ai", "e", "ay", "e", "ei", "e", "ey", "e", "ill", "y",
	"mm", "m", "nn", "n", "ll", "l", "tt", "t", "ss", "5", "ff", "f", "rr", "r", "pp", "p", "bb", "b", "dd", "d", "zz", "z", "kk", "k",
	"mb", "nb", "mp", "np",
)

// FrenchSkeleton is a coarser key: the first sound and the consonants after it, at most five. Most typos keep it, so it counts how many
// different names there are.
func FrenchSkeleton(folded string) string {
	s := French(folded)
	out := make([]byte, 0, 5)
	for i := 0; i < len(s) && len(out) < 5; i++ {
		c := s[i]
		switch c {
		case 'a', 'e', 'i', 'o', 'u', 'y', '1', '2', '3':
			if i > 0 {
				continue
			}
			c = 'a'
		case 'z':
			c = 's'
		}
		if len(out) == 0 || out[len(out)-1] != c {
			out = append(out, c)
		}
	}
	return string(out)
}
