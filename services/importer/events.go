package importer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
	"github.com/dossier-cdp/dossier/pipelines/channel/offline"
	"github.com/dossier-cdp/dossier/schema"
)

// Record is the row that an event comes from. It is valid until take returns.
type Record struct {
	Name string // the mapping's record column, else the row's number
	row  *mapping.Row
}

// Column gives what the row says in a column, which the mapping need not name; false: there is no such column.
func (r *Record) Column(name string) (string, bool) {
	i, ok := r.row.Columns[name]
	if !ok || i >= len(r.row.Values) {
		return "", false
	}
	return r.row.Values[i], true
}

// Events reads a file with a mapping and hands the events of its rows to take, in the file's order, with each row's record. Nothing is sent
// anywhere. The event is valid until take returns. A row that cannot be read or mapped ends the reading: who is who in a part of a file
// is not what was asked for.
func Events(ctx context.Context, m *mapping.Mapping, path string, take func(r *Record, e *schema.Event) error) error {
	if reason, skip := m.Skip(); skip {
		return fmt.Errorf("the mapping %s makes no events: %s", m.Name, reason)
	}
	layout := m.Layout()
	in, err := open(path, layout.Encoding)
	if err != nil {
		return err
	}
	defer in.Close()
	wanted := map[string]bool{}
	for _, missing := range m.Check(nil) {
		wanted[missing.Column] = true
	}
	rows, err := readRows(path, in, layout, wanted)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	summary := &Summary{File: path}
	if err := checkColumns(m, rows.header(), summary); err != nil {
		return err
	}
	if len(summary.Missing) > 0 {
		return fmt.Errorf("%s, row 0 (the header): the mapping names columns that are not there: %v; correct the mapping or the file", path, summary.Missing)
	}
	tables, err := loadTables(m, path)
	if err != nil {
		return err
	}
	mapper, err := m.Rows(tables, "")
	if err != nil {
		return err
	}
	reader := offline.NewReader(mapper)
	record := &Record{}
	each := func(name string, e *schema.Event) error {
		record.Name = name
		return take(record, e)
	}
	for n := 0; ; n++ {
		if n%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		l, err := rows.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s, row %d: %w", path, n+1, err)
		}
		if l.fault != nil {
			return fmt.Errorf("%s, row %d: %s; %s", path, l.row.Number, l.fault.reason, l.fault.hint)
		}
		record.row = &l.row
		if err := reader.Row(&l.row, each); err != nil {
			refusal := (*schema.Refusal)(nil)
			if errors.As(err, &refusal) {
				return fmt.Errorf("%s, row %d: %s; %s", path, l.row.Number, refusal.Reason, refusal.Hint)
			}
			return err
		}
	}
}
