package match

import (
	"github.com/dossier-cdp/dossier/schema"
)

// Candidates hands every pair of cores that share a blocking key which proposes to take, with what they weigh against each other as they
// stand alone, once each. Nothing may change the set meanwhile.
func (s *Set) Candidates(take func(a, b schema.ProfileID, weight Bits, forbidden bool)) {
	for i := range s.cores {
		in := &s.cores[i]
		if !in.used {
			continue
		}
		s.stamp++
		for _, k := range in.keys {
			members := s.blocks[k.hash]
			if len(members) > int(k.limit) {
				continue
			}
			for _, m := range members {
				if m < int32(i) && s.stamps[m] != s.stamp {
					s.stamps[m] = s.stamp
					sc := s.score(in.own, s.cores[m].own)
					take(s.cores[m].id, in.id, sc.posterior, sc.forbidden)
				}
			}
		}
	}
}

// Reach says whether two cores are compared with each other.
type Reach int

// How two cores meet, or why they do not.
const (
	ReachNone   Reach = iota // they share no blocking key
	ReachClosed              // they share only keys that too many others share
	ReachOpen                // they are compared
)

// Reach says whether two cores of the set are compared.
func (s *Set) Reach(a, b schema.ProfileID) Reach {
	p, ok := s.slots[a]
	q, ok2 := s.slots[b]
	if !ok || !ok2 {
		return ReachNone
	}
	if s.blocked(p, q) {
		return ReachOpen
	}
	x, y := s.cores[p].keys, s.cores[q].keys
	for len(x) > 0 && len(y) > 0 {
		switch {
		case x[0].hash < y[0].hash:
			x = x[1:]
		case x[0].hash > y[0].hash:
			y = y[1:]
		default:
			return ReachClosed
		}
	}
	return ReachNone
}

// At decides who would be who if Merge and Link were so many bits higher, and changes nothing. It gives the smallest core of the profile of
// every core that is not alone. Call Resolve before.
func (s *Set) At(extra Bits) map[schema.ProfileID]schema.ProfileID {
	work := s.Work
	defer func() { s.Work = work }()
	out := map[schema.ProfileID]schema.ProfileID{}
	for _, members := range s.parts {
		if len(members) == 0 {
			continue
		}
		r := s.region(s.part(members[0]))
		r.extra = extra
		r.decide()
		for i, slot := range r.cores {
			if head := r.find(int32(i)); head != int32(i) {
				out[s.cores[slot].id] = s.cores[r.cores[head]].id
				out[s.cores[r.cores[head]].id] = s.cores[r.cores[head]].id
			}
		}
	}
	return out
}
