package metric

import (
	"strconv"

	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/schema"
)

// Watched is what was said of a brand in five minutes.
type Watched struct {
	Brand string
	At    schema.Instant // their beginning
	Tally reputation.Tally
}

// maxWatched bounds the period of a look for crises.
const maxWatched = 5 * 366 * day

// Watch compiles what was said of each brand in each five minutes of the period of a query, and of as long before it as the settings look back: one Watched a row. Filters
// hold; what the query groups by is passed over.
//
//	brand String, at Int64 (microseconds), favourable, neutral, unfavourable, unjudged UInt64
func Watch(q Query) (Statement, error) {
	if q.From == 0 || q.To == 0 || q.From >= q.To || int64(q.To-q.From) > maxWatched {
		return Statement{}, fault("crises want a period of at most five years: from, and to after it")
	}
	d, _ := Find("mentionVolume")
	q.From, q.By, q.Keys = q.From-schema.Instant(2*int64(q.settings().Watch.History)*reputation.Bucket), []Dimension{Brand, Polarity}, nil
	rows, err := d.rows(q)
	if err != nil {
		return rows, err
	}
	rows.SQL = `SELECT keys[1] AS brand, intDiv(toUnixTimestamp64Micro(at), ` + strconv.FormatInt(reputation.Bucket, 10) + `) * ` + strconv.FormatInt(reputation.Bucket, 10) + ` AS begin,
  countIf(keys[2] = 'favourable') AS favourable, countIf(keys[2] = 'neutral') AS neutral, countIf(keys[2] = 'unfavourable') AS unfavourable, countIf(keys[2] = '') AS unjudged
FROM
(
` + rows.SQL + `
)
WHERE code = 0 AND brand != ''
GROUP BY brand, begin
ORDER BY brand, begin`
	return rows, nil
}

// Crises finds the crises of what Watch has counted, of those brands that one watches: one's own, or all where no brand is said to be. They are by brand, then time. What was over
// before the period of the query is left out.
func Crises(q Query, all []Watched) (crises []reputation.Crisis) {
	s := q.settings()
	start := schema.Instant(0)
	for i, w := range all {
		if i == 0 || w.At < start {
			start = w.At
		}
	}
	for len(all) > 0 {
		brand, tallies := all[0].Brand, map[schema.Instant]reputation.Tally{}
		n := 0
		for ; n < len(all) && all[n].Brand == brand; n++ {
			tallies[all[n].At] = all[n].Tally
		}
		all = all[n:]
		if !s.Watches(brand) {
			continue
		}
		_, found := s.Watch.Over(brand, tallies, start, q.To)
		for _, c := range found {
			if c.Until > q.From {
				crises = append(crises, c)
			}
		}
	}
	return crises
}

// Voices compiles the posts of a crisis that speak most of it: unfavourable ones first, of these those passed on most, then the earliest.
//
//	event UUID
func Voices(q Query, c reputation.Crisis, first int) Statement {
	return Statement{`SELECT event FROM current_mentions
WHERE workspace = {workspace:String} AND brand = {brand:String} AND own = 0 AND occurred_at >= {from:DateTime64(6)} AND occurred_at < {to:DateTime64(6)}
ORDER BY polarity = 'unfavourable' DESC, amplification DESC, occurred_at ASC, id ASC
LIMIT ` + strconv.Itoa(first), map[string]any{"workspace": q.Workspace, "brand": c.Brand, "from": c.From, "to": c.Until}}
}
