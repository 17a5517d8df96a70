package metric

import (
	"cmp"
	"math"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/care/stat"
	"github.com/dossier-cdp/dossier/schema"
)

// Spoken is how often a theme was spoken of in a period, and in the one of the same length before it.
type Spoken struct {
	Theme     string
	N, Before int64            // texts
	People    int64            // distinct profiles of N
	Negative  int64            // of N: where the clause that speaks of it is negative
	Newest    []schema.EventID // texts of N, newest first, at most five
}

// Rise is a theme that is spoken of more than before. Its estimate is how many times as often, with the 95 % interval.
type Rise struct {
	Spoken
	stat.Estimate
}

const themeMetric = "themeSentiment"

// Rising compiles what is spoken of in the period of a query and in the one before it: one Spoken a row. The query has a period; what it groups by is passed over.
//
//	theme String, n, before, people, negative UInt64, newest Array(UUID)
func Rising(q Query) (Statement, error) {
	if q.From == 0 || q.To == 0 || q.From >= q.To {
		return Statement{}, fault("rising themes want a period: from, and to after it")
	}
	d, _ := Find(themeMetric)
	split := q.From
	q.From, q.By, q.Keys = q.From-(q.To-q.From), []Dimension{Said}, nil
	rows, err := d.rows(q)
	if err != nil {
		return rows, err
	}
	rows.Params["split"] = split
	rows.SQL = `SELECT keys[1] AS theme, countIf(at >= {split:DateTime64(6)}) AS n, countIf(at < {split:DateTime64(6)}) AS before,
  uniqExactIf(profile, at >= {split:DateTime64(6)}) AS people, countIf(at >= {split:DateTime64(6)} AND hit < 0) AS negative,
  arrayMap(t -> t.2, arraySlice(arrayReverseSort(groupArrayIf((at, id), at >= {split:DateTime64(6)})), 1, 5)) AS newest
FROM
(
` + rows.SQL + `
)
GROUP BY theme
HAVING n > 0
ORDER BY theme
LIMIT 2000`
	return rows, nil
}

// Rises gives the themes of which more is said than before beyond chance: the lower bound of how many times as often is above 1. Those come first of which that bound is the
// highest. What is of fewer than stat.MinimumPeople is left out, and counted.
//
// Given how many texts there are in both periods, those of the later one are binomial (J. Przyborowski, H. Wilenski, Homogeneity of Results in Testing Samples
// from Poisson Series, 1940); the interval of their share is Wilson's.
func Rises(all []Spoken) (rises []Rise, hidden int) {
	for _, s := range all {
		r := Rise{s, s.times()}
		switch {
		case !(r.Low > 1):
		case s.People < stat.MinimumPeople:
			hidden++
		default:
			rises = append(rises, r)
		}
	}
	slices.SortFunc(rises, func(a, b Rise) int { return cmp.Or(cmp.Compare(b.Low, a.Low), cmp.Compare(a.Theme, b.Theme)) })
	return rises, hidden
}

// times is how many times as often the theme is spoken of.
func (s Spoken) times() stat.Estimate {
	share := stat.Proportion(s.N, s.N+s.Before)
	odds := func(p float64) float64 {
		if p >= 1 {
			return math.Inf(1)
		}
		return p / (1 - p)
	}
	return stat.Estimate{Value: odds(share.Value), Low: odds(share.Low), High: odds(share.High)}
}
