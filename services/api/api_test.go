package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/graphql/graphqltest"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/access"
)

const (
	allScopes = "token-with-all-scopes"
	readOnly  = "token-that-reads"
	thrifty   = "token-with-a-limit"
	serverKey = "server-key"
)

type keys struct{}

func (keys) WriteKey(secret string) (access.WriteKey, bool) {
	return access.WriteKey{ID: "k", Workspace: graphqltest.Workspace, Source: "shop", Trust: schema.TrustServer}, secret == serverKey
}

func (keys) Token(secret string) (access.Token, bool) {
	switch secret {
	case allScopes:
		return access.Token{Name: "all", Actor: "lea", Workspace: graphqltest.Workspace, Scopes: access.Scopes()}, true
	case readOnly:
		return access.Token{Name: "read", Actor: "tom", Workspace: graphqltest.Workspace, Scopes: []string{access.ScopeRead}}, true
	case thrifty:
		return access.Token{Name: "thrifty", Actor: "tom", Workspace: graphqltest.Workspace, Scopes: []string{access.ScopeRead}, MaxCost: 1500}, true
	}
	return access.Token{}, false
}

func over(t testing.TB, w *graphqltest.World) *API {
	t.Helper()
	return New(Config{Backends: w.Backends(), Access: keys{}, Registry: prometheus.NewRegistry(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
}

func small(t testing.TB) *API { return over(t, graphqltest.Small()) }

type call struct {
	method, target, accept, contentType, authorization, body string
}

func (c call) request() *http.Request {
	if c.method == "" {
		c.method = http.MethodPost
	}
	if c.target == "" {
		c.target = "/graphql"
	}
	r := httptest.NewRequest(c.method, c.target, strings.NewReader(c.body))
	for name, value := range map[string]string{"Accept": c.accept, "Content-Type": c.contentType, "Authorization": c.authorization} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	return r
}

func body(query string) string {
	b, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func codeOf(t testing.TB, w *httptest.ResponseRecorder) string {
	t.Helper()
	var answer struct {
		Errors []struct {
			Message    string
			Extensions struct{ Code, Hint string }
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	if len(answer.Errors) == 0 {
		return ""
	}
	if e := answer.Errors[0]; w.Code >= 400 && e.Extensions.Hint == "" && e.Extensions.Code != "GRAPHQL_VALIDATION_FAILED" && e.Extensions.Code != "GRAPHQL_PARSE_FAILED" {
		t.Errorf("%s: no hint what to do", e.Message)
	}
	return answer.Errors[0].Extensions.Code
}

func TestProtocol(t *testing.T) {
	const bearer, js = "Bearer " + allScopes, "application/json"
	get := func(query string) string { return "/graphql?query=" + url.QueryEscape(query) }
	for _, c := range []struct {
		name   string
		call   call
		status int
		code   string
	}{
		{"post", call{contentType: js, authorization: bearer, body: body("{ __typename }")}, 200, ""},
		{"get", call{method: "GET", target: get("{ __typename }"), authorization: bearer}, 200, ""},
		{"bearer in lower case", call{contentType: js, authorization: "bearer " + allScopes, body: body("{ __typename }")}, 200, ""},
		{"no token", call{contentType: js, body: body("{ __typename }")}, 401, "UNAUTHENTICATED"},
		{"wrong token", call{contentType: js, authorization: "Bearer x", body: body("{ __typename }")}, 401, "UNAUTHENTICATED"},
		{"basic", call{contentType: js, authorization: "Basic eDo=", body: body("{ __typename }")}, 401, "UNAUTHENTICATED"},
		{"write key", call{contentType: js, authorization: "Bearer " + serverKey, body: body("{ __typename }")}, 403, "FORBIDDEN"},
		{"no scope", call{contentType: js, authorization: "Bearer " + readOnly, body: body(`mutation { release(event: "65000000-0000-8000-8000-000000000001", reason: "x", idempotencyKey: "k") { event } }`)}, 403, "FORBIDDEN"},
		{"mutation by get", call{method: "GET", target: get("mutation { __typename }"), authorization: bearer}, 405, "METHOD_NOT_ALLOWED"},
		{"mutation by get, behind a query", call{method: "GET", target: get("query A { __typename } mutation B { __typename }") + "&operationName=B", authorization: bearer}, 405, "METHOD_NOT_ALLOWED"},
		{"query by get, beside a mutation", call{method: "GET", target: get("query A { __typename } mutation B { __typename }") + "&operationName=A", authorization: bearer}, 200, ""},
		{"put", call{method: "PUT", contentType: js, authorization: bearer, body: body("{ __typename }")}, 405, "METHOD_NOT_ALLOWED"},
		{"delete", call{method: "DELETE", authorization: bearer}, 405, "METHOD_NOT_ALLOWED"},
		{"no content type", call{authorization: bearer, body: body("{ __typename }")}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"form", call{contentType: "application/x-www-form-urlencoded", authorization: bearer, body: "query=%7B__typename%7D"}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"latin-1", call{contentType: js + "; charset=iso-8859-1", authorization: bearer, body: body("{ __typename }")}, 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"utf-8 said", call{contentType: js + "; charset=UTF-8", authorization: bearer, body: body("{ __typename }")}, 200, ""},
		{"not utf-8", call{contentType: js, authorization: bearer, body: "{\"query\":\"{ __typename } #\xff\"}"}, 400, "BAD_REQUEST"},
		{"not json", call{contentType: js, authorization: bearer, body: `{"query": `}, 400, "BAD_REQUEST"},
		{"two values", call{contentType: js, authorization: bearer, body: body("{ __typename }") + "{}"}, 400, "BAD_REQUEST"},
		{"empty", call{contentType: js, authorization: bearer}, 400, "BAD_REQUEST"},
		{"null", call{contentType: js, authorization: bearer, body: "null"}, 400, "BAD_REQUEST"},
		{"number", call{contentType: js, authorization: bearer, body: "7"}, 400, "BAD_REQUEST"},
		{"batch", call{contentType: js, authorization: bearer, body: " [" + body("{ __typename }") + "]"}, 400, "BATCHING_NOT_SUPPORTED"},
		{"query is a number", call{contentType: js, authorization: bearer, body: `{"query": 7}`}, 400, "BAD_REQUEST"},
		{"no query", call{contentType: js, authorization: bearer, body: `{"variables": {}}`}, 400, "BAD_REQUEST"},
		{"variables are a list", call{contentType: js, authorization: bearer, body: `{"query": "{ __typename }", "variables": []}`}, 400, "BAD_REQUEST"},
		{"get without query", call{method: "GET", target: "/graphql?variables={}", authorization: bearer}, 400, "BAD_REQUEST"},
		{"get with wrong variables", call{method: "GET", target: get("{ __typename }") + "&variables=7", authorization: bearer}, 400, "BAD_REQUEST"},
		{"nesting 100,000 deep", call{contentType: js, authorization: bearer, body: `{"query": "{ __typename }", "variables": {"a": ` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}}`}, 400, "BAD_REQUEST"},
		{"3 MB", call{contentType: js, authorization: bearer, body: `{"query": "` + strings.Repeat(" ", 3<<20) + `"}`}, 413, "QUERY_TOO_LARGE"},
		{"no media type of ours", call{contentType: js, accept: "text/csv", authorization: bearer, body: body("{ __typename }")}, 406, "NOT_ACCEPTABLE"},
		{"refused document, old type", call{contentType: js, accept: js, authorization: bearer, body: body("{ nothing }")}, 200, "GRAPHQL_VALIDATION_FAILED"},
		{"refused document, new type", call{contentType: js, accept: responseType, authorization: bearer, body: body("{ nothing }")}, 400, "GRAPHQL_VALIDATION_FAILED"},
		{"syntax, new type", call{contentType: js, accept: responseType, authorization: bearer, body: body("{")}, 400, "GRAPHQL_PARSE_FAILED"},
		{"depth 1,000, new type", call{contentType: js, accept: responseType, authorization: bearer, body: body("{ profile(id: \"x\")" + strings.Repeat("{ dossier { profile ", 500) + "{ id }" + strings.Repeat("}}", 500) + "}")}, 400, "QUERY_TOO_DEEP"},
		{"too costly, new type", call{contentType: js, accept: responseType, authorization: bearer, body: body(costly)}, 400, "QUERY_TOO_COSTLY"},
		{"too costly, old type", call{contentType: js, accept: js, authorization: bearer, body: body(costly)}, 200, "QUERY_TOO_COSTLY"},
		{"field error, new type", call{contentType: js, accept: responseType, authorization: bearer, body: body(`{ dossier(identifier: {kind: "email", value: "famille@example.com"}) { id } }`)}, 200, "AMBIGUOUS_IDENTIFIER"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			small(t).Handler().ServeHTTP(w, c.call.request())
			if w.Code != c.status || codeOf(t, w) != c.code {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, c.status, c.code)
			}
			if w.Code == 405 && w.Header().Get("Allow") == "" || w.Code == 401 && w.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("headers %v", w.Header())
			}
			if kind := w.Header().Get("Content-Type"); !strings.HasSuffix(kind, "; charset=utf-8") {
				t.Errorf("content type %q", kind)
			}
		})
	}
}

const costly = `{ profiles(first: 500) { edges { node { dossier { timeline(first: 90) { edges { node { id type channel actor source occurredAt name text entity conversation case } } } } } } } }`

// What an operation may cost is the token's limit, else the installation's.
func TestLimitOfCost(t *testing.T) {
	const query = `{ metrics { events } }` // 1,002
	for _, c := range []struct {
		installation int
		token        string
		limit        int
	}{{0, readOnly, graphql.DefaultMaxCost}, {1002, readOnly, 1002}, {1001, readOnly, 1001}, {1001, thrifty, 1500}, {0, thrifty, 1500}} {
		a := New(Config{Backends: graphqltest.Small().Backends(), Access: keys{}, MaxCost: c.installation})
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, call{contentType: "application/json", authorization: "Bearer " + c.token, body: body(query)}.request())
		want := `"limit":` + strconv.Itoa(c.limit) + `}`
		if code := codeOf(t, w); !strings.Contains(w.Body.String(), want) || (code == "QUERY_TOO_COSTLY") != (c.limit < 1002) {
			t.Errorf("%+v: %s", c, w.Body)
		}
	}
}

// Apollo's automatic persisted queries: a document is sent once beside its hash, and then named by it.
func TestPersistedQueries(t *testing.T) {
	h := small(t).Handler()
	const document = `query Q { metrics { mapBehind } }`
	sum := sha256.Sum256([]byte(document))
	extensions := func(hash string) string { return `{"persistedQuery":{"version":1,"sha256Hash":"` + hash + `"}}` }
	hash := hex.EncodeToString(sum[:])
	get := func(parameters url.Values) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, call{method: "GET", target: "/graphql?" + parameters.Encode(), authorization: "Bearer " + readOnly}.request())
		return w
	}
	post := func(text string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, call{contentType: "application/json", accept: responseType, authorization: "Bearer " + readOnly, body: text}.request())
		return w
	}
	if w := get(url.Values{"extensions": {extensions(hash)}}); codeOf(t, w) != "PERSISTED_QUERY_NOT_FOUND" || !strings.Contains(w.Body.String(), `"message":"PersistedQueryNotFound"`) {
		t.Errorf("an unknown hash: %d %s", w.Code, w.Body)
	}
	for _, wrong := range []string{extensions(strings.Repeat("0", 64)), extensions("abc"), `{"persistedQuery":{"version":2,"sha256Hash":"` + hash + `"}}`} {
		if w := post(`{"query":"` + document + `","extensions":` + wrong + `}`); w.Code != 400 || codeOf(t, w) != "BAD_REQUEST" {
			t.Errorf("%s: %d %s", wrong, w.Code, w.Body)
		}
	}
	if w := get(url.Values{"extensions": {extensions(hash)}}); codeOf(t, w) != "PERSISTED_QUERY_NOT_FOUND" {
		t.Errorf("a refused document was kept: %s", w.Body)
	}
	if w := post(`{"query":"` + document + `","extensions":` + extensions(hash) + `}`); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for _, w := range []*httptest.ResponseRecorder{get(url.Values{"extensions": {extensions(hash)}}), post(`{"extensions":` + extensions(strings.ToUpper(hash)) + `}`)} {
		if w.Code != 200 || !strings.Contains(w.Body.String(), `"mapBehind":3`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	// What is kept is bounded, and what is used stays.
	for n := range 3 * persistedBytes / 60_000 {
		if w := get(url.Values{"extensions": {extensions(hash)}}); w.Code != 200 || codeOf(t, w) != "" {
			t.Fatalf("after %d documents the one in use is gone", n)
		}
		other := `{ __typename } #` + strconv.Itoa(n) + strings.Repeat("x", 60_000)
		sum := sha256.Sum256([]byte(other))
		if w := post(`{"query":"` + other + `","extensions":` + extensions(hex.EncodeToString(sum[:])) + `}`); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	first := sha256.Sum256([]byte(`{ __typename } #0` + strings.Repeat("x", 60_000)))
	if w := get(url.Values{"extensions": {extensions(hex.EncodeToString(first[:]))}}); codeOf(t, w) != "PERSISTED_QUERY_NOT_FOUND" {
		t.Errorf("an old document is kept: %s", w.Body)
	}
}

func TestNegotiation(t *testing.T) {
	for accept, want := range map[string]string{
		"": legacyType, "*/*": legacyType, "application/*": legacyType, "application/json": legacyType,
		"application/graphql-response+json":                                          responseType,
		"application/graphql-response+json, application/json":                        responseType,
		"application/graphql-response+json, application/json;q=0.9":                  responseType,
		"application/graphql-response+json, */*":                                     responseType,
		"application/graphql-response+json;q=0.5, application/json;q=0.9":            legacyType,
		"application/json;q=0, */*":                                                  responseType,
		"text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8": legacyType,
		"application/graphql-response+json; charset=utf-8":                           responseType,
		"application/graphql-response+json; charset=utf-16":                          "",
		"text/html": "", "application/json;q=0": "", "nonsense": "",
	} {
		var header []string
		if accept != "" {
			header = []string{accept}
		}
		if got, err := negotiate(header); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v", accept, got, err)
		}
	}
}

func TestHealth(t *testing.T) {
	ready, reason := false, "identity: 40 % of the log read"
	a := New(Config{Backends: graphqltest.Small().Backends(), Access: keys{}, Ready: func() (bool, string) { return ready, reason }})
	h := a.Handler()
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w
	}
	if w := get("/healthz"); w.Code != 200 {
		t.Errorf("healthz: %d", w.Code)
	}
	if w := get("/readyz"); w.Code != 503 || !strings.Contains(w.Body.String(), reason) {
		t.Errorf("readyz: %d %s", w.Code, w.Body)
	}
	ready = true
	if w := get("/readyz"); w.Code != 200 {
		t.Errorf("readyz: %d", w.Code)
	}
	if w := get("/elsewhere"); w.Code != 404 {
		t.Errorf("elsewhere: %d", w.Code)
	}
	h.ServeHTTP(httptest.NewRecorder(), call{contentType: "application/json", authorization: "Bearer " + readOnly, body: body("{ __typename }")}.request())
	h.ServeHTTP(httptest.NewRecorder(), call{contentType: "application/json", body: body("{ __typename }")}.request())
	metrics := get("/metrics").Body.String()
	for _, want := range []string{`dossier_graphql_operation_seconds_count{outcome="ok"} 1`, `dossier_graphql_operation_seconds_count{outcome="UNAUTHENTICATED"} 1`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

func TestExplorer(t *testing.T) {
	h := small(t).Handler()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, call{method: "GET", target: "/", accept: "text/html,*/*;q=0.8"}.request())
	page := w.Body.String()
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") || !strings.Contains(page, "<title>") {
		t.Fatalf("got %d %v", w.Code, w.Header())
	}
	policy := w.Header().Get("Content-Security-Policy")
	if strings.Count(policy, "'sha256-") != 2 || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %s", policy)
	}
	for _, outside := range []string{"src=\"http", "href=\"http", "url(http", "@import", "//cdn"} {
		if strings.Contains(page, outside) {
			t.Errorf("the page loads something from outside: %s", outside)
		}
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, call{method: "GET", target: "/graphql", accept: "text/html,*/*;q=0.8"}.request())
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" {
		t.Errorf("a browser at /graphql got %d", w.Code)
	}
}

func TestASlowBodyIsCutOff(t *testing.T) {
	a := small(t)
	a.bodyTimeout = 50 * time.Millisecond
	server := httptest.NewServer(a.Handler())
	defer server.Close()
	for token, status := range map[string]string{allScopes: "408", "wrong": "401"} {
		var dialer net.Dialer
		conn, err := dialer.DialContext(context.Background(), "tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{", token); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn) // ends only when the server closes the connection
		if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 "+status)) {
			t.Errorf("got %q, %v; want %s", answer, err, status)
		}
	}
}

