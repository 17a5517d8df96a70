package value

import (
	"errors"
	"math"
	"slices"
)

// History is what the BG/NBD model needs of one customer: a sufficient statistic of his purchases.
type History struct {
	Repeats int32 // days with a purchase after the first one
	Recency int32 // days from the first purchase to the last one
	Age     int32 // days from the first purchase to the end of the window
}

// Frequency is a fitted BG/NBD model: while a customer is alive he buys at a rate that is gamma distributed over customers (R, Alpha), and after each
// purchase he leaves with a probability that is beta distributed (A, B). The unit of time is a week.
//
// Source: P. S. Fader, B. G. S. Hardie, K. L. Lee, "Counting Your Customers" the Easy Way, Marketing Science 24 (2005).
type Frequency struct {
	R     float64 `json:"r"`
	Alpha float64 `json:"alpha"` // weeks
	A     float64 `json:"a"`
	B     float64 `json:"b"`
}

// Why a model cannot be fitted.
var (
	ErrFewCustomers = errors.New("fewer than 30 customers, or fewer than 10 who came back")
	ErrNoMaximum    = errors.New("these purchases do not determine the model: the likelihood has no clear maximum")
)

// The least that a fit makes sense for, and the largest logarithm of a parameter that still means something.
const (
	leastCustomers = 30
	leastRepeating = 10
	farAway        = 25
)

const week = 7.0

// Fit describes how parameters were found.
type Fit struct {
	Customers     int64   `json:"customers"`
	Groups        int     `json:"groups"` // distinct histories
	LogLikelihood float64 `json:"logLikelihood"`
	Steps         int     `json:"steps"`
}

// group is so many customers with one history, times in weeks.
type group struct {
	x, tx, t, n float64
}

// FitFrequency fits the model by maximum likelihood. Equal histories are reckoned once, so the work depends on how many distinct ones
// there are. The order of the histories changes nothing. It sorts them in place.
func FitFrequency(histories []History) (Frequency, Fit, error) {
	slices.SortFunc(histories, byHistory)
	var groups []group
	repeating, weeks := 0, 0.0
	for i, h := range histories {
		if h.Repeats > 0 {
			repeating++
		}
		weeks += float64(h.Age) / week
		if i > 0 && h == histories[i-1] {
			groups[len(groups)-1].n++
			continue
		}
		groups = append(groups, group{float64(h.Repeats), float64(h.Recency) / week, float64(h.Age) / week, 1})
	}
	fit := Fit{Customers: int64(len(histories)), Groups: len(groups)}
	if len(histories) < leastCustomers || repeating < leastRepeating {
		return Frequency{}, fit, ErrFewCustomers
	}
	n := float64(len(histories))
	at := []float64{0, math.Log(max(weeks/n, 1e-3)), 0, 0} // logarithms of r, α, a, b
	var ok bool
	fit.LogLikelihood, fit.Steps, ok = maximise(func(at, gradient []float64) float64 {
		if largest(at) > farAway {
			return math.Inf(-1)
		}
		sum := frequencyLikelihood(groups, at, gradient)
		for i := range gradient {
			gradient[i] /= n
		}
		return sum / n
	}, at, 1e-9)
	fit.LogLikelihood *= n
	if !ok {
		return Frequency{}, fit, ErrNoMaximum
	}
	return Frequency{math.Exp(at[0]), math.Exp(at[1]), math.Exp(at[2]), math.Exp(at[3])}, fit, nil
}

