package identity

import (
	"slices"
)

// Hold says whether a node's component was too large to resolve in full.
type Hold uint8

// The holds. The numbers are stored: never renumber.
const (
	// Free: resolved in full.
	Free Hold = 0
	// Cores: the node's evidence component is past Rules.QuarantineSize: only stratum 0 was applied.
	Cores Hold = 1
	// Alone: even the node's stratum-0 component is past Rules.QuarantineSize: every persona of it is a profile of its own.
	Alone Hold = 2
)

func (h Hold) String() string { return [...]string{"free", "cores", "alone"}[h] }

// Graph gives the resolver what is known. Implementations: Memory, and the identity service's store. All answers must be of one
// consistent state. Results are read-only for the caller.
type Graph interface {
	// Persona gives the evidence of a node, nil if there is none.
	Persona(id NodeID) (*Persona, error)
	// Hub gives a key's state, and its carriers unless it is generic.
	Hub(key Key) (Hub, error)
	// Assertions gives the links and separations that name a node, without those that an identity.released withdraws.
	Assertions(id NodeID) ([]Assertion, error)
	// Hold gives the hold that the last resolution of the node ended with; Free if it was never resolved.
	Hold(id NodeID) (Hold, error)
}

// Hub is a key as the graph knows it.
type Hub struct {
	Generic  bool
	Degree   int      // distinct things beside the value, see HubState
	Carriers []NodeID // every node that carries the key; nil if Generic. At most Rules.HubSize
}

// HubState is what a store keeps per key, beside the list of its carriers, to know without reading them whether the
// value is generic: something that stands beside too many different people to be evidence of any.
//
// Degree is the number of distinct values of unique kinds and distinct sounds of names that its carriers carry (Persona.Beside). A
// carrier with neither adds nothing, so one person with fifty cookies makes nothing generic. A value with more than
// Rules.HubSize carriers is generic whatever stands beside it.
//
// It only grows. When a node is erased, the store makes it anew from the carriers that are left.
type HubState struct {
	Carriers int
	Beside   []uint64 // distinct, sorted; at most Rules.GenericDegree+1 are kept
}

// Add notes that a carrier stands beside the given things; isNew says that it carries the key only now. Call it for a node's new keys,
// and for all its keys when Beside changed. It reports whether the state changed: store it then. If Generic changes by it,
// all carriers are touched.
func (h *HubState) Add(beside []uint64, isNew bool, rules *Rules) (changed bool) {
	if isNew {
		h.Carriers++
		changed = true
	}
	for _, b := range beside {
		if len(h.Beside) > rules.GenericDegree {
			break
		}
		if at, found := slices.BinarySearch(h.Beside, b); !found {
			h.Beside = slices.Insert(h.Beside, at, b)
			changed = true
		}
	}
	return changed
}

// Generic says whether the value is no evidence.
func (h *HubState) Generic(rules *Rules) bool {
	return h.Carriers > rules.HubSize || len(h.Beside) > rules.GenericDegree
}

// Degree is the number of distinct things beside the value, counted up to Rules.GenericDegree+1.
func (h *HubState) Degree() int { return len(h.Beside) }
