package graphqltest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/schema"
)

// cases are those of the world, all asked about at one instant.
type cases struct{ w *World }

// all are three: Anna's complaint, which is overdue, a chat of hers that no source has made a case, and Bruno's, which is resolved.
func (cases) all() []graphql.Waiting {
	anna, bruno := schema.PersonaID(ID('p', 1)), schema.PersonaID(ID('p', 3))
	asked := at("2026-03-02T12:00:00Z")
	event := func(n int) string { return schema.EventID(ID('e', n)).String() }
	complaint := graphql.Waiting{
		Case:    graphql.Case{ID: "K-1", First: ID('e', 1), State: "reopened", OpenedAt: at("2026-03-01T08:00:00Z"), LastContact: at("2026-03-02T08:00:00Z")},
		Profile: anna, Channel: "phone", Theme: "delivery", WaitingSince: at("2026-03-02T08:00:00Z"), DueAt: at("2026-03-02T11:00:00Z"), Promised: at("2026-03-03T08:00:00Z"),
		Promises: 2, Kept: 1, Reasons: []string{"complaint"}, Asked: asked, Owner: "lea", Team: "returns", Brand: "garance", Complaint: true, NextStep: "call her back",
		NextStepDue: at("2026-03-02T16:00:00Z"), ReplyDue: at("2026-03-02T11:00:00Z"), ResolutionDue: at("2026-03-04T08:00:00Z"), Calendar: "paris@1a2b3c4d", OpenLeft: care.NoSpan,
		Tasks: []care.Task{{Event: event(31), Text: "find the parcel", By: "lea", AddedAt: "2026-03-01T09:00:00Z", DueAt: "2026-03-02T09:00:00Z", CompletedAt: "2026-03-01T17:00:00Z"}},
		Told: []care.Promise{
			{Event: event(32), Text: "a call today", By: "lea", MadeAt: "2026-03-01T09:00:00Z", DueAt: "2026-03-01T18:00:00Z", KeptAt: "2026-03-01T17:00:00Z"},
			{Event: event(33), Text: "the parcel by Tuesday", By: "lea", MadeAt: "2026-03-01T17:00:00Z", DueAt: "2026-03-03T08:00:00Z"},
		},
		Notes: []care.Note{{Event: event(34), Text: "prefers the phone", By: "lea", At: "2026-03-01T09:05:00Z"}},
		Moderations: []care.Moderation{
			{Event: event(36), Action: "hidden", Charter: "3", Rule: "no insults", Reason: "insult", Notice: "we hid it", By: "tom", At: "2026-03-01T18:00:00Z", Outcome: "restored"},
			{Event: event(37), Action: "restored", Charter: "3", Rule: "no insults", Reason: "irony", By: "lea", At: "2026-03-01T19:00:00Z", AppealOf: event(36)},
		},
		Gestures: []care.Gesture{{Event: event(35), Kind: "voucher", Amount: "5", Currency: "EUR", Text: "a voucher", Reason: "the delay", By: "lea", At: "2026-03-01T17:05:00Z"}},
	}
	complaint.Priority = care.DefaultWeights().Prioritise(care.Inputs{Criticality: .5, Wait: 4.0 / 3})
	chat := graphql.Waiting{
		Case:    graphql.Case{First: ID('e', 5), State: "open", OpenedAt: at("2026-03-02T11:30:00Z"), LastContact: at("2026-03-02T11:30:00Z")},
		Profile: anna, Channel: "chat", WaitingSince: at("2026-03-02T11:30:00Z"), DueAt: at("2026-03-02T12:30:00Z"), Asked: asked, ReplyDue: at("2026-03-02T12:30:00Z"),
		Calendar: "always", OpenLeft: 30 * 60 * 1_000_000,
	}
	chat.Priority = care.DefaultWeights().Prioritise(care.Inputs{Wait: .5})
	done := graphql.Waiting{
		Case:    graphql.Case{ID: "K-2", First: ID('e', 7), State: "resolved", OpenedAt: at("2026-02-01T08:00:00Z"), ResolvedAt: at("2026-02-01T10:00:00Z"), LastContact: at("2026-02-01T09:00:00Z")},
		Profile: bruno, Channel: "email", Asked: asked, Resolution: "refunded", Calendar: "always", OpenLeft: care.NoSpan,
	}
	return []graphql.Waiting{complaint, chat, done}
}

func isOpen(w graphql.Waiting) bool { return w.State != "resolved" }

func (c cases) some(let func(w graphql.Waiting) bool) (out []graphql.Waiting) {
	for _, w := range c.all() {
		if let(w) {
			out = append(out, w)
		}
	}
	return out
}

func (c cases) About(ctx context.Context, workspace string, event schema.EventID) (*graphql.Waiting, error) {
	if err := c.w.count(ctx, workspace, "About"); err != nil {
		return nil, err
	}
	about := c.w.about(event)
	for _, w := range c.all() {
		if w.First == event || w.First == about {
			return &w, nil
		}
	}
	return nil, nil
}

