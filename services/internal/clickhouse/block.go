package clickhouse

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/ClickHouse/ch-go/compress"
	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/dossier-cdp/dossier/schema"
)

// Column is one column of a block in ClickHouse's format Native: its values one after the other, as the Append functions below write
// them. The server converts Type to the type of the table's column.
type Column struct {
	Name   string
	Type   string
	Values []byte
}

// AppendString appends a value of a column of type String.
func AppendString[T ~string | ~[]byte](dst []byte, v T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(v))), v...)
}

// AppendText appends a value of a column of type String that write appends to what it is given.
func AppendText(dst []byte, write func(dst []byte) []byte) []byte {
	const guess = 2 // bytes of a length from 128 to 16383
	start := len(dst)
	dst = write(append(dst, make([]byte, guess)...))
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(len(dst)-start-guess))
	return slices.Replace(dst, start, start+guess, length[:n]...)
}

// AppendUUID appends a value of a column of type UUID: two little-endian words, the first eight bytes first.
func AppendUUID[T ~[16]byte](dst []byte, id T) []byte {
	b := [16]byte(id)
	dst = binary.LittleEndian.AppendUint64(dst, binary.BigEndian.Uint64(b[:8]))
	return binary.LittleEndian.AppendUint64(dst, binary.BigEndian.Uint64(b[8:]))
}

// AppendInstant appends a value of a column of type DateTime64(6).
func AppendInstant(dst []byte, t schema.Instant) []byte { return AppendInt64(dst, int64(t)) }

// AppendInt64 appends a value of a column of type Int64.
func AppendInt64(dst []byte, v int64) []byte { return binary.LittleEndian.AppendUint64(dst, uint64(v)) }

// AppendInt32 appends a value of a column of type Int32.
func AppendInt32(dst []byte, v int32) []byte { return binary.LittleEndian.AppendUint32(dst, uint32(v)) }

// AppendUint32 appends a value of a column of type UInt32.
func AppendUint32(dst []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(dst, v) }

// InsertBlock stores rows that are encoded already, as Insert does with its batch: under a token, and durably when it returns nil. A
// block without rows sends nothing. The columns are the caller's again when it returns.
func (c *Conn) InsertBlock(ctx context.Context, table string, rows int, columns []Column, token string, settings Settings) error {
	if rows == 0 {
		return nil
	}
	if token == "" {
		return schema.Classify(schema.Fatal, fmt.Errorf("insert into %s: a block needs a token", table))
	}
	merged := driver.Settings{"insert_deduplication_token": token}
	maps.Copy(merged, settings)
	packed := c.options.Compression.Method == driver.CompressionLZ4
	if packed {
		merged["decompress"] = 1
	}
	body := newBlockReader(columns, rows, packed)
	defer body.stop()
	names := make([]string, len(columns))
	for i := range columns {
		names[i] = QuoteName(columns[i].Name)
	}
	ctx = driver.Context(bounded(ctx, merged), driver.WithSettings(merged))
	return failed("insert into "+table, c.conn.InsertFormat(ctx, "Native", "INSERT INTO "+table+" ("+strings.Join(names, ", ")+")", body))
}

// blockReader reads columns as a block in format Native, without putting them together in memory.
type blockReader struct {
	mu      sync.Mutex
	head    []byte   // left of what comes before values: counts, or a column's name and type
	values  []byte   // left of a column
	columns []Column // not begun
	packer  *compress.Writer
	packed  []byte // left of a compressed piece
	stopped bool
}

func newBlockReader(columns []Column, rows int, packed bool) *blockReader {
	b := &blockReader{columns: columns, head: binary.AppendUvarint(binary.AppendUvarint(nil, uint64(len(columns))), uint64(rows))}
	if packed {
		b.packer = compress.NewWriter(compress.LevelZero, compress.LZ4)
	}
	return b
}

// packedPiece is how much is compressed at once.
const packedPiece = 1 << 20

var errBlockStopped = errors.New("the insert has ended")

// Read gives the block. An HTTP client may read on after it has returned, so each read is for itself.
func (b *blockReader) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return 0, errBlockStopped
	}
	if b.packer == nil {
		return b.plain(p)
	}
	if len(b.packed) == 0 {
		piece := make([]byte, packedPiece)
		n, err := io.ReadFull(readerFunc(b.plain), piece)
		if n == 0 {
			return 0, err // io.EOF
		}
		if err := b.packer.Compress(piece[:n]); err != nil {
			return 0, fmt.Errorf("compress a block: %w", err)
		}
		b.packed = b.packer.Data
	}
	n := copy(p, b.packed)
	b.packed = b.packed[n:]
	return n, nil
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// plain gives what is left, as much as fits.
func (b *blockReader) plain(p []byte) (n int, err error) {
	for n < len(p) {
		if len(b.head) == 0 && len(b.values) == 0 {
			if len(b.columns) == 0 {
				break
			}
			next := &b.columns[0]
			b.head, b.values = AppendString(AppendString(b.head, next.Name), next.Type), next.Values
			b.columns = b.columns[1:]
		}
		k := copy(p[n:], b.head)
		b.head, n = b.head[k:], n+k
		k = copy(p[n:], b.values)
		b.values, n = b.values[k:], n+k
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (b *blockReader) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped, b.columns, b.values = true, nil, nil
}
