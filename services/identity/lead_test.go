package identity

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
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
		var before *running
		notes, told := &fakeNotes{}, 0
		for part := range slices.Chunk(w.events, 40) {
			leader := instances[rng.IntN(len(instances))]
			at := log.addEvents(0, part[:len(part)/2]...)
			must(t, leader.WaitFor(t.Context(), at))
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { leader.Lead(ctx, notes); close(ended) }()
			at = log.addEvents(0, part[len(part)/2:]...)
			for _, r := range instances {
				must(t, r.WaitFor(t.Context(), at))
			}
			instances[0].await(func() bool { return sink.whole(leader) })
			cancel()
			<-ended
			if wholes := sink.wholes(); (wholes > told) != (leader != before) {
				t.Errorf("DOSSIER_SEED=%d: everything was told %d times, %d before; the same state leads again: %v", seed, wholes, told, leader == before)
			} else {
				told = wholes
			}
			before = leader
			for _, r := range instances {
				r.await(r.standsBy)
			}
			if quiet := sink.told(); rng.IntN(2) == 0 {
				must(t, leader.WaitFor(t.Context(), log.addEvents(0, named(contact("shop", "user_id", "alone")))))
				if sink.told() != quiet {
					t.Errorf("DOSSIER_SEED=%d: a sink was told by one that stands by", seed)
				}
			}
		}
		for _, r := range instances {
			r.stop()
		}
	}
}

// A process that is started again, and leads as the last one that did, tells what was not told yet; one whose state was built anew tells everything.
func TestLeadsAgainAfterAStart(t *testing.T) {
	w := newWorld(9, 200)
	log, sink, notes := newLog("c", 1), newMapSink(t, 9), &fakeNotes{}
	c := inMemory(log)
	c.Sinks, c.StandBy = []Sink{sink}, true
	lead := func(events []schema.Event) {
		t.Helper()
		r := start(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { r.Lead(ctx, notes); close(ended) }()
		must(t, r.WaitFor(t.Context(), log.addEvents(0, events...)))
		r.await(func() bool { return sink.whole(r) })
		cancel()
		<-ended
		r.stop()
	}
	lead(w.events[:50])
	if sink.wholes() != 1 {
		t.Fatalf("the first leader told everything %d times", sink.wholes())
	}
	lead(w.events[50:100])
	lead(w.events[100:])
	if sink.wholes() != 1 {
		t.Errorf("after starts of one process everything was told %d times, want once", sink.wholes())
	}
	c.Store = inMemory(log).Store
	lead([]schema.Event{named(contact("shop", "user_id", "late"))})
	if sink.wholes() != 2 {
		t.Errorf("after a state was built anew everything was told %d times, want twice", sink.wholes())
	}
}

// Who stands by so long that it keeps no changes any more, and leads again though nobody else did, tells everything.
func TestForgetsWhileItStandsBy(t *testing.T) {
	log, sink, notes := newLog("c", 1), newMapSink(t, 3), &fakeNotes{}
	c := inMemory(log, newWorld(3, 50).events...)
	c.Sinks, c.StandBy, c.CommitRecords = []Sink{sink}, true, 1
	r := start(t, c)
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { r.Lead(ctx, notes); close(ended) }()
		r.await(func() bool { return sink.whole(r) })
		cancel()
		<-ended
		r.await(r.standsBy)
		for i := range 300 { // past the commits after which changes are forgotten
			must(t, r.WaitFor(t.Context(), log.addEvents(0, named(contact("shop", "user_id", fmt.Sprint("late", i, log.parts[0][0].at, len(log.parts[0])))))))
		}
	}
	if sink.wholes() != 2 {
		t.Errorf("everything was told %d times, want twice", sink.wholes())
	}
	r.stop()
}

// fakeNotes are notes that every leader finds.
type fakeNotes struct {
	mu   sync.Mutex
	last map[string][]byte
}

func (n *fakeNotes) Note(_ context.Context, key string, value []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.last == nil {
		n.last = map[string][]byte{}
	}
	n.last[key] = value
	return nil
}

func (n *fakeNotes) Noted(key string) ([]byte, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	v, found := n.last[key]
	return v, found
}

// wholes counts how often everything was told.
func (s *mapSink) wholes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rebuilt
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
