package importer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// line is one row with its place in the file, or why it cannot be read.
type line struct {
	row   mapping.Row
	line  int // of the file, from 1; 0 where a file has no lines
	fault *rowError
}

// rowReader reads the rows of a file one by one. The line is valid until the next call.
type rowReader interface {
	// next returns io.EOF at the end. Another error ends the reading of the file.
	next() (*line, error)
	// header is the names of the columns, nil where every row has its own.
	header() []string
}

// The formats of a file.
const (
	formatCSV    = "csv"
	formatTSV    = "tsv"
	formatNDJSON = "ndjson"
	formatJSON   = "json"
	formatBlanks = "blanks"
)

// readRows prepares to read a file. wanted are the columns that the mapping names: they tell a delimiter from a character.
func readRows(path string, in *input, layout mapping.Layout, wanted map[string]bool) (rowReader, error) {
	head, err := in.Peek(4096)
	if err != nil && err != io.EOF && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	format := layout.Format
	if format == "" {
		format = guessFormat(path, head)
	}
	switch format {
	case formatNDJSON:
		return &lineReader{in: in, parse: parseObject}, nil
	case formatJSON:
		return newArrayReader(in)
	case formatBlanks:
		return newBlankReader(in, layout)
	}
	firstLine, _, _ := strings.Cut(string(head), "\n")
	delimiter := byte('\t')
	if format == formatCSV {
		delimiter = findDelimiter(firstLine, wanted)
		if layout.Delimiter != "" {
			if declared := layout.Delimiter[0]; declared != delimiter && len(layout.Columns) == 0 && !strings.Contains(firstLine, layout.Delimiter) && strings.IndexByte(firstLine, delimiter) >= 0 {
				return nil, &rowError{code: "delimiter_wrong", reason: fmt.Sprintf("line 1 separates columns by %q, the mapping says %q", string(delimiter), layout.Delimiter), hint: "correct delimiter in the mapping, or leave it out"}
			}
			delimiter = layout.Delimiter[0]
		}
	}
	c := &csvReader{r: in, delimiter: delimiter, quotes: format == formatCSV, line: 1}
	return newSeparatedReader(c, layout)
}

// guessFormat goes by the name, then by the first byte.
func guessFormat(path string, head []byte) string {
	name := strings.ToLower(path)
	for _, packed := range []string{".gz", ".zst", ".zstd"} {
		name = strings.TrimSuffix(name, packed)
	}
	switch filepath.Ext(name) {
	case ".csv":
		return formatCSV
	case ".tsv", ".tab":
		return formatTSV
	case ".ndjson", ".jsonl":
		return formatNDJSON
	}
	head = bytes.TrimSpace(head)
	switch {
	case len(head) > 0 && head[0] == '[':
		return formatJSON
	case len(head) > 0 && head[0] == '{':
		return formatNDJSON
	}
	return formatCSV
}

// index makes the map of columns. A name that occurs again gets a number.
func index(names []string) ([]string, map[string]int) {
	columns := make(map[string]int, len(names))
	clean := make([]string, len(names))
	for i, name := range names {
		name = cleanName(name)
		for n := 2; ; n++ {
			if _, taken := columns[name]; !taken && name != "" {
				break
			}
			if cleanName(names[i]) == "" {
				name = "column_" + strconv.Itoa(i+1)
				break
			}
			name = cleanName(names[i]) + "_" + strconv.Itoa(n)
		}
		clean[i], columns[name] = name, i
	}
	return clean, columns
}

// separatedReader reads csv and tsv.
type separatedReader struct {
	csv  *csvReader
	line line
}

func newSeparatedReader(c *csvReader, layout mapping.Layout) (*separatedReader, error) {
	r := &separatedReader{csv: c}
	names := layout.Columns
	if len(names) == 0 {
		fields, _, err := c.next()
		if fault := (*rowError)(nil); errors.As(err, &fault) {
			return nil, fault
		}
		if err == io.EOF {
			return nil, &rowError{code: "file_empty", reason: "the file has no line", hint: "its first line names the columns"}
		}
		if err != nil {
			return nil, err
		}
		if fault := checkText(fields); fault != nil {
			return nil, fault
		}
		names = append([]string(nil), fields...)
	}
	r.line.row.Names, r.line.row.Columns = index(names)
	c.columns = len(names)
	return r, nil
}

func (r *separatedReader) header() []string { return r.line.row.Names }

