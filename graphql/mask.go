package graphql

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/identifier"
)

// veil hides personal values from a caller without the scope unmask. Dates, sources, types, channels, ratings and amounts stay: they
// say what happened, and not to whom.
type veil bool

func veilOf(c Caller) veil { return veil(!slices.Contains(c.Scopes, scopeUnmask)) }

func (v veil) identifier(kind, value string) string {
	if v {
		return identifier.Mask(kind, value)
	}
	return value
}

func (v veil) text(s string) *string {
	if s == "" {
		return nil
	}
	if v {
		s = hidden
	}
	return &s
}

const hidden = "•••"

// trait hides a trait's value. One that is named like an identifier kind is masked as such, so an agent still recognises it.
func (v veil) trait(name string, raw json.RawMessage) *jsonValue {
	if !v {
		return optionalJSON(raw)
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return &jsonValue{json.RawMessage(`"` + hidden + `"`)}
	}
	masked := hidden
	switch name = strings.ToLower(name); {
	case strings.Contains(name, "email"), strings.Contains(name, "mail"):
		masked = identifier.Mask("email", s)
	case strings.Contains(name, "phone"), strings.Contains(name, "mobile"):
		masked = identifier.Mask("phone", s)
	}
	out, err := json.Marshal(masked)
	if err != nil {
		return nil // Unreachable: a string marshals
	}
	return &jsonValue{out}
}

func (v veil) json(raw json.RawMessage) *jsonValue {
	if v {
		return nil
	}
	return optionalJSON(raw)
}
