package identity

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// commit decides who is who after everything that was folded since the last commit, and makes it visible, with the offsets, in one batch.
func (p *projection) commit() error {
	if p.deciding || p.built {
		if err := p.resolve(); err != nil {
			return err
		}
	}
	b := p.store.NewBatch()
	if err := p.write(b); err != nil {
		p.graph.recent = state.NewRecent(recentBytes)
		return errors.Join(err, b.Discard())
	}
	// At this point nothing is visible yet; after Commit everything is.
	if err := b.Commit(); err != nil {
		p.graph.recent = state.NewRecent(recentBytes)
		return err
	}
	if err := p.look(); err != nil {
		return err
	}
	for _, n := range p.nodes {
		if n.merges() {
			n.merged += len(n.seen.Bytes)
		} else {
			n.merged = len(n.packed.seen)
		}
		n.dirty, n.fresh = false, false
		n.seen.Reset()
	}
	for _, h := range p.hubs {
		h.dirty = false
		for _, c := range []*carriers{&h.servers, &h.clients} {
			c.added, c.removed = nil, nil
		}
	}
	p.clear()
	p.graph.age()
	p.progress.set(p.positions())
	return nil
}

func (p *projection) write(b *state.Batch) error {
	// Profiles first: whether a profile has a row of its own stands in the row of the persona that gives it its id.
	if err := p.writeProfiles(b); err != nil {
		return err
	}
	if err := p.writeEvidence(b); err != nil {
		return err
	}
	if p.weigher != nil {
		if err := p.weigher.write(b); err != nil {
			return err
		}
	}
	for i := range p.marks {
		mark, err := p.marks[i].AppendBinary(nil)
		if err != nil {
			return err
		}
		at := p.marks[i].Position
		if err := b.SetOffset(p.topic, at.Partition, state.Offset{Generation: at.Generation, Next: at.Offset, Mark: mark}); err != nil {
			return err
		}
	}
	return nil
}

func (p *projection) writeEvidence(b *state.Batch) (err error) {
	p.nodes = append(p.nodes, p.graph.took...)
	p.graph.took = p.graph.took[:0]
	// The store takes a batch whose keys rise at half the cost: each is beside the one before.
	slices.SortFunc(p.graph.waiting, func(a, b *waiting) int { return a.id.Compare(b.id) })
	slices.SortFunc(p.nodes, func(a, b *node) int { return a.id.Compare(b.id) })
	slices.SortFunc(p.hubs, func(a, b *hub) int { return a.key.Compare(b.key) })
	for _, w := range p.graph.waiting {
		if !w.taken {
			if err := p.graph.merge(b, p.graph.nodeKey('p', w.id), w.seen.Bytes); err != nil {
				return err
			}
			w.written = true
		}
	}
	for _, n := range p.nodes {
		if n.evidence == nil { // erased since
			continue
		}
		if n.merges() {
			if err := p.graph.merge(b, p.graph.nodeKey('p', n.id), n.seen.Bytes); err != nil {
				return err
			}
			continue
		}
		if n.state == nil && len(n.packed.seen) > mergedBytes { // joined, or it would be written again with each sighting to come
			if _, err := n.known(); err != nil {
				return err
			}
		}
		if p.scratch[0], p.scratch[1], err = n.append(p.scratch[0][:0], p.scratch[1]); err != nil {
			return err
		}
		if err := p.graph.set(b, p.graph.nodeKey('p', n.id), p.scratch[0]); err != nil {
			return err
		}
	}
	for _, n := range p.spoke {
		rows, err := p.subjects(n)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := b.Set(row, nil); err != nil {
				return err
			}
		}
	}
	for _, h := range p.hubs {
		if err := p.writeHub(b, h); err != nil {
			return err
		}
	}
	for id, d := range p.said {
		if len(d.said) == 0 {
			if err := p.graph.delete(b, nodeKey('a', id)); err != nil {
				return err
			}
			continue
		}
		if p.scratch[0], err = d.append(p.scratch[0][:0]); err != nil {
			return err
		}
		if err := p.graph.set(b, nodeKey('a', id), p.scratch[0]); err != nil {
			return err
		}
	}
	for id, pair := range p.naming {
		if err := p.graph.set(b, eventKey('b', id), append(pair[0][:], pair[1][:]...)); err != nil {
			return err
		}
	}
	for id, at := range p.graph.released {
		if err := p.graph.set(b, eventKey('r', id), binary.BigEndian.AppendUint64(nil, uint64(at))); err != nil {
			return err
		}
	}
	return nil
}

