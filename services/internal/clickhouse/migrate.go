package clickhouse

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/dossier-cdp/dossier/schema"
)

// migrationsTable remembers which steps of the DDL have run. A row is written after its step; ReplacingMergeTree because two
// processes that start together may both write it.
const migrationsTable = `CREATE TABLE IF NOT EXISTS dossier_migrations (
	number UInt32,
	name String,
	sha256 String,
	applied_at DateTime64(6, 'UTC') DEFAULT now64(6)
) ENGINE = ReplacingMergeTree(applied_at) ORDER BY number`

// Migrate applies the steps that the database has not seen, in order of their numbers. It is idempotent, and a step must be
// so too (IF NOT EXISTS): after a crash between a step and its record, the step runs again.
//
// It refuses, with a fatal error and without a change, a database that knows a later step than the program, or a step that
// has another text than the one that ran.
func (c *Conn) Migrate(ctx context.Context, migrations []schema.Migration) error {
	for i, m := range migrations {
		if i > 0 && m.Number <= migrations[i-1].Number {
			return schema.Classify(schema.Fatal, fmt.Errorf("migration %d (%s) does not follow %d", m.Number, m.Name, migrations[i-1].Number))
		}
	}
	if err := c.Exec(ctx, migrationsTable, nil, nil); err != nil {
		return fmt.Errorf("make the migrations table: %w", err)
	}
	applied, err := c.appliedMigrations(ctx)
	if err != nil {
		return err
	}
	if err := checkApplied(c.database, migrations, applied); err != nil {
		return err
	}
	for _, m := range migrations {
		if _, done := applied[m.Number]; done {
			continue
		}
		if err := c.Exec(ctx, m.SQL, nil, nil); err != nil {
			return fmt.Errorf("migration %d (%s): %w", m.Number, m.Name, err)
		}
		// From here on the step has run; without the record it runs again at the next start.
		err := c.Insert(ctx, "dossier_migrations", []string{"number", "name", "sha256"}, "", nil, func(b *Batch) error {
			return b.Append(uint32(m.Number), m.Name, migrationDigest(m))
		})
		if err != nil {
			return fmt.Errorf("record migration %d (%s): %w", m.Number, m.Name, err)
		}
	}
	c.forgetColumns()
	return nil
}

type appliedMigration struct{ name, digest string }

func (c *Conn) appliedMigrations(ctx context.Context) (map[int]appliedMigration, error) {
	rows, err := c.Query(ctx, "SELECT number, name, sha256 FROM dossier_migrations FINAL ORDER BY number", nil, nil)
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	defer rows.Close()
	applied := map[int]appliedMigration{}
	for rows.Next() {
		var number uint32
		var m appliedMigration
		if err := rows.Scan(&number, &m.name, &m.digest); err != nil {
			return nil, fmt.Errorf("read the migrations: %w", err)
		}
		applied[int(number)] = m
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	return applied, nil
}

// checkApplied compares what ran with what the program knows.
func checkApplied(database string, migrations []schema.Migration, applied map[int]appliedMigration) error {
	known, last := map[int]schema.Migration{}, 0
	for _, m := range migrations {
		known[m.Number] = m
		last = max(last, m.Number)
	}
	newest := 0
	for number := range applied {
		newest = max(newest, number)
	}
	if newest > last {
		return schema.Classify(schema.Fatal, fmt.Errorf(
			"database %s was written by a newer program: it has migration %d (%s), this one knows %d; run that version, or name another database",
			database, newest, applied[newest].name, last))
	}
	for number := 1; number <= newest; number++ {
		ran, done := applied[number]
		if !done {
			continue
		}
		m, ok := known[number]
		if !ok || migrationDigest(m) != ran.digest {
			return schema.Classify(schema.Fatal, fmt.Errorf(
				"database %s ran another migration %d (%s) than this program's; migrations are added, never edited: run the version that made it, or name another database",
				database, number, ran.name))
		}
	}
	return nil
}

func migrationDigest(m schema.Migration) string {
	sum := sha256.Sum256([]byte(m.SQL))
	return hex.EncodeToString(sum[:])
}
