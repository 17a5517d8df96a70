package graphql

import (
	"context"
	"encoding/json"
)

// Shadow is a whole set of projections beside the live one, and how it is doing.
type Shadow struct {
	Name, State, Reason, Actor, Created string
	Hash                                string // of the configuration that it runs under
	Own                                 bool   // which is not the one that was in force
	From, To                            string // RFC 3339
	Types, Sources                      []string
	Done, Total                         int64   // records of the log
	Rate, ETA                           float64 // a second; seconds, 0 where nothing is left or it is not known
}

// ShadowStart asks for a shadow. What is empty filters nothing.
type ShadowStart struct {
	Name           string
	Configuration  json.RawMessage // nil: the one in force
	From, To       string          // RFC 3339
	Types, Sources []string
	Key            string // the same key and name again is the same shadow
}

// Promotion is what is live since the last one.
type Promotion struct {
	Shadow   string // what it was called; "" is what was live before
	Position int64
	At, Hash string
	Undoable bool
}

// Replays are shadows, and what may be done about them. Errors that the caller can mend are *Error or *schema.Refusal.
type Replays interface {
	Shadows(ctx context.Context, c Caller) ([]Shadow, error)
	// Shadow gives one; nil if there is none of the name.
	Shadow(ctx context.Context, c Caller, name string) (*Shadow, error)
	Diff(ctx context.Context, c Caller, name string, samples int, figures bool) (json.RawMessage, error)
	Start(ctx context.Context, c Caller, s ShadowStart) (*Shadow, error)
	Pause(ctx context.Context, c Caller, name string, paused bool) (*Shadow, error)
	Promote(ctx context.Context, c Caller, name, reason string) (*Promotion, error)
	Undo(ctx context.Context, c Caller, reason string) (*Promotion, error)
	Discard(ctx context.Context, c Caller, name string) error
}

// replays gives the backend to whoever may use it.
func (r *resolver) replays(ctx context.Context) (Replays, Caller, error) {
	c, err := need(ctx, scopeAdmin)
	if err == nil && r.backends.Replays == nil {
		err = &Error{Code: CodeNotAvailable, Message: "there are no shadows here", Hint: "ask an installation that 'dossier up' runs"}
	}
	return r.backends.Replays, c, err
}

type shadowNode struct {
	Name, State, Actor, CreatedAt, Configuration string
	Reason, From, To                             *string
	Own                                          bool
	Types, Sources                               []string
	Done, Total, Rate                            float64
	Eta                                          *float64
}

func shadowOf(s *Shadow) *shadowNode {
	if s == nil {
		return nil
	}
	n := &shadowNode{
		Name: s.Name, State: s.State, Actor: s.Actor, CreatedAt: s.Created, Configuration: s.Hash, Reason: optional(s.Reason), From: optional(s.From), To: optional(s.To), Own: s.Own,
		Types: append([]string{}, s.Types...), Sources: append([]string{}, s.Sources...), Done: float64(s.Done), Total: float64(s.Total), Rate: s.Rate,
	}
	if s.ETA > 0 {
		n.Eta = &s.ETA
	}
	return n
}

type promotionNode struct {
	Shadow            *string
	Position          float64
	At, Configuration string
	Undoable          bool
}

func promotionOf(p *Promotion) *promotionNode {
	return &promotionNode{Shadow: optional(p.Shadow), Position: float64(p.Position), At: p.At, Configuration: p.Hash, Undoable: p.Undoable}
}

// Shadows resolves Query.shadows.
func (r *resolver) Shadows(ctx context.Context) ([]*shadowNode, error) {
	backend, c, err := r.replays(ctx)
	if err != nil {
		return nil, err
	}
	list, err := backend.Shadows(ctx, c)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	out := make([]*shadowNode, len(list))
	for i := range list {
		out[i] = shadowOf(&list[i])
	}
	return out, nil
}

// Shadow resolves Query.shadow.
func (r *resolver) Shadow(ctx context.Context, args struct{ Name string }) (*shadowNode, error) {
	return r.oneShadow(ctx, func(b Replays, c Caller) (*Shadow, error) { return b.Shadow(ctx, c, args.Name) })
}

