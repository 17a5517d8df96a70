package sql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dossier-cdp/dossier/services/audit"
	"github.com/dossier-cdp/dossier/services/internal/access"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// Path is where the handler serves.
const Path = "/sql"

// Config is what the handler answers from.
type Config struct {
	Access access.Access
	House  *clickhouse.Conn
	Logger *slog.Logger  // nil: slog.Default()
	Audit  *audit.Writer // of each statement that is answered: what it shows of whom is not known; nil: nothing is recorded
}

// The bounds of one statement, and of all that run at the same time: people who explore must not take the engine from those who serve
// customers.
const (
	maxSeconds   = 60
	maxMemory    = 1 << 30
	maxRows      = 5_000_000 // of an answer
	maxThreads   = 2
	maxStatement = 1 << 20
	atOnce       = 4
)

// passed are the parameters of the URL that go to the engine: those of the protocol and of formats. All other settings are ours to make.
func passed(name string) bool {
	switch name {
	case "default_format", "client_protocol_version", "compress", "enable_http_compression", "network_compression_method", "wait_end_of_query", "query_id",
		"session_timezone", "join_use_nulls", "date_time_output_format":
		return true
	}
	return strings.HasPrefix(name, "param_") || strings.HasPrefix(name, "output_format_")
}

type handler struct {
	Config
	endpoint clickhouse.Endpoint
	client   *http.Client
	slots    chan struct{}

	mu   sync.Mutex
	gate *gate // nil until the engine has said which table functions it has
}

// Handler answers ClickHouse's HTTP interface at Path: SELECT and its kin over the views, for a token with the scopes read and unmask, which is
// given as the password of any user. Refusals have ClickHouse's form, so drivers show them.
func Handler(c Config) http.Handler {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	endpoint := c.House.Endpoint()
	transport := &http.Transport{TLSClientConfig: endpoint.TLS, MaxIdleConnsPerHost: atOnce, IdleConnTimeout: time.Minute}
	return &handler{Config: c, endpoint: endpoint, client: &http.Client{Transport: transport}, slots: make(chan struct{}, atOnce)}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == Path+"/ping" {
		answerText(w, http.StatusOK, "Ok.\n")
		return
	}
	token, err := h.authenticate(r)
	if err != nil {
		fail(w, http.StatusForbidden, 516, "AUTHENTICATION_FAILED", err)
		return
	}
	statement, err := statementOf(w, r)
	if err == nil {
		var g *gate
		if g, err = h.known(r.Context()); err == nil {
			err = g.check(statement)
		}
	}
	if r := (*refusal)(nil); errors.As(err, &r) {
		fail(w, http.StatusBadRequest, 497, "ACCESS_DENIED", err)
		return
	}
	if err == nil {
		err = h.record(r, token)
	}
	if err == nil {
		select {
		case h.slots <- struct{}{}:
			defer func() { <-h.slots }()
			err = h.pass(w, r, statement)
		case <-r.Context().Done():
			return
		case <-time.After(maxSeconds * time.Second):
			fail(w, http.StatusServiceUnavailable, 202, "TOO_MANY_SIMULTANEOUS_QUERIES", errors.New("too many statements are running: ask again in a moment"))
			return
		}
	}
	if err != nil && r.Context().Err() == nil {
		h.Logger.Error("pass a SQL statement on", "error", err)
		fail(w, http.StatusServiceUnavailable, 210, "NETWORK_ERROR", errors.New("the timeline's engine does not answer: see 'dossier doctor'"))
	}
}

// authenticate looks for a token where ClickHouse's clients put a password.
func (h *handler) authenticate(r *http.Request) (access.Token, error) {
	_, secret, ok := r.BasicAuth()
	if !ok {
		if secret = r.Header.Get("X-ClickHouse-Key"); secret == "" {
			scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			if strings.EqualFold(scheme, "Bearer") {
				secret = strings.TrimSpace(bearer)
			}
		}
		if secret == "" {
			secret = r.URL.Query().Get("password")
		}
	}
	token, known := h.Access.Token(secret)
	switch {
	case !known:
		return token, errors.New("give a token as the password: 'dossier tokens create --name bi --actor you --scope read --scope unmask' makes one")
	case !token.Has(access.ScopeRead) || !token.Has(access.ScopeUnmask):
		return token, errors.New("this token lacks the scope read or unmask, and the views hold personal values")
	}
	return token, nil
}

