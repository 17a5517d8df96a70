package identity

import (
	"hash/maphash"
	"slices"
	"sync"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute"
	models "github.com/dossier-cdp/dossier/pipelines/identity/match"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// Stratum 2. The profiles that the exact strata make are cores: rows 'p' and 'f' tell of these, whatever the model. Under a model the cores that server
// personas speak of are weighed against each other, by what those say; what only public keys say is never weighed, or anyone could join and part known
// people. A profile is then one or more cores, and its id is that of the core whose canonical persona comes first.
//
// Rows of stratum 2 are in table 'w'; after it:
//
//	'a' node           what a server persona says (attribute.AppendValues)
//	others             match.Index (index_rows.go)

// weighing is by what a workspace weighs: the zero value weighs nothing, and costs nothing.
type weighing struct {
	model  *models.Model
	people int // for how many records the prior is meant
}

// weigher keeps stratum 2 of a projection.
type weigher struct {
	p       *projection
	by      weighing
	index   *models.Index
	scales  sync.Pool // of those that views weigh with
	said    memory[identity.NodeID, *attribute.Attributes]
	dirty   map[identity.NodeID]*attribute.Attributes
	changed map[identity.NodeID]struct{} // personas that say something new
	moved   moves
	heard   map[uint64]struct{} // events that were heard lately, by node and what they say
	seed    maphash.Seed
	key     []byte
	scratch []byte
}

// What a weigher remembers.
const (
	saidPersonas = 16 << 10
	heardEvents  = 64 << 10
)

func newWeigher(p *projection, by weighing) *weigher {
	w := &weigher{p: p, by: by, seed: maphash.MakeSeed()}
	w.scales.New = func() any { return models.NewScale(by.model, by.people) }
	w.said.limit = saidPersonas
	w.index = models.NewIndex(models.NewScale(by.model, by.people), &weighedRows{graph: p.graph}, w.below())
	w.forget()
	w.clear()
	return w
}

// forget gives memory back. Nothing may be dirty.
func (w *weigher) forget() {
	w.heard = map[uint64]struct{}{}
	w.said.young, w.said.old = nil, nil
	w.index.Rest()
}

func (w *weigher) clear() {
	w.dirty, w.changed = map[identity.NodeID]*attribute.Attributes{}, map[identity.NodeID]struct{}{}
	w.moved = moves{}
}

// weighedRows are the rows of table 'w'.
type weighedRows struct {
	graph *graph
	key   []byte
}

// Get implements match.Rows.
func (r *weighedRows) Get(key []byte) ([]byte, bool, error) {
	r.key = append(append(r.key[:0], 'w'), key...)
	return r.graph.read(r.key)
}

// Scan implements match.Rows.
func (r *weighedRows) Scan(prefix []byte, f func(rest []byte) error) error {
	from := append([]byte{'w'}, prefix...)
	return r.graph.r.Scan(from, state.After(from), func(key, _ []byte) error { return f(key[len(from):]) })
}

// below is what stratum 2 asks of the exact strata.
type below struct {
	graph   *graph
	members func(core identity.NodeID) ([]identity.NodeID, error)
	said    func(identity.NodeID) ([]identity.Assertion, error) // nil: what the graph says
	place   func(identity.NodeID) (core identity.NodeID, err error)
}

func (w *below) assertions(id identity.NodeID) ([]identity.Assertion, error) {
	if w.said != nil {
		return w.said(id)
	}
	return w.graph.Assertions(id)
}

func (w *below) core(id identity.NodeID) (identity.NodeID, error) {
	if w.place != nil {
		return w.place(id)
	}
	at, err := w.graph.place(id)
	return at.profile, err
}

// First implements match.World: known first, then earliest, then by id.
func (w *below) First(cores []identity.NodeID) (identity.NodeID, error) {
	var first *identity.Persona
	for _, id := range cores {
		n, err := w.graph.node(id)
		if err != nil {
			return identity.NodeID{}, err
		}
		if n.evidence == nil {
			return identity.NodeID{}, errDamaged
		}
		if first == nil || n.evidence.Before(first) {
			first = n.evidence
		}
	}
	return first.ID, nil
}

// Apart implements match.World.
func (w *below) Apart(core identity.NodeID) (others []identity.NodeID, err error) {
	members, err := w.placed(core)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		said, err := w.assertions(m)
		if err != nil {
			return nil, err
		}
		for i := range said {
			a := &said[i]
			if !a.Apart() {
				continue
			}
			other := a.A
			if other == m {
				other = a.B
			}
			at, err := w.core(other)
			if err != nil {
				return nil, err
			}
			if at.IsZero() || at == core {
				continue
			}
			there, err := w.placed(at)
			if err != nil {
				return nil, err
			}
			if slices.Contains(there, other) {
				others = append(others, at)
			}
		}
	}
	return others, nil
}

