// Package accuracy says how well who is who fits the truth, where the truth is known: pairwise and B-cubed scores of a partition, and how
// far stated probabilities are kept.
//
// A record with an empty label is one about whom nobody knows the truth: it counts for the sizes of profiles, and for nothing else.
package accuracy

import (
	"fmt"
	"maps"
	"slices"
)

// Score is how well a partition of records fits their labels. Shares are 0 to 1; where there is nothing to be right about they are 1.
type Score struct {
	// Precision is the share of the pairs said to be one person that are; Recall the share of the true pairs that were said; F1 their harmonic
	// mean. All unordered pairs of labelled records count.
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	// B-cubed (A. Bagga and B. Baldwin, Algorithms for Scoring Coreference Chains, 1998): of each record, the share of its profile that is its
	// person, and the share of its person that is in its profile; the means over all labelled records.
	B3Precision float64 `json:"b3Precision"`
	B3Recall    float64 `json:"b3Recall"`
	B3F1        float64 `json:"b3F1"`
	// TruePairs, SaidPairs and RightPairs are what Precision and Recall are made of.
	TruePairs  int `json:"truePairs"`
	SaidPairs  int `json:"saidPairs"`
	RightPairs int `json:"rightPairs"`
	// Labelled is how many records have a label; Profiles how many profiles there are, and Largest how many records the largest has, labelled or not.
	Labelled int `json:"labelled"`
	Profiles int `json:"profiles"`
	Largest  int `json:"largest"`
}

func (s Score) String() string {
	return fmt.Sprintf("P %.4f R %.4f F1 %.4f, B3 %.4f (P %.4f R %.4f), largest %d, profiles %d",
		s.Precision, s.Recall, s.F1, s.B3F1, s.B3Precision, s.B3Recall, s.Largest, s.Profiles)
}

// Of scores a partition: the label and the profile of each record. Both slices are of one length.
func Of[L, P comparable](labels []L, profiles []P) Score {
	type cell struct {
		label   L
		profile P
	}
	var unknown L
	byLabel, byProfile, cells, all := map[L]int{}, map[P]int{}, map[cell]int{}, map[P]int{}
	s := Score{Precision: 1, Recall: 1}
	for i, label := range labels {
		all[profiles[i]]++
		if label == unknown {
			continue
		}
		s.Labelled++
		byLabel[label]++
		byProfile[profiles[i]]++
		cells[cell{label, profiles[i]}]++
	}
	for _, n := range byLabel {
		s.TruePairs += Pairs(n)
	}
	for _, n := range byProfile {
		s.SaidPairs += Pairs(n)
	}
	// Sums of fractions depend on the order of adding, and maps have none: the cells of one profile and one label are counted by size.
	type sizes struct{ both, profile, label int }
	counts := map[sizes]int{}
	for c, k := range cells {
		s.RightPairs += Pairs(k)
		counts[sizes{k, byProfile[c.profile], byLabel[c.label]}]++
	}
	for _, n := range all {
		s.Largest = max(s.Largest, n)
	}
	s.Profiles = len(all)
	if s.SaidPairs > 0 {
		s.Precision = float64(s.RightPairs) / float64(s.SaidPairs)
	}
	if s.TruePairs > 0 {
		s.Recall = float64(s.RightPairs) / float64(s.TruePairs)
	}
	s.F1 = harmonic(s.Precision, s.Recall)
	s.B3Precision, s.B3Recall = 1, 1
	if s.Labelled > 0 {
		inProfile, inLabel := map[int]int{}, map[int]int{} // squares, by the size that divides them
		for c, n := range counts {
			inProfile[c.profile] += n * c.both * c.both
			inLabel[c.label] += n * c.both * c.both
		}
		s.B3Precision = sum(inProfile) / float64(s.Labelled)
		s.B3Recall = sum(inLabel) / float64(s.Labelled)
	}
	s.B3F1 = harmonic(s.B3Precision, s.B3Recall)
	return s
}

// Pairs is how many unordered pairs n records have.
func Pairs(n int) int { return n * (n - 1) / 2 }

// sum adds squares over their divisors, in the order of the divisors.
func sum(byDivisor map[int]int) (total float64) {
	for _, divisor := range slices.Sorted(maps.Keys(byDivisor)) {
		total += float64(byDivisor[divisor]) / float64(divisor)
	}
	return total
}

func harmonic(a, b float64) float64 {
	if a+b == 0 {
		return 0
	}
	return 2 * a * b / (a + b)
}
