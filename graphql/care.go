package graphql

import (
	"context"
	"strings"
	"unicode/utf8"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/dossier-cdp/dossier/schema"
)

// What agents do for customers: each mutation is one event.

// maxWords bounds what an agent writes in one go, in characters; maxLabel a name, a team or a theme.
const (
	maxWords = 4000
	maxLabel = 200
)

type caseDecision struct {
	root  *resolver
	event schema.EventID
}

// Event resolves CaseDecision.event.
func (d *caseDecision) Event() gql.ID { return gqlID(d.event) }

// Case resolves CaseDecision.case.
func (d *caseDecision) Case(ctx context.Context) (*caseNode, error) {
	c := operationOf(ctx).caller
	if d.root.backends.Care == nil {
		return nil, nil
	}
	if err := query(ctx, 1); err != nil {
		return nil, err
	}
	w, err := d.root.backends.Care.About(ctx, c.Workspace, d.event)
	if err != nil || w == nil {
		return nil, d.root.answer(ctx, err)
	}
	return &caseNode{w.Profile, w.Case, veilOf(c), w}, nil
}

// tend records what an agent does.
func (r *resolver) tend(ctx context.Context, d CareDecision) (*caseDecision, error) {
	c, err := need(ctx, scopeCare)
	if err != nil {
		return nil, err
	}
	if err := (reasoned{d.Reason, d.IdempotencyKey}).check(); err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(d.Text) > maxWords || utf8.RuneCountInString(d.NextStep) > maxWords || utf8.RuneCountInString(d.Notice) > maxWords {
		return nil, badInput("a text has at most %d characters", maxWords)
	}
	for _, label := range []string{d.Charter, d.Rule, d.Number, d.Theme, d.Brand, d.Team, d.Owner, d.Kind, d.Resolution} {
		if utf8.RuneCountInString(label) > maxLabel {
			return nil, badInput("a name, a team, a theme, a kind and a resolution have at most %d characters", maxLabel)
		}
	}
	event, err := r.backends.Decisions.Care(ctx, c, d)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	return &caseDecision{r, event}, nil
}

// caseArgs name the case that a decision is about.
type caseArgs struct {
	Case           gql.ID
	Reason         string
	IdempotencyKey string
}

// about begins a decision about a case.
func (a caseArgs) about(t schema.Type) (d CareDecision, err error) {
	d = CareDecision{Type: t, Reason: a.Reason, IdempotencyKey: a.IdempotencyKey}
	d.Case, err = memberOf(a.Case)
	return d, err
}

func memberOf(id gql.ID) (schema.EventID, error) {
	_, member, ok := parseCaseID(id)
	if !ok {
		return schema.EventID{}, badInput("case is the id of a case, as inbox and Dossier.cases have it")
	}
	return member, nil
}

// on begins a decision about a case and records it.
func (r *resolver) on(ctx context.Context, args caseArgs, t schema.Type, fill func(d *CareDecision) error) (*caseDecision, error) {
	d, err := args.about(t)
	if err == nil && fill != nil {
		err = fill(&d)
	}
	if err != nil {
		return nil, err
	}
	return r.tend(ctx, d)
}

func wanted(what, text string) error {
	if strings.TrimSpace(text) == "" {
		return badInput("%s is empty", what)
	}
	return nil
}

// priorities are those that a case is given here; the fold weighs them.
func priorityOf(text *string) (string, error) {
	switch p := plain(text); p {
	case "", "urgent", "high", "normal", "low":
		return p, nil
	}
	return "", badInput("priority is urgent, high, normal or low")
}

// RecordCase resolves Mutation.recordCase.
func (r *resolver) RecordCase(ctx context.Context, args struct {
	Profile gql.ID
	Case    struct {
		Text                                 string
		Channel, Number                      *string
		Of                                   *gql.ID
		Theme, Brand, Team, Owner, Priority  *string
		Complaint, Safety, Legal, Vulnerable *bool
	}
	Reason         string
	IdempotencyKey string
}) (*caseDecision, error) {
	in := args.Case
	d := CareDecision{
		Type: schema.TypeCaseOpened, Text: in.Text, Number: plain(in.Number), Theme: plain(in.Theme), Brand: plain(in.Brand), Team: plain(in.Team), Owner: plain(in.Owner),
		Complaint: in.Complaint, Safety: in.Safety, Legal: in.Legal, Vulnerable: in.Vulnerable, Reason: args.Reason, IdempotencyKey: args.IdempotencyKey,
	}
	var err error
	if d.Profile, err = profileIDOf(args.Profile); err != nil {
		return nil, err
	}
	if err := wanted("text", in.Text); err != nil {
		return nil, err
	}
	if d.Priority, err = priorityOf(in.Priority); err != nil {
		return nil, err
	}
	if in.Of != nil {
		if d.Case, err = memberOf(*in.Of); err != nil {
			return nil, err
		}
	}
	if in.Channel != nil {
		var known bool
		if d.Channel, known = schema.ParseChannel(*in.Channel); !known {
			return nil, badInput("there is no such channel")
		}
	}
	return r.tend(ctx, d)
}

