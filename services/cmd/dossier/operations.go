package main

import (
	"context"
	"encoding/json"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
)

// replays are shadows as GraphQL sees them.
type replays struct{ s *shadows }

func shadowLine(m manage.Shadow, err error) (*graphql.Shadow, error) {
	if err != nil {
		return nil, err
	}
	return &graphql.Shadow{
		Name: m.Name, State: m.State, Reason: m.Reason, Actor: m.Actor, Created: m.Created, Hash: m.Hash, Own: m.Own, From: m.From, To: m.To, Types: m.Types, Sources: m.Sources,
		Done: m.Done, Total: m.Total, Rate: m.Rate, ETA: m.ETA,
	}, nil
}

func promotionLine(p manage.Promotion, err error) (*graphql.Promotion, error) {
	if err != nil {
		return nil, err
	}
	return &graphql.Promotion{Shadow: p.Shadow, Position: p.Position, At: p.At, Hash: p.Hash, Undoable: p.Undoable}, nil
}

func (r replays) Shadows(ctx context.Context, _ graphql.Caller) (out []graphql.Shadow, err error) {
	lines, err := r.s.Shadows(ctx)
	for _, line := range lines {
		one, err := shadowLine(line, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, *one)
	}
	return out, err
}

func (r replays) Shadow(ctx context.Context, _ graphql.Caller, name string) (*graphql.Shadow, error) {
	if _, known := r.s.placeOf(name); !known && r.s.possible() == nil {
		return nil, nil
	}
	return shadowLine(r.s.Shadow(ctx, name))
}

func (r replays) Diff(ctx context.Context, _ graphql.Caller, name string, samples int, figures bool) (json.RawMessage, error) {
	diff, err := r.s.Diff(ctx, name, samples, figures)
	if err != nil {
		return nil, err
	}
	return json.Marshal(diff)
}

func (r replays) Start(ctx context.Context, c graphql.Caller, q graphql.ShadowStart) (*graphql.Shadow, error) {
	return shadowLine(r.s.Start(ctx, c.Actor, manage.ShadowQuestion{
		Name: q.Name, Configuration: q.Configuration, From: q.From, To: q.To, Types: q.Types, Sources: q.Sources, Key: q.Key,
	}))
}

func (r replays) Pause(ctx context.Context, _ graphql.Caller, name string, paused bool) (*graphql.Shadow, error) {
	return shadowLine(r.s.Pause(ctx, name, paused))
}

func (r replays) Promote(ctx context.Context, c graphql.Caller, name, reason string) (*graphql.Promotion, error) {
	return promotionLine(r.s.Promote(ctx, c.Actor, name, reason))
}

func (r replays) Undo(ctx context.Context, c graphql.Caller, reason string) (*graphql.Promotion, error) {
	return promotionLine(r.s.Undo(ctx, c.Actor, reason))
}

func (r replays) Discard(ctx context.Context, _ graphql.Caller, name string) error {
	return r.s.Discard(ctx, name)
}

// refusedInputs are the dead letters as GraphQL sees them.
type refusedInputs struct{ r letterReader }

func managed(f graphql.LetterFilter) manage.LetterFilter {
	return manage.LetterFilter{Code: f.Code, Source: f.Source, Endpoint: f.Endpoint, Mapping: f.Mapping, Since: f.Since, Until: f.Until, All: f.All, Limit: f.Limit}
}

func inputLine(l *manage.DeadLetter) graphql.Letter {
	out := graphql.Letter{
		ID: l.ID, Code: l.Code, Reason: l.Reason, Hint: l.Hint, Source: l.Source, Endpoint: l.Endpoint, Mapping: l.Mapping, ReceivedAt: l.ReceivedAt, State: l.State,
		Payload: l.Payload, Raw: l.Raw,
	}
	for _, h := range l.History {
		out.History = append(out.History, graphql.LetterResolution{Action: h.Action, Actor: h.Actor, At: h.At, Reason: h.Reason, Code: h.Code, Events: h.Events, Payload: h.Payload})
	}
	return out
}

func (b refusedInputs) List(ctx context.Context, c graphql.Caller, f graphql.LetterFilter) (out []graphql.Letter, err error) {
	lines, err := b.r.List(ctx, c.Workspace, managed(f))
	for i := range lines {
		out = append(out, inputLine(&lines[i]))
	}
	return out, err
}

func (b refusedInputs) Show(ctx context.Context, c graphql.Caller, id string) (*graphql.Letter, error) {
	letter, found, err := b.r.Show(ctx, c.Workspace, id)
	if err != nil || !found {
		return nil, err
	}
	out := inputLine(&letter)
	return &out, nil
}

func (b refusedInputs) Stats(ctx context.Context, c graphql.Caller, f graphql.LetterFilter) (out []graphql.LetterStat, err error) {
	lines, err := b.r.Stats(ctx, c.Workspace, managed(f))
	for _, s := range lines {
		out = append(out, graphql.LetterStat{Code: s.Code, Source: s.Source, Endpoint: s.Endpoint, Mapping: s.Mapping, First: s.First, Last: s.Last, Letters: s.Letters, Open: s.Open})
	}
	return out, err
}

func (b refusedInputs) Resolve(ctx context.Context, c graphql.Caller, d graphql.LetterDecision) (out []graphql.LetterOutcome, err error) {
	in := manage.ResolveLetters{IDs: d.IDs, Drop: d.Drop, Payload: d.Payload, Reason: d.Reason, DryRun: d.DryRun}
	if d.Filter != nil {
		f := managed(*d.Filter)
		in.Filter = &f
	}
	for _, e := range d.Edits {
		in.Edits = append(in.Edits, deadletter.Edit{Op: e.Op, Path: e.Path, Value: e.Value, To: e.To})
	}
	outcomes, err := b.r.Resolve(ctx, c.Workspace, c.Actor, in)
	for _, o := range outcomes {
		out = append(out, graphql.LetterOutcome{Letter: o.Letter, Action: o.Action, Code: o.Code, Reason: o.Reason, Hint: o.Hint, Events: o.Events})
	}
	return out, err
}
