package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/graphql"
)

const graphqlClients = "testdata/graphql"

// copied copies a folder of testdata, for programs that write beside what they read; the packages of graphqlClients are linked in.
func copied(t *testing.T, folder string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	packages, err := filepath.Abs(filepath.Join(graphqlClients, "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(packages, filepath.Join(to, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return to
}

// decoded reads what a client printed.
func decoded[T any](t *testing.T, text []byte) (out T) {
	t.Helper()
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return out
}

// TestGraphQLClients: the clients and code generators that applications use, unmodified, against the binary.
func TestGraphQLClients(t *testing.T) {
	besideOthers(t)
	installedIn(t, graphqlClients, "node")
	i := install(t)
	var events []json.RawMessage
	event := func(account int, n int, kind, more string) {
		events = append(events, json.RawMessage(fmt.Sprintf(`{"type":%q,"source":"crm","messageId":"%d-%d","occurredAt":"2026-01-%02dT00:00:00Z","account":{"kind":"crm_id","value":"%d"}%s}`, kind, account, n, n, account, more)))
	}
	event(7, 1, "profile.identified", `,"channel":"crm","identifiers":{"email":"ann@example.com"},"traits":{"first_name":"Ann"}`)
	event(7, 2, "message.received", `,"channel":"email","text":"Où est mon colis ?"`)
	event(7, 3, "order.placed", `,"channel":"web","entity":"o1","amount":"12.50","currency":"EUR"`)
	event(7, 4, "case.opened", `,"channel":"email","case":"k1"`)
	event(7, 5, "survey.answered", `,"channel":"survey","rating":"9"`)
	event(8, 1, "profile.identified", `,"channel":"crm","identifiers":{"email":"bob@example.com"}`)
	i.send(t, basic(i.WriteKey), events...)
	i.wait(t)
	const email = "ann@example.com"
	ann, bob := i.owner(t, "email", email), i.owner(t, "email", "bob@example.com")
	newest := []string{"survey.answered", "case.opened", "order.placed", "message.received", "profile.identified"}

	t.Run("apollo", func(t *testing.T) {
		out := decoded[struct {
			Types, Cached, Codes, Methods []string
			Batch                         []struct {
				Asked    []string
				Timeline int
			}
			Nobody    *struct{}
			Persisted bool
		}](t, runIn(t, graphqlClients, "node", "apollo.mjs", i.URL, i.APIToken, email, ann+","+bob+",persona:"+ann))
		if !slices.Equal(out.Types, newest[:4]) {
			t.Errorf("after two pages of 2 the cache has %v", out.Types)
		}
		if want := []string{"Dossier", "Interaction", "Interaction", "Interaction", "Interaction", "Persona", "Profile"}; !slices.Equal(out.Cached, want) {
			t.Errorf("cached objects %v, want %v", out.Cached, want)
		}
		asked := 0
		for _, e := range out.Batch {
			asked += len(e.Asked)
		}
		if len(out.Batch) != 2 || asked != 3 {
			t.Errorf("batch %+v", out.Batch)
		}
		if !slices.Equal(out.Codes, []string{graphql.CodeInvalid, graphql.CodeBadInput}) || out.Nobody != nil {
			t.Errorf("%+v", out)
		}
		if !out.Persisted || !slices.Equal(out.Methods, []string{"GET", "GET document", "GET"}) && !slices.Equal(out.Methods, []string{"GET", "POST document", "GET"}) {
			t.Errorf("persisted queries: %+v", out)
		}
	})
	t.Run("urql", func(t *testing.T) {
		out := decoded[struct {
			Types, Codes, Methods []string
			Total                 int
			Persisted             struct {
				Methods []string
				Total   int
			}
		}](t, runIn(t, graphqlClients, "node", "urql.mjs", i.URL, i.APIToken, email))
		if !slices.Equal(out.Types, newest) || out.Total != 5 || !slices.Equal(out.Codes, []string{graphql.CodeInvalid, graphql.CodeBadInput}) {
			t.Errorf("%+v", out)
		}
		if !slices.Equal(out.Methods, []string{"GET document", "GET document", "POST document"}) {
			t.Errorf("asked by %v", out.Methods)
		}
		if m := out.Persisted.Methods; out.Persisted.Total != 5 || len(m) != 3 || m[0] != "GET" || !strings.HasSuffix(m[1], "document") || m[2] != "GET" {
			t.Errorf("persisted queries: %+v", out.Persisted)
		}
	})
	t.Run("relay", func(t *testing.T) {
		folder := copied(t, filepath.Join(graphqlClients, "relay"))
		if err := os.WriteFile(filepath.Join(folder, "schema.graphql"), []byte(graphql.SDL()), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(folder, "__generated__"), 0o700); err != nil {
			t.Fatal(err)
		}
		runIn(t, folder, "node", "node_modules/relay-compiler/cli.js", "relay.config.json")
		type profile struct {
			ID, FirstContact string
			Known            bool
			Personas         []struct{ Source, FirstContact string }
		}
		out := decoded[struct {
			Profile, Again    profile
			First, All, Nodes []string
			HasNext           bool
			Dossier           string
			People            int
		}](t, runIn(t, folder, "node", "run.mjs", i.URL, i.APIToken, email))
		if out.Profile.ID != ann || !out.Profile.Known || out.Profile.FirstContact == "" || len(out.Profile.Personas) != 1 || fmt.Sprint(out.Again) != fmt.Sprint(out.Profile) {
			t.Errorf("%+v", out)
		}
		if !slices.Equal(out.First, newest[:2]) || !out.HasNext || !slices.Equal(out.All, newest) || out.People != 1 {
			t.Errorf("%+v", out)
		}
		if !slices.Equal(out.Nodes, []string{"Dossier", "Profile", "Persona", "Interaction"}) {
			t.Errorf("node(id:) of what was answered gives %v", out.Nodes)
		}
	})
	t.Run("codegen", func(t *testing.T) {
		folder := copied(t, filepath.Join(graphqlClients, "codegen"))
		cmd := exec.CommandContext(t.Context(), "node", "node_modules/@graphql-codegen/cli/cjs/bin.js", "--config", "codegen.mjs")
		cmd.Dir, cmd.Env = folder, append(os.Environ(), "HOST="+i.URL, "TOKEN="+i.APIToken)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("graphql-codegen: %v: %s", err, out)
		}
		runIn(t, folder, "node", "node_modules/typescript/bin/tsc", "--project", ".")
		made, err := os.ReadFile(filepath.Join(folder, "generated.ts"))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"export type WhoQuery = ", "export type JoinMutation = ", "At most 1000 ids at once"} {
			if !strings.Contains(string(made), want) {
				t.Errorf("the generated types lack %q", want)
			}
		}
	})
	t.Run("genqlient", func(t *testing.T) {
		folder := t.TempDir()
		if err := os.CopyFS(folder, os.DirFS("testdata/genqlient")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "schema.graphql"), []byte(graphql.SDL()), 0o600); err != nil {
			t.Fatal(err)
		}
		alone := []string{"GOWORK=off", "GOFLAGS=-mod=mod"}
		runWith(t, alone, folder, "go", "tool", "genqlient")
		out := decoded[struct {
			Known        bool
			Types, Asked []string
			Batch        int
			Code         string
		}](t, runWith(t, alone, folder, "go", "run", ".", i.URL, i.APIToken, email))
		if !out.Known || !slices.Equal(out.Types, newest) || out.Batch != 1 || !slices.Equal(out.Asked, []string{ann}) || out.Code != graphql.CodeBadInput {
			t.Errorf("%+v", out)
		}
	})
	t.Run("a token with a limit", func(t *testing.T) {
		made := decoded[struct {
			Secret  string
			MaxCost int
		}](t, []byte(i.must(t, "tokens", "create", "--name", "thrifty", "--actor", "bi", "--scope", "read", "--max-cost", "1200")))
		for query, code := range map[string]string{"{ profiles(first: 300) { edges { cursor } } }": "", "{ profiles(first: 500) { edges { cursor } } }": graphql.CodeTooCostly} {
			errs := i.ask(t, made.Secret, query, nil, &struct{}{})
			if (len(errs) > 0) != (code != "") || made.MaxCost != 1200 || code != "" && !strings.Contains(fmt.Sprintf("%+v", errs), "1200") {
				t.Errorf("%s: %+v", query, errs)
			}
		}
	})
}
