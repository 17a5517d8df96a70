package keeper

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
)

var errFault = errors.New("fault")

type fault int

const (
	failed  fault = iota // nothing was done
	applied              // it was done, and reported as failed
	torn                 // half of it was done: files only
)

var faults = map[string]fault{"failed": failed, "failed but applied": applied, "torn": torn}

// quickFiles do without syncing, which no test here can see the loss of.
type quickFiles struct{ diskFiles }

func (quickFiles) Create(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

func (quickFiles) Overwrite(path string) error {
	stat, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, make([]byte, stat.Size()), 0o600)
}

func (quickFiles) SyncDir(string) error { return nil }

// faultyFiles fails at one step, and from there on at all of them if the process is to die there.
type faultyFiles struct {
	quickFiles
	step  int // counted down; the fault is at 0
	fault fault
	dies  bool
	steps []string
}

func (f *faultyFiles) do(what string, real, half func() error) error {
	f.steps = append(f.steps, what)
	f.step--
	switch {
	case f.step > 0 || f.step < 0 && !f.dies:
		return real()
	case f.step < 0 || f.fault == failed:
		return errFault
	case f.fault == applied:
		return errors.Join(errFault, real())
	}
	return errors.Join(errFault, half())
}

func nothing() error { return nil }

func (f *faultyFiles) Create(path string, content []byte) error {
	return f.do("create "+filepath.Base(path), func() error { return f.quickFiles.Create(path, content) }, func() error { return f.quickFiles.Create(path, content[:len(content)/2]) })
}

func (f *faultyFiles) Rename(from, to string) error {
	return f.do("rename "+filepath.Base(from)+" "+filepath.Base(to), func() error { return f.quickFiles.Rename(from, to) }, nothing)
}

func (f *faultyFiles) Overwrite(path string) error {
	return f.do("overwrite "+filepath.Base(path), func() error { return f.quickFiles.Overwrite(path) }, func() error {
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		clear(content[:len(content)/2])
		return os.WriteFile(path, content, 0o600)
	})
}

func (f *faultyFiles) Remove(path string) error {
	return f.do("remove "+filepath.Base(path), func() error { return f.quickFiles.Remove(path) }, nothing)
}

func (f *faultyFiles) SyncDir(dir string) error {
	return f.do("sync "+filepath.Base(dir), func() error { return f.quickFiles.SyncDir(dir) }, nothing)
}

// never is a step that no test reaches.
const never = 1 << 30

// A write is each of the keeper's ways to write. It begins with workspace main, ann and bob in it.
var writes = map[string]struct {
	do func(*Keeper) error
	// holds says whether a ring of main is as before the write or as after it.
	old, new func(*Keeper) error
}{
	"punch": {
		do:  func(k *Keeper) error { return k.Punch("main", []schema.PersonaEpoch{{Persona: ann}}) },
		old: func(k *Keeper) error { return answers(k, "main", ann, standard(0, 2026), nil) },
		new: func(k *Keeper) error { return answers(k, "main", ann, standard(0, 2026), seal.ErrPunched) },
	},
	"expire": {
		do: func(k *Keeper) error {
			return k.Expire("main", []schema.ExpiredYear{{Class: StandardClass, Year: 2000}})
		},
		old: func(k *Keeper) error { return answers(k, "main", ann, standard(0, 2000), nil) },
		new: func(k *Keeper) error { return answers(k, "main", ann, standard(0, 2000), seal.ErrExpired) },
	},
	"extend": {
		do: func(k *Keeper) error { return k.Extend("main", "short", 2026, 2026) },
		old: func(k *Keeper) error {
			return answers(k, "main", ann, schema.KeyID{Class: "short", Year: 2026}, seal.ErrNoSecret)
		},
		new: func(k *Keeper) error { return answers(k, "main", ann, schema.KeyID{Class: "short", Year: 2026}, nil) },
	},
	"new workspace": {
		do: func(k *Keeper) error {
			_, err := k.Ring("second")
			return err
		},
		old: func(k *Keeper) error { return hasRing(k, "second", false) },
		new: func(k *Keeper) error { return hasRing(k, "second", true) },
	},
}

