package manage

import (
	"context"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/access"
)

// Texts are what a refit of the model that reads texts stands on.
type Texts struct {
	// Shipped gives what reads under the configuration in force, without corrections.
	Shipped func() (*verbatim.Analyzer, error)
	// Corrected gives the texts that people corrected, and some that nobody has. It waits until everything that the log holds at the call is there.
	Corrected func(ctx context.Context, workspace string) ([]verbatim.Corrected, error)
}

// RefitReading is the body of POST /v1/verbatim/refits; without DryRun the new version is in force for texts from now on.
type RefitReading struct {
	Reason string `json:"reason,omitempty"`
	DryRun bool   `json:"dryRun,omitempty"`
}

// RestateReading is the body of POST /v1/verbatim/restatements: all texts are read by the version in force.
type RestateReading struct {
	Reason string `json:"reason,omitempty"`
}

// ReadingLine is one decision of how texts are read.
type ReadingLine struct {
	Kind    string             `json:"kind"` // refit or restatement
	Version string             `json:"version"`
	At      string             `json:"at"` // empty: it was decided by this very call
	Actor   string             `json:"actor"`
	Reason  string             `json:"reason,omitempty"`
	Texts   int                `json:"texts"` // corrected ones that it was learnt from
	Learnt  *verbatim.Refitted `json:"learnt,omitempty"`
}

// readingPaths adds what the model that reads texts is refitted by, where this process can.
func (s *server) readingPaths(mux *http.ServeMux) {
	if s.Texts == nil {
		return
	}
	mux.Handle("GET /v1/verbatim/models", s.needs([]string{access.ScopeRead}, s.listReadings))
	mux.Handle("POST /v1/verbatim/refits", s.needs([]string{access.ScopeCare}, s.refit))
	mux.Handle("POST /v1/verbatim/restatements", s.needs([]string{access.ScopeCare}, s.restate))
}

func (s *server) listReadings(w http.ResponseWriter, _ *http.Request, t access.Token) error {
	lines := []ReadingLine{}
	for _, r := range slices.Backward(s.Control.State().Readings(t.Workspace, 0)) {
		kind := "refit"
		if r.Restated {
			kind = "restatement"
		}
		lines = append(lines, ReadingLine{Kind: kind, Version: r.Version, At: r.At.String(), Actor: r.Actor, Reason: r.Reason, Texts: r.Texts})
	}
	return writeJSON(w, lines)
}

// refit learns from all corrections what to add to the model that ships. The same corrections of the same texts give the same version.
func (s *server) refit(w http.ResponseWriter, r *http.Request, t access.Token) error {
	var in RefitReading
	if err := readJSON(r, &in); err != nil {
		return err
	}
	line := ReadingLine{Kind: "refit", Actor: t.Actor, Reason: in.Reason, Learnt: &verbatim.Refitted{}}
	var stored []byte
	err := fit(r.Context(), func() error {
		texts, err := s.Texts.Corrected(r.Context(), t.Workspace)
		if err != nil {
			return err
		}
		shipped, err := s.Texts.Shipped()
		if err != nil {
			return err
		}
		adjustment, learnt, err := verbatim.Refit(shipped, texts)
		if err != nil {
			return err
		}
		*line.Learnt, line.Texts = learnt, adjustment.Head.Texts
		line.Version = shipped.Version() + "." + adjustment.Version()
		stored, err = adjustment.Encode()
		return err
	})
	if err != nil || in.DryRun {
		if err == nil {
			err = writeJSON(w, line)
		}
		return err
	}
	err = s.Control.Append(r.Context(), &schema.Control{
		ID: uuid.NewString(), Kind: schema.ControlVerbatimRefitted, Workspace: t.Workspace, Actor: t.Actor, Reason: in.Reason,
		Reading: &schema.ControlReading{Version: line.Version, Adjustment: stored, Texts: line.Texts},
	})
	if err != nil {
		return err
	}
	return writeJSON(w, line)
}

func (s *server) restate(w http.ResponseWriter, r *http.Request, t access.Token) error {
	var in RestateReading
	if err := readJSON(r, &in); err != nil {
		return err
	}
	line := ReadingLine{Kind: "restatement", Actor: t.Actor, Reason: in.Reason}
	for _, d := range s.Control.State().Readings(t.Workspace, 0) {
		line.Version, line.Texts = d.Version, d.Texts
	}
	if line.Version == "" {
		return &refusal{409, "nothing_refitted", "every text is read by the model that ships: there is nothing to restate", "run dossier verbatim refit first"}
	}
	err := s.Control.Append(r.Context(), &schema.Control{
		ID: uuid.NewString(), Kind: schema.ControlVerbatimRestated, Workspace: t.Workspace, Actor: t.Actor, Reason: in.Reason,
		Reading: &schema.ControlReading{Version: line.Version, Texts: line.Texts},
	})
	if err != nil {
		return err
	}
	return writeJSON(w, line)
}
