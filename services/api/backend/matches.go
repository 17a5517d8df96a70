package backend

import (
	"context"
	"errors"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/configuration"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/identity"
)

var _ graphql.Matches = (*Profiles)(nil)

// Household gives the household of the profile that holds an id.
func (p *Profiles) Household(_ context.Context, _ string, id schema.ProfileID) (out *graphql.Household, err error) {
	err = p.view(func(v *identity.View) error {
		h, err := v.Household(id)
		if err != nil || h == nil {
			return err
		}
		out = &graphql.Household{ID: h.ID}
		for _, m := range h.Members {
			out.Residents = append(out.Residents, graphql.Resident{Profile: m.Profile, Shares: m.Shares})
		}
		return nil
	})
	return out, err
}

func matchesOf(list []identity.PossibleMatch) []graphql.Match {
	out := make([]graphql.Match, len(list))
	for i, m := range list {
		out[i] = graphql.Match{A: m.A, B: m.B, Reason: string(m.Reason), Weight: m.Weight.Float(), Probability: m.Probability, Worth: m.Worth}
	}
	return out
}

// PossibleMatches lists those of the profile that holds an id.
func (p *Profiles) PossibleMatches(_ context.Context, _ string, id schema.ProfileID) (out []graphql.Match, err error) {
	err = p.view(func(v *identity.View) error {
		list, err := v.PossibleMatches(id)
		out = matchesOf(list)
		return err
	})
	return out, err
}

// Queue lists all possible matches.
func (p *Profiles) Queue(_ context.Context, _ string, after []byte, limit int) (out []graphql.Match, next []byte, err error) {
	err = p.view(func(v *identity.View) error {
		list, cursor, err := v.Matches(after, limit)
		out, next = matchesOf(list), cursor
		return err
	})
	return out, next, err
}

// Weigh weighs two ids.
func (p *Profiles) Weigh(_ context.Context, _ string, a, b schema.ProfileID) (out *graphql.Weighing, err error) {
	err = p.view(func(v *identity.View) error {
		out, err = weigh(v, a, b)
		return err
	})
	return out, err
}

func weigh(v *identity.View, a, b schema.ProfileID) (*graphql.Weighing, error) {
	w, err := v.Weigh(a, b)
	if err != nil || w == nil {
		return nil, err
	}
	return &graphql.Weighing{A: w.A, B: w.B, Same: w.Same, Waterfall: w.Waterfall, Thresholds: w.Thresholds, Reason: w.Reason}, nil
}

// joints tells what weights joined in the profile that holds an id.
func joints(v *identity.View, id schema.ProfileID) ([]graphql.Joint, error) {
	list, err := v.Joints(id)
	if err != nil {
		return nil, err
	}
	var out []graphql.Joint
	for _, j := range list {
		out = append(out, graphql.Joint{A: j.A, B: j.B, Weight: j.Weight.Float(), Attached: j.Attached})
	}
	return out, nil
}

// Simulate says what other settings would change.
func (p *Profiles) Simulate(ctx context.Context, _ string, q graphql.Supposition) (*graphql.Simulation, error) {
	settings := p.Identity.InForce()
	if q.Identity != nil {
		rules, model, people, err := configuration.Identity(q.Identity)
		if err != nil {
			return nil, refused(err)
		}
		settings.Rules, settings.Model, settings.People = rules, model, people
	}
	if len(q.Thresholds) > 0 {
		if settings.Model == nil {
			return nil, &graphql.Error{Code: graphql.CodeBadInput, Message: "thresholds are a model's, and none is supposed", Hint: "name a model in identity"}
		}
		t := settings.Model.Thresholds
		for name, at := range map[string]*float64{"merge": &t.Merge, "link": &t.Link, "margin": &t.Margin, "possible": &t.Possible} {
			if x, given := q.Thresholds[name]; given {
				*at = x
			}
		}
		var err error
		if settings.Model, err = settings.Model.With(t); err != nil {
			return nil, refused(err)
		}
	}
	found, err := p.Identity.Simulate(ctx, identity.Supposition{Settings: settings, Personas: q.Personas, Samples: q.Samples, After: q.After})
	switch {
	case errors.Is(err, identity.ErrNotReady):
		_, reason, _ := p.Identity.Ready()
		return nil, &graphql.Error{Code: graphql.CodeNotReady, Message: reason, Hint: "ask again in a moment"}
	case errors.Is(err, identity.ErrSimulating):
		return nil, &graphql.Error{Code: graphql.CodeNotReady, Message: "another simulation is running", Hint: "ask again when it is done"}
	case err != nil:
		return nil, refused(err)
	}
	out := &graphql.Simulation{
		Personas: int64(found.Personas), All: int64(found.All), Whole: found.Whole, Approximate: found.Approximate, Profiles: int64(found.Counted),
		ProfilesAfter: int64(found.ProfilesAfter), Merged: int64(found.Merged), Split: int64(found.Split), Next: found.Next, Model: found.ModelVersion,
	}
	for _, s := range found.Merges {
		out.Merges = append(out.Merges, graphql.Shift(s))
	}
	for _, s := range found.Splits {
		out.Splits = append(out.Splits, graphql.Shift(s))
	}
	return out, nil
}

// refused gives a refusal its form for those who ask; other errors as they are.
func refused(err error) error {
	if r := (*schema.Refusal)(nil); errors.As(err, &r) {
		return &graphql.Error{Code: graphql.CodeBadInput, Message: r.Reason, Hint: r.Hint}
	}
	return err
}
