package identity

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/sighting"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// graph reads rows and remembers them. It is the identity.Graph of the resolver. The writer's graph holds what it changed until the next
// commit; a reader's graph lives for one question over one snapshot. It belongs to one goroutine.
type graph struct {
	r      state.Reader
	lookup *state.Lookup // of the same moment as r, as far as single rows go
	rules  *identity.Rules
	nodes  memory[identity.NodeID, *node]
	hubs   memory[identity.Key, *hub]
	said   memory[identity.NodeID, *decisions]

	wholes func(core identity.NodeID) (identity.NodeID, error) // the profile that stratum 2 puts a core in; nil without a model

	undecided bool                              // nobody has decided anything yet: there are no rows of decisions to look for
	released  map[schema.EventID]schema.Instant // withdrawn since the last commit, with the smallest RecordedAt of what withdraws it
	recent    *state.Recent                     // rows as of the last commit; nil for a reader
	written   *state.Filter                     // of all keys that were ever set; nil if that is not known

	// Of personas whose rows were not read since the last commit, what is to be merged into them.
	waiting  []*waiting
	awaiting map[identity.NodeID]*waiting
	took     []*node // that were read after all, and have it now

	buf []byte
	key []byte
}

// waiting is sightings that are to be merged into the row of a persona.
type waiting struct {
	id      identity.NodeID
	seen    sighting.Run
	taken   bool // the node has it
	written bool // the batch has it
}

// wait gives what waits for a persona whose row is not in memory.
func (g *graph) wait(id identity.NodeID) *waiting {
	w := g.awaiting[id]
	if w == nil {
		if n := len(g.waiting); n < cap(g.waiting) && g.waiting[:n+1][n] != nil {
			g.waiting = g.waiting[:n+1]
			w = g.waiting[n]
			w.seen.Reset()
			w.id, w.taken, w.written = id, false, false
		} else {
			w = &waiting{id: id}
			g.waiting = append(g.waiting, w)
		}
		if g.awaiting == nil {
			g.awaiting = map[identity.NodeID]*waiting{}
		}
		g.awaiting[id] = w
	}
	return w
}

// done forgets what waited, which is committed.
func (g *graph) done() {
	g.waiting = g.waiting[:0]
	clear(g.awaiting)
}

// Sizes of the writer's memory, in rows. A generation passes when it is half of that; it may be larger by what one commit touches.
const (
	nodesInMemory = 8 << 10
	hubsInMemory  = 16 << 10
	saidInMemory  = 8 << 10

	recentBytes = 128 << 20 // of stored rows, beside those
)

func newGraph(r state.Reader, lookup *state.Lookup, rules *identity.Rules) *graph {
	g := &graph{r: r, lookup: lookup, rules: rules}
	g.nodes.limit, g.hubs.limit, g.said.limit = nodesInMemory, hubsInMemory, saidInMemory
	return g
}

// memory keeps what was used lately, in two generations. Nothing leaves it but by age, which the writer calls when nothing is dirty.
type memory[K comparable, V any] struct {
	young, old map[K]V
	limit      int
}

func (m *memory[K, V]) get(k K) (v V, found bool) {
	if v, found = m.young[k]; found {
		return v, true
	}
	if v, found = m.old[k]; found {
		m.put(k, v)
	}
	return v, found
}

func (m *memory[K, V]) put(k K, v V) {
	if m.young == nil {
		m.young = make(map[K]V)
	}
	m.young[k] = v
}

func (m *memory[K, V]) age() {
	if len(m.young) > m.limit/2 {
		m.old, m.young = m.young, nil
	}
}

// forget empties the memory. Nothing may be dirty.
func (g *graph) forget() {
	fresh := newGraph(g.r, g.lookup, g.rules)
	fresh.released, fresh.undecided, fresh.written, fresh.wholes = g.released, g.undecided, g.written, g.wholes
	if g.recent != nil {
		fresh.recent = state.NewRecent(recentBytes)
	}
	*g = *fresh
}

func (g *graph) age() {
	g.nodes.age()
	g.hubs.age()
	g.said.age()
}

// read gives a stored row; it is valid until the next read.
func (g *graph) read(key []byte) (value []byte, found bool, err error) {
	if g.recent != nil {
		if g.buf, found = g.recent.Get(g.buf[:0], key); found {
			return g.buf, true, nil
		}
	}
	if g.written != nil && !g.written.May(key) {
		return g.buf[:0], false, nil
	}
	g.buf, found, err = g.lookup.Get(g.buf[:0], key)
	if found && g.recent != nil {
		g.recent.Put(key, g.buf)
	}
	return g.buf, found, err
}

