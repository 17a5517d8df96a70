package timeline

import (
	"testing"
	"time"
)

func TestFreshnessOfTheLastMinutes(t *testing.T) {
	var f freshness
	now := time.Unix(1_800_000_000, 0)
	if got := f.read(now); got != (Freshness{}) {
		t.Errorf("nothing was counted: %+v", got)
	}
	f.add(now.Add(-6*time.Minute), func(yield func(time.Duration)) {
		for range 1000 {
			yield(time.Hour)
		}
	})
	for s := range 100 {
		f.add(now.Add(-time.Duration(s)*time.Second), func(yield func(time.Duration)) {
			for ms := range 10 {
				yield(time.Duration(100*(ms+1)) * time.Millisecond)
			}
		})
	}
	got := f.read(now)
	if got.N != 1000 {
		t.Errorf("%d events, want the 1000 of the last five minutes", got.N)
	}
	for _, c := range []struct{ got, want float64 }{{got.P50, .5}, {got.P90, .9}, {got.P99, 1}} {
		if c.got < c.want || c.got > c.want*1.16 {
			t.Errorf("quantile %v, want %v to 15 %% more", c.got, c.want)
		}
	}
	f.add(now, func(yield func(time.Duration)) { yield(-time.Second); yield(0); yield(1000 * time.Hour) })
	if n := f.read(now).N; n != 1003 {
		t.Errorf("%d events after delays out of range, want 1003", n)
	}
}
