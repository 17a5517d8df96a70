package identity

import (
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/identifier/name"
	"github.com/dossier-cdp/dossier/schema"
)

// resolver runs the strata over one region. All its choices follow the canonical orders of hubs and nodes.
type resolver struct {
	*Region
	parent    []int32
	comps     []component // by root
	separated [][2]int32
	joints    []joint
	refusals  []refusal
	names     map[[2]Name]name.Relation
}

// component is a set of nodes that are one person so far.
type component struct {
	members   []int32
	said      [2][]Name // names that client and server personas carry, one per member's name, so a name that many carry weighs more
	births    []Birth   // of server personas
	uniques   []uniqueValue
	standing  Standing
	verified  bool // carries a verified contact point or id
	canonical int32
}

type uniqueValue struct {
	rule     *KindRule
	source   string
	evidence *Evidence
}

// Rule names the step that joined or refused. The words are stable: users rely on them.
type Rule string

// The rules in the order in which they run.
const (
	RuleLink    Rule = "linked"  // a person said so
	RuleCore    Rule = "core"    // a verified value that names one person
	RuleAlias   Rule = "alias"   // a server said that an id replaces another
	RuleMerge   Rule = "merge"   // a verified contact point, with compatible given names
	RuleClient  Rule = "client"  // a client persona of the same user id
	RuleSupport Rule = "support" // a known persona without a name, claimed by one
	RuleAttach  Rule = "attach"  // an unknown persona, claimed by one
	RuleRest    Rule = "rest"    // unknown personas that nobody claims
)

// Stratum is the stratum that a rule belongs to.
func (r Rule) Stratum() int {
	switch r {
	case RuleLink, RuleCore, RuleAlias:
		return 0
	}
	return 1
}

// joint is one edge of the forest that holds profiles together.
type joint struct {
	a, b      int32
	rule      Rule
	key       Key
	assertion int // index into Region.assertions, for RuleLink
	overrides bool
}

type refusal struct {
	a, b   int32
	rule   Rule
	key    Key
	reason Reason
}

// names are the names of a component: what a client key says counts only while no server has said a name.
func (c *component) names() []Name {
	if len(c.said[1]) > 0 {
		return c.said[1]
	}
	return c.said[0]
}

// named says whether a given name is known: a family name alone tells nobody in a household from another.
func (c *component) named() bool {
	return slices.ContainsFunc(c.names(), func(n Name) bool { return n.Given != "" })
}

func (r *Region) run() *resolver {
	s := r.resolver()
	s.stratum0()
	s.stratum1()
	return s
}

func (r *Region) resolver() *resolver {
	s := &resolver{Region: r, parent: make([]int32, len(r.nodes)), comps: make([]component, len(r.nodes)), names: map[[2]Name]name.Relation{}}
	for n, p := range r.nodes {
		s.parent[n] = int32(n)
		c := component{members: []int32{int32(n)}, standing: p.Standing, canonical: int32(n)}
		if p.Trust == schema.TrustServer {
			c.said[1], c.births = p.Names, p.Births
		} else {
			c.said[0] = p.Names
		}
		for i := range p.Keys {
			e := &p.Keys[i]
			if !r.rules.Links(p, e) {
				continue
			}
			rule, _ := r.rules.rule(e.Kind)
			if (rule.Unique || rule.Limit > 0) && e.Carried {
				c.uniques = append(c.uniques, uniqueValue{rule, p.Source, e})
			}
			c.verified = c.verified || e.Assurance == schema.AssuranceVerified && (rule.Strength == Core || rule.Strength == Merge)
		}
		s.comps[n] = c
	}
	return s
}

func (s *resolver) find(n int32) int32 {
	for s.parent[n] != n {
		s.parent[n] = s.parent[s.parent[n]]
		n = s.parent[n]
	}
	return n
}

