package accuracy_test

import (
	"math"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity/accuracy"
)

// Six records of two people, of whom one is unlabelled, worked out by hand.
func TestScore(t *testing.T) {
	labels := []string{"a", "a", "a", "b", "b", ""}
	profiles := []int{1, 1, 2, 2, 3, 2}
	s := accuracy.Of(labels, profiles)
	if s.TruePairs != 4 || s.SaidPairs != 2 || s.RightPairs != 1 || s.Largest != 3 || s.Profiles != 3 || s.Labelled != 5 {
		t.Errorf("%+v", s)
	}
	near := func(name string, got, want float64) {
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	near("precision", s.Precision, 1./2)
	near("recall", s.Recall, 1./4)
	near("F1", s.F1, 1./3)
	near("B3 precision", s.B3Precision, (1+1+.5+.5+1)/5)
	near("B3 recall", s.B3Recall, (2./3+2./3+1./3+.5+.5)/5)
}

func TestScoreOfNothing(t *testing.T) {
	if s := accuracy.Of([]string{"", ""}, []int{1, 1}); s.F1 != 1 || s.B3F1 != 1 || s.Largest != 2 {
		t.Errorf("%+v", s)
	}
}
