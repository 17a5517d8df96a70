// Package deadletter keeps what was refused, whole, with the reason, so that it can be repaired and sent again.
//
// A letter has a clear part, which says when, where and why, and a sealed part, the bytes as they were sent. It is sealed under a
// leaf of its own in the workspace's key tree: erasing a person punches the leaves of all letters that hold one of the person's values.
// To find them, the clear part lists keyed hashes of every id, e-mail address and phone number that occurs anywhere in the bytes (see
// Traces). A letter without any, or with more than can be listed, expires 30 days after the day of its receipt (ExpiresAt): all of a day share
// a leaf, so that giving them up costs the ring next to nothing however many they are. What an erasure must reach never shares one: one person's
// erasure would take other people's letters with it.
//
// Wire form, the value of a record of the topic deadletters:
//
//	byte 0       version: 1, sealed under a leaf of its own; 2, under the leaf of the day of its receipt
//	4 bytes      length of the clear part, big-endian
//	clear part   JSON, the members of Clear
//	the rest     the sealed part: seal.Seal under the letter's key, with the clear part as additional data, over
//	             4 bytes    length of the context, big-endian
//	             context    what the batch said for all of its items; may be empty
//	             raw        as sent
//
// The record's key is the letter's id.
package deadletter

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
)

// Lifetime is how long a letter lives that no erasure could find.
const Lifetime = 30 * 24 * time.Hour

const (
	wireOwn     = 1 // also of letters without traces that were written before there was the other
	wireDay     = 2
	wireHeader  = 5
	lengthBytes = 4
)

// Letter is what was refused, before it is sealed.
type Letter struct {
	Workspace  string
	Source     string
	Trust      schema.Trust
	Endpoint   string // the path that it came in by
	Mapping    string // the mapper that refused it: segment or events; empty if none saw it
	Refusal    schema.Refusal
	ReceivedAt schema.Instant
	Index      int    // place in the request
	Raw        []byte // as sent
	Context    []byte // what the batch said for all of its items, as JSON; nil if nothing
}

// Clear is the part of a letter that whoever holds the log may read.
type Clear struct {
	ID         string   `json:"id"` // 32 hex digits
	Workspace  string   `json:"workspace"`
	Source     string   `json:"source"`
	Trust      string   `json:"trust"`
	Endpoint   string   `json:"endpoint"`
	Mapping    string   `json:"mapping,omitempty"`
	Code       string   `json:"code"`
	Reason     string   `json:"reason"`
	Hint       string   `json:"hint,omitempty"`
	ReceivedAt string   `json:"receivedAt"`
	Index      int      `json:"index"`
	Bytes      int      `json:"bytes"`
	Hashes     []string `json:"hashes,omitempty"`   // 32 hex digits each, sorted
	Overflow   bool     `json:"overflow,omitempty"` // more traces than are listed: the letter expires

	shared bool // with the day: the version of the record says so
}

// MaxBytes is the most that a letter's raw bytes and context may have together: a record of the log takes so much.
const MaxBytes = 3 << 20

// ExpiresAt tells when a letter ends by itself; false if it lives until it is erased.
func (c *Clear) ExpiresAt() (schema.Instant, bool) {
	if len(c.Hashes) > 0 && !c.Overflow {
		return 0, false
	}
	if day, shares := c.Day(); shares {
		return dayBegins(int64(day)+1) + schema.Instant(Lifetime.Microseconds()), true
	}
	at, err := schema.ParseInstant(c.ReceivedAt)
	if err != nil {
		return 0, true // a letter without a readable time has no reason to stay
	}
	return at + schema.Instant(Lifetime.Microseconds()), true
}

// Day is the day whose letters share a leaf with this one; false if it has a leaf of its own.
func (c *Clear) Day() (seal.Day, bool) {
	at, err := schema.ParseInstant(c.ReceivedAt)
	if !c.shared || err != nil {
		return 0, false
	}
	return dayOf(at)
}

// LastDay is the last day of which every letter that shares its leaf has expired.
func LastDay(now schema.Instant) (seal.Day, bool) {
	day, known := dayOf(now - schema.Instant(Lifetime.Microseconds()))
	return day - 1, known && day > 0
}

const dayLength = schema.Instant(24 * time.Hour / time.Microsecond)

func dayBegins(day int64) schema.Instant { return schema.Instant(day) * dayLength }

func dayOf(at schema.Instant) (seal.Day, bool) {
	day := at / dayLength
	return seal.Day(day), at >= 0 && day <= math.MaxUint16
}

// Keys are what letters are sealed with and identified by; *seal.Ring is one.
type Keys interface {
	PRF() *seal.PRF
	LetterKey(letter [16]byte) (seal.Key, error)
	DayLetterKey(day seal.Day, letter [16]byte) (seal.Key, error)
}

