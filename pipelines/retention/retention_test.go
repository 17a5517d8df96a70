package retention

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/schema"
)

func years(n int) *int { return &n }

func ready(t *testing.T, classes map[string]Class) *Rules {
	t.Helper()
	r, err := Parse(Settings{Classes: classes})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The type decides before the source; who is of neither is of the default class; no section is no change.
func TestClassOf(t *testing.T) {
	r := ready(t, map[string]Class{"navigation": {Years: years(1), Types: []string{"page.viewed"}}, "accounts": {Types: []string{"order.placed", "payment.received"}}})
	web, till := &channel.Source{Name: "web"}, &channel.Source{Name: "till", Class: "shops"}
	for _, c := range []struct {
		source *channel.Source
		kind   schema.Type
		want   string
	}{
		{web, schema.TypePageViewed, "navigation"}, {till, schema.TypePageViewed, "navigation"}, {till, schema.TypeOrderPlaced, "accounts"},
		{till, schema.TypeMessageReceived, "shops"}, {web, schema.TypeMessageReceived, channel.DefaultClass},
	} {
		if got := r.ClassOf(c.source, c.kind); got != c.want {
			t.Errorf("%s of %s is of class %s, want %s", c.kind, c.source.Name, got, c.want)
		}
	}
	if got := r.ClassesOf(till); !slices.Equal(got, []string{"accounts", "navigation", "shops"}) {
		t.Errorf("the till sends %v", got)
	}
	var none *Rules
	if got := none.ClassOf(till, schema.TypePageViewed); got != "shops" || none.Due(time.Now(), nil) != nil {
		t.Errorf("without a section: %s", got)
	}
}

// A year ends when its last day has been kept for its time, and not a moment sooner; what has ended is not due again.
func TestDue(t *testing.T) {
	r := ready(t, map[string]Class{"a": {Years: years(3)}, "b": {Years: years(0)}, "ever": {}})
	last := func(due []schema.ExpiredYear, class string) (year int) {
		for _, of := range due {
			if of.Class == class {
				year = of.Year
			}
		}
		return year
	}
	for _, c := range []struct {
		now  string
		a, b int
	}{
		{"2022-12-31T23:59:59Z", 2018, 2021}, {"2023-01-01T00:00:00Z", 2019, 2022}, {"2023-12-31T23:59:59Z", 2019, 2022}, {"1890-01-01T00:00:00Z", 0, 0},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		due := r.Due(now, nil)
		if last(due, "a") != c.a || last(due, "b") != c.b || last(due, "ever") != 0 {
			t.Errorf("at %s: a through %d, b through %d", c.now, last(due, "a"), last(due, "b"))
		}
		if c.a > 0 && due[0] != (schema.ExpiredYear{Class: "a", Year: FirstYear}) {
			t.Errorf("at %s the first is %v", c.now, due[0])
		}
		if again := r.Due(now, due); len(again) != 0 {
			t.Errorf("at %s %v are due again", c.now, again)
		}
		for _, of := range due { // the law of the thing: none sooner than its time, none later than a year after
			ends, _ := r.Ends(of)
			if keep := *r.Classes[of.Class].Years; ends.Before(time.Date(of.Year, 12, 31, 23, 59, 59, 0, time.UTC).AddDate(keep, 0, 0)) || ends.After(time.Date(of.Year+1, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(keep, 0, 0)) {
				t.Errorf("%v ends on %s", of, ends)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		classes map[string]Class
		says    string
	}{
		{map[string]Class{"Big": {}}, "rename"}, {map[string]Class{"a": {Years: years(-1)}}, "whole years"}, {map[string]Class{"a": {Years: years(201)}}, "whole years"},
		{map[string]Class{"a": {Types: []string{"page.seen"}}}, "built-in types"},
		{map[string]Class{"a": {Types: []string{"page.viewed"}}, "b": {Types: []string{"page.viewed"}}}, "once"},
	} {
		_, err := Parse(Settings{Classes: c.classes})
		refusal := (*schema.Refusal)(nil)
		if !errors.As(err, &refusal) || !strings.Contains(refusal.Hint, c.says) || !strings.HasPrefix(refusal.Reason, "retention: ") {
			t.Errorf("%+v: %v", c.classes, err)
		}
	}
}
