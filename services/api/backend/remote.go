package backend

import (
	"context"
	"errors"
	"strings"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/rpc"
)

// Remote answers lookups from the identity role of another process.
type Remote struct {
	// Call finds the process that answers now and calls it, again if that is replaced meanwhile.
	Call func(ctx context.Context, f func(ctx context.Context, c *rpc.Client) error) error
}

var _ Lookups = (*Remote)(nil)

// The calls. All read only, so that each may be repeated.
const (
	callOwners  = "/identity/Owners"
	callPeople  = "/identity/People"
	callPage    = "/identity/Page"
	callWhy     = "/identity/Why"
	callHow     = "/identity/How"
	callCount   = "/identity/Count"
	callPersona = "/identity/Persona"
	callSpeaker = "/identity/Speaker"
	callThen    = "/identity/Then"

	callHousehold = "/identity/Household"
	callPossible  = "/identity/PossibleMatches"
	callQueue     = "/identity/Queue"
	callWeigh     = "/identity/Weigh"
	callSimulate  = "/identity/Simulate"
)

// asked is the arguments of any of the calls.
type asked struct {
	Workspace string
	ID        schema.ProfileID   `cbor:",omitempty"`
	IDs       []schema.ProfileID `cbor:",omitempty"`
	A, B      graphql.Identifier
	Other     schema.ProfileID     `cbor:",omitempty"`
	After     []byte               `cbor:",omitempty"`
	Limit     int                  `cbor:",omitempty"`
	Consent   *schema.Consent      `cbor:",omitempty"`
	Suppose   *graphql.Supposition `cbor:",omitempty"`
	Past      *graphql.Past        `cbor:",omitempty"`
}

// answered is the answer to any of them.
type answered struct {
	IDs                []schema.ProfileID   `cbor:",omitempty"`
	People             []*graphql.Person    `cbor:",omitempty"`
	Explanation        *graphql.Explanation `cbor:",omitempty"`
	Profiles, Personas int64                `cbor:",omitempty"`
	Persona            *Persona             `cbor:",omitempty"`
	Household          *graphql.Household   `cbor:",omitempty"`
	Matches            []graphql.Match      `cbor:",omitempty"`
	Next               []byte               `cbor:",omitempty"`
	Weighing           *graphql.Weighing    `cbor:",omitempty"`
	Simulation         *graphql.Simulation  `cbor:",omitempty"`
	Former             *graphql.Former      `cbor:",omitempty"`
}