// join makes one component of two nodes' components.
func (s *resolver) join(j joint) {
	a, b := s.find(j.a), s.find(j.b)
	if a == b {
		return
	}
	s.joints = append(s.joints, j)
	if b < a {
		a, b = b, a
	}
	s.parent[b] = a
	x, y := &s.comps[a], &s.comps[b]
	x.members = append(x.members, y.members...)
	x.said[0] = slices.Concat(x.said[0], y.said[0])
	x.said[1] = slices.Concat(x.said[1], y.said[1])
	x.births = slices.Concat(x.births, y.births)
	x.uniques = slices.Concat(x.uniques, y.uniques)
	x.standing = max(x.standing, y.standing)
	x.verified = x.verified || y.verified
	if s.nodes[y.canonical].Before(s.nodes[x.canonical]) {
		x.canonical = y.canonical
	}
	*y = component{}
}

func (s *resolver) refuse(a, b int32, rule Rule, key Key, reason Reason) {
	s.refusals = append(s.refusals, refusal{a, b, rule, key, reason})
}

// forbidden says whether a constraint keeps two components apart; "" if none does. Constraints are weighed in the order of their
// force. Stratum 0 knows separations, unique kinds and limits; stratum 1 also names and birth dates.
func (s *resolver) forbidden(a, b int32, rule Rule) Reason {
	for _, pair := range s.separated {
		p, q := s.find(pair[0]), s.find(pair[1])
		if p == a && q == b || p == b && q == a {
			return ReasonSeparated
		}
	}
	if rule == RuleLink {
		return ""
	}
	x, y := &s.comps[a], &s.comps[b]
	if reason := conflict(x, y, func() bool { return rule.Stratum() > 0 && s.sameFullName(x, y) }); reason != "" {
		return reason
	}
	if rule.Stratum() == 0 {
		return ""
	}
	if s.rules.GivenNames && s.relation(x, y) == name.Different {
		return ReasonGivenName
	}
	if s.rules.BirthDates && birthsDiffer(x.births, y.births) {
		return ReasonBirthDate
	}
	return ""
}

// conflict weighs unique kinds and limits. Two components conflict in a unique kind if each has a value that the other has not,
// unless one value is superseded by the other, they are outside the window, or both carry the same full name and the kind
// yields to that.
func conflict(x, y *component, named func() bool) Reason {
	for i := range x.uniques {
		u := &x.uniques[i]
		if u.rule.Unique {
			if has(y, u.rule, u.evidence.Hash) {
				continue
			}
			for j := range y.uniques {
				v := &y.uniques[j]
				if v.rule != u.rule || u.rule.PerSource && u.source != v.source || has(x, v.rule, v.evidence.Hash) {
					continue
				}
				if inWindow(u, v) && !superseded(x, y, u, v) && !superseded(x, y, v, u) && !(u.rule.UnlessNamed && named()) {
					return ReasonUnique
				}
			}
		}
	}
	for i := range x.uniques {
		rule := x.uniques[i].rule
		if rule.Limit == 0 || i > 0 && x.uniques[i-1].rule == rule {
			continue
		}
		own, other, both := values(x, rule), values(y, rule), 0
		if other == 0 {
			continue
		}
		both = own
		var seen [][16]byte
		for j := range y.uniques {
			v := &y.uniques[j]
			if v.rule == rule && !has(x, rule, v.evidence.Hash) && !slices.Contains(seen, v.evidence.Hash) {
				seen = append(seen, v.evidence.Hash)
				both++
			}
		}
		if both > rule.Limit && both > own && both > other {
			return ReasonLimit
		}
	}
	return ""
}

// sameFullName says whether both components carry names of which given and family name agree, and none speaks against it.
func (s *resolver) sameFullName(x, y *component) bool {
	if s.relation(x, y) < name.Near {
		return false
	}
	for _, n := range x.names() {
		for _, m := range y.names() {
			if s.compareNames(n, m) >= name.Near && name.Family(n.Family, m.Family) >= name.Near {
				return true
			}
		}
	}
	return false
}