// placed lists the personas of a core by which it is weighed: server personas, and client personas that decisions tie to them. Client personas that hang on bear on
// nothing of stratum 2: they are hung on to what it makes.
func (w *below) placed(core identity.NodeID) (out []identity.NodeID, err error) {
	members, err := w.members(core)
	if err != nil {
		return nil, err
	}
	var clients []identity.NodeID
	for _, m := range members {
		n, err := w.graph.node(m)
		if err != nil {
			return nil, err
		}
		if n.evidence != nil && n.evidence.Trust == schema.TrustServer {
			out = append(out, m)
		} else {
			clients = append(clients, m)
		}
	}
	for again := true; again; {
		again = false
		for i, m := range clients {
			said, err := w.assertions(m)
			if err != nil {
				return nil, err
			}
			if slices.ContainsFunc(said, func(a identity.Assertion) bool {
				return a.Kind == identity.Linked && (slices.Contains(out, a.A) || slices.Contains(out, a.B))
			}) {
				out, clients, again = append(out, m), slices.Delete(clients, i, i+1), true
				break
			}
		}
	}
	return out, nil
}

// Conflict implements match.World.
func (w *below) Conflict(p, q []identity.NodeID) (models.Reason, error) {
	a, err := w.personas(p)
	if err != nil {
		return "", err
	}
	b, err := w.personas(q)
	if err != nil {
		return "", err
	}
	return models.Reason(identity.Conflict(w.graph.rules, a, b)), nil
}

// personas are the server personas of cores.
func (w *below) personas(cores []identity.NodeID) (out []*identity.Persona, err error) {
	for _, core := range cores {
		members, err := w.members(core)
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			n, err := w.graph.node(m)
			if err != nil {
				return nil, err
			}
			if n.evidence != nil && n.evidence.Trust == schema.TrustServer {
				out = append(out, n.evidence)
			}
		}
	}
	return out, nil
}

// coreMembers lists the personas of a core, as the exact strata see it now.
func (p *projection) coreMembers(core identity.NodeID) ([]identity.NodeID, error) {
	if r := p.records[core]; r != nil {
		return r.members, nil
	}
	r, err := p.graph.profile(core)
	if err != nil || r == nil {
		return nil, err
	}
	return r.members, nil
}

// fold takes what an event says of a persona. Nothing of it is visible before commit.
func (w *weigher) fold(id identity.NodeID, e *schema.Event) error {
	if e.Provenance.Trust != schema.TrustServer || len(e.Traits) == 0 && len(e.Identifiers) == 0 {
		return nil
	}
	mark := w.fingerprint(id, e)
	if _, heard := w.heard[mark]; heard {
		return nil
	}
	if len(w.heard) >= heardEvents {
		clear(w.heard)
	}
	w.heard[mark] = struct{}{}
	said := attribute.FromEvent(e, w.by.model.Attributes)
	if said.IsZero() {
		return nil
	}
	have, err := w.attributes(id)
	if err != nil {
		return err
	}
	before := w.scratch[:0]
	now := attribute.Attributes{}
	if have != nil {
		before = have.AppendValues(before)
		now = *have
	}
	now = attribute.Join(now, rid(said))
	after := now.AppendValues(nil)
	w.scratch = before
	if string(before) == string(after) {
		return nil
	}
	w.said.put(id, &now)
	w.dirty[id] = &now
	w.changed[id] = struct{}{}
	return nil
}

// rid takes the provenance away, which is not stored.
func rid(a attribute.Attributes) attribute.Attributes { return a.Bare() }

// fingerprint tells events of one persona that say the same from others.
func (w *weigher) fingerprint(id identity.NodeID, e *schema.Event) uint64 {
	b := append(w.scratch[:0], id[:]...)
	text := func(s string) { b = append(append(b, s...), 0) }
	text(e.Provenance.Country)
	for i := range e.Traits {
		text(e.Traits[i].Name)
		b = append(append(b, e.Traits[i].Value...), 0)
	}
	for i := range e.Identifiers {
		text(e.Identifiers[i].Kind)
		text(e.Identifiers[i].Value)
	}
	w.scratch = b
	return maphash.Bytes(w.seed, b)
}

func saidKey(id identity.NodeID) []byte { return append([]byte{'w', 'a'}, id[:]...) }

