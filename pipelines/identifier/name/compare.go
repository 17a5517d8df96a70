package name

import (
	"slices"
	"strings"
)

// Relation says how far two names can be one person's.
type Relation uint8

// The relations, weakest first.
const (
	// Missing: a side gives nothing to compare.
	Missing Relation = iota
	// Different: two different known given names, the man's and the woman's form of one, or names that are nothing alike.
	Different
	// Apart: different, but one is not known and may be a garbled form of the other.
	Apart
	// Part: an initial, or one part of a compound name.
	Part
	// Near: a nickname, a typo, or the same sound.
	Near
	// Same: the same name.
	Same
)

func (r Relation) String() string {
	return [...]string{"missing", "different", "apart", "part", "near", "same"}[r]
}

// Given compares two folded given names.
func Given(a, b string) Relation {
	if a == "" || b == "" {
		return Missing
	}
	x, y := squeeze(a), squeeze(b)
	switch {
	case x == y:
		return Same
	case IsNickname(a, b):
		return Near
	case len(x) == 1 || len(y) == 1:
		if x[0] == y[0] {
			return Part
		}
		return Different
	}
	known := knownWord(a) && knownWord(b)
	if part(a, b) {
		return Part
	}
	if known {
		if gendered(x, y) {
			return Different
		}
		if Sound(a) == Sound(b) {
			return Near
		}
		// A rare name that is an edit away from another is as often a slip of the hand.
		if (!common(a) || !common(b)) && (typo(x, y) || scrambled(x, y)) {
			return Near
		}
		return Different
	}
	switch {
	case typo(x, y), Sound(a) == Sound(b) && len(Sound(a)) > 2, scrambled(x, y):
		return Near
	case min(len(x), len(y)) >= 3 && (strings.HasPrefix(x, y) || strings.HasPrefix(y, x)):
		return Part
	case alike(x, y):
		return Apart
	}
	return Different
}

// alike says whether a word could be a badly garbled form of another: the same sounds in its consonants, or most letters in common.
func alike(x, y string) bool {
	if p, q := Skeleton(x), Skeleton(y); p == q || len(p) >= 3 && len(q) >= 3 && p[:3] == q[:3] {
		return true
	}
	const most = 4
	d := distance(x, y, most)
	return d <= most && 2*d <= max(len(x), len(y))
}

// Family compares two folded family names. Different family names are Apart, never Different: people marry.
func Family(a, b string) Relation {
	if a == "" || b == "" {
		return Missing
	}
	x, y := squeeze(a), squeeze(b)
	switch {
	case x == y:
		return Same
	case part(a, b):
		return Part
	case typo(x, y), Sound(a) == Sound(b) && len(Sound(a)) > 2, scrambled(x, y):
		return Near
	}
	return Apart
}

// Compare compares two names: their given names, or, if that fits better, one name the wrong way round. A full name that
// could not be split fits either way.
func Compare(a, b Name) Relation {
	straight := Given(a.Given, b.Given)
	if straight >= Part {
		return straight
	}
	if a.Given != "" && a.Family != "" && b.Given != "" && b.Family != "" {
		if g, f := Given(a.Given, b.Family), Given(a.Family, b.Given); g >= Near && f >= Near {
			return Near
		}
	}
	if a.Unsplit || b.Unsplit {
		// One of them is a guess. It is the other way round, or a lone word.
		turned := max(Given(a.Family, b.Given), Given(a.Given, b.Family))
		if turned >= Near {
			return Part
		}
		if straight == Different {
			return Apart
		}
	}
	return straight
}

// part says whether the words of one name are all among the other's, and it has fewer.
func part(a, b string) bool {
	short, long := strings.Fields(a), strings.Fields(b)
	if len(short) > len(long) {
		short, long = long, short
	}
	if len(long) < 2 || len(short) == len(long) {
		return false
	}
	for _, w := range short {
		if !slices.ContainsFunc(long, func(l string) bool {
			return l == w || len(w) == 1 && l[0] == w[0] || len(w) >= 5 && distance(l, w, 1) <= 1
		}) {
			return false
		}
	}
	return true
}

// gendered says whether two names are the man's and the woman's form of one: Michel and Michelle, René and Renée. They sound
// alike and are two people.
func gendered(x, y string) bool {
	if len(x) > len(y) {
		x, y = y, x
	}
	if x+"e" == y {
		return true
	}
	n := len(x)
	if n >= 3 && y == x+x[n-1:]+"e" {
		return true
	}
	return strings.HasSuffix(x, "c") && y == x[:n-1]+"que"
}

// typo says whether two words are an edit apart, or two if they are long.
func typo(x, y string) bool {
	n := min(len(x), len(y))
	switch d := distance(x, y, 2); {
	case d <= 1:
		return n >= 3
	case d == 2:
		return n >= 7
	}
	return false
}

func scrambled(x, y string) bool {
	if len(x) != len(y) || len(x) < 4 {
		return false
	}
	a, b := []byte(x), []byte(y)
	slices.Sort(a)
	slices.Sort(b)
	return string(a) == string(b)
}

// distance is the number of edits (insert, delete, replace, swap of neighbours) between two words, by bytes; limit+1 if there
// are more.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	const longest = 64
	if len(a) >= longest || len(b) >= longest {
		if a == b {
			return 0
		}
		return limit + 1
	}
	var before, last, row [longest]int
	for j := range len(b) + 1 {
		last[j] = j
	}
	leastBefore := 0
	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(last[j-1]+cost, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, before[j-2]+1)
			}
			row[j] = d
			least = min(least, d)
		}
		// A swap reaches back two rows.
		if least > limit && leastBefore > limit {
			return limit + 1
		}
		leastBefore = least
		before, last = last, row
	}
	return min(last[len(b)], limit+1)
}
