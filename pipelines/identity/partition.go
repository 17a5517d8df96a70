package identity

import (
	"slices"
)

// Partition says who is who in a region.
type Partition struct {
	Profiles []Profile       // sorted by id
	Possible []PossibleMatch // sorted
}

// Profile is one person, as far as the evidence goes.
type Profile struct {
	ID      NodeID   // the canonical persona
	Members []NodeID // sorted
	Hold    Hold     // as Graph.Hold has to give it at the next resolution
	Served  bool     // some member is a server persona
}

// Quarantined is the hold that bears on the profile: none on one with server personas from which only client personas were kept.
func (p *Profile) Quarantined() Hold { return quarantined(p.Hold, p.Served) }

func quarantined(h Hold, served bool) Hold {
	if h == Apart && served {
		return Free
	}
	return h
}

// Reason says why two profiles that share something are not one. The words are stable: users rely on them.
type Reason string

// The reasons, strongest first.
const (
	ReasonSeparated   Reason = "separated"          // a person said so
	ReasonUnique      Reason = "unique_conflict"    // each has a value of a kind of which one person has one
	ReasonLimit       Reason = "limit"              // together they would have too many values of a kind
	ReasonGivenName   Reason = "given_name_differs" // a household
	ReasonBirthDate   Reason = "birth_date_differs"
	ReasonTwoClaims   Reason = "two_claims" // it could be either of two people, so it is neither
	ReasonDeclared    Reason = "declared"   // only declared, or only a device: never enough for two known people
	ReasonUnnamed     Reason = "name_unclear"
	ReasonQuarantined Reason = "quarantined"
	ReasonGeneric     Reason = "generic" // the value that they share is no evidence
	ReasonNothing     Reason = "nothing_shared"
)

var reasonOrder = []Reason{ReasonSeparated, ReasonUnique, ReasonLimit, ReasonGivenName, ReasonBirthDate, ReasonTwoClaims, ReasonDeclared, ReasonUnnamed, ReasonQuarantined, ReasonGeneric, ReasonNothing}

func (r Reason) rank() int { return slices.Index(reasonOrder, r) }

// PossibleMatch is two profiles that share evidence and were kept apart.
type PossibleMatch struct {
	A, B   NodeID   // A < B
	Reason Reason   // the strongest
	Kinds  []string // of the keys that they share, sorted
}

// Resolve says who is who. It is a pure function of the region.
func (r *Region) Resolve() *Partition {
	if len(r.nodes) == 1 {
		id := r.nodes[0].ID
		return &Partition{Profiles: []Profile{{ID: id, Members: []NodeID{id}, Hold: r.holds[0], Served: r.nodes[0].served()}}}
	}
	return r.run().partition()
}

func (s *resolver) partition() *Partition {
	out := &Partition{}
	ids := make([]NodeID, len(s.nodes))
	for n := range s.nodes {
		if s.find(int32(n)) != int32(n) {
			continue
		}
		for i, members := range s.parts(int32(n)) {
			canonical := s.nodes[members[0]]
			profile := Profile{Hold: s.holds[members[0]], Members: make([]NodeID, 0, len(members))}
			for _, m := range members {
				if s.nodes[m].Before(canonical) {
					canonical = s.nodes[m]
				}
				profile.Members = append(profile.Members, s.nodes[m].ID)
			}
			profile.ID, profile.Served = canonical.ID, canonical.served()
			if i == 0 {
				ids[n] = canonical.ID
			}
			slices.SortFunc(profile.Members, NodeID.Compare)
			out.Profiles = append(out.Profiles, profile)
		}
	}
	slices.SortFunc(out.Profiles, func(a, b Profile) int { return a.ID.Compare(b.ID) })

	at := map[[2]NodeID]int{}
	for _, refused := range s.refusals {
		a, b := s.find(refused.a), s.find(refused.b)
		if a == b {
			continue
		}
		pair := [2]NodeID{ids[a], ids[b]}
		if pair[0].Compare(pair[1]) > 0 {
			pair[0], pair[1] = pair[1], pair[0]
		}
		i, ok := at[pair]
		if !ok {
			i = len(out.Possible)
			at[pair] = i
			out.Possible = append(out.Possible, PossibleMatch{A: pair[0], B: pair[1], Reason: refused.reason})
		}
		match := &out.Possible[i]
		if refused.reason.rank() < match.Reason.rank() {
			match.Reason = refused.reason
		}
		if refused.key.Kind != "" && !slices.Contains(match.Kinds, refused.key.Kind) {
			match.Kinds = append(match.Kinds, refused.key.Kind)
		}
	}
	for i := range out.Possible {
		slices.Sort(out.Possible[i].Kinds)
	}
	slices.SortFunc(out.Possible, func(a, b PossibleMatch) int {
		if c := a.A.Compare(b.A); c != 0 {
			return c
		}
		return a.B.Compare(b.B)
	})
	return out
}
