package schema

import (
	"bytes"
	"fmt"

	"github.com/google/uuid"
)

// EventID identifies an event: same id, same content. UUIDv8; package ids derives it.
type EventID [16]byte

// PersonaID identifies one account as one source in one trust class knows it. UUIDv8; package ids derives it.
type PersonaID [16]byte

// ProfileID is the public id of a profile: the public id of its canonical persona. Every id ever handed out resolves for ever.
type ProfileID = PersonaID

func (id EventID) String() string   { return uuid.UUID(id).String() }
func (id PersonaID) String() string { return uuid.UUID(id).String() }

// IsZero says whether the id is unset.
func (id EventID) IsZero() bool { return id == EventID{} }

// IsZero says whether the id is unset.
func (id PersonaID) IsZero() bool { return id == PersonaID{} }

// Compare orders ids by their bytes: the order of exports.
func (id EventID) Compare(other EventID) int { return bytes.Compare(id[:], other[:]) }

// Compare orders ids by their bytes: the order of exports.
func (id PersonaID) Compare(other PersonaID) int { return bytes.Compare(id[:], other[:]) }

// ParseEventID reads the 36-character form.
func ParseEventID(s string) (EventID, error) {
	u, err := parseUUID(s)
	return EventID(u), err
}

// ParsePersonaID reads the 36-character form.
func ParsePersonaID(s string) (PersonaID, error) {
	u, err := parseUUID(s)
	return PersonaID(u), err
}

func parseUUID(s string) (uuid.UUID, error) {
	if len(s) != 36 {
		return uuid.UUID{}, fmt.Errorf("want an id of 36 characters such as 01234567-89ab-8cde-8f01-23456789abcd, got %d characters", len(s))
	}
	u, err := uuid.Parse(s)
	if err != nil {
		return uuid.UUID{}, fmt.Errorf("want an id such as 01234567-89ab-8cde-8f01-23456789abcd: %w", err)
	}
	return u, nil
}

// PersonaEpoch names a persona between two erasures. The public id of a persona changes with its epoch, so what was said of an
// erased person never reaches the next one.
type PersonaEpoch struct {
	Persona PersonaID
	Epoch   uint32
}

// KeyID names the key that an event is sealed under. All events of one persona and epoch share a leaf of the key tree; the class
// and the year choose the secret that is mixed in.
type KeyID struct {
	Epoch uint32
	Class string // retention class
	Year  int    // year of OccurredAt in UTC
}

// Position is a place in the log. A restore or a change of the partition count starts a new generation.
type Position struct {
	Generation uint32
	Partition  int32
	Offset     int64
}

// Compare orders positions by generation, partition, offset.
func (p Position) Compare(q Position) int {
	switch {
	case p.Generation != q.Generation:
		return cmp(p.Generation < q.Generation)
	case p.Partition != q.Partition:
		return cmp(p.Partition < q.Partition)
	case p.Offset != q.Offset:
		return cmp(p.Offset < q.Offset)
	}
	return 0
}

func cmp(less bool) int {
	if less {
		return -1
	}
	return 1
}
