package graphql_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/graphql/graphqltest"
)

// A crisis tells its posts and explains itself; themes are classed by Kano, those of few people not.
func TestReputation(t *testing.T) {
	const document = `{ metrics {
		crises(of: {from: "2026-02-01T00:00:00Z", to: "2026-03-01T00:00:00Z"}) { brand from until recognisedAt ongoing mentions unfavourable unjudged alerts { mentions usual z } explanation(language: "fr") interactions(first: 3) { id } }
		kano { theme class commonest suppressed n attractive better { value } worse { value } explanation explain { rowsPath } } } }`
	r := schemaOver(t, graphqltest.Small()).Execute(t.Context(), callerWith("read"), graphql.Request{Query: document})
	if len(r.Errors) > 0 {
		t.Fatal(r.Errors[0])
	}
	got, err := json.Marshal(r.Data)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"crises":[{"brand":"garance","from":"2026-02-22T20:00:00Z","until":"2026-02-22T23:00:00Z","recognisedAt":"2026-02-22T20:20:00Z","ongoing":false,"mentions":35,"unfavourable":30,"unjudged":2,"alerts":[{"mentions":12,"usual":1,"z":11}],` +
			`"explanation":"garance : 1 alertes à partir de 2026-02-22T20:00:00Z, reconnue à 2026-02-22T20:20:00Z ; 30 des 33 mentions jugées sont défavorables. Au plus 12 mentions en cinq minutes, contre 1 d'habitude (z robuste 11.0).","interactions":[{"id":"65000000-0000-8000-8000-000000000001"}]}]`,
		`{"theme":"email","class":"mixed","commonest":"attractive","suppressed":false,"n":23,"attractive":8,"better":{"value":0.6086956521739131},"worse":{"value":-0.4782608695652174},`,
		`"/v1/metrics/kanoBetter?by=THEME\u0026key=email`,
		`{"theme":"phone","class":null,"commonest":null,"suppressed":true,"n":3,"attractive":null,"better":null,"worse":null,"explanation":"Fewer than five people: nothing is shown."`,
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
}
