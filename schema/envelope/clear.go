package envelope

import (
	"math"

	"github.com/dossier-cdp/dossier/schema"
)

// Fields of Envelope and Clear in event.proto.
const (
	envelopeClear  = 1
	envelopeSealed = 2

	clearVersion    = 1
	clearID         = 2
	clearWorkspace  = 3
	clearSource     = 4
	clearPersona    = 5
	clearEpoch      = 6
	clearClass      = 7
	clearYear       = 8
	clearOccurredAt = 9
	clearReceivedAt = 10
	clearSkew       = 11
	clearChannel    = 12
	clearType       = 13
	clearActor      = 14
	clearDictionary = 15
)

func appendClear(w *writer, c *schema.Clear) {
	w.uint(clearVersion, uint64(c.Version))
	w.bytes(clearID, c.ID[:])
	w.str(clearWorkspace, c.Workspace)
	w.str(clearSource, c.Source)
	w.bytes(clearPersona, c.Persona[:])
	w.uint(clearEpoch, uint64(c.Key.Epoch))
	w.str(clearClass, c.Key.Class)
	w.sint(clearYear, int64(c.Key.Year))
	w.sint(clearOccurredAt, int64(c.OccurredAt))
	w.sint(clearReceivedAt, int64(c.ReceivedAt))
	w.sint(clearSkew, c.Skew)
	w.uint(clearChannel, uint64(c.Channel))
	w.uint(clearType, uint64(c.Type))
	w.uint(clearActor, uint64(c.Actor))
	w.uint(clearDictionary, uint64(c.Dictionary))
	w.b = append(w.b, c.Unknown...)
}

func decodeClear(b []byte, c *schema.Clear) error {
	*c = schema.Clear{}
	r := reader{b: b}
	for r.next() {
		switch r.key() {
		case varint(clearVersion):
			c.Version = uint32(r.within(math.MaxUint32))
		case sized(clearID):
			c.ID = r.id()
		case sized(clearWorkspace):
			c.Workspace = r.interned()
		case sized(clearSource):
			c.Source = r.interned()
		case sized(clearPersona):
			c.Persona = r.id()
		case varint(clearEpoch):
			c.Key.Epoch = uint32(r.within(math.MaxUint32))
		case sized(clearClass):
			c.Key.Class = r.interned()
		case varint(clearYear):
			c.Key.Year = int(r.sint())
		case varint(clearOccurredAt):
			c.OccurredAt = schema.Instant(r.sint())
		case varint(clearReceivedAt):
			c.ReceivedAt = schema.Instant(r.sint())
		case varint(clearSkew):
			c.Skew = r.sint()
		case varint(clearChannel):
			c.Channel = schema.Channel(r.enum())
		case varint(clearType):
			c.Type = schema.Type(r.within(math.MaxUint16))
		case varint(clearActor):
			c.Actor = schema.Actor(r.enum())
		case varint(clearDictionary):
			c.Dictionary = uint32(r.within(math.MaxUint32))
		default:
			c.Unknown = append(c.Unknown, r.raw...)
		}
	}
	switch {
	case r.err != nil:
		return r.err
	case c.Version == 0 || c.ID.IsZero() || c.Persona.IsZero():
		return damaged("the clear part has no version, id or persona")
	case c.Version > schema.EnvelopeVersion:
		return schema.Refuse(CodeVersion, "the event was written by a later version of Dossier", "upgrade, then replay the dead letters")
	}
	return nil
}
