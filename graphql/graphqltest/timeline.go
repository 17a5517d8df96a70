package graphqltest

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/value"
	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
)

type timeline struct {
	w    *World
	past graphql.Past
}

func (t timeline) Then(past graphql.Past) graphql.Timeline { return timeline{t.w, past} }

func (t timeline) of(personas []schema.PersonaID, f graphql.Filter) (out []graphql.Interaction) {
	for _, id := range personas {
		for _, i := range t.w.Interactions[id] {
			if (f.Channels == nil || slices.Contains(f.Channels, i.Channel)) && (f.Types == nil || slices.Contains(f.Types, i.Type)) &&
				(f.From == 0 || i.OccurredAt >= f.From) && (f.To == 0 || i.OccurredAt < f.To) && (t.past.AsOf == 0 || i.OccurredAt <= t.past.AsOf) {
				out = append(out, i)
			}
		}
	}
	sortNewest(out)
	return out
}

// each answers for every person of one read.
func each[T any](ctx context.Context, t timeline, workspace, read string, people [][]schema.PersonaID, answer func(personas []schema.PersonaID) T) ([]T, error) {
	if err := t.w.count(ctx, workspace, read); err != nil {
		return nil, err
	}
	out := make([]T, len(people))
	for i, personas := range people {
		out[i] = answer(personas)
	}
	return out, nil
}

func (t timeline) Pages(ctx context.Context, workspace string, people [][]schema.PersonaID, f graphql.Filter, after *graphql.Cursor, first int, w graphql.Wanted) ([]graphql.Page, error) {
	return each(ctx, t, workspace, "Pages", people, func(personas []schema.PersonaID) (p graphql.Page) {
		p.Total = -1
		if w.Total && after == nil {
			p.Total = int64(len(t.of(personas, f)))
		}
		for _, i := range t.of(personas, f) {
			if after != nil && !newer(&graphql.Interaction{OccurredAt: after.OccurredAt, ID: after.ID}, i.OccurredAt, i.ID) {
				continue
			}
			if p.More = len(p.Interactions) == first; p.More {
				break
			}
			p.Interactions = append(p.Interactions, only(i, w.Fields))
		}
		return p
	})
}

// only leaves out what was not asked for, as a store does that does not read it.
func only(i graphql.Interaction, fields []string) graphql.Interaction {
	if fields == nil {
		return i
	}
	out := graphql.Interaction{ID: i.ID, Persona: i.Persona, OccurredAt: i.OccurredAt}
	from, to := reflect.ValueOf(i), reflect.ValueOf(&out).Elem()
	for _, name := range fields {
		if name == "actorId" {
			name = "actorID"
		}
		if member := to.FieldByName(strings.ToUpper(name[:1]) + name[1:]); member.IsValid() {
			member.Set(from.FieldByName(strings.ToUpper(name[:1]) + name[1:]))
		}
	}
	return out
}

func (t timeline) Totals(ctx context.Context, workspace string, people [][]schema.PersonaID, f graphql.Filter) ([]int64, error) {
	return each(ctx, t, workspace, "Totals", people, func(personas []schema.PersonaID) int64 { return int64(len(t.of(personas, f))) })
}

func (t timeline) Cases(ctx context.Context, workspace string, people [][]schema.PersonaID) ([][]graphql.Case, error) {
	return each(ctx, t, workspace, "Cases", people, func(personas []schema.PersonaID) (out []graphql.Case) {
		for _, i := range t.of(personas, graphql.Filter{}) { // newest first: the first event of a case is its state
			if i.Case == "" {
				continue
			}
			at := slices.IndexFunc(out, func(c graphql.Case) bool { return c.ID == i.Case })
			if at < 0 {
				at, out = len(out), append(out, graphql.Case{ID: i.Case, State: "open", LastContact: i.OccurredAt})
				if i.Type == schema.TypeCaseResolved {
					out[at].State, out[at].ResolvedAt = "resolved", i.OccurredAt
				}
			}
			out[at].First = i.ID
			if i.Type == schema.TypeCaseOpened {
				out[at].OpenedAt = i.OccurredAt
			}
		}
		return out
	})
}

func (t timeline) Satisfaction(ctx context.Context, workspace string, people [][]schema.PersonaID) ([]graphql.Satisfaction, error) {
	return each(ctx, t, workspace, "Satisfaction", people, func(personas []schema.PersonaID) (s graphql.Satisfaction) {
		for _, i := range t.of(personas, graphql.Filter{Types: []schema.Type{schema.TypeSurveyAnswered}}) {
			if s.Answers++; s.Answers == 1 {
				s.LastRating, s.LastRatingScale, s.LastAnswerAt = i.Rating, i.RatingScale, i.OccurredAt
			}
		}
		return s
	})
}

func (t timeline) Value(ctx context.Context, workspace string, people [][]schema.PersonaID) ([]graphql.Value, error) {
	return each(ctx, t, workspace, "Value", people, func(personas []schema.PersonaID) (v graphql.Value) {
		for _, i := range t.of(personas, graphql.Filter{Types: []schema.Type{schema.TypeOrderPlaced}}) {
			if v.Orders++; v.Orders == 1 {
				v.FirstOrderAt = i.OccurredAt
			}
			v.FirstOrderAt = min(v.FirstOrderAt, i.OccurredAt)
			v.LastOrderAt = max(v.LastOrderAt, i.OccurredAt)
			v.Spent = []graphql.Money{{Amount: i.Amount, Currency: i.Currency}}
		}
		return v
	})
}

