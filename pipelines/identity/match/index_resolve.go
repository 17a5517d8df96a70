package match

import (
	"maps"
	"slices"
)

// Resolve decides the parts of everything that changed since the last call (see Set.Resolve), and lists the cores whose profile is another one since the
// last Write.
func (x *Index) Resolve() (moved []ID, err error) {
	queue := x.touched
	x.touched = nil
	for _, id := range queue {
		x.core(id).touched = false
	}
	decided := map[ID]bool{}
	for i := 0; i < len(queue) && x.err == nil; i++ {
		id := queue[i]
		if decided[id] {
			continue
		}
		if !x.core(id).there {
			x.dissolve(x.place(id).part)
			x.settle(id, ID{}, id)
			continue
		}
		members, floor := x.partOf(id)
		for _, m := range members {
			if p := x.place(m).part; !p.IsZero() {
				queue = append(queue, x.dissolve(p)...)
			}
			decided[m] = true
		}
		if len(members) == 1 {
			x.settle(id, ID{}, id)
			continue
		}
		x.decide(members, floor)
	}
	// What dissolving touched is in the queue.
	for _, id := range x.touched {
		x.core(id).touched = false
	}
	x.touched = x.touched[:0]
	for _, id := range slices.SortedFunc(maps.Keys(x.renamed), ID.Compare) {
		if p := x.unit(id); p != nil && !p.gone {
			x.name(id, p)
		}
	}
	clear(x.renamed)
	for _, id := range x.changed.places {
		if p := x.places[id]; p.final != p.was {
			moved = append(moved, id)
		}
	}
	slices.SortFunc(moved, ID.Compare)
	return moved, x.err
}

// settle notes where a core is.
func (x *Index) settle(id, part, final ID) {
	if p := x.place(id); p.part != part || p.final != final {
		p.part, p.final = part, final
		if !p.dirty {
			p.dirty = true
			x.changed.places = append(x.changed.places, id)
		}
	}
}

// dissolve forgets a part, and says who was in it. They are to be decided anew.
func (x *Index) dissolve(id ID) []ID {
	if id.IsZero() {
		return nil
	}
	p := x.unit(id)
	if p == nil || p.gone {
		return nil
	}
	for i := range p.possible {
		x.queued[string(p.queueKey(&p.possible[i]))] = nil
	}
	p.gone = true
	x.markUnit(id, p)
	for _, m := range p.Cores {
		x.settle(m, ID{}, m)
		x.touch(m)
	}
	return p.Cores
}

// partOf lists the cores that are decided together with a core, in the order of their ids, and the floor of the edges that count.
func (x *Index) partOf(seed ID) (members []ID, floor Bits) {
	members, few := x.together(seed, kinFloor)
	floor = kinFloor
	if !few {
		members, few = x.together(seed, x.s.floor)
		floor = x.s.floor
	}
	if !few {
		// At low nobody knows too many, at high somebody does.
		low, high := Bits(0), Bits(64)
		for members, few = x.together(seed, x.s.floor+high*bit); !few && x.err == nil; members, few = x.together(seed, x.s.floor+high*bit) {
			low, high = high, 2*high
		}
		for high-low > 1 {
			middle := (low + high) / 2
			if m, few := x.together(seed, x.s.floor+middle*bit); few {
				members, high = m, middle
			} else {
				low = middle
			}
		}
		floor = x.s.floor + high*bit
	}
	slices.SortFunc(members, ID.Compare)
	return members, floor
}

// together lists the cores that edges from a floor on connect with a core, and says whether they are few enough; if not, some are missing.
func (x *Index) together(seed ID, floor Bits) (members []ID, few bool) {
	seen := map[ID]bool{seed: true}
	members = append(members, seed)
	for i := 0; i < len(members); i++ {
		for _, e := range x.core(members[i]).edges {
			if e.below(floor) || seen[e.to] {
				continue
			}
			if len(members) == x.s.limit {
				return members, false
			}
			seen[e.to] = true
			members = append(members, e.to)
		}
	}
	return members, true
}

