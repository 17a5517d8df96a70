package graphqltest

import (
	"context"
	"slices"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/identity/match"
	"github.com/dossier-cdp/dossier/schema"
)

// matches tells that the first two people of the world share a home, and may be one person.
type matches struct{ w *World }

func (m matches) pair() (a, b schema.ProfileID) {
	return m.w.People[0].ID, m.w.People[min(1, len(m.w.People)-1)].ID
}

func (m matches) match() graphql.Match {
	a, b := m.pair()
	return graphql.Match{A: a, B: b, Reason: "two_claims", Weight: 1.5, Probability: .7388, Worth: 2000}
}

func (m matches) Household(ctx context.Context, workspace string, id schema.ProfileID) (*graphql.Household, error) {
	if err := m.w.count(ctx, workspace, "Household"); err != nil {
		return nil, err
	}
	a, b := m.pair()
	if id != a && id != b {
		return nil, nil
	}
	return &graphql.Household{ID: a, Residents: []graphql.Resident{{Profile: a, Shares: []string{"email"}}, {Profile: b, Shares: []string{"address", "email"}}}}, nil
}

func (m matches) PossibleMatches(ctx context.Context, workspace string, id schema.ProfileID) ([]graphql.Match, error) {
	if err := m.w.count(ctx, workspace, "PossibleMatches"); err != nil {
		return nil, err
	}
	if a, b := m.pair(); id == a || id == b {
		return []graphql.Match{m.match()}, nil
	}
	return nil, nil
}

// Queue has three matches; its cursor is how many were given.
func (m matches) Queue(ctx context.Context, workspace string, after []byte, limit int) (list []graphql.Match, next []byte, err error) {
	if err := m.w.count(ctx, workspace, "Queue"); err != nil {
		return nil, nil, err
	}
	for i := range 3 {
		one := m.match()
		one.Worth -= int64(i)
		list = append(list, one)
	}
	from := 0
	if len(after) == 1 {
		from = int(after[0])
	}
	to := min(from+limit, len(list))
	if to < len(list) {
		next = []byte{byte(to)}
	}
	return slices.Clone(list[from:to]), next, nil
}

func (m matches) Weigh(ctx context.Context, workspace string, a, b schema.ProfileID) (*graphql.Weighing, error) {
	if err := m.w.count(ctx, workspace, "Weigh"); err != nil {
		return nil, err
	}
	return m.weighing(a, b), nil
}

// Simulate tells that the two would be one, and asks for thresholds that it knows.
func (m matches) Simulate(ctx context.Context, workspace string, q graphql.Supposition) (*graphql.Simulation, error) {
	if err := m.w.count(ctx, workspace, "Simulate"); err != nil {
		return nil, err
	}
	if string(q.Identity) == `"nonsense"` {
		return nil, &graphql.Error{Code: graphql.CodeBadInput, Message: "identity: nonsense"}
	}
	a, b := m.pair()
	out := &graphql.Simulation{Personas: int64(q.Personas), All: 12_000, Profiles: 3000, ProfilesAfter: 2999, Merged: 2, Model: "0123456789abcdef", Next: b}
	if q.Samples > 0 {
		out.Merges = []graphql.Shift{{Before: []schema.ProfileID{a, b}, After: [][]schema.ProfileID{{a, b}}}}
	}
	if len(q.Thresholds) > 0 {
		out.Merged, out.Split = 0, int64(100*q.Thresholds["merge"])
	}
	return out, nil
}

func (m matches) weighing(a, b schema.ProfileID) *graphql.Weighing {
	household := match.Bits(3000)
	return &graphql.Weighing{
		A: a, B: b, Reason: "two_claims", Thresholds: match.Thresholds{Merge: 5, Link: 1, Margin: 3},
		Waterfall: match.Waterfall{
			Model: "fr", Version: "0123456789abcdef", Prior: -13253, HouseholdPrior: &household,
			Fields: []match.FieldWeight{
				{Field: "name", Level: "different_known", A: []match.Heard{{Text: "anna|martin|", Records: 2}}, B: []match.Heard{{Text: "bruno|martin|", Records: 1}}, Weight: -8900, Household: -9300, Forbids: true},
				{Field: "email", Level: "different", A: []match.Heard{{Text: "anna.martin@example.com", Records: 2}}, B: []match.Heard{{Text: "famille@example.com", Records: 1, Generic: true}}, Weight: -3600, Household: -3000, Alone: -1400},
				{Field: "postcode", A: []match.Heard{{Text: "99012", Records: 1}}, B: []match.Heard{{Text: "99012", Records: 1}}, YieldsTo: "address"},
			},
			Keys:      []match.SharedKey{{Recipe: "given+family.sound", Cores: 3}, {Recipe: "family.sound+town", Cores: 412, Closed: true}},
			Strangers: 1600, Household: 4000, Posterior: 1500, Probability: 0.7387961250362586,
		},
	}
}
