package population

import (
	"math/bits"
	"math/rand/v2"
	"sort"
)

// chance is a stream of random numbers that belongs to one household.
type chance struct {
	*rand.Rand
	rates *[rateCount]float64
}

// is says yes at a rate.
func (c chance) is(r rate) bool { return c.Float64() < c.rates[r] }

// of says yes with a probability.
func (c chance) of(p float64) bool { return c.Float64() < p }

// count draws 0, 1 or 2.
func (c chance) count(one, two rate) int {
	switch u := c.Float64(); {
	case u < c.rates[two]:
		return 2
	case u < c.rates[two]+c.rates[one]:
		return 1
	}
	return 0
}

// drawn is a list of words with how often each is drawn.
type drawn struct {
	words []string
	upTo  []float64 // cumulative shares; the last is 1
}

// ranked gives the word at rank r (from 0) a weight of (r+offset)^-exponent: the law by which names are distributed.
func ranked(words []string, weight func(rank int) float64) drawn {
	d := drawn{words: words, upTo: make([]float64, len(words))}
	sum := 0.
	for i := range words {
		sum += weight(i)
		d.upTo[i] = sum
	}
	for i := range d.upTo {
		d.upTo[i] /= sum
	}
	return d
}

// draw gives a word's place and its share.
func (d *drawn) draw(c chance) (at int, share float64) {
	at = min(sort.SearchFloat64s(d.upTo, c.Float64()), len(d.words)-1)
	share = d.upTo[at]
	if at > 0 {
		share -= d.upTo[at-1]
	}
	return at, share
}

// permute is a bijection of the numbers below limit, a different one for each key: a balanced Feistel network over the least even number of
// bits that holds limit, walked until it comes back below it. n must be below limit.
func permute(n, limit, key uint64) uint64 {
	half := (bits.Len64(limit-1) + 1) / 2
	mask := uint64(1)<<half - 1
	for {
		left, right := n>>half, n&mask
		for round := range uint64(4) {
			left, right = right, left^(mix(right^key+round<<56)&mask)
		}
		n = left<<half | right
		if n < limit {
			return n
		}
	}
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// pick draws one of a list, all alike.
func pick[T any](c chance, from []T) T { return from[c.IntN(len(from))] }
