package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/services/audit"
)

// The media types of an answer. Under legacyType a document that is refused is answered 200, as old clients want it; under
// responseType the status tells.
const (
	responseType = "application/graphql-response+json"
	legacyType   = "application/json"
)

// refusal is an answer to a request that is no GraphQL operation, or that may not be one. It has the form of a GraphQL answer.
type refusal struct {
	status              int
	code, message, hint string
}

func (r *refusal) Error() string { return r.message }

// graphql answers GET and POST /graphql.
func (a *API) graphql(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept")
	h.Add("Vary", "Authorization")
	if toExplorer(r) {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	mediaType, response, err := a.answer(w, r)
	status := http.StatusOK
	if err != nil {
		status, response = refused(err)
	} else {
		status = statusOf(response, mediaType)
	}
	switch status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="dossier"`)
	case http.StatusMethodNotAllowed:
		h.Set("Allow", "GET, POST")
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	}
	a.operations.WithLabelValues(outcome(response)).Observe(time.Since(start).Seconds())
	h.Set("Content-Type", mediaType+"; charset=utf-8")
	body, err := response.AppendJSON(nil)
	if err != nil {
		// Unreachable: messages, paths and extensions are text and numbers.
		a.Logger.Error("answer a GraphQL operation", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	send(w, status, body)
}

// answer goes from the request to what is answered, in the media type that the client wants. An error is a *refusal.
func (a *API) answer(w http.ResponseWriter, r *http.Request) (mediaType string, response *graphql.Response, err error) {
	// Set before anything is refused: what is left of a refused request's body is read, too, before its answer goes out.
	if err := deadline(w, time.Now().Add(a.bodyTimeout)); err != nil {
		return legacyType, nil, err
	}
	if mediaType, err = negotiate(r.Header.Values("Accept")); err != nil {
		return legacyType, nil, err
	}
	caller, err := a.caller(r)
	if err != nil {
		return mediaType, nil, err
	}
	request, err := a.read(w, r)
	if err != nil {
		return mediaType, nil, err
	}
	// From here on a read only notices that the client has gone, and the operation may take longer than a body.
	if err := deadline(w, time.Time{}); err != nil {
		return mediaType, nil, err
	}
	response, err = a.execute(r.Context(), caller, request)
	if err == nil {
		err = a.audit(r, caller, response)
	}
	return mediaType, response, err
}

// scopeUnmask shows personal values.
const scopeUnmask = "unmask"

// audit records whose personal values an operation shows, before they go out.
func (a *API) audit(r *http.Request, caller graphql.Caller, response *graphql.Response) error {
	if a.Audit == nil || len(response.People) == 0 || !slices.Contains(caller.Scopes, scopeUnmask) {
		return nil
	}
	record := audit.Record{Actor: caller.Actor, Action: "graphql", Purpose: r.Header.Get(audit.PurposeHeader), Scopes: caller.Scopes, People: len(response.People)}
	for _, id := range response.People[:min(len(response.People), audit.MaxProfiles)] {
		record.Profiles = append(record.Profiles, id.String())
	}
	if err := a.Audit.Add(r.Context(), record); err != nil {
		return &refusal{http.StatusServiceUnavailable, "NOT_READY", "the audit log takes no record", "ask again in a moment"}
	}
	return nil
}

// execute waits for a turn and runs the operation, within the time that it has.
func (a *API) execute(ctx context.Context, caller graphql.Caller, request graphql.Request) (*graphql.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	turns := a.reads
	if strings.Contains(request.Query, "mutation") {
		turns = a.decisions
	}
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
		return a.schema.Execute(ctx, caller, request), nil
	case <-ctx.Done():
		return nil, &refusal{http.StatusServiceUnavailable, "OVERLOADED", "too many operations are waiting", "ask again in a moment, or ask for less"}
	}
}

// send writes an answer. A client that does not read is cut off.
func send(w http.ResponseWriter, status int, body []byte) {
	control := http.NewResponseController(w)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if err := control.SetWriteDeadline(time.Now().Add(answerTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return // the caller has gone
	}
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		return // the caller has gone
	}
	if err := control.Flush(); err != nil {
		return // the caller has gone
	}
	if err := control.SetWriteDeadline(time.Time{}); err != nil {
		return // not a connection that can be used again
	}
}

// caller is who the token stands for.
func (a *API) caller(r *http.Request) (graphql.Caller, error) {
	header := r.Header.Get("Authorization")
	scheme, secret, _ := strings.Cut(header, " ")
	secret = strings.TrimSpace(secret)
	if header == "" {
		return graphql.Caller{}, &refusal{http.StatusUnauthorized, "UNAUTHENTICATED", "this path needs a token", "send the header 'Authorization: Bearer TOKEN'; 'dossier tokens create' makes one"}
	}
	if !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return graphql.Caller{}, &refusal{http.StatusUnauthorized, "UNAUTHENTICATED", "the Authorization header is not of the form 'Bearer TOKEN'", "send the header 'Authorization: Bearer TOKEN'; write keys do not work here"}
	}
	if token, ok := a.Access.Token(secret); ok {
		return graphql.Caller{Workspace: token.Workspace, Actor: token.Actor, Scopes: token.Scopes, MaxCost: cmp.Or(token.MaxCost, a.MaxCost)}, nil
	}
	if _, ok := a.Access.WriteKey(secret); ok {
		return graphql.Caller{}, &refusal{http.StatusForbidden, "FORBIDDEN", "a write key sends events and reads nothing", "use a token; 'dossier tokens create' makes one"}
	}
	return graphql.Caller{}, &refusal{http.StatusUnauthorized, "UNAUTHENTICATED", "this token is unknown or revoked", "list tokens with 'dossier tokens list', or create one with 'dossier tokens create'"}
}

func refused(err error) (int, *graphql.Response) {
	r := (*refusal)(nil)
	if !errors.As(err, &r) {
		// Unreachable: what reads a request refuses it with a refusal.
		r = &refusal{http.StatusBadRequest, graphql.CodeBadInput, "the request cannot be read", ""}
	}
	extensions := map[string]any{"code": r.code}
	if r.hint != "" {
		extensions["hint"] = r.hint
	}
	return r.status, &graphql.Response{Errors: []*graphql.ResponseError{{Message: r.message, Extensions: extensions}}}
}

// statusOf maps the code with which an operation was refused. An operation that was answered, if only in part, is 200.
func statusOf(r *graphql.Response, mediaType string) int {
	switch code := r.Refused(); code {
	case "":
		return http.StatusOK
	case graphql.CodeForbidden:
		return http.StatusForbidden
	case graphql.CodeMethod:
		return http.StatusMethodNotAllowed
	case graphql.CodeInternal:
		return http.StatusInternalServerError
	case graphql.CodeTimeout:
		return http.StatusGatewayTimeout
	}
	if mediaType == legacyType {
		return http.StatusOK
	}
	return http.StatusBadRequest
}

// outcome labels an operation; its values are the codes of this package and of package graphql.
func outcome(r *graphql.Response) string {
	if len(r.Errors) == 0 {
		return "ok"
	}
	if code, ok := r.Errors[0].Extensions["code"].(string); ok {
		return code
	}
	return "UNCODED"
}
