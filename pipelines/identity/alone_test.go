package identity_test

import (
	"reflect"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity"
)

// TestShortWayIsTheWalk: what Update says of any single node, which it may know to be alone without a walk, is what the region that Expand
// walks says.
func TestShortWayIsTheWalk(t *testing.T) {
	first, last := seeds(t, 300, 5000)
	single := 0
	for seed := first; seed <= last; seed++ {
		w := newWorld(seed, 5+int(seed%60))
		rules := nastyRules(w.rng)
		m := identity.NewMemory(plainHasher{}, rules)
		for i := range w.events {
			m.Add(&w.events[i], 0)
		}
		for _, id := range m.Nodes() {
			walked, err := identity.Expand(m, rules, []identity.NodeID{id})
			if err != nil {
				t.Fatal(err)
			}
			want := walked.Resolve()
			err = identity.Update(m, rules, []identity.NodeID{id}, func(r *identity.Region, got *identity.Partition) error {
				if r.Nodes() != walked.Nodes() || !reflect.DeepEqual(got, want) {
					t.Fatalf("DOSSIER_SEED=%d: node %s: got %v, want %v", seed, id, got, want)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if walked.Nodes() == 1 {
				single++
			}
		}
	}
	if single == 0 {
		t.Error("nobody was alone")
	}
}
