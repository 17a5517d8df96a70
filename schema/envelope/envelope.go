package envelope

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
)

// LargestPlain is the most that the sealed part of one event may hold before compression.
const LargestPlain = 16 << 20

// ErrVoid says that the key of an event is gone: its person was erased, or its retention ended. It is no fault: a reader carries
// on with the next event.
var ErrVoid = errors.New("the key of the event is gone")

// EventKeys finds the cipher of an event; *seal.Ring does.
type EventKeys interface {
	EventCipher(persona schema.PersonaID, id schema.KeyID) (*seal.Cipher, error)
}

// Sealer writes events. It is safe for use by many goroutines if Keys and Nonces are.
type Sealer struct {
	Keys   EventKeys
	Nonces io.Reader // 12 random bytes an event; crypto/rand.Reader outside tests
	// Dictionary is what Seal compresses with; 0 is the newest. Only tests of older versions set it.
	Dictionary uint32
}

// Seal appends the wire form of e to dst. It sets e.Version and e.Dictionary, and changes nothing else. The key that e.Key names must
// exist: an error of Keys is returned wrapped (seal.ErrExpired: nothing of that class and year is accepted any more). An event with a
// string that is not UTF-8, or larger than LargestPlain, is refused.
func (s *Sealer) Seal(dst []byte, e *schema.Event) ([]byte, error) {
	cipher, err := s.Keys.EventCipher(e.Persona, e.Key)
	if err != nil {
		return dst, fmt.Errorf("find the key of event %s: %w", e.ID, err)
	}
	work := works.Get().(*work)
	defer work.release()

	w := writer{b: work.plain[:0]}
	appendSealed(&w, &e.Sealed)
	work.plain = w.b
	if w.err != nil {
		return dst, w.err
	}
	if len(w.b) > LargestPlain {
		return dst, schema.Refuse(CodeTooBig, fmt.Sprintf("an event holds at most %d bytes", LargestPlain), "send it in parts")
	}
	version := s.Dictionary
	if version == 0 {
		version = NewestDictionary
	}
	payload := w.b
	e.Version, e.Dictionary = schema.EnvelopeVersion, 0
	if squeezed, ok := compress(work, w.b, version); ok {
		payload, e.Dictionary = squeezed, version
	}

	before := len(dst)
	w = writer{b: dst}
	mark := w.open(envelopeClear)
	appendClear(&w, &e.Clear)
	if w.err != nil {
		return dst[:before], w.err
	}
	clearLength := len(w.b) - mark
	w.close(mark)
	clearEnd := len(w.b)
	w.tag(envelopeSealed, protowire.BytesType)
	w.length(len(payload) + seal.Overhead)
	out, err := cipher.Seal(w.b, payload, w.b[clearEnd-clearLength:clearEnd], s.Nonces)
	if err != nil {
		return dst[:before], fmt.Errorf("seal event %s: %w", e.ID, err)
	}
	return out, nil
}

// Open reads the wire form into e, whatever was in e before. It returns nil; or an error that wraps ErrVoid if the key is gone, then e
// has the clear part; or a refusal if the value is damaged, was tampered with, or is of a later version. It keeps no part of value. The
// strings and slices of e are parts of one allocation: copy what is kept for long, and write to none of them.
func Open(keys EventKeys, value []byte, e *schema.Event) error {
	e.Sealed = schema.Sealed{}
	clearBytes, sealed, err := split(value)
	if err != nil {
		return err
	}
	if err := decodeClear(clearBytes, &e.Clear); err != nil {
		return err
	}
	cipher, err := keys.EventCipher(e.Persona, e.Key)
	switch {
	case errors.Is(err, seal.ErrPunched), errors.Is(err, seal.ErrExpired):
		return fmt.Errorf("open event %s: %w", e.ID, ErrVoid)
	case err != nil:
		return fmt.Errorf("open event %s: %w", e.ID, err)
	}
	plain, err := unseal(e.Dictionary, sealed, clearBytes, cipher)
	if err != nil {
		return fmt.Errorf("open event %s: %w", e.ID, err)
	}
	if err := decodeSealed(plain, &e.Sealed); err != nil {
		return fmt.Errorf("open event %s: %w", e.ID, err)
	}
	return nil
}

// ReadClear reads the clear part without a key. What it returns is not authenticated: only Open can tell whether it was altered.
func ReadClear(value []byte, c *schema.Clear) error {
	clearBytes, _, err := split(value)
	if err != nil {
		return err
	}
	return decodeClear(clearBytes, c)
}

// split finds the two parts. Envelope has these two fields in this order and never another one, since no key vouches for it.
func split(value []byte) (clearBytes, sealed []byte, err error) {
	r := reader{b: value}
	if r.next() && r.key() == sized(envelopeClear) {
		clearBytes = r.value
		if r.next() && r.key() == sized(envelopeSealed) && len(r.b) == 0 {
			return clearBytes, r.value, nil
		}
	}
	if r.err != nil {
		return nil, nil, r.err
	}
	return nil, nil, damaged("the value is no envelope of a clear and a sealed part")
}

// unseal returns the plaintext in memory of its own.
func unseal(dictionary uint32, sealed, clearBytes []byte, cipher *seal.Cipher) ([]byte, error) {
	if dictionary == 0 {
		return cipher.Open(make([]byte, 0, max(len(sealed)-seal.Overhead, 0)), sealed, clearBytes)
	}
	work := works.Get().(*work)
	defer work.release()
	squeezed, err := cipher.Open(work.squeezed[:0], sealed, clearBytes)
	if err != nil {
		return nil, err
	}
	work.squeezed = squeezed
	return decompress(squeezed, dictionary)
}

// work is the memory in which an event is put together. It holds plaintext, so it is emptied before it is given back.
type work struct {
	plain    []byte
	squeezed []byte
}

var works = sync.Pool{New: func() any {
	return &work{plain: make([]byte, 0, 4096), squeezed: make([]byte, 0, 4096)}
}}

func (w *work) release() {
	const keep = 1 << 18
	if cap(w.plain) > keep || cap(w.squeezed) > keep {
		*w = work{}
	}
	clear(w.plain)
	clear(w.squeezed)
	w.plain, w.squeezed = w.plain[:0], w.squeezed[:0]
	works.Put(w)
}
