package graphql

import (
	"cmp"
	"context"
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/value"
	"github.com/dossier-cdp/dossier/schema"
)

// Company is what group.joined says of a company.
type Company struct {
	ID        string
	Traits    []CompanyTrait // by name
	Members   []Membership   // by persona
	Truncated bool           // there are more than MaxCompanyPersonas
}

// CompanyTrait is a trait as the latest call states it.
type CompanyTrait struct {
	Name   string
	Value  json.RawMessage
	At     schema.Instant
	Source string
}

// Membership is that a persona has joined a company.
type Membership struct {
	Persona          schema.ProfileID
	JoinedAt, LastAt schema.Instant
	Event            schema.EventID // the latest call
	Left             bool           // what that says
}

// Companies reads companies. Reads are of now.
type Companies interface {
	// Companies lists ids after one, those that a search finds in their id or name.
	Companies(ctx context.Context, workspace, search, after string, first int) (ids []string, more bool, err error)
	// CompaniesByID gives companies in the order of their ids; nil where nobody has joined one.
	CompaniesByID(ctx context.Context, workspace string, ids []string) ([]*Company, error)
	// Joined gives the ids of the companies of each of several people, ascending.
	Joined(ctx context.Context, workspace string, people [][]schema.PersonaID) ([][]string, error)
}

// Bounds of companies.
const (
	MaxCompanyPersonas = 5_000
	maxCompanySearch   = 200 // bytes
)

// Company resolves Query.company.
func (r *resolver) Company(ctx context.Context, args struct{ ID string }) (*company, error) {
	c, err := need(ctx, scopeRead)
	if err != nil {
		return nil, err
	}
	list, err := r.companies(ctx, c, []string{args.ID})
	if err != nil || len(list) == 0 {
		return nil, r.answer(ctx, err)
	}
	return list[0], nil
}

// Companies resolves Query.companies.
func (r *resolver) Companies(ctx context.Context, args struct {
	Search *string
	First  *int32
	After  *string
}) (*companyConnection, error) {
	c, err := need(ctx, scopeRead)
	if err != nil {
		return nil, err
	}
	first, err := pageSize(args.First)
	if err != nil {
		return nil, err
	}
	search, after := "", ""
	if args.Search != nil {
		if search = strings.TrimSpace(*args.Search); search == "" || len(search) > maxCompanySearch {
			return nil, badInput("search has 1 to %d bytes", maxCompanySearch)
		}
	}
	if args.After != nil {
		parts, err := decodeCursor(*args.After, 1)
		if err != nil {
			return nil, err
		}
		text, err := strconv.Unquote(parts[0])
		if err != nil {
			return nil, badInput("this cursor was not handed out here")
		}
		after = text
	}
	out := &companyConnection{Edges: []*companyEdge{}, PageInfo: pageInfo{HasPreviousPage: args.After != nil}}
	if r.backends.Companies == nil || first == 0 {
		return out, nil
	}
	if err := query(ctx, first); err != nil {
		return nil, err
	}
	ids, more, err := r.backends.Companies.Companies(ctx, c.Workspace, search, after, first)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	list, err := r.companies(ctx, c, ids)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	out.PageInfo.HasNextPage = more
	for _, company := range list {
		quoted := strings.ReplaceAll(strconv.QuoteToASCII(company.c.ID), ":", `\x3a`) // a cursor's parts are parted by colons
		out.Edges = append(out.Edges, &companyEdge{company, encodeCursor(quoted)})
	}
	if n := len(out.Edges); n > 0 {
		out.PageInfo.StartCursor, out.PageInfo.EndCursor = &out.Edges[0].Cursor, &out.Edges[n-1].Cursor
	}
	return out, nil
}

// Companies resolves Dossier.companies.
func (d *dossier) Companies(ctx context.Context) ([]*company, error) {
	if d.history != nil {
		return nil, d.onlyNow("companies")
	}
	out := []*company{}
	if d.root.backends.Companies == nil {
		return out, nil
	}
	ids, err := ask(ctx, d.cohort, d.at, "companies", 1, func(people [][]schema.PersonaID) ([][]string, error) {
		return d.root.backends.Companies.Joined(ctx, d.workspace, people)
	})
	if err == nil && len(ids) > 0 {
		out, err = d.root.companies(ctx, operationOf(ctx).caller, ids)
	}
	if err != nil {
		return nil, d.root.answer(ctx, err)
	}
	return out, nil
}

