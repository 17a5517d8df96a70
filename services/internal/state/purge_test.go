package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// inFiles says in which of a folder's files a text stands.
func inFiles(t *testing.T, dir, text string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(text)) {
			names = append(names, e.Name())
		}
	}
	return names
}

// incompressible keeps a marker as it is in compressed tables.
func incompressible(rng *rand.Rand, marker string) []byte {
	b := make([]byte, 200)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return append([]byte(marker), b...)
}

// TestPurge: what was deleted or overwritten is in no file after a purge, whatever logs, levels and snapshots held it, and what was not is there.
func TestPurge(t *testing.T) {
	seed := rand.Uint64()
	if s := os.Getenv("DOSSIER_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("DOSSIER_SEED=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	s, err := Open(dir, Options{MemTableBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	write := func(n int, marker string) {
		t.Helper()
		for range n {
			b := s.NewBatch()
			if err := b.Set(fmt.Appendf(nil, "k%05d", rng.IntN(50_000)), incompressible(rng, marker)); err != nil {
				t.Fatal(err)
			}
			if err := b.Commit(); err != nil {
				t.Fatal(err)
			}
		}
	}
	change := func(do func(b *Batch) error) {
		t.Helper()
		b := s.NewBatch()
		if err := do(b); err != nil {
			t.Fatal(err)
		}
		if err := b.CommitDurable(); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 4 {
		write(3000, "stays")
		gone, kept := fmt.Sprintf("gone-in-round-%d", round), fmt.Sprintf("kept-in-round-%d", round)
		change(func(b *Batch) error { return b.Set([]byte("deleted"), incompressible(rng, gone)) })
		change(func(b *Batch) error { return b.Set([]byte("overwritten"), incompressible(rng, gone)) })
		change(func(b *Batch) error { return b.Merge([]byte("merged"), incompressible(rng, gone)) })
		change(func(b *Batch) error { return b.Set(fmt.Appendf(nil, "range %d", round), incompressible(rng, gone)) })
		change(func(b *Batch) error { return b.Set([]byte(kept), incompressible(rng, kept)) })
		if round%2 == 1 {
			write(3000, "stays") // it sinks
		}
		snapshot := s.Snapshot()
		change(func(b *Batch) error { return b.Delete([]byte("deleted")) })
		change(func(b *Batch) error { return b.Set([]byte("overwritten"), []byte("harmless")) })
		change(func(b *Batch) error { return b.Delete([]byte("merged")) })
		change(func(b *Batch) error { return b.DeleteRange([]byte("range"), []byte("rangf")) })
		write(1000, "stays")
		if len(inFiles(t, dir, gone)) == 0 {
			t.Fatal("the search finds nothing before the purge")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*purgePause)
		if _, err := s.Purge(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a purge under a snapshot from before: %v", err)
		}
		cancel()
		if err := snapshot.Close(); err != nil {
			t.Fatal(err)
		}
		later := s.Snapshot() // holds nothing back
		stop, ended := make(chan struct{}), make(chan struct{})
		go func() { // the role goes on
			defer close(ended)
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
				b := s.NewBatch()
				if err := errors.Join(b.Set([]byte("live"), []byte("beside")), b.Commit()); err != nil {
					t.Error(err)
				}
			}
		}()
		if err := later.Close(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		p, err := s.Purge(ctx, nil)
		cancel()
		close(stop)
		<-ended
		if err != nil || p.Files == 0 || p.Digest == "" {
			t.Fatalf("%+v %v", p, err)
		}
		if names := inFiles(t, dir, gone); len(names) > 0 {
			t.Errorf("round %d: what is gone stands in %v", round, names)
		}
		if names := inFiles(t, dir, kept); len(names) == 0 {
			t.Errorf("round %d: what was kept is gone", round)
		}
	}
	name, err := s.Name()
	again, failed := s.Name()
	if err != nil || failed != nil || name == "" || again != name {
		t.Errorf("its name is %q, then %q: %v %v", name, again, err, failed)
	}
}

// TestPurgeOfOneTable: a store whose rows were all in memory is flushed as one table, with few deletions among many rows. Nothing else would make the engine
// rewrite it.
func TestPurgeOfOneTable(t *testing.T) {
	for rows := 1; rows <= 300; rows *= 3 {
		dir := t.TempDir()
		s, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		b := s.NewBatch()
		for n := range rows {
			if err := b.Set(fmt.Appendf(nil, "k%05d", n), fmt.Appendf(nil, "row %d stays", n)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(b.Set([]byte("k00000x"), []byte("this one goes")), b.CommitDurable()); err != nil {
			t.Fatal(err)
		}
		b = s.NewBatch()
		if err := errors.Join(b.Delete([]byte("k00000x")), b.CommitDurable()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			if _, err := s.Purge(ctx, nil); err != nil {
				t.Errorf("%d rows: %v", rows, err)
			}
			cancel()
		}
		if found := inFiles(t, dir, "this one goes"); len(found) > 0 {
			t.Errorf("%d rows: the deleted row is in %v", rows, found)
		}
		n := 0
		err = s.Scan([]byte{1}, []byte{0xff}, func(_, _ []byte) error { n++; return nil })
		if err = errors.Join(err, s.Close()); err != nil || n != rows {
			t.Errorf("%d rows of %d are left (%v)", n, rows, err)
		}
	}
}
