package graphql_test

import (
	"encoding/json"
	"testing"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/graphql/graphqltest"
)

// What was read in a text is shown with the interaction; the text's own words and who corrected it are hidden without the scope unmask. A theme has its title in the language asked for.
func TestVerbatim(t *testing.T) {
	const document = `{ node(id: "65000000-0000-8000-8000-000000000001") { ... on Interaction { verbatim {
		language polarity confidence unsure act emotion themes { id polarity confidence } criticality reasons { code words } version correctedBy correctedAt correction } } }
		themes { id parent title(language: "fr") }
		metrics { risingThemes(of: {from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z"}) { theme title n before people negative times interactions { id } } } }`
	for _, c := range []struct {
		scopes []string
		want   string
	}{
		{[]string{"read", "unmask"}, `"reasons":[{"code":"unanswered","words":"n est pas arrivee"}],"version":"abc+def","correctedBy":"lea"`},
		{[]string{"read"}, `"reasons":[{"code":"unanswered","words":"•••"}],"version":"abc+def","correctedBy":"•••"`},
	} {
		r := schemaOver(t, graphqltest.Small()).Execute(t.Context(), callerWith(c.scopes...), graphql.Request{Query: document})
		if len(r.Errors) > 0 {
			t.Fatal(r.Errors[0])
		}
		got, err := json.Marshal(r.Data)
		want := `{"node":{"verbatim":{"language":"fr","polarity":"neg","confidence":0.87,"unsure":false,"act":"complaint","emotion":"anger","themes":[{"id":"delivery","polarity":"neg","confidence":1}],"criticality":"low",` +
			c.want + `,"correctedAt":"2025-11-02T17:45:30.25Z","correction":"65000000-0000-8000-8000-000000000009"}},` +
			`"themes":[{"id":"delivery","parent":null,"title":"Livraison"},{"id":"delivery.late","parent":"delivery","title":"delivery.late"}],` +
			`"metrics":{"risingThemes":[{"theme":"delivery","title":"Delivery","n":30,"before":10,"people":25,"negative":21,"times":3,"interactions":[{"id":"65000000-0000-8000-8000-000000000001"}]}]}}`
		if err != nil || string(got) != want {
			t.Errorf("%v:\n got %s\nwant %s", c.scopes, got, want)
		}
	}
}
