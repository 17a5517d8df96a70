package importer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// sampleBytes is how much of a file decides about its encoding and its delimiter.
const sampleBytes = 256 << 10

// input is a file as UTF-8 text without compression and without a byte order mark.
type input struct {
	*bufio.Reader
	file  *os.File
	close []func()
	read  *atomic.Int64 // bytes of the file itself
	size  int64
}

// counting counts what is read of a file.
type counting struct {
	r io.Reader
	n *atomic.Int64
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// open opens a file. declared is its encoding if the mapping says one.
func open(path, declared string) (*input, error) {
	file, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: name a file that is there", err)
	case err != nil:
		return nil, fmt.Errorf("open the file: %w", err)
	}
	in := &input{file: file, read: &atomic.Int64{}}
	in.close = append(in.close, func() { file.Close() }) // nothing was written
	if stat, err := file.Stat(); err == nil {
		if in.size = stat.Size(); stat.IsDir() {
			in.Close()
			return nil, fmt.Errorf("%s is a folder: name its files", path)
		}
	}
	plain, err := in.decompress(bufio.NewReaderSize(counting{file, in.read}, 1<<20))
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	text, err := decode(bufio.NewReaderSize(plain, sampleBytes), declared)
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	in.Reader = bufio.NewReaderSize(text, 1<<20)
	return in, nil
}

// Close closes the file.
func (in *input) Close() {
	for i := len(in.close) - 1; i >= 0; i-- {
		in.close[i]()
	}
	in.close = nil
}

// decompress undoes gzip and zstd, which are recognised by their first bytes.
func (in *input) decompress(r *bufio.Reader) (io.Reader, error) {
	head, err := r.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("it begins as gzip and is broken (%w): copy the file again", err)
		}
		return z, nil
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return nil, err
		}
		in.close = append(in.close, z.Close)
		return z, nil
	}
	return r, nil
}

// encodings by the names that a mapping may use.
var encodings = map[string]encoding.Encoding{
	"latin1": charmap.ISO8859_1, "iso-8859-1": charmap.ISO8859_1, "latin9": charmap.ISO8859_15, "iso-8859-15": charmap.ISO8859_15,
	"windows-1252": charmap.Windows1252, "cp1252": charmap.Windows1252, "macroman": charmap.Macintosh,
	"utf-16le": unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "utf-16be": unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM),
}

// decode makes UTF-8 of a text. A byte order mark decides, then what is declared, then the first bytes: what is not UTF-8 is
// Windows-1252, which is Latin-1 with the characters that people use.
func decode(r *bufio.Reader, declared string) (io.Reader, error) {
	head, err := r.Peek(sampleBytes)
	if err != nil && err != io.EOF {
		return nil, err
	}
	skip := func(n int) error { _, err := r.Discard(n); return err }
	switch {
	case bytes.HasPrefix(head, []byte{0xef, 0xbb, 0xbf}):
		return r, skip(3)
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		return encodings["utf-16le"].NewDecoder().Reader(r), skip(2)
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return encodings["utf-16be"].NewDecoder().Reader(r), skip(2)
	}
	switch declared {
	case "utf-8", "utf8":
		return r, nil
	case "":
		if validStart(head) {
			return r, nil
		}
		return encodings["windows-1252"].NewDecoder().Reader(r), nil
	}
	known, ok := encodings[declared]
	if !ok {
		return nil, fmt.Errorf("the encoding %q is unknown: want utf-8, latin1, latin9, windows-1252, macroman, utf-16le or utf-16be", declared)
	}
	return known.NewDecoder().Reader(r), nil
}

// validStart says whether a sample is UTF-8, but for a character that its end may have cut.
func validStart(sample []byte) bool {
	for i := 0; i < utf8.UTFMax && len(sample) > 0 && len(sample) >= sampleBytes-utf8.UTFMax; i++ {
		if utf8.Valid(sample) {
			return true
		}
		sample = sample[:len(sample)-1]
	}
	return utf8.Valid(sample)
}
