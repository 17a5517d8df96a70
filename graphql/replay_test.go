package graphql_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/graphql/graphqltest"
	"github.com/dossier-cdp/dossier/schema"
)

// operations notes what it is asked for.
type operations struct{ asked []string }

func (o *operations) note(format string, args ...any) {
	o.asked = append(o.asked, fmt.Sprintf(format, args...))
}

var oneShadow = graphql.Shadow{Name: "next", State: "replaying", Actor: "tom", Created: "2026-03-01T00:00:00Z", Hash: "abc", Own: true, Types: []string{"order.placed"}, Done: 5, Total: 10, Rate: 2, ETA: 2.5}

func (o *operations) Shadows(context.Context, graphql.Caller) ([]graphql.Shadow, error) {
	return []graphql.Shadow{oneShadow}, nil
}

func (o *operations) Shadow(_ context.Context, _ graphql.Caller, name string) (*graphql.Shadow, error) {
	if name != "next" {
		return nil, nil
	}
	return &oneShadow, nil
}

func (o *operations) Diff(_ context.Context, _ graphql.Caller, name string, samples int, figures bool) (json.RawMessage, error) {
	o.note("diff %s %d %v", name, samples, figures)
	return json.RawMessage(`{"people":{"merged":2}}`), nil
}

func (o *operations) Start(_ context.Context, c graphql.Caller, s graphql.ShadowStart) (*graphql.Shadow, error) {
	if s.Name == "Bad" {
		return nil, schema.Refuse("shadow_name", "a shadow's name is made of small letters", "choose another one")
	}
	o.note("%s starts %s %s %s %v %s", c.Actor, s.Name, s.Configuration, s.From, s.Types, s.Key)
	return &oneShadow, nil
}

func (o *operations) Pause(_ context.Context, _ graphql.Caller, name string, paused bool) (*graphql.Shadow, error) {
	o.note("pause %s %v", name, paused)
	return &oneShadow, nil
}

func (o *operations) Promote(_ context.Context, c graphql.Caller, name, reason string) (*graphql.Promotion, error) {
	o.note("%s promotes %s: %s", c.Actor, name, reason)
	return &graphql.Promotion{Shadow: name, Position: 7, At: "2026-03-01T00:00:00Z", Hash: "abc", Undoable: true}, nil
}

func (o *operations) Undo(_ context.Context, _ graphql.Caller, reason string) (*graphql.Promotion, error) {
	o.note("undo: %s", reason)
	return &graphql.Promotion{Position: 8}, nil
}

func (o *operations) Discard(_ context.Context, _ graphql.Caller, name string) error {
	o.note("discard %s", name)
	return nil
}

// refused is a letter of somebody.
type refused struct{ *operations }

func (r refused) letter() graphql.Letter {
	return graphql.Letter{
		ID: "L-1", Code: "email_invalid", Reason: "anna@@example.com is no e-mail address", Hint: "send another", Source: "crm", Endpoint: "/v1/batch", ReceivedAt: "2026-03-01T00:00:00Z", State: "open",
		Payload: json.RawMessage(`{"email":"anna@@example.com"}`),
		History: []graphql.LetterResolution{{Action: "repaired", Actor: "tom", At: "2026-03-02T00:00:00Z", Code: "email_invalid", Payload: json.RawMessage(`{"email":"anna@example.com@"}`)}},
	}
}

func (r refused) List(_ context.Context, _ graphql.Caller, f graphql.LetterFilter) ([]graphql.Letter, error) {
	r.note("list %s %s %v %d", f.Code, f.Since, f.All, f.Limit)
	return []graphql.Letter{r.letter()}, nil
}

func (r refused) Show(_ context.Context, _ graphql.Caller, id string) (*graphql.Letter, error) {
	if id != "L-1" {
		return nil, nil
	}
	l := r.letter()
	return &l, nil
}

func (r refused) Stats(context.Context, graphql.Caller, graphql.LetterFilter) ([]graphql.LetterStat, error) {
	return []graphql.LetterStat{{Code: "email_invalid", Source: "crm", Endpoint: "/v1/batch", Letters: 2, Open: 1}}, nil
}

func (r refused) Resolve(_ context.Context, c graphql.Caller, d graphql.LetterDecision) ([]graphql.LetterOutcome, error) {
	var edits []string
	for _, e := range d.Edits {
		edits = append(edits, fmt.Sprintf("%s %s %s", e.Op, e.Path, e.Value))
	}
	r.note("%s resolves %v %v %v %s %v %v", c.Actor, d.IDs, d.Filter != nil, d.Drop, d.Payload, edits, d.DryRun)
	return []graphql.LetterOutcome{{Letter: "L-1", Action: "repaired", Events: []string{"e-1"}}}, nil
}

