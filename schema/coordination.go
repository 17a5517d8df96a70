package schema

import (
	"encoding/json"
	"fmt"
)

// CoordinationKind is what a record of the coordination topic says.
type CoordinationKind string

// The kinds of coordination records.
const (
	CoordinationClaimed  CoordinationKind = "lease.claimed"    // an instance takes a lease; the record's offset is the epoch
	CoordinationReleased CoordinationKind = "lease.released"   // its owner gives it up
	CoordinationNoted    CoordinationKind = "lease.noted"      // its owner notes what it is about to do
	CoordinationSeen     CoordinationKind = "instance.seen"    // an instance is alive: it renews its leases and its roles
	CoordinationState    CoordinationKind = "state.summarised" // all that the records before an offset amount to, so that they can go
)

// Coordination is one record of the coordination topic. It holds no personal data.
//
// On the wire it is one JSON object; members and kinds of later versions are ignored by older readers.
type Coordination struct {
	Kind     CoordinationKind `json:"kind"`
	Instance string           `json:"instance"`          // UUID of a process start
	Address  string           `json:"address,omitempty"` // where the instance answers the other roles; host:port
	Sequence uint64           `json:"sequence"`          // counts the instance's records; a copy has the same

	// LeaseMillis is for how long a claim or a sign of life counts, by the clock of whoever reads it.
	LeaseMillis int64 `json:"leaseMillis,omitempty"`

	Lease string `json:"lease,omitempty"` // claimed, released, noted
	After int64  `json:"after,omitempty"` // claimed: the offset of the lease's last record that counted, as far as the instance has read; −1 for none
	Epoch int64  `json:"epoch,omitempty"` // released, noted: of the claim; under another one than the lease's the record counts for nothing

	Key   string `json:"key,omitempty"`   // noted
	Value []byte `json:"value,omitempty"` // noted

	Leases map[string]int64 `json:"leases,omitempty"` // seen: epoch of each lease that is renewed
	Roles  []string         `json:"roles,omitempty"`  // seen: what the instance offers without a lease

	State *CoordinationSummary `json:"state,omitempty"` // summarised
}

// CoordinationSummary is what the records below Next amount to.
type CoordinationSummary struct {
	Next      int64                           `json:"next"`
	Leases    map[string]CoordinationLease    `json:"leases,omitempty"`
	Instances map[string]CoordinationInstance `json:"instances,omitempty"`
}

// CoordinationLease is one lease.
type CoordinationLease struct {
	Epoch       int64                       `json:"epoch"`
	Held        bool                        `json:"held"`
	Instance    string                      `json:"instance"`
	Address     string                      `json:"address,omitempty"`
	LeaseMillis int64                       `json:"leaseMillis"`
	Sign        int64                       `json:"sign"` // offset of its last record that counted
	Notes       map[string]CoordinationNote `json:"notes,omitempty"`
}

// CoordinationNote is the last note under a key, of whichever owner.
type CoordinationNote struct {
	Epoch    int64  `json:"epoch"`
	Sequence uint64 `json:"sequence"`
	Value    []byte `json:"value"`
}

// CoordinationInstance is a process that offers roles without a lease.
type CoordinationInstance struct {
	Address     string           `json:"address,omitempty"`
	LeaseMillis int64            `json:"leaseMillis"`
	Sign        int64            `json:"sign"`  // offset of its last sign of life
	Roles       map[string]int64 `json:"roles"` // offset of the first sign of life that named the role
}

// ParseCoordination reads a coordination record. What is not one is rejected.
func ParseCoordination(b []byte) (*Coordination, error) {
	c := &Coordination{}
	if err := json.Unmarshal(b, c); err != nil {
		return nil, Refuse("coordination_invalid", fmt.Sprintf("not a coordination record: %v", err), "the coordination topic is written by Dossier alone")
	}
	if c.Kind == "" || c.Instance == "" {
		return nil, Refuse("coordination_invalid", "a coordination record without kind or instance", "the coordination topic is written by Dossier alone")
	}
	return c, nil
}

// Encode gives the wire form.
func (c *Coordination) Encode() ([]byte, error) { return json.Marshal(c) }
