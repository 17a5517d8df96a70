package care

import (
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// A set that grows contact by contact, with copies and texts that are read anew among them, gives at every step what a fold of the whole set gives; and a folder
// keeps nothing of the sets that it has folded before.
func TestFolderAgain(t *testing.T) {
	worlds := 100
	if os.Getenv("DOSSIER_PROVE") != "" {
		worlds = 10_000
	}
	rules := DefaultRules()
	folder := NewFolder(rules)
	for seed := range uint64(worlds) {
		r := rand.New(rand.NewPCG(seed, 31))
		contacts := random(r, 2+r.IntN(40))
		var order []*Contact
		for i := range contacts {
			order = append(order, &contacts[i])
			if r.IntN(8) == 0 {
				again := contacts[i]
				if again.Said != nil {
					again.Said = said(r)
				}
				order = append(order, &again)
			}
		}
		r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		var set []*Contact
		for step, c := range order {
			set, _, _ = Insert(set, c)
			if r.IntN(4) == 0 { // a batch brings several
				continue
			}
			whole := make([]Contact, len(set))
			for i, c := range set {
				whole[i] = *c
			}
			r.Shuffle(len(whole), func(i, j int) { whole[i], whole[j] = whole[j], whole[i] })
			if got, want := text(t, folder.Fold(set)), text(t, Fold(whole, rules)); got != want {
				t.Fatalf("seed %d, step %d: got\n%s\nwant\n%s", seed, step, got, want)
			}
		}
	}
}

// Links that are stored keep leading where they did.
func TestLinkIsFNV(t *testing.T) {
	for _, parts := range [][]string{{""}, {"thread", "t-1"}, {"account", "desk", string(make([]byte, 16)), "email"}, {"message", "é", "\x00\xff"}} {
		h := fnv.New128a()
		for _, p := range parts {
			h.Write(append([]byte(p), 0xff)) // it never fails
		}
		if got := link(parts...); !slices.Equal(got[:], h.Sum(nil)) {
			t.Errorf("the link of %q is %x, want %x", parts, got, h.Sum(nil))
		}
	}
}
