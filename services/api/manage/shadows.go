package manage

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/dossier-cdp/dossier/services/internal/access"
	"github.com/dossier-cdp/dossier/services/replay"
)

// Shadows are whole sets of projections beside the live one. Errors are refusals where the caller can mend them.
type Shadows interface {
	Start(ctx context.Context, actor string, q ShadowQuestion) (Shadow, error)
	Shadows(ctx context.Context) ([]Shadow, error)
	Shadow(ctx context.Context, name string) (Shadow, error)
	Pause(ctx context.Context, name string, paused bool) (Shadow, error)
	Discard(ctx context.Context, name string) error
	// Exports are those of the shadow, by the names that the live ones have.
	Exports(name string) (map[string]Export, error)
}

// ShadowQuestion asks for a shadow. What is empty filters nothing.
type ShadowQuestion struct {
	Name          string          `json:"name"`
	Configuration json.RawMessage `json:"configuration,omitempty"` // the whole document; absent: the one in force
	From          string          `json:"from,omitempty"`          // RFC 3339, of OccurredAt
	To            string          `json:"to,omitempty"`
	Types         []string        `json:"types,omitempty"`
	Sources       []string        `json:"sources,omitempty"`
}

// The states of a shadow.
const (
	ShadowReplaying = "replaying" // it reads the log
	ShadowFollowing = "following" // it has come to the end of the log and follows it
	ShadowPaused    = "paused"
	ShadowFailed    = "failed" // Reason says why; resuming opens it anew
)

// Shadow is how one is doing.
type Shadow struct {
	replay.Plan         // without the document
	State       string  `json:"state"`
	Reason      string  `json:"reason,omitempty"`
	Hash        string  `json:"hash"`  // of the configuration that it runs under
	Done        int64   `json:"done"`  // records of the log that every role has behind it
	Total       int64   `json:"total"` // that the log has now
	Rate        float64 `json:"rate"`  // a second, over the last ten seconds
	ETA         float64 `json:"eta"`   // seconds; 0: nothing is left, or it is not known
}

func (s *server) shadowPaths(mux *http.ServeMux) {
	if s.Shadows == nil {
		return
	}
	admin := []string{access.ScopeAdmin}
	mux.Handle("GET /v1/shadows", s.needs(admin, func(w http.ResponseWriter, r *http.Request, _ access.Token) error {
		lines, err := s.Shadows.Shadows(r.Context())
		if err != nil {
			return err
		}
		return writeJSON(w, lines)
	}))
	one := func(f func(ctx context.Context, r *http.Request, t access.Token) (Shadow, error)) http.Handler {
		return s.needs(admin, func(w http.ResponseWriter, r *http.Request, t access.Token) error {
			line, err := f(r.Context(), r, t)
			if err != nil {
				return err
			}
			return writeJSON(w, line)
		})
	}
	mux.Handle("POST /v1/shadows", one(func(ctx context.Context, r *http.Request, t access.Token) (line Shadow, err error) {
		var q ShadowQuestion
		decoder := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 5<<20))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&q); err != nil {
			return line, &refusal{400, "not_json", "the body is not a shadow to make: " + err.Error(), `send {"name":"next"}`}
		}
		return s.Shadows.Start(ctx, t.Actor, q)
	}))
	mux.Handle("GET /v1/shadows/{name}", one(func(ctx context.Context, r *http.Request, _ access.Token) (Shadow, error) {
		return s.Shadows.Shadow(ctx, r.PathValue("name"))
	}))
	mux.Handle("POST /v1/shadows/{name}/pause", one(func(ctx context.Context, r *http.Request, _ access.Token) (Shadow, error) {
		return s.Shadows.Pause(ctx, r.PathValue("name"), true)
	}))
	mux.Handle("POST /v1/shadows/{name}/resume", one(func(ctx context.Context, r *http.Request, _ access.Token) (Shadow, error) {
		return s.Shadows.Pause(ctx, r.PathValue("name"), false)
	}))
	mux.Handle("DELETE /v1/shadows/{name}", s.needs(admin, func(w http.ResponseWriter, r *http.Request, _ access.Token) error {
		if err := s.Shadows.Discard(r.Context(), r.PathValue("name")); err != nil {
			return err
		}
		return writeJSON(w, map[string]string{"discarded": r.PathValue("name")})
	}))
}

// exportsOf are the exports of the shadow that a request names, else the live ones.
func (s *server) exportsOf(r *http.Request) (map[string]Export, error) {
	name := r.URL.Query().Get("shadow")
	if name == "" || s.Shadows == nil {
		return s.Exports, nil
	}
	return s.Shadows.Exports(name)
}
