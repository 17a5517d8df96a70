package graphql_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/graphql/graphqltest"
)

func codeOf(t *testing.T, r *graphql.Response) string {
	t.Helper()
	if len(r.Errors) == 0 {
		return ""
	}
	for _, e := range r.Errors {
		if e.Extensions["code"] == nil {
			t.Errorf("an error without code: %s", e.Message)
		}
	}
	code, _ := r.Errors[0].Extensions["code"].(string)
	return code
}

// doubling is a chain of fragments, each spread twice in the one before: 2^n fields out of n lines.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString("{ ...f0 }\n")
	for i := range n {
		fmt.Fprintf(&b, "fragment f%d on Query { a%d: __typename ...f%d ...f%d }\n", i, i, i+1, i+1)
	}
	fmt.Fprintf(&b, "fragment f%d on Query { __typename }\n", n)
	return b.String()
}

func TestLimits(t *testing.T) {
	const profile = `profile(id: "70000000-0000-8000-8000-000000000001") `
	nested := func(n int) string {
		return "{ " + profile + strings.Repeat("{ dossier { profile ", n) + "{ id }" + strings.Repeat(" } }", n) + " }"
	}
	aliases := func(n int, field string) string {
		var b strings.Builder
		b.WriteString("{")
		for i := range n {
			fmt.Fprintf(&b, " a%d: %s", i, field)
		}
		return b.String() + " }"
	}
	distinct := func(n int, field string) string {
		var b strings.Builder
		b.WriteString("{")
		for i := range n {
			fmt.Fprintf(&b, " a%d: "+field, i, i)
		}
		return b.String() + " }"
	}
	w := graphqltest.Large(60, 5)
	s := schemaOver(t, w)
	for _, c := range []struct{ name, query, code string }{
		{"within the depth", nested(8), ""},
		{"past the depth", nested(20), graphql.CodeTooDeep},
		{"depth 1,000", nested(500), graphql.CodeTooDeep},
		{"depth 1,000 that is no field", "{" + strings.Repeat("{", 1000) + strings.Repeat("}", 1000) + "}", graphql.CodeParse},
		{"depth through a fragment", "{ " + profile + "{ ...a } } fragment a on Profile { dossier { profile { ...b } } } fragment b on Profile " + strings.Repeat("{ dossier { profile ", 12) + "{ id }" + strings.Repeat(" } }", 12), graphql.CodeTooDeep},
		{"a fragment within itself", "{ " + profile + "{ ...a } } fragment a on Profile { dossier { profile { ...a } } }", graphql.CodeTooDeep},
		{"10,000 aliases", aliases(10_000, "__typename"), graphql.CodeTooLarge},
		{"64,001 bytes", "{ __typename }" + strings.Repeat(" ", graphql.MaxQueryLength-13), graphql.CodeTooLarge},
		{"64,000 bytes", "{ __typename }" + strings.Repeat(" ", graphql.MaxQueryLength-14), ""},
		{"2^20 selections of fragments", doubling(20), graphql.CodeTooLarge},
		{"the same field 10,000 times", "{" + strings.Repeat(" id:__typename", 4_000) + "}", graphql.CodeTooLarge},
		{"first of 501", "{ profiles(first: 501) { edges { cursor } } }", graphql.CodeBadInput},
		{"1,001 ids", `{ profiles(ids: [` + strings.Repeat(`"70000000-0000-8000-8000-000000000001",`, 1001) + `]) { edges { cursor } } }`, graphql.CodeBadInput},
		{"1,000 ids", `{ profiles(ids: [` + strings.Repeat(`"70000000-0000-8000-8000-000000000001",`, 1000) + `]) { edges { cursor } } }`, ""},
		{"first of 1,001 ids", `{ profiles(ids: ["70000000-0000-8000-8000-000000000001"], first: 1001) { edges { cursor } } }`, graphql.CodeBadInput},
		{"too many reads at the root", distinct(600, `dossier(identifier: {kind: "email", value: "%d"}) { id }`), graphql.CodeTooLarge},
		{"too many rows", `{ profiles(first: 50) { edges { node { dossier { a: timeline(first: 500) { pageInfo { hasNextPage } } b: timeline(first: 499) { pageInfo { hasNextPage } } c: timeline(first: 498) { pageInfo { hasNextPage } } } } } } }`, graphql.CodeTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			r := s.Execute(context.Background(), callerWith("read"), graphql.Request{Query: c.query})
			if got := codeOf(t, r); got != c.code {
				t.Errorf("code %q, want %q: %+v", got, c.code, r.Errors[:min(len(r.Errors), 2)])
			}
			if len(r.Errors) > 20 {
				t.Errorf("%d errors", len(r.Errors))
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// A document may ask for little and be answered with much: the answer is bounded, too.
func TestFieldsOfAnAnswerAreBounded(t *testing.T) {
	var fields strings.Builder
	for i := range 2_400 {
		fmt.Fprintf(&fields, " a%d: id", i)
	}
	query := "{ profiles(first: 500) { edges { node {" + fields.String() + " } } } }"
	caller := callerWith("read")
	caller.MaxCost = 10_000_000 // the price is another limit
	r := schemaOver(t, graphqltest.Large(500, 0)).Execute(context.Background(), caller, graphql.Request{Query: query})
	if got := codeOf(t, r); got != graphql.CodeTooLarge || r.Data != nil {
		t.Errorf("code %q with %d bytes", got, len(r.Data))
	}
}

func TestNoReadPerRow(t *testing.T) {
	const all = `{ goldenRecord { name } personas { id } timeline(first: 10) { totalCount edges { node { text } } } cases { id } satisfaction { answers } value { orders } profile { dossier { timeline(first: 10) { edges { cursor } } } } }`
	for _, c := range []struct {
		query string
		want  map[string]int
	}{
		{`{ profiles(first: 50) { edges { node { dossier ` + all + ` } } } }`, map[string]int{"Page": 1, "People": 1, "Pages": 1, "Cases": 1, "Satisfaction": 1, "Value": 1}},
		{`{ profiles(first: 50) { edges { node { dossier { timeline(first: 5) { edges { cursor } } } } } } }`, map[string]int{"Page": 1, "People": 1, "Pages": 1}},
		{`{ profiles(first: 50) { edges { node { dossier { a: timeline(first: 5) { edges { cursor } } b: timeline(first: 5) { pageInfo { endCursor } } c: timeline(first: 5, channels: ["email"]) { totalCount } } } } } }`, map[string]int{"Page": 1, "People": 1, "Pages": 2}},
		{`{ dossier(identifier: {kind: "email", value: "person.7@example.com"}) ` + all + ` }`, map[string]int{"Owners": 1, "People": 1, "Pages": 1, "Cases": 1, "Satisfaction": 1, "Value": 1}},
		{`{ dossier(identifier: {kind: "email", value: "person.7@example.com"}) { goldenRecord { name } personas { id } } }`, map[string]int{"Owners": 1, "People": 1}},
		{`{ dossier(identifier: {kind: "email", value: "nobody@example.com"}) { id } }`, map[string]int{"Owners": 1}},
		{`{ metrics { mapBehind } }`, map[string]int{}},
		{`{ __schema { queryType { name } } }`, map[string]int{}},
	} {
		w := graphqltest.Large(80, 12)
		s := schemaOver(t, w)
		for range 3 {
			if r := s.Execute(context.Background(), callerWith("read"), graphql.Request{Query: c.query}); len(r.Errors) > 0 {
				t.Fatalf("%s: %v", c.query, r.Errors[0])
			}
			if got := w.Reads(); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s\nreads %v, want %v", c.query, got, c.want)
			}
		}
	}
}

// Each mutation field is refused without its scope, before any backend is asked; a query is refused without read.
func TestScopes(t *testing.T) {
	const id = `"70000000-0000-8000-8000-000000000001"`
	const other = `"70000000-0000-8000-8000-000000000003"`
	const why = `reason: "x", idempotencyKey: "k"`
	fields := map[string]string{
		`link(a: ` + id + `, b: ` + other + `, ` + why + `) { event }`:                                                          "decide",
		`separate(a: ` + id + `, b: ` + other + `, ` + why + `) { event }`:                                                      "decide",
		`release(event: ` + id + `, ` + why + `) { event }`:                                                                     "decide",
		`correctVerbatim(interaction: ` + id + `, correction: {polarity: "neg"}, ` + why + `) { event }`:                        "care",
		`recordConsent(profile: ` + id + `, consent: {channel: "email", purpose: "m", state: "denied"}, ` + why + `) { event }`: "care",
		`applyConfiguration(document: {}, base: "base", ` + why + `) { hash }`:                                                  "admin",
	}
	everything := []string{"read", "unmask", "decide", "care", "marketing", "privacy", "admin"}
	without := func(scope string) (out []string) {
		for _, s := range everything {
			if s != scope {
				out = append(out, s)
			}
		}
		return out
	}
	type attempt struct{ query, operation string }
	for field, scope := range fields {
		for _, a := range []attempt{
			{"mutation { " + field + " }", ""},
			{"mutation { alias: " + field + " }", ""},
			{"mutation { ... on Mutation { " + field + " } }", ""},
			{"query Harmless { __typename } mutation M { ...f } fragment f on Mutation { ... { " + field + " } }", "M"},
			{"mutation { __typename ... @include(if: true) { " + field + " } }", ""},
		} {
			w := graphqltest.Small()
			s := schemaOver(t, w)
			r := s.Execute(context.Background(), callerWith(without(scope)...), graphql.Request{Query: a.query, OperationName: a.operation})
			if got := codeOf(t, r); got != graphql.CodeForbidden || r.Data != nil || len(w.Reads()) > 0 {
				t.Errorf("without %s, %s: code %q, data %s", scope, a.query, got, r.Data)
			}
			r = s.Execute(context.Background(), callerWith(everything...), graphql.Request{Query: a.query, OperationName: a.operation, ReadOnly: true})
			if got := codeOf(t, r); got != graphql.CodeMethod || len(w.Reads()) > 0 {
				t.Errorf("read only, %s: code %q", a.query, got)
			}
			r = s.Execute(context.Background(), callerWith(scope), graphql.Request{Query: a.query, OperationName: a.operation})
			if got := codeOf(t, r); got != "" || len(w.Made) != 1 {
				t.Errorf("with %s, %s: code %q, made %v", scope, a.query, got, w.Made)
			}
		}
	}
	w := graphqltest.Small()
	for _, query := range []string{
		`{ metrics { events } }`, `query mutation { dossiers(identifier: {kind: "email", value: "famille@example.com"}) { id } }`,
		`query Q { node(id: ` + id + `) { id } } mutation M { __typename }`,
	} {
		name := ""
		if strings.Contains(query, " M ") {
			name = "Q"
		}
		r := schemaOver(t, w).Execute(context.Background(), callerWith(without("read")...), graphql.Request{Query: query, OperationName: name})
		if got := codeOf(t, r); got != graphql.CodeForbidden || r.Data != nil || len(w.Reads()) > 0 {
			t.Errorf("without read, %s: code %q", query, got)
		}
	}
}

// Every mutation of the SDL is in the table of TestScopes' subject: a field without a scope would be refused for ever.
func TestEveryMutationHasAScope(t *testing.T) {
	_, rest, _ := strings.Cut(graphql.SDL(), "type Mutation {")
	body, _, _ := strings.Cut(rest, "\n}")
	s, n := schemaOver(t, graphqltest.Small()), 0
	for line := range strings.Lines(body) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), "("); ok && !strings.HasPrefix(name, `"`) {
			n++
			if !s.HasScope(name) {
				t.Errorf("mutation %s has no scope", name)
			}
		}
	}
	if n < 5 {
		t.Fatalf("found %d mutations", n)
	}
}