func (r *separatedReader) next() (*line, error) {
	fields, at, err := r.csv.next()
	fault := (*rowError)(nil)
	if err != nil && !errors.As(err, &fault) {
		return nil, err
	}
	r.line.row.Number++
	r.line.line, r.line.fault, r.line.row.Values = at, fault, fields
	if fault == nil {
		r.line.fault = checkText(fields)
	}
	return &r.line, nil
}

// lineReader reads one row a line.
type lineReader struct {
	in    *input
	parse func(text []byte, l *line)
	names []string
	buf   []byte
	line  line
	at    int
}

func (r *lineReader) header() []string { return r.names }

func (r *lineReader) next() (*line, error) {
	for {
		text, err := r.readLine()
		if err != nil {
			return nil, err
		}
		r.at++
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		r.line.row.Number++
		r.line.line, r.line.fault = r.at, nil
		if len(text) > longestRow {
			r.line.fault = &rowError{code: "row_too_long", reason: "the line is longer than 4 MiB", hint: "end each row with a line break"}
			return &r.line, nil
		}
		r.parse(bytes.TrimRight(text, "\r\n"), &r.line)
		return &r.line, nil
	}
}

// readLine reads to the next line break. Of a line that is too long it keeps only so much that this shows.
func (r *lineReader) readLine() ([]byte, error) {
	r.buf = r.buf[:0]
	for {
		piece, err := r.in.ReadSlice('\n')
		if len(r.buf) <= longestRow {
			r.buf = append(r.buf, piece...)
		}
		switch {
		case err == nil:
			return r.buf, nil
		case err == io.EOF && len(r.buf) > 0:
			return r.buf, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// newBlankReader reads columns that runs of blanks separate.
func newBlankReader(in *input, layout mapping.Layout) (*lineReader, error) {
	r := &lineReader{in: in}
	names := layout.Columns
	if len(names) == 0 {
		text, err := r.readLine()
		if err != nil {
			return nil, &rowError{code: "file_empty", reason: "the file has no line", hint: "its first line names the columns"}
		}
		names = strings.Fields(string(text))
		r.at++
	}
	var columns map[string]int
	r.names, columns = index(names)
	r.parse = func(text []byte, l *line) {
		l.row.Names, l.row.Columns = r.names, columns
		l.row.Values = strings.Fields(string(text))
		if len(l.row.Values) != len(r.names) {
			l.fault = &rowError{code: "row_ragged", reason: fmt.Sprintf("the row has %d columns, the header has %d", len(l.row.Values), len(r.names)), hint: "give every row all columns, separated by blanks"}
			return
		}
		l.fault = checkText(l.row.Values)
	}
	return r, nil
}

// parseObject reads a JSON object as a row: members of objects within it are columns named a.b, arrays are JSON, null is nothing.
func parseObject(text []byte, l *line) {
	l.row.Names, l.row.Values, l.row.Columns = nil, nil, nil
	doc, err := canonical.Parse(text, canonical.Limits{})
	if err != nil {
		l.fault = &rowError{code: "not_json", reason: err.Error(), hint: "one JSON object a row"}
		if r := (*schema.Refusal)(nil); errors.As(err, &r) {
			l.fault.code, l.fault.reason, l.fault.hint = r.Code, r.Reason, r.Hint
		}
		return
	}
	defer doc.Release()
	if doc.Root().Kind() != canonical.Object {
		l.fault = &rowError{code: "not_an_object", reason: "the row is no JSON object", hint: "one JSON object a row"}
		return
	}
	l.row.Object(doc.Root())
}

// arrayReader reads the elements of one JSON array.
type arrayReader struct {
	d    *json.Decoder
	line line
}

func newArrayReader(in *input) (*arrayReader, error) {
	d := json.NewDecoder(in)
	if token, err := d.Token(); err != nil || token != json.Delim('[') {
		return nil, &rowError{code: "not_json", reason: "the file does not begin with a JSON array", hint: "one array of objects, or one object a line with format: ndjson"}
	}
	return &arrayReader{d: d}, nil
}

func (r *arrayReader) header() []string { return nil }

func (r *arrayReader) next() (*line, error) {
	if !r.d.More() {
		if token, err := r.d.Token(); err != nil || token != json.Delim(']') {
			return nil, fmt.Errorf("at byte %d the array breaks off: what follows was not read", r.d.InputOffset())
		}
		return nil, io.EOF
	}
	var raw json.RawMessage
	if err := r.d.Decode(&raw); err != nil {
		return nil, fmt.Errorf("at byte %d the file is no JSON: what follows was not read", r.d.InputOffset())
	}
	r.line.row.Number++
	r.line.line, r.line.fault = 0, nil
	parseObject(raw, &r.line)
	return &r.line, nil
}
