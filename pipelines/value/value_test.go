package value

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

func seed(t testing.TB) uint64 {
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

// Values that tables print (DLMF 5.4, 15.4), and one that a sum by hand gives.
func TestSpecialFunctions(t *testing.T) {
	const euler = 0.57721566490153286061
	for x, want := range map[float64]float64{1: -euler, .5: -euler - 2*math.Ln2, 2: 1 - euler, .25: -euler - math.Pi/2 - 3*math.Ln2, 100: 4.600161852738087400} {
		if got := digamma(x); math.Abs(got-want) > 1e-13 {
			t.Errorf("ψ(%v) is %v, want %v", x, got, want)
		}
	}
	for _, c := range []struct{ a, b, c, z, want float64 }{
		{1, 1, 2, .5, 2 * math.Ln2},            // −ln(1−z)/z
		{.5, .5, 1.5, .25, math.Pi / 3},        // arcsin(√z)/√z
		{.5, 1, 1.5, .81, math.Atanh(.9) / .9}, // artanh(√z)/√z
		{-2, 3, .5, .3, 1 - 3.6 + 1.44},        // 1 − 2·3/.5 z + (−2)(−1)3·4/(.5·1.5·2) z²
		{.3, -.2, 1.7, 0, 1},                   //
		{.2, 1.7, 1.7, .9, math.Pow(.1, -.2)},  // (1−z)^−a
		{.2, .1, 1.7, 1 - 1e-5, math.Gamma(1.7) * math.Gamma(1.4) / (math.Gamma(1.5) * math.Gamma(1.6))}, // Gauss: at 1, and nearly so close to it
	} {
		near := 1e-12
		if c.z > .99 {
			near = 1e-6
		}
		if got := hypergeometric(c.a, c.b, c.c, c.z); math.Abs(got-c.want) > near*math.Abs(c.want) {
			t.Errorf("₂F₁(%v, %v; %v; %v) is %v, want %v", c.a, c.b, c.c, c.z, got, c.want)
		}
	}
}

// customer draws one history under a model: the process that the model describes, nothing of its formulas.
func (f Frequency) customer(r *rand.Rand, age float64, after float64) (h History, alive bool, later int) {
	rate := gammaDraw(r, f.R) / f.Alpha
	x, y := gammaDraw(r, f.A), gammaDraw(r, f.B)
	leaves := x / (x + y)
	now, last := 0.0, 0.0
	alive = true
	for {
		if now += r.ExpFloat64() / rate; now > age {
			break
		}
		h.Repeats++
		if last = now; r.Float64() < leaves {
			alive = false
			break
		}
	}
	h.Recency, h.Age = int32(math.Round(last*week)), int32(math.Round(age*week))
	for gone := !alive; !gone && now <= age+after; now += r.ExpFloat64() / rate {
		later++
		gone = r.Float64() < leaves
	}
	return h, alive, later
}

// gammaDraw is Marsaglia and Tsang's (2000), of scale 1.
func gammaDraw(r *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gammaDraw(r, shape+1) * math.Pow(r.Float64(), 1/shape)
	}
	d := shape - 1./3
	for {
		x := r.NormFloat64()
		v := math.Pow(1+x/math.Sqrt(9*d), 3)
		if v > 0 && math.Log(r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// TestSimulatedFrequency compares P(alive) and the expectation with what happens to customers who are drawn from the process itself, also where the formulas have
// their seams: a below, at and above 1, a far horizon; and finds the parameters again.
func TestSimulatedFrequency(t *testing.T) {
	r := rand.New(rand.NewPCG(seed(t), 3))
	n := 12_000
	if os.Getenv("DOSSIER_PROVE") != "" {
		n = 400_000
	}
	for _, f := range []Frequency{{.8, 5, .8, 2.5}, {1.2, 6, 1, 1.5}, {2, 8, 1.8, 4}, {.6, 3, .2, .7}, {3, 5, 4, 1}} {
		for _, after := range []float64{13, 400} {
			var histories []History
			var expected, happened, squares, alive, stayed float64
			for range n {
				h, lives, later := f.customer(r, 20+r.Float64()*30, after)
				histories = append(histories, h)
				e := f.Expect(h, after*week)
				expected, happened = expected+e, happened+float64(later)
				squares += (float64(later) - e) * (float64(later) - e)
				alive += f.Alive(h)
				if lives {
					stayed++
				}
			}
			// Days are rounded, which moves a history by less than the five standard errors that are left to chance.
			if math.Abs(expected-happened) > 5*math.Sqrt(squares)+.01*happened {
				t.Errorf("%+v: in %v weeks %v purchases are expected and %v happened", f, after, expected, happened)
			}
			if math.Abs(alive-stayed) > 5*math.Sqrt(float64(n))/2+.005*float64(n) {
				t.Errorf("%+v: %v are expected to be alive and %v are", f, alive, stayed)
			}
			if after == 400 {
				continue
			}
			got, fit, err := FitFrequency(histories)
			if err != nil {
				t.Errorf("%+v: %v", f, err)
				continue
			}
			if mean, want := got.A/(got.A+got.B), f.A/(f.A+f.B); math.Abs(got.R/got.Alpha-f.R/f.Alpha) > .1*f.R/f.Alpha || math.Abs(mean-want) > .12*want {
				t.Errorf("%+v came back as %+v after %d steps", f, got, fit.Steps)
			}
		}
	}
}

// TestOrder: a snapshot is the same bytes in any order of customers and purchases, and whether a day's orders come as one or as several.
func TestOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(seed(t), 4))
	f := Frequency{.8, 5, .8, 2.5}
	var customers [][]Purchase
	for range 3000 {
		h, _, _ := f.customer(r, 50, 1)
		currency := []string{"EUR", "EUR", "GBP"}[r.IntN(3)]
		mean := gammaDraw(r, 4)
		c := []Purchase{{20_000 - h.Age, currency, 10}}
		for i := range h.Repeats {
			c = append(c, Purchase{20_000 - h.Age + 1 + i*h.Recency/max(h.Repeats, 1), currency, math.Ceil(mean*gammaDraw(r, 6)*4) * .25})
		}
		customers = append(customers, c)
	}
	s := Settings{At: schema.Instant(20_001 * microsecondsOfDay).String(), Horizon: 365, Margin: .3, Discount: .1}
	first, err := Take(s, slices.Values(customers))
	if err != nil {
		t.Fatal(err)
	}
	r.Shuffle(len(customers), func(i, j int) { customers[i], customers[j] = customers[j], customers[i] })
	for i, c := range customers {
		before, okBefore := first.Assess(c)
		whole := c[len(c)-1]
		half := whole
		half.Amount, whole.Amount = whole.Amount/2, whole.Amount/2
		customers[i] = append([]Purchase{half}, append(slices.Clone(c[:len(c)-1]), whole)...)
		r.Shuffle(len(customers[i]), func(a, b int) { customers[i][a], customers[i][b] = customers[i][b], customers[i][a] })
		after, ok := first.Assess(customers[i])
		if ok != okBefore || after.Lifetime == nil || before.Lifetime == nil || after.History != before.History || after.RFM != before.RFM || *after.Lifetime != *before.Lifetime || *after.Alive != *before.Alive {
			t.Fatalf("customer %d is %+v in one order and %+v in another", i, before, after)
		}
	}
	again, err := Take(s, slices.Values(customers))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := must(first.Encode()), must(again.Encode()); string(a) != string(b) || first.Version() != again.Version() {
		t.Errorf("in another order\n%s\nis\n%s", a, b)
	}
	read, err := ParseSnapshot(must(first.Encode()))
	if err != nil || read.Version() != first.Version() {
		t.Errorf("a snapshot read back is %+v, %v", read, err)
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// Where customers differ in nothing but chance, one parameter has its best value at infinity: the model then says the same of all.
func TestAllSpendAlike(t *testing.T) {
	r := rand.New(rand.NewPCG(seed(t), 5))
	var averages []Average
	for range 2000 {
		x := 1 + r.IntN(8)
		averages = append(averages, Average{int32(x), 20 * gammaDraw(r, 5*float64(x)) / (5 * float64(x))})
	}
	s, fit, _, err := FitSpend(averages)
	t.Logf("%+v in %d steps, %v", s, fit.Steps, err)
	if err != nil {
		if !errors.Is(err, ErrNoMaximum) {
			t.Fatal(err)
		}
		return
	}
	for _, a := range []Average{{0, 0}, {5, 15}, {3, 25}} {
		if got := s.Expect(a); math.Abs(got-20) > 1.5 {
			t.Errorf("%+v is expected to spend %v, want about 20", a, got)
		}
	}
}

// A hand-made set: ten customers, whose classes can be told at a glance.
func TestClasses(t *testing.T) {
	day := func(text string) int32 { return dayOf(t, "2006-01-02", text) }
	var customers [][]Purchase
	for i := range 10 { // customer i buys on i+1 days up to the (i+1)th of January, for 10 (i+1) a day
		var c []Purchase
		for d := range i + 1 {
			c = append(c, Purchase{day("2026-01-01") + int32(d), "EUR", float64(10 * (i + 1))})
		}
		customers = append(customers, c)
	}
	s, err := Take(Settings{At: "2026-02-01T00:00:00Z", Horizon: 365, Margin: .3}, slices.Values(customers))
	if err != nil {
		t.Fatal(err)
	}
	if s.ModelReason != ErrFewCustomers.Error() || s.Customers != 10 || s.Repeating != 9 || s.Purchases != 55 {
		t.Errorf("of ten customers the snapshot is %+v", s)
	}
	for i, c := range customers {
		a, ok := s.Assess(c)
		want := RFM{1 + i/2, 1 + i/2, 1 + i/2}
		if !ok || a.RFM != want || a.Alive != nil || a.Simple != nil || a.Currency != "EUR" {
			t.Errorf("customer %d is %+v, want %+v", i, a, want)
		}
	}
	if a, ok := s.Assess([]Purchase{{day("2026-02-01"), "EUR", 5}}); ok {
		t.Errorf("who bought after the snapshot is %+v", a)
	}
	if a, ok := s.Assess([]Purchase{{day("2026-01-31"), "", 0}}); !ok || a.RFM != (RFM{5, 1, 0}) || a.Currency != "" {
		t.Errorf("who bought for an unknown amount is %+v", a)
	}
	// Equal values are one class: of nine who bought once and one who bought twice, the nine are in the lowest.
	if c := cutsOf([]int32{1, 1, 1, 1, 1, 1, 1, 1, 1, 2}); c.class(1) != 1 || c.class(2) != 5 {
		t.Errorf("the cuts are %v", c)
	}
	if got := SimpleLifetime(100, .6, .1); math.Abs(got-120) > 1e-9 { // 100 × .6 / (1.1 − .6)
		t.Errorf("the simple lifetime value is %v, want 120", got)
	}
}

// TestNothingToFit: what determines no model is refused with the reason, and never a number.
func TestNothingToFit(t *testing.T) {
	same := func(n int, h History) (out []History) {
		for range n {
			out = append(out, h)
		}
		return out
	}
	for name, histories := range map[string][]History{
		"nobody": nil, "few": same(29, History{2, 30, 60}), "nobody came back": same(1000, History{0, 0, 60}),
		"all at once, on day 0": same(1000, History{0, 0, 0}),
	} {
		if _, _, err := FitFrequency(histories); !errors.Is(err, ErrFewCustomers) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// All the same: either a model with finite answers, or none.
	for _, h := range []History{{3, 60, 60}, {1, 1, 700}, {200, 300, 300}} {
		f, _, err := FitFrequency(same(500, h))
		if err == nil {
			if e, p := f.Expect(h, 365), f.Alive(h); math.IsNaN(e) || math.IsInf(e, 0) || e < 0 || math.IsNaN(p) || p < 0 || p > 1 {
				t.Errorf("%+v: model %+v expects %v, alive %v", h, f, e, p)
			}
		} else if !errors.Is(err, ErrNoMaximum) {
			t.Errorf("%+v: %v", h, err)
		}
	}
	for _, s := range []Settings{{}, {At: "2026-02-30T00:00:00Z", Horizon: 1, Margin: 1}, {At: "2026-02-03T00:00:00Z", Horizon: 0, Margin: 1}, {At: "2026-02-03T00:00:00Z", Horizon: 9, Margin: 30},
		{At: "2026-02-03T00:00:00Z", From: "2026-02-03T00:00:00Z", Horizon: 9, Margin: 1}, {At: "2026-02-03T00:00:00Z", Horizon: 9, Margin: 1, Discount: math.NaN()}} {
		if err := s.Check(); schema.ClassOf(err) != schema.Rejected {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// BenchmarkFit fits histories of a million customers over two years.
func BenchmarkFit(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	f := Frequency{.5, 6, .8, 2.5}
	histories := make([]History, 1_000_000)
	for i := range histories {
		histories[i], _, _ = f.customer(r, 104*r.Float64(), 0)
	}
	for b.Loop() {
		_, fit, err := FitFrequency(slices.Clone(histories))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(fit.Groups), "groups")
		b.ReportMetric(float64(fit.Steps), "steps")
	}
}
