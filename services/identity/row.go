package identity

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/persona"
	"github.com/dossier-cdp/dossier/pipelines/sighting"
	"github.com/dossier-cdp/dossier/schema"
)

// Stored rows. Numbers are varints unless a width is given, which is big endian; nodes, personas, profiles and events are 16 bytes. A node is
// the public id of (persona, epoch); a profile is the node of its canonical persona.
//
//	'p' node           whose(1) [profile] evidence-length evidence identifiers, each: key state-length state sightings
//	                                                        of one persona: who it is (place), pipelines/identity, pipelines/persona; for each identifier of
//	                                                        the state one more than the place of its key in the evidence, 0 if it has none; then what was
//	                                                        merged into the row since it was written (pipelines/sighting), to be joined to both
//	'h' kind 0 hash    for server, then client personas: flags(1) carriers beside-count beside(8 each) [carriers(16 each), unless spilled]
//	'c' kind 0 hash node                                    a server persona that carries a spilled hub
//	'd' kind 0 hash node                                    a client persona that carries a spilled hub
//	'f' profile        hold(1) members(16 each) possible matches, unless it is one persona alone, who may be nobody else
//	'a' node           assertions that name the node, sorted by id
//	'b' assertion      node node                            which nodes an assertion names
//	'r' assertion      recorded at(8)                       it is withdrawn
//	'q' kind 0 hash node                                    a server persona said something of a contact point
//	'x' persona        first open epoch(4) cut-off(8)       the persona's erasure
//	'o' sequence(8)    changes, for the sinks               package-internal form in change.go
//	'k' name           counters and cursors(8)
//	'w' …              stratum 2, under a model: weigher.go; rows 'p' and 'f' tell of its cores then
const rowsVersion = 7

func nodeKey(table byte, id schema.PersonaID) []byte { return append([]byte{table}, id[:]...) }

func eventKey(table byte, id schema.EventID) []byte { return append([]byte{table}, id[:]...) }

func hubKey(table byte, k identity.Key) []byte {
	b := make([]byte, 0, 1+len(k.Kind)+1+32)
	b = append(append(append(b, table), k.Kind...), 0)
	return append(b, k.Hash[:]...)
}

func sequenceKey(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte{'o'}, n) }

func counterKey(name string) []byte { return append([]byte{'k'}, name...) }

var errDamaged = schema.Classify(schema.Fatal, errors.New("the identity state is damaged: remove its folder, it is rebuilt from the log"))

// row reads a stored value front to back. What is missing sets bad.
type row struct {
	b   []byte
	bad bool
}

func (r *row) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *row) byte() (b byte) {
	if s := r.take(1); s != nil {
		b = s[0]
	}
	return b
}

func (r *row) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *row) id() (id [16]byte) {
	copy(id[:], r.take(16))
	return id
}

func (r *row) string() string { return string(r.take(r.number())) }

func (r *row) ids() []identity.NodeID {
	n := r.number()
	if n > uint64(len(r.b))/16 {
		r.bad, r.b = true, nil
		return nil
	}
	out := make([]identity.NodeID, n)
	for i := range out {
		out[i] = r.id()
	}
	return out
}

