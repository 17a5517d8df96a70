package metric

import (
	"maps"
	"math"
	"math/big"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/care/stat"
	"github.com/dossier-cdp/dossier/schema"
)

// Tally is what the rows of one group were counted to.
type Tally struct {
	Whole        bool     // all rows of the query
	Keys         []string // one for each dimension of By; none if Whole
	N            int64    // rows that count
	People       int64    // distinct profiles of these, and of those that are not over
	Up, Down     int64    // rows that hit, and that miss
	Sum, Squares *big.Int // of the values, exact
	Marks        []int64
	Sums         []*big.Int       // further sums of the definition
	Reasons      map[string]int64 // rows that do not count, by reason
	Calendars    []string         // versions that the rows stand on: of calendars, or what else Definition.Stamp says
	Over, Open   []int64          // durations in microseconds, ascending: of rows that count, and of those that are not over
}

// Exclusion is how many rows do not count for one reason.
type Exclusion struct {
	Reason string
	N      int64
}

// Part is another estimate of the same rows, named.
type Part struct {
	Name string
	stat.Estimate
	N int64 // rows that it is of
}

// Figure is what a metric comes to. Where Suppressed, there is no estimate, numerator or part.
type Figure struct {
	Keys []string
	stat.Estimate
	N, People   int64
	Numerator   *big.Rat // of the value's fraction; nil where it is none
	Denominator int64
	Open        int64 // rows that are not over, counted as censored
	NotReached  bool  // a median that fewer than half of the rows have reached
	Suppressed  bool
	Parts       []Part
	Exclusions  []Exclusion // by reason
	Calendars   []string
	Place       int // among the groups, 1 is the best; 0: it has none (rank)
}

// Figures makes figures of the tallies of a query, that of all rows first. others are the tallies of the metrics that Uses names. What is of fewer than
// stat.MinimumPeople is suppressed.
func (d Definition) Figures(q Query, tallies []Tally, others map[string][]Tally) (whole Figure, groups []Figure) {
	d = d.adapted(q)
	var people []int64
	figures := make([]*Figure, len(tallies))
	for i, t := range tallies {
		f := d.figure(q, t)
		if d.compose != nil {
			d.composed(&f, q, t, others)
		}
		figures[i] = &f
	}
	if d.relate != nil {
		d.relate(q, tallies, figures)
	}
	for i, t := range tallies {
		if t.Whole {
			whole = *figures[i]
		} else {
			groups, people = append(groups, *figures[i]), append(people, t.People)
		}
	}
	hidden := make([]bool, len(groups))
	if d.Employee {
		hidden, _ = stat.Suppress(people, stat.MinimumPeople)
	}
	for i := range groups {
		if hidden[i] || few(groups[i].People) {
			groups[i].suppress()
		}
	}
	if few(whole.People) {
		whole.suppress()
	}
	d.rank(groups)
	return whole, groups
}

// Stamp says what the versions are that a figure's Calendars name.
func (d Definition) Stamp() string { return d.subject.stamped().name }

// Uses are the metrics whose tallies Figures needs beside the metric's own, of the same query.
func (d Definition) Uses() []string { return slices.Clone(d.uses) }

// MinimumRanked is the fewest rows that a group needs to have a place among others.
const MinimumRanked = 30

// rank gives places: one more than the number of groups that are better beyond their intervals. So groups whose intervals overlap are never put
// before one another by chance alone, and may share a place. What has too few rows, no interval or no value has no place.
func (d Definition) rank(groups []Figure) {
	if d.Statistic == Composite || d.Employee {
		return // a band of priors is no interval; employees are not ranked
	}
	ranked := func(f Figure) bool {
		return f.Known() && !f.Suppressed && f.N >= MinimumRanked && !math.IsInf(f.Low, 0) && !math.IsInf(f.High, 0) && f.Low < f.High
	}
	var ends []float64 // of the others' intervals, on the side that is worse
	for _, g := range groups {
		switch {
		case !ranked(g):
		case d.Lower:
			ends = append(ends, g.High)
		default:
			ends = append(ends, -g.Low)
		}
	}
	slices.Sort(ends)
	for i := range groups {
		if g := &groups[i]; ranked(*g) {
			best := g.Low
			if !d.Lower {
				best = -g.High
			}
			better, _ := slices.BinarySearch(ends, best)
			g.Place = better + 1
		}
	}
}

