package care

import (
	"encoding/binary"
	"math"
	"math/big"

	"github.com/cespare/xxhash/v2"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// The tables, by the number that the state store knows them by.
const (
	conversationsTable byte = iota
	casesTable
	surveysTable
	verbatimsTable
	mentionsTable
	numTables
)

var tableNames = [numTables]string{schema.TableConversations, schema.TableCases, schema.TableSurveys, schema.TableVerbatims, schema.TableMentions}

// shape is how a column is laid out in ClickHouse's format Native.
type shape byte

const (
	plain    shape = iota
	nullable       // a byte for each row says whether it is NULL
	array          // for each row the end of its values among all
)

// column says how a column is made of a row. put appends the values; n is how many of an array, or −1 for NULL (for which it appends a
// value all the same).
type column[R any] struct {
	name, kind string
	shape      shape
	put        func(dst []byte, r *R) (out []byte, n int)
}

func text[R any](name string, of func(r *R) string) column[R] {
	return column[R]{name, "String", plain, func(dst []byte, r *R) ([]byte, int) { return clickhouse.AppendString(dst, of(r)), 0 }}
}

func id[R any, I ~[16]byte](name string, of func(r *R) I) column[R] {
	return column[R]{name, "UUID", plain, func(dst []byte, r *R) ([]byte, int) { return clickhouse.AppendUUID(dst, of(r)), 0 }}
}

func ids[R any, I ~[16]byte](name string, of func(r *R) []I) column[R] {
	return column[R]{name, "Array(UUID)", array, func(dst []byte, r *R) ([]byte, int) {
		all := of(r)
		for _, v := range all {
			dst = clickhouse.AppendUUID(dst, v)
		}
		return dst, len(all)
	}}
}

func texts[R any](name string, of func(r *R) []string) column[R] {
	return column[R]{name, "Array(String)", array, func(dst []byte, r *R) ([]byte, int) {
		all := of(r)
		for _, v := range all {
			dst = clickhouse.AppendString(dst, v)
		}
		return dst, len(all)
	}}
}

const instantKind = "DateTime64(6, 'UTC')"

// held brings an instant into what the tables hold; a broken clock's events are in the dead letters of the timeline anyway.
func held(at schema.Instant) schema.Instant {
	return min(max(at, schema.FirstTimelineInstant), schema.EndTimelineInstant-1)
}

func instant[R any](name string, of func(r *R) schema.Instant) column[R] {
	return column[R]{name, instantKind, plain, func(dst []byte, r *R) ([]byte, int) { return clickhouse.AppendInstant(dst, held(of(r))), 0 }}
}

// some is an instant that may be none.
func some[R any](name string, of func(r *R) schema.Instant) column[R] {
	return column[R]{name, "Nullable(" + instantKind + ")", nullable, func(dst []byte, r *R) ([]byte, int) {
		at := of(r)
		if at == 0 {
			return clickhouse.AppendInstant(dst, 0), -1
		}
		return clickhouse.AppendInstant(dst, held(at)), 0
	}}
}

func instants[R any](name string, of func(r *R) []schema.Instant) column[R] {
	return column[R]{name, "Array(" + instantKind + ")", array, func(dst []byte, r *R) ([]byte, int) {
		all := of(r)
		for _, v := range all {
			dst = clickhouse.AppendInstant(dst, held(v))
		}
		return dst, len(all)
	}}
}

func span[R any](name string, of func(r *R) care.Span) column[R] {
	return column[R]{name, "Nullable(Int64)", nullable, func(dst []byte, r *R) ([]byte, int) {
		s := of(r)
		if s == care.NoSpan {
			return clickhouse.AppendInt64(dst, 0), -1
		}
		return clickhouse.AppendInt64(dst, int64(s)), 0
	}}
}

func sum[R any](name string, of func(r *R) care.Span) column[R] {
	return column[R]{name, "Int64", plain, func(dst []byte, r *R) ([]byte, int) { return clickhouse.AppendInt64(dst, int64(of(r))), 0 }}
}

func whole[R any](name string, of func(r *R) int64) column[R] {
	return column[R]{name, "Int64", plain, func(dst []byte, r *R) ([]byte, int) { return clickhouse.AppendInt64(dst, of(r)), 0 }}
}

func spans[R any](name string, of func(r *R) []care.Span) column[R] {
	return column[R]{name, "Array(Int64)", array, func(dst []byte, r *R) ([]byte, int) {
		all := of(r)
		for _, v := range all {
			dst = clickhouse.AppendInt64(dst, int64(v))
		}
		return dst, len(all)
	}}
}

func count[R any](name string, of func(r *R) uint32) column[R] {
	return column[R]{name, "UInt32", plain, func(dst []byte, r *R) ([]byte, int) { return clickhouse.AppendUint32(dst, of(r)), 0 }}
}

func truth[R any](name string, of func(r *R) bool) column[R] {
	return column[R]{name, "UInt8", plain, func(dst []byte, r *R) ([]byte, int) {
		if of(r) {
			return append(dst, 1), 0
		}
		return append(dst, 0), 0
	}}
}

func tri[R any](name string, of func(r *R) care.Tri) column[R] {
	return column[R]{name, "Nullable(UInt8)", nullable, func(dst []byte, r *R) ([]byte, int) {
		switch of(r) {
		case care.Yes:
			return append(dst, 1), 0
		case care.No:
			return append(dst, 0), 0
		}
		return append(dst, 0), -1
	}}
}

func number[R any](name string, of func(r *R) float64) column[R] {
	return column[R]{name, "Float64", plain, func(dst []byte, r *R) ([]byte, int) {
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(of(r))), 0
	}}
}

