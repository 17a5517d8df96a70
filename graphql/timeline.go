package graphql

import (
	"context"
	"fmt"
	"math"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/dossier-cdp/dossier/schema"
)

type pageInfo struct {
	HasNextPage, HasPreviousPage bool
	StartCursor, EndCursor       *string
}

type profileConnection struct {
	Edges    []*profileEdge
	PageInfo pageInfo
}

type profileEdge struct {
	Node   *profile
	Cursor string
	Asked  []gql.ID
}

type timelineConnection struct {
	dossier  *dossier
	filter   Filter
	page     Page
	previous bool
}

type timelineEdge struct {
	Node   *interaction
	Cursor string
}

// Edges resolves TimelineConnection.edges.
func (t *timelineConnection) Edges() []*timelineEdge {
	out := make([]*timelineEdge, len(t.page.Interactions))
	for i := range t.page.Interactions {
		out[i] = &timelineEdge{&interaction{t.page.Interactions[i], t.dossier.veil}, cursorOf(&t.page.Interactions[i])}
	}
	return out
}

// PageInfo resolves TimelineConnection.pageInfo.
func (t *timelineConnection) PageInfo() pageInfo {
	info := pageInfo{HasNextPage: t.page.More, HasPreviousPage: t.previous}
	if n := len(t.page.Interactions); n > 0 {
		start, end := cursorOf(&t.page.Interactions[0]), cursorOf(&t.page.Interactions[n-1])
		info.StartCursor, info.EndCursor = &start, &end
	}
	return info
}

// TotalCount resolves TimelineConnection.totalCount; it costs a read of its own only when the page does not begin with the newest event.
func (t *timelineConnection) TotalCount(ctx context.Context) (*int32, error) {
	d := t.dossier
	if t.page.Total >= 0 {
		return count(t.page.Total, nil)
	}
	if !t.previous && !t.page.More {
		return count(int64(len(t.page.Interactions)), nil)
	}
	n, err := ask(ctx, d.cohort, d.at, "total "+fmt.Sprint(t.filter), 1, func(people [][]schema.PersonaID) ([]int64, error) {
		return d.timeline().Totals(ctx, d.workspace, people, t.filter)
	})
	return count(n, d.root.answer(ctx, err))
}

// count is a number as GraphQL has them, 32 bits; null if it could not be read.
func count(n int64, err error) (*int32, error) {
	if err != nil {
		return nil, err
	}
	out := int32(min(n, math.MaxInt32))
	return &out, nil
}

type interaction struct {
	interaction Interaction
	veil        veil
}

func (i *interaction) ID() gql.ID            { return gqlID(i.interaction.ID) }
func (i *interaction) Type() string          { return i.interaction.Type.String() }
func (i *interaction) Channel() string       { return i.interaction.Channel.String() }
func (i *interaction) Actor() string         { return i.interaction.Actor.String() }
func (i *interaction) ActorID() *string      { return i.veil.text(i.interaction.ActorID) }
func (i *interaction) Source() string        { return i.interaction.Source }
func (i *interaction) Persona() gql.ID       { return gqlID(i.interaction.Persona) }
func (i *interaction) OccurredAt() timeValue { return timeOf(i.interaction.OccurredAt) }
func (i *interaction) Name() *string         { return i.veil.text(i.interaction.Name) }
func (i *interaction) Conversation() *string { return i.veil.text(i.interaction.Conversation) }
func (i *interaction) Case() *string         { return i.veil.text(i.interaction.Case) }
func (i *interaction) Parent() *string       { return i.veil.text(i.interaction.Parent) }
func (i *interaction) Mention() *string      { return i.veil.text(i.interaction.Mention) }
func (i *interaction) Entity() *string {
	return optional(i.veil.identifier("order_id", i.interaction.Entity))
}
func (i *interaction) Text() *string          { return i.veil.text(i.interaction.Text) }
func (i *interaction) Language() *string      { return optional(i.interaction.Language) }
func (i *interaction) Rating() *string        { return optional(i.interaction.Rating) }
func (i *interaction) RatingScale() *string   { return optional(i.interaction.RatingScale) }
func (i *interaction) Amount() *string        { return optional(i.interaction.Amount) }
func (i *interaction) Currency() *string      { return optional(i.interaction.Currency) }
func (i *interaction) Properties() *jsonValue { return i.veil.json(i.interaction.Properties) }

