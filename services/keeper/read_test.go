package keeper

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
)

// The rings are read beside a keeper that writes all the while; what it has punched before is gone from them.
func TestReadBesideAKeeper(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	master := [32]byte{1}
	if _, err := Read(dir, master); !errors.Is(err, ErrNoRings) {
		t.Fatalf("an empty folder: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Fatalf("reading made %v, %v", entries, err)
	}
	k, err := Open(dir, master, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if _, err := k.Ring("main"); err != nil {
		t.Fatal(err)
	}
	epoch := func(n int) schema.PersonaEpoch {
		return schema.PersonaEpoch{Persona: schema.PersonaID{byte(n >> 8), byte(n), 6: 0x80, 8: 0x80}}
	}
	var writing sync.WaitGroup
	punched := make(chan int, 30)
	writing.Go(func() {
		defer close(punched)
		for n := range 30 {
			if err := k.Punch("main", []schema.PersonaEpoch{epoch(n)}); err != nil {
				t.Error(err)
				return
			}
			punched <- n
		}
	})
	key := schema.KeyID{Class: StandardClass, Year: 2026}
	for n := range punched {
		rings, err := Read(dir, master)
		if err != nil {
			t.Fatal(err)
		}
		ring := rings["main"]
		if _, err := ring.EventCipher(epoch(n).Persona, key); !errors.Is(err, seal.ErrPunched) {
			t.Errorf("persona %d: %v", n, err)
		}
		if _, err := ring.EventCipher(epoch(1000).Persona, key); err != nil {
			t.Errorf("a persona that nobody erased: %v", err)
		}
		ring.Destroy()
	}
	writing.Wait()
	if _, err := Read(dir, [32]byte{2}); !errors.Is(err, ErrWrongMaster) {
		t.Errorf("a wrong master key: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "keys", "ring"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir, master); err == nil {
		t.Error("a damaged ring was read")
	}
}
