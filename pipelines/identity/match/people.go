package match

import (
	"bytes"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute"
	"github.com/dossier-cdp/dossier/schema"
)

// CoreRules are identity rules under which the exact strata make cores only: values that name one person, aliases and what people decided.
// Contact points, devices and addresses are weighed by the model then, instead of joining by themselves: on clients_fr what stratum 1
// joins by itself is right in .982 of the pairs, which no later stratum can mend.
func CoreRules(r *identity.Rules) (*identity.Rules, error) {
	cores := *r
	cores.Kinds = slices.Clone(r.Kinds)
	for i := range cores.Kinds {
		if cores.Kinds[i].Strength != identity.Core {
			cores.Kinds[i].Strength = identity.None
		}
	}
	if err := cores.Prepare(); err != nil {
		return nil, err
	}
	return &cores, nil
}

// People says who is who among the personas of events: cores by the exact strata, profiles by the model. The answer is a function of the set
// of events, the rules and the model. It must not be used concurrently.
type People struct {
	exact      *identity.Memory
	set        *Set
	attributes map[identity.NodeID][]byte          // what each persona says, in the stored form
	core       map[identity.NodeID]identity.NodeID // of each persona: the smallest persona of its core
	members    map[identity.NodeID][]identity.NodeID
	changed    map[identity.NodeID]struct{} // personas whose attributes grew
	public     func(schema.PersonaEpoch) identity.NodeID

	// Watch, if it is not nil, is told which phase begins: who has a clock can tell where the time goes. The answer does not depend on it.
	Watch func(Phase)
}

// Phase is a part of the work of deciding who is who.
type Phase int

// The phases. PhaseOther is what is not this package's.
const (
	PhaseOther      Phase = iota
	PhaseAttributes       // bringing what a record says into normal form
	PhaseExact            // the exact strata
	PhaseCompare          // looking up candidates and weighing them
	PhaseDecide           // deciding regions
	Phases
)

func (p *People) begin(phase Phase) {
	if p.Watch != nil {
		p.Watch(phase)
	}
}

// NewPeople makes an empty one. The rules are those of CoreRules.
func NewPeople(hash identity.Hasher, rules *identity.Rules, m *Model) *People {
	return &People{
		exact: identity.NewMemory(hash, rules), set: NewSet(m), public: hash.Public,
		attributes: map[identity.NodeID][]byte{}, core: map[identity.NodeID]identity.NodeID{},
		members: map[identity.NodeID][]identity.NodeID{}, changed: map[identity.NodeID]struct{}{},
	}
}

// Add folds one event. Call Resolve before asking for profiles.
func (p *People) Add(e *schema.Event) {
	defer p.begin(PhaseOther)
	p.begin(PhaseExact)
	p.exact.Add(e, e.OccurredAt)
	if e.Persona.IsZero() {
		return
	}
	p.begin(PhaseAttributes)
	said := attribute.FromEvent(e, nil)
	if said.IsZero() {
		return
	}
	id := p.public(schema.PersonaEpoch{Persona: e.Persona, Epoch: e.Key.Epoch})
	have := p.attributes[id]
	said = said.Bare()
	if have != nil {
		said = attribute.Join(stored(have), said)
	}
	if now := said.AppendValues(nil); have == nil || !bytes.Equal(have, now) {
		p.attributes[id] = now
		p.changed[id] = struct{}{}
	}
}

// stored reads what AppendValues wrote.
func stored(text []byte) attribute.Attributes {
	a, err := attribute.DecodeValues(text)
	if err != nil {
		panic(err) // Unreachable: this package wrote it
	}
	return a
}

// Resolve brings the profiles up to date: the cores of what changed, then the regions of those cores.
func (p *People) Resolve() error {
	defer p.begin(PhaseOther)
	p.begin(PhaseExact)
	if err := p.exact.ResolveEach(p.cores); err != nil {
		return err
	}
	p.begin(PhaseCompare)
	for id := range p.changed {
		if core, ok := p.core[id]; ok {
			p.put(core)
		}
	}
	clear(p.changed)
	p.begin(PhaseDecide)
	p.set.Resolve()
	return nil
}

