package clickhouse_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
	"pgregory.net/rapid"
)

var ctx = context.Background()

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// numbers inserts the rows from to to-1 into a table with one column k.
func numbers(from, to uint64) func(*clickhouse.Batch) error {
	return func(b *clickhouse.Batch) error {
		var k []uint64
		for i := from; i < to; i++ {
			k = append(k, i)
		}
		return b.Column(0, k)
	}
}

const numbersTable = "CREATE TABLE t (k UInt64) ENGINE = MergeTree ORDER BY k SETTINGS non_replicated_deduplication_window = 1000"

func count(t testing.TB, conn *clickhouse.Conn, table string) (rows, distinct uint64) {
	t.Helper()
	must(t, conn.QueryRow(ctx, "SELECT count(), uniqExact(k) FROM "+table, nil, nil, &rows, &distinct))
	return rows, distinct
}

func TestTokenStoresABatchOnce(t *testing.T) {
	conn := clickhousetest.Start(t)
	must(t, conn.Exec(ctx, numbersTable, nil, nil))
	for _, c := range []struct {
		token    string
		from, to uint64
		want     uint64
	}{
		{"a", 0, 100, 100},
		{"a", 0, 100, 100},
		{"a", 100, 200, 100}, // the token names the batch, not its rows
		{"b", 0, 100, 200},
		{"", 0, 100, 300},
		{"", 0, 100, 400}, // without a token the caller wants what it says
		{"b", 0, 100, 400},
	} {
		must(t, conn.Insert(ctx, "t", []string{"k"}, c.token, nil, numbers(c.from, c.to)))
		if rows, _ := count(t, conn, "t"); rows != c.want {
			t.Fatalf("token %q: %d rows, want %d", c.token, rows, c.want)
		}
	}
}

// A token covers every partition that its batch touches.
func TestTokenOverSeveralPartitions(t *testing.T) {
	conn := clickhousetest.Start(t)
	must(t, conn.Exec(ctx, "CREATE TABLE t (k UInt64) ENGINE = MergeTree PARTITION BY k % 7 ORDER BY k SETTINGS non_replicated_deduplication_window = 1000", nil, nil))
	for range 3 {
		must(t, conn.Insert(ctx, "t", []string{"k"}, "a", nil, numbers(0, 1000)))
	}
	if rows, distinct := count(t, conn, "t"); rows != 1000 || distinct != 1000 {
		t.Fatalf("%d rows, %d distinct, want 1000 of each", rows, distinct)
	}
}

// A token also covers the tables that materialized views fill from its batch, when they have a window of their own.
func TestTokenReachesMaterializedViews(t *testing.T) {
	conn := clickhousetest.Start(t)
	must(t, conn.Exec(ctx, numbersTable, nil, nil))
	must(t, conn.Exec(ctx, "CREATE TABLE sums (k UInt64, n UInt64) ENGINE = MergeTree ORDER BY k SETTINGS non_replicated_deduplication_window = 1000", nil, nil))
	must(t, conn.Exec(ctx, "CREATE MATERIALIZED VIEW fill TO sums AS SELECT k % 10 AS k, count() AS n FROM t GROUP BY k", nil, nil))
	for range 3 {
		must(t, conn.Insert(ctx, "t", []string{"k"}, "a", nil, numbers(0, 1000)))
	}
	// Another batch with the same rows in the view counts again.
	must(t, conn.Insert(ctx, "t", []string{"k"}, "b", nil, numbers(1000, 2000)))
	var n uint64
	must(t, conn.QueryRow(ctx, "SELECT sum(n) FROM sums", nil, nil, &n))
	if n != 2000 {
		t.Errorf("the view counts %d rows, want 2000", n)
	}
}

