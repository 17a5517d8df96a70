package destinations

import "encoding/binary"

// parquet writes rows of texts as a Parquet file: one row group, a column of required UTF-8 byte arrays each, PLAIN, in one page, not compressed. The
// metadata are Thrift's compact protocol, by the field numbers of parquet.thrift (Apache Parquet format 2.10).
func parquet(columns []string, rows [][]string) []byte {
	const (
		byteArray = 6 // Type
		required  = 0 // FieldRepetitionType
		utf8      = 0 // ConvertedType
		plain     = 0 // Encoding
		rle       = 3 // Encoding
	)
	out := []byte("PAR1")
	type chunk struct{ offset, size int }
	chunks := make([]chunk, len(columns))
	for c := range columns {
		var page []byte
		for _, row := range rows {
			page = binary.LittleEndian.AppendUint32(page, uint32(len(row[c])))
			page = append(page, row[c]...)
		}
		var h thrift
		h.i32(1, 0) // data page
		h.i32(2, len(page))
		h.i32(3, len(page))
		h.begin(5)
		h.i32(1, len(rows))
		h.i32(2, plain)
		h.i32(3, rle)
		h.i32(4, rle)
		h.end()
		h.end()
		chunks[c] = chunk{len(out), len(h.b) + len(page)}
		out = append(append(out, h.b...), page...)
	}
	total := len(out) - 4
	var f thrift
	f.i32(1, 1) // version
	f.list(2, thriftStruct, len(columns)+1)
	f.element()
	f.text(4, "schema")
	f.i32(5, len(columns))
	f.end()
	for _, name := range columns {
		f.element()
		f.i32(1, byteArray)
		f.i32(3, required)
		f.text(4, name)
		f.i32(6, utf8)
		f.end()
	}
	f.i64(3, len(rows))
	f.list(4, thriftStruct, 1)
	f.element()
	f.list(1, thriftStruct, len(columns))
	for c, name := range columns {
		f.element()
		f.i64(2, chunks[c].offset)
		f.begin(3)
		f.i32(1, byteArray)
		f.list(2, thriftI32, 1)
		f.varint(zigzag(plain))
		f.list(3, thriftBinary, 1)
		f.varint(uint64(len(name)))
		f.b = append(f.b, name...)
		f.i32(4, 0) // not compressed
		f.i64(5, len(rows))
		f.i64(6, chunks[c].size)
		f.i64(7, chunks[c].size)
		f.i64(9, chunks[c].offset)
		f.end()
		f.end()
	}
	f.i64(2, total)
	f.i64(3, len(rows))
	f.end()
	f.text(6, "dossier")
	f.end()
	out = append(out, f.b...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(f.b)))
	return append(out, "PAR1"...)
}

// Types of Thrift's compact protocol.
const (
	thriftI32    = 5
	thriftI64    = 6
	thriftBinary = 8
	thriftList   = 9
	thriftStruct = 12
)

// thrift writes structs in the compact protocol. Fields go up in number.
type thrift struct {
	b     []byte
	last  int
	outer []int
}

func zigzag(n int) uint64 { return uint64(n<<1) ^ uint64(n>>63) }

func (t *thrift) varint(n uint64) { t.b = binary.AppendUvarint(t.b, n) }

func (t *thrift) field(id, kind int) {
	t.b = append(t.b, byte((id-t.last)<<4|kind))
	t.last = id
}

func (t *thrift) i32(id, n int) {
	t.field(id, thriftI32)
	t.varint(zigzag(n))
}

func (t *thrift) i64(id, n int) {
	t.field(id, thriftI64)
	t.varint(zigzag(n))
}

func (t *thrift) text(id int, s string) {
	t.field(id, thriftBinary)
	t.varint(uint64(len(s)))
	t.b = append(t.b, s...)
}

func (t *thrift) list(id, kind, n int) {
	t.field(id, thriftList)
	if n < 15 {
		t.b = append(t.b, byte(n<<4|kind))
		return
	}
	t.b = append(t.b, byte(0xf0|kind))
	t.varint(uint64(n))
}

// begin opens a struct in a field, element one in a list; end closes it.
func (t *thrift) begin(id int) {
	t.field(id, thriftStruct)
	t.element()
}

func (t *thrift) element() {
	t.outer = append(t.outer, t.last)
	t.last = 0
}

func (t *thrift) end() {
	t.b = append(t.b, 0)
	if n := len(t.outer); n > 0 {
		t.last, t.outer = t.outer[n-1], t.outer[:n-1]
	}
}
