package metrics

import (
	"os"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/care/metric"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
)

const now = schema.Instant(1_780_000_000_000_000)

// Every metric runs on empty tables, by each of its dimensions and in each reading, and comes to nothing.
func TestEveryMetricRuns(t *testing.T) {
	conn := clickhousetest.Start(t)
	if err := conn.Migrate(t.Context(), schema.Migrations()); err != nil {
		t.Fatal(err)
	}
	r := New(conn, nil, time.Now)
	for i, d := range metric.Catalogue() {
		dimensions := d.Dimensions()
		if d.Employee {
			dimensions = []metric.Dimension{metric.Team, metric.Month}
		}
		// Metrics of one subject follow each other, so each dimension of it has its turn.
		for turn := range 2 {
			if turn != i%2 && os.Getenv("DOSSIER_PROVE") == "" {
				continue
			}
			at := (4*i + 2*turn) % len(dimensions)
			q := metric.Query{
				Workspace: "main", Now: now, By: []metric.Dimension{dimensions[at], dimensions[(at+1)%len(dimensions)]}, Zone: "Europe/Paris",
				Reading: metric.Reading(1 + turn), OpenHours: turn == 0 && d.HasOpenHours(), Latest: turn == 0 && d.Group == "satisfaction",
			}
			if !d.Employee {
				q.Profiles = []schema.ProfileID{{1}}
			}
			a, err := r.Figure(t.Context(), d.Name, q)
			if err != nil {
				t.Fatalf("%s by %s: %v", d.Name, q.By, err)
			}
			if a.Whole.N != 0 || a.Whole.Known() || len(a.Groups) > 0 {
				t.Errorf("%s of nothing is %+v", d.Name, a)
			}
			if rows, more, err := r.Rows(t.Context(), d.Name, q, &metric.After{}, 10); (err != nil) != d.Employee || len(rows) > 0 || more {
				t.Fatalf("the rows of %s by %s: %v %v", d.Name, q.By, rows, err)
			}
		}
	}
}
