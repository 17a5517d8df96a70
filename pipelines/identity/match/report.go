package match

import (
	"slices"

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
			members := s.blocks.members(k)
			if len(members) > s.most(k) {
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
		case x[0] < y[0]:
			x = x[1:]
		case x[0] > y[0]:
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

// RecipeWork is what the blocking keys of one recipe bring.
type RecipeWork struct {
	Recipe string `json:"recipe"`
	Open   int    `json:"open"`   // keys that two or more cores share and that propose pairs
	Closed int    `json:"closed"` // keys that too many cores have
	Pairs  int    `json:"pairs"`  // pairs of cores that it proposes
	Alone  int    `json:"alone"`  // pairs that no other recipe proposes
	// Right and RightAlone are the pairs of records of one person among those, if somebody says so.
	Right      int `json:"right,omitempty"`
	RightAlone int `json:"rightAlone,omitempty"`
}

// Recipes tells what each recipe of the model brings; same, if it is not nil, counts the pairs of records of two cores that are one person's. Nothing may
// change the set meanwhile.
func (s *Set) Recipes(same func(a, b schema.ProfileID) int) []RecipeWork {
	out := make([]RecipeWork, len(s.recipes))
	for i := range out {
		out[i].Recipe = s.model.Blocking[i]
	}
	counted := map[key]bool{}
	sharing := map[int32][]int{} // recipes that propose a core, once each
	for i := range s.cores {
		in := &s.cores[i]
		if !in.used {
			continue
		}
		clear(sharing)
		for _, k := range in.keys {
			members := s.blocks.members(k)
			open := len(members) <= s.most(k)
			if len(members) > 1 && !counted[k] {
				counted[k] = true
				if open {
					out[k.recipe()].Open++
				} else {
					out[k.recipe()].Closed++
				}
			}
			if !open {
				continue
			}
			for _, m := range members {
				if m < int32(i) && !slices.Contains(sharing[m], k.recipe()) {
					sharing[m] = append(sharing[m], k.recipe())
				}
			}
		}
		for m, recipes := range sharing {
			right := 0
			if same != nil {
				right = same(s.cores[m].id, in.id)
			}
			for _, r := range recipes {
				out[r].Pairs++
				out[r].Right += right
				if len(recipes) == 1 {
					out[r].Alone++
					out[r].RightAlone += right
				}
			}
		}
	}
	return out
}
