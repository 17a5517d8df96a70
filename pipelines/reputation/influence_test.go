package reputation

import (
	"math"
	"testing"
)

// By hand: one post that nobody passed on and nobody answered has none; five posts of 0, 3, 9, 99 and 999 reposts (median 9: a third of the scale) and 9 people who answered are a third, halved by
// 5 / (5 + 5); a thousand of each over 95 posts are .95. More of anything never lowers it.
func TestInfluence(t *testing.T) {
	third := math.Log(10) / math.Log(1001)
	for _, c := range []struct {
		reposts  []int64
		repliers int
		want     float64
	}{
		{nil, 50, 0}, {[]int64{0}, 0, 0}, {[]int64{-1}, 0, 0}, {[]int64{999, 3, 0, 99, 9}, 9, third / 2}, {[]int64{9, 9}, 0, third / 2 * 2 / 7},
	} {
		if got := Influence(c.reposts, c.repliers); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v, %d: %v, want %v", c.reposts, c.repliers, got, c.want)
		}
	}
	many := make([]int64, 95)
	for i := range many {
		many[i] = 5000
	}
	if got := Influence(many, 100_000); math.Abs(got-.95) > 1e-12 {
		t.Errorf("%v", got)
	}
	if Influence([]int64{9, 9}, 3) <= Influence([]int64{9, 9}, 2) || Influence([]int64{9, 10}, 3) <= Influence([]int64{9, 9}, 3) || Influence([]int64{9, 9, 9}, 3) <= Influence([]int64{9, 9}, 3) {
		t.Error("more is less")
	}
}
