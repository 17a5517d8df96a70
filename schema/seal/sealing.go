package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"io"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

const (
	nonceLength = 12
	tagLength   = 16

	// Overhead is how much longer sealed bytes are than what they hold.
	Overhead = nonceLength + tagLength
)

// ErrBroken says that sealed bytes do not open: another key, other additional bytes, or altered.
var ErrBroken error = schema.Refuse("seal_broken", "the sealed part does not open under its key and clear part", "")

// Cipher seals and opens under one key. It is safe for concurrent use. To make one costs more than to use it on an event.
type Cipher struct{ aead cipher.AEAD }

// NewCipher makes the cipher of a key.
func NewCipher(key Key) (*Cipher, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("make the cipher: %w", err) // Unreachable: the key has 32 bytes.
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("make the cipher: %w", err) // Unreachable: AES has blocks of 16 bytes.
	}
	return &Cipher{aead}, nil
}

// Seal appends the sealed plaintext to dst: a random nonce from nonces, then AES-256-GCM with ad as additional bytes. plaintext and
// the free capacity of dst must not overlap. It fails only if nonces does. A nonce of crypto/rand costs less than a buffer of them
// would.
func (c *Cipher) Seal(dst, plaintext, ad []byte, nonces io.Reader) ([]byte, error) {
	before := len(dst)
	grown := slices.Grow(dst, len(plaintext)+Overhead)[:before+nonceLength]
	nonce := grown[before:]
	if _, err := io.ReadFull(nonces, nonce); err != nil {
		return dst, schema.Classify(schema.Transient, fmt.Errorf("read a nonce: %w", err))
	}
	return c.aead.Seal(grown, nonce, plaintext, ad), nil
}

// Open appends what sealed holds to dst, or returns ErrBroken and dst as it was. sealed and the free capacity of dst must not
// overlap.
func (c *Cipher) Open(dst, sealed, ad []byte) ([]byte, error) {
	if len(sealed) < Overhead {
		return dst, ErrBroken
	}
	opened, err := c.aead.Open(dst, sealed[:nonceLength], sealed[nonceLength:], ad)
	if err != nil {
		return dst, ErrBroken
	}
	return opened, nil
}

// Seal is Cipher.Seal under a key that is used once.
func Seal(dst, plaintext, ad []byte, key Key, nonces io.Reader) ([]byte, error) {
	c, err := NewCipher(key)
	if err != nil {
		return dst, err
	}
	return c.Seal(dst, plaintext, ad, nonces)
}

// Open is Cipher.Open under a key that is used once.
func Open(dst, sealed, ad []byte, key Key) ([]byte, error) {
	c, err := NewCipher(key)
	if err != nil {
		return dst, err
	}
	return c.Open(dst, sealed, ad)
}
