package clickhouse

import "io"

// ReadBlock reads columns as an insert sends them, until stop.
func ReadBlock(columns []Column, rows int, packed bool) (r io.Reader, stop func()) {
	b := newBlockReader(columns, rows, packed)
	return b, b.stop
}
