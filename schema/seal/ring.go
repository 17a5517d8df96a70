package seal

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"

	"github.com/dossier-cdp/dossier/schema"
)

var (
	// ErrExpired says that the secret of this retention class and year has been deleted: nothing of it can be read or accepted.
	ErrExpired error = schema.Refuse("retention_expired", "the retention class of this event has expired for its year", "check the time that the event states, and the retention of its class")
	// ErrNoSecret says that this ring has no secret for the retention class and year, neither now nor before. The keeper can make
	// one (Extend); a reader that meets it in the log holds a ring older than the event.
	ErrNoSecret error = schema.Refuse("retention_unknown", "there is no key for this retention class and year", "check the time that the event states; the keeper extends the years")
)

// errDestroyed is an error of the program: it went on using a ring after Destroy.
var errDestroyed = errors.New("the key ring has been destroyed")

// Ring is the key ring of one workspace.
//
// Any number of goroutines may ask for keys while one changes it. After Punch, Expire or Destroy has returned no call gives the
// key that it took away, and the ring's memory, caches included, does not hold it. What changes a ring is for the keeper alone:
// only its changes are written down.
type Ring struct {
	mu        sync.RWMutex
	version   uint64
	workspace string
	pseudonym Key
	prf       *PRF
	tree      *Tree
	secrets   map[secretName]*secret
	expired   map[secretName]struct{}
	closed    map[schema.PersonaID]uint32 // the highest closed epoch
	slots     uint32                      // given out so far
	destroyed bool
	cache     keyCache
}

type secretName struct {
	class string
	year  int
}

type secret struct {
	key  Key
	pads *pads
	slot uint32 // its number in the cache
}

const (
	eventInfo  = "dossier event key v1"
	letterInfo = "dossier letter key v1"
	dayInfo    = "dossier letter key of a day v1" // and the letter's id

	// The years that fit the key id of an event.
	firstYear, lastYear = 1, 9999
	longestClass        = 255
	longestWorkspace    = 1<<16 - 1
)

// unsalted is HKDF-Extract without a salt.
var unsalted = newPads(&Key{})

// NewRing makes the ring of a new workspace, version 1: a pseudonym key from the master key, and from random a root and a secret
// for each class and each year from the first to the last. Random must be good for keys (crypto/rand).
func NewRing(workspace string, master Key, classes []string, first, last int, random io.Reader) (*Ring, error) {
	if len(workspace) > longestWorkspace {
		return nil, fmt.Errorf("a workspace name has at most %d bytes", longestWorkspace)
	}
	pseudonym, err := PseudonymKey(master, workspace)
	if err != nil {
		return nil, err
	}
	var root Key
	if _, err := io.ReadFull(random, root[:]); err != nil {
		return nil, fmt.Errorf("read a root: %w", err)
	}
	r := emptyRing(workspace, pseudonym)
	r.tree = NewTree(root)
	for _, class := range classes {
		if _, err := r.Extend(class, first, last, random); err != nil {
			return nil, err
		}
	}
	r.version = 1
	return r, nil
}

func emptyRing(workspace string, pseudonym Key) *Ring {
	return &Ring{
		workspace: workspace,
		pseudonym: pseudonym,
		prf:       NewPRF(pseudonym),
		secrets:   map[secretName]*secret{},
		expired:   map[secretName]struct{}{},
		closed:    map[schema.PersonaID]uint32{},
	}
}

// Workspace is the name of the workspace.
func (r *Ring) Workspace() string { return r.workspace }

// Classes are the retention classes that the ring has a secret for, sorted.
func (r *Ring) Classes() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var classes []string
	for name := range r.secrets {
		classes = append(classes, name.class)
	}
	slices.Sort(classes)
	return slices.Compact(classes)
}

// Commitment names the secrets of all classes up to a year, and tells nothing of them: rings with other ones, or with some of them expired, have another.
func (r *Ring) Commitment(through int) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var names []secretName
	for name := range r.secrets {
		if name.year <= through {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b secretName) int { return cmp.Or(cmp.Compare(a.class, b.class), a.year-b.year) })
	all := sha256.New()
	for _, name := range names {
		one := hmac.New(sha256.New, r.secrets[name].key[:])
		fmt.Fprintf(one, "dossier secret commitment v1 %q %d", name.class, name.year)
		all.Write(one.Sum(nil))
	}
	return hex.EncodeToString(all.Sum(nil)[:16])
}

