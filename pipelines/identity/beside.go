package identity

import (
	"encoding/binary"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/identifier"
	"github.com/dossier-cdp/dossier/pipelines/identifier/name"
	"github.com/dossier-cdp/dossier/schema"
)

// Beside lists what stands beside a persona's values, as short hashes, sorted: its values of unique kinds, and the sounds of its
// names, given and family together. It is what HubState counts, see BesideKey. The lowest bit says that a client key said it.
func (p *Persona) Beside(rules *Rules) []uint64 {
	var out []uint64
	said := uint64(0)
	if p.Trust != schema.TrustServer {
		said = 1
	}
	for i := range p.Keys {
		e := &p.Keys[i]
		rule, _ := rules.rule(e.Kind)
		if rule.Unique && rules.Links(p, e) {
			out = append(out, shorten(e.Hash)|said)
		}
	}
	for _, n := range p.Names {
		out = append(out, hashText(name.Skeleton(n.Given)+" "+name.Skeleton(n.Family))&^1|said)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// besideKey is what stands beside one key: everything but the key itself. What client keys say counts beside devices only, and
// there for client personas only (HubState): else anyone could make another's e-mail generic, and so part what rests on it.
func besideKey(beside []uint64, key Key) []uint64 {
	own, device := shorten(key.Hash), identifier.Of(key.Kind).Device
	plain := true
	for _, b := range beside {
		plain = plain && b&1 == 0 && b != own
	}
	if plain {
		return beside
	}
	out := make([]uint64, 0, len(beside))
	for _, b := range beside {
		if b&^1 != own && (b&1 == 0 || device) {
			out = append(out, b&^1)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func shorten(h [16]byte) uint64 { return binary.BigEndian.Uint64(h[:8]) &^ 1 }

// hashText is FNV-1a. Names are stored in the clear beside it, so it hides nothing; it only has to be the same everywhere.
func hashText(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// Difference is what a store has to do to its hubs when a persona's evidence changes.
type Difference struct {
	// Added and Removed are the keys that now tie the persona to others and did not before, and the reverse. Keys are removed only
	// when a kind becomes crowded or when the persona is erased: make those hubs anew from the carriers that are left.
	Added, Removed []Key
	// Beside is what now stands beside the persona's keys; BesideGrew says that some of it is new, so that every hub of the
	// persona has to count it. BesideShrank says that some of what stood beside them is gone, since more came than is kept: make
	// the persona's side of its hubs anew, or they would count what another order of the same events never shows them.
	Beside       []uint64
	BesideGrew   bool
	BesideShrank bool
}

// Diff compares a persona's evidence before (zero or nil if new) and after (zero or nil if erased).
func Diff(before, after *Persona, rules *Rules) Difference {
	if before == nil {
		before = &Persona{}
	}
	if after == nil {
		after = &Persona{}
	}
	d := Difference{Beside: after.Beside(rules)}
	was := before.Beside(rules)
	for _, b := range d.Beside {
		if _, found := slices.BinarySearch(was, b); !found {
			d.BesideGrew = true
		}
	}
	for _, b := range was {
		if _, found := slices.BinarySearch(d.Beside, b); !found {
			d.BesideShrank = true
		}
	}
	d.Added = missing(after, before, rules)
	d.Removed = missing(before, after, rules)
	return d
}

// missing lists the linking keys of p that are not linking keys of q.
func missing(p, q *Persona, rules *Rules) []Key {
	var out []Key
	for i := range p.Keys {
		e := &p.Keys[i]
		if !rules.Links(p, e) {
			continue
		}
		if f := q.Evidence(e.Key); f == nil || !rules.Links(q, f) {
			out = append(out, e.Key)
		}
	}
	return out
}

// Extends says whether after is before and some more keys that say nothing while nobody else carries them: their kinds only attach, without a limit, to who carries them
// too. Clocks that decide nothing may differ. Whoever keeps hubs need not resolve the persona again for such a change, if it is the only carrier of each key that came: no
// region has another node, hub or constraint by it.
func Extends(before, after *Persona, rules *Rules) bool {
	if before == nil || after.First != before.First || len(after.Names) != len(before.Names) || len(after.Births) != len(before.Births) || len(after.Crowded) != len(before.Crowded) {
		return false
	}
	for i := range after.Names {
		if n := &after.Names[i]; n.compare(before.Names[i]) != 0 || n.Assurance != before.Names[i].Assurance {
			return false
		}
	}
	for i := range after.Births {
		if after.Births[i].compare(before.Births[i]) != 0 {
			return false
		}
	}
	was := before.Keys
	for i := range after.Keys {
		e := &after.Keys[i]
		if len(was) > 0 && was[0].Key == e.Key {
			if old := &was[0]; e.Assurance != old.Assurance || e.Alias != old.Alias || e.Carried != old.Carried || e.SupersededBy != old.SupersededBy {
				return false
			}
			was = was[1:]
			continue
		}
		if rule, _ := rules.rule(e.Kind); rule.Strength != Attach || rule.Unique || rule.Limit > 0 || e.Alias || e.SupersededBy != ([16]byte{}) {
			return false
		}
	}
	return len(was) == 0
}
