package keeper

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
)

// A copy brings back the rings of its moment: every key, and nothing that was punched before.
func TestCopyRestores(t *testing.T) {
	dir := t.TempDir()
	k := mustOpen(t, dir, masterA, diskFiles{})
	ring := mustRing(t, k, "main")
	mustRing(t, k, "other")
	key := mustKey(t, ring, ann, standard(0, 2026))
	if err := k.Punch("main", []schema.PersonaEpoch{{Persona: bob}}); err != nil {
		t.Fatal(err)
	}
	copied, versions, err := k.Copy()
	if err != nil {
		t.Fatal(err)
	}
	if len(versions) != 2 || versions["main"] != k.Version("main") || versions["main"] <= versions["other"] {
		t.Errorf("versions %v", versions)
	}
	if err := k.Punch("main", []schema.PersonaEpoch{{Persona: ann}}); err != nil {
		t.Fatal(err)
	}
	if k.Version("main") <= versions["main"] {
		t.Error("an erasure does not make the copy older")
	}
	fresh := filepath.Join(t.TempDir(), "fresh")
	if err := Restore(fresh, masterA, copied, year2026, rand.Reader); err != nil {
		t.Fatal(err)
	}
	back := mustOpen(t, fresh, masterA, diskFiles{})
	got := mustRing(t, back, "main")
	if mustKey(t, got, ann, standard(0, 2026)) != key {
		t.Error("another key came back")
	}
	if !got.Closed(bob, 0) {
		t.Error("who was erased before the copy is back")
	}
	if back.Version("main") != versions["main"] {
		t.Errorf("version %d, want %d", back.Version("main"), versions["main"])
	}
	mustClose(t, back)
	if err := Restore(fresh, masterA, copied, year2026, rand.Reader); !errors.Is(err, ErrHasRings) {
		t.Errorf("a second restore: %v", err)
	}
}

// A copy opens under the master key of its moment alone, and one that was altered does not open at all. Nothing is made then.
func TestCopyRefused(t *testing.T) {
	k := mustOpen(t, t.TempDir(), masterA, diskFiles{})
	mustRing(t, k, "main")
	copied, _, err := k.Copy()
	if err != nil {
		t.Fatal(err)
	}
	altered := func(at int) []byte {
		c := bytes.Clone(copied)
		c[at] ^= 1
		return c
	}
	for name, c := range map[string]struct {
		master [32]byte
		copied []byte
	}{
		"another master":       {masterB, copied},
		"not a copy":           {masterA, []byte("something else that is long enough to be one, or at least not short")},
		"empty":                {masterA, nil},
		"cut off":              {masterA, copied[:len(copied)-1]},
		"cut off in the key":   {masterA, copied[:40]},
		"altered in its key":   {masterA, altered(len(copyMagic) + keyLength - 1)},
		"altered in its rings": {masterA, altered(len(copied) - 20)},
	} {
		dir := t.TempDir()
		if err := Restore(dir, c.master, c.copied, year2026, rand.Reader); err == nil {
			t.Errorf("%s: it was restored", name)
		}
		if _, err := os.Stat(filepath.Join(dir, "keys", "ring")); !os.IsNotExist(err) {
			t.Errorf("%s: a ring was made: %v", name, err)
		}
	}
}
