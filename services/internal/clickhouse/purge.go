package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Purged is what tables consist of after a Purge.
type Purged struct {
	Parts  int64
	Bytes  int64
	Digest string // hex SHA-256 over the active parts' names and the engine's checksums of them
}

// purgeEvery is how often the engine is asked whether former parts are gone.
const purgeEvery = 250 * time.Millisecond

// Purge returns when no part of the tables is on disk any more that a merge or a mutation has replaced before the call: rows that were deleted stand in
// them until then, by default for eight minutes. It lowers the tables' old_parts_lifetime and sets it back. Repeat it after an error: a lifetime that was
// left low is set back then.
func (c *Conn) Purge(ctx context.Context, tables ...string) (p Purged, err error) {
	params := Params{"tables": tables}
	var former []string
	rows, err := c.Query(ctx, `SELECT table || '/' || name FROM system.parts
WHERE database = currentDatabase() AND table IN {tables:Array(String)} AND NOT active`, params, nil)
	if err != nil {
		return p, fmt.Errorf("list former parts: %w", err)
	}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return p, errors.Join(err, rows.Close())
		}
		former = append(former, name)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return p, fmt.Errorf("list former parts: %w", err)
	}
	if err := c.remove(ctx, former, tables); err != nil {
		return p, err
	}
	err = c.QueryRow(ctx, `SELECT toInt64(count()), toInt64(sum(bytes_on_disk)),
  lower(hex(SHA256(arrayStringConcat(arraySort(groupArray(table || ' ' || name || ' ' || hash_of_all_files)), '\n'))))
FROM system.parts WHERE database = currentDatabase() AND table IN {tables:Array(String)} AND active`, params, nil, &p.Parts, &p.Bytes, &p.Digest)
	if err != nil {
		return p, fmt.Errorf("list parts: %w", err)
	}
	return p, nil
}

// remove returns when none of the former parts is there.
func (c *Conn) remove(ctx context.Context, former, tables []string) (err error) {
	defer func() {
		// Also when the caller has gone: the parts of a table with a lifetime of 0 do not survive a loss of power in which their successor was not
		// written yet.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connWithin)
		defer cancel()
		for _, table := range tables {
			err = errors.Join(err, c.setLifetime(ctx, table, false))
		}
	}()
	if len(former) == 0 {
		return nil
	}
	for _, table := range tables {
		if err := c.setLifetime(ctx, table, true); err != nil {
			return err
		}
	}
	for {
		// Dropping a partition that is not there has the engine look for former parts now, and not when it next thinks of it.
		for _, table := range tables {
			if err := c.Exec(ctx, "ALTER TABLE "+QuoteName(table)+" DROP PARTITION ID '0'", nil, nil); err != nil {
				return fmt.Errorf("remove former parts of %s: %w", table, err)
			}
		}
		var left uint64
		err := c.QueryRow(ctx, `SELECT count() FROM system.parts
WHERE database = currentDatabase() AND table IN {tables:Array(String)} AND NOT active AND table || '/' || name IN {former:Array(String)}`,
			Params{"tables": tables, "former": former}, nil, &left)
		if err != nil || left == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(purgeEvery):
		}
	}
}

// setLifetime has former parts of a table go at once, or as the server has it.
func (c *Conn) setLifetime(ctx context.Context, table string, none bool) error {
	var low uint64
	const is = `SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = {table:String} AND position(engine_full, 'old_parts_lifetime') > 0`
	if err := c.QueryRow(ctx, is, Params{"table": table}, nil, &low); err != nil || (low > 0) == none {
		return err
	}
	change := "RESET SETTING old_parts_lifetime"
	if none {
		change = "MODIFY SETTING old_parts_lifetime = 0"
	}
	if err := c.Exec(ctx, "ALTER TABLE "+QuoteName(table)+" "+change, nil, nil); err != nil {
		return fmt.Errorf("change how long former parts of %s stay: %w", table, err)
	}
	return nil
}
