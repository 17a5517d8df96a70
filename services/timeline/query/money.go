package query

import (
	"strings"

	"golang.org/x/text/currency"
)

// minorUnits writes a sum with at least as many decimals as its currency has (ISO 4217): 1912.4 EUR is 1912.40, 300 JPY stays. What is
// finer stays, and so does the amount of a currency that nobody knows.
func minorUnits(amount, code string) string {
	unit, err := currency.ParseISO(code)
	if amount == "" || err != nil {
		return amount
	}
	scale, _ := currency.Standard.Rounding(unit)
	whole, fraction, _ := strings.Cut(amount, ".")
	if missing := scale - len(fraction); missing > 0 {
		fraction += strings.Repeat("0", missing)
	}
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}
