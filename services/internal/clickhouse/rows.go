package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/schema"
)

// Rows is a running read. It is for one goroutine.
type Rows struct {
	rows   driver.Rows
	cancel context.CancelFunc
	done   bool
	err    error
}

// Next moves to the next row; false at the end or at a failure, which Err tells apart.
func (r *Rows) Next() bool {
	if r.done {
		return false
	}
	if r.rows.Next() {
		return true
	}
	r.finish(r.rows.Err())
	return false
}

// Scan copies the current row. Besides the driver's types it takes *schema.EventID, *schema.PersonaID, *schema.Instant and
// slices of ids.
func (r *Rows) Scan(dest ...any) error {
	var after []func()
	taken := dest
	for i, d := range dest {
		plain, then := scanTarget(d)
		if plain == nil {
			continue
		}
		if &taken[0] == &dest[0] {
			taken = append([]any(nil), dest...)
		}
		taken[i] = plain
		if then != nil {
			after = append(after, then)
		}
	}
	if err := r.rows.Scan(taken...); err != nil {
		return schema.Classify(schema.Fatal, fmt.Errorf("scan a row: %w", err))
	}
	for _, f := range after {
		f()
	}
	return nil
}

// Columns are the names of the answer's columns; of an empty answer there may be none.
func (r *Rows) Columns() []string { return r.rows.Columns() }

// Err is why Next returned false, nil at the end of the answer.
func (r *Rows) Err() error { return r.err }

// Close ends the read and stops the query if it still runs. Closing twice is harmless.
func (r *Rows) Close() error {
	if r.done {
		return r.err
	}
	r.done = true
	r.cancel()
	// The driver drains what is left and reports the cancellation, which is no failure: the caller asked for it.
	if err := r.rows.Close(); err != nil && !errors.Is(err, context.Canceled) {
		r.err = failed("close a query", err)
	}
	return r.err
}

func (r *Rows) finish(err error) {
	r.done = true
	if err != nil {
		r.err = failed("query", err)
	}
	r.cancel()
}

// scanTarget gives the driver's own type for a destination of ours, and what to do once it is filled.
func scanTarget(d any) (plain any, then func()) {
	switch d := d.(type) {
	case *schema.EventID:
		return (*uuid.UUID)(d), nil
	case *schema.PersonaID:
		return (*uuid.UUID)(d), nil
	case *schema.Instant:
		t := new(time.Time)
		return t, func() { *d = schema.InstantOf(*t) }
	case *[]schema.EventID:
		ids := new([]uuid.UUID)
		return ids, func() { *d = idsOf[schema.EventID](*ids) }
	case *[]schema.PersonaID:
		ids := new([]uuid.UUID)
		return ids, func() { *d = idsOf[schema.PersonaID](*ids) }
	}
	return nil, nil
}

func idsOf[T ~[16]byte](ids []uuid.UUID) []T {
	out := make([]T, len(ids))
	for i, id := range ids {
		out[i] = T(id)
	}
	return out
}
