package identity

import (
	"slices"

	"github.com/dossier-cdp/dossier/schema"
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
	// Apart: only with the client personas in it is the node's evidence component past Rules.QuarantineSize. Server personas are
	// resolved in full; client personas are left where people's decisions put them.
	Apart Hold = 3
)

func (h Hold) String() string { return [...]string{"free", "cores", "alone", "apart"}[h] }

// served says whether a server persona is held, whatever client keys say.
func (h Hold) served() bool { return h == Cores || h == Alone }

// Graph gives the resolver what is known. Implementations: Memory, and the identity service's store. All answers must be of one
// consistent state. Results are read-only for the caller.
type Graph interface {
	// Persona gives the evidence of a node, nil if there is none.
	Persona(id NodeID) (*Persona, error)
	// Hub gives a key's state, and its carriers of each trust unless it is generic for them.
	Hub(key Key) (Hub, error)
	// Assertions gives the links and separations that name a node, without those that an identity.released withdraws.
	Assertions(id NodeID) ([]Assertion, error)
	// Hold gives the hold that the last resolution of the node ended with; Free if it was never resolved.
	Hold(id NodeID) (Hold, error)
}

// Hub is a key as the graph knows it: a value may be evidence of server personas and so common among client personas that it is none
// of theirs, never the reverse.
type Hub struct {
	Servers, Clients Side
}

// Side is a key as the server personas, or the client personas, that carry it make it.
type Side struct {
	Generic  bool     // the value is no evidence of these personas
	Degree   int      // distinct things beside the value, see HubState
	Carriers []NodeID // every such persona that carries the key; nil if Generic. At most Rules.HubSize
}

// Weighted is a Graph above which stratum 2 joins cores. Under Rules.Weighing client personas are hung on to the profiles that it makes.
type Weighted interface {
	Graph
	// Whole gives the profile that holds a core now: the core itself, if it stands alone.
	Whole(core NodeID) (NodeID, error)
	// Holder gives the profile that holds a persona now; zero if it is in none.
	Holder(persona NodeID) (NodeID, error)
}

func (h *Hub) carriers() int { return len(h.Servers.Carriers) + len(h.Clients.Carriers) }

// HubState is what a store keeps per key, beside the lists of its carriers, to know without reading them whether the
// value is generic: something that stands beside too many different people to be evidence of any.
//
// Degree is the number of distinct values of unique kinds and distinct sounds of names that its carriers carry (Persona.Beside). A
// carrier with neither adds nothing, so one person with fifty cookies makes nothing generic. A value with more than
// Rules.HubSize carriers is generic whatever stands beside it.
//
// Server and client personas are counted apart. For server personas only what server personas carry counts: anybody can invent
// client personas. For client personas a value is generic if it is for server personas, if too many client personas carry it, or
// if too many different people stand beside it by what both say.
//
// It only grows. When a node is erased, the store makes its side anew from the carriers that are left.
type HubState struct {
	Servers, Clients SideState
}

// SideState counts the carriers of one trust.
type SideState struct {
	Carriers int
	Beside   []uint64 // distinct, sorted; at most Rules.GenericDegree+1 are kept
}

// Of is the side that personas of a trust are counted on.
func (h *HubState) Of(trust schema.Trust) *SideState {
	if trust == schema.TrustServer {
		return &h.Servers
	}
	return &h.Clients
}

// Add notes that a carrier stands beside the given things; isNew says that it carries the key only now. Call it for a node's new keys,
// and for all its keys when Beside changed. It reports whether the state changed: store it then. If Generic changes by it for either
// trust, all carriers that the hub listed before or lists now are touched.
func (h *SideState) Add(beside []uint64, isNew bool, rules *Rules) (changed bool) {
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

// Carriers is how many personas of either trust carry the value.
func (h *HubState) Carriers() int { return h.Servers.Carriers + h.Clients.Carriers }

// Generic says whether the value is no evidence of personas of a trust.
func (h *HubState) Generic(trust schema.Trust, rules *Rules) bool {
	if h.Servers.Carriers > rules.HubSize || len(h.Servers.Beside) > rules.GenericDegree {
		return true
	}
	return trust != schema.TrustServer && (h.Clients.Carriers > rules.HubSize || h.Degree(trust, rules) > rules.GenericDegree)
}

// Degree is the number of distinct things beside the value as personas of a trust see it, counted up to Rules.GenericDegree+1.
func (h *HubState) Degree(trust schema.Trust, rules *Rules) int {
	n := len(h.Servers.Beside)
	if trust != schema.TrustServer {
		for _, b := range h.Clients.Beside {
			if _, found := slices.BinarySearch(h.Servers.Beside, b); !found {
				n++
			}
		}
	}
	return min(n, rules.GenericDegree+1)
}

// Side is what the resolver is told of a side of the hub, without its carriers.
func (h *HubState) Side(trust schema.Trust, rules *Rules) Side {
	return Side{Generic: h.Generic(trust, rules), Degree: h.Degree(trust, rules)}
}