// set writes a row with the batch, and remembers it as of when that is committed.
func (g *graph) set(b *state.Batch, key, value []byte) error {
	g.recent.Put(key, value)
	if g.written != nil {
		g.written.Add(key)
	}
	return b.Set(key, value)
}

// merge appends to a row with the batch.
func (g *graph) merge(b *state.Batch, key, more []byte) error {
	g.recent.Append(key, more)
	return b.Merge(key, more)
}

// delete removes a row with the batch.
func (g *graph) delete(b *state.Batch, key []byte) error {
	g.recent.Remove(key)
	return b.Delete(key)
}

// nodeKey and hubKey are the keys of rows, until the next call.
func (g *graph) nodeKey(table byte, id identity.NodeID) []byte {
	g.key = append(append(g.key[:0], table), id[:]...)
	return g.key
}

func (g *graph) hubKey(table byte, k identity.Key) []byte {
	g.key = append(append(append(g.key[:0], table), k.Kind...), 0)
	g.key = append(g.key, k.Hash[:]...)
	return g.key
}

func (g *graph) node(id identity.NodeID) (*node, error) {
	if n, found := g.nodes.get(id); found {
		return n, nil
	}
	value, found, err := g.read(g.nodeKey('p', id))
	if err != nil {
		return nil, err
	}
	w := g.awaiting[id]
	if w != nil {
		if !found {
			return nil, fmt.Errorf("persona %s: %w", id, errDamaged)
		}
		g.buf = append(g.buf, w.seen.Bytes...)
		value = g.buf
	}
	n := &node{id: id}
	if found {
		if n, err = decodeNode(id, value); err != nil {
			return nil, fmt.Errorf("persona %s: %w", id, err)
		}
	}
	if w != nil && !w.written {
		n.merged -= len(w.seen.Bytes)
		n.seen, w.seen, w.taken = w.seen, sighting.Run{}, true
		g.took = append(g.took, n)
	}
	g.nodes.put(id, n)
	return n, nil
}

func (g *graph) hub(key identity.Key) (*hub, error) {
	if h, found := g.hubs.get(key); found {
		return h, nil
	}
	value, found, err := g.read(g.hubKey('h', key))
	if err != nil {
		return nil, err
	}
	h := newHub(key)
	if found {
		if h, err = decodeHub(key, value); err != nil {
			return nil, fmt.Errorf("hub %s: %w", key, err)
		}
	}
	g.hubs.put(key, h)
	return h, nil
}