// Raise makes the version at least as high: of a ring that has been brought up to a later one by other steps. It says whether that changed anything.
func (r *Ring) Raise(version uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.version >= version {
		return false
	}
	r.version = version
	return true
}

// PRF is the pseudorandom function under the pseudonym key, which persona ids, event ids and identifier hashes come from.
func (r *Ring) PRF() *PRF { return r.prf }

// Version rises with every change.
func (r *Ring) Version() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.version
}

// CurrentEpoch is the epoch that a new event of persona is sealed in: 1 + the highest closed one, 0 if none is closed. When the
// last possible epoch is closed it stays the current one, and gives no key.
func (r *Ring) CurrentEpoch(persona schema.PersonaID) uint32 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	highest, ok := r.closed[persona]
	if !ok {
		return 0
	}
	return highest + min(1, math.MaxUint32-highest)
}

// Closed says whether this epoch of persona has been punched.
func (r *Ring) Closed(persona schema.PersonaID, epoch uint32) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	c := borrow()
	defer c.release()
	_, _, ok := r.tree.covering(r.leafIndex(c, schema.PersonaEpoch{Persona: persona, Epoch: epoch}))
	return !ok
}

// IdentifierHash is that of PRF.
func (r *Ring) IdentifierHash(kind, value string) [16]byte { return r.prf.IdentifierHash(kind, value) }

// EventKey derives the key of an event, or says why there is none: ErrExpired, ErrNoSecret or ErrPunched.
func (r *Ring) EventKey(persona schema.PersonaID, id schema.KeyID) (Key, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	mixed, err := r.secret(id)
	if err != nil {
		return Key{}, err
	}
	return r.eventKey(schema.PersonaEpoch{Persona: persona, Epoch: id.Epoch}, mixed)
}

// EventCipher is the cipher of EventKey, with its errors. Those of the keys last used are kept: who sent an event often sends
// another one soon, and what was sealed in this process is opened in it moments later.
func (r *Ring) EventCipher(persona schema.PersonaID, id schema.KeyID) (*Cipher, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	mixed, err := r.secret(id)
	if err != nil {
		return nil, err
	}
	of := schema.PersonaEpoch{Persona: persona, Epoch: id.Epoch}
	if c := r.cache.cipher(of, mixed.slot); c != nil {
		return c, nil
	}
	key, err := r.eventKey(of, mixed)
	if err != nil {
		return nil, err
	}
	c, err := NewCipher(key)
	if err != nil {
		return nil, err
	}
	r.cache.keep(of, mixed.slot, c)
	return c, nil
}

// Forget gives back the memory of the ciphers that are kept, up to 21 MB. They are made again when they are asked for.
func (r *Ring) Forget() { r.cache.forget() }

// secret finds the secret of a class and year.
func (r *Ring) secret(id schema.KeyID) (*secret, error) {
	if r.destroyed {
		return nil, errDestroyed
	}
	name := secretName{id.Class, id.Year}
	if mixed := r.secrets[name]; mixed != nil {
		return mixed, nil
	}
	if _, ok := r.expired[name]; ok {
		return nil, ErrExpired
	}
	return nil, ErrNoSecret
}

func (r *Ring) eventKey(of schema.PersonaEpoch, mixed *secret) (Key, error) {
	leaf, isEvent, isLeaf := r.cache.get(of, mixed.slot)
	if isEvent {
		return leaf, nil
	}
	c := borrow()
	defer c.release()
	if !isLeaf {
		var err error
		if leaf, err = r.tree.derive(c, r.leafIndex(c, of)); err != nil {
			return Key{}, err
		}
	}
	c.derive(mixed.pads, &leaf, eventInfo)
	r.cache.put(of, &leaf, mixed.slot, &c.sum)
	return c.sum, nil
}

// derive is HKDF: the salt as pads, input, info; the result is in sum.
func (c *compressor) derive(salt *pads, input *Key, info string) {
	c.buf = append(c.buf[:0], input[:]...)
	c.mac(salt)
	c.expand(info)
}