// An operation may take longer than a body: the deadline of the body does not end it.
func TestAnOperationMayOutlastTheBodysTime(t *testing.T) {
	w := graphqltest.Small()
	a := over(t, w)
	a.bodyTimeout = 50 * time.Millisecond
	w.Fault = func(ctx context.Context, _ string) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(4 * a.bodyTimeout):
			return nil
		}
	}
	server := httptest.NewServer(a.Handler())
	defer server.Close()
	r, err := http.NewRequest(http.MethodPost, server.URL+"/graphql", strings.NewReader(body("{ metrics { events } }")))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+readOnly)
	for i := range 3 { // all on the same connection
		if i == 2 {
			r.Method, r.URL.RawQuery, r.Body, r.ContentLength = http.MethodGet, "query="+url.QueryEscape("{ metrics { events } }"), nil, 0
		}
		answer, err := server.Client().Do(r.Clone(context.Background()))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || !strings.HasPrefix(string(text), `{"data":{"metrics":{"events":6}},`) {
			t.Errorf("got %s, %v", text, err)
		}
		r.Body = io.NopCloser(strings.NewReader(body("{ metrics { events } }")))
	}
}

func TestASlowOperationIsCutOff(t *testing.T) {
	w := graphqltest.Small()
	w.Fault = func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
	a := over(t, w)
	a.Timeout = 20 * time.Millisecond
	r := httptest.NewRecorder()
	a.Handler().ServeHTTP(r, call{contentType: "application/json", authorization: "Bearer " + allScopes, body: body("{ metrics { events } }")}.request())
	if r.Code != http.StatusGatewayTimeout || codeOf(t, r) != "TIMEOUT" {
		t.Errorf("got %d %s", r.Code, r.Body)
	}
}
