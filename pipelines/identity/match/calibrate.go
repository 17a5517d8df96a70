package match

import (
	"math"

	"github.com/dossier-cdp/dossier/schema"
)

// calibrate fits how weights become probabilities to the pairs of labelled cores that are compared, each core as it stands alone. It leaves the model as it was if
// labels are few, or say nothing that a slope could follow.
func (t *training) calibrate() error {
	if !t.taught.trusted {
		return nil
	}
	s := NewSet(t.model)
	for i := range t.cores {
		s.Put(t.cores[i])
	}
	var weights []float64
	var same []bool
	s.Candidates(func(a, b schema.ProfileID, weight Bits, forbidden bool) {
		x, y := t.Answers.Labels[a], t.Answers.Labels[b]
		if x != "" && y != "" && !forbidden {
			weights, same = append(weights, weight.Float()), append(same, x == y)
		}
	})
	if c := fit(weights, same); c != nil {
		t.model.Calibration = c
		return t.model.Prepare()
	}
	return nil
}

// fit finds the slope and offset under which the observed outcomes are likeliest, by Newton's method; nil if there is no such slope above 0.
func fit(weights []float64, same []bool) *Calibration {
	if len(weights) == 0 {
		return nil
	}
	slope, offset := 1.0, 0.0
	for range 50 {
		// The gradient, and the matrix of second derivatives; the small sums at its corners keep it from being singular.
		var g0, g1 float64
		h00, h01, h11 := 1e-9, 0.0, 1e-9
		for i, w := range weights {
			p := 1 / (1 + math.Exp2(-slope*w-offset))
			y := 0.0
			if same[i] {
				y = 1
			}
			v := p * (1 - p) * math.Ln2
			g0, g1 = g0+(y-p)*w, g1+(y-p)
			h00, h01, h11 = h00+v*w*w, h01+v*w, h11+v
		}
		d := h00*h11 - h01*h01
		if d <= 0 {
			return nil
		}
		bySlope, byOffset := (g0*h11-g1*h01)/d, (g1*h00-g0*h01)/d
		far := max(math.Abs(bySlope), math.Abs(byOffset), .5) / .5 // no step past half a bit: far from the solution steps overshoot
		slope, offset = slope+bySlope/far, offset+byOffset/far
		if math.Abs(bySlope)+math.Abs(byOffset) < 1e-6 {
			break
		}
	}
	if !(slope > .01 && slope < 10 && math.Abs(offset) < 60) {
		return nil
	}
	return &Calibration{significant(slope), significant(offset)}
}
