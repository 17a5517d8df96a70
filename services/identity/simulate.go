package identity

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute"
	models "github.com/dossier-cdp/dossier/pipelines/identity/match"
	"github.com/dossier-cdp/dossier/pipelines/persona"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// Supposition is what a simulation supposes, and how much it may look at.
type Supposition struct {
	Settings Settings         // Rules, Model and People
	Personas int              // how many are looked at, at most; 0 is SimulatedPersonas, more than MostSimulated is that
	Samples  int              // how many changes are listed of each kind, at most
	After    schema.ProfileID // begin behind this profile: Simulation.Next of the part before
}

// Bounds of a simulation. What it keeps lies in files; it costs about what building so many personas from the log costs, a second time where only a part is looked
// at, and is given up when its context ends.
const (
	SimulatedPersonas = 20_000
	MostSimulated     = 200_000
)

// Simulation says who would be merged and split under other settings.
type Simulation struct {
	Personas, All  uint64 // personas that were looked at, and that there are
	Whole          bool   // all were looked at; else a part: profiles in the order of their ids, which is none of anything else, with those whom they are tied to
	Counted        int    // profiles in force that the figures are of
	ProfilesAfter  int    // how many profiles would have the id of one of their personas: over all parts, all there would be
	Merged, Split  int    // of Counted: that would be one with another; that would fall apart
	Merges, Splits []Shift
	ModelVersion   string           // of the supposed model; "" is none
	Next           schema.ProfileID // where the next part begins; zero at the end
	Approximate    bool             // no model is in force, so what dossiers keep of traits was weighed instead of all that was said
}

// Shift is profiles in force and what their personas would be.
type Shift struct {
	Before []schema.ProfileID   // sorted
	After  [][]schema.ProfileID // the personas of each profile, sorted; by the first
}

// ErrSimulating says that another simulation runs.
var ErrSimulating = schema.Classify(schema.Transient, errors.New("another simulation is running: ask again when it is done"))

const simulationFolder = "simulation-"

// Simulate tells what other settings would change, and changes nothing. One at a time.
func (s *Service) Simulate(ctx context.Context, q Supposition) (out *Simulation, err error) {
	if !s.simulating.TryLock() {
		return nil, ErrSimulating
	}
	defer s.simulating.Unlock()
	if q.Personas <= 0 {
		q.Personas = SimulatedPersonas
	}
	q.Personas = min(q.Personas, MostSimulated)
	v, err := s.View()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	x := &simulation{service: s, view: v, by: q.Settings.weighing()}
	if x.rules = q.Settings.Rules; x.rules == nil {
		x.rules = identity.DefaultRules()
	}
	out = &Simulation{Approximate: x.by.model != nil && !v.hears(x.by.model)}
	if x.by.model != nil {
		out.ModelVersion = x.by.model.Version()
	}
	if _, out.All, err = v.Count(); err != nil {
		return nil, err
	}
	before := map[identity.NodeID]schema.ProfileID{} // of the personas that the figures are of
	if out.Whole = out.All <= uint64(q.Personas) && q.After.IsZero(); out.Whole {
		err = x.everybody(ctx, before)
	} else {
		out.Next, err = x.some(ctx, q.Personas, q.After, before)
	}
	if err != nil {
		return nil, err
	}
	out.Personas = uint64(len(x.personas))
	profiles := map[schema.ProfileID]struct{}{}
	for _, id := range before {
		profiles[id] = struct{}{}
	}
	out.Counted = len(profiles) // as they are in force, also where a part would decide otherwise
	if !out.Whole {
		// What stands beside a value is counted among those that are looked at alone: so what is in force is decided among the same.
		inForce, err := x.decide(ctx, x.inForce(), v.worker.projection.by())
		if err != nil {
			return nil, err
		}
		for id := range before {
			before[id] = inForce[id]
		}
		x.all = inForce
	} else {
		x.all = before
	}
	after, err := x.decide(ctx, x.rules, x.by)
	if err != nil {
		return nil, err
	}
	out.compare(before, x.all, after, q.Samples)
	return out, nil
}

