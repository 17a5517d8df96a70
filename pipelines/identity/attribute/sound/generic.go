package sound

// Generic is a coarse key for names of any language in Latin letters: the classes of its first sound and of the consonants after it, as in
// Soundex (R. C. Russell, US patent 1261167, 1918), with the digraphs of European spellings read as one sound. Most typing errors and
// transliterations keep it: "Shevchenko", "Szewczenko" and "Chevtchenko" are "sfsnk". At most seven letters.
func Generic(folded string) string {
	in := squeeze(folded)
	out := make([]byte, 0, 7)
	for i := 0; i < len(in) && len(out) < cap(out); {
		class, size := sound(in, i)
		i += size
		switch {
		case class == 'a':
			if len(out) > 0 {
				continue
			}
		case class == 0:
			continue
		}
		if len(out) == 0 || out[len(out)-1] != class {
			out = append(out, class)
		}
	}
	return string(out)
}

// sound gives the class of the sound at i and how many letters write it; class 0 is silent.
func sound(s string, i int) (class byte, size int) {
	at := func(k int) byte {
		if i+k < len(s) {
			return s[i+k]
		}
		return 0
	}
	hissing := func(c byte) bool { return c == 's' || c == 'z' || c == 'c' }
	switch c := s[i]; c {
	case 'a', 'e', 'i', 'o', 'u', 'y':
		return 'a', 1
	case 'h':
		return 0, 1
	case 'c', 's', 'z', 't', 'd':
		// sch, tch, tsch, tsz, cz, sz, ch, sh, zh, ts, tz, dz, dj …
		n := 1
		for n < 4 && (hissing(at(n)) || at(n) == 'h' && (n > 1 || c != 't' && c != 'd') || c == 'd' && n == 1 && at(n) == 'j') {
			n++
		}
		switch {
		case n > 1 && !(c == 'c' && n == 2 && at(1) == 'c'):
			if c == 'c' && n == 2 && at(1) == 'h' && (at(2) == 'r' || at(2) == 'l') {
				return 'k', 2
			}
			return 's', n
		case c == 'c' && (at(1) == 'e' || at(1) == 'i' || at(1) == 'y'), c == 's', c == 'z':
			return 's', 1
		case c == 'c':
			return 'k', 1
		}
		return 't', 1
	case 'p':
		if at(1) == 'h' {
			return 'f', 2
		}
		return 'p', 1
	case 'b':
		return 'p', 1
	case 'f', 'v', 'w':
		return 'f', 1
	case 'g':
		if at(1) == 'e' || at(1) == 'i' || at(1) == 'y' {
			return 's', 1
		}
		return 'k', 1
	case 'j':
		return 's', 1
	case 'k', 'q':
		return 'k', 1
	case 'x':
		return 's', 1
	case 'm', 'n':
		return 'n', 1
	case 'l', 'r':
		return c, 1
	}
	return 0, 1
}
