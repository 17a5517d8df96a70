package destinations

import (
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
)

// TestParquet: an engine that reads Parquet reads what is written, also with many columns, long texts and none.
func TestParquet(t *testing.T) {
	conn := clickhousetest.Start(t)
	for _, n := range []int{1, 2, 16, 40} {
		var columns []string
		rows := make([][]string, 3)
		for c := range n {
			columns = append(columns, fmt.Sprintf("c%d", c))
			rows[0] = append(rows[0], fmt.Sprintf("é %d", c))
			rows[1] = append(rows[1], "")
			rows[2] = append(rows[2], fmt.Sprintf("%0200d", c))
		}
		var got []string
		found, err := conn.Query(t.Context(), fmt.Sprintf("SELECT c0, c%d FROM format(Parquet, unhex('%s'))", n-1, hex.EncodeToString(parquet(columns, rows))), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for found.Next() {
			var first, last string
			if err := found.Scan(&first, &last); err != nil {
				t.Fatal(err)
			}
			got = append(got, first, last)
		}
		if err := found.Err(); err != nil {
			t.Fatal(err)
		}
		if len(got) != 6 || got[0] != "é 0" || got[1] != fmt.Sprintf("é %d", n-1) || got[2] != "" || got[5] != rows[2][n-1] {
			t.Errorf("%d columns: %q", n, got)
		}
	}
}
