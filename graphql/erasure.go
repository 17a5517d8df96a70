package graphql

import (
	"context"
	"strings"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/dossier-cdp/dossier/schema"
)

// Subject names whom a right is exercised for: by an identifier that one person owns, or by an id of a profile or persona.
type Subject struct {
	Identifier Identifier
	ID         schema.ProfileID // zero: by the identifier
}

// The states of an erasure, those of Segment's regulations.
const (
	ErasurePlanned  = "INITIALIZED"     // nothing was decided: what would be erased
	ErasureRunning  = "RUNNING"         // decided, and not yet done everywhere
	ErasurePartial  = "PARTIAL_SUCCESS" // done in every store, but copies of the key ring must be replaced
	ErasureFinished = "FINISHED"        // nothing is left, and nothing can bring it back
)

// Erasure is the erasing of one person: what it takes, how far it is, and in the end the proof. It holds no personal data.
type Erasure struct {
	ID          string         `json:"id,omitempty"` // of the decision; empty while it is only planned
	State       string         `json:"state"`
	Actor       string         `json:"actor,omitempty"`
	Reason      string         `json:"reason,omitempty"`
	RequestedAt string         `json:"requestedAt,omitempty"`
	FinishedAt  string         `json:"finishedAt,omitempty"`
	CutOff      string         `json:"cutOff"`   // events that occurred until then are void, whenever they come
	Profiles    []string       `json:"profiles"` // that the person was
	Personas    []ErasedOne    `json:"personas"`
	Held        []ErasureCount `json:"held"`   // what was held at the decision
	Left        []ErasureCount `json:"left"`   // what is held now
	Shared      []SharedWith   `json:"shared"` // other people who share identifiers: they stay
	Holds       []LegalHold    `json:"holds"`  // that forbid it
	Steps       []ErasureStep  `json:"steps"`
	Copies      []string       `json:"copies"`           // of the key ring that still have her keys: replace or destroy them
	Known       []string       `json:"known"`            // profiles that are known by the same identifier since: new contacts, or who shared it
	Digest      string         `json:"digest,omitempty"` // hex SHA-256 of all the above, once it is finished
}

// ErasedOne is an account of the person.
type ErasedOne struct {
	Persona string `json:"persona"` // the public id
	Source  string `json:"source,omitempty"`
	Trust   string `json:"trust,omitempty"`
	Kind    string `json:"kind,omitempty"` // of the account
	Epoch   int32  `json:"epoch"`
}

// ErasureCount counts rows of one kind.
type ErasureCount struct {
	Name  string `json:"name"`
	Count int32  `json:"count"`
}

// SharedWith is somebody else who has identifiers of the person.
type SharedWith struct {
	Profile string   `json:"profile"`
	Kinds   []string `json:"kinds"`
}

// LegalHold is why somebody must not be erased.
type LegalHold struct {
	ID       string   `json:"id"`
	Actor    string   `json:"actor"`
	Reason   string   `json:"reason"`
	PlacedAt string   `json:"placedAt"`
	Profiles []string `json:"profiles"`
}

// ErasureStep is one store's part.
type ErasureStep struct {
	Name   string `json:"name"`
	Store  string `json:"store,omitempty"` // which of the role's
	Done   bool   `json:"done"`
	At     string `json:"at,omitempty"`
	Detail string `json:"detail"`
	Digest string `json:"digest,omitempty"`
}

// Erasures forgets people.
type Erasures interface {
	// Plan says what an erasure would take, and decides nothing.
	Plan(ctx context.Context, c Caller, s Subject) (*Erasure, error)
	// Erase decides it, and returns as soon as that is durable. The same key, or the same person again, is the same erasure.
	Erase(ctx context.Context, c Caller, s Subject, reason, idempotencyKey string) (*Erasure, error)
	// Erasure says how far one is; nil if there is none of the id.
	Erasure(ctx context.Context, c Caller, id string) (*Erasure, error)
}

func (r *resolver) erasures() (Erasures, error) {
	if r.backends.Erasures == nil {
		return nil, &Error{Code: CodeNotAvailable, Message: "nobody is erased here", Hint: "ask an installation with the role api"}
	}
	return r.backends.Erasures, nil
}

// Erase resolves Mutation.erase.
func (r *resolver) Erase(ctx context.Context, args struct {
	Identifier     *identifierInput
	ID             *gql.ID
	Reason         string
	IdempotencyKey string
	DryRun         bool
}) (*erasure, error) {
	c, err := need(ctx, scopePrivacy)
	if err != nil {
		return nil, err
	}
	if err := (reasoned{args.Reason, args.IdempotencyKey}).check(); err != nil {
		return nil, err
	}
	s, err := subjectOf(args.Identifier, args.ID)
	if err != nil {
		return nil, err
	}
	backend, err := r.erasures()
	if err != nil {
		return nil, err
	}
	var e *Erasure
	if args.DryRun {
		e, err = backend.Plan(ctx, c, s)
	} else {
		e, err = backend.Erase(ctx, c, s, args.Reason, args.IdempotencyKey)
	}
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	return &erasure{e}, nil
}

