package graphql

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/dossier-cdp/dossier/schema"
)

const (
	scopeRead   = "read"
	scopeUnmask = "unmask"
	scopeDecide = "decide"
	scopeCare   = "care"
	scopeAdmin  = "admin"

	scopeMarketing = "marketing"
	scopePrivacy   = "privacy"
)

type identifierInput struct {
	Kind    string
	Value   string
	Country *string
}

func (i identifierInput) identifier() Identifier {
	out := Identifier{Kind: strings.TrimSpace(i.Kind), Value: i.Value}
	if i.Country != nil {
		out.Country = *i.Country
	}
	return out
}

type dossierArgs struct {
	Identifier    identifierInput
	AsOf, KnownAt *timeValue
}

func (a dossierArgs) check() error {
	if strings.TrimSpace(a.Identifier.Kind) == "" || a.Identifier.Value == "" {
		return badInput("an identifier has a kind and a value")
	}
	return nil
}

// past is the one that is asked for; zero is now.
func (a dossierArgs) past() (p Past, err error) {
	if p.AsOf, err = a.AsOf.instant(); err != nil {
		return p, err
	}
	if p.KnownAt, err = a.KnownAt.instant(); err != nil {
		return p, err
	}
	if a.AsOf != nil && p.AsOf == 0 || a.KnownAt != nil && p.KnownAt == 0 {
		return p, badInput("the first instant of 1970 stands for none: give another one")
	}
	return p, nil
}

// owners lists the profiles of an identifier, sorted by id. The kinds id, profile and persona mean an id.
func (r *resolver) owners(ctx context.Context, workspace string, in identifierInput) ([]schema.ProfileID, error) {
	id := in.identifier()
	switch id.Kind {
	case "id", "profile", "persona":
		p, err := profileIDOf(gql.ID(id.Value))
		if err != nil {
			return nil, err
		}
		return []schema.ProfileID{p}, nil
	}
	return once(&operationOf(ctx).reads, fmt.Sprintf("owners %q", id), func() ([]schema.ProfileID, error) {
		if err := spend(ctx, lookupCost); err != nil {
			return nil, err
		}
		return r.backends.Profiles.Owners(ctx, workspace, id)
	})
}

// people reads profiles; ids that were never handed out are left out.
func (r *resolver) people(ctx context.Context, workspace string, ids []schema.ProfileID) ([]*Person, error) {
	people, err := r.holders(ctx, workspace, ids)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(people), func(p *Person) bool { return p == nil }), nil
}

// holders reads the profiles that hold ids, in their order; nil where an id was never handed out. The answer is shared: read only.
func (r *resolver) holders(ctx context.Context, workspace string, ids []schema.ProfileID) ([]*Person, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	question := append(make([]byte, 0, 7+16*len(ids)), "people "...)
	for _, id := range ids {
		question = append(question, id[:]...)
	}
	return once(&operationOf(ctx).reads, string(question), func() ([]*Person, error) {
		if err := spend(ctx, max(len(ids), lookupCost)); err != nil {
			return nil, err
		}
		people, err := r.backends.Profiles.People(ctx, workspace, ids)
		if o := operationOf(ctx); o != nil {
			for _, p := range people {
				if p != nil {
					o.people.Store(p.ID, nil)
				}
			}
		}
		return people, err
	})
}

// Dossiers resolves Query.dossiers.
func (r *resolver) Dossiers(ctx context.Context, args dossierArgs) ([]*dossier, error) {
	return r.dossiers(ctx, args, func(ids []schema.ProfileID) error {
		if len(ids) > MaxFirst {
			return &Error{Code: CodeTooLarge, Message: fmt.Sprintf("%d profiles own this identifier, and at most %d are answered at once", len(ids), MaxFirst), Hint: "page through profiles(search:)"}
		}
		return nil
	})
}

