package stat

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

func near(t *testing.T, what string, got Estimate, value, low, high, within float64) {
	t.Helper()
	for _, c := range [][2]float64{{got.Value, value}, {got.Low, low}, {got.High, high}} {
		if same := math.IsNaN(c[0]) && math.IsNaN(c[1]) || c[0] == c[1] || math.Abs(c[0]-c[1]) <= within; !same {
			t.Errorf("%s is %v, want %v (%v to %v)", what, got, value, low, high)
			return
		}
	}
}

// Figures that the sources print, or that are worked out in the comment.
func TestPublished(t *testing.T) {
	inf := math.Inf(1)
	// Newcombe 1998a, table I, method 3: 81/263 is 0.2553 to 0.3662; 0/20 is 0 to 0.1611; 1/29 is 0.0061 to 0.1718.
	near(t, "81 of 263", Proportion(81, 263), 81.0/263, 0.2553, 0.3662, 5e-5)
	near(t, "0 of 20", Proportion(0, 20), 0, 0, 0.1611, 5e-5)
	near(t, "1 of 29", Proportion(1, 29), 1.0/29, 0.0061, 0.1718, 5e-5)
	near(t, "0 of 0", Proportion(0, 0), math.NaN(), -inf, inf, 0)
	// Newcombe 1998b, table II, method 10: 56/70 − 48/80 is 0.0524 to 0.3339; 10/10 − 0/10 is 0.6075 to 1.
	near(t, "56/70 − 48/80", ProportionDifference(56, 70, 48, 80), 0.2, 0.0524, 0.3339, 5e-5)
	near(t, "10/10 − 0/10", ProportionDifference(10, 10, 0, 10), 1, 0.6075, 1, 5e-5)
	// 50 promoters and 20 detractors of 100: n' = 103, p' = 50.75/103 = .49272, d' = 20.75/103 = .20146, difference .29126,
	// variance (.69417 − .08483)/103 = .0059159, half 1.96 × .076915 = .15075.
	near(t, "NPS 50/20 of 100", NetScore(50, 20, 100), 0.3, 0.14051, 0.44201, 5e-5)
	// 10 of 10: p' = 10.75/13, d' = .75/13, difference .76923, variance (.88462 − .59172)/13 = .022531, half 1.96 × .150103 = .29420.
	near(t, "NPS of all promoters", NetScore(10, 0, 10), 1, 0.47503, 1, 5e-5)
	// 1, 2, 3, 4, 5: mean 3, variance 2.5, t of 4 degrees of freedom 2.7764, half 2.7764 × √.5 = 1.9632.
	near(t, "mean of 1 to 5", Mean(big.NewInt(15), big.NewInt(55), 5), 3, 1.0368, 4.9632, 5e-5)
	near(t, "mean of one", Mean(big.NewInt(4), big.NewInt(16), 1), 4, -inf, inf, 0)
	near(t, "mean of equals", Mean(big.NewInt(9), big.NewInt(27), 3), 3, 3, 3, 0)
	for df, want := range map[int64]float64{1: 12.7062, 2: 4.3027, 5: 2.5706, 30: 2.0423, 1000: 1.9623} {
		if got := studentQuantile(df); math.Abs(got-want) > 5e-5 {
			t.Errorf("t of %d degrees of freedom is %v, want %v", df, got, want)
		}
	}
	// Conover, table of the sign test: the median of 10 values lies between the 2nd and the 9th (P = .9785), of 5 values nowhere (P = .9375),
	// of 20 between the 6th and the 15th.
	values := func(n int) (out []int64) {
		for i := range n {
			out = append(out, int64(i+1))
		}
		return out
	}
	near(t, "median of 10", Quantile(values(10), .5), 5, 2, 9, 0)
	near(t, "median of 20", Quantile(values(20), .5), 10, 6, 15, 0)
	near(t, "median of 5", Quantile(values(5), .5), 3, -inf, inf, 0)
	near(t, "p90 of 10", Quantile(values(10), .9), 9, 7, inf, 0) // P(Bin(10, .9) ≤ 5) = .0016, ≤ 6 = .0128, ≤ 7 = .0702
	near(t, "median of nothing", Quantile(nil, .5), math.NaN(), -inf, inf, 0)
	// Remission of leukaemia under 6-MP (Freireich and others 1963; in R, survfit(…, conf.type = "log-log")): median 23, 13 to not reached.
	six := Survival([]int64{6, 6, 6, 7, 10, 13, 16, 22, 23}, []int64{6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35})
	near(t, "6-MP", six.Quantile(.5), 23, 13, inf, 0)
	for after, want := range map[int64]float64{5: 1, 6: .857, 7: .807, 10: .753, 13: .690, 16: .627, 22: .538, 23: .448, 35: .448} {
		if got := six.Open(after); math.Abs(got-want) > 5e-4 {
			t.Errorf("after %d weeks %v are open, want %v", after, got, want)
		}
	}
	// The placebo arm has no open case: median 8, 4 to 11.
	placebo := []int64{1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23}
	near(t, "placebo", Survival(placebo, nil).Quantile(.5), 8, 4, 11, 0)
	near(t, "nothing closed", Survival(nil, []int64{4, 9}).Quantile(.5), math.NaN(), -inf, inf, 0)
	if !math.IsNaN(six.Quantile(.9).Value) {
		t.Error("90 % of the patients were not in relapse, and there is a time")
	}
}