func (c cases) Alerts(ctx context.Context, workspace string, f graphql.AlertFilter, after *graphql.Cursor, first int) (list []graphql.Alert, more bool, err error) {
	if err := c.w.count(ctx, workspace, "Alerts"); err != nil {
		return nil, false, err
	}
	complaint := c.all()[0]
	all := []graphql.Alert{
		{
			Alert: care.Alert{ID: ID('a', 2), Rule: care.AlertSpike, At: at("2026-03-02T11:30:00Z"), Since: at("2026-03-02T11:15:00Z"), Rules: "default", Channel: "phone", Count: 40,
				Median: 6, Spread: 2.9652, Z: 11.466343}, RaisedAt: at("2026-03-02T11:31:01Z"),
		},
		{
			Alert: care.Alert{ID: ID('a', 1), Rule: care.AlertDeadlineMissed, Of: "reply", Case: complaint.First, At: complaint.DueAt + 1, Since: complaint.WaitingSince, Due: complaint.DueAt,
				Calendar: complaint.Calendar, Rules: "default", Channel: "phone", Theme: "delivery"}, RaisedAt: at("2026-03-02T11:00:01Z"), About: &complaint,
		},
	}
	for _, a := range all {
		if (f.Rules == nil || slices.Contains(f.Rules, a.Rule)) && (after == nil || a.RaisedAt < after.OccurredAt) {
			list = append(list, a)
		}
	}
	return list[:min(first, len(list))], len(list) > first, nil
}

func (c cases) Inbox(ctx context.Context, workspace string, simulated *care.Weights, at schema.Instant, skip, first int) ([]graphql.Waiting, schema.Instant, bool, error) {
	if err := c.w.count(ctx, workspace, "Inbox"); err != nil {
		return nil, 0, false, err
	}
	list := c.some(isOpen)
	if simulated != nil {
		for i := range list {
			list[i].Priority = simulated.Prioritise(list[i].Priority.Inputs)
		}
	}
	asked := list[0].Asked
	list = list[min(skip, len(list)):]
	return list[:min(first, len(list))], asked, len(list) > first, nil
}

func (c cases) each(people [][]schema.PersonaID, let func(w graphql.Waiting) bool) [][]graphql.Waiting {
	out := make([][]graphql.Waiting, len(people))
	for i, personas := range people {
		out[i] = c.some(func(w graphql.Waiting) bool { return slices.Contains(personas, w.Profile) && let(w) })
	}
	return out
}

func (c cases) Open(ctx context.Context, workspace string, people [][]schema.PersonaID) ([][]graphql.Waiting, error) {
	return c.each(people, isOpen), c.w.count(ctx, workspace, "Open")
}

func (c cases) Cases(ctx context.Context, workspace string, people [][]schema.PersonaID) ([][]graphql.Waiting, bool, error) {
	events, err := timeline{w: c.w}.Cases(ctx, workspace, people)
	out := make([][]graphql.Waiting, len(events))
	for i, list := range events {
		for _, e := range list {
			kept := graphql.Waiting{Case: e, OpenLeft: care.NoSpan}
			for _, w := range c.all() {
				if w.ID == e.ID {
					kept = w
				}
			}
			out[i] = append(out[i], kept)
		}
	}
	return out, true, err
}

func (c cases) Contacts(ctx context.Context, workspace string, people [][]schema.PersonaID, first int) ([][]graphql.LastContact, error) {
	out := make([][]graphql.LastContact, len(people))
	for i, list := range c.each(people, func(graphql.Waiting) bool { return true }) {
		for _, w := range list[:min(first, len(list))] {
			out[i] = append(out[i], graphql.LastContact{
				ID: w.First, Case: w.First, Channel: w.Channel, Outcome: "waiting", Theme: w.Theme, Complaint: w.Complaint, OpenedAt: w.OpenedAt, LastAt: w.LastContact,
				Agents: []string{"lea"}, Promises: w.Told, Asked: w.Asked,
			})
		}
	}
	return out, c.w.count(ctx, workspace, "Contacts")
}

func (d decisions) Care(ctx context.Context, caller graphql.Caller, in graphql.CareDecision) (schema.EventID, error) {
	if in.Kind == "voucher" {
		return schema.EventID{}, &graphql.Error{Code: graphql.CodeGranted, Message: "a gesture of this kind was granted for this case", Hint: "once and done"}
	}
	if in.Amount == "2001" {
		return schema.EventID{}, &graphql.Error{Code: graphql.CodeOverLimit, Message: "2001 EUR is more than the role agent may grant at once: 20", Hint: "grant less"}
	}
	whom := in.Profile.String()
	if !in.Case.IsZero() {
		whom = in.Case.String()
	}
	words := []string{in.Type.String(), whom}
	for _, w := range []string{in.Number, in.Text, in.Theme, in.Team, in.Owner, in.Priority, in.NextStep, in.Resolution, in.Kind, in.Amount, in.Currency, in.Action, in.Charter, in.Rule, in.Notice} {
		if w != "" {
			words = append(words, w)
		}
	}
	if in.Due != 0 {
		words = append(words, "by "+in.Due.String())
	}
	if !in.Of.IsZero() {
		words = append(words, "of "+in.Of.String())
	}
	for name, flag := range map[string]*bool{"complaint": in.Complaint, "explained": in.Explained} {
		if flag != nil {
			words = append(words, fmt.Sprint(name, " ", *flag))
		}
	}
	event, err := d.decide(ctx, caller, strings.Join(words, " ")+" because "+in.Reason, in.IdempotencyKey)
	if err == nil {
		d.w.mu.Lock()
		defer d.w.mu.Unlock()
		if d.w.tended == nil {
			d.w.tended = map[schema.EventID]schema.EventID{}
		}
		d.w.tended[event] = in.Case
	}
	return event, err
}

// about is the case that a decision was about.
func (w *World) about(event schema.EventID) schema.EventID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tended[event]
}

func (d decisions) Delegation(ctx context.Context, caller graphql.Caller) (graphql.Delegation, error) {
	return graphql.Delegation{
		Delegation: care.Delegation{Role: "agent", Limit: "20", Allowance: &care.Allowance{Amount: "100", Within: 30 * 24 * 3600 * 1_000_000}},
		Granted:    []graphql.Money{{Amount: "87.5", Currency: "EUR"}},
	}, d.w.count(ctx, caller.Workspace, "Delegation")
}
