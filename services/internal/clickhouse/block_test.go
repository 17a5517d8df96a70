package clickhouse_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go/compress"
	"pgregory.net/rapid"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
)

func TestBlockRoundTrip(t *testing.T) {
	conn := clickhousetest.Start(t)
	must(t, conn.Exec(ctx, `CREATE TABLE t (n Int64, id UUID, at DateTime64(6, 'UTC'), low LowCardinality(String), text String, json String, i Int32, u UInt32)
		ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 1000`, nil, nil))
	type row struct {
		id              schema.EventID
		at              schema.Instant
		low, text, json string
		i               int32
		u               uint32
	}
	// Lengths of one, two and three bytes.
	text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		rapid.Map(rapid.SampledFrom([]int{127, 128, 16383, 16384, 100_000}), func(n int) string { return strings.Repeat("x", n) }))
	generator := rapid.Custom(func(r *rapid.T) row {
		w := row{
			at:  schema.Instant(rapid.Int64Range(-2_208_988_800_000_000, 9_214_646_400_000_000).Draw(r, "at")),
			low: text.Draw(r, "low"), text: text.Draw(r, "text"), json: text.Draw(r, "json"), i: rapid.Int32().Draw(r, "i"), u: rapid.Uint32().Draw(r, "u"),
		}
		copy(w.id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(r, "id"))
		return w
	})
	round := 0
	rapid.Check(t, func(r *rapid.T) {
		round++
		rows := rapid.SliceOfN(generator, 1, 20).Draw(r, "rows")
		columns := []clickhouse.Column{
			{Name: "n", Type: "Int64"}, {Name: "id", Type: "UUID"}, {Name: "at", Type: "DateTime64(6, 'UTC')"}, {Name: "low", Type: "String"},
			{Name: "text", Type: "String"}, {Name: "json", Type: "String"}, {Name: "i", Type: "Int32"}, {Name: "u", Type: "UInt32"},
		}
		for i, w := range rows {
			c := columns
			c[0].Values = clickhouse.AppendInt64(c[0].Values, int64(i))
			c[1].Values = clickhouse.AppendUUID(c[1].Values, w.id)
			c[2].Values = clickhouse.AppendInstant(c[2].Values, w.at)
			c[3].Values = clickhouse.AppendString(c[3].Values, w.low)
			c[4].Values = clickhouse.AppendString(c[4].Values, []byte(w.text))
			c[5].Values = clickhouse.AppendText(c[5].Values, func(dst []byte) []byte { return append(dst, w.json...) })
			c[6].Values = clickhouse.AppendInt32(c[6].Values, w.i)
			c[7].Values = clickhouse.AppendUint32(c[7].Values, w.u)
		}
		if err := conn.Exec(ctx, "TRUNCATE TABLE t", nil, nil); err != nil {
			r.Fatal(err)
		}
		for range 2 { // the second is the same batch again
			if err := conn.InsertBlock(ctx, "t", len(rows), columns, fmt.Sprint(round), nil); err != nil {
				r.Fatal(err)
			}
		}
		got, err := conn.Query(ctx, "SELECT id, at, low, text, json, i, u FROM t ORDER BY n", nil, nil)
		if err != nil {
			r.Fatal(err)
		}
		defer got.Close()
		i := 0
		for ; got.Next(); i++ {
			var g row
			if err := got.Scan(&g.id, &g.at, &g.low, &g.text, &g.json, &g.i, &g.u); err != nil {
				r.Fatal(err)
			}
			if g != rows[i] {
				r.Fatalf("row %d:\n sent %+v\n got  %+v", i, rows[i], g)
			}
		}
		if err := got.Err(); err != nil || i != len(rows) {
			r.Fatalf("%d rows of %d: %v", i, len(rows), err)
		}
	})
}

func TestInsertBlockSaysWhatIsWrong(t *testing.T) {
	conn := clickhousetest.Start(t)
	must(t, conn.Exec(ctx, numbersTable, nil, nil))
	one := clickhouse.AppendInt64(nil, 1)
	for name, c := range map[string]struct {
		column clickhouse.Column
		token  string
		class  schema.ErrorClass
	}{
		"no such column":  {clickhouse.Column{Name: "nope", Type: "UInt64", Values: one}, "token", schema.Fatal},
		"no such type":    {clickhouse.Column{Name: "k", Type: "Nope", Values: one}, "token", schema.Fatal},
		"a value unlike":  {clickhouse.Column{Name: "k", Type: "String", Values: clickhouse.AppendString(nil, "secret")}, "token", schema.Rejected},
		"without a token": {clickhouse.Column{Name: "k", Type: "UInt64", Values: one}, "", schema.Fatal},
	} {
		err := conn.InsertBlock(ctx, "t", 1, []clickhouse.Column{c.column}, c.token, nil)
		if err == nil || schema.ClassOf(err) != c.class {
			t.Errorf("%s: %v is %s, want %s", name, err, schema.ClassOf(err), c.class)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows the value: %v", name, err)
		}
	}
	must(t, conn.InsertBlock(ctx, "t", 0, []clickhouse.Column{{Name: "k", Type: "UInt64"}}, "empty", nil))
	if rows, _ := count(t, conn, "t"); rows != 0 {
		t.Errorf("%d rows were stored", rows)
	}
	// What failed under a token has not used it up.
	must(t, conn.InsertBlock(ctx, "t", 1, []clickhouse.Column{{Name: "k", Type: "UInt64", Values: one}}, "token", nil))
	if rows, _ := count(t, conn, "t"); rows != 1 {
		t.Errorf("%d rows, want 1", rows)
	}
}

// A block is the same bytes however it is read, and compressed as well; after the insert there is no more of it.
func TestBlockReader(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var columns []clickhouse.Column
		want := []byte{0, 7} // columns, rows
		for i := range rapid.IntRange(0, 5).Draw(r, "columns") {
			values := bytes.Repeat([]byte{byte(i)}, rapid.OneOf(rapid.IntRange(0, 30), rapid.Just(3<<20)).Draw(r, "bytes"))
			columns = append(columns, clickhouse.Column{Name: fmt.Sprint("c", i), Type: "UInt8", Values: values})
			want = append(want, fmt.Sprintf("\x02c%d\x05UInt8", i)...)
			want = append(want, values...)
			want[0]++
		}
		plain, stop := clickhouse.ReadBlock(columns, 7, false)
		size := rapid.SampledFrom([]int{3, 1000, 32 << 10}).Draw(r, "size")
		got, err := io.ReadAll(sized{plain, size})
		if err != nil || !bytes.Equal(got, want) {
			r.Fatalf("%d bytes of %d: %v", len(got), len(want), err)
		}
		stop()
		if n, err := plain.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
			r.Fatalf("after its end: %d bytes, %v", n, err)
		}
		packed, _ := clickhouse.ReadBlock(columns, 7, true)
		got, err = io.ReadAll(compress.NewReader(sized{packed, size}))
		if !bytes.Equal(got, want) {
			r.Fatalf("unpacked: %d bytes of %d: %v", len(got), len(want), err)
		}
	})
}

// sized reads at most so many bytes at once.
type sized struct {
	io.Reader
	n int
}

func (s sized) Read(p []byte) (int, error) { return s.Reader.Read(p[:min(len(p), s.n)]) }
