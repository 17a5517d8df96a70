package segments

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/access"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// MembersPath serves who is in a segment: GET NAME/members with format=csv (default), parquet or ndjson, and at, for a token with the scope read.
const MembersPath = "/v1/segments/"

// formats are those that members are served in: what the engine calls them, and their media type.
var formats = map[string][2]string{
	"": {"CSVWithNames", "text/csv; charset=utf-8"}, "csv": {"CSVWithNames", "text/csv; charset=utf-8"}, "parquet": {"Parquet", "application/vnd.apache.parquet"},
	"ndjson": {"JSONEachRow", "application/x-ndjson"},
}

// streamsAtOnce bounds how many lists are written at the same time: a slow reader holds one for long.
const streamsAtOnce = 4

type handler struct {
	reader  *Reader
	ready   func(ctx context.Context) error
	access  access.Access
	logger  *slog.Logger
	streams chan struct{}
}

// Handler serves MembersPath. ready returns when the tables show what the log holds at the call. The rows hold ids only.
func Handler(r *Reader, ready func(ctx context.Context) error, a access.Access, logger *slog.Logger) http.Handler {
	return &handler{r, ready, a, logger, make(chan struct{}, streamsAtOnce)}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, MembersPath), "/members")
	if r.Method != http.MethodGet || !ok {
		fail(w, http.StatusNotFound, "path_unknown", "there is no such path", "ask GET "+MembersPath+"NAME/members")
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
	at := schema.Instant(0)
	if text := r.URL.Query().Get("at"); text != "" {
		var err error
		if at, err = schema.ParseInstant(text); err != nil {
			fail(w, http.StatusBadRequest, "at_invalid", "at is no time", "write it as 2026-02-28T09:30:00Z")
			return
		}
	}
	format, known := formats[r.URL.Query().Get("format")]
	if !known {
		fail(w, http.StatusBadRequest, "format_unknown", "there is no such form", "ask for csv, parquet or ndjson")
		return
	}
	select {
	case h.streams <- struct{}{}:
		defer func() { <-h.streams }()
	default:
		fail(w, http.StatusTooManyRequests, "too_many", "other lists are being read", "ask again in a moment")
		return
	}
	body, err := h.open(r.Context(), token.Workspace, name, at, format[0])
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	defer body.Close()
	w.Header().Set("Content-Type", format[1])
	w.Header().Set("Cache-Control", "no-store")
	if _, err := io.Copy(w, body); err != nil {
		panic(http.ErrAbortHandler) // the status has gone out: only a cut connection can say that it is not all
	}
}

func (h *handler) open(ctx context.Context, workspace, name string, at schema.Instant, format string) (io.ReadCloser, error) {
	if err := h.ready(ctx); err != nil {
		return nil, err
	}
	set, s, err := h.reader.with(workspace, name, nil)
	if err != nil {
		return nil, err
	}
	if at == 0 {
		at = schema.InstantOf(h.reader.Now())
	}
	q := set.Compile(s, workspace, at)
	settings := clickhouse.Settings{"max_threads": 2, "max_memory_usage": 4 << 30}
	return h.reader.Conn.Stream(ctx, q.SQL, q.Params, settings, format)
}

func (h *handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if e := (*graphql.Error)(nil); errors.As(err, &e) {
		fail(w, http.StatusBadRequest, e.Code, e.Message, e.Hint)
		return
	}
	if e := (*schema.Refusal)(nil); errors.As(err, &e) {
		fail(w, http.StatusBadRequest, e.Code, e.Reason, e.Hint)
		return
	}
	if r.Context().Err() != nil {
		return // the caller has gone
	}
	h.logger.Error("list the members of a segment", "error", err)
	fail(w, http.StatusServiceUnavailable, "unavailable", "the members cannot be listed now", "ask again; 'dossier doctor' tells what is not well")
}

func fail(w http.ResponseWriter, status int, code, message, hint string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"code": code, "message": message, "hint": hint}}); err != nil {
		return // the caller has gone
	}
}

// Export writes a canonical line for each segment, by name, and after it, if a time is given, one for each member at that time, by id.
func (r *Reader) Export(ctx context.Context, workspace string, at schema.Instant, w io.Writer) error {
	set, err := r.set(workspace)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	for _, name := range set.Names() {
		s := set[name]
		if _, err := fmt.Fprintf(out, `{"definition":%s,"segment":%q,"version":%q}`+"\n", s.Source, name, s.Version); err != nil {
			return err
		}
		if at == 0 || s.Archived {
			continue
		}
		if err := r.exportMembers(ctx, set, s, workspace, at, out); err != nil {
			return fmt.Errorf("export segment %s: %w", name, err)
		}
	}
	return out.Flush()
}

func (r *Reader) exportMembers(ctx context.Context, set segment.Set, s *segment.Segment, workspace string, at schema.Instant, out io.Writer) error {
	q := set.Compile(s, workspace, at)
	rows, err := r.Conn.Query(ctx, "SELECT profile FROM ("+q.SQL+") ORDER BY toString(profile)", q.Params, clickhouse.Settings{"max_threads": 2})
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id schema.ProfileID
		if err := rows.Scan(&id); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, `{"profile":%q,"segment":%q}`+"\n", id.String(), s.Name); err != nil {
			return err
		}
	}
	return rows.Err()
}
