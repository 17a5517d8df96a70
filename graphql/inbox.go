package graphql

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/schema"
)

// Inbox resolves Query.inbox. A cursor keeps the time of the first page, so that the order stays while pages are turned.
func (r *resolver) Inbox(ctx context.Context, args struct {
	First   *int32
	After   *string
	Weights *weightsInput
}) (*caseConnection, error) {
	c, err := need(ctx, scopeRead)
	if err != nil {
		return nil, err
	}
	first, err := pageSize(args.First)
	if err != nil {
		return nil, err
	}
	simulated, err := args.Weights.weights()
	if err != nil {
		return nil, err
	}
	out := &caseConnection{Edges: []*caseEdge{}}
	var at schema.Instant
	skip := 0
	if args.After != nil {
		if at, skip, err = inboxPlace(*args.After); err != nil {
			return nil, err
		}
		out.PageInfo.HasPreviousPage = true
	}
	if r.backends.Care == nil || first == 0 {
		return out, nil
	}
	if err := query(ctx, first); err != nil {
		return nil, err
	}
	list, at, more, err := r.backends.Care.Inbox(ctx, c.Workspace, simulated, at, skip, first)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	out.PageInfo.HasNextPage = more
	for i := range list {
		cursor := encodeCursor(strconv.FormatInt(int64(at), 10), strconv.Itoa(skip+i+1))
		out.Edges = append(out.Edges, &caseEdge{&caseNode{list[i].Profile, list[i].Case, veilOf(c), &list[i]}, cursor})
	}
	if n := len(out.Edges); n > 0 {
		out.PageInfo.StartCursor, out.PageInfo.EndCursor = &out.Edges[0].Cursor, &out.Edges[n-1].Cursor
	}
	return out, nil
}

// weightsInput are weights to try.
type weightsInput struct {
	Criticality, Wait, Value, Influence float64
	TopLane                             *float64
}

// Simulated is the version of weights that somebody tries.
const Simulated = "simulated"

// weights are nil where nobody tries any. Without a top lane that of B7 holds.
func (w *weightsInput) weights() (*care.Weights, error) {
	if w == nil {
		return nil, nil
	}
	out := care.Weights{Criticality: w.Criticality, Wait: w.Wait, Value: w.Value, Social: w.Influence, TopLane: care.DefaultWeights().TopLane, Version: Simulated}
	if w.TopLane != nil {
		out.TopLane = *w.TopLane
	}
	if err := out.Check(); err != nil {
		return nil, badInput("%v", err)
	}
	return &out, nil
}

// maxSkip bounds how far pages of the inbox may be turned.
const maxSkip = 100_000

func inboxPlace(cursor string) (at schema.Instant, skip int, err error) {
	parts, err := decodeCursor(cursor, 2)
	if err != nil {
		return 0, 0, err
	}
	instant, bad := strconv.ParseInt(parts[0], 10, 64)
	skip, alsoBad := strconv.Atoi(parts[1])
	if bad != nil || alsoBad != nil || instant <= 0 || skip < 0 || skip > maxSkip {
		return 0, 0, badInput("after is a cursor of this connection")
	}
	return schema.Instant(instant), skip, nil
}

// OpenCases resolves Dossier.openCases.
func (d *dossier) OpenCases(ctx context.Context) (*[]*caseNode, error) {
	if d.history != nil {
		return nil, d.onlyNow("openCases")
	}
	out := []*caseNode{}
	if d.root.backends.Care == nil {
		return &out, nil
	}
	open, err := ask(ctx, d.cohort, d.at, "open cases", 1, func(people [][]schema.PersonaID) ([][]Waiting, error) {
		return d.root.backends.Care.Open(ctx, d.workspace, people)
	})
	if err != nil {
		return nil, d.root.answer(ctx, err)
	}
	for i := range open {
		out = append(out, &caseNode{d.person.ID, open[i].Case, d.veil, &open[i]})
	}
	return &out, nil
}

