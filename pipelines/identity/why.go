package identity

import (
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// Step is one joint, or one joint that was refused (Reason is set).
type Step struct {
	A, B                   NodeID
	SourceA, SourceB       string
	Stratum                int
	Rule                   Rule
	Key                    Key // what they share; zero if a person said so
	AssuranceA, AssuranceB schema.Assurance
	Assertion              *Assertion // for RuleLink, and for ReasonSeparated if it is direct
	Overrides              bool       // a link that brought two values of a unique kind, or too many values, into one profile
	Reason                 Reason     // why it was refused; empty if it was made
}

// Shared is a key that both of two personas, or both of their profiles, carry.
type Shared struct {
	Key     Key
	Generic bool
	Degree  int
}

// Explanation says why two personas are one person, or why not.
type Explanation struct {
	A, B               NodeID
	ProfileA, ProfileB NodeID
	Known              bool     // both are in the region: else nothing is known of one of them
	Same               bool     // they are one person
	Path               []Step   // if Same: the joints that lead from A to B, each turned to point that way
	Obstacle           *Step    // if not: the strongest refusal between the two profiles, nil if nothing ever proposed to join them
	Reason             Reason   // if not Same: the obstacle's, else generic or nothing_shared
	Shared             []Shared // keys that the two profiles have in common, generic ones too, sorted by key
	HoldA, HoldB       Hold
}

// Why explains two personas. It runs the strata again over the region, which must have been expanded from both.
func (r *Region) Why(a, b NodeID) Explanation {
	out := Explanation{A: a, B: b, ProfileA: a, ProfileB: b, Reason: ReasonNothing}
	p, okA := r.node(a)
	q, okB := r.node(b)
	if !okA || !okB {
		return out
	}
	out.Known = true
	s := r.run()
	x, y := s.find(p), s.find(q)
	out.ProfileA, out.ProfileB = r.nodes[s.comps[x].canonical].ID, r.nodes[s.comps[y].canonical].ID
	out.HoldA, out.HoldB = quarantined(r.holds[p], s.comps[x].served), quarantined(r.holds[q], s.comps[y].served)
	if x == y {
		out.Same, out.Reason = true, ""
		out.Path = s.path(p, q)
		return out
	}
	out.Shared = s.shared(x, y)
	if slices.ContainsFunc(out.Shared, func(k Shared) bool { return k.Generic }) {
		out.Reason = ReasonGeneric
	}
	if out.HoldA != Free || out.HoldB != Free {
		out.Reason = ReasonQuarantined
	}
	for _, refused := range s.refusals {
		i, j := s.find(refused.a), s.find(refused.b)
		if !(i == x && j == y || i == y && j == x) {
			continue
		}
		if out.Obstacle == nil || refused.reason.rank() < out.Obstacle.Reason.rank() {
			step := s.refused(refused)
			out.Obstacle, out.Reason = &step, step.Reason
		}
	}
	// A decision needs nothing that the two share.
	if out.Obstacle == nil {
		for _, pair := range s.separated {
			i, j := s.find(pair[0]), s.find(pair[1])
			if i == x && j == y || i == y && j == x {
				step := s.refused(refusal{a: pair[0], b: pair[1], rule: RuleLink, reason: ReasonSeparated})
				out.Obstacle, out.Reason = &step, ReasonSeparated
				break
			}
		}
	}
	return out
}

// How tells how a profile came together: its joints in the order in which they were made, then what was refused to it. Any member
// names the profile. Of a profile that stratum 2 made of several cores it tells of the member's core.
func (r *Region) How(member NodeID) []Step {
	n, ok := r.node(member)
	if !ok {
		return nil
	}
	s := r.run()
	of := s.part(n)
	here := func(m int32) bool { return s.part(m) == of && (of >= 0 || s.find(m) == s.find(n)) }
	var out []Step
	for _, j := range s.joints {
		if j.rule != RuleWeigh && here(s.teller(j)) {
			out = append(out, s.made(j))
		}
	}
	type told struct {
		a, b   int32
		reason Reason
		key    Key
	}
	seen := map[told]bool{}
	for _, refused := range s.refusals {
		a, b := s.find(refused.a), s.find(refused.b)
		if a == b || !here(refused.a) && !here(refused.b) {
			continue
		}
		if t := (told{min(a, b), max(a, b), refused.reason, refused.key}); !seen[t] {
			seen[t] = true
			out = append(out, s.refused(refused))
		}
	}
	return out
}

func (s *resolver) made(j joint) Step {
	step := s.step(j.a, j.b, j.rule, j.key)
	step.Overrides = j.overrides
	if j.rule == RuleLink {
		step.Assertion = &s.assertions[j.assertion]
	}
	return step
}

func (s *resolver) refused(r refusal) Step {
	step := s.step(r.a, r.b, r.rule, r.key)
	step.Reason = r.reason
	if r.reason == ReasonSeparated {
		a, b := s.find(r.a), s.find(r.b)
		for i := range s.assertions {
			said := &s.assertions[i]
			p, ok := s.node(said.A)
			q, ok2 := s.node(said.B)
			if !said.Apart() || !ok || !ok2 {
				continue
			}
			if x, y := s.find(p), s.find(q); x == a && y == b || x == b && y == a {
				step.Assertion = said
				break
			}
		}
	}
	return step
}

func (s *resolver) step(a, b int32, rule Rule, key Key) Step {
	p, q := s.nodes[a], s.nodes[b]
	step := Step{A: p.ID, B: q.ID, SourceA: p.Source, SourceB: q.Source, Stratum: rule.Stratum(), Rule: rule, Key: key}
	if e := p.Evidence(key); e != nil {
		step.AssuranceA = e.Assurance
	}
	if e := q.Evidence(key); e != nil {
		step.AssuranceB = e.Assurance
	}
	return step
}

// path finds the joints between two nodes of one component. Joints make a forest, so there is one path.
func (s *resolver) path(from, to int32) []Step {
	type edge struct {
		to    int32
		joint int
	}
	edges := map[int32][]edge{}
	for i, j := range s.joints {
		edges[j.a] = append(edges[j.a], edge{j.b, i})
		edges[j.b] = append(edges[j.b], edge{j.a, i})
	}
	before := map[int32]edge{from: {from, -1}}
	queue := []int32{from}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		if n == to {
			break
		}
		for _, e := range edges[n] {
			if _, ok := before[e.to]; !ok {
				before[e.to] = edge{n, e.joint}
				queue = append(queue, e.to)
			}
		}
	}
	var out []Step
	for n := to; n != from; n = before[n].to {
		j := s.joints[before[n].joint]
		if j.b != n {
			j.a, j.b = j.b, j.a
		}
		out = append(out, s.made(j))
	}
	slices.Reverse(out)
	return out
}

