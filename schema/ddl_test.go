package schema

import (
	"strings"
	"testing"
	"time"
)

func TestMigrationsAreNumberedByPlace(t *testing.T) {
	for i, m := range Migrations() {
		if m.Number != i+1 || m.Name == "" {
			t.Errorf("migration %d has number %d and name %q", i+1, m.Number, m.Name)
		}
		if strings.Contains(m.SQL, ";") {
			t.Errorf("migration %d: want one statement without a semicolon", m.Number)
		}
		if !strings.Contains(m.SQL, "IF NOT EXISTS "+m.Name) && !strings.Contains(m.SQL, " MODIFY SETTING ") {
			t.Errorf("migration %d: want a statement that may be repeated, and that makes %s or sets something", m.Number, m.Name)
		}
	}
}

func TestYearBucket(t *testing.T) {
	at := func(s string) Instant {
		i, err := ParseInstant(s)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	for _, c := range []struct {
		at   string
		want int
	}{
		{"0001-01-01T00:00:00Z", 1999},
		{"1969-12-31T23:59:59.999999Z", 1999},
		{"1999-12-31T23:59:59.999999Z", 1999},
		{"2000-01-01T00:00:00Z", 2000},
		{"2026-01-01T00:30:00+01:00", 2025},
	} {
		if got := YearBucket(at(c.at)); got != c.want {
			t.Errorf("YearBucket(%s) = %d, want %d", c.at, got, c.want)
		}
	}
	if got := InstantOf(time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)); got != FirstTimelineInstant {
		t.Errorf("1900 is %d", got)
	}
	if got := InstantOf(time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)); got != EndTimelineInstant {
		t.Errorf("2262 is %d", got)
	}
}
