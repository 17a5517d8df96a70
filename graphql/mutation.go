package graphql

import (
	"context"
	"encoding/json"
	"strings"
	"unicode/utf8"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/dossier-cdp/dossier/schema"
)

type decision struct{ Event gql.ID }

type reasoned struct {
	Reason         string
	IdempotencyKey string
}

func (r reasoned) check() error {
	switch {
	case strings.TrimSpace(r.Reason) == "" || utf8.RuneCountInString(r.Reason) > 2000:
		return badInput("a decision needs a reason of 1 to 2000 characters")
	case r.IdempotencyKey == "" || utf8.RuneCountInString(r.IdempotencyKey) > 200:
		return badInput("idempotencyKey has 1 to 200 characters")
	}
	return nil
}

func (r *resolver) assert(ctx context.Context, d Decision) (*decision, error) {
	c, err := need(ctx, scopeDecide)
	if err != nil {
		return nil, err
	}
	if err := (reasoned{d.Reason, d.IdempotencyKey}).check(); err != nil {
		return nil, err
	}
	event, err := r.backends.Decisions.Assert(ctx, c, d)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	return &decision{gqlID(event)}, nil
}

type pairArgs struct {
	A, B           gql.ID
	Reason         string
	IdempotencyKey string
}

func (r *resolver) assertPair(ctx context.Context, t schema.Type, args pairArgs) (*decision, error) {
	if _, err := need(ctx, scopeDecide); err != nil {
		return nil, err
	}
	a, err := profileIDOf(args.A)
	if err != nil {
		return nil, err
	}
	b, err := profileIDOf(args.B)
	if err != nil {
		return nil, err
	}
	if a == b {
		return nil, badInput("a and b are the same id")
	}
	return r.assert(ctx, Decision{Type: t, A: a, B: b, Reason: args.Reason, IdempotencyKey: args.IdempotencyKey})
}

// Link resolves Mutation.link.
func (r *resolver) Link(ctx context.Context, args pairArgs) (*decision, error) {
	return r.assertPair(ctx, schema.TypeIdentityLinked, args)
}

// Separate resolves Mutation.separate.
func (r *resolver) Separate(ctx context.Context, args pairArgs) (*decision, error) {
	return r.assertPair(ctx, schema.TypeIdentitySeparated, args)
}

// Release resolves Mutation.release.
func (r *resolver) Release(ctx context.Context, args struct {
	Event          gql.ID
	Reason         string
	IdempotencyKey string
}) (*decision, error) {
	if _, err := need(ctx, scopeDecide); err != nil {
		return nil, err
	}
	of, err := schema.ParseEventID(string(args.Event))
	if err != nil {
		return nil, badInput("%v", err)
	}
	return r.assert(ctx, Decision{Type: schema.TypeIdentityReleased, Of: of, Reason: args.Reason, IdempotencyKey: args.IdempotencyKey})
}

// RecordConsent resolves Mutation.recordConsent.
func (r *resolver) RecordConsent(ctx context.Context, args struct {
	Profile gql.ID
	Consent struct {
		Kind, Value                    *string
		Channel, Purpose, State        string
		LegalBasis, TextVersion, Proof *string
		Expiry                         *timeValue
	}
	Reason         string
	IdempotencyKey string
}) (*decision, error) {
	c, err := need(ctx, scopeCare)
	if err != nil {
		return nil, err
	}
	if err := (reasoned{args.Reason, args.IdempotencyKey}).check(); err != nil {
		return nil, err
	}
	profile, err := profileIDOf(args.Profile)
	if err != nil {
		return nil, err
	}
	in := args.Consent
	out := schema.Consent{Kind: plain(in.Kind), Value: plain(in.Value), Purpose: in.Purpose, LegalBasis: plain(in.LegalBasis),
		TextVersion: plain(in.TextVersion), Proof: plain(in.Proof)}
	var ok bool
	if out.Channel, ok = schema.ParseChannel(in.Channel); !ok {
		return nil, badInput("there is no such channel")
	}
	if out.State, ok = schema.ParseConsentState(in.State); !ok {
		return nil, badInput("state is granted, denied or withdrawn")
	}
	if in.Purpose == "" {
		return nil, badInput("a consent has a purpose")
	}
	if (out.Kind == "") != (out.Value == "") {
		return nil, badInput("a contact point has a kind and a value")
	}
	if out.Expiry, err = in.Expiry.instant(); err != nil {
		return nil, err
	}
	event, err := r.backends.Decisions.Consent(ctx, c, profile, out, args.Reason, args.IdempotencyKey)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	return &decision{gqlID(event)}, nil
}

func plain(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

type configuration struct {
	Hash     string
	Document jsonValue
}

// ApplyConfiguration resolves Mutation.applyConfiguration.
func (r *resolver) ApplyConfiguration(ctx context.Context, args struct {
	Document       jsonValue
	Base           string
	Reason         string
	IdempotencyKey string
}) (*configuration, error) {
	c, err := need(ctx, scopeAdmin)
	if err != nil {
		return nil, err
	}
	if err := (reasoned{args.Reason, args.IdempotencyKey}).check(); err != nil {
		return nil, err
	}
	hash, canonical, err := r.backends.Decisions.Configure(ctx, c, json.RawMessage(args.Document.raw), args.Base, args.Reason, args.IdempotencyKey)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	return &configuration{hash, jsonValue{canonical}}, nil
}
