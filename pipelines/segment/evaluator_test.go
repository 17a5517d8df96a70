package segment_test

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/pipelines/segment/segmenttest"
	"github.com/dossier-cdp/dossier/schema"
)

// TestAgain holds an evaluation that skips what cannot have changed against one of everything: events come and go, people change, and time passes. The seed is printed;
// DOSSIER_SEED repeats it.
func TestAgain(t *testing.T) {
	seed := rand.Uint64()
	if text := os.Getenv("DOSSIER_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	changes := 0
	for range 200 {
		w := segmenttest.New(r, 2)
		other := segmenttest.New(r, 2)
		set := segment.Set{"base": w.Segment("base")}
		for n := range 8 {
			name := "s" + strconv.Itoa(n)
			set[name] = w.Segment(name, "base")
		}
		live := set.Live()
		evaluator := segment.NewEvaluator(set)
		p, now := w.People[0], w.Now
		before := evaluator.Evaluate(live, p, now, nil, segment.Change{})
		for range 30 {
			var change segment.Change
			switch r.IntN(4) {
			case 0: // an event comes
				events := other.People[r.IntN(2)].Events
				if len(events) == 0 {
					continue
				}
				f := *events[r.IntN(len(events))]
				f.ID = schema.EventID{1, byte(changes), byte(changes >> 8), 6: 0x80, 8: 0x80, 15: byte(r.IntN(256))}
				p.Events = append(p.Events, &f)
				change.Types = []schema.Type{f.Type}
			case 1: // one goes
				if len(p.Events) > 0 {
					i := r.IntN(len(p.Events))
					change.Types = []schema.Type{p.Events[i].Type}
					p.Events = slices.Delete(slices.Clone(p.Events), i, i+1)
				}
			case 2: // the person is another one, with the same events
				from := other.People[r.IntN(2)]
				p.Traits, p.Identifiers, p.Allowed, p.Refused, p.Suppressed, p.Drawn, p.Worth = from.Traits, from.Identifiers, from.Allowed, from.Refused, from.Suppressed, from.Drawn, from.Worth
				change.Person = true
			}
			now += schema.Instant(r.Int64N(40 * 3_600_000_000))
			before = evaluator.Evaluate(live, p, now, before, change)
			for i, of := range live {
				if want := set.Evaluate(of, p, now); want.Member != before[i].Member {
					t.Fatalf("%s at %s: %v, want %v\n%s\nbase %s", of.Name, now, before[i], want, of.Source, set["base"].Source)
				}
			}
			changes++
		}
	}
}
