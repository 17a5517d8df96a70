package backend

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/currency"

	"github.com/dossier-cdp/dossier/graphql"
	rules "github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
	"github.com/dossier-cdp/dossier/services/care"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
)

// Care records what an agent did for a customer.
//
// The event belongs to a persona that is there already: that of the case, or, where none is named, the one of the person at which consents are
// recorded, too. It names that persona by its own source, account and trust class, so that nobody is made of it and nothing of it is evidence. The case
// is named by the source that keeps it and its number, or, where no source keeps one, by a message of its conversation.
func (d *Decisions) Care(ctx context.Context, caller graphql.Caller, in graphql.CareDecision) (schema.EventID, error) {
	return d.alone(ctx, func(ctx context.Context) (schema.EventID, error) { return d.act(ctx, caller, in) })
}

func (d *Decisions) act(ctx context.Context, caller graphql.Caller, in graphql.CareDecision) (schema.EventID, error) {
	event, did := native{Type: in.Type.String(), Text: in.Text, Amount: in.Amount, Currency: in.Currency}, said(&in)
	if in.Channel != 0 {
		event.Channel = in.Channel.String()
	}
	kept, persona, err := d.aim(ctx, caller, &in, &event, did)
	if err == nil {
		event.Properties, err = did.properties()
	}
	if err != nil {
		return schema.EventID{}, err
	}
	event.Source, event.Account = persona.Source, &account{persona.Account.Kind, persona.Account.Value}
	if persona.Trust == schema.TrustClient {
		event.Trust = persona.Trust.String()
	}
	before, err := d.recorded(ctx, caller, in.IdempotencyKey)
	if err != nil || before != nil {
		return before.answer(before.says(&event), err)
	}
	if err := known(kept, &in); err != nil {
		return schema.EventID{}, err
	}
	if in.Type == schema.TypeGestureGranted {
		if did.Role, err = d.grant(ctx, caller, kept, &in); err != nil {
			return schema.EventID{}, err
		}
		if event.Properties, err = did.properties(); err != nil {
			return schema.EventID{}, err
		}
	}
	if in.Type == schema.TypeCaseOpened {
		taken, err := d.Cases.Numbered(ctx, caller.Workspace, decisionSource, event.Case)
		if err != nil {
			return schema.EventID{}, err
		}
		if taken {
			return schema.EventID{}, &graphql.Error{Code: graphql.CodeConflict, Message: "there is a case of this number", Hint: "choose another number, or leave it out"}
		}
	}
	return d.record(ctx, caller, in.IdempotencyKey, event)
}

// aim finds whom and which case the event is about, and says so in it.
func (d *Decisions) aim(ctx context.Context, caller graphql.Caller, in *graphql.CareDecision, event *native, did *explanation) (kept *care.Kept, p *Persona, err error) {
	if !in.Case.IsZero() {
		if kept, err = d.Cases.Case(ctx, caller.Workspace, in.Case); err != nil {
			return nil, nil, err
		}
		if kept == nil {
			return nil, nil, &graphql.Error{Code: graphql.CodeUnknown, Message: "there is no such case", Hint: "take an id of inbox, Dossier.cases or Dossier.openCases"}
		}
	}
	if in.Profile.IsZero() {
		p, err = d.People.Persona(ctx, caller.Workspace, kept.Persona)
	} else {
		p, err = d.People.Speaker(ctx, caller.Workspace, in.Profile, &schema.Consent{})
	}
	if err != nil {
		return nil, nil, err
	}
	if kept != nil && !in.Profile.IsZero() {
		same, err := d.onePerson(ctx, caller.Workspace, in.Profile, kept.Persona)
		if err != nil {
			return nil, nil, err
		}
		if !same {
			return nil, nil, &graphql.Error{Code: graphql.CodeBadInput, Message: "of names a case of another person", Hint: "take one of Dossier.openCases"}
		}
	}
	switch opening := in.Type == schema.TypeCaseOpened; {
	case opening && kept != nil && kept.Number != "":
		return nil, nil, &graphql.Error{Code: graphql.CodeBadInput, Message: "of names a case that is kept already", Hint: "add to that one, or leave of out"}
	case opening:
		event.Case, did.CaseSource = in.Number, decisionSource
		if event.Case == "" {
			event.Case = madeUp(caller, in.IdempotencyKey)
		}
		if kept != nil {
			did.AboutSource, did.AboutMessage = kept.MessageSource, kept.Message
		}
	case kept == nil:
	case kept.Number != "":
		event.Case, did.CaseSource = kept.Number, kept.Source
	case kept.Message != "":
		did.AboutSource, did.AboutMessage = kept.MessageSource, kept.Message
	default:
		return nil, nil, &graphql.Error{Code: graphql.CodeBadInput, Message: "nothing names this case: its first contact came without an id", Hint: "open a case for the person with recordCase"}
	}
	return kept, p, nil
}

