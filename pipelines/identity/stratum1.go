package identity

import (
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/identifier/name"
	"github.com/dossier-cdp/dossier/schema"
)

// stratum1 joins cores through shared identifiers. Its steps run in order, each on what the earlier ones left.
func (s *resolver) stratum1() {
	if !slices.ContainsFunc(s.holds, s.resolved) {
		return
	}
	s.merge()
	s.client()
	s.support()
	s.unknown()
}

// unknown places who nobody knows.
func (s *resolver) unknown() {
	for rank := rankClaimed; ; rank-- {
		s.attach(rank)
		if rank == rankLoose {
			break
		}
	}
	s.rest()
}

// rank says how much of a person a component is. A component attaches only to one of a higher rank.
type rank int

const (
	rankLoose   rank = 0 // nothing but shared values
	rankNamed   rank = 1 // a name and a verified value
	rankClaimed rank = 2 // a declared id in client trust
	rankKnown   rank = 3 // a declared id in server trust
)

func (s *resolver) rank(root int32) rank {
	switch c := &s.comps[root]; {
	case c.standing == Known:
		return rankKnown
	case c.standing == Claimed:
		return rankClaimed
	case c.verified && s.named(root):
		return rankNamed
	}
	return rankLoose
}

// free lists a hub's carriers that are not quarantined, and of those the ones of at least an assurance. The list is good until the next call.
func (s *resolver) free(h *hub, least schema.Assurance) []int32 {
	out := s.freed[:0]
	for _, c := range h.carriers {
		if s.resolved(s.holds[c.node]) && c.evidence.Assurance >= least {
			out = append(out, c.node)
		}
	}
	s.freed = out
	return out
}

// merge joins components that share a verified contact point and whose given names agree: first those that plainly do, then those
// where one name is a part of the other.
//
// A component that carries two people's names, as a shared account does, and that could go with either of two who may not be one goes with
// neither, whichever values it shares with them.
func (s *resolver) merge() {
	torn := s.torn()
	for _, least := range []name.Relation{name.Near, name.Part} {
		for i := range s.hubs {
			h := &s.hubs[i]
			if h.rule.Strength != Merge && h.rule.Strength != Core || h.best != schema.AssuranceVerified || !s.ties(i) {
				continue
			}
			nodes := slices.DeleteFunc(s.free(h, schema.AssuranceVerified), func(n int32) bool {
				root := s.find(n)
				return !s.named(root) || torn != nil && torn[root]
			})
			s.joinHub(h, RuleMerge, nodes, func(a, b int32) bool {
				x, y := &s.comps[s.find(a)], &s.comps[s.find(b)]
				return s.relation(x, y) >= least && (!h.rule.FullName || s.sameFullName(x, y))
			})
		}
	}
}

// torn lists the components that carry the names of several people and could merge with several who may not be one. It notes their claims.
func (s *resolver) torn() map[int32]bool {
	var claims map[int32][]joint
	for n := range s.nodes {
		if root := int32(n); s.parent[n] == root && s.resolved(s.holds[n]) && s.several(root) {
			if claims == nil {
				claims = map[int32][]joint{}
			}
			claims[root] = nil
		}
	}
	if len(claims) == 0 {
		return nil
	}
	for i := range s.hubs {
		h := &s.hubs[i]
		if h.rule.Strength != Merge && h.rule.Strength != Core || h.best != schema.AssuranceVerified || !s.ties(i) {
			continue
		}
		groups := s.groups(s.free(h, schema.AssuranceVerified))
		for _, of := range groups {
			if _, ok := claims[of.root]; !ok {
				continue
			}
			for _, to := range groups {
				if to.root != of.root && s.named(to.root) && s.relation(&s.comps[of.root], &s.comps[to.root]) >= name.Part && s.forbidden(of.root, to.root, RuleMerge) == "" {
					claims[of.root] = append(claims[of.root], joint{a: to.node, b: of.node, key: h.key})
				}
			}
		}
	}
	torn := map[int32]bool{}
	for n := range s.nodes { // in node order, so that refusals are noted in one
		for i, j := range claims[int32(n)] {
			for _, k := range claims[int32(n)][:i] {
				if a, b := s.find(j.a), s.find(k.a); a != b && s.forbidden(a, b, RuleMerge) != "" {
					torn[int32(n)] = true
					s.refuse(k.a, k.b, RuleMerge, k.key, ReasonTwoClaims)
					s.refuse(j.a, j.b, RuleMerge, j.key, ReasonTwoClaims)
				}
			}
		}
	}
	return torn
}

// several says whether a component carries given names that cannot be one person's.
func (s *resolver) several(root int32) bool {
	names := s.comps[root].called()
	for i := range names {
		for j := range i {
			if s.compareNames(names[i].name, names[j].name) == name.Different {
				return true
			}
		}
	}
	return false
}

// client brings client personas to the server persona of the same user id, one by one, whatever name they give: what one of them claims
// keeps no other from it. Others that only declare such a value, a card typed into a survey, come after, with their names. Client
// personas without a server persona join each other.
func (s *resolver) client() {
	known := func(root int32) bool { return s.rank(root) == rankKnown }
	s.claim(RuleClient, schema.AssuranceDeclared, Core, func(root int32) bool { return s.rank(root) == rankClaimed }, known)
	s.claim(RuleAttach, schema.AssuranceDeclared, Core, func(root int32) bool { return s.rank(root) < rankClaimed }, known)
	for i := range s.hubs {
		h := &s.hubs[i]
		if h.rule.Strength != Core || !s.ties(i) {
			continue
		}
		nodes := slices.DeleteFunc(s.free(h, schema.AssuranceDeclared), func(n int32) bool { return s.rank(s.find(n)) != rankClaimed })
		s.joinHub(h, RuleClient, nodes, func(a, b int32) bool { return true })
	}
}

