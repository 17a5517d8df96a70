package match

import "slices"

// pair is two cores of a region that share a blocking key. The numbers are places in the region, in the order of core ids.
type pair struct {
	a, b      int32
	weight    Bits
	forbidden bool
	kin       bool // see edge
}

// region is a set of cores that is decided together. Everything in it is in the order of core ids, so that what is decided is a
// function of the set.
type region struct {
	set      *Set
	cores    []int32 // slots, in the order of core ids
	pairs    []pair  // sorted by (a, b), a < b
	parent   []int32
	profiles []*profile
	weak     []bool // no name: joins last
	torn     []bool // could as well be either of two people: joins last
	near     [][]int32
	extra    Bits                      // asked for beyond the model's thresholds
	bars     func(p, q []int32) Reason // what beside the values keeps two sets of cores from being one person; nil: nothing does
	joints   *[]joint                  // where to note what was joined; nil: nowhere
}

// joint is two profiles, by their first places, that became one.
type joint struct {
	a, b     int32
	weight   Bits
	attached bool
}

// barred says what beside the values keeps two profiles, by their first places, from being one person.
func (r *region) barred(a, b int32) Reason {
	if r.bars == nil {
		return ""
	}
	return r.bars(r.profiles[a].cores, r.profiles[b].cores)
}

// may says whether two profiles may be joined at a threshold.
func (r *region) may(a, b int32, sc score, threshold Bits) bool {
	return sc.joins(threshold) && r.barred(a, b) == ""
}

func (r *region) note(a, b int32, weight Bits, attached bool) {
	if r.joints != nil {
		*r.joints = append(*r.joints, joint{a, b, weight, attached})
	}
}

func (r *region) find(x int32) int32 {
	for r.parent[x] != x {
		r.parent[x] = r.parent[r.parent[x]]
		x = r.parent[x]
	}
	return x
}

// join makes two profiles one, under the smaller place.
func (r *region) join(a, b int32) int32 {
	if a > b {
		a, b = b, a
	}
	r.parent[b] = a
	r.profiles[a] = r.profiles[a].join(r.profiles[b])
	r.profiles[b] = nil
	return a
}

func (r *region) score(p, q *profile) score {
	r.set.Work.Decided++
	return r.set.score(p, q)
}

func (r *region) decide() {
	r.parent = make([]int32, len(r.cores))
	r.profiles = make([]*profile, len(r.cores))
	r.weak = make([]bool, len(r.cores))
	r.near = make([][]int32, len(r.cores))
	for i, slot := range r.cores {
		r.parent[i] = int32(i)
		r.profiles[i] = r.set.cores[slot].own
		r.weak[i] = r.set.cores[slot].weak
	}
	r.tear()
	r.merge()
	for range 4 {
		if !r.attach() {
			break
		}
	}
}

// merge joins profiles along pairs, strongest first, wherever the whole profiles agree.
func (r *region) merge() {
	t := &r.set.model.Thresholds
	edge, merge := inBits(t.Edge), inBits(t.Merge)+r.extra
	var order []*pair
	for i := range r.pairs {
		p := &r.pairs[i]
		if !p.forbidden && p.weight >= edge && !r.weak[p.a] && !r.weak[p.b] && !r.torn[p.a] && !r.torn[p.b] {
			order = append(order, p)
		}
	}
	slices.SortStableFunc(order, func(p, q *pair) int { return int(q.weight) - int(p.weight) })
	type tried struct{ a, b int32 }
	for range 2 {
		done := true
		seen := map[tried]int{}
		for _, p := range order {
			a, b := r.find(p.a), r.find(p.b)
			if a == b {
				continue
			}
			sizes := len(r.profiles[a].cores)*1000 + len(r.profiles[b].cores)
			k := tried{min(a, b), max(a, b)}
			if a > b {
				sizes = len(r.profiles[b].cores)*1000 + len(r.profiles[a].cores)
			}
			if seen[k] == sizes {
				continue
			}
			seen[k] = sizes
			if int(r.profiles[a].records+r.profiles[b].records) > t.Largest {
				continue
			}
			sc := r.score(r.profiles[a], r.profiles[b])
			if !r.may(a, b, sc, merge) {
				continue
			}
			r.note(a, b, sc.posterior, false)
			r.join(a, b)
			done = false
		}
		if done {
			return
		}
	}
}

// The bounds of tear: what is nearer than tie is as near, and no more than mostTied are looked at.
const (
	tie      = bit / 4
	mostTied = 16
)

