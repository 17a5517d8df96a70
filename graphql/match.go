package graphql

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"

	gql "github.com/graph-gophers/graphql-go"

	"github.com/dossier-cdp/dossier/pipelines/identity/match"
	"github.com/dossier-cdp/dossier/schema"
)

// Household is people who share a mailbox, a phone or an address and are not one person.
type Household struct {
	ID        schema.ProfileID
	Residents []Resident // sorted by profile
}

// Resident is a member of a household.
type Resident struct {
	Profile schema.ProfileID
	Shares  []string // fields of which a value is shared with another member; sorted
}

// Match is two profiles that may be one person.
type Match struct {
	A, B        schema.ProfileID // A < B
	Reason      string           // why they are two
	Weight      float64          // log2 of the odds that they are one
	Probability float64
	Worth       int64 // how much an answer decides: orders the queue
}

// Weighing is how two profiles, or two cores of one, are weighed against each other.
type Weighing struct {
	A, B       schema.ProfileID
	Same       bool
	Waterfall  match.Waterfall
	Thresholds match.Thresholds
	Reason     string // what keeps two apart; "" if they are one
}

// Joint is one joint that weights made within a profile.
type Joint struct {
	A, B     schema.ProfileID
	Weight   float64 // log2 of the odds
	Attached bool    // a small profile joined the one that it fits best; else two agreed
}

// Matches answers what weights say of who is who. Under rules without a model there is nothing of it.
type Matches interface {
	// Household gives the household of the profile that holds an id; nil if it has none.
	Household(ctx context.Context, workspace string, id schema.ProfileID) (*Household, error)
	// PossibleMatches lists those of the profile that holds an id, those of most worth first.
	PossibleMatches(ctx context.Context, workspace string, id schema.ProfileID) ([]Match, error)
	// Queue lists all, those of most worth first. Begin with a nil cursor; next is nil at the end.
	Queue(ctx context.Context, workspace string, after []byte, limit int) (list []Match, next []byte, err error)
	// Weigh weighs two ids; nil if there is no model, or nobody has one of the ids.
	Weigh(ctx context.Context, workspace string, a, b schema.ProfileID) (*Weighing, error)
	// Simulate says who would be merged and split under other settings, and changes nothing. What cannot be supposed is an *Error with code BAD_USER_INPUT.
	Simulate(ctx context.Context, workspace string, q Supposition) (*Simulation, error)
}

const householdPrefix = "household:"

type household struct {
	household Household
	people    []subject // in the order of residents
}

// ID resolves Household.id.
func (h *household) ID() gql.ID { return gql.ID(householdPrefix + h.household.ID.String()) }

// Members resolves Household.members.
func (h *household) Members() []*profile {
	out := make([]*profile, len(h.people))
	for i, s := range h.people {
		out[i] = &profile{s}
	}
	return out
}

type resident struct {
	Profile *profile
	Shares  []string
}

// Residents resolves Household.residents.
func (h *household) Residents() []*resident {
	out := make([]*resident, len(h.people))
	for i, s := range h.people {
		out[i] = &resident{&profile{s}, append([]string{}, h.household.Residents[i].Shares...)}
	}
	return out
}

// household reads the household of an id; nil if it has none.
func (r *resolver) household(ctx context.Context, id schema.ProfileID) (*household, error) {
	c, err := need(ctx, scopeRead)
	if err != nil {
		return nil, err
	}
	h, err := once(&operationOf(ctx).reads, "household "+id.String(), func() (*Household, error) {
		if err := spend(ctx, lookupCost); err != nil {
			return nil, err
		}
		return r.backends.Matches.Household(ctx, c.Workspace, id)
	})
	if err != nil || h == nil {
		return nil, r.answer(ctx, err)
	}
	ids := make([]schema.ProfileID, len(h.Residents))
	for i := range h.Residents {
		ids[i] = h.Residents[i].Profile
	}
	people, err := r.holders(ctx, c.Workspace, ids)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	if slices.Contains(people, nil) {
		return nil, nil // somebody was erased between the two reads
	}
	subjects, err := r.subjects(ctx, c, people, nil)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	return &household{*h, subjects}, nil
}

