package match

import (
	"math"
	"math/bits"
)

// Bits is a weight of evidence in thousandths of a bit: log2 of how much likelier something is if two records are one person. All sums
// are sums of whole numbers, so no order of adding changes one.
type Bits int32

// Bit is one bit.
const Bit Bits = 1000

const bit = Bit

// Float gives the weight in bits.
func (b Bits) Float() float64 { return float64(b) / float64(bit) }

// bitsOf gives log2 of a ratio, in thousandths, rounded.
func bitsOf(ratio float64) Bits { return Bits(math.Round(math.Log2(ratio) * float64(bit))) }

// power is 2^w in fixed point with powerFraction binary places.
const powerFraction = 24

// limit bounds every weight of one value pair, so that a share-weighted sum of powers fits in 64 bits.
const limit = 26 * bit

var powers = func() (t [bit]uint64) {
	for i := range t {
		t[i] = uint64(math.Round(math.Exp2(float64(i)/float64(bit)) * (1 << 32)))
	}
	return t
}()

func power(w Bits) uint64 {
	w = max(min(w, limit), -limit)
	whole := w / bit
	part := w % bit
	if part < 0 {
		part += bit
		whole--
	}
	// 2^part has 32 binary places; shift to powerFraction.
	shift := int(whole) + powerFraction - 32
	if shift >= 0 {
		return powers[part] << shift
	}
	return powers[part] >> -shift
}

const logTable = 1 << 12

var logs = func() (t [logTable + 1]Bits) {
	for i := range t {
		t[i] = Bits(math.Round(math.Log2(1+float64(i)/logTable) * float64(bit)))
	}
	return t
}()

// log2 gives log2 of a whole number, in thousandths of a bit; of zero it is what zero stands for: less than any weight.
func log2(n uint64) Bits {
	if n == 0 {
		return -2 * limit
	}
	top := bits.Len64(n) - 1
	var mantissa uint64
	if top >= 12 {
		mantissa = (n >> (top - 12)) & (logTable - 1)
	} else {
		mantissa = (n << (12 - top)) & (logTable - 1)
	}
	return Bits(top)*bit + logs[mantissa]
}

// either gives −log2(2^−a + 2^−b): the odds against two rival hypotheses together.
func either(a, b Bits) Bits {
	low, high := min(a, b), max(a, b)
	d := high - low
	if d >= 12*bit {
		return low
	}
	// log2(1 + 2^-d), from the fixed-point power.
	one := uint64(1) << powerFraction
	return low - (log2(one+power(-d)) - powerFraction*bit)
}
