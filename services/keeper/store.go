package keeper

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/dossier-cdp/dossier/schema/seal"
)

// The ring file, version 1:
//
//	"dossier ring file\x01", then sealed under the ring key with that as additional bytes:
//	generation 8 bytes, count of rings 4, then each ring: length 4, seal.Ring as it marshals; sorted by workspace
//
// The ring key file, version 1:
//
//	"dossier ring key\x01", check value of the master key 16, then the ring key sealed under the wrapping key with all before it
//	as additional bytes
//
//	wrapping key = HKDF-SHA-256(master key, info "dossier ring key wrap v1")
//	check value  = first 16 bytes of HKDF-SHA-256(master key, info "dossier master key check v1")
const (
	ringMagic   = "dossier ring file\x01"
	keyMagic    = "dossier ring key\x01"
	wrapInfo    = "dossier ring key wrap v1"
	checkInfo   = "dossier master key check v1"
	checkLength = 16
	keyLength   = len(keyMagic) + checkLength + len(seal.Key{}) + seal.Overhead
)

// ErrWrongMaster says that the master key is not the one that the rings are kept under. Nothing has been touched.
var ErrWrongMaster = errors.New("the master key is not the one that this data folder was made with: give that one by DOSSIER_MASTER_KEY or DOSSIER_MASTER_KEY_FILE")

// store keeps a set of rings in the two files.
type store struct {
	files    files
	ring     slot
	ringKey  slot
	masters  []seal.Key // the first is written with; all are tried to read with
	random   io.Reader
	settled  bool // the files are one pair in place, or none if kept is false
	kept     bool
	attempts uint64 // the generation last given to a write, whether or not it succeeded
}

// A pair is a ring key and a ring file that fit together.
type pair struct {
	key, ring  suffix
	generation uint64
	rings      map[string]*seal.Ring
}

func (p *pair) destroy() {
	for _, ring := range p.rings {
		ring.Destroy()
	}
}

// settle finds the newest pair, brings it into place, overwrites the rest, and returns its rings: none if nothing was ever kept.
// If no pair fits it says why and touches nothing.
func (s *store) settle() (map[string]*seal.Ring, error) {
	keys, err := s.ringKey.read(s.files)
	if err != nil {
		return nil, err
	}
	ringFiles, err := s.ring.read(s.files)
	if err != nil {
		return nil, err
	}
	best, err := s.choose(keys, ringFiles)
	if err != nil {
		return nil, err
	}
	heldKeys, heldRings := names(keys), names(ringFiles)
	if best != nil {
		err = s.finish(best.key, best.ring, heldKeys, heldRings)
	} else {
		best = &pair{rings: map[string]*seal.Ring{}}
		err = errors.Join(s.ringKey.clear(s.files, heldKeys), s.ring.clear(s.files, heldRings))
	}
	if err != nil {
		best.destroy()
		return nil, err
	}
	s.settled, s.kept = true, best.generation > 0
	s.attempts = max(s.attempts, best.generation)
	return best.rings, nil
}

func names(found map[suffix][]byte) map[suffix]bool {
	held := map[suffix]bool{}
	for at := range found {
		held[at] = true
	}
	return held
}

// ErrNewer says that the files are of a form that this version does not know. Nothing has been touched.
var ErrNewer = errors.New("the key ring was written by a newer dossier: use that one")

// newer says whether a file is of a later version of the form that magic ends with the version of.
func newer(content []byte, magic string) bool {
	n := len(magic) - 1
	return len(content) > n && string(content[:n]) == magic[:n] && content[n] > magic[n]
}

