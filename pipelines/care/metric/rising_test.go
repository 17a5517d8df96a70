package metric

import (
	"math"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
)

// 30 of 40 texts are of the later period: a share of .75, by Wilson from .5980 to .8581, so three times as often, from 1.49 to 6.05. 12 of 20 may be chance. What few people say is hidden.
func TestRises(t *testing.T) {
	rises, hidden := Rises([]Spoken{
		{Theme: "delivery", N: 30, Before: 10, People: 25}, {Theme: "price", N: 12, Before: 8, People: 12}, {Theme: "service", N: 10, Before: 30, People: 10},
		{Theme: "secret", N: 40, Before: 1, People: 4}, {Theme: "new", N: 50, Before: 0, People: 40},
	})
	if len(rises) != 2 || rises[0].Theme != "new" || rises[1].Theme != "delivery" || hidden != 1 {
		t.Fatalf("%+v, hidden %d", rises, hidden)
	}
	near := func(a, b float64) bool { return math.Abs(a-b) < .02 }
	if r := rises[1]; !near(r.Value, 3) || !near(r.Low, 1.49) || !near(r.High, 6.05) {
		t.Errorf("%+v", r.Estimate)
	}
	if !math.IsInf(rises[0].Value, 1) || math.IsInf(rises[0].Low, 1) {
		t.Errorf("what is new has risen %+v", rises[0].Estimate)
	}
	for _, q := range []Query{{}, {From: 5}, {From: 5, To: 5}, {From: 5, To: 9, Where: map[Dimension][]string{Tier: {"gold"}}}} {
		if _, err := Rising(q); err == nil {
			t.Errorf("%+v is answered", q)
		}
	}
	s, err := Rising(Query{Workspace: "main", From: 100, To: 160, Now: 200, By: []Dimension{Month}, Where: map[Dimension][]string{Store: {"Lyon"}}})
	if err != nil || !strings.Contains(s.SQL, "current_verbatims") || s.Params["from"] != schema.Instant(40) || s.Params["split"] != schema.Instant(100) {
		t.Errorf("%v, %v", s.Params, err)
	}
}
