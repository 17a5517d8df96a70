package graphql

import (
	"context"

	gql "github.com/graph-gophers/graphql-go"
	gqlerrors "github.com/graph-gophers/graphql-go/errors"
)

// Request is one operation of a document.
type Request struct {
	Query         string
	OperationName string // needed when the document has several operations
	Variables     map[string]any
}

// Response is the answer to a Request, in the form that the specification of GraphQL gives it.
type Response = gql.Response

// Execute runs one operation for a caller.
func Execute(ctx context.Context, s *gql.Schema, b Backends, c Caller, r Request) *Response {
	ctx = WithLoaders(WithCaller(ctx, c), b, c.Workspace)
	return s.Exec(ctx, r.Query, r.OperationName, r.Variables)
}

// ResponseError is one error of a Response.
type ResponseError = gqlerrors.QueryError