// support brings known components without a name to the one named component that shares a verified value with them; those that
// no named one claims join each other.
func (s *resolver) support() {
	s.claim(RuleSupport, schema.AssuranceVerified, Merge,
		func(root int32) bool { return s.rank(root) == rankKnown && !s.named(root) },
		func(root int32) bool { return s.rank(root) >= rankNamed && s.named(root) })
	for i := range s.hubs {
		h := &s.hubs[i]
		if h.rule.Strength != Merge || h.best != schema.AssuranceVerified || !s.ties(i) {
			continue
		}
		nodes := s.free(h, schema.AssuranceVerified)
		// A named carrier that did not take them in says that it could be two people.
		if slices.ContainsFunc(nodes, func(n int32) bool { return s.named(s.find(n)) }) {
			continue
		}
		s.joinHub(h, RuleSupport, nodes, func(a, b int32) bool { return true })
	}
}

// attach brings components of one rank to the one component of a higher rank that claims them, in rounds.
func (s *resolver) attach(of rank) {
	for s.claim(RuleAttach, schema.AssuranceInferred, Attach,
		func(root int32) bool { return s.rank(root) == of },
		func(root int32) bool { return s.rank(root) > of }) {
	}
}

// claim attaches each component that takes part to the only one that claims it by a shared value. All proposals rest on the
// state before, and are applied in canonical order. It says whether any component was attached.
func (s *resolver) claim(rule Rule, least schema.Assurance, weakest Strength, seeks, claims func(root int32) bool) bool {
	type proposal struct {
		target int32 // root
		torn   bool
		via    joint
	}
	var proposals map[int32]*proposal
	var order []int32
	for i := range s.hubs {
		h := &s.hubs[i]
		if h.rule.Strength == Attach && weakest != Attach || h.rule.Strength == Merge && weakest == Core || !s.ties(i) {
			continue
		}
		groups := s.groups(s.free(h, least))
		for _, from := range groups {
			if !seeks(from.root) {
				continue
			}
			for _, to := range groups {
				if to.root == from.root || !claims(to.root) {
					continue
				}
				if reason := s.forbidden(from.root, to.root, rule); reason != "" {
					s.refuse(to.node, from.node, rule, h.key, reason)
					continue
				}
				p, ok := proposals[from.root]
				if !ok {
					if proposals == nil {
						proposals = map[int32]*proposal{}
					}
					proposals[from.root] = &proposal{target: to.root, via: joint{a: to.node, b: from.node, rule: rule, key: h.key}}
					order = append(order, from.root)
				} else if p.target != to.root {
					p.torn = true
					s.refuse(p.via.a, from.node, rule, p.via.key, ReasonTwoClaims)
					s.refuse(to.node, from.node, rule, h.key, ReasonTwoClaims)
				}
			}
		}
	}
	slices.SortFunc(order, func(a, b int32) int {
		if s.nodes[s.comps[a].canonical].Before(s.nodes[s.comps[b].canonical]) {
			return -1
		}
		return 1
	})
	attached := false
	for _, seeker := range order {
		p := proposals[seeker]
		if p.torn {
			continue
		}
		a, b := s.find(p.via.a), s.find(p.via.b)
		if a == b {
			continue
		}
		if reason := s.forbidden(a, b, rule); reason != "" {
			s.refuse(p.via.a, p.via.b, rule, p.via.key, reason)
			continue
		}
		s.join(p.via)
		attached = true
	}
	return attached
}

// rest joins loose components that nobody claims through the values that they share.
func (s *resolver) rest() {
	var claimed map[int32]bool
	for _, r := range s.refusals {
		if r.reason == ReasonTwoClaims {
			if claimed == nil {
				claimed = map[int32]bool{}
			}
			claimed[r.a], claimed[r.b] = true, true
		}
	}
	for i := range s.hubs {
		if !s.ties(i) {
			continue
		}
		h := &s.hubs[i]
		nodes := slices.DeleteFunc(s.free(h, schema.AssuranceInferred), func(n int32) bool {
			return s.rank(s.find(n)) != rankLoose || claimed[n]
		})
		s.joinHub(h, RuleRest, nodes, func(a, b int32) bool {
			r := s.relation(&s.comps[s.find(a)], &s.comps[s.find(b)])
			return r == name.Missing || r >= name.Part
		})
	}
	s.possible()
}

// possible notes what still shares a value and stayed apart for want of strength.
func (s *resolver) possible() {
	for i := range s.hubs {
		if !s.ties(i) {
			continue
		}
		h := &s.hubs[i]
		groups := s.groups(s.free(h, schema.AssuranceInferred))
		for i := range groups {
			for j := range i {
				a, b := groups[i].root, groups[j].root
				// Two who are nobody yet are no match worth looking at, and there may be hundreds beside a kiosk.
				if s.rank(a) == rankLoose && s.rank(b) == rankLoose || s.settled(a, b) {
					continue
				}
				reason := s.forbidden(a, b, RuleMerge)
				switch {
				case reason != "":
				case !s.named(a) || !s.named(b) || s.relation(&s.comps[a], &s.comps[b]) == name.Apart:
					reason = ReasonUnnamed
				default:
					reason = ReasonDeclared
				}
				s.refuse(groups[j].node, groups[i].node, RuleMerge, h.key, reason)
			}
		}
	}
}
