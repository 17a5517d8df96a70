package care

import (
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

func local(t *testing.T, zone, text string) schema.Instant {
	t.Helper()
	in, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04:05", text, in)
	if err != nil {
		t.Fatal(err)
	}
	return schema.InstantOf(at)
}

func office() Settings {
	day := []string{"09:00-17:00"}
	lunch := []string{"09:00-12:30", "14:00-18:00"}
	return Settings{Calendars: map[string]CalendarSettings{
		"office": {Zone: "Europe/Paris", Week: map[string][]string{"mon": day, "tue": day, "wed": day, "thu": day, "fri": day}, Holidays: "fr",
			Exceptions: map[string][]string{"2026-12-24": {"09:00-12:00"}, "2026-05-01": {"10:00-11:00"}}},
		"lunch":  {Zone: "Europe/Paris", Week: map[string][]string{"mon": lunch, "tue": lunch}},
		"nights": {Zone: "Europe/Paris", Week: map[string][]string{"sat": {"20:00-24:00"}, "sun": {"00:00-08:00"}}},
		"manila": {Zone: "Asia/Manila", Week: map[string][]string{"mon": day, "tue": day, "wed": day, "thu": day, "fri": day}},
		"denver": {Zone: "America/Denver", Week: map[string][]string{"mon": day, "tue": day, "wed": day, "thu": day, "fri": day}},
		"sun":    {Union: []string{"office", "manila", "denver"}},
	}}
}

// The product bugs of care-metrics B2 and C, by number, and the days on which clocks change.
func TestDeadlines(t *testing.T) {
	rules, err := office().Rules(time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, calendar, zone, from string
		span                       Span
		want                       string
	}{
		{"Chatwoot PR #13392: Friday 16:30 and an hour is Monday 9:30", "office", "Europe/Paris", "2026-03-06 16:30:00", hour, "2026-03-09 09:30:00"},
		{"a span that ends with the day ends there, not on Monday", "office", "Europe/Paris", "2026-03-06 16:00:00", hour, "2026-03-06 17:00:00"},
		{"asked at night, it starts in the morning", "office", "Europe/Paris", "2026-03-03 22:10:00", hour, "2026-03-04 10:00:00"},
		{"asked at the second of closing, it starts the next day", "office", "Europe/Paris", "2026-03-03 17:00:00", minute, "2026-03-04 09:01:00"},
		{"Frappe Helpdesk #2212, Chatwoot #14009: lunch is closed", "lunch", "Europe/Paris", "2026-03-02 12:00:00", hour, "2026-03-02 14:30:00"},
		{"Intercom 9263617: one day is 24 open hours, three days of eight", "office", "Europe/Paris", "2026-03-02 09:00:00", 24 * hour, "2026-03-04 17:00:00"},
		{"Easter Monday is closed", "office", "Europe/Paris", "2026-04-03 16:30:00", hour, "2026-04-07 09:30:00"},
		{"an exception counts before the holiday: Labour Day, an hour open", "office", "Europe/Paris", "2026-04-30 16:30:00", hour, "2026-05-01 10:30:00"},
		{"Christmas Eve until noon, Christmas closed, then a weekend", "office", "Europe/Paris", "2026-12-24 11:30:00", hour, "2026-12-28 09:30:00"},
		{"the night of 23 hours has seven from 20 to 8 less one", "nights", "Europe/Paris", "2026-03-28 20:00:00", 11 * hour, "2026-03-29 08:00:00"},
		{"the night of 25 hours has one more", "nights", "Europe/Paris", "2026-10-24 20:00:00", 13 * hour, "2026-10-25 08:00:00"},
		{"the customer's zone is not the team's: 9 in Denver is 17 in Paris, and closed", "office", "America/Denver", "2026-03-03 09:00:00", hour, "2026-03-04 02:00:00"},
		{"follow the sun: Paris has closed, Denver is open", "sun", "Europe/Paris", "2026-03-03 17:30:00", hour, "2026-03-03 18:30:00"},
		{"follow the sun: Denver closes at 1, Manila opens at 2 in Paris", "sun", "Europe/Paris", "2026-03-04 00:30:00", hour, "2026-03-04 02:30:00"},
		{"around the clock", "", "Europe/Paris", "2026-03-28 20:00:00", 24 * hour, "2026-03-29 21:00:00"},
	} {
		from, want := local(t, c.zone, c.from), local(t, c.zone, c.want)
		calendar := rules.Calendars[c.calendar]
		due, ok := calendar.Add(from, c.span)
		if !ok || due != want {
			t.Errorf("%s: due %s, want %s", c.name, due, want)
		}
		if open := calendar.Open(from, due); open != c.span {
			t.Errorf("%s: %d µs open until then, want %d", c.name, open, c.span)
		}
	}
}

// What cannot be a calendar or a target is refused in one sentence that says what to do.
func TestSettingsRefused(t *testing.T) {
	week := map[string][]string{"mon": {"09:00-12:00"}}
	one := func(c CalendarSettings) Settings { return Settings{Calendars: map[string]CalendarSettings{"x": c}} }
	for want, s := range map[string]Settings{
		"there is no time zone":   one(CalendarSettings{Zone: "Europe/Lutetia", Week: week}),
		"has no zone":             one(CalendarSettings{Week: week}),
		"periods overlap":         one(CalendarSettings{Zone: "Europe/Paris", Week: map[string][]string{"mon": {"09:00-12:00", "11:00-14:00"}}}),
		"is no period":            one(CalendarSettings{Zone: "Europe/Paris", Week: map[string][]string{"mon": {"14:00-09:00"}}}),
		"is no day":               one(CalendarSettings{Zone: "Europe/Paris", Week: map[string][]string{"lundi": {"09:00-12:00"}}}),
		"is never open":           one(CalendarSettings{Zone: "Europe/Paris"}),
		"is no date":              one(CalendarSettings{Zone: "Europe/Paris", Week: week, Exceptions: map[string][]string{"24/12": nil}}),
		"are not known":           one(CalendarSettings{Zone: "Europe/Paris", Week: week, Holidays: "xx"}),
		"goes round":              one(CalendarSettings{Union: []string{"x"}}),
		"either a union":          one(CalendarSettings{Zone: "Europe/Paris", Union: []string{"x"}}),
		"there is no calendar":    {Targets: []TargetSettings{{Calendar: "y", FirstReply: "1h"}}},
		"there is no channel":     {Targets: []TargetSettings{{Channel: "pigeon", FirstReply: "1h"}}},
		"is no duration":          {Targets: []TargetSettings{{FirstReply: "soon"}}},
		"and must to 1":           {Weights: &WeightSettings{Criticality: .9, Wait: .9}},
		"is not between 0 and 1":  {Weights: &WeightSettings{Criticality: 2, Wait: -1}},
		"there is no channel \"p": {Gaps: map[string]string{"pigeon": "1h"}},
	} {
		if _, err := s.Rules(time.LoadLocation); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want a refusal with %q, got %v", want, err)
		}
	}
}
