// Package manage serves the paths by which an installation is run: exports and digests, dead letters, keys, tokens,
// configuration, waiting for visibility, and the doctor's checks. The command line is its main user.
//
// Every path needs a token: exports and dead letters the scopes read and unmask, the rest admin, waiting only read. Answers are
// JSON, exports NDJSON; an error is {"error":{"code","message","hint"}}. It decides nothing that package control or a role decides.
package manage

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/audit"
	"github.com/dossier-cdp/dossier/services/backup"
	"github.com/dossier-cdp/dossier/services/internal/access"
	"github.com/dossier-cdp/dossier/services/internal/control"
)

// Export writes one projection as canonical NDJSON, sorted: the same bytes for the same set of events and options.
type Export func(ctx context.Context, workspace string, w io.Writer, o ExportOptions) error

// ExportOptions add to an export what the set of events alone does not decide.
type ExportOptions struct {
	Clocks bool           // receipt and record times and provenance, which differ between installations
	At     schema.Instant // what depends on the time of asking, as it is then: what profiles consent to. 0 leaves it out
	Select archive.Filter // of events: which of them. Empty for every other export

	// As of another time, both inclusive; 0 is now. AsOf is what had happened, KnownAt what the log had recorded, under the configuration of then.
	AsOf, KnownAt schema.Instant
}

// Pasts are the exports that are told as of another time.
func Pasts() []string { return []string{"events", "personas", "profiles", "timeline"} }

// Check is one line of the doctor.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"` // what to do, when it is not well
}

// Config is what the paths stand on.
type Config struct {
	Control     *control.Control
	Exports     map[string]Export
	Replay      Replay  // nil: not answered here
	Shadows     Shadows // nil: not answered here
	DeadLetters DeadLetters
	// Wait returns when everything that the log held at the call is queryable.
	Wait func(ctx context.Context) error
	// Doctor checks the installation.
	Doctor func(ctx context.Context) []Check
	// CheckConfiguration refuses a document that no role could run under, and gives its hash and canonical form.
	CheckConfiguration func(document []byte) (hash string, canonical []byte, err error)
	// Documents gives the configuration in force before the first change.
	DefaultConfiguration []byte
	Backup               backup.Source // nil: not answered here
	RingCopies           RingCopies    // nil: not answered here
	Customers            Customers     // nil: not answered here
	Texts                *Texts        // nil: not answered here
	Rights               Rights        // nil: not answered here
	Audit                *audit.Writer // of each right exercised and each read of personal values; nil: nothing is recorded
	AuditLog             audit.Reader  // nil: not answered here
}

type server struct{ Config }

// Handler serves the management paths under /v1/.
func Handler(c Config) http.Handler {
	s := &server{c}
	mux := http.NewServeMux()
	mux.Handle("GET /v1/export/{name}", s.needs([]string{access.ScopeRead, access.ScopeUnmask}, s.export))
	mux.Handle("GET /v1/digest", s.needs([]string{access.ScopeRead}, s.digest))
	mux.Handle("POST /v1/wait", s.needs([]string{access.ScopeRead}, s.wait))
	mux.Handle("GET /v1/deadletters", s.needs([]string{access.ScopeRead, access.ScopeUnmask}, s.listDeadLetters))
	mux.Handle("GET /v1/deadletters/{id}", s.needs([]string{access.ScopeRead, access.ScopeUnmask}, s.showDeadLetter))
	mux.Handle("GET /v1/deadletterstats", s.needs([]string{access.ScopeRead}, s.countDeadLetters))
	mux.Handle("POST /v1/deadletters", s.needs([]string{access.ScopeAdmin, access.ScopeUnmask}, s.resolveDeadLetters))
	mux.Handle("GET /v1/doctor", s.needs([]string{access.ScopeAdmin}, s.doctor))
	mux.Handle("GET /v1/workspaces", s.needs([]string{access.ScopeAdmin}, s.listWorkspaces))
	mux.Handle("GET /v1/keys", s.needs([]string{access.ScopeAdmin}, s.listKeys))
	mux.Handle("POST /v1/keys", s.needs([]string{access.ScopeAdmin}, s.createKey))
	mux.Handle("DELETE /v1/keys/{id}", s.needs([]string{access.ScopeAdmin}, s.revokeKey))
	mux.Handle("GET /v1/tokens", s.needs([]string{access.ScopeAdmin}, s.listTokens))
	mux.Handle("POST /v1/tokens", s.needs([]string{access.ScopeAdmin}, s.createToken))
	mux.Handle("DELETE /v1/tokens/{id}", s.needs([]string{access.ScopeAdmin}, s.revokeToken))
	mux.Handle("GET /v1/configuration", s.needs([]string{access.ScopeRead}, s.showConfiguration))
	mux.Handle("PUT /v1/configuration", s.needs([]string{access.ScopeAdmin}, s.applyConfiguration))
	mux.Handle("GET /v1/configuration/log", s.needs([]string{access.ScopeRead}, s.configurationLog))
	s.backupPaths(mux)
	s.valuePaths(mux)
	s.readingPaths(mux)
	s.rightsPaths(mux)
	s.auditPaths(mux)
	s.replayPaths(mux)
	s.shadowPaths(mux)
	return mux
}

