package graphql_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/graphql/graphqltest"
	"github.com/dossier-cdp/dossier/schema"
)

// The model, by hand: 1 a field, 1 a row, 100 a read of identity, 1,000 a query of the engine.
func TestWhatAQueryMayCost(t *testing.T) {
	const person = `profile(id: "70000000-0000-8000-8000-000000000001") `
	for _, c := range []struct {
		query     string
		variables map[string]any
		want      int
	}{
		{"{ __typename }", nil, 1},
		{"{ " + person + "{ id known } }", nil, 1 + 1 + 100 + 2},
		{"{ " + person + "{ id ...f } } fragment f on Profile { known ... on Profile { quarantined } }", nil, 102 + 3},
		{"{ " + person + "{ id known @skip(if: true) quarantined @include(if: false) } }", nil, 102 + 1},
		{"query ($no: Boolean!) { " + person + "{ id known @include(if: $no) ... @skip(if: $no) { quarantined } } }", map[string]any{"no": false}, 102 + 2},
		{"{ " + person + "{ dossier { goldenRecord { name value } } } }", nil, 102 + 2 + 10*2},
		{"{ " + person + "{ dossier { timeline(first: 30) { edges { node { id } cursor } } } } }", nil, 102 + 1 + (1 + 30 + 1000) + 1 + 30*3},
		{"{ " + person + "{ dossier { timeline { totalCount } } } }", nil, 102 + 1 + (1 + 50 + 1000) + (1 + 1000)},
		{"query ($n: Int) { " + person + "{ dossier { timeline(first: $n) { edges { cursor } } } } }", map[string]any{"n": float64(7)}, 102 + 1 + 1008 + 1 + 7},
		{"query ($n: Int = 9) { " + person + "{ dossier { timeline(first: $n) { edges { cursor } } } } }", nil, 102 + 1 + 1010 + 1 + 9},
		{"{ " + person + "{ dossier { cases { id } satisfaction { answers } value { orders } } } }", nil, 102 + 1 + (2002 + 3) + 1003 + 1003},
		{"{ profiles(first: 20) { edges { node { id dossier { satisfaction { answers } } } } } }", nil, (1 + 20 + 200) + 1 + 20*3 + (20 + 20 + 1000) + 20},
		{"query ($ids: [ID!]) { profiles(ids: $ids) { edges { cursor } } }", map[string]any{"ids": []any{"70000000-0000-8000-8000-000000000001", "70000000-0000-8000-8000-000000000002", "70000000-0000-8000-8000-000000000003"}}, (1 + 3 + 200) + 1 + 3},
		{"query ($ids: [ID!]) { profiles(ids: $ids, first: 2) { edges { cursor } } }", map[string]any{"ids": []any{"70000000-0000-8000-8000-000000000001", "70000000-0000-8000-8000-000000000002", "70000000-0000-8000-8000-000000000003"}}, (1 + 2 + 200) + 1 + 2},
		{`{ node(id: "70000000-0000-8000-8000-000000000001") { id ... on Profile { known } } }`, nil, 1 + 1 + 100 + 1000 + 2},
		{"query A { __typename } query B { a: __typename b: __typename }", nil, 2},
	} {
		r := schemaOver(t, graphqltest.Small()).Execute(context.Background(), callerWith("read"), graphql.Request{Query: c.query, Variables: c.variables, OperationName: map[bool]string{true: "B"}[strings.Contains(c.query, "query B")]})
		if len(r.Errors) > 0 {
			t.Fatalf("%s: %v", c.query, r.Errors[0])
		}
		if r.Cost == nil || r.Cost.Estimate != c.want || r.Cost.Limit != graphql.DefaultMaxCost {
			t.Errorf("%s\ncosts %+v, want %d", c.query, r.Cost, c.want)
		}
	}
}

