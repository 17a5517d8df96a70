package verbatim_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/pipelines/verbatim"
)

// TestErrorsOnTweets: the errors by which net sentiment is corrected are those that the model which ships makes on tweets that it was not learnt from.
func TestErrorsOnTweets(t *testing.T) {
	analyzer := verbatim.New(base(t), nil)
	place := map[verbatim.Polarity]int{verbatim.Positive: 0, verbatim.Neutral: 1, verbatim.Negative: 2}
	got := map[string]reputation.Confusion{}
	for _, s := range shared(t, "dev") {
		if s.Group != "umsab" {
			continue
		}
		truth, labelled := map[verbatim.Label]int{verbatim.LabelPositive: 0, verbatim.LabelNeutral: 1, verbatim.LabelNegative: 2}[s.Polarity]
		if !labelled {
			continue
		}
		r := analyzer.Read(s.Text, s.Language)
		if judged, told := place[r.Polarity]; told {
			c := got[s.Language.String()]
			c[truth][judged]++
			got[s.Language.String()] = c
		}
	}
	if maps.Equal(got, reputation.Measured) {
		return
	}
	var b strings.Builder
	for _, language := range slices.Sorted(maps.Keys(got)) {
		fmt.Fprintf(&b, "\t%q: {", language)
		for i, row := range got[language] {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "{%d, %d, %d}", row[0], row[1], row[2])
		}
		b.WriteString("},\n")
	}
	t.Errorf("the model makes other errors now: put into reputation.Measured\n%s", b.String())
}