// dossiers answers the owners of an identifier, unless they are refused.
func (r *resolver) dossiers(ctx context.Context, args dossierArgs, refuse func([]schema.ProfileID) error) ([]*dossier, error) {
	c, err := need(ctx, scopeRead)
	if err != nil {
		return nil, err
	}
	if err := args.check(); err != nil {
		return nil, err
	}
	past, err := args.past()
	if err != nil {
		return nil, err
	}
	if !past.IsZero() {
		return r.formerDossiers(ctx, c, args.Identifier, past, refuse)
	}
	ids, err := r.owners(ctx, c.Workspace, args.Identifier)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	if err := refuse(ids); err != nil {
		return nil, err
	}
	people, err := r.people(ctx, c.Workspace, ids)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	subjects, err := r.subjects(ctx, c, people, nil)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	out := make([]*dossier, len(people))
	for i, s := range subjects {
		out[i] = &dossier{s}
	}
	return out, nil
}

// Dossier resolves Query.dossier.
func (r *resolver) Dossier(ctx context.Context, args dossierArgs) (*dossier, error) {
	all, err := r.dossiers(ctx, args, func(ids []schema.ProfileID) error {
		if len(ids) < 2 {
			return nil
		}
		return &Error{
			Code: CodeAmbiguous, Message: fmt.Sprintf("%d profiles own this identifier", len(ids)),
			Hint: "choose one of extensions.profiles, or ask dossiers", Profiles: ids[:min(len(ids), MaxFirst)],
		}
	})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0], nil
}

// Profile resolves Query.profile.
func (r *resolver) Profile(ctx context.Context, args struct{ ID gql.ID }) (*profile, error) {
	c, err := need(ctx, scopeRead)
	if err != nil {
		return nil, err
	}
	id, err := profileIDOf(args.ID)
	if err != nil {
		return nil, err
	}
	subjects, err := r.subjectsOf(ctx, c, id)
	if err != nil || len(subjects) == 0 {
		return nil, r.answer(ctx, err)
	}
	return &profile{subjects[0]}, nil
}

// subjectsOf gives the person who holds an id, alone; none if the id was never handed out.
func (r *resolver) subjectsOf(ctx context.Context, c Caller, id schema.ProfileID) ([]subject, error) {
	people, err := r.people(ctx, c.Workspace, []schema.ProfileID{id})
	if err != nil {
		return nil, err
	}
	return r.subjects(ctx, c, people, nil)
}

// pageSize checks a connection's first.
func pageSize(first *int32) (int, error) {
	switch {
	case first == nil:
		return defaultFirst, nil
	case *first < 0 || *first > MaxFirst:
		return 0, badInput("first is a number from 0 to %d", MaxFirst)
	}
	return int(*first), nil
}

const cursorVersion = "1:"

func encodeCursor(parts ...string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(cursorVersion + strings.Join(parts, ":")))
}

func decodeCursor(cursor string, n int) ([]string, error) {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	text, ok := strings.CutPrefix(string(b), cursorVersion)
	parts := strings.Split(text, ":")
	if err != nil || !ok || len(parts) != n {
		return nil, badInput("this cursor was not handed out here")
	}
	return parts, nil
}

type profilesArgs struct {
	Search *string
	IDs    *[]gql.ID
	First  *int32
	After  *string
}

// Profiles resolves Query.profiles. A page is one read of ids and one of profiles.
func (r *resolver) Profiles(ctx context.Context, args profilesArgs) (*profileConnection, error) {
	c, err := need(ctx, scopeRead)
	if err != nil {
		return nil, err
	}
	if args.Search != nil && args.IDs != nil {
		return nil, badInput("give search or ids, not both")
	}
	var after schema.ProfileID
	if args.After != nil {
		parts, err := decodeCursor(*args.After, 1)
		if err != nil {
			return nil, err
		}
		if after, err = schema.ParsePersonaID(parts[0]); err != nil {
			return nil, badInput("this cursor was not handed out here")
		}
	}
	var people []*Person
	var asked map[schema.ProfileID][]gql.ID
	var more bool
	if args.IDs != nil {
		people, asked, more, err = r.byIDs(ctx, c.Workspace, *args.IDs, after, args.First)
	} else {
		people, more, err = r.list(ctx, c.Workspace, args.Search, after, args.First)
	}
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	subjects, err := r.subjects(ctx, c, people, nil)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	connection := &profileConnection{Edges: make([]*profileEdge, len(people)), PageInfo: pageInfo{HasPreviousPage: args.After != nil, HasNextPage: more}}
	for i, s := range subjects {
		connection.Edges[i] = &profileEdge{Node: &profile{s}, Cursor: encodeCursor(s.person.ID.String()), Asked: append([]gql.ID{}, asked[s.person.ID]...)}
	}
	if n := len(connection.Edges); n > 0 {
		connection.PageInfo.StartCursor, connection.PageInfo.EndCursor = &connection.Edges[0].Cursor, &connection.Edges[n-1].Cursor
	}
	return connection, nil
}

