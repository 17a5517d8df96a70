package graphql

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/dossier-cdp/dossier/pipelines/care/metric"
	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
)

// Verbatim resolves Interaction.verbatim.
func (i *interaction) Verbatim() *reading {
	if i.interaction.Verbatim == nil {
		return nil
	}
	return &reading{i.interaction.Verbatim, i.veil}
}

type reading struct {
	v    *Verbatim
	veil veil
}

func (r *reading) Language() *string {
	if r.v.Language == verbatim.Unknown {
		return nil
	}
	return optional(r.v.Language.String())
}

func (r *reading) Polarity() *string       { return optional(r.v.Polarity.String()) }
func (r *reading) Confidence() float64     { return float64(r.v.Confidence) / 1000 }
func (r *reading) Unsure() bool            { return r.v.Unsure }
func (r *reading) Act() string             { return r.v.Act.String() }
func (r *reading) Emotion() *string        { return optional(r.v.Emotion.String()) }
func (r *reading) Criticality() string     { return r.v.Criticality.String() }
func (r *reading) Version() string         { return r.v.Model }
func (r *reading) CorrectedBy() *string    { return r.veil.text(r.v.CorrectedBy) }
func (r *reading) CorrectedAt() *timeValue { return optionalTime(r.v.CorrectedAt) }

func (r *reading) Correction() *gql.ID {
	if r.v.Correction.IsZero() {
		return nil
	}
	id := gqlID(r.v.Correction)
	return &id
}

func (r *reading) Themes() []*readTheme {
	out := make([]*readTheme, len(r.v.Themes))
	for i := range r.v.Themes {
		out[i] = &readTheme{&r.v.Themes[i]}
	}
	return out
}

func (r *reading) Reasons() []*readReason {
	out := make([]*readReason, len(r.v.Reasons))
	for i := range r.v.Reasons {
		out[i] = &readReason{&r.v.Reasons[i], r.veil}
	}
	return out
}

type readTheme struct{ t *verbatim.KeptTheme }

func (t *readTheme) ID() string          { return t.t.ID }
func (t *readTheme) Polarity() *string   { return optional(t.t.Polarity.String()) }
func (t *readTheme) Confidence() float64 { return float64(t.t.Confidence) / 1000 }

type readReason struct {
	r    *verbatim.Reason
	veil veil
}

func (r *readReason) Code() string   { return r.r.Code }
func (r *readReason) Words() *string { return r.veil.text(r.r.Words) }

// Themes resolves Query.themes.
func (r *resolver) Themes(ctx context.Context) ([]*theme, error) {
	c, err := need(ctx, scopeRead)
	if err != nil {
		return nil, err
	}
	out := []*theme{}
	if r.backends.Verbatims == nil {
		return out, nil
	}
	for _, t := range r.backends.Verbatims.Themes(c.Workspace) {
		out = append(out, &theme{t})
	}
	return out, nil
}

type theme struct{ t verbatim.Theme }

func (t *theme) ID() string      { return t.t.ID }
func (t *theme) Parent() *string { return optional(t.t.Parent) }

// Title resolves Theme.title: in the language, else in English, else the id.
func (t *theme) Title(args struct{ Language *string }) string {
	return t.t.TitleIn(plain(args.Language))
}

// CorrectVerbatim resolves Mutation.correctVerbatim.
func (r *resolver) CorrectVerbatim(ctx context.Context, args struct {
	Interaction gql.ID
	Correction  struct {
		Language, Polarity *string
		Themes             *[]string
		Criticality        *string
	}
	Reason         string
	IdempotencyKey string
}) (*decision, error) {
	c, err := need(ctx, scopeCare)
	if err != nil {
		return nil, err
	}
	if err := (reasoned{args.Reason, args.IdempotencyKey}).check(); err != nil {
		return nil, err
	}
	of, err := schema.ParseEventID(string(args.Interaction))
	if err != nil {
		return nil, badInput("%v", err)
	}
	properties, err := json.Marshal(struct {
		Criticality *string   `json:"criticality,omitempty"`
		Language    *string   `json:"language,omitempty"`
		Polarity    *string   `json:"polarity,omitempty"`
		Themes      *[]string `json:"themes,omitempty"`
	}{args.Correction.Criticality, args.Correction.Language, args.Correction.Polarity, args.Correction.Themes})
	if err != nil {
		return nil, err
	}
	if _, refused := verbatim.ParseCorrection(properties); refused != nil {
		return nil, &Error{Code: CodeBadInput, Message: refused.Reason, Hint: refused.Hint}
	}
	event, err := r.backends.Decisions.Correct(ctx, c, of, properties, args.Reason, args.IdempotencyKey)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	return &decision{gqlID(event)}, nil
}

const risingShown = 20

// RisingThemes resolves Metrics.risingThemes.
func (m *metrics) RisingThemes(ctx context.Context, args struct {
	Of    *metricInput
	First *int32
}) ([]*rising, error) {
	first := risingShown
	if args.First != nil {
		if first = int(*args.First); first < 1 || first > risingShown {
			return nil, badInput("first is from 1 to %d", risingShown)
		}
	}
	q, err := m.query(ctx, args.Of)
	if err != nil {
		return nil, m.root.answer(ctx, err)
	}
	spoken, err := once(&operationOf(ctx).reads, fmt.Sprintf("rising %v", q), func() ([]metric.Spoken, error) {
		for range figureQueries {
			if err := query(ctx, 0); err != nil {
				return nil, err
			}
		}
		return m.root.backends.Measures.Rising(ctx, q)
	})
	if err != nil {
		return nil, m.root.answer(ctx, err)
	}
	rises, _ := metric.Rises(spoken)
	out := []*rising{}
	for _, r := range rises[:min(first, len(rises))] {
		out = append(out, &rising{m, r})
	}
	return out, nil
}

type rising struct {
	metrics *metrics
	r       metric.Rise
}

func (r *rising) Theme() string   { return r.r.Theme }
func (r *rising) N() int32        { return int32(r.r.N) }
func (r *rising) Before() int32   { return int32(r.r.Before) }
func (r *rising) People() int32   { return int32(r.r.People) }
func (r *rising) Negative() int32 { return int32(r.r.Negative) }
func (r *rising) Times() *float64 { return metric.Bound(r.r.Value) }
func (r *rising) Low() float64    { return r.r.Low }
func (r *rising) High() *float64  { return metric.Bound(r.r.High) }

// Title resolves RisingTheme.title.
func (r *rising) Title(args struct{ Language *string }) string {
	return r.metrics.themeTitle(r.r.Theme, args.Language)
}

// themeTitle is the title of a theme in a language; one that is no longer in the tree has its id.
func (m *metrics) themeTitle(id string, language *string) string {
	if known := m.root.backends.Verbatims; known != nil {
		for _, t := range known.Themes(m.workspace) {
			if t.ID == id {
				return t.TitleIn(plain(language))
			}
		}
	}
	return id
}

// Interactions resolves RisingTheme.interactions.
func (r *rising) Interactions(ctx context.Context) ([]*interaction, error) {
	if err := query(ctx, len(r.r.Newest)); err != nil {
		return nil, err
	}
	found, err := r.metrics.root.backends.Timeline.Interactions(ctx, r.metrics.workspace, r.r.Newest)
	if err != nil {
		return nil, r.metrics.root.answer(ctx, err)
	}
	out := []*interaction{}
	for _, i := range slices.Backward(found) { // newest first
		out = append(out, &interaction{i, veilOf(operationOf(ctx).caller)})
	}
	return out, nil
}
