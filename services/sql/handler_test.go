package sql

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/services/internal/access"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

type tokens struct{}

func (tokens) WriteKey(string) (access.WriteKey, bool) { return access.WriteKey{}, false }
func (tokens) Token(secret string) (access.Token, bool) {
	return access.Token{Scopes: strings.Split(secret, "+")}, secret != "unknown" && secret != ""
}

// before is a handler before an engine of the test's own.
func before(t *testing.T, engine http.HandlerFunc) *httptest.Server {
	t.Helper()
	upstream := httptest.NewServer(engine)
	t.Cleanup(upstream.Close)
	address, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	h := &handler{
		Config:   Config{Access: tokens{}, Logger: slog.New(slog.DiscardHandler)},
		endpoint: clickhouse.Endpoint{URL: *address, User: "default", Password: "the engine's", Database: "dossier"},
		client:   http.DefaultClient, slots: make(chan struct{}, atOnce), gate: &gate{},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Error(err)
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server
}

func askFor(t *testing.T, address, secret, statement string) (status int, text string, err error) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, address, strings.NewReader(statement))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("bi", secret)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(b), err
}

// What goes to the engine: the statement, our bounds and credentials, and of the client's parameters only those of the protocol.
func TestWhatIsPassedOn(t *testing.T) {
	server := before(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		q := r.URL.Query()
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != "SELECT 1" || user != "default" || password != "the engine's" || r.Header.Get("Authorization") == "" {
			t.Errorf("asked %q as %s: %v", body, user, err)
		}
		for name, want := range map[string]string{
			"readonly": "1", "database": "dossier", "max_execution_time": "60", "max_result_rows": "5000000", "default_format": "JSON", "param_a": "7",
			"allow_ddl": "", "session_id": "", "user": "", "password": "", "query": "",
		} {
			if q.Get(name) != want {
				t.Errorf("%s is %q", name, q.Get(name))
			}
		}
		time.Sleep(300 * time.Millisecond) // longer than a body may take
		w.Header().Set("X-ClickHouse-Summary", "{}")
		answerText(w, http.StatusOK, "1\n")
	})
	status, text, err := askFor(t, server.URL+"/sql?default_format=JSON&param_a=7&readonly=0&max_execution_time=9999&max_result_rows=0&database=system&allow_ddl=1&user=x&password=y", "read+unmask", "SELECT 1")
	if err != nil || status != 200 || text != "1\n" {
		t.Errorf("%d %q %v", status, text, err)
	}
}

func TestWhatIsNotPassedOn(t *testing.T) {
	server := before(t, func(http.ResponseWriter, *http.Request) { t.Error("the engine was asked") })
	for _, c := range []struct {
		path, secret, statement string
		status                  int
		want                    string
	}{
		{"/sql", "unknown", "SELECT 1", 403, "AUTHENTICATION_FAILED"},
		{"/sql", "", "SELECT 1", 403, "AUTHENTICATION_FAILED"},
		{"/sql", "read", "SELECT 1", 403, "read or unmask"},
		{"/sql", "unmask+admin", "SELECT 1", 403, "read or unmask"},
		{"/sql", "read+unmask", "SELECT * FROM events", 400, "ACCESS_DENIED"},
		{"/sql?query=INSERT+INTO+v_events+FORMAT+CSV", "read+unmask", "SELECT 1", 400, "ACCESS_DENIED"},
		{"/sql?query=SELECT+1+FROM", "read+unmask", "events", 400, "ACCESS_DENIED"},
		{"/sql?session_id=1", "read+unmask", "SELECT 1", 400, "session_id"},
		{"/sql?decompress=1", "read+unmask", "SELECT 1", 400, "decompress"},
		{"/sql", "read+unmask", strings.Repeat(" ", maxStatement) + "SELECT 1", 400, "at most"},
	} {
		status, text, err := askFor(t, server.URL+c.path, c.secret, c.statement)
		if err != nil || status != c.status || !strings.Contains(text, c.want) || !strings.HasPrefix(text, "Code: ") {
			t.Errorf("%+v: %d %q %v", c.path, status, text, err)
		}
	}
	if status, text, err := askFor(t, server.URL+"/sql/ping", "", ""); err != nil || status != 200 || text != "Ok.\n" {
		t.Errorf("ping: %d %q %v", status, text, err)
	}
}

// An answer that breaks off is not taken for a whole one, and an engine that is away is told from a refusal.
func TestAnEngineThatFails(t *testing.T) {
	server := before(t, func(w http.ResponseWriter, r *http.Request) {
		answerText(w, http.StatusOK, strings.Repeat("1\n", 100_000))
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		panic(http.ErrAbortHandler)
	})
	if status, text, err := askFor(t, server.URL+"/sql", "read+unmask", "SELECT 1"); err == nil {
		t.Errorf("a broken answer ended well: %d, %d bytes", status, len(text))
	}
	gone := before(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if status, text, err := askFor(t, gone.URL+"/sql", "read+unmask", "SELECT 1"); err != nil || status != 503 || !strings.Contains(text, "dossier doctor") {
		t.Errorf("%d %q %v", status, text, err)
	}
}
