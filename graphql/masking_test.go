package graphql_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/graphql/graphqltest"
)

type typeRef struct {
	Kind, Name string
	OfType     *typeRef
}

func (t *typeRef) named() *typeRef {
	for t.OfType != nil {
		t = t.OfType
	}
	return t
}

type sdlType struct {
	Kind, Name string
	Fields     []struct {
		Name string
		Type typeRef
	}
}

// everything selects every field of a type that the SDL has, to a depth. A field that is added later is selected, too.
func everything(t *testing.T, s *graphql.Schema) func(name string, depth int) string {
	got := ask[struct {
		Schema struct{ Types []sdlType } `json:"__schema"`
	}](t, s, graphql.Request{Query: `{ __schema { types { kind name fields { name type { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } }`})
	types := map[string]sdlType{}
	for _, x := range got.Schema.Types {
		types[x.Name] = x
	}
	var selection func(name string, depth int) string
	selection = func(name string, depth int) string {
		var b strings.Builder
		b.WriteString(" {")
		for _, f := range types[name].Fields {
			switch to := f.Type.named(); {
			case name == "Metrics" && to.Name == "Metric" && f.Name != "nps": // they have one shape
			case to.Kind == "SCALAR" || to.Kind == "ENUM":
				b.WriteString(" " + f.Name)
			case depth > 1:
				b.WriteString(" " + f.Name + selection(to.Name, depth-1))
			default:
				b.WriteString(" " + f.Name + " { __typename }")
			}
		}
		return b.String() + " }"
	}
	return selection
}

// Without the scope unmask no personal value comes out of any field; with it, each comes out of one. A field that is added to the SDL
// and shows one is found here.
func TestMasking(t *testing.T) {
	personal := []string{
		"anna.martin@example.com", "anna@example.org", "famille@example.com", "+33612345678", "1980-05-17", `"gold"`, "C-100200", "C-100201",
		`"anna.martin"`, "form 2024-03-01", "c0ffee-0042", "livraison", "parfait", `"lea"`, "tw-77", "tw-76", "conv-5", "O-2025-0007", `"items"`, "bell ", "Coupon Used", `"K-1"`,
		"anna|martin|", "99012", "Rivet",
	}
	s := schemaOver(t, graphqltest.Small())
	all := everything(t, s)
	query := `{
  profiles { edges { node` + all("Profile", 4) + ` } }
  dossiers(identifier: {kind: "email", value: "famille@example.com"})` + all("Dossier", 4) + `
  why(a: {kind: "email", value: "anna.martin@example.com"}, b: {kind: "email", value: "famille@example.com"})` + all("Explanation", 3) + `
  how(id: "70000000-0000-8000-8000-000000000001")` + all("Explanation", 3) + `
  weigh(a: "70000000-0000-8000-8000-000000000001", b: "70000000-0000-8000-8000-000000000002")` + all("Weighing", 3) + `
  possibleMatches` + all("MatchConnection", 4) + `
  interaction: node(id: "65000000-0000-8000-8000-000000000005") { ... on Interaction` + all("Interaction", 2) + ` }
  case: node(id: "case:70000000-0000-8000-8000-000000000001:65000000-0000-8000-8000-000000000001") { ... on Case` + all("Case", 2) + ` }
  hostile: node(id: "dossier:70000000-0000-8000-8000-000000000005") { ... on Dossier` + all("Dossier", 4) + ` }
  metrics` + all("Metrics", 3) + `
  inbox` + all("CaseConnection", 3) + `
}`
	for _, scopes := range [][]string{{"read"}, {"read", "decide", "care", "marketing", "privacy", "admin"}, {"read", "unmask"}} {
		caller := callerWith(scopes...)
		caller.MaxCost = 1 << 24 // nobody asks for everything at once
		r := s.Execute(context.Background(), caller, graphql.Request{Query: query})
		if len(r.Errors) > 0 {
			t.Fatalf("%v", r.Errors[0])
		}
		masked := scopes[len(scopes)-1] != "unmask"
		for _, value := range personal {
			if strings.Contains(string(r.Data), value) == masked {
				t.Errorf("scopes %v: %s is in the answer: %v", scopes, value, !masked)
			}
		}
	}
}

// Errors do not repeat what a caller without unmask may not see.
func TestErrorsHoldNoPersonalValue(t *testing.T) {
	s := schemaOver(t, graphqltest.Small())
	for _, query := range []string{
		`{ dossier(identifier: {kind: "email", value: "famille@example.com"}) { id } }`,
		`{ why(a: {kind: "email", value: "nobody@example.com"}, b: {kind: "email", value: "famille@example.com"}) { same } }`,
		`{ dossier(identifier: {kind: "phone", value: "0612345678"}) { id } }`,
	} {
		r := s.Execute(context.Background(), callerWith("read"), graphql.Request{Query: query})
		if text := fmt.Sprint(r.Errors, r.Errors[0].Extensions); strings.Contains(text, "example.com") || strings.Contains(text, "0612") {
			t.Errorf("%s", text)
		}
	}
}
