package destinations

import (
	"testing"

	"github.com/dossier-cdp/dossier/services/internal/clickhouse/clickhousetest"
)

func TestMain(m *testing.M) { clickhousetest.Main(m) }
