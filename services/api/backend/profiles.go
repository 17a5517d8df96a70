// Package backend gives the GraphQL resolvers what they read and decide through: who is who from the identity role, decisions through
// the collector, as events. (The timeline is services/timeline/query.Reader itself.)
//
// It translates, and decides nothing: scopes are checked by package graphql, evidence is weighed by package identity.
package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/graphql"
	core "github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/persona"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/identity"
)

// Profiles answers who is who for one workspace.
type Profiles struct {
	Identity *identity.Service
	Now      func() time.Time // what is allowed depends on it: a consent may have ended
	History  History          // what looks into the past stand on
}

var _ graphql.Profiles = (*Profiles)(nil)

// view runs f over one commit of the identity role.
func (p *Profiles) view(f func(v *identity.View) error) (err error) {
	v, err := p.Identity.View()
	if err != nil {
		return p.notReady(err)
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	return f(v)
}

// Owners lists the profiles that own an identifier. Where a server says whose it is, what only a public key claims is no owner: else
// anybody could make the answer about a customer ambiguous.
func (p *Profiles) Owners(_ context.Context, _ string, id graphql.Identifier) (ids []schema.ProfileID, err error) {
	err = p.view(func(v *identity.View) error {
		ids, err = p.ownersIn(v, id)
		return err
	})
	return ids, err
}

func (p *Profiles) ownersIn(v *identity.View, id graphql.Identifier) ([]schema.ProfileID, error) {
	owners, err := v.Owners(id.Kind, id.Value, id.Country)
	ids := owners.Profiles
	if err != nil || len(ids) < 2 {
		return ids, err
	}
	said, err := p.saidByServers(v, id, ids)
	if len(said) > 0 {
		ids = said
	}
	return ids, err
}

// saidByServers keeps the owners of which a server persona carries the identifier.
func (p *Profiles) saidByServers(v *identity.View, id graphql.Identifier, owners []schema.ProfileID) (said []schema.ProfileID, err error) {
	carriers, err := v.Personas(id.Kind, id.Value, id.Country, maxCarriers)
	if err != nil {
		return nil, err
	}
	for _, owner := range owners {
		profile, err := v.Profile(owner)
		if err != nil {
			return nil, err
		}
		if profile != nil && slices.ContainsFunc(profile.Members, func(m identity.Member) bool {
			return m.State.Trust == schema.TrustServer && slices.Contains(carriers, m.ID)
		}) {
			said = append(said, owner)
		}
	}
	return said, nil
}

// People gives the profiles that hold ids.
func (p *Profiles) People(_ context.Context, _ string, ids []schema.ProfileID) (people []*graphql.Person, err error) {
	people = make([]*graphql.Person, len(ids))
	err = p.view(func(v *identity.View) error {
		for i, id := range ids {
			profile, err := v.Profile(id)
			if err != nil {
				return err
			}
			if profile != nil {
				people[i] = person(profile, schema.InstantOf(p.Now()))
			}
		}
		return nil
	})
	return people, err
}

func person(p *identity.Profile, now schema.Instant) *graphql.Person {
	out := &graphql.Person{ID: p.ID, Known: p.Known, Quarantined: p.Hold != core.Free, FirstContact: p.First, LastContact: p.Last}
	for _, m := range p.Members {
		out.Personas = append(out.Personas, graphql.Persona{
			ID: m.ID, Persona: m.ID, Epoch: m.State.Of.Epoch, Source: m.State.Source, Trust: m.State.Trust, Account: m.State.Account,
			FirstContact: m.State.First, LastContact: m.State.Last,
		})
	}
	for _, g := range p.GoldenRecord() {
		t := graphql.Trait{Name: g.Name, Candidate: candidate(&g.Attributed)}
		for i := range g.RunnersUp {
			t.RunnersUp = append(t.RunnersUp, candidate(&g.RunnersUp[i]))
		}
		out.Traits = append(out.Traits, t)
	}
	for _, k := range p.Identifiers() {
		out.Identifiers = append(out.Identifiers, graphql.Held{
			Kind: k.Kind, Value: k.Value, Assurance: k.Assurance, Confirmed: k.Confirmed, Sources: k.Sources, FirstSeen: k.First, LastSeen: k.Last,
		})
	}
	out.Consents = consents(p.Consents(now))
	for _, m := range p.Possible {
		out.Possible = append(out.Possible, graphql.Possible{Profile: m.Profile, Reason: string(m.Reason), Kinds: m.Kinds})
	}
	return out
}

func candidate(a *persona.Attributed) graphql.Candidate {
	return graphql.Candidate{Value: json.RawMessage(a.Value), Source: a.Source, Persona: a.Persona, Time: a.OccurredAt, Assurance: a.Assurance}
}

// consents leaves out contact points of which only another one's grant is known: nobody said anything of them, and that is no.
func consents(all []persona.Consent) (out []graphql.Consent) {
	for i := range all {
		c := &all[i]
		if c.Reason == persona.ReasonOtherContact {
			continue
		}
		out = append(out, graphql.Consent{
			Kind: c.Kind, Value: c.Value, Channel: c.Channel, Purpose: c.Purpose, State: c.State, Allowed: c.Allowed, Reason: string(c.Reason),
			LegalBasis: c.By.LegalBasis, TextVersion: c.By.TextVersion, Proof: c.By.Proof, Source: c.Source, Time: c.By.OccurredAt, Expiry: c.By.Expiry,
		})
	}
	return out
}

// Page lists profile ids.
func (p *Profiles) Page(_ context.Context, _ string, after schema.ProfileID, limit int) (ids []schema.ProfileID, err error) {
	err = p.view(func(v *identity.View) error {
		ids, err = v.Page(after, limit)
		return err
	})
	return ids, err
}

// Count gives the numbers of profiles and personas.
func (p *Profiles) Count(context.Context, string) (profiles, personas int64, err error) {
	err = p.view(func(v *identity.View) error {
		a, b, err := v.Count()
		profiles, personas = int64(a), int64(b)
		return err
	})
	return profiles, personas, err
}

// carriers is how many personas of each identifier are held against those of the other one.
const carriers = 32

// Why explains two identifiers by the personas that carry them: a pair that is one person, if there is one, else a pair that is not.
func (p *Profiles) Why(_ context.Context, _ string, a, b graphql.Identifier) (out *graphql.Explanation, err error) {
	err = p.view(func(v *identity.View) error {
		as, err := personas(v, a)
		if err != nil {
			return err
		}
		bs, err := personas(v, b)
		if err != nil {
			return err
		}
		x, y, err := choose(v, as, bs)
		if err != nil {
			return err
		}
		explained, err := v.Why(x, y)
		if err != nil {
			return err
		}
		if out, err = explain(v, &explained); err != nil {
			return err
		}
		out.Weighing, err = weigh(v, x, y)
		return err
	})
	return out, err
}

func personas(v *identity.View, id graphql.Identifier) ([]schema.ProfileID, error) {
	if id.Kind == "id" || id.Kind == "profile" || id.Kind == "persona" {
		p, err := schema.ParsePersonaID(id.Value)
		if err != nil {
			return nil, &graphql.Error{Code: graphql.CodeBadInput, Message: err.Error()}
		}
		profile, err := v.Profile(p)
		if err != nil || profile != nil {
			return []schema.ProfileID{p}, err
		}
		return nil, unknown(id)
	}
	found, err := v.Personas(id.Kind, id.Value, id.Country, carriers)
	if err == nil && len(found) == 0 {
		err = unknown(id)
	}
	return found, err
}

func unknown(id graphql.Identifier) error {
	return &graphql.Error{Code: graphql.CodeUnknown, Message: fmt.Sprintf("nobody owns this %s", id.Kind), Hint: "check the kind and the value"}
}

// choose finds two personas of one profile, and of those two that are the same persona last, since there is nothing to explain.
func choose(v *identity.View, as, bs []schema.ProfileID) (a, b schema.ProfileID, err error) {
	owner := func(id schema.ProfileID) (schema.ProfileID, error) {
		o, err := v.Owners("persona", id.String(), "")
		if err != nil || len(o.Profiles) == 0 {
			return id, err
		}
		return o.Profiles[0], nil
	}
	of := map[schema.ProfileID]schema.ProfileID{}
	for _, id := range append(append([]schema.ProfileID{}, as...), bs...) {
		if of[id], err = owner(id); err != nil {
			return a, b, err
		}
	}
	a, b = as[0], bs[0]
	for _, x := range as {
		for _, y := range bs {
			if of[x] == of[y] {
				a, b = x, y
				if x != y {
					return a, b, nil
				}
			}
		}
	}
	return a, b, nil
}

// How explains a profile.
func (p *Profiles) How(_ context.Context, _ string, id schema.ProfileID) (out *graphql.Explanation, err error) {
	err = p.view(func(v *identity.View) error {
		profile, err := v.Profile(id)
		if err != nil || profile == nil {
			return err
		}
		steps, err := v.How(id)
		if err != nil {
			return err
		}
		out = &graphql.Explanation{Same: true, Profiles: []schema.ProfileID{profile.ID}}
		joined := 0
		for i := range steps {
			step, err := stepOf(v, &steps[i])
			if err != nil {
				return err
			}
			if step.Joined {
				joined++
			}
			out.Steps = append(out.Steps, step)
		}
		out.Summary = fmt.Sprintf("%d personas are one person by %d joins; %d proposals were refused.", len(profile.Members), joined, len(out.Steps)-joined)
		if out.Joints, err = joints(v, id); err == nil && len(out.Joints) > 0 {
			out.Summary += fmt.Sprintf(" Weights joined them %d times.", len(out.Joints))
		}
		return err
	})
	return out, err
}

func explain(v *identity.View, e *core.Explanation) (*graphql.Explanation, error) {
	out := &graphql.Explanation{Same: e.Same, Profiles: []schema.ProfileID{e.ProfileA}}
	if e.ProfileB != e.ProfileA {
		out.Profiles = append(out.Profiles, e.ProfileB)
	}
	for i := range e.Path {
		step, err := stepOf(v, &e.Path[i])
		if err != nil {
			return nil, err
		}
		out.Steps = append(out.Steps, step)
	}
	if e.Obstacle != nil {
		step, err := stepOf(v, e.Obstacle)
		if err != nil {
			return nil, err
		}
		out.Steps = append(out.Steps, step)
	}
	var shared []string
	for _, s := range e.Shared {
		word := s.Key.Kind
		if s.Generic {
			word += fmt.Sprintf(" (generic: beside %d or more different people)", s.Degree)
		}
		shared = append(shared, word)
	}
	switch {
	case e.Same && len(out.Steps) == 0:
		out.Summary = "One person: both identifiers belong to the same persona."
	case e.Same:
		out.Summary = fmt.Sprintf("One person, by %d joins.", len(out.Steps))
	default:
		out.Summary = "Two people: " + Words(e.Reason) + "."
		if len(shared) > 0 {
			out.Summary += " They share " + strings.Join(shared, ", ") + "."
		}
	}
	return out, nil
}

// Words says a reason in a few words.
func Words(r core.Reason) string {
	switch r {
	case core.ReasonSeparated:
		return "somebody decided so"
	case core.ReasonUnique:
		return "each has an account of a kind of which one person has one"
	case core.ReasonLimit:
		return "together they would have too many values of a kind"
	case core.ReasonGivenName:
		return "their given names differ, so what they share makes a household"
	case core.ReasonBirthDate:
		return "their birth dates differ"
	case core.ReasonTwoClaims:
		return "one of them could be either of two people, so it is kept apart"
	case core.ReasonDeclared:
		return "what they share is only declared, which never joins two known people"
	case core.ReasonUnnamed:
		return "it is not clear whom the shared value names"
	case core.ReasonQuarantined:
		return "too much evidence is tangled around them, so only sure joins hold"
	case core.ReasonGeneric:
		return "what they share is shared by too many"
	default:
		return "nothing that they share speaks for one person"
	}
}

func stepOf(v *identity.View, s *core.Step) (graphql.Step, error) {
	out := graphql.Step{Joined: s.Reason == "", Stratum: s.Stratum, Rule: string(s.Rule), Kind: s.Key.Kind, A: s.A, B: s.B, Force: force(s)}
	if s.Assertion != nil {
		out.Event = s.Assertion.ID
	}
	if s.Reason != "" {
		out.Rule = string(s.Reason)
	}
	if s.Key.Kind == "" {
		return out, nil
	}
	var err error
	for _, id := range []schema.ProfileID{s.A, s.B} {
		if out.Value == "" && err == nil {
			out.Value, err = v.ValueOf(id, s.Key)
		}
	}
	return out, err
}

// force is which of the forces decided.
func force(s *core.Step) string {
	switch {
	case s.Reason == core.ReasonSeparated:
		return "separated"
	case s.Reason == core.ReasonUnique:
		return "unique"
	case s.Reason == core.ReasonLimit:
		return "limit"
	case s.Rule == core.RuleLink:
		return "linked"
	case s.Rule == core.RuleCore:
		return "unique"
	default:
		return "evidence"
	}
}
