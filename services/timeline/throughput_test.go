package timeline

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// BenchmarkTimeline is the role with a real engine, from opened events to marked rows: the processor time of this process for a row,
// and the rows a second. b.N is in rows, so give -benchtime 200000x or so.
func BenchmarkTimeline(b *testing.B) {
	const partitions = 4
	table := startTable(b)
	r := rand.New(rand.NewPCG(6, 6))
	feed := &fakeFeed{faults: &faults{}, step: 2000}
	start := schema.InstantOf(time.Now())
	for p := range partitions {
		var log []eventlog.Opened
		for n := range max(b.N/partitions, 1) {
			e := sampleEvent(r, 2000, start+schema.Instant(n*200+r.IntN(3_000_000)))
			log = append(log, eventlog.Opened{Position: schema.Position{Generation: 3, Partition: int32(p), Offset: int64(n)}, RecordedAt: start, Event: e})
		}
		feed.partitions = append(feed.partitions, log)
	}
	store, err := state.Open(b.TempDir(), state.Options{Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	role := New(Config{
		Feed: feed, Partitions: partitions, Generation: 3, Table: table, Store: store, Public: fakePublic, DeadLetters: &fakeLetters{}, Logger: quiet,
		Registry: prometheus.NewRegistry(),
	})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	used := cpu(b)
	b.ResetTimer()
	go func() { ended <- role.Run(ctx) }()
	if err := role.WaitFor(ctx, feed.ends()); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	rows := float64(max(b.N/partitions, 1) * partitions)
	b.ReportMetric(float64((cpu(b)-used).Nanoseconds())/rows, "cpu-ns/row")
	b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}
