package graphql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	gql "github.com/graph-gophers/graphql-go"
	gqlerrors "github.com/graph-gophers/graphql-go/errors"

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
	CodeOverLimit    = "OVER_LIMIT"
	CodeGranted      = "ALREADY_GRANTED"
	CodeTimeout      = "TIMEOUT"
	CodeInternal     = "INTERNAL"
	CodeMethod       = "METHOD_NOT_ALLOWED"

	// Of a document that was refused before anything ran.
	CodeParse     = "GRAPHQL_PARSE_FAILED"
	CodeInvalid   = "GRAPHQL_VALIDATION_FAILED"
	CodeOperation = "OPERATION_RESOLUTION_FAILURE"
	CodeTooDeep   = "QUERY_TOO_DEEP"
	CodeTooLarge  = "QUERY_TOO_LARGE"
	CodeTooCostly = "QUERY_TOO_COSTLY"
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
		return timeout()
	}
	r.report(err)
	return internal()
}

func timeout() *Error {
	return &Error{Code: CodeTimeout, Message: "the time for this query is over", Hint: "ask for less at once"}
}

func internal() *Error {
	return &Error{Code: CodeInternal, Message: "the installation failed to answer", Hint: "see its log, or run 'dossier doctor'"}
}

// coded gives an error of the library its code. What it does not name is a fault in an argument.
func coded(e *gqlerrors.QueryError) *gqlerrors.QueryError {
	if e.Extensions["code"] != nil {
		return e
	}
	code, hint := CodeBadInput, ""
	switch {
	case errors.Is(e, gqlerrors.ErrSyntax):
		code = CodeParse
		if strings.Contains(e.Message, "maximum nesting depth") {
			code, hint = CodeTooDeep, fmt.Sprintf("nest at most %d levels", MaxDepth)
		}
	case e.Rule == "MaxDepthExceeded":
		code, hint = CodeTooDeep, fmt.Sprintf("nest at most %d levels", MaxDepth)
	case e.Rule == "OverlapValidationLimitExceeded", errors.Is(e, gql.ErrTooManySelections), strings.HasPrefix(e.Message, "query length"):
		code, hint = CodeTooLarge, fmt.Sprintf("a document has at most %d bytes and %d fields", MaxQueryLength, MaxSelections)
	case e.Rule == "VariablesOfCorrectType":
	case e.Rule != "", strings.Contains(e.Message, "at least one operation"), strings.Contains(e.Message, "no operations in"):
		code = CodeInvalid
	case strings.Contains(e.Message, "operation name given"), strings.HasPrefix(e.Message, "no operation with name"):
		code, hint = CodeOperation, "name one of the document's operations in operationName"
	case e.Message == subscriptionMessage:
		code, e.Message = CodeInvalid, "there are no subscriptions"
	case strings.HasPrefix(e.Message, "graphql: got nil for non-null"):
		code = CodeInternal
	}
	e.Extensions = (&Error{Code: code, Hint: hint}).Extensions()
	return e
}

// subscriptionMessage is what the library says to a subscription that comes by HTTP.
const subscriptionMessage = "graphql-ws protocol header is missing"

type callerKey struct{}

// withCaller gives resolvers the caller of a request.
func withCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// need checks a scope. Execute calls it for all root fields before one runs, and every root field calls it again.
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

// NotReady says of an error that a part of the installation is still starting.
func NotReady(err error) bool {
	var coded *Error
	return errors.As(err, &coded) && coded.Code == CodeNotReady
}