func few(people int64) bool { return people > 0 && people < stat.MinimumPeople }

func (f *Figure) suppress() {
	f.Suppressed, f.NotReached = true, false
	f.Estimate, f.Numerator, f.Parts = stat.None(), nil, nil
}

func (d Definition) figure(q Query, t Tally) Figure {
	f := Figure{Keys: t.Keys, Estimate: stat.None(), N: t.N, People: t.People, Denominator: t.N, Open: t.Reasons[reasonOpen], Calendars: t.Calendars}
	for reason, n := range t.Reasons {
		if reason != reasonOpen {
			f.Exclusions = append(f.Exclusions, Exclusion{reason, n})
		}
	}
	slices.SortFunc(f.Exclusions, func(a, b Exclusion) int {
		if a.Reason < b.Reason {
			return -1
		}
		return 1
	})
	switch d.Statistic {
	case Net:
		f.Estimate, f.Numerator = stat.NetScore(t.Up, t.Down, t.N).Scale(100), big.NewRat(t.Up-t.Down, 1)
	case Share:
		f.Estimate, f.Numerator = stat.Proportion(t.Up, t.N).Scale(100), big.NewRat(t.Up, 1)
	case Average:
		f.Estimate = millionth(stat.Mean(t.Sum, t.Squares, t.N))
		f.Numerator = new(big.Rat).SetFrac(t.Sum, big.NewInt(1_000_000))
		if d.Unit == Seconds {
			f.Parts = append(f.Parts, Part{"p50", millionth(stat.Quantile(t.Over, .5)), t.N}, Part{"p90", millionth(stat.Quantile(t.Over, .9)), t.N})
		}
	case Wait:
		d.wait(&f, t)
	case Bands:
		bands(&f, t, d.limits)
	case Total:
		total(&f, t, q.Budget)
	case Fraction:
		fraction(&f, t)
	case Excess:
		excess(&f, t)
	case Volume:
		volume(&f, t)
	case Bounded:
		bounded(&f, t)
	case Ratio:
		ratio(&f, t)
	}
	if d.finish != nil {
		d.finish(&f, t)
	}
	if d.stampOf != nil {
		f.Calendars = nil
		for _, stamp := range t.Calendars {
			f.Calendars = append(f.Calendars, d.stampOf(stamp))
		}
	}
	if d.parts != nil {
		f.Parts = append(f.Parts, d.parts(t)...)
	}
	return f
}

// wait makes the median of durations some of which may not be over.
func (d Definition) wait(f *Figure, t Tally) {
	all := t.N + f.Open
	curve := stat.Survival(t.Over, t.Open)
	f.Estimate = millionth(curve.Quantile(.5))
	f.NotReached = !f.Known() && all > 0
	p90 := Part{"p90", millionth(curve.Quantile(.9)), all}
	mean := Part{"mean", millionth(stat.Mean(t.Sum, t.Squares, t.N)), t.N}
	f.Parts = []Part{p90, mean}
	if f.Open > 0 {
		f.Parts = append(f.Parts,
			Part{"openShare", stat.Proportion(f.Open, all).Scale(100), all},
			Part{"p50OfOver", millionth(stat.Quantile(t.Over, .5)), t.N},
			Part{"p90OfOver", millionth(stat.Quantile(t.Over, .9)), t.N})
	}
	f.Denominator = all
}

// bands makes the shares between limits; the value is the share within the last one.
func bands(f *Figure, t Tally, limits []int64) {
	from := 0
	for _, limit := range limits {
		to, _ := slices.BinarySearch(t.Over, limit+1)
		f.Parts = append(f.Parts, Part{"within" + itoa(int(limit/hour)) + "h", stat.Proportion(int64(to-from), t.N).Scale(100), t.N})
		from = to
	}
	f.Parts = append(f.Parts, Part{"beyond" + itoa(int(limits[len(limits)-1]/hour)) + "h", stat.Proportion(t.N-int64(from), t.N).Scale(100), t.N})
	f.Estimate, f.Numerator = stat.Proportion(int64(from), t.N).Scale(100), big.NewRat(int64(from), 1)
}

