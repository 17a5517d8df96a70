package manage

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/access"
	"github.com/dossier-cdp/dossier/services/internal/control"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// topic is the control topic in memory.
type topic struct {
	mu      sync.Mutex
	records []eventlog.Record
	more    chan struct{} // closed and replaced at every write
}

func (l *topic) Ends(context.Context) ([]int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return []int64{int64(len(l.records))}, nil
}

func (l *topic) Read(ctx context.Context, _ int32, offset int64, wait time.Duration) (eventlog.Batch, error) {
	l.mu.Lock()
	more := l.more
	records := l.records[offset:]
	l.mu.Unlock()
	if len(records) == 0 {
		select {
		case <-ctx.Done():
			return eventlog.Batch{}, ctx.Err()
		case <-more:
		case <-time.After(wait):
		}
		return eventlog.Batch{From: offset, Next: offset}, nil
	}
	return eventlog.Batch{From: offset, Next: offset + int64(len(records)), Records: records}, nil
}

func (l *topic) Produce(_ context.Context, _ string, _ int32, messages []kafka.Message, at time.Time) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	base := int64(len(l.records))
	for i, m := range messages {
		l.records = append(l.records, eventlog.Record{
			Position: schema.Position{Offset: base + int64(i)}, RecordedAt: schema.InstantOf(at), Key: m.Key, Value: m.Value,
		})
	}
	close(l.more)
	l.more = make(chan struct{})
	return base, nil
}

type letters map[string]DeadLetter

func (l letters) List(_ context.Context, _ string, f LetterFilter) (out []DeadLetter, err error) {
	for _, letter := range l {
		if len(out) < cmp.Or(f.Limit, 100) {
			out = append(out, letter)
		}
	}
	return out, nil
}

func (l letters) Stats(context.Context, string, LetterFilter) ([]LetterStat, error) {
	return []LetterStat{{Code: "type_unknown", Letters: len(l), Open: len(l)}}, nil
}

func (l letters) Resolve(_ context.Context, _, actor string, r ResolveLetters) (out []LetterOutcome, err error) {
	for _, id := range r.IDs {
		out = append(out, LetterOutcome{Letter: id, Action: "replayed by " + actor})
	}
	return out, nil
}

func (l letters) Show(_ context.Context, _, id string) (DeadLetter, bool, error) {
	letter, found := l[id]
	return letter, found, nil
}

// installation serves the management paths over a control topic in memory, with one token for each set of scopes.
type installation struct {
	*topic
	control *control.Control
	handler http.Handler
}

func install(t *testing.T) *installation {
	t.Helper()
	i := &installation{topic: &topic{more: make(chan struct{})}}
	logger := slog.New(slog.DiscardHandler)
	var err error
	if i.control, err = control.Open(t.Context(), i.topic, i.topic, logger, time.Now); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- i.control.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	err = i.control.Append(t.Context(), &schema.Control{ID: "w", Kind: schema.ControlWorkspaceCreated, Workspace: "main"}, &schema.Control{ID: "o", Kind: schema.ControlWorkspaceCreated, Workspace: "other"})
	if err != nil {
		t.Fatal(err)
	}
	i.handler = Handler(Config{
		Control: i.control,
		Exports: map[string]Export{
			"events": func(_ context.Context, workspace string, w io.Writer, o ExportOptions) error {
				_, err := fmt.Fprintf(w, "{\"workspace\":%q}\n{\"clocks\":%v,\"at\":%d}\n", workspace, o.Clocks, o.At)
				return err
			},
			"torn": func(_ context.Context, _ string, w io.Writer, _ ExportOptions) error {
				if _, err := io.WriteString(w, "{}\n"); err != nil {
					return err
				}
				return errors.New("the engine is gone")
			},
		},
		DeadLetters: letters{"l1": {ID: "l1", Code: "no_identity", Payload: json.RawMessage(`{"a":1}`)}},
		Wait:        func(context.Context) error { return nil },
		Doctor: func(context.Context) []Check {
			return []Check{{Name: "log", OK: false, Detail: "is gone", Hint: "start it"}}
		},
		CheckConfiguration: func(document []byte) (string, []byte, error) {
			if strings.Contains(string(document), "bad") {
				return "", nil, schema.Refuse("configuration_invalid", "sources: there is no channel bad", "choose one of the channels")
			}
			return "hash of " + string(document), document, nil
		},
		DefaultConfiguration: []byte(`{"default":true}`),
		Backup:               source{}, RingCopies: copies{},
	})
	return i
}

