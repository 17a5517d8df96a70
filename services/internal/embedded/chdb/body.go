package chdb

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// maxStatement bounds the SQL text of one request; rows of a fed INSERT stream and have no bound here.
const maxStatement = 64 << 20

// plainBody undoes the content coding and the block compression of a request's body. Release it after use.
func plainBody(r *http.Request, unblock bool) (body io.Reader, release func(), err error) {
	body, release = r.Body, func() {}
	switch coding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); coding {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(bufio.NewReaderSize(body, 64<<10))
		if errors.Is(err, io.EOF) { // no body at all
			return strings.NewReader(""), release, nil
		}
		if err != nil {
			return nil, release, refuse(codeCannotRead, "CANNOT_READ_ALL_DATA", "the body is not gzip: "+err.Error())
		}
		body = z
	case "deflate":
		// Clients send zlib under this name, as the RFC wants; some send bare deflate.
		buffered := bufio.NewReaderSize(body, 64<<10)
		if head, err := buffered.Peek(1); err == nil && head[0]&0x0f == 8 {
			z, err := zlib.NewReader(buffered)
			if err != nil {
				return nil, release, refuse(codeCannotRead, "CANNOT_READ_ALL_DATA", "the body is not deflate: "+err.Error())
			}
			body = z
		} else {
			body = flate.NewReader(buffered)
		}
	case "br":
		body = brotli.NewReader(body)
	case "zstd":
		z, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, release, refuse(codeCannotRead, "CANNOT_READ_ALL_DATA", "the body is not zstd: "+err.Error())
		}
		body, release = z, z.Close
	case "lz4":
		body = lz4.NewReader(body)
	default:
		return nil, release, refuse(48, "NOT_IMPLEMENTED", "Content-Encoding "+quoteText(coding)+" is unknown")
	}
	if unblock {
		body = blockReader{compress.NewReader(bufio.NewReaderSize(body, 256<<10))}
	}
	return body, release, nil
}

// blockReader turns the wrapped end of ch-go's reader ("read next block: header: EOF") into a plain io.EOF.
type blockReader struct{ r io.Reader }

func (b blockReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// readStatement reads a bounded text.
func readStatement(r io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxStatement+1))
	if err != nil {
		return "", cannotRead(err)
	}
	if len(text) > maxStatement {
		return "", refuse(codeSyntax, "SYNTAX_ERROR", "the statement is longer than 64 MiB")
	}
	return string(text), nil
}

func cannotRead(err error) error {
	return refuse(codeCannotRead, "CANNOT_READ_ALL_DATA", "cannot read the request's body: "+err.Error())
}
