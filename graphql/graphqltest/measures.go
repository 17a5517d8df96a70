package graphqltest

import (
	"context"
	"math/big"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/care/metric"
	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/schema"
)

// measures answers every metric from the same rows: 12 answers of 11 people, of which 3 people's are by phone.
type measures struct{ w *World }

func (m measures) Figure(ctx context.Context, name string, q metric.Query) (metric.Answer, error) {
	if err := m.w.count(ctx, q.Workspace, "Figure"); err != nil {
		return metric.Answer{}, err
	}
	d, ok := metric.Find(name)
	if !ok {
		return metric.Answer{}, &graphql.Error{Code: graphql.CodeBadInput, Message: "there is no metric of this name"}
	}
	if q.Now == 0 {
		q.Now = at("2026-03-01T00:00:00Z")
	}
	if _, err := d.Count(q); err != nil {
		return metric.Answer{}, &graphql.Error{Code: graphql.CodeBadInput, Message: err.Error()}
	}
	minutes := func(values ...int64) (out []int64) {
		for _, v := range values {
			out = append(out, v*60_000_000)
		}
		return out
	}
	all := metric.Tally{
		Whole: true, N: 12, People: 11, Up: 6, Down: 2, Sum: big.NewInt(96_000_000), Squares: big.NewInt(880_000_000_000_000), Marks: []int64{8, 6, 5, 4, 1},
		Reasons: map[string]int64{"no_rating": 1, "employee": 2}, Calendars: []string{"office@1a2b"}, Over: minutes(1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233),
	}
	tallies := []metric.Tally{all}
	if len(q.By) > 0 {
		email, phone := all, all
		email.Whole, email.N, email.People, email.Up, email.Down, email.Reasons = false, 9, 8, 5, 1, nil
		phone.Whole, phone.N, phone.People, phone.Up, phone.Down, phone.Reasons = false, 3, 3, 1, 1, nil
		email.Keys, phone.Keys = []string{"email", "2026-01"}[:len(q.By)], []string{"phone", "2026-01"}[:len(q.By)]
		tallies = append(tallies, email, phone)
	}
	a := metric.Answer{Now: q.Now, Versions: []metric.Version{{Name: "definition", Value: name + "@1"}, {Name: "identity", Value: "7"}}}
	a.Whole, a.Groups = d.Figures(q, tallies, nil)
	return a, nil
}

// Rising: the delivery is spoken of three times as often, and few people speak of a secret.
func (m measures) Rising(ctx context.Context, q metric.Query) ([]metric.Spoken, error) {
	if err := m.w.count(ctx, q.Workspace, "Rising"); err != nil {
		return nil, err
	}
	if q.From == 0 && q.To == 0 {
		q.From, q.To = at("2026-02-22T00:00:00Z"), at("2026-03-01T00:00:00Z")
	}
	if _, err := metric.Rising(q); err != nil {
		return nil, &graphql.Error{Code: graphql.CodeBadInput, Message: err.Error()}
	}
	return []metric.Spoken{
		{Theme: "delivery", N: 30, Before: 10, People: 25, Negative: 21, Newest: []schema.EventID{ID('e', 1)}}, {Theme: "secret", N: 40, Before: 1, People: 4, Newest: []schema.EventID{ID('e', 4)}},
	}, nil
}

func (m measures) Rows(ctx context.Context, name string, q metric.Query, after *metric.After, first int) (list []metric.Row, more bool, err error) {
	if err := m.w.count(ctx, q.Workspace, "Rows"); err != nil {
		return nil, false, err
	}
	all := []metric.Row{
		{ID: ID('s', 1), Event: ID('e', 1), Persona: schema.ProfileID(ID('p', 1)), Profile: schema.ProfileID(ID('p', 1)), At: at("2026-01-02T10:00:00Z"), Counts: true, Value: 1},
		{ID: ID('s', 2), Event: ID('e', 2), Persona: schema.ProfileID(ID('p', 2)), Profile: schema.ProfileID(ID('p', 1)), At: at("2026-01-02T10:00:00Z"), Reason: "no_rating"},
		{ID: ID('s', 3), Event: ID('e', 3), Persona: schema.ProfileID(ID('p', 3)), Profile: schema.ProfileID(ID('p', 3)), At: at("2026-01-03T10:00:00Z"), Counts: true, Value: -1},
	}
	if after != nil {
		skip := after.Skip
		for len(all) > 0 && (all[0].At < after.At || skip > 0) {
			if all[0].At >= after.At {
				skip--
			}
			all = all[1:]
		}
	}
	return all[:min(first, len(all))], len(all) > first, nil
}

// Crises: one, of garance.
func (m measures) Crises(ctx context.Context, q metric.Query) ([]reputation.Crisis, error) {
	if err := m.w.count(ctx, q.Workspace, "Crises"); err != nil {
		return nil, err
	}
	return []reputation.Crisis{{
		Brand: "garance", From: at("2026-02-22T20:00:00Z"), Recognised: at("2026-02-22T20:20:00Z"), Until: at("2026-02-22T23:00:00Z"),
		Alerts: []reputation.Alert{{From: at("2026-02-22T20:00:00Z"), Mentions: 12, Usual: 1, Z: 11}}, Tally: reputation.Tally{Neutral: 3, Unfavourable: 30, Unjudged: 2},
	}}, nil
}

func (m measures) Voices(ctx context.Context, q metric.Query, _ reputation.Crisis, first int) ([]schema.EventID, error) {
	if err := m.w.count(ctx, q.Workspace, "Voices"); err != nil {
		return nil, err
	}
	return []schema.EventID{ID('e', 1)}[:min(1, first)], nil
}
