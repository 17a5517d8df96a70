package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/dossier-cdp/dossier/services/resolution"
)

// labelColumn reads COLUMN or COLUMN=REGEXP.
func labelColumn(said string) (column string, label *regexp.Regexp, err error) {
	column, expression, cut := strings.Cut(said, "=")
	if !cut {
		return column, nil, nil
	}
	label, err = regexp.Compile(expression)
	if err != nil || label.NumSubexp() < 1 {
		return "", nil, &exit{exitMisused, fmt.Errorf("--labels %s: what stands after = must be a regular expression with a group, the label", said)}
	}
	return column, label, nil
}

// printWork says what was done, and where the time went.
func printWork(s *resolution.Summary) {
	say := func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	say("model %s; %d personas, %d cores", s.Model, s.Personas, s.Cores)
	say("compared %.1f cores a record, %d for one at most; decided with %.1f more comparisons of profiles; the largest region had %d cores", s.Compared, s.Most, s.Decided, s.Largest)
	say("blocking keys: %d propose pairs, %d are too common to (the commonest on %d cores); %d cores share only such", s.Blocks.Open, s.Blocks.Closed, s.Blocks.Largest, s.Blocks.Stranded)
	t := &s.Time
	all := max(t.Reading+t.Attributes+t.Exact+t.Comparing+t.Deciding, 1e-9)
	say("time: reading and mapping %.0f %%, normal forms %.0f %%, exact strata %.0f %%, comparing %.0f %%, deciding %.0f %%",
		100*t.Reading/all, 100*t.Attributes/all, 100*t.Exact/all, 100*t.Comparing/all, 100*t.Deciding/all)
}

// printQuality says how well the answer fits the labels.
func printQuality(q *resolution.Quality) error {
	table := tabwriter.NewWriter(os.Stderr, 0, 4, 2, ' ', tabwriter.AlignRight)
	row := func(format string, args ...any) { fmt.Fprintf(table, format+"\t\n", args...) }

	row("\nby the labels\tprecision\trecall\tF1\tB3\tfalse pairs\tmissed")
	score := func(name string, p, r, f1, b3 float64, said, right, all int) {
		row("%s\t%.4f\t%.4f\t%.4f\t%.4f\t%d\t%d", name, p, r, f1, b3, said-right, all-right)
	}
	b := &q.Batch
	score("one at a time", q.Precision, q.Recall, q.F1, q.B3F1, q.SaidPairs, q.RightPairs, q.TruePairs)
	score("all at once", b.Precision, b.Recall, b.F1, b.B3F1, b.SaidPairs, b.RightPairs, b.TruePairs)
	if err := table.Flush(); err != nil {
		return err
	}
	say := func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	say("%d labelled records; largest profile %d; %d records are in another profile when all are decided at once, in %.1f s", q.Labelled, q.Largest, b.Different, b.Seconds)
	c := &q.Completeness
	say("pair completeness %.4f: of %d true pairs the exact strata join %d, %d are compared, %d share only keys that are too common, %d share none (profiles bring some of both together)",
		c.Share, c.TruePairs, c.OneCore, c.Compared, c.Bounded, c.Apart)
	row("\nblocking keys of\tpropose\ttoo common\tpairs of cores\tby it alone\ttrue pairs\tby it alone")
	for _, w := range q.Recipes {
		row("%s\t%d\t%d\t%d\t%d\t%d\t%d", w.Recipe, w.Open, w.Closed, w.Pairs, w.Alone, w.Right, w.RightAlone)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if z := q.ZeroFalse; z != nil {
		say("recall at zero false pairs %.4f, with %.0f bits more asked for", z.Recall, z.Bits)
	} else {
		last := q.Curve[len(q.Curve)-1]
		say("recall at zero false pairs: none; with %.0f bits more asked for, %d false pairs are left", last.Bits, last.FalsePairs)
	}

	row("\nbits more\tprecision\trecall\tF1\tfalse pairs")
	for i, p := range q.Curve {
		if i <= 4 || i%4 == 0 || i == len(q.Curve)-1 {
			row("%.0f\t%.4f\t%.4f\t%.4f\t%d", p.Bits, p.Precision, p.Recall, p.F1, p.FalsePairs)
		}
	}
	row("\nprobability\tstated\tone person\tpairs")
	for _, bin := range q.Reliability.Bins {
		if bin.Pairs > 0 {
			row("%.4g to %.4g\t%.4f\t%.4f\t%d", bin.From, bin.To, bin.Stated, bin.Observed, bin.Pairs)
		}
	}
	row("\npossible matches\tone person\tof")
	for _, o := range q.Possible {
		row("%s\t%d\t%d", o.Reason, o.Right, o.Matches)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	say("\ncalibration error %.4f (stated and observed shares of compared records, each core as it stands alone)", q.Reliability.Error)
	return nil
}