func TestCursorsWalkATimeline(t *testing.T) {
	s := schemaOver(t, graphqltest.Large(3, 23))
	type page struct {
		Dossier struct {
			Timeline struct {
				Edges    []struct{ Node struct{ ID string } }
				PageInfo struct {
					HasNextPage, HasPreviousPage bool
					EndCursor                    *string
				}
			}
		}
	}
	for _, size := range []int{1, 5, 23, 24} {
		var seen []string
		variables := map[string]any{"first": float64(size)}
		for {
			got := ask[page](t, s, graphql.Request{Query: `query ($first: Int, $after: String) { dossier(identifier: {kind: "email", value: "person.1@example.com"}) { timeline(first: $first, after: $after) { edges { node { id } } pageInfo { hasNextPage hasPreviousPage endCursor } } } }`, Variables: variables}).Dossier.Timeline
			for _, e := range got.Edges {
				seen = append(seen, e.Node.ID)
			}
			if got.PageInfo.HasPreviousPage != (variables["after"] != nil) {
				t.Errorf("hasPreviousPage is %v", got.PageInfo.HasPreviousPage)
			}
			if !got.PageInfo.HasNextPage {
				break
			}
			variables["after"] = *got.PageInfo.EndCursor
		}
		if len(seen) != 23 {
			t.Fatalf("pages of %d: saw %d interactions", size, len(seen))
		}
		for i := 1; i < len(seen); i++ {
			if seen[i] >= seen[i-1] {
				t.Errorf("pages of %d: %s after %s", size, seen[i], seen[i-1])
			}
		}
	}
}