func (r *row) done() error {
	if r.bad || len(r.b) > 0 {
		return errDamaged
	}
	return nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendIDs(b []byte, ids []identity.NodeID) []byte {
	b = binary.AppendUvarint(b, uint64(len(ids)))
	for _, id := range ids {
		b = append(b, id[:]...)
	}
	return b
}

// node is one persona: who it is, and what identity and the dossier know of it. evidence is nil if nothing is known.
type node struct {
	id       identity.NodeID
	place    place
	evidence *identity.Persona
	state    *persona.State // nil until it is asked for (known)
	packed   packed         // while that is nil
	dirty    bool           // the row has to be written
	fresh    bool           // new since the last commit

	// What is to be merged into the row, if it is not written: sightings since the last commit, and how much has been merged since the row was written.
	seen   sighting.Run
	merged int
}

// packed is a state in its stored form, with the sightings that are not in it and the keys of its identifiers.
type packed struct {
	state, seen []byte
	keys        []uint32
}

// mergedBytes is how much is merged into a row before it is written anew. Reading a row joins all that was merged into it.
const mergedBytes = 200

// known is what the persona's events say, nil if there were none. Ask before the evidence is changed: the stored keys of identifiers are places in it.
func (n *node) known() (*persona.State, error) {
	if n.state != nil || n.packed.state == nil {
		return n.state, nil
	}
	s, err := persona.Decode(n.packed.state)
	if err != nil {
		return nil, fmt.Errorf("persona %s: %w", n.id, errors.Join(errDamaged, err))
	}
	if len(s.Identifiers) != len(n.packed.keys) {
		return nil, fmt.Errorf("persona %s: %w", n.id, errDamaged)
	}
	for i, key := range n.packed.keys {
		if key > 0 {
			s.Identifiers[i].Key = n.evidence.Keys[key-1].Hash
		}
	}
	fits := true
	err = n.packed.each(s.First, func(x *sighting.Sighting) {
		if fits = fits && x.Fits(n.evidence, s); fits {
			x.JoinState(s)
		}
	})
	if err != nil || !fits {
		return nil, fmt.Errorf("persona %s: %w", n.id, errDamaged)
	}
	n.state, n.packed = s, packed{}
	return s, nil
}

// each calls f for the sightings.
func (p *packed) each(first schema.Instant, f func(*sighting.Sighting)) (err error) {
	var x sighting.Sighting
	for b := p.seen; len(b) > 0; {
		if b, err = x.Decode(b, first); err != nil {
			return errors.Join(errDamaged, err)
		}
		f(&x)
	}
	return nil
}

// see joins a sighting, and says whether it changed anything. What the node says while it is packed is packed too.
func (n *node) see(x *sighting.Sighting) (changed bool, err error) {
	if n.state == nil && len(n.packed.seen) > mergedBytes {
		if _, err := n.known(); err != nil {
			return false, err
		}
	}
	changed = x.JoinEvidence(n.evidence)
	if n.state == nil {
		n.packed.seen, changed = x.AppendBinary(n.packed.seen, n.evidence.First), true
	} else {
		changed = x.JoinState(n.state) || changed
	}
	return changed, nil
}

// merges says whether the node's row need not be written, since what is new can be merged into it.
func (n *node) merges() bool { return !n.dirty && n.merged+len(n.seen.Bytes) <= mergedBytes }

// append uses scratch for the evidence and the state, whose lengths stand before them.
func (n *node) append(dst, scratch []byte) (row, _ []byte, err error) {
	if scratch, err = n.evidence.AppendBinary(scratch[:0]); err != nil {
		return nil, scratch, fmt.Errorf("write evidence of persona %s: %w", n.id, err)
	}
	dst = n.place.append(dst, n.id)
	dst = append(binary.AppendUvarint(dst, uint64(len(scratch))), scratch...)
	if n.state == nil {
		dst = binary.AppendUvarint(dst, uint64(len(n.packed.keys)))
		for _, key := range n.packed.keys {
			dst = binary.AppendUvarint(dst, uint64(key))
		}
		dst = append(binary.AppendUvarint(dst, uint64(len(n.packed.state))), n.packed.state...)
		return append(dst, n.packed.seen...), scratch, nil
	}
	dst = binary.AppendUvarint(dst, uint64(len(n.state.Identifiers)))
	for i := range n.state.Identifiers {
		id := &n.state.Identifiers[i]
		key := 0
		if id.Key != ([16]byte{}) {
			key = 1 + n.evidence.Place(identity.Key{Kind: id.Kind, Hash: id.Key})
		}
		dst = binary.AppendUvarint(dst, uint64(key))
	}
	scratch = n.state.AppendBinary(scratch[:0])
	return append(binary.AppendUvarint(dst, uint64(len(scratch))), scratch...), scratch, nil
}

func decodeNode(id identity.NodeID, value []byte) (*node, error) {
	r := row{b: value}
	n := &node{id: id, place: r.place(id)}
	evidence := r.take(r.number())
	keys := r.number()
	if r.bad || keys > uint64(len(r.b)) {
		return nil, errDamaged
	}
	n.evidence = &identity.Persona{}
	if err := n.evidence.UnmarshalBinary(evidence); err != nil {
		return nil, errors.Join(errDamaged, err)
	}
	n.packed.keys = make([]uint32, keys)
	for i := range n.packed.keys {
		key := r.number()
		if key > uint64(len(n.evidence.Keys)) {
			return nil, errDamaged
		}
		n.packed.keys[i] = uint32(key)
	}
	state := r.take(r.number())
	if r.bad || len(state) == 0 {
		return nil, errDamaged
	}
	kept := slices.Concat(state, r.b)
	n.packed.state, n.packed.seen, n.merged = kept[:len(state):len(state)], kept[len(state):], len(r.b)
	err := n.packed.each(n.evidence.First, func(x *sighting.Sighting) {
		for _, key := range x.Keys {
			if r.bad = r.bad || int(key) >= len(n.evidence.Keys); !r.bad {
				n.evidence.Keys[key].See(x.At)
			}
		}
	})
	if err == nil && r.bad {
		err = errDamaged
	}
	return n, err
}

// hub is one key and who carries it.
type hub struct {
	identity.HubState
	key     identity.Key
	servers carriers
	clients carriers
	dirty   bool
}

// carriers are the personas of one trust that carry a key.
type carriers struct {
	table   byte              // of the rows of those that are spilled
	ids     []identity.NodeID // sorted; only if loaded
	loaded  bool
	spilled bool              // they have rows of their own, because they are many
	added   []identity.NodeID // if spilled, since the last commit
	removed []identity.NodeID
}

// inlineCarriers is how many carriers of a trust a hub's own row holds. Past it each gets a row, for good: a call centre's default number
// with 100,000 carriers must not be rewritten with each.
const inlineCarriers = 16

func newHub(key identity.Key) *hub {
	return &hub{key: key, servers: carriers{table: 'c', loaded: true}, clients: carriers{table: 'd', loaded: true}}
}

func (h *hub) of(trust schema.Trust) *carriers {
	if trust == schema.TrustServer {
		return &h.servers
	}
	return &h.clients
}

func (h *hub) append(dst []byte) []byte {
	dst = h.servers.append(dst, &h.Servers)
	return h.clients.append(dst, &h.Clients)
}

func (c *carriers) append(dst []byte, state *identity.SideState) []byte {
	flags := byte(0)
	if c.spilled {
		flags = hubSpilled
	}
	dst = binary.AppendUvarint(append(dst, flags), uint64(state.Carriers))
	dst = binary.AppendUvarint(dst, uint64(len(state.Beside)))
	for _, b := range state.Beside {
		dst = binary.BigEndian.AppendUint64(dst, b)
	}
	if !c.spilled {
		dst = appendIDs(dst, c.ids)
	}
	return dst
}

const hubSpilled = 1

func decodeHub(key identity.Key, value []byte) (*hub, error) {
	r := row{b: value}
	h := newHub(key)
	h.servers.decode(&r, &h.Servers)
	h.clients.decode(&r, &h.Clients)
	return h, r.done()
}

func (c *carriers) decode(r *row, state *identity.SideState) {
	c.spilled = r.byte()&hubSpilled != 0
	state.Carriers = int(r.number())
	beside := r.take(8 * min(r.number(), uint64(len(r.b))))
	for ; len(beside) >= 8; beside = beside[8:] {
		state.Beside = append(state.Beside, binary.BigEndian.Uint64(beside))
	}
	if c.loaded = !c.spilled; c.loaded {
		c.ids = r.ids()
	}
}

// place is who a persona is.
type place struct {
	profile identity.NodeID // zero if nobody yet
	hold    identity.Hold
	listed  bool // the persona gives a profile its id, and that has a row of its own
}

// The bits of a place. The hold stands above them.
const (
	placeOwn    = 1 // the persona is its own profile; else the profile follows
	placeNobody = 2
	placeListed = 4
	placeHold   = 3 // bits to shift
)

func (p *place) append(dst []byte, of identity.NodeID) []byte {
	whose := byte(p.hold) << placeHold
	if p.listed {
		whose |= placeListed
	}
	switch p.profile {
	case identity.NodeID{}:
		return append(dst, whose|placeNobody)
	case of:
		return append(dst, whose|placeOwn)
	}
	return append(append(dst, whose), p.profile[:]...)
}

// place reads the place of a node, which stands first in its row.
func (r *row) place(of identity.NodeID) (p place) {
	whose := r.byte()
	p.hold, p.listed = identity.Hold(whose>>placeHold), whose&placeListed != 0
	switch {
	case whose&placeNobody != 0:
	case whose&placeOwn != 0:
		p.profile = of
	default:
		p.profile = r.id()
	}
	r.bad = r.bad || p.hold > identity.Apart
	return p
}

// profile is one person.
type profile struct {
	hold     identity.Hold
	members  []identity.NodeID
	possible []match
}

// alone says whether the profile needs no row of its own: the persona's own row says all.
func (p *profile) alone() bool { return len(p.members) == 1 && len(p.possible) == 0 }

// match is a profile that this one may be one with.
type match struct {
	other  identity.NodeID
	reason identity.Reason
	kinds  []string
}

func (p *profile) append(dst []byte) []byte {
	dst = appendIDs(append(dst, byte(p.hold)), p.members)
	dst = binary.AppendUvarint(dst, uint64(len(p.possible)))
	for _, m := range p.possible {
		dst = appendString(append(dst, m.other[:]...), string(m.reason))
		dst = binary.AppendUvarint(dst, uint64(len(m.kinds)))
		for _, k := range m.kinds {
			dst = appendString(dst, k)
		}
	}
	return dst
}

func decodeProfile(value []byte) (*profile, error) {
	r := row{b: value}
	p := &profile{hold: identity.Hold(r.byte()), members: r.ids()}
	for n := r.number(); n > 0 && !r.bad; n-- {
		m := match{other: r.id(), reason: identity.Reason(r.string())}
		for k := r.number(); k > 0 && !r.bad; k-- {
			m.kinds = append(m.kinds, r.string())
		}
		p.possible = append(p.possible, m)
	}
	return p, r.done()
}

// decisions are the assertions that name one node, with those that are withdrawn, sorted by id.
type decisions struct {
	said []identity.Assertion
}

func (d *decisions) find(id schema.EventID) (int, bool) {
	return slices.BinarySearchFunc(d.said, id, func(a identity.Assertion, id schema.EventID) int { return a.ID.Compare(id) })
}

func (d *decisions) append(dst []byte) ([]byte, error) {
	dst = binary.AppendUvarint(dst, uint64(len(d.said)))
	for i := range d.said {
		b, err := d.said[i].MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("write assertion %s: %w", d.said[i].ID, err)
		}
		dst = append(binary.AppendUvarint(dst, uint64(len(b))), b...)
	}
	return dst, nil
}

func decodeDecisions(value []byte) (*decisions, error) {
	r := row{b: value}
	d := &decisions{}
	for n := r.number(); n > 0 && !r.bad; n-- {
		a := identity.Assertion{}
		if err := a.UnmarshalBinary(r.take(r.number())); err != nil {
			return nil, errors.Join(errDamaged, err)
		}
		d.said = append(d.said, a)
	}
	return d, r.done()
}