// ServeLookups answers the calls of Remotes. may refuses while another process is the one to ask; it is asked before and after each
// lookup, so that no answer goes out that may be stale.
func ServeLookups(s *rpc.Server, l Lookups, may func() error) {
	answer := func(procedure string, f func(ctx context.Context, q *asked, a *answered) error) {
		rpc.Answer(s, procedure, []string{"api", "segments"}, func(ctx context.Context, q *asked) (*answered, error) {
			if err := may(); err != nil {
				return nil, err
			}
			a := &answered{}
			if err := f(ctx, q, a); err != nil {
				return nil, err
			}
			return a, may()
		})
	}
	answer(callOwners, func(ctx context.Context, q *asked, a *answered) (err error) {
		a.IDs, err = l.Owners(ctx, q.Workspace, q.A)
		return err
	})
	answer(callPeople, func(ctx context.Context, q *asked, a *answered) (err error) {
		a.People, err = l.People(ctx, q.Workspace, q.IDs)
		return err
	})
	answer(callPage, func(ctx context.Context, q *asked, a *answered) (err error) {
		a.IDs, err = l.Page(ctx, q.Workspace, q.ID, q.Limit)
		return err
	})
	answer(callWhy, func(ctx context.Context, q *asked, a *answered) (err error) {
		a.Explanation, err = l.Why(ctx, q.Workspace, q.A, q.B)
		return err
	})
	answer(callHow, func(ctx context.Context, q *asked, a *answered) (err error) {
		a.Explanation, err = l.How(ctx, q.Workspace, q.ID)
		return err
	})
	answer(callCount, func(ctx context.Context, q *asked, a *answered) (err error) {
		a.Profiles, a.Personas, err = l.Count(ctx, q.Workspace)
		return err
	})
	answer(callPersona, func(ctx context.Context, q *asked, a *answered) (err error) {
		a.Persona, err = l.Persona(ctx, q.Workspace, q.ID)
		return err
	})
	answer(callHousehold, func(ctx context.Context, q *asked, a *answered) (err error) {
		a.Household, err = l.Household(ctx, q.Workspace, q.ID)
		return err
	})
	answer(callPossible, func(ctx context.Context, q *asked, a *answered) (err error) {
		a.Matches, err = l.PossibleMatches(ctx, q.Workspace, q.ID)
		return err
	})
	answer(callQueue, func(ctx context.Context, q *asked, a *answered) (err error) {
		a.Matches, a.Next, err = l.Queue(ctx, q.Workspace, q.After, q.Limit)
		return err
	})
	answer(callWeigh, func(ctx context.Context, q *asked, a *answered) (err error) {
		a.Weighing, err = l.Weigh(ctx, q.Workspace, q.ID, q.Other)
		return err
	})
	answer(callSimulate, func(ctx context.Context, q *asked, a *answered) (err error) {
		if q.Suppose == nil {
			return schema.Refuse("supposition_missing", "a simulation is asked for without what is supposed", "")
		}
		a.Simulation, err = l.Simulate(ctx, q.Workspace, *q.Suppose)
		return err
	})
	answer(callThen, func(ctx context.Context, q *asked, a *answered) (err error) {
		if q.Past == nil {
			return schema.Refuse("past_missing", "a past is asked for without a time", "")
		}
		a.Former, err = l.Then(ctx, q.Workspace, q.A, *q.Past)
		return err
	})
	answer(callSpeaker, func(ctx context.Context, q *asked, a *answered) (err error) {
		if q.Consent == nil {
			return schema.Refuse("consent_missing", "a speaker is asked for without a consent", "")
		}
		a.Persona, err = l.Speaker(ctx, q.Workspace, q.ID, q.Consent)
		return err
	})
}

// graphqlCode marks the codes of errors of package graphql on the wire.
const graphqlCode = "graphql:"

// Describe gives errors of package graphql their form on the wire; nil for others.
func Describe(err error) *rpc.Error {
	if e := (*graphql.Error)(nil); errors.As(err, &e) {
		return &rpc.Error{Code: graphqlCode + e.Code, Message: e.Message, Hint: e.Hint}
	}
	return nil
}

func (r *Remote) ask(ctx context.Context, procedure string, q *asked) (a *answered, err error) {
	err = r.Call(ctx, func(ctx context.Context, c *rpc.Client) (err error) {
		a, err = rpc.Call[asked, answered](ctx, c, procedure, q)
		return err
	})
	if err == nil {
		return a, nil
	}
	if e := (*rpc.Error)(nil); errors.As(err, &e) {
		if code, ok := strings.CutPrefix(e.Code, graphqlCode); ok {
			return &answered{}, &graphql.Error{Code: code, Message: e.Message, Hint: e.Hint}
		}
	}
	if schema.ClassOf(err) == schema.Transient && ctx.Err() == nil {
		err = &graphql.Error{Code: graphql.CodeNotReady, Message: "no identity role answers: " + err.Error(), Hint: "ask again in a moment"}
	}
	return &answered{}, err
}

// Owners asks for the profiles that own an identifier.
func (r *Remote) Owners(ctx context.Context, workspace string, id graphql.Identifier) ([]schema.ProfileID, error) {
	a, err := r.ask(ctx, callOwners, &asked{Workspace: workspace, A: id})
	return a.IDs, err
}

