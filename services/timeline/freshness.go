package timeline

import (
	"math"
	"sync"
	"time"
)

// Freshness is the time from the receipt of an event to its row being visible, over the last five minutes, in seconds. The quantiles
// are at most 15 % too high.
type Freshness struct {
	N             int64
	P50, P90, P99 float64
}

// freshness counts delays in buckets of growing width, for each of the last slots of time.
type freshness struct {
	mu    sync.Mutex
	slots [freshSlots]freshSlot
}

type freshSlot struct {
	number int64 // since 1970, in freshSlotSeconds
	counts [freshBuckets]int64
}

const (
	freshSlots       = 30
	freshSlotSeconds = 10
	freshBuckets     = 110 // from a millisecond to more than an hour
	freshGrowth      = 1.15
)

// freshBucket is the bucket of a delay; its upper bound is freshGrowth to that power, in milliseconds.
func freshBucket(d time.Duration) int {
	ms := float64(d) / float64(time.Millisecond)
	if ms <= 1 {
		return 0
	}
	return min(int(math.Ceil(math.Log(ms)/math.Log(freshGrowth))), freshBuckets-1)
}

// add counts the delays of rows that became visible now.
func (f *freshness) add(now time.Time, delays func(yield func(d time.Duration))) {
	f.mu.Lock()
	defer f.mu.Unlock()
	number := now.Unix() / freshSlotSeconds
	slot := &f.slots[number%freshSlots]
	if slot.number != number {
		*slot = freshSlot{number: number}
	}
	delays(func(d time.Duration) { slot.counts[freshBucket(d)]++ })
}

// read sums up the slots of the last minutes.
func (f *freshness) read(now time.Time) Freshness {
	f.mu.Lock()
	defer f.mu.Unlock()
	var counts [freshBuckets]int64
	var out Freshness
	number := now.Unix() / freshSlotSeconds
	for i := range f.slots {
		if slot := &f.slots[i]; slot.number > number-freshSlots && slot.number <= number {
			for b, n := range slot.counts {
				counts[b] += n
				out.N += n
			}
		}
	}
	quantile := func(q float64) float64 {
		rank, seen := int64(math.Ceil(q*float64(out.N))), int64(0)
		for b, n := range counts {
			if seen += n; seen >= rank {
				return math.Pow(freshGrowth, float64(b)) / 1000
			}
		}
		return 0
	}
	if out.N > 0 {
		out.P50, out.P90, out.P99 = quantile(.5), quantile(.9), quantile(.99)
	}
	return out
}

// Freshness gives the delays of the last five minutes.
func (t *Timeline) Freshness() Freshness { return t.metrics.recent.read(t.Now()) }
