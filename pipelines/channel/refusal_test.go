package channel

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCodesAreDocumented holds the table of codes and the one that senders read together.
func TestCodesAreDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "events.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "## Why an event is refused")
	if !found {
		t.Fatal("there is no table of codes")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	known := map[string]bool{}
	for _, code := range Codes() {
		known[code] = true
		if !strings.Contains(table, "`"+code+"`") {
			t.Errorf("%s is not documented", code)
		}
	}
	for _, line := range strings.Split(table, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 2 || !strings.Contains(cells[1], "`") {
			continue
		}
		for i, code := range strings.Split(cells[1], "`") {
			if i%2 == 1 && !known[code] {
				t.Errorf("%s is documented and never given", code)
			}
		}
	}
}
