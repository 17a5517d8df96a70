package identity

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
)

// ChangeKind says what became of a profile id.
type ChangeKind uint8

// The kinds of changes. The numbers are stored: never renumber.
const (
	Created   ChangeKind = 1 // To is new, and so are the personas
	Merged    ChangeKind = 2 // From is no profile any more: its personas are in To, with others
	Split     ChangeKind = 3 // some of From's personas are in To now; others are elsewhere
	Canonical ChangeKind = 4 // the same people as before under another id: the canonical persona changed
)

func (k ChangeKind) String() string {
	return [...]string{"none", "created", "merged", "split", "canonical"}[k]
}

// Change is what one commit did to the personas that went from one profile to another. It holds ids only.
type Change struct {
	Kind     ChangeKind
	From, To schema.ProfileID // From is zero if the personas are new
	Personas []Moved          // sorted by node
}

// Moved is one persona that changed its profile.
type Moved struct {
	Node schema.ProfileID // the public id of Of
	Of   schema.PersonaEpoch
}

// moves collects where personas went since the last commit.
type moves struct {
	from map[identity.NodeID]identity.NodeID // where each was at the last commit
}

func (m *moves) note(id, from identity.NodeID) {
	if m.from == nil {
		m.from = map[identity.NodeID]identity.NodeID{}
	}
	if _, found := m.from[id]; !found {
		m.from[id] = from
	}
}

// changes groups what moved, in an order that does not depend on how it came about. was and is give the members of a profile at the last commit and
// now.
func (m *moves) changes(to func(identity.NodeID) (identity.NodeID, schema.PersonaEpoch, error), was, is func(identity.NodeID) ([]identity.NodeID, error)) ([]Change, error) {
	type way struct{ from, to identity.NodeID }
	groups := map[way]*Change{}
	for id, from := range m.from {
		now, of, err := to(id)
		if err != nil {
			return nil, err
		}
		if now == from || now.IsZero() { // back where it was, or erased
			continue
		}
		g := groups[way{from, now}]
		if g == nil {
			g = &Change{From: from, To: now}
			groups[way{from, now}] = g
		}
		g.Personas = append(g.Personas, Moved{id, of})
	}
	out := make([]Change, 0, len(groups))
	for _, g := range groups {
		slices.SortFunc(g.Personas, func(a, b Moved) int { return a.Node.Compare(b.Node) })
		if err := g.classify(was, is); err != nil {
			return nil, err
		}
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b Change) int { return cmp.Or(a.To.Compare(b.To), a.From.Compare(b.From)) })
	return out, nil
}

func (c *Change) classify(was, is func(identity.NodeID) ([]identity.NodeID, error)) error {
	if c.From.IsZero() {
		c.Kind = Created
		return nil
	}
	before, err := was(c.From)
	if err != nil {
		return err
	}
	now, err := is(c.To)
	if err != nil {
		return err
	}
	switch {
	case len(c.Personas) < len(before):
		c.Kind = Split
	case len(now) == len(c.Personas):
		c.Kind = Canonical
	default:
		c.Kind = Merged
	}
	return nil
}

// Stored form of the changes of one commit: version(8) count, each: kind(1) from(16) to(16) count, each: node(16) persona(16) epoch.
func appendChanges(dst []byte, version uint64, changes []Change) []byte {
	dst = binary.BigEndian.AppendUint64(dst, version)
	dst = binary.AppendUvarint(dst, uint64(len(changes)))
	for i := range changes {
		c := &changes[i]
		dst = append(append(append(dst, byte(c.Kind)), c.From[:]...), c.To[:]...)
		dst = binary.AppendUvarint(dst, uint64(len(c.Personas)))
		for _, p := range c.Personas {
			dst = append(append(dst, p.Node[:]...), p.Of.Persona[:]...)
			dst = binary.AppendUvarint(dst, uint64(p.Of.Epoch))
		}
	}
	return dst
}

func decodeChanges(value []byte) (version uint64, changes []Change, err error) {
	r := row{b: value}
	if b := r.take(8); b != nil {
		version = binary.BigEndian.Uint64(b)
	}
	for n := r.number(); n > 0 && !r.bad; n-- {
		c := Change{Kind: ChangeKind(r.byte()), From: r.id(), To: r.id()}
		for k := r.number(); k > 0 && !r.bad; k-- {
			c.Personas = append(c.Personas, Moved{r.id(), schema.PersonaEpoch{Persona: r.id(), Epoch: uint32(r.number())}})
		}
		changes = append(changes, c)
	}
	return version, changes, r.done()
}
