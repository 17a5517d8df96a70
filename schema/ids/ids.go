// Package ids derives every identifier that Dossier hands out: personas, events, public ids of profiles.
//
// An id is an HMAC under the workspace's pseudonym key, shown as a UUIDv8. The same input gives the same id for ever, on every
// machine that has the key, and nobody without the key can test a guess. No id depends on arrival: not on the order of members or
// the form of numbers in a payload, not on the transport, not on the key of its trust class, not on our clock, except where a
// payload states no time (EventInput.Receipt).
//
// Inputs are lists of parts, each preceded by its length, so that no two lists give one message. The lists of different kinds of id
// differ in their number of parts, or in their first:
//
//	persona  workspace, source, trust class, account kind, account
//	event    "event", workspace, source, trust class, routing hash, message id, fingerprint [, receipt]
//	public   "public", persona, epoch
//
// Trust classes are their names; epoch is uint32 and receipt int64 of microseconds, both big-endian. The golden file
// schema/testdata/ids is the proof that none of this ever changes.
package ids

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
	"github.com/dossier-cdp/dossier/schema/seal"
)

// Deriver derives ids under one workspace's pseudonym key. It is safe for use by many goroutines.
type Deriver struct{ prf *seal.PRF }

// New makes a Deriver.
func New(prf *seal.PRF) *Deriver { return &Deriver{prf} }

// Persona is the id of one account as one source in one trust class knows it.
func (d *Deriver) Persona(workspace, source string, trust schema.Trust, a schema.Account) schema.PersonaID {
	s := scratches.Get().(*scratch)
	s.str(workspace)
	s.str(source)
	s.str(trust.String())
	s.str(a.Kind)
	s.str(a.Value)
	return schema.PersonaID(s.derive(d.prf))
}

// EventInput is what identifies an event.
type EventInput struct {
	Workspace   string
	Source      string
	Trust       schema.Trust
	Routing     [32]byte       // of the mapping's rules for account, type and time
	MessageID   string         // the sender's, or ours by the mapping's rule; may be empty
	Fingerprint [32]byte       // of what the sender said
	Receipt     schema.Instant // when we received it, if and only if the payload states no time; else 0
}

// Event is the id of one event.
func (d *Deriver) Event(in EventInput) schema.EventID {
	s := scratches.Get().(*scratch)
	s.str("event")
	s.str(in.Workspace)
	s.str(in.Source)
	s.str(in.Trust.String())
	s.bytes(in.Routing[:])
	s.str(in.MessageID)
	s.bytes(in.Fingerprint[:])
	if in.Receipt != 0 {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(in.Receipt))
		s.bytes(b[:])
	}
	return schema.EventID(s.derive(d.prf))
}

// Public is the public id of a persona between two erasures: the persona's own id before the first one, and afterwards an id
// that nobody without the key can connect with it.
func (d *Deriver) Public(p schema.PersonaEpoch) schema.ProfileID {
	if p.Epoch == 0 {
		return p.Persona
	}
	s := scratches.Get().(*scratch)
	s.str("public")
	s.bytes(p.Persona[:])
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], p.Epoch)
	s.bytes(b[:])
	return schema.ProfileID(s.derive(d.prf))
}

// Fingerprint is the SHA-256 of what an item says: its canonical JSON, with the batch's context (the zero Node if there is none)
// merged beneath its own, and without the top-level members that belong to one transmission and not to the event.
func Fingerprint(item, context canonical.Node) [32]byte {
	s := scratches.Get().(*scratch)
	s.buf = item.WithContext(context).AppendCanonical(s.buf[:0], ofTransmission)
	sum := sha256.Sum256(s.buf)
	s.release()
	return sum
}

func ofTransmission(depth int, key string) bool {
	if depth > 0 {
		return false
	}
	switch key {
	case "sentAt", "receivedAt", "writeKey", "api_key", "integrations", "_metadata":
		return true
	}
	return false
}

// scratch gathers parts without allocating. The parts lie in buf end to end; cuts has the end of each.
type scratch struct {
	buf   []byte
	cuts  [8]int
	count int
	parts [8][]byte
	sum   [32]byte
}

var scratches = sync.Pool{New: func() any { return &scratch{buf: make([]byte, 0, 2048)} }}

func (s *scratch) str(part string)   { s.buf = append(s.buf, part...); s.cut() }
func (s *scratch) bytes(part []byte) { s.buf = append(s.buf, part...); s.cut() }
func (s *scratch) cut()              { s.cuts[s.count] = len(s.buf); s.count++ }

// derive computes the id and releases s.
func (s *scratch) derive(prf *seal.PRF) (id [16]byte) {
	from := 0
	for i := range s.count {
		s.parts[i] = s.buf[from:s.cuts[i]]
		from = s.cuts[i]
	}
	prf.Sum(&s.sum, s.parts[:s.count]...)
	copy(id[:], s.sum[:])
	id[6] = id[6]&0x0f | 0x80 // version 8
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562
	s.release()
	return id
}

// release gives s back without what it held.
func (s *scratch) release() {
	const keep = 1 << 18
	if cap(s.buf) > keep {
		s.buf = make([]byte, 0, 2048)
	}
	clear(s.buf)
	clear(s.parts[:])
	s.buf, s.count = s.buf[:0], 0
	scratches.Put(s)
}
