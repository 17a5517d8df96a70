package rights

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/services/internal/control"
)

// holding lists the holds on any account of a person.
func (r *Rights) holding(workspace string, w *whole) []control.Hold {
	return slices.DeleteFunc(r.Control.State().Holds(workspace), func(h control.Hold) bool {
		for _, p := range w.personas {
			if slices.Contains(h.Personas, p.Of) {
				return false
			}
		}
		return true
	})
}

func holdLine(h *control.Hold, derive *ids.Deriver) graphql.LegalHold {
	line := graphql.LegalHold{ID: h.ID, Actor: h.Actor, Reason: h.Reason, PlacedAt: h.At.String(), Profiles: []string{}}
	if derive != nil {
		for _, p := range h.Personas {
			line.Profiles = append(line.Profiles, derive.Public(p).String())
		}
	}
	return line
}

func holdLines(holds []control.Hold) []graphql.LegalHold {
	out := []graphql.LegalHold{}
	for i := range holds {
		out = append(out, holdLine(&holds[i], nil))
	}
	return out
}

// Hold forbids to erase a person until it is lifted: the law has one keep what is held. It holds for the accounts that the person has now.
func (r *Rights) Hold(ctx context.Context, c graphql.Caller, s graphql.Subject, reason string) (graphql.LegalHold, error) {
	if err := r.Visible(ctx); err != nil {
		return graphql.LegalHold{}, err
	}
	w, err := r.find(ctx, c.Workspace, s)
	if err != nil {
		return graphql.LegalHold{}, err
	}
	if w == nil {
		return graphql.LegalHold{}, unknown(s)
	}
	hold := &schema.ControlHold{ID: uuid.NewString()}
	for _, p := range w.personas {
		hold.Personas = append(hold.Personas, schema.ErasedPersona{Persona: p.Of.Persona.String(), Epoch: p.Of.Epoch})
	}
	err = r.Control.Append(ctx, &schema.Control{
		ID: uuid.NewString(), Kind: schema.ControlHoldPlaced, Workspace: c.Workspace, Actor: c.Actor, Reason: reason, Hold: hold,
	})
	if err != nil {
		return graphql.LegalHold{}, err
	}
	for _, h := range r.Holds(c.Workspace) {
		if h.ID == hold.ID {
			return h, nil
		}
	}
	return graphql.LegalHold{}, &graphql.Error{Code: graphql.CodeConflict, Message: "the hold was lifted meanwhile"}
}

// Lift ends a hold; false if there is none of the id.
func (r *Rights) Lift(ctx context.Context, c graphql.Caller, id, reason string) (bool, error) {
	if !slices.ContainsFunc(r.Control.State().Holds(c.Workspace), func(h control.Hold) bool { return h.ID == id }) {
		return false, nil
	}
	return true, r.Control.Append(ctx, &schema.Control{
		ID: uuid.NewString(), Kind: schema.ControlHoldLifted, Workspace: c.Workspace, Actor: c.Actor, Reason: reason, Hold: &schema.ControlHold{ID: id},
	})
}

// Holds lists the holds that are not lifted, oldest first.
func (r *Rights) Holds(workspace string) []graphql.LegalHold {
	derive := ids.New(r.Keys.PRF())
	out := []graphql.LegalHold{}
	holds := r.Control.State().Holds(workspace)
	for i := range holds {
		out = append(out, holdLine(&holds[i], derive))
	}
	return out
}
