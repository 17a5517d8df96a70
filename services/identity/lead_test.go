package identity

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
)

// Whoever of several processes leads, and however often they change, a sink comes to know who is who; who stands by tells it nothing.
func TestLeadChanges(t *testing.T) {
	first, last := seeds(t, 3, 50)
	for seed := first; seed <= last; seed++ {
		w := newWorld(seed, 200)
		log, sink := newLog("c", 1), newMapSink(t, seed)
		rng := rand.New(rand.NewPCG(seed, 5))
		var instances []*running
		for range 3 {
			c := inMemory(log)
			c.Sinks, c.StandBy, c.CommitRecords = []Sink{sink}, true, 1+rng.IntN(40)
			instances = append(instances, start(t, c))
		}
		turns := 0
		for part := range slices.Chunk(w.events, 40) {
			leader := instances[rng.IntN(len(instances))]
			at := log.addEvents(0, part[:len(part)/2]...)
			must(t, leader.WaitFor(t.Context(), at))
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { leader.Lead(ctx); close(ended) }()
			at = log.addEvents(0, part[len(part)/2:]...)
			for _, r := range instances {
				must(t, r.WaitFor(t.Context(), at))
			}
			instances[0].await(func() bool { return sink.whole(leader) })
			turns++
			cancel()
			<-ended
			for _, r := range instances {
				r.await(r.standsBy)
			}
			if before := sink.told(); rng.IntN(2) == 0 {
				must(t, leader.WaitFor(t.Context(), log.addEvents(0, named(contact("shop", "user_id", "alone")))))
				if sink.told() != before {
					t.Errorf("DOSSIER_SEED=%d: a sink was told by one that stands by", seed)
				}
			}
		}
		if sink.rebuilt < turns {
			t.Errorf("DOSSIER_SEED=%d: %d turns, %d times everything was told", seed, turns, sink.rebuilt)
		}
		for _, r := range instances {
			r.stop()
		}
	}
}

// told counts the deliveries.
func (s *mapSink) told() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.kinds {
		n += k
	}
	return n + s.rebuilt
}
