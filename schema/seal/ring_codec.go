package seal

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// A serialised ring, version 1, numbers big endian:
//
//	"dossier ring\x01"
//	version          8 bytes
//	workspace        2 bytes of length, then the name
//	pseudonym key    32
//	secrets          4 bytes of count, then each: class (1 byte of length, then the name), year (2), secret (32)
//	expired          4 bytes of count, then each: class, year
//	closed epochs    4 bytes of count, then each: persona (16), highest closed epoch (4)
//	tree             the rest, as in tree_codec.go
//
// The lists are sorted and hold nothing twice, so that one ring has one form. There is no checksum: it never travels or rests
// except inside a seal, which authenticates it. A version 2 would have another byte 13; version 1 stays readable.
const ringMagic = "dossier ring\x01"

const ringWrapAD = "dossier ring wrap v1"

var errRing = errors.New("not a key ring")

// MarshalBinary gives the ring in the clear: whoever gets it has all keys of the workspace. The caller wipes it. It fails only after
// Destroy.
func (r *Ring) MarshalBinary() ([]byte, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.destroyed {
		return nil, errDestroyed
	}
	secrets := slices.SortedFunc(maps.Keys(r.secrets), secretName.compare)
	expired := slices.SortedFunc(maps.Keys(r.expired), secretName.compare)
	closed := slices.SortedFunc(maps.Keys(r.closed), schema.PersonaID.Compare)

	// Large enough at once, so that no copy stays behind while it grows.
	size := len(ringMagic) + 8 + 2 + len(r.workspace) + len(Key{}) + 3*4 + len(closed)*(16+4) + r.tree.size()
	for _, name := range secrets {
		size += 1 + len(name.class) + 2 + len(Key{})
	}
	for _, name := range expired {
		size += 1 + len(name.class) + 2
	}

	out := make([]byte, 0, size)
	out = append(out, ringMagic...)
	out = binary.BigEndian.AppendUint64(out, r.version)
	out = binary.BigEndian.AppendUint16(out, uint16(len(r.workspace)))
	out = append(out, r.workspace...)
	out = append(out, r.pseudonym[:]...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(secrets)))
	for _, name := range secrets {
		out = append(name.append(out), r.secrets[name].key[:]...)
	}
	out = binary.BigEndian.AppendUint32(out, uint32(len(expired)))
	for _, name := range expired {
		out = name.append(out)
	}
	out = binary.BigEndian.AppendUint32(out, uint32(len(closed)))
	for _, persona := range closed {
		out = append(out, persona[:]...)
		out = binary.BigEndian.AppendUint32(out, r.closed[persona])
	}
	return r.tree.AppendBinary(out)
}

func (n secretName) compare(other secretName) int {
	return cmp.Or(cmp.Compare(n.class, other.class), cmp.Compare(n.year, other.year))
}

func (n secretName) append(dst []byte) []byte {
	dst = append(dst, byte(len(n.class)))
	dst = append(dst, n.class...)
	return binary.BigEndian.AppendUint16(dst, uint16(n.year))
}

// ParseRing reads what MarshalBinary wrote, and nothing else: any other bytes are an error.
func ParseRing(src []byte) (*Ring, error) {
	in := reader{rest: src}
	if magic := in.take(len(ringMagic)); string(magic) != ringMagic {
		return nil, fmt.Errorf("%w of version 1", errRing)
	}
	version := in.number(8)
	workspace := string(in.take(int(in.number(2))))
	pseudonym := in.key()
	if in.short {
		return nil, fmt.Errorf("%w: it ends early", errRing)
	}
	r := emptyRing(workspace, pseudonym)
	r.version = version
	err := in.secrets(r)
	if err == nil {
		err = in.closedEpochs(r)
	}
	if err == nil && in.short {
		err = fmt.Errorf("%w: it ends early", errRing)
	}
	if err != nil {
		return nil, err
	}
	if r.tree, err = parseTree(in.rest); err != nil {
		return nil, err
	}
	return r, nil
}

func (in *reader) secrets(r *Ring) error {
	var last secretName
	for i := in.number(4); i > 0 && !in.short; i-- {
		name := in.secretName()
		key := in.key()
		if !in.short && (!name.valid() || name.compare(last) <= 0) {
			return fmt.Errorf("%w: its secrets are not sorted", errRing)
		}
		r.addSecret(name, key)
		last = name
	}
	last = secretName{}
	for i := in.number(4); i > 0 && !in.short; i-- {
		name := in.secretName()
		if !in.short && (!name.valid() || name.compare(last) <= 0 || r.secrets[name] != nil) {
			return fmt.Errorf("%w: its expired secrets are not sorted, or still there", errRing)
		}
		r.expired[name] = struct{}{}
		last = name
	}
	return nil
}

func (in *reader) closedEpochs(r *Ring) error {
	var last schema.PersonaID
	for i := in.number(4); i > 0 && !in.short; i-- {
		var persona schema.PersonaID
		copy(persona[:], in.take(len(persona)))
		epoch := in.number(4)
		if !in.short && len(r.closed) > 0 && persona.Compare(last) <= 0 {
			return fmt.Errorf("%w: its closed epochs are not sorted", errRing)
		}
		r.closed[persona] = uint32(epoch)
		last = persona
	}
	return nil
}

// reader takes fields from the front; after the end it gives zeros and is short.
type reader struct {
	rest  []byte
	short bool
}

func (in *reader) take(n int) []byte {
	if n > len(in.rest) {
		in.short, in.rest = true, nil
		return nil
	}
	field := in.rest[:n]
	in.rest = in.rest[n:]
	return field
}

func (in *reader) number(bytes int) (n uint64) {
	for _, b := range in.take(bytes) {
		n = n<<8 | uint64(b)
	}
	return n
}

func (in *reader) key() (key Key) {
	copy(key[:], in.take(len(key)))
	return key
}

func (in *reader) secretName() secretName {
	class := string(in.take(int(in.number(1))))
	return secretName{class, int(in.number(2))}
}

// Clone makes an independent copy with empty caches.
func (r *Ring) Clone() (*Ring, error) {
	clear, err := r.MarshalBinary()
	if err != nil {
		return nil, err
	}
	defer Wipe(clear)
	return ParseRing(clear)
}

// Wrap seals the ring under ringKey, for a place or a way that others may see.
func (r *Ring) Wrap(ringKey Key, random io.Reader) ([]byte, error) {
	clear, err := r.MarshalBinary()
	if err != nil {
		return nil, err
	}
	defer Wipe(clear)
	return Seal(nil, clear, []byte(ringWrapAD), ringKey, random)
}

// Unwrap opens what Wrap sealed. Another key or an altered byte gives ErrBroken.
func Unwrap(wrapped []byte, ringKey Key) (*Ring, error) {
	clear, err := Open(nil, wrapped, []byte(ringWrapAD), ringKey)
	if err != nil {
		return nil, fmt.Errorf("unwrap a key ring: %w", err)
	}
	defer Wipe(clear)
	return ParseRing(clear)
}

// Wipe overwrites key material.
func Wipe(b []byte) { clear(b) }
