module github.com/dossier-cdp/dossier/graphql

go 1.26.0

require (
	github.com/dossier-cdp/dossier/pipelines v0.0.0
	github.com/dossier-cdp/dossier/schema v0.0.0
	github.com/vektah/gqlparser/v2 v2.5.64
)

require (
	github.com/goccy/go-yaml v1.19.2 // indirect
	github.com/rickar/cal/v2 v2.1.13 // indirect
)

require (
	github.com/google/uuid v1.6.0 // indirect
	github.com/graph-gophers/graphql-go v1.11.0
	github.com/nyaruka/phonenumbers v1.8.1 // indirect
	golang.org/x/net v0.61.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace github.com/dossier-cdp/dossier/schema => ../schema

replace github.com/dossier-cdp/dossier/pipelines => ../pipelines
