package graphql

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/dossier-cdp/dossier/schema"
)

// subject is one person in an answer: with whom it is answered together, for whom, and how much of it may be seen.
type subject struct {
	root      *resolver
	workspace string
	veil      veil
	cohort    *cohort
	at        int // the place in the cohort
	person    *Person
	history   *History // of a person in the past; nil is now
}

// subjects puts people into one cohort. history is nil for people as they are.
func (r *resolver) subjects(ctx context.Context, c Caller, people []*Person, history *History) ([]subject, error) {
	together, err := cohortOf(ctx, people, history)
	if err != nil {
		return nil, err // Unreachable: a cohort is made of what is there
	}
	out, v := make([]subject, len(people)), veilOf(c)
	for i, p := range people {
		out[i] = subject{r, c.Workspace, v, together, i, p, history}
	}
	return out, nil
}

type dossier struct{ subject }

// ID resolves Dossier.id.
func (d *dossier) ID() gql.ID { return gql.ID(dossierPrefix + d.person.ID.String()) }

// Profile resolves Dossier.profile.
func (d *dossier) Profile() *profile { return &profile{d.subject} }

// GoldenRecord resolves Dossier.goldenRecord.
func (d *dossier) GoldenRecord() []*goldenTrait {
	out := make([]*goldenTrait, len(d.person.Traits))
	for i := range d.person.Traits {
		out[i] = &goldenTrait{d.person.Traits[i], d.veil}
	}
	return out
}

// Identifiers resolves Dossier.identifiers.
func (d *dossier) Identifiers() []*held {
	out := make([]*held, len(d.person.Identifiers))
	for i := range d.person.Identifiers {
		out[i] = &held{d.person.Identifiers[i], d.veil}
	}
	return out
}

// Personas resolves Dossier.personas.
func (d *dossier) Personas() []*persona { return personasOf(d.person, d.veil) }

// Consents resolves Dossier.consents.
func (d *dossier) Consents() []*consent {
	out := make([]*consent, len(d.person.Consents))
	for i := range d.person.Consents {
		out[i] = &consent{d.person.Consents[i], d.veil}
	}
	return out
}

// Timeline resolves Dossier.timeline.
func (d *dossier) Timeline(ctx context.Context, args struct {
	First    *int32
	After    *string
	Channels *[]string
	Types    *[]string
	From, To *timeValue
}) (*timelineConnection, error) {
	first, err := pageSize(args.First)
	if err != nil {
		return nil, err
	}
	var f Filter
	if args.Channels != nil {
		for _, name := range *args.Channels {
			c, ok := schema.ParseChannel(name)
			if !ok {
				return nil, badInput("there is no channel %s", strconv.Quote(name))
			}
			f.Channels = append(f.Channels, c)
		}
	}
	if args.Types != nil {
		for _, name := range *args.Types {
			t, ok := schema.ParseType(name)
			if !ok {
				return nil, badInput("there is no type %s", strconv.Quote(name))
			}
			f.Types = append(f.Types, t)
		}
	}
	if f.From, err = args.From.instant(); err != nil {
		return nil, err
	}
	if f.To, err = args.To.instant(); err != nil {
		return nil, err
	}
	var after *Cursor
	if args.After != nil {
		parts, err := decodeCursor(*args.After, 2)
		if err != nil {
			return nil, err
		}
		at, err1 := strconv.ParseInt(parts[0], 10, 64)
		id, err2 := hex.DecodeString(parts[1])
		if err1 != nil || err2 != nil || len(id) != 16 {
			return nil, badInput("this cursor was not handed out here")
		}
		after = &Cursor{schema.Instant(at), schema.EventID(id)}
	}
	key := fmt.Sprint(f, first)
	if after != nil {
		key += *args.After
	}
	page, err := d.page(ctx, key, f, after, first)
	if err != nil {
		return nil, d.root.answer(ctx, err)
	}
	return &timelineConnection{d, f, page, after != nil}, nil
}

