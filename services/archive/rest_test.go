package archive_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// impatient does not wait for records, and keeps them all.
type impatient struct{ archive.Source }

func (impatient) DeleteRecords(context.Context, string, int32, int64) error { return nil }

func (i impatient) FetchAtLeast(ctx context.Context, topic string, partition int32, offset int64, minBytes, maxBytes int, _ time.Duration) (kafka.Fetched, error) {
	return i.Source.FetchAtLeast(ctx, topic, partition, offset, minBytes, maxBytes, 0)
}

// A role that rests whenever nothing comes makes the same segments as one that never does, and holds next to nothing meanwhile; what
// is old is archived all the same.
func TestRest(t *testing.T) {
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		w := newWorld(t, filepath.Join(dir, fmt.Sprint(run)), inFolder)
		defer w.close()
		now := time.Unix(1_700_000_000, 0)
		role := func(store archive.Store) *archive.Role {
			return archive.New(archive.Config{
				Source: impatient{w.client}, Store: store, Sequences: archive.Sequences([]schema.Topic{topic}, 1), Now: func() time.Time { return now },
			})
		}
		rested := role(w.store)
		const cut = 4000
		steps := rapid.SliceOfN(rapid.SampledFrom([]string{"produce", "look", "look", "rest"}), 1, 30).Draw(t, "steps")
		looks := 0
		w.must(rested.Steps(context.Background(), part(0), cut, func(held int) bool {
			for len(steps) > 0 {
				step := steps[0]
				steps = steps[1:]
				switch step {
				case "produce":
					w.produce(0, rapid.IntRange(1, 30).Draw(t, "records"))
				case "rest":
					rested.Rest()
				case "look":
					return true
				}
			}
			// The end: everything is read, let go, and old.
			switch looks++; looks {
			case 4:
				rested.Rest()
			case 6:
				if held > 16 {
					t.Fatalf("a role at rest holds %d bytes", held)
				}
				now = now.Add(2 * time.Hour)
			}
			return looks < 9
		}))
		w.read(0, 0, true)
		held, err := archive.OpenPartition(context.Background(), w.store, part(0))
		w.must(err)
		if _, next := held.Range(); next != int64(w.counts[0]) {
			t.Fatalf("%d of %d records were archived", next, w.counts[0])
		}
		if _, err := archive.Verify(context.Background(), w.store); err != nil {
			t.Fatal(err)
		}
		// The same log, archived in one go.
		other, err := archive.OpenFolder(filepath.Join(w.root, "other"))
		w.must(err)
		w.must(role(other).CatchUp(context.Background(), part(0), cut))
		straight, err := archive.OpenPartition(context.Background(), other, part(0))
		w.must(err)
		whole := straight.Entries(1 << 60)
		if got := held.Entries(1 << 60); len(got) < len(whole) || !slices.Equal(got[:len(whole)], whole) {
			t.Fatalf("segments: %+v, want %+v and what was old", got, whole)
		}
	})
}
