package main

// limits bound what one caller may ask of an installation.
type limits struct {
	MaxQueryCost int `help:"What one GraphQL query may cost where its token has no limit of its own (default: 500000; deploy/graphql.md explains costs)."`
}
