package keeper

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"
)

// RotateMasterOf gives the rings of a data folder that no process keeps another master key. given is the new one; nil makes one in the place of
// DIR/keys/master, which must be where the present one is. Whatever stops it, the same call ends it; meanwhile the folder opens under one of the two keys.
//
// The order: the new key is durable beside the old one, the rings are kept under it, it takes the old one's place, and the old one's bytes are overwritten.
func RotateMasterOf(dir string, given *[32]byte, getenv func(string) string, now time.Time, random io.Reader) error {
	return rotateMasterOf(dir, given, getenv, now, random, diskFiles{})
}

func rotateMasterOf(dir string, given *[32]byte, getenv func(string) string, now time.Time, random io.Reader, fsys files) (err error) {
	at := slot{filepath.Join(dir, "keys"), "master"}
	outside := getenv(masterVariable) != "" || getenv(masterFileVariable) != ""
	if outside != (given != nil) {
		if outside {
			return fmt.Errorf("the master key comes from %s or %s: make a new one, and give it, too", masterVariable, masterFileVariable)
		}
		return fmt.Errorf("the master key is in %s, where the new one is made: give none", at.path(inPlace))
	}
	var keys [][32]byte // by which the rings may be kept, the new one first
	if outside {
		old, _, err := LoadMasterKey(dir, getenv)
		if err != nil {
			return err
		}
		keys = [][32]byte{*given, old}
	} else if keys, err = nextMaster(at, fsys); err != nil {
		return err
	}
	defer clear(keys)
	if err := rotate(dir, keys, now, random, fsys); err != nil {
		return err
	}
	if outside {
		return nil
	}
	found, err := at.read(fsys)
	if err != nil {
		return err
	}
	held := names(found)
	for _, content := range found {
		clear(content)
	}
	if held[coming] {
		if err := at.install(fsys, coming, held); err != nil {
			return err
		}
	}
	return at.clear(fsys, held)
}

// nextMaster finds the keys in the folder, and makes the new one unless a rotation that was cut has.
func nextMaster(at slot, fsys files) (keys [][32]byte, err error) {
	found, err := at.read(fsys)
	if err != nil {
		return nil, err
	}
	for _, name := range []suffix{coming, inPlace, leaving} {
		content, there := found[name]
		if !there {
			continue
		}
		key, err := parseMaster(content, at.path(name))
		clear(content)
		if err == nil {
			keys = append(keys, key)
			continue
		}
		if name == inPlace && len(keys) == 0 { // beside one that was cut while it was written or overwritten there is a whole one
			return nil, err
		}
		if name == coming {
			if err := fsys.Remove(at.path(name)); err != nil {
				return nil, fmt.Errorf("remove a master key that was never in use: %w", err)
			}
			delete(found, name)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s is not there: %w", at.path(inPlace), fs.ErrNotExist)
	}
	_, made := found[coming]
	_, old := found[leaving]
	if made || old { // a rotation that was cut; with an old one the key in place is the new one, or the new one is still coming
		return keys, nil
	}
	var next [32]byte
	if _, err := rand.Read(next[:]); err != nil {
		return nil, fmt.Errorf("make a master key: %w", err)
	}
	if err := at.create(fsys, []byte(hex.EncodeToString(next[:])+"\n")); err != nil {
		return nil, err
	}
	return append([][32]byte{next}, keys...), nil
}

// rotate keeps the rings under the first of the keys.
func rotate(dir string, keys [][32]byte, now time.Time, random io.Reader, fsys files) (err error) {
	for _, key := range keys {
		k, opened := open(dir, key, now, random, fsys)
		if errors.Is(opened, ErrWrongMaster) {
			err = opened
			continue
		}
		if opened != nil {
			return opened
		}
		if len(k.Workspaces()) == 0 {
			return errors.Join(ErrNoRings, k.Close())
		}
		return errors.Join(k.RotateMaster(keys[0]), k.Close())
	}
	return err
}

// RotateRingKeyOf gives the rings of a data folder that no process keeps another ring key.
func RotateRingKeyOf(dir string, master [32]byte, now time.Time, random io.Reader) error {
	k, err := Open(dir, master, now, random)
	if err != nil {
		return err
	}
	if len(k.Workspaces()) == 0 {
		return errors.Join(ErrNoRings, k.Close())
	}
	return errors.Join(k.RotateRingKey(), k.Close())
}
