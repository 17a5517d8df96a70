package manage

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/access"
	"github.com/dossier-cdp/dossier/services/rights"
)

// Rights does what people may ask for: *rights.Rights.
type Rights interface {
	graphql.Erasures
	Erasures(workspace string) []*graphql.Erasure
	Hold(ctx context.Context, c graphql.Caller, s graphql.Subject, reason string) (graphql.LegalHold, error)
	Lift(ctx context.Context, c graphql.Caller, id, reason string) (bool, error)
	Holds(workspace string) []graphql.LegalHold
	Suppress(ctx context.Context, c graphql.Caller, s graphql.Subject, reason string, ended bool) (*rights.Suppression, error)
	Suppressions(workspace string) []rights.SuppressionLine
	Regulate(ctx context.Context, c graphql.Caller, kind string, subjects []string, of, reason, id string) (string, error)
	Regulations(workspace string) []rights.Regulation
	Regulation(workspace, id string) (rights.Regulation, bool)
	Access(ctx context.Context, c graphql.Caller, s graphql.Subject) (*rights.File, error)
	Retention(ctx context.Context, c graphql.Caller) (*rights.Retention, error)
	Expire(ctx context.Context, c graphql.Caller, reason string, dryRun bool) (*rights.Expiry, error)
	Rectify(ctx context.Context, c graphql.Caller, s graphql.Subject, traits map[string]json.RawMessage, reason, key string) (schema.EventID, error)
}

// Exercise is the body by which a right is exercised: whom it is about, why, and under which key.
type Exercise struct {
	Kind           string `json:"kind,omitempty"` // of the identifier
	Value          string `json:"value,omitempty"`
	Country        string `json:"country,omitempty"`
	ID             string `json:"id,omitempty"` // of a profile or persona, instead of an identifier
	Reason         string `json:"reason"`
	IdempotencyKey string `json:"idempotencyKey,omitempty"`
	DryRun         bool   `json:"dryRun,omitempty"`
	Ended          bool   `json:"ended,omitempty"` // of a suppression: it is withdrawn

	Traits map[string]json.RawMessage `json:"traits,omitempty"` // of a rectification; null takes one back
}

func (x *Exercise) subject() (s graphql.Subject, err error) {
	if x.ID != "" {
		if x.Kind != "" || x.Value != "" {
			return s, &refusal{400, "subject_invalid", "name the person by an id or by an identifier, and not by both", ""}
		}
		s.ID, err = schema.ParsePersonaID(strings.TrimPrefix(strings.TrimPrefix(x.ID, "dossier:"), "persona:"))
		if err != nil {
			return s, &refusal{400, "id_invalid", err.Error(), ""}
		}
		return s, nil
	}
	s.Identifier = graphql.Identifier{Kind: strings.TrimSpace(x.Kind), Value: x.Value, Country: x.Country}
	if s.Identifier.Kind == "" || strings.TrimSpace(x.Value) == "" {
		return s, &refusal{400, "subject_missing", "say who it is about: an identifier has a kind and a value", "such as kind: email and value: anna@example.com; or give an id"}
	}
	return s, nil
}

// readExercise reads the body, its subject and its reason.
func readExercise(r *http.Request) (x Exercise, s graphql.Subject, err error) {
	if err := readJSON(r, &x); err != nil {
		return x, s, err
	}
	if s, err = x.subject(); err != nil {
		return x, s, err
	}
	if !x.DryRun && (strings.TrimSpace(x.Reason) == "" || utf8.RuneCountInString(x.Reason) > 2000) {
		return x, s, &refusal{400, "reason_missing", "a decision needs a reason of 1 to 2000 characters", "it is kept with the decision: no personal data belongs into it"}
	}
	if len(x.IdempotencyKey) > 200 {
		return x, s, &refusal{400, "key_invalid", "idempotencyKey has 1 to 200 characters", ""}
	}
	if x.IdempotencyKey == "" {
		x.IdempotencyKey = uuid.NewString()
	}
	return x, s, nil
}

func callerOf(t access.Token) graphql.Caller {
	return graphql.Caller{Workspace: t.Workspace, Actor: t.Actor, Scopes: t.Scopes, MaxCost: t.MaxCost}
}

