package match

import (
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// regionLimit bounds the cores that are decided together. Where more hang together, the weakest edges do not count, whole bit by whole
// bit, until few enough do: the part of a core is what hangs together with it at the lowest floor at which that is at most so many. First of all those do not
// count who are of one household and cannot be one person: they bear on nothing but the list of possible matches.
// Parts are disjoint, since what hangs together at one floor does so at every lower one.
const regionLimit = 512

// Resolve decides the parts of everything that changed since the last call, and says which cores it decided. It looks at no more than
// regionLimit cores and their edges to find a part, some six times, however many hang together.
//
// Whose part changes is found: a part grows or shrinks by an edge at one of its cores, both ends of which are dirty, and whoever
// leaves a part, or joins another, has all cores of the part that he was in decided anew.
func (s *Set) Resolve() []int32 {
	if len(s.dirty) == 0 {
		return nil
	}
	queue := s.dirty
	s.dirty = nil
	for _, slot := range queue {
		s.cores[slot].dirty = false
	}
	s.round++
	var decided []int32
	for i := 0; i < len(queue); i++ {
		in := &s.cores[queue[i]]
		if !in.used || in.round == s.round {
			continue
		}
		members, floor := s.part(queue[i])
		number := s.number(members)
		for _, m := range members {
			queue = append(queue, s.dissolve(s.cores[m].part)...)
			s.cores[m].part, s.cores[m].round = number, s.round
		}
		r := s.region(members, floor)
		r.decide()
		r.apply()
		decided = append(decided, members...)
	}
	s.dirty = queue[:0]
	return decided
}

// number notes who is decided together.
func (s *Set) number(members []int32) int32 {
	if len(members) == 1 {
		return 0
	}
	if n := len(s.unused); n > 0 {
		number := s.unused[n-1]
		s.unused = s.unused[:n-1]
		s.parts[number] = members
		return number
	}
	s.parts = append(s.parts, members)
	return int32(len(s.parts) - 1)
}

// dissolve forgets a part, and says who was in it.
func (s *Set) dissolve(number int32) []int32 {
	if number == 0 {
		return nil
	}
	members := s.parts[number]
	s.parts[number] = nil
	s.unused = append(s.unused, number)
	for _, m := range members {
		if s.cores[m].part == number {
			s.cores[m].part = 0
		}
	}
	return members
}

// kinFloor is the floor at which also those count who are of one household and cannot be one person.
const kinFloor = -1 << 30

// part lists the cores that are decided together with a core, in the order of their ids, and the floor of the edges that count.
func (s *Set) part(seed int32) (members []int32, floor Bits) {
	members, few := s.together(seed, kinFloor)
	floor = kinFloor
	if !few {
		members, few = s.together(seed, s.floor)
		floor = s.floor
	}
	if !few {
		// At low nobody knows too many, at high somebody does.
		low, high := Bits(0), Bits(64)
		for members, few = s.together(seed, s.floor+high*bit); !few; members, few = s.together(seed, s.floor+high*bit) {
			low, high = high, 2*high
		}
		for high-low > 1 {
			middle := (low + high) / 2
			if m, few := s.together(seed, s.floor+middle*bit); few {
				members, high = m, middle
			} else {
				low = middle
			}
		}
		floor = s.floor + high*bit
	}
	slices.SortFunc(members, func(a, b int32) int { return s.cores[a].id.Compare(s.cores[b].id) })
	return members, floor
}

// below says whether an edge does not count at a floor.
func (e *edge) below(floor Bits) bool { return e.weight < floor || e.kin && floor > kinFloor }

// together lists the cores that edges from a floor on connect with a core, and says whether they are few enough; if not, some are missing.
func (s *Set) together(seed int32, floor Bits) (members []int32, few bool) {
	s.stamp++
	s.stamps[seed] = s.stamp
	members = append(members, seed)
	for i := 0; i < len(members); i++ {
		for _, e := range s.cores[members[i]].edges {
			if e.below(floor) || s.stamps[e.to] == s.stamp {
				continue
			}
			if len(members) == s.limit {
				return members, false
			}
			s.stamps[e.to] = s.stamp
			members = append(members, e.to)
		}
	}
	return members, true
}

// region makes what is decided of the cores of a part, which are in the order of their ids.
func (s *Set) region(members []int32, floor Bits) *region {
	r := &region{set: s, cores: members}
	if len(members) == 1 {
		return r
	}
	place := make(map[int32]int32, len(members))
	for i, m := range members {
		place[m] = int32(i)
	}
	for i, m := range members {
		for _, e := range s.cores[m].edges {
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
	return r
}

// apply writes what was decided to the set.
func (r *region) apply() {
	r.set.Work.Regions++
	r.set.Work.Largest = max(r.set.Work.Largest, len(r.cores))
	for i, slot := range r.cores {
		r.set.cores[slot].group = r.cores[r.find(int32(i))]
	}
}

// Profile gives the id of the smallest core of a core's profile, as of the last Resolve.
func (s *Set) Profile(id schema.ProfileID) (schema.ProfileID, bool) {
	slot, ok := s.slots[id]
	if !ok {
		return schema.ProfileID{}, false
	}
	return s.cores[s.cores[slot].group].id, true
}