// Household resolves Dossier.household.
func (d *dossier) Household(ctx context.Context) (*household, error) {
	if d.history != nil {
		return nil, d.onlyNow("household")
	}
	return d.root.household(ctx, d.person.ID)
}

type possible struct {
	Profile     gql.ID
	Reason      string
	Kinds       []string
	Weight      *float64
	Probability *float64
}

// PossibleMatches resolves Dossier.possibleMatches: whom the exact strata kept apart, and whom the model holds for likely.
func (d *dossier) PossibleMatches(ctx context.Context) ([]*possible, error) {
	weigh := func() ([]Match, error) {
		if err := spend(ctx, lookupCost); err != nil {
			return nil, err
		}
		return d.root.backends.Matches.PossibleMatches(ctx, d.workspace, d.person.ID)
	}
	var weighed []Match
	var err error
	if d.history == nil { // of the past what the exact strata kept apart is told
		weighed, err = once(&operationOf(ctx).reads, "possible "+d.person.ID.String(), weigh)
	}
	if err != nil {
		return nil, d.root.answer(ctx, err)
	}
	var out []*possible
	of := map[gql.ID]*possible{}
	for i := range weighed {
		m := &weighed[i]
		other := m.A
		if other == d.person.ID {
			other = m.B
		}
		p := &possible{Profile: gqlID(other), Reason: m.Reason, Kinds: []string{}, Weight: &m.Weight, Probability: &m.Probability}
		of[p.Profile] = p
		out = append(out, p)
	}
	for _, p := range d.person.Possible {
		id := gqlID(p.Profile)
		if of[id] == nil {
			of[id] = &possible{Profile: id, Reason: p.Reason}
			out = append(out, of[id])
		}
		of[id].Kinds = append([]string{}, p.Kinds...)
	}
	return out, nil
}

type queued struct {
	A, B                *profile
	Reason              string
	Weight, Probability float64
	Worth               float64
}

type queuedEdge struct {
	Node   *queued
	Cursor string
}

type queueConnection struct {
	Edges    []*queuedEdge
	PageInfo pageInfo
}

// PossibleMatches resolves Query.possibleMatches. A cursor is a cursor of the backend and how many of its matches to pass over.
func (r *resolver) PossibleMatches(ctx context.Context, args struct {
	First *int32
	After *string
}) (*queueConnection, error) {
	c, err := need(ctx, scopeRead)
	if err != nil {
		return nil, err
	}
	first, err := pageSize(args.First)
	if err != nil {
		return nil, err
	}
	var after []byte
	over := 0
	if args.After != nil {
		parts, err := decodeCursor(*args.After, 2)
		if err != nil {
			return nil, err
		}
		var err1, err2 error
		after, err1 = hex.DecodeString(parts[0])
		over, err2 = strconv.Atoi(parts[1])
		if err1 != nil || err2 != nil || over < 0 || over > MaxFirst || len(after) > 256 {
			return nil, badInput("this cursor was not handed out here")
		}
		if len(after) == 0 {
			after = nil
		}
	}
	connection := &queueConnection{Edges: []*queuedEdge{}, PageInfo: pageInfo{HasPreviousPage: args.After != nil}}
	if err := spend(ctx, max(first, lookupCost)); err != nil {
		return nil, r.answer(ctx, err)
	}
	list, next, err := r.backends.Matches.Queue(ctx, c.Workspace, after, over+first)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	list = list[min(over, len(list)):]
	connection.PageInfo.HasNextPage = next != nil
	ids := make([]schema.ProfileID, 0, 2*len(list))
	for i := range list {
		ids = append(ids, list[i].A, list[i].B)
	}
	people, err := r.holders(ctx, c.Workspace, ids)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	whole := slices.DeleteFunc(slices.Clone(people), func(p *Person) bool { return p == nil })
	subjects, err := r.subjects(ctx, c, whole, nil)
	if err != nil {
		return nil, r.answer(ctx, err)
	}
	at := 0
	place := make([]int, len(people))
	for i, p := range people {
		place[i] = at
		if p != nil {
			at++
		}
	}
	for i := range list {
		m := &list[i]
		if people[2*i] == nil || people[2*i+1] == nil {
			continue // erased between the two reads
		}
		connection.Edges = append(connection.Edges, &queuedEdge{
			Node: &queued{
				A: &profile{subjects[place[2*i]]}, B: &profile{subjects[place[2*i+1]]},
				Reason: m.Reason, Weight: m.Weight, Probability: m.Probability, Worth: float64(m.Worth),
			},
			Cursor: encodeCursor(hex.EncodeToString(after), strconv.Itoa(over+i+1)),
		})
	}
	if n := len(connection.Edges); n > 0 {
		connection.PageInfo.StartCursor, connection.PageInfo.EndCursor = &connection.Edges[0].Cursor, &connection.Edges[n-1].Cursor
		if next != nil { // the backend's own cursor carries on without passing anything over
			connection.Edges[n-1].Cursor = encodeCursor(hex.EncodeToString(next), "0")
		}
	}
	return connection, nil
}