// madeUp is the number of a case that nobody numbered: the same for every attempt of the decision.
func madeUp(caller graphql.Caller, key string) string {
	sum := sha256.Sum256([]byte(caller.Workspace + "\x00" + caller.Actor + "\x00" + key))
	return "D-" + base32.StdEncoding.EncodeToString(sum[:5])
}

// known makes sure that what a decision ends is part of the case, and was not ended before.
func known(kept *care.Kept, in *graphql.CareDecision) error {
	of := in.Of.String()
	switch in.Type {
	case schema.TypeTaskCompleted:
		at := slices.IndexFunc(kept.Tasks, func(t rules.Task) bool { return t.Event == of })
		switch {
		case at < 0:
			return &graphql.Error{Code: graphql.CodeBadInput, Message: "the case has no such task", Hint: "task is the event of one of its tasks"}
		case kept.Tasks[at].CompletedAt != "":
			return &graphql.Error{Code: graphql.CodeConflict, Message: "the task was completed before"}
		}
	case schema.TypeContentModerated:
		if in.Of.IsZero() {
			return nil
		}
		at := slices.IndexFunc(kept.Moderations, func(m rules.Moderation) bool { return m.Event == of && m.AppealOf == "" })
		switch {
		case at < 0:
			return &graphql.Error{Code: graphql.CodeBadInput, Message: "the case has no such decision about content", Hint: "appealOf is the event of one of its moderations"}
		case kept.Moderations[at].Outcome != "":
			return &graphql.Error{Code: graphql.CodeConflict, Message: "the appeal was decided before"}
		}
	case schema.TypePromiseKept, schema.TypePromiseBroken:
		ended := func(p rules.Promise) bool { return p.KeptAt != "" || p.BrokenAt != "" }
		if in.Of.IsZero() {
			if !slices.ContainsFunc(kept.Promises, func(p rules.Promise) bool { return !ended(p) }) {
				return &graphql.Error{Code: graphql.CodeBadInput, Message: "the case has no open promise", Hint: "record first what was promised"}
			}
			return nil
		}
		at := slices.IndexFunc(kept.Promises, func(p rules.Promise) bool { return p.Event == of })
		switch {
		case at < 0:
			return &graphql.Error{Code: graphql.CodeBadInput, Message: "the case has no such promise", Hint: "of is the event of one of its promises"}
		case ended(kept.Promises[at]):
			return &graphql.Error{Code: graphql.CodeConflict, Message: "the promise was kept or broken before"}
		}
	}
	return nil
}

// properties are those of the event, in canonical form.
func (e *explanation) properties() (json.RawMessage, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	doc, err := canonical.Parse(text, canonical.Limits{})
	if err != nil {
		return nil, err
	}
	defer doc.Release()
	return doc.Root().AppendCanonical(nil, nil), nil
}

// said are the properties of a decision.
func said(in *graphql.CareDecision) *explanation {
	word := func(b *bool) string {
		switch {
		case b == nil:
			return ""
		case *b:
			return "true"
		}
		return "false"
	}
	e := &explanation{
		Reason: in.Reason, Theme: in.Theme, Brand: in.Brand, Team: in.Team, Owner: in.Owner, Priority: in.Priority, Complaint: word(in.Complaint), Safety: word(in.Safety),
		Legal: word(in.Legal), Vulnerable: word(in.Vulnerable), Explained: word(in.Explained), NextStep: in.NextStep, Resolution: in.Resolution, Kind: in.Kind,
		Action: in.Action, Charter: in.Charter, Rule: in.Rule, Notice: in.Notice,
	}
	if in.Due != 0 {
		e.DueAt = in.Due.String()
	}
	switch {
	case in.Of.IsZero():
	case in.Type == schema.TypeContentModerated:
		e.AppealOf = in.Of.String()
	default:
		e.ID = in.Of.String()
	}
	return e
}

