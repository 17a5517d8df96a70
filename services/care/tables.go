package care

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// Tables is ClickHouse as this role uses it. Errors are classed: transient is tried again, everything else stops the role.
type Tables interface {
	// Identity tells these tables from any others that stood, or will stand, in their place.
	Identity(ctx context.Context) (string, error)
	// Newest is the highest version in any of the tables; 0 if they are empty.
	Newest(ctx context.Context) (uint64, error)
	// Insert adds rows. What comes twice replaces itself.
	Insert(ctx context.Context, token string, b *Block) error
	// Forget deletes the rows of these ids whose version is lower, for good: when it returns no part holds them.
	Forget(ctx context.Context, workspace, table string, ids []schema.EventID, below uint64) error
	// Named gives the ids of the rows, old ones too, that name one of these personas by its public id.
	Named(ctx context.Context, workspace, table string, personas []schema.ProfileID) ([]schema.EventID, error)
	// Sweep deletes all rows whose version is lower.
	Sweep(ctx context.Context, workspace string, below uint64) error
	// Begun counts the conversations that customers began in [from, to), by channel and by the beginning of the bucket.
	Begun(ctx context.Context, workspace string, from, to schema.Instant, bucket care.Span) (map[string]map[schema.Instant]uint32, error)
	// Spoken counts the posts about each brand that others published in [from, to), by the beginning of the five minutes.
	Spoken(ctx context.Context, workspace string, from, to schema.Instant) (map[string]map[schema.Instant]reputation.Tally, error)
}

// ClickHouse is Tables on a ClickHouse whose migrations are applied.
type ClickHouse struct{ Conn *clickhouse.Conn }

var _ Tables = ClickHouse{}

// Identity is made of the UUIDs that ClickHouse gave the tables when they were made.
func (c ClickHouse) Identity(ctx context.Context) (identity string, err error) {
	const of = `SELECT arrayStringConcat(arraySort(groupArray(toString(uuid))), ' ') FROM system.tables WHERE database = currentDatabase() AND name IN {tables:Array(String)}`
	err = c.Conn.QueryRow(ctx, of, clickhouse.Params{"tables": append([]string{schema.TableAlerts}, tableNames[:]...)}, nil, &identity)
	return identity, err
}

// Newest reads one column of each table.
func (c ClickHouse) Newest(ctx context.Context) (newest uint64, err error) {
	var parts []string
	for _, table := range tableNames {
		parts = append(parts, "SELECT max(version) AS version FROM "+table)
	}
	err = c.Conn.QueryRow(ctx, "SELECT max(version) FROM ("+strings.Join(parts, " UNION ALL ")+")", nil, nil, &newest)
	return newest, err
}

// inserting keeps the insert one block.
var inserting = clickhouse.Settings{
	"max_insert_block_size":       1 << 20,
	"min_insert_block_size_rows":  0,
	"min_insert_block_size_bytes": 0,
}

// Insert adds a block under a deduplication token.
func (c ClickHouse) Insert(ctx context.Context, token string, b *Block) error {
	return c.Conn.InsertBlock(ctx, b.Table, b.Rows, b.Columns, token, inserting)
}

// Forget rewrites the parts that hold such rows, and waits for it.
func (c ClickHouse) Forget(ctx context.Context, workspace, table string, ids []schema.EventID, below uint64) error {
	const most = 10_000 // in one statement
	for len(ids) > 0 {
		some := ids[:min(most, len(ids))]
		ids = ids[len(some):]
		where := ` WHERE workspace = {workspace:String} AND id IN {ids:Array(UUID)} AND version < {below:UInt64}`
		if err := c.delete(ctx, table, where, clickhouse.Params{"workspace": workspace, "ids": some, "below": below}); err != nil {
			return fmt.Errorf("delete old rows of %s: %w", table, err)
		}
	}
	return nil
}

// Named reads the columns of personas of a whole table.
func (c ClickHouse) Named(ctx context.Context, workspace, table string, personas []schema.ProfileID) (ids []schema.EventID, err error) {
	const most = 10_000 // in one statement
	where := "persona IN {personas:Array(UUID)}"
	if table == schema.TableConversations || table == schema.TableCases {
		where = "(" + where + " OR hasAny(personas, {personas:Array(UUID)}))"
	}
	for len(personas) > 0 {
		some := personas[:min(most, len(personas))]
		personas = personas[len(some):]
		rows, err := c.Conn.Query(ctx, "SELECT DISTINCT id FROM "+table+" WHERE workspace = {workspace:String} AND "+where,
			clickhouse.Params{"workspace": workspace, "personas": some}, nil)
		if err != nil {
			return nil, fmt.Errorf("find rows of %s: %w", table, err)
		}
		for rows.Next() {
			var id uuid.UUID
			if err := rows.Scan(&id); err != nil {
				return nil, errors.Join(fmt.Errorf("find rows of %s: %w", table, err), rows.Close())
			}
			ids = append(ids, schema.EventID(id))
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, fmt.Errorf("find rows of %s: %w", table, err)
		}
	}
	return ids, nil
}

// Sweep rewrites the parts that hold such rows, and waits for it.
func (c ClickHouse) Sweep(ctx context.Context, workspace string, below uint64) error {
	for _, table := range tableNames {
		err := c.delete(ctx, table, ` WHERE workspace = {workspace:String} AND version < {below:UInt64}`, clickhouse.Params{"workspace": workspace, "below": below})
		if err != nil {
			return fmt.Errorf("delete old rows of %s: %w", table, err)
		}
	}
	return nil
}

// delete costs a read where there is nothing to delete; a mutation takes the engine about a second.
func (c ClickHouse) delete(ctx context.Context, table, where string, params clickhouse.Params) error {
	var rows uint64
	if err := c.Conn.QueryRow(ctx, `SELECT count() FROM `+table+where, params, nil, &rows); err != nil || rows == 0 {
		return err
	}
	return c.Conn.Exec(ctx, `ALTER TABLE `+table+` DELETE`+where, params, clickhouse.Settings{"mutations_sync": 2})
}
