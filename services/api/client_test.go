package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// node runs a script of testdata/audit, after installing its packages when they are missing or older than the lock file.
func node(t *testing.T, script string, args ...string) []byte {
	t.Helper()
	dir := filepath.Join("testdata", "audit")
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "" {
				t.Skipf("%s is missing: install Node.js 20 or newer from your system's packages", tool)
			}
			t.Fatalf("%s is missing: install Node.js 20 or newer from your system's packages", tool)
		}
	}
	lock, err := os.Stat(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	installed, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json"))
	if err != nil || installed.ModTime().Before(lock.ModTime()) {
		install := exec.Command("npm", "ci", "--prefer-offline")
		install.Dir = dir
		if out, err := install.CombinedOutput(); err != nil {
			t.Fatalf("npm ci: %v\n%s", err, out)
		}
	}
	command := exec.Command("node", append([]string{script}, args...)...)
	command.Dir = dir
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("node %s: %v\n%s", script, err, stderr.String())
	}
	return out
}

// Every MUST, SHOULD and MAY of the GraphQL over HTTP audits.
func TestAudits(t *testing.T) {
	server := httptest.NewServer(small(t).Handler())
	defer server.Close()
	kinds := map[string]int{}
	for lines := bufio.NewScanner(bytes.NewReader(node(t, "audit.mjs", server.URL+"/graphql", allScopes))); lines.Scan(); {
		var audit struct{ ID, Name, Status, Reason string }
		if err := json.Unmarshal(lines.Bytes(), &audit); err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(audit.Name, " ")
		kinds[kind]++
		if audit.Status != "ok" {
			t.Errorf("%s %s: %s: %s", audit.ID, audit.Name, audit.Status, audit.Reason)
		}
	}
	t.Logf("audits passed: %v", kinds)
	if kinds["MUST"] < 13 || kinds["SHOULD"] < 23 {
		t.Errorf("only these audits ran: %v", kinds)
	}
}

func TestGraphQLRequest(t *testing.T) {
	server := httptest.NewServer(small(t).Handler())
	defer server.Close()
	got := strings.TrimSpace(string(node(t, "request.mjs", server.URL+"/graphql", allScopes)))
	const dossier = `{"dossier":{"profile":{"id":"70000000-0000-8000-8000-000000000001","known":true},` +
		`"goldenRecord":[{"name":"birthday","value":"1980-05-17"},{"name":"email","value":"anna.martin@example.com"},{"name":"loyalty","value":{"tier":"gold","points":1250}}],` +
		`"timeline":{"totalCount":5,"edges":[{"node":{"type":"survey.answered","text":"parfait"}},{"node":{"type":"order.placed","text":null}}],` +
		`"pageInfo":{"hasNextPage":true,"endCursor":"MToxNzYyMTA1NTMwMjUwMDAwOjY1MDAwMDAwMDAwMDgwMDA4MDAwMDAwMDAwMDAwMDAz"}}}}`
	const want = `{"dossier":` + dossier + `,"get":` + dossier + `,"unknown":{"dossier":null},` +
		`"ambiguous":{"status":200,"codes":["AMBIGUOUS_IDENTIFIER"],"data":{"dossier":null}},` +
		`"link":{"link":{"event":"65000000-0000-8000-8000-000000000065"}},` +
		`"invalid":{"status":400,"codes":["GRAPHQL_VALIDATION_FAILED"]},"syntax":{"status":400,"codes":["GRAPHQL_PARSE_FAILED"]},` +
		`"unauthenticated":{"status":401,"codes":["UNAUTHENTICATED"]},"batch":{"status":400,"codes":["BATCHING_NOT_SUPPORTED"]}}`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
