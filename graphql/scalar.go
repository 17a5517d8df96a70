package graphql

import (
	"encoding/json"
	"fmt"
	"time"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/dossier-cdp/dossier/schema"
)

// timeValue is the scalar Time.
type timeValue struct{ schema.Instant }

// ImplementsGraphQLType names the scalar.
func (timeValue) ImplementsGraphQLType(name string) bool { return name == "Time" }

// UnmarshalGraphQL reads RFC 3339.
func (t *timeValue) UnmarshalGraphQL(input any) error {
	switch v := input.(type) {
	case string:
		i, err := schema.ParseInstant(v)
		t.Instant = i
		return err
	case time.Time:
		t.Instant = schema.InstantOf(v)
		return nil
	}
	return fmt.Errorf("want a time such as 2026-02-28T09:30:00Z")
}

// MarshalJSON writes RFC 3339 in UTC.
func (t timeValue) MarshalJSON() ([]byte, error) { return json.Marshal(t.Instant.String()) }

func timeOf(i schema.Instant) timeValue { return timeValue{i} }

func optionalTime(i schema.Instant) *timeValue {
	if i == 0 {
		return nil
	}
	return &timeValue{i}
}

// jsonValue is the scalar JSON.
type jsonValue struct{ raw json.RawMessage }

// ImplementsGraphQLType names the scalar.
func (jsonValue) ImplementsGraphQLType(name string) bool { return name == "JSON" }

// UnmarshalGraphQL takes any value.
func (j *jsonValue) UnmarshalGraphQL(input any) (err error) {
	j.raw, err = json.Marshal(input)
	return err
}

// MarshalJSON writes the value as it is.
func (j jsonValue) MarshalJSON() ([]byte, error) {
	if len(j.raw) == 0 {
		return []byte("null"), nil
	}
	return j.raw, nil
}

func optionalJSON(raw json.RawMessage) *jsonValue {
	if len(raw) == 0 {
		return nil
	}
	return &jsonValue{raw}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// The ids of dossiers are told from those of profiles, so that a client that stores objects by id keeps both apart. Every argument
// takes either form.
const dossierPrefix = "dossier:"

func profileIDOf(id gql.ID) (schema.ProfileID, error) {
	s := string(id)
	if len(s) > len(dossierPrefix) && s[:len(dossierPrefix)] == dossierPrefix {
		s = s[len(dossierPrefix):]
	}
	p, err := schema.ParsePersonaID(s)
	if err != nil {
		return p, badInput("%v", err)
	}
	return p, nil
}

func gqlID(id fmt.Stringer) gql.ID { return gql.ID(id.String()) }
