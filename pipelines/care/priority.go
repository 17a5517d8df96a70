package care

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Weights of the priority of an open case (B7): 100 × (Criticality × C + Wait × W + Value × V + Social × S).
type Weights struct {
	Criticality, Wait, Value, Social float64
	TopLane                          float64 // from this criticality on a case stands before all others
	Version                          string
}

// DefaultWeights are those of B7.
func DefaultWeights() Weights {
	return Weights{Criticality: .55, Wait: .20, Value: .15, Social: .10, TopLane: .9, Version: "default"}
}

// Check says what is wrong with weights, in one sentence.
func (w Weights) Check() error {
	for _, v := range []float64{w.Criticality, w.Wait, w.Value, w.Social, w.TopLane} {
		if !(v >= 0 && v <= 1) {
			return fmt.Errorf("weights: %v is not between 0 and 1", v)
		}
	}
	if total := w.Criticality + w.Wait + w.Value + w.Social; total < .999 || total > 1.001 {
		return fmt.Errorf("weights: they add up to %v, and must to 1", total)
	}
	return nil
}

// Inputs of a priority, each 0 to 1: criticality; the time waited over the time allowed; the percentile of the customer's value; influence, of
// public contacts only.
type Inputs struct{ Criticality, Wait, Value, Social float64 }

// Lane orders what no weight may: a critical case before all, then what is overdue, then the rest. So value and influence never push
// anyone past a deadline.
type Lane uint8

// The lanes, first served first.
const (
	LaneCritical Lane = iota
	LaneOverdue
	LaneOpen
)

// Priority of a case, with what it was made of.
type Priority struct {
	Inputs
	Score   float64 // 0 to 100
	Lane    Lane
	Reason  string // the input that adds the most
	Weights string // version of the weights
}

// Prioritise weighs a case. What is overdue is weighed by criticality and wait alone.
func (w Weights) Prioritise(in Inputs) Priority {
	in = Inputs{clip(in.Criticality), max(0, in.Wait), clip(in.Value), clip(in.Social)}
	p := Priority{Inputs: in, Lane: LaneOpen, Weights: w.Version}
	parts := []struct {
		reason string
		adds   float64
	}{
		{"criticality", w.Criticality * in.Criticality}, {"wait", w.Wait * min(1, in.Wait)}, {"value", w.Value * in.Value}, {"influence", w.Social * in.Social},
	}
	switch {
	case in.Criticality >= w.TopLane:
		p.Lane = LaneCritical
	case in.Wait >= 1:
		p.Lane = LaneOverdue
	}
	if p.Lane == LaneOverdue {
		parts = parts[:2]
		parts[1].adds = w.Wait * in.Wait // the longer overdue, the earlier
	}
	for _, part := range parts {
		p.Score += 100 * part.adds
	}
	p.Score = math.Round(p.Score*1e6) / 1e6
	p.Reason = slices.MaxFunc(parts, func(a, b struct {
		reason string
		adds   float64
	}) int {
		return cmp.Compare(a.adds, b.adds)
	}).reason
	return p
}

func clip(x float64) float64 { return min(1, max(0, x)) }
