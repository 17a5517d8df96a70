package clickhouse_test

import (
	"context"
	"testing"

	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
)

func TestInsertAndQuery(t *testing.T) {
	conn := clickhousetest.Start(t)
	ctx := context.Background()
	must(t, conn.Exec(ctx, "CREATE TABLE t (k UInt64, v String) ENGINE = MergeTree ORDER BY k SETTINGS non_replicated_deduplication_window = 1000", nil, nil))
	for range 2 {
		must(t, conn.Insert(ctx, "t", []string{"k", "v"}, "token-1", nil, func(b *clickhouse.Batch) error {
			if err := b.Column(0, []uint64{1, 2, 3}); err != nil {
				return err
			}
			return b.Column(1, []string{"a", "b", "c"})
		}))
	}
	var n, sum uint64
	must(t, conn.QueryRow(ctx, "SELECT count(), sum(k) FROM t WHERE v != {v:String}", clickhouse.Params{"v": "b"}, nil, &n, &sum))
	if n != 2 || sum != 4 {
		t.Fatalf("got count %d, sum %d, want 2 and 4", n, sum)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