func TestInsertRefusesWhatItCannotSend(t *testing.T) {
	conn := clickhousetest.Start(t)
	must(t, conn.Exec(ctx, "CREATE TABLE t (k UInt64, v String) ENGINE = MergeTree ORDER BY k", nil, nil))
	own := errors.New("the caller's own")
	for name, c := range map[string]struct {
		names []string
		fill  func(*clickhouse.Batch) error
		class schema.ErrorClass
		is    error
	}{
		"columns of different length": {[]string{"k", "v"}, func(b *clickhouse.Batch) error {
			return errors.Join(b.Column(0, []uint64{1, 2}), b.Column(1, []string{"x"}))
		}, schema.Fatal, nil},
		"a wrong type":      {[]string{"k"}, func(b *clickhouse.Batch) error { return b.Column(0, []string{"secret"}) }, schema.Rejected, nil},
		"a wrong row":       {[]string{"k", "v"}, func(b *clickhouse.Batch) error { return b.Append(uint64(1), struct{}{}) }, schema.Rejected, nil},
		"no such column":    {[]string{"nope"}, numbers(0, 1), schema.Fatal, nil},
		"a column too many": {[]string{"k"}, func(b *clickhouse.Batch) error { return b.Column(1, []string{"x"}) }, schema.Fatal, nil},
		"its own error":     {[]string{"k"}, func(b *clickhouse.Batch) error { return own }, schema.Fatal, own},
	} {
		err := conn.Insert(ctx, "t", c.names, "token", nil, c.fill)
		if err == nil || schema.ClassOf(err) != c.class || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v is %s, want %s", name, err, schema.ClassOf(err), c.class)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows the value: %v", name, err)
		}
	}
	must(t, conn.Insert(ctx, "t", []string{"k"}, "empty", nil, func(*clickhouse.Batch) error { return nil }))
	if rows, _ := count(t, conn, "t"); rows != 0 {
		t.Errorf("%d rows were stored", rows)
	}
	// What failed under a token has not used it up.
	must(t, conn.Insert(ctx, "t", []string{"k"}, "token", nil, numbers(0, 3)))
	if rows, _ := count(t, conn, "t"); rows != 3 {
		t.Errorf("%d rows, want 3", rows)
	}
}

func TestInsertSeesANewColumn(t *testing.T) {
	conn := clickhousetest.Start(t)
	must(t, conn.Exec(ctx, numbersTable, nil, nil))
	must(t, conn.Insert(ctx, "t", []string{"k"}, "", nil, numbers(0, 1)))
	must(t, conn.Exec(ctx, "ALTER TABLE t ADD COLUMN v String", nil, nil))
	must(t, conn.Insert(ctx, "t", []string{"v"}, "", nil, func(b *clickhouse.Batch) error { return b.Column(0, []string{"x"}) }))
}

