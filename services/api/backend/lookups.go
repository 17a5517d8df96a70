package backend

import (
	"context"
	"slices"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/identifier"
	"github.com/dossier-cdp/dossier/pipelines/persona"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/identity"
)

// Lookups is all that reads and decisions ask of who is who. *Profiles answers from an identity role in this process, *Remote from
// one in another.
type Lookups interface {
	graphql.Profiles
	graphql.Matches
	// Persona finds the persona that an id names: one of the profile's, or its canonical one. An id that was never handed out is a
	// *graphql.Error with code UNKNOWN_IDENTIFIER.
	Persona(ctx context.Context, workspace string, id schema.ProfileID) (*Persona, error)
	// Speaker finds the persona of a profile at which a consent is recorded.
	Speaker(ctx context.Context, workspace string, id schema.ProfileID, c *schema.Consent) (*Persona, error)
}

var _ Lookups = (*Profiles)(nil)

// Persona is what a decision needs to know of one persona.
type Persona struct {
	ID      schema.ProfileID // the public id of Of
	Of      schema.PersonaEpoch
	Source  string
	Trust   schema.Trust
	Account schema.Account
}

func personaOf(m *identity.Member) *Persona {
	return &Persona{ID: m.ID, Of: m.State.Of, Source: m.State.Source, Trust: m.State.Trust, Account: m.State.Account}
}

func neverHandedOut(id schema.ProfileID) error {
	return &graphql.Error{Code: graphql.CodeUnknown, Message: "the id " + id.String() + " was never handed out here", Hint: "take an id of a profile or persona"}
}

// Persona finds the persona that an id names.
func (p *Profiles) Persona(_ context.Context, _ string, id schema.ProfileID) (found *Persona, err error) {
	err = p.view(func(v *identity.View) error {
		profile, err := v.Profile(id)
		if err != nil {
			return err
		}
		if profile == nil {
			return neverHandedOut(id)
		}
		for i := range profile.Members {
			m := &profile.Members[i]
			if m.ID == id || found == nil && m.ID == profile.ID {
				found = personaOf(m)
			}
		}
		return nil
	})
	return found, err
}

// maxCarriers is how many personas that carry a contact point are looked at to find one of the person's.
const maxCarriers = 10_000

// Speaker finds the persona of a profile at which a consent is recorded: one in server trust before a client's, beside which what is
// recorded would make a persona of its own; then one whose account is evidence of who it is; then one that carries the contact point;
// then the canonical one.
func (p *Profiles) Speaker(_ context.Context, _ string, id schema.ProfileID, c *schema.Consent) (found *Persona, err error) {
	err = p.view(func(v *identity.View) error {
		profile, err := v.Profile(id)
		if err != nil {
			return err
		}
		if profile == nil {
			return neverHandedOut(id)
		}
		var carriers []schema.ProfileID
		if c.Kind != "" {
			if carriers, err = v.Personas(c.Kind, c.Value, "", maxCarriers); err != nil {
				return err
			}
		}
		m, err := choosePersona(profile, carriers, c)
		if err == nil {
			found = personaOf(m)
		}
		return err
	})
	return found, err
}

// choosePersona is Speaker among the members of a profile. carriers are the personas that carry the contact point, of whatever profile.
func choosePersona(p *identity.Profile, carriers []schema.ProfileID, c *schema.Consent) (found *identity.Member, err error) {
	best := -1
	carried := c.Kind == ""
	for i := range p.Members {
		m, rank := &p.Members[i], 0
		carries := slices.Contains(carriers, m.ID) || slices.ContainsFunc(m.State.Identifiers, func(x persona.Identifier) bool {
			return c.Kind != "" && x.Kind == identifier.Of(c.Kind).Name && x.Value == c.Value
		})
		carried = carried || carries
		if m.State.Trust == schema.TrustServer {
			rank += 8
		}
		if identifier.Of(m.State.Account.Kind).Evidence {
			rank += 4
		}
		if carries {
			rank += 2
		}
		if m.ID == p.ID {
			rank++
		}
		if rank > best {
			best, found = rank, m
		}
	}
	if !carried {
		return nil, &graphql.Error{Code: graphql.CodeBadInput, Message: "the contact point is none of this person's", Hint: "choose one of the dossier's identifiers, or leave kind and value out for the person"}
	}
	return found, nil
}
