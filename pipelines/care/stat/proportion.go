package stat

import "math"

// Proportion estimates the share of hits among n trials, 0 to 1, by Wilson's score interval (E. B. Wilson, Journal of the American
// Statistical Association 22, 1927). It needs 0 ≤ hits ≤ n.
func Proportion(hits, n int64) Estimate {
	if n <= 0 {
		return None()
	}
	p, m := float64(hits)/float64(n), float64(n)
	centre := p + z*z/(2*m)
	half := z * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	e := Estimate{p, (centre - half) / (1 + z*z/m), (centre + half) / (1 + z*z/m)}
	// At the ends the formula gives 0 and 1 but for rounding.
	if hits == 0 {
		e.Low = 0
	}
	if hits == n {
		e.High = 1
	}
	return e
}

// ProportionDifference estimates the first share less the second one, −1 to 1, of independent samples: Newcombe's hybrid score interval
// (R. G. Newcombe, Statistics in Medicine 17, 1998, method 10).
func ProportionDifference(hits1, n1, hits2, n2 int64) Estimate {
	return Difference(Proportion(hits1, n1), Proportion(hits2, n2))
}

// Difference estimates a less b from their own intervals, of independent samples: the square-and-add method (G. Y. Zou, A. Donner,
// Statistics in Medicine 27, 2008), of which Newcombe's is the case of two shares.
func Difference(a, b Estimate) Estimate {
	if !a.Known() || !b.Known() {
		return None()
	}
	d := a.Value - b.Value
	return Estimate{d, d - math.Hypot(a.Value-a.Low, b.High-b.Value), d + math.Hypot(a.High-a.Value, b.Value-b.Low)}
}

// NetScore estimates the share of the promoters less that of the detractors among n answers, −1 to 1: the net promoter score before it is
// written in points. The interval is the adjusted Wald one with 3/4 of an answer added to each side and 3 in all (B. Rocks, The
// American Statistician 70, 2016; J. Sauro and J. R. Lewis, MeasuringU).
func NetScore(promoters, detractors, n int64) Estimate {
	if n <= 0 {
		return None()
	}
	m := float64(n) + 3
	p, d := (float64(promoters)+0.75)/m, (float64(detractors)+0.75)/m
	half := z * math.Sqrt((p+d-(p-d)*(p-d))/m)
	value := float64(promoters-detractors) / float64(n)
	return Estimate{value, min(value, max(-1, p-d-half)), max(value, min(1, p-d+half))}
}
