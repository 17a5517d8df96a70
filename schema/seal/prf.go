package seal

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// PRF is HMAC-SHA-256 under one key over a list of parts, each preceded by its length as uint32 BE, so that no two lists give
// one message. It is safe for use by many goroutines and does not allocate for messages up to 400 bytes.
type PRF struct{ pads *pads }

// NewPRF prepares key.
func NewPRF(key Key) *PRF { return &PRF{pads: newPads(&key)} }

// Sum writes the value for parts into dst. It keeps no part.
func (p *PRF) Sum(dst *[32]byte, parts ...[]byte) {
	c := borrow()
	c.buf = c.buf[:0]
	for _, part := range parts {
		c.buf = appendPart(c.buf, part)
	}
	c.mac(p.pads)
	*dst = c.sum
	c.release()
}

// IdentifierHash is the first half of PRF("identifier", kind, value): what logs, dead letters and indexes name a value by. Who
// has the pseudonym key can confirm a guessed value; nobody else can.
func (p *PRF) IdentifierHash(kind, value string) (hash [16]byte) {
	c := borrow()
	c.buf = appendPart(c.buf[:0], "identifier")
	c.buf = appendPart(c.buf, kind)
	c.buf = appendPart(c.buf, value)
	c.mac(p.pads)
	copy(hash[:], c.sum[:])
	c.release()
	return hash
}

func appendPart[S string | []byte](dst []byte, part S) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(part)))
	return append(dst, part...)
}

// PseudonymKey derives a new workspace's pseudonym key from the master key. It is used once: the ring keeps the result, so the
// master key may be rotated afterwards.
func PseudonymKey(master Key, workspace string) (Key, error) {
	derived, err := hkdf.Key(sha256.New, master[:], nil, "dossier pseudonym key v1\x00"+workspace, len(Key{}))
	if err != nil {
		return Key{}, fmt.Errorf("derive the pseudonym key: %w", err)
	}
	return Key(derived), nil
}
