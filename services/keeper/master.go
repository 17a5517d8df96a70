package keeper

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	masterVariable     = "DOSSIER_MASTER_KEY"
	masterFileVariable = "DOSSIER_MASTER_KEY_FILE"
)

// LoadMasterKey finds the master key of a data folder: in DOSSIER_MASTER_KEY, in the file that DOSSIER_MASTER_KEY_FILE names, or in
// DIR/keys/master, which it makes at a first start (created). It never makes one for a folder that already has rings: those
// are under another. A key is 64 hexadecimal digits; white space around them does no harm.
func LoadMasterKey(dir string, getenv func(string) string) (master [32]byte, created bool, err error) {
	given, file := getenv(masterVariable), getenv(masterFileVariable)
	if given != "" && file != "" {
		return master, false, fmt.Errorf("%s and %s are both set: keep one", masterVariable, masterFileVariable)
	}
	if given != "" {
		master, err = parseMaster([]byte(given), masterVariable)
		return master, false, err
	}
	if file != "" {
		master, err = readMaster(file)
		if err != nil {
			err = fmt.Errorf("%s: %w", masterFileVariable, err)
		}
		return master, false, err
	}
	path := filepath.Join(dir, "keys", "master")
	master, err = readMaster(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return master, false, err
	}
	return createMaster(dir, path)
}

func readMaster(path string) ([32]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return [32]byte{}, fmt.Errorf("read the master key: %w", err)
	}
	defer clear(content)
	return parseMaster(content, path)
}

func parseMaster(text []byte, place string) (master [32]byte, err error) {
	text = bytes.TrimSpace(text)
	if n := len(text); n != hex.EncodedLen(len(master)) {
		return master, fmt.Errorf("the master key in %s has %d characters: want 64 hexadecimal digits", place, n)
	}
	if _, err := hex.Decode(master[:], text); err != nil {
		return [32]byte{}, fmt.Errorf("the master key in %s is not hexadecimal: want 64 hexadecimal digits", place)
	}
	return master, nil
}

// createMaster makes the key under the keeper's lock, so that two first starts agree on one.
func createMaster(dir, path string) (master [32]byte, created bool, err error) {
	for _, folder := range []string{"keys", "keeper"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			return master, false, fmt.Errorf("make the folder of the keys: %w", err)
		}
	}
	lock, err := lockFolder(filepath.Join(dir, "keeper"))
	if err != nil {
		return master, false, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if master, err = readMaster(path); !errors.Is(err, fs.ErrNotExist) {
		return master, false, err
	}
	for _, kept := range []string{filepath.Join(dir, "keys", "ring"), filepath.Join(dir, "keeper", "ring.key")} {
		if _, err := os.Stat(kept); !errors.Is(err, fs.ErrNotExist) {
			return master, false, errors.Join(fmt.Errorf("%s is there, but not the master key that it is under: give it by %s or %s", kept, masterVariable, masterFileVariable), err)
		}
	}
	if _, err := rand.Read(master[:]); err != nil {
		return master, false, fmt.Errorf("make a master key: %w", err)
	}
	// A start that was interrupted may have left this one; nothing is under it.
	if err := os.Remove(path + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return [32]byte{}, false, fmt.Errorf("make a master key: %w", err)
	}
	fsys := diskFiles{}
	if err := fsys.Create(path+".new", []byte(hex.EncodeToString(master[:])+"\n")); err != nil {
		return [32]byte{}, false, fmt.Errorf("write the master key: %w", err)
	}
	if err := errors.Join(fsys.Rename(path+".new", path), fsys.SyncDir(filepath.Dir(path))); err != nil {
		return [32]byte{}, false, fmt.Errorf("write the master key: %w", err)
	}
	return master, true, nil
}
