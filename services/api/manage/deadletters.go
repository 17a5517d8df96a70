package manage

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
	"github.com/dossier-cdp/dossier/services/internal/access"
)

// DeadLetter is one refused input.
type DeadLetter struct {
	ID         string          `json:"id"`
	Code       string          `json:"code"`
	Reason     string          `json:"reason"`
	Hint       string          `json:"hint"`
	Source     string          `json:"source"`
	Endpoint   string          `json:"endpoint"`
	Mapping    string          `json:"mapping,omitempty"`
	ReceivedAt string          `json:"receivedAt"`
	State      string          `json:"state"`             // open, or what was done last and did it: replayed, repaired, dropped
	Payload    json.RawMessage `json:"payload,omitempty"` // show only; null when its key is gone
	Raw        string          `json:"raw,omitempty"`     // show only, when the payload is not JSON
	History    []Resolution    `json:"history,omitempty"` // show only: what was done about it, oldest first
}

// StateOpen is a letter about which nothing was done that did it.
const StateOpen = "open"

// Resolution is what was done about a letter.
type Resolution struct {
	deadletter.Resolution
	Payload json.RawMessage `json:"payload,omitempty"` // that was sent instead
}

// LetterFilter chooses letters. Empty members choose all.
type LetterFilter struct {
	Code     string `json:"code,omitempty"`
	Source   string `json:"source,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	Mapping  string `json:"mapping,omitempty"`
	Since    string `json:"since,omitempty"` // received at or after. RFC 3339
	Until    string `json:"until,omitempty"` // received before
	All      bool   `json:"all,omitempty"`   // also those that are not open
	Limit    int    `json:"limit,omitempty"` // the newest so many; 0: 100
}

// Filter reads the times.
func (f *LetterFilter) Filter(workspace string) (deadletter.Filter, error) {
	out := deadletter.Filter{Workspace: workspace, Code: f.Code, Source: f.Source, Endpoint: f.Endpoint, Mapping: f.Mapping}
	for text, to := range map[string]*schema.Instant{f.Since: &out.Since, f.Until: &out.Until} {
		if text == "" {
			continue
		}
		at, err := schema.ParseInstant(text)
		if err != nil {
			return out, &refusal{400, "time_invalid", "since or until is no time", "write it as 2026-02-28T09:30:00Z"}
		}
		*to = at
	}
	return out, nil
}

// LetterStat counts letters that were refused alike.
type LetterStat struct {
	Code     string `json:"code"`
	Source   string `json:"source"`
	Endpoint string `json:"endpoint"`
	Mapping  string `json:"mapping"`
	Letters  int    `json:"letters"`
	Open     int    `json:"open"`
	First    string `json:"first"` // received
	Last     string `json:"last"`
}

// ResolveLetters is the body of POST /v1/deadletters: which letters, and what to do about them.
type ResolveLetters struct {
	IDs     []string          `json:"ids,omitempty"`
	Filter  *LetterFilter     `json:"filter,omitempty"` // instead of ids
	Drop    bool              `json:"drop,omitempty"`   // else they are sent again
	Edits   []deadletter.Edit `json:"edits,omitempty"`  // of what is sent again
	Payload json.RawMessage   `json:"payload,omitempty"`
	Reason  string            `json:"reason,omitempty"`
	DryRun  bool              `json:"dryRun,omitempty"`
}

// LetterOutcome is what became of one letter.
type LetterOutcome struct {
	Letter string   `json:"letter"`
	Action string   `json:"action"`
	Events []string `json:"events"`         // ids of what is accepted
	Code   string   `json:"code,omitempty"` // why it is refused
	Reason string   `json:"reason,omitempty"`
	Hint   string   `json:"hint,omitempty"`
}

// DeadLetters reads what was refused, and does something about it.
type DeadLetters interface {
	// List gives the newest first.
	List(ctx context.Context, workspace string, f LetterFilter) ([]DeadLetter, error)
	Stats(ctx context.Context, workspace string, f LetterFilter) ([]LetterStat, error)
	Show(ctx context.Context, workspace, id string) (DeadLetter, bool, error)
	// Resolve gives an outcome for each letter, in the order in which they came.
	Resolve(ctx context.Context, workspace, actor string, r ResolveLetters) ([]LetterOutcome, error)
}

// maxLetters is how many letters one answer or decision is about.
const maxLetters = 10_000

func letterFilter(q url.Values) (f LetterFilter, err error) {
	f = LetterFilter{
		Code: q.Get("code"), Source: q.Get("source"), Endpoint: q.Get("endpoint"), Mapping: q.Get("mapping"), Since: q.Get("since"), Until: q.Get("until"),
		All: q.Get("all") != "",
	}
	if v := q.Get("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxLetters {
			return f, &refusal{400, "limit_invalid", "limit is a number from 1 to 10000", ""}
		}
		f.Limit = n
	}
	return f, nil
}

func (s *server) listDeadLetters(w http.ResponseWriter, r *http.Request, t access.Token) error {
	f, err := letterFilter(r.URL.Query())
	if err != nil {
		return err
	}
	letters, err := s.DeadLetters.List(r.Context(), t.Workspace, f)
	if err != nil {
		return err
	}
	return writeJSON(w, append([]DeadLetter{}, letters...))
}

func (s *server) countDeadLetters(w http.ResponseWriter, r *http.Request, t access.Token) error {
	f, err := letterFilter(r.URL.Query())
	if err != nil {
		return err
	}
	stats, err := s.DeadLetters.Stats(r.Context(), t.Workspace, f)
	if err != nil {
		return err
	}
	return writeJSON(w, append([]LetterStat{}, stats...))
}

func (s *server) showDeadLetter(w http.ResponseWriter, r *http.Request, t access.Token) error {
	letter, ok, err := s.DeadLetters.Show(r.Context(), t.Workspace, r.PathValue("id"))
	if err != nil {
		return err
	}
	if !ok {
		return &refusal{404, "letter_unknown", "there is no dead letter with this id", "list them with 'dossier deadletters list'"}
	}
	return writeJSON(w, letter)
}

func (s *server) resolveDeadLetters(w http.ResponseWriter, r *http.Request, t access.Token) error {
	var in ResolveLetters
	if err := readJSON(r, &in); err != nil {
		return err
	}
	switch {
	case (len(in.IDs) == 0) == (in.Filter == nil):
		return &refusal{400, "letters_missing", "say which letters: by ids, or by a filter", ""}
	case len(in.IDs) > maxLetters || in.Filter != nil && in.Filter.Limit > maxLetters:
		return &refusal{400, "limit_invalid", "one decision is about at most 10000 letters", ""}
	case in.Payload != nil && len(in.IDs) != 1:
		return &refusal{400, "payload_invalid", "a payload stands in for one letter", "name one id"}
	case in.Payload != nil && len(in.Edits) > 0 || in.Drop && (in.Payload != nil || len(in.Edits) > 0):
		return &refusal{400, "edit_invalid", "a letter is dropped, or sent with another payload, or with edits", "choose one of them"}
	}
	outcomes, err := s.DeadLetters.Resolve(r.Context(), t.Workspace, t.Actor, in)
	if err != nil {
		return err
	}
	return writeJSON(w, append([]LetterOutcome{}, outcomes...))
}