func (r *resolver) oneShadow(ctx context.Context, do func(b Replays, c Caller) (*Shadow, error)) (*shadowNode, error) {
	backend, c, err := r.replays(ctx)
	if err != nil {
		return nil, err
	}
	s, err := do(backend, c)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	return shadowOf(s), nil
}

// mostDifferences bounds what a difference lists of each kind.
const mostDifferences = 1_000

// ShadowDiff resolves Query.shadowDiff.
func (r *resolver) ShadowDiff(ctx context.Context, args struct {
	Name    string
	Samples int32
	Figures bool
}) (*jsonValue, error) {
	backend, c, err := r.replays(ctx)
	if err != nil {
		return nil, err
	}
	if args.Samples < 0 || args.Samples > mostDifferences {
		return nil, badInput("samples is a number from 0 to %d", mostDifferences)
	}
	diff, err := backend.Diff(ctx, c, args.Name, int(args.Samples), args.Figures)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	return &jsonValue{diff}, nil
}

// StartReplay resolves Mutation.startReplay.
func (r *resolver) StartReplay(ctx context.Context, args struct {
	Name           string
	Configuration  *jsonValue
	From, To       *timeValue
	Types, Sources *[]string
	Reason         string
	IdempotencyKey string
}) (*shadowNode, error) {
	if err := (reasoned{args.Reason, args.IdempotencyKey}).check(); err != nil {
		return nil, err
	}
	q := ShadowStart{Name: args.Name, Key: args.IdempotencyKey}
	if args.Configuration != nil {
		q.Configuration = args.Configuration.raw
	}
	for _, bound := range []struct {
		from *timeValue
		to   *string
	}{{args.From, &q.From}, {args.To, &q.To}} {
		at, err := bound.from.instant()
		if err != nil {
			return nil, err
		}
		if at != 0 {
			*bound.to = at.String()
		}
	}
	if args.Types != nil {
		q.Types = *args.Types
	}
	if args.Sources != nil {
		q.Sources = *args.Sources
	}
	return r.oneShadow(ctx, func(b Replays, c Caller) (*Shadow, error) { return b.Start(ctx, c, q) })
}

// PauseReplay resolves Mutation.pauseReplay.
func (r *resolver) PauseReplay(ctx context.Context, args struct{ Name string }) (*shadowNode, error) {
	return r.oneShadow(ctx, func(b Replays, c Caller) (*Shadow, error) { return b.Pause(ctx, c, args.Name, true) })
}

// ResumeReplay resolves Mutation.resumeReplay.
func (r *resolver) ResumeReplay(ctx context.Context, args struct{ Name string }) (*shadowNode, error) {
	return r.oneShadow(ctx, func(b Replays, c Caller) (*Shadow, error) { return b.Pause(ctx, c, args.Name, false) })
}

// PromoteReplay resolves Mutation.promoteReplay.
func (r *resolver) PromoteReplay(ctx context.Context, args struct{ Name, Reason string }) (*promotionNode, error) {
	return r.promotion(ctx, func(b Replays, c Caller) (*Promotion, error) { return b.Promote(ctx, c, args.Name, args.Reason) })
}

// UndoPromotion resolves Mutation.undoPromotion.
func (r *resolver) UndoPromotion(ctx context.Context, args struct{ Reason string }) (*promotionNode, error) {
	return r.promotion(ctx, func(b Replays, c Caller) (*Promotion, error) { return b.Undo(ctx, c, args.Reason) })
}

func (r *resolver) promotion(ctx context.Context, do func(b Replays, c Caller) (*Promotion, error)) (*promotionNode, error) {
	backend, c, err := r.replays(ctx)
	if err != nil {
		return nil, err
	}
	p, err := do(backend, c)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	return promotionOf(p), nil
}

// DiscardReplay resolves Mutation.discardReplay.
func (r *resolver) DiscardReplay(ctx context.Context, args struct{ Name string }) (*string, error) {
	backend, c, err := r.replays(ctx)
	if err != nil {
		return nil, err
	}
	if err := backend.Discard(ctx, c, args.Name); err != nil {
		return nil, r.answer(ctx, err)
	}
	return &args.Name, nil
}
