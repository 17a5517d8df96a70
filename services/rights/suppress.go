package rights

import (
	"context"
	"encoding/hex"
	"slices"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/identifier"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
	"github.com/dossier-cdp/dossier/services/internal/control"
)

// Suppression is the answer to a decision to suppress, or no longer to.
type Suppression struct {
	ID         string `json:"id"` // of the decision
	Personas   int    `json:"personas"`
	Suppressed bool   `json:"suppressed"`
}

// IdentifierHash is the form in which a suppression names an identifier; "" if the value is none of its kind. country reads a national phone number.
func (r *Rights) IdentifierHash(kind, value, country string) string {
	return identifierHash(r.Keys.PRF(), kind, value, country)
}

type hasher interface {
	IdentifierHash(kind, value string) [16]byte
}

func identifierHash(keys hasher, kind, value, country string) string {
	name := identifier.Of(kind).Name
	normal, err := identifier.Normalize(name, value, country)
	if err != nil {
		return ""
	}
	hash := keys.IdentifierHash("suppressed "+name, normal)
	return hex.EncodeToString(hash[:])
}

// Hashes gives the hashes of everything in an event by which somebody may be suppressed.
func Hashes(keys hasher, e *schema.Event, country string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		if hash := identifierHash(keys, e.Account.Kind, e.Account.Value, country); hash != "" && !yield(hash) {
			return
		}
		for i := range e.Identifiers {
			if hash := identifierHash(keys, e.Identifiers[i].Kind, e.Identifiers[i].Value, country); hash != "" && !yield(hash) {
				return
			}
		}
	}
}

// suppression names whom a subject names: the accounts that the person has, and the identifier itself, whoever comes with it later. An identifier that
// nobody is known by is suppressed all the same. Of a person named by id the accounts are.
func (r *Rights) suppression(ctx context.Context, workspace string, s graphql.Subject) (*schema.ControlSuppression, error) {
	w, err := r.find(ctx, workspace, s)
	if err != nil {
		return nil, err
	}
	out := &schema.ControlSuppression{}
	var values []string
	if w != nil {
		for _, p := range w.personas {
			out.Personas = append(out.Personas, p.Of.Persona.String())
			if hash := r.IdentifierHash(p.Account.Kind, p.Account.Value, ""); hash != "" && identifier.Of(p.Account.Kind).Evidence {
				out.Identifiers, values = append(out.Identifiers, hash), append(values, p.Account.Value)
			}
		}
	}
	if s.ID.IsZero() {
		if hash := r.IdentifierHash(s.Identifier.Kind, s.Identifier.Value, s.Identifier.Country); hash != "" {
			out.Identifiers, values = append(out.Identifiers, hash), append(values, s.Identifier.Value)
		}
	}
	out.Traces = deadletter.Known(r.Keys.PRF(), values)
	if len(out.Personas) == 0 && len(out.Identifiers) == 0 {
		return nil, unknown(s)
	}
	slices.Sort(out.Identifiers)
	out.Identifiers = slices.Compact(out.Identifiers)
	return out, nil
}

// Suppress has collectors refuse what comes of a person from now on: not stored, not dead-lettered. What is held stays. It is withdrawn by Unsuppress of
// the same person; a repetition changes nothing.
func (r *Rights) Suppress(ctx context.Context, c graphql.Caller, s graphql.Subject, reason string, ended bool) (*Suppression, error) {
	if err := r.Visible(ctx); err != nil {
		return nil, err
	}
	of, err := r.suppression(ctx, c.Workspace, s)
	if err != nil {
		return nil, err
	}
	return r.decideSuppression(ctx, c, uuid.NewString(), of, reason, ended, nil)
}

func (r *Rights) decideSuppression(ctx context.Context, c graphql.Caller, id string, of *schema.ControlSuppression, reason string, ended bool, reg *schema.ControlRegulation) (*Suppression, error) {
	kind := schema.ControlSuppressed
	if ended {
		kind = schema.ControlUnsuppressed
	}
	err := r.Control.Append(ctx, &schema.Control{
		ID: id, Kind: kind, Workspace: c.Workspace, Actor: c.Actor, Reason: reason, Suppression: of, Regulation: reg,
	})
	if err != nil {
		return nil, err
	}
	return &Suppression{id, len(of.Personas), !ended}, nil
}

// SuppressionLine is one decision in the list.
type SuppressionLine struct {
	ID         string `json:"id"`
	At         string `json:"at"`
	Actor      string `json:"actor"`
	Reason     string `json:"reason"`
	Personas   int    `json:"personas"`
	Suppressed bool   `json:"suppressed"`
}

// Suppressions lists the decisions, newest first.
func (r *Rights) Suppressions(workspace string) []SuppressionLine {
	out := []SuppressionLine{}
	for _, s := range slices.Backward(r.Control.State().Suppressions(workspace)) {
		out = append(out, line(&s))
	}
	return out
}

func line(s *control.Suppressed) SuppressionLine {
	return SuppressionLine{s.ID, s.At.String(), s.Actor, s.Reason, len(s.Personas), !s.Ended}
}