type handler func(w http.ResponseWriter, r *http.Request, t access.Token) error

// refusal is an error that the caller can mend.
type refusal struct {
	status              int
	code, message, hint string
}

func (e *refusal) Error() string { return e.code + ": " + e.message }

func (s *server) needs(scopes []string, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := func() error {
			secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if !ok {
				return &refusal{401, "token_missing", "this path needs a token", "send it as 'Authorization: Bearer TOKEN'; credentials.json in the data folder has one"}
			}
			token, ok := s.Control.Token(strings.TrimSpace(secret))
			if !ok {
				return &refusal{401, "token_unknown", "this token is not known here", "create one with 'dossier tokens create'"}
			}
			for _, scope := range scopes {
				if !token.Has(scope) {
					return &refusal{403, "scope_missing", "this token lacks the scope " + scope, "create one with 'dossier tokens create --scope " + scope + "'"}
				}
			}
			return s.recorded(w, r, token, scopes, h)
		}()
		if err != nil {
			writeError(w, err)
		}
	})
}

func writeError(w http.ResponseWriter, err error) {
	status, code, message, hint := http.StatusInternalServerError, "internal", err.Error(), ""
	var ref *refusal
	var rejected *schema.Refusal
	var refused *control.ErrRefused
	var coded *graphql.Error
	var profiles []schema.ProfileID
	switch {
	case errors.As(err, &ref):
		status, code, message, hint = ref.status, ref.code, ref.message, ref.hint
	case errors.As(err, &coded):
		status, code, message, hint = statusOf(coded.Code), strings.ToLower(coded.Code), coded.Message, coded.Hint
		profiles = coded.Profiles
	case errors.As(err, &rejected):
		status, code, message, hint = 400, rejected.Code, rejected.Reason, rejected.Hint
	case errors.As(err, &refused):
		status, code, message, hint = 409, "conflict", refused.Reason, "read the state as it is now and decide again"
	case errors.Is(err, context.DeadlineExceeded):
		status, code, message, hint = 504, "timeout", "the time given is over", "ask again"
	case schema.ClassOf(err) == schema.Transient:
		status, code, hint = 503, "unavailable", "ask again; 'dossier doctor' tells what is not well"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fault := map[string]any{"code": code, "message": message, "hint": hint}
	if len(profiles) > 0 {
		fault["profiles"] = profiles
	}
	body := map[string]any{"error": fault}
	if err := json.NewEncoder(w).Encode(body); err != nil {
		return // the caller has gone
	}
}

// statusOf is the status of an error that GraphQL has a code for.
func statusOf(code string) int {
	switch code {
	case graphql.CodeUnknown:
		return http.StatusNotFound
	case graphql.CodeAmbiguous, graphql.CodeConflict:
		return http.StatusConflict
	case graphql.CodeBadInput:
		return http.StatusBadRequest
	case graphql.CodeForbidden:
		return http.StatusForbidden
	case graphql.CodeNotReady:
		return http.StatusServiceUnavailable
	case graphql.CodeNotAvailable:
		return http.StatusNotImplemented
	case graphql.CodeTimeout:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

func writeJSON(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(v)
}

func (s *server) export(w http.ResponseWriter, r *http.Request, t access.Token) error {
	exports, err := s.exportsOf(r)
	if err != nil {
		return err
	}
	export, ok := exports[r.PathValue("name")]
	if !ok {
		return &refusal{404, "export_unknown", "there is no such export", "ask for one of " + strings.Join(s.exportNames(), ", ")}
	}
	o := ExportOptions{Clocks: r.URL.Query().Get("clocks") != ""}
	for name, to := range map[string]*schema.Instant{"at": &o.At, "asOf": &o.AsOf, "knownAt": &o.KnownAt} {
		if text := r.URL.Query().Get(name); text != "" {
			at, err := schema.ParseInstant(text)
			if err != nil || at == 0 {
				return &refusal{400, strings.ToLower(name) + "_invalid", name + " is no time", "write it as 2026-02-28T09:30:00Z"}
			}
			*to = at
		}
	}
	if (o.AsOf != 0 || o.KnownAt != 0) && !slices.Contains(Pasts(), r.PathValue("name")) {
		return &refusal{400, "past_unavailable", r.PathValue("name") + " are told as they are now alone", "ask for one of " + strings.Join(Pasts(), ", ") + ", or leave asOf and knownAt out"}
	}
	if o.Select, err = selection(r); err != nil {
		return err
	}
	if !o.Select.Empty() && r.PathValue("name") != "events" {
		return &refusal{400, "selection_invalid", "type, source, from and to choose events", "export events, or leave them out"}
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Trailer", "Dossier-Error")
	out := bufio.NewWriterSize(w, 1<<16)
	err = export(r.Context(), t.Workspace, out, o)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		// The status has gone out: the trailer tells that the stream is cut.
		w.Header().Set("Dossier-Error", err.Error())
	}
	return nil
}

// selection reads which events are wanted.
func selection(r *http.Request) (f archive.Filter, err error) {
	query := r.URL.Query()
	for _, name := range query["type"] {
		kind, ok := schema.ParseType(name)
		if !ok {
			return f, &refusal{400, "type_unknown", "there is no event type " + strconv.Quote(name), "take one as events show it, such as order.placed"}
		}
		f.Types = append(f.Types, kind)
	}
	f.Sources = query["source"]
	for name, to := range map[string]*schema.Instant{"from": &f.From, "to": &f.To} {
		if text := query.Get(name); text != "" {
			if *to, err = schema.ParseInstant(text); err != nil || *to == 0 {
				return f, &refusal{400, name + "_invalid", name + " is no time", "write it as 2026-02-28T09:30:00Z"}
			}
		}
	}
	return f, nil
}

func (s *server) exportNames() []string {
	names := make([]string, 0, len(s.Exports))
	for name := range s.Exports {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Households is the export that has no line in a digest: it follows from profiles, and costs a look around each of them.
const Households = "households"

// Matches is the export that has a line in a digest only if it is not empty: without a model it is none.
const Matches = "matches"

// Digest is one line of `dossier digest`.
type Digest struct {
	SHA256 string `json:"sha256"`
	Name   string `json:"name"`
	Count  int64  `json:"count"`
}

type lineCounter struct{ lines int64 }

func (c *lineCounter) Write(p []byte) (int, error) {
	for _, b := range p {
		if b == '\n' {
			c.lines++
		}
	}
	return len(p), nil
}

func (s *server) digest(w http.ResponseWriter, r *http.Request, t access.Token) error {
	exports, err := s.exportsOf(r)
	if err != nil {
		return err
	}
	var out []Digest
	for _, name := range s.exportNames() {
		if name == Households {
			continue
		}
		hash, count := sha256.New(), &lineCounter{}
		buffered := bufio.NewWriterSize(io.MultiWriter(hash, count), 1<<16)
		if err := exports[name](r.Context(), t.Workspace, buffered, ExportOptions{}); err != nil {
			return fmt.Errorf("export %s: %w", name, err)
		}
		if err := buffered.Flush(); err != nil {
			return err
		}
		if name == Matches && count.lines == 0 {
			continue // as without a model
		}
		out = append(out, Digest{hex.EncodeToString(hash.Sum(nil)), name, count.lines})
	}
	return writeJSON(w, out)
}

func (s *server) wait(w http.ResponseWriter, r *http.Request, _ access.Token) error {
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	if err := s.Wait(ctx); err != nil {
		return err
	}
	return writeJSON(w, map[string]bool{"visible": true})
}

func (s *server) doctor(w http.ResponseWriter, r *http.Request, _ access.Token) error {
	return writeJSON(w, s.Doctor(r.Context()))
}

func (s *server) listWorkspaces(w http.ResponseWriter, r *http.Request, _ access.Token) error {
	return writeJSON(w, s.Control.State().Workspaces())
}

// KeyLine is a write key without its secret.
type KeyLine struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Source string `json:"source"`
	Trust  string `json:"trust"`
	Secret string `json:"secret,omitempty"` // once, when it is created
}

// TokenLine is a token without its secret.
type TokenLine struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Actor  string   `json:"actor"`
	Scopes []string `json:"scopes"`
	Secret string   `json:"secret,omitempty"` // once, when it is created

	MaxCost int `json:"maxCost,omitempty"` // of one GraphQL operation; 0: the installation's limit
}

func (s *server) listKeys(w http.ResponseWriter, r *http.Request, t access.Token) error {
	lines := []KeyLine{}
	for _, k := range s.Control.State().WriteKeys(t.Workspace) {
		lines = append(lines, KeyLine{ID: k.ID, Name: k.Label, Source: k.Source, Trust: k.Trust.String()})
	}
	return writeJSON(w, lines)
}

func (s *server) listTokens(w http.ResponseWriter, r *http.Request, t access.Token) error {
	lines := []TokenLine{}
	for _, k := range s.Control.State().Tokens(t.Workspace) {
		lines = append(lines, TokenLine{ID: k.ID, Name: k.Name, Actor: k.Actor, Scopes: k.Scopes, MaxCost: k.MaxCost})
	}
	return writeJSON(w, lines)
}

func readJSON(r *http.Request, into any) error {
	decoder := json.NewDecoder(io.LimitReader(r.Body, 4<<20))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return &refusal{400, "body_invalid", "the body is not the JSON that this path takes: " + err.Error(), ""}
	}
	return nil
}

// NewSecret makes a secret of 256 random bits with a prefix that tells what it is.
func NewSecret(prefix string) string {
	var b [32]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return prefix + hex.EncodeToString(b[:])
}

func (s *server) createKey(w http.ResponseWriter, r *http.Request, t access.Token) error {
	var in KeyLine
	if err := readJSON(r, &in); err != nil {
		return err
	}
	trust, ok := schema.ParseTrust(in.Trust)
	if !ok {
		return &refusal{400, "trust_invalid", "a write key is client (public) or server (secret)", "say trust: client or server"}
	}
	if in.Source == "" {
		return &refusal{400, "source_missing", "a write key belongs to a source", "name the connected system, such as shop"}
	}
	if !channel.IsSourceName(in.Source) {
		return &refusal{400, "source_invalid", "this is no name of a source", "use small letters, digits, dots, dashes and underscores, such as shop"}
	}
	prefix := "dk_server_"
	if trust == schema.TrustClient {
		prefix = "dk_client_"
	}
	in.ID, in.Secret = uuid.NewString(), NewSecret(prefix)
	err := s.Control.Append(r.Context(), &schema.Control{
		ID: uuid.NewString(), Kind: schema.ControlKeyCreated, Workspace: t.Workspace, Actor: t.Actor,
		Key: &schema.ControlAccess{ID: in.ID, Name: in.Name, Hash: control.HashSecret(in.Secret), Source: in.Source, Trust: in.Trust},
	})
	if err != nil {
		return err
	}
	return writeJSON(w, in)
}

func (s *server) revokeKey(w http.ResponseWriter, r *http.Request, t access.Token) error {
	for _, k := range s.Control.State().WriteKeys(t.Workspace) {
		if k.ID == r.PathValue("id") {
			err := s.Control.Append(r.Context(), &schema.Control{
				ID: uuid.NewString(), Kind: schema.ControlKeyRevoked, Workspace: t.Workspace, Actor: t.Actor, Key: &schema.ControlAccess{ID: k.ID},
			})
			if err != nil {
				return err
			}
			return writeJSON(w, map[string]string{"revoked": k.ID})
		}
	}
	return &refusal{404, "key_unknown", "there is no write key with this id", "list them with 'dossier keys list'"}
}

func (s *server) createToken(w http.ResponseWriter, r *http.Request, t access.Token) error {
	var in TokenLine
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if in.Name == "" || in.Actor == "" {
		return &refusal{400, "actor_missing", "a token has a name and an actor, who is held responsible for what it does", "say name: crm and actor: crm@example.com"}
	}
	if len(in.Scopes) == 0 {
		return &refusal{400, "scopes_missing", "a token needs at least one scope", "choose of " + strings.Join(access.Scopes(), ", ")}
	}
	for _, scope := range in.Scopes {
		if !slices.Contains(access.Scopes(), scope) {
			return &refusal{400, "scope_unknown", "there is no scope " + strconv.Quote(scope), "choose of " + strings.Join(access.Scopes(), ", ")}
		}
	}
	if in.MaxCost < 0 {
		return &refusal{400, "cost_invalid", "what a query may cost is a positive number", "leave maxCost out for the installation's limit"}
	}
	in.ID, in.Secret = uuid.NewString(), NewSecret("dt_")
	err := s.Control.Append(r.Context(), &schema.Control{
		ID: uuid.NewString(), Kind: schema.ControlTokenCreated, Workspace: t.Workspace, Actor: t.Actor,
		Token: &schema.ControlAccess{ID: in.ID, Name: in.Name, Hash: control.HashSecret(in.Secret), Actor: in.Actor, Scopes: in.Scopes, MaxCost: in.MaxCost},
	})
	if err != nil {
		return err
	}
	return writeJSON(w, in)
}

func (s *server) revokeToken(w http.ResponseWriter, r *http.Request, t access.Token) error {
	for _, k := range s.Control.State().Tokens(t.Workspace) {
		if k.ID == r.PathValue("id") {
			err := s.Control.Append(r.Context(), &schema.Control{
				ID: uuid.NewString(), Kind: schema.ControlTokenRevoked, Workspace: t.Workspace, Actor: t.Actor, Token: &schema.ControlAccess{ID: k.ID},
			})
			if err != nil {
				return err
			}
			return writeJSON(w, map[string]string{"revoked": k.ID})
		}
	}
	return &refusal{404, "token_unknown", "there is no token with this id", "list them with 'dossier tokens list'"}
}

// ConfigurationLine is the configuration in force.
type ConfigurationLine struct {
	Hash     string          `json:"hash"` // empty before the first change: the default is in force
	Document json.RawMessage `json:"document"`
}

func (s *server) showConfiguration(w http.ResponseWriter, r *http.Request, t access.Token) error {
	c := s.Control.State().Configuration(t.Workspace)
	if c.Hash == "" {
		c.Document = s.DefaultConfiguration
	}
	return writeJSON(w, ConfigurationLine{c.Hash, c.Document})
}

// ApplyConfiguration is the body of PUT /v1/configuration.
type ApplyConfiguration struct {
	Document json.RawMessage `json:"document"`
	Base     string          `json:"base"` // the hash that the change is based on
	Reason   string          `json:"reason"`
}

func (s *server) applyConfiguration(w http.ResponseWriter, r *http.Request, t access.Token) error {
	var in ApplyConfiguration
	if err := readJSON(r, &in); err != nil {
		return err
	}
	hash, document, err := s.CheckConfiguration(in.Document)
	if err != nil {
		return err
	}
	if hash == s.Control.State().Configuration(t.Workspace).Hash {
		return writeJSON(w, ConfigurationLine{hash, document})
	}
	err = s.Control.Append(r.Context(), &schema.Control{
		ID: uuid.NewString(), Kind: schema.ControlConfigurationChanged, Workspace: t.Workspace, Actor: t.Actor, Reason: in.Reason,
		Configuration: &schema.ControlConfiguration{Document: document, Hash: hash, Base: in.Base},
	})
	if err != nil {
		return err
	}
	return writeJSON(w, ConfigurationLine{hash, document})
}

// ConfigurationChange is one line of the configuration's history.
type ConfigurationChange struct {
	Hash   string `json:"hash"`
	Base   string `json:"base"`
	Actor  string `json:"actor"`
	Reason string `json:"reason"`
	At     string `json:"at"`
}

func (s *server) configurationLog(w http.ResponseWriter, r *http.Request, t access.Token) error {
	lines := []ConfigurationChange{}
	for _, c := range s.Control.State().Changes(t.Workspace) {
		lines = append(lines, ConfigurationChange{c.Hash, c.Base, c.Actor, c.Reason, c.At.String()})
	}
	return writeJSON(w, lines)
}

// Paths are the patterns under which Handler is to be mounted.
func Paths() []string {
	return []string{
		"/v1/export/", "/v1/replay", "/v1/replay/", "/v1/shadows", "/v1/shadows/", "/v1/promotion/", "/v1/digest", "/v1/wait", "/v1/deadletters", "/v1/deadletters/", "/v1/deadletterstats", "/v1/doctor", "/v1/workspaces", "/v1/keys", "/v1/keys/",
		"/v1/tokens", "/v1/tokens/", "/v1/configuration", "/v1/configuration/",
		"/v1/backup", "/v1/backup/", "/v1/ring/", "/v1/value/", "/v1/verbatim/",
		"/v1/erasures", "/v1/erasures/", "/v1/holds", "/v1/holds/", "/v1/suppressions", "/v1/retention", "/v1/access", "/v1/rectifications", "/v1/audit", "/v1/audit/", "/regulations", "/regulations/", "/v1/regulations", "/v1/regulations/",
	}
}
