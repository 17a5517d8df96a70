package identity

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// TestComplaint08_RacesChangeNothing: many senders identify, alias and link the same few people at once, over four partitions, while the role reads. What comes of it
// is what one sender makes, one after the other.
func TestComplaint08_RacesChangeNothing(t *testing.T) {
	w := newWorld(8, 200)
	calm := newLog("c", 1)
	calm.addEvents(0, w.events...)
	want := start(t, Config{Folder: "state", Store: state.Options{FS: vfs.NewMem()}, Log: calm, Feed: calm})
	for round := range 4 {
		log := newLog("c", 4)
		r := start(t, Config{Folder: "state", Store: state.Options{FS: vfs.NewMem()}, Log: log, Feed: log, CommitRecords: 7})
		var senders sync.WaitGroup
		var at sync.Mutex
		last := map[int32]schema.Position{}
		for sender := range 8 {
			senders.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(round), uint64(sender)))
				for _, i := range rng.Perm(len(w.events)) {
					if i%8 != sender && rng.IntN(4) > 0 { // each sends its own, and some of the others' again
						continue
					}
					e := w.events[i]
					p := log.add(int(e.Persona[0]%4), logged{event: e, at: 1})
					at.Lock()
					if have, ok := last[p.Partition]; !ok || have.Offset < p.Offset {
						last[p.Partition] = p
					}
					at.Unlock()
				}
			})
		}
		senders.Wait()
		for _, p := range last {
			must(t, r.WaitFor(t.Context(), p))
		}
		if got := r.export(); got != want.export() {
			t.Fatalf("round %d exports\n%s\nwant\n%s", round, got, want.export())
		}
		r.stop()
	}
}
