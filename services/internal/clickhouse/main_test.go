package clickhouse_test

import (
	"flag"
	"os"
	"testing"

	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
)

func TestMain(m *testing.M) {
	// Every round of a property test here is an insert with its syncs; -rapid.checks on the command line still wins.
	if os.Getenv("DOSSIER_PROVE") != "1" {
		if err := flag.Set("rapid.checks", "25"); err != nil {
			panic(err)
		}
	}
	clickhousetest.Main(m)
}
