// Package graphql is the dossier as a graph: the SDL, its resolvers, and the limits of a query.
//
// Resolvers read and decide through the interfaces of Backends, which this package declares and others implement. Every root field
// checks the caller's scope; without the scope unmask, personal values are masked. Questions about several people go to a backend as
// one (loaders), so no query costs a read per row. It knows neither HTTP nor SQL nor Kafka.
package graphql

import (
	_ "embed"
	"fmt"

	gql "github.com/graph-gophers/graphql-go"
)

//go:embed schema.graphql
var sdl string

// SDL is the schema's text.
func SDL() string { return sdl }

// The limits of a query. What is past them is an error that says so.
const (
	MaxDepth       = 20     // levels of selections
	MaxQueryLength = 64_000 // characters
	MaxSelections  = 5_000  // fields after fragment expansion, aliases included
	MaxFirst       = 500    // of a connection
	MaxIDs         = 500    // of profiles(ids:)
	parallelism    = 64     // resolvers of one query at the same time
)

// New builds the executable schema. report gets what callers may not see: errors of backends without a code.
func New(b Backends, report func(error)) (*gql.Schema, error) {
	schema, err := gql.ParseSchema(sdl, &resolver{backends: b, report: report},
		gql.UseFieldResolvers(), gql.MaxDepth(MaxDepth), gql.MaxQueryLength(MaxQueryLength), gql.MaxSelections(MaxSelections),
		gql.MaxParallelism(parallelism))
	if err != nil {
		return nil, fmt.Errorf("build the GraphQL schema: %w", err)
	}
	return schema, nil
}

// resolver is the root. It is never written to after New.
type resolver struct {
	backends Backends
	report   func(error)
}
