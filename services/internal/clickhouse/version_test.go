package clickhouse

import (
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
)

// TestTooOld: a server that nothing was tested on is refused in one line; the engine that is embedded, which every other test opens, is not.
func TestTooOld(t *testing.T) {
	for _, c := range []struct {
		major, minor int
		refused      bool
	}{{24, 8, true}, {25, 12, true}, {26, 6, true}, {26, 7, false}, {26, 12, false}, {27, 1, false}} {
		err := tooOld("house:8123", c.major, c.minor)
		if (err != nil) != c.refused {
			t.Errorf("%d.%d: %v", c.major, c.minor, err)
		}
		if err != nil && (schema.ClassOf(err) != schema.Fatal || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "house:8123") || !strings.Contains(err.Error(), "26.7 or newer") || !strings.Contains(err.Error(), "--clickhouse")) {
			t.Errorf("%d.%d: %v does not say what to do in one line", c.major, c.minor, err)
		}
	}
}