// total makes the sum of amounts, with their mean, and how much of a budget it is.
func total(f *Figure, t Tally, budget float64) {
	f.Numerator = new(big.Rat).SetFrac(t.Sum, big.NewInt(1_000_000))
	if t.N == 0 {
		return
	}
	sum, _ := f.Numerator.Float64()
	f.Estimate = stat.Estimate{Value: sum, Low: math.Inf(-1), High: math.Inf(1)}
	f.Parts = append(f.Parts, Part{"mean", millionth(stat.Mean(t.Sum, t.Squares, t.N)), t.N})
	if budget > 0 {
		f.Parts = append(f.Parts, exactly("budget", budget, t.N), exactly("budgetUsed", sum/budget*100, t.N), exactly("budgetLeft", budget-sum, t.N))
	}
}

// fraction makes the sum of values as a share of the first further sum, which each row has whole.
func fraction(f *Figure, t Tally) {
	if t.N == 0 || len(t.Sums) == 0 || t.Sums[0].Sign() == 0 {
		return
	}
	all := new(big.Rat).SetFrac(t.Sums[0], big.NewInt(t.N))
	share, _ := new(big.Rat).Quo(new(big.Rat).SetInt(t.Sum), all).Float64()
	f.Estimate, f.Numerator = stat.Estimate{Value: share * 100, Low: math.Inf(-1), High: math.Inf(1)}, new(big.Rat).SetFrac(t.Sum, big.NewInt(1_000_000))
	mine, _ := f.Numerator.Float64()
	whole, _ := all.Quo(all, big.NewRat(1_000_000, 1)).Float64()
	f.Parts = append(f.Parts, exactly("amount", mine, t.N), exactly("ofAll", whole, t.N))
}

// excess makes the share that hit less the share to be expected: the mean of the values, in millionths. The first further sum is, over the rows,
// that of the expected share's variance times the rows of the same stratum, in thousand-millionths; so divided by the rows' square it is the variance of
// the expected share as a mean over strata of fixed sizes.
func excess(f *Figure, t Tally) {
	if t.N == 0 {
		return
	}
	n := float64(t.N)
	sum, _ := new(big.Rat).SetFrac(t.Sum, big.NewInt(1_000_000)).Float64()
	expected := stat.Around(sum/n, 0)
	if len(t.Sums) > 0 {
		variance, _ := new(big.Rat).SetFrac(t.Sums[0], big.NewInt(1_000_000_000)).Float64()
		expected = stat.Around(sum/n, variance/n/n)
	}
	seen := stat.Proportion(t.Up, t.N)
	f.Estimate, f.Numerator = stat.Difference(seen, expected).Scale(100), nil
	f.Parts = append(f.Parts, Part{"observed", seen.Scale(100), t.N}, Part{"expected", expected.Scale(100), t.N})
}

// exactly is a part that is counted or given, not estimated.
func exactly(name string, value float64, n int64) Part {
	return Part{name, stat.Estimate{Value: value, Low: math.Inf(-1), High: math.Inf(1)}, n}
}

// composed makes the value by the definition's formula, and the band within which it lies while every prior that was not given stays within its
// range. A part for each prior says what it alone can change.
func (d Definition) composed(f *Figure, q Query, own Tally, others map[string][]Tally) {
	beside := map[string]Tally{}
	for name, tallies := range others {
		for _, t := range tallies {
			if t.Whole == own.Whole && slices.Equal(t.Keys, own.Keys) {
				beside[name] = t
			}
		}
	}
	base, free := priors{}, []Prior{}
	for _, p := range d.Priors {
		value, given := q.Priors[p.Name]
		if base[p.Name] = value; !given {
			base[p.Name] = p.Value
			free = append(free, p)
		}
	}
	at := func(change func(p priors)) float64 {
		p := maps.Clone(base)
		change(p)
		value, _ := d.compose(p, own, beside)
		return value
	}
	value, parts := d.compose(base, own, beside)
	f.Parts = append(f.Parts, parts...)
	if math.IsNaN(value) {
		return
	}
	// Every formula is monotone in each prior while the others stand, so the ends are at corners.
	low, high := value, value
	for corner := range 1 << len(free) {
		v := at(func(p priors) {
			for i, prior := range free {
				if p[prior.Name] = prior.Low; corner>>i&1 == 1 {
					p[prior.Name] = prior.High
				}
			}
		})
		low, high = min(low, v), max(high, v)
	}
	f.Estimate = stat.Estimate{Value: value, Low: low, High: high}
	for _, p := range d.Priors {
		part := exactly("prior."+p.Name, base[p.Name], own.N)
		if slices.ContainsFunc(free, func(other Prior) bool { return other.Name == p.Name }) {
			a, b := at(func(all priors) { all[p.Name] = p.Low }), at(func(all priors) { all[p.Name] = p.High })
			part.Low, part.High = min(a, b), max(a, b)
		}
		f.Parts = append(f.Parts, part)
	}
}