func (r *Ring) leafIndex(c *compressor, of schema.PersonaEpoch) uint64 {
	c.buf = appendPart(c.buf[:0], "leaf")
	c.buf = appendPart(c.buf, of.Persona[:])
	c.buf = binary.BigEndian.AppendUint32(c.buf, 4)
	c.buf = binary.BigEndian.AppendUint32(c.buf, of.Epoch)
	c.mac(r.prf.pads)
	return binary.BigEndian.Uint64(c.sum[:])
}

func (r *Ring) letterIndex(c *compressor, letter [16]byte) uint64 {
	c.buf = appendPart(c.buf[:0], "letter")
	c.buf = appendPart(c.buf, letter[:])
	c.mac(r.prf.pads)
	return binary.BigEndian.Uint64(c.sum[:])
}

// Day is a day in UTC, counted from 1970: until 2149.
type Day uint16

// dayIndex is where the leaf of a day is that letters share. The leaves of all days are neighbours, so that those of consecutive days
// vanish together with the nodes above them: however many days have been given up, what is left of them is one path.
func (r *Ring) dayIndex(c *compressor, day Day) uint64 {
	c.buf = appendPart(c.buf[:0], "letters of a day")
	c.mac(r.prf.pads)
	return binary.BigEndian.Uint64(c.sum[:])&^math.MaxUint16 | uint64(day)
}

// DayLetterKey derives the key of a dead letter that expires with others of its day, or ErrPunched.
func (r *Ring) DayLetterKey(day Day, letter [16]byte) (Key, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.destroyed {
		return Key{}, errDestroyed
	}
	c := borrow()
	defer c.release()
	leaf, err := r.tree.derive(c, r.dayIndex(c, day))
	if err != nil {
		return Key{}, err
	}
	c.derive(unsalted, &leaf, dayInfo+string(letter[:]))
	return c.sum, nil
}

// PunchDays gives up the leaves that the letters of the days from the first to the last share. It says whether that changed anything.
func (r *Ring) PunchDays(first, last Day) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := borrow()
	defer c.release()
	changed := false
	for day := int(first); day <= int(last); day++ {
		changed = r.tree.Punch(r.dayIndex(c, Day(day))) || changed
	}
	return r.changed(changed)
}

// LetterKey derives the key of a dead letter that has a leaf of its own, or ErrPunched.
func (r *Ring) LetterKey(letter [16]byte) (Key, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.destroyed {
		return Key{}, errDestroyed
	}
	c := borrow()
	defer c.release()
	leaf, err := r.tree.derive(c, r.letterIndex(c, letter))
	if err != nil {
		return Key{}, err
	}
	c.derive(unsalted, &leaf, letterInfo)
	return c.sum, nil
}

// fingerprintOf is a letter's id that no letter has.
var fingerprintOf = [16]byte{'t', 'h', 'e', ' ', 'r', 'i', 'n', 'g', ' ', 'i', 't', 's', 'e', 'l', 'f', 0}

// Fingerprint names the ring, now and after every punch, and tells nothing of its keys. Two rings that one master key wraps have
// different ones.
func (r *Ring) Fingerprint() (string, error) {
	key, err := r.LetterKey(fingerprintOf)
	if err != nil {
		return "", fmt.Errorf("name the key ring: %w", err)
	}
	digest := sha256.Sum256(append([]byte("dossier ring fingerprint v1"), key[:]...))
	return hex.EncodeToString(digest[:16]), nil
}

// Punch closes an epoch of a persona and gives up its leaf. It says whether that changed anything.
func (r *Ring) Punch(persona schema.PersonaID, epoch uint32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := borrow()
	defer c.release()
	of := schema.PersonaEpoch{Persona: persona, Epoch: epoch}
	changed := r.tree.Punch(r.leafIndex(c, of))
	r.cache.dropPersona(of)
	if highest, ok := r.closed[persona]; !ok || highest < epoch {
		r.closed[persona] = epoch
		changed = true
	}
	return r.changed(changed)
}

// PunchLetter gives up the leaf of a dead letter. It says whether that changed anything.
func (r *Ring) PunchLetter(letter [16]byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := borrow()
	defer c.release()
	return r.changed(r.tree.Punch(r.letterIndex(c, letter)))
}

// Expire deletes the secret of a class and year for ever, also one that was never made. It says whether that changed anything.
func (r *Ring) Expire(class string, year int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := secretName{class, year}
	if held := r.secrets[name]; held != nil {
		r.cache.dropSlot(held.slot)
		held.wipe()
		delete(r.secrets, name)
	}
	if _, ok := r.expired[name]; ok || !name.valid() {
		return false
	}
	r.expired[name] = struct{}{}
	return r.changed(true)
}

