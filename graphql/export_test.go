package graphql

// HasScope says whether a root field of Mutation has its scope.
func (s *Schema) HasScope(mutation string) bool { return mutationScopes[mutation] != "" }
