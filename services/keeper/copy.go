package keeper

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dossier-cdp/dossier/schema/seal"
)

// A copy of the rings, for a safe place outside: "dossier ring copy\x01", then a ring key file and a ring file of the forms in
// store.go, under a ring key of their own. It can be opened with the master key of its moment and nothing else. It holds the keys
// of everybody who was not erased then, so an erasure is done only when each copy has been replaced or destroyed: whoever hands one
// out registers it.
const copyMagic = "dossier ring copy\x01"

// Copy writes the rings as they are now, with the version of each workspace's.
func (k *Keeper) Copy() (content []byte, versions map[string]uint64, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rings == nil {
		return nil, nil, errClosed
	}
	versions = map[string]uint64{}
	for workspace, ring := range k.rings {
		versions[workspace] = ring.Version()
	}
	var copyKey seal.Key
	if _, err := io.ReadFull(k.store.random, copyKey[:]); err != nil {
		return nil, nil, fmt.Errorf("read a ring key: %w", err)
	}
	defer func() { copyKey = seal.Key{} }()
	keyFile, err := sealRingKey(copyKey, k.store.masters[0], k.store.random)
	if err != nil {
		return nil, nil, err
	}
	ringFile, err := sealRings(k.rings, k.store.attempts, copyKey, k.store.random)
	if err != nil {
		return nil, nil, err
	}
	return append(append([]byte(copyMagic), keyFile...), ringFile...), versions, nil
}

// ErrHasRings says that a data folder has key rings already, which a restored copy must not replace.
var ErrHasRings = errors.New("this data folder has key rings already: restore into another one")

// Restore puts the rings of a copy into a data folder that has none. A master key that is not the one of the copy is ErrWrongMaster.
func Restore(dir string, master [32]byte, copied []byte, now time.Time, random io.Reader) error {
	return restore(dir, master, copied, now, random, diskFiles{})
}

func restore(dir string, master [32]byte, copied []byte, now time.Time, random io.Reader, fsys files) (err error) {
	if len(copied) < len(copyMagic)+keyLength || string(copied[:len(copyMagic)]) != copyMagic {
		return errors.New("it is not a copy of key rings as 'dossier ring copy' writes them")
	}
	reader := store{masters: []seal.Key{master}}
	copyKey, ours, err := reader.openRingKey(copied[len(copyMagic) : len(copyMagic)+keyLength])
	if err != nil && (ours || !errors.Is(err, ErrWrongMaster)) {
		return fmt.Errorf("the copy of the key rings is damaged: %w", err)
	}
	if err != nil {
		return errors.New("the copy of the key rings was made under another master key: give that one by DOSSIER_MASTER_KEY or DOSSIER_MASTER_KEY_FILE")
	}
	defer func() { copyKey = seal.Key{} }()
	found, err := openRings(copied[len(copyMagic)+keyLength:], copyKey)
	if err != nil {
		return fmt.Errorf("the copy of the key rings is damaged: %w", err)
	}
	defer found.destroy()
	k, err := open(dir, master, now, random, fsys)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	if len(k.rings) > 0 {
		return ErrHasRings
	}
	return k.store.write(found.rings)
}