// token makes a token with scopes in a workspace and gives its secret.
func (i *installation) token(t *testing.T, workspace string, scopes ...string) string {
	t.Helper()
	secret := NewSecret("dt_")
	err := i.control.Append(t.Context(), &schema.Control{ID: secret, Kind: schema.ControlTokenCreated, Workspace: workspace, Token: &schema.ControlAccess{
		ID: "id of " + secret, Name: "test", Hash: control.HashSecret(secret), Actor: "ann", Scopes: scopes}})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// call gives the status, the body, and the code if the body is an error.
func (i *installation) call(t *testing.T, method, path, token, body string) (status int, answer, code string) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	i.handler.ServeHTTP(w, r)
	var refused struct {
		Error struct{ Code, Message string } `json:"error"`
	}
	if w.Code >= 400 {
		if err := json.Unmarshal(w.Body.Bytes(), &refused); err != nil || refused.Error.Code == "" || refused.Error.Message == "" {
			t.Errorf("%s %s: %d with %q, want an error with code and message", method, path, w.Code, w.Body)
		}
	}
	return w.Code, w.Body.String(), refused.Error.Code
}

// TestScopes: each path is for tokens with its scopes alone, and for no write key.
func TestScopes(t *testing.T) {
	i := install(t)
	everything := i.token(t, "main", access.Scopes()...)
	for _, c := range []struct {
		method, path string
		scopes       []string
	}{
		{"GET", "/v1/export/events", []string{"read", "unmask"}}, {"GET", "/v1/digest", []string{"read"}}, {"POST", "/v1/wait", []string{"read"}},
		{"GET", "/v1/deadletters", []string{"read", "unmask"}}, {"GET", "/v1/deadletters/l1", []string{"read", "unmask"}}, {"GET", "/v1/doctor", []string{"admin"}},
		{"GET", "/v1/workspaces", []string{"admin"}}, {"GET", "/v1/keys", []string{"admin"}}, {"POST", "/v1/keys", []string{"admin"}}, {"DELETE", "/v1/keys/x", []string{"admin"}},
		{"GET", "/v1/tokens", []string{"admin"}}, {"POST", "/v1/tokens", []string{"admin"}}, {"DELETE", "/v1/tokens/x", []string{"admin"}},
		{"GET", "/v1/configuration", []string{"read"}}, {"PUT", "/v1/configuration", []string{"admin"}}, {"GET", "/v1/configuration/log", []string{"read"}},
		{"GET", "/v1/backup", []string{"admin"}}, {"GET", aSegment, []string{"admin"}}, {"GET", "/v1/backup/ranges/events/0/0/0/1", []string{"admin"}},
		{"GET", "/v1/ring/copies", []string{"admin"}}, {"POST", "/v1/ring/copies/x", []string{"admin", "privacy"}}, {"DELETE", "/v1/ring/copies/x", []string{"admin", "privacy"}},
	} {
		name := c.method + " " + c.path
		if status, _, code := i.call(t, c.method, c.path, "", "{}"); status != 401 || code != "token_missing" {
			t.Errorf("%s without a token: %d %s", name, status, code)
		}
		if status, _, code := i.call(t, c.method, c.path, "dk_server_0", "{}"); status != 401 || code != "token_unknown" {
			t.Errorf("%s with a token that is none: %d %s", name, status, code)
		}
		for _, scope := range access.Scopes() {
			if len(c.scopes) == 1 && c.scopes[0] == scope {
				continue
			}
			if status, _, code := i.call(t, c.method, c.path, i.token(t, "main", scope), "{}"); status != 403 || code != "scope_missing" {
				t.Errorf("%s with scope %s alone: %d %s", name, scope, status, code)
			}
		}
		enough := i.token(t, "main", c.scopes...)
		if status, _, code := i.call(t, c.method, c.path, enough, "{}"); status == 401 || status == 403 {
			t.Errorf("%s with scopes %v: %d %s", name, c.scopes, status, code)
		}
		if status, _, code := i.call(t, c.method, c.path, everything, "{}"); status == 401 || status == 403 {
			t.Errorf("%s with every scope: %d %s", name, status, code)
		}
	}
}

