package identity

import (
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// Memory is a Graph in memory: what tests, offline resolution and small workspaces use, and the model of what a store has to keep.
// It must not be used concurrently.
type Memory struct {
	rules    *Rules
	reader   *Reader
	personas map[NodeID]*Persona
	hubs     map[Key]*memoryHub
	said     map[NodeID][]*Assertion
	byID     map[schema.EventID]*Assertion
	released map[schema.EventID]bool
	closed   map[NodeID]bool
	holds    map[NodeID]Hold
	profile  map[NodeID]NodeID
	touched  map[NodeID]struct{}
}

type memoryHub struct {
	HubState
	servers, clients []NodeID // that carry the key, sorted
}

func (h *memoryHub) of(trust schema.Trust) *[]NodeID {
	if trust == schema.TrustServer {
		return &h.servers
	}
	return &h.clients
}

// listed gives the carriers that the hub ties together.
func (h *memoryHub) listed(rules *Rules) (servers, clients []NodeID) {
	if !h.Generic(schema.TrustServer, rules) {
		servers = h.servers
	}
	if !h.Generic(schema.TrustClient, rules) {
		clients = h.clients
	}
	return servers, clients
}

// NewMemory makes an empty graph.
func NewMemory(hash Hasher, rules *Rules) *Memory {
	return &Memory{
		rules: rules, reader: NewReader(hash, rules),
		personas: map[NodeID]*Persona{}, hubs: map[Key]*memoryHub{}, said: map[NodeID][]*Assertion{}, byID: map[schema.EventID]*Assertion{},
		released: map[schema.EventID]bool{}, closed: map[NodeID]bool{}, holds: map[NodeID]Hold{}, profile: map[NodeID]NodeID{}, touched: map[NodeID]struct{}{},
	}
}

// Reader is what Add reads events with: who reads beside it shares its memory of values.
func (m *Memory) Reader() *Reader { return m.reader }

// Add folds one event and says what changed. Adding an event again changes nothing.
func (m *Memory) Add(e *schema.Event, recordedAt schema.Instant) Change {
	p, assertions := m.reader.Read(e, recordedAt)
	change := Unchanged
	if !p.IsZero() {
		change = m.AddEvidence(p)
	}
	for i := range assertions {
		change = max(change, m.assert(&assertions[i]))
	}
	return change
}

// AddEvidence joins evidence to its persona. Evidence of an erased persona is void.
func (m *Memory) AddEvidence(p *Persona) Change {
	if m.closed[p.ID] {
		return Unchanged
	}
	have, ok := m.personas[p.ID]
	if !ok {
		have = &Persona{}
		m.personas[p.ID] = have
	}
	// The fast path: an event that adds nothing costs no copy.
	if ok && have.covers(p) {
		return have.Join(p)
	}
	before := have.Clone()
	change := have.Join(p)
	if change == Substance {
		m.index(before, have)
		if !ok || !Extends(before, have, m.rules) || !m.sole(before, have) {
			m.touch(p.ID)
		}
	}
	return change
}

// sole says whether nobody else carries the keys that a persona did not carry before.
func (m *Memory) sole(before, after *Persona) bool {
	for i := range after.Keys {
		k := after.Keys[i].Key
		if before.Evidence(k) != nil {
			continue
		}
		if h := m.hubs[k]; h != nil && h.HubState.Carriers() > 1 {
			return false
		}
	}
	return true
}

func (m *Memory) index(before, after *Persona) {
	d := Diff(before, after, m.rules)
	for _, key := range d.Removed {
		m.dropCarrier(key, before)
	}
	for i := range after.Keys {
		e := &after.Keys[i]
		if !m.rules.Links(after, e) {
			continue
		}
		isNew := slices.Contains(d.Added, e.Key)
		if !isNew && !d.BesideGrew && !d.BesideShrank {
			continue
		}
		h, ok := m.hubs[e.Key]
		if !ok {
			h = &memoryHub{}
			m.hubs[e.Key] = h
		}
		forServers, forClients := h.Generic(schema.TrustServer, m.rules), h.Generic(schema.TrustClient, m.rules)
		if isNew {
			list := h.of(after.Trust)
			at, _ := slices.BinarySearchFunc(*list, after.ID, NodeID.Compare)
			*list = slices.Insert(*list, at, after.ID)
		}
		if d.BesideShrank && !isNew {
			m.remake(h, e.Key, after.Trust)
		} else {
			h.Of(after.Trust).Add(besideKey(d.Beside, e.Key), isNew, m.rules)
		}
		if forServers != h.Generic(schema.TrustServer, m.rules) || forClients != h.Generic(schema.TrustClient, m.rules) {
			if !forServers { // whom it ties together no more
				m.touch(h.servers...)
			}
			if !forClients {
				m.touch(h.clients...)
			}
			servers, clients := h.listed(m.rules) // whom it ties together only now
			m.touch(servers...)
			m.touch(clients...)
		}
	}
}

// remake makes a side of a hub's state anew from its carriers.
func (m *Memory) remake(h *memoryHub, key Key, trust schema.Trust) {
	side := h.Of(trust)
	*side = SideState{}
	for _, c := range *h.of(trust) {
		side.Add(besideKey(m.personas[c].Beside(m.rules), key), true, m.rules)
	}
}

// dropCarrier takes a carrier from a hub and makes its side of the hub's state anew. All carriers that the hub listed or lists now are
// touched: what held them together, or what kept them apart, may have gone.
func (m *Memory) dropCarrier(key Key, p *Persona) {
	h, ok := m.hubs[key]
	if !ok {
		return
	}
	touch := func() {
		servers, clients := h.listed(m.rules)
		m.touch(servers...)
		m.touch(clients...)
	}
	touch()
	list := h.of(p.Trust)
	if at, found := slices.BinarySearchFunc(*list, p.ID, NodeID.Compare); found {
		*list = slices.Delete(*list, at, at+1)
	}
	m.remake(h, key, p.Trust)
	touch()
	if h.HubState.Carriers() == 0 {
		delete(m.hubs, key)
	}
}

// Erase removes a node for good: evidence of it that comes later is void.
func (m *Memory) Erase(id NodeID) {
	m.closed[id] = true
	p := m.personas[id]
	if p == nil {
		return
	}
	delete(m.personas, id)
	d := Diff(p, nil, m.rules)
	for _, key := range d.Removed {
		m.dropCarrier(key, p)
	}
	for _, a := range m.said[id] {
		m.touch(a.A, a.B)
	}
	delete(m.holds, id)
	delete(m.profile, id)
}

func (m *Memory) assert(a *Assertion) Change {
	if a.Kind == Released {
		if m.released[a.Of] {
			return Unchanged
		}
		m.released[a.Of] = true
		if of := m.byID[a.Of]; of != nil {
			m.touch(of.A, of.B)
		}
		return Substance
	}
	if m.byID[a.ID] != nil {
		return Unchanged
	}
	m.byID[a.ID] = a
	m.said[a.A] = append(m.said[a.A], a)
	m.said[a.B] = append(m.said[a.B], a)
	m.touch(a.A, a.B)
	return Substance
}

func (m *Memory) touch(ids ...NodeID) {
	for _, id := range ids {
		m.touched[id] = struct{}{}
	}
}

// Persona implements Graph.
func (m *Memory) Persona(id NodeID) (*Persona, error) { return m.personas[id], nil }

// Hub implements Graph.
func (m *Memory) Hub(key Key) (Hub, error) {
	h := m.hubs[key]
	if h == nil {
		return Hub{}, nil
	}
	hub := Hub{Servers: h.Side(schema.TrustServer, m.rules), Clients: h.Side(schema.TrustClient, m.rules)}
	if !hub.Servers.Generic {
		hub.Servers.Carriers = h.servers
	}
	if !hub.Clients.Generic {
		hub.Clients.Carriers = h.clients
	}
	return hub, nil
}

// Assertions implements Graph.
func (m *Memory) Assertions(id NodeID) ([]Assertion, error) {
	var out []Assertion
	for _, a := range m.said[id] {
		if !m.released[a.ID] {
			out = append(out, *a)
		}
	}
	return out, nil
}

// Hold implements Graph.
func (m *Memory) Hold(id NodeID) (Hold, error) { return m.holds[id], nil }

// Resolve brings the partition up to date: it resolves the regions of what was touched since the last call.
func (m *Memory) Resolve() error { return m.ResolveEach(func(*Partition) {}) }

// ResolveEach is Resolve, and hands over who is who in each region as it is resolved.
func (m *Memory) ResolveEach(each func(*Partition)) error {
	touched := make([]NodeID, 0, len(m.touched))
	for id := range m.touched {
		touched = append(touched, id)
	}
	clear(m.touched)
	return Update(m, m.rules, touched, func(_ *Region, p *Partition) error {
		for _, profile := range p.Profiles {
			for _, member := range profile.Members {
				m.profile[member] = profile.ID
				if profile.Hold == Free {
					delete(m.holds, member)
				} else {
					m.holds[member] = profile.Hold
				}
			}
		}
		each(p)
		return nil
	})
}

// ResolveAll forgets all earlier resolutions and resolves everything.
func (m *Memory) ResolveAll() error {
	clear(m.holds)
	clear(m.profile)
	for id := range m.personas {
		m.touch(id)
	}
	return m.Resolve()
}

// Profile gives the profile that holds a node, as of the last Resolve.
func (m *Memory) Profile(id NodeID) (NodeID, bool) {
	p, ok := m.profile[id]
	return p, ok
}

// Nodes lists all nodes in order.
func (m *Memory) Nodes() []NodeID {
	out := make([]NodeID, 0, len(m.personas))
	for id := range m.personas {
		out = append(out, id)
	}
	slices.SortFunc(out, NodeID.Compare)
	return out
}
