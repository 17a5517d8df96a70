package graphql

import (
	"context"
	"fmt"

	"github.com/dossier-cdp/dossier/pipelines/care/metric"
	"github.com/dossier-cdp/dossier/pipelines/care/stat"
	"github.com/dossier-cdp/dossier/pipelines/reputation"
)

// Kano resolves Metrics.kano.
func (m *metrics) Kano(ctx context.Context, args measureArgs) ([]*kanoTheme, error) {
	asked := metricInput{}
	if args.Of != nil {
		asked = *args.Of
	}
	if asked.By == nil {
		asked.By = &[]string{string(metric.Theme)}
	}
	of, err := m.measure(ctx, "kanoBetter", measureArgs{&asked})
	if err != nil {
		return nil, err
	}
	out := []*kanoTheme{}
	groups := of.Groups()
	for i, k := range metric.Kano(*of.answer) {
		out = append(out, &kanoTheme{groups[i], k})
	}
	return out, nil
}

type kanoTheme struct {
	of *measure
	k  metric.KanoTheme
}

func (k *kanoTheme) Keys() []metricKey  { return k.of.Keys() }
func (k *kanoTheme) Class() *string     { return optional(string(k.k.Class)) }
func (k *kanoTheme) Commonest() *string { return optional(string(k.k.Commonest)) }
func (k *kanoTheme) People() int32      { return int32(k.k.People) }
func (k *kanoTheme) Suppressed() bool   { return k.k.Suppressed }
func (k *kanoTheme) Better() *interval  { return intervalOf(k.k.Better) }
func (k *kanoTheme) Worse() *interval   { return intervalOf(k.k.Worse) }
func (k *kanoTheme) Exclusions() []*metricExclusion {
	out := []*metricExclusion{}
	for _, e := range k.k.Exclusions {
		out = append(out, &metricExclusion{e})
	}
	return out
}
func (k *kanoTheme) Attractive() *int32     { return k.told(k.k.Counts.Attractive) }
func (k *kanoTheme) OneDimensional() *int32 { return k.told(k.k.Counts.OneDimensional) }
func (k *kanoTheme) MustBe() *int32         { return k.told(k.k.Counts.MustBe) }
func (k *kanoTheme) Indifferent() *int32    { return k.told(k.k.Counts.Indifferent) }
func (k *kanoTheme) Reverse() *int32        { return k.told(k.k.Counts.Reverse) }
func (k *kanoTheme) Questionable() *int32   { return k.told(k.k.Counts.Questionable) }

// N is of those who are classed, and of those whose answers are reverse or questionable.
func (k *kanoTheme) N() int32 {
	if k.k.Suppressed {
		return k.of.N()
	}
	return int32(k.k.Counts.N())
}

func (k *kanoTheme) told(n int64) *int32 {
	if k.k.Suppressed {
		return nil
	}
	v := int32(n)
	return &v
}

// Theme is the key of that dimension; empty where the input groups by something else.
func (k *kanoTheme) Theme() string {
	for _, key := range k.of.Keys() {
		if key.Dimension == string(metric.Theme) {
			return key.Value
		}
	}
	return ""
}

// Title resolves KanoTheme.title.
func (k *kanoTheme) Title(args struct{ Language *string }) string {
	return k.of.metrics.themeTitle(k.Theme(), args.Language)
}

// Explanation resolves KanoTheme.explanation.
func (k *kanoTheme) Explanation(args languageArgs) (string, error) {
	return k.k.Explain(args.Language), args.check()
}

// Explain resolves KanoTheme.explain.
func (k *kanoTheme) Explain(args languageArgs) (*metricExplanation, error) { return k.of.Explain(args) }

type interval struct{ Value, Low, High float64 }

func intervalOf(e stat.Estimate) *interval {
	if !e.Known() {
		return nil
	}
	return &interval{e.Value, e.Low, e.High}
}

// Crises resolves Metrics.crises.
func (m *metrics) Crises(ctx context.Context, args measureArgs) ([]*crisis, error) {
	q, err := m.query(ctx, args.Of)
	if err != nil {
		return nil, m.root.answer(ctx, err)
	}
	found, err := once(&operationOf(ctx).reads, fmt.Sprintf("crises %v", q), func() ([]reputation.Crisis, error) {
		for range figureQueries {
			if err := query(ctx, 0); err != nil {
				return nil, err
			}
		}
		return m.root.backends.Measures.Crises(ctx, q)
	})
	if err != nil {
		return nil, m.root.answer(ctx, err)
	}
	out := []*crisis{}
	for _, c := range found {
		out = append(out, &crisis{m, q, c})
	}
	return out, nil
}

type crisis struct {
	metrics *metrics
	query   metric.Query
	c       reputation.Crisis
}

func (c *crisis) Brand() string           { return c.c.Brand }
func (c *crisis) From() timeValue         { return timeOf(c.c.From) }
func (c *crisis) Until() timeValue        { return timeOf(c.c.Until) }
func (c *crisis) RecognisedAt() timeValue { return timeOf(c.c.Recognised) }
func (c *crisis) Ongoing() bool           { return c.c.Ongoing }
func (c *crisis) Mentions() int32         { return int32(c.c.Tally.All()) }
func (c *crisis) Favourable() int32       { return int32(c.c.Tally.Favourable) }
func (c *crisis) Neutral() int32          { return int32(c.c.Tally.Neutral) }
func (c *crisis) Unfavourable() int32     { return int32(c.c.Tally.Unfavourable) }
func (c *crisis) Unjudged() int32         { return int32(c.c.Tally.Unjudged) }

// Explanation resolves Crisis.explanation.
func (c *crisis) Explanation(args languageArgs) (string, error) {
	return c.c.Explain(args.Language), args.check()
}

// Alerts resolves Crisis.alerts.
func (c *crisis) Alerts() []*crisisAlert {
	out := make([]*crisisAlert, len(c.c.Alerts))
	for i, a := range c.c.Alerts {
		out[i] = &crisisAlert{timeOf(a.From), int32(a.Mentions), a.Usual, a.Z}
	}
	return out
}

type crisisAlert struct {
	From     timeValue
	Mentions int32
	Usual, Z float64
}

// crisisVoices is how many posts of a crisis are shown at most.
const crisisVoices = 50

// Interactions resolves Crisis.interactions.
func (c *crisis) Interactions(ctx context.Context, args struct{ First *int32 }) ([]*interaction, error) {
	first := 5
	if args.First != nil {
		if first = int(*args.First); first < 1 || first > crisisVoices {
			return nil, badInput("first is from 1 to %d", crisisVoices)
		}
	}
	if err := query(ctx, first); err != nil {
		return nil, err
	}
	root := c.metrics.root
	events, err := root.backends.Measures.Voices(ctx, c.query, c.c, first)
	if err != nil {
		return nil, root.answer(ctx, err)
	}
	found, err := root.backends.Timeline.Interactions(ctx, c.query.Workspace, events)
	if err != nil {
		return nil, root.answer(ctx, err)
	}
	out := []*interaction{}
	for _, event := range events {
		for _, i := range found {
			if i.ID == event {
				out = append(out, &interaction{i, veilOf(operationOf(ctx).caller)})
			}
		}
	}
	return out, nil
}