// simulation is one that runs.
type simulation struct {
	service  *Service
	view     *View
	rules    *identity.Rules
	by       weighing
	personas []identity.NodeID
	all      map[identity.NodeID]schema.ProfileID
}

func (x *simulation) inForce() *identity.Rules { return x.view.worker.projection.asked }

// everybody looks at all personas.
func (x *simulation) everybody(ctx context.Context, before map[identity.NodeID]schema.ProfileID) error {
	return x.view.snapshot.Scan([]byte{'p'}, []byte{'p' + 1}, func(key, value []byte) (err error) {
		id, r := identity.NodeID(key[1:]), row{b: value}
		at := r.place(id).profile
		if r.bad {
			return errDamaged
		}
		if x.view.weighs() {
			if at, err = heldIn(x.view.snapshot, at); err != nil {
				return err
			}
		}
		x.personas = append(x.personas, id)
		before[id] = at
		return ctx.Err()
	})
}

// some looks at profiles by their ids, and at whom they are tied to: who shares a value with them, or, under the model in force, a blocking key that proposes.
func (x *simulation) some(ctx context.Context, most int, after schema.ProfileID, before map[identity.NodeID]schema.ProfileID) (next schema.ProfileID, err error) {
	v := x.view
	seen := map[identity.NodeID]struct{}{}
	add := func(id identity.NodeID) {
		if _, found := seen[id]; !found && len(seen) < most {
			seen[id] = struct{}{}
			x.personas = append(x.personas, id)
		}
	}
	whole := func(id identity.NodeID) error { // a person is looked at whole
		_, r, err := v.whole(id)
		if err != nil || r == nil {
			return err
		}
		for _, m := range r.members {
			add(m)
		}
		return nil
	}
	last, more := after, false
	err = v.profiles(after, func(id schema.ProfileID) error {
		_, r, err := v.whole(id)
		if err != nil || r == nil {
			return err
		}
		if more = len(before) > 0 && len(seen)+len(r.members) > most*3/4; more {
			return state.ErrStop
		}
		last = id
		cores, err := v.cores(id)
		if err != nil {
			return err
		}
		for _, m := range r.members {
			add(m)
			before[m] = id
		}
		for _, m := range r.members {
			if err := x.sharing(m, whole); err != nil {
				return err
			}
		}
		if v.weighs() {
			for _, core := range cores {
				near, err := v.weighing().Near(core, nearCores)
				if err != nil {
					return err
				}
				for _, other := range near {
					if err := whole(other); err != nil {
						return err
					}
				}
			}
		}
		if len(v.graph.nodes.young) > nodesInMemory {
			v.graph.forget()
			v.lay()
		}
		return ctx.Err()
	})
	slices.SortFunc(x.personas, identity.NodeID.Compare)
	if more {
		next = last
	}
	return next, err
}

// Bounds of whom one persona brings along into a part.
const (
	nearPersonas = 32 // of each value
	nearCores    = 64
)

// sharing calls f for personas that share a value with one.
func (x *simulation) sharing(id identity.NodeID, f func(identity.NodeID) error) error {
	g := x.view.graph
	n, err := g.node(id)
	if err != nil || n.evidence == nil {
		return err
	}
	for i := range n.evidence.Keys {
		h, err := g.hub(n.evidence.Keys[i].Key)
		if err != nil {
			return err
		}
		if h.Carriers() < 2 || h.Carriers() > nearPersonas {
			continue // many people's value brings nobody together
		}
		servers, clients, err := g.listed(h)
		if err != nil {
			return err
		}
		for _, other := range slices.Concat(servers, clients) {
			if err := f(other); err != nil {
				return err
			}
		}
	}
	return nil
}

