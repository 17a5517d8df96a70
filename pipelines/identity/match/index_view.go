package match

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
)

// Maybe is a possible match between two profiles, by their ids in the index.
type Maybe struct {
	A, B   ID // A < B
	Weight Bits
	Worth  int64
	Reason Reason
}

// Queue lists possible matches as of the last Write, those of most worth first, at most limit, after a cursor that it gave before; next is nil at the end. Rows must
// read them in order.
func (x *Index) Queue(after []byte, limit int) (out []Maybe, next []byte, err error) {
	var keys [][]byte
	err = x.rows.Scan([]byte{rowQueue}, func(rest []byte) error {
		if len(rest) != 40 {
			return ErrDamaged
		}
		if after == nil || string(rest) > string(after) {
			keys = append(keys, slices.Clone(rest))
		}
		if len(keys) > limit {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, nil, err
	}
	if len(keys) > limit {
		keys = keys[:limit]
		next = keys[limit-1]
	}
	for _, k := range keys {
		m := Maybe{A: ID(k[8:24]), B: ID(k[24:]), Worth: int64(^binary.BigEndian.Uint64(k))}
		if r := x.get(append([]byte{rowQueue}, k...)); r != nil {
			m.Weight = Bits(r.signed())
			m.Reason = Reason(r.take(len(r.b)))
			x.check(r)
		}
		out = append(out, m)
	}
	return out, next, x.err
}

// Possible lists the possible matches of the profile that a core is in, as of the last Resolve, those of most worth first.
func (x *Index) Possible(core ID) (out []Maybe, err error) {
	at := x.place(core)
	if at.part.IsZero() || x.err != nil {
		return nil, x.err
	}
	u := x.unit(at.part)
	if u == nil || u.gone {
		x.fail(ErrDamaged)
		return nil, x.err
	}
	for i := range u.possible {
		m := &u.possible[i]
		a, b := u.finals[m.a], u.finals[m.b]
		if a != at.final && b != at.final {
			continue
		}
		if a.Compare(b) > 0 {
			a, b = b, a
		}
		out = append(out, Maybe{a, b, m.weight, m.worth, m.reason})
	}
	slices.SortFunc(out, func(p, q Maybe) int {
		if p.Worth != q.Worth {
			return int(min(max(q.Worth-p.Worth, -1), 1))
		}
		if c := p.A.Compare(q.A); c != 0 {
			return c
		}
		return p.B.Compare(q.B)
	})
	return out, x.err
}

var errEnough = errors.New("enough")

// Rest gives memory back. Nothing may have changed since the last Write.
func (x *Index) Rest() {
	if len(x.cores)+len(x.blocks)+len(x.places) == 0 {
		return
	}
	x.s = x.s.fresh()
	x.forget()
}

// Distinct leaves of records that say the same one: somebody who calls ten times does not say more than once who he is.
func Distinct(records [][]Value) [][]Value {
	var out [][]Value
	for _, r := range records {
		if len(r) > 0 && !slices.ContainsFunc(out, func(have []Value) bool { return slices.Equal(have, r) }) {
			out = append(out, r)
		}
	}
	return out
}

// Weighed says whether a core is in the index: it has something that is weighed.
func (x *Index) Weighed(core ID) (bool, error) { return x.core(core).there, x.err }

// Together lists the cores that were decided together with a core, that core among them, sorted.
func (x *Index) Together(core ID) ([]ID, error) {
	at := x.place(core)
	if at.part.IsZero() || x.err != nil {
		return []ID{core}, x.err
	}
	u := x.unit(at.part)
	if u == nil || u.gone {
		x.fail(ErrDamaged)
		return nil, x.err
	}
	return slices.Clone(u.Cores), x.err
}

// Joint is two sets of cores that became one profile.
type Joint struct {
	A, B     ID // the first core of either
	Weight   Bits
	Attached bool // a small profile joined the one that it fits best; else two profiles agreed
}

// Joints tells how the profile that a core is in came together, in the order in which it did.
func (x *Index) Joints(core ID) (out []Joint, err error) {
	at := x.place(core)
	if at.part.IsZero() || x.err != nil {
		return nil, x.err
	}
	u := x.unit(at.part)
	if u == nil || u.gone {
		x.fail(ErrDamaged)
		return nil, x.err
	}
	r := x.region(u.Cores, u.floor)
	r.joints = &[]joint{}
	r.decide()
	place, _ := slices.BinarySearchFunc(u.Cores, core, ID.Compare)
	for _, j := range *r.joints {
		if x.err == nil && r.find(j.a) == r.find(int32(place)) {
			out = append(out, Joint{u.Cores[j.a], u.Cores[j.b], j.weight, j.attached})
		}
	}
	return out, x.err
}

// whole is the profile of a set of cores; nil if none of them is in the index.
func (x *Index) whole(cores []ID) (p *profile, texts [][]Heard, keys []key) {
	texts = make([][]Heard, len(x.s.tables))
	for _, id := range cores {
		in := x.core(id)
		if !in.there {
			continue
		}
		own := *x.profile(in)
		if p == nil {
			p = &own
		} else {
			p = p.join(&own)
		}
		keys = append(keys, in.keys...)
		for _, v := range in.values {
			h := Heard{x.s.tables[v.table].texts[v.id], int(v.count), v.generic}
			at, found := slices.BinarySearchFunc(texts[v.table], h, func(a, b Heard) int { return strings.Compare(a.Text, b.Text) })
			if found {
				texts[v.table][at].Records += h.Records
			} else {
				texts[v.table] = slices.Insert(texts[v.table], at, h)
			}
		}
	}
	return p, texts, ordered(keys)
}

// Waterfall shows how two sets of cores are weighed against each other; nil if one of them has nothing that is weighed.
func (x *Index) Waterfall(a, b []ID) (*Waterfall, error) {
	s := x.s
	p, said, keys := x.whole(a)
	q, heard, others := x.whole(b)
	if p == nil || q == nil || x.err != nil {
		return nil, x.err
	}
	w := &Waterfall{Model: s.model.Name, Version: s.model.Version(), Prior: s.prior, HouseholdPrior: s.household}
	keyed := false
	var alone []int
	for i, t := range s.tables {
		if len(said[i]) == 0 || len(heard[i]) == 0 {
			continue
		}
		f := FieldWeight{Field: t.field.Name, A: said[i], B: heard[i]}
		if u := s.unlessBoth[i]; u >= 0 && p.has(u) && q.has(u) {
			f.YieldsTo = s.tables[u].field.Name
		} else if p.has(i) && q.has(i) {
			sc := s.scoreField(i, p, q)
			f.Level = s.bestLevel(i, p, q)
			f.Weight, f.Household, f.Alone, f.Forbids = sc.weight, sc.household, sc.alone, sc.forbidden
			keyed = keyed || sc.keyed
			w.Strangers += sc.weight
			w.Household += sc.household
			alone = append(alone, len(w.Fields))
		}
		w.Fields = append(w.Fields, f)
	}
	for _, i := range alone {
		if keyed {
			w.Fields[i].Alone = 0
		}
		w.Strangers += w.Fields[i].Alone
		w.Household += w.Fields[i].Alone
	}
	sc := s.score(p, q)
	w.Strangers += s.prior
	if s.household != nil {
		w.Household += *s.household
	}
	w.Posterior, w.Forbidden, w.Bare = sc.posterior, sc.forbidden, sc.bare
	w.Probability = s.model.Probability(sc.posterior)
	for i, recipe := range s.model.Blocking {
		for _, k := range keys {
			if k.recipe() == i && slices.Contains(others, k) {
				n := x.block(k).n
				w.Keys = append(w.Keys, SharedKey{recipe, n, n > s.most(k)})
			}
		}
	}
	return w, x.err
}

// bestLevel names the level of the pair of values that weighs most.
func (s *Set) bestLevel(i int, p, q *profile) string {
	t := s.tables[i]
	var best verdict
	found := false
	for _, a := range p.field(i) {
		for _, b := range q.field(i) {
			if v := t.weigh(a.value, b.value); !found || v.weight > best.weight {
				best, found = v, true
			}
		}
	}
	switch {
	case t.names == nil:
		return t.compare.levels[best.level]
	case best.level < 0:
		return "family " + familyLevels[best.second]
	case best.second < 0:
		return "given " + givenLevels[best.level]
	}
	return "given " + givenLevels[best.level] + ", family " + familyLevels[best.second]
}

// Conflict names what keeps two sets of cores apart whose Waterfall is Forbidden.
func (x *Index) Conflict(a, b []ID) Reason {
	p, _, _ := x.whole(a)
	q, _, _ := x.whole(b)
	if p == nil || q == nil {
		return ReasonUnsure
	}
	return x.s.conflict(p, q)
}

// Kin lists the cores that share with a core a mailbox, a phone, or an address and a family name, that are not generic, and are two people for another given name, or
// for a birth date, as father and son of one name;
// with the fields that they share, sorted. It looks at those that share an open blocking key.
func (x *Index) Kin(core ID) (map[ID][]string, error) {
	in := x.core(core)
	out := map[ID][]string{}
	if !in.there || in.weak {
		return out, x.err
	}
	own := x.profile(in)
	for _, k := range in.keys {
		b := x.block(k)
		if b.n > x.s.most(k) {
			continue
		}
		for _, id := range x.members(&b.list) {
			if _, done := out[id]; done || id == core {
				continue
			}
			other := x.core(id)
			if other.weak {
				continue
			}
			out[id] = x.s.kin(own, x.profile(other))
		}
	}
	for id, shares := range out {
		if len(shares) == 0 {
			delete(out, id)
		}
	}
	return out, x.err
}

// Near lists cores that share an open blocking key with a core, at most limit, those of the smallest blocks first.
func (x *Index) Near(core ID, limit int) (out []ID, err error) {
	in := x.core(core)
	var open []*block
	for _, k := range in.keys {
		if b := x.block(k); b.n <= x.s.most(k) {
			open = append(open, b)
		}
	}
	slices.SortFunc(open, func(a, b *block) int { return cmp.Or(cmp.Compare(a.n, b.n), cmp.Compare(a.key, b.key)) })
	for _, b := range open {
		for _, id := range x.members(&b.list) {
			if len(out) < limit && id != core && !slices.Contains(out, id) {
				out = append(out, id)
			}
		}
	}
	return out, x.err
}

// Large says whether an index remembers so much that a new one should take its place.
func (x *Index) Large() bool { return len(x.cores)+len(x.places)+len(x.units) > indexMemory/4 }