type weighing struct {
	weighing Weighing
	veil     veil
}

// Weigh resolves Query.weigh.
func (r *resolver) Weigh(ctx context.Context, args struct{ A, B gql.ID }) (*weighing, error) {
	c, err := need(ctx, scopeRead)
	if err != nil {
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
	w, err := once(&operationOf(ctx).reads, fmt.Sprintf("weigh %v %v", a, b), func() (*Weighing, error) {
		if err := spend(ctx, lookupCost); err != nil {
			return nil, err
		}
		return r.backends.Matches.Weigh(ctx, c.Workspace, a, b)
	})
	if err != nil || w == nil {
		return nil, r.answer(ctx, err)
	}
	return &weighing{*w, veilOf(c)}, nil
}

func (w *weighing) A() gql.ID          { return gqlID(w.weighing.A) }
func (w *weighing) B() gql.ID          { return gqlID(w.weighing.B) }
func (w *weighing) Same() bool         { return w.weighing.Same }
func (w *weighing) Reason() *string    { return optional(w.weighing.Reason) }
func (w *weighing) Model() string      { return w.weighing.Waterfall.Model }
func (w *weighing) Version() string    { return w.weighing.Waterfall.Version }
func (w *weighing) Prior() float64     { return w.weighing.Waterfall.Prior.Float() }
func (w *weighing) Strangers() float64 { return w.weighing.Waterfall.Strangers.Float() }
func (w *weighing) Household() float64 { return w.weighing.Waterfall.Household.Float() }
func (w *weighing) Weight() float64    { return w.weighing.Waterfall.Posterior.Float() }
func (w *weighing) Probability() float64 {
	return w.weighing.Waterfall.Probability
}
func (w *weighing) Forbidden() bool { return w.weighing.Waterfall.Forbidden }
func (w *weighing) Bare() bool      { return w.weighing.Waterfall.Bare }
func (w *weighing) Merge() float64  { return w.weighing.Thresholds.Merge }
func (w *weighing) Link() float64   { return w.weighing.Thresholds.Link }
func (w *weighing) Margin() float64 { return w.weighing.Thresholds.Margin }

// HouseholdPrior resolves Weighing.householdPrior.
func (w *weighing) HouseholdPrior() *float64 {
	if p := w.weighing.Waterfall.HouseholdPrior; p != nil {
		f := p.Float()
		return &f
	}
	return nil
}

type sharedKey struct {
	Recipe string
	Cores  int32
	Closed bool
}

// Keys resolves Weighing.keys.
func (w *weighing) Keys() []sharedKey {
	out := []sharedKey{}
	for _, k := range w.weighing.Waterfall.Keys {
		out = append(out, sharedKey{k.Recipe, int32(k.Cores), k.Closed})
	}
	return out
}

// Fields resolves Weighing.fields.
func (w *weighing) Fields() []*fieldWeight {
	out := []*fieldWeight{}
	for i := range w.weighing.Waterfall.Fields {
		out = append(out, &fieldWeight{&w.weighing.Waterfall.Fields[i], w.veil})
	}
	return out
}

type fieldWeight struct {
	f    *match.FieldWeight
	veil veil
}

func (f *fieldWeight) Field() string      { return f.f.Field }
func (f *fieldWeight) Level() string      { return f.f.Level }
func (f *fieldWeight) Weight() float64    { return f.f.Weight.Float() }
func (f *fieldWeight) Household() float64 { return f.f.Household.Float() }
func (f *fieldWeight) Alone() float64     { return f.f.Alone.Float() }
func (f *fieldWeight) Forbids() bool      { return f.f.Forbids }
func (f *fieldWeight) YieldsTo() *string  { return optional(f.f.YieldsTo) }
func (f *fieldWeight) A() []*heard        { return f.values(f.f.A) }
func (f *fieldWeight) B() []*heard        { return f.values(f.f.B) }

type heard struct {
	Value   string
	Records int32
	Generic bool
}

// values gives what one side says. An identifier is masked so that an agent still recognises it; of a name, a date or an address nothing is shown
// without the scope unmask: the level says how far they agree.
func (f *fieldWeight) values(said []match.Heard) []*heard {
	out := make([]*heard, len(said))
	for i := range said {
		h := &heard{said[i].Text, int32(said[i].Records), said[i].Generic}
		if f.veil {
			switch f.f.Field {
			case "email", "phone", "card", "user_id", "cookie", "handle":
				h.Value = f.veil.identifier(f.f.Field, h.Value)
			default:
				h.Value = hidden
			}
		}
		out[i] = h
	}
	return out
}

type joint struct{ joint Joint }

func (j *joint) A() gql.ID       { return gqlID(j.joint.A) }
func (j *joint) B() gql.ID       { return gqlID(j.joint.B) }
func (j *joint) Weight() float64 { return j.joint.Weight }
func (j *joint) Attached() bool  { return j.joint.Attached }

// Weighing resolves Explanation.weighing.
func (e *explanation) Weighing() *weighing {
	if e.explanation.Weighing == nil {
		return nil
	}
	return &weighing{*e.explanation.Weighing, e.veil}
}

// Joints resolves Explanation.joints.
func (e *explanation) Joints() []*joint {
	out := make([]*joint, len(e.explanation.Joints))
	for i, j := range e.explanation.Joints {
		out[i] = &joint{j}
	}
	return out
}

// WhyNot resolves Query.whyNot: why, by another name.
func (r *resolver) WhyNot(ctx context.Context, args struct{ A, B identifierInput }) (*explanation, error) {
	return r.Why(ctx, args)
}

// The answers to a possible match.
const (
	answerLink      = "link"
	answerSeparate  = "separate"
	answerHousehold = "household"
)

// DecideMatch resolves Mutation.decideMatch.
func (r *resolver) DecideMatch(ctx context.Context, args struct {
	A, B           gql.ID
	Answer         string
	Reason         string
	IdempotencyKey string
}) (*decision, error) {
	if _, err := need(ctx, scopeDecide); err != nil {
		return nil, err
	}
	if err := (reasoned{args.Reason, args.IdempotencyKey}).check(); err != nil {
		return nil, err
	}
	t := schema.TypeIdentitySeparated
	switch args.Answer {
	case answerLink:
		t = schema.TypeIdentityLinked
	case answerSeparate:
	case answerHousehold:
		t = schema.TypeHouseholdJoined
	default:
		return nil, badInput("answer is link, separate or household")
	}
	return r.assertPair(ctx, t, pairArgs{args.A, args.B, args.Reason, args.IdempotencyKey})
}
