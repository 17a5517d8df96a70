package match

// memo remembers verdicts of comparisons by the numbers of the two values. It has a place for each of a fixed number of pairs, which the
// next pair of the same place takes: it bounds memory, and changes only the speed.
type memo []remembered

// remembered is one place of a memo. Its pair is stored plus one: zero is an empty place.
type remembered struct {
	pair    uint64
	verdict verdict
}

// memoSize is the number of places unless the memo was made smaller, a power of two: some 10 MB of memory for each compared field.
const memoSize = 1 << 18

// of gives the verdict on two values, which compare makes if it is not remembered. Comparisons are symmetric.
func (m *memo) of(a, b int32, compare func() verdict) verdict {
	if a > b {
		a, b = b, a
	}
	if *m == nil {
		*m = make(memo, memoSize)
	}
	pair := uint64(a)<<32 | uint64(b)
	place := &(*m)[(pair*0x9e3779b97f4a7c15)>>46&uint64(len(*m)-1)]
	if place.pair != pair+1 {
		*place = remembered{pair + 1, compare()}
	}
	return place.verdict
}
