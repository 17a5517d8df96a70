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
	carriers []NodeID // sorted
}

// NewMemory makes an empty graph.
func NewMemory(hash Hasher, rules *Rules) *Memory {
	return &Memory{
		rules: rules, reader: NewReader(hash, rules),
		personas: map[NodeID]*Persona{}, hubs: map[Key]*memoryHub{}, said: map[NodeID][]*Assertion{}, byID: map[schema.EventID]*Assertion{},
		released: map[schema.EventID]bool{}, closed: map[NodeID]bool{}, holds: map[NodeID]Hold{}, profile: map[NodeID]NodeID{}, touched: map[NodeID]struct{}{},
	}
}

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
		m.touch(p.ID)
		m.index(before, have)
	}
	return change
}

func (m *Memory) index(before, after *Persona) {
	d := Diff(before, after, m.rules)
	for _, key := range d.Removed {
		m.dropCarrier(key, before.ID)
	}
	for i := range after.Keys {
		e := &after.Keys[i]
		if !m.rules.Links(after, e) {
			continue
		}
		isNew := slices.Contains(d.Added, e.Key)
		if !isNew && !d.BesideGrew {
			continue
		}
		h, ok := m.hubs[e.Key]
		if !ok {
			h = &memoryHub{}
			m.hubs[e.Key] = h
		}
		was := h.Generic(m.rules)
		if isNew {
			at, _ := slices.BinarySearchFunc(h.carriers, after.ID, NodeID.Compare)
			h.carriers = slices.Insert(h.carriers, at, after.ID)
		}
		h.Add(besideKey(d.Beside, e.Key), isNew, m.rules)
		if !was && h.Generic(m.rules) {
			m.touch(h.carriers...)
		}
	}
}

// dropCarrier takes a carrier from a hub and makes the hub's state anew. All carriers are touched: what held them together, or what
// kept them apart, may have gone.
func (m *Memory) dropCarrier(key Key, id NodeID) {
	h, ok := m.hubs[key]
	if !ok {
		return
	}
	m.touch(h.carriers...)
	if at, found := slices.BinarySearchFunc(h.carriers, id, NodeID.Compare); found {
		h.carriers = slices.Delete(h.carriers, at, at+1)
	}
	h.HubState = HubState{}
	for _, c := range h.carriers {
		h.Add(besideKey(m.personas[c].Beside(m.rules), key), true, m.rules)
	}
	if len(h.carriers) == 0 {
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
		m.dropCarrier(key, id)
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
	hub := Hub{Generic: h.Generic(m.rules), Degree: h.Degree()}
	if !hub.Generic {
		hub.Carriers = h.carriers
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
func (m *Memory) Resolve() error {
	touched := make([]NodeID, 0, len(m.touched))
	for id := range m.touched {
		touched = append(touched, id)
	}
	clear(m.touched)
	return Update(m, m.rules, touched, func(_ *Region, p *Partition) error {
		for _, profile := range p.Profiles {
			for _, member := range profile.Members {
				m.profile[member] = profile.ID
				m.holds[member] = profile.Hold
			}
		}
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
