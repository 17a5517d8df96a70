package metric

import (
	"math/big"
	"math/bits"
	"slices"
	"sync"
)

// Complete brings tallies as Count's statement gives them into what Figures takes: durations ascending, those of all rows together with those of
// the groups, and their sums.
func (d Definition) Complete(tallies []Tally) {
	if d.Unit != Seconds && d.Statistic != Bands {
		return
	}
	if len(tallies) > 1 && tallies[0].Whole {
		whole := &tallies[0]
		for _, t := range tallies[1:] {
			whole.Over, whole.Open = append(whole.Over, t.Over...), append(whole.Open, t.Open...)
		}
	}
	finish := func(tallies []Tally) {
		var scratch []int64
		for i := range tallies {
			t := &tallies[i]
			scratch = ascend(t.Over, scratch)
			scratch = ascend(t.Open, scratch)
			t.Sum, t.Squares = sums(t.Over)
		}
	}
	if len(tallies) < 2 {
		finish(tallies)
		return
	}
	var both sync.WaitGroup
	both.Go(func() { finish(tallies[:1]) })
	finish(tallies[1:])
	both.Wait()
}

// sums are the exact sums of values and of their squares.
func sums(values []int64) (sum, squares *big.Int) {
	sum, squares = new(big.Int), new(big.Int)
	const chunk = 256 // of durations below 2^54 µs, 570 years, no partial sum overflows
	for part := range slices.Chunk(values, chunk) {
		var s int64
		var high, low uint64
		for _, v := range part {
			s += v
			h, l := bits.Mul64(magnitude(v), magnitude(v))
			var carry uint64
			low, carry = bits.Add64(low, l, 0)
			high += h + carry
		}
		sum.Add(sum, big.NewInt(s))
		square := new(big.Int).SetUint64(high)
		square.Lsh(square, 64)
		squares.Add(squares, square.Add(square, new(big.Int).SetUint64(low)))
	}
	return sum, squares
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return uint64(-v)
	}
	return uint64(v)
}

// ascend sorts values: by digits where there are many, four times as fast as by comparing. It gives scratch back, for the next.
func ascend(values, scratch []int64) []int64 {
	if len(values) < 4096 {
		slices.Sort(values)
		return scratch
	}
	const digit = 11
	if cap(scratch) < len(values) {
		scratch = make([]int64, len(values))
	}
	from, to := values, scratch[:len(values)]
	var differ uint64 // bits in which any value differs from the first
	for _, v := range from {
		differ |= uint64(v ^ from[0])
	}
	for shift := 0; shift < 64; shift += digit {
		if differ>>shift&(1<<digit-1) == 0 {
			continue
		}
		var starts [1 << digit]int
		place := func(v int64) uint64 { return (uint64(v) ^ 1<<63) >> shift & (1<<digit - 1) } // negative values first
		for _, v := range from {
			starts[place(v)]++
		}
		at := 0
		for i, n := range starts {
			starts[i] = at
			at += n
		}
		for _, v := range from {
			p := place(v)
			to[starts[p]] = v
			starts[p]++
		}
		from, to = to, from
	}
	if &from[0] != &values[0] {
		copy(values, from)
	}
	return scratch
}