func millionth(e stat.Estimate) stat.Estimate {
	if !e.Known() {
		return stat.None()
	}
	return e.Scale(1e-6)
}

// netParts are the shares of three classes.
func netParts(up, between, down string) func(t Tally) []Part {
	return func(t Tally) []Part {
		return []Part{
			{up, stat.Proportion(t.Up, t.N).Scale(100), t.N}, {between, stat.Proportion(t.N-t.Up-t.Down, t.N).Scale(100), t.N},
			{down, stat.Proportion(t.Down, t.N).Scale(100), t.N},
		}
	}
}

func meanRating(t Tally) []Part {
	return []Part{{"mean", millionth(stat.Mean(t.Sum, t.Squares, t.N)), t.N}}
}

func favourable(t Tally) []Part {
	return []Part{{"favourable", stat.Proportion(t.Up, t.N).Scale(100), t.N}}
}

func reopensPerCase(t Tally) []Part {
	return []Part{{"reopensPerCase", millionth(stat.Mean(t.Sum, t.Squares, t.N)), t.N}}
}

// forumParts are how many questions have no answer, and who was first to answer the others.
func forumParts(t Tally) []Part {
	return []Part{
		exactly("unanswered", float64(t.N-t.Up), t.N), {"firstByPeer", stat.Proportion(mark(t, 0), t.N).Scale(100), t.N}, {"firstByStaff", stat.Proportion(t.Up-mark(t, 0), t.N).Scale(100), t.N},
	}
}

func easeParts(t Tally) []Part {
	return []Part{
		{"agree", stat.Proportion(mark(t, 0), t.N).Scale(100), t.N}, {"net", stat.NetScore(t.Up, t.Down, t.N).Scale(100), t.N},
	}
}

func recoveryParts(t Tally) []Part {
	return []Part{
		{"amongAnswered", stat.Proportion(mark(t, 1), mark(t, 0)).Scale(100), mark(t, 0)},
		{"answeredAgain", stat.Proportion(mark(t, 0), t.N).Scale(100), t.N}, {"contentAgain", stat.Proportion(mark(t, 2), t.N).Scale(100), t.N},
		{"boughtAgain", stat.Proportion(mark(t, 3), t.N).Scale(100), t.N}, {"complainedAgain", stat.Proportion(mark(t, 4), t.N).Scale(100), t.N},
	}
}

// mark counts rows by one of the definition's marks; of no rows there is no count.
func mark(t Tally, i int) int64 {
	if i >= len(t.Marks) {
		return 0
	}
	return t.Marks[i]
}

// Bound is an end of an interval, or nothing where it is open.
func Bound(x float64) *float64 {
	if math.IsInf(x, 0) || math.IsNaN(x) {
		return nil
	}
	return &x
}

// Version names a version of something that a figure stands on.
type Version struct{ Name, Value string }

// Answer is a metric, over all rows and by group.
type Answer struct {
	Whole    Figure
	Groups   []Figure // by keys
	Versions []Version
	Now      schema.Instant // of the query, or the present that stood for it
}

// Row is one row of a figure.
type Row struct {
	ID      schema.EventID // of the survey, conversation, case or person
	Event   schema.EventID // to look at
	Persona schema.ProfileID
	Profile schema.ProfileID // who that is now
	At      schema.Instant   // of the reading
	Keys    []string
	Counts  bool
	Reason  string  // why it does not count, or "open"
	Value   float64 // rating, seconds; of shares and scores 1, 0 or −1
}
