package metrics

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/care/metric"
	"github.com/dossier-cdp/dossier/services/internal/access"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// formats are those that rows are served in: what the engine calls them, and their media type.
var formats = map[string][2]string{
	"": {"CSVWithNames", "text/csv; charset=utf-8"}, "csv": {"CSVWithNames", "text/csv; charset=utf-8"}, "parquet": {"Parquet", "application/vnd.apache.parquet"},
}

type handler struct {
	reader  *Reader
	access  access.Access
	logger  *slog.Logger
	streams chan struct{} // a slow reader holds one for long, so they are not those of figures
}

// Handler serves every row of a figure at graphql.MetricRowsPath + NAME: GET with the parameters of metric.Query.Values and format=csv (default)
// or parquet, for a token with the scope read. The rows name personas, profiles and events, and hold no personal value.
func Handler(r *Reader, a access.Access, logger *slog.Logger) http.Handler {
	return &handler{r, a, logger, make(chan struct{}, atOnce)}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		fail(w, http.StatusMethodNotAllowed, graphql.CodeMethod, "rows are asked for by GET", "")
		return
	}
	secret, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	token, known := h.access.Token(strings.TrimSpace(secret))
	switch {
	case !known:
		fail(w, http.StatusUnauthorized, "token_unknown", "this path needs a token", "send it as 'Authorization: Bearer TOKEN'; 'dossier tokens create' makes one")
		return
	case !token.Has(access.ScopeRead):
		fail(w, http.StatusForbidden, "scope_missing", "this token lacks the scope read", "create one with 'dossier tokens create --scope read'")
		return
	}
	values := r.URL.Query()
	format, ok := formats[values.Get("format")]
	values.Del("format")
	q, err := metric.ParseValues(values)
	if err == nil && !ok {
		err = &graphql.Error{Code: graphql.CodeBadInput, Message: "format is csv or parquet"}
	}
	q.Workspace = token.Workspace
	select {
	case h.streams <- struct{}{}:
		defer func() { <-h.streams }()
	default:
		fail(w, http.StatusTooManyRequests, "too_many", "other lists of rows are being read", "ask again in a moment")
		return
	}
	var body io.ReadCloser
	if err == nil {
		name := strings.TrimPrefix(r.URL.Path, graphql.MetricRowsPath)
		body, err = h.open(r, name, q, format[0])
	}
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	defer body.Close()
	w.Header().Set("Content-Type", format[1])
	w.Header().Set("Cache-Control", "no-store")
	if _, err := io.Copy(w, body); err != nil {
		panic(http.ErrAbortHandler) // the status has gone out: only a cut connection can say that the rows are not all
	}
}

// open asks the engine for the rows.
func (h *handler) open(r *http.Request, name string, q metric.Query, format string) (io.ReadCloser, error) {
	d, err := definition(name, q)
	if err != nil {
		return nil, err
	}
	_, release, err := h.reader.timed(r.Context(), d, &q)
	if err != nil {
		return nil, err
	}
	h.reader.settle(&q)
	s, err := d.List(q, nil, 0)
	if err != nil {
		release()
		return nil, err
	}
	params, settings := clickhouse.Params{}, clickhouse.Settings{}
	maps.Copy(params, s.Params)
	maps.Copy(settings, reading)
	rows, err := h.reader.House.Stream(r.Context(), s.SQL, params, settings, format)
	if err != nil {
		release()
		return nil, err
	}
	return streamed{rows, release}, nil
}

// streamed gives back what its rows are read from when it is closed.
type streamed struct {
	io.ReadCloser
	release func()
}

func (s streamed) Close() error {
	defer s.release()
	return s.ReadCloser.Close()
}

func (h *handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if e := (*graphql.Error)(nil); errors.As(refused(err), &e) {
		fail(w, http.StatusBadRequest, e.Code, e.Message, e.Hint)
		return
	}
	if r.Context().Err() != nil {
		return // the caller has gone
	}
	h.logger.Error("list the rows of a metric", "error", err)
	fail(w, http.StatusServiceUnavailable, "unavailable", "the timeline's engine does not answer", "ask again; 'dossier doctor' tells what is not well")
}

func fail(w http.ResponseWriter, status int, code, message, hint string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"code": code, "message": message, "hint": hint}}); err != nil {
		return // the caller has gone
	}
}