// What was found before a query ran is no less than what it then did, where lists are as long as assumed or shorter.
func TestTheEstimateIsAnUpperBound(t *testing.T) {
	w := graphqltest.Large(40, 60)
	for _, query := range []string{
		full, header,
		`query ($identifier: IdentifierInput!) { dossiers(identifier: $identifier) { id personas { id } timeline(first: 5) { edges { node { id } } totalCount } } }`,
		`query ($identifier: IdentifierInput!) { a: dossier(identifier: $identifier) { ...d } b: dossier(identifier: $identifier) { ...d } profiles(first: 30) { edges { node { dossier { ...d } } } } } fragment d on Dossier { timeline(first: 3) { edges { node { text } } } cases { id } value { orders } }`,
	} {
		r := schemaOver(t, w).Execute(context.Background(), callerWith("read"), graphql.Request{Query: query, Variables: map[string]any{"identifier": map[string]any{"kind": "email", "value": "person.7@example.com"}}})
		if len(r.Errors) > 0 {
			t.Fatal(r.Errors[0])
		}
		if r.Cost.Actual > r.Cost.Estimate || r.Cost.Actual < r.Cost.Estimate/20 {
			t.Errorf("%s: %+v", query, r.Cost)
		}
	}
}

func TestTooCostly(t *testing.T) {
	w := graphqltest.Large(60, 5)
	s := schemaOver(t, w)
	const query = `{ profiles(first: 500) { edges { node { dossier { timeline(first: 90) { edges { node { id type channel actor source occurredAt name text entity conversation case } } } } } } } }`
	r := s.Execute(context.Background(), callerWith("read"), graphql.Request{Query: query})
	if codeOf(t, r) != graphql.CodeTooCostly || r.Data != nil || len(w.Reads()) > 0 {
		t.Fatalf("%+v", r)
	}
	if r.Cost == nil || r.Cost.Estimate <= r.Cost.Limit || r.Cost.Actual > 1 || !strings.Contains(r.Errors[0].Message, fmt.Sprint(graphql.DefaultMaxCost)) {
		t.Errorf("%+v %s", r.Cost, r.Errors[0].Message)
	}
	// The limit is the caller's own, where there is one.
	caller := callerWith("read")
	small := graphql.Request{Query: "{ profiles(first: 20) { edges { cursor } } }"}
	for limit, code := range map[int]string{241: graphql.CodeTooCostly, 242: ""} {
		caller.MaxCost = limit
		if r := s.Execute(context.Background(), caller, small); codeOf(t, r) != code || r.Cost.Limit != limit {
			t.Errorf("limit %d: %q, %+v", limit, codeOf(t, r), r.Cost)
		}
	}
	// 2^20 spreads are not walked to the end.
	caller.MaxCost = 1 << 40
	if r := s.Execute(context.Background(), caller, graphql.Request{Query: doubling(20)}); codeOf(t, r) != graphql.CodeTooLarge {
		t.Errorf("%v", r.Errors)
	}
}

