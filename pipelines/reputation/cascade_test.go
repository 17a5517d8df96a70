package reputation

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// By hand: a star of 5 has virality 2 − 2/5 = 1.6; a chain of 4 has distances 1 1 1 2 2 3 over 6 pairs, 10/6.
func TestCascades(t *testing.T) {
	var mentions []Mention
	add := func(id, parent, author string) {
		mentions = append(mentions, Mention{Platform: "twitter", ID: id, Parent: parent, Author: author})
	}
	add("s", "", "brand")
	for i := range 4 {
		add(fmt.Sprint("s", i), "s", fmt.Sprint("fan", i/2))
	}
	add("c0", "gone", "a")
	for i := range 3 {
		add(fmt.Sprint("c", i+1), fmt.Sprint("c", i), "a")
	}
	add("x", "y", "a")
	add("y", "x", "a") // a circle
	add("alone", "", "b")
	of, ok := Cascades(mentions)
	key := func(id string) [2]string { return [2]string{"twitter", id} }
	if want := (Cascade{5, 1, 2, 1.6}); !ok || len(of) != 3 || of[key("s")] != want {
		t.Errorf("the star is %+v, want %+v; %d cascades", of[key("s")], want, len(of))
	}
	if c := of[key("c0")]; c.Size != 4 || c.Depth != 3 || c.Sharers != 0 || math.Abs(c.Virality-10./6) > 1e-12 {
		t.Errorf("the chain is %+v", c)
	}
	if c := of[key("alone")]; c != (Cascade{Size: 1}) {
		t.Errorf("one alone is %+v", c)
	}
	if of, ok := Cascades(mentions[:1]); ok || of != nil {
		t.Errorf("without parents: %v", of)
	}
	// A random tree, its distances counted pair by pair.
	r := rand.New(rand.NewPCG(seed(t), 6))
	for range 50 {
		n := 2 + r.IntN(40)
		tree := []Mention{{Platform: "p", ID: "0", Parent: "not known"}}
		up := []int{-1}
		for i := 1; i < n; i++ {
			up = append(up, r.IntN(i))
			tree = append(tree, Mention{Platform: "p", ID: fmt.Sprint(i), Parent: fmt.Sprint(up[i])})
		}
		total := 0
		for a := range n {
			for b := range a {
				for x, y := a, b; x != y; total++ { // the later one is never above the earlier one
					if x > y {
						x = up[x]
					} else {
						y = up[y]
					}
				}
			}
		}
		r.Shuffle(n, func(i, j int) { tree[i], tree[j] = tree[j], tree[i] })
		of, _ := Cascades(tree)
		if c := of[[2]string{"p", "0"}]; c.Size != n || math.Abs(c.Virality-2*float64(total)/float64(n*(n-1))) > 1e-9 {
			t.Fatalf("a tree of %d is %+v, want distances of %d", n, c, total)
		}
	}
}

func TestReviews(t *testing.T) {
	out := Reviewed([]Review{{"a", 9, 1, 0}, {"b", 5, 2, 0}, {"c", 1, 1, 8}, {"d", 1, 5, 0}, {"e", 1, 4, 0}, {"f", 1, 3, 0}, {"g", 1, 0, 0}})
	if out.Ratings != [5]int64{2, 1, 1, 1, 1} || out.Invalid != 1 || out.Negative != 3 || out.Positive.Value != 2./6 || out.Replied.Value != 1./3 ||
		len(out.Unanswered) != 2 || out.Unanswered[0].ID != "b" || math.Abs(out.Mean()-16./6) > 1e-12 {
		t.Errorf("%+v, mean %v", out, out.Mean())
	}
	few := Reviewed([]Review{{"a", 1, 5, 0}})
	var reviews []Review
	for i := range 200 {
		reviews = append(reviews, Review{ID: fmt.Sprint(i), Rating: 3 + min(i%10, 2)}) // 9 of 10 are 4 or 5
	}
	if many := Reviewed(reviews); few.Positive.Value <= many.Positive.Value || few.Positive.Low >= many.Positive.Low {
		t.Errorf("one review of 5 is %+v, two hundred are %+v", few.Positive, many.Positive)
	}
	if r := Reviewed(nil); r.Positive.Known() || !math.IsNaN(r.Mean()) {
		t.Errorf("of nothing %+v", r)
	}
}
