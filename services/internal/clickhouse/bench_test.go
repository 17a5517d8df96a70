package clickhouse_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
	"github.com/dossier-cdp/dossier/services/internal/embedded/chdb"
)

// eventsTable resembles the timeline's: ids, clocks, a few words and a sealed part.
const eventsTable = `CREATE TABLE events (id UUID, persona UUID, occurred_at DateTime64(6, 'UTC'), received_at DateTime64(6, 'UTC'),
	channel LowCardinality(String), type LowCardinality(String), source LowCardinality(String), partition UInt16, position UInt64, sealed String)
	ENGINE = MergeTree PARTITION BY toYear(occurred_at) ORDER BY (persona, occurred_at, id) SETTINGS non_replicated_deduplication_window = 1000`

// engineCPU is what a process has used so far, in user and system mode.
func engineCPU(t testing.TB, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	must(t, err)
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, err := strconv.Atoi(f[11])
	must(t, err)
	system, err := strconv.Atoi(f[12])
	must(t, err)
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100
}

func ownCPU(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// residentMB is a process's memory: all of it, and the part that is not the library's file.
func residentMB(t testing.TB, pid int) (all, anonymous float64) {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	must(t, err)
	for line := range strings.Lines(string(status)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		kb, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			continue
		}
		switch f[0] {
		case "VmRSS:":
			all = kb / 1024
		case "RssAnon:":
			anonymous = kb / 1024
		}
	}
	return all, anonymous
}

func openBench(b *testing.B) (*chdb.Engine, *clickhouse.Conn) {
	engine := clickhousetest.StartEngine(b, b.TempDir())
	conn := clickhousetest.Open(b, clickhouse.Config{URL: engine.URL(), Password: engine.Password()})
	must(b, conn.Exec(context.Background(), eventsTable, nil, nil))
	return engine, conn
}

// One op is one row, in batches of 10,000; sealed parts of 120 random bytes, which do not compress.
func BenchmarkInsert(b *testing.B) {
	engine, conn := openBench(b)
	names := []string{"id", "persona", "occurred_at", "received_at", "channel", "type", "source", "partition", "position", "sealed"}
	const size = 10_000
	var ids []schema.EventID
	var personas []schema.PersonaID
	var at []schema.Instant
	var words, sealed []string
	var partitions []uint16
	var positions []uint64
	state := uint64(1)
	next := func() uint64 {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		return state
	}
	for i := range size {
		var id [16]byte
		for j := range id {
			id[j] = byte(next())
		}
		body := make([]byte, 120)
		for j := range body {
			body[j] = byte(next())
		}
		ids, personas = append(ids, schema.EventID(id)), append(personas, schema.PersonaID(id))
		at = append(at, schema.Instant(1_700_000_000_000_000+int64(next()%86_400_000_000)))
		words, sealed = append(words, []string{"web", "email", "phone", "store"}[i%4]), append(sealed, string(body))
		partitions, positions = append(partitions, uint16(i%16)), append(positions, uint64(i))
	}
	engineBefore, ownBefore := engineCPU(b, engine.PID()), ownCPU(b)
	b.ResetTimer()
	done := 0
	for batch := 0; done < b.N; batch++ {
		n := min(size, b.N-done)
		must(b, conn.Insert(ctx, "events", names, fmt.Sprint(batch), nil, func(w *clickhouse.Batch) error {
			for i, values := range []any{ids[:n], personas[:n], at[:n], at[:n], words[:n], words[:n], words[:n], partitions[:n], positions[:n], sealed[:n]} {
				if err := w.Column(i, values); err != nil {
					return err
				}
			}
			return nil
		}))
		done += n
	}
	b.StopTimer()
	b.ReportMetric(float64((engineCPU(b, engine.PID())-engineBefore).Nanoseconds())/1e3/float64(done), "engine-us/row")
	b.ReportMetric(float64((ownCPU(b)-ownBefore).Nanoseconds())/1e3/float64(done), "client-us/row")
	all, anonymous := residentMB(b, engine.PID())
	b.ReportMetric(all, "engine-rss-MB")
	b.ReportMetric(anonymous, "engine-anon-MB")
}