// decide says who would be who of the personas under rules and a model, by the code that folds: a state of its own, which is removed afterwards.
func (x *simulation) decide(ctx context.Context, rules *identity.Rules, by weighing) (out map[identity.NodeID]schema.ProfileID, err error) {
	s := x.service
	c := s.config
	dir := filepath.Join(c.Folder, simulationFolder+uuid.NewString())
	c.Store.Unlogged = true
	p, err := openProjection(ctx, dir, &c, rules, by)
	if err != nil {
		return nil, fmt.Errorf("begin a simulation: %w", err)
	}
	defer func() { err = errors.Join(err, p.close(), c.files().RemoveAll(dir)) }()
	for i, id := range x.personas {
		if err := x.take(p, id); err != nil {
			return nil, err
		}
		if i%decideAtOnce == decideAtOnce-1 {
			if err := errors.Join(p.commit(), ctx.Err()); err != nil {
				return nil, err
			}
			x.view.graph.forget()
		}
	}
	if err := p.commit(); err != nil {
		return nil, err
	}
	d := decision{step: decideAtOnce / 8} // a region is decided whole, so this is how soon it can be given up
	for done := false; !done; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if done, err = p.decideSome(&d); err != nil {
			return nil, err
		}
	}
	out = make(map[identity.NodeID]schema.ProfileID, len(x.personas))
	for _, id := range x.personas {
		at, err := p.graph.Holder(id)
		if err != nil {
			return nil, err
		}
		out[id] = at
		if len(p.graph.nodes.young) > nodesInMemory {
			p.graph.forget()
		}
	}
	return out, nil
}

// take gives a persona of the view to a projection that has not seen it.
func (x *simulation) take(p *projection, id identity.NodeID) error {
	v := x.view
	from, err := v.graph.node(id)
	if err != nil || from.evidence == nil {
		return err
	}
	n := &node{id: id, evidence: from.evidence.Clone(), state: from.state, packed: from.packed, fresh: true}
	var said *attribute.Attributes
	if p.weigher != nil && n.evidence.Trust == schema.TrustServer {
		if said, err = x.said(from, p.weigher.by.model); err != nil {
			return err
		}
	}
	assertions, err := v.graph.Assertions(id)
	if err != nil {
		return err
	}
	p.graph.nodes.put(id, n)
	p.personas++
	p.mark(n)
	if err := p.index(nil, n.evidence); err != nil {
		return err
	}
	if said != nil {
		p.weigher.said.put(id, said)
		p.weigher.dirty[id] = said
		p.weigher.changed[id] = struct{}{}
	}
	for i := range assertions {
		if err := p.assert(&assertions[i]); err != nil {
			return err
		}
	}
	return nil
}

// hears says whether what is kept of personas is what a model reads of them.
func (v *View) hears(model *models.Model) bool {
	return v.weighs() && maps.Equal(v.worker.projection.weigher.by.model.Attributes, model.Attributes)
}

// said is what a persona says of itself: all of it where a model is in force that reads the same traits, else what the dossier keeps of it.
func (x *simulation) said(n *node, model *models.Model) (*attribute.Attributes, error) {
	if x.view.hears(model) {
		return readSaid(x.view.graph, n.id)
	}
	known, err := n.known()
	if err != nil || known == nil {
		return nil, err
	}
	e := &schema.Event{}
	e.Source, e.Account, e.OccurredAt = known.Source, known.Account, known.Last
	e.Provenance.Trust = known.Trust
	if len(x.view.settings.Countries) > 0 {
		e.Provenance.Country = x.view.settings.Countries[0]
	}
	for i := range known.Identifiers {
		if id := &known.Identifiers[i]; !id.Unusable {
			e.Identifiers = append(e.Identifiers, schema.Identifier{Kind: id.Kind, Value: id.Normal, Assurance: id.Assurance})
		}
	}
	// The best value of each trait, then what each event said otherwise.
	var events []schema.EventID
	for i := range known.Traits {
		for j := range known.Traits[i].Best {
			if id := known.Traits[i].Best[j].Event; j > 0 && !slices.Contains(events, id) {
				events = append(events, id)
			}
		}
	}
	slices.SortFunc(events, schema.EventID.Compare)
	said := attribute.Attributes{}
	for _, id := range slices.Concat([]schema.EventID{{}}, events) {
		e.Traits = e.Traits[:0]
		for i := range known.Traits {
			x := &known.Traits[i]
			at := max(0, slices.IndexFunc(x.Best, func(c persona.Candidate) bool { return c.Event == id }))
			if at < len(x.Best) {
				e.Traits = append(e.Traits, schema.Trait{Name: x.Name, Value: []byte(x.Best[at].Value)})
			}
		}
		said = attribute.Join(said, rid(attribute.FromEvent(e, model.Attributes)))
	}
	if said.IsZero() {
		return nil, nil
	}
	return &said, nil
}