func (t timeline) Purchases(ctx context.Context, workspace string, people [][]schema.PersonaID, before schema.Instant) ([][]value.Purchase, error) {
	return each(ctx, t, workspace, "Purchases", people, func(personas []schema.PersonaID) (out []value.Purchase) {
		for _, i := range t.of(personas, graphql.Filter{Types: []schema.Type{schema.TypeOrderPlaced}, To: before}) {
			amount, err := strconv.ParseFloat(i.Amount, 64)
			if err != nil {
				amount = 0
			}
			out = append(out, value.Purchase{Day: value.DayOf(i.OccurredAt), Currency: i.Currency, Amount: amount})
		}
		return out
	})
}

// values has one snapshot, of made-up parameters.
type values struct{}

func (values) Snapshots(string) ([]graphql.Snapshot, error) {
	s := &value.Snapshot{
		Method: value.Method, Settings: value.Settings{At: "2026-03-01T00:00:00Z", Horizon: 365, Margin: .3, Discount: .1},
		Customers: 1000, Repeating: 600, Purchases: 2500, Recency: value.Cuts[int32]{10, 30, 90, 200}, Frequency: value.Cuts[int32]{1, 1, 2, 4},
		Model:      &value.Frequency{R: .5, Alpha: 5, A: .8, B: 2.4},
		Currencies: []value.CurrencySnapshot{{Currency: "EUR", Customers: 1000, Monetary: value.Cuts[float64]{20, 40, 80, 160}, Model: &value.Spend{P: 6, Q: 4, Gamma: 15}}},
	}
	s.Retention.Customers, s.Retention.Returned = 400, 240
	return []graphql.Snapshot{{Snapshot: s, Version: s.Version(), Actor: "marketing@example.com", TakenAt: 1_772_400_000_000_000}}, nil
}

func (t timeline) Interactions(ctx context.Context, workspace string, ids []schema.EventID) (out []graphql.Interaction, err error) {
	if err := t.w.count(ctx, workspace, "Interactions"); err != nil {
		return nil, err
	}
	for _, list := range t.w.Interactions {
		for _, i := range list {
			if slices.Contains(ids, i.ID) {
				out = append(out, i)
			}
		}
	}
	return out, nil
}

func (t timeline) Count(ctx context.Context, workspace string) (n int64, err error) {
	if err := t.w.count(ctx, workspace, "Timeline.Count"); err != nil {
		return 0, err
	}
	for _, list := range t.w.Interactions {
		n += int64(len(list))
	}
	return n, nil
}

type figures struct{}

func (figures) Freshness() graphql.Freshness {
	return graphql.Freshness{N: 1200, P50: 0.21, P90: 0.4, P99: 0.75}
}

func (figures) MapBehind() int64 { return 3 }

type decisions struct{ w *World }

func (d decisions) decide(ctx context.Context, caller graphql.Caller, what, key string) (schema.EventID, error) {
	if err := d.w.count(ctx, caller.Workspace, "Decide"); err != nil {
		return schema.EventID{}, err
	}
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	if id, ok := d.w.made[key]; ok {
		return id, nil
	}
	if d.w.made == nil {
		d.w.made = map[string]schema.EventID{}
	}
	d.w.Made = append(d.w.Made, caller.Actor+": "+what)
	id := schema.EventID(ID('e', 100+len(d.w.Made)))
	d.w.made[key] = id
	return id, nil
}

func (d decisions) Assert(ctx context.Context, caller graphql.Caller, in graphql.Decision) (schema.EventID, error) {
	if !in.Of.IsZero() {
		return d.decide(ctx, caller, in.Type.String()+" "+in.Of.String()+" because "+in.Reason, in.IdempotencyKey)
	}
	return d.decide(ctx, caller, in.Type.String()+" "+in.A.String()+" "+in.B.String()+" because "+in.Reason, in.IdempotencyKey)
}

func (d decisions) Consent(ctx context.Context, caller graphql.Caller, profile schema.ProfileID, c schema.Consent, reason, key string) (schema.EventID, error) {
	return d.decide(ctx, caller, fmt.Sprintf("%s %s %s for %s because %s", c.State, c.Channel, c.Purpose, profile, reason), key)
}

func (d decisions) Correct(ctx context.Context, caller graphql.Caller, of schema.EventID, properties json.RawMessage, reason, key string) (schema.EventID, error) {
	return d.decide(ctx, caller, fmt.Sprintf("corrected %s to %s because %s", of, properties, reason), key)
}

type verbatims struct{}

func (verbatims) Themes(string) []verbatim.Theme {
	return []verbatim.Theme{{ID: "delivery", Title: map[string]string{"fr": "Livraison", "en": "Delivery"}}, {ID: "delivery.late", Parent: "delivery"}}
}

func (d decisions) Configure(ctx context.Context, caller graphql.Caller, document json.RawMessage, base, reason, key string) (string, json.RawMessage, error) {
	if base != "base" {
		return "", nil, &graphql.Error{Code: graphql.CodeConflict, Message: "another configuration is in force", Hint: "read the configuration as it is now and change that"}
	}
	_, err := d.decide(ctx, caller, "configuration because "+reason, key)
	return "hash", document, err
}
