package stat

import "math"

// A Curve is the share that is still open after a time: Kaplan and Meier's estimator, with Greenwood's variance (E. L. Kaplan and P. Meier,
// Journal of the American Statistical Association 53, 1958).
type Curve struct{ steps []step }

type step struct {
	time                int64
	survival, low, high float64
}

// Survival estimates the curve from the times after which cases were closed and the times for which others have been open so far, each in
// ascending order and in one unit. A case that is open at a time at which another is closed counts as open beyond it.
func Survival(closed, open []int64) Curve {
	var c Curve
	atRisk := len(closed) + len(open)
	s, variance, high := 1.0, 0.0, 1.0
	for i, o := 0, 0; i < len(closed); {
		t := closed[i]
		for o < len(open) && open[o] < t {
			o++
			atRisk--
		}
		d := 0
		for ; i < len(closed) && closed[i] == t; i++ {
			d++
		}
		n := float64(atRisk)
		s *= (n - float64(d)) / n
		if atRisk > d {
			variance += float64(d) / (n * (n - float64(d)))
		}
		atRisk -= d
		// When the last one is closed there is no variance: nothing bounds the share from above anew.
		c.steps = append(c.steps, step{t, s, s, high})
		if s > 0 {
			// On the scale log(−log S), where the interval stays within 0 and 1 (J. P. Klein and M. L. Moeschberger, Survival Analysis, 4.3).
			half := z * math.Sqrt(variance) / math.Log(s)
			last := &c.steps[len(c.steps)-1]
			last.low, last.high = math.Pow(s, math.Exp(-half)), math.Pow(s, math.Exp(half))
			high = last.high
		}
	}
	return c
}

// Quantile estimates the time within which the share p is closed. Without a value it is not reached: too many are still open. The interval
// is that of R. Brookmeyer and J. Crowley (Biometrics 38, 1982) on the scale log(−log S). Without open cases the value equals that of Quantile.
func (c Curve) Quantile(p float64) Estimate {
	e := None()
	const rounding = 1e-9 // of products that should be 1−p exactly
	for _, s := range c.steps {
		at := float64(s.time)
		if math.IsInf(e.Low, -1) && s.low <= 1-p+rounding {
			e.Low = at
		}
		if math.IsNaN(e.Value) && s.survival <= 1-p+rounding {
			e.Value = at
		}
		if s.high <= 1-p+rounding {
			e.High = at
			break
		}
	}
	return e
}

// Open is the share that is still open after a time, 0 to 1.
func (c Curve) Open(after int64) float64 {
	share := 1.0
	for _, s := range c.steps {
		if s.time > after {
			break
		}
		share = s.survival
	}
	return share
}
