package backend

import (
	"context"

	"github.com/dossier-cdp/dossier/graphql"
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
