package identity

import (
	"cmp"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/identifier/name"
	"github.com/dossier-cdp/dossier/schema"
)

// stratum0 makes cores of values that name one person, of aliases and of assertions.
//
// For one pair of cores the latest assertion counts. Cores are what the evidence alone makes (pre-cores): so a link between two
// personas and a later separation between two others of the same cores are about the same two people.
func (s *resolver) stratum0() {
	if len(s.assertions) == 0 {
		s.coreJoints()
		return
	}
	before := s.resolver()
	before.coreJoints()

	type pair [2]int32
	decided := map[pair]bool{}
	var linked []joint
	for i := range s.assertions {
		a := &s.assertions[i]
		p, ok := s.node(a.A)
		q, ok2 := s.node(a.B)
		if !ok || !ok2 {
			continue
		}
		about := pair{before.find(p), before.find(q)}
		if about[0] == about[1] {
			about = pair{p, q}
		}
		if about[0] > about[1] {
			about[0], about[1] = about[1], about[0]
		}
		if decided[about] {
			continue
		}
		decided[about] = true
		if a.Apart() {
			s.separated = append(s.separated, [2]int32{p, q})
		} else {
			linked = append(linked, joint{a: p, b: q, rule: RuleLink, assertion: i})
		}
	}
	for _, j := range linked {
		a, b := s.find(j.a), s.find(j.b)
		if a == b || s.holds[j.a] == Alone || s.holds[j.b] == Alone {
			continue
		}
		if reason := s.forbidden(a, b, RuleLink); reason != "" {
			s.refuse(j.a, j.b, RuleLink, Key{}, reason)
			continue
		}
		j.overrides = conflict(&s.comps[a], &s.comps[b], func() bool { return false }) != ""
		s.join(j)
	}
	s.coreJoints()
}

// core says whether the evidence, if its kind is a core kind, joins in stratum 0. What only an alias said joins as an alias.
func (e *Evidence) core() bool { return e.Assurance == schema.AssuranceVerified && e.Carried }

// coreJoints joins what shares a verified value of a core kind, kind by kind in the order of priority, then what an alias names.
func (s *resolver) coreJoints() {
	order := make([]int, 0, len(s.hubs))
	for i := range s.hubs {
		if h := &s.hubs[i]; h.alias || h.rule.Strength == Core && h.best == schema.AssuranceVerified {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(s.hubs[i].priority, s.hubs[j].priority) })
	for _, i := range order {
		h := &s.hubs[i]
		if h.rule.Strength != Core || !s.ties(i) {
			continue
		}
		var verified []int32
		for _, c := range h.carriers {
			if c.evidence.core() && s.holds[c.node] != Alone {
				verified = append(verified, c.node)
			}
		}
		s.joinHub(h, RuleCore, verified, func(_, _ int32) bool { return true })
	}
	for _, i := range order {
		if s.ties(i) {
			s.alias(&s.hubs[i], func(hold Hold) bool { return hold != Alone })
		}
	}
}

// alias joins what a server's alias names to who it says it is.
func (s *resolver) alias(h *hub, resolved func(Hold) bool) {
	if h.alias {
		var carriers []int32
		says := map[int32]bool{}
		for _, c := range h.carriers {
			if resolved(s.holds[c.node]) {
				carriers = append(carriers, c.node)
				says[c.node] = c.evidence.Alias
			}
		}
		s.joinHub(h, RuleAlias, carriers, func(a, b int32) bool { return says[a] || says[b] })
	}
}

// joinHub joins the components of a hub's nodes, pairwise where join allows it and no constraint forbids it. A component that
// could go with either of two that may not be one goes with neither: it could be either person.
//
// What is decided rests on the state before the hub, and joints are made in node order, each checked again as it is made.
func (s *resolver) joinHub(h *hub, rule Rule, nodes []int32, want func(a, b int32) bool) {
	groups := s.groups(nodes)
	if len(groups) < 2 {
		return
	}
	slices.SortFunc(groups, func(a, b group) int {
		if s.nodes[s.comps[a.root].canonical].Before(s.nodes[s.comps[b.root].canonical]) {
			return -1
		}
		return 1
	})
	n := len(groups)
	yes, no, torn := s.pairs.of(n)
	conflicts := false
	for i := range n {
		for j := range i {
			reason := s.barred(h, groups[i].root, groups[j].root, rule)
			no[i*n+j], no[j*n+i] = reason, reason
			conflicts = conflicts || reason != ""
			y := reason == "" && want(groups[i].node, groups[j].node)
			yes[i*n+j], yes[j*n+i] = y, y
		}
	}
	if conflicts {
		for i := range n {
			torn[i] = between(yes, no, i, n)
		}
	}
	for i := range n {
		for j := range i {
			a, b := groups[j], groups[i]
			switch {
			case no[i*n+j] != "":
				s.refuse(a.node, b.node, rule, h.key, no[i*n+j])
			case !yes[i*n+j]:
			case torn[i] || torn[j]:
				s.refuse(a.node, b.node, rule, h.key, ReasonTwoClaims)
			default:
				x, y := s.find(a.node), s.find(b.node)
				if x == y {
					continue
				}
				if reason := s.barred(h, x, y, rule); reason != "" {
					s.refuse(a.node, b.node, rule, h.key, reason)
					continue
				}
				s.join(joint{a: a.node, b: b.node, rule: rule, key: h.key})
			}
		}
	}
}

// pairs are tables of what joinHub asks of each two of n groups: may and would they be one, and of each group whether it could go with either of two. They are good
// until the next call.
type pairs struct {
	yes, torn []bool
	no        []Reason
}

func (p *pairs) of(n int) (yes []bool, no []Reason, torn []bool) {
	if cap(p.yes) < n*n {
		p.yes, p.no, p.torn = make([]bool, n*n), make([]Reason, n*n), make([]bool, n)
	}
	yes, no, torn = p.yes[:n*n], p.no[:n*n], p.torn[:n]
	clear(yes)
	clear(no)
	clear(torn)
	return yes, no, torn
}

// barred says whether a constraint keeps two components apart that share a hub's value. What people lend each other is no proof against two
// given names.
func (s *resolver) barred(h *hub, a, b int32, rule Rule) Reason {
	reason := s.forbidden(a, b, rule)
	if reason == "" && rule == RuleCore && h.rule.Lent && s.rules.GivenNames && s.relation(&s.comps[a], &s.comps[b]) == name.Different {
		return ReasonGivenName
	}
	return reason
}

// group is one component among a hub's nodes, and the first of the hub's nodes in it.
type group struct{ root, node int32 }

// groups lists the components of nodes, in the order of their first node. The list is good until the next call.
func (s *resolver) groups(nodes []int32) []group {
	out := s.grouped[:0]
	defer func() { s.grouped = out }()
	if len(nodes) <= 16 {
		for _, n := range nodes {
			root := s.find(n)
			if !slices.ContainsFunc(out, func(g group) bool { return g.root == root }) {
				out = append(out, group{root, n})
			}
		}
		return out
	}
	seen := make(map[int32]struct{}, len(nodes))
	for _, n := range nodes {
		root := s.find(n)
		if _, ok := seen[root]; !ok {
			seen[root] = struct{}{}
			out = append(out, group{root, n})
		}
	}
	return out
}

// between says whether i would go with two that must not be one. yes and no are n×n.
func between(yes []bool, no []Reason, i, n int) bool {
	for j := range n {
		if !yes[i*n+j] {
			continue
		}
		for k := range j {
			if no[j*n+k] != "" && yes[i*n+k] {
				return true
			}
		}
	}
	return false
}