// AssignCase resolves Mutation.assignCase.
func (r *resolver) AssignCase(ctx context.Context, args struct {
	caseArgs
	To struct{ Owner, Team, Priority, Theme *string }
}) (*caseDecision, error) {
	return r.on(ctx, args.caseArgs, schema.TypeCaseUpdated, func(d *CareDecision) (err error) {
		d.Owner, d.Team, d.Theme = plain(args.To.Owner), plain(args.To.Team), plain(args.To.Theme)
		if d.Priority, err = priorityOf(args.To.Priority); err != nil {
			return err
		}
		if d.Owner == "" && d.Team == "" && d.Theme == "" && d.Priority == "" {
			return badInput("to names an owner, a team, a priority or a theme")
		}
		return nil
	})
}

// PlanNextStep resolves Mutation.planNextStep.
func (r *resolver) PlanNextStep(ctx context.Context, args struct {
	caseArgs
	Step  string
	DueAt *timeValue
}) (*caseDecision, error) {
	return r.on(ctx, args.caseArgs, schema.TypeCaseUpdated, func(d *CareDecision) (err error) {
		if d.Due, err = args.DueAt.instant(); err != nil {
			return err
		}
		d.NextStep = args.Step
		return wanted("step", args.Step)
	})
}

// ResolveCase resolves Mutation.resolveCase.
func (r *resolver) ResolveCase(ctx context.Context, args struct {
	caseArgs
	Resolution *struct {
		Resolution *string
		Explained  *bool
		Text       *string
	}
}) (*caseDecision, error) {
	return r.on(ctx, args.caseArgs, schema.TypeCaseResolved, func(d *CareDecision) error {
		if how := args.Resolution; how != nil {
			d.Resolution, d.Explained, d.Text = plain(how.Resolution), how.Explained, plain(how.Text)
		}
		return nil
	})
}

// ReopenCase resolves Mutation.reopenCase.
func (r *resolver) ReopenCase(ctx context.Context, args caseArgs) (*caseDecision, error) {
	return r.on(ctx, args, schema.TypeCaseReopened, nil)
}

// AddTask resolves Mutation.addTask.
func (r *resolver) AddTask(ctx context.Context, args struct {
	caseArgs
	Text  string
	DueAt *timeValue
}) (*caseDecision, error) {
	return r.on(ctx, args.caseArgs, schema.TypeTaskAdded, func(d *CareDecision) (err error) {
		if d.Due, err = args.DueAt.instant(); err != nil {
			return err
		}
		d.Text = args.Text
		return wanted("text", args.Text)
	})
}

// CompleteTask resolves Mutation.completeTask.
func (r *resolver) CompleteTask(ctx context.Context, args struct {
	caseArgs
	Task gql.ID
}) (*caseDecision, error) {
	return r.on(ctx, args.caseArgs, schema.TypeTaskCompleted, func(d *CareDecision) (err error) {
		d.Of, err = eventOf("task", &args.Task)
		return err
	})
}

func eventOf(what string, id *gql.ID) (schema.EventID, error) {
	if id == nil {
		return schema.EventID{}, nil
	}
	event, err := schema.ParseEventID(string(*id))
	if err != nil {
		return event, badInput("%s is the id of the event by which it was made", what)
	}
	return event, nil
}

// AddNote resolves Mutation.addNote.
func (r *resolver) AddNote(ctx context.Context, args struct {
	Case, Profile  *gql.ID
	Text           string
	Reason         string
	IdempotencyKey string
}) (*caseDecision, error) {
	d := CareDecision{Type: schema.TypeNoteAdded, Text: args.Text, Reason: args.Reason, IdempotencyKey: args.IdempotencyKey}
	err := wanted("text", args.Text)
	switch {
	case err != nil:
	case (args.Case == nil) == (args.Profile == nil):
		err = badInput("a note is about a case or about a profile: name one of them")
	case args.Case != nil:
		d.Case, err = memberOf(*args.Case)
	default:
		d.Profile, err = profileIDOf(*args.Profile)
	}
	if err != nil {
		return nil, err
	}
	return r.tend(ctx, d)
}