func TestKeysAndTokens(t *testing.T) {
	i := install(t)
	admin, stranger := i.token(t, "main", "admin"), i.token(t, "other", "admin")
	for _, c := range []struct {
		path, body, code string
	}{
		{"/v1/keys", `{"source":"shop","trust":"friend"}`, "trust_invalid"}, {"/v1/keys", `{"trust":"server"}`, "source_missing"},
		{"/v1/keys", `{"source":"My Shop","trust":"server"}`, "source_invalid"}, {"/v1/keys", `{"source":`, "body_invalid"}, {"/v1/keys", `{"sauce":"shop"}`, "body_invalid"},
		{"/v1/tokens", `{"name":"crm","actor":"crm@example.com"}`, "scopes_missing"}, {"/v1/tokens", `{"name":"crm","actor":"x","scopes":["everything"]}`, "scope_unknown"},
		{"/v1/tokens", `{"name":"crm","scopes":["read"]}`, "actor_missing"}, {"/v1/tokens", `{"name":"crm","actor":"x","scopes":["read"],"maxCost":-1}`, "cost_invalid"},
	} {
		before := len(i.records)
		if status, _, code := i.call(t, "POST", c.path, admin, c.body); status != 400 || code != c.code || len(i.records) != before {
			t.Errorf("%s %s: %d %s, %d records written, want %s", c.path, c.body, status, code, len(i.records)-before, c.code)
		}
	}

	for _, c := range []struct{ path, body, prefix string }{
		{"/v1/keys", `{"name":"site","source":"shop","trust":"client"}`, "dk_client_"}, {"/v1/keys", `{"source":"shop","trust":"server"}`, "dk_server_"},
		{"/v1/tokens", `{"name":"crm","actor":"crm@example.com","scopes":["read","unmask"]}`, "dt_"},
	} {
		_, answer, code := i.call(t, "POST", c.path, admin, c.body)
		var line struct{ ID, Secret string }
		if err := json.Unmarshal([]byte(answer), &line); err != nil || !strings.HasPrefix(line.Secret, c.prefix) || len(line.Secret) != len(c.prefix)+64 {
			t.Fatalf("%s %s: %s %s", c.path, c.body, code, answer)
		}
		works := func() bool {
			_, key := i.control.WriteKey(line.Secret)
			_, token := i.control.Token(line.Secret)
			return key || token
		}
		if !works() {
			t.Errorf("%s: the secret is not known", c.path)
		}
		for _, r := range i.records {
			if strings.Contains(string(r.Value), line.Secret) {
				t.Errorf("%s: the secret is in the topic", c.path)
			}
		}
		if _, all, _ := i.call(t, "GET", c.path, admin, ""); !strings.Contains(all, line.ID) || strings.Contains(all, "secret") {
			t.Errorf("%s lists %s, want %s without a secret", c.path, all, line.ID)
		}
		if _, all, _ := i.call(t, "GET", c.path, stranger, ""); strings.Contains(all, line.ID) {
			t.Errorf("%s is listed in another workspace", c.path)
		}
		if status, _, _ := i.call(t, "DELETE", c.path+"/"+line.ID, stranger, ""); status != 404 || !works() {
			t.Errorf("%s revoked from another workspace: %d", c.path, status)
		}
		if status, answer, _ := i.call(t, "DELETE", c.path+"/"+line.ID, admin, ""); status != 200 || !strings.Contains(answer, line.ID) || works() {
			t.Errorf("%s revoked: %d %s, still good %v", c.path, status, answer, works())
		}
		if status, _, code := i.call(t, "DELETE", c.path+"/"+line.ID, admin, ""); status != 404 || !strings.HasSuffix(code, "_unknown") {
			t.Errorf("%s revoked twice: %d %s", c.path, status, code)
		}
	}
	if _, names, _ := i.call(t, "GET", "/v1/workspaces", admin, ""); strings.TrimSpace(names) != `["main","other"]` {
		t.Errorf("workspaces %s", names)
	}
}