// list reads a page of all profiles, or of those that a search finds, by id.
func (r *resolver) list(ctx context.Context, workspace string, search *string, after schema.ProfileID, size *int32) (people []*Person, more bool, err error) {
	first, err := pageSize(size)
	if err != nil {
		return nil, false, err
	}
	var ids []schema.ProfileID
	if search != nil {
		ids, err = r.search(ctx, workspace, *search)
		ids = slices.DeleteFunc(slices.Clone(ids), func(id schema.ProfileID) bool { return id.Compare(after) <= 0 })
	} else if err = spend(ctx, lookupCost); err == nil {
		ids, err = r.backends.Profiles.Page(ctx, workspace, after, first+1)
	}
	if err != nil {
		return nil, false, err
	}
	if more = len(ids) > first; more {
		ids = ids[:first]
	}
	people, err = r.people(ctx, workspace, ids)
	return people, more, err
}

// search finds profile ids, sorted, by an exact identifier (kind:value, or a bare e-mail or phone) or an id.
func (r *resolver) search(ctx context.Context, workspace, text string) ([]schema.ProfileID, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, badInput("search is empty")
	}
	if id, err := profileIDOf(gql.ID(text)); err == nil {
		return []schema.ProfileID{id}, nil
	}
	if kind, value, ok := strings.Cut(text, ":"); ok && value != "" {
		return r.owners(ctx, workspace, identifierInput{Kind: kind, Value: value})
	}
	kind := "phone"
	if strings.Contains(text, "@") {
		kind = "email"
	}
	return r.owners(ctx, workspace, identifierInput{Kind: kind, Value: text})
}

// byIDs reads the profiles that now hold ids, each once, by id: one read of identity for all of them. Without first they are one page. asked
// says for which of the ids each profile stands.
func (r *resolver) byIDs(ctx context.Context, workspace string, in []gql.ID, after schema.ProfileID, size *int32) (people []*Person, asked map[schema.ProfileID][]gql.ID, more bool, err error) {
	if len(in) > MaxIDs {
		return nil, nil, false, badInput("at most %d ids at once", MaxIDs)
	}
	first := len(in)
	if size != nil {
		if *size < 0 || *size > MaxIDs {
			return nil, nil, false, badInput("first is a number from 0 to %d", MaxIDs)
		}
		first = int(*size)
	}
	ids := make([]schema.ProfileID, len(in))
	for i, id := range in {
		if ids[i], err = profileIDOf(id); err != nil {
			return nil, nil, false, err
		}
	}
	holders, err := r.holders(ctx, workspace, ids)
	if err != nil {
		return nil, nil, false, err
	}
	asked = make(map[schema.ProfileID][]gql.ID, len(in))
	for i, p := range holders {
		if p == nil {
			continue
		}
		if asked[p.ID] == nil && p.ID.Compare(after) > 0 {
			people = append(people, p)
		}
		if !slices.Contains(asked[p.ID], in[i]) {
			asked[p.ID] = append(asked[p.ID], in[i])
		}
	}
	slices.SortFunc(people, func(a, b *Person) int { return a.ID.Compare(b.ID) })
	return people[:min(first, len(people))], asked, len(people) > first, nil
}