// rightsPaths adds what a person may ask for, where this process can answer it. /regulations has the verbs and states of Segment's Public API.
func (s *server) rightsPaths(mux *http.ServeMux) {
	if s.Rights == nil {
		return
	}
	privacy := []string{access.ScopePrivacy}
	mux.Handle("POST /v1/erasures", s.needs(privacy, s.erase))
	mux.Handle("GET /v1/erasures", s.needs(privacy, s.listErasures))
	mux.Handle("GET /v1/erasures/{id}", s.needs(privacy, s.showErasure))
	mux.Handle("POST /v1/holds", s.needs(privacy, s.hold))
	mux.Handle("GET /v1/holds", s.needs(privacy, s.listHolds))
	mux.Handle("DELETE /v1/holds/{id}", s.needs(privacy, s.lift))
	mux.Handle("POST /v1/suppressions", s.needs(privacy, s.suppress))
	mux.Handle("GET /v1/suppressions", s.needs(privacy, s.listSuppressions))
	mux.Handle("GET /v1/retention", s.needs(privacy, s.showRetention))
	mux.Handle("POST /v1/retention", s.needs(privacy, s.applyRetention))
	mux.Handle("POST /v1/access", s.needs([]string{access.ScopePrivacy, access.ScopeUnmask}, s.giveAccess))
	mux.Handle("POST /v1/rectifications", s.needs(privacy, s.rectify))
	for _, path := range []string{"/regulations", "/v1/regulations"} {
		mux.Handle("POST "+path, s.needs(privacy, s.regulate))
		mux.Handle("GET "+path, s.needs(privacy, s.listRegulations))
		mux.Handle("GET "+path+"/{id}", s.needs(privacy, s.showRegulation))
	}
}

func (s *server) erase(w http.ResponseWriter, r *http.Request, t access.Token) error {
	x, subject, err := readExercise(r)
	if err != nil {
		return err
	}
	var e *graphql.Erasure
	if x.DryRun {
		e, err = s.Rights.Plan(r.Context(), callerOf(t), subject)
	} else {
		e, err = s.Rights.Erase(r.Context(), callerOf(t), subject, x.Reason, x.IdempotencyKey)
	}
	if err != nil {
		return err
	}
	about(r, e.Profiles...)
	return writeJSON(w, e)
}

func (s *server) listErasures(w http.ResponseWriter, _ *http.Request, t access.Token) error {
	return writeJSON(w, s.Rights.Erasures(t.Workspace))
}

func (s *server) showErasure(w http.ResponseWriter, r *http.Request, t access.Token) error {
	e, err := s.Rights.Erasure(r.Context(), callerOf(t), r.PathValue("id"))
	if err != nil {
		return err
	}
	if e == nil {
		return &refusal{404, "erasure_unknown", "there is no erasure with this id", "list them with 'dossier erasures list'"}
	}
	return writeJSON(w, e)
}

func (s *server) showRetention(w http.ResponseWriter, r *http.Request, t access.Token) error {
	kept, err := s.Rights.Retention(r.Context(), callerOf(t))
	if err != nil {
		return err
	}
	return writeJSON(w, kept)
}

// ApplyRetention is the body by which what is kept no longer ends.
type ApplyRetention struct {
	Reason string `json:"reason"`
	DryRun bool   `json:"dryRun,omitempty"`
}

func (s *server) applyRetention(w http.ResponseWriter, r *http.Request, t access.Token) error {
	var x ApplyRetention
	if err := readJSON(r, &x); err != nil {
		return err
	}
	if !x.DryRun && (strings.TrimSpace(x.Reason) == "" || utf8.RuneCountInString(x.Reason) > 2000) {
		return &refusal{400, "reason_missing", "a decision needs a reason of 1 to 2000 characters", "it is kept with the decision: no personal data belongs into it"}
	}
	done, err := s.Rights.Expire(r.Context(), callerOf(t), x.Reason, x.DryRun)
	if err != nil {
		return err
	}
	return writeJSON(w, done)
}

func (s *server) hold(w http.ResponseWriter, r *http.Request, t access.Token) error {
	x, subject, err := readExercise(r)
	if err != nil {
		return err
	}
	h, err := s.Rights.Hold(r.Context(), callerOf(t), subject, x.Reason)
	if err != nil {
		return err
	}
	about(r, h.Profiles...)
	return writeJSON(w, h)
}

func (s *server) listHolds(w http.ResponseWriter, _ *http.Request, t access.Token) error {
	return writeJSON(w, s.Rights.Holds(t.Workspace))
}

func (s *server) lift(w http.ResponseWriter, r *http.Request, t access.Token) error {
	reason := r.URL.Query().Get("reason")
	if strings.TrimSpace(reason) == "" {
		return &refusal{400, "reason_missing", "a decision needs a reason", "give it as ?reason=…"}
	}
	known, err := s.Rights.Lift(r.Context(), callerOf(t), r.PathValue("id"), reason)
	if err != nil {
		return err
	}
	if !known {
		return &refusal{404, "hold_unknown", "there is no hold with this id", "list them with 'dossier holds list'"}
	}
	return writeJSON(w, map[string]string{"lifted": r.PathValue("id")})
}

