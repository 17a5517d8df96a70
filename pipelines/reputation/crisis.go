package reputation

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// Watch says when a brand's mentions are watched how.
type Watch struct {
	History int     // buckets of five minutes that make the usual; at least one day is waited for
	Alert   float64 // robust z above which a bucket is an alert
	Enter   int     // alerts among the last Among buckets that begin a crisis
	Among   int
	Leave   int // buckets without an alert that end it
	// Unfavourable is the least share of the judged mentions behind those alerts: much talk in good tone is no crisis.
	Unfavourable float64
}

// DefaultWatch looks back a week; three alerts in an hour begin a crisis if at least half of what is said is unfavourable, and six hours without one end it.
func DefaultWatch() Watch {
	return Watch{History: 7 * bucketsOfDay, Alert: 4, Enter: 3, Among: 12, Leave: 72, Unfavourable: .5}
}

const (
	bucket       = schema.Instant(5 * 60 * 1_000_000)
	bucketsOfDay = 24 * 12
)

// Alert is five minutes in which far more was said of a brand than usual.
type Alert struct {
	From     schema.Instant // the start of the five minutes
	Mentions int
	Usual    float64 // the median of the buckets before
	Z        float64 // (mentions − median) / max(1.4826 MAD, √max(median, 1))
}

// Crisis is the time from the first alert that counts for it to the last one.
type Crisis struct {
	Brand       string
	Recognised  schema.Instant // when the alerts were enough, at the end of a bucket: nothing later is used to know it
	From, Until schema.Instant // from the first alert's start to the last alert's end
	Ongoing     bool           // at the end of what is known
	Alerts      []Alert
	Tally       Tally     // of all mentions in From to Until
	Mentions    []Mention // unfavourable ones first, then the most reposted, then by time
}

// Watched runs the watch over a brand's mentions, each there once (Latest), from a start to an end: from start on mentions were collected, so that silence since
// then is known to be silence. Own accounts are left out, reposts count: they are how a crisis spreads.
func (w Watch) Watched(brand string, mentions []Mention, start, end schema.Instant) (alerts []Alert, crises []Crisis) {
	first := floorBucket(start)
	tallies := map[schema.Instant]Tally{}
	for _, m := range mentions {
		if m.Brand != brand || m.Own || m.At < first || m.At >= end {
			continue
		}
		t := tallies[floorBucket(m.At)]
		t.Add(m.Polarity)
		tallies[floorBucket(m.At)] = t
	}
	alerts, crises = w.Over(brand, tallies, start, end)
	for i := range crises {
		crises[i].gather(mentions)
	}
	return alerts, crises
}

// Over runs the watch over what was counted in each five minutes, by their beginning (Floor); those without mentions may be left out. The crises have counts and no mentions.
//
// A bucket is compared with those before it alone. The z is robust: a past peak moves neither median nor MAD (median of absolute deviations, scaled to the
// normal's standard deviation). Where MAD is 0, as of a brand that is seldom mentioned, the deviation of a Poisson count takes its place.
func (w Watch) Over(brand string, tallies map[schema.Instant]Tally, start, end schema.Instant) (alerts []Alert, crises []Crisis) {
	first := floorBucket(start)
	n := int((end - first + bucket - 1) / bucket)
	if n <= 0 {
		return nil, nil
	}
	of := func(i int) Tally { return tallies[first+schema.Instant(i)*bucket] }
	counts := make([]int, n)
	for at, t := range tallies {
		if at >= first && at < end {
			counts[int((at-first)/bucket)] = int(t.All())
		}
	}
	usual := newUsual()
	var recent []int // buckets of alerts that may begin a crisis
	var open *Crisis
	last := 0
	finish := func(ongoing bool) {
		open.Until, open.Ongoing = first+schema.Instant(last+1)*bucket, ongoing
		for at := open.From; at < open.Until; at += bucket {
			open.Tally.Join(tallies[at])
		}
		crises = append(crises, *open)
		open = nil
	}
	for i, count := range counts {
		if i >= bucketsOfDay {
			median, deviation := usual.spread()
			z := (float64(count) - median) / max(1.4826*deviation, math.Sqrt(max(median, 1)))
			if z > w.Alert {
				alert := Alert{first + schema.Instant(i)*bucket, count, median, z}
				alerts = append(alerts, alert)
				last = i
				if open != nil {
					open.Alerts = append(open.Alerts, alert)
				} else {
					recent = slices.DeleteFunc(append(recent, i), func(at int) bool { return at <= i-w.Among })
					var tone Tally
					for _, at := range recent {
						tone.Join(of(at))
					}
					if len(recent) >= w.Enter && tone.Judged() > 0 && float64(tone.Unfavourable) >= w.Unfavourable*float64(tone.Judged()) {
						from := first + schema.Instant(recent[0])*bucket
						open = &Crisis{Brand: brand, Recognised: first + schema.Instant(i+1)*bucket, From: from}
						for _, a := range alerts {
							if a.From >= from {
								open.Alerts = append(open.Alerts, a)
							}
						}
						recent = nil
					}
				}
			}
			if open != nil && i-last >= w.Leave {
				finish(false)
			}
		}
		usual.add(count)
		if i >= w.History {
			usual.remove(counts[i-w.History])
		}
	}
	if open != nil {
		finish(true)
	}
	return alerts, crises
}