func TestConfiguration(t *testing.T) {
	i := install(t)
	admin := i.token(t, "main", "read", "admin")
	show := func() string {
		_, text, _ := i.call(t, "GET", "/v1/configuration", admin, "")
		return strings.TrimSpace(text)
	}
	if got := show(); got != `{"hash":"","document":{"default":true}}` {
		t.Errorf("before the first change: %s", got)
	}
	for _, c := range []struct {
		name, body   string
		status       int
		code, inside string
	}{
		{"bad", `{"document":{"a":"bad"}}`, 400, "configuration_invalid", ""},
		{"first", `{"document":{"a":1},"reason":"why"}`, 200, "", `hash of {\"a\":1}`},
		{"stale", `{"document":{"a":2},"base":"another"}`, 409, "conflict", ""},
		{"the same again, on whatever base", `{"document":{"a":1},"base":"another"}`, 200, "", `hash of {\"a\":1}`},
		{"second", `{"document":{"a":2},"base":"hash of {\"a\":1}"}`, 200, "", `hash of {\"a\":2}`},
	} {
		if status, answer, code := i.call(t, "PUT", "/v1/configuration", admin, c.body); status != c.status || code != c.code || !strings.Contains(answer, c.inside) {
			t.Errorf("%s: %d %s %s", c.name, status, code, answer)
		}
	}
	if got := show(); !strings.Contains(got, `"document":{"a":2}`) {
		t.Errorf("in force: %s", got)
	}
	var changes []ConfigurationChange
	_, text, _ := i.call(t, "GET", "/v1/configuration/log", admin, "")
	if err := json.Unmarshal([]byte(text), &changes); err != nil || len(changes) != 2 || changes[0].Reason != "why" || changes[0].Actor != "ann" || changes[1].Base != changes[0].Hash {
		t.Errorf("history %s", text)
	}
}

func TestExports(t *testing.T) {
	i := install(t)
	reader := i.token(t, "main", "read", "unmask")
	for path, want := range map[string]string{
		"/v1/export/events":                         "{\"workspace\":\"main\"}\n{\"clocks\":false,\"at\":0}\n",
		"/v1/export/events?clocks=1":                "{\"workspace\":\"main\"}\n{\"clocks\":true,\"at\":0}\n",
		"/v1/export/events?at=1970-01-01T00:00:01Z": "{\"workspace\":\"main\"}\n{\"clocks\":false,\"at\":1000000}\n",
	} {
		if status, answer, code := i.call(t, "GET", path, reader, ""); status != 200 || answer != want {
			t.Errorf("%s: %d %s %q", path, status, code, answer)
		}
	}
	for path, want := range map[string]string{"/v1/export/secrets": "export_unknown", "/v1/export/events?at=yesterday": "at_invalid"} {
		if _, _, code := i.call(t, "GET", path, reader, ""); code != want {
			t.Errorf("%s: %s, want %s", path, code, want)
		}
	}

	// What breaks off after its first bytes says so in a trailer.
	server := httptest.NewServer(i.handler)
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/export/torn", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+reader)
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
	if got := response.Trailer.Get("Dossier-Error"); got != "the engine is gone" {
		t.Errorf("the trailer of a cut export is %q", got)
	}

	// A digest of half an export would be believed.
	if status, _, code := i.call(t, "GET", "/v1/digest", reader, ""); status != 500 || code != "internal" {
		t.Errorf("digest: %d %s", status, code)
	}
}

func TestDeadLettersAndDoctor(t *testing.T) {
	i := install(t)
	token := i.token(t, "main", "read", "unmask", "admin")
	for _, c := range []struct {
		path   string
		status int
		inside string
	}{
		{"/v1/deadletters", 200, `"id":"l1"`}, {"/v1/deadletters?limit=0", 400, "limit_invalid"}, {"/v1/deadletters?limit=many", 400, "limit_invalid"},
		{"/v1/deadletters?limit=10001", 400, "limit_invalid"}, {"/v1/deadletters/l1", 200, `"payload":{"a":1}`}, {"/v1/deadletters/l2", 404, "letter_unknown"},
		{"/v1/doctor", 200, `"hint":"start it"`},
	} {
		if status, answer, _ := i.call(t, "GET", c.path, token, ""); status != c.status || !strings.Contains(answer, c.inside) {
			t.Errorf("%s: %d %s", c.path, status, answer)
		}
	}
	if status, answer, _ := i.call(t, "POST", "/v1/wait", token, ""); status != 200 || !strings.Contains(answer, "true") {
		t.Errorf("wait: %d %s", status, answer)
	}
}
