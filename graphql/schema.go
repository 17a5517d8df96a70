// Package graphql is the dossier as a graph: the SDL, its resolvers, and the limits of a query.
//
// Resolvers read and decide through the interfaces of Backends, which this package declares and others implement. What an operation
// needs of scopes is checked over all its root fields before any of them runs; without the scope unmask, personal values are masked.
// Questions about several people go to a backend as one (cohort), so no query costs a read per row. Every error has a code. The
// package knows neither HTTP nor SQL nor Kafka.
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
	MaxDepth       = 20      // levels of selections
	MaxQueryLength = 64_000  // bytes of the document
	MaxSelections  = 5_000   // fields after fragment expansion, aliases included
	MaxFirst       = 500     // of a connection, and of the owners of one identifier
	MaxIDs         = 1_000   // of profiles(ids:), which answers all of them at once
	MaxRows        = 50_000  // interactions and profiles that one operation asks for
	MaxFields      = 500_000 // fields of one answer
	maxOverlaps    = 50_000  // comparisons of fields of the same name while a document is validated
	maxErrors      = 20      // of one answer
	defaultFirst   = 50      // of a connection
	parallelism    = 64      // resolvers of one query at the same time
)

// Schema answers operations. It is safe for concurrent use.
type Schema struct {
	schema *gql.Schema
	panics panics
	types  map[string]string // of the fields of the SDL
}

// New builds the executable schema over backends. report gets what callers may not see: errors of backends without a code, and
// panics. An error means that the SDL and the resolvers disagree.
func New(b Backends, report func(error)) (*Schema, error) {
	root := &resolver{backends: b, report: report}
	schema, err := gql.ParseSchema(sdl, root,
		gql.UseFieldResolvers(), gql.UseStringDescriptions(), gql.DisableFieldSelections(),
		gql.MaxDepth(MaxDepth), gql.MaxQueryLength(MaxQueryLength), gql.MaxSelections(MaxSelections),
		gql.OverlapValidationLimit(maxOverlaps), gql.MaxParallelism(parallelism),
		gql.Tracer(watch{}), gql.PanicHandler(panics{}), gql.Logger(panics{report}))
	if err != nil {
		return nil, fmt.Errorf("build the GraphQL schema: %w", err)
	}
	return &Schema{schema, panics{report}, typesOf(schema.AST())}, nil
}

// Validate says what is wrong with a document, whatever its variables, without running it; nil if nothing is.
func (s *Schema) Validate(document string) error {
	for _, err := range s.schema.Validate(document) {
		if err.Rule != "VariablesOfCorrectType" {
			return coded(err)
		}
	}
	return nil
}

// resolver is the root. It is never written to after New.
type resolver struct {
	backends Backends
	report   func(error)
}