// Without open cases the curve is the distribution, and the quantiles are the same.
func TestSurvivalOfClosedIsQuantile(t *testing.T) {
	r := rand.New(rand.NewPCG(seed(t), 1))
	for range 2000 {
		values := make([]int64, 1+r.IntN(60))
		for i := range values {
			values[i] = r.Int64N(40)
		}
		slices.Sort(values)
		for _, p := range []float64{.1, .25, .5, .75, .9} {
			if a, b := Quantile(values, p).Value, Survival(values, nil).Quantile(p).Value; a != b {
				t.Fatalf("the %v-quantile of %v is %v, and %v by the curve", p, values, a, b)
			}
		}
	}
}

func seed(t *testing.T) uint64 {
	s := uint64(time.Now().UnixNano())
	if given := os.Getenv("DOSSIER_SEED"); given != "" {
		n, err := strconv.ParseUint(given, 10, 64)
		if err != nil {
			t.Fatalf("DOSSIER_SEED: %v", err)
		}
		s = n
	}
	t.Logf("seed %d (DOSSIER_SEED)", s)
	return s
}

// TestCoverage draws samples of a known truth and counts how often the interval holds it. The bounds leave four standard errors to
// chance and, for what is discrete, the distance that exact enumeration shows.
func TestCoverage(t *testing.T) {
	worlds := 3000
	if os.Getenv("DOSSIER_PROVE") != "" {
		worlds = 40_000
	}
	r := rand.New(rand.NewPCG(seed(t), 2))
	draw := func(n int, p float64) (hits int64) {
		for range n {
			if r.Float64() < p {
				hits++
			}
		}
		return hits
	}
	hours := func(n int) []int64 {
		out := make([]int64, n)
		for i := range out {
			out[i] = int64(math.Exp(r.NormFloat64()*1.2) * 3.6e9) // log-normal, median an hour in microseconds
		}
		slices.Sort(out)
		return out
	}
	for _, c := range []struct {
		name  string
		truth float64
		least float64
		most  float64
		draw  func() Estimate
	}{
		{"share .5 of 30", .5, .93, .98, func() Estimate { return Proportion(draw(30, .5), 30) }},
		{"share .9 of 20", .9, .93, .98, func() Estimate { return Proportion(draw(20, .9), 20) }},
		{"share .03 of 200", .03, .93, .98, func() Estimate { return Proportion(draw(200, .03), 200) }},
		{"difference .8 − .6 of 40 and 30", .2, .93, .98, func() Estimate { return ProportionDifference(draw(40, .8), 40, draw(30, .6), 30) }},
		// B3 of the definitions, by exact enumeration: .95 at n = 20 with 90 % and 2 %, .96 at 10 and .95 at 20 with 50 % and 20 %.
		{"NPS +88 of 20", .88, .93, .98, func() Estimate { return score(r, 20, .9, .02) }},
		{"NPS +30 of 10", .3, .94, .98, func() Estimate { return score(r, 10, .5, .2) }},
		{"NPS +30 of 100", .3, .93, .97, func() Estimate { return score(r, 100, .5, .2) }},
		{"mean of 12 marks", 3.5, .92, .98, func() Estimate {
			var sum, squares int64
			for range 12 {
				x := 1 + r.Int64N(6) // a die
				sum, squares = sum+x, squares+x*x
			}
			return Mean(big.NewInt(sum), big.NewInt(squares), 12)
		}},
		{"median of 15 hours", 3.6e9, .95, .98, func() Estimate { return Quantile(hours(15), .5) }},
		{"p90 of 60 hours", 3.6e9 * math.Exp(1.2*1.2815515655), .95, .99, func() Estimate { return Quantile(hours(60), .9) }},
		{"median of 60 hours, a third open", 3.6e9, .92, .98, func() Estimate {
			var closed, open []int64
			for _, h := range hours(60) {
				if until := int64(r.Float64() * 4 * 3.6e9); until < h {
					open = append(open, until)
				} else {
					closed = append(closed, h)
				}
			}
			slices.Sort(open)
			return Survival(closed, open).Quantile(.5)
		}},
	} {
		held := 0
		for range worlds {
			if e := c.draw(); e.Low <= c.truth+1e-12 && c.truth <= e.High+1e-12 {
				held++
			}
		}
		share := float64(held) / float64(worlds)
		chance := 4 * math.Sqrt(.05*.95/float64(worlds))
		t.Logf("%-34s %.3f", c.name, share)
		if share < c.least-chance || share > c.most+chance {
			t.Errorf("%s: the interval holds the truth in %.3f of the samples, want %.2f to %.2f", c.name, share, c.least, c.most)
		}
	}
}

