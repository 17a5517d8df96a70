package care

import (
	"math"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// SpikeSettings say when far more customers speak up on a channel than usual.
type SpikeSettings struct {
	Bucket  Span    // what is counted together; 0 is never
	Days    int     // before, with whose same time of day one is compared
	Z       float64 // robust z above which it is a spike (R9)
	Minimum uint32  // conversations in the bucket, below which it is none
}

// DefaultSpike counts quarters of an hour against those around the same time of the 28 days before: z above 4, and ten conversations at least.
func DefaultSpike() SpikeSettings {
	return SpikeSettings{Bucket: 15 * minute, Days: 28, Z: 4, Minimum: 10}
}

// leastDays is how long a channel must have been known before anything is unusual on it.
const leastDays = 7

// Floor is the beginning of the bucket that an instant lies in.
func (s SpikeSettings) Floor(at schema.Instant) schema.Instant {
	b := schema.Instant(s.Bucket)
	floor := at - at%b
	if floor > at {
		floor -= b
	}
	return floor
}

// Spike compares the conversations that customers began on one channel in the bucket that ends at an instant with those of the days before, in the
// buckets of the same time of day and on either side of it. counts has the buckets by their beginning; empty ones may be left out. It is compared with
// the past alone, and by median and median absolute deviation, which a past peak does not move; the deviation counts for one conversation at least, so
// that noise after silence is none.
func (r *Rules) Spike(channel string, counts map[schema.Instant]uint32, end schema.Instant) (a Alert, is bool) {
	s := r.Alert.Spike
	if s.Bucket == 0 {
		return a, false
	}
	bucket := schema.Instant(s.Bucket)
	now := counts[end-bucket]
	if now < s.Minimum {
		return a, false
	}
	first := end
	for at := range counts { // a minimum: the order changes nothing
		first = min(first, at)
	}
	days := min(s.Days, int((end-first)/schema.Instant(24*hour)))
	if days < leastDays {
		return a, false
	}
	var before []float64
	for d := 1; d <= days; d++ {
		same := end - bucket - schema.Instant(d)*schema.Instant(24*hour)
		for beside := schema.Instant(-1); beside <= 1; beside++ {
			before = append(before, float64(counts[same+beside*bucket]))
		}
	}
	middle := median(before)
	for i := range before {
		before[i] = math.Abs(before[i] - middle)
	}
	spread := max(1, 1.4826*median(before)) // a standard deviation, were it normal
	z := (float64(now) - middle) / spread
	if z <= s.Z {
		return a, false
	}
	return Alert{
		Rule: AlertSpike, At: end, Since: end - bucket, Rules: r.Version, Channel: channel, Count: now, Median: middle,
		Spread: math.Round(spread*1e6) / 1e6, Z: math.Round(z*1e6) / 1e6, name: channel,
	}, true
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}
