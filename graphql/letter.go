package graphql

import (
	"context"
	"encoding/json"

	gql "github.com/graph-gophers/graphql-go"
)

// Letter is a refused input.
type Letter struct {
	ID, Code, Reason, Hint, Source, Endpoint, Mapping, ReceivedAt, State string

	Payload json.RawMessage // of one that is shown; nil in lists, and when its key is gone
	Raw     string          // the payload where it is not JSON
	History []LetterResolution
}

// LetterResolution is what was done about a letter.
type LetterResolution struct {
	Action, Actor, At, Reason, Code string
	Events                          []string
	Payload                         json.RawMessage // what was sent instead
}

// LetterFilter chooses letters. Empty members choose all.
type LetterFilter struct {
	Code, Source, Endpoint, Mapping string
	Since, Until                    string // RFC 3339: received at or after, and before
	All                             bool   // also those that are not open
	Limit                           int    // the newest so many
}

// LetterStat counts letters that are alike.
type LetterStat struct {
	Code, Source, Endpoint, Mapping, First, Last string
	Letters, Open                                int
}

// LetterDecision is which letters, and what to do about them.
type LetterDecision struct {
	IDs     []string
	Filter  *LetterFilter // instead of ids
	Drop    bool          // else they are sent again
	Edits   []LetterEdit
	Payload json.RawMessage
	Reason  string
	DryRun  bool
}

// LetterEdit changes a member of what is sent again.
type LetterEdit struct {
	Op, Path, To string
	Value        json.RawMessage
}

// LetterOutcome is what became of a letter.
type LetterOutcome struct {
	Letter, Action, Code, Reason, Hint string
	Events                             []string
}

// Letters are the inputs that were refused. Errors that the caller can mend are *Error or *schema.Refusal.
type Letters interface {
	List(ctx context.Context, c Caller, f LetterFilter) ([]Letter, error)
	// Show opens one; nil if there is none of the id.
	Show(ctx context.Context, c Caller, id string) (*Letter, error)
	Stats(ctx context.Context, c Caller, f LetterFilter) ([]LetterStat, error)
	Resolve(ctx context.Context, c Caller, d LetterDecision) ([]LetterOutcome, error)
}

// mostLetters bounds one list, and one decision.
const mostLetters = 1_000

type letterFilterInput struct {
	Code, Source, Endpoint, Mapping *string
	Since, Until                    *timeValue
	All                             *bool
}

func (in *letterFilterInput) filter() (f LetterFilter, err error) {
	if in == nil {
		return f, nil
	}
	for _, part := range []struct {
		from *string
		to   *string
	}{{in.Code, &f.Code}, {in.Source, &f.Source}, {in.Endpoint, &f.Endpoint}, {in.Mapping, &f.Mapping}} {
		if part.from != nil {
			*part.to = *part.from
		}
	}
	for _, part := range []struct {
		from *timeValue
		to   *string
	}{{in.Since, &f.Since}, {in.Until, &f.Until}} {
		at, err := part.from.instant()
		if err != nil {
			return f, err
		}
		if at != 0 {
			*part.to = at.String()
		}
	}
	f.All = in.All != nil && *in.All
	return f, nil
}

func (r *resolver) letters(ctx context.Context, scope string) (Letters, Caller, error) {
	c, err := need(ctx, scope)
	if err == nil && r.backends.Letters == nil {
		err = &Error{Code: CodeNotAvailable, Message: "dead letters are not read here", Hint: "ask an installation with the role api"}
	}
	return r.backends.Letters, c, err
}

type letterNode struct {
	ID                                                      gql.ID
	Code, Reason, Hint, Source, Endpoint, State, ReceivedAt string
	Mapping, Raw                                            *string
	Payload                                                 *jsonValue
	History                                                 []*resolutionNode
}

type resolutionNode struct {
	Action, Actor, At string
	Reason, Code      *string
	Events            []gql.ID
	Payload           *jsonValue
}

// letterOf shows a letter. What was sent may name people, and so may what is wrong with it.
func letterOf(l *Letter, veiled veil) *letterNode {
	n := &letterNode{
		ID: gql.ID(l.ID), Code: l.Code, Hint: l.Hint, Source: l.Source, Endpoint: l.Endpoint, Mapping: optional(l.Mapping), ReceivedAt: l.ReceivedAt, State: l.State,
		History: []*resolutionNode{},
	}
	if reason := veiled.text(l.Reason); reason != nil {
		n.Reason = *reason
	}
	if !veiled {
		n.Payload, n.Raw = optionalJSON(l.Payload), optional(l.Raw)
	}
	for i := range l.History {
		h := &l.History[i]
		done := &resolutionNode{Action: h.Action, Actor: h.Actor, At: h.At, Reason: optional(h.Reason), Code: optional(h.Code), Events: idsOf(h.Events)}
		if !veiled {
			done.Payload = optionalJSON(h.Payload)
		}
		n.History = append(n.History, done)
	}
	return n
}