func TestTypesRoundTrip(t *testing.T) {
	conn := clickhousetest.Start(t)
	must(t, conn.Exec(ctx, `CREATE TABLE t (n UInt32, id UUID, persona UUID, personas Array(UUID), at DateTime64(6, 'UTC'), low LowCardinality(String), text String,
		words Array(LowCardinality(String)), tags Map(String, String), amount Decimal(18, 4), maybe Nullable(Int64), yes Bool, ratio Float64, day Date32)
		ENGINE = MergeTree ORDER BY n`, nil, nil))
	names := []string{"n", "id", "persona", "personas", "at", "low", "text", "words", "tags", "amount", "maybe", "yes", "ratio", "day"}
	type row struct {
		id       schema.EventID
		persona  schema.PersonaID
		personas []schema.PersonaID
		at       schema.Instant
		low      string
		text     string
		words    []string
		tags     map[string]string
		amount   string
		maybe    *int64
		yes      bool
		ratio    float64
		day      time.Time
	}
	id := func(r *rapid.T) (id [16]byte) {
		copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(r, "id"))
		return id
	}
	text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	generator := rapid.Custom(func(r *rapid.T) row {
		cents := rapid.Int64Range(-99_999_999_999_999, 99_999_999_999_999).Draw(r, "amount")
		sign, abs := "", cents
		if cents < 0 {
			sign, abs = "-", -cents
		}
		w := row{
			id: id(r), persona: id(r), at: schema.Instant(rapid.Int64Range(-2_208_988_800_000_000, 9_214_646_400_000_000).Draw(r, "at")),
			low: text.Draw(r, "low"), text: text.Draw(r, "text"), words: rapid.SliceOfN(text, 0, 4).Draw(r, "words"),
			tags: rapid.MapOfN(text, text, 0, 3).Draw(r, "tags"), amount: fmt.Sprintf("%s%d.%04d", sign, abs/10000, abs%10000),
			yes: rapid.Bool().Draw(r, "yes"), ratio: rapid.Float64().Draw(r, "ratio"),
			day: time.Unix(86400*rapid.Int64Range(-20_000, 80_000).Draw(r, "day"), 0).UTC(),
		}
		for range rapid.IntRange(0, 3).Draw(r, "personas") {
			w.personas = append(w.personas, id(r))
		}
		if rapid.Bool().Draw(r, "set") {
			v := rapid.Int64().Draw(r, "maybe")
			w.maybe = &v
		}
		return w
	})
	round := 0
	rapid.Check(t, func(r *rapid.T) {
		round++
		rows := rapid.SliceOfN(generator, 1, 20).Draw(r, "rows")
		if err := conn.Exec(ctx, "TRUNCATE TABLE t", nil, nil); err != nil {
			r.Fatal(err)
		}
		err := conn.Insert(ctx, "t", names, fmt.Sprint(round), nil, func(b *clickhouse.Batch) error {
			for i, w := range rows {
				if err := b.Append(uint32(i), w.id, w.persona, w.personas, w.at, w.low, w.text, w.words, w.tags, w.amount, w.maybe, w.yes, w.ratio, w.day); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			r.Fatal(err)
		}
		got, err := conn.Query(ctx, "SELECT n, id, persona, personas, at, low, text, words, tags, toDecimalString(amount, 4), maybe, yes, ratio, day FROM t ORDER BY n", nil, nil)
		if err != nil {
			r.Fatal(err)
		}
		defer got.Close()
		i := 0
		for ; got.Next(); i++ {
			var n uint32
			var g row
			if err := got.Scan(&n, &g.id, &g.persona, &g.personas, &g.at, &g.low, &g.text, &g.words, &g.tags, &g.amount, &g.maybe, &g.yes, &g.ratio, &g.day); err != nil {
				r.Fatal(err)
			}
			// Empty and nil lists are one in ClickHouse.
			if len(g.words) == 0 {
				g.words = rows[i].words[:0]
			}
			if len(g.tags) == 0 {
				g.tags = map[string]string{}
			}
			if len(g.personas) == 0 {
				g.personas = nil
			}
			g.day = g.day.UTC()
			if !reflect.DeepEqual(g, rows[i]) {
				r.Fatalf("row %d:\n sent %+v\n got  %+v", i, rows[i], g)
			}
		}
		if err := got.Err(); err != nil || i != len(rows) {
			r.Fatalf("%d rows of %d: %v", i, len(rows), err)
		}
	})
}

func TestParametersArriveAsTheyAre(t *testing.T) {
	conn := clickhousetest.Start(t)
	text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.ByteRange(1, 255)), func(b []byte) string { return string(b) }), rapid.StringMatching(`['"\\\t\n\r\x00{}:,\[\]]{0,12}`))
	rapid.Check(t, func(r *rapid.T) {
		var want, got struct {
			text   string
			list   []string
			number int64
			at     schema.Instant
			ids    []schema.PersonaID
			yes    bool
			none   *string
		}
		want.text, want.list = text.Draw(r, "text"), rapid.SliceOfN(text, 1, 5).Draw(r, "list")
		want.number, want.yes = rapid.Int64().Draw(r, "number"), rapid.Bool().Draw(r, "yes")
		want.at = schema.Instant(rapid.Int64Range(-2_208_988_800_000_000, 9_214_646_400_000_000).Draw(r, "at"))
		for range 3 {
			var id schema.PersonaID
			copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(r, "id"))
			want.ids = append(want.ids, id)
		}
		err := conn.QueryRow(ctx, "SELECT {text:String}, {list:Array(String)}, {number:Int64}, {at:DateTime64(6)}, {ids:Array(UUID)}, {yes:Bool}, {none:Nullable(String)}",
			clickhouse.Params{"text": want.text, "list": want.list, "number": want.number, "at": want.at, "ids": want.ids, "yes": want.yes, "none": nil}, nil,
			&got.text, &got.list, &got.number, &got.at, &got.ids, &got.yes, &got.none)
		if err != nil {
			r.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			r.Fatalf("\nsent %+v\n got %+v", want, got)
		}
	})
}