// region makes what is decided of cores, in the set that weighs.
func (x *Index) region(members []ID, floor Bits) *region {
	s := x.s
	s.cores = s.cores[:0]
	place := make(map[ID]int32, len(members))
	for i, id := range members {
		in := x.core(id)
		own := *x.profile(in)
		own.cores = []int32{int32(i)}
		s.cores = append(s.cores, core{id: id, used: true, weak: in.weak, records: in.records, own: &own})
		place[id] = int32(i)
	}
	r := &region{set: s, cores: make([]int32, len(members))}
	asserted := false
	for i, id := range members {
		r.cores[i] = int32(i)
		in := x.core(id)
		asserted = asserted || in.asserted
		for _, e := range in.edges {
			if to, inside := place[e.to]; inside && to > int32(i) && !e.below(floor) {
				r.pairs = append(r.pairs, pair{int32(i), to, e.weight, e.forbidden, e.kin})
			}
		}
	}
	slices.SortFunc(r.pairs, func(p, q pair) int {
		if p.a != q.a {
			return int(p.a) - int(q.a)
		}
		return int(p.b) - int(q.b)
	})
	apart := map[[2]int32]bool{}
	if asserted {
		for i, id := range members {
			if !x.core(id).asserted {
				continue
			}
			others, err := x.world.Apart(id)
			if err != nil {
				x.fail(err)
			}
			for _, o := range others {
				if to, inside := place[o]; inside {
					apart[[2]int32{int32(i), to}], apart[[2]int32{to, int32(i)}] = true, true
				}
			}
		}
	}
	r.bars = func(p, q []int32) Reason {
		if len(apart) > 0 {
			for _, a := range p {
				for _, b := range q {
					if apart[[2]int32{a, b}] {
						return ReasonSeparated
					}
				}
			}
		}
		reason, err := x.world.Conflict(x.named(members, p), x.named(members, q))
		if err != nil {
			x.fail(err)
		}
		return reason
	}
	return r
}

func (x *Index) named(members []ID, places []int32) []ID {
	out := make([]ID, len(places))
	for i, p := range places {
		out[i] = members[p]
	}
	return out
}

// decide decides a part and notes what came of it.
func (x *Index) decide(members []ID, floor Bits) {
	r := x.region(members, floor)
	r.decide()
	x.s.Work.Regions++
	x.s.Work.Largest = max(x.s.Work.Largest, len(members))
	p := &unit{floor: floor, Cores: members, groups: make([]int, len(members)), finals: make([]ID, len(members))}
	for i := range members {
		p.groups[i] = int(r.find(int32(i)))
	}
	for _, m := range r.possible() {
		a, _ := slices.BinarySearchFunc(members, m.A, ID.Compare)
		b, _ := slices.BinarySearchFunc(members, m.B, ID.Compare)
		worth := m.Weight.doubt() * int64(r.profiles[a].records) * int64(r.profiles[b].records)
		p.possible = append(p.possible, maybe{a, b, m.Weight, worth, m.Reason})
	}
	x.units[members[0]] = p
	x.markUnit(members[0], p)
	x.name(members[0], p)
}

// doubt is how uncertain a match of so many bits is: 1,000 at even odds, 0 where it is sure.
func (b Bits) doubt() int64 {
	// 4 p (1 − p), with p = 1 / (1 + 2^−b), in whole numbers.
	const one = int64(1) << 20
	w := max(min(b, 20*bit), -20*bit)
	p := one * one / (one + int64(power(-w)>>(powerFraction-20)))
	return 4 * 1000 * p / one * (one - p) / one
}

// name asks by which cores the profiles of a part are named, and notes it.
func (x *Index) name(id ID, p *unit) {
	old := slices.Clone(p.finals)
	groups := map[int][]ID{}
	for i, g := range p.groups {
		groups[g] = append(groups[g], p.Cores[i])
	}
	names := map[int]ID{}
	for g, cores := range groups {
		first := cores[0]
		if len(cores) > 1 {
			var err error
			if first, err = x.world.First(cores); err != nil {
				x.fail(err)
			}
		}
		names[g] = first
	}
	known := !old[0].IsZero()
	for i, g := range p.groups {
		p.finals[i] = names[g]
	}
	if known {
		if slices.Equal(old, p.finals) {
			return
		}
		now := p.finals
		p.finals = old
		for i := range p.possible {
			x.queued[string(p.queueKey(&p.possible[i]))] = nil
		}
		p.finals = now
		x.markUnit(id, p)
	}
	for i, c := range p.Cores {
		x.settle(c, id, p.finals[i])
	}
	for i := range p.possible {
		x.queued[string(p.queueKey(&p.possible[i]))] = p.possible[i].queueRow()
	}
}

// Profile gives the id of the profile that a core is in, as of the last Resolve, and as of the last Write.
func (x *Index) Profile(core ID) (now, was ID, err error) {
	p := x.place(core)
	return p.final, p.was, x.err
}

// Cores lists the cores of the profile that a core is in, sorted.
func (x *Index) Cores(core ID) ([]ID, error) {
	at := x.place(core)
	if at.part.IsZero() || x.err != nil {
		return []ID{core}, x.err
	}
	p := x.unit(at.part)
	if p == nil || p.gone {
		x.fail(ErrDamaged)
		return nil, x.err
	}
	var out []ID
	for i, f := range p.finals {
		if f == at.final {
			out = append(out, p.Cores[i])
		}
	}
	return out, x.err
}