func idsOf(list []string) []gql.ID {
	out := make([]gql.ID, len(list))
	for i, id := range list {
		out[i] = gql.ID(id)
	}
	return out
}

// DeadLetters resolves Query.deadLetters.
func (r *resolver) DeadLetters(ctx context.Context, args struct {
	Filter *letterFilterInput
	First  int32
}) ([]*letterNode, error) {
	backend, c, err := r.letters(ctx, scopeRead)
	if err != nil {
		return nil, err
	}
	f, err := args.Filter.filter()
	if err != nil {
		return nil, err
	}
	if args.First < 1 || args.First > mostLetters {
		return nil, badInput("first is a number from 1 to %d", mostLetters)
	}
	f.Limit = int(args.First)
	list, err := backend.List(ctx, c, f)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	out := make([]*letterNode, len(list))
	for i := range list {
		out[i] = letterOf(&list[i], veilOf(c))
	}
	return out, nil
}

// DeadLetter resolves Query.deadLetter.
func (r *resolver) DeadLetter(ctx context.Context, args struct{ ID gql.ID }) (*letterNode, error) {
	backend, c, err := r.letters(ctx, scopeRead)
	if err != nil {
		return nil, err
	}
	l, err := backend.Show(ctx, c, string(args.ID))
	if err != nil || l == nil {
		return nil, r.answer(ctx, err)
	}
	return letterOf(l, veilOf(c)), nil
}

type letterStatNode struct {
	Code, Source, Endpoint, First, Last string
	Mapping                             *string
	Letters, Open                       int32
}

// DeadLetterStats resolves Query.deadLetterStats.
func (r *resolver) DeadLetterStats(ctx context.Context, args struct{ Filter *letterFilterInput }) ([]*letterStatNode, error) {
	backend, c, err := r.letters(ctx, scopeRead)
	if err != nil {
		return nil, err
	}
	f, err := args.Filter.filter()
	if err != nil {
		return nil, err
	}
	list, err := backend.Stats(ctx, c, f)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	out := make([]*letterStatNode, len(list))
	for i, s := range list {
		out[i] = &letterStatNode{Code: s.Code, Source: s.Source, Endpoint: s.Endpoint, Mapping: optional(s.Mapping), First: s.First, Last: s.Last, Letters: int32(s.Letters), Open: int32(s.Open)}
	}
	return out, nil
}

type letterOutcomeNode struct {
	Letter             gql.ID
	Action             string
	Events             []gql.ID
	Code, Reason, Hint *string
}

// ResolveDeadLetters resolves Mutation.resolveDeadLetters.
func (r *resolver) ResolveDeadLetters(ctx context.Context, args struct {
	Ids    *[]gql.ID
	Filter *letterFilterInput
	Drop   bool
	Edits  *[]struct {
		Op, Path string
		To       *string
		Value    *jsonValue
	}
	Payload *jsonValue
	Reason  string
	DryRun  bool
}) (*[]*letterOutcomeNode, error) {
	backend, c, err := r.letters(ctx, scopeAdmin)
	if err == nil {
		_, err = need(ctx, scopeUnmask)
	}
	if err != nil {
		return nil, err
	}
	d := LetterDecision{Drop: args.Drop, Reason: args.Reason, DryRun: args.DryRun}
	if (args.Ids == nil) == (args.Filter == nil) {
		return nil, badInput("say which letters: by ids, or by a filter")
	}
	if args.Filter != nil {
		f, err := args.Filter.filter()
		if err != nil {
			return nil, err
		}
		f.Limit, d.Filter = mostLetters, &f
	} else {
		for _, id := range *args.Ids {
			d.IDs = append(d.IDs, string(id))
		}
	}
	if args.Payload != nil {
		d.Payload = args.Payload.raw
	}
	if args.Edits != nil {
		for _, e := range *args.Edits {
			edit := LetterEdit{Op: e.Op, Path: e.Path}
			if e.To != nil {
				edit.To = *e.To
			}
			if e.Value != nil {
				edit.Value = e.Value.raw
			}
			d.Edits = append(d.Edits, edit)
		}
	}
	switch {
	case len(d.IDs) > mostLetters:
		return nil, badInput("one decision is about at most %d letters", mostLetters)
	case d.Payload != nil && len(d.IDs) != 1:
		return nil, badInput("a payload stands in for one letter: name one id")
	case d.Payload != nil && len(d.Edits) > 0 || d.Drop && (d.Payload != nil || len(d.Edits) > 0):
		return nil, badInput("a letter is dropped, or sent with another payload, or with edits: choose one of them")
	}
	outcomes, err := backend.Resolve(ctx, c, d)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	out := make([]*letterOutcomeNode, len(outcomes))
	for i, o := range outcomes {
		out[i] = &letterOutcomeNode{Letter: gql.ID(o.Letter), Action: o.Action, Events: idsOf(o.Events), Code: optional(o.Code), Reason: optional(o.Reason), Hint: optional(o.Hint)}
	}
	return &out, nil
}
