module github.com/dossier-cdp/dossier/pipelines

go 1.26.0

require github.com/dossier-cdp/dossier/schema v0.0.0

require (
	github.com/goccy/go-yaml v1.19.2 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/nyaruka/phonenumbers v1.8.1 // indirect
	golang.org/x/net v0.52.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
	pgregory.net/rapid v1.3.0 // indirect
)

replace github.com/dossier-cdp/dossier/schema => ../schema
