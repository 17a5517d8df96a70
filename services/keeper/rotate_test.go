package keeper

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func noEnvironment(string) string { return "" }

// withMaster is a prepared folder whose master key lies in it.
func withMaster(t *testing.T) (dir string, bobs [32]byte) {
	t.Helper()
	dir, key := prepared(t)
	if err := os.WriteFile(filepath.Join(dir, "keys", "master"), []byte(hex.EncodeToString(masterA[:])+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, key
}

// A rotation that fails, or is cut, at any step, or took effect all the same, is ended by the same call: no key of an event changes, the folder opens under the
// key that is in it, the former one opens nothing, and no byte of it is left.
func TestRotateMasterFaults(t *testing.T) {
	count := &faultyFiles{step: never}
	dir, _ := withMaster(t)
	if err := rotateMasterOf(dir, nil, noEnvironment, year2026, rand.Reader, count); err != nil {
		t.Fatal(err)
	}
	for name, kind := range faults {
		for _, dies := range []bool{false, true} {
			for step := 1; step <= len(count.steps); step++ {
				dir, bobs := withMaster(t)
				err := rotateMasterOf(dir, nil, noEnvironment, year2026, rand.Reader, &faultyFiles{step: step, fault: kind, dies: dies})
				if !errors.Is(err, errFault) {
					t.Fatalf("%s at step %d (%s): %v", name, step, count.steps[step-1], err)
				}
				if err := rotateMasterOf(dir, nil, noEnvironment, year2026, rand.Reader, quickFiles{}); err != nil {
					t.Fatalf("%s at step %d (%s), repeated: %v", name, step, count.steps[step-1], err)
				}
				master, created, err := LoadMasterKey(dir, noEnvironment)
				if err != nil || created || master == masterA {
					t.Fatalf("%s at step %d: the key is the former one, or none: %v", name, step, err)
				}
				k := mustOpen(t, dir, master, quickFiles{})
				if mustKey(t, mustRing(t, k, "main"), bob, standard(0, 2026)) != bobs {
					t.Errorf("%s at step %d: a key changed", name, step)
				}
				mustClose(t, k)
				if _, err := Open(dir, masterA, year2026, rand.Reader); !errors.Is(err, ErrWrongMaster) {
					t.Errorf("%s at step %d: under the former key: %v", name, step, err)
				}
				for _, content := range folderContent(t, dir) {
					if bytes.Contains([]byte(content), []byte(hex.EncodeToString(masterA[:]))) {
						t.Errorf("%s at step %d: the former key is left", name, step)
					}
				}
			}
		}
	}
}

// A key from the environment is replaced by one that is given; the same call again changes nothing but the ring key.
func TestRotateMasterOutside(t *testing.T) {
	dir, bobs := prepared(t)
	environment := func(name string) string {
		if name == masterVariable {
			return hex.EncodeToString(masterA[:])
		}
		return ""
	}
	next := masterB
	if err := RotateMasterOf(dir, nil, environment, year2026, rand.Reader); err == nil {
		t.Error("without a new key it went on")
	}
	if err := RotateMasterOf(dir, &next, noEnvironment, year2026, rand.Reader); err == nil {
		t.Error("a key was taken though the present one is not from outside")
	}
	for range 2 {
		if err := RotateMasterOf(dir, &next, environment, year2026, rand.Reader); err != nil {
			t.Fatal(err)
		}
		k := mustOpen(t, dir, masterB, quickFiles{})
		if mustKey(t, mustRing(t, k, "main"), bob, standard(0, 2026)) != bobs {
			t.Error("a key changed")
		}
		mustClose(t, k)
	}
	before, err := os.ReadFile(filepath.Join(dir, "keeper", "ring.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := RotateRingKeyOf(dir, masterB, year2026, rand.Reader); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(filepath.Join(dir, "keeper", "ring.key"))
	if err != nil || bytes.Equal(before, after) {
		t.Errorf("the ring key is the former one: %v", err)
	}
	if err := RotateRingKeyOf(t.TempDir(), masterB, year2026, rand.Reader); !errors.Is(err, ErrNoRings) {
		t.Errorf("a folder without rings: %v", err)
	}
	mustClose(t, mustOpen(t, dir, masterB, quickFiles{}))
}
