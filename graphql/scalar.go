package graphql

import (
	"encoding/json"
	"fmt"
	"strings"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/dossier-cdp/dossier/schema"
)

// timeValue is the scalar Time. A literal that is none keeps its fault until it is used: the library would leave out the field
// without a word and run the others.
type timeValue struct {
	schema.Instant
	fault error
}

// ImplementsGraphQLType names the scalar.
func (timeValue) ImplementsGraphQLType(name string) bool { return name == "Time" }

// UnmarshalGraphQL reads RFC 3339.
func (t *timeValue) UnmarshalGraphQL(input any) error {
	s, ok := input.(string)
	if ok {
		t.Instant, t.fault = schema.ParseInstant(s)
	}
	if !ok || t.fault != nil {
		t.fault = badInput("want a time such as 2026-02-28T09:30:00Z")
	}
	return nil
}

// instant is the time, 0 if there is none.
func (t *timeValue) instant() (schema.Instant, error) {
	if t == nil {
		return 0, nil
	}
	return t.Instant, t.fault
}

// MarshalJSON writes RFC 3339 in UTC.
func (t timeValue) MarshalJSON() ([]byte, error) { return json.Marshal(t.Instant.String()) }

func timeOf(i schema.Instant) timeValue { return timeValue{Instant: i} }

func optionalTime(i schema.Instant) *timeValue {
	if i == 0 {
		return nil
	}
	return &timeValue{Instant: i}
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
	if !json.Valid(j.raw) {
		return []byte("null"), nil // what is not JSON would cut the whole answer
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

// The ids of dossiers and personas are told from those of profiles, so that a client that stores objects by id (Relay does) keeps them
// apart. Every argument takes either form.
const (
	dossierPrefix = "dossier:"
	personaPrefix = "persona:"
)

func profileIDOf(id gql.ID) (schema.ProfileID, error) {
	s := string(id)
	if len(s) > len(dossierPrefix) && (s[:len(dossierPrefix)] == dossierPrefix || s[:len(personaPrefix)] == personaPrefix) {
		s = s[len(dossierPrefix):]
	}
	p, err := schema.ParsePersonaID(s)
	if err != nil {
		return p, badInput("%v", err)
	}
	return p, nil
}

const casePrefix = "case:"

// caseID names a case of a person by one of its events: the source's own name of it is not for everybody to read. Every event of the
// case names it, so an id that was handed out before an earlier event came stays good.
func caseID(owner schema.ProfileID, first schema.EventID) gql.ID {
	return gql.ID(casePrefix + owner.String() + ":" + first.String())
}

func parseCaseID(id gql.ID) (owner schema.ProfileID, member schema.EventID, ok bool) {
	rest, found := strings.CutPrefix(string(id), casePrefix)
	person, event, cut := strings.Cut(rest, ":")
	owner, err1 := schema.ParsePersonaID(person)
	member, err2 := schema.ParseEventID(event)
	return owner, member, found && cut && err1 == nil && err2 == nil
}

func gqlID(id fmt.Stringer) gql.ID { return gql.ID(id.String()) }
