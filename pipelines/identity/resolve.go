package identity

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

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
	hanging   bool    // the profiles of server personas stand; client personas are hung on
	freed     []int32 // what free gave last
	grouped   []group // what groups gave last
	pairs     pairs   // of joinHub
	spent     []bool  // of hubs: all who carry it are one
	names     []name.Name
	ids       map[name.Name]int32 // while they are gathered, if they are many
	alone     [1][]int32          // what parts gave last
	relations []name.Relation     // of names i and j at i*len(names)+j, uncompared if not yet known
	whole     *wholes             // what stratum 2 says; nil: nothing
}

const uncompared name.Relation = 255

// component is a set of nodes that are one person so far.
type component struct {
	members   []int32
	said      [2][]counted  // names that client and server personas carry, sorted
	births    []Birth       // of server personas
	uniques   []uniqueValue // values of unique and limited kinds, sorted, one per (kind, value, source)
	standing  Standing
	served    bool // has a server persona
	verified  bool // carries a verified contact point or id
	canonical int32
}

// counted is a name and how many members carry it: a name that many carry weighs more.
type counted struct{ name, count int32 }

// uniqueValue is one value of a unique or limited kind, as one source's personas of a component carry it.
type uniqueValue struct {
	rule        *KindRule
	priority    int
	source      string
	hash        [16]byte
	first, last schema.Instant
	next        [16]byte // what supersedes it
	client      bool     // only client personas carry it
}

func (u *uniqueValue) compare(v *uniqueValue) int {
	return cmp.Or(cmp.Compare(u.priority, v.priority), bytes.Compare(u.hash[:], v.hash[:]), strings.Compare(u.source, v.source))
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
	RuleWeigh   Rule = "weighed" // likeness, by a model
)

