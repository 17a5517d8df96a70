package keeper

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/dossier-cdp/dossier/schema/seal"
)

// ErrNoRings says that a data folder holds no key ring.
var ErrNoRings = errors.New("there is no key ring in this data folder: name the folder that 'dossier up' writes")

// Read gives the rings of a data folder by workspace as they are now. It takes no lock and changes nothing, so it may be called while a
// keeper runs: for tools that open events once. What is erased later, these rings can still open: destroy them soon. A wrong master key
// gives ErrWrongMaster.
func Read(dir string, master [32]byte) (map[string]*seal.Ring, error) {
	s := store{
		files: diskFiles{}, ring: slot{filepath.Join(dir, "keys"), "ring"}, ringKey: slot{filepath.Join(dir, "keeper"), "ring.key"},
		masters: []seal.Key{master},
	}
	// A keeper may replace both files between the two reads: then they do not fit together, and the next reads do.
	const attempts = 5
	var failure error
	for range attempts {
		keys, err := s.ringKey.read(s.files)
		if err != nil {
			return nil, fmt.Errorf("read the key ring: %w", err)
		}
		rings, err := s.ring.read(s.files)
		if err != nil {
			return nil, fmt.Errorf("read the key ring: %w", err)
		}
		found, err := s.choose(keys, rings)
		switch {
		case err == nil && found == nil:
			return nil, ErrNoRings
		case err == nil:
			return found.rings, nil
		case errors.Is(err, ErrWrongMaster):
			return nil, err
		}
		failure = err
	}
	return nil, failure
}
