package accuracy

import "math"

// Reliability says how often what was said to be so likely is so: a table over the stated probability.
type Reliability struct {
	Bins []Bin `json:"bins"`
	// Error is the expected calibration error: the mean distance of stated and observed share over the bins, weighed by their pairs.
	Error float64 `json:"error"`
}

// Bin is the pairs whose stated probability lies between two bounds; the upper one is in the next bin, 1 in the last.
type Bin struct {
	From     float64 `json:"from"`
	To       float64 `json:"to"`
	Pairs    int     `json:"pairs"`
	Stated   float64 `json:"stated"`   // the mean of what was stated
	Observed float64 `json:"observed"` // the share that is one person

	stated int64 // sum, in billionths: whole numbers, so that no order of adding changes it
	right  int
}

// bounds are close to each other where probabilities of links are: near 0 and 1.
var bounds = []float64{0, .001, .01, .1, .25, .5, .75, .9, .99, .999, 1}

// NewReliability makes an empty table.
func NewReliability() *Reliability {
	r := &Reliability{}
	for i := range len(bounds) - 1 {
		r.Bins = append(r.Bins, Bin{From: bounds[i], To: bounds[i+1]})
	}
	return r
}

const billion = 1_000_000_000

// Add notes pairs that were stated to be one person with a probability, and how many of them are.
func (r *Reliability) Add(stated float64, pairs, right int) {
	i := 0
	for i < len(r.Bins)-1 && stated >= r.Bins[i].To {
		i++
	}
	b := &r.Bins[i]
	b.Pairs += pairs
	b.right += right
	b.stated += int64(math.Round(stated*billion)) * int64(pairs)
}

// Close works out the means. Call it once, when all is added.
func (r *Reliability) Close() *Reliability {
	all, off := 0, 0.0
	for i := range r.Bins {
		b := &r.Bins[i]
		if b.Pairs == 0 {
			continue
		}
		b.Stated = float64(b.stated) / billion / float64(b.Pairs)
		b.Observed = float64(b.right) / float64(b.Pairs)
		all += b.Pairs
		off += float64(b.Pairs) * math.Abs(b.Stated-b.Observed)
	}
	if all > 0 {
		r.Error = off / float64(all)
	}
	return r
}