// subjects are the rows by which what a persona said of contact points is found. What a client persona said reaches nobody but its own
// profile.
func (p *projection) subjects(n *node) (rows [][]byte, err error) {
	if n.evidence == nil || n.evidence.Trust != schema.TrustServer { // nil: erased since
		return nil, nil
	}
	known, err := n.known()
	if err != nil {
		return nil, err
	}
	for i := range known.Consents {
		if s := &known.Consents[i].Subject; s.Kind != "" {
			row := hubKey('q', identity.Key{Kind: s.Kind, Hash: p.hash.IdentifierHash(s.Kind, s.Normal)})
			rows = append(rows, append(row, n.id[:]...))
		}
	}
	return rows, nil
}

func (p *projection) writeHub(b *state.Batch, h *hub) error {
	if h.Carriers() == 0 {
		if err := p.graph.delete(b, hubKey('h', h.key)); err != nil {
			return err
		}
	} else {
		p.scratch[0] = h.append(p.scratch[0][:0])
		if err := p.graph.set(b, p.graph.hubKey('h', h.key), p.scratch[0]); err != nil {
			return err
		}
	}
	for _, c := range []*carriers{&h.servers, &h.clients} {
		row := hubKey(c.table, h.key)
		for _, id := range c.removed {
			if err := b.Delete(append(row, id[:]...)); err != nil {
				return err
			}
		}
		for _, id := range c.added {
			if err := b.Set(append(row, id[:]...), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *projection) writeProfiles(b *state.Batch) error {
	for id, x := range p.closing {
		if err := b.Set(nodeKey('x', id), x.append(nil)); err != nil {
			return err
		}
	}
	for _, id := range p.erased {
		if err := p.graph.delete(b, nodeKey('p', id)); err != nil {
			return err
		}
	}
	for _, row := range p.silenced {
		if err := p.graph.delete(b, row); err != nil {
			return err
		}
	}
	if err := p.writeChanges(b); err != nil { // before the rows of profiles, which are asked for what was
		return err
	}
	if err := p.writeListings(b); err != nil {
		return err
	}
	for id, from := range p.movements().from {
		n, err := p.graph.node(id)
		if err != nil {
			return err
		}
		now, err := p.holder(n.place.profile)
		if err != nil {
			return err
		}
		switch {
		case n.evidence == nil || from == now:
		case from == id:
			p.profiles--
		case now == id:
			p.profiles++
		}
	}
	if err := setCounter(b, "profiles", p.profiles); err != nil {
		return err
	}
	return setCounter(b, "personas", p.personas)
}

// writeListings brings the rows of profiles up to date: those of one persona alone have none.
func (p *projection) writeListings(b *state.Batch) error {
	drop := func(n *node) error {
		if !n.place.listed {
			return nil
		}
		n.place.listed = false
		if n.evidence != nil {
			p.mark(n)
		}
		return p.graph.delete(b, nodeKey('f', n.id))
	}
	for id := range p.vacated {
		if p.records[id] != nil {
			continue
		}
		n, err := p.graph.node(id)
		if err != nil {
			return err
		}
		if err := drop(n); err != nil {
			return err
		}
	}
	for id, r := range p.records {
		n, err := p.graph.node(id)
		if err != nil {
			return err
		}
		if r.alone() {
			if err := drop(n); err != nil {
				return err
			}
			continue
		}
		p.scratch[0] = r.append(p.scratch[0][:0])
		if n.place.listed {
			if old, found, err := p.graph.read(nodeKey('f', id)); err != nil {
				return err
			} else if found && string(old) == string(p.scratch[0]) {
				continue
			}
		} else {
			n.place.listed = true
			p.mark(n)
		}
		if err := p.graph.set(b, nodeKey('f', id), p.scratch[0]); err != nil {
			return err
		}
	}
	return nil
}

// writeChanges notes for the sinks what the commit changes.
func (p *projection) writeChanges(b *state.Batch) error {
	if !p.built || len(p.movements().from) == 0 {
		return nil
	}
	changes, err := p.movements().changes(p.whereabouts, p.profileBefore, p.profileNow)
	if err != nil || len(changes) == 0 {
		return err
	}
	p.sequence++
	if err := setCounter(b, "sequence", p.sequence); err != nil {
		return err
	}
	return b.Set(sequenceKey(p.sequence), appendChanges(nil, p.version(), changes))
}

func (p *projection) whereabouts(id identity.NodeID) (identity.NodeID, schema.PersonaEpoch, error) {
	n, err := p.graph.node(id)
	if err != nil || n.evidence == nil {
		return identity.NodeID{}, schema.PersonaEpoch{}, err
	}
	now, err := p.holder(n.place.profile)
	return now, n.evidence.Of, err
}

func (p *projection) membersBefore(id identity.NodeID) ([]identity.NodeID, error) {
	before, err := p.recorded(id)
	if err != nil || before == nil {
		return nil, err
	}
	return before.members, nil
}

func (p *projection) membersNow(id identity.NodeID) ([]identity.NodeID, error) {
	if r := p.records[id]; r != nil {
		return r.members, nil
	}
	return p.membersBefore(id)
}

// look has single rows read as they are now, and lets go of the files that held them before.
func (p *projection) look() (err error) {
	if err := p.graph.lookup.Close(); err != nil {
		return err
	}
	p.graph.lookup, err = p.store.Lookup()
	return err
}

// erase takes a persona's closed epochs out, with every decision about them, and notes that later events of them are void. It is durable when
// it returns.
func (p *projection) erase(of schema.PersonaEpoch, cutOff schema.Instant) error {
	had, found := p.erasures[of.Persona]
	now := erasure{max(had.open, of.Epoch+1), cutOff}
	if found {
		now.cutOff = max(had.cutOff, cutOff)
		if now == had {
			return nil
		}
	}
	p.erasures[of.Persona] = now
	p.closing[of.Persona] = now
	for epoch := had.open; epoch < now.open; epoch++ {
		if err := p.eraseNode(p.hash.Public(schema.PersonaEpoch{Persona: of.Persona, Epoch: epoch})); err != nil {
			return err
		}
	}
	if err := p.commit(); err != nil {
		return err
	}
	return p.store.Sync()
}

func (p *projection) eraseNode(id identity.NodeID) error {
	n, err := p.graph.node(id)
	if err != nil {
		return err
	}
	d, err := p.graph.decisions(id)
	if err != nil {
		return err
	}
	for _, a := range d.said {
		other := a.A
		if other == id {
			other = a.B
		}
		delete(p.naming, a.ID)
		p.silenced = append(p.silenced, eventKey('b', a.ID))
		o, err := p.graph.decisions(other)
		if err != nil {
			return err
		}
		if at, found := o.find(a.ID); found {
			o.said = slices.Delete(o.said, at, at+1)
			p.said[other] = o
		}
		p.touch(other)
	}
	if len(d.said) > 0 {
		d.said = nil
		p.said[id] = d
	}
	if n.evidence == nil {
		return nil
	}
	gone := n.evidence
	p.heard.Forget(gone.Of)
	p.personas--
	subjects, err := p.subjects(n)
	if err != nil {
		return err
	}
	p.silenced = append(p.silenced, subjects...)
	n.evidence, n.state, n.packed = nil, nil, packed{}
	n.seen.Reset()
	if p.weigher != nil {
		p.weigher.erase(id)
	}
	p.erased = append(p.erased, id)
	for _, key := range identity.Diff(gone, nil, p.rules).Removed {
		if err := p.drop(key, gone); err != nil {
			return err
		}
	}
	profile := n.place.profile
	n.place.profile, n.place.hold = identity.NodeID{}, identity.Free
	if profile.IsZero() {
		return nil
	}
	if named, err := p.heldBy(profile); err != nil {
		return err
	} else if named == id {
		p.profiles--
	}
	// Its profile is taken apart: those who are left resolve anew.
	p.vacated[profile] = struct{}{}
	members, err := p.membersBefore(profile)
	if err != nil {
		return err
	}
	for _, m := range members {
		if m != id {
			p.touch(m)
		}
	}
	return nil
}

// progress tells readers how far is folded.
type progress struct {
	mu      sync.Mutex
	at      []schema.Position
	changed chan struct{} // closed at the next set
}

func (p *progress) set(at []schema.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = at
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// get tells how far is folded, and gives a channel that is closed when that changes.
func (p *progress) get() ([]schema.Position, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	return p.at, p.changed
}