// Key derives the key of a letter, or fails with seal.ErrPunched when the letter was erased or has expired.
func (c *Clear) Key(keys Keys) (seal.Key, error) {
	id, err := hex.DecodeString(c.ID)
	if err != nil || len(id) != 16 {
		return seal.Key{}, damaged("its id is none")
	}
	key, err := keyOf(keys, c, [16]byte(id))
	if err != nil {
		return seal.Key{}, fmt.Errorf("find the key of dead letter %s: %w", c.ID, err)
	}
	return key, nil
}

func keyOf(keys Keys, c *Clear, id [16]byte) (seal.Key, error) {
	if !c.shared {
		return keys.LetterKey(id)
	}
	day, known := c.Day()
	if !known {
		return seal.Key{}, damaged("it has no day")
	}
	return keys.DayLetterKey(day, id)
}

// Encode seals a letter and returns its record.
func Encode(l *Letter, keys Keys, random io.Reader) (key, value []byte, err error) {
	prf := keys.PRF()
	var sum [32]byte
	prf.Sum(&sum, []byte("letter"), []byte(l.Workspace), []byte(l.Source), []byte(l.Trust.String()), []byte(l.Endpoint),
		binary.BigEndian.AppendUint64(nil, uint64(l.ReceivedAt)), binary.BigEndian.AppendUint64(nil, uint64(l.Index)), l.Raw, l.Context)
	id := [16]byte(sum[:16])

	hashes, overflow := Traces(prf, l.Raw, l.Context)
	clear := Clear{
		ID: hex.EncodeToString(id[:]), Workspace: l.Workspace, Source: l.Source, Trust: l.Trust.String(), Endpoint: l.Endpoint,
		Mapping: l.Mapping, Code: l.Refusal.Code, Reason: l.Refusal.Reason, Hint: l.Refusal.Hint, ReceivedAt: l.ReceivedAt.String(),
		Index: l.Index, Bytes: len(l.Raw), Hashes: hashes, Overflow: overflow,
	}
	_, dated := dayOf(l.ReceivedAt)
	clear.shared = dated && len(hashes) == 0
	ad, err := json.Marshal(&clear)
	if err != nil {
		return nil, nil, fmt.Errorf("encode the clear part of a dead letter: %w", err)
	}
	plain := make([]byte, 0, lengthBytes+len(l.Context)+len(l.Raw))
	plain = binary.BigEndian.AppendUint32(plain, uint32(len(l.Context)))
	plain = append(append(plain, l.Context...), l.Raw...)
	letterKey, err := keyOf(keys, &clear, id)
	if err != nil {
		return nil, nil, fmt.Errorf("find the key of a dead letter: %w", err)
	}
	value = make([]byte, wireHeader, wireHeader+len(ad)+len(plain)+seal.Overhead)
	if value[0] = wireOwn; clear.shared {
		value[0] = wireDay
	}
	binary.BigEndian.PutUint32(value[1:], uint32(len(ad)))
	value = append(value, ad...)
	if value, err = seal.Seal(value, plain, ad, letterKey, random); err != nil {
		return nil, nil, fmt.Errorf("seal a dead letter: %w", err)
	}
	return id[:], value, nil
}

func damaged(what string) error {
	return schema.Refuse("letter_damaged", "a record is no dead letter: "+what, "the topic deadletters is written by Dossier alone")
}

// ReadClear reads the clear part of a record. What is no letter is rejected.
func ReadClear(value []byte) (*Clear, error) {
	clear, _, err := split(value)
	return clear, err
}

func split(value []byte) (clear *Clear, ad []byte, err error) {
	if len(value) < wireHeader || value[0] != wireOwn && value[0] != wireDay {
		return nil, nil, damaged("unknown version")
	}
	length := int64(binary.BigEndian.Uint32(value[1:]))
	if length > int64(len(value)-wireHeader) {
		return nil, nil, damaged("its clear part is cut off")
	}
	ad = value[wireHeader : wireHeader+length]
	clear = &Clear{}
	if err := json.Unmarshal(ad, clear); err != nil {
		return nil, nil, damaged("its clear part is no JSON")
	}
	clear.shared = value[0] == wireDay
	return clear, ad, nil
}

// Opened is a letter as it is shown.
type Opened struct {
	Clear
	Raw     []byte
	Context []byte
}

// Open opens a record. It fails with seal.ErrPunched when the letter was erased, and is rejected when it was altered.
func Open(value []byte, keys Keys) (*Opened, error) {
	clear, ad, err := split(value)
	if err != nil {
		return nil, err
	}
	key, err := clear.Key(keys)
	if err != nil {
		return nil, err
	}
	plain, err := seal.Open(nil, value[wireHeader+len(ad):], ad, key)
	if err != nil {
		return nil, fmt.Errorf("open dead letter %s: %w", clear.ID, err)
	}
	if len(plain) < lengthBytes || int64(binary.BigEndian.Uint32(plain)) > int64(len(plain)-lengthBytes) {
		return nil, damaged("its content is cut off")
	}
	context := plain[lengthBytes:][:binary.BigEndian.Uint32(plain)]
	opened := &Opened{Clear: *clear, Raw: plain[lengthBytes+len(context):]}
	if len(context) > 0 {
		opened.Context = context
	}
	return opened, nil
}
