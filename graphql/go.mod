module github.com/dossier-cdp/dossier/graphql

go 1.26.0

require (
	github.com/dossier-cdp/dossier/pipelines v0.0.0
	github.com/dossier-cdp/dossier/schema v0.0.0
)

require github.com/graph-gophers/graphql-go v1.11.0 // indirect

replace github.com/dossier-cdp/dossier/schema => ../schema

replace github.com/dossier-cdp/dossier/pipelines => ../pipelines