// attributes is what a persona says; nil if nothing.
func (w *weigher) attributes(id identity.NodeID) (*attribute.Attributes, error) {
	if a, found := w.said.get(id); found {
		return a, nil
	}
	a, err := readSaid(w.p.graph, id)
	if err != nil {
		return nil, err
	}
	w.said.put(id, a)
	return a, nil
}

func readSaid(g *graph, id identity.NodeID) (*attribute.Attributes, error) {
	value, found, err := g.read(saidKey(id))
	if err != nil || !found {
		return nil, err
	}
	a, err := attribute.DecodeValues(value)
	if err != nil {
		return nil, errDamaged
	}
	return &a, nil
}

// erase forgets what a persona said.
func (w *weigher) erase(id identity.NodeID) {
	w.said.put(id, nil)
	w.dirty[id] = nil
	delete(w.changed, id)
}

// decide weighs the cores that are new, changed or gone, decides who is who around them, and lists the cores whose profile is another one than at the last
// commit.
func (w *weigher) decide() (moved []identity.NodeID, err error) {
	p := w.p
	stirred := map[identity.NodeID]struct{}{}
	for id := range p.records {
		stirred[id] = struct{}{}
	}
	for id := range p.vacated {
		stirred[id] = struct{}{}
	}
	for id := range w.changed {
		at, err := p.graph.place(id)
		if err != nil {
			return nil, err
		}
		if !at.profile.IsZero() {
			stirred[at.profile] = struct{}{}
		}
	}
	for id := range stirred {
		if err := w.put(id); err != nil {
			return nil, err
		}
	}
	return w.index.Resolve()
}

// hanging lists the client personas that may hang on to others now that stratum 2 put cores into other profiles: those that share a value with a server persona of
// such a core, and those whom somebody separated from a persona that moved.
func (w *weigher) hanging(moved []identity.NodeID) (seeds []identity.NodeID, err error) {
	p := w.p
	separated := func(id identity.NodeID) error {
		said, err := p.graph.Assertions(id)
		for i := range said {
			if a := &said[i]; a.Apart() {
				seeds = append(seeds, a.A, a.B)
			}
		}
		return err
	}
	for id := range p.moved.from {
		if err := separated(id); err != nil {
			return nil, err
		}
	}
	for _, core := range moved {
		members, err := p.coreMembers(core)
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			if err := separated(m); err != nil {
				return nil, err
			}
			n, err := p.graph.node(m)
			if err != nil {
				return nil, err
			}
			if n.evidence == nil || n.evidence.Trust != schema.TrustServer {
				continue
			}
			for i := range n.evidence.Keys {
				e := &n.evidence.Keys[i]
				if !p.rules.Links(n.evidence, e) {
					continue
				}
				h, err := p.graph.hub(e.Key)
				if err != nil {
					return nil, err
				}
				if h.Clients.Carriers == 0 {
					continue
				}
				_, clients, err := p.graph.listed(h)
				if err != nil {
					return nil, err
				}
				seeds = append(seeds, clients...)
				h.unload(p.rules)
			}
		}
	}
	slices.SortFunc(seeds, identity.NodeID.Compare)
	return slices.Compact(seeds), nil
}

// put tells the index of a core as it is now.
func (w *weigher) put(id identity.NodeID) error {
	p := w.p
	n, err := p.graph.node(id)
	if err != nil {
		return err
	}
	if n.evidence == nil || n.place.profile != id || (&identity.Profile{Hold: n.place.hold, Served: n.evidence.Trust == schema.TrustServer}).Quarantined() != identity.Free {
		return w.index.Remove(id)
	}
	core, asserted, err := w.below().weighed(id, w.attributes)
	if err != nil {
		return err
	}
	if len(core.Records) == 0 {
		return w.index.Remove(id)
	}
	if err := w.index.Put(core, asserted); err != nil {
		return err
	}
	return w.index.Reorder(id)
}

func (w *weigher) below() *below { return &below{graph: w.p.graph, members: w.p.coreMembers} }