// companies reads companies with the people that are in them now: personas that have been merged are one.
func (r *resolver) companies(ctx context.Context, c Caller, ids []string) (out []*company, err error) {
	if r.backends.Companies == nil || len(ids) == 0 {
		return nil, nil
	}
	for range 2 {
		if err := query(ctx, len(ids)); err != nil {
			return nil, err
		}
	}
	list, err := r.backends.Companies.CompaniesByID(ctx, c.Workspace, ids)
	if err != nil {
		return nil, err
	}
	for _, of := range list {
		if of == nil {
			continue
		}
		personas := make([]schema.ProfileID, len(of.Members))
		for i, m := range of.Members {
			personas[i] = m.Persona
		}
		holders, err := r.holders(ctx, c.Workspace, personas)
		if err != nil {
			return nil, err
		}
		// The latest call about any of a person's personas says whether the person is still there.
		latest, held := map[schema.ProfileID]Membership{}, map[schema.ProfileID]*Person{}
		for i, m := range of.Members {
			if i >= len(holders) || holders[i] == nil {
				continue // erased meanwhile
			}
			id := holders[i].ID
			held[id] = holders[i]
			before, known := latest[id]
			if known {
				m.JoinedAt = min(m.JoinedAt, before.JoinedAt)
				if m.LastAt < before.LastAt || m.LastAt == before.LastAt && m.Event.Compare(before.Event) < 0 {
					m.LastAt, m.Event, m.Left = before.LastAt, before.Event, before.Left
				}
			}
			latest[id] = m
		}
		var people []*Person
		for id, m := range latest {
			if !m.Left {
				people = append(people, held[id])
			}
		}
		slices.SortFunc(people, func(a, b *Person) int { return a.ID.Compare(b.ID) })
		subjects, err := r.subjects(ctx, c, people, nil)
		if err != nil {
			return nil, err
		}
		made := &company{root: r, c: of, workspace: c.Workspace, veil: veilOf(c), people: subjects}
		for _, p := range people {
			for i := range p.Personas {
				made.personas = append(made.personas, p.Personas[i].Persona)
			}
		}
		for _, m := range latest {
			if made.since == 0 || m.JoinedAt < made.since {
				made.since = m.JoinedAt
			}
		}
		if len(latest) > 0 { // a company of erased people alone is gone with them
			out = append(out, made)
		}
	}
	return out, nil
}

type companyConnection struct {
	Edges    []*companyEdge
	PageInfo pageInfo
}

type companyEdge struct {
	Node   *company
	Cursor string
}

type company struct {
	root      *resolver
	c         *Company
	workspace string
	veil      veil
	people    []subject // by id
	personas  []schema.PersonaID
	since     schema.Instant
}

func (c *company) ID() string         { return c.c.ID }
func (c *company) PeopleCount() int32 { return int32(len(c.people)) }
func (c *company) Truncated() bool    { return c.c.Truncated }
func (c *company) Since() *timeValue  { return optionalTime(c.since) }

// Name is the trait of that name.
func (c *company) Name() *string {
	for _, t := range c.c.Traits {
		var name string
		if t.Name == "name" && json.Unmarshal(t.Value, &name) == nil {
			return c.veil.text(name)
		}
	}
	return nil
}

// Traits resolves Company.traits.
func (c *company) Traits() []*companyTrait {
	out := make([]*companyTrait, len(c.c.Traits))
	for i := range c.c.Traits {
		out[i] = &companyTrait{&c.c.Traits[i], c.veil}
	}
	return out
}

type companyTrait struct {
	t    *CompanyTrait
	veil veil
}

func (t *companyTrait) Name() string      { return t.t.Name }
func (t *companyTrait) Value() *jsonValue { return t.veil.trait(t.t.Name, t.t.Value) }
func (t *companyTrait) At() timeValue     { return timeOf(t.t.At) }
func (t *companyTrait) Source() string    { return t.t.Source }

// People resolves Company.people.
func (c *company) People(args struct {
	First *int32
	After *string
}) (*profileConnection, error) {
	first, err := pageSize(args.First)
	if err != nil {
		return nil, err
	}
	rest := c.people
	if args.After != nil {
		parts, err := decodeCursor(*args.After, 1)
		if err != nil {
			return nil, err
		}
		after, bad := schema.ParsePersonaID(parts[0])
		if bad != nil {
			return nil, badInput("this cursor was not handed out here")
		}
		for len(rest) > 0 && rest[0].person.ID.Compare(after) <= 0 {
			rest = rest[1:]
		}
	}
	out := &profileConnection{Edges: []*profileEdge{}, PageInfo: pageInfo{HasPreviousPage: args.After != nil, HasNextPage: len(rest) > first}}
	for _, s := range rest[:min(first, len(rest))] {
		out.Edges = append(out.Edges, &profileEdge{Node: &profile{s}, Cursor: encodeCursor(s.person.ID.String())})
	}
	if n := len(out.Edges); n > 0 {
		out.PageInfo.StartCursor, out.PageInfo.EndCursor = &out.Edges[0].Cursor, &out.Edges[n-1].Cursor
	}
	return out, nil
}

// together asks a question of the company as if all its people were one.
func together[T any](ctx context.Context, c *company, ask func(people [][]schema.PersonaID) ([]T, error)) (answer T, err error) {
	if err := query(ctx, 1); err != nil {
		return answer, err
	}
	list, err := ask([][]schema.PersonaID{c.personas})
	if err != nil {
		return answer, c.root.answer(ctx, err)
	}
	return list[0], nil
}

