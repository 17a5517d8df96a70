package stat

import "math"

// A Curve is the share that is still open after a time: Kaplan and Meier's estimator, with Greenwood's variance (E. L. Kaplan and P. Meier,
// Journal of the American Statistical Association 53, 1958).
type Curve struct{ closed, open []int64 }

// step is the curve from a time at which some are closed, up to the next: the share and the sum within Greenwood's variance.
type step struct {
	time               int64
	survival, variance float64
}

// Survival estimates the curve from the times after which cases were closed and the times for which others have been open so far, each in
// ascending order and in one unit. A case that is open at a time at which another is closed counts as open beyond it. The curve reads both slices:
// they must stay as they are.
func Survival(closed, open []int64) Curve { return Curve{closed, open} }

// steps calls f with the steps, up to so many at once, until it returns false.
func (c Curve) steps(f func(some []step) (more bool)) {
	var some [256]step
	n, atRisk := 0, len(c.closed)+len(c.open)
	s, variance := 1.0, 0.0
	for i, o := 0, 0; i < len(c.closed); {
		t := c.closed[i]
		for o < len(c.open) && c.open[o] < t {
			o++
			atRisk--
		}
		d := 0
		for ; i < len(c.closed) && c.closed[i] == t; i++ {
			d++
		}
		of := float64(atRisk)
		s *= (of - float64(d)) / of
		if atRisk > d {
			variance += float64(d) / (of * (of - float64(d)))
		}
		atRisk -= d
		some[n] = step{t, s, variance}
		if n++; n == len(some) || i == len(c.closed) {
			if !f(some[:n]) {
				return
			}
			n = 0
		}
	}
}

// bounds are those of the share, on the scale log(−log S), where the interval stays within 0 and 1 (J. P. Klein and M. L. Moeschberger, Survival
// Analysis, 4.3).
func (s step) bounds() (low, high float64) {
	if s.survival == 1 {
		return 1, 1
	}
	half := z * math.Sqrt(s.variance) / math.Log(s.survival)
	return math.Pow(s.survival, math.Exp(-half)), math.Pow(s.survival, math.Exp(half))
}

// Quantile estimates the time within which the share p is closed, 0 < p < 1. Without a value it is not reached: too many are still open. The interval
// is that of R. Brookmeyer and J. Crowley (Biometrics 38, 1982) on the scale log(−log S). Without open cases the value equals that of Quantile.
func (c Curve) Quantile(p float64) Estimate {
	e := None()
	const rounding = 1e-9 // of products that should be 1−p exactly
	level := 1 - p + rounding
	before := step{survival: 1}
	limit := math.Log(-math.Log(level)) - 1e-6
	c.steps(func(some []step) bool {
		// Of millions of steps few have bounds near the level. The share falls and its variance grows, so the ends of a stretch say whether any
		// lower bound within it can have come down to the level; the share and its upper bound are above it.
		first, last := some[0].survival, some[len(some)-1]
		if last.survival > 0 && first < 1 && math.Log(-math.Log(last.survival))-z*math.Sqrt(last.variance)/math.Log(first) < limit {
			before = last
			return true
		}
		for _, s := range some {
			at := float64(s.time)
			low, high := s.survival, 0.0
			if s.survival > 0 {
				low, high = s.bounds()
			} else {
				_, high = before.bounds() // when the last one is closed there is no variance: nothing bounds the share from above anew
			}
			before = s
			if math.IsInf(e.Low, -1) && low <= level {
				e.Low = at
			}
			if math.IsNaN(e.Value) && s.survival <= level {
				e.Value = at
			}
			if high <= level {
				e.High = at
				return false
			}
		}
		return true
	})
	return e
}

// Open is the share that is still open after a time, 0 to 1.
func (c Curve) Open(after int64) float64 {
	share := 1.0
	c.steps(func(some []step) bool {
		for _, s := range some {
			if s.time > after {
				return false
			}
			share = s.survival
		}
		return true
	})
	return share
}
