package query

import "testing"

func TestMinorUnits(t *testing.T) {
	for _, c := range [][3]string{
		{"1912.4", "EUR", "1912.40"}, {"7", "GBP", "7.00"}, {"300", "JPY", "300"}, {"1.2345", "EUR", "1.2345"}, {"-3.1", "USD", "-3.10"},
		{"5", "KWD", "5.000"}, {"5", "", "5"}, {"5", "???", "5"}, {"", "EUR", ""},
	} {
		if got := minorUnits(c[0], c[1]); got != c[2] {
			t.Errorf("%s %s is written %s, want %s", c[0], c[1], got, c[2])
		}
	}
}
