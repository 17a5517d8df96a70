package canonical

import (
	"math/bits"
	"strings"
	"unicode/utf8"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// eight gives the first eight bytes of s as a little-endian word.
func eight(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// special marks the high bit of the first byte of x that is a quote, a backslash or a control character; 0 if none is. Bits above the
// first mean nothing.
func special(x uint64) uint64 {
	q, b := x^('"'*ones), x^('\\'*ones)
	return ((q-ones)&^q | (b-ones)&^b | (x-' '*ones)&^x) & highs
}

// plain is how many bytes of s come before the first quote, backslash or control character.
func plain(s string) int {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		if stop := special(eight(s[i:])); stop != 0 {
			return i + bits.TrailingZeros64(stop)/8
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c == '"' || c == '\\' || c < ' ' {
			break
		}
	}
	return i
}

// str reads the string whose opening quote is at p.i. Without escapes its content is src[from:to), else text[from:to).
func (p *parser) str() (from, to int32, escaped, ok bool) {
	s := p.s
	i := p.i + 1
	start := i
	var wide uint64 // high bits seen: not ASCII
	for {
		// Eight bytes at a time up to the first quote, backslash or control character.
		for i+8 <= len(s) {
			x := eight(s[i:])
			wide |= x & highs
			if stop := special(x); stop != 0 {
				i += bits.TrailingZeros64(stop) / 8
				goto found
			}
			i += 8
		}
		for ; i < len(s); i++ {
			c := s[i]
			if c == '"' || c == '\\' || c < ' ' {
				goto found
			}
			wide |= uint64(c) & 0x80
		}
		return 0, 0, false, p.syntax(len(s), `a closing "`)
	found:
		switch s[i] {
		case '"':
			p.i = i + 1
			if wide != 0 {
				p.utf8(start, i)
			}
			return int32(start), int32(i), false, true
		case '\\':
			return p.escaped(start, i)
		default:
			return 0, 0, false, p.syntax(i, "no control character within a string (write it as \\u00XX)")
		}
	}
}

func (p *parser) utf8(start, end int) {
	if utf8.ValidString(p.s[start:end]) {
		return
	}
	for i := start; i < end; {
		r, n := utf8.DecodeRuneInString(p.s[i:end])
		if r == utf8.RuneError && n == 1 {
			p.fault(i, CodeUTF8)
			return
		}
		i += n
	}
}

// escaped reads on from the first backslash of a string into d.unescaped.
func (p *parser) escaped(start, i int) (from, to int32, escaped, ok bool) {
	s, out := p.s, p.d.unescaped
	from = int32(len(out))
	p.utf8(start, i)
	out = append(out, s[start:i]...)
	for i < len(s) {
		switch c := s[i]; {
		case c == '"':
			p.i = i + 1
			p.d.unescaped = out
			return from, int32(len(out)), true, true
		case c < ' ':
			return 0, 0, false, p.syntax(i, "no control character within a string (write it as \\u00XX)")
		case c != '\\':
			run := i
			for i < len(s) && s[i] != '"' && s[i] != '\\' && s[i] >= ' ' {
				i++
			}
			p.utf8(run, i)
			out = append(out, s[run:i]...)
		case i+1 == len(s):
			return 0, 0, false, p.syntax(i+1, "an escape")
		case s[i+1] == 'u':
			r, next, legal := p.rune(i)
			if !legal {
				return 0, 0, false, false
			}
			out = utf8.AppendRune(out, r)
			i = next
		default:
			at := strings.IndexByte(`"\/bfnrt`, s[i+1])
			if at < 0 {
				return 0, 0, false, p.syntax(i+1, `an escape of RFC 8259: one of "\/bfnrtu`)
			}
			out = append(out, "\"\\/\b\f\n\r\t"[at])
			i += 2
		}
	}
	return 0, 0, false, p.syntax(len(s), `a closing "`)
}

// rune reads \uXXXX at i, with its second half if it is a surrogate. A lone surrogate is a fault, read as U+FFFD.
func (p *parser) rune(i int) (r rune, next int, ok bool) {
	r, ok = p.hex4(i + 2)
	if !ok {
		return 0, 0, false
	}
	next = i + 6
	if r < 0xD800 || r > 0xDFFF {
		return r, next, true
	}
	if r < 0xDC00 && strings.HasPrefix(p.s[next:], `\u`) {
		low, ok := p.hex4(next + 2)
		if !ok {
			return 0, 0, false
		}
		if low >= 0xDC00 && low <= 0xDFFF {
			return 0x10000 + (r-0xD800)<<10 + (low - 0xDC00), next + 6, true
		}
	}
	p.fault(i, CodeSurrogate)
	return utf8.RuneError, next, true
}

func (p *parser) hex4(i int) (r rune, ok bool) {
	for j := i; j < i+4; j++ {
		if j >= len(p.s) {
			return 0, p.syntax(len(p.s), "four hexadecimal digits")
		}
		c := p.s[j]
		switch {
		case c-'0' <= 9:
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, p.syntax(j, "four hexadecimal digits")
		}
	}
	return r, true
}