func TestCostIsPartOfTheAnswer(t *testing.T) {
	r := schemaOver(t, graphqltest.Small()).Execute(context.Background(), callerWith("read"), graphql.Request{Query: "{ metrics { mapBehind } }"})
	text, err := r.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"data":{"metrics":{"mapBehind":3}},"extensions":{"cost":{"estimate":2,"actual":2,"limit":500000}}}`; string(text) != want {
		t.Errorf("got %s, want %s", text, want)
	}
}

// Every field of the SDL that is a list of objects says how long it is assumed to be.
func TestEveryListHasASize(t *testing.T) {
	if missing := schemaOver(t, graphqltest.Small()).ListsWithoutSize(); len(missing) > 0 {
		t.Errorf("lists without a weight: %v", missing)
	}
}

// The same dossier under forty aliases, and by several ways, is read once.
func TestAliasesShareReads(t *testing.T) {
	const all = ` { profile { id } timeline(first: 10) { totalCount edges { node { text } } } cases { id } satisfaction { answers } value { orders } }`
	var b strings.Builder
	b.WriteString("{")
	for n := range 40 {
		fmt.Fprintf(&b, ` a%d: dossier(identifier: {kind: "email", value: "person.7@example.com"})%s`, n, all)
	}
	fmt.Fprintf(&b, ` b: dossiers(identifier: {kind: "email", value: "person.7@example.com"})%s`, all)
	fmt.Fprintf(&b, ` c: dossier(identifier: {kind: "id", value: "%s"})%s`, schema.ProfileID(graphqltest.ID('p', 15)), all)
	b.WriteString(" d: metrics { events profiles personas } e: metrics { events profiles } }")
	w := graphqltest.Large(80, 12)
	s := schemaOver(t, w)
	for range 3 {
		r := s.Execute(context.Background(), callerWith("read"), graphql.Request{Query: b.String()})
		if len(r.Errors) > 0 {
			t.Fatal(r.Errors[0])
		}
		want := map[string]int{"Owners": 1, "People": 1, "Pages": 1, "Cases": 1, "Satisfaction": 1, "Value": 1, "Profiles.Count": 1, "Timeline.Count": 1}
		if got := w.Reads(); !reflect.DeepEqual(got, want) {
			t.Errorf("reads %v, want %v", got, want)
		}
		var answer map[string]json.RawMessage
		if err := json.Unmarshal(r.Data, &answer); err != nil {
			t.Fatal(err)
		}
		for n := range 40 {
			if string(answer[fmt.Sprint("a", n)]) != string(answer["a0"]) || len(answer["a0"]) < 200 {
				t.Fatalf("a%d is %s", n, answer[fmt.Sprint("a", n)])
			}
		}
	}
}

// A thousand dossiers by id are one read of identity and one query for each question.
func TestBatchOfDossiers(t *testing.T) {
	const people = 1000
	w := graphqltest.Large(people, 3)
	s := schemaOver(t, w)
	ids := make([]any, 0, people)
	for _, p := range w.People {
		ids = append(ids, p.Personas[1].ID.String()) // an id of before: each resolves to the profile that holds it now
	}
	type batch struct {
		Profiles struct {
			Edges []struct {
				Asked []string
				Node  struct {
					ID      string
					Dossier struct {
						Timeline struct {
							TotalCount int
							Edges      []struct{ Node struct{ ID string } }
						}
						Value struct{ Orders int }
					}
				}
			}
			PageInfo struct{ HasNextPage bool }
		}
	}
	request := graphql.Request{
		Query:     `query ($ids: [ID!]!) { profiles(ids: $ids) { pageInfo { hasNextPage } edges { asked node { id dossier { timeline(first: 2) { totalCount edges { node { id } } } value { orders } } } } } }`,
		Variables: map[string]any{"ids": ids},
	}
	got := ask[batch](t, s, request).Profiles
	if reads := w.Reads(); !reflect.DeepEqual(reads, map[string]int{"People": 1, "Pages": 1, "Value": 1}) {
		t.Errorf("reads %v", reads)
	}
	if len(got.Edges) != people || got.PageInfo.HasNextPage {
		t.Fatalf("%d profiles", len(got.Edges))
	}
	for i, e := range got.Edges {
		if e.Node.ID != w.People[i].ID.String() || len(e.Asked) != 1 || e.Asked[0] != w.People[i].Personas[1].ID.String() || len(e.Node.Dossier.Timeline.Edges) != 2 || e.Node.Dossier.Timeline.TotalCount != 3 {
			t.Fatalf("profile %d: %+v", i, e)
		}
	}
	// Ids that name one profile, twice, and nobody.
	request.Variables["ids"] = []any{ids[4], w.People[4].ID.String(), ids[4], "70000000-0000-8000-8000-00000000ffff", ids[2]}
	got = ask[batch](t, s, request).Profiles
	if len(got.Edges) != 2 || len(got.Edges[0].Asked) != 1 || !reflect.DeepEqual(got.Edges[1].Asked, []string{ids[4].(string), w.People[4].ID.String()}) {
		t.Errorf("%+v", got.Edges)
	}
}