// One op is the newest 20 rows of one persona among a million rows.
func BenchmarkPointRead(b *testing.B) {
	engine, conn := openBench(b)
	fillEvents(b, conn, 1_000_000)
	engineBefore, ownBefore := engineCPU(b, engine.PID()), ownCPU(b)
	var took []time.Duration
	b.ResetTimer()
	for i := range b.N {
		start := time.Now()
		rows, err := conn.Query(ctx, "SELECT id, occurred_at, channel, type, sealed FROM events WHERE persona IN ({persona:Array(UUID)}) ORDER BY occurred_at DESC, id LIMIT 20",
			clickhouse.Params{"persona": []schema.PersonaID{personaNumber(i * 7919 % 50_000)}}, nil)
		must(b, err)
		n := 0
		for rows.Next() {
			var id schema.EventID
			var at schema.Instant
			var channel, kind, sealed string
			must(b, rows.Scan(&id, &at, &channel, &kind, &sealed))
			n++
		}
		must(b, rows.Err())
		if n != 20 {
			b.Fatalf("%d rows", n)
		}
		took = append(took, time.Since(start))
	}
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1e3, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1e3, "p99-ms")
	b.ReportMetric(float64((engineCPU(b, engine.PID())-engineBefore).Microseconds())/float64(b.N), "engine-us/op")
	b.ReportMetric(float64((ownCPU(b)-ownBefore).Microseconds())/float64(b.N), "client-us/op")
}

func personaNumber(n int) (id schema.PersonaID) {
	id[12], id[13], id[14], id[15] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	return id
}

// fillEvents makes rows within the engine: 20 for each persona in a million.
func fillEvents(b testing.TB, conn *clickhouse.Conn, rows int) {
	b.Helper()
	must(b, conn.Exec(ctx, `INSERT INTO events SELECT generateUUIDv4(), toUUID(concat('00000000-0000-0000-0000-', leftPad(lower(hex(toUInt32(number % {personas:UInt64}))), 12, '0'))),
		toDateTime64('2025-01-01 00:00:00', 6, 'UTC') + toIntervalSecond(number % 31000000), now64(6), ['web','email','phone'][number % 3 + 1], 'message.received', 'shop', number % 16, number, randomString(120)
		FROM numbers({rows:UInt64})`, clickhouse.Params{"rows": rows, "personas": rows / 20}, clickhouse.Settings{"max_insert_block_size": 100_000, "max_threads": 1}))
}

// What an idle engine costs with five million events stored: one op is a second of idleness.
func BenchmarkIdle(b *testing.B) {
	engine, conn := openBench(b)
	for range 5 {
		fillEvents(b, conn, 1_000_000)
	}
	written, _ := residentMB(b, engine.PID())
	quiet := 0
	within(b, 2*time.Minute, "no merge runs for ten seconds", func() bool {
		var n uint64
		must(b, conn.QueryRow(ctx, "SELECT count() FROM system.merges", nil, nil, &n))
		if quiet++; n > 0 {
			quiet = 0
		}
		time.Sleep(time.Second)
		return quiet == 10
	})
	before, start := engineCPU(b, engine.PID()), time.Now()
	b.ResetTimer()
	for range b.N {
		time.Sleep(time.Second)
	}
	b.StopTimer()
	b.ReportMetric(100*float64(engineCPU(b, engine.PID())-before)/float64(time.Since(start)), "cpu-percent")
	all, anonymous := residentMB(b, engine.PID())
	b.ReportMetric(written, "after-writing-MB")
	b.ReportMetric(all, "rss-MB")
	b.ReportMetric(anonymous, "anon-MB")
	if err := syscall.Kill(engine.PID(), syscall.SIGKILL); err != nil {
		b.Fatal(err)
	}
	start = time.Now()
	var n uint64
	must(b, conn.QueryRow(ctx, "SELECT count() FROM events", nil, nil, &n))
	b.ReportMetric(float64(time.Since(start).Milliseconds()), "back-after-kill-ms")
	time.Sleep(time.Second)
	all, _ = residentMB(b, engine.PID())
	b.ReportMetric(all, "rss-after-kill-MB")
}

// One op is a start of the engine over an empty folder, up to the first answer.
func BenchmarkStart(b *testing.B) {
	for range b.N {
		engine, err := chdb.Start(ctx, chdb.Config{DataDir: b.TempDir()})
		must(b, err)
		all, anonymous := residentMB(b, engine.PID())
		b.ReportMetric(all, "rss-MB")
		b.ReportMetric(anonymous, "anon-MB")
		must(b, engine.Close(ctx))
	}
}
