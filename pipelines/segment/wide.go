package segment

import (
	"math/big"
	"math/bits"
)

// wide is a sum of 64-bit numbers: 128 bits in two's complement.
type wide struct {
	high int64
	low  uint64
}

func (w *wide) add(n int64) {
	low, carry := bits.Add64(w.low, uint64(n), 0)
	w.low, w.high = low, w.high+n>>63+int64(carry)
}

// compare is -1, 0 or 1: whether the sum is below, equal to or above n.
func (w *wide) compare(n int64) int {
	high := n >> 63
	switch {
	case w.high != high && w.high < high, w.high == high && w.low < uint64(n):
		return -1
	case w.high == high && w.low == uint64(n):
		return 0
	}
	return 1
}

func (w *wide) big() *big.Int {
	out := new(big.Int).Lsh(big.NewInt(w.high), 64)
	return out.Add(out, new(big.Int).SetUint64(w.low))
}
