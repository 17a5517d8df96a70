package match

import (
	"cmp"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// Reason says why two profiles that may be one person are two. The words are stable: users rely on them.
type Reason string

// The reasons.
const (
	ReasonGivenName Reason = "given_name_differs" // a household, or two people of one address
	ReasonBirthDate Reason = "birth_date_differs"
	ReasonTwoClaims Reason = "two_claims" // it could be either of two people, so it is neither
	ReasonTooLarge  Reason = "too_large"  // together they would be larger than any profile may grow
	ReasonUnsure    Reason = "unsure"     // not likely enough
	ReasonSeparated Reason = "separated"  // somebody said so: no possible match any more
	ReasonUnique    Reason = "unique_conflict"
	ReasonLimit     Reason = "limit"
)

// Reasons are all of them.
var Reasons = []Reason{ReasonGivenName, ReasonBirthDate, ReasonTwoClaims, ReasonTooLarge, ReasonUnsure}

// PossibleMatch is two profiles that may be one person.
type PossibleMatch struct {
	A, B   schema.ProfileID // of Profile; A < B
	Weight Bits             // log2 of the odds that they are one person, if nothing else is considered
	Reason Reason
}

// Possible lists all possible matches, likeliest first. Call Resolve before.
func (s *Set) Possible() []PossibleMatch {
	var out []PossibleMatch
	for _, members := range s.parts {
		if len(members) == 0 {
			continue
		}
		r := s.region(s.part(members[0]))
		r.decide()
		out = append(out, r.possible()...)
	}
	slices.SortFunc(out, func(p, q PossibleMatch) int {
		return cmp.Or(cmp.Compare(q.Weight, p.Weight), p.A.Compare(q.A), p.B.Compare(q.B))
	})
	return out
}

func (r *region) possible() []PossibleMatch {
	t := &r.set.model.Thresholds
	var out []PossibleMatch
	seen := map[[2]int32]bool{}
	for i := range r.pairs {
		a, b := r.find(r.pairs[i].a), r.find(r.pairs[i].b)
		if a > b {
			a, b = b, a
		}
		if a == b || seen[[2]int32{a, b}] {
			continue
		}
		seen[[2]int32{a, b}] = true
		p, q := r.profiles[a], r.profiles[b]
		sc := r.score(p, q)
		housed := sc.posterior < inBits(t.Possible)
		if housed && (r.weak[r.pairs[i].a] || r.weak[r.pairs[i].b] || !r.set.housed(p, q)) {
			continue
		}
		m := PossibleMatch{A: r.set.cores[r.cores[a]].id, B: r.set.cores[r.cores[b]].id, Weight: sc.posterior}
		barred := r.barred(a, b)
		switch {
		case barred == ReasonSeparated:
			continue
		case barred != "":
			m.Reason = barred
		case sc.forbidden || housed:
			m.Reason = r.set.conflict(p, q)
		case sc.posterior < inBits(t.Link) || sc.bare:
			m.Reason = ReasonUnsure
		case int(p.records+q.records) > t.Largest:
			m.Reason = ReasonTooLarge
		default:
			m.Reason = ReasonTwoClaims
		}
		out = append(out, m)
	}
	return out
}

// conflict names what keeps two profiles apart.
func (s *Set) conflict(p, q *profile) Reason {
	for i := range s.tables {
		if p.has(i) && q.has(i) && s.model.Fields[i].Compare == "date" && s.scoreField(i, p, q).forbidden {
			return ReasonBirthDate
		}
	}
	return ReasonGivenName
}

// Blocks says how the blocking keys lie.
type Blocks struct {
	Open   int // keys that two or more cores share and that propose pairs
	Closed int // keys that too many cores share to propose any
	// Stranded are cores all of whose shared keys are closed: nothing is proposed to them.
	Stranded int
	// Largest is how many cores the commonest key has.
	Largest int
}

// Blocks counts the blocking keys.
func (s *Set) Blocks() Blocks {
	var b Blocks
	s.blocks.each(func(members []int32) { b.Largest = max(b.Largest, len(members)) })
	counted := map[key]bool{}
	for i := range s.cores {
		in := &s.cores[i]
		if !in.used {
			continue
		}
		open, closed := false, false
		for _, k := range in.keys {
			n := s.blocks.count(k)
			if n > 1 && !counted[k] {
				counted[k] = true
				if n > s.most(k) {
					b.Closed++
				} else {
					b.Open++
				}
			}
			closed = closed || n > s.most(k)
			open = open || n > 1 && n <= s.most(k)
		}
		if closed && !open {
			b.Stranded++
		}
	}
	return b
}
