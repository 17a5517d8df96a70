package population

import (
	"testing"

	"pgregory.net/rapid"
)

// TestPermute: a permutation of the numbers below a limit meets each once.
func TestPermute(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		limit, key := rapid.Uint64Range(1, 3000).Draw(r, "limit"), rapid.Uint64().Draw(r, "key")
		seen := map[uint64]bool{}
		for n := range limit {
			image := permute(n, limit, key)
			if image >= limit || seen[image] {
				r.Fatalf("%d of %d becomes %d, beyond the limit or a second time", n, limit, image)
			}
			seen[image] = true
		}
	})
}

// TestLists: every list has what households are drawn from.
func TestLists(t *testing.T) {
	for _, code := range []string{"fr", "gb"} {
		c, err := countryOf(code)
		if err != nil {
			t.Fatal(err)
		}
		for _, era := range eras {
			for sex, list := range c.native.given[era] {
				if len(list.words) < 30 {
					t.Errorf("%s: %d given names of %d, sex %d", code, len(list.words), era, sex)
				}
			}
		}
		if rare := len(c.heads) * len(c.tails); len(c.native.family.words) < 250 || rare < 15_000 || len(c.communes) < 100 || len(c.streets.words) < 80 || len(c.origins) < 2 {
			t.Errorf("%s: %d family names, %d rare ones, %d postcodes, %d streets, %d origins", code, len(c.native.family.words), rare, len(c.communes), len(c.streets.words), len(c.origins))
		}
		for _, o := range c.origins {
			if len(o.given[0][0].words) < 10 || len(o.given[0][1].words) < 10 || len(o.family.words) < 20 {
				t.Errorf("%s: an origin's lists are too short", code)
			}
		}
		postcodes := map[string]bool{}
		for _, commune := range c.communes {
			if postcodes[commune.postcode] {
				t.Errorf("%s: postcode %s twice", code, commune.postcode)
			}
			postcodes[commune.postcode] = true
		}
	}
}
