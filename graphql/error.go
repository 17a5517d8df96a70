package graphql

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// The codes of errors, stable: clients decide by them.
const (
	CodeAmbiguous    = "AMBIGUOUS_IDENTIFIER"
	CodeUnknown      = "UNKNOWN_IDENTIFIER"
	CodeForbidden    = "FORBIDDEN"
	CodeBadInput     = "BAD_USER_INPUT"
	CodeNotAvailable = "NOT_AVAILABLE"
	CodeNotReady     = "NOT_READY"
	CodeConflict     = "CONFLICT"
	CodeTimeout      = "TIMEOUT"
	CodeInternal     = "INTERNAL"
)

// Error is an answer that the caller can act on.
type Error struct {
	Code     string
	Message  string
	Hint     string
	Profiles []schema.ProfileID // AMBIGUOUS_IDENTIFIER: the owners
}

func (e *Error) Error() string { return e.Message }

// Extensions become the extensions of the GraphQL error.
func (e *Error) Extensions() map[string]any {
	out := map[string]any{"code": e.Code}
	if e.Hint != "" {
		out["hint"] = e.Hint
	}
	if e.Profiles != nil {
		ids := make([]string, len(e.Profiles))
		for i, p := range e.Profiles {
			ids[i] = p.String()
		}
		out["profiles"] = ids
	}
	return out
}

// answer turns any error of a backend into one with a code. What it does not know becomes INTERNAL without its text, which could hold
// anything; report gets the text.
func (r *resolver) answer(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if e := (*Error)(nil); errors.As(err, &e) {
		return e
	}
	if e := (*schema.Refusal)(nil); errors.As(err, &e) {
		return &Error{Code: CodeBadInput, Message: e.Code + ": " + e.Reason, Hint: e.Hint}
	}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return &Error{Code: CodeTimeout, Message: "the time for this query is over", Hint: "ask for less at once"}
	}
	r.report(err)
	return &Error{Code: CodeInternal, Message: "the installation failed to answer", Hint: "see its log, or run 'dossier doctor'"}
}

type callerKey struct{}

// WithCaller gives resolvers the caller of a request.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// need checks a scope. Every root field calls it, so fragments and operation names cannot get around it.
func need(ctx context.Context, scope string) (Caller, error) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	if !ok || !slices.Contains(c.Scopes, scope) {
		return c, &Error{Code: CodeForbidden, Message: "this token lacks the scope " + scope, Hint: "ask with a token that has it"}
	}
	return c, nil
}

func badInput(format string, args ...any) error {
	return &Error{Code: CodeBadInput, Message: fmt.Sprintf(format, args...)}
}