// choose gives the fitting pair with the highest generation; nil, nil if no write was ever decided.
func (s *store) choose(keys, ringFiles map[suffix][]byte) (*pair, error) {
	for _, at := range suffixes {
		if newer(keys[at], keyMagic) || newer(ringFiles[at], ringMagic) {
			return nil, ErrNewer
		}
	}
	var best *pair
	var known, opened int // key files of one of our masters; those that open
	for _, keyAt := range suffixes {
		content, ok := keys[keyAt]
		if !ok {
			continue
		}
		ringKey, ours, err := s.openRingKey(content)
		if ours {
			known++
		}
		if err != nil {
			continue
		}
		opened++
		for _, ringAt := range suffixes {
			sealed, ok := ringFiles[ringAt]
			if !ok {
				continue
			}
			found, err := openRings(sealed, ringKey)
			if err != nil {
				continue
			}
			found.key, found.ring = keyAt, ringAt
			if best == nil || best.generation < found.generation {
				best, found = found, best
			}
			if found != nil {
				found.destroy()
			}
		}
	}
	if best != nil {
		return best, nil
	}
	_, keyKept := keys[inPlace]
	_, keyLeft := keys[leaving]
	_, ringKept := ringFiles[inPlace]
	_, ringLeft := ringFiles[leaving]
	ring, key := s.ring.path(inPlace), s.ringKey.path(inPlace)
	switch {
	case !keyKept && !keyLeft && !ringKept && !ringLeft:
		return nil, nil // at most a first write that was never decided
	case len(keys) == 0:
		return nil, fmt.Errorf("%s is missing, and without it %s cannot be opened: put it back from its copy", key, ring)
	case known == 0 && !slices.ContainsFunc(slices.Collect(maps.Values(keys)), isRingKey):
		return nil, fmt.Errorf("%s is damaged, and without it %s cannot be opened: put it back from its copy", key, ring)
	case known == 0:
		return nil, ErrWrongMaster
	case opened == 0:
		return nil, fmt.Errorf("%s is damaged, and without it %s cannot be opened: put it back from its copy", key, ring)
	case len(ringFiles) == 0:
		return nil, fmt.Errorf("%s is missing: put it back from a registered copy", ring)
	}
	return nil, fmt.Errorf("%s is damaged, or of another moment than %s: put both back from one registered copy", ring, key)
}

// finish ends a decided write.
func (s *store) finish(keyAt, ringAt suffix, heldKeys, heldRings map[suffix]bool) error {
	if err := s.ringKey.install(s.files, keyAt, heldKeys); err != nil {
		return err
	}
	if err := s.ring.install(s.files, ringAt, heldRings); err != nil {
		return err
	}
	// Both are durable in place. The old key goes first: without it the old ring is closed.
	if err := s.ringKey.clear(s.files, heldKeys); err != nil {
		return err
	}
	return s.ring.clear(s.files, heldRings)
}

// write keeps rings in place of what was kept before, under a new ring key. When it returns nil that is durable and the old
// bytes are overwritten; after an error either set may be kept, and the next write or settle finds out.
func (s *store) write(rings map[string]*seal.Ring) error {
	if !s.settled {
		kept, err := s.settle()
		if err != nil {
			return err
		}
		(&pair{rings: kept}).destroy()
	}
	s.settled = false
	s.attempts++
	var ringKey seal.Key
	if _, err := io.ReadFull(s.random, ringKey[:]); err != nil {
		return fmt.Errorf("read a ring key: %w", err)
	}
	defer func() { ringKey = seal.Key{} }()
	ringFile, err := sealRings(rings, s.attempts, ringKey, s.random)
	if err != nil {
		return err
	}
	keyFile, err := sealRingKey(ringKey, s.masters[0], s.random)
	if err != nil {
		return err
	}
	heldKeys := map[suffix]bool{inPlace: s.kept, coming: true}
	heldRings := maps.Clone(heldKeys)
	if err := s.ring.create(s.files, ringFile); err != nil {
		return err
	}
	if err := s.ringKey.create(s.files, keyFile); err != nil {
		return err
	}
	// At this point the new pair is durable, and decided.
	if err := s.finish(coming, coming, heldKeys, heldRings); err != nil {
		return err
	}
	s.settled, s.kept = true, true
	return nil
}

