package care

import (
	"math/big"
	"slices"
	"strings"
)

// scaleDigits are the digits after the point that amounts are summed with, as in the tables.
const scaleDigits = 10

// maxScaled bounds an amount: what Decimal(38, 10) holds.
var maxScaled = new(big.Int).Exp(big.NewInt(10), big.NewInt(38), nil)

// decimal reads a plain decimal as a whole number of ten-billionths. Digits beyond are cut.
func decimal(s string) (*big.Int, bool) {
	digits, fraction, _ := strings.Cut(s, ".")
	if len(fraction) > scaleDigits {
		fraction = fraction[:scaleDigits]
	}
	if digits == "" || digits == "-" || len(digits) > 40 || strings.ContainsAny(digits+fraction, "+_eExX") {
		return nil, false
	}
	v, ok := new(big.Int).SetString(digits+fraction+strings.Repeat("0", scaleDigits-len(fraction)), 10)
	if !ok || v.CmpAbs(maxScaled) >= 0 {
		return nil, false
	}
	return v, true
}

// Scaled is a decimal of a row as a whole number of ten-billionths, as Decimal(38, 10) stores it.
func Scaled(s string) *big.Int {
	v, ok := decimal(s)
	if !ok {
		return new(big.Int)
	}
	return v
}

func decimalText(v *big.Int) string {
	sign, digits := "", v.String()
	if v.Sign() < 0 {
		sign, digits = "-", digits[1:]
	}
	if len(digits) <= scaleDigits {
		digits = strings.Repeat("0", scaleDigits+1-len(digits)) + digits
	}
	point := len(digits) - scaleDigits
	return strings.TrimSuffix(strings.TrimRight(sign+digits[:point]+"."+digits[point:], "0"), ".")
}

// money sums amounts by currency.
type money struct{ sums map[string]*big.Int }

// add says whether the amount is a number.
func (m *money) add(currency, amount string) bool {
	v, ok := decimal(amount)
	if !ok {
		return false
	}
	if m.sums == nil {
		m.sums = map[string]*big.Int{}
	}
	sum := m.sums[currency]
	if sum == nil {
		sum = new(big.Int)
		m.sums[currency] = sum
	}
	sum.Add(sum, v)
	return true
}

func (m *money) list() (currencies, amounts []string) {
	for currency := range m.sums {
		currencies = append(currencies, currency)
	}
	slices.Sort(currencies)
	for _, currency := range currencies {
		amounts = append(amounts, decimalText(m.sums[currency]))
	}
	return currencies, amounts
}
