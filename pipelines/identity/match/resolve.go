package match

import (
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// regionLimit bounds the cores that are decided together. In a larger component the weakest edges do not count, whole bit by whole bit,
// until its parts are small enough: a function of the component.
const regionLimit = 512

// Resolve decides the regions of everything that changed since the last call, and says which cores it decided.
func (s *Set) Resolve() []int32 {
	if len(s.dirty) == 0 {
		return nil
	}
	seeds := make([]int32, 0, len(s.dirty))
	for slot := range s.dirty {
		if s.cores[slot].used {
			seeds = append(seeds, slot)
		}
	}
	clear(s.dirty)
	slices.Sort(seeds)
	s.stamp++
	var decided []int32
	for _, seed := range seeds {
		if s.stamps[seed] == s.stamp {
			continue
		}
		members := s.component(seed)
		for _, r := range s.regions(members) {
			r.decide()
			r.apply()
		}
		decided = append(decided, members...)
	}
	return decided
}

// component lists the cores that edges connect with a core.
func (s *Set) component(seed int32) []int32 {
	s.stamps[seed] = s.stamp
	members := []int32{seed}
	for i := 0; i < len(members); i++ {
		for _, e := range s.cores[members[i]].edges {
			if s.stamps[e.to] != s.stamp {
				s.stamps[e.to] = s.stamp
				members = append(members, e.to)
			}
		}
	}
	return members
}

// regions makes the regions of a component.
func (s *Set) regions(members []int32) []*region {
	slices.SortFunc(members, func(a, b int32) int { return s.cores[a].id.Compare(s.cores[b].id) })
	place := make(map[int32]int32, len(members))
	for i, m := range members {
		place[m] = int32(i)
	}
	r := &region{set: s, cores: members}
	for i, m := range members {
		for _, e := range s.cores[m].edges {
			if to := place[e.to]; to > int32(i) {
				r.pairs = append(r.pairs, pair{int32(i), to, e.weight, e.forbidden})
			}
		}
	}
	slices.SortFunc(r.pairs, func(p, q pair) int {
		if p.a != q.a {
			return int(p.a) - int(q.a)
		}
		return int(p.b) - int(q.b)
	})
	return r.cut(s.floor)
}

// cut parts a region that is too large along its weakest pairs.
func (r *region) cut(floor Bits) []*region {
	if len(r.cores) <= regionLimit {
		return []*region{r}
	}
	floor += bit
	r.parent = make([]int32, len(r.cores))
	for i := range r.parent {
		r.parent[i] = int32(i)
	}
	var kept []pair
	for _, p := range r.pairs {
		if p.weight >= floor {
			kept = append(kept, p)
			a, b := r.find(p.a), r.find(p.b)
			r.parent[max(a, b)] = min(a, b)
		}
	}
	parts := map[int32]*region{}
	place := make([]int32, len(r.cores))
	var order []*region
	for i, slot := range r.cores {
		root := r.find(int32(i))
		part := parts[root]
		if part == nil {
			part = &region{set: r.set}
			parts[root] = part
			order = append(order, part)
		}
		place[i] = int32(len(part.cores))
		part.cores = append(part.cores, slot)
	}
	for _, p := range kept {
		part := parts[r.find(p.a)]
		part.pairs = append(part.pairs, pair{place[p.a], place[p.b], p.weight, p.forbidden})
	}
	var out []*region
	for _, part := range order {
		out = append(out, part.cut(floor)...)
	}
	return out
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