// Why resolves Query.why.
func (r *resolver) Why(ctx context.Context, args struct{ A, B identifierInput }) (*explanation, error) {
	c, err := need(ctx, scopeRead)
	if err != nil {
		return nil, err
	}
	a, b := args.A.identifier(), args.B.identifier()
	e, err := once(&operationOf(ctx).reads, fmt.Sprintf("why %q %q", a, b), func() (*Explanation, error) {
		if err := spend(ctx, lookupCost); err != nil {
			return nil, err
		}
		return r.backends.Profiles.Why(ctx, c.Workspace, a, b)
	})
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	return &explanation{*e, veilOf(c)}, nil
}

// How resolves Query.how.
func (r *resolver) How(ctx context.Context, args struct{ ID gql.ID }) (*explanation, error) {
	c, err := need(ctx, scopeRead)
	if err != nil {
		return nil, err
	}
	id, err := profileIDOf(args.ID)
	if err != nil {
		return nil, err
	}
	e, err := once(&operationOf(ctx).reads, "how "+id.String(), func() (*Explanation, error) {
		if err := spend(ctx, lookupCost); err != nil {
			return nil, err
		}
		return r.backends.Profiles.How(ctx, c.Workspace, id)
	})
	if err != nil || e == nil {
		return nil, r.answer(ctx, err)
	}
	return &explanation{*e, veilOf(c)}, nil
}

// Metrics resolves Query.metrics.
func (r *resolver) Metrics(ctx context.Context) (*metrics, error) {
	c, err := need(ctx, scopeRead)
	if err != nil {
		return nil, err
	}
	return &metrics{r, c.Workspace}, nil
}

// Node resolves Query.node: a dossier, a profile, a persona, a case or an interaction.
func (r *resolver) Node(ctx context.Context, args struct{ ID gql.ID }) (*node, error) {
	c, err := need(ctx, scopeRead)
	if err != nil {
		return nil, err
	}
	if of, isHousehold := strings.CutPrefix(string(args.ID), householdPrefix); isHousehold {
		id, err := profileIDOf(gql.ID(of))
		if err != nil {
			return nil, nil // not an id of ours: there is no such object
		}
		h, err := r.household(ctx, id)
		if err != nil || h == nil {
			return nil, err
		}
		return &node{h}, nil
	}
	id, member, isCase := parseCaseID(args.ID)
	if !isCase {
		if id, err = profileIDOf(args.ID); err != nil {
			return nil, nil // not an id of ours: there is no such object
		}
	}
	subjects, err := r.subjectsOf(ctx, c, id)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	if len(subjects) == 1 {
		d := &dossier{subjects[0]}
		switch {
		case isCase:
			return d.caseOf(ctx, member)
		case strings.HasPrefix(string(args.ID), dossierPrefix):
			return &node{d}, nil
		case strings.HasPrefix(string(args.ID), personaPrefix):
			for _, p := range d.Personas() {
				if p.account.ID == id {
					return &node{p}, nil
				}
			}
			return nil, nil // of an epoch that an erasure has closed
		}
		return &node{d.Profile()}, nil
	}
	if isCase {
		return nil, nil
	}
	found, err := r.interactions(ctx, c.Workspace, schema.EventID(id))
	if err != nil || len(found) == 0 {
		return nil, r.answer(ctx, err)
	}
	return &node{&interaction{found[0], veilOf(c)}}, nil
}

// interactions reads an event by its id; none if there is no such event.
func (r *resolver) interactions(ctx context.Context, workspace string, id schema.EventID) ([]Interaction, error) {
	return once(&operationOf(ctx).reads, "event "+id.String(), func() ([]Interaction, error) {
		if err := query(ctx, 1); err != nil {
			return nil, err
		}
		return r.backends.Timeline.Interactions(ctx, workspace, []schema.EventID{id})
	})
}

func cursorOf(i *Interaction) string {
	return encodeCursor(fmt.Sprint(int64(i.OccurredAt)), hex.EncodeToString(i.ID[:]))
}