// caseOf finds the person's case that an event belongs to, or that is named by it; nil if there is none.
func (d *dossier) caseOf(ctx context.Context, member schema.EventID) (*node, error) {
	found, err := d.root.interactions(ctx, d.workspace, member)
	if err != nil {
		return nil, d.root.answer(ctx, err)
	}
	if len(found) > 0 && found[0].Case != "" {
		cases, err := d.Cases(ctx)
		if err != nil {
			return nil, err
		}
		for _, c := range *cases {
			if c.c.ID == found[0].Case {
				return &node{c}, nil
			}
		}
	}
	open, err := d.OpenCases(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range *open {
		if c.c.First == member {
			return &node{c}, nil
		}
	}
	return nil, nil
}

// keptCases are the cases as care keeps them; is says whether it does.
func (d *dossier) keptCases(ctx context.Context) (cases *[]*caseNode, is bool, err error) {
	if d.root.backends.Care == nil {
		return nil, false, nil
	}
	kept, err := ask(ctx, d.cohort, d.at, "kept cases", 1, func(people [][]schema.PersonaID) ([]*[]Waiting, error) {
		out := make([]*[]Waiting, len(people))
		list, kept, err := d.root.backends.Care.Cases(ctx, d.workspace, people)
		for i := range list {
			if kept {
				out[i] = &list[i]
			}
		}
		return out, err
	})
	if err != nil || kept == nil {
		return nil, false, err
	}
	out := []*caseNode{}
	for i := range *kept {
		w := &(*kept)[i]
		out = append(out, &caseNode{d.person.ID, w.Case, d.veil, w})
	}
	return &out, true, nil
}

// LastContacts resolves Dossier.lastContacts.
func (d *dossier) LastContacts(ctx context.Context, args struct{ First int32 }) (*[]*lastContact, error) {
	if args.First < 0 || args.First > maxContacts {
		return nil, badInput("first is a number from 0 to %d", maxContacts)
	}
	if d.history != nil {
		return nil, d.onlyNow("lastContacts")
	}
	out := []*lastContact{}
	if d.root.backends.Care == nil || args.First == 0 {
		return &out, nil
	}
	found, err := ask(ctx, d.cohort, d.at, fmt.Sprint("last contacts ", args.First), int(args.First), func(people [][]schema.PersonaID) ([][]LastContact, error) {
		return d.root.backends.Care.Contacts(ctx, d.workspace, people, int(args.First))
	})
	if err != nil {
		return nil, d.root.answer(ctx, err)
	}
	for i := range found {
		out = append(out, &lastContact{d.person.ID, &found[i], d.veil})
	}
	return &out, nil
}

// maxContacts bounds lastContacts; the whole history is the timeline.
const maxContacts = 20

// What follows is known of cases that care keeps.

func (c *caseNode) Channel() *string {
	if c.w == nil {
		return nil
	}
	return optional(c.w.Channel)
}

func (c *caseNode) Theme() *string {
	if c.w == nil {
		return nil
	}
	return optional(c.w.Theme)
}

func (c *caseNode) WaitingSince() *timeValue {
	if c.w == nil {
		return nil
	}
	return optionalTime(c.w.WaitingSince)
}

func (c *caseNode) DueAt() *timeValue {
	if c.w == nil {
		return nil
	}
	return optionalTime(c.w.DueAt)
}

func (c *caseNode) Overdue() *bool {
	if c.w == nil {
		return nil
	}
	late := c.w.DueAt != 0 && c.w.Asked > c.w.DueAt
	return &late
}

func (c *caseNode) Priority() *priority {
	if c.w == nil {
		return nil
	}
	return &priority{c.w}
}

func (c *caseNode) Promises() *promises {
	if c.w == nil {
		return nil
	}
	return &promises{c.w, c.veil}
}

type priority struct{ w *Waiting }

func (p *priority) Score() float64 { return p.w.Priority.Score }

func (p *priority) Lane() string {
	switch p.w.Priority.Lane {
	case care.LaneCritical:
		return "critical"
	case care.LaneOverdue:
		return "overdue"
	}
	return "open"
}

func (p *priority) Reason() string               { return p.w.Priority.Reason }
func (p *priority) Criticality() float64         { return p.w.Priority.Criticality }
func (p *priority) CriticalityReasons() []string { return append([]string{}, p.w.Reasons...) }
func (p *priority) Wait() float64                { return p.w.Priority.Wait }
func (p *priority) Value() float64               { return p.w.Priority.Value }
func (p *priority) ValueSnapshot() *string       { return optional(p.w.ValueSnapshot) }
func (p *priority) Influence() float64           { return p.w.Priority.Social }
func (p *priority) Weights() string              { return p.w.Priority.Weights }

type promises struct {
	w    *Waiting
	veil veil
}

func (p *promises) Made() int32       { return int32(min(p.w.Promises, math.MaxInt32)) }
func (p *promises) Kept() int32       { return int32(min(p.w.Kept, math.MaxInt32)) }
func (p *promises) Broken() int32     { return int32(min(p.w.Broken, math.MaxInt32)) }
func (p *promises) DueAt() *timeValue { return optionalTime(p.w.Promised) }
