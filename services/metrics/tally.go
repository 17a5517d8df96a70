package metrics

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/dossier-cdp/dossier/pipelines/care/metric"
	"github.com/dossier-cdp/dossier/schema"
)

// A figure may stand on millions of durations, which a driver that scans value by value takes longer to read than the engine to count. So
// tallies come in the format RowBinary, and are read here: numbers little-endian, a text or an array after its length as an unsigned varint.

// tallyReader reads the answer of metric.Definition.Count. After an error everything it reads is zero.
type tallyReader struct {
	from *bufio.Reader
	err  error
	buf  []byte
}

// mostValues bounds an array, against an answer that is none.
const mostValues = 1 << 28

// readTallies reads all rows.
func readTallies(from io.Reader) ([]metric.Tally, error) {
	r := &tallyReader{from: bufio.NewReaderSize(from, 1<<18)}
	var out []metric.Tally
	for {
		if _, err := r.from.Peek(1); errors.Is(err, io.EOF) {
			return out, nil
		}
		t := r.tally()
		if r.err != nil {
			if errors.Is(r.err, io.EOF) {
				r.err = io.ErrUnexpectedEOF
			}
			return nil, schema.Classify(schema.Transient, fmt.Errorf("read a tally: %w", r.err))
		}
		out = append(out, t)
	}
}

func (r *tallyReader) tally() (t metric.Tally) {
	t.Whole = r.bytes(1)[0] == 1
	t.Keys = r.texts()
	t.N, t.People, t.Up, t.Down = r.number(), r.number(), r.number(), r.number()
	t.Sum, t.Squares = r.whole(), r.whole()
	t.Marks = r.numbers()
	for range r.length() {
		t.Sums = append(t.Sums, r.whole())
	}
	t.Reasons = map[string]int64{}
	for range r.length() {
		reason := r.text()
		t.Reasons[reason] = r.number()
	}
	t.Calendars = r.texts()
	t.Over, t.Open = r.numbers(), r.numbers()
	return t
}

// bytes gives the next n bytes, until the next call.
func (r *tallyReader) bytes(n int) []byte {
	if cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	b := r.buf[:n]
	if r.err == nil {
		_, r.err = io.ReadFull(r.from, b)
	}
	if r.err != nil {
		clear(b)
	}
	return b
}

func (r *tallyReader) number() int64 { return int64(binary.LittleEndian.Uint64(r.bytes(8))) }

func (r *tallyReader) length() int {
	if r.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(r.from)
	if err == nil && n > mostValues {
		err = errors.New("an array is too long")
	}
	if r.err = err; err != nil {
		return 0
	}
	return int(n)
}

func (r *tallyReader) text() string { return string(r.bytes(r.length())) }

// whole reads a whole number that is written out.
func (r *tallyReader) whole() *big.Int {
	n, ok := new(big.Int).SetString(r.text(), 10)
	if r.err == nil && !ok {
		r.err = errors.New("a sum is no whole number")
	}
	return n
}

func (r *tallyReader) texts() []string {
	var out []string
	for n := r.length(); n > 0 && r.err == nil; n-- {
		out = append(out, r.text())
	}
	return out
}

func (r *tallyReader) numbers() []int64 {
	const chunk = 8192
	n := r.length()
	if n == 0 {
		return nil
	}
	out := make([]int64, 0, min(n, 1<<20))
	for n > 0 && r.err == nil {
		b := r.bytes(8 * min(n, chunk))
		for i := 0; i < len(b); i += 8 {
			out = append(out, int64(binary.LittleEndian.Uint64(b[i:])))
		}
		n -= len(b) / 8
	}
	return out
}
