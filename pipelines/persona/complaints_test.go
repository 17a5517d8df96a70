package persona

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/dossier-cdp/dossier/schema"
)

// TestComplaint10_MergesLoseNothing: whatever any persona of a profile said of a trait is its value or a runner-up, whoever merged with whom.
func TestComplaint10_MergesLoseNothing(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var states []*State
		spoken := map[string]bool{}
		for i := range rapid.IntRange(1, 5).Draw(r, "personas") {
			var lines []string
			for range rapid.IntRange(1, 4).Draw(r, "said") {
				name := rapid.SampledFrom([]string{"name", "city", "plan"}).Draw(r, "trait")
				value := fmt.Sprintf("%q", rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(r, "value"))
				lines = append(lines, fmt.Sprintf("%d verified %s=%s", rapid.IntRange(1, 9).Draw(r, "day"), name, value))
				spoken[name+"="+value] = true
			}
			states = append(states, said(byte(i+1), fmt.Sprint("source", i), schema.TrustServer, lines...))
		}
		kept := map[string]bool{}
		for _, g := range GoldenRecord(states, &Rules{}) {
			kept[g.Name+"="+g.Value] = true
			for _, other := range g.RunnersUp {
				kept[g.Name+"="+other.Value] = true
			}
		}
		for s := range spoken {
			if !kept[s] {
				r.Fatalf("%s is lost of %v", s, spoken)
			}
		}
	})
}

// TestComplaint17_NestedPropertiesStand: each member of a nested trait has its own source, time and runners-up; saying one takes no other away.
func TestComplaint17_NestedPropertiesStand(t *testing.T) {
	states := []*State{
		said(1, "crm", schema.TrustServer, `1 verified address={"city":"Lyon","geo":{"lat":"45.7","lon":"4.8"}}`),
		said(2, "shop", schema.TrustServer, `2 verified address={"geo":{"lat":"45.8"}}`, `3 verified address={"zip":"69001"}`),
	}
	var got []string
	for _, g := range GoldenRecord(states, &Rules{}) {
		line := fmt.Sprintf("%s=%s %s %d", g.Name, g.Value, g.Source, g.OccurredAt/day)
		for _, other := range g.RunnersUp {
			line += ", " + other.Value + " " + other.Source
		}
		got = append(got, line)
	}
	slices.Sort(got)
	want := []string{`address.city="Lyon" crm 1`, `address.geo.lat="45.8" shop 2, "45.7" crm`, `address.geo.lon="4.8" crm 1`, `address.zip="69001" shop 3`}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
