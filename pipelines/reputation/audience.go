package reputation

// Audience is what a platform says of who saw a mention and what they did; −1 where it says nothing, so that 0 means nobody.
type Audience struct {
	Reach       int64 // different people who saw it
	Impressions int64 // times that it was seen
	Followers   int64 // of the author, when it was published

	Applause      int64 // likes and the like
	Conversation  int64 // replies
	Amplification int64 // reposts
	Clicks        int64 // told apart: no interaction in the rates
	Saves         int64 // told apart
}

// NoAudience is of a platform that says nothing.
func NoAudience() Audience { return Audience{-1, -1, -1, -1, -1, -1, -1, -1} }

// Denominator is what interactions are divided by. A rate by one cannot be compared with a rate by another.
type Denominator uint8

// The denominators.
const (
	PerReach Denominator = iota
	PerImpression
	PerFollower
)

func (d Denominator) of(a Audience) int64 {
	return [...]int64{a.Reach, a.Impressions, a.Followers}[d]
}

// Engagement are rates over one denominator: sums divided by sums, over the mentions that state both. A rate of nothing is nil.
type Engagement struct {
	Denominator                                    Denominator
	Over                                           int64 // the sum of the denominator
	Mentions                                       int   // that count
	Left                                           int   // that do not state the denominator, or no interaction
	Applause, Conversation, Amplification, Overall *float64
}

// Engage gives the rates. A kind of interaction that some mentions do not state counts over those that do.
func Engage(mentions []Mention, d Denominator) Engagement {
	e := Engagement{Denominator: d}
	var sums, over [4]int64
	for _, m := range mentions {
		a := m.Audience
		by := d.of(a)
		kinds := [3]int64{a.Applause, a.Conversation, a.Amplification}
		if by <= 0 || max(kinds[0], kinds[1], kinds[2]) < 0 {
			e.Left++
			continue
		}
		e.Mentions++
		e.Over += by
		for i, n := range kinds {
			if n >= 0 {
				sums[i], over[i] = sums[i]+n, over[i]+by
				sums[3] += n
			}
		}
		over[3] += by
	}
	rate := func(i int) *float64 {
		if over[i] == 0 {
			return nil
		}
		r := float64(sums[i]) / float64(over[i])
		return &r
	}
	e.Applause, e.Conversation, e.Amplification, e.Overall = rate(0), rate(1), rate(2), rate(3)
	return e
}

// Reach is how many different people saw a set of mentions. Platforms count people of one mention, and the same people see several: so it lies between the
// largest mention and the sum of all, and no total is made up.
type Reach struct {
	AtLeast, AtMost int64
	Measured        int // mentions whose reach the platform measured
	Estimated       int // mentions without, taken to have reached at most their impressions or the author's followers
	Unknown         int // mentions of which nothing is known; in no figure
}

// Estimate says whether any part of it is estimated.
func (r Reach) Estimate() bool { return r.Estimated > 0 }

// Reached sums up the reach of mentions.
func Reached(mentions []Mention) (r Reach) {
	for _, m := range mentions {
		a := m.Audience
		switch {
		case a.Reach >= 0:
			r.Measured++
			r.AtLeast, r.AtMost = max(r.AtLeast, a.Reach), r.AtMost+a.Reach
		case a.Impressions >= 0 || a.Followers >= 0:
			// What is only estimated bounds from above alone.
			r.Estimated++
			r.AtMost += max(a.Impressions, a.Followers)
		default:
			r.Unknown++
		}
	}
	return r
}