func score(r *rand.Rand, n int, promoters, detractors float64) Estimate {
	var p, d int64
	for range n {
		switch x := r.Float64(); {
		case x < promoters:
			p++
		case x < promoters+detractors:
			d++
		}
	}
	return NetScore(p, d, int64(n))
}

// Nothing is shown of fewer than the minimum, and nothing can be found by subtraction.
func TestSuppress(t *testing.T) {
	for _, c := range []struct {
		people []int64
		groups []bool
		total  bool
	}{
		{[]int64{10, 20}, []bool{false, false}, false},
		{[]int64{4, 20, 9}, []bool{true, false, true}, false}, // 4 alone would be 33 − 29: the 9 hides it
		{[]int64{1, 1, 20}, []bool{true, true, true}, false},  // 2 together are too few
		{[]int64{3, 4, 20}, []bool{true, true, false}, false}, // 7 together are enough
		{[]int64{0, 3, 20}, []bool{false, true, true}, false}, // a group of nobody hides nobody
		{[]int64{2, 1}, []bool{true, true}, true},             // the total itself is of 3
		{[]int64{0, 0}, []bool{false, false}, false},          // nobody at all
		{[]int64{7, 2, 7, 2, 1}, []bool{false, true, false, true, true}, false},
	} {
		groups, total := Suppress(c.people, 5)
		if !slices.Equal(groups, c.groups) || total != c.total {
			t.Errorf("of %v people %v are hidden and the total %v, want %v and %v", c.people, groups, total, c.groups, c.total)
		}
	}
	r := rand.New(rand.NewPCG(seed(t), 3))
	for range 5000 {
		people := make([]int64, r.IntN(8))
		var all int64
		for i := range people {
			people[i] = r.Int64N(12)
			all += people[i]
		}
		groups, total := Suppress(people, 5)
		var shown, hidden int64
		for i, n := range people {
			switch {
			case groups[i]:
				hidden += n
			case n > 0 && n < 5:
				t.Fatalf("of %v a group of %d is shown", people, n)
			default:
				shown += n
			}
		}
		if !total && hidden > 0 && hidden < 5 {
			t.Fatalf("of %v the total less what is shown is %d: %v", people, all-shown, groups)
		}
	}
}

// quantileBySteps is Curve.Quantile as it is defined: every step with both bounds, one after the other.
func quantileBySteps(closed, open []int64, p float64) Estimate {
	e := None()
	atRisk, s, variance, high := len(closed)+len(open), 1.0, 0.0, 1.0
	for i, o := 0, 0; i < len(closed); {
		t, d := closed[i], 0
		for ; o < len(open) && open[o] < t; o++ {
			atRisk--
		}
		for ; i < len(closed) && closed[i] == t; i++ {
			d++
		}
		n := float64(atRisk)
		s *= (n - float64(d)) / n
		if atRisk > d {
			variance += float64(d) / (n * (n - float64(d)))
		}
		atRisk -= d
		low := s
		if s > 0 {
			half := z * math.Sqrt(variance) / math.Log(s)
			low, high = math.Pow(s, math.Exp(-half)), math.Pow(s, math.Exp(half))
		}
		if math.IsInf(e.Low, -1) && low <= 1-p+1e-9 {
			e.Low = float64(t)
		}
		if math.IsNaN(e.Value) && s <= 1-p+1e-9 {
			e.Value = float64(t)
		}
		if high <= 1-p+1e-9 {
			e.High = float64(t)
			break
		}
	}
	return e
}

// What is passed over changes no bit.
func TestSurvivalPassesOverNothing(t *testing.T) {
	s := seed(t)
	r := rand.New(rand.NewPCG(s, 9))
	for round := range 300 {
		size := 1 << (1 + r.IntN(14))
		var closed, open []int64
		for range size {
			at := int64(r.ExpFloat64() * 1e6)
			if round%3 == 0 {
				at %= 50 // many at once
			}
			if r.IntN(1+round%5) > 1 {
				open = append(open, at)
			} else {
				closed = append(closed, at)
			}
		}
		slices.Sort(closed)
		slices.Sort(open)
		for _, p := range []float64{.01, .1, .5, .75, .9, .99} {
			got, want := Survival(closed, open).Quantile(p), quantileBySteps(closed, open, p)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("seed %d: the %v-quantile of %d closed and %d open is %v, want %v", s, p, len(closed), len(open), got, want)
			}
		}
	}
}
