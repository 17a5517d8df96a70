package main

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestEveryCommandHasAnExample: whoever asks --help of a command gets a line to copy, and what an answer shows comes as JSON, too.
func TestEveryCommandHasAnExample(t *testing.T) {
	parser, err := kong.New(&commands{})
	if err != nil {
		t.Fatal(err)
	}
	// Their results are bytes, events' ids or lines of progress; or they print none.
	noTable := map[string]bool{
		"up": true, "export": true, "link": true, "separate": true, "release": true, "serve": true, "engines": true, "backup": true, "restore": true, "open": true,
		"workspaces create": true, "workspaces revoke": true, "matches decide": true, "ready": true, "train": true,
	}
	leaves := 0
	var walk func(path string, n *kong.Node)
	walk = func(path string, n *kong.Node) {
		if n.Type == kong.CommandNode {
			path = strings.TrimSpace(path + " " + n.Name)
			if !strings.Contains(n.Detail, "Example: ") || !strings.Contains(n.Detail, "dossier "+path) {
				t.Errorf("'dossier %s --help' has no example of it: %q", path, n.Detail)
			}
			if n.Help == "" {
				t.Errorf("'dossier %s' does not say what it does", path)
			}
		}
		inner := 0
		for _, child := range n.Children {
			walk(path, child)
			inner++
		}
		if inner > 0 || n.Type != kong.CommandNode {
			return
		}
		leaves++
		json := false
		for _, f := range n.Flags {
			json = json || f.Name == "json"
			if f.Help == "" {
				t.Errorf("'dossier %s': --%s does not say what it is", path, f.Name)
			}
		}
		for _, a := range n.Positional {
			if a.Help == "" {
				t.Errorf("'dossier %s': %s does not say what it is", path, a.Name)
			}
		}
		if !json && !noTable[path] {
			t.Errorf("'dossier %s' has no --json", path)
		}
	}
	walk("", parser.Model.Node)
	if leaves < 25 {
		t.Errorf("%d commands were looked at", leaves)
	}
}
