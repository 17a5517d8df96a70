package match

import (
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
	exact    *identity.Memory
	set      *Set
	rows     []row
	at       map[identity.NodeID]int32 // the row of each persona
	members  map[int32][]int32         // rows of the personas of each core that has several, by their ids; the first is the core's own
	changed  map[int32]struct{}        // personas whose attributes grew
	scratch  []byte
	resolved int // personas of which the exact strata have said who they are
	public   func(schema.PersonaEpoch) identity.NodeID

	// Watch, if it is not nil, is told which phase begins: who has a clock can tell where the time goes. The answer does not depend on it.
	Watch func(Phase)
}

// row is a persona.
type row struct {
	id   identity.NodeID
	core int32  // the row of the smallest persona of its core; unresolved
	said string // what it says, in the stored form; "" if nothing
}

// unresolved is the core of a persona of which the exact strata have not said who it is.
const unresolved = -1

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
	p := &People{
		exact: identity.NewMemory(hash, rules), set: NewSet(m), public: hash.Public,
		at: map[identity.NodeID]int32{}, members: map[int32][]int32{}, changed: map[int32]struct{}{},
	}
	p.exact.Reader().Lean()
	return p
}

// row gives the row of a persona.
func (p *People) row(id identity.NodeID) int32 {
	n, known := p.at[id]
	if !known {
		n = int32(len(p.rows))
		p.rows = append(p.rows, row{id: id, core: unresolved})
		p.at[id] = n
	}
	return n
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
	said := attribute.FromEvent(e, p.set.model.Attributes)
	if said.IsZero() {
		return
	}
	n := p.row(p.public(schema.PersonaEpoch{Persona: e.Persona, Epoch: e.Key.Epoch}))
	have := p.rows[n].said
	said = said.Bare()
	if have != "" {
		said = attribute.Join(stored(have), said)
	}
	if now := said.AppendValues(p.scratch[:0]); string(now) != have {
		p.rows[n].said = string(now)
		p.changed[n] = struct{}{}
		p.scratch = now
	}
}

// stored reads what AppendValues wrote.
func stored(text string) attribute.Attributes {
	a, err := attribute.DecodeValues([]byte(text))
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
	for n := range p.changed {
		if core := p.rows[n].core; core != unresolved {
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
	var before, now []int32
	for i := range region.Profiles {
		for _, m := range region.Profiles[i].Members {
			if core := p.rows[p.row(m)].core; core != unresolved {
				before = append(before, core)
			}
		}
	}
	for i := range region.Profiles {
		members := region.Profiles[i].Members
		core := p.row(members[0])
		now = append(now, core)
		if p.stands(core, members) {
			continue
		}
		delete(p.members, core)
		var rows []int32
		for _, m := range members {
			n := p.row(m)
			if p.rows[n].core == unresolved {
				p.resolved++
			}
			p.rows[n].core = core
			rows = append(rows, n)
		}
		if len(rows) > 1 {
			p.members[core] = rows
		}
		p.put(core)
		for _, n := range rows {
			delete(p.changed, n)
		}
	}
	for _, core := range before {
		// A core that now lies in another region is that region's to tell of.
		if p.rows[core].core != core && !slices.Contains(now, core) {
			delete(p.members, core)
			p.set.Remove(p.rows[core].id)
		}
	}
}

// stands says whether a core is made of these personas already.
func (p *People) stands(core int32, members []identity.NodeID) bool {
	if p.rows[core].core != core {
		return false
	}
	have := p.membersOf(core)
	return slices.EqualFunc(have, members, func(n int32, id identity.NodeID) bool { return p.rows[n].id == id })
}

// membersOf lists the personas of a core.
func (p *People) membersOf(core int32) []int32 {
	if list := p.members[core]; list != nil {
		return list
	}
	return []int32{core}
}

func (p *People) put(core int32) {
	p.set.Put(p.weighed(core))
}

// weighed is a core as it is weighed.
func (p *People) weighed(core int32) Core {
	members := p.membersOf(core)
	c := Core{ID: p.rows[core].id, Records: make([][]Value, 0, len(members))}
	for _, m := range members {
		var values []Value
		if text := p.rows[m].said; text != "" {
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
	core, ok := p.Core(persona)
	if !ok {
		return identity.NodeID{}, false
	}
	return p.set.Profile(core)
}

// Set is the set of cores, for reports.
func (p *People) Set() *Set { return p.set }

// Cores lists the cores as they are weighed, in the order of their ids: what Train estimates on.
func (p *People) Cores() []Core {
	var out []Core
	p.eachCore(func(core int32) { out = append(out, p.weighed(core)) })
	slices.SortFunc(out, func(a, b Core) int { return a.ID.Compare(b.ID) })
	return out
}

// eachCore calls f with every core.
func (p *People) eachCore(f func(core int32)) {
	for n := range p.rows {
		if p.rows[n].core == int32(n) {
			f(int32(n))
		}
	}
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
	n, ok := p.at[persona]
	if !ok || p.rows[n].core == unresolved {
		return identity.NodeID{}, false
	}
	return p.rows[p.rows[n].core].id, true
}

// Personas is how many there are.
func (p *People) Personas() int { return p.resolved }

// Person is one profile.
type Person struct {
	ID      identity.NodeID   // the canonical persona: known first, then earliest seen, then smallest
	Members []identity.NodeID // personas, sorted
}

// Profiles lists the profiles in the order of their smallest core, as of the last Resolve.
func (p *People) Profiles() []Person {
	byGroup := map[identity.NodeID][]identity.NodeID{}
	var order []identity.NodeID
	p.eachCore(func(core int32) {
		group, ok := p.set.Profile(p.rows[core].id)
		if !ok {
			return
		}
		if byGroup[group] == nil {
			order = append(order, group)
		}
		for _, m := range p.membersOf(core) {
			byGroup[group] = append(byGroup[group], p.rows[m].id)
		}
	})
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
		group, _ := p.Profile(profile.Members[0])
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
