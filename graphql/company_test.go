package graphql_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/graphql/graphqltest"
)

// A company has those people whose latest call says so, each once however many accounts joined, with what they buy and ask; names are hidden without the scope unmask.
func TestCompany(t *testing.T) {
	const document = `{ company(id: "acme") { id name peopleCount truncated traits { name value } people(first: 1) { edges { node { id dossier { companies { id } } } } pageInfo { hasNextPage } }
		value { orders spent { amount currency } lifetimeValue { currency } } satisfaction { answers } openCases { id state } cases { id } }
		none: company(id: "nobody") { id } companies(search: "Rivet") { edges { node { id } cursor } pageInfo { hasNextPage } } }`
	for _, c := range []struct {
		scopes []string
		want   string
	}{
		{[]string{"read", "unmask"}, `"company":{"id":"acme","name":"Rivet \u0026 fils",`}, {[]string{"read"}, `"company":{"id":"acme","name":"•••",`},
	} {
		r := schemaOver(t, graphqltest.Small()).Execute(t.Context(), callerWith(c.scopes...), graphql.Request{Query: document})
		if len(r.Errors) > 0 {
			t.Fatal(r.Errors[0])
		}
		got, err := json.Marshal(r.Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{c.want, `"peopleCount":1,"truncated":false`, `"dossier":{"companies":[{"id":"acme"}]}`, `"hasNextPage":false`, `"none":null`, `"companies":{"edges":[{"node":{"id":"acme"}`} {
			if !strings.Contains(string(got), want) {
				t.Errorf("%v: %s lacks %s", c.scopes, got, want)
			}
		}
	}
}
