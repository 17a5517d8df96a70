package identity

import (
	"fmt"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// Region is a part of the graph that decides about its nodes by itself: every node that shares a value (not a generic one) or a
// link with one of it is in it too, but for client personas that are held apart. It is read-only once made.
type Region struct {
	rules      *Rules
	nodes      []*Persona // sorted by id
	clients    int        // client personas among them
	holds      []Hold     // of nodes[i]
	expanded   []bool     // of nodes[i]
	held       bool       // some node is held, or was
	served     []hub      // of server personas, in canonical order
	hubs       []hub      // that client personas carry, with their server carriers, in canonical order
	generic    []genericKey
	assertions []Assertion // sorted by which counts: latest first

	weighted Weighted // nil where no weights bear on who hangs on to whom
	err      error    // of weighted
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

// Err is what went wrong while the region was resolved: nothing, unless the graph is Weighted. What was resolved is good for nothing then.
func (r *Region) Err() error { return r.err }

// Nodes is how many personas the region has.
func (r *Region) Nodes() int { return len(r.nodes) }

// Held yields the nodes that are held and whose every neighbour was looked at when the region was collected: whoever brings all nodes up to date need not
// begin at them again, as he need not at any node of a region that is Free.
func (r *Region) Held(yield func(NodeID) bool) {
	for n, p := range r.nodes {
		if r.expanded[n] && r.holds[n] != Free && !yield(p.ID) {
			return
		}
	}
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
	touched = slices.Compact(touched)
	covered := make([]bool, len(touched))
	before := holdsBefore{g, map[NodeID]Hold{}}
	x := expansion{graph: before, rules: rules, weighted: weighted(g, rules)}
	for i, id := range touched {
		if covered[i] {
			continue
		}
		x.reset()
		r, err := x.alone(id)
		if err == nil && r == nil {
			r, err = x.expand([]NodeID{id})
		}
		if err != nil {
			return err
		}
		for n, p := range r.nodes {
			if r.held {
				before.holds[p.ID] = x.found[p.ID].before
			}
			if !r.expanded[n] {
				continue
			}
			if at, found := slices.BinarySearchFunc(touched[i:], p.ID, NodeID.Compare); found {
				covered[i+at] = true
			}
		}
		if len(r.nodes) == 0 {
			continue
		}
		partition := r.Resolve()
		if r.err != nil {
			return r.err
		}
		if err := apply(r, partition); err != nil {
			return err
		}
	}
	return nil
}

// alone gives the region of a persona that shares nothing with anyone, nil if there is no evidence of it or it may share something. It is what Expand would
// give, without the cost of a walk: most personas are alone when they first come.
func (x *expansion) alone(id NodeID) (*Region, error) {
	f, err := x.load(id)
	if err != nil || f == nil || len(f.assertions) > 0 {
		return nil, err
	}
	p := f.persona
	for i := range p.Keys {
		e := &p.Keys[i]
		if !x.rules.Links(p, e) {
			continue
		}
		h, err := x.hub(e.Key)
		if err != nil || h.Servers.Generic || h.Clients.Generic {
			return nil, err
		}
		if h.carriers() > 1 && !(p.served() && len(h.Clients.Carriers) == 0 && x.rules.weighs(e.Kind)) {
			return nil, nil
		}
	}
	r := &Region{rules: x.rules, nodes: []*Persona{p}, holds: []Hold{Free}, expanded: []bool{true}, held: f.before != Free}
	if !p.served() {
		r.clients = 1
	}
	return r, nil
}

// holdsBefore is a graph whose holds stay as they were before an update. The walk around a giant stops at nodes that were
// held before the change; a node that only an earlier region of the same update held may have free neighbours yet to be held.
type holdsBefore struct {
	Graph
	holds map[NodeID]Hold // of what was resolved, where any is or was held
}

func (h holdsBefore) Hold(id NodeID) (Hold, error) {
	if len(h.holds) > 0 {
		if hold, ok := h.holds[id]; ok {
			return hold, nil
		}
	}
	return h.Graph.Hold(id)
}

// Expand collects the closed region around the seeds. Seeds without evidence are passed over.
//
// A component of evidence with more than Rules.QuarantineSize personas is not collected. Client personas are then held Apart, and only
// what server personas, and decisions, tie together is looked at. If that too is past QuarantineSize, the seed, and what was not yet
// quarantined around it, is held to its cores. What this costs is bounded by QuarantineSize, by Rules.HubSize for each key of the
// seed, by the nodes that are newly held, and by the sizes of cores; never by the size of the giant.
//
// The rule that makes resolving regions equal to resolving all: after a change, Update every touched node. Touched are a
// persona whose evidence changed in substance, both nodes of an assertion that came or was withdrawn, all carriers of a key that turned
// generic or ceased to be, and all carriers of the keys of an erased node.
func Expand(g Graph, rules *Rules, seeds []NodeID) (*Region, error) {
	x := expansion{graph: g, rules: rules, weighted: weighted(g, rules)}
	x.reset()
	return x.expand(slices.Clone(seeds))
}

// weighted is the graph as the weights above it see it; nil if there are none.
func weighted(g Graph, rules *Rules) Weighted {
	if !rules.weighed {
		return nil
	}
	w, _ := g.(Weighted)
	return w
}

// expand collects the region. It sorts the seeds.
func (x *expansion) expand(seeds []NodeID) (*Region, error) {
	slices.SortFunc(seeds, NodeID.Compare)
	for _, seed := range seeds {
		if err := x.component(seed); err != nil {
			return nil, err
		}
	}
	return x.region()
}

type expansion struct {
	graph    Graph
	weighted Weighted // nil: nothing is weighed
	rules    *Rules
	found    map[NodeID]*found
	hubs     map[[16]byte]*shared // by hash alone, which tells nearly all keys apart and is cheaper to look up
	walks    int

	// What found, hubs and found.keys point into: one region's is used for the next.
	nodes  slab[found]
	shared slab[shared]
	tied   []keyed
}

// slab hands out values that stay where they are until it is reset.
type slab[T any] struct {
	chunks [][]T
	n      int // that are handed out
}

// The first chunk is small: who decides after every record needs few values each time.
const (
	slabFirst = 8
	slabChunk = 64
)

// next gives a zero value.
func (s *slab[T]) next() *T {
	chunk, at, size := 0, s.n, slabFirst
	if s.n >= slabFirst {
		chunk, at, size = 1+(s.n-slabFirst)/slabChunk, (s.n-slabFirst)%slabChunk, slabChunk
	}
	if chunk == len(s.chunks) {
		s.chunks = append(s.chunks, make([]T, size))
	}
	s.n++
	out := &s.chunks[chunk][at]
	var zero T
	*out = zero
	return out
}

// reset takes all back, and lets go of what a giant needed.
func (s *slab[T]) reset() {
	const chunks = 4
	if len(s.chunks) > chunks {
		clear(s.chunks[chunks:])
		s.chunks = s.chunks[:chunks]
	}
	s.n = 0
}

// shared is a key's hub, and where it is in the lists of the region that is made.
type shared struct {
	Hub
	kind                 string
	next                 *shared // of another kind with the same hash
	served, hub, generic int32   // one more than the place; 0 if it is not in the list
}

// reset forgets what was collected. Maps that a giant has made large are let go: to clear them costs as much as he did.
func (x *expansion) reset() {
	const small = 256
	if x.found == nil || len(x.found) > small {
		x.found = map[NodeID]*found{}
	}
	if x.hubs == nil || len(x.hubs) > small {
		x.hubs = map[[16]byte]*shared{}
	}
	clear(x.found)
	clear(x.hubs)
	x.nodes.reset()
	x.shared.reset()
	if x.tied = x.tied[:0]; cap(x.tied) > 8*small {
		x.tied = nil
	}
	x.walks = 0
}

type found struct {
	persona    *Persona
	keys       []keyed // nil until they are asked for
	assertions []Assertion
	before     Hold
	hold       Hold
	inside     bool // decided in this region
	expanded   bool // its neighbours were all looked at, and decided or held before
	served     bool // the server personas around it were all looked at
	walk       int  // the last walk that met it
}

// keyed is a key that ties a node to others, with its hub.
type keyed struct {
	evidence *Evidence
	hub      *shared
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
	f := x.nodes.next()
	f.persona = p
	if f.assertions, err = x.graph.Assertions(id); err != nil {
		return nil, fmt.Errorf("read assertions of %s: %w", id, err)
	}
	if f.before, err = x.graph.Hold(id); err != nil {
		return nil, fmt.Errorf("read hold of %s: %w", id, err)
	}
	x.found[id] = f
	return f, nil
}

func (x *expansion) hub(key Key) (*shared, error) {
	same := x.hubs[key.Hash]
	for h := same; h != nil; h = h.next {
		if h.kind == key.Kind {
			return h, nil
		}
	}
	h, err := x.graph.Hub(key)
	if err != nil {
		return nil, fmt.Errorf("read hub %s: %w", key, err)
	}
	out := x.shared.next()
	out.Hub, out.kind, out.next = h, key.Kind, same
	x.hubs[key.Hash] = out
	return out, nil
}

// component collects the component of evidence around a seed, or holds it.
func (x *expansion) component(seed NodeID) error {
	if f := x.found[seed]; f != nil && f.expanded {
		return nil
	}
	members, over, err := x.walk(seed, x.neighbours, func(*found) {}, func(h Hold) bool { return h != Free })
	if err != nil {
		return err
	}
	for i, id := range members {
		f := x.found[id]
		switch {
		case !over:
			f.inside, f.expanded = true, true
		case i == 0 || f.before == Free: // the walk went through all of these
			f.expanded = true
			if err := x.servers(id); err != nil {
				return err
			}
		}
	}
	return nil
}

// servers collects what server personas and decisions tie to a node whose component is too large with client personas, or holds it.
func (x *expansion) servers(start NodeID) error {
	if x.found[start].served {
		return nil
	}
	members, over, err := x.walk(start, x.serverNeighbours, func(f *found) { f.served = true }, Hold.served)
	if err != nil {
		return err
	}
	for _, id := range members {
		f := x.found[id]
		f.inside, f.hold = true, Apart
		if over {
			f.hold = Cores
		}
	}
	if !over {
		return nil
	}
	// The cores of a giant: each is collected whole, unless it is a giant itself.
	done := map[NodeID]bool{}
	for _, id := range members {
		if done[id] {
			continue
		}
		core, over, err := x.walk(id, x.coreNeighbours, func(*found) {}, func(h Hold) bool { return h == Alone })
		if err != nil {
			return err
		}
		for _, c := range core {
			done[c] = true
			f := x.found[c]
			f.inside, f.hold = true, Cores
			if over {
				f.hold = Alone
			}
		}
	}
	return nil
}

// walk collects what can be reached from a node. Past QuarantineSize it goes on only through nodes whose last hold is not settled: the
// others are held already, and stay so. It calls pass for every node that it goes through.
func (x *expansion) walk(start NodeID, neighbours func(*found, func(NodeID) error) error, pass func(*found), settled func(Hold) bool) (members []NodeID, over bool, err error) {
	f, err := x.load(start)
	if err != nil || f == nil {
		return nil, false, err
	}
	members = []NodeID{start}
	x.walks++
	walk := x.walks
	f.walk = walk
	for i := 0; i < len(members); i++ {
		f := x.found[members[i]]
		if over && i > 0 && settled(f.before) {
			continue
		}
		pass(f)
		err := neighbours(f, func(id NodeID) error {
			next, err := x.load(id)
			if err != nil || next == nil || next.walk == walk {
				return err
			}
			next.walk = walk
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

// keys calls visit for every key that ties a node to others.
func (x *expansion) keys(f *found, visit func(*Evidence, *shared) error) error {
	if f.keys == nil {
		from := len(x.tied)
		for i := range f.persona.Keys {
			e := &f.persona.Keys[i]
			if !x.rules.Links(f.persona, e) {
				continue
			}
			h, err := x.hub(e.Key)
			if err != nil {
				return err
			}
			x.tied = append(x.tied, keyed{e, h})
		}
		f.keys = x.tied[from:len(x.tied):len(x.tied)]
	}
	for _, k := range f.keys {
		if err := visit(k.evidence, k.hub); err != nil {
			return err
		}
	}
	return nil
}

func each(ids []NodeID, visit func(NodeID) error) error {
	for _, id := range ids {
		if err := visit(id); err != nil {
			return err
		}
	}
	return nil
}

// neighbours visits all that a node is tied to. Two server personas are not tied by what is weighed.
func (x *expansion) neighbours(f *found, visit func(NodeID) error) error {
	err := x.keys(f, func(e *Evidence, h *shared) error {
		if !f.persona.served() && h.Clients.Generic {
			return nil
		}
		if !f.persona.served() || !x.rules.weighs(e.Kind) {
			if err := each(h.Servers.Carriers, visit); err != nil {
				return err
			}
		}
		return each(h.Clients.Carriers, visit)
	})
	if err != nil {
		return err
	}
	return links(f, visit)
}

// serverNeighbours visits the server personas that a server persona is tied to, and what decisions tie to any node.
func (x *expansion) serverNeighbours(f *found, visit func(NodeID) error) error {
	if f.persona.served() {
		err := x.keys(f, func(e *Evidence, h *shared) error {
			if x.rules.weighs(e.Kind) {
				return nil
			}
			return each(h.Servers.Carriers, visit)
		})
		if err != nil {
			return err
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

// coreNeighbours visits what stratum 0 may join to a node of a giant.
func (x *expansion) coreNeighbours(f *found, visit func(NodeID) error) error {
	if !f.persona.served() {
		return links(f, visit)
	}
	err := x.keys(f, func(e *Evidence, h *shared) error {
		rule, _ := x.rules.rule(e.Kind)
		if rule.weighed {
			return nil
		}
		for _, id := range h.Servers.Carriers {
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
		return nil
	})
	if err != nil {
		return err
	}
	return links(f, visit)
}

func (x *expansion) region() (*Region, error) {
	r := &Region{rules: x.rules, weighted: x.weighted}
	inside := make([]*found, 0, len(x.found))
	for _, f := range x.found {
		if f != nil && f.inside {
			inside = append(inside, f)
		}
	}
	slices.SortFunc(inside, func(a, b *found) int { return a.persona.ID.Compare(b.persona.ID) })
	r.nodes = make([]*Persona, len(inside))
	for n, f := range inside {
		r.nodes[n] = f.persona
	}
	r.holds = make([]Hold, len(r.nodes))
	r.expanded = make([]bool, len(r.nodes))
	served, hubs := hubList{rules: x.rules}, hubList{rules: x.rules}
	var said map[schema.EventID]bool
	for n, p := range r.nodes {
		f := inside[n]
		r.holds[n], r.expanded[n] = f.hold, f.expanded
		r.held = r.held || f.hold != Free || f.before != Free
		if !p.served() {
			r.clients++
		}
		for _, a := range f.assertions {
			if !said[a.ID] {
				if said == nil {
					said = map[schema.EventID]bool{}
				}
				said[a.ID] = true
				r.assertions = append(r.assertions, a)
			}
		}
		err := x.keys(f, func(e *Evidence, h *shared) error {
			if p.served() && len(h.Servers.Carriers) > 1 && !x.rules.weighs(e.Kind) {
				served.add(&h.served, e, int32(n), h.Servers.Degree, len(h.Servers.Carriers))
			}
			if !h.Clients.Generic {
				if len(h.Clients.Carriers) > 0 && h.carriers() > 1 {
					hubs.add(&h.hub, e, int32(n), h.Clients.Degree, h.carriers())
				}
				return nil
			}
			if h.generic == 0 {
				r.generic = append(r.generic, genericKey{key: e.Key, degree: h.Clients.Degree})
				h.generic = int32(len(r.generic))
			}
			g := &r.generic[h.generic-1]
			g.nodes = append(g.nodes, int32(n))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	served.hubs, hubs.hubs = r.several(served.hubs, hubs.hubs)
	r.served, r.hubs = served.sorted(), hubs.sorted()
	slices.SortFunc(r.generic, func(a, b genericKey) int { return a.key.Compare(b.key) })
	slices.SortFunc(r.assertions, func(a, b Assertion) int {
		if a.after(&b) {
			return -1
		}
		return 1
	})
	return r, nil
}

// several takes the values out that are no one person's: beside which, on the server personas that carry them verified, stand more than
// twice as many values of a limited kind as one person may have. They are told as generic. All carriers that count are in the region of any of them, also in a giant's, where a
// value of a core kind still joins.
func (r *Region) several(served, hubs []hub) (servedOf, hubsOf []hub) {
	var gone []Key
	for i := range served {
		h := &served[i]
		n := r.limited(h)
		if n == 0 {
			continue
		}
		gone = append(gone, h.key)
		nodes := make([]int32, len(h.carriers))
		for i, c := range h.carriers {
			nodes[i] = c.node
		}
		r.generic = append(r.generic, genericKey{h.key, n, nodes})
	}
	if len(gone) == 0 {
		return served, hubs
	}
	isGone := func(h hub) bool { return slices.Contains(gone, h.key) }
	return slices.DeleteFunc(served, isGone), slices.DeleteFunc(hubs, isGone)
}

// limited is how many values of a limited kind stand beside a hub's value, 0 if they can all be one person's.
func (r *Region) limited(h *hub) int {
	for i := range r.rules.Kinds {
		rule := &r.rules.Kinds[i]
		if rule.Limit == 0 || rule == h.rule || len(h.carriers) <= 2*rule.Limit {
			continue
		}
		beside := map[[16]byte]struct{}{}
		for _, c := range h.carriers {
			if !c.evidence.core() {
				continue
			}
			p := r.nodes[c.node]
			for j := range p.Keys {
				e := &p.Keys[j]
				if of, _ := r.rules.rule(e.Kind); of == rule && e.core() {
					beside[e.Hash] = struct{}{}
				}
			}
		}
		if len(beside) > 2*rule.Limit {
			return len(beside)
		}
	}
	return 0
}

// hubList gathers the carriers of keys.
type hubList struct {
	rules *Rules
	hubs  []hub
	room  []carrier // for the next hubs
}

// add notes one of so many carriers of a key, which is at *place - 1 in the list if that is not 0.
func (l *hubList) add(place *int32, e *Evidence, node int32, degree, carriers int) {
	if *place == 0 {
		rule, priority := l.rules.rule(e.Kind)
		const atOnce = 32
		if len(l.room) < carriers {
			l.room = make([]carrier, max(carriers, atOnce))
		}
		l.hubs = append(l.hubs, hub{key: e.Key, rule: rule, priority: priority, degree: degree, carriers: l.room[:0:carriers]})
		l.room = l.room[carriers:]
		*place = int32(len(l.hubs))
	}
	h := &l.hubs[*place-1]
	h.carriers = append(h.carriers, carrier{node, e})
	h.best = max(h.best, e.Assurance)
	h.alias = h.alias || e.Alias
}

func (l *hubList) sorted() []hub {
	slices.SortFunc(l.hubs, hub.compare)
	return l.hubs
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
