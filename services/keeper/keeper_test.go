package keeper

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
)

var (
	year2026 = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	masterA  = [32]byte{1}
	masterB  = [32]byte{2}
	ann      = schema.PersonaID{1}
	bob      = schema.PersonaID{2}
)

func mustOpen(t *testing.T, dir string, master [32]byte, fsys files) *Keeper {
	t.Helper()
	k, err := open(dir, master, year2026, rand.Reader, fsys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

func mustRing(t *testing.T, k *Keeper, workspace string) *seal.Ring {
	t.Helper()
	ring, err := k.Ring(workspace)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func mustClose(t *testing.T, k *Keeper) {
	t.Helper()
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
}

func standard(epoch uint32, year int) schema.KeyID {
	return schema.KeyID{Epoch: epoch, Class: StandardClass, Year: year}
}

func mustKey(t *testing.T, ring *seal.Ring, persona schema.PersonaID, id schema.KeyID) seal.Key {
	t.Helper()
	key, err := ring.EventKey(persona, id)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestRingsStay(t *testing.T) {
	dir := t.TempDir()
	k := mustOpen(t, dir, masterA, diskFiles{})
	main := mustKey(t, mustRing(t, k, "main"), ann, standard(0, 1990))
	other := mustKey(t, mustRing(t, k, "other"), ann, standard(0, 2028))
	first, second := mustRing(t, k, "main"), mustRing(t, k, "main")
	if first != second {
		t.Error("two callers have two rings")
	}
	if k.Version("main") != 1 || k.Version("none") != 0 {
		t.Errorf("versions %d and %d, want 1 and 0", k.Version("main"), k.Version("none"))
	}
	mustClose(t, k)
	if _, err := k.Ring("main"); !errors.Is(err, errClosed) {
		t.Errorf("closed: %v", err)
	}

	k = mustOpen(t, dir, masterA, diskFiles{})
	if got := k.Workspaces(); !slices.Equal(got, []string{"main", "other"}) {
		t.Errorf("workspaces %q", got)
	}
	if mustKey(t, mustRing(t, k, "main"), ann, standard(0, 1990)) != main || mustKey(t, mustRing(t, k, "other"), ann, standard(0, 2028)) != other {
		t.Error("opened again the keys differ")
	}
	for _, name := range []string{"keys/ring", "keeper/ring.key"} {
		if stat, err := os.Stat(filepath.Join(dir, name)); err != nil || stat.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, stat.Mode(), err)
		}
	}
	if _, err := k.Ring(""); err == nil {
		t.Error("a workspace without a name got a ring")
	}
}

func TestPunchStays(t *testing.T) {
	dir := t.TempDir()
	k := mustOpen(t, dir, masterA, diskFiles{})
	ring := mustRing(t, k, "main")
	kept := mustKey(t, ring, bob, standard(0, 2026))
	letter := [16]byte{9}
	if err := k.Punch("main", []schema.PersonaEpoch{{Persona: ann}, {Persona: bob, Epoch: 3}}); err != nil {
		t.Fatal(err)
	}
	if err := k.PunchLetters("main", [][16]byte{letter}); err != nil {
		t.Fatal(err)
	}
	if err := k.Expire("main", []schema.ExpiredYear{{Class: StandardClass, Year: 1990}, {Class: StandardClass, Year: 1991}, {Class: StandardClass, Year: 1992}}); err != nil {
		t.Fatal(err)
	}
	if err := k.Punch("none", nil); err == nil {
		t.Error("a workspace without a ring was punched")
	}
	version := k.Version("main")
	before := folderContent(t, dir)
	if err := k.Punch("main", []schema.PersonaEpoch{{Persona: ann}}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(before, folderContent(t, dir)) || k.Version("main") != version {
		t.Error("a punch repeated wrote something")
	}
	mustClose(t, k)
	ring = mustRing(t, mustOpen(t, dir, masterA, diskFiles{}), "main")
	for _, of := range []schema.PersonaEpoch{{Persona: ann}, {Persona: bob, Epoch: 3}} {
		if _, err := ring.EventKey(of.Persona, standard(of.Epoch, 2026)); !errors.Is(err, seal.ErrPunched) {
			t.Errorf("%v: %v, want ErrPunched", of, err)
		}
	}
	if ring.Version() != version || ring.CurrentEpoch(ann) != 1 || ring.CurrentEpoch(bob) != 4 {
		t.Errorf("version %d, epochs %d and %d", ring.Version(), ring.CurrentEpoch(ann), ring.CurrentEpoch(bob))
	}
	if mustKey(t, ring, bob, standard(0, 2026)) != kept {
		t.Error("another key changed")
	}
	if _, err := ring.LetterKey(letter); !errors.Is(err, seal.ErrPunched) {
		t.Errorf("the letter: %v", err)
	}
	if _, err := ring.EventKey(bob, standard(0, 1991)); !errors.Is(err, seal.ErrExpired) {
		t.Errorf("the expired year: %v", err)
	}
}

func folderContent(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		all = append(all, path, string(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A copy of the ring from before a punch must not open with what is there after it.
func TestForgottenCopyStaysClosed(t *testing.T) {
	dir := t.TempDir()
	k := mustOpen(t, dir, masterA, diskFiles{})
	mustRing(t, k, "main")
	ringPath := filepath.Join(dir, "keys", "ring")
	forgotten, err := os.ReadFile(ringPath)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Punch("main", []schema.PersonaEpoch{{Persona: ann}}); err != nil {
		t.Fatal(err)
	}
	mustClose(t, k)
	if err := os.WriteFile(ringPath, forgotten, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, masterA, year2026, rand.Reader); err == nil || !strings.Contains(err.Error(), "of another moment") {
		t.Errorf("an old ring file: %v", err)
	}
}

func TestWrongMaster(t *testing.T) {
	dir := t.TempDir()
	k := mustOpen(t, dir, masterA, diskFiles{})
	key := mustKey(t, mustRing(t, k, "main"), ann, standard(0, 2026))
	mustClose(t, k)
	before := folderContent(t, dir)
	if _, err := Open(dir, masterB, year2026, rand.Reader); !errors.Is(err, ErrWrongMaster) || strings.Contains(err.Error(), "\n") {
		t.Errorf("the wrong master key: %v", err)
	}
	if !slices.Equal(before, folderContent(t, dir)) {
		t.Error("the wrong master key changed something")
	}
	if mustKey(t, mustRing(t, mustOpen(t, dir, masterA, diskFiles{}), "main"), ann, standard(0, 2026)) != key {
		t.Error("the key changed")
	}
}

func TestDamagedFilesAreNamed(t *testing.T) {
	dir := t.TempDir()
	k := mustOpen(t, dir, masterA, diskFiles{})
	mustRing(t, k, "main")
	mustClose(t, k)
	ring, key := filepath.Join(dir, "keys", "ring"), filepath.Join(dir, "keeper", "ring.key")
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte {
			b[(at+len(b))%len(b)] ^= 4
			return b
		}
	}
	gone := func([]byte) []byte { return nil }
	for name, c := range map[string]struct {
		path   string
		change func([]byte) []byte
		says   string
	}{
		"ring gone":            {ring, gone, "keys/ring is missing"},
		"ring key gone":        {key, gone, "ring.key is missing"},
		"ring altered":         {ring, flip(-1), "keys/ring is damaged"},
		"ring's head altered":  {ring, flip(0), "keys/ring is damaged"},
		"ring cut":             {ring, func(b []byte) []byte { return b[:len(b)/2] }, "keys/ring is damaged"},
		"ring empty":           {ring, func(b []byte) []byte { return b[:0] }, "keys/ring is damaged"},
		"ring key altered":     {key, flip(-1), "ring.key is damaged"},
		"ring key head":        {key, flip(0), "ring.key is damaged"},
		"ring key cut":         {key, func(b []byte) []byte { return b[:20] }, "ring.key is damaged"},
		"check value altered":  {key, flip(len(keyMagic)), "master key is not the one"},
		"ring a folder, empty": {ring, nil, "keys/ring"},
	} {
		content, err := os.ReadFile(c.path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(c.path); err != nil {
			t.Fatal(err)
		}
		if c.change == nil {
			err = os.Mkdir(c.path, 0o700)
		} else if changed := c.change(bytes.Clone(content)); changed != nil {
			err = os.WriteFile(c.path, changed, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		before := folderContent(t, dir)
		if k, err := Open(dir, masterA, year2026, rand.Reader); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, %v, want %q", name, k, err, c.says)
		}
		if !slices.Equal(before, folderContent(t, dir)) {
			t.Errorf("%s: something was changed", name)
		}
		if err := os.RemoveAll(c.path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(c.path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mustRing(t, mustOpen(t, dir, masterA, diskFiles{}), "main")
}

func TestOneKeeper(t *testing.T) {
	dir := t.TempDir()
	k := mustOpen(t, dir, masterA, diskFiles{})
	if _, err := Open(dir, masterA, year2026, rand.Reader); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second keeper: %v", err)
	}
	mustClose(t, k)
	mustOpen(t, dir, masterA, diskFiles{})
}

func TestYearsAdvance(t *testing.T) {
	dir := t.TempDir()
	k := mustOpen(t, dir, masterA, diskFiles{})
	ring := mustRing(t, k, "main")
	kept := mustKey(t, ring, ann, standard(0, 2028))
	if _, err := ring.EventKey(ann, standard(0, 2029)); !errors.Is(err, seal.ErrNoSecret) {
		t.Errorf("three years ahead: %v", err)
	}
	if err := k.Extend("main", "short", 2020, 2026); err != nil {
		t.Fatal(err)
	}
	if err := k.Extend("main", StandardClass, 1960, 1989); err != nil {
		t.Fatal(err)
	}
	if err := k.Advance(year2026.AddDate(1, 0, 0)); err != nil {
		t.Fatal(err)
	}
	ids := []schema.KeyID{standard(0, 1960), standard(0, 2028), standard(0, 2029), {Class: "short", Year: 2029}, {Class: "short", Year: 2020}}
	var keys []seal.Key
	for _, id := range ids {
		keys = append(keys, mustKey(t, ring, ann, id))
	}
	if keys[1] != kept {
		t.Error("a secret was made anew")
	}
	mustClose(t, k)
	k, err := Open(dir, masterA, year2026.AddDate(4, 0, 0), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, k)
	ring = mustRing(t, k, "main")
	for i, id := range ids {
		if mustKey(t, ring, ann, id) != keys[i] {
			t.Errorf("%+v: the key changed", id)
		}
	}
	mustKey(t, ring, ann, standard(0, 2032))
	if err := k.Extend("none", "short", 2020, 2026); err == nil {
		t.Error("a workspace without a ring was extended")
	}
	if err := k.Extend("main", "", 2020, 2026); err == nil {
		t.Error("a class without a name was made")
	}
}

func TestRotateMaster(t *testing.T) {
	dir := t.TempDir()
	k := mustOpen(t, dir, masterA, diskFiles{})
	ring := mustRing(t, k, "main")
	key, hash := mustKey(t, ring, ann, standard(0, 2026)), ring.IdentifierHash("email", "a@example.org")
	if err := k.RotateMaster(masterB); err != nil {
		t.Fatal(err)
	}
	mustClose(t, k)
	if _, err := Open(dir, masterA, year2026, rand.Reader); !errors.Is(err, ErrWrongMaster) {
		t.Errorf("the old master key: %v", err)
	}
	ring = mustRing(t, mustOpen(t, dir, masterB, diskFiles{}), "main")
	if mustKey(t, ring, ann, standard(0, 2026)) != key || ring.IdentifierHash("email", "a@example.org") != hash {
		t.Error("a key or an id changed with the master key")
	}
}

func TestNoRandomness(t *testing.T) {
	k, err := open(t.TempDir(), masterA, year2026, io.LimitReader(rand.Reader, 32*(1+39)+20), diskFiles{})
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, k)
	if _, err := k.Ring("main"); err == nil {
		t.Error("a ring was kept without randomness")
	}
}

func TestLoadMasterKey(t *testing.T) {
	digits := strings.Repeat("0f", 32)
	file := filepath.Join(t.TempDir(), "key")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env     map[string]string
		content string
		fails   string
	}{
		"variable":           {env: map[string]string{masterVariable: digits}},
		"variable, newline":  {env: map[string]string{masterVariable: digits + "\n"}},
		"variable, capitals": {env: map[string]string{masterVariable: strings.ToUpper(digits)}},
		"variable, short":    {env: map[string]string{masterVariable: digits[1:]}, fails: "has 63 characters"},
		"variable, not hex":  {env: map[string]string{masterVariable: "xy" + digits[2:]}, fails: "not hexadecimal"},
		"file":               {env: map[string]string{masterFileVariable: file}, content: digits},
		"file, newline":      {env: map[string]string{masterFileVariable: file}, content: digits + "\r\n"},
		"file, empty":        {env: map[string]string{masterFileVariable: file}, fails: "has 0 characters"},
		"file, missing":      {env: map[string]string{masterFileVariable: file + "x"}, fails: masterFileVariable},
		"both":               {env: map[string]string{masterVariable: digits, masterFileVariable: file}, content: digits, fails: "both set"},
	} {
		write(c.content)
		dir := t.TempDir()
		got, created, err := LoadMasterKey(dir, func(name string) string { return c.env[name] })
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) || strings.Contains(err.Error(), "0f0f") || got != ([32]byte{}) {
				t.Errorf("%s: %v, want %q", name, err, c.fails)
			}
		} else if err != nil || created || !bytes.Equal(got[:], want) {
			t.Errorf("%s: %x, %v, %v", name, got, created, err)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
			t.Errorf("%s: the data folder was written to", name)
		}
	}
}

func TestMasterKeyIsMadeOnce(t *testing.T) {
	dir, none := t.TempDir(), func(string) string { return "" }
	if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "keys", "master")
	if err := os.WriteFile(path+".new", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	first, created, err := LoadMasterKey(dir, none)
	if err != nil || !created || first == ([32]byte{}) {
		t.Fatalf("%x, %v, %v", first, created, err)
	}
	if stat, err := os.Stat(path); err != nil || stat.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", stat, err)
	}
	k := mustOpen(t, dir, first, diskFiles{})
	mustRing(t, k, "main")
	second, created, err := LoadMasterKey(dir, none) // also while a keeper runs
	if err != nil || created || second != first {
		t.Errorf("%x, %v, %v, want the first key", second, created, err)
	}
	mustClose(t, k)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got, created, err := LoadMasterKey(dir, none); err == nil || created {
		t.Errorf("a new master key for a folder with rings: %x, %v", got, err)
	}
}
