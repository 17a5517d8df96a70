package chdb

import (
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// maxBlock is the most raw bytes that one ClickHouse compressed block may hold.
const maxBlock = 1 << 20

// answer writes one response body: raw, in ClickHouse compressed blocks, and in an HTTP content coding around either.
type answer struct {
	w      http.ResponseWriter
	rq     *request
	format string
	block  *compress.Writer // nil without block compression
	coding io.WriteCloser   // nil without content coding, and before the first byte
	begun  bool
}

func newAnswer(w http.ResponseWriter, rq *request, format string) *answer {
	a := &answer{w: w, rq: rq, format: firstOf(format, rq.format)}
	if rq.block != "" {
		a.block = blockWriter(rq.block)
	}
	return a
}

func blockWriter(method string) *compress.Writer {
	if method == "ZSTD" {
		return compress.NewWriter(compress.LevelZero, compress.ZSTD)
	}
	return compress.NewWriter(compress.LevelZero, compress.LZ4)
}

func (a *answer) begin() error {
	if a.begun {
		return nil
	}
	a.begun = true
	h := a.w.Header()
	h.Set("X-ClickHouse-Format", a.format)
	h.Set("Content-Type", contentType(a.format))
	if a.rq.coding == "" {
		return nil
	}
	h.Set("Content-Encoding", a.rq.coding)
	h.Del("Content-Length")
	var err error
	switch a.rq.coding {
	case "gzip":
		a.coding, err = gzip.NewWriterLevel(a.w, 3)
	case "deflate":
		a.coding, err = zlib.NewWriterLevel(a.w, 3)
	case "br":
		a.coding = brotli.NewWriterLevel(a.w, 3)
	case "zstd":
		a.coding, err = zstd.NewWriter(a.w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	case "lz4":
		a.coding = lz4.NewWriter(a.w)
	}
	return err
}

// write sends engine bytes.
func (a *answer) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if err := a.begin(); err != nil {
		return err
	}
	if a.block == nil {
		return a.raw(b)
	}
	for len(b) > 0 {
		n := min(len(b), maxBlock)
		if err := a.block.Compress(b[:n]); err != nil {
			return err
		}
		if err := a.raw(a.block.Data); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func (a *answer) raw(b []byte) error {
	var to io.Writer = a.w
	if a.coding != nil {
		to = a.coding
	}
	_, err := to.Write(b)
	return err
}

// flush pushes what was written to the client; a content coding keeps its own buffer.
func (a *answer) flush() {
	if f, ok := a.w.(http.Flusher); ok && a.coding == nil {
		f.Flush()
	}
}

// close ends the body.
func (a *answer) close() error {
	if err := a.begin(); err != nil {
		return err
	}
	if a.coding != nil {
		return a.coding.Close()
	}
	return nil
}

// whole sends a body that is known entirely, with its length.
func (a *answer) whole(b []byte) error {
	if a.rq.block == "" && a.rq.coding == "" {
		a.w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	}
	if err := a.write(b); err != nil {
		return err
	}
	return a.close()
}

// breakOff tells of a failure after the first bytes went out with status 200: a framed block, outside the block compression
// and inside the content coding, announced by X-ClickHouse-Exception-Tag.
func (a *answer) breakOff(tag, text string) error {
	if err := a.begin(); err != nil {
		return err
	}
	frame := fmt.Sprintf("\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n", tag, text, len(text)+1, tag)
	if err := a.raw([]byte(frame)); err != nil {
		return err
	}
	return a.close()
}

func contentType(format string) string {
	switch {
	case format == "Native", strings.HasPrefix(format, "RowBinary"):
		return "application/octet-stream"
	case strings.HasPrefix(format, "JSON") && strings.Contains(format, "EachRow"):
		return "application/x-ndjson; charset=UTF-8"
	case strings.HasPrefix(format, "JSON"):
		return "application/json; charset=UTF-8"
	case format == "CSVWithNames", format == "CSVWithNamesAndTypes":
		return "text/csv; charset=UTF-8; header=present"
	case strings.HasPrefix(format, "CSV"):
		return "text/csv; charset=UTF-8; header=absent"
	case strings.HasPrefix(format, "TabSeparated"), strings.HasPrefix(format, "TSV"):
		return "text/tab-separated-values; charset=UTF-8"
	}
	return "text/plain; charset=UTF-8"
}

// setSummary writes the counters header; every number is a JSON string, as a server writes it.
func setSummary(h http.Header, c counters, took time.Duration) {
	h.Set("X-ClickHouse-Summary", fmt.Sprintf(
		`{"read_rows":"%d","read_bytes":"%d","written_rows":"%d","written_bytes":"%d","total_rows_to_read":"0","result_rows":"%d","result_bytes":"%d","elapsed_ns":"%d"}`,
		c.storageRows, c.storageBytes, c.writtenRows, c.writtenBytes, c.resultRows, c.resultBytes, took.Nanoseconds()))
}
