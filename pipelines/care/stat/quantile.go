package stat

import (
	"math"
	"sort"
)

// Quantile estimates the p-quantile, 0 < p < 1, of values in ascending order: the smallest value that at least the share p of the values does
// not exceed, so always one of them (type 1 of R. J. Hyndman and Y. Fan, The American Statistician 50, 1996). The interval lies between
// two of the values, too, and supposes no distribution: its ranks are quantiles of the binomial distribution (W. J. Conover, Practical
// Nonparametric Statistics, 3.2). Too few values leave an end open.
func Quantile(sorted []int64, p float64) Estimate {
	n := len(sorted)
	if n == 0 {
		return None()
	}
	e := Estimate{float64(sorted[rank(n, p)-1]), math.Inf(-1), math.Inf(1)}
	// P(lower rank's value > quantile) = P(Bin(n, p) < lower) and P(upper rank's value < quantile) = P(Bin(n, p) ≥ upper): each at most half
	// of what the level leaves.
	const tail = (1 - Level) / 2
	lower := sort.Search(n+1, func(k int) bool { return binomial(n, k, p) > tail }) // the smallest k with P(Bin ≤ k) > tail
	if lower > 0 {
		e.Low = float64(sorted[lower-1])
	}
	upper := sort.Search(n+1, func(k int) bool { return binomial(n, k, p) >= 1-tail }) + 1
	if upper <= n {
		e.High = float64(sorted[upper-1])
	}
	return e
}

// rank is ⌈n p⌉, from 1 on, untouched by rounding: 10 × 0.9 is rank 9.
func rank(n int, p float64) int {
	return min(n, max(1, int(math.Ceil(float64(n)*p-1e-9))))
}

// binomial is P(Bin(n, p) ≤ k) (DLMF 8.17.24).
func binomial(n, k int, p float64) float64 {
	if k >= n {
		return 1
	}
	return incompleteBeta(float64(n-k), float64(k+1), 1-p)
}
