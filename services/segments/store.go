package segments

import (
	"encoding/binary"
	"encoding/json"
	"errors"

	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// Stored form, in the role's state store. Times are 8 bytes, big-endian, with the sign bit flipped, so that they sort.
//
//	'e' persona(16) time(8) event(16)     →  fact (segment.AppendFact)
//	'd' persona or profile(16)            →  cause: kind(1) time(8) event(16): it is to be weighed
//	'm' profile(16) segment name          →  since: time(8)
//	'k' profile(16)                       →  digest(8) of its row of people
//	'h' persona(16)                       →  profile(16) that held it when it was weighed last
//	'n' profile(16)                       →  time(8) of its mark in 't'
//	't' time(8) profile(16)               →  nothing: to be weighed again then
//	'a' profile(16) hold-out's name       →  time(8) held(1): what was drawn of who was this profile then
//	'o' sequence(8)                       →  a change on its way, JSON
//	's'                                   →  settings, JSON: what the state was made with
//	offsets of the topics events, profiles and decisions  →  package state
var (
	keySettings = []byte{'s'}
	errDamaged  = schema.Classify(schema.Fatal, errors.New("damaged state of segments: delete its folder, it is rebuilt at the next start"))
)

const storeVersion = 1

// settings are what the state was made with.
type settings struct {
	Version      int                            `json:"version"`
	Table        string                         `json:"table"`    // identity of the tables
	Live         map[string]string              `json:"segments"` // of the live ones: their definitions' hash
	Types        map[schema.Type]schema.Instant `json:"types"`    // for how long facts are kept; 0 is for ever
	Paths        []string                       `json:"paths"`
	Facts        int64                          `json:"facts"`                  // counts how often they were gathered anew
	Sweep        string                         `json:"sweep"`                  // the last profile that the sweep under way has marked; "-" is none under way
	Worth        string                         `json:"worth"`                  // the value snapshot that the rows tell of
	Suppressions int                            `json:"suppressions,omitempty"` // how many decisions to suppress the rows tell of
	Silent       bool                           `json:"silent,omitempty"`       // memberships are our own, not the topic's
	Gather       bool                           `json:"gather"`                 // facts are gathered anew, and not everybody was weighed by them yet
	Sequence     uint64                         `json:"sequence"`               // of the last change
	Clock        uint64                         `json:"clock"`                  // of the last rows
}

func (s *Segments) load() (out settings, found bool, err error) {
	value, found, err := s.Store.Get(nil, keySettings)
	if err != nil || !found {
		return out, false, err
	}
	if json.Unmarshal(value, &out) != nil || out.Version != storeVersion {
		return out, false, errDamaged
	}
	return out, true, nil
}

func save(b *state.Batch, v settings) error {
	v.Version = storeVersion
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return b.Set(keySettings, text)
}

func key(prefix byte, parts ...[]byte) []byte {
	out := []byte{prefix}
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func sortable(t schema.Instant) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(t)^1<<63)
}

func sorted(b []byte) schema.Instant {
	return schema.Instant(binary.BigEndian.Uint64(b) ^ 1<<63)
}

// Causes of a change. The numbers are stored.
type causeKind byte

const (
	byEvent    causeKind = 1
	byTime     causeKind = 2
	byIdentity causeKind = 3
	byRule     causeKind = 4
	byErasure  causeKind = 5
)

func (k causeKind) String() string {
	if k < byEvent || k > byErasure {
		return "unknown"
	}
	return [...]string{"event", "time", "identity", "rule", "erasure"}[k-1]
}

// cause is why somebody is weighed.
type cause struct {
	kind  causeKind
	at    schema.Instant
	event schema.EventID
}

func (c cause) append(b []byte) []byte {
	b = append(b, byte(c.kind))
	b = append(b, sortable(c.at)...)
	return append(b, c.event[:]...)
}

func readCause(b []byte) (c cause, err error) {
	if len(b) != 25 {
		return c, errDamaged
	}
	return cause{causeKind(b[0]), sorted(b[1:9]), schema.EventID(b[9:])}, nil
}

func factKey(persona schema.ProfileID, f *segment.Fact) []byte {
	return key('e', persona[:], sortable(f.At), f.ID[:])
}
