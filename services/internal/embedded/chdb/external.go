package chdb

import (
	"errors"
	"io"
	"net/http"
	"strings"
)

// filledTable is an external table with its rows.
type filledTable struct {
	externalTable
	rows []byte
}

// maxExternal bounds the rows of all external tables of one request, which are held in memory.
const maxExternal = 256 << 20

// readForm reads a multipart request: the statement, parameters, and the rows of external tables. Clients send the table's
// part with an empty file name, which http.Request's own form parser takes for a plain value.
func readForm(r *http.Request, rq *request, sql string) (string, []filledTable, error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return "", nil, cannotRead(err)
	}
	structures := map[string]externalTable{}
	for _, t := range rq.external {
		structures[t.name] = t
	}
	var tables []filledTable
	left := int64(maxExternal)
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return sql, tables, nil
		}
		if err != nil {
			return "", nil, cannotRead(err)
		}
		content, err := io.ReadAll(io.LimitReader(part, left+1))
		if err != nil {
			return "", nil, cannotRead(err)
		}
		if left -= int64(len(content)); left < 0 {
			return "", nil, refuse(241, "MEMORY_LIMIT_EXCEEDED", "external tables of one request may hold 256 MiB")
		}
		name := part.FormName()
		if param, ok := strings.CutPrefix(name, "param_"); ok {
			rq.params.names = append(rq.params.names, param)
			rq.params.values = append(rq.params.values, string(content))
			continue
		}
		if t, ok := structures[name]; ok {
			tables = append(tables, filledTable{t, content})
			continue
		}
		if name == "query" && sql == "" {
			sql = string(content)
		}
	}
}

// fillTables creates the external tables as temporary ones; the connection is then closed after use.
func fillTables(conn *connection, tables []filledTable) error {
	for _, t := range tables {
		if err := conn.exec("CREATE TEMPORARY TABLE " + quoteName(t.name) + " (" + t.structure + ")"); err != nil {
			return err
		}
		in, err := conn.insert("INSERT INTO "+quoteName(t.name), t.format, nil)
		if err != nil {
			return err
		}
		if err := in.append(t.rows); err != nil {
			in.cancel()
			in.free()
			return err
		}
		done := in.done()
		err = done.err()
		done.free()
		in.free()
		if err != nil {
			return err
		}
	}
	return nil
}
