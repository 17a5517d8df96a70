package graphql

import (
	"math"

	"github.com/graph-gophers/graphql-go/introspection"

	"github.com/dossier-cdp/dossier/schema"
)

// mismatch says what a value of a variable should have been, or "". Nulls and unknown members of input objects have been refused
// before.
func mismatch(t *introspection.Type, value any) string {
	switch t.Kind() {
	case "NON_NULL":
		return mismatch(t.OfType(), value)
	case "LIST":
		list, ok := value.([]any)
		if !ok {
			return mismatch(t.OfType(), value) // one value stands for a list of it
		}
		for _, v := range list {
			if want := mismatch(t.OfType(), v); want != "" {
				return want
			}
		}
		return ""
	case "INPUT_OBJECT":
		members, _ := value.(map[string]any)
		for _, f := range *t.InputFields(&struct{ IncludeDeprecated bool }{true}) {
			if v, given := members[f.Name()]; given {
				if want := mismatch(f.Type(), v); want != "" {
					return f.Name() + " as " + want
				}
			}
		}
		return ""
	case "SCALAR":
		if value == nil {
			return ""
		}
		return scalarMismatch(*t.Name(), value)
	}
	return ""
}

func scalarMismatch(name string, value any) string {
	switch v := value.(type) {
	case string:
		switch name {
		case "String", "ID", "JSON":
			return ""
		case "Time":
			if _, err := schema.ParseInstant(v); err != nil {
				return "a time such as 2026-02-28T09:30:00Z"
			}
			return ""
		}
	case float64:
		switch name {
		case "Float", "JSON":
			return ""
		case "Int":
			if v == math.Trunc(v) && math.Abs(v) <= math.MaxInt32 {
				return ""
			}
		}
	case int32: // a default written in the document
		switch name {
		case "Int", "Float", "ID", "JSON":
			return ""
		}
	case bool:
		if name == "Boolean" || name == "JSON" {
			return ""
		}
	default:
		if name == "JSON" {
			return ""
		}
	}
	switch name {
	case "Int":
		return "a whole number of 32 bits"
	case "Float":
		return "a number"
	case "Boolean":
		return "true or false"
	case "Time":
		return "a time such as 2026-02-28T09:30:00Z"
	}
	return "a string"
}