// carriers loads who of a trust carries the key.
func (g *graph) carriers(h *hub, trust schema.Trust) ([]identity.NodeID, error) {
	c := h.of(trust)
	if c.loaded {
		return c.ids, nil
	}
	c.ids = c.ids[:0]
	err := g.scanCarriers(h.key, c, func(id identity.NodeID) error {
		c.ids = append(c.ids, id)
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.loaded = true
	return c.ids, nil
}

// listed loads the carriers that the hub ties together: those for whom it is not generic. The lists are the hub's own.
func (g *graph) listed(h *hub) (servers, clients []identity.NodeID, err error) {
	if !h.Generic(schema.TrustServer, g.rules) {
		if servers, err = g.carriers(h, schema.TrustServer); err != nil {
			return nil, nil, err
		}
	}
	if !h.Generic(schema.TrustClient, g.rules) {
		clients, err = g.carriers(h, schema.TrustClient)
	}
	return servers, clients, err
}

// eachCarrier calls f for who of a trust carries the key, in order, without keeping those that are spilled.
func (g *graph) eachCarrier(h *hub, trust schema.Trust, f func(identity.NodeID) error) error {
	c := h.of(trust)
	if !c.loaded {
		return g.scanCarriers(h.key, c, f)
	}
	for _, id := range c.ids {
		if err := f(id); err != nil {
			return err
		}
	}
	return nil
}

// scanCarriers calls f for each spilled carrier in order, with those that are not committed yet.
func (g *graph) scanCarriers(key identity.Key, c *carriers, f func(identity.NodeID) error) error {
	prefix := hubKey(c.table, key)
	added := slices.Clone(c.added)
	slices.SortFunc(added, identity.NodeID.Compare)
	give := func(id identity.NodeID) error {
		if slices.Contains(c.removed, id) {
			return nil
		}
		return f(id)
	}
	err := g.r.Scan(prefix, state.After(prefix), func(key, _ []byte) error {
		if len(key) != len(prefix)+16 {
			return errDamaged
		}
		id := identity.NodeID(key[len(prefix):])
		for len(added) > 0 && added[0].Compare(id) < 0 {
			if err := give(added[0]); err != nil {
				return err
			}
			added = added[1:]
		}
		if len(added) > 0 && added[0] == id {
			added = added[1:]
		}
		return give(id)
	})
	if err != nil {
		return err
	}
	for _, id := range added {
		if err := give(id); err != nil {
			return err
		}
	}
	return nil
}

// place says who a persona is: nobody, if nothing is known of it.
func (g *graph) place(id identity.NodeID) (place, error) {
	n, err := g.node(id)
	if err != nil {
		return place{}, err
	}
	return n.place, nil
}

func (g *graph) decisions(id identity.NodeID) (*decisions, error) {
	if d, found := g.said.get(id); found {
		return d, nil
	}
	d := &decisions{}
	if g.undecided {
		g.said.put(id, d)
		return d, nil
	}
	value, found, err := g.read(g.nodeKey('a', id))
	if err != nil {
		return nil, err
	}
	if found {
		if d, err = decodeDecisions(value); err != nil {
			return nil, fmt.Errorf("assertions of persona %s: %w", id, err)
		}
	}
	g.said.put(id, d)
	return d, nil
}

// profile reads who is in a profile, nil if there is none of that id. It is not remembered: of those with more than one persona only what
// is committed is seen.
func (g *graph) profile(id identity.NodeID) (*profile, error) {
	n, err := g.node(id)
	if err != nil || n.evidence == nil || n.place.profile != id {
		return nil, err
	}
	if !n.place.listed {
		one := identity.Profile{Hold: n.place.hold, Served: n.evidence.Trust == schema.TrustServer}
		return &profile{hold: one.Quarantined(), members: []identity.NodeID{id}}, nil
	}
	return g.listing(id)
}

// listing reads the row of a profile that has one.
func (g *graph) listing(id identity.NodeID) (*profile, error) {
	value, found, err := g.read(g.nodeKey('f', id))
	if err != nil || !found {
		return nil, err
	}
	p, err := decodeProfile(value)
	if err != nil {
		return nil, fmt.Errorf("profile %s: %w", id, err)
	}
	return p, nil
}

// Persona implements identity.Graph.
func (g *graph) Persona(id identity.NodeID) (*identity.Persona, error) {
	n, err := g.node(id)
	if err != nil {
		return nil, err
	}
	return n.evidence, nil
}

// Hub implements identity.Graph.
func (g *graph) Hub(key identity.Key) (identity.Hub, error) {
	h, err := g.hub(key)
	if err != nil {
		return identity.Hub{}, err
	}
	out := identity.Hub{Servers: h.Side(schema.TrustServer, g.rules), Clients: h.Side(schema.TrustClient, g.rules)}
	if !out.Servers.Generic {
		if out.Servers.Carriers, err = g.carriers(h, schema.TrustServer); err != nil {
			return out, err
		}
	}
	if !out.Clients.Generic {
		out.Clients.Carriers, err = g.carriers(h, schema.TrustClient)
	}
	return out, err
}

// Assertions implements identity.Graph.
func (g *graph) Assertions(id identity.NodeID) ([]identity.Assertion, error) {
	if g.undecided {
		return nil, nil
	}
	d, err := g.decisions(id)
	if err != nil || len(d.said) == 0 {
		return nil, err
	}
	out := make([]identity.Assertion, 0, len(d.said))
	for _, a := range d.said {
		withdrawn, err := g.withdrawn(a.ID)
		if err != nil {
			return nil, err
		}
		if !withdrawn {
			out = append(out, a)
		}
	}
	return out, nil
}

// withdrawn says whether an identity.released event names the assertion, whichever of the two came first.
func (g *graph) withdrawn(id schema.EventID) (bool, error) {
	_, found, err := g.withdrawnAt(id)
	return found, err
}

// withdrawnAt is withdrawn, and gives the smallest RecordedAt of what withdraws the assertion.
func (g *graph) withdrawnAt(id schema.EventID) (at schema.Instant, found bool, err error) {
	if at, found = g.released[id]; found {
		return at, true, nil
	}
	value, found, err := g.read(eventKey('r', id))
	if err != nil || !found {
		return 0, false, err
	}
	if len(value) != 8 {
		return 0, false, errDamaged
	}
	return schema.Instant(binary.BigEndian.Uint64(value)), true, nil
}

// Whole implements identity.Weighted.
func (g *graph) Whole(core identity.NodeID) (identity.NodeID, error) {
	if g.wholes == nil {
		return core, nil
	}
	return g.wholes(core)
}

// Holder implements identity.Weighted.
func (g *graph) Holder(id identity.NodeID) (identity.NodeID, error) {
	at, err := g.place(id)
	if err != nil || at.profile.IsZero() {
		return identity.NodeID{}, err
	}
	return g.Whole(at.profile)
}

// Hold implements identity.Graph.
func (g *graph) Hold(id identity.NodeID) (identity.Hold, error) {
	p, err := g.place(id)
	if err != nil {
		return 0, err
	}
	return p.hold, nil
}
