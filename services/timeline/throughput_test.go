package timeline

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// pacedFeed is a log that grows at a steady rate, evenly over its partitions. It stamps what it gives out with the time at which it
// came to be.
type pacedFeed struct {
	*fakeFeed
	begun time.Time
	rate  float64 // records a second, of each partition
}

func (p *pacedFeed) Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (eventlog.OpenedBatch, error) {
	there := func() int64 {
		return min(int64(time.Since(p.begun).Seconds()*p.rate), int64(len(p.partitions[partition])))
	}
	for deadline := time.Now().Add(wait); there() <= offset && time.Now().Before(deadline); {
		timer := time.NewTimer(min(time.Until(deadline), time.Duration(float64(time.Second)/p.rate)+5*time.Millisecond))
		select {
		case <-ctx.Done():
			timer.Stop()
			return eventlog.OpenedBatch{}, ctx.Err()
		case <-timer.C:
		}
	}
	end := min(there(), offset+int64(p.step))
	if end <= offset {
		return eventlog.OpenedBatch{Partition: partition, From: offset, Next: offset}, nil
	}
	log := p.partitions[partition]
	for i := offset; i < end; i++ {
		log[i].Event.ReceivedAt = schema.InstantOf(p.begun.Add(time.Duration(float64(i) / p.rate * float64(time.Second))))
	}
	return eventlog.OpenedBatch{Partition: partition, From: offset, Next: end, Events: log[offset:end]}, nil
}

// processCPU is the processor time of another process.
func processCPU(t testing.TB, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Skip("only where /proc is:", err)
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	ticks := 0
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(string(field))
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond // USER_HZ is 100 everywhere
}

// BenchmarkTimeline is the role with a real engine, from opened events to marked rows: the processor time of this process and of the
// engine for a row, at full speed and at steady rates. b.N is in rows, so give -benchtime 200000x or so.
func BenchmarkTimeline(b *testing.B) {
	for _, rate := range []int{0, 20_000, 1000} {
		name := "full speed"
		if rate > 0 {
			name = fmt.Sprint(rate, " a second")
		}
		b.Run(name, func(b *testing.B) { benchmarkTimeline(b, rate) })
	}
}

func benchmarkTimeline(b *testing.B, rate int) {
	const partitions = 4
	engine := clickhousetest.StartEngine(b, b.TempDir())
	conn := clickhousetest.Open(b, clickhouse.Config{URL: engine.URL(), Password: engine.Password()})
	if err := conn.Migrate(b.Context(), schema.Migrations()); err != nil {
		b.Fatal(err)
	}
	each := max(b.N/partitions, 1)
	if rate > 0 {
		each = min(each, rate*15/partitions)
	}
	r := rand.New(rand.NewPCG(6, 6))
	feed := &fakeFeed{faults: &faults{}, step: 2000}
	start := schema.InstantOf(time.Now())
	for p := range partitions {
		var log []eventlog.Opened
		for n := range each {
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
	config := Config{
		Feed: feed, Partitions: partitions, Generation: 3, Table: ClickHouse{conn}, Store: store, Public: fakePublic, DeadLetters: &fakeLetters{}, Logger: quiet,
		Registry: prometheus.NewRegistry(),
	}
	if rate > 0 {
		config.Feed = &pacedFeed{feed, time.Now(), float64(rate) / partitions}
	}
	role := New(config)
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	used, engineUsed := cpu(b), processCPU(b, engine.PID())
	b.ResetTimer()
	go func() { ended <- role.Run(ctx) }()
	if err := role.WaitFor(ctx, feed.ends()); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	rows := float64(each * partitions)
	b.ReportMetric(float64((cpu(b)-used).Nanoseconds())/rows, "cpu-ns/row")
	b.ReportMetric(float64((processCPU(b, engine.PID())-engineUsed).Nanoseconds())/rows, "engine-cpu-ns/row")
	b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
	if rate > 0 {
		b.ReportMetric(role.Freshness().P99, "p99-s")
	}
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}
