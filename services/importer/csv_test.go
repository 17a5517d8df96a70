package importer

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// readAll reads with our reader.
func readAll(r io.Reader, delimiter byte) (rows [][]string, faults int, err error) {
	c := &csvReader{r: r, delimiter: delimiter, quotes: true, line: 1}
	for {
		fields, _, err := c.next()
		fault := (*rowError)(nil)
		switch {
		case err == io.EOF:
			return rows, faults, nil
		case errors.As(err, &fault):
			faults++
		case err != nil:
			return rows, faults, err
		default:
			rows = append(rows, slices.Clone(fields))
		}
	}
}

// TestAgreesWithTheStandardReader: whatever the standard library writes, both read alike, in pieces of any size.
func TestAgreesWithTheStandardReader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(1, 5).Draw(t, "columns")
		value := rapid.StringOf(rapid.RuneFrom([]rune("ab,;\"\n é\t")))
		var text bytes.Buffer
		w := csv.NewWriter(&text)
		w.UseCRLF = rapid.Bool().Draw(t, "crlf")
		for range rapid.IntRange(1, 6).Draw(t, "rows") {
			if err := w.Write(rapid.SliceOfN(value, columns, columns).Draw(t, "row")); err != nil {
				t.Fatal(err)
			}
		}
		w.Flush()
		want, err := csv.NewReader(bytes.NewReader(text.Bytes())).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for i := range want { // the standard reader makes \n of \r\n within quotes, ours keeps what was sent
			for j := range want[i] {
				want[i][j] = strings.ReplaceAll(want[i][j], "\r\n", "\n")
			}
		}
		for _, r := range []io.Reader{bytes.NewReader(text.Bytes()), iotest.OneByteReader(bytes.NewReader(text.Bytes())), iotest.DataErrReader(bytes.NewReader(text.Bytes()))} {
			got, faults, err := readAll(r, ',')
			for i := range got {
				for j := range got[i] {
					got[i][j] = strings.ReplaceAll(got[i][j], "\r\n", "\n")
				}
			}
			if err != nil || faults > 0 || !slices.EqualFunc(got, want, slices.Equal) {
				t.Fatalf("%q: got %q, want %q (%d faults, %v)", text.Bytes(), got, want, faults, err)
			}
		}
	})
}

// TestRowsWithoutAnEnd: a quote that is never closed costs its own line, however long the file is.
func TestRowsWithoutAnEnd(t *testing.T) {
	text := "1,\"open\n" + strings.Repeat("2,fine\n", 200_000)
	rows, faults, err := readAll(strings.NewReader(text), ',')
	if err != nil || faults != 1 || len(rows) != 200_000 {
		t.Fatalf("%d rows, %d faults, %v", len(rows), faults, err)
	}
}

func FuzzCSV(f *testing.F) {
	f.Add("a,b\n1,\"x\ny\"\n\"open", byte(','))
	f.Fuzz(func(t *testing.T, text string, delimiter byte) {
		if delimiter == '\n' || delimiter == '\r' || delimiter == '"' {
			return
		}
		rows, _, err := readAll(strings.NewReader(text), delimiter)
		again, _, errAgain := readAll(iotest.OneByteReader(strings.NewReader(text)), delimiter)
		if err != nil || errAgain != nil || !slices.EqualFunc(rows, again, slices.Equal) {
			t.Fatalf("%q in pieces: %q, %v; at once: %q, %v", text, again, errAgain, rows, err)
		}
	})
}