func answers(k *Keeper, workspace string, persona schema.PersonaID, id schema.KeyID, want error) error {
	if _, err := k.rings[workspace].EventKey(persona, id); !errors.Is(err, want) {
		return fmt.Errorf("%v, want %v", err, want)
	}
	return nil
}

func hasRing(k *Keeper, workspace string, want bool) error {
	if got := k.Version(workspace) > 0; got != want {
		return fmt.Errorf("a ring: %v, want %v", got, want)
	}
	return nil
}

// prepared is a folder with workspace main; bobs is a key that no write may change.
func prepared(t *testing.T) (dir string, bobs seal.Key) {
	t.Helper()
	dir = t.TempDir()
	k := mustOpen(t, dir, masterA, quickFiles{})
	bobs = mustKey(t, mustRing(t, k, "main"), bob, standard(0, 2026))
	mustClose(t, k)
	return dir, bobs
}

func stepsOf(t *testing.T, do func(*Keeper) error) int {
	t.Helper()
	dir, _ := prepared(t)
	fsys := &faultyFiles{step: never}
	k := mustOpen(t, dir, masterA, fsys)
	before := len(fsys.steps)
	if err := do(k); err != nil {
		t.Fatal(err)
	}
	return len(fsys.steps) - before
}

// Killed at any step of a write, the keeper opens again with the rings from before or from after it; and once more with those
// found then, whatever happened while it settled.
func TestKilledWhileWriting(t *testing.T) {
	for name, write := range writes {
		steps := stepsOf(t, write.do)
		if steps < 12 {
			t.Fatalf("%s takes %d steps only", name, steps)
		}
		for faultName, fault := range faults {
			for step := 1; step <= steps; step++ {
				t.Run(fmt.Sprintf("%s/%s/%d", name, faultName, step), func(t *testing.T) {
					dir, bobs := prepared(t)
					fsys := &faultyFiles{step: never}
					k := mustOpen(t, dir, masterA, fsys)
					fsys.step, fsys.fault, fsys.dies = step, fault, true
					if err := write.do(k); !errors.Is(err, errFault) || schema.ClassOf(err) != schema.Transient {
						t.Fatalf("the write: %v", err)
					}
					mustClose(t, k)
					k = mustOpen(t, dir, masterA, quickFiles{})
					isOld, isNew := write.old(k), write.new(k)
					decided := slices.Contains(fsys.steps, "rename ring.key ring.key.old")
					if isNew != nil && (isOld != nil || decided) {
						t.Errorf("the write was decided: %v; not the new rings (%v), old ones: %v", decided, isNew, isOld)
					}
					if mustKey(t, mustRing(t, k, "main"), bob, standard(0, 2026)) != bobs {
						t.Error("another key changed")
					}
					tidy(t, dir)
					if err := write.do(k); err != nil {
						t.Fatalf("the write repeated: %v", err)
					}
					mustClose(t, k)
					k = mustOpen(t, dir, masterA, quickFiles{})
					if err := write.new(k); err != nil {
						t.Errorf("after the write was repeated: %v", err)
					}
				})
			}
		}
	}
}

// A fault that the process survives: the write reports it, and repeated by the same keeper it is done.
func TestFaultWhileWriting(t *testing.T) {
	for name, write := range writes {
		steps := stepsOf(t, write.do)
		for faultName, fault := range faults {
			for step := 1; step <= steps; step++ {
				t.Run(fmt.Sprintf("%s/%s/%d", name, faultName, step), func(t *testing.T) {
					dir, bobs := prepared(t)
					fsys := &faultyFiles{step: never}
					k := mustOpen(t, dir, masterA, fsys)
					fsys.step, fsys.fault = step, fault
					if err := write.do(k); !errors.Is(err, errFault) {
						t.Fatalf("the write: %v", err)
					}
					if err := write.do(k); err != nil {
						t.Fatalf("the write repeated: %v", err)
					}
					if err := write.new(k); err != nil {
						t.Errorf("in memory: %v", err)
					}
					tidy(t, dir)
					mustClose(t, k)
					k = mustOpen(t, dir, masterA, quickFiles{})
					if err := write.new(k); err != nil {
						t.Errorf("opened again: %v", err)
					}
					if mustKey(t, mustRing(t, k, "main"), bob, standard(0, 2026)) != bobs {
						t.Error("another key changed")
					}
				})
			}
		}
	}
}

