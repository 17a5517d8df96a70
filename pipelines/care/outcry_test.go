package care

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/schema"
)

// TestOutcry walks through two quiet days, an hour of blame and the quiet after it in steps of five minutes, as the role does: each alert comes once, when it could be known, the crisis
// stands for what makes it up, and one long look gives the same.
func TestOutcry(t *testing.T) {
	const bucket = schema.Instant(reputation.Bucket)
	start := schema.Instant(1_771_545_600_000_000) // 2026-02-20
	tallies := map[schema.Instant]reputation.Tally{}
	for i := range schema.Instant(2 * 288) {
		if i%6 == 0 {
			tallies[start+i*bucket] = reputation.Tally{Favourable: 1}
		}
	}
	storm := start + 2*288*bucket
	for i := range schema.Instant(12) {
		tallies[storm+i*bucket] = reputation.Tally{Unfavourable: 9, Neutral: 1}
	}
	rules := DefaultRules()
	w := reputation.DefaultWatch()
	end := storm + 120*bucket
	var stepwise []string
	for at := start + 300*bucket; at <= end; at += bucket {
		for _, a := range rules.Outcry(w, "garance", tallies, start, at-bucket, at) {
			a.Identify()
			stepwise = append(stepwise, fmt.Sprint(a.ID, a.Rule, a.At, a.Since, a.Count, a.Unfavourable))
		}
	}
	want := []string{ // the third alert makes it a crisis, which is over six hours after the last
		"mentions_spike 2026-02-22T00:05:00Z 10 9", "mentions_spike 2026-02-22T00:10:00Z 10 9", "crisis 2026-02-22T00:15:00Z 30 27", "crisis_over 2026-02-22T07:00:00Z 120 108",
	}
	all := rules.Outcry(w, "garance", tallies, start, 0, end)
	if len(stepwise) != len(want) || len(all) != len(want) {
		t.Fatalf("%d alerts step by step, %d in one look, want %d: %q", len(stepwise), len(all), len(want), stepwise)
	}
	found := map[string]bool{}
	for _, a := range all {
		a.Identify()
		found[fmt.Sprint(a.ID, a.Rule, a.At, a.Since, a.Count, a.Unfavourable)] = true
		if text := fmt.Sprintf("%s %s %d %d", a.Rule, a.At, a.Count, a.Unfavourable); !strings.Contains(strings.Join(want, "\n"), text) {
			t.Errorf("%s is not among %q", text, want)
		}
		for _, language := range []string{"en", "fr"} {
			if s := a.Explain(language); !strings.Contains(s, "garance") || !strings.HasSuffix(s, ".") {
				t.Errorf("%s explains itself as %q", a.Rule, s)
			}
		}
	}
	for _, s := range stepwise {
		if !found[s] {
			t.Errorf("%s is not among those of one look", s)
		}
	}
	// An hour of praise is many posts and no crisis.
	for i := range schema.Instant(12) {
		tallies[storm+i*bucket] = reputation.Tally{Favourable: 10}
	}
	for _, a := range rules.Outcry(w, "garance", tallies, start, 0, end) {
		if a.Rule != AlertMentions {
			t.Errorf("praise raises %s", a.Rule)
		}
	}
}