// Value resolves Company.value. An order that several of its people have sent counts once for a source.
func (c *company) Value(ctx context.Context) (*companyValue, error) {
	v, err := together(ctx, c, func(people [][]schema.PersonaID) ([]Value, error) {
		return c.root.backends.Timeline.Value(ctx, c.workspace, people)
	})
	if err != nil {
		return nil, err
	}
	return &companyValue{worth{nil, v}, c}, nil
}

type companyValue struct {
	worth
	company *company
}

// LifetimeValue resolves CompanyValue.lifetimeValue: what its people are worth each by the latest snapshot, added up by currency.
func (v *companyValue) LifetimeValue(ctx context.Context) (*[]Money, error) {
	c := v.company
	taken, err := c.root.backends.Values.Snapshots(c.workspace)
	if err != nil {
		return nil, c.root.answer(ctx, err)
	}
	if len(taken) == 0 {
		return nil, nil
	}
	latest := taken[len(taken)-1]
	before, err := schema.ParseInstant(latest.Settings.At)
	if err != nil {
		return nil, c.root.answer(ctx, err) // Unreachable: a snapshot was checked when it was read
	}
	members := c.members()
	if err := query(ctx, len(members)*purchaseRows); err != nil {
		return nil, err
	}
	var bought [][]value.Purchase
	if len(members) > 0 {
		if bought, err = c.root.backends.Timeline.Purchases(ctx, c.workspace, members, before); err != nil {
			return nil, c.root.answer(ctx, err)
		}
	}
	sums := map[string]*big.Float{}
	for _, purchases := range bought { // in the order of people
		a, ok := latest.Assess(purchases)
		if !ok || a.Lifetime == nil {
			continue
		}
		if sums[a.Currency] == nil {
			sums[a.Currency] = new(big.Float)
		}
		sums[a.Currency].Add(sums[a.Currency], big.NewFloat(*a.Lifetime))
	}
	out := []Money{}
	for currency, sum := range sums {
		out = append(out, Money{sum.Text('f', 2), currency})
	}
	slices.SortFunc(out, func(a, b Money) int { return strings.Compare(a.Currency, b.Currency) })
	return &out, nil
}

// Satisfaction resolves Company.satisfaction.
func (c *company) Satisfaction(ctx context.Context) (*satisfaction, error) {
	s, err := together(ctx, c, func(people [][]schema.PersonaID) ([]Satisfaction, error) {
		return c.root.backends.Timeline.Satisfaction(ctx, c.workspace, people)
	})
	if err != nil {
		return nil, err
	}
	return &satisfaction{s}, nil
}

// OpenCases resolves Company.openCases.
func (c *company) OpenCases(ctx context.Context) ([]*caseNode, error) {
	return c.cases(ctx, func(people [][]schema.PersonaID) ([][]Waiting, error) {
		return c.root.backends.Care.Open(ctx, c.workspace, people)
	})
}

// Cases resolves Company.cases.
func (c *company) Cases(ctx context.Context) ([]*caseNode, error) {
	return c.cases(ctx, func(people [][]schema.PersonaID) ([][]Waiting, error) {
		list, _, err := c.root.backends.Care.Cases(ctx, c.workspace, people)
		return list, err
	})
}

// cases reads those of all people of the company, each once: whom to answer first first, then the one with the latest contact.
func (c *company) cases(ctx context.Context, read func(people [][]schema.PersonaID) ([][]Waiting, error)) ([]*caseNode, error) {
	out := []*caseNode{}
	if c.root.backends.Care == nil || len(c.people) == 0 {
		return out, nil
	}
	if err := query(ctx, len(c.people)); err != nil {
		return nil, err
	}
	list, err := read(c.members())
	if err != nil {
		return nil, c.root.answer(ctx, err)
	}
	seen := map[schema.EventID]bool{}
	for i, theirs := range list {
		for n := range theirs {
			if w := &theirs[n]; !seen[w.First] {
				seen[w.First] = true
				out = append(out, &caseNode{c.people[i].person.ID, w.Case, c.veil, w})
			}
		}
	}
	slices.SortFunc(out, func(a, b *caseNode) int {
		return cmp.Or(cmp.Compare(a.w.Priority.Lane, b.w.Priority.Lane), cmp.Compare(b.w.Priority.Score, a.w.Priority.Score), cmp.Compare(b.c.LastContact, a.c.LastContact), a.c.First.Compare(b.c.First))
	})
	return out, nil
}

// members are the personas of each of its people.
func (c *company) members() [][]schema.PersonaID {
	out := make([][]schema.PersonaID, len(c.people))
	for i, s := range c.people {
		for n := range s.person.Personas {
			out[i] = append(out[i], s.person.Personas[n].Persona)
		}
	}
	return out
}