// TestOperations: what data engineers do by GraphQL reaches the backends as it was asked, with the scopes that each needs, and no payload is shown without unmask.
func TestOperations(t *testing.T) {
	o := &operations{}
	backends := graphqltest.Small().Backends()
	backends.Replays, backends.Letters = o, refused{o}
	s, err := graphql.New(backends, func(err error) { t.Errorf("reported: %v", err) })
	if err != nil {
		t.Fatal(err)
	}
	const letters = `{ deadLetters(filter: {code: "email_invalid", since: "2026-01-01T00:00:00Z", all: true}, first: 5) { id code reason payload raw history { action payload } }
  deadLetter(id: "L-1") { reason payload history { action actor code payload } } none: deadLetter(id: "L-2") { id } deadLetterStats { code source mapping letters open } }`
	all := []string{"read", "unmask", "admin"}
	for _, c := range []struct {
		scopes             []string
		query, want, asked string
		fault              string
	}{
		{all, `{ shadows { name state own types done rate eta reason from } shadow(name: "x") { name } }`,
			`{"shadows":[{"name":"next","state":"replaying","own":true,"types":["order.placed"],"done":5,"rate":2,"eta":2.5,"reason":null,"from":null}],"shadow":null}`, "", ""},
		{[]string{"read", "unmask"}, `{ shadows { name } }`, "", "", graphql.CodeForbidden},
		{all, `{ shadowDiff(name: "next", samples: 3) }`, `{"shadowDiff":{"people":{"merged":2}}}`, "diff next 3 false", ""},
		{all, `{ shadowDiff(name: "next", samples: 3000) }`, "", "", graphql.CodeBadInput},
		{all, `mutation { startReplay(name: "next", configuration: {identity: {model: "fr"}}, from: "2026-01-01T00:00:00Z", types: ["order.placed"], reason: "try", idempotencyKey: "k") { name } }`,
			`{"startReplay":{"name":"next"}}`, `test starts next {"identity":{"model":"fr"}} 2026-01-01T00:00:00Z [order.placed] k`, ""},
		{all, `mutation { startReplay(name: "Bad", reason: "try", idempotencyKey: "k") { name } }`, "", "", graphql.CodeBadInput},
		{all, `mutation { startReplay(name: "next", reason: " ", idempotencyKey: "k") { name } }`, "", "", graphql.CodeBadInput},
		{all, `mutation { pauseReplay(name: "next") { name } }`, `{"pauseReplay":{"name":"next"}}`, "pause next true", ""},
		{all, `mutation { resumeReplay(name: "next") { name } }`, `{"resumeReplay":{"name":"next"}}`, "pause next false", ""},
		{all, `mutation { promoteReplay(name: "next", reason: "better") { shadow position undoable configuration } }`,
			`{"promoteReplay":{"shadow":"next","position":7,"undoable":true,"configuration":"abc"}}`, "test promotes next: better", ""},
		{all, `mutation { undoPromotion(reason: "worse") { shadow position } }`, `{"undoPromotion":{"shadow":null,"position":8}}`, "undo: worse", ""},
		{all, `mutation { discardReplay(name: "next") }`, `{"discardReplay":"next"}`, "discard next", ""},
		{[]string{"read"}, `mutation { promoteReplay(name: "next", reason: "better") { shadow } }`, "", "", graphql.CodeForbidden},
		{all, letters, `{"deadLetters":[{"id":"L-1","code":"email_invalid","reason":"anna@@example.com is no e-mail address","payload":{"email":"anna@@example.com"},"raw":null,"history":[{"action":"repaired","payload":{"email":"anna@example.com@"}}]}],` +
			`"deadLetter":{"reason":"anna@@example.com is no e-mail address","payload":{"email":"anna@@example.com"},"history":[{"action":"repaired","actor":"tom","code":"email_invalid","payload":{"email":"anna@example.com@"}}]},"none":null,` +
			`"deadLetterStats":[{"code":"email_invalid","source":"crm","mapping":null,"letters":2,"open":1}]}`, "list email_invalid 2026-01-01T00:00:00Z true 5", ""},
		{all, `mutation { resolveDeadLetters(ids: ["L-1"], edits: [{op: "set", path: "email", value: "a@b.fr"}], reason: "typing", dryRun: true) { letter action events code } }`,
			`{"resolveDeadLetters":[{"letter":"L-1","action":"repaired","events":["e-1"],"code":null}]}`, `test resolves [L-1] false false  [set email "a@b.fr"] true`, ""},
		{all, `mutation { resolveDeadLetters(ids: ["L-1"], payload: {email: "a@b.fr"}, reason: "typing") { letter } }`, `{"resolveDeadLetters":[{"letter":"L-1"}]}`,
			`test resolves [L-1] false false {"email":"a@b.fr"} [] false`, ""},
		{all, `mutation { resolveDeadLetters(filter: {code: "email_invalid"}, drop: true, reason: "spam") { letter } }`, `{"resolveDeadLetters":[{"letter":"L-1"}]}`, `test resolves [] true true  [] false`, ""},
		{all, `mutation { resolveDeadLetters(reason: "which?") { letter } }`, "", "", graphql.CodeBadInput},
		{all, `mutation { resolveDeadLetters(ids: ["L-1"], drop: true, payload: {}, reason: "both") { letter } }`, "", "", graphql.CodeBadInput},
		{[]string{"read", "admin"}, `mutation { resolveDeadLetters(ids: ["L-1"], reason: "blind") { letter } }`, "", "", graphql.CodeForbidden},
	} {
		o.asked = nil
		caller := callerWith(c.scopes...)
		caller.Actor = "test"
		r := s.Execute(context.Background(), caller, graphql.Request{Query: c.query})
		switch {
		case c.fault != "":
			if len(r.Errors) == 0 || r.Errors[0].Extensions["code"] != c.fault || len(o.asked) > 0 {
				t.Errorf("%s with %v: %v %s, and %q was asked", c.query, c.scopes, r.Errors, r.Data, o.asked)
			}
		case len(r.Errors) > 0 || string(r.Data) != c.want || strings.Join(o.asked, "; ") != c.asked:
			t.Errorf("%s: %v\n%s\n%q\nwant\n%s\n%q", c.query, r.Errors, r.Data, o.asked, c.want, c.asked)
		}
	}
	for _, scopes := range [][]string{{"read"}, {"read", "admin"}} {
		if r := s.Execute(context.Background(), callerWith(scopes...), graphql.Request{Query: letters}); len(r.Errors) > 0 || strings.Contains(string(r.Data), "anna") {
			t.Errorf("%v: %v %s", scopes, r.Errors, r.Data)
		}
	}
}
