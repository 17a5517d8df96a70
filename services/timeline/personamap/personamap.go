// Package personamap writes which profile each persona belongs to into ClickHouse, beside the events, for metrics and segments.
//
// The map follows identity: every row carries the version of the change, the newest version counts, and what is written twice counts
// once. Dossiers do not read it, they ask identity, so it may lag; Version against identity's own says by how
// much. Read it through the view persona_map.
package personamap

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/identity"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// Writer is the sink of one workspace. Identity calls it from one goroutine; Version may be called from any.
type Writer struct {
	workspace string
	conn      *clickhouse.Conn
	closed    func(p schema.PersonaEpoch) bool
	table     string // what tells the table from another in its place

	version  atomic.Uint64 // of the last flush
	personas []uuid.UUID
	profiles []uuid.UUID
	versions []uint64
	newest   uint64
}

var (
	_ identity.Sink    = (*Writer)(nil)
	_ identity.Flusher = (*Writer)(nil)
)

// blockRows bounds what is kept until it is written.
const blockRows = 20_000

// Open finds how far the map is written. closed says whether an epoch of a persona is erased: its entry is not written, also if
// identity's change is older than the erasure.
func Open(ctx context.Context, conn *clickhouse.Conn, workspace string, closed func(p schema.PersonaEpoch) bool) (*Writer, error) {
	w := &Writer{workspace: workspace, conn: conn, closed: closed}
	const newest = "SELECT max(version) FROM persona_profile WHERE workspace = {workspace:String}"
	if err := conn.QueryRow(ctx, newest, clickhouse.Params{"workspace": workspace}, nil, &w.newest); err != nil {
		return nil, fmt.Errorf("read the version of the persona map: %w", err)
	}
	w.version.Store(w.newest)
	const table = "SELECT toString(uuid) FROM system.tables WHERE database = currentDatabase() AND name = {table:String}"
	if err := conn.QueryRow(ctx, table, clickhouse.Params{"table": schema.TablePersonaProfile}, nil, &w.table); err != nil {
		return nil, fmt.Errorf("identify the table of the persona map: %w", err)
	}
	return w, nil
}

// Name is the cursor's name. It names the table, so that identity tells a new table in the place of a lost one everything.
func (w *Writer) Name() string { return schema.TablePersonaProfile + "/" + w.table }

// Changed keeps the changes for the next Flush.
func (w *Writer) Changed(ctx context.Context, version uint64, changes []identity.Change) error {
	for _, c := range changes {
		for _, m := range c.Personas {
			if err := w.add(ctx, version, m, c.To); err != nil {
				return err
			}
		}
	}
	w.newest = max(w.newest, version)
	return nil
}

// Rebuilt writes the whole map, and takes out what was written before: the entries of personas that are no more, too.
func (w *Writer) Rebuilt(ctx context.Context, version uint64, places iter.Seq2[identity.Placed, error]) error {
	for p, err := range places {
		if err != nil {
			return fmt.Errorf("read who is who: %w", err)
		}
		if err := w.add(ctx, version, p.Moved, p.Profile); err != nil {
			return err
		}
	}
	w.newest = max(w.newest, version)
	if err := w.write(ctx); err != nil {
		return err
	}
	const before = " WHERE workspace = {workspace:String} AND version < {version:UInt64}"
	params, rows := clickhouse.Params{"workspace": w.workspace, "version": version}, uint64(0)
	err := w.conn.QueryRow(ctx, "SELECT count() FROM "+schema.TablePersonaProfile+before, params, nil, &rows)
	if err == nil && rows > 0 {
		err = w.conn.Exec(ctx, "ALTER TABLE "+schema.TablePersonaProfile+" DELETE"+before, params, clickhouse.Settings{"mutations_sync": 2})
	}
	if err != nil {
		return fmt.Errorf("take former entries out of the persona map: %w", err)
	}
	return w.Flush(ctx)
}

func (w *Writer) add(ctx context.Context, version uint64, m identity.Moved, profile schema.ProfileID) error {
	if w.closed(m.Of) {
		return nil
	}
	w.personas = append(w.personas, uuid.UUID(m.Node))
	w.profiles = append(w.profiles, uuid.UUID(profile))
	w.versions = append(w.versions, version)
	if len(w.versions) < blockRows {
		return nil
	}
	return w.write(ctx)
}

// Flush returns when everything that was told can be read. After an error identity tells it again.
func (w *Writer) Flush(ctx context.Context) error {
	if err := w.write(ctx); err != nil {
		return err
	}
	w.version.Store(w.newest)
	return nil
}

// write inserts what is kept, and forgets it whatever happens. It uses no deduplication: rows that come twice replace each other.
func (w *Writer) write(ctx context.Context) error {
	n := len(w.versions)
	if n == 0 {
		return nil
	}
	workspaces := make([]string, n)
	for i := range workspaces {
		workspaces[i] = w.workspace
	}
	defer func() { w.personas, w.profiles, w.versions = w.personas[:0], w.profiles[:0], w.versions[:0] }()
	err := w.conn.Insert(ctx, schema.TablePersonaProfile, []string{"workspace", "persona", "profile", "version", "deleted"}, "",
		clickhouse.Settings{"insert_deduplicate": 0}, func(b *clickhouse.Batch) error {
			for i, values := range []any{workspaces, w.personas, w.profiles, w.versions, make([]uint8, n)} {
				if err := b.Column(i, values); err != nil {
					return err
				}
			}
			return nil
		})
	if err != nil {
		return fmt.Errorf("write %d entries of the persona map: %w", n, err)
	}
	return nil
}

// Version is the version up to which the map can be read; 0 if it is empty.
func (w *Writer) Version() uint64 { return w.version.Load() }