func TestCursorsWalkProfiles(t *testing.T) {
	s := schemaOver(t, graphqltest.Large(11, 0))
	type page struct {
		Profiles struct {
			Edges    []struct{ Node struct{ ID string } }
			PageInfo struct {
				HasNextPage bool
				EndCursor   *string
			}
		}
	}
	seen, variables := map[string]bool{}, map[string]any{}
	for {
		got := ask[page](t, s, graphql.Request{Query: `query ($after: String) { profiles(first: 4, after: $after) { edges { node { id } } pageInfo { hasNextPage endCursor } } }`, Variables: variables}).Profiles
		for _, e := range got.Edges {
			seen[e.Node.ID] = true
		}
		if !got.PageInfo.HasNextPage {
			break
		}
		variables["after"] = *got.PageInfo.EndCursor
	}
	if len(seen) != 11 {
		t.Errorf("saw %d profiles", len(seen))
	}
}

// While the timeline cannot be read, who is who is still answered.
func TestAFaultOfTheTimelineLeavesTheHeader(t *testing.T) {
	w := graphqltest.Small()
	w.Fault = func(_ context.Context, read string) error {
		if read == "Pages" || read == "Cases" {
			return errors.New("dial tcp 10.0.0.7:9000: anna.martin@example.com")
		}
		return nil
	}
	var mu sync.Mutex
	var reported []error
	s, err := graphql.New(w.Backends(), func(err error) { mu.Lock(); reported = append(reported, err); mu.Unlock() })
	if err != nil {
		t.Fatal(err)
	}
	r := s.Execute(context.Background(), callerWith("read"), graphql.Request{Query: `{ dossier(identifier: {kind: "phone", value: "+33612345678"}) { profile { known } timeline { totalCount } cases { id } satisfaction { answers } } }`})
	const want = `{"dossier":{"profile":{"known":true},"timeline":null,"cases":null,"satisfaction":{"answers":1}}}`
	if string(r.Data) != want || codeOf(t, r) != graphql.CodeInternal {
		t.Errorf("got %s, %v", r.Data, r.Errors)
	}
	for _, e := range r.Errors {
		if strings.Contains(e.Message, "dial") || strings.Contains(fmt.Sprint(e.Extensions), "anna") {
			t.Errorf("the error tells too much: %v", e)
		}
	}
	if len(reported) != 2 {
		t.Errorf("reported %v", reported)
	}
}