// frequencyLikelihood is the log-likelihood of groups that are sorted by x, and its gradient, by the logarithms of r, α, a and b.
//
//	ln L = ln Γ(r+x) − ln Γ(r) + r ln α + ln Γ(a+b) + ln Γ(b+x) − ln Γ(b) − ln Γ(a+b+x)
//	     + ln[(α+T)^−(r+x) + 1{x>0} a/(b+x−1) (α+tx)^−(r+x)]
//
// The last bracket is a sum of exponentials, of which the larger one is taken out.
func frequencyLikelihood(groups []group, at, gradient []float64) (sum float64) {
	r, alpha, a, b := math.Exp(at[0]), math.Exp(at[1]), math.Exp(at[2]), math.Exp(at[3])
	var dr, dalpha, da, db float64
	psiR, psiB, psiAB := digamma(r), digamma(b), digamma(a+b)
	constant := r*at[1] - lnGamma(r) + lnGamma(a+b) - lnGamma(b)
	// What depends on x alone is found once for each x.
	last, ofX, psiRX, psiBX, psiABX, odds := -1.0, 0.0, 0.0, 0.0, 0.0, 0.0
	for _, g := range groups {
		if g.x != last {
			last = g.x
			ofX = constant + lnGamma(r+g.x) + lnGamma(b+g.x) - lnGamma(a+b+g.x)
			psiRX, psiBX, psiABX = digamma(r+g.x), digamma(b+g.x), digamma(a+b+g.x)
			if g.x > 0 {
				odds = at[2] - math.Log(b+g.x-1)
			}
		}
		lnT := math.Log(alpha + g.t)
		alive, gone := 1.0, 0.0 // shares of the bracket
		lnTx := lnT
		bracket := -(r + g.x) * lnT
		if g.x > 0 {
			lnTx = math.Log(alpha + g.tx)
			left := odds - (r+g.x)*lnTx
			if left > bracket {
				e := math.Exp(bracket - left)
				alive, gone = e/(1+e), 1/(1+e)
				bracket = left + math.Log1p(e)
			} else {
				e := math.Exp(left - bracket)
				alive, gone = 1/(1+e), e/(1+e)
				bracket += math.Log1p(e)
			}
		}
		sum += g.n * (ofX + bracket)
		dr += g.n * (psiRX - psiR + at[1] - alive*lnT - gone*lnTx)
		dalpha += g.n * (r/alpha - (r+g.x)*(alive/(alpha+g.t)+gone/(alpha+g.tx)))
		da += g.n * (psiAB - psiABX + gone/a)
		db += g.n * (psiAB + psiBX - psiB - psiABX)
		if g.x > 0 {
			db -= g.n * gone / (b + g.x - 1)
		}
	}
	gradient[0], gradient[1], gradient[2], gradient[3] = r*dr, alpha*dalpha, a*da, b*db
	return sum
}

// Alive is P(alive): the probability that a customer still buys at the end of the window, given his history; 1 if he bought once.
//
//	P = 1 / (1 + 1{x>0} a/(b+x−1) ((α+T)/(α+tx))^(r+x))
func (f Frequency) Alive(h History) float64 {
	if h.Repeats == 0 {
		return 1
	}
	x, tx, t := float64(h.Repeats), float64(h.Recency)/week, float64(h.Age)/week
	odds := math.Log(f.A) - math.Log(f.B+x-1) + (f.R+x)*(math.Log(f.Alpha+t)-math.Log(f.Alpha+tx))
	return 1 / (1 + math.Exp(odds))
}

// Expect is E[Y(t) | history]: on how many days he is expected to buy in so many days after the end of the window. 0 for days ≤ 0.
//
//	E = P(alive) (a+b+x−1)/(a−1) [1 − ((α+T)/(α+T+t))^(r+x) ₂F₁(r+x, b+x; a+b+x−1; t/(α+T+t))]
func (f Frequency) Expect(h History, days float64) float64 {
	if days <= 0 {
		return 0
	}
	const near = 1e-5
	x := float64(h.Repeats)
	// At a = 1, and at a + b + x = 1, the formula is 0/0 where the expectation is smooth: the mean of both sides has an error of
	// near², times the curvature.
	if math.Abs(f.A-1) < near || math.Abs(f.A+f.B+x-1) < near {
		above, below := f, f
		above.A, below.A = f.A+2*near, f.A-2*near
		return (above.expect(h, days) + below.expect(h, days)) / 2
	}
	return f.expect(h, days)
}

func (f Frequency) expect(h History, days float64) float64 {
	x, until, t := float64(h.Repeats), f.Alpha+float64(h.Age)/week, days/week
	z, rest := t/(until+t), until/(until+t)
	a, b, c := f.R+x, f.B+x, f.A+f.B+x-1
	var left float64
	if c > a+b {
		left = math.Pow(rest, f.R+x) * hypergeometric(a, b, c, z)
	} else {
		// Euler's transformation (DLMF 15.8.1), ₂F₁(a, b; c; z) = (1−z)^(c−a−b) ₂F₁(c−a, c−b; c; z), cancels the large powers and
		// converges for every z, since (c−a) + (c−b) < c.
		left = math.Pow(rest, f.A-1) * hypergeometric(c-a, c-b, c, z)
	}
	return max(0, f.Alive(h)*c/(f.A-1)*(1-left))
}