// People asks for the profiles that hold ids.
func (r *Remote) People(ctx context.Context, workspace string, ids []schema.ProfileID) ([]*graphql.Person, error) {
	a, err := r.ask(ctx, callPeople, &asked{Workspace: workspace, IDs: ids})
	return a.People, err
}

// Page asks for profile ids after one.
func (r *Remote) Page(ctx context.Context, workspace string, after schema.ProfileID, limit int) ([]schema.ProfileID, error) {
	a, err := r.ask(ctx, callPage, &asked{Workspace: workspace, ID: after, Limit: limit})
	return a.IDs, err
}

// Why asks for the explanation of two identifiers.
func (r *Remote) Why(ctx context.Context, workspace string, x, y graphql.Identifier) (*graphql.Explanation, error) {
	a, err := r.ask(ctx, callWhy, &asked{Workspace: workspace, A: x, B: y})
	return a.Explanation, err
}

// How asks for the explanation of a profile.
func (r *Remote) How(ctx context.Context, workspace string, id schema.ProfileID) (*graphql.Explanation, error) {
	a, err := r.ask(ctx, callHow, &asked{Workspace: workspace, ID: id})
	return a.Explanation, err
}

// Count asks for the numbers of profiles and personas.
func (r *Remote) Count(ctx context.Context, workspace string) (profiles, personas int64, err error) {
	a, err := r.ask(ctx, callCount, &asked{Workspace: workspace})
	return a.Profiles, a.Personas, err
}

// Persona asks for the persona that an id names.
func (r *Remote) Persona(ctx context.Context, workspace string, id schema.ProfileID) (*Persona, error) {
	a, err := r.ask(ctx, callPersona, &asked{Workspace: workspace, ID: id})
	return a.Persona, err
}

// Speaker asks for the persona at which a consent is recorded.
func (r *Remote) Speaker(ctx context.Context, workspace string, id schema.ProfileID, c *schema.Consent) (*Persona, error) {
	a, err := r.ask(ctx, callSpeaker, &asked{Workspace: workspace, ID: id, Consent: c})
	return a.Persona, err
}

// Household asks for the household of a profile.
func (r *Remote) Household(ctx context.Context, workspace string, id schema.ProfileID) (*graphql.Household, error) {
	a, err := r.ask(ctx, callHousehold, &asked{Workspace: workspace, ID: id})
	return a.Household, err
}

// PossibleMatches asks for the possible matches of a profile.
func (r *Remote) PossibleMatches(ctx context.Context, workspace string, id schema.ProfileID) ([]graphql.Match, error) {
	a, err := r.ask(ctx, callPossible, &asked{Workspace: workspace, ID: id})
	return a.Matches, err
}

// Queue asks for all possible matches, a page at a time.
func (r *Remote) Queue(ctx context.Context, workspace string, after []byte, limit int) ([]graphql.Match, []byte, error) {
	a, err := r.ask(ctx, callQueue, &asked{Workspace: workspace, After: after, Limit: limit})
	return a.Matches, a.Next, err
}

// Weigh asks how two ids are weighed.
func (r *Remote) Weigh(ctx context.Context, workspace string, x, y schema.ProfileID) (*graphql.Weighing, error) {
	a, err := r.ask(ctx, callWeigh, &asked{Workspace: workspace, ID: x, Other: y})
	return a.Weighing, err
}

// Then asks for the owners of an identifier in a past.
func (r *Remote) Then(ctx context.Context, workspace string, id graphql.Identifier, past graphql.Past) (*graphql.Former, error) {
	a, err := r.ask(ctx, callThen, &asked{Workspace: workspace, A: id, Past: &past})
	return a.Former, err
}

// Simulate asks what other settings would change.
func (r *Remote) Simulate(ctx context.Context, workspace string, q graphql.Supposition) (*graphql.Simulation, error) {
	a, err := r.ask(ctx, callSimulate, &asked{Workspace: workspace, Suppose: &q})
	return a.Simulation, err
}
