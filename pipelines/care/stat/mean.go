package stat

import (
	"math"
	"math/big"
)

// Mean estimates the mean of n values from their sum and the sum of their squares, both exact: Student's t interval. One value has a mean
// and no bounds.
func Mean(sum, squares *big.Int, n int64) Estimate {
	if n <= 0 {
		return None()
	}
	mean, _ := new(big.Rat).SetFrac(sum, big.NewInt(n)).Float64()
	if n == 1 {
		return Estimate{mean, math.Inf(-1), math.Inf(1)}
	}
	// n Σx² − (Σx)² is exact, so nothing is cancelled away.
	spread := new(big.Int).Mul(big.NewInt(n), squares)
	spread.Sub(spread, new(big.Int).Mul(sum, sum))
	variance, _ := new(big.Rat).SetFrac(spread, new(big.Int).Mul(big.NewInt(n), big.NewInt(n-1))).Float64()
	half := studentQuantile(n-1) * math.Sqrt(variance/float64(n))
	return Estimate{mean, mean - half, mean + half}
}

// Around is a share with a known variance, 0 to 1: the normal interval, cut at 0 and 1.
func Around(share, variance float64) Estimate {
	half := z * math.Sqrt(variance)
	return Estimate{share, max(0, share-half), min(1, share+half)}
}

// studentQuantile is the two-sided quantile of Student's t at Level, by halving: the distribution function is P(|T| ≤ t) = I(df/2, 1/2) …
// with the regularised incomplete beta function (Abramowitz and Stegun 26.7.1).
func studentQuantile(df int64) float64 {
	low, high := z, 13.0 // of one degree of freedom it is 12.71
	for range 60 {
		t := (low + high) / 2
		v := float64(df)
		if 1-incompleteBeta(v/2, 0.5, v/(v+t*t)) < Level {
			low = t
		} else {
			high = t
		}
	}
	return (low + high) / 2
}

// incompleteBeta is the regularised incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22), evaluated by Lentz's
// method. It is used for a, b ≥ 1/2.
func incompleteBeta(a, b, x float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2): // where the fraction converges slowly
		return 1 - incompleteBeta(b, a, 1-x)
	}
	lgab, _ := math.Lgamma(a + b)
	lga, _ := math.Lgamma(a)
	lgb, _ := math.Lgamma(b)
	front := math.Exp(lgab-lga-lgb+a*math.Log(x)+b*math.Log1p(-x)) / a
	const tiny = 1e-300
	f, c, d := 1.0, 1.0, 0.0
	for i := range 400 {
		m := float64(i / 2)
		numerator := 1.0
		switch {
		case i == 0:
		case i%2 == 0:
			numerator = m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		default:
			numerator = -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		}
		d = 1 + numerator*d
		if math.Abs(d) < tiny {
			d = tiny
		}
		d = 1 / d
		c = 1 + numerator/c
		if math.Abs(c) < tiny {
			c = tiny
		}
		f *= c * d
		if math.Abs(1-c*d) < 1e-14 {
			break
		}
	}
	return front * (f - 1)
}
