package identity_test

import (
	"slices"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity"
)

// TestComplaint29_ExplanationsTellThePartition: in every world, every node is in exactly one profile (complaint 27), Why and How tell the partition that
// Resolve made, and each path leads from one persona to the other (complaint 29).
func TestComplaint29_ExplanationsTellThePartition(t *testing.T) {
	first, last := seeds(t, 150, 5000)
	for seed := first; seed <= last; seed++ {
		w := newWorld(seed, 25)
		rules := nastyRules(w.rng)
		m := identity.NewMemory(plainHasher{}, rules)
		for i := range w.events {
			m.Add(&w.events[i], 0)
		}
		resolve(t, m)
		nodes := m.Nodes()
		region, err := identity.Expand(m, rules, nodes)
		if err != nil {
			t.Fatal(err)
		}
		partition := region.Resolve()
		in := map[identity.NodeID]identity.NodeID{}
		for _, p := range partition.Profiles {
			if !slices.Contains(p.Members, p.ID) {
				t.Fatalf("seed %d: profile %s has no member of that id", seed, p.ID)
			}
			for _, member := range p.Members {
				if _, twice := in[member]; twice {
					t.Fatalf("seed %d: %s is in two profiles", seed, member)
				}
				in[member] = p.ID
				if have, _ := m.Profile(member); have != p.ID {
					t.Fatalf("seed %d: %s is in %s when all is resolved at once, in %s by regions", seed, member, p.ID, have)
				}
			}
		}
		if len(in) != len(nodes) {
			t.Fatalf("seed %d: %d of %d personas are in a profile", seed, len(in), len(nodes))
		}
		for _, match := range partition.Possible {
			if in[match.A] != match.A || in[match.B] != match.B || match.A.Compare(match.B) >= 0 || match.Reason == "" {
				t.Fatalf("seed %d: possible match %+v is not of two profiles in order", seed, match)
			}
		}
		for range 10 {
			a, b := nodes[w.rng.IntN(len(nodes))], nodes[w.rng.IntN(len(nodes))]
			small, err := identity.Expand(m, rules, []identity.NodeID{a, b})
			if err != nil {
				t.Fatal(err)
			}
			x := small.Why(a, b)
			if !x.Known || x.ProfileA != in[a] || x.ProfileB != in[b] || x.Same != (in[a] == in[b]) {
				t.Fatalf("seed %d: why %s %s: %+v, but they are in %s and %s", seed, a, b, x, in[a], in[b])
			}
			if !x.Same {
				if x.Reason == "" {
					t.Fatalf("seed %d: apart without a reason: %+v", seed, x)
				}
				continue
			}
			at := a
			for _, step := range x.Path {
				if step.A != at || step.Reason != "" || step.Rule != identity.RuleLink && step.Key.Kind == "" {
					t.Fatalf("seed %d: the path from %s to %s breaks at %s: %+v", seed, a, b, at, x.Path)
				}
				at = step.B
			}
			if at != b {
				t.Fatalf("seed %d: the path from %s ends at %s, not %s", seed, a, at, b)
			}
			joints := 0
			for _, step := range small.How(a) {
				if step.Reason == "" {
					joints++
				}
			}
			members := 0
			for _, p := range in {
				if p == in[a] {
					members++
				}
			}
			if joints != members-1 {
				t.Fatalf("seed %d: %d joints hold %d personas together, want one fewer", seed, joints, members)
			}
		}
	}
}
