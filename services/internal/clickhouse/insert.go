package clickhouse

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	columns "github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/schema"
)

// Batch collects the rows of one INSERT, by column or by row. It is for one goroutine and only within Insert.
type Batch struct {
	batch columns.Batch
	names []string
}

// Column appends values (a slice) to the i-th column. Every column must get the same number in the end. Besides the driver's
// types it takes slices of schema.EventID, schema.PersonaID and schema.Instant.
func (b *Batch) Column(i int, values any) error {
	if i < 0 || i >= len(b.names) {
		return schema.Classify(schema.Fatal, fmt.Errorf("the batch has no column %d", i))
	}
	if err := b.batch.Column(i).Append(columnValues(values)); err != nil {
		return schema.Classify(schema.Rejected, fmt.Errorf("fill column %s: %w", b.names[i], scrub(err)))
	}
	return nil
}

// Append appends one row. A row that it refuses spoils the batch: start a new one without it.
func (b *Batch) Append(row ...any) error {
	plain := make([]any, len(row))
	for i, v := range row {
		plain[i] = rowValue(v)
	}
	if err := b.batch.Append(plain...); err != nil {
		return schema.Classify(schema.Rejected, fmt.Errorf("append a row: %w", scrub(err)))
	}
	return nil
}

// Rows counts the rows so far, by the first column.
func (b *Batch) Rows() int { return b.batch.Rows() }

// Insert stores one batch. fill appends the rows; its own error comes back as it is, and nothing is sent. An empty batch
// sends nothing.
//
// The token names the batch: within the table's deduplication window, the same token again stores nothing and is
// acknowledged. So a batch whose Insert failed with a transient error is inserted again with the same token, whether or not
// the first attempt arrived. Without a token (""), a repeated batch is stored again.
//
// When Insert returns nil, the rows are durable.
func (c *Conn) Insert(ctx context.Context, table string, names []string, token string, settings Settings, fill func(*Batch) error) error {
	types, err := c.tableColumns(ctx, table, names)
	if err != nil {
		return fmt.Errorf("insert into %s: %w", table, err)
	}
	merged := driver.Settings{}
	for k, v := range settings {
		merged[k] = v
	}
	if token == "" {
		// Without one, a batch with the same rows as an earlier one would be taken for its repetition.
		token = rand.Text()
	}
	merged["insert_deduplication_token"] = token
	sent := new(atomic.Int64)
	ctx = context.WithValue(bounded(ctx, merged), sentBytesKey{}, sent)
	ctx = driver.Context(ctx, driver.WithSettings(merged), driver.WithColumnNamesAndTypes(types))
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = QuoteName(n)
	}
	batch, err := c.conn.PrepareBatch(ctx, "INSERT INTO "+table+" ("+strings.Join(quoted, ", ")+")")
	if err != nil {
		return failed("insert into "+table, err)
	}
	b := &Batch{batch, names}
	if err := fill(b); err != nil {
		return errors.Join(err, giveUp(batch))
	}
	if err := b.even(); err != nil {
		return errors.Join(fmt.Errorf("insert into %s: %w", table, err), giveUp(batch))
	}
	if b.Rows() == 0 {
		return giveUp(batch)
	}
	if err := batch.Send(); err != nil {
		c.forgetColumns()
		return failed("insert into "+table, err)
	}
	if sent.Load() == 0 {
		return schema.Classify(schema.Rejected, fmt.Errorf("insert into %s: the batch cannot be encoded, nothing was sent", table))
	}
	return nil
}

// giveUp lets go of a batch that was not sent; its connection stays good.
func giveUp(batch columns.Batch) error {
	if err := batch.Close(); err != nil {
		return schema.Classify(schema.Fatal, fmt.Errorf("give up a batch: %w", err))
	}
	return nil
}

// even checks that all columns have the same length: the driver would send an empty batch instead, and call it a success.
func (b *Batch) even() error {
	all := b.batch.Columns()
	for i, c := range all {
		if c.Rows() != all[0].Rows() {
			return schema.Classify(schema.Fatal, fmt.Errorf("column %s has %d rows, column %s has %d", b.names[0], all[0].Rows(), b.names[i], c.Rows()))
		}
	}
	return nil
}

// columnValues turns slices of our own types into the driver's.
func columnValues(values any) any {
	switch v := values.(type) {
	case []schema.EventID:
		return uuidsOf(v)
	case []schema.PersonaID:
		return uuidsOf(v)
	case []schema.Instant:
		out := make([]time.Time, len(v))
		for i, t := range v {
			out[i] = t.Time()
		}
		return out
	case [][]schema.EventID:
		return listsOf(v)
	case [][]schema.PersonaID:
		return listsOf(v)
	}
	return values
}

// rowValue turns one value of our own types into the driver's.
func rowValue(value any) any {
	switch v := value.(type) {
	case schema.EventID:
		return uuid.UUID(v)
	case schema.PersonaID:
		return uuid.UUID(v)
	case schema.Instant:
		return v.Time()
	case []schema.EventID:
		return uuidsOf(v)
	case []schema.PersonaID:
		return uuidsOf(v)
	}
	return value
}

func uuidsOf[T ~[16]byte](ids []T) []uuid.UUID {
	out := make([]uuid.UUID, len(ids))
	for i, id := range ids {
		out[i] = uuid.UUID(id)
	}
	return out
}

func listsOf[T ~[16]byte](lists [][]T) [][]uuid.UUID {
	out := make([][]uuid.UUID, len(lists))
	for i, ids := range lists {
		out[i] = uuidsOf(ids)
	}
	return out
}
