package value

import (
	"slices"
	"testing"
)

// Who buys more stands higher; few purchases draw to the middle; a snapshot without lifetime values tells by what was spent.
func TestPercentile(t *testing.T) {
	buys := func(n int, amount float64) (all []Purchase) {
		for i := range n {
			all = append(all, Purchase{Day: 20_000 - int32(20*i), Currency: "EUR", Amount: amount})
		}
		return all
	}
	var everybody [][]Purchase
	for n := range 200 {
		everybody = append(everybody, buys(1+n%10, 10+float64(n)/2))
	}
	s, err := Take(Settings{At: "2024-10-15T00:00:00Z", Horizon: 365, Margin: .3, Discount: .1}, slices.Values(everybody))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Currencies) != 1 || len(s.Currencies[0].Lifetimes) != 19 || !slices.IsSorted(s.Currencies[0].Lifetimes) {
		t.Fatalf("the lifetime values are parted at %v", s.Currencies)
	}
	of := func(s *Snapshot, all []Purchase) float64 {
		t.Helper()
		a, ok := s.Assess(all)
		if !ok || a.Percentile == nil || *a.Percentile < 0 || *a.Percentile > 1 {
			t.Fatalf("assessed as %+v", a)
		}
		return *a.Percentile
	}
	best, middle, least := of(s, buys(10, 108)), of(s, buys(5, 60)), of(s, buys(9, 10))
	if !(best > middle && middle > least) || best < .8 || least > .4 {
		t.Errorf("the percentiles are %v, %v and %v", best, middle, least)
	}
	// One purchase leaves a quarter of the distance to the middle: at most .5 ± .125.
	for _, amount := range []float64{10, 60, 109} {
		if p := of(s, buys(1, amount)); p < .375 || p > .625 {
			t.Errorf("one purchase of %v gives %v", amount, p)
		}
	}
	older := *s
	older.Currencies = slices.Clone(s.Currencies)
	older.Currencies[0].Lifetimes = nil
	// The highest of five classes by what was spent: .5 + (.9 - .5) × 10 / 13.
	if p, want := of(&older, buys(10, 108)), .5+.4*10/13; p < want-1e-9 || p > want+1e-9 {
		t.Errorf("by what was spent %v, want %v", p, want)
	}
	if a, ok := s.Assess([]Purchase{{Day: 20_000}}); !ok || a.Percentile != nil {
		t.Errorf("without an amount %+v", a)
	}
}
