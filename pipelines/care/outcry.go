package care

import (
	"math"

	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/schema"
)

// Outcry gives the alerts about what is said of a brand in public that came true in (since, end]: far more posts in five minutes than usual, a crisis, its end. tallies are those
// of each five minutes by their beginning, from start on; while a crisis goes on it stands for the five minutes that make it up.
func (r *Rules) Outcry(w reputation.Watch, brand string, tallies map[schema.Instant]reputation.Tally, start, since, end schema.Instant) (list []Alert) {
	bucket := schema.Instant(reputation.Bucket)
	alerts, crises := w.Over(brand, tallies, start, end)
	add := func(rule string, at, from schema.Instant, t reputation.Tally, peak reputation.Alert) {
		if at <= since || at > end {
			return
		}
		a := Alert{
			Rule: rule, At: at, Since: from, Rules: r.Version, Brand: brand, Count: uint32(min(t.All(), math.MaxUint32)), Unfavourable: uint32(min(t.Unfavourable, math.MaxUint32)),
			Median: peak.Usual, Z: math.Round(peak.Z*1e6) / 1e6, name: brand,
		}
		if peak.Z > 0 {
			a.Spread = math.Round((float64(peak.Mentions)-peak.Usual)/peak.Z*1e6) / 1e6
		}
		list = append(list, a)
	}
	for _, c := range crises {
		var known reputation.Tally // by when it was recognised
		peak := reputation.Alert{}
		for at := c.From; at < c.Recognised; at += bucket {
			known.Join(tallies[at])
		}
		for _, a := range c.Alerts {
			if a.From < c.Recognised && a.Z > peak.Z {
				peak = a
			}
		}
		add(AlertCrisis, c.Recognised, c.From, known, peak)
		if !c.Ongoing {
			add(AlertCrisisOver, c.Until+schema.Instant(w.Leave)*bucket, c.From, c.Tally, reputation.Alert{})
		}
	}
	for _, a := range alerts {
		at, within := a.From+bucket, false
		for _, c := range crises {
			within = within || at >= c.Recognised && (c.Ongoing || at <= c.Until)
		}
		if !within {
			add(AlertMentions, at, a.From, tallies[a.From], a)
		}
	}
	return list
}
