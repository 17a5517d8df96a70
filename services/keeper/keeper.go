package keeper

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
)

const (
	// StandardClass is the retention class that every workspace has from the start.
	StandardClass = "standard"

	firstYear  = 1900 // of the secrets made in advance: the timeline holds no earlier events
	yearsAhead = 2    // after the current one
)

// Keeper holds the rings of all workspaces and writes them down. It is safe for use by many goroutines. One process at a time has
// a data folder's keeper.
type Keeper struct {
	mu    sync.Mutex
	store store
	rings map[string]*seal.Ring
	ahead bool // memory has given up keys that the files may still have
	now   time.Time
	lock  *os.File
}

// Open takes the keeper's place in a data folder, ends a write that was interrupted, and makes the secrets for the years up to two
// after now. Random must be good for keys. A wrong master key gives ErrWrongMaster; then, as with any error, nothing is damaged.
func Open(dir string, master [32]byte, now time.Time, random io.Reader) (*Keeper, error) {
	return open(dir, master, now, random, diskFiles{})
}

func open(dir string, master [32]byte, now time.Time, random io.Reader, fsys files) (*Keeper, error) {
	ring, ringKey := slot{filepath.Join(dir, "keys"), "ring"}, slot{filepath.Join(dir, "keeper"), "ring.key"}
	for _, s := range []slot{ring, ringKey} {
		if err := os.MkdirAll(s.dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the folder of the keys: %w", err)
		}
	}
	for _, made := range []string{dir, filepath.Dir(filepath.Clean(dir))} {
		if err := fsys.SyncDir(made); err != nil {
			return nil, fmt.Errorf("sync %s: %w", made, err)
		}
	}
	lock, err := lockFolder(ringKey.dir)
	if err != nil {
		return nil, err
	}
	k := &Keeper{
		store: store{files: fsys, ring: ring, ringKey: ringKey, masters: []seal.Key{master}, random: random},
		now:   now,
		lock:  lock,
	}
	if k.rings, err = k.store.settle(); err == nil {
		err = k.Advance(now)
	}
	if err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return k, nil
}

// Close overwrites the keys in memory and gives up the folder. Rings that were handed out give no keys afterwards.
func (k *Keeper) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	(&pair{rings: k.rings}).destroy()
	k.rings = nil
	clear(k.store.masters)
	if k.lock == nil {
		return nil
	}
	lock := k.lock
	k.lock = nil
	if err := lock.Close(); err != nil {
		return fmt.Errorf("give up the folder of the keys: %w", err)
	}
	return nil
}

var errClosed = errors.New("the keeper is closed")

// Ring gives the ring of a workspace, and makes it durably at its first use. All callers share one ring, which changes as the
// keeper changes it; only the keeper may change it.
func (k *Keeper) Ring(workspace string) (*seal.Ring, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rings == nil {
		return nil, errClosed
	}
	if ring := k.rings[workspace]; ring != nil {
		return ring, nil
	}
	if workspace == "" {
		return nil, errors.New("a workspace has a name")
	}
	ring, err := seal.NewRing(workspace, k.store.masters[0], []string{StandardClass}, firstYear, k.now.UTC().Year()+yearsAhead, k.store.random)
	if err != nil {
		return nil, fmt.Errorf("make the key ring of workspace %q: %w", workspace, err)
	}
	next := maps.Clone(k.rings)
	next[workspace] = ring
	if err := k.write(next); err != nil {
		ring.Destroy() // nobody has sealed under it
		return nil, err
	}
	k.rings = next
	return ring, nil
}

// write makes rings durable.
func (k *Keeper) write(rings map[string]*seal.Ring) error {
	if err := k.store.write(rings); err != nil {
		return schema.Classify(schema.Transient, fmt.Errorf("keep the key rings: %w", err))
	}
	k.ahead = false
	return nil
}

// Version is the version of a workspace's ring, 0 if it has none. A role with a lower one than the control topic names must not
// start.
func (k *Keeper) Version(workspace string) uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if ring := k.rings[workspace]; ring != nil {
		return ring.Version()
	}
	return 0
}

// Workspaces are those that have a ring, sorted.
func (k *Keeper) Workspaces() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Sorted(maps.Keys(k.rings))
}

// Punch closes epochs of personas. When it returns nil the new ring is durable without their keys, and the old one's bytes are
// overwritten. It may be repeated, and after an error it must be: in memory the keys are gone, in the files perhaps not. All
// epochs of one call cost one write, so an erasure is one call.
func (k *Keeper) Punch(workspace string, epochs []schema.PersonaEpoch) error {
	return k.takeAway(workspace, func(ring *seal.Ring) (changed bool) {
		for _, of := range epochs {
			changed = ring.Punch(of.Persona, of.Epoch) || changed
		}
		return changed
	})
}