func (s *server) giveAccess(w http.ResponseWriter, r *http.Request, t access.Token) error {
	_, subject, err := readExercise(r)
	if err != nil {
		return err
	}
	file, err := s.Rights.Access(r.Context(), callerOf(t), subject)
	if err != nil {
		return err
	}
	about(r, file.Profile)
	return writeJSON(w, file)
}

func (s *server) rectify(w http.ResponseWriter, r *http.Request, t access.Token) error {
	x, subject, err := readExercise(r)
	if err != nil {
		return err
	}
	if len(x.Traits) == 0 {
		return &refusal{400, "traits_missing", "say what is right: at least one trait with its value", "null takes a trait back"}
	}
	event, err := s.Rights.Rectify(r.Context(), callerOf(t), subject, x.Traits, x.Reason, x.IdempotencyKey)
	if err != nil {
		return err
	}
	return writeJSON(w, map[string]string{"event": event.String()})
}

func (s *server) suppress(w http.ResponseWriter, r *http.Request, t access.Token) error {
	x, subject, err := readExercise(r)
	if err != nil {
		return err
	}
	decided, err := s.Rights.Suppress(r.Context(), callerOf(t), subject, x.Reason, x.Ended)
	if err != nil {
		return err
	}
	return writeJSON(w, decided)
}

func (s *server) listSuppressions(w http.ResponseWriter, _ *http.Request, t access.Token) error {
	return writeJSON(w, s.Rights.Suppressions(t.Workspace))
}

// regulationBody is what Segment's Public API takes.
type regulationBody struct {
	RegulationType string   `json:"regulationType"`
	SubjectType    string   `json:"subjectType"`
	SubjectIDs     []string `json:"subjectIds"`
	Reason         string   `json:"reason,omitempty"` // ours
}

// subjectKinds are the kinds of identifiers by Segment's names of subjects.
var subjectKinds = map[string]string{"USER_ID": "user_id", "ANONYMOUS_ID": "anonymous_id", "EMAIL": "email"}

// segmentData is how Segment's Public API wraps what it answers.
type segmentData struct {
	Data any `json:"data"`
}

func (s *server) regulate(w http.ResponseWriter, r *http.Request, t access.Token) error {
	var in regulationBody
	if err := readJSON(r, &in); err != nil {
		return err
	}
	kind, known := subjectKinds[in.SubjectType]
	switch {
	case !slices.Contains(rights.RegulationTypes(), in.RegulationType):
		return &refusal{400, "regulation_unknown", "there is no such regulationType", "take one of " + strings.Join(rights.RegulationTypes(), ", ")}
	case !known:
		return &refusal{400, "subject_unsupported", "there is no such subjectType", "take one of USER_ID, ANONYMOUS_ID, EMAIL"}
	case len(in.SubjectIDs) == 0 || len(in.SubjectIDs) > rights.MaxSubjects:
		return &refusal{400, "subjects_invalid", "subjectIds names 1 to 5000 people", "send more in further regulations"}
	case slices.ContainsFunc(in.SubjectIDs, func(id string) bool { return strings.TrimSpace(id) == "" || len(id) > 512 }):
		return &refusal{400, "subjects_invalid", "a subject id has 1 to 512 bytes", ""}
	}
	if in.Reason == "" {
		in.Reason = "regulation " + in.RegulationType
	}
	id, err := s.Rights.Regulate(r.Context(), callerOf(t), kind, in.SubjectIDs, in.RegulationType, in.Reason, uuid.NewString())
	if err != nil {
		return err
	}
	return writeJSON(w, segmentData{map[string]string{"regulateId": id}})
}

func (s *server) listRegulations(w http.ResponseWriter, r *http.Request, t access.Token) error {
	all := []rights.Regulation{}
	status := r.URL.Query().Get("status")
	for _, g := range s.Rights.Regulations(t.Workspace) {
		if status == "" || g.OverallStatus == status {
			all = append(all, g)
		}
	}
	return writeJSON(w, segmentData{map[string]any{"regulations": all, "pagination": map[string]any{"current": "", "totalEntries": len(all)}}})
}

func (s *server) showRegulation(w http.ResponseWriter, r *http.Request, t access.Token) error {
	g, known := s.Rights.Regulation(t.Workspace, r.PathValue("id"))
	if !known {
		return &refusal{404, "regulation_unknown", "there is no regulation with this id", "GET /regulations lists them"}
	}
	return writeJSON(w, segmentData{map[string]any{"regulation": g}})
}
