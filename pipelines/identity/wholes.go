package identity

import "slices"

// Client personas are hung on to the profiles that stratum 2 makes of cores, not to the cores: a public key that names a mailbox which a shop, a till and a call
// centre know of one customer names one customer, and no three.

// wholes is what stratum 2 says of a region, for as long as client personas are hung on.
type wholes struct {
	core   []int32            // of each node: the root of its core; -1: it is to be hung on
	cores  map[int32]coreSeen // by root
	beyond []beyond
}

// coreSeen is a core of the region, as it was before stratum 2 joined any.
type coreSeen struct {
	canonical int32
	holder    NodeID // the profile that holds it
}

// beyond is a separation of a node of the region from somebody outside of it.
type beyond struct {
	node   int32
	holder NodeID // the profile of the other
}

// weighed joins what stratum 2 holds to be one profile, before client personas are hung on.
func (s *resolver) weighed() {
	if s.weighted == nil {
		return
	}
	w := &wholes{core: make([]int32, len(s.nodes)), cores: map[int32]coreSeen{}}
	ask := func(f func(NodeID) (NodeID, error), id NodeID) NodeID {
		out, err := f(id)
		if s.err == nil {
			s.err = err
		}
		return out
	}
	one := map[NodeID]int32{} // the canonical node of a profile's first core
	var joints []joint
	for n := range s.nodes {
		root := s.find(int32(n))
		w.core[n] = -1
		if !s.comps[root].served {
			continue
		}
		w.core[n] = root
		if root != int32(n) {
			continue
		}
		c := coreSeen{canonical: s.comps[root].canonical}
		c.holder = ask(s.weighted.Whole, s.nodes[c.canonical].ID)
		w.cores[root] = c
		if to, found := one[c.holder]; found {
			joints = append(joints, joint{a: to, b: c.canonical, rule: RuleWeigh})
		} else {
			one[c.holder] = c.canonical
		}
	}
	for _, j := range joints {
		s.join(j)
	}
	for i := range s.assertions {
		a := &s.assertions[i]
		if !a.Apart() {
			continue
		}
		p, inA := s.node(a.A)
		q, inB := s.node(a.B)
		switch {
		case inA == inB:
		case inA:
			w.beyond = append(w.beyond, beyond{p, ask(s.weighted.Holder, a.B)})
		default:
			w.beyond = append(w.beyond, beyond{q, ask(s.weighted.Holder, a.A)})
		}
	}
	s.whole = w
}

// held gives the profile of stratum 2 that holds a component; zero if it has no server persona.
func (s *resolver) held(root int32) NodeID {
	c := &s.comps[root]
	if !c.served {
		return NodeID{}
	}
	return s.whole.cores[s.whole.core[c.canonical]].holder
}

// apart says whether somebody separated a node of one component from a persona outside the region, of the profile that holds the other one.
func (s *resolver) apart(a, b int32) bool {
	for _, x := range s.whole.beyond {
		of := NodeID{}
		switch s.find(x.node) {
		case a:
			of = s.held(b)
		case b:
			of = s.held(a)
		}
		if !of.IsZero() && of == x.holder {
			return true
		}
	}
	return false
}

// part is the core that a node is told with: its own, or, for one that hangs on, the first core of its profile; -1 if it hangs on to none.
func (s *resolver) part(n int32) int32 {
	if s.whole == nil {
		return s.find(n)
	}
	if core := s.whole.core[n]; core >= 0 {
		return core
	}
	c := &s.comps[s.find(n)]
	if !c.served {
		return -1
	}
	return s.whole.core[c.canonical] // the canonical persona of all cores is that of the first
}

// parts lists the members of a component by the cores that they are told with, the first core first, each with its root first. It is good until the next call.
func (s *resolver) parts(root int32) [][]int32 {
	c := &s.comps[root]
	if s.whole == nil || !c.served {
		s.alone[0] = c.members
		return s.alone[:]
	}
	first := s.part(c.canonical)
	roots := []int32{first}
	for _, m := range c.members {
		if core := s.part(m); !slices.Contains(roots, core) {
			roots = append(roots, core)
		}
	}
	if len(roots) == 1 {
		s.alone[0] = c.members
		return s.alone[:]
	}
	out := make([][]int32, len(roots))
	for i, core := range roots {
		out[i] = []int32{core}
	}
	for _, m := range c.members {
		if core := s.part(m); core != m {
			i := slices.Index(roots, core)
			out[i] = append(out[i], m)
		}
	}
	return out
}

// teller is the node with whose core a joint is told: of somebody who hangs on, his own.
func (s *resolver) teller(j joint) int32 {
	if s.whole != nil && s.whole.core[j.b] < 0 {
		return j.b
	}
	return j.a
}
