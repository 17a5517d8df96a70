package collector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/dossier-cdp/dossier/schema"
)

// failure is an answer to a request as a whole: nothing of it is stored.
type failure struct {
	status     int
	retryAfter time.Duration // 0: none
	refusal    *schema.Refusal
	hangUp     bool // the rest of the body is not read: the connection ends
}

// classed is the failure as an error: transient if the request may be sent again as it is, else rejected.
func (f *failure) classed() error {
	if f.retryAfter > 0 {
		return &schema.Classed{Class: schema.Transient, Err: errors.New(f.refusal.Error())}
	}
	return f.refusal
}

func fail(status int, code, reason, hint string) *failure {
	return &failure{status: status, refusal: schema.Refuse(code, reason, hint)}
}

// body is a request's body, read and decompressed.
type body struct {
	bytes  []byte
	taken  int64 // of the budget
	budget *budget
}

var bodies = sync.Pool{New: func() any { return &body{bytes: make([]byte, 0, 64<<10)} }}

// release gives the memory back. The bytes must not be used any more.
func (b *body) release() {
	b.budget.give(b.taken)
	b.taken, b.budget = 0, nil
	if cap(b.bytes) > 1<<20 {
		return // one huge body must not keep its memory for the small ones
	}
	b.bytes = b.bytes[:0]
	bodies.Put(b)
}

// read reads the body of a request: decompressed, within the limit, the budget and the time.
func (c *Collector) read(a *arrival) (*body, *failure) {
	if a.length > c.limits.Body {
		return nil, c.tooLarge()
	}
	deadline := func(at time.Time) {
		if a.deadline == nil {
			return
		}
		// Without a connection of its own (a recorder in a test) there is nobody to be slow.
		if err := a.deadline(at); err != nil && !errors.Is(err, http.ErrNotSupported) {
			c.logger.Debug("a connection takes no deadline", "error", err)
		}
	}
	deadline(time.Now().Add(c.limits.ReadTimeout))
	wire := &counter{r: a.body}
	b := bodies.Get().(*body)
	b.budget = &c.budget
	f := c.fill(b, wire, a.encoding, a.length)
	c.metrics.bytes.Add(wire.n)
	if f == nil || !f.hangUp {
		deadline(time.Time{})
	}
	if f != nil {
		b.release()
		return nil, f
	}
	return b, nil
}

// The bounds of what is read and thrown away of a body that was refused before its end.
const (
	lingerBytes = 32 << 20
	lingerTime  = 2 * time.Second
)

// answerUnread answers a request whose body was not read to its end. A sender that writes all of it before it looks for an answer
// would only see a broken connection: so the rest is thrown away for a moment, within bounds, before the connection ends.
func (c *Collector) answerUnread(w http.ResponseWriter, r *http.Request, f *failure) int {
	if !f.hangUp {
		return answerFailure(w, f)
	}
	control := http.NewResponseController(w)
	linger := f.status != http.StatusRequestTimeout && // that one has had its time
		control.EnableFullDuplex() == nil && control.SetReadDeadline(time.Now().Add(lingerTime)) == nil
	status := answerFailure(w, f)
	if linger && control.Flush() == nil {
		if n, err := io.CopyN(io.Discard, r.Body, lingerBytes); err != nil {
			c.logger.Debug("the rest of a refused body was thrown away", "bytes", n, "ended", err)
		}
	}
	if err := control.SetReadDeadline(time.Now()); err != nil && !errors.Is(err, http.ErrNotSupported) { // or the server would wait for the rest
		c.logger.Debug("a connection takes no deadline", "error", err)
	}
	return status
}

func (c *Collector) tooLarge() *failure {
	f := fail(http.StatusRequestEntityTooLarge, "body_too_large", fmt.Sprintf("a body has at most %d bytes, decompressed", c.limits.Body), "send the events in more requests")
	f.hangUp = true
	return f
}