func TestParametersHaveABound(t *testing.T) {
	conn := clickhousetest.Start(t)
	var n uint64
	ids := make([]schema.PersonaID, 25_000)
	for i := range ids {
		ids[i][0], ids[i][1] = byte(i), byte(i>>8)
	}
	must(t, conn.QueryRow(ctx, "SELECT length({ids:Array(UUID)})", clickhouse.Params{"ids": ids}, nil, &n))
	if n != 25_000 {
		t.Errorf("%d ids arrived", n)
	}
	err := conn.QueryRow(ctx, "SELECT length({text:String})", clickhouse.Params{"text": strings.Repeat("x", 2<<20)}, nil, &n)
	if schema.ClassOf(err) != schema.Rejected {
		t.Errorf("two megabytes: %v", err)
	}
	err = conn.QueryRow(ctx, "SELECT {x:String}", clickhouse.Params{"x": struct{}{}}, nil, &n)
	if err == nil || schema.ClassOf(err) != schema.Fatal {
		t.Errorf("a struct: %v", err)
	}
}

func TestBigAnswerStreams(t *testing.T) {
	conn := clickhousetest.Start(t)
	rows, err := conn.Query(ctx, "SELECT number, toString(number) FROM numbers(1000000)", nil, clickhouse.Settings{"max_memory_usage": 50_000_000})
	must(t, err)
	defer rows.Close()
	var n, sum uint64
	for rows.Next() {
		var k uint64
		var s string
		must(t, rows.Scan(&k, &s))
		n++
		sum += k
	}
	must(t, rows.Err())
	if n != 1_000_000 || sum != n*(n-1)/2 {
		t.Errorf("%d rows, sum %d", n, sum)
	}
}

func running(t testing.TB, conn *clickhouse.Conn, mark string) uint64 {
	t.Helper()
	var n uint64
	must(t, conn.QueryRow(ctx, "SELECT count() FROM system.processes WHERE position(query, {mark:String}) > 0 AND position(query, 'processes') = 0", clickhouse.Params{"mark": mark}, nil, &n))
	return n
}

func within(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

func TestLeavingEarlyStopsTheQuery(t *testing.T) {
	conn := clickhousetest.Start(t)
	rows, err := conn.Query(ctx, "SELECT number FROM system.numbers WHERE 'leaving' != ''", nil, nil)
	must(t, err)
	for range 10 {
		if !rows.Next() {
			t.Fatal(rows.Err())
		}
	}
	for range 2 {
		must(t, rows.Close())
	}
	if rows.Next() {
		t.Error("a row after Close")
	}
	within(t, 10*time.Second, "the query is stopped", func() bool { return running(t, conn, "leaving") == 0 })
}

func TestCancelStopsTheQuery(t *testing.T) {
	conn := clickhousetest.Start(t)
	ctx, cancel := context.WithCancel(ctx)
	failed := make(chan error, 1)
	go func() {
		var n uint64
		failed <- conn.QueryRow(ctx, "SELECT count() FROM system.numbers WHERE 'cancelling' != ''", nil, nil, &n)
	}()
	within(t, 10*time.Second, "the query runs", func() bool { return running(t, conn, "cancelling") == 1 })
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) || schema.ClassOf(err) != schema.Transient {
		t.Errorf("%v is %s", err, schema.ClassOf(err))
	}
	within(t, 10*time.Second, "the query is stopped", func() bool { return running(t, conn, "cancelling") == 0 })
}

func TestDeadlineReachesTheServer(t *testing.T) {
	conn := clickhousetest.Start(t)
	var limit string
	const ask = "SELECT getSetting('max_execution_time')::String"
	must(t, conn.QueryRow(ctx, ask, nil, nil, &limit))
	if limit != "0" {
		t.Errorf("without deadline: %s", limit)
	}
	short, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	must(t, conn.QueryRow(short, ask, nil, nil, &limit))
	if limit != "40" && limit != "31" && limit != "32" { // the embedded engine rounds it up
		t.Errorf("with a deadline in 30 s: %s", limit)
	}
	must(t, conn.QueryRow(short, ask, nil, clickhouse.Settings{"max_execution_time": 5}, &limit))
	if limit != "5" {
		t.Errorf("with a limit of 5 s: %s", limit)
	}
	expired, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := conn.QueryRow(expired, "SELECT count()::String FROM system.numbers", nil, nil, &limit)
	if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || schema.ClassOf(err) != schema.Transient || took > 5*time.Second {
		t.Errorf("after %s: %v is %s", took, err, schema.ClassOf(err))
	}
}