// tear finds the cores that fit two people equally well, and no third better: two who cannot be one by what they say, or, where nothing but a name and a town brings
// them together, two who are not likely to be one. They are left to attach, which asks for a margin. Who wrote from a mailbox of father and son of one name is neither's.
func (r *region) tear() {
	r.torn = make([]bool, len(r.cores))
	if len(r.cores) < 3 {
		return
	}
	t := &r.set.model.Thresholds
	edge, link := inBits(t.Edge), inBits(t.Link)
	best := make([]Bits, len(r.cores))
	counts := func(p *pair) bool {
		return !p.forbidden && p.weight >= edge && !r.weak[p.a] && !r.weak[p.b]
	}
	for i := range r.pairs {
		if p := &r.pairs[i]; counts(p) {
			best[p.a], best[p.b] = max(best[p.a], p.weight), max(best[p.b], p.weight)
		}
	}
	tied := make([][]int32, len(r.cores))
	for i := range r.pairs {
		p := &r.pairs[i]
		if !counts(p) {
			continue
		}
		for _, x := range [...][2]int32{{p.a, p.b}, {p.b, p.a}} {
			if p.weight >= best[x[0]]-tie && len(tied[x[0]]) < mostTied {
				tied[x[0]] = append(tied[x[0]], x[1])
			}
		}
	}
	for x, list := range tied {
		for i := 0; i < len(list) && !r.torn[x]; i++ {
			for _, z := range list[:i] {
				y := list[i]
				sc := r.score(r.profiles[y], r.profiles[z])
				if sc.forbidden || sc.posterior < link && !r.keyed(int32(x), y) && !r.keyed(int32(x), z) {
					r.torn[x] = true
					break
				}
			}
		}
	}
}

// keyed says whether two profiles share something that few people share.
func (r *region) keyed(a, b int32) bool { return r.score(r.profiles[a], r.profiles[b]).keyed }

type rival struct {
	to        int32
	posterior Bits
	out       bool // not to be joined, but a rival
}

// attach lets every small profile join the one that it fits best, if that one beats every other by the margin. A rival that is
// plausibly the same person as the best is none. A nameless one, or one of two namesakes', that could as well be another's is joined by nobody, either: who shares a
// mailbox with another does not get what came from it by being small. It says whether anything joined.
func (r *region) attach() bool {
	t := &r.set.model.Thresholds
	link, margin := inBits(t.Link)+r.extra, inBits(t.Margin)
	rivals := map[int32][]rival{}
	type edge struct{ a, b int32 }
	seen := map[edge]bool{}
	for i := range r.pairs {
		a, b := r.find(r.pairs[i].a), r.find(r.pairs[i].b)
		if a > b {
			a, b = b, a
		}
		if a == b || r.pairs[i].kin || seen[edge{a, b}] {
			continue
		}
		seen[edge{a, b}] = true
		smallA, smallB := int(r.profiles[a].records) <= t.Loose, int(r.profiles[b].records) <= t.Loose
		if !smallA && !smallB {
			continue
		}
		sc := r.score(r.profiles[a], r.profiles[b])
		if sc.forbidden {
			sc.posterior -= 12 * bit
		}
		if sc.posterior < -6*bit {
			continue
		}
		out := sc.forbidden || sc.bare || r.barred(a, b) != ""
		if smallA {
			rivals[a] = append(rivals[a], rival{b, sc.posterior, out})
		}
		if smallB {
			rivals[b] = append(rivals[b], rival{a, sc.posterior, out})
		}
	}
	type proposal struct {
		from, to int32
		weight   Bits
	}
	torn := map[int32]bool{}
	for x, list := range rivals {
		slices.SortFunc(list, func(p, q rival) int {
			if p.posterior != q.posterior {
				return int(q.posterior) - int(p.posterior)
			}
			return int(p.to) - int(q.to)
		})
		best := list[0]
		if best.out || best.posterior < link {
			continue
		}
		for _, z := range list[1:] {
			if best.posterior-z.posterior >= margin {
				break
			}
			if q := r.score(r.profiles[best.to], r.profiles[z.to]); !r.may(best.to, z.to, q, link) {
				torn[x] = true
				break
			}
		}
	}
	var proposals []proposal
	for x, list := range rivals {
		best := list[0]
		if best.out || best.posterior < link || torn[x] || (r.weak[best.to] || r.torn[best.to]) && r.tossed(rivals[best.to], x, best.posterior, link) {
			continue
		}
		small, large := int(r.profiles[x].records), int(r.profiles[best.to].records)
		if small > large || small == large && small > 1 && x < best.to {
			continue
		}
		if small+large > t.Largest {
			continue
		}
		proposals = append(proposals, proposal{x, best.to, best.posterior})
	}
	slices.SortFunc(proposals, func(p, q proposal) int {
		if p.weight != q.weight {
			return int(q.weight) - int(p.weight)
		}
		return int(p.from) - int(q.from)
	})
	moved, changed := map[int32]bool{}, map[int32]bool{}
	joined := false
	for _, p := range proposals {
		if moved[p.to] || moved[p.from] || changed[p.from] {
			continue
		}
		a, b := r.find(p.from), r.find(p.to)
		if a == b {
			continue
		}
		if changed[p.to] {
			if sc := r.score(r.profiles[a], r.profiles[b]); !r.may(a, b, sc, link) {
				continue
			}
		}
		r.note(a, b, p.weight, true)
		moved[p.from] = true
		changed[p.to] = true
		changed[r.join(a, b)] = true
		joined = true
	}
	return joined
}

// tossed says whether a nameless or torn profile, by its rivals, could as well be somebody else's than x's: to within half a bit, or better.
func (r *region) tossed(rivals []rival, x int32, posterior, link Bits) bool {
	for _, z := range rivals {
		if z.to == x || z.posterior <= posterior-bit/2 {
			continue
		}
		if q := r.score(r.profiles[x], r.profiles[z.to]); !r.may(x, z.to, q, link) {
			return true
		}
	}
	return false
}