// fill reads wire into b.
func (c *Collector) fill(b *body, wire *counter, encoding string, length int64) *failure {
	if length < 0 {
		length = 0
	}
	if f := b.grow(max(length+1, int64(cap(b.bytes)))); f != nil {
		return f
	}
	source, done, f := decoder(wire, encoding)
	if f != nil {
		return f
	}
	defer done()
	for {
		if len(b.bytes) == cap(b.bytes) {
			if f := b.grow(int64(2 * cap(b.bytes))); f != nil {
				return f
			}
		}
		n, err := source.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		if int64(len(b.bytes)) > c.limits.Body {
			return c.tooLarge()
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return readFailure(err, wire, len(b.bytes))
		}
	}
}

// grow makes room for n bytes in all, and pays for it.
func (b *body) grow(n int64) *failure {
	if n > b.taken {
		if !b.budget.take(n - b.taken) {
			f := fail(http.StatusServiceUnavailable, "busy", "the bodies of all requests together are at their limit", "try again")
			f.retryAfter = time.Second
			f.hangUp = true
			return f
		}
		b.taken = n
	}
	if int64(cap(b.bytes)) < n {
		grown := make([]byte, len(b.bytes), n)
		copy(grown, b.bytes)
		b.bytes = grown
	}
	return nil
}

func readFailure(err error, wire *counter, decoded int) *failure {
	where := fmt.Sprintf("at byte %d of the body", wire.n)
	var f *failure
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		f = fail(http.StatusRequestTimeout, "body_too_slow", where+" it did not arrive in time", "send smaller requests, or on a better connection")
	case wire.err != nil && wire.err != io.EOF:
		f = fail(http.StatusBadRequest, "body_truncated", where+" it breaks off", "send the whole body")
	case errors.Is(err, io.ErrUnexpectedEOF):
		f = fail(http.StatusBadRequest, "body_truncated", fmt.Sprintf("%s the compressed stream breaks off, after %d bytes of content", where, decoded), "send the whole body")
		return f // the body itself was read to its end
	default:
		f = fail(http.StatusBadRequest, "encoding_invalid", fmt.Sprintf("%s the compressed stream is damaged, after %d bytes of content", where, decoded), "compress the body as Content-Encoding says, or leave the header out")
	}
	f.hangUp = true
	return f
}

// counter counts what it reads, and keeps the error with which that ended.
type counter struct {
	r   io.Reader
	n   int64
	err error
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil {
		c.err = err
	}
	return n, err
}

var gzips = sync.Pool{New: func() any { return new(gzip.Reader) }}

// decoder undoes the Content-Encoding. A body that begins as gzip is gzip whatever the header says, since JSON never begins so.
func decoder(wire *counter, encoding string) (source io.Reader, done func(), f *failure) {
	nothing := func() {}
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		var head [2]byte
		n, err := io.ReadFull(wire, head[:])
		start := bytes.NewReader(head[:n])
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return nil, nothing, readFailure(err, wire, 0)
		}
		if n == 2 && head[0] == 0x1f && head[1] == 0x8b {
			return gunzip(io.MultiReader(start, wire), wire)
		}
		if err != nil {
			return start, nothing, nil
		}
		return io.MultiReader(start, wire), nothing, nil
	case "gzip", "x-gzip":
		return gunzip(wire, wire)
	case "deflate":
		z, err := zlib.NewReader(wire)
		if err != nil {
			return nil, nothing, readFailure(err, wire, 0)
		}
		return z, func() { z.Close() }, nil // a reader's Close reports what Read has reported
	case "br":
		return brotli.NewReader(wire), nothing, nil
	case "zstd":
		z, err := zstd.NewReader(wire, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(16<<20))
		if err != nil {
			return nil, nothing, readFailure(err, wire, 0)
		}
		return z, z.Close, nil
	}
	return nil, nothing, fail(http.StatusUnsupportedMediaType, "encoding_unknown", "the Content-Encoding is none that we undo", "send gzip, deflate, br or zstd, or no Content-Encoding")
}

func gunzip(source io.Reader, wire *counter) (io.Reader, func(), *failure) {
	z := gzips.Get().(*gzip.Reader)
	if err := z.Reset(source); err != nil {
		gzips.Put(z)
		if wire.err == io.EOF {
			err = gzip.ErrHeader // all of it came, and is too short for a header
		}
		return nil, func() {}, readFailure(err, wire, 0)
	}
	return z, func() { gzips.Put(z) }, nil
}
