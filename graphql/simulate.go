package graphql

import (
	"context"
	"encoding/json"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/dossier-cdp/dossier/schema"
)

// Supposition is what Query.simulate supposes.
type Supposition struct {
	Identity json.RawMessage // a section identity of a configuration; nil is the one in force
	// Thresholds of the model, by their names in a model; those that are missing are the model's own.
	Thresholds map[string]float64
	Personas   int // how many are looked at, at most
	Samples    int // of each kind
	After      schema.ProfileID
}

// Simulation is who would be merged and split.
type Simulation struct {
	Personas, All                          int64
	Whole, Approximate                     bool
	Profiles, ProfilesAfter, Merged, Split int64
	Merges, Splits                         []Shift
	Next                                   schema.ProfileID // zero at the end
	Model                                  string           // its version; "" is none
}

// Shift is profiles in force, and the personas of what they would be.
type Shift struct {
	Before []schema.ProfileID
	After  [][]schema.ProfileID
}

// Bounds of a simulation in one operation.
const (
	simulatedPersonas = 5_000
	mostSimulated     = 50_000
	mostSamples       = 50
)

type simulation struct {
	simulation Simulation
	merges     []*shift
	splits     []*shift
}

type shift struct {
	Before []*profile
	After  []*simulatedProfile
}

type simulatedProfile struct{ Personas []gql.ID }

// Simulate resolves Query.simulate.
func (r *resolver) Simulate(ctx context.Context, args struct {
	Identity   *jsonValue
	Thresholds *struct{ Merge, Link, Margin, Possible *float64 }
	Personas   *int32
	Samples    *int32
	After      *gql.ID
}) (*simulation, error) {
	c, err := need(ctx, scopeAdmin)
	if err != nil {
		return nil, err
	}
	q := Supposition{Personas: simulatedPersonas, Samples: 10}
	if args.Identity != nil {
		q.Identity = json.RawMessage(args.Identity.raw)
	}
	if t := args.Thresholds; t != nil {
		q.Thresholds = map[string]float64{}
		for name, x := range map[string]*float64{"merge": t.Merge, "link": t.Link, "margin": t.Margin, "possible": t.Possible} {
			if x != nil {
				q.Thresholds[name] = *x
			}
		}
	}
	if args.Personas != nil {
		q.Personas = int(*args.Personas)
	}
	if args.Samples != nil {
		q.Samples = int(*args.Samples)
	}
	if q.Personas < 100 || q.Personas > mostSimulated {
		return nil, badInput("personas is between 100 and %d", mostSimulated)
	}
	if q.Samples < 0 || q.Samples > mostSamples {
		return nil, badInput("samples is between 0 and %d", mostSamples)
	}
	if args.After != nil {
		if q.After, err = profileIDOf(*args.After); err != nil {
			return nil, err
		}
	}
	if err := spend(ctx, q.Personas); err != nil {
		return nil, r.answer(ctx, err)
	}
	found, err := r.backends.Matches.Simulate(ctx, c.Workspace, q)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	out := &simulation{simulation: *found}
	if out.merges, err = r.shifts(ctx, c, found.Merges); err == nil {
		out.splits, err = r.shifts(ctx, c, found.Splits)
	}
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	return out, nil
}

// shifts reads the profiles of samples. One of which a profile is gone meanwhile is left out.
func (r *resolver) shifts(ctx context.Context, c Caller, list []Shift) (out []*shift, err error) {
	out = []*shift{}
	for _, s := range list {
		if err := spend(ctx, len(s.Before)); err != nil {
			return nil, err
		}
		people, err := r.holders(ctx, c.Workspace, s.Before)
		if err != nil {
			return nil, err
		}
		gone := false
		for _, p := range people {
			gone = gone || p == nil
		}
		if gone {
			continue
		}
		subjects, err := r.subjects(ctx, c, people, nil)
		if err != nil {
			return nil, err
		}
		one := &shift{After: []*simulatedProfile{}}
		for _, s := range subjects {
			one.Before = append(one.Before, &profile{s})
		}
		for _, members := range s.After {
			p := &simulatedProfile{Personas: []gql.ID{}}
			for _, id := range members {
				p.Personas = append(p.Personas, gqlID(id))
			}
			one.After = append(one.After, p)
		}
		out = append(out, one)
	}
	return out, nil
}

func (s *simulation) Personas() float64      { return float64(s.simulation.Personas) }
func (s *simulation) All() float64           { return float64(s.simulation.All) }
func (s *simulation) Whole() bool            { return s.simulation.Whole }
func (s *simulation) Approximate() bool      { return s.simulation.Approximate }
func (s *simulation) Profiles() float64      { return float64(s.simulation.Profiles) }
func (s *simulation) ProfilesAfter() float64 { return float64(s.simulation.ProfilesAfter) }
func (s *simulation) Merged() float64        { return float64(s.simulation.Merged) }
func (s *simulation) Split() float64         { return float64(s.simulation.Split) }
func (s *simulation) Model() *string         { return optional(s.simulation.Model) }
func (s *simulation) Merges() []*shift       { return s.merges }
func (s *simulation) Splits() []*shift       { return s.splits }

// Next resolves Simulation.next.
func (s *simulation) Next() *gql.ID {
	if s.simulation.Next.IsZero() {
		return nil
	}
	id := gqlID(s.simulation.Next)
	return &id
}