// compare counts what changes. counted are the personas that the figures are of, by the profile in force; before and after tell of all that were looked at.
func (out *Simulation) compare(counted, before, after map[identity.NodeID]schema.ProfileID, samples int) {
	was, is := membersOf(before), membersOf(after)
	profiles := map[schema.ProfileID]struct{}{}
	made := map[schema.ProfileID]struct{}{}
	for id, profile := range counted {
		profiles[profile] = struct{}{}
		if after[id] == id { // of the persona that gives it its id, so that parts add up
			made[id] = struct{}{}
		}
	}
	out.ProfilesAfter = len(made)
	ids := make([]schema.ProfileID, 0, len(profiles))
	for id := range profiles {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, schema.ProfileID.Compare)
	told := map[schema.ProfileID]bool{}
	for _, id := range ids {
		parts, others := map[schema.ProfileID]struct{}{}, false
		for _, m := range was[id] {
			parts[after[m]] = struct{}{}
			others = others || slices.ContainsFunc(is[after[m]], func(n identity.NodeID) bool { return before[n] != id })
		}
		if others {
			out.Merged++
		}
		if len(parts) > 1 {
			out.Split++
		}
		if !others && len(parts) < 2 || told[id] {
			continue
		}
		list := &out.Merges
		if len(parts) > 1 {
			list = &out.Splits
		}
		if len(*list) >= samples {
			continue
		}
		shift := shiftOf(id, was, is, before, after)
		for _, b := range shift.Before {
			told[b] = true
		}
		*list = append(*list, shift)
	}
}

func membersOf(profiles map[identity.NodeID]schema.ProfileID) map[schema.ProfileID][]identity.NodeID {
	out := map[schema.ProfileID][]identity.NodeID{}
	for id, profile := range profiles {
		out[profile] = append(out[profile], id)
	}
	for _, members := range out {
		slices.SortFunc(members, identity.NodeID.Compare)
	}
	return out
}

// mostShifted bounds the profiles of one sample.
const mostShifted = 24

// shiftOf follows from a profile in force to what its personas would be, to whom they would be with, and so on.
func shiftOf(id schema.ProfileID, was, is map[schema.ProfileID][]identity.NodeID, before, after map[identity.NodeID]schema.ProfileID) (s Shift) {
	s.Before = []schema.ProfileID{id}
	seen := map[schema.ProfileID]bool{}
	for i := 0; i < len(s.Before) && i < mostShifted; i++ {
		for _, m := range was[s.Before[i]] {
			to := after[m]
			if seen[to] {
				continue
			}
			seen[to] = true
			s.After = append(s.After, is[to])
			for _, n := range is[to] {
				if !slices.Contains(s.Before, before[n]) {
					s.Before = append(s.Before, before[n])
				}
			}
		}
	}
	slices.SortFunc(s.Before, schema.ProfileID.Compare)
	slices.SortFunc(s.After, func(a, b []identity.NodeID) int { return a[0].Compare(b[0]) })
	return s
}

// removeLeftovers removes what simulations, and looks into the past, left that a crash ended.
func (s *Service) removeLeftovers() error {
	files := s.config.files()
	names, err := files.List(s.config.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, name := range names {
		if strings.HasPrefix(name, simulationFolder) || strings.HasPrefix(name, pastFolder) {
			err = errors.Join(err, files.RemoveAll(filepath.Join(s.config.Folder, name)))
		}
	}
	if err != nil {
		return fmt.Errorf("remove what a simulation or a look into the past left: %w", err)
	}
	return nil
}

// isState says whether a name is that of the folder of a state.
func isState(name string) bool {
	b, err := hex.DecodeString(name)
	return err == nil && len(b) == 8
}