func sealRings(rings map[string]*seal.Ring, generation uint64, ringKey seal.Key, random io.Reader) ([]byte, error) {
	var parts [][]byte
	defer func() {
		for _, part := range parts {
			seal.Wipe(part)
		}
	}()
	size := 8 + 4
	for _, workspace := range slices.Sorted(maps.Keys(rings)) {
		part, err := rings[workspace].MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("write the key ring of workspace %q: %w", workspace, err)
		}
		parts = append(parts, part)
		size += 4 + len(part)
	}
	clear := make([]byte, 0, size) // large enough at once: no copy stays behind while it grows
	clear = binary.BigEndian.AppendUint64(clear, generation)
	clear = binary.BigEndian.AppendUint32(clear, uint32(len(parts)))
	for _, part := range parts {
		clear = binary.BigEndian.AppendUint32(clear, uint32(len(part)))
		clear = append(clear, part...)
	}
	defer seal.Wipe(clear)
	return seal.Seal([]byte(ringMagic), clear, []byte(ringMagic), ringKey, random)
}

var errRingFile = errors.New("not a ring file")

func openRings(content []byte, ringKey seal.Key) (*pair, error) {
	if len(content) < len(ringMagic) || string(content[:len(ringMagic)]) != ringMagic {
		return nil, errRingFile
	}
	clear, err := seal.Open(nil, content[len(ringMagic):], []byte(ringMagic), ringKey)
	if err != nil {
		return nil, err
	}
	defer seal.Wipe(clear)
	if len(clear) < 8+4 {
		return nil, errRingFile
	}
	p := &pair{generation: binary.BigEndian.Uint64(clear), rings: map[string]*seal.Ring{}}
	count, rest := binary.BigEndian.Uint32(clear[8:]), clear[8+4:]
	for range count {
		if len(rest) < 4 || uint64(len(rest)-4) < uint64(binary.BigEndian.Uint32(rest)) {
			p.destroy()
			return nil, errRingFile
		}
		end := 4 + int(binary.BigEndian.Uint32(rest))
		ring, err := seal.ParseRing(rest[4:end])
		if err != nil {
			p.destroy()
			return nil, err
		}
		p.rings[ring.Workspace()] = ring
		rest = rest[end:]
	}
	if len(rest) != 0 || len(p.rings) != int(count) {
		p.destroy()
		return nil, errRingFile
	}
	return p, nil
}

func sealRingKey(ringKey, master seal.Key, random io.Reader) ([]byte, error) {
	wrap, check, err := wrappingKey(master)
	if err != nil {
		return nil, err
	}
	head := append([]byte(keyMagic), check[:]...)
	return seal.Seal(slices.Clone(head), ringKey[:], head, wrap, random)
}

// openRingKey says also whether the file is kept under one of the masters.
func (s *store) openRingKey(content []byte) (ringKey seal.Key, ours bool, err error) {
	if !isRingKey(content) {
		return seal.Key{}, false, errors.New("not a ring key file")
	}
	head, sealed := content[:len(keyMagic)+checkLength], content[len(keyMagic)+checkLength:]
	for _, master := range s.masters {
		wrap, check, err := wrappingKey(master)
		if err != nil {
			return seal.Key{}, false, err
		}
		if string(head[len(keyMagic):]) != string(check[:]) {
			continue
		}
		clear, err := seal.Open(nil, sealed, head, wrap)
		if err != nil {
			return seal.Key{}, true, err
		}
		defer seal.Wipe(clear)
		return seal.Key(clear), true, nil
	}
	return seal.Key{}, false, ErrWrongMaster
}

func isRingKey(content []byte) bool {
	return len(content) == keyLength && string(content[:len(keyMagic)]) == keyMagic
}

func wrappingKey(master seal.Key) (wrap seal.Key, check [checkLength]byte, err error) {
	derived, err := hkdf.Key(sha256.New, master[:], nil, wrapInfo, len(wrap))
	if err != nil {
		return wrap, check, fmt.Errorf("derive the wrapping key: %w", err)
	}
	checked, err := hkdf.Key(sha256.New, master[:], nil, checkInfo, checkLength)
	if err != nil {
		return wrap, check, fmt.Errorf("derive the check value: %w", err)
	}
	return seal.Key(derived), [checkLength]byte(checked), nil
}
