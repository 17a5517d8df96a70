package graphql_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/graphql/graphqltest"
)

// Whatever the document, the answer is JSON, every error has a code that is not INTERNAL, and nothing panics. The world's own hostile
// values are asked for, too.
func FuzzExecute(f *testing.F) {
	documents, err := filepath.Glob("testdata/replies/*.graphql")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range documents {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text), "", `{"identifier": {"kind": "email", "value": "famille@example.com"}, "a": "x", "first": 1.5}`)
	}
	f.Add("query ($a: [ID!]! = [1, 2]) { profiles(ids: $a) { edges { cursor } } }", "", `{}`)
	f.Add("{ a: __typename @skip(if: 7) }", "", `{}`)
	f.Add("query ($t: Time) { dossiers(identifier: {kind: \"phone\", value: \"+33612345678\"}) { timeline(from: $t) { totalCount } } }", "", `{"t": 3}`)
	s, err := graphql.New(graphqltest.Small().Backends(), func(err error) { panic(err) })
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, document, operation, variables string) {
		r := graphql.Request{Query: document, OperationName: operation}
		if json.Unmarshal([]byte(variables), &r.Variables) != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		response := s.Execute(ctx, callerWith("read", "decide", "care", "admin"), r)
		if text, err := response.AppendJSON(nil); err != nil || !json.Valid(text) {
			t.Fatalf("not JSON: %v: %s", err, text)
		}
		if response.Data == nil && len(response.Errors) == 0 {
			t.Error("an answer without data and without an error")
		}
		for _, e := range response.Errors {
			if code, _ := e.Extensions["code"].(string); code == "" || code == graphql.CodeInternal || code == graphql.CodeTimeout {
				t.Errorf("code %q: %s", code, e.Message)
			}
			if strings.Contains(e.Message, "priced") {
				t.Errorf("what was found valid has no price: %s", e.Message)
			}
		}
	})
}