func subjectOf(in *identifierInput, id *gql.ID) (s Subject, err error) {
	switch {
	case (in == nil) == (id == nil):
		return s, badInput("name the person by an identifier or by an id, and not by both")
	case id != nil:
		s.ID, err = profileIDOf(*id)
		return s, err
	}
	s.Identifier = in.identifier()
	switch s.Identifier.Kind {
	case "id", "profile", "persona":
		s.ID, err = profileIDOf(gql.ID(s.Identifier.Value))
		return s, err
	}
	if s.Identifier.Kind == "" || strings.TrimSpace(s.Identifier.Value) == "" {
		return s, badInput("an identifier has a kind and a value")
	}
	return s, nil
}

// Erasure resolves Query.erasure.
func (r *resolver) Erasure(ctx context.Context, args struct{ ID gql.ID }) (*erasure, error) {
	c, err := need(ctx, scopePrivacy)
	if err != nil {
		return nil, err
	}
	backend, err := r.erasures()
	if err != nil {
		return nil, err
	}
	e, err := backend.Erasure(ctx, c, string(args.ID))
	if err != nil || e == nil {
		return nil, r.answer(ctx, err)
	}
	return &erasure{e}, nil
}

type erasure struct{ e *Erasure }

func (e *erasure) ID() *gql.ID {
	if e.e.ID == "" {
		return nil
	}
	id := gql.ID(e.e.ID)
	return &id
}
func (e *erasure) State() string        { return e.e.State }
func (e *erasure) Actor() *string       { return optional(e.e.Actor) }
func (e *erasure) Reason() *string      { return optional(e.e.Reason) }
func (e *erasure) RequestedAt() *string { return optional(e.e.RequestedAt) }
func (e *erasure) FinishedAt() *string  { return optional(e.e.FinishedAt) }
func (e *erasure) CutOff() string       { return e.e.CutOff }
func (e *erasure) Profiles() []gql.ID   { return gqlIDs(e.e.Profiles) }
func (e *erasure) Held() []ErasureCount { return append([]ErasureCount{}, e.e.Held...) }
func (e *erasure) Left() []ErasureCount { return append([]ErasureCount{}, e.e.Left...) }
func (e *erasure) Copies() []string     { return append([]string{}, e.e.Copies...) }
func (e *erasure) Known() []gql.ID      { return gqlIDs(e.e.Known) }
func (e *erasure) Digest() *string      { return optional(e.e.Digest) }

func (e *erasure) Personas() []erasedOne {
	return wrapAll(e.e.Personas, func(p ErasedOne) erasedOne { return erasedOne{p} })
}
func (e *erasure) Shared() []sharedWith {
	return wrapAll(e.e.Shared, func(s SharedWith) sharedWith { return sharedWith{s} })
}
func (e *erasure) Holds() []legalHold {
	return wrapAll(e.e.Holds, func(h LegalHold) legalHold { return legalHold{h} })
}
func (e *erasure) Steps() []erasureStep {
	return wrapAll(e.e.Steps, func(s ErasureStep) erasureStep { return erasureStep{s} })
}

func wrapAll[From, To any](in []From, wrap func(From) To) []To {
	out := make([]To, len(in))
	for i := range in {
		out[i] = wrap(in[i])
	}
	return out
}

func gqlIDs(in []string) []gql.ID { return wrapAll(in, func(s string) gql.ID { return gql.ID(s) }) }

type erasedOne struct{ p ErasedOne }

func (p erasedOne) Persona() gql.ID { return gql.ID(p.p.Persona) }
func (p erasedOne) Source() *string { return optional(p.p.Source) }
func (p erasedOne) Trust() *string  { return optional(p.p.Trust) }
func (p erasedOne) Kind() *string   { return optional(p.p.Kind) }
func (p erasedOne) Epoch() int32    { return p.p.Epoch }

type sharedWith struct{ s SharedWith }

func (s sharedWith) Profile() gql.ID { return gql.ID(s.s.Profile) }
func (s sharedWith) Kinds() []string { return append([]string{}, s.s.Kinds...) }

type legalHold struct{ h LegalHold }

func (h legalHold) ID() gql.ID         { return gql.ID(h.h.ID) }
func (h legalHold) Actor() string      { return h.h.Actor }
func (h legalHold) Reason() string     { return h.h.Reason }
func (h legalHold) PlacedAt() string   { return h.h.PlacedAt }
func (h legalHold) Profiles() []gql.ID { return gqlIDs(h.h.Profiles) }

type erasureStep struct{ s ErasureStep }

func (s erasureStep) Name() string    { return s.s.Name }
func (s erasureStep) Store() *string  { return optional(s.s.Store) }
func (s erasureStep) Done() bool      { return s.s.Done }
func (s erasureStep) At() *string     { return optional(s.s.At) }
func (s erasureStep) Detail() string  { return s.s.Detail }
func (s erasureStep) Digest() *string { return optional(s.s.Digest) }