type caseNode struct {
	owner schema.ProfileID
	c     Case
	veil  veil
	w     *Waiting // nil if it was read from events alone
}

// ID resolves Case.id.
func (c *caseNode) ID() gql.ID { return caseID(c.owner, c.c.First) }

// Profile resolves Case.profile.
func (c *caseNode) Profile() gql.ID { return gqlID(c.owner) }
func (c *caseNode) Case() string {
	if c.c.ID == "" { // a conversation that no source has put in a case
		return ""
	}
	return *c.veil.text(c.c.ID)
}
func (c *caseNode) State() string          { return c.c.State }
func (c *caseNode) OpenedAt() *timeValue   { return optionalTime(c.c.OpenedAt) }
func (c *caseNode) ResolvedAt() *timeValue { return optionalTime(c.c.ResolvedAt) }
func (c *caseNode) LastContact() timeValue { return timeOf(c.c.LastContact) }

type caseConnection struct {
	Edges    []*caseEdge
	PageInfo pageInfo
}

type caseEdge struct {
	Node   *caseNode
	Cursor string
}

type satisfaction struct{ s Satisfaction }

func (s *satisfaction) Answers() int32           { return int32(min(s.s.Answers, math.MaxInt32)) }
func (s *satisfaction) LastRating() *string      { return optional(s.s.LastRating) }
func (s *satisfaction) LastRatingScale() *string { return optional(s.s.LastRatingScale) }
func (s *satisfaction) LastAnswerAt() *timeValue { return optionalTime(s.s.LastAnswerAt) }

type metrics struct {
	root      *resolver
	workspace string
}

// Events resolves Metrics.events.
func (m *metrics) Events(ctx context.Context) (*int32, error) {
	n, err := once(&operationOf(ctx).reads, "events", func() (int64, error) {
		if err := query(ctx, 0); err != nil {
			return 0, err
		}
		return m.root.backends.Timeline.Count(ctx, m.workspace)
	})
	return count(n, m.root.answer(ctx, err))
}

// Profiles resolves Metrics.profiles.
func (m *metrics) Profiles(ctx context.Context) (*int32, error) {
	n, err := m.people(ctx)
	return count(n.profiles, m.root.answer(ctx, err))
}

// Personas resolves Metrics.personas.
func (m *metrics) Personas(ctx context.Context) (*int32, error) {
	n, err := m.people(ctx)
	return count(n.personas, m.root.answer(ctx, err))
}

type peopleCount struct{ profiles, personas int64 }

func (m *metrics) people(ctx context.Context) (peopleCount, error) {
	return once(&operationOf(ctx).reads, "count", func() (n peopleCount, err error) {
		if err = spend(ctx, lookupCost); err == nil {
			n.profiles, n.personas, err = m.root.backends.Profiles.Count(ctx, m.workspace)
		}
		return n, err
	})
}

// Freshness resolves Metrics.freshness.
func (m *metrics) Freshness() *freshness { return &freshness{m.root.backends.Figures.Freshness()} }

// MapBehind resolves Metrics.mapBehind.
func (m *metrics) MapBehind() int32 {
	return int32(min(m.root.backends.Figures.MapBehind(), math.MaxInt32))
}

type freshness struct{ f Freshness }

func (f *freshness) N() int32     { return int32(min(f.f.N, math.MaxInt32)) }
func (f *freshness) P50() float64 { return finite(f.f.P50) }
func (f *freshness) P90() float64 { return finite(f.f.P90) }
func (f *freshness) P99() float64 { return finite(f.f.P99) }

// finite keeps what JSON cannot say out of an answer: a quantile of nothing is 0.
func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}

// node is an object by its id. The library asks it for each type in turn.
type node struct {
	object interface{ ID() gql.ID }
}

// ID resolves Node.id.
func (n *node) ID() gql.ID { return n.object.ID() }

func (n *node) ToDossier() (*dossier, bool) { o, ok := n.object.(*dossier); return o, ok }
func (n *node) ToProfile() (*profile, bool) { o, ok := n.object.(*profile); return o, ok }
func (n *node) ToInteraction() (*interaction, bool) {
	o, ok := n.object.(*interaction)
	return o, ok
}
func (n *node) ToPersona() (*persona, bool)     { o, ok := n.object.(*persona); return o, ok }
func (n *node) ToHousehold() (*household, bool) { o, ok := n.object.(*household); return o, ok }
func (n *node) ToCase() (*caseNode, bool)       { o, ok := n.object.(*caseNode); return o, ok }
