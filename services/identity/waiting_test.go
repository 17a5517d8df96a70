package identity

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/sighting"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// What is stored is the same whether personas who say again what they said are in memory, are read for it, or are left on disk: with commits anywhere, later events that
// bring news, and erasures between.
func TestWaitingSightings(t *testing.T) {
	first, last := seeds(t, 10, 300)
	waited := 0
	for seed := first; seed <= last; seed++ {
		rng := rand.New(rand.NewPCG(seed, 9))
		events := newWorld(seed, 100).events
		for n := len(events); len(events) < 6*n; { // most say again what was said, later or not
			e := events[rng.IntN(len(events))]
			if e.Assertion == nil {
				e.OccurredAt += schema.Instant(rng.IntN(5)-1) * day
				if rng.IntN(6) == 0 {
					e.Identifiers = append(slices.Clone(e.Identifiers), schema.Identifier{Kind: "order_id", Value: fmt.Sprint(rng.IntN(50)), Assurance: schema.AssuranceVerified})
				}
				events = append(events, named(e))
			}
		}
		kept := make([]string, 3)
		for way := range kept {
			rng := rand.New(rand.NewPCG(seed, 10)) // commits and erasures are the same
			log := newLog("c", 1)
			c := Config{Workspace: workspace, Log: log, Feed: log, Hash: NewHasher(prf), Store: state.Options{FS: vfs.NewMem(), Logger: quiet}}
			p, err := openProjection(t.Context(), "state", &c, identity.DefaultRules(), weighing{})
			must(t, err)
			p.built = true
			for i := range events {
				switch way {
				case 0:
					p.graph.nodes.limit = 0 // whoever is not seen in two commits leaves
				case 1:
					p.heard = sighting.NewHeard(1, maphash.MakeSeed())
				}
				must(t, p.fold(&events[i], schema.Instant(i+1)))
				if rng.IntN(12) == 0 {
					waited += len(p.graph.waiting)
					must(t, p.commit())
				}
				if rng.IntN(150) == 0 {
					must(t, p.erase(schema.PersonaEpoch{Persona: events[rng.IntN(len(events))].Persona}, 2*day))
				}
			}
			must(t, p.commit())
			kept[way] = told(t, p)
			must(t, p.close())
		}
		if kept[0] != kept[1] || kept[1] != kept[2] {
			t.Fatalf("DOSSIER_SEED=%d: with few personas in memory\n%s\nwith each read\n%s\nwith all in memory\n%s", seed, kept[0], kept[1], kept[2])
		}
	}
	t.Logf("%d times sightings waited beside a row", waited)
	if waited < 100 {
		t.Error("so seldom that the test says little")
	}
}

// told is what the rows of personas say.
func told(t *testing.T, p *projection) string {
	t.Helper()
	var out strings.Builder
	must(t, p.store.Scan([]byte{'p'}, []byte{'p' + 1}, func(key, value []byte) error {
		n, err := decodeNode(identity.NodeID(key[1:]), value)
		if err != nil {
			return err
		}
		known, err := n.known()
		if err != nil {
			return err
		}
		evidence, err := n.evidence.AppendBinary(nil)
		fmt.Fprintf(&out, "%x %+v %x %x\n", key, n.place, evidence, known.AppendBinary(nil))
		return err
	}))
	return out.String()
}
