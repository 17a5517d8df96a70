package backend

import (
	"context"
	"errors"
	"slices"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/identity"
)

// History is what looks into the past stand on, beside who is who.
type History struct {
	// Settings are those that were in force at a time; 0 is now.
	Settings func(at schema.Instant) (identity.Settings, error)
	Recall   identity.Recall
	// Since tells how many decisions to erase were taken after a time.
	Since func(at schema.Instant) (erased int)
}

// Then gives the owners of an identifier in a past.
func (p *Profiles) Then(ctx context.Context, _ string, id graphql.Identifier, past graphql.Past) (_ *graphql.Former, err error) {
	settings, err := p.History.Settings(past.KnownAt)
	if err != nil {
		return nil, err
	}
	v, err := p.Identity.ViewOf(ctx, identity.Past(past), settings, p.History.Recall, id.Kind, id.Value, id.Country)
	if err != nil {
		return nil, p.notReady(err)
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	owners, err := p.ownersIn(v, id)
	if err != nil {
		return nil, err
	}
	out := &graphql.Former{History: graphql.History{Past: past, Configuration: settings.Hash}}
	for _, owner := range owners[:min(len(owners), graphql.MaxFirst)] {
		profile, err := v.Profile(owner)
		if err != nil {
			return nil, err
		}
		if profile == nil {
			continue // nothing had happened
		}
		out.Owners = append(out.Owners, owner)
		out.People = append(out.People, person(profile, v.Asked(schema.InstantOf(p.Now()))))
	}
	if len(owners) > graphql.MaxFirst {
		out.Owners = owners
	}
	if out.History.Reaches, err = p.Identity.Reaches(ctx); err != nil {
		return nil, err
	}
	since := slices.DeleteFunc([]schema.Instant{past.KnownAt, past.AsOf}, func(at schema.Instant) bool { return at == 0 })
	out.History.Erased = p.History.Since(slices.Min(since))
	return out, nil
}

// notReady says why the identity role does not answer yet.
func (p *Profiles) notReady(err error) error {
	if !errors.Is(err, identity.ErrNotReady) {
		return err
	}
	_, reason, _ := p.Identity.Ready()
	return &graphql.Error{Code: graphql.CodeNotReady, Message: reason, Hint: "ask again in a moment"}
}
