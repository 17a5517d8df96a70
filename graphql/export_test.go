package graphql

import (
	"slices"

	gqlast "github.com/graph-gophers/graphql-go/ast"
)

// HasScope says whether a root field of Mutation has its scope.
func (s *Schema) HasScope(mutation string) bool { return mutationScopes[mutation] != "" }

// ListsWithoutSize names the fields that give a list of objects, or a connection, and have no weight that says how long it is.
func (s *Schema) ListsWithoutSize() (missing []string) {
	for _, t := range s.schema.AST().Types {
		object, ok := t.(*gqlast.ObjectTypeDefinition)
		if !ok || len(object.Name) > 1 && object.Name[:2] == "__" {
			continue
		}
		for _, f := range object.Fields {
			is := f.Type
			if required, ok := is.(*gqlast.NonNull); ok {
				is = required.OfType
			}
			list, many := is.(*gqlast.List)
			if many {
				is = list.OfType
				if required, ok := is.(*gqlast.NonNull); ok {
					is = required.OfType
				}
			}
			of, ok := is.(*gqlast.ObjectTypeDefinition)
			if !ok || f.Name == "edges" {
				continue
			}
			w := weights[object.Name+"."+f.Name]
			if connection := of.Fields.Get("edges") != nil; many && w.size == 0 || connection && !w.sized {
				missing = append(missing, object.Name+"."+f.Name)
			}
		}
	}
	slices.Sort(missing)
	return missing
}