// cores takes over what the exact strata say of a region.
func (p *People) cores(region *identity.Partition) {
	defer p.begin(PhaseExact)
	p.begin(PhaseCompare)
	var before []identity.NodeID
	for i := range region.Profiles {
		for _, m := range region.Profiles[i].Members {
			if core, ok := p.core[m]; ok {
				before = append(before, core)
			}
		}
	}
	now := map[identity.NodeID]struct{}{}
	for i := range region.Profiles {
		members := region.Profiles[i].Members
		core := members[0]
		now[core] = struct{}{}
		if slices.Equal(p.members[core], members) {
			continue
		}
		p.members[core] = slices.Clone(members)
		for _, m := range members {
			p.core[m] = core
		}
		p.put(core)
		for _, m := range members {
			delete(p.changed, m)
		}
	}
	for _, core := range before {
		// A core that now lies in another region is that region's to tell of.
		if _, still := now[core]; !still && p.core[core] != core {
			delete(p.members, core)
			p.set.Remove(core)
		}
	}
}

func (p *People) put(core identity.NodeID) {
	p.set.Put(p.weighed(core))
}

// weighed is a core as it is weighed.
func (p *People) weighed(core identity.NodeID) Core {
	c := Core{ID: core, Records: make([][]Value, 0, len(p.members[core]))}
	for _, m := range p.members[core] {
		var values []Value
		if text := p.attributes[m]; text != nil {
			a := stored(text)
			values = Values(&a)
		}
		c.Records = append(c.Records, values)
	}
	return c
}

// Settle ends Set.Expect and brings the profiles up to date.
func (p *People) Settle() error {
	p.begin(PhaseCompare)
	p.set.Settle()
	return p.Resolve()
}

// Profile gives the profile of a persona, as of the last Resolve: the smallest persona of its smallest core.
func (p *People) Profile(persona identity.NodeID) (identity.NodeID, bool) {
	core, ok := p.core[persona]
	if !ok {
		return identity.NodeID{}, false
	}
	return p.set.Profile(core)
}

// Set is the set of cores, for reports.
func (p *People) Set() *Set { return p.set }

// Cores lists the cores as they are weighed, in the order of their ids: what Train estimates on.
func (p *People) Cores() []Core {
	ids := make([]identity.NodeID, 0, len(p.members))
	for id := range p.members {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, identity.NodeID.Compare)
	out := make([]Core, len(ids))
	for i, id := range ids {
		out[i] = p.weighed(id)
	}
	return out
}

// ResolveExact brings the cores up to date, and decides nothing more.
func (p *People) ResolveExact() error {
	if err := p.exact.ResolveEach(p.cores); err != nil {
		return err
	}
	clear(p.changed)
	return nil
}

// Core gives the core of a persona: its smallest persona.
func (p *People) Core(persona identity.NodeID) (identity.NodeID, bool) {
	core, ok := p.core[persona]
	return core, ok
}

// Personas is how many there are.
func (p *People) Personas() int { return len(p.core) }

// Person is one profile.
type Person struct {
	ID      identity.NodeID   // the canonical persona: known first, then earliest seen, then smallest
	Members []identity.NodeID // personas, sorted
}

// Profiles lists the profiles in the order of their smallest core, as of the last Resolve.
func (p *People) Profiles() []Person {
	byGroup := map[identity.NodeID][]identity.NodeID{}
	var order []identity.NodeID
	for core := range p.members {
		group, ok := p.set.Profile(core)
		if !ok {
			continue
		}
		if byGroup[group] == nil {
			order = append(order, group)
		}
		byGroup[group] = append(byGroup[group], p.members[core]...)
	}
	slices.SortFunc(order, identity.NodeID.Compare)
	out := make([]Person, len(order))
	for i, group := range order {
		members := byGroup[group]
		slices.SortFunc(members, identity.NodeID.Compare)
		out[i] = Person{ID: p.canonical(members), Members: members}
	}
	return out
}

func (p *People) canonical(members []identity.NodeID) identity.NodeID {
	var best *identity.Persona
	for _, m := range members {
		if e, err := p.exact.Persona(m); err == nil && e != nil && (best == nil || e.Before(best)) {
			best = e
		}
	}
	return best.ID
}

// Possible lists the possible matches under the ids of Profiles.
func (p *People) Possible() []PossibleMatch {
	out := p.set.Possible()
	ids := map[identity.NodeID]identity.NodeID{}
	for _, profile := range p.Profiles() {
		group, _ := p.set.Profile(p.core[profile.Members[0]])
		ids[group] = profile.ID
	}
	for i := range out {
		a, b := ids[out[i].A], ids[out[i].B]
		if a.Compare(b) > 0 {
			a, b = b, a
		}
		out[i].A, out[i].B = a, b
	}
	return out
}
