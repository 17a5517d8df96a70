package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// pause stops whoever passes it at the n-th time, until it is released.
type pause struct {
	left              int
	reached, released chan struct{}
}

func newPause(nth int) *pause { return &pause{nth, make(chan struct{}), make(chan struct{})} }

func (p *pause) pass() {
	if p.left--; p.left == 0 {
		close(p.reached)
		<-p.released
	}
}

// steps are the boundaries of a folder's writes, and of the rest of what a role does with a segment.
var steps = []string{"file aside", "file named", "line aside", "line decided", "place looked at", "line written", "line synced", "read back", "drop"}

// pausedStore and pausedSource stop at what a role does beside a folder's writes.
type pausedStore struct {
	archive.Store
	pass func(step string)
}

func (s pausedStore) Get(ctx context.Context, p archive.Part, name string) ([]byte, error) {
	s.pass("read back")
	return s.Store.Get(ctx, p, name)
}

type pausedSource struct {
	archive.Source
	pass func(step string)
}

func (s pausedSource) DeleteRecords(ctx context.Context, topic string, partition int32, before int64) error {
	s.pass("drop")
	return s.Source.DeleteRecords(ctx, topic, partition, before)
}

// TestPausedOwner: an owner is paused at each boundary of its writes and replaced; whatever its successor wrote stays as it is when the
// former one goes on, and archive and log together are what was acknowledged.
func TestPausedOwner(t *testing.T) {
	for _, step := range steps {
		for nth := 1; nth <= 3; nth += 2 {
			t.Run(fmt.Sprintf("%s %d", step, nth), func(t *testing.T) {
				w := newWorld(t, t.TempDir(), inFolder)
				defer w.close()
				w.produce(0, 150)
				ctx := t.Context()
				stop := newPause(nth)
				pass := func(at string) {
					if at == step {
						stop.pass()
					}
				}
				folder, err := archive.OpenFolder(w.place.folder)
				w.must(err)
				archive.AtBoundaries(folder, pass)
				former := archive.New(archive.Config{
					Source: pausedSource{w.client, pass}, Store: pausedStore{folder, pass}, Sequences: archive.Sequences([]schema.Topic{topic}, 1),
				})
				ended := make(chan error, 1)
				go func() { ended <- former.CatchUp(ctx, part(0), 2000) }()
				<-stop.reached

				successor := w.role(w.store)
				catchUp := func(r *archive.Role) {
					t.Helper()
					for range 5 { // a place that was taken is found taken, and then its line
						if err = r.CatchUp(ctx, part(0), 2000); err == nil {
							return
						}
						if kafka.Class(err) != schema.Transient {
							t.Fatal(err)
						}
					}
					t.Fatal(err)
				}
				catchUp(successor)
				w.produce(0, 60)
				catchUp(successor)
				before, err := w.store.Manifest(ctx, part(0), 0)
				w.must(err)

				close(stop.released)
				if err := <-ended; err != nil && kafka.Class(err) != schema.Transient {
					t.Fatalf("the former owner fails with %v", err)
				}
				after, err := w.store.Manifest(ctx, part(0), 0)
				w.must(err)
				if !bytes.HasPrefix(after, before) {
					t.Fatalf("the former owner changed the manifest from\n%sto\n%s", before, after)
				}
				w.read(0, 0, true)
				w.produce(0, 60)
				catchUp(successor)
				catchUp(w.role(w.store))
				w.read(0, 0, true)
				health, err := archive.Verify(ctx, w.store)
				w.must(err)
				if health.Segments < 4 {
					t.Errorf("%+v", health)
				}
				left, err := filepath.Glob(filepath.Join(w.place.folder, "*", "*", "*", "*.at-*"))
				if err != nil || len(left) > 0 {
					t.Errorf("names of places are left: %v %v", left, err)
				}
			})
		}
	}
}

// TestFolderTwoWriters: of several writers at one place of a manifest one wins, at the same moment and at every boundary of another's write,
// and a line once acknowledged stays.
func TestFolderTwoWriters(t *testing.T) {
	ctx := t.Context()
	open := func(dir string) *archive.Folder {
		t.Helper()
		f, err := archive.OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	t.Run("at once", func(t *testing.T) {
		dir := t.TempDir()
		var whole []byte
		for round := range 40 {
			var group sync.WaitGroup
			lines, won := make([][]byte, 4), make([]bool, 4)
			for n := range lines {
				f := open(dir)
				lines[n] = fmt.Appendf(nil, "round %d writer %d %s\n", round, n, strings.Repeat("x", n*7))
				group.Go(func() {
					err := f.Append(ctx, part(0), int64(len(whole)), lines[n])
					won[n] = err == nil
				})
			}
			group.Wait()
			got, err := open(dir).Manifest(ctx, part(0), 0)
			if err != nil || !bytes.HasPrefix(got, whole) {
				t.Fatalf("round %d: %q, %v", round, got, err)
			}
			winners := 0
			for n := range lines {
				if bytes.Equal(got[len(whole):], lines[n]) {
					winners++
				} else if won[n] {
					t.Fatalf("round %d: writer %d was told that it won, and there is %q", round, n, got[len(whole):])
				}
			}
			if winners != 1 {
				t.Fatalf("round %d: there is %q", round, got[len(whole):])
			}
			whole = got
		}
	})
	for _, step := range []string{"line aside", "line decided", "place looked at", "line written", "line synced"} {
		t.Run(step, func(t *testing.T) {
			dir := t.TempDir()
			slow, fast := open(dir), open(dir)
			stop := newPause(1)
			archive.AtBoundaries(slow, func(at string) {
				if at == step {
					stop.pass()
				}
			})
			mine, other, next := []byte("a line that is longer than the other\n"), []byte("other\n"), []byte("next\n")
			ended := make(chan error, 1)
			go func() { ended <- slow.Append(ctx, part(0), 0, mine) }()
			<-stop.reached
			first := other
			if err := fast.Append(ctx, part(0), 0, other); err != nil {
				first = mine // it was decided: it is in place now
			}
			if err := fast.Append(ctx, part(0), int64(len(first)), next); err != nil {
				t.Fatal(err)
			}
			close(stop.released)
			if err := <-ended; (err == nil) != bytes.Equal(first, mine) {
				t.Errorf("the paused writer is told %v, and %q is there", err, first)
			}
			got, err := fast.Manifest(ctx, part(0), 0)
			if want := append(first, next...); err != nil || !bytes.Equal(got, want) {
				t.Errorf("there is %q, want %q: %v", got, want, err)
			}
		})
	}
	t.Run("a torn line", func(t *testing.T) {
		f := open(t.TempDir())
		long := strings.Repeat("torn", 20)
		for _, err := range []error{
			f.Append(ctx, part(0), 0, []byte("one\n")), f.Append(ctx, part(0), 4, []byte(long)), f.Append(ctx, part(0), 4, []byte("two\n")), f.Append(ctx, part(0), 8, []byte("three\n")),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		got, err := f.Manifest(ctx, part(0), 0)
		if err != nil || !bytes.HasPrefix(got, []byte("one\ntwo\nthree\n")) || bytes.Count(got, []byte("\n")) != 3 {
			t.Errorf("there is %q: %v", got, err)
		}
		if err := f.Append(ctx, part(0), 4, []byte("late\n")); err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("a line in a place that is taken: %v", err)
		}
	})
}
