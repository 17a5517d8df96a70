package match_test

import "fmt"

// score is how well a partition fits the labels: all unordered pairs of labelled rows, and B-cubed.
type score struct {
	precision, recall, f1    float64
	bPrecision, bRecall, bF1 float64
	largest, profiles        int
}

func (s score) String() string {
	return fmt.Sprintf("P %.4f R %.4f F1 %.4f, B3 %.4f (P %.4f R %.4f), largest %d, profiles %d",
		s.precision, s.recall, s.f1, s.bF1, s.bPrecision, s.bRecall, s.largest, s.profiles)
}

func scoreOf(labels, profiles []string) score {
	type cell struct{ label, profile string }
	byLabel, byProfile, cells, all := map[string]int{}, map[string]int{}, map[cell]int{}, map[string]int{}
	n := 0
	for i, label := range labels {
		all[profiles[i]]++
		if label == "" {
			continue
		}
		n++
		byLabel[label]++
		byProfile[profiles[i]]++
		cells[cell{label, profiles[i]}]++
	}
	pairs := func(n int) float64 { return float64(n) * float64(n-1) / 2 }
	var truth, said, both float64
	var s score
	for _, n := range byLabel {
		truth += pairs(n)
	}
	for _, n := range byProfile {
		said += pairs(n)
	}
	for c, k := range cells {
		both += pairs(k)
		s.bPrecision += float64(k*k) / float64(byProfile[c.profile]) / float64(n)
		s.bRecall += float64(k*k) / float64(byLabel[c.label]) / float64(n)
	}
	for _, n := range all {
		s.largest = max(s.largest, n)
	}
	s.profiles = len(all)
	s.precision, s.recall = both/said, both/truth
	s.f1 = 2 * s.precision * s.recall / (s.precision + s.recall)
	s.bF1 = 2 * s.bPrecision * s.bRecall / (s.bPrecision + s.bRecall)
	return s
}
