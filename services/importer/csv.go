package importer

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// longestRow bounds one row. What is longer is most likely a quote that was never closed.
const longestRow = 4 << 20

// rowError is why a row cannot be read.
type rowError struct {
	code   string
	column int // from 1; 0 if it is not about one column
	reason string
	hint   string
}

func (e *rowError) Error() string { return e.reason }

// csvReader reads rows of separated values: RFC 4180, with any delimiter, any line end, and quotes within unquoted values taken as
// they are. A row that cannot be read is given as an error, and reading goes on with the line after its first: a quote that is never
// closed costs one row and not the file.
type csvReader struct {
	r         io.Reader
	delimiter byte
	quotes    bool // false: a quote is a character like others
	columns   int  // how many a row must have; 0: any number

	buf  []byte
	from int // where the next row begins
	eof  bool
	line int // number of the line at from, from 1

	fields  []string
	scratch []byte
	ends    []int
}

// next reads a row. Lines that are blank are no rows. The error is io.EOF at the end, a *rowError for a row that cannot be read, or
// the reader's own.
func (c *csvReader) next() (fields []string, line int, err error) {
	for {
		if err := c.skipBlank(); err != nil {
			return nil, c.line, err
		}
		line = c.line
		for {
			length, ok, fault := c.parse(c.buf[c.from:])
			if !ok && fault == nil && !c.eof && len(c.buf)-c.from < longestRow {
				if err := c.fill(); err != nil {
					return nil, line, err
				}
				continue
			}
			if !ok && fault == nil {
				fault = c.unclosed()
			}
			if fault == nil && c.columns > 0 && len(c.ends) != c.columns {
				fault = &rowError{code: "row_ragged", reason: fmt.Sprintf("the row has %d columns, the header has %d", len(c.ends), c.columns), hint: "quote values that contain the delimiter, and give every row all columns"}
			}
			if fault != nil {
				if err := c.skipLine(); err != nil {
					return nil, line, err
				}
				return nil, line, fault
			}
			c.line += bytes.Count(c.buf[c.from:c.from+length], []byte{'\n'})
			c.from += length
			return c.take(), line, nil
		}
	}
}

func (c *csvReader) unclosed() *rowError {
	return &rowError{code: "quote_open", column: len(c.ends) + 1, reason: "a quote is opened and never closed", hint: `close it, or write quotes within a value twice ("")`}
}

// take makes strings of the parsed values, all parts of one.
func (c *csvReader) take() []string {
	all := string(c.scratch)
	c.fields = c.fields[:0]
	from := 0
	for _, to := range c.ends {
		c.fields = append(c.fields, all[from:to])
		from = to
	}
	return c.fields
}

// parse reads one row from the start of b into scratch and ends, and returns its length with its line end. ok is false if the row
// does not end within b.
func (c *csvReader) parse(b []byte) (length int, ok bool, fault *rowError) {
	c.scratch, c.ends = c.scratch[:0], c.ends[:0]
	i := 0
	for {
		if c.quotes && i < len(b) && b[i] == '"' {
			if i, ok = c.quoted(b, i+1); !ok {
				return 0, false, nil
			}
			if i < len(b) && b[i] != c.delimiter && b[i] != '\n' && b[i] != '\r' {
				return 0, false, &rowError{code: "quote_misplaced", column: len(c.ends) + 1, reason: "a quoted value goes on after its closing quote", hint: `write quotes within a value twice ("")`}
			}
		} else {
			start := i
			for i < len(b) && b[i] != c.delimiter && b[i] != '\n' {
				i++
			}
			end := i
			if end > start && end < len(b) && b[end] == '\n' && b[end-1] == '\r' {
				end--
			}
			c.scratch = append(c.scratch, b[start:end]...)
		}
		if i == len(b) {
			if !c.eof {
				return 0, false, nil
			}
			c.ends = append(c.ends, len(c.scratch))
			return i, true, nil
		}
		c.ends = append(c.ends, len(c.scratch))
		switch {
		case b[i] == c.delimiter:
			i++
		case b[i] == '\n':
			return i + 1, true, nil
		case i+1 == len(b) && !c.eof:
			return 0, false, nil
		case i+1 < len(b) && b[i+1] == '\n': // \r\n after a quoted value
			return i + 2, true, nil
		default:
			return i + 1, true, nil
		}
	}
}

// quoted reads a quoted value whose content begins at i and returns where its closing quote has ended.
func (c *csvReader) quoted(b []byte, i int) (int, bool) {
	for {
		to := bytes.IndexByte(b[i:], '"')
		if to < 0 {
			return 0, false
		}
		c.scratch = append(c.scratch, b[i:i+to]...)
		i += to + 1
		if i == len(b) {
			return i, c.eof
		}
		if b[i] != '"' {
			return i, true
		}
		c.scratch = append(c.scratch, '"')
		i++
	}
}

// skipBlank passes over empty lines. It returns io.EOF at the end.
func (c *csvReader) skipBlank() error {
	for {
		for c.from < len(c.buf) && (c.buf[c.from] == '\n' || c.buf[c.from] == '\r') {
			if c.buf[c.from] == '\n' {
				c.line++
			}
			c.from++
		}
		if c.from < len(c.buf) {
			return nil
		}
		if c.eof {
			return io.EOF
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
}

// skipLine passes over the rest of the line at from.
func (c *csvReader) skipLine() error {
	for {
		if at := bytes.IndexByte(c.buf[c.from:], '\n'); at >= 0 {
			c.from += at + 1
			c.line++
			return nil
		}
		if c.eof {
			c.from = len(c.buf)
			return nil
		}
		c.from = len(c.buf)
		if err := c.fill(); err != nil {
			return err
		}
	}
}

// fill reads more, after moving what is left to the front.
func (c *csvReader) fill() error {
	if c.from > 0 {
		c.buf = c.buf[:copy(c.buf, c.buf[c.from:])]
		c.from = 0
	}
	if len(c.buf) == cap(c.buf) {
		grown := make([]byte, len(c.buf), max(64<<10, 2*cap(c.buf)))
		copy(grown, c.buf)
		c.buf = grown
	}
	n, err := c.r.Read(c.buf[len(c.buf):cap(c.buf)])
	c.buf = c.buf[:len(c.buf)+n]
	if err == io.EOF {
		c.eof = true
		return nil
	}
	return err
}

// checkText refuses a row with a value that is not UTF-8.
func checkText(fields []string) *rowError {
	for i, field := range fields {
		if !utf8.ValidString(field) {
			return &rowError{code: "invalid_utf8", column: i + 1, reason: "the value is not UTF-8", hint: "correct it, or say the file's encoding in the mapping (encoding: windows-1252)"}
		}
	}
	return nil
}

// delimiters that files use, in the order in which they are preferred.
const delimiters = ",;\t|"

// findDelimiter takes the delimiter under which the first line has most of the wanted columns, then most columns.
func findDelimiter(firstLine string, wanted map[string]bool) byte {
	best, bestHits, bestColumns := byte(','), -1, -1
	for i := 0; i < len(delimiters); i++ {
		names := strings.Split(firstLine, delimiters[i:i+1])
		hits := 0
		for _, name := range names {
			if wanted[cleanName(name)] {
				hits++
			}
		}
		if hits > bestHits || hits == bestHits && len(names) > bestColumns {
			best, bestHits, bestColumns = delimiters[i], hits, len(names)
		}
	}
	return best
}

// cleanName is a column's name without the blanks and quotes around it.
func cleanName(name string) string {
	return strings.TrimSpace(strings.Trim(strings.TrimSpace(name), `"`))
}
