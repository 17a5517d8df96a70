package reputation

import (
	"cmp"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/care/stat"
	"github.com/dossier-cdp/dossier/schema"
)

// Review is one published review, by its latest version, rated 1 to 5.
type Review struct {
	ID        string
	At        schema.Instant // published
	Rating    int
	RepliedAt schema.Instant // when the company answered in public; 0: not yet
}

// Reviews sums up ratings and replies.
type Reviews struct {
	Ratings    [5]int64      // of 1 to 5
	Invalid    int64         // rated otherwise; in no figure
	Positive   stat.Estimate // share of 4 and 5; its Low ranks places with few reviews behind those with many as good ones
	Negative   int64         // 1 and 2
	Replied    stat.Estimate // share of the negative ones that the company answered
	Unanswered []Review      // negative and without a reply: the right of reply waits. The longest waiting first
}

// Mean is the mean rating; NaN of none.
func (r Reviews) Mean() float64 {
	sum, n := 0.0, 0.0
	for i, count := range r.Ratings {
		sum, n = sum+float64(i+1)*float64(count), n+float64(count)
	}
	return sum / n
}

// Reviewed sums up reviews that are there once.
func Reviewed(reviews []Review) (out Reviews) {
	var n, replied int64
	for _, r := range reviews {
		if r.Rating < 1 || r.Rating > 5 {
			out.Invalid++
			continue
		}
		n++
		out.Ratings[r.Rating-1]++
		if r.Rating > 2 {
			continue
		}
		out.Negative++
		if r.RepliedAt != 0 {
			replied++
		} else {
			out.Unanswered = append(out.Unanswered, r)
		}
	}
	slices.SortFunc(out.Unanswered, func(a, b Review) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID)) })
	out.Positive, out.Replied = stat.Proportion(out.Ratings[3]+out.Ratings[4], n), stat.Proportion(replied, out.Negative)
	return out
}
