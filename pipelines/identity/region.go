package identity

import (
	"fmt"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// Region is a part of the graph that decides about its nodes by itself: every node that shares a value (not a generic one) or a
// link with one of it is in it too. It is read-only once made.
type Region struct {
	rules      *Rules
	nodes      []*Persona // sorted by id
	holds      []Hold     // of nodes[i]
	expanded   []bool     // of nodes[i]
	hubs       []hub      // in canonical order
	generic    []genericKey
	assertions []Assertion // sorted by which counts: latest first
}

// hub is one key and the nodes of the region that carry it.
type hub struct {
	key      Key
	rule     *KindRule
	priority int
	degree   int
	best     schema.Assurance
	alias    bool
	carriers []carrier // in node order
}

type carrier struct {
	node     int32
	evidence *Evidence
}

// genericKey is a generic key and the nodes of the region that carry it.
type genericKey struct {
	key    Key
	degree int
	nodes  []int32
}

// Nodes is how many personas the region has.
func (r *Region) Nodes() int { return len(r.nodes) }

// Covers says whether the region answers for a touched node, so that it needs no region of its own. A node at the edge of a
// quarantined giant may be in the region without being covered.
func (r *Region) Covers(id NodeID) bool {
	n, ok := r.node(id)
	return ok && r.expanded[n]
}

func (r *Region) node(id NodeID) (int32, bool) {
	n, ok := slices.BinarySearchFunc(r.nodes, id, func(p *Persona, id NodeID) int { return p.ID.Compare(id) })
	return int32(n), ok
}

// Update resolves the regions of all touched nodes, one after the other, and hands each to apply, which may change the graph's
// profiles and holds but not its evidence. Touched nodes without evidence are passed over.
func Update(g Graph, rules *Rules, touched []NodeID, apply func(*Region, *Partition) error) error {
	touched = slices.Clone(touched)
	slices.SortFunc(touched, NodeID.Compare)
	covered := map[NodeID]bool{}
	before := holdsBefore{g, map[NodeID]Hold{}}
	for _, id := range slices.Compact(touched) {
		if covered[id] {
			continue
		}
		r, err := Expand(before, rules, []NodeID{id})
		if err != nil {
			return err
		}
		for n, p := range r.nodes {
			if r.expanded[n] {
				covered[p.ID] = true
			}
		}
		if len(r.nodes) == 0 {
			continue
		}
		if err := apply(r, r.Resolve()); err != nil {
			return err
		}
	}
	return nil
}

// holdsBefore is a graph whose holds stay as they were when they were first read. The walk around a giant stops at nodes that were
// held before the change; a node that only an earlier region of the same update held may have free neighbours yet to be held.
type holdsBefore struct {
	Graph
	holds map[NodeID]Hold
}

func (h holdsBefore) Hold(id NodeID) (Hold, error) {
	if hold, ok := h.holds[id]; ok {
		return hold, nil
	}
	hold, err := h.Graph.Hold(id)
	if err == nil {
		h.holds[id] = hold
	}
	return hold, err
}

// Expand collects the closed region around the seeds. Seeds without evidence are passed over.
//
// A component of evidence with more than Rules.QuarantineSize personas is not collected: the seed, and what was not yet
// quarantined around it, is then held to its cores. What this costs is bounded by QuarantineSize, by the nodes that are newly quarantined,
// and by the sizes of cores; never by the size of the giant.
//
// The rule that makes resolving regions equal to resolving all: after a change, Update every touched node. Touched are a
// persona whose evidence changed in substance, both nodes of an assertion that came or was withdrawn, all carriers of a key that turned
// generic or ceased to be, and all carriers of the keys of an erased node.
func Expand(g Graph, rules *Rules, seeds []NodeID) (*Region, error) {
	x := expansion{graph: g, rules: rules, found: map[NodeID]*found{}, hubs: map[Key]Hub{}}
	seeds = slices.Clone(seeds)
	slices.SortFunc(seeds, NodeID.Compare)
	for _, seed := range seeds {
		if err := x.component(seed); err != nil {
			return nil, err
		}
	}
	return x.region()
}

type expansion struct {
	graph Graph
	rules *Rules
	found map[NodeID]*found
	hubs  map[Key]Hub
}

type found struct {
	persona    *Persona
	assertions []Assertion
	before     Hold
	hold       Hold
	expanded   bool // its neighbours were all looked at
}

// load reads a node once; nil if it has no evidence.
func (x *expansion) load(id NodeID) (*found, error) {
	if f, ok := x.found[id]; ok {
		return f, nil
	}
	p, err := x.graph.Persona(id)
	if err != nil {
		return nil, fmt.Errorf("read persona %s: %w", id, err)
	}
	if p == nil {
		x.found[id] = nil
		return nil, nil
	}
	f := &found{persona: p}
	if f.assertions, err = x.graph.Assertions(id); err != nil {
		return nil, fmt.Errorf("read assertions of %s: %w", id, err)
	}
	if f.before, err = x.graph.Hold(id); err != nil {
		return nil, fmt.Errorf("read hold of %s: %w", id, err)
	}
	x.found[id] = f
	return f, nil
}

func (x *expansion) hub(key Key) (Hub, error) {
	if h, ok := x.hubs[key]; ok {
		return h, nil
	}
	h, err := x.graph.Hub(key)
	if err != nil {
		return Hub{}, fmt.Errorf("read hub %s: %w", key, err)
	}
	x.hubs[key] = h
	return h, nil
}

// component collects the component of evidence around a seed, or holds it.
func (x *expansion) component(seed NodeID) error {
	if f := x.found[seed]; f != nil && f.expanded {
		return nil
	}
	members, over, err := x.walk(seed, Free, x.neighbours)
	if err != nil || !over {
		return err
	}
	for _, id := range members {
		x.found[id].hold = Cores
	}
	// The cores of a giant: each is collected whole, unless it is a giant itself.
	done := map[NodeID]bool{}
	for _, id := range members {
		if done[id] {
			continue
		}
		core, over, err := x.walk(id, Cores, x.coreNeighbours)
		if err != nil {
			return err
		}
		for _, c := range core {
			done[c] = true
			x.found[c].hold = Cores
			if over {
				x.found[c].hold = Alone
			}
		}
	}
	return nil
}

// walk collects what can be reached from a node. Past QuarantineSize it goes on only through nodes whose last hold was at most
// settled: the others are held already, and stay so.
func (x *expansion) walk(start NodeID, settled Hold, neighbours func(*found, func(NodeID) error) error) (members []NodeID, over bool, err error) {
	f, err := x.load(start)
	if err != nil || f == nil {
		return nil, false, err
	}
	members = []NodeID{start}
	seen := map[NodeID]struct{}{start: {}}
	for i := 0; i < len(members); i++ {
		f := x.found[members[i]]
		if over && i > 0 && f.before > settled {
			continue
		}
		f.expanded = f.expanded || settled == Free
		err := neighbours(f, func(id NodeID) error {
			if _, ok := seen[id]; ok {
				return nil
			}
			seen[id] = struct{}{}
			next, err := x.load(id)
			if err != nil || next == nil {
				return err
			}
			members = append(members, id)
			return nil
		})
		if err != nil {
			return nil, false, err
		}
		over = over || len(members) > x.rules.QuarantineSize
	}
	return members, over, nil
}

func (x *expansion) neighbours(f *found, visit func(NodeID) error) error {
	for i := range f.persona.Keys {
		e := &f.persona.Keys[i]
		if !x.rules.Links(f.persona, e) {
			continue
		}
		h, err := x.hub(e.Key)
		if err != nil {
			return err
		}
		for _, id := range h.Carriers {
			if err := visit(id); err != nil {
				return err
			}
		}
	}
	return links(f, visit)
}

func links(f *found, visit func(NodeID) error) error {
	for i := range f.assertions {
		a := &f.assertions[i]
		if a.Kind != Linked {
			continue
		}
		other := a.A
		if other == f.persona.ID {
			other = a.B
		}
		if err := visit(other); err != nil {
			return err
		}
	}
	return nil
}

// coreNeighbours visits what stratum 0 may join to a node.
func (x *expansion) coreNeighbours(f *found, visit func(NodeID) error) error {
	for i := range f.persona.Keys {
		e := &f.persona.Keys[i]
		if !x.rules.Links(f.persona, e) {
			continue
		}
		rule, _ := x.rules.rule(e.Kind)
		h, err := x.hub(e.Key)
		if err != nil {
			return err
		}
		for _, id := range h.Carriers {
			other, err := x.graph.Persona(id)
			if err != nil {
				return fmt.Errorf("read persona %s: %w", id, err)
			}
			if other == nil {
				continue
			}
			o := other.Evidence(e.Key)
			if o == nil || !(e.Alias || o.Alias || rule.Strength == Core && e.core() && o.core()) {
				continue
			}
			if err := visit(id); err != nil {
				return err
			}
		}
	}
	return links(f, visit)
}

func (x *expansion) region() (*Region, error) {
	r := &Region{rules: x.rules}
	for _, f := range x.found {
		if f != nil {
			r.nodes = append(r.nodes, f.persona)
		}
	}
	slices.SortFunc(r.nodes, func(a, b *Persona) int { return a.ID.Compare(b.ID) })
	r.holds = make([]Hold, len(r.nodes))
	r.expanded = make([]bool, len(r.nodes))
	at := map[Key]int{}
	atGeneric := map[Key]int{}
	said := map[schema.EventID]bool{}
	for n, p := range r.nodes {
		f := x.found[p.ID]
		r.holds[n], r.expanded[n] = f.hold, f.expanded
		for _, a := range f.assertions {
			if !said[a.ID] {
				said[a.ID] = true
				r.assertions = append(r.assertions, a)
			}
		}
		for i := range p.Keys {
			e := &p.Keys[i]
			if !x.rules.Links(p, e) {
				continue
			}
			h, err := x.hub(e.Key)
			if err != nil {
				return nil, err
			}
			if h.Generic {
				g, ok := atGeneric[e.Key]
				if !ok {
					g = len(r.generic)
					atGeneric[e.Key] = g
					r.generic = append(r.generic, genericKey{key: e.Key, degree: h.Degree})
				}
				r.generic[g].nodes = append(r.generic[g].nodes, int32(n))
				continue
			}
			if len(h.Carriers) < 2 {
				continue
			}
			i, ok := at[e.Key]
			if !ok {
				i = len(r.hubs)
				at[e.Key] = i
				rule, priority := x.rules.rule(e.Kind)
				r.hubs = append(r.hubs, hub{key: e.Key, rule: rule, priority: priority, degree: h.Degree})
			}
			b := &r.hubs[i]
			b.carriers = append(b.carriers, carrier{int32(n), e})
			b.best = max(b.best, e.Assurance)
			b.alias = b.alias || e.Alias
		}
	}
	slices.SortFunc(r.hubs, hub.compare)
	slices.SortFunc(r.generic, func(a, b genericKey) int { return a.key.Compare(b.key) })
	slices.SortFunc(r.assertions, func(a, b Assertion) int {
		if a.after(&b) {
			return -1
		}
		return 1
	})
	return r, nil
}

// compare is the canonical order of hubs: the most assured first, then by the kind's priority, then the fewest people beside it,
// then by key.
func (h hub) compare(g hub) int {
	switch {
	case h.best != g.best:
		return int(g.best) - int(h.best)
	case h.priority != g.priority:
		return h.priority - g.priority
	case h.degree != g.degree:
		return h.degree - g.degree
	}
	return h.key.Compare(g.key)
}
