package manage

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"strconv"

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
	// Promote has a shadow take the place of the live projections, and Undo what was live before; each says what is live then.
	Promote(ctx context.Context, actor, name, reason string) (Promotion, error)
	Undo(ctx context.Context, actor, reason string) (Promotion, error)
	// Exports are those of the shadow, by the names that the live ones have.
	Exports(name string) (map[string]Export, error)
	// Diff says what is other than live. samples bounds how many of each kind are listed; figures also compares all metrics.
	Diff(ctx context.Context, name string, samples int, figures bool) (ShadowDiff, error)
}

// Promotion is what is live since the last one.
type Promotion struct {
	Shadow   string `json:"shadow"`   // what it was called as a shadow; "" is what was live before
	Position int64  `json:"position"` // of the decision in the control topic
	At       string `json:"at"`
	Hash     string `json:"hash"`     // of the configuration in force
	Undoable bool   `json:"undoable"` // what was live before is kept, as the shadow previous
}

// ShadowDiff is what is other in a shadow than live. It holds ids, names and counts, and no value of anybody.
type ShadowDiff struct {
	Shadow  string         `json:"shadow"`
	Live    string         `json:"live"` // hash of the configuration in force
	Hash    string         `json:"hash"` // of the shadow's
	People  *replay.People `json:"people"`
	Rows    []replay.Rows  `json:"rows"`
	Figures []ShadowFigure `json:"figures"` // those that are other
}

// ShadowFigure is a metric of all time that is other.
type ShadowFigure struct {
	Name         string   `json:"name"`
	Live         *float64 `json:"live"` // null: none, or of too few people
	Shadow       *float64 `json:"shadow"`
	LiveN        int64    `json:"liveN"` // rows
	ShadowN      int64    `json:"shadowN"`
	LivePeople   int64    `json:"livePeople"`
	ShadowPeople int64    `json:"shadowPeople"`
}

// MostSamples bounds what one answer lists of each kind.
const MostSamples = 10_000

// ShadowQuestion asks for a shadow. What is empty filters nothing.
type ShadowQuestion struct {
	Name          string          `json:"name"`
	Configuration json.RawMessage `json:"configuration,omitempty"` // the whole document; absent: the one in force
	From          string          `json:"from,omitempty"`          // RFC 3339, of OccurredAt
	To            string          `json:"to,omitempty"`
	Types         []string        `json:"types,omitempty"`
	Sources       []string        `json:"sources,omitempty"`
	Key           string          `json:"key,omitempty"` // the same key and name again is the same shadow
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
	mux.Handle("GET /v1/shadows/{name}/diff", s.needs(admin, func(w http.ResponseWriter, r *http.Request, _ access.Token) error {
		samples, err := strconv.Atoi(cmp.Or(r.URL.Query().Get("samples"), "10"))
		if err != nil || samples < 0 || samples > MostSamples {
			return &refusal{400, "samples_invalid", "samples is no number from 0 to 10000", "leave it out for 10"}
		}
		diff, err := s.Shadows.Diff(r.Context(), r.PathValue("name"), samples, r.URL.Query().Get("figures") != "no")
		if err != nil {
			return err
		}
		return writeJSON(w, diff)
	}))
	promoted := func(f func(r *http.Request, t access.Token, reason string) (Promotion, error)) http.Handler {
		return s.needs(admin, func(w http.ResponseWriter, r *http.Request, t access.Token) error {
			var q struct {
				Reason string `json:"reason"`
			}
			if r.ContentLength != 0 {
				if err := readJSON(r, &q); err != nil {
					return err
				}
			}
			out, err := f(r, t, q.Reason)
			if err != nil {
				return err
			}
			return writeJSON(w, out)
		})
	}
	mux.Handle("POST /v1/shadows/{name}/promote", promoted(func(r *http.Request, t access.Token, reason string) (Promotion, error) {
		return s.Shadows.Promote(r.Context(), t.Actor, r.PathValue("name"), reason)
	}))
	mux.Handle("POST /v1/promotion/undo", promoted(func(r *http.Request, t access.Token, reason string) (Promotion, error) {
		return s.Shadows.Undo(r.Context(), t.Actor, reason)
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