// record has the statement in the audit log before it is answered. The statement itself is not written there: it may hold personal values.
func (h *handler) record(r *http.Request, t access.Token) error {
	if h.Audit == nil {
		return nil
	}
	err := h.Audit.Add(r.Context(), audit.Record{Actor: t.Actor, Action: "sql", Purpose: r.Header.Get(audit.PurposeHeader), Scopes: t.Scopes})
	if err != nil {
		return fmt.Errorf("record a SQL statement in the audit log: %w", err)
	}
	return nil
}

// statementOf reads the statement from the URL and the body.
func statementOf(w http.ResponseWriter, r *http.Request) (string, error) {
	q := r.URL.Query()
	for _, name := range []string{"decompress", "session_id"} {
		if v := q.Get(name); v != "" && v != "0" && v != "false" {
			return "", refuse("%s is not taken here", name)
		}
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") || r.Header.Get("Content-Encoding") != "" {
		return "", refuse("send the statement as the plain body: tables and compressed bodies are not taken here")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxStatement))
	if err != nil {
		return "", refuse("a statement has at most %d bytes", maxStatement)
	}
	// From here on a read only notices that the client has gone, and a statement may take longer than its body.
	if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return "", fmt.Errorf("lift the body's deadline: %w", err)
	}
	return strings.TrimSpace(q.Get("query") + "\n" + string(body)), nil
}

// known gives the gate, asking the engine once which table functions it has.
func (h *handler) known(ctx context.Context) (*gate, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gate != nil {
		return h.gate, nil
	}
	rows, err := h.House.Query(ctx, "SELECT name FROM system.table_functions", nil, nil)
	if err != nil {
		return nil, fmt.Errorf("list the table functions: %w", err)
	}
	defer rows.Close()
	g := &gate{tableFunctions: map[string]bool{}}
	for _, name := range outside {
		g.tableFunctions[name] = true
	}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("list the table functions: %w", err)
		}
		g.tableFunctions[strings.ToLower(name)] = true
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list the table functions: %w", err)
	}
	h.gate = g
	return g, nil
}

// pass asks the engine and streams its answer.
func (h *handler) pass(w http.ResponseWriter, r *http.Request, statement string) error {
	parameters := url.Values{
		"database": {h.endpoint.Database}, "readonly": {"1"}, "max_execution_time": {strconv.Itoa(maxSeconds)}, "max_memory_usage": {strconv.Itoa(maxMemory)},
		"max_result_rows": {strconv.Itoa(maxRows)}, "result_overflow_mode": {"throw"}, "max_threads": {strconv.Itoa(maxThreads)},
	}
	for name, values := range r.URL.Query() {
		if passed(name) {
			parameters[name] = values[:1]
		}
	}
	address := h.endpoint.URL
	address.RawQuery = parameters.Encode()
	ask, err := http.NewRequestWithContext(r.Context(), http.MethodPost, address.String(), strings.NewReader(statement))
	if err != nil {
		return err
	}
	ask.SetBasicAuth(h.endpoint.User, h.endpoint.Password)
	for _, name := range []string{"Accept-Encoding", "X-ClickHouse-Format", "User-Agent"} {
		if v := r.Header.Get(name); v != "" {
			ask.Header.Set(name, v)
		}
	}
	answer, err := h.client.Do(ask)
	if err != nil {
		return errors.Unwrap(err) // the outer error has the address, and with it the parameters
	}
	defer answer.Body.Close()
	for name, values := range answer.Header {
		if name == "Content-Type" || name == "Content-Encoding" || strings.HasPrefix(name, "X-Clickhouse-") {
			w.Header()[name] = values
		}
	}
	control := http.NewResponseController(w)
	w.WriteHeader(answer.StatusCode)
	buffer := make([]byte, 64<<10)
	for {
		n, err := answer.Body.Read(buffer)
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return nil // the client has gone
			}
			if err := control.Flush(); err != nil {
				return nil // the client has gone
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			// The status has been sent: only a cut connection can say that the answer is not whole.
			panic(http.ErrAbortHandler)
		}
	}
}

// fail answers with an exception in ClickHouse's form.
func fail(w http.ResponseWriter, status, code int, name string, err error) {
	w.Header().Set("X-ClickHouse-Exception-Code", strconv.Itoa(code))
	answerText(w, status, fmt.Sprintf("Code: %d. DB::Exception: %s. (%s)\n", code, err, name))
}

func answerText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := io.WriteString(w, text); err != nil {
		return // the client has gone
	}
}
