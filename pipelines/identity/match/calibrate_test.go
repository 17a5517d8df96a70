package match

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Outcomes that were drawn under a slope and an offset give these back; outcomes that are all one give none that a model would take for a slope.
func TestFit(t *testing.T) {
	for _, want := range []Calibration{{1, 0}, {.6, .5}, {.8, -2}, {1.4, 1}} {
		rng := rand.New(rand.NewPCG(1, 2))
		var weights []float64
		var same []bool
		for range 40_000 {
			w := 30*rng.Float64() - 15
			weights = append(weights, w)
			same = append(same, rng.Float64() < 1/(1+math.Exp2(-want.Slope*w-want.Offset)))
		}
		got := fit(weights, same)
		if got == nil || math.Abs(got.Slope-want.Slope) > .05 || math.Abs(got.Offset-want.Offset) > .15 {
			t.Errorf("fitted %+v, want %+v", got, want)
		}
	}
	if got := fit(nil, nil); got != nil {
		t.Errorf("nothing gives %+v", got)
	}
	if got := fit([]float64{-3, -2, 2, 3}, []bool{true, true, false, false}); got != nil {
		t.Errorf("weights that say the contrary give %+v", got)
	}
}

// A calibration changes what a weight states.
func TestProbability(t *testing.T) {
	m := &Model{}
	if p := m.Probability(0); p != .5 {
		t.Errorf("even odds state %v", p)
	}
	m.Calibration = &Calibration{.5, 1}
	if p := m.Probability(4 * Bit); math.Abs(p-8./9) > 1e-12 {
		t.Errorf("4 bits state %v, want 8/9", p)
	}
}