// Killed at any step of the first write, and at any step of settling after any kill, it still opens.
func TestKilledTwice(t *testing.T) {
	punch := writes["punch"]
	steps := stepsOf(t, punch.do)
	for step := 1; step <= steps; step++ {
		for again := 1; ; again++ {
			dir, bobs := prepared(t)
			fsys := &faultyFiles{step: never}
			k := mustOpen(t, dir, masterA, fsys)
			fsys.step, fsys.dies = step, true
			if err := punch.do(k); !errors.Is(err, errFault) {
				t.Fatal(err)
			}
			mustClose(t, k)
			second := &faultyFiles{step: again, fault: torn, dies: true}
			k, err := open(dir, masterA, year2026, rand.Reader, second)
			if err == nil {
				mustClose(t, k)
				break // settling has fewer steps
			}
			if !errors.Is(err, errFault) {
				t.Fatalf("killed at %d, then at %d: %v", step, again, err)
			}
			k = mustOpen(t, dir, masterA, quickFiles{})
			if isOld, isNew := punch.old(k), punch.new(k); isOld != nil && isNew != nil {
				t.Errorf("killed at %d, then at %d: neither old (%v) nor new (%v)", step, again, isOld, isNew)
			}
			if mustKey(t, mustRing(t, k, "main"), bob, standard(0, 2026)) != bobs {
				t.Error("another key changed")
			}
			tidy(t, dir)
			mustClose(t, k)
		}
	}
}

func TestKilledAtFirstWrite(t *testing.T) {
	for faultName, fault := range faults {
		for step := 1; ; step++ {
			dir := t.TempDir()
			fsys := &faultyFiles{step: never}
			k := mustOpen(t, dir, masterA, fsys)
			fsys.step, fsys.fault, fsys.dies = step, fault, true
			if _, err := k.Ring("main"); err == nil {
				break // the write has fewer steps
			} else if !errors.Is(err, errFault) {
				t.Fatal(err)
			}
			mustClose(t, k)
			k = mustOpen(t, dir, masterA, quickFiles{})
			key := mustKey(t, mustRing(t, k, "main"), ann, standard(0, 2026))
			mustClose(t, k)
			k = mustOpen(t, dir, masterA, quickFiles{})
			if mustKey(t, mustRing(t, k, "main"), ann, standard(0, 2026)) != key {
				t.Errorf("%s at step %d: the key changed", faultName, step)
			}
			tidy(t, dir)
			mustClose(t, k)
		}
	}
}

func TestKilledWhileRotating(t *testing.T) {
	steps := stepsOf(t, func(k *Keeper) error { return k.RotateMaster(masterB) })
	for step := 1; step <= steps; step++ {
		dir, bobs := prepared(t)
		fsys := &faultyFiles{step: never}
		k := mustOpen(t, dir, masterA, fsys)
		fsys.step, fsys.fault, fsys.dies = step, applied, true
		if err := k.RotateMaster(masterB); !errors.Is(err, errFault) {
			t.Fatal(err)
		}
		mustClose(t, k)
		k, err := Open(dir, masterA, year2026, rand.Reader)
		if errors.Is(err, ErrWrongMaster) {
			k, err = Open(dir, masterB, year2026, rand.Reader)
		}
		if err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		if mustKey(t, mustRing(t, k, "main"), bob, standard(0, 2026)) != bobs {
			t.Errorf("step %d: the key changed", step)
		}
		mustClose(t, k)
	}
	// Repeated by the same keeper, it is done.
	for step := 1; step <= steps; step++ {
		dir, _ := prepared(t)
		fsys := &faultyFiles{step: never}
		k := mustOpen(t, dir, masterA, fsys)
		fsys.step, fsys.fault = step, applied
		if err := k.RotateMaster(masterB); !errors.Is(err, errFault) {
			t.Fatal(err)
		}
		if err := k.RotateMaster(masterB); err != nil {
			t.Fatalf("step %d, repeated: %v", step, err)
		}
		mustClose(t, k)
		mustClose(t, mustOpen(t, dir, masterB, quickFiles{}))
	}
}