func TestTimeIsBounded(t *testing.T) {
	w := graphqltest.Small()
	w.Fault = func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	r := schemaOver(t, w).Execute(ctx, callerWith("read"), graphql.Request{Query: `{ metrics { events } }`})
	if got := codeOf(t, r); got != graphql.CodeTimeout || r.Data != nil {
		t.Errorf("code %q, data %s", got, r.Data)
	}
}

func TestAPanicIsAnErrorWithoutItsValue(t *testing.T) {
	w := graphqltest.Small()
	w.Fault = func(context.Context, string) error { panic("anna.martin@example.com") }
	var mu sync.Mutex
	var reported []error
	s, err := graphql.New(w.Backends(), func(err error) { mu.Lock(); reported = append(reported, err); mu.Unlock() })
	if err != nil {
		t.Fatal(err)
	}
	r := s.Execute(context.Background(), callerWith("read"), graphql.Request{Query: `{ metrics { events profiles } }`})
	if got := codeOf(t, r); got != graphql.CodeInternal || r.Data != nil {
		t.Errorf("code %q, data %s", got, r.Data)
	}
	if len(reported) == 0 || strings.Contains(fmt.Sprint(reported), "anna.martin") {
		t.Errorf("reported %v", reported)
	}
}

func TestIntrospection(t *testing.T) {
	type answer struct {
		Type struct {
			Description string
			Fields      []struct{ Name, Description string }
		} `json:"__type"`
	}
	got := ask[answer](t, schemaOver(t, graphqltest.Small()), graphql.Request{Query: `{ __type(name: "Query") { description fields { name description } } }`}).Type
	if !strings.HasPrefix(got.Description, "What can be asked.") || len(got.Fields) < 9 || got.Fields[0].Description == "" {
		t.Errorf("got %+v", got)
	}
}

// What code generators ask, which names mutationType and so is rehearsed as a mutation may be.
func TestFullIntrospection(t *testing.T) {
	const query = `query IntrospectionQuery { __schema { queryType { name } mutationType { name } subscriptionType { name } types { ...FullType } directives { name description locations args { ...InputValue } } } }
fragment FullType on __Type { kind name description fields(includeDeprecated: true) { name description args { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason } inputFields { ...InputValue } interfaces { ...TypeRef } enumValues(includeDeprecated: true) { name } possibleTypes { ...TypeRef } }
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue }
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }`
	type answer struct {
		Schema struct {
			MutationType struct{ Name string }
			Types        []struct{ Name string }
		} `json:"__schema"`
	}
	got := ask[answer](t, schemaOver(t, graphqltest.Small()), graphql.Request{Query: query}).Schema
	if got.MutationType.Name != "Mutation" || len(got.Types) < 30 {
		t.Errorf("got %+v", got)
	}
}