// Cases resolves Dossier.cases.
func (d *dossier) Cases(ctx context.Context) (*[]*caseNode, error) {
	if d.history == nil {
		if kept, is, err := d.keptCases(ctx); err != nil || is {
			return kept, d.root.answer(ctx, err)
		}
	}
	cases, err := ask(ctx, d.cohort, d.at, "cases", 1, func(people [][]schema.PersonaID) ([][]Case, error) {
		return d.timeline().Cases(ctx, d.workspace, people)
	})
	if err != nil {
		return nil, d.root.answer(ctx, err)
	}
	out := make([]*caseNode, len(cases))
	for i, c := range cases {
		out[i] = &caseNode{owner: d.person.ID, c: c, veil: d.veil}
	}
	return &out, nil
}

// Satisfaction resolves Dossier.satisfaction.
func (d *dossier) Satisfaction(ctx context.Context) (*satisfaction, error) {
	s, err := ask(ctx, d.cohort, d.at, "satisfaction", 1, func(people [][]schema.PersonaID) ([]Satisfaction, error) {
		return d.timeline().Satisfaction(ctx, d.workspace, people)
	})
	if err != nil {
		return nil, d.root.answer(ctx, err)
	}
	return &satisfaction{s}, nil
}

type profile struct{ subject }

// ID resolves Profile.id.
func (p *profile) ID() gql.ID { return gqlID(p.person.ID) }

// Known resolves Profile.known.
func (p *profile) Known() bool { return p.person.Known }

// Quarantined resolves Profile.quarantined.
func (p *profile) Quarantined() bool { return p.person.Quarantined }

// Personas resolves Profile.personas.
func (p *profile) Personas() []*persona { return personasOf(p.person, p.veil) }

// FirstContact resolves Profile.firstContact.
func (p *profile) FirstContact() *timeValue { return optionalTime(p.person.FirstContact) }

// LastContact resolves Profile.lastContact.
func (p *profile) LastContact() *timeValue { return optionalTime(p.person.LastContact) }

// Dossier resolves Profile.dossier.
func (p *profile) Dossier() *dossier { return &dossier{p.subject} }

func personasOf(p *Person, v veil) []*persona {
	out := make([]*persona, len(p.Personas))
	for i := range p.Personas {
		out[i] = &persona{p.Personas[i], v}
	}
	return out
}

type persona struct {
	account Persona
	veil    veil
}

func (p *persona) ID() gql.ID          { return gql.ID(personaPrefix + p.account.ID.String()) }
func (p *persona) Persona() gql.ID     { return gqlID(p.account.ID) }
func (p *persona) Source() string      { return p.account.Source }
func (p *persona) Trust() string       { return p.account.Trust.String() }
func (p *persona) AccountKind() string { return p.account.Account.Kind }
func (p *persona) Account() string {
	return p.veil.identifier(p.account.Account.Kind, p.account.Account.Value)
}
func (p *persona) Epoch() int32             { return int32(p.account.Epoch) }
func (p *persona) FirstContact() *timeValue { return optionalTime(p.account.FirstContact) }
func (p *persona) LastContact() *timeValue  { return optionalTime(p.account.LastContact) }

type goldenTrait struct {
	trait Trait
	veil  veil
}

func (t *goldenTrait) Name() string      { return t.trait.Name }
func (t *goldenTrait) Value() *jsonValue { return t.veil.trait(t.trait.Name, t.trait.Value) }
func (t *goldenTrait) Source() string    { return t.trait.Source }
func (t *goldenTrait) Persona() gql.ID   { return gqlID(t.trait.Persona) }
func (t *goldenTrait) Time() timeValue   { return timeOf(t.trait.Time) }
func (t *goldenTrait) Assurance() string { return t.trait.Assurance.String() }
func (t *goldenTrait) RunnersUp() []*candidate {
	out := make([]*candidate, len(t.trait.RunnersUp))
	for i := range t.trait.RunnersUp {
		out[i] = &candidate{t.trait.Name, t.trait.RunnersUp[i], t.veil}
	}
	return out
}

