package graphql_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/graphql/graphqltest"
)

var update = flag.Bool("update", false, "rewrite the golden replies; read the difference")

func schemaOver(t testing.TB, w *graphqltest.World) *graphql.Schema {
	t.Helper()
	s, err := graphql.New(w.Backends(), func(err error) { t.Errorf("reported: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func callerWith(scopes ...string) graphql.Caller {
	return graphql.Caller{Workspace: graphqltest.Workspace, Actor: "tester", Scopes: scopes}
}

// golden is a request as testdata/replies writes it: the document, and a comment a line for who asks and with what.
func golden(t *testing.T, text []byte) (graphql.Caller, graphql.Request) {
	t.Helper()
	request := graphql.Request{Query: string(text)}
	caller := callerWith()
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "# scopes":
			caller = callerWith(strings.Fields(value)...)
		case "# operation":
			request.OperationName = value
		case "# variables":
			if err := json.Unmarshal([]byte(value), &request.Variables); err != nil {
				t.Fatal(err)
			}
		}
	}
	return caller, request
}

func pretty(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", " "); err != nil {
		t.Fatal(err)
	}
	return append(out.Bytes(), '\n')
}

func TestReplies(t *testing.T) {
	documents, err := filepath.Glob("testdata/replies/*.graphql")
	if err != nil || len(documents) < 25 {
		t.Fatalf("found %d documents: %v", len(documents), err)
	}
	for _, path := range documents {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".graphql"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			w := graphqltest.Small()
			caller, request := golden(t, text)
			response := schemaOver(t, w).Execute(context.Background(), caller, request)
			for _, e := range response.Errors {
				if code, _ := e.Extensions["code"].(string); code == "" || code == graphql.CodeInternal {
					t.Errorf("code %q: %s", code, e.Message)
				}
			}
			if text, err := response.AppendJSON(nil); err != nil || !json.Valid(text) {
				t.Errorf("not JSON: %v: %s", err, text)
			}
			got := pretty(t, struct {
				*graphql.Response
				Made []string `json:"made,omitempty"`
			}{response, w.Made})
			file := strings.TrimSuffix(path, ".graphql") + ".json"
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("the reply changed; got\n%s", got)
			}
		})
	}
}
