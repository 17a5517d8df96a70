package reputation

import (
	"math"
	"slices"
)

// The scale of Influence: a thousand reposts in the median and a thousand people who answer are all of it.
const (
	fullInfluence   = 1000
	influenceShrink = 5 // posts that tell as much as knowing nothing
)

// Influence is how far a person's posts about a brand of one's own are carried, 0 to 1: log(1 + median reposts) and log(1 + different people who answered), each to a thousand, drawn to 0 where
// few posts tell of it (n / (n + 5)). A post of which the platform tells no reposts has none.
//
// How many follow somebody is no part of it: followers alone say little of influence (M. Cha, H. Haddadi, F. Benevenuto, K. Gummadi, Measuring User Influence in Twitter, 2010).
// It may raise the priority of a public contact, by its weight and no more, and is put to no other use: it never lowers anything.
func Influence(reposts []int64, repliers int) float64 {
	if len(reposts) == 0 {
		return 0
	}
	sorted := slices.Clone(reposts)
	for i := range sorted {
		sorted[i] = max(0, sorted[i])
	}
	slices.Sort(sorted)
	n := len(sorted)
	median := float64(sorted[n/2])
	if n%2 == 0 {
		median = float64(sorted[n/2-1]+sorted[n/2]) / 2
	}
	part := func(x float64) float64 { return min(1, math.Log1p(x)/math.Log1p(fullInfluence)) }
	return (part(median) + part(float64(repliers))) / 2 * float64(n) / float64(n+influenceShrink)
}
