package canonical

import "strings"

// decimal is a number taken apart: digits × 10^-scale, digits without leading or trailing zeros (empty for zero).
type decimal struct {
	negative bool
	whole    string // digits before the point, as sent
	frac     string // digits after it, as sent
	digits   int    // significant digits
	skip     int    // leading zeros of whole+frac
	point    int    // where the point stands, in significant digits from the left; may be negative or beyond them
}

// at is digit i of whole and fraction, end to end.
func (x *decimal) at(i int) byte {
	if i < len(x.whole) {
		return x.whole[i]
	}
	return x.frac[i-len(x.whole)]
}

// take reads a literal that the grammar of JSON allows.
func take(literal string) decimal {
	var x decimal
	if literal[0] == '-' {
		x.negative = true
		literal = literal[1:]
	}
	exponent := 0
	if e := strings.IndexAny(literal, "eE"); e >= 0 {
		exponent = saturate(literal[e+1:])
		literal = literal[:e]
	}
	x.whole, x.frac, _ = strings.Cut(literal, ".")
	n := len(x.whole) + len(x.frac)
	for x.skip < n && x.at(x.skip) == '0' {
		x.skip++
	}
	for n > x.skip && x.at(n-1) == '0' {
		n--
	}
	x.digits = n - x.skip
	if x.digits == 0 {
		return decimal{}
	}
	x.point = len(x.whole) - x.skip + exponent
	return x
}

// saturate reads an exponent; beyond any that could fit it stops counting.
func saturate(s string) int {
	negative := s[0] == '-'
	s = strings.TrimLeft(s, "+-")
	n := 0
	for i := 0; i < len(s) && n < 1<<40; i++ {
		n = n*10 + int(s[i]-'0')
	}
	if negative {
		return -n
	}
	return n
}

// length counts the digits of the plain form.
func (x *decimal) length() int {
	switch {
	case x.digits == 0:
		return 1
	case x.point <= 0: // 0.000ddd
		return 1 - x.point + x.digits
	case x.point >= x.digits: // ddd000
		return x.point
	}
	return x.digits
}

func plainFits(literal string) bool {
	x := take(literal)
	return x.length() <= NumberDigits
}

// AppendNumber appends the canonical form of a JSON number. The literal must be one, with a plain form of at most NumberDigits
// digits: what Parse accepted.
func AppendNumber(dst []byte, literal string) []byte {
	x := take(literal)
	if x.digits == 0 {
		return append(dst, '0')
	}
	if x.negative {
		dst = append(dst, '-')
	}
	if x.point <= 0 {
		dst = append(dst, "0."...)
		for i := x.point; i < 0; i++ {
			dst = append(dst, '0')
		}
	}
	for i := range x.digits {
		if i > 0 && i == x.point {
			dst = append(dst, '.')
		}
		dst = append(dst, x.at(x.skip+i))
	}
	for i := x.digits; i < x.point; i++ {
		dst = append(dst, '0')
	}
	return dst
}
