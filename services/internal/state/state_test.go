package state

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestReadsWhatWasCommitted(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	b := s.NewBatch()
	for i := range 100 {
		must(t, b.Set(fmt.Appendf(nil, "k%03d", i), fmt.Appendf(nil, "v%d", i)))
	}
	must(t, b.SetOffset("events", 3, Offset{Generation: 2, Next: 41, Mark: []byte("m")}))
	if _, found, err := s.Get(nil, []byte("k001")); found || err != nil {
		t.Fatalf("a batch that is not committed is visible: found %v, err %v", found, err)
	}
	must(t, b.Commit())
	snapshot := s.Snapshot()
	b = s.NewBatch()
	must(t, b.DeleteRange([]byte("k01"), []byte("k02")))
	must(t, b.Delete([]byte("k000")))
	must(t, b.Commit())
	if got := count(t, snapshot, "k"); got != 100 {
		t.Errorf("snapshot has %d keys, want 100", got)
	}
	must(t, snapshot.Close())
	must(t, s.Close())

	s = open(t, dir, Options{})
	if got := count(t, s, "k"); got != 89 {
		t.Errorf("%d keys after reopening, want 89", got)
	}
	v, found, err := s.Get([]byte("="), []byte("k099"))
	if string(v) != "=v99" || !found || err != nil {
		t.Errorf("Get appended %q, %v, %v", v, found, err)
	}
	offsets, err := Offsets(s, "events")
	if o := offsets[3]; err != nil || len(offsets) != 1 || o.Generation != 2 || o.Next != 41 || string(o.Mark) != "m" {
		t.Errorf("offsets %v, %v", offsets, err)
	}
	var down []string
	must(t, s.ScanDown([]byte("k097"), nil, func(k, _ []byte) error { down = append(down, string(k)); return nil }))
	if !slices.Equal(down, []string{"k099", "k098", "k097"}) {
		t.Errorf("falling scan gave %v", down)
	}
	stop := 0
	must(t, s.Scan([]byte("k"), []byte("l"), func(_, _ []byte) error { stop++; return ErrStop }))
	if stop != 1 {
		t.Errorf("ErrStop after %d keys, want 1", stop)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	must(t, s.Checkpoint(copied))
	if got := count(t, open(t, copied, Options{}), "k"); got != 89 {
		t.Errorf("the copy has %d keys, want 89", got)
	}
}

// A lookup answers as Get does, of the moment when it was made.
func TestLookup(t *testing.T) {
	s := open(t, "s", Options{FS: vfs.NewMem(), MemTableBytes: 64 << 10})
	for i := range 5000 {
		b := s.NewBatch()
		must(t, b.Set(fmt.Appendf(nil, "k%05d", 2*i), fmt.Appendf(nil, "v%d", i)))
		must(t, b.Commit())
	}
	l, err := s.Lookup()
	must(t, err)
	b := s.NewBatch()
	must(t, b.DeleteRange([]byte("k"), []byte("l")))
	must(t, b.Commit())
	rng := rand.New(rand.NewPCG(1, 1))
	for range 5000 {
		i := rng.IntN(10_010)
		v, found, err := l.Get([]byte("="), fmt.Appendf(nil, "k%05d", i))
		want := "="
		if i%2 == 0 && i < 10_000 {
			want = fmt.Sprintf("=v%d", i/2)
		}
		if err != nil || string(v) != want || found != (want != "=") {
			t.Fatalf("key %d: %q, %v, %v, want %q", i, v, found, err, want)
		}
	}
	must(t, l.Close())
}

func TestFolderInUse(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, Options{})
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrInUse) {
		t.Fatalf("second Open gave %v, want ErrInUse", err)
	}
}

// After a crash the store holds the state after some commit, whole, and the offset of that commit: every key i < next, none beyond.
func TestCrashLeavesAPrefixOfCommits(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		fs := vfs.NewCrashableMem()
		s := open(t, "s", Options{FS: fs, SyncEvery: time.Hour, MemTableBytes: 64 << 10})
		durable, next := 0, 0
		for range 200 {
			b := s.NewBatch()
			for range 1 + rng.IntN(30) {
				must(t, b.Set(fmt.Appendf(nil, "k%08d", next), make([]byte, rng.IntN(200))))
				next++
			}
			must(t, b.SetOffset("events", 0, Offset{Next: int64(next)}))
			if rng.IntN(40) == 0 {
				must(t, b.CommitDurable())
				durable = next
			} else {
				must(t, b.Commit())
			}
		}
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(100), RNG: rng})
		must(t, s.Close())
		after := open(t, "s", Options{FS: crashed})
		offsets, err := Offsets(after, "events")
		must(t, err)
		got, keys := int(offsets[0].Next), count(t, after, "k")
		if keys != got || got < durable {
			t.Fatalf("seed %d: %d keys with offset %d, durable was %d", seed, keys, got, durable)
		}
	}
}

func TestCommitsBecomeDurableByThemselves(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := open(t, "s", Options{FS: fs, SyncEvery: time.Millisecond})
	b := s.NewBatch()
	must(t, b.Set([]byte("k"), []byte("v")))
	must(t, b.Commit())
	for deadline := time.Now().Add(10 * time.Second); s.unsynced.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no sync within 10 s of a commit")
		}
	}
	must(t, s.Sync()) // waits for the sync under way, if it is
	after := open(t, "s", Options{FS: fs.CrashClone(vfs.CrashCloneCfg{})})
	if got := count(t, after, "k"); got != 1 {
		t.Errorf("%d keys after a crash, want 1", got)
	}
}

func TestAfter(t *testing.T) {
	for _, c := range []struct{ prefix, want []byte }{
		{[]byte("a"), []byte("b")}, {[]byte{1, 0xff}, []byte{2}}, {[]byte{0xff, 0xff}, nil}, {nil, nil},
	} {
		if got := After(c.prefix); !slices.Equal(got, c.want) {
			t.Errorf("After(%x) = %x, want %x", c.prefix, got, c.want)
		}
	}
}

// One operation is one key of 16 bytes with a value of 200, in batches of 1,000.
func BenchmarkCommit(b *testing.B) {
	for _, durable := range []bool{false, true} {
		b.Run(fmt.Sprintf("durable=%v", durable), func(b *testing.B) {
			s, err := Open(b.TempDir(), Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			rng := rand.New(rand.NewPCG(1, 2))
			value := make([]byte, 200)
			batch := s.NewBatch()
			for i := 0; b.Loop(); i++ {
				if err := batch.Set(fmt.Appendf(nil, "%016x", rng.Uint64()), value); err != nil {
					b.Fatal(err)
				}
				if i%1000 == 999 {
					commit := batch.Commit
					if durable {
						commit = batch.CommitDurable
					}
					if err := commit(); err != nil {
						b.Fatal(err)
					}
					batch = s.NewBatch()
				}
			}
			if err := batch.Discard(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func open(t *testing.T, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func count(t *testing.T, r Reader, prefix string) (n int) {
	t.Helper()
	must(t, r.Scan([]byte(prefix), After([]byte(prefix)), func(_, _ []byte) error { n++; return nil }))
	return n
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