func TestFailureInMidstream(t *testing.T) {
	conn := clickhousetest.Start(t)
	rows, err := conn.Query(ctx, "SELECT throwIf(number = 3000000, 'the secret') FROM numbers(4000000)", nil, clickhouse.Settings{"max_block_size": 10_000})
	must(t, err)
	defer rows.Close()
	for rows.Next() {
	}
	var e *clickhouse.Error
	if err := rows.Err(); !errors.As(err, &e) || e.Code != 395 || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", rows.Err())
	}
}

func TestConcurrentReaders(t *testing.T) {
	conn := clickhousetest.Start(t)
	must(t, conn.Exec(ctx, numbersTable, nil, nil))
	must(t, conn.Insert(ctx, "t", []string{"k"}, "", nil, numbers(0, 10_000)))
	var readers sync.WaitGroup
	for reader := range 32 {
		readers.Go(func() {
			for i := range 10 {
				k := uint64(reader*300 + i)
				var got uint64
				if err := conn.QueryRow(ctx, "SELECT k FROM t WHERE k = {k:UInt64}", clickhouse.Params{"k": k}, nil, &got); err != nil || got != k {
					t.Errorf("got %d, %v, want %d", got, err, k)
					return
				}
			}
		})
	}
	readers.Wait()
}

func TestQueryRowWithoutRow(t *testing.T) {
	conn := clickhousetest.Start(t)
	var n uint64
	if err := conn.QueryRow(ctx, "SELECT number FROM numbers(0)", nil, nil, &n); !errors.Is(err, clickhouse.ErrNoRows) {
		t.Errorf("got %v", err)
	}
}

func TestMigrate(t *testing.T) {
	conn := clickhousetest.Start(t)
	steps := []schema.Migration{
		{Number: 1, Name: "first", SQL: "CREATE TABLE IF NOT EXISTS a (k UInt64) ENGINE = MergeTree ORDER BY k"},
		{Number: 2, Name: "second", SQL: "ALTER TABLE a ADD COLUMN IF NOT EXISTS v String"},
	}
	must(t, conn.Migrate(ctx, steps[:1]))
	must(t, conn.Insert(ctx, "a", []string{"k"}, "", nil, numbers(0, 1)))
	for range 3 {
		must(t, conn.Migrate(ctx, steps))
	}
	must(t, conn.Insert(ctx, "a", []string{"k", "v"}, "", nil, func(b *clickhouse.Batch) error { return b.Append(uint64(1), "x") }))
	var n uint64
	must(t, conn.QueryRow(ctx, "SELECT count() FROM dossier_migrations", nil, nil, &n))
	if n != 2 {
		t.Errorf("%d records, want 2", n)
	}
	edited := []schema.Migration{steps[0], {Number: 2, Name: "second", SQL: "ALTER TABLE a ADD COLUMN IF NOT EXISTS w String"}}
	unordered := []schema.Migration{steps[1], steps[0]}
	broken := append(steps[:2:2], schema.Migration{Number: 3, Name: "third", SQL: "CREATE TABLE nonsense"})
	for name, c := range map[string]struct {
		steps []schema.Migration
		want  string
	}{
		"a newer database": {steps[:1], "newer program: it has migration 2 (second), this one knows 1"},
		"an edited step":   {edited, "ran another migration 2 (second)"},
		"no order":         {unordered, "does not follow"},
		"a broken step":    {broken, "migration 3 (third)"},
	} {
		err := conn.Migrate(ctx, c.steps)
		if err == nil || schema.ClassOf(err) != schema.Fatal || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want a fatal error with %q", name, err, c.want)
		}
	}
	must(t, conn.Migrate(ctx, steps)) // nothing was damaged
}

func TestMigrateTogether(t *testing.T) {
	conn := clickhousetest.Start(t)
	steps := []schema.Migration{{Number: 1, Name: "first", SQL: "CREATE TABLE IF NOT EXISTS a (k UInt64) ENGINE = MergeTree ORDER BY k"}}
	var together sync.WaitGroup
	for range 8 {
		together.Go(func() {
			if err := conn.Migrate(ctx, steps); err != nil {
				t.Error(err)
			}
		})
	}
	together.Wait()
	must(t, conn.Migrate(ctx, steps))
}

