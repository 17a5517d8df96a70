package timeline

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
)

func TestFilterNeverDeniesAndSeldomSuspects(t *testing.T) {
	const n = 600_000 // three layers
	f := newFilter()
	var wait sync.WaitGroup
	for g := range uint64(4) {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(9, g))
			for range n / 4 {
				id := schema.EventID(randomID(r))
				f.add(id)
				if !f.may(id) {
					t.Error("an id that was added is denied")
					return
				}
			}
		})
	}
	wait.Wait()
	for g := range uint64(4) {
		r := rand.New(rand.NewPCG(9, g))
		for range n / 4 {
			if !f.may(schema.EventID(randomID(r))) {
				t.Fatal("an id that was added is denied")
			}
		}
	}
	r, suspected := rand.New(rand.NewPCG(10, 0)), 0
	for range 100_000 {
		if f.may(schema.EventID(randomID(r))) {
			suspected++
		}
	}
	if suspected > 2_000 {
		t.Errorf("%d of 100,000 new ids are suspected, want 2 %% at most", suspected)
	}
	t.Logf("%d of 100,000 new ids suspected, %.1f bits an id", suspected, float64(f.bytes())*8/n)
}

func BenchmarkFilter(b *testing.B) {
	f, r := newFilter(), rand.New(rand.NewPCG(1, 1))
	for range 5_000_000 {
		f.add(schema.EventID(randomID(r)))
	}
	ids := make([]schema.EventID, 1<<16)
	for i := range ids {
		ids[i] = schema.EventID(randomID(r))
	}
	b.ResetTimer()
	for i := range b.N {
		f.may(ids[i&(1<<16-1)])
	}
	b.ReportMetric(float64(f.bytes()), "bytes")
}