// Bucket is how long mentions are counted together, in microseconds.
const Bucket = int64(bucket)

// Floor is the beginning of the five minutes that an instant lies in.
func Floor(at schema.Instant) schema.Instant { return floorBucket(at) }

func floorBucket(at schema.Instant) schema.Instant {
	if r := at % bucket; r < 0 {
		return at - r - bucket
	} else {
		return at - r
	}
}

// gather finds the mentions of a crisis.
func (c *Crisis) gather(mentions []Mention) {
	for _, m := range mentions {
		if m.Brand == c.Brand && !m.Own && m.At >= c.From && m.At < c.Until {
			c.Mentions = append(c.Mentions, m)
		}
	}
	slices.SortFunc(c.Mentions, func(a, b Mention) int {
		return cmp.Or(cmp.Compare(b.Polarity, a.Polarity), byAttention(a, b))
	})
}

// usual holds how many buckets had how many mentions: counts are small, so a median is found by adding up.
type usual struct {
	of []int // [count] buckets
	n  int
}

func newUsual() *usual { return &usual{} }

func (u *usual) add(count int) {
	for len(u.of) <= count {
		u.of = append(u.of, 0)
	}
	u.of[count]++
	u.n++
}

func (u *usual) remove(count int) {
	u.of[count]--
	u.n--
}

// spread gives the median and the median absolute deviation from it. Of an even number the lower middle one counts.
func (u *usual) spread() (median, deviation float64) {
	m := u.middle(func(count int) int { return u.of[count] }, len(u.of))
	d := u.middle(func(distance int) int {
		n := 0
		if at := m + distance; at < len(u.of) {
			n += u.of[at]
		}
		if at := m - distance; distance > 0 && at >= 0 {
			n += u.of[at]
		}
		return n
	}, len(u.of)+1)
	return float64(m), float64(d)
}

func (u *usual) middle(buckets func(value int) int, values int) int {
	seen := 0
	for v := range values {
		if seen += buckets(v); seen >= (u.n+1)/2 {
			return v
		}
	}
	return 0
}

// Explain says in one sentence why it is a crisis, in French (fr) or English.
func (c Crisis) Explain(language string) string {
	peak := Alert{}
	for _, a := range c.Alerts {
		if a.Z > peak.Z {
			peak = a
		}
	}
	text := "%s: %d alerts from %s on, recognised at %s; %d of %d judged mentions are unfavourable. At most %d mentions in five minutes where %.4g are usual (robust z %.1f)."
	if language == "fr" {
		text = "%s : %d alertes à partir de %s, reconnue à %s ; %d des %d mentions jugées sont défavorables. Au plus %d mentions en cinq minutes, contre %.4g d'habitude (z robuste %.1f)."
	}
	return fmt.Sprintf(text, c.Brand, len(c.Alerts), c.From, c.Recognised, c.Tally.Unfavourable, c.Tally.Judged(), peak.Mentions, peak.Usual, peak.Z)
}
