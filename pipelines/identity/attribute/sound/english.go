package sound

import "strings"

// English is a phonetic key for names as the English say them, after Metaphone (L. Philips, "Hanging on the Metaphone", Computer Language
// 7(12), 1990): consonants as they sound, a vowel only at the start; X is sh, 0 is th. "Knight" and "Night" are "NT", "Thompson" is "TMSN".
func English(folded string) string {
	in := squeeze(folded)
	if in == "" {
		return ""
	}
	switch {
	case strings.HasPrefix(in, "kn"), strings.HasPrefix(in, "gn"), strings.HasPrefix(in, "pn"), strings.HasPrefix(in, "ae"), strings.HasPrefix(in, "wr"):
		in = in[1:]
	case in[0] == 'x':
		in = "s" + in[1:]
	case strings.HasPrefix(in, "wh"):
		in = "w" + in[2:]
	case strings.HasPrefix(in, "thom"):
		in = "t" + in[2:] // Thomas, Thompson
	}
	out := make([]byte, 0, Longest)
	at := func(i int) byte {
		if i < 0 || i >= len(in) {
			return 0
		}
		return in[i]
	}
	for i := 0; i < len(in) && len(out) < Longest-1; i++ {
		c := in[i]
		if c != 'c' && i > 0 && at(i-1) == c {
			continue
		}
		next := at(i + 1)
		switch c {
		case 'a', 'e', 'i', 'o', 'u':
			if i == 0 {
				out = append(out, 'A')
			}
		case 'b':
			if !(i == len(in)-1 && at(i-1) == 'm') {
				out = append(out, 'B')
			}
		case 'c':
			switch {
			case next == 'h' && (at(i+2) == 'r' || at(i+2) == 'l'):
				out = append(out, 'K')
			case next == 'h', next == 'i' && at(i+2) == 'a':
				out = append(out, 'X')
			case soft(next):
				if at(i-1) != 's' {
					out = append(out, 'S')
				}
			case next == 'k', next == 'c' && !soft(at(i+2)): // the letter that follows writes it
			default:
				out = append(out, 'K')
			}
		case 'd':
			if next == 'g' && soft(at(i+2)) {
				out = append(out, 'J')
				i++
			} else {
				out = append(out, 'T')
			}
		case 'g':
			switch {
			case next == 'h' && !vowel(at(i+2)), next == 'n' && i+2 >= len(in), next == 'n' && at(i+2) == 'e' && at(i+3) == 'd':
			case soft(next) && at(i-1) != 'g':
				out = append(out, 'J')
			default:
				out = append(out, 'K')
			}
		case 'h':
			if vowel(next) && strings.IndexByte("csptg", at(i-1)) < 0 {
				out = append(out, 'H')
			}
		case 'k', 'q':
			out = append(out, 'K')
		case 'p':
			if next == 'h' {
				out = append(out, 'F')
			} else if !(at(i-1) == 'm' && (next == 's' || next == 't')) { // Thompson, Sumpter
				out = append(out, 'P')
			}
		case 's':
			if next == 'h' || next == 'i' && (at(i+2) == 'o' || at(i+2) == 'a') {
				out = append(out, 'X')
			} else {
				out = append(out, 'S')
			}
		case 't':
			switch {
			case next == 'i' && (at(i+2) == 'o' || at(i+2) == 'a'):
				out = append(out, 'X')
			case next == 'h':
				out = append(out, '0')
			case next == 'c' && at(i+2) == 'h':
			default:
				out = append(out, 'T')
			}
		case 'v':
			out = append(out, 'F')
		case 'w', 'y':
			if vowel(next) {
				out = append(out, c-'a'+'A')
			}
		case 'x':
			out = append(out, 'K', 'S')
		case 'z':
			out = append(out, 'S')
		case 'f', 'j', 'l', 'm', 'n', 'r':
			out = append(out, c-'a'+'A')
		}
	}
	return string(out)
}

func vowel(c byte) bool { return c != 0 && strings.IndexByte("aeiou", c) >= 0 }

func soft(c byte) bool { return c == 'e' || c == 'i' || c == 'y' }
