package timeline

import (
	"context"
	"fmt"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// ClickHouse is Table on a ClickHouse whose migrations are applied.
type ClickHouse struct{ Conn *clickhouse.Conn }

// inserting keeps the insert one block, so that it is there whole or not at all.
var inserting = clickhouse.Settings{
	"max_insert_block_size":       1 << 20,
	"min_insert_block_size_rows":  0,
	"min_insert_block_size_bytes": 0,
}

// Insert adds a block under a deduplication token.
func (c ClickHouse) Insert(ctx context.Context, token string, b *Block) error {
	return c.Conn.InsertBlock(ctx, b.Table, b.Rows, b.Columns, token, inserting)
}

// presentSQL numbers partitions from 1 in the arrays, where a place beyond the end is 0.
const presentSQL = `SELECT log_partition, log_offset FROM events
WHERE log_offset >= {from:Array(Int64)}[log_partition + 1] AND log_offset < {to:Array(Int64)}[log_partition + 1]`

// Identity is the UUID that ClickHouse gave the table when it was made.
func (c ClickHouse) Identity(ctx context.Context) (identity string, err error) {
	const of = `SELECT toString(uuid) FROM system.tables WHERE database = currentDatabase() AND name = {table:String}`
	err = c.Conn.QueryRow(ctx, of, clickhouse.Params{"table": schema.TableEvents}, nil, &identity)
	return identity, err
}

// Present reads two whole columns; it is asked after a failure, and at a start.
func (c ClickHouse) Present(ctx context.Context, ranges []Range, yield func(partition int32, offset int64)) error {
	var from, to []int64
	for _, r := range ranges {
		for int(r.Partition) >= len(to) {
			from, to = append(from, 0), append(to, 0)
		}
		from[r.Partition], to[r.Partition] = r.From, r.To
	}
	rows, err := c.Conn.Query(ctx, presentSQL, clickhouse.Params{"from": from, "to": to}, nil)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var partition int32
		var offset int64
		if err := rows.Scan(&partition, &offset); err != nil {
			return err
		}
		yield(partition, offset)
	}
	return rows.Err()
}

const indexedColumns = `SELECT id, occurred_at, epoch, log_generation, log_partition, log_offset FROM events`

// Index streams the ids of all rows.
func (c ClickHouse) Index(ctx context.Context, yield func(Indexed) error) error {
	return c.indexed(ctx, indexedColumns, nil, yield)
}

// Since reads one whole column, and of the rows that it finds the others.
func (c ClickHouse) Since(ctx context.Context, next []int64, yield func(Indexed) error) error {
	return c.indexed(ctx, indexedColumns+` WHERE log_offset >= {next:Array(Int64)}[log_partition + 1]`, clickhouse.Params{"next": next}, yield)
}

// erased takes the cut-off as a number: a mutation keeps its text, and cannot read a DateTime64 parameter from it again.
const erased = ` WHERE workspace = {workspace:String}
  AND (persona IN {closed:Array(UUID)} OR persona IN {current:Array(UUID)} AND occurred_at <= fromUnixTimestamp64Micro({cutoff:Int64}, 'UTC'))`

func erasedParams(v Voided) clickhouse.Params {
	return clickhouse.Params{
		"workspace": v.Workspace, "closed": v.Closed, "current": v.Current,
		"cutoff": int64(min(max(v.CutOff, schema.FirstTimelineInstant), schema.EndTimelineInstant)),
	}
}

// Erased streams the ids of the rows that an erasure voids.
func (c ClickHouse) Erased(ctx context.Context, v Voided, yield func(Indexed) error) error {
	return c.indexed(ctx, indexedColumns+erased, erasedParams(v), yield)
}

// Erase rewrites the parts that hold such rows, and waits for it. Where there are none it costs two reads: every start repeats all
// erasures, and a mutation takes the engine about a second.
func (c ClickHouse) Erase(ctx context.Context, v Voided) error {
	if err := c.erase(ctx, "events", erased, erasedParams(v)); err != nil {
		return fmt.Errorf("erase events: %w", err)
	}
	const closed = ` WHERE workspace = {workspace:String} AND persona IN {closed:Array(UUID)}`
	if err := c.erase(ctx, "persona_profile", closed, clickhouse.Params{"workspace": v.Workspace, "closed": v.Closed}); err != nil {
		return fmt.Errorf("erase entries of the persona map: %w", err)
	}
	return nil
}

// expired matches pairs by one text, since a mutation keeps its text and cannot read an array of tuples from it again.
const expired = ` WHERE workspace = {workspace:String} AND concat(retention, '/', toString(toYear(occurred_at, 'UTC'))) IN {expired:Array(String)}`

func expiredParams(workspace string, of []schema.ExpiredYear) clickhouse.Params {
	names := make([]string, len(of))
	for n, e := range of {
		names[n] = e.String()
	}
	return clickhouse.Params{"workspace": workspace, "expired": names}
}

// Expired streams the ids of the rows of retention classes and years.
func (c ClickHouse) Expired(ctx context.Context, workspace string, of []schema.ExpiredYear, yield func(Indexed) error) error {
	return c.indexed(ctx, indexedColumns+expired, expiredParams(workspace, of), yield)
}

// Expire rewrites the parts that hold such rows, and waits for it.
func (c ClickHouse) Expire(ctx context.Context, workspace string, of []schema.ExpiredYear) error {
	if err := c.erase(ctx, "events", expired, expiredParams(workspace, of)); err != nil {
		return fmt.Errorf("expire events: %w", err)
	}
	return nil
}

func (c ClickHouse) erase(ctx context.Context, table, where string, params clickhouse.Params) error {
	var rows uint64
	if err := c.Conn.QueryRow(ctx, `SELECT count() FROM `+table+where, params, nil, &rows); err != nil || rows == 0 {
		return err
	}
	return c.Conn.Exec(ctx, `ALTER TABLE `+table+` DELETE`+where, params, clickhouse.Settings{"mutations_sync": 2})
}

func (c ClickHouse) indexed(ctx context.Context, sql string, params clickhouse.Params, yield func(Indexed) error) error {
	rows, err := c.Conn.Query(ctx, sql, params, nil)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r Indexed
		if err := rows.Scan(&r.ID, &r.OccurredAt, &r.Epoch, &r.Position.Generation, &r.Position.Partition, &r.Position.Offset); err != nil {
			return err
		}
		if err := yield(r); err != nil {
			return err
		}
	}
	return rows.Err()
}
