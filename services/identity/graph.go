package identity

import (
	"fmt"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/identity"
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
	places memory[identity.NodeID, *place]
	said   memory[identity.NodeID, *decisions]

	released map[schema.EventID]bool // withdrawn since the last commit
	buf      []byte
}

// Sizes of the writer's memory, in rows. A generation passes when it is half of that; it may be larger by what one commit touches.
const (
	nodesInMemory  = 8 << 10
	hubsInMemory   = 16 << 10
	placesInMemory = 32 << 10
	saidInMemory   = 8 << 10
)

func newGraph(r state.Reader, lookup *state.Lookup, rules *identity.Rules) *graph {
	g := &graph{r: r, lookup: lookup, rules: rules}
	g.nodes.limit, g.hubs.limit, g.places.limit, g.said.limit = nodesInMemory, hubsInMemory, placesInMemory, saidInMemory
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
	fresh.released = g.released
	*g = *fresh
}

func (g *graph) age() {
	g.nodes.age()
	g.hubs.age()
	g.places.age()
	g.said.age()
}

// read gives a stored row; it is valid until the next read.
func (g *graph) read(key []byte) (value []byte, found bool, err error) {
	g.buf, found, err = g.lookup.Get(g.buf[:0], key)
	return g.buf, found, err
}

func (g *graph) node(id identity.NodeID) (*node, error) {
	if n, found := g.nodes.get(id); found {
		return n, nil
	}
	value, found, err := g.read(nodeKey('p', id))
	if err != nil {
		return nil, err
	}
	n := &node{id: id}
	if found {
		if n, err = decodeNode(id, value); err != nil {
			return nil, fmt.Errorf("persona %s: %w", id, err)
		}
	}
	g.nodes.put(id, n)
	return n, nil
}

func (g *graph) hub(key identity.Key) (*hub, error) {
	if h, found := g.hubs.get(key); found {
		return h, nil
	}
	value, found, err := g.read(hubKey('h', key))
	if err != nil {
		return nil, err
	}
	h := &hub{key: key, loaded: true}
	if found {
		if h, err = decodeHub(key, value); err != nil {
			return nil, fmt.Errorf("hub %s: %w", key, err)
		}
	}
	g.hubs.put(key, h)
	return h, nil
}

// carriers loads who carries the key.
func (g *graph) carriers(h *hub) ([]identity.NodeID, error) {
	if h.loaded {
		return h.carriers, nil
	}
	h.carriers = h.carriers[:0]
	err := g.scanCarriers(h, func(id identity.NodeID) error {
		h.carriers = append(h.carriers, id)
		return nil
	})
	if err != nil {
		return nil, err
	}
	h.loaded = true
	return h.carriers, nil
}

// scanCarriers calls f for each carrier of a spilled hub in order, with those that are not committed yet.
func (g *graph) scanCarriers(h *hub, f func(identity.NodeID) error) error {
	prefix := hubKey('c', h.key)
	added := slices.Clone(h.added)
	slices.SortFunc(added, identity.NodeID.Compare)
	give := func(id identity.NodeID) error {
		if slices.Contains(h.removed, id) {
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

func (g *graph) place(id identity.NodeID) (*place, error) {
	if p, found := g.places.get(id); found {
		return p, nil
	}
	value, found, err := g.read(nodeKey('m', id))
	if err != nil {
		return nil, err
	}
	p := &place{}
	if found {
		if p, err = decodePlace(value); err != nil {
			return nil, fmt.Errorf("profile of persona %s: %w", id, err)
		}
	}
	g.places.put(id, p)
	return p, nil
}

func (g *graph) decisions(id identity.NodeID) (*decisions, error) {
	if d, found := g.said.get(id); found {
		return d, nil
	}
	value, found, err := g.read(nodeKey('a', id))
	if err != nil {
		return nil, err
	}
	d := &decisions{}
	if found {
		if d, err = decodeDecisions(value); err != nil {
			return nil, fmt.Errorf("assertions of persona %s: %w", id, err)
		}
	}
	g.said.put(id, d)
	return d, nil
}

// profile reads who is in a profile, nil if there is none of that id. It is not remembered: only what is committed is seen.
func (g *graph) profile(id identity.NodeID) (*profile, error) {
	value, found, err := g.read(nodeKey('f', id))
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
	out := identity.Hub{Generic: h.Generic(g.rules), Degree: h.Degree()}
	if !out.Generic {
		out.Carriers, err = g.carriers(h)
	}
	return out, err
}

// Assertions implements identity.Graph.
func (g *graph) Assertions(id identity.NodeID) ([]identity.Assertion, error) {
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
	if g.released[id] {
		return true, nil
	}
	_, found, err := g.read(eventKey('r', id))
	return found, err
}

// Hold implements identity.Graph.
func (g *graph) Hold(id identity.NodeID) (identity.Hold, error) {
	p, err := g.place(id)
	if err != nil {
		return 0, err
	}
	return p.hold, nil
}
