package demo

import (
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/graphql"
)

// TestQueries holds the examples to the SDL, and to a shell: nothing in a comment or a query may end a quotation.
func TestQueries(t *testing.T) {
	api, err := graphql.New(graphql.Backends{}, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range examples() {
		if err := api.Validate(e.query); err != nil {
			t.Errorf("%s: %v", e.english, err)
		}
	}
	queries := Queries("http://127.0.0.1:8080/", "dt_x")
	if len(queries) != 3 {
		t.Fatalf("%d queries, want 3", len(queries))
	}
	for _, q := range queries {
		lines := strings.Split(q, "\n")
		if !strings.HasPrefix(lines[0], "# ") || !strings.HasPrefix(lines[1], "# ") || strings.Contains(lines[0]+lines[1], "'") || strings.Count(q, "'")%2 != 0 {
			t.Errorf("not to be pasted:\n%s", q)
		}
		if !strings.Contains(q, "http://127.0.0.1:8080/graphql") || !strings.Contains(q, "Bearer dt_x") {
			t.Errorf("address or token is missing:\n%s", q)
		}
	}
}

// TestCast says that the examples ask about people who are there.
func TestCast(t *testing.T) {
	for _, value := range []string{"camille.lefevre@courriel.example", "thomas.lefevre@courriel.example", "2910040000"} {
		asked, sent := false, false
		for _, e := range examples() {
			asked = asked || strings.Contains(e.query, value)
		}
		for _, e := range workspace().events {
			sent = sent || strings.Contains(string(e.text), value)
		}
		if !asked || !sent {
			t.Errorf("%s: asked %t, sent %t", value, asked, sent)
		}
	}
}