func numbers[R any](name string, of func(r *R) []float64) column[R] {
	return column[R]{name, "Array(Float64)", array, func(dst []byte, r *R) ([]byte, int) {
		all := of(r)
		for _, v := range all {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
		}
		return dst, len(all)
	}}
}

// rated is a Nullable(Decimal(18, 6)): care.Scaled has ten digits after the point.
func rated[R any](name string, of func(r *R) string) column[R] {
	return column[R]{name, "Nullable(Decimal(18, 6))", nullable, func(dst []byte, r *R) ([]byte, int) {
		text := of(r)
		if text == "" {
			return clickhouse.AppendInt64(dst, 0), -1
		}
		millionths := new(big.Int).Quo(care.Scaled(text), big.NewInt(10_000))
		return clickhouse.AppendInt64(dst, millionths.Int64()), 0
	}}
}

func amounts[R any](name string, of func(r *R) []string) column[R] {
	return column[R]{name, "Array(Decimal(38, 10))", array, func(dst []byte, r *R) ([]byte, int) {
		all := of(r)
		for _, v := range all {
			dst = appendInt128(dst, care.Scaled(v))
		}
		return dst, len(all)
	}}
}

// appendInt128 appends a number in two's complement, little-endian.
func appendInt128(dst []byte, v *big.Int) []byte {
	twos := new(big.Int).And(v, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1)))
	var b [16]byte
	twos.FillBytes(b[:])
	for i := range b {
		dst = append(dst, b[15-i])
	}
	return dst
}

// filled is a column as it grows.
type filled struct {
	shape  []byte // NULL flags, or ends
	values []byte
	total  uint64 // values of an array so far
}

// block grows by rows of one table.
type block[R any] struct {
	table   string
	columns []column[R]
	filled  []filled
	extra   [3]filled // workspace, version, deleted
	rows    int
	heads   []head
	scratch []byte
	counts  []byte  // of the arrays of the row in scratch
	digest  [8]byte // of the row in scratch
	id      schema.EventID
	parts   []part
}

// part is what one column has of the row in scratch.
type part struct{ end, n int }

func newBlock[R any](table byte, columns []column[R]) *block[R] {
	return &block[R]{table: tableNames[table], columns: columns, filled: make([]filled, len(columns)), parts: make([]part, len(columns))}
}

// encode writes a row to the scratch and gives its digest.
func (b *block[R]) encode(id schema.EventID, r *R) (digest [8]byte) {
	b.scratch, b.counts, b.id = b.scratch[:0], b.counts[:0], id
	var n int
	for i := range b.columns {
		b.scratch, n = b.columns[i].put(b.scratch, r)
		b.parts[i] = part{len(b.scratch), n}
		if b.columns[i].shape != plain {
			b.counts = append(b.counts, byte(n), byte(n>>8), byte(n>>16))
		}
	}
	whole := len(b.scratch)
	b.scratch = append(b.scratch, b.counts...)
	binary.BigEndian.PutUint64(b.digest[:], xxhash.Sum64(b.scratch))
	b.scratch = b.scratch[:whole]
	return b.digest
}

// add takes over the row that was encoded last.
func (b *block[R]) add(workspace string, version uint64, deleted bool) {
	start := 0
	for i := range b.columns {
		f, p := &b.filled[i], b.parts[i]
		switch b.columns[i].shape {
		case nullable:
			null := byte(0)
			if p.n < 0 {
				null = 1
			}
			f.shape = append(f.shape, null)
		case array:
			f.total += uint64(p.n)
			f.shape = binary.LittleEndian.AppendUint64(f.shape, f.total)
		}
		f.values = append(f.values, b.scratch[start:p.end]...)
		start = p.end
	}
	gone := byte(0)
	if deleted {
		gone = 1
	}
	b.extra[0].values = clickhouse.AppendString(b.extra[0].values, workspace)
	b.extra[1].values = binary.LittleEndian.AppendUint64(b.extra[1].values, version)
	b.extra[2].values = append(b.extra[2].values, gone)
	b.heads = append(b.heads, head{b.id, version, deleted, b.digest})
	b.rows++
}

// Block is rows of one table by column, as they are sent.
type Block struct {
	Table   string
	Rows    int
	Columns []clickhouse.Column
	heads   []head
}

// head is what a row is replaced by, and what tells it from another version.
type head struct {
	id      schema.EventID
	version uint64
	deleted bool
	digest  [8]byte
}

func (b *block[R]) done() *Block {
	out := &Block{Table: b.table, Rows: b.rows, heads: b.heads}
	for i, extra := range []clickhouse.Column{{Name: "workspace", Type: "String"}, {Name: "version", Type: "UInt64"}, {Name: "deleted", Type: "UInt8"}} {
		extra.Values = b.extra[i].values
		out.Columns = append(out.Columns, extra)
	}
	for i, c := range b.columns {
		f := &b.filled[i]
		out.Columns = append(out.Columns, clickhouse.Column{Name: c.name, Type: c.kind, Values: append(f.shape, f.values...)})
	}
	return out
}
