package match

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Keys come and go at random, some of few cores and some of very many: the blocks say what a map of sets says.
func TestBlocks(t *testing.T) {
	const keys, steps = 400, 300_000
	rng := rand.New(rand.NewPCG(1, 2))
	var b blocks
	model := map[key][]int32{}
	key := func() key {
		if rng.IntN(8) == 0 {
			return key(rng.IntN(2)) // of nearly all cores, so that all classes of lists are gone through
		}
		return key(rng.IntN(keys)) << 40
	}
	same := func(got, want []int32) {
		t.Helper()
		if len(want) < 2 {
			want = nil
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%d members, want %d", len(got), len(want))
		}
	}
	for step := range steps {
		k := key()
		slot := int32(rng.IntN(200_000))
		if k > 1 {
			slot %= 60
		}
		have := model[k]
		at, found := slices.BinarySearch(have, slot)
		growing := step%(steps/2) < steps/3 // then it shrinks, and once more
		switch {
		case growing && !found:
			model[k] = slices.Insert(have, at, slot)
			same(b.add(k, slot), model[k])
		case !growing && len(have) > 0:
			if !found {
				slot = have[min(at, len(have)-1)]
			}
			model[k] = slices.DeleteFunc(have, func(s int32) bool { return s == slot })
			same(b.drop(k, slot), model[k])
		}
		if got := b.count(k); got != len(model[k]) {
			t.Fatalf("%d cores have key %x, want %d", got, k, len(model[k]))
		}
		if step%1000 == 0 {
			for k, want := range model {
				same(b.members(k), want)
			}
		}
	}
}
