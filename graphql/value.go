package graphql

import (
	"context"
	"math"
	"strconv"

	"github.com/dossier-cdp/dossier/pipelines/value"
	"github.com/dossier-cdp/dossier/schema"
)

// Value resolves Dossier.value.
func (d *dossier) Value(ctx context.Context) (*worth, error) {
	v, err := ask(ctx, d.cohort, d.at, "value", 1, func(people [][]schema.PersonaID) ([]Value, error) {
		return d.timeline().Value(ctx, d.workspace, people)
	})
	if err != nil {
		return nil, d.root.answer(ctx, err)
	}
	return &worth{d, v}, nil
}

// ValueSnapshots resolves Query.valueSnapshots.
func (r *resolver) ValueSnapshots(ctx context.Context) ([]*valueSnapshot, error) {
	c, err := need(ctx, scopeRead)
	if err != nil {
		return nil, err
	}
	taken, err := r.backends.Values.Snapshots(c.Workspace)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	out := make([]*valueSnapshot, len(taken))
	for i := range taken { // newest first
		out[len(taken)-1-i] = &valueSnapshot{taken[i]}
	}
	return out, nil
}

type worth struct {
	dossier *dossier
	v       Value
}

func (v *worth) Orders() int32            { return int32(min(v.v.Orders, math.MaxInt32)) }
func (v *worth) Cancelled() int32         { return int32(min(v.v.Cancelled, math.MaxInt32)) }
func (v *worth) FirstOrderAt() *timeValue { return optionalTime(v.v.FirstOrderAt) }
func (v *worth) LastOrderAt() *timeValue  { return optionalTime(v.v.LastOrderAt) }
func (v *worth) Spent() []Money           { return append([]Money{}, v.v.Spent...) }

// purchaseRows is how many days of purchase a person is taken to have, in what a query costs.
const purchaseRows = 10

// Assessment resolves Value.assessment: by the latest snapshot, and by what this person had bought at its instant.
func (v *worth) Assessment(ctx context.Context) (*assessment, error) {
	d := v.dossier
	if d.history != nil {
		return nil, d.onlyNow("assessment")
	}
	taken, err := d.root.backends.Values.Snapshots(d.workspace)
	if err != nil {
		return nil, d.root.answer(ctx, err)
	}
	if len(taken) == 0 {
		return nil, nil
	}
	latest := taken[len(taken)-1]
	before, err := schema.ParseInstant(latest.Settings.At)
	if err != nil {
		return nil, d.root.answer(ctx, err) // Unreachable: a snapshot was checked when it was read
	}
	purchases, err := ask(ctx, d.cohort, d.at, "purchases "+latest.Settings.At, purchaseRows, func(people [][]schema.PersonaID) ([][]value.Purchase, error) {
		return d.timeline().Purchases(ctx, d.workspace, people, before)
	})
	if err != nil {
		return nil, d.root.answer(ctx, err)
	}
	a, ok := latest.Assess(purchases)
	if !ok {
		return nil, nil
	}
	return &assessment{latest, a}, nil
}

type assessment struct {
	snapshot Snapshot
	a        value.Assessment
}

func (a *assessment) Snapshot() *valueSnapshot    { return &valueSnapshot{a.snapshot} }
func (a *assessment) PurchaseDays() int32         { return a.a.History.Repeats + 1 }
func (a *assessment) RecencyDays() int32          { return a.a.History.Age - a.a.History.Recency }
func (a *assessment) AgeDays() int32              { return a.a.History.Age }
func (a *assessment) Rfm() rfm                    { return rfmOf(a.a.RFM) }
func (a *assessment) PAlive() *float64            { return a.a.Alive }
func (a *assessment) ExpectedPurchases() *float64 { return a.a.Purchases }
func (a *assessment) ExpectedAmount() *Money      { return a.money(a.a.Each) }
func (a *assessment) LifetimeValue() *Money       { return a.money(a.a.Lifetime) }
func (a *assessment) SimpleLifetimeValue() *Money { return a.money(a.a.Simple) }

// money is an estimate: two decimals say more than it knows.
func (a *assessment) money(amount *float64) *Money {
	if amount == nil {
		return nil
	}
	return &Money{strconv.FormatFloat(*amount, 'f', 2, 64), a.a.Currency}
}

type rfm struct {
	Recency, Frequency int32
	Monetary           *int32
}

func rfmOf(r value.RFM) rfm {
	out := rfm{Recency: int32(r.Recency), Frequency: int32(r.Frequency)}
	if r.Monetary > 0 {
		monetary := int32(r.Monetary)
		out.Monetary = &monetary
	}
	return out
}

type valueSnapshot struct{ s Snapshot }

func (s *valueSnapshot) Version() string       { return s.s.Version }
func (s *valueSnapshot) Method() string        { return s.s.Method }
func (s *valueSnapshot) At() timeValue         { return settingTime(s.s.Settings.At) }
func (s *valueSnapshot) TakenAt() timeValue    { return timeOf(s.s.TakenAt) }
func (s *valueSnapshot) Actor() string         { return s.s.Actor }
func (s *valueSnapshot) Reason() *string       { return optional(s.s.Reason) }
func (s *valueSnapshot) HorizonDays() int32    { return int32(s.s.Settings.Horizon) }
func (s *valueSnapshot) Margin() float64       { return s.s.Settings.Margin }
func (s *valueSnapshot) DiscountRate() float64 { return s.s.Settings.Discount }
func (s *valueSnapshot) Customers() int32      { return int32(min(s.s.Customers, math.MaxInt32)) }
func (s *valueSnapshot) Repeating() int32      { return int32(min(s.s.Repeating, math.MaxInt32)) }
func (s *valueSnapshot) Retention() *float64 {
	if s.s.Retention.Customers == 0 {
		return nil
	}
	share := float64(s.s.Retention.Returned) / float64(s.s.Retention.Customers)
	return &share
}
func (s *valueSnapshot) From() *timeValue {
	if s.s.Settings.From == "" {
		return nil
	}
	from := settingTime(s.s.Settings.From)
	return &from
}

// Document resolves ValueSnapshot.document: everything that the fit found.
func (s *valueSnapshot) Document() (jsonValue, error) {
	form, err := s.s.Encode()
	return jsonValue{form}, err
}

// settingTime is a time of settings that were checked.
func settingTime(text string) timeValue {
	at, err := schema.ParseInstant(text)
	if err != nil {
		return timeOf(0) // Unreachable
	}
	return timeOf(at)
}