// weighed is a core as it is weighed, and whether somebody separated it from another.
func (w *below) weighed(id identity.NodeID, attributes func(identity.NodeID) (*attribute.Attributes, error)) (core models.Core, asserted bool, err error) {
	core.ID = id
	members, err := w.placed(id)
	if err != nil {
		return core, false, err
	}
	for _, m := range members {
		n, err := w.graph.node(m)
		if err != nil {
			return core, false, err
		}
		said, err := w.assertions(m)
		if err != nil {
			return core, false, err
		}
		asserted = asserted || slices.ContainsFunc(said, func(a identity.Assertion) bool { return a.Apart() })
		if n.evidence == nil || n.evidence.Trust != schema.TrustServer {
			continue
		}
		a, err := attributes(m)
		if err != nil {
			return core, false, err
		}
		if a != nil {
			core.Records = append(core.Records, models.Values(a))
		}
	}
	core.Records = models.Distinct(core.Records)
	return core, asserted, nil
}

// follow notes the personas that are in another profile than at the last commit, by the cores whose profile is another one.
func (w *weigher) follow(moved []identity.NodeID) error {
	p := w.p
	for id, from := range p.moved.from {
		was := from
		if !from.IsZero() {
			var err error
			if _, was, err = w.index.Profile(from); err != nil {
				return err
			}
		}
		w.moved.note(id, was)
	}
	for _, core := range moved {
		_, was, err := w.index.Profile(core)
		if err != nil {
			return err
		}
		members, err := p.coreMembers(core)
		if err != nil {
			return err
		}
		for _, m := range members {
			if _, done := p.moved.from[m]; !done {
				w.moved.note(m, was)
			}
		}
	}
	return nil
}

// write writes the rows of stratum 2.
func (w *weigher) write(b *state.Batch) error {
	for id, a := range w.dirty {
		var err error
		if a == nil {
			err = w.p.graph.delete(b, saidKey(id))
		} else {
			w.scratch = a.AppendValues(w.scratch[:0])
			err = w.p.graph.set(b, saidKey(id), w.scratch)
		}
		if err != nil {
			return err
		}
	}
	return w.index.Write(func(key, value []byte) error {
		w.key = append(append(w.key[:0], 'w'), key...)
		if value == nil {
			return w.p.graph.delete(b, w.key)
		}
		return w.p.graph.set(b, w.key, value)
	})
}

// movements is which personas are in another profile than at the last commit.
func (p *projection) movements() *moves {
	if p.weigher != nil {
		return &p.weigher.moved
	}
	return &p.moved
}

// holder is the profile that holds a core now.
func (p *projection) holder(core identity.NodeID) (identity.NodeID, error) {
	if p.weigher == nil || core.IsZero() {
		return core, nil
	}
	now, _, err := p.weigher.index.Profile(core)
	return now, err
}

// heldBy is the profile that held a core at the last commit.
func (p *projection) heldBy(core identity.NodeID) (identity.NodeID, error) {
	if p.weigher == nil || core.IsZero() {
		return core, nil
	}
	_, was, err := p.weigher.index.Profile(core)
	return was, err
}

// among lists the personas of a profile's cores by what members tells of each; a core of one persona may have no list.
func among(cores []identity.NodeID, members func(core identity.NodeID) ([]identity.NodeID, error)) (out []identity.NodeID, err error) {
	for _, core := range cores {
		list, err := members(core)
		if err != nil {
			return nil, err
		}
		if list == nil {
			list = []identity.NodeID{core}
		}
		out = append(out, list...)
	}
	slices.SortFunc(out, identity.NodeID.Compare)
	return out, nil
}

// profileBefore lists the personas of a profile at the last commit, and profileNow as they are now.
func (p *projection) profileBefore(id identity.NodeID) ([]identity.NodeID, error) {
	if p.weigher == nil {
		return p.membersBefore(id)
	}
	cores, err := models.NewIndex(nil, &weighedRows{graph: p.graph}, nil).Cores(id) // reads what was written
	if err != nil || len(cores) == 1 {
		return p.membersBefore(id)
	}
	return among(cores, p.membersBefore)
}

func (p *projection) profileNow(id identity.NodeID) ([]identity.NodeID, error) {
	if p.weigher == nil {
		return p.membersNow(id)
	}
	cores, err := p.weigher.index.Cores(id)
	if err != nil || len(cores) == 1 {
		return p.membersNow(id)
	}
	return among(cores, p.membersNow)
}

// heldIn reads which profile holds a core.
func heldIn(r state.Reader, core identity.NodeID) (identity.NodeID, error) {
	value, found, err := r.Get(nil, append([]byte{'w', 'g'}, core[:]...))
	switch {
	case err != nil || !found:
		return core, err
	case len(value) != 32:
		return core, errDamaged
	}
	return identity.NodeID(value[16:]), nil
}

// weighedVersion is the version of how stratum 2 keeps its rows and decides; a state of another one is built anew. Raise it for a change that the model's
// version does not show.
const weighedVersion = 4
