package schema

import (
	"flag"
	"fmt"
	"os"
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
		if !strings.Contains(m.SQL, "IF NOT EXISTS "+m.Name) && !strings.Contains(m.SQL, "CREATE OR REPLACE VIEW "+m.Name) && !strings.Contains(m.SQL, " MODIFY SETTING ") &&
			!strings.Contains(m.SQL, " ADD COLUMN IF NOT EXISTS ") {
			t.Errorf("migration %d: want a statement that may be repeated, and that makes %s or sets something", m.Number, m.Name)
		}
	}
}

// What a database has once run is never edited: the golden file has every step's text.
func TestGoldenMigrations(t *testing.T) {
	var b strings.Builder
	for _, m := range Migrations() {
		fmt.Fprintf(&b, "-- %d %s\n%s;\n\n", m.Number, m.Name, m.SQL)
	}
	const path = "testdata/migrations.sql"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("a migration was edited, or one was added without its golden text: run go test -run TestGoldenMigrations ./schema -update and review the difference")
	}
}

var update = flag.Bool("update", false, "rewrite the golden file; review the difference")

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