type candidate struct {
	name      string
	candidate Candidate
	veil      veil
}

func (c *candidate) Value() *jsonValue { return c.veil.trait(c.name, c.candidate.Value) }
func (c *candidate) Source() string    { return c.candidate.Source }
func (c *candidate) Persona() gql.ID   { return gqlID(c.candidate.Persona) }
func (c *candidate) Time() timeValue   { return timeOf(c.candidate.Time) }
func (c *candidate) Assurance() string { return c.candidate.Assurance.String() }

type held struct {
	held Held
	veil veil
}

func (h *held) Kind() string         { return h.held.Kind }
func (h *held) Value() string        { return h.veil.identifier(h.held.Kind, h.held.Value) }
func (h *held) Assurance() string    { return h.held.Assurance.String() }
func (h *held) Confirmed() bool      { return h.held.Confirmed }
func (h *held) Sources() []string    { return append([]string{}, h.held.Sources...) }
func (h *held) FirstSeen() timeValue { return timeOf(h.held.FirstSeen) }
func (h *held) LastSeen() timeValue  { return timeOf(h.held.LastSeen) }

type consent struct {
	consent Consent
	veil    veil
}

func (c *consent) Kind() *string { return optional(c.consent.Kind) }
func (c *consent) Value() *string {
	return optional(c.veil.identifier(c.consent.Kind, c.consent.Value))
}
func (c *consent) Channel() string      { return c.consent.Channel.String() }
func (c *consent) Purpose() string      { return c.consent.Purpose }
func (c *consent) State() string        { return c.consent.State.String() }
func (c *consent) Allowed() bool        { return c.consent.Allowed }
func (c *consent) Reason() string       { return c.consent.Reason }
func (c *consent) LegalBasis() *string  { return optional(c.consent.LegalBasis) }
func (c *consent) TextVersion() *string { return optional(c.consent.TextVersion) }
func (c *consent) Proof() *string       { return c.veil.text(c.consent.Proof) }
func (c *consent) Source() string       { return c.consent.Source }
func (c *consent) Time() timeValue      { return timeOf(c.consent.Time) }
func (c *consent) Expiry() *timeValue   { return optionalTime(c.consent.Expiry) }

type explanation struct {
	explanation Explanation
	veil        veil
}

func (e *explanation) Same() bool { return e.explanation.Same }
func (e *explanation) Profiles() []gql.ID {
	out := make([]gql.ID, len(e.explanation.Profiles))
	for i, p := range e.explanation.Profiles {
		out[i] = gqlID(p)
	}
	return out
}
func (e *explanation) Summary() string { return e.explanation.Summary }
func (e *explanation) Steps() []*step {
	out := make([]*step, len(e.explanation.Steps))
	for i := range e.explanation.Steps {
		out[i] = &step{e.explanation.Steps[i], e.veil}
	}
	return out
}

type step struct {
	step Step
	veil veil
}

func (s *step) Outcome() string {
	if s.step.Joined {
		return "joined"
	}
	return "refused"
}
func (s *step) Stratum() int32 { return int32(s.step.Stratum) }
func (s *step) Force() string  { return s.step.Force }
func (s *step) Rule() string   { return s.step.Rule }
func (s *step) Kind() *string  { return optional(s.step.Kind) }
func (s *step) Value() *string { return optional(s.veil.identifier(s.step.Kind, s.step.Value)) }
func (s *step) A() gql.ID      { return gqlID(s.step.A) }
func (s *step) B() gql.ID      { return gqlID(s.step.B) }
func (s *step) Event() *gql.ID {
	if s.step.Event.IsZero() {
		return nil
	}
	id := gqlID(s.step.Event)
	return &id
}
