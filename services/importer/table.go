package importer

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
)

// Rows reads a file without a mapping: CSV, TSV, NDJSON or JSON, also gzip or zstd. Every row is handed to take in the file's order with its number from
// 1 and the values of the columns, "" where a row has none. A row that cannot be read comes with its fault and no values. It is an error if
// the file has a header and a column is not in it.
func Rows(ctx context.Context, path string, columns []string, take func(number int, values []string, fault error) error) error {
	in, err := open(path, "")
	if err != nil {
		return err
	}
	defer in.Close()
	wanted := map[string]bool{}
	for _, c := range columns {
		wanted[c] = true
	}
	rows, err := readRows(path, in, mapping.Layout{}, wanted)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if names := rows.header(); names != nil {
		there := map[string]bool{}
		for _, name := range names {
			there[name] = true
		}
		for _, c := range columns {
			if !there[c] {
				return fmt.Errorf("%s has no column %s; it has: %s", path, c, strings.Join(names, ", "))
			}
		}
	}
	values := make([]string, len(columns))
	for n := 1; ; n++ {
		if n%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		l, err := rows.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s, row %d: %w", path, n, err)
		}
		var fault error
		for i, c := range columns {
			values[i] = ""
			if l.fault == nil {
				if at, ok := l.row.Columns[c]; ok && at < len(l.row.Values) {
					values[i] = l.row.Values[at]
				}
			}
		}
		if l.fault != nil {
			fault = l.fault
		}
		if err := take(n, values, fault); err != nil {
			return err
		}
	}
}
