package value

import (
	"cmp"
	"math"
	"slices"
)

// Spend is a fitted gamma-gamma model: what a customer spends on a day of purchase is gamma distributed around a mean of his own (P), which is gamma
// distributed over customers (Q, Gamma). It supposes that how much does not depend on how often: Correlation shows how far that holds.
//
// Source: P. S. Fader, B. G. S. Hardie, The Gamma-Gamma Model of Monetary Value (2013).
type Spend struct {
	P     float64 `json:"p"`
	Q     float64 `json:"q"`
	Gamma float64 `json:"gamma"` // in the currency
}

// Average is what one customer spent on his repeat purchases: on so many days so much each time.
type Average struct {
	Repeats int32
	Mean    float64 // > 0
}

// FitSpend fits the model by maximum likelihood to customers with at least one repeat purchase. Their order changes nothing. It sorts
// them in place. Correlation is Pearson's, of Repeats and Mean; NaN if either is the same for all.
func FitSpend(averages []Average) (model Spend, fit Fit, correlation float64, err error) {
	slices.SortFunc(averages, func(a, b Average) int {
		return cmp.Or(cmp.Compare(a.Repeats, b.Repeats), cmp.Compare(a.Mean, b.Mean))
	})
	type spendGroup struct{ x, m, lnM, n float64 }
	var groups []spendGroup
	n, sum := float64(len(averages)), 0.0
	for i, a := range averages {
		sum += a.Mean
		if i > 0 && a == averages[i-1] {
			groups[len(groups)-1].n++
			continue
		}
		groups = append(groups, spendGroup{float64(a.Repeats), a.Mean, 0, 1})
	}
	fit = Fit{Customers: int64(len(averages)), Groups: len(groups)}
	if len(averages) < leastCustomers {
		return Spend{}, fit, math.NaN(), ErrFewCustomers
	}
	// In units of the mean γ is about 1, whatever the currency.
	unit := sum / n
	for i := range groups {
		groups[i].m /= unit
		groups[i].lnM = math.Log(groups[i].m)
	}
	at := []float64{0, math.Log(2), 0} // logarithms of p, q, γ
	var ok bool
	fit.LogLikelihood, fit.Steps, ok = maximise(func(at, gradient []float64) (sum float64) {
		if largest(at) > farAway {
			return math.Inf(-1)
		}
		p, q, gamma := math.Exp(at[0]), math.Exp(at[1]), math.Exp(at[2])
		lnGammaQ, psiQ := lnGamma(q), digamma(q)
		var dp, dq, dgamma float64
		last, ofX, psiBoth, psiP, lnX := -1.0, 0.0, 0.0, 0.0, 0.0
		for _, g := range groups {
			px := p * g.x
			if g.x != last {
				last, lnX = g.x, math.Log(g.x)
				ofX = lnGamma(px+q) - lnGamma(px) - lnGammaQ + q*at[2] + px*lnX
				psiBoth, psiP = digamma(px+q), digamma(px)
			}
			all := gamma + g.x*g.m
			lnAll := math.Log(all)
			sum += g.n * (ofX + (px-1)*g.lnM - (px+q)*lnAll)
			dp += g.n * g.x * (psiBoth - psiP + g.lnM + lnX - lnAll)
			dq += g.n * (psiBoth - psiQ + at[2] - lnAll)
			dgamma += g.n * (q/gamma - (px+q)/all)
		}
		gradient[0], gradient[1], gradient[2] = p*dp/n, q*dq/n, gamma*dgamma/n
		return sum / n
	}, at, 1e-9)
	fit.LogLikelihood = n * (fit.LogLikelihood - math.Log(unit))
	correlation = correlate(averages)
	if !ok {
		return Spend{}, fit, correlation, ErrNoMaximum
	}
	return Spend{math.Exp(at[0]), math.Exp(at[1]), math.Exp(at[2]) * unit}, fit, correlation, nil
}

// Expect is E[M]: what a customer is expected to spend on a day of purchase. Of one without a repeat purchase it is the mean over customers, and NaN if
// the model has none (Q ≤ 1).
//
//	E = p (γ + x m̄) / (p x + q − 1)
func (s Spend) Expect(a Average) float64 {
	x := float64(a.Repeats)
	below := s.P*x + s.Q - 1
	if below <= 0 {
		return math.NaN()
	}
	return s.P * (s.Gamma + x*a.Mean) / below
}

func correlate(averages []Average) float64 {
	n, meanX, meanM := float64(len(averages)), 0.0, 0.0
	for _, a := range averages {
		meanX += float64(a.Repeats) / n
		meanM += a.Mean / n
	}
	var xx, mm, xm float64
	for _, a := range averages {
		x, m := float64(a.Repeats)-meanX, a.Mean-meanM
		xx, mm, xm = xx+x*x, mm+m*m, xm+x*m
	}
	return xm / math.Sqrt(xx*mm) // 0/0 is NaN
}

// SimpleLifetime is the value of a customer who is kept with the same probability each year: margin × retention / (1 + discount − retention), of years to come.
// margin is of a year, discount is the yearly rate; both 0 ≤ retention < 1 + discount are needed, else it is NaN.
func SimpleLifetime(margin, retention, discount float64) float64 {
	if retention < 0 || retention >= 1+discount {
		return math.NaN()
	}
	return margin * retention / (1 + discount - retention)
}
