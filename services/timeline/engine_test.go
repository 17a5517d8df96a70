package timeline

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// startTable gives the tables of a fresh database.
func startTable(t testing.TB) ClickHouse {
	t.Helper()
	conn := clickhousetest.Start(t)
	if err := conn.Migrate(t.Context(), schema.Migrations()); err != nil {
		t.Fatal(err)
	}
	return ClickHouse{conn}
}

// sampleEvent makes an event of the size and shape of a tracked one.
func sampleEvent(r *rand.Rand, personas int, at schema.Instant) *schema.Event {
	e := &schema.Event{}
	e.Version, e.Workspace, e.Source = 1, "main", "shop"
	e.ID = schema.EventID(randomID(r))
	e.Persona[0], e.Persona[1], e.Persona[2], e.Persona[6], e.Persona[8] = 7, byte(r.IntN(personas)), byte(r.IntN(personas)>>8), 0x80, 0x80
	e.Key = schema.KeyID{Class: "standard", Year: at.Year()}
	e.OccurredAt, e.ReceivedAt, e.Skew = at, at+250_000, 1200
	e.Channel, e.Type, e.Actor = schema.ChannelWeb, schema.TypeTrackPerformed, schema.ActorCustomer
	e.Account = schema.Account{Kind: "user_id", Value: fmt.Sprintf("user-%d", r.IntN(personas))}
	e.Identifiers = []schema.Identifier{
		{Kind: "user_id", Value: e.Account.Value, Assurance: schema.AssuranceVerified},
		{Kind: "anonymous_id", Value: fmt.Sprintf("%x", r.Uint64()), Assurance: schema.AssuranceDeclared},
	}
	e.Traits = []schema.Trait{{Name: "plan", Value: []byte(`"premium"`)}, {Name: "city", Value: []byte(`"Paris"`)}}
	e.Name = "Product Viewed"
	e.Properties = fmt.Appendf(nil, `{"category":"shoes","currency":"EUR","price":%d.5,"productId":"p-%d","url":"https://shop.example/p/%d?utm_source=newsletter"}`, r.IntN(500), r.IntN(9000), r.IntN(9000))
	e.Amount, e.Currency = "12.50", "EUR"
	e.Provenance = schema.Provenance{Trust: schema.TrustServer, MessageID: fmt.Sprintf("m-%x", r.Uint64()), Mapping: "segment", Country: "FR", Library: "analytics-node 2.1.0"}
	return e
}

func randomID(r *rand.Rand) (id [16]byte) {
	for i := range id {
		id[i] = byte(r.Uint32())
	}
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return id
}

func sampleRows(n, personas int) []Row {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	rows := make([]Row, n)
	at := schema.InstantOf(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC))
	for i := range rows {
		e := sampleEvent(r, personas, at+schema.Instant(i)*1000)
		rows[i] = Row{Position: schema.Position{Offset: int64(i)}, RecordedAt: at, Persona: e.Persona, Event: e}
	}
	return rows
}

// cpu is the processor time that this process, without its children, has used.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkInsert gives the processor time of this process for a row: building the block, then the whole insert.
func BenchmarkInsert(b *testing.B) {
	table := startTable(b)
	rows := sampleRows(20_000, 2000)
	var columns builder
	var building, inserting time.Duration
	b.ResetTimer()
	for i := range b.N {
		start := cpu(b)
		block := columns.block(rows)
		built := cpu(b)
		if err := table.Insert(b.Context(), fmt.Sprint("bench-", i), block); err != nil {
			b.Fatal(err)
		}
		building += built - start
		inserting += cpu(b) - built
	}
	n := float64(b.N * len(rows))
	b.ReportMetric(float64(building.Nanoseconds())/n, "build-ns/row")
	b.ReportMetric(float64(inserting.Nanoseconds())/n, "insert-ns/row")
	b.ReportMetric(n/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkIndex gives the cost of asking for ids that are not known, and of marking them: as events come in (their times within the
// last five seconds) and as an import in no order of time brings them (anywhere in a month). Compaction is included.
func BenchmarkIndex(b *testing.B) {
	b.Run("live", func(b *testing.B) {
		benchmarkIndex(b, func(r *rand.Rand, batch int) schema.Instant {
			return schema.Instant(batch)*1e6 - schema.Instant(r.Int64N(5e6))
		})
	})
	b.Run("import", func(b *testing.B) {
		benchmarkIndex(b, func(r *rand.Rand, _ int) schema.Instant { return schema.Instant(r.Int64N(30 * 86400e6)) })
	})
}

func benchmarkIndex(b *testing.B, offset func(r *rand.Rand, batch int) schema.Instant) {
	store, err := state.Open(b.TempDir(), state.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	x := &index{store: store, topic: schema.TopicEvents, filter: newFilter()}
	if err := x.fill(b.Context()); err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 5))
	start := schema.InstantOf(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC))
	var asking, marking time.Duration
	n := 0
	b.ResetTimer()
	for batch := range b.N {
		b.StopTimer()
		rows := make([]Row, 20_000)
		for i := range rows {
			e := &schema.Event{}
			e.ID, e.OccurredAt = schema.EventID(randomID(r)), start+offset(r, batch)
			rows[i] = Row{Event: e}
		}
		b.StartTimer()
		t0 := cpu(b)
		key := make([]byte, 0, 64)
		for _, row := range rows {
			if _, found, err := x.known(key, row.Event.OccurredAt, row.Event.ID); err != nil || found {
				b.Fatal(found, err)
			}
		}
		t1 := cpu(b)
		taken := newBatch([]int64{int64(n)})
		taken.ranges[0].To += int64(len(rows))
		if err := x.mark(rows, taken); err != nil {
			b.Fatal(err)
		}
		asking, marking, n = asking+t1-t0, marking+cpu(b)-t1, n+len(rows)
	}
	b.ReportMetric(float64(asking.Nanoseconds())/float64(n), "ask-ns/row")
	b.ReportMetric(float64(marking.Nanoseconds())/float64(n), "mark-ns/row")
}