// Promise resolves Mutation.promise.
func (r *resolver) Promise(ctx context.Context, args struct {
	caseArgs
	Promise struct {
		State string
		Text  *string
		DueAt *timeValue
		Of    *gql.ID
	}
}) (*caseDecision, error) {
	in := args.Promise
	of := map[string]schema.Type{"made": schema.TypePromiseMade, "kept": schema.TypePromiseKept, "broken": schema.TypePromiseBroken}
	t, known := of[in.State]
	if !known {
		return nil, badInput("state is made, kept or broken")
	}
	return r.on(ctx, args.caseArgs, t, func(d *CareDecision) (err error) {
		d.Text = plain(in.Text)
		if t != schema.TypePromiseMade {
			if in.DueAt != nil {
				return badInput("dueAt belongs to a promise that is made")
			}
			d.Of, err = eventOf("of", in.Of)
			return err
		}
		if in.Of != nil {
			return badInput("of belongs to a promise that is kept or broken")
		}
		if d.Due, err = in.DueAt.instant(); err != nil {
			return err
		}
		if d.Due == 0 {
			return badInput("a promise has a dueAt: without one nobody could say whether it was kept")
		}
		return wanted("text", d.Text)
	})
}

// GrantGesture resolves Mutation.grantGesture.
func (r *resolver) GrantGesture(ctx context.Context, args struct {
	caseArgs
	Gesture struct {
		Kind                   string
		Amount, Currency, Text *string
	}
}) (*caseDecision, error) {
	in := args.Gesture
	return r.on(ctx, args.caseArgs, schema.TypeGestureGranted, func(d *CareDecision) error {
		d.Kind, d.Amount, d.Currency, d.Text = strings.TrimSpace(in.Kind), plain(in.Amount), plain(in.Currency), plain(in.Text)
		if (d.Amount == "") != (d.Currency == "") {
			return badInput("an amount has a currency")
		}
		return wanted("kind", d.Kind)
	})
}

// ModerateContent resolves Mutation.moderateContent.
func (r *resolver) ModerateContent(ctx context.Context, args struct {
	caseArgs
	Decision struct {
		Action, Charter, Rule string
		Notice                *string
		AppealOf              *gql.ID
	}
}) (*caseDecision, error) {
	in := args.Decision
	return r.on(ctx, args.caseArgs, schema.TypeContentModerated, func(d *CareDecision) (err error) {
		d.Action, d.Charter, d.Rule, d.Notice = in.Action, in.Charter, in.Rule, plain(in.Notice)
		if d.Of, err = eventOf("appealOf", in.AppealOf); err != nil {
			return err
		}
		review := in.Action == "upheld" || in.Action == "restored"
		switch in.Action {
		case "removed", "hidden", "demoted", "suspended":
			if err := wanted("notice", d.Notice); err != nil {
				return badInput("a notice tells the author why, when the content goes")
			}
		case "kept", "upheld", "restored":
		default:
			return badInput("action is removed, hidden, demoted, suspended or kept; of an appeal upheld or restored")
		}
		if review != !d.Of.IsZero() {
			return badInput("upheld and restored decide an appeal, and appealOf names what it is against")
		}
		if err := wanted("charter", in.Charter); err != nil {
			return err
		}
		return wanted("rule", in.Rule)
	})
}

// Delegation resolves Query.delegation.
func (r *resolver) Delegation(ctx context.Context) (*delegation, error) {
	c, err := need(ctx, scopeCare)
	if err != nil {
		return nil, err
	}
	if err := query(ctx, 1); err != nil {
		return nil, err
	}
	d, err := r.backends.Decisions.Delegation(ctx, c)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	return &delegation{d, c.Actor}, nil
}

type delegation struct {
	d     Delegation
	actor string
}

func (d *delegation) Actor() string  { return d.actor }
func (d *delegation) Role() string   { return d.d.Role }
func (d *delegation) Limit() *string { return optional(d.d.Limit) }

func (d *delegation) Allowance() *string {
	if d.d.Allowance == nil {
		return nil
	}
	return &d.d.Allowance.Amount
}

func (d *delegation) WindowHours() *float64 {
	if d.d.Allowance == nil {
		return nil
	}
	hours := float64(d.d.Allowance.Within) / 3.6e9
	return &hours
}

func (d *delegation) Granted() []Money { return append([]Money{}, d.d.Granted...) }

func (d *delegation) Remaining() *[]Money {
	out := []Money{}
	for _, m := range d.d.Granted {
		left, bounded := d.d.Remaining(m.Amount)
		if !bounded {
			return nil
		}
		out = append(out, Money{left, m.Currency})
	}
	return &out
}

func (d *delegation) RemainingElsewhere() *string {
	left, bounded := d.d.Remaining("0")
	if !bounded {
		return nil
	}
	return &left
}