func has(x *component, rule *KindRule, hash [16]byte) bool {
	for i := range x.uniques {
		if x.uniques[i].rule == rule && x.uniques[i].evidence.Hash == hash {
			return true
		}
	}
	return false
}

func values(x *component, rule *KindRule) int {
	var seen [][16]byte
	for i := range x.uniques {
		if x.uniques[i].rule == rule && !slices.Contains(seen, x.uniques[i].evidence.Hash) {
			seen = append(seen, x.uniques[i].evidence.Hash)
		}
	}
	return len(seen)
}

func inWindow(u, v *uniqueValue) bool {
	if u.rule.WindowDays == 0 {
		return true
	}
	window := schema.Instant(u.rule.WindowDays) * 24 * 3600 * 1_000_000
	return u.evidence.First <= v.evidence.Last+window && v.evidence.First <= u.evidence.Last+window
}

// superseded says whether a chain of replacements that either component knows of leads from u's value to v's.
func superseded(x, y *component, u, v *uniqueValue) bool {
	at := u.evidence.Hash
	for range 16 {
		next := [16]byte{}
		for _, c := range []*component{x, y} {
			for i := range c.uniques {
				e := c.uniques[i].evidence
				if c.uniques[i].rule == u.rule && e.Hash == at && slices.Compare(e.SupersededBy[:], next[:]) > 0 {
					next = e.SupersededBy
				}
			}
		}
		if next == ([16]byte{}) {
			return false
		}
		if next == v.evidence.Hash {
			return true
		}
		at = next
	}
	return false
}

// relation compares the names of two components: all of one side with all of the other, each member's name counting once, so
// that one odd record does not speak for many.
func (s *resolver) relation(x, y *component) name.Relation {
	best := name.Missing
	different, compared := 0, 0
	for _, n := range x.names() {
		for _, m := range y.names() {
			r := s.compareNames(n, m)
			if r == name.Missing {
				continue
			}
			compared++
			if r == name.Different {
				different++
			}
			best = max(best, r)
		}
	}
	if compared == 0 {
		return name.Missing
	}
	if 2*different > compared {
		return name.Different
	}
	return best
}

func (s *resolver) compareNames(a, b Name) name.Relation {
	a.Assurance, b.Assurance, a.Recorded, b.Recorded = 0, 0, 0, 0
	if a.compare(b) > 0 {
		a, b = b, a
	}
	r, ok := s.names[[2]Name{a, b}]
	if !ok {
		r = name.Compare(name.Name{Given: a.Given, Family: a.Family, Unsplit: a.Unsplit}, name.Name{Given: b.Given, Family: b.Family, Unsplit: b.Unsplit})
		s.names[[2]Name{a, b}] = r
	}
	return r
}

// birthsDiffer says whether birth dates on both sides are clearly not one: no two of them are equal or a slip of the hand apart.
func birthsDiffer(x, y []Birth) bool {
	if len(x) == 0 || len(y) == 0 {
		return false
	}
	for _, b := range x {
		for _, c := range y {
			if b.near(c) {
				return false
			}
		}
	}
	return true
}

// near says whether two birth dates can be one: two of year, month and day agree, day and month are swapped, or one is only a
// year (a first of January) that agrees, give or take a digit.
func (b Birth) near(c Birth) bool {
	if b.Month == 0 || c.Month == 0 {
		return oneDigit(b.Year, c.Year)
	}
	same := 0
	if b.Year == c.Year {
		same++
	}
	if b.Month == c.Month {
		same++
	}
	if b.Day == c.Day {
		same++
	}
	return same >= 2 || b.Year == c.Year && b.Month == c.Day && b.Day == c.Month
}

// oneDigit says whether two years differ in one digit at most, or have two neighbouring digits swapped.
func oneDigit(a, b uint16) bool {
	differ := 0
	for x, y := a, b; x > 0 || y > 0; x, y = x/10, y/10 {
		if x%10 != y%10 {
			differ++
		}
	}
	return differ <= 1
}
