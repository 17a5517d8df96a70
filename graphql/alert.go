package graphql

import (
	"context"
	"encoding/hex"
	"slices"
	"strconv"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/schema"
)

// Alerts resolves Query.alerts.
func (r *resolver) Alerts(ctx context.Context, args struct {
	First    *int32
	After    *string
	Rules    *[]string
	From, To *timeValue
}) (*alertConnection, error) {
	c, err := need(ctx, scopeRead)
	if err != nil {
		return nil, err
	}
	first, err := pageSize(args.First)
	if err != nil {
		return nil, err
	}
	var f AlertFilter
	if args.Rules != nil {
		for _, rule := range *args.Rules {
			if !slices.Contains(care.AlertRules(), rule) {
				return nil, badInput("there is no rule %s", strconv.Quote(rule))
			}
		}
		f.Rules = append([]string{}, *args.Rules...)
	}
	if f.From, err = args.From.instant(); err != nil {
		return nil, err
	}
	if f.To, err = args.To.instant(); err != nil {
		return nil, err
	}
	var after *Cursor
	if args.After != nil {
		parts, err := decodeCursor(*args.After, 2)
		if err != nil {
			return nil, err
		}
		at, bad := strconv.ParseInt(parts[0], 10, 64)
		id, alsoBad := hex.DecodeString(parts[1])
		if bad != nil || alsoBad != nil || len(id) != 16 {
			return nil, badInput("this cursor was not handed out here")
		}
		after = &Cursor{schema.Instant(at), schema.EventID(id)}
	}
	out := &alertConnection{Edges: []*alertEdge{}, PageInfo: pageInfo{HasPreviousPage: after != nil}}
	if r.backends.Care == nil || first == 0 {
		return out, nil
	}
	if err := query(ctx, 2*first); err != nil {
		return nil, err
	}
	list, more, err := r.backends.Care.Alerts(ctx, c.Workspace, f, after, first)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	out.PageInfo.HasNextPage = more
	for i := range list {
		a := &list[i]
		out.Edges = append(out.Edges, &alertEdge{&alert{a, veilOf(c)}, encodeCursor(strconv.FormatInt(int64(a.RaisedAt), 10), hex.EncodeToString(a.ID[:]))})
	}
	if n := len(out.Edges); n > 0 {
		out.PageInfo.StartCursor, out.PageInfo.EndCursor = &out.Edges[0].Cursor, &out.Edges[n-1].Cursor
	}
	return out, nil
}

type alertConnection struct {
	Edges    []*alertEdge
	PageInfo pageInfo
}

type alertEdge struct {
	Node   *alert
	Cursor string
}

type alert struct {
	a    *Alert
	veil veil
}

func (a *alert) ID() gql.ID           { return gqlID(a.a.ID) }
func (a *alert) Rule() string         { return a.a.Rule }
func (a *alert) RaisedAt() timeValue  { return timeOf(a.a.RaisedAt) }
func (a *alert) At() timeValue        { return timeOf(a.a.At) }
func (a *alert) Since() *timeValue    { return optionalTime(a.a.Since) }
func (a *alert) DueAt() *timeValue    { return optionalTime(a.a.Due) }
func (a *alert) Of() *string          { return optional(a.a.Of) }
func (a *alert) Calendar() *string    { return optional(a.a.Calendar) }
func (a *alert) RulesVersion() string { return a.a.Alert.Rules }
func (a *alert) Channel() *string     { return optional(a.a.Channel) }
func (a *alert) Team() *string        { return optional(a.a.Team) }
func (a *alert) Brand() *string       { return optional(a.a.Brand) }
func (a *alert) Theme() *string       { return optional(a.a.Theme) }

func (a *alert) Spike() *spike {
	switch a.a.Rule {
	case care.AlertSpike, care.AlertMentions, care.AlertCrisis:
	default:
		return nil
	}
	return &spike{int32(a.a.Count), a.a.Median, a.a.Spread, a.a.Z}
}

type spike struct {
	Count             int32
	Median, Spread, Z float64
}

func (a *alert) Explanation(args struct{ Language string }) (string, error) {
	if args.Language != "en" && args.Language != "fr" {
		return "", badInput("language is en or fr")
	}
	return a.a.Explain(args.Language), nil
}

// Case resolves Alert.case.
func (a *alert) Case() *caseNode {
	if a.a.About == nil {
		return nil
	}
	return &caseNode{a.a.About.Profile, a.a.About.Case, a.veil, a.a.About}
}