func TestErrorsAreClassed(t *testing.T) {
	conn := clickhousetest.Start(t)
	must(t, conn.Exec(ctx, "CREATE TABLE t (k UInt8, CONSTRAINT small CHECK k < 5) ENGINE = MergeTree ORDER BY k", nil, nil))
	for _, c := range []struct {
		sql      string
		params   clickhouse.Params
		settings clickhouse.Settings
		class    schema.ErrorClass
		code     int
		text     string // what the error must tell
	}{
		{"SELECT * FROM nowhere", nil, nil, schema.Fatal, 60, "nowhere"},
		{"SELECT * FROM nobody.nowhere", nil, nil, schema.Fatal, 81, "nobody"},
		{"SELECT nothing FROM t", nil, nil, schema.Fatal, 47, "nothing"},
		{"SELEC 1", nil, nil, schema.Fatal, 62, "SYNTAX_ERROR"},
		{"SELECT 1", nil, clickhouse.Settings{"no_such_setting": 1}, schema.Fatal, 115, "no_such_setting"},
		{"SELECT toUInt8({x:String})", clickhouse.Params{"x": "my secret"}, nil, schema.Rejected, 6, "CANNOT_PARSE_TEXT"},
		{"SELECT {x:UUID}", clickhouse.Params{"x": "my secret"}, nil, schema.Rejected, 376, "CANNOT_PARSE_UUID"},
		{"SELECT groupArray(number) FROM numbers(50000000)", nil, clickhouse.Settings{"max_memory_usage": 1_000_000}, schema.Transient, 241, "MEMORY_LIMIT_EXCEEDED"},
		{"SELECT count() FROM system.numbers", nil, clickhouse.Settings{"max_execution_time": 1}, schema.Transient, 159, "TIMEOUT_EXCEEDED"},
		{"CREATE TABLE u (k UInt8) ENGINE = Memory", nil, clickhouse.Settings{"readonly": 1}, schema.Transient, 164, "READONLY"},
		{"INSERT INTO t SELECT 9", nil, nil, schema.Rejected, 469, "VIOLATED_CONSTRAINT"},
	} {
		rows, err := conn.Query(ctx, c.sql, c.params, c.settings)
		if err == nil {
			for rows.Next() {
			}
			err = rows.Err()
		}
		var e *clickhouse.Error
		if !errors.As(err, &e) || e.Code != c.code || schema.ClassOf(err) != c.class || clickhouse.Classify(err) != c.class || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v is %s, want code %d, %s, with %q", c.sql, err, schema.ClassOf(err), c.code, c.class, c.text)
			continue
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows the value: %v", c.sql, err)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		config clickhouse.Config
		class  schema.ErrorClass
	}{
		"nobody there": {clickhouse.Config{URL: "http://127.0.0.1:1", Password: "hunter2"}, schema.Transient},
		"no address":   {clickhouse.Config{URL: "localhost:8123", Password: "hunter2"}, schema.Fatal},
		"no scheme":    {clickhouse.Config{URL: "tcp://user:hunter2@localhost:9000"}, schema.Fatal},
	} {
		conn, err := clickhouse.Open(ctx, c.config)
		if err == nil {
			must(t, conn.Close())
			t.Fatalf("%s: it opened", name)
		}
		if schema.ClassOf(err) != c.class || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v is %s, want %s in one line without the password", name, err, schema.ClassOf(err), c.class)
		}
	}
	e := clickhousetest.StartEngine(t, t.TempDir())
	if _, err := clickhouse.Open(ctx, clickhouse.Config{URL: e.URL(), Password: "wrong"}); schema.ClassOf(err) != schema.Fatal || !strings.Contains(err.Error(), "AUTHENTICATION_FAILED") {
		t.Errorf("a wrong password: %v", err)
	}
	conn, err := clickhouse.Open(ctx, clickhouse.Config{URL: strings.Replace(e.URL(), "http://", "http://default:"+e.Password()+"@", 1) + "/?database=named"})
	must(t, err)
	var name string
	must(t, conn.QueryRow(ctx, "SELECT currentDatabase()", nil, nil, &name))
	if version, err := conn.Version(); err != nil || !bytes.HasPrefix([]byte(version), []byte("26.")) || name != "named" || conn.Database() != "named" {
		t.Errorf("version %s, database %s, %v", version, name, err)
	}
	must(t, conn.Ping(ctx))
	must(t, conn.Close())
}