// Stratum is the stratum that a rule belongs to.
func (r Rule) Stratum() int {
	switch r {
	case RuleLink, RuleCore, RuleAlias:
		return 0
	case RuleWeigh:
		return 2
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

// called lists the names of a component: what a client key says counts only while no server has said a name, and never for somebody
// whom a server knows, or anyone could part known people by names.
func (c *component) called() []counted {
	if len(c.said[1]) > 0 || c.standing == Known {
		return c.said[1]
	}
	return c.said[0]
}

// named says whether a given name is known: a family name alone tells nobody in a household from another.
func (s *resolver) named(root int32) bool {
	for _, n := range s.comps[root].called() {
		if s.names[n.name].Given != "" {
			return true
		}
	}
	return false
}

func (r *Region) run() *resolver {
	if r.clients > 0 && len(r.served) == 0 && len(r.assertions) == 0 {
		return r.hang(&resolver{}) // nothing ties server personas together, so the first layer has nothing to say
	}
	s := r.servers().resolver()
	s.stratum0()
	s.stratum1()
	if r.clients == 0 {
		s.Region = r
		return s
	}
	return r.hang(s)
}

func (r *Region) resolver() *resolver {
	s := &resolver{Region: r, parent: make([]int32, len(r.nodes)), comps: make([]component, len(r.nodes)), spent: make([]bool, len(r.hubs))}
	members, names, keys := make([]int32, len(r.nodes)), 0, 0
	for _, p := range r.nodes {
		names, keys = names+len(p.Names), keys+len(p.Keys)
	}
	said, uniques := make([]counted, names), make([]uniqueValue, 0, keys)
	for n, p := range r.nodes {
		s.parent[n], members[n] = int32(n), int32(n)
		c := &s.comps[n]
		c.members, c.standing, c.canonical = members[n:n+1:n+1], p.Standing, int32(n)
		trust := 0
		if c.served = p.served(); c.served {
			trust = 1
			c.births = p.Births
		}
		c.said[trust], said = said[:0:len(p.Names)], said[len(p.Names):]
		for i := range p.Names {
			nm := name.Name{Given: p.Names[i].Given, Family: p.Names[i].Family, Unsplit: p.Names[i].Unsplit}
			c.said[trust] = addName(c.said[trust], counted{s.numbered(nm), 1})
		}
		from := len(uniques)
		for i := range p.Keys {
			e := &p.Keys[i]
			rule, priority := r.rules.rule(e.Kind)
			if rule.Strength == None || p.IsCrowded(e.Kind) {
				continue
			}
			if (rule.Unique || rule.Limit > 0) && e.Carried {
				u := uniqueValue{rule: rule, priority: priority, hash: e.Hash, first: e.First, last: e.Last, next: e.SupersededBy, client: p.Trust != schema.TrustServer}
				if rule.PerSource {
					u.source = p.Source
				}
				uniques = append(uniques, u)
			}
			c.verified = c.verified || e.Assurance == schema.AssuranceVerified && (rule.Strength == Core || rule.Strength == Merge)
		}
		if len(uniques) > from {
			c.uniques = uniques[from:len(uniques):len(uniques)]
			slices.SortFunc(c.uniques, func(u, v uniqueValue) int { return u.compare(&v) })
		}
	}
	s.ids = nil
	s.relations = make([]name.Relation, len(s.names)*len(s.names))
	for i := range s.relations {
		s.relations[i] = uncompared
	}
	return s
}

// numbered gives the number of a name, a new one if nobody had it.
func (s *resolver) numbered(n name.Name) int32 {
	const few = 8 // of which looking through is faster than a map
	if len(s.names) <= few {
		if i := slices.Index(s.names, n); i >= 0 {
			return int32(i)
		}
	} else if s.ids == nil {
		s.ids = map[name.Name]int32{}
		for i, n := range s.names {
			s.ids[n] = int32(i)
		}
	}
	id, ok := s.ids[n]
	if !ok {
		id = int32(len(s.names))
		s.names = append(s.names, n)
		if s.ids != nil {
			s.ids[n] = id
		}
	}
	return id
}

func addName(names []counted, n counted) []counted {
	at, found := slices.BinarySearchFunc(names, n.name, func(c counted, id int32) int { return cmp.Compare(c.name, id) })
	if found {
		names[at].count += n.count
		return names
	}
	return slices.Insert(names, at, n)
}

// addUniques merges two sorted lists. It may reuse the first.
func addUniques(us, vs []uniqueValue) []uniqueValue {
	for i := range vs {
		v := &vs[i]
		at, found := slices.BinarySearchFunc(us, v, func(u uniqueValue, v *uniqueValue) int { return u.compare(v) })
		if !found {
			us = slices.Insert(us, at, *v)
			continue
		}
		u := &us[at]
		u.first, u.last, u.client = min(u.first, v.first), max(u.last, v.last), u.client && v.client
		if bytes.Compare(v.next[:], u.next[:]) > 0 {
			u.next = v.next
		}
	}
	return us
}

// ties says whether a hub ties several components together. Components only grow, so one that does not will never do.
func (s *resolver) ties(hub int) bool {
	if s.spent[hub] {
		return false
	}
	carriers := s.hubs[hub].carriers
	root := s.find(carriers[0].node)
	for _, c := range carriers[1:] {
		if s.find(c.node) != root {
			return true
		}
	}
	s.spent[hub] = true
	return false
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
	for trust, names := range y.said {
		for _, n := range names {
			x.said[trust] = addName(x.said[trust], n)
		}
	}
	if len(y.births) > 0 {
		x.births = slices.Concat(x.births, y.births)
	}
	x.uniques = addUniques(x.uniques, y.uniques)
	x.standing = max(x.standing, y.standing)
	if x.standing == Known {
		// What only a public key claims of a known person keeps nobody from it, or anyone could part known people by claims.
		x.uniques = slices.DeleteFunc(x.uniques, func(u uniqueValue) bool { return u.client })
	}
	x.verified = x.verified || y.verified
	x.served = x.served || y.served
	if s.nodes[y.canonical].Before(s.nodes[x.canonical]) {
		x.canonical = y.canonical
	}
	*y = component{}
}

func (s *resolver) refuse(a, b int32, rule Rule, key Key, reason Reason) {
	if reason == reasonSettled {
		return
	}
	s.refusals = append(s.refusals, refusal{a, b, rule, key, reason})
}

// forbidden says whether a constraint keeps two components apart; "" if none does. Constraints are weighed in the order of their
// force. Stratum 0 knows separations, unique kinds and limits; stratum 1 also names and birth dates, but for client personas
// of one user id: they may say what they like.
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
	if s.whole != nil && s.apart(a, b) {
		return ReasonSeparated
	}
	if s.settled(a, b) {
		return reasonSettled
	}
	x, y := &s.comps[a], &s.comps[b]
	if reason := conflict(x, y, func() bool { return rule.Stratum() > 0 && s.sameFullName(x, y) }); reason != "" {
		return reason
	}
	if rule.Stratum() == 0 || rule == RuleClient {
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
	if len(x.uniques) == 0 || len(y.uniques) == 0 {
		return ""
	}
	limited := false
	for i := range x.uniques {
		u := &x.uniques[i]
		limited = limited || u.rule.Limit > 0
		if !u.rule.Unique || has(y, u) {
			continue
		}
		for j := range y.uniques {
			v := &y.uniques[j]
			if v.rule != u.rule || u.source != v.source || has(x, v) {
				continue
			}
			if inWindow(u, v) && !superseded(x, y, u, v) && !superseded(x, y, v, u) && !(u.rule.UnlessNamed && named()) {
				return ReasonUnique
			}
		}
	}
	if limited && pastLimit(x, y) {
		return ReasonLimit
	}
	return ""
}

// pastLimit says whether together the components would have more values of some kind than its limit, and more than either.
func pastLimit(x, y *component) bool {
	for i := 0; i < len(x.uniques); {
		rule := x.uniques[i].rule
		own := 0
		for ; i < len(x.uniques) && x.uniques[i].rule == rule; i++ {
			if own == 0 || x.uniques[i].hash != x.uniques[i-1].hash {
				own++
			}
		}
		if rule.Limit == 0 {
			continue
		}
		other, both := 0, own
		var before *uniqueValue
		for j := range y.uniques {
			v := &y.uniques[j]
			if v.rule != rule || before != nil && before.hash == v.hash {
				continue
			}
			before = v
			other++
			if !has(x, v) {
				both++
			}
		}
		if both > rule.Limit && both > own && both > other {
			return true
		}
	}
	return false
}

// has says whether a component carries a value, by any source.
func has(x *component, u *uniqueValue) bool {
	for i := range x.uniques {
		if x.uniques[i].rule == u.rule && x.uniques[i].hash == u.hash {
			return true
		}
	}
	return false
}

func inWindow(u, v *uniqueValue) bool {
	if u.rule.WindowDays == 0 {
		return true
	}
	window := schema.Instant(u.rule.WindowDays) * 24 * 3600 * 1_000_000
	return u.first <= v.last+window && v.first <= u.last+window
}

// superseded says whether a chain of replacements that either component knows of leads from u's value to v's.
func superseded(x, y *component, u, v *uniqueValue) bool {
	at := u.hash
	for range 16 {
		next := [16]byte{}
		for _, c := range []*component{x, y} {
			for i := range c.uniques {
				w := &c.uniques[i]
				if w.rule == u.rule && w.hash == at && bytes.Compare(w.next[:], next[:]) > 0 {
					next = w.next
				}
			}
		}
		if next == ([16]byte{}) {
			return false
		}
		if next == v.hash {
			return true
		}
		at = next
	}
	return false
}

// relation compares the names of two components: all of one side with all of the other, each name weighing as often as members
// carry it, so that one odd record does not speak for many.
func (s *resolver) relation(x, y *component) name.Relation {
	best := name.Missing
	different, compared := 0, 0
	for _, n := range x.called() {
		for _, m := range y.called() {
			r := s.compareNames(n.name, m.name)
			if r == name.Missing {
				continue
			}
			weight := int(n.count) * int(m.count)
			compared += weight
			if r == name.Different {
				different += weight
			}
			best = max(best, r)
		}
	}
	if 2*different > compared {
		return name.Different
	}
	return best
}

// sameFullName says whether both components carry names of which given and family name agree, and none speaks against it.
func (s *resolver) sameFullName(x, y *component) bool {
	if s.relation(x, y) < name.Near {
		return false
	}
	for _, n := range x.called() {
		for _, m := range y.called() {
			if s.compareNames(n.name, m.name) >= name.Near && name.Family(s.names[n.name].Family, s.names[m.name].Family) >= name.Near {
				return true
			}
		}
	}
	return false
}

func (s *resolver) compareNames(n, m int32) name.Relation {
	at := int(n)*len(s.names) + int(m)
	if s.relations[at] == uncompared {
		r := name.Compare(s.names[n], s.names[m])
		s.relations[at], s.relations[int(m)*len(s.names)+int(n)] = r, r
	}
	return s.relations[at]
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
