package accuracy_test

import (
	"math"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity/accuracy"
)

func TestReliability(t *testing.T) {
	r := accuracy.NewReliability()
	r.Add(.6, 3, 1)
	r.Add(.7, 1, 1)
	r.Add(1, 2, 2)
	r.Add(0, 4, 0)
	r.Close()
	at := map[float64]accuracy.Bin{}
	for _, b := range r.Bins {
		at[b.From] = b
	}
	if b := at[.5]; b.Pairs != 4 || math.Abs(b.Stated-.625) > 1e-9 || b.Observed != .5 {
		t.Errorf("%+v", b)
	}
	if b := at[.999]; b.Pairs != 2 || b.Stated != 1 || b.Observed != 1 {
		t.Errorf("%+v", b)
	}
	if want := 4 * .125 / 10; math.Abs(r.Error-want) > 1e-9 {
		t.Errorf("error %v, want %v", r.Error, want)
	}
}
