package reputation

import "cmp"

// Cascade is how a mention was passed on: it and everything that names it, directly or through others, as its parent.
type Cascade struct {
	Size     int     // mentions, the first one included
	Depth    int     // the longest way from the first one to another
	Sharers  int     // different authors beside the first one's
	Virality float64 // mean distance of two of its mentions: 2 − 2/size of a star, growing with every hop; 0 of one alone
}

// Cascades follows the parents of mentions that are there once (Latest), by platform and id of the first mention. ok is false if no mention states a parent: then
// the platform does not tell how things spread, and nothing may be said of it. A parent that is not known begins no cascade: its child does. Parents that go in a
// circle, which is bad data, are in no cascade.
//
// Virality is structural virality (S. Goel, A. Anderson, J. Hofman, D. Watts, Management Science 62, 2016). Each edge lies between as many pairs as it parts.
func Cascades(mentions []Mention) (of map[[2]string]Cascade, ok bool) {
	at := make(map[[2]string]int, len(mentions))
	for i, m := range mentions {
		at[[2]string{m.Platform, m.ID}] = i
	}
	parent := make([]int, len(mentions))
	children := make([][]int, len(mentions))
	for i, m := range mentions {
		parent[i] = -1
		if m.Parent == "" {
			continue
		}
		ok = true
		if p, known := at[[2]string{m.Platform, m.Parent}]; known && p != i {
			parent[i] = p
			children[p] = append(children[p], i)
		}
	}
	if !ok {
		return nil, false
	}
	of = map[[2]string]Cascade{}
	for i, m := range mentions {
		if parent[i] < 0 {
			of[[2]string{m.Platform, m.ID}] = cascade(i, mentions, parent, children)
		}
	}
	return of, true
}

func cascade(root int, mentions []Mention, parent []int, children [][]int) Cascade {
	order, depth := []int{root}, map[int]int{root: 0}
	authors := map[string]bool{}
	var c Cascade
	for n := 0; n < len(order); n++ {
		i := order[n]
		c.Depth = max(c.Depth, depth[i])
		if a := mentions[i].Author; a != "" && a != mentions[root].Author {
			authors[a] = true
		}
		for _, child := range children[i] {
			depth[child] = depth[i] + 1
			order = append(order, child)
		}
	}
	c.Size, c.Sharers = len(order), len(authors)
	if c.Size < 2 {
		return c
	}
	below := make(map[int]int, len(order)) // mentions in the subtree
	distances := 0.0
	for n := len(order) - 1; n > 0; n-- {
		i := order[n]
		below[i]++
		below[parent[i]] += below[i]
		distances += float64(below[i]) * float64(c.Size-below[i])
	}
	c.Virality = distances / (float64(c.Size) * float64(c.Size-1) / 2)
	return c
}

// byAttention puts what was passed on most first.
func byAttention(a, b Mention) int {
	return cmp.Or(cmp.Compare(b.Audience.Amplification, a.Audience.Amplification), cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID))
}