// Wherever the newest pair lies, and whatever lies beside it, it is found and brought into place, and no file goes but overwritten.
func TestAnyArrangement(t *testing.T) {
	dir, _ := prepared(t)
	read := func(s slot) []byte {
		t.Helper()
		content, err := os.ReadFile(s.path(inPlace))
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	ring, ringKey := slot{filepath.Join(dir, "keys"), "ring"}, slot{filepath.Join(dir, "keeper"), "ring.key"}
	older := map[slot][]byte{ring: read(ring), ringKey: read(ringKey)}
	k := mustOpen(t, dir, masterA, quickFiles{})
	if err := writes["punch"].do(k); err != nil {
		t.Fatal(err)
	}
	mustClose(t, k)
	newest := map[slot][]byte{ring: read(ring), ringKey: read(ringKey)}
	beside := map[string]func(slot) []byte{
		"nothing": func(slot) []byte { return nil },
		"garbage": func(s slot) []byte { return append(bytes.Clone(newest[s][:30]), "torn"...) },
		"older":   func(s slot) []byte { return older[s] },
		"empty":   func(slot) []byte { return []byte{} },
	}
	for _, keyAt := range suffixes {
		for _, ringAt := range suffixes {
			if keyAt == coming && ringAt == coming {
				continue // with nothing else this is a first write; TestKilledWhileWriting has the rest
			}
			for name, other := range beside {
				chosen := map[slot]suffix{ring: ringAt, ringKey: keyAt}
				for s, at := range chosen {
					for _, each := range suffixes {
						content := other(s)
						if each == at {
							content = newest[s]
						}
						err := os.RemoveAll(s.path(each))
						if err == nil && content != nil {
							err = os.WriteFile(s.path(each), content, 0o600)
						}
						if err != nil {
							t.Fatal(err)
						}
					}
				}
				for _, time := range []string{"at once", "opened again"} {
					k := mustOpen(t, dir, masterA, &watchedFiles{t: t})
					if err := writes["punch"].new(k); err != nil {
						t.Errorf("key%s and ring%s beside %s, %s: %v", keyAt, ringAt, name, time, err)
					}
					tidy(t, dir)
					mustClose(t, k)
				}
			}
		}
	}
}

// What a write leaves, it overwrites: before the name of an old file goes, its bytes have gone.
func TestOldBytesAreOverwritten(t *testing.T) {
	dir, _ := prepared(t)
	fsys := &watchedFiles{t: t}
	k := mustOpen(t, dir, masterA, fsys)
	if err := k.Punch("main", []schema.PersonaEpoch{{Persona: ann}}); err != nil {
		t.Fatal(err)
	}
	if fsys.removed != 2 {
		t.Errorf("%d old files were removed, want the ring and its key", fsys.removed)
	}
	tidy(t, dir)
}

type watchedFiles struct {
	diskFiles
	t       *testing.T
	removed int
}

func (f *watchedFiles) Rename(from, to string) error {
	if _, err := os.Stat(to); !errors.Is(err, os.ErrNotExist) {
		f.t.Errorf("%s is renamed over %s, whose bytes stay on the disk (%v)", from, to, err)
	}
	return f.diskFiles.Rename(from, to)
}

func (f *watchedFiles) Remove(path string) error {
	content, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(content, make([]byte, len(content))) {
		f.t.Errorf("%s is removed with %d bytes that are not zero (%v)", path, len(content), err)
	}
	f.removed++
	return f.diskFiles.Remove(path)
}

// tidy checks that only the two files are there.
func tidy(t *testing.T, dir string) {
	t.Helper()
	for folder, want := range map[string]string{"keys": "[ring]", "keeper": "[lock ring.key]"} {
		entries, err := os.ReadDir(filepath.Join(dir, folder))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		if fmt.Sprint(names) != want {
			t.Errorf("%s has %v, want %s", folder, names, want)
		}
	}
}
