package importer

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
)

// loadTables reads the tables that a mapping looks something up in. Their files stand beside the imported one. They are held in
// memory, key and taken columns only: about 100 bytes a row. Of rows with one key the first counts.
func loadTables(m *mapping.Mapping, path string) (map[string]mapping.Table, error) {
	tables := map[string]mapping.Table{}
	for _, t := range m.Tables() {
		table, err := loadTable(filepath.Join(filepath.Dir(path), t.File), t)
		if err != nil {
			return nil, fmt.Errorf("lookup %s: %w", t.Name, err)
		}
		tables[t.Name] = table
	}
	return tables, nil
}

func loadTable(path string, t mapping.Lookup) (mapping.Table, error) {
	in, err := open(path, "")
	if err != nil {
		return nil, err
	}
	defer in.Close()
	wanted := map[string]bool{t.Key: true}
	for _, column := range t.Columns {
		wanted[column] = true
	}
	rows, err := readRows(path, in, mapping.Layout{}, wanted)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if names := rows.header(); names != nil {
		_, columns := index(names)
		for name := range wanted {
			if _, there := columns[name]; !there {
				return nil, fmt.Errorf("%s has no column %s", path, name)
			}
		}
	}
	place := map[string]int{}
	for i, column := range t.Columns {
		place[column] = i
	}
	found := map[string][]string{}
	for {
		l, err := rows.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if l.fault != nil {
			return nil, fmt.Errorf("%s, row %d, line %d: %w", path, l.row.Number, l.line, l.fault)
		}
		get := func(column string) string {
			if i, there := l.row.Columns[column]; there {
				return l.row.Values[i]
			}
			return ""
		}
		key := get(t.Key)
		if _, again := found[key]; again || key == "" {
			continue
		}
		values := make([]string, len(t.Columns))
		for i, column := range t.Columns {
			values[i] = get(column)
		}
		found[key] = values
	}
	return func(key, column string) (string, bool) {
		values, there := found[key]
		if !there {
			return "", false
		}
		return values[place[column]], true
	}, nil
}