// PunchLetters gives up the keys of dead letters, as Punch does.
func (k *Keeper) PunchLetters(workspace string, letters [][16]byte) error {
	return k.takeAway(workspace, func(ring *seal.Ring) (changed bool) {
		for _, letter := range letters {
			changed = ring.PunchLetter(letter) || changed
		}
		return changed
	})
}

// PunchDays gives up the keys of the dead letters that expire with the days from the first to the last, as Punch does.
func (k *Keeper) PunchDays(workspace string, first, last seal.Day) error {
	return k.takeAway(workspace, func(ring *seal.Ring) bool { return ring.PunchDays(first, last) })
}

// Expire deletes the secrets of retention classes and years, as Punch does.
func (k *Keeper) Expire(workspace string, years []schema.ExpiredYear) error {
	return k.takeAway(workspace, func(ring *seal.Ring) (changed bool) {
		for _, of := range years {
			changed = ring.Expire(of.Class, of.Year) || changed
		}
		return changed
	})
}

func (k *Keeper) takeAway(workspace string, change func(*seal.Ring) bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	ring, err := k.existing(workspace)
	if err != nil {
		return err
	}
	if change(ring) {
		k.ahead = true
	}
	if !k.ahead {
		return nil
	}
	return k.write(k.rings)
}

func (k *Keeper) existing(workspace string) (*seal.Ring, error) {
	if k.rings == nil {
		return nil, errClosed
	}
	if ring := k.rings[workspace]; ring != nil {
		return ring, nil
	}
	return nil, fmt.Errorf("workspace %q has no key ring", workspace)
}

// Extend makes the secrets that a retention class lacks for the years from the first to the last: a class that configuration has
// named, or events older than 1990. They can be sealed under once it has returned nil.
func (k *Keeper) Extend(workspace, class string, first, last int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, err := k.existing(workspace); err != nil {
		return err
	}
	return k.extend([]string{workspace}, func(*seal.Ring) []string { return []string{class} }, first, last)
}

// Raise keeps a ring under a version at least as high, once all that was given up under it has been given up in the ring.
func (k *Keeper) Raise(workspace string, version uint64) error {
	return k.takeAway(workspace, func(ring *seal.Ring) bool { return ring.Raise(version) })
}

// RotateRingKey keeps the rings under another ring key from now on, as every write does: whoever has the former one reads nothing any more.
func (k *Keeper) RotateRingKey() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rings == nil {
		return errClosed
	}
	return k.write(k.rings)
}

// Add makes the secrets of a retention class for all years that a workspace has from the start, as Extend does.
func (k *Keeper) Add(workspace, class string) error {
	k.mu.Lock()
	last := k.now.UTC().Year() + yearsAhead
	k.mu.Unlock()
	return k.Extend(workspace, class, firstYear, last)
}

// Advance tells the keeper the time: every class of every workspace gets secrets up to two years after it. Open does this; a
// process that runs on does it at least once a year.
func (k *Keeper) Advance(now time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now = now
	last := now.UTC().Year() + yearsAhead
	return k.extend(slices.Sorted(maps.Keys(k.rings)), (*seal.Ring).Classes, min(firstYear, last), last)
}

// extend works on copies, which become the rings only when they are durable.
func (k *Keeper) extend(workspaces []string, classes func(*seal.Ring) []string, first, last int) error {
	next, larger := maps.Clone(k.rings), map[string]*seal.Ring{}
	defer func() { (&pair{rings: larger}).destroy() }()
	for _, workspace := range workspaces {
		copied, err := k.rings[workspace].Clone()
		if err != nil {
			return fmt.Errorf("copy the key ring of workspace %q: %w", workspace, err)
		}
		made := 0
		for _, class := range classes(copied) {
			n, err := copied.Extend(class, first, last, k.store.random)
			if err != nil {
				copied.Destroy()
				return fmt.Errorf("extend the key ring of workspace %q: %w", workspace, err)
			}
			made += n
		}
		if made == 0 {
			copied.Destroy()
			continue
		}
		next[workspace], larger[workspace] = copied, copied
	}
	if len(larger) == 0 {
		return nil
	}
	if err := k.write(next); err != nil {
		return err
	}
	for workspace, ring := range larger {
		k.rings[workspace].Adopt(ring)
	}
	return nil
}

// RotateMaster keeps the rings under another master key from now on. No id and no event key changes. After an error either of the
// two may be in force: keep both, and repeat.
func (k *Keeper) RotateMaster(master [32]byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rings == nil {
		return errClosed
	}
	if k.store.masters[0] != master {
		k.store.masters = slices.Insert(k.store.masters, 0, master)
	}
	if err := k.write(k.rings); err != nil {
		return err
	}
	clear(k.store.masters[1:])
	k.store.masters = k.store.masters[:1]
	return nil
}