// Expired says whether the secret of a class and year has been deleted for ever.
func (r *Ring) Expired(class string, year int) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, expired := r.expired[secretName{class, year}]
	return expired
}

// Holds says whether the ring has secrets of a class, of any year.
func (r *Ring) Holds(class string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for name := range r.secrets {
		if name.class == class {
			return true
		}
	}
	for name := range r.expired {
		if name.class == class {
			return true
		}
	}
	return false
}

// Extend makes a secret for each year from the first to the last that class has none for; expired ones stay expired. It returns
// how many it made. If random fails, the ring is as it was.
func (r *Ring) Extend(class string, first, last int, random io.Reader) (int, error) {
	if !(secretName{class, first}).valid() || !(secretName{class, last}).valid() {
		return 0, fmt.Errorf("a retention class has 1 to %d bytes and years from %d to %d", longestClass, firstYear, lastYear)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	made := map[secretName]Key{}
	for year := first; year <= last; year++ {
		name := secretName{class, year}
		if _, expired := r.expired[name]; expired || r.secrets[name] != nil {
			continue
		}
		var key Key
		if _, err := io.ReadFull(random, key[:]); err != nil {
			return 0, fmt.Errorf("read a secret: %w", err)
		}
		made[name] = key
	}
	for name, key := range made {
		r.addSecret(name, key)
	}
	r.changed(len(made) > 0)
	return len(made), nil
}

// Adopt takes over the secrets of other, an extended copy of this ring, and its version. The keeper extends a copy, writes it
// down, and only then lets anyone seal under the new secrets.
func (r *Ring) Adopt(other *Ring) {
	other.mu.RLock()
	defer other.mu.RUnlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, held := range other.secrets {
		if _, expired := r.expired[name]; !expired && r.secrets[name] == nil {
			r.addSecret(name, held.key)
		}
	}
	r.version = max(r.version, other.version)
}

func (n secretName) valid() bool {
	return n.class != "" && len(n.class) <= longestClass && n.year >= firstYear && n.year <= lastYear
}

func (r *Ring) addSecret(name secretName, key Key) {
	r.slots++
	r.secrets[name] = &secret{key: key, pads: newPads(&key), slot: r.slots}
}

func (s *secret) wipe() {
	s.key = Key{}
	s.pads.wipe()
}

func (r *Ring) changed(did bool) bool {
	if did {
		r.version++
	}
	return did
}

// Destroy overwrites every key that the ring holds. Afterwards it gives no key and no serialised form, and panics when it or its
// PRF is asked for anything that has no error to return: to go on without keys would be worse.
func (r *Ring) Destroy() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.destroyed {
		return
	}
	r.destroyed = true
	r.tree.Destroy()
	r.cache.destroy()
	for _, held := range r.secrets {
		held.wipe()
	}
	clear(r.secrets)
	r.pseudonym = Key{}
	r.prf.pads.wipe()
}

// Follow makes r what newer is, a later version of the same ring: what was punched or expired there is given up here. The process that
// received newer lets everything go on with r. newer is destroyed. An older version, or another workspace's ring, is refused.
func (r *Ring) Follow(newer *Ring) error {
	newer.mu.Lock()
	defer newer.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.destroyed || newer.destroyed:
		return errDestroyed
	case newer.workspace != r.workspace || newer.pseudonym != r.pseudonym:
		return fmt.Errorf("the ring of workspace %q cannot follow another ring", r.workspace)
	case newer.version < r.version:
		return fmt.Errorf("the ring of workspace %q has version %d and cannot follow version %d", r.workspace, r.version, newer.version)
	}
	r.cache.destroy() // what it holds may be punched now
	r.tree.Destroy()
	r.tree = newer.tree
	for _, held := range r.secrets {
		held.wipe()
	}
	clear(r.secrets)
	for name, held := range newer.secrets {
		r.addSecret(name, held.key)
		held.wipe()
	}
	clear(newer.secrets)
	r.expired, r.closed, r.version = newer.expired, newer.closed, newer.version
	newer.destroyed, newer.tree, newer.pseudonym = true, NewTree(Key{}), Key{}
	newer.prf.pads.wipe()
	newer.cache.destroy()
	return nil
}
