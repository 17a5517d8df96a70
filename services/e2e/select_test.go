package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestExportSome: asking for some events gives the lines of the full export that are of them.
func TestExportSome(t *testing.T) {
	besideOthers(t)
	i := install(t)
	var l load
	l.start(t, i, someEvents(1_000))
	l.end(t)
	full := i.must(t, "export", "events")
	for _, c := range []struct {
		flags []string
		keep  func(line struct{ Type, Source, OccurredAt string }) bool
	}{
		{[]string{"--type", "order.placed"}, func(l struct{ Type, Source, OccurredAt string }) bool { return l.Type == "order.placed" }},
		{[]string{"--type", "order.placed", "--type", "survey.answered", "--source", "shop"}, func(l struct{ Type, Source, OccurredAt string }) bool {
			return (l.Type == "order.placed" || l.Type == "survey.answered") && l.Source == "shop"
		}},
		{[]string{"--from", "2025-03-01T00:00:00Z", "--to", "2025-06-01T00:00:00Z"}, func(l struct{ Type, Source, OccurredAt string }) bool {
			return l.OccurredAt >= "2025-03-01T00:00:00Z" && l.OccurredAt < "2025-06-01T00:00:00Z"
		}},
		{[]string{"--source", "nobody"}, func(struct{ Type, Source, OccurredAt string }) bool { return false }},
	} {
		var want strings.Builder
		for text := range strings.Lines(full) {
			var line struct{ Type, Source, OccurredAt string }
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatal(err)
			}
			if c.keep(line) {
				want.WriteString(text)
			}
		}
		if got := i.must(t, append([]string{"export", "events"}, c.flags...)...); got != want.String() {
			t.Errorf("%v: %d lines, want %d", c.flags, strings.Count(got, "\n"), strings.Count(want.String(), "\n"))
		}
		if name := c.flags[len(c.flags)-1]; want.Len() == 0 && name != "nobody" {
			t.Errorf("%v: nothing is wanted", c.flags)
		}
	}
	for _, flags := range [][]string{{"events", "--type", "order.eaten"}, {"events", "--from", "yesterday"}, {"profiles", "--type", "order.placed"}} {
		if o := i.dossier(t, append([]string{"export"}, flags...)...); o.code != 1 || strings.Count(strings.TrimSpace(o.stderr), "\n") > 0 {
			t.Errorf("%v: %d: %s", flags, o.code, o.stderr)
		}
	}
}