// grant refuses a gesture that the caller may not grant, or that was granted already; it gives the role in which it is granted.
func (d *Decisions) grant(ctx context.Context, caller graphql.Caller, kept *care.Kept, in *graphql.CareDecision) (role string, err error) {
	for _, g := range kept.Gestures {
		if strings.EqualFold(g.Kind, in.Kind) {
			return "", &graphql.Error{
				Code: graphql.CodeGranted, Message: "a gesture of this kind was granted for this case, at " + g.At, Hint: "once and done: one of a kind for a case; event " + g.Event + " has it",
			}
		}
	}
	del, err := d.Delegation(ctx, caller)
	if err != nil || in.Amount == "" {
		return del.Role, err
	}
	if _, err := currency.ParseISO(in.Currency); err != nil {
		return "", &graphql.Error{Code: graphql.CodeBadInput, Message: "currency is an ISO 4217 code such as EUR"}
	}
	granted := "0"
	for _, m := range del.Granted {
		if m.Currency == in.Currency {
			granted = m.Amount
		}
	}
	role = "everybody else"
	if del.Role != "" {
		role = "the role " + del.Role
	}
	switch del.Check(in.Amount, granted) {
	case rules.NoAmount:
		return "", &graphql.Error{Code: graphql.CodeBadInput, Message: "amount is a decimal above zero such as 12.50"}
	case rules.OverLimit:
		return "", &graphql.Error{
			Code: graphql.CodeOverLimit, Message: fmt.Sprintf("%s %s is more than %s may grant at once: %s", in.Amount, in.Currency, role, del.Limit),
			Hint: "grant less, or ask a colleague whose role may grant it",
		}
	case rules.OverAllowance:
		left, _ := del.Remaining(granted)
		return "", &graphql.Error{
			Code: graphql.CodeOverLimit, Message: fmt.Sprintf("%s %s is more than is left of the allowance of %s: %s of %s", in.Amount, in.Currency, role, left, del.Allowance.Amount),
			Hint: "grant less, wait, or ask a colleague whose role may grant it",
		}
	}
	return del.Role, nil
}

// Delegation tells what the caller may grant now, by the ledger: the gestures that are in the log under the caller's name.
func (d *Decisions) Delegation(ctx context.Context, caller graphql.Caller) (out graphql.Delegation, err error) {
	out.Delegation = d.Rules().Delegation(caller.Actor)
	since := schema.FirstTimelineInstant
	if out.Allowance != nil {
		since = max(since, out.Allowance.Since(schema.InstantOf(d.Now())))
	}
	rows, err := d.House.Query(ctx, `SELECT currency, toString(sum(amount_value)) FROM events
PREWHERE workspace = {workspace:String} AND type = 'gesture.granted'
WHERE actor_id = {actor:String} AND occurred_at > {since:DateTime64(6, 'UTC')} AND amount_value > 0
GROUP BY currency ORDER BY currency`, clickhouse.Params{"workspace": caller.Workspace, "actor": caller.Actor, "since": since}, nil)
	if err != nil {
		return out, fmt.Errorf("read the gestures of an actor: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var m graphql.Money
		if err := rows.Scan(&m.Currency, &m.Amount); err != nil {
			return out, fmt.Errorf("read the gestures of an actor: %w", err)
		}
		out.Granted = append(out.Granted, m)
	}
	return out, rows.Err()
}

// CaseReader finds cases as they are kept now. care.Reader is one.
type CaseReader interface {
	// Case gives the case that an event belongs to; nil if there is none.
	Case(ctx context.Context, workspace string, event schema.EventID) (*care.Kept, error)
	// Numbered says whether a case that agents opened here has this number.
	Numbered(ctx context.Context, workspace, source, number string) (bool, error)
}
