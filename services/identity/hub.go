package identity

import (
	"fmt"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/identifier"
	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
)

// index brings the hubs up to date with one persona. Where a value begins or ceases to be generic, what rested on it or fell apart with it
// is touched.
func (p *projection) index(before, after *identity.Persona) error {
	d := identity.Diff(before, after, p.rules)
	for _, key := range d.Removed {
		if err := p.drop(key, before); err != nil {
			return err
		}
	}
	for i := range after.Keys {
		e := &after.Keys[i]
		if !p.rules.Links(after, e) {
			continue
		}
		isNew := slices.Contains(d.Added, e.Key)
		if !isNew && !d.BesideGrew && !d.BesideShrank {
			continue
		}
		h, err := p.graph.hub(e.Key)
		if err != nil {
			return err
		}
		forServers, forClients := h.Generic(schema.TrustServer, p.rules), h.Generic(schema.TrustClient, p.rules)
		if _, _, err := p.graph.listed(h); err != nil { // whom it may tie together no more
			return err
		}
		if isNew {
			h.of(after.Trust).carry(after.ID)
		}
		if d.BesideShrank && !isNew {
			// With more carriers than that the value is generic whatever stands beside it; drop makes the state anew when some go.
			if h.Of(after.Trust).Carriers <= p.rules.HubSize {
				if err := p.remake(h, after.Trust); err != nil {
					return err
				}
			}
		} else if h.Of(after.Trust).Add(identity.BesideKey(d.Beside, e.Key), isNew, p.rules) {
			p.markHub(h)
		}
		if forServers != h.Generic(schema.TrustServer, p.rules) || forClients != h.Generic(schema.TrustClient, p.rules) {
			if !forServers {
				p.touch(h.servers.ids...)
			}
			if !forClients {
				p.touch(h.clients.ids...)
			}
			servers, clients, err := p.graph.listed(h) // whom it ties together only now
			if err != nil {
				return err
			}
			p.touch(servers...)
			p.touch(clients...)
		}
		h.unload(p.rules)
	}
	return nil
}

// carry adds a carrier.
func (c *carriers) carry(id identity.NodeID) {
	if c.loaded {
		if at, found := slices.BinarySearchFunc(c.ids, id, identity.NodeID.Compare); !found {
			c.ids = slices.Insert(c.ids, at, id)
		}
	}
	switch {
	case c.spilled:
		c.added = append(c.added, id)
		if at := slices.Index(c.removed, id); at >= 0 {
			c.removed = slices.Delete(c.removed, at, at+1)
		}
	case len(c.ids) > inlineCarriers:
		c.spilled = true
		c.added = slices.Clone(c.ids)
	}
}

// unload forgets carriers for whom the hub is generic, whom nobody walks through.
func (h *hub) unload(rules *identity.Rules) {
	for _, trust := range []schema.Trust{schema.TrustServer, schema.TrustClient} {
		if c := h.of(trust); c.spilled && c.loaded && h.Generic(trust, rules) {
			c.ids, c.loaded = nil, false
		}
	}
}

// drop takes a carrier from a hub and makes its side of the hub's state anew from those that are left. All whom the hub ties together, or did, are
// touched: what held them together, or kept them apart, may have gone.
func (p *projection) drop(key identity.Key, gone *identity.Persona) error {
	h, err := p.graph.hub(key)
	if err != nil {
		return err
	}
	touch := func() error {
		servers, clients, err := p.graph.listed(h)
		p.touch(servers...)
		p.touch(clients...)
		return err
	}
	if err := touch(); err != nil {
		return err
	}
	ids, err := p.graph.carriers(h, gone.Trust)
	if err != nil {
		return err
	}
	at, found := slices.BinarySearchFunc(ids, gone.ID, identity.NodeID.Compare)
	if !found {
		h.unload(p.rules)
		return nil
	}
	c := h.of(gone.Trust)
	c.ids = slices.Delete(ids, at, at+1)
	if c.spilled {
		c.removed = append(c.removed, gone.ID)
		c.added = slices.DeleteFunc(c.added, func(a identity.NodeID) bool { return a == gone.ID })
	}
	if err := p.remake(h, gone.Trust); err != nil {
		return err
	}
	if err := touch(); err != nil {
		return err
	}
	h.unload(p.rules)
	return nil
}

// remake makes a side of a hub's state anew from its carriers.
func (p *projection) remake(h *hub, trust schema.Trust) error {
	ids, err := p.graph.carriers(h, trust)
	if err != nil {
		return err
	}
	side := h.Of(trust)
	if *side = (identity.SideState{}); trust != schema.TrustServer && !identifier.Of(h.key.Kind).Device {
		side.Carriers = len(ids) // nothing counts beside these (identity.BesideKey), so they need not be read
	} else {
		for _, id := range ids {
			n, err := p.graph.node(id)
			if err != nil {
				return err
			}
			if n.evidence == nil {
				return fmt.Errorf("hub %s names persona %s, of which nothing is known: %w", h.key, id, errDamaged)
			}
			side.Add(identity.BesideKey(n.evidence.Beside(p.rules), h.key), true, p.rules)
		}
	}
	p.markHub(h)
	return nil
}