func (s *resolver) shared(x, y int32) []Shared {
	var out []Shared
	both := func(nodes func(visit func(int32))) bool {
		inX, inY := false, false
		nodes(func(n int32) {
			inX = inX || s.find(n) == x
			inY = inY || s.find(n) == y
		})
		return inX && inY
	}
	for _, h := range slices.Concat(s.served, s.hubs) {
		if slices.ContainsFunc(out, func(k Shared) bool { return k.Key == h.key }) {
			continue
		}
		if both(func(visit func(int32)) {
			for _, c := range h.carriers {
				visit(c.node)
			}
		}) {
			out = append(out, Shared{Key: h.key, Degree: h.degree})
		}
	}
	for _, g := range s.generic {
		if slices.ContainsFunc(out, func(k Shared) bool { return k.Key == g.key }) {
			continue // so common among client personas only
		}
		if both(func(visit func(int32)) {
			for _, n := range g.nodes {
				visit(n)
			}
		}) {
			out = append(out, Shared{Key: g.key, Generic: true, Degree: g.degree})
		}
	}
	slices.SortFunc(out, func(a, b Shared) int { return a.Key.Compare(b.Key) })
	return out
}

// String tells a step in one line, for the command line and tests.
func (s Step) String() string {
	var b strings.Builder
	b.WriteString(s.A.String()[:8] + " " + s.SourceA)
	if s.Reason == "" {
		b.WriteString(" = ")
	} else {
		b.WriteString(" ≠ ")
	}
	b.WriteString(s.B.String()[:8] + " " + s.SourceB + ": " + string(s.Rule))
	if s.Key.Kind != "" {
		b.WriteString(" by " + s.Key.Kind)
	}
	if s.Reason != "" {
		b.WriteString(", " + string(s.Reason))
	}
	if s.Overrides {
		b.WriteString(", overrides a constraint")
	}
	return b.String()
}
