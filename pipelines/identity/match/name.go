package match

import (
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/identifier/name"
)

var (
	givenLevels  = []string{"same", "nickname", "part", "typo", "garbled", "different", "different_known"}
	familyLevels = []string{"same", "part", "typo", "garbled", "middle", "different"}
)

const (
	givenSame = iota
	givenNickname
	givenPart
	givenTypo
	givenGarbled
	givenDifferent
	givenKnown
)

const (
	familySame = iota
	familyPart
	familyTypo
	familyGarbled
	familyMiddle
	familyDifferent
)

// word is a given or family name with what comparisons need of it.
type word struct {
	spelling
	number    int32 // among the words of its kind
	value     string
	tokens    []string
	frequency Bits
	known     bool   // a given name that many families use
	stands    string // the known given name that it stands for, "" if none
}

// reading is one way to read a name: which words are given, which family. Nil is unknown.
type reading struct {
	given, family *word
	penalty       Bits
	swapped       bool
}

// names compares names. It remembers the words that it met.
type names struct {
	model         *Model
	given, family weights
	givens        map[string]*word
	families      map[string]*word
	known         map[string]bool     // given names; what is listed but a slip of one is none
	byDeletion    map[string][]string // known given names by what is left of them without one letter
	givenSeen     memo
	familySeen    memo
}

// called is a name as it is compared.
type called struct {
	value    string
	readings []reading
	middle   []string
}

const swapPenalty = 4 * bit

func newNames(m *Model, f *Field) *names {
	n := &names{
		model: m, given: f.Given.weights(), family: f.Family.weights(),
		givens: map[string]*word{}, families: map[string]*word{}, byDeletion: map[string][]string{},
	}
	n.known = knownOf(f.Given.Frequencies)
	for known := range n.known {
		for _, d := range deletions(squeeze(known)) {
			n.byDeletion[d] = append(n.byDeletion[d], known)
		}
	}
	return n
}

// slipsFrom is how many times as common a name must be for a word that is one edit away from it, and in no list of given names, to be
// a slip of it. Enough people write the commonest names in the same wrong ways that five families come to bear each of these.
const slipsFrom = 4

// knownOf says which of the listed words are given names: all but the slips of far commoner ones.
func knownOf(frequencies map[string]int) map[string]bool {
	byDeletion := map[string][]string{}
	for listed := range frequencies {
		for _, d := range deletions(squeeze(listed)) {
			byDeletion[d] = append(byDeletion[d], listed)
		}
	}
	slip := func(listed string) bool {
		word := squeeze(listed)
		if name.Known(word) || len(word) < 3 {
			return false
		}
		for _, d := range deletions(word) {
			for _, other := range byDeletion[d] {
				if frequencies[other] >= slipsFrom*frequencies[listed] && distance(word, squeeze(other), 1) == 1 {
					return true
				}
			}
		}
		return false
	}
	known := make(map[string]bool, len(frequencies))
	for listed := range frequencies {
		if !slip(listed) {
			known[listed] = true
		}
	}
	return known
}

func deletions(s string) []string {
	out := []string{s}
	for i := range len(s) {
		out = append(out, s[:i]+s[i+1:])
	}
	return out
}

func (n *names) givenWord(value string) *word {
	if value == "" {
		return nil
	}
	w, ok := n.givens[value]
	if !ok {
		w = &word{spelling: spell(value), number: int32(len(n.givens)), value: value, tokens: strings.Fields(value), frequency: n.given.of(value)}
		w.known = n.known[value]
		w.stands = n.standsFor(w)
		n.givens[value] = w
	}
	return w
}

// standsFor finds the one known given name that is at most one edit away.
func (n *names) standsFor(w *word) string {
	if w.known {
		return w.value
	}
	if len(w.word) < 4 || len(w.word) > longest {
		return ""
	}
	found := ""
	for _, d := range deletions(w.word) {
		for _, known := range n.byDeletion[d] {
			if known == found || distance(w.word, squeeze(known), 1) > 1 {
				continue
			}
			if found != "" {
				return ""
			}
			found = known
		}
	}
	return found
}

func (n *names) familyWord(value string) *word {
	if value == "" {
		return nil
	}
	w, ok := n.families[value]
	if !ok {
		w = &word{spelling: spell(value), number: int32(len(n.families)), value: value, tokens: strings.Fields(value), frequency: n.family.of(value)}
		n.families[value] = w
	}
	return w
}

// read makes a name of its normal form: given|family|middle words, or ?words where it is unknown which is which.
func (n *names) read(value string) *called {
	c := &called{value: value}
	if !strings.HasPrefix(value, "?") {
		p := strings.SplitN(value, "|", 3)
		c.readings = append(c.readings, reading{given: n.givenWord(p[0]), family: n.familyWord(p[1])})
		switch {
		case p[0] != "" && p[1] != "":
			c.readings = append(c.readings, reading{given: n.givenWord(p[1]), family: n.familyWord(p[0]), penalty: swapPenalty, swapped: true})
		case p[0] != "":
			c.readings = append(c.readings, reading{family: n.familyWord(p[0]), penalty: bit, swapped: true})
		case p[1] != "":
			c.readings = append(c.readings, reading{given: n.givenWord(p[1]), penalty: swapPenalty, swapped: true})
		}
		if len(p) > 2 {
			c.middle = strings.Fields(p[2])
		}
		return c
	}
	words := strings.Fields(value[1:])
	if len(words) > 6 {
		words = words[:6]
	}
	if len(words) == 1 {
		c.readings = append(c.readings, reading{given: n.givenWord(words[0])}, reading{family: n.familyWord(words[0])})
		return c
	}
	least := 99 * bit
	for k := 1; k < len(words); k++ {
		a, b := strings.Join(words[:k], " "), strings.Join(words[k:], " ")
		for _, p := range [][2]string{{a, b}, {b, a}} {
			r := reading{given: n.givenWord(p[0]), family: n.familyWord(p[1])}
			if r.given.stands == "" {
				r.penalty += 2 * bit
			}
			if n.givenWord(p[1]).stands != "" {
				r.penalty += 2 * bit
			}
			least = min(least, r.penalty)
			c.readings = append(c.readings, r)
		}
	}
	for i := range c.readings {
		c.readings[i].penalty -= least
	}
	return c
}

// within says whether all words of the shorter of two names stand, nearly, in the longer.
func within(a, b *word) bool {
	x, y := a.tokens, b.tokens
	if len(x) > len(y) {
		x, y = y, x
	}
	if len(y) < 2 {
		return false
	}
	if len(x) == len(y) {
		return all(x, y) && all(y, x)
	}
	return all(x, y)
}

func all(some, of []string) bool {
	for _, s := range some {
		found := false
		for _, t := range of {
			if s == t || len(s) >= 5 && len(t) >= 5 && distance(s, t, 1) <= 1 {
				found = true
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}

func (n *names) compareGiven(a, b *word) verdict {
	if a == b {
		return n.given.verdict(givenSame, a.frequency, !n.given.tf)
	}
	return n.givenSeen.of(a.number, b.number, func() verdict { return n.givenLevel(a, b) })
}

func (n *names) givenLevel(a, b *word) verdict {
	common := max(a.frequency, b.frequency)
	w := &n.given
	switch {
	case a.word == b.word:
		return w.verdict(givenSame, common, !w.tf)
	case name.IsNickname(a.value, b.value) || n.model.variants[[2]string{a.value, b.value}]:
		return w.verdict(givenNickname, 0, true)
	case (len(a.word) == 1 || len(b.word) == 1) && a.word[0] == b.word[0] || within(a, b):
		return w.verdict(givenPart, 0, true)
	case a.known && b.known,
		a.stands != "" && b.stands != "" && a.stands != b.stands && distance(a.word, b.word, 1) > 1:
		return w.verdict(givenKnown, 0, true)
	}
	switch slipOf(&a.spelling, &b.spelling) {
	case typo:
		return w.verdict(givenTypo, common+typoNeighbours, !w.tf)
	case garbled:
		return w.verdict(givenGarbled, min(half, common+garbledNeighbours), !w.tf)
	}
	if len(a.word) >= 3 && len(b.word) >= 3 && (strings.HasPrefix(a.word, b.word) || strings.HasPrefix(b.word, a.word)) {
		return w.verdict(givenPart, 0, true)
	}
	return w.verdict(givenDifferent, 0, true)
}

func (n *names) compareFamily(a, b *word) verdict {
	if a == b {
		return n.family.verdict(familySame, a.frequency, !n.family.tf)
	}
	return n.familySeen.of(a.number, b.number, func() verdict { return n.familyLevel(a, b) })
}

func (n *names) familyLevel(a, b *word) verdict {
	common := max(a.frequency, b.frequency)
	w := &n.family
	switch {
	case a.word == b.word:
		return w.verdict(familySame, common, !w.tf)
	case within(a, b):
		return w.verdict(familyPart, common+partNeighbours, !w.tf)
	}
	switch slipOf(&a.spelling, &b.spelling) {
	case typo:
		return w.verdict(familyTypo, common+typoNeighbours, !w.tf)
	case garbled:
		return w.verdict(familyGarbled, min(half, common+garbledNeighbours), !w.tf)
	}
	return w.verdict(familyDifferent, 0, true)
}

// compare weighs two names under the readings that fit best.
func (n *names) compare(a, b *called) verdict {
	best := verdict{weight: -2 * limit}
	found := false
	for i := range a.readings {
		for j := range b.readings {
			x, y := &a.readings[i], &b.readings[j]
			if x.swapped && y.swapped {
				continue
			}
			r := verdict{weight: -x.penalty - y.penalty, household: -x.penalty - y.penalty, level: -1, second: -1}
			if x.given != nil && y.given != nil {
				v := n.compareGiven(x.given, y.given)
				r.weight += v.weight
				r.household += v.household
				r.level = v.level
			}
			if x.family != nil && y.family != nil {
				v := n.compareFamily(x.family, y.family)
				if v.level == familyDifferent && (isMiddle(b, x.family) || isMiddle(a, y.family)) {
					v = n.family.verdict(familyMiddle, max(x.family.frequency, y.family.frequency)+crossNeighbours, !n.family.tf)
				}
				r.weight += v.weight
				r.household += v.household
				r.second = v.level
			}
			if !found || r.before(&best) {
				best, found = r, true
			}
		}
	}
	if len(a.middle) > 0 && len(b.middle) > 0 {
		w := n.middles(a, b)
		best.weight += w
		best.household += w
	}
	best.weight, best.household = clamp(best.weight), clamp(best.household)
	best.forbids = n.forbids(&best)
	return best
}

// before orders verdicts of rival readings: the likelier first, then by what else they say, so that ties do not depend on sides.
func (v *verdict) before(w *verdict) bool {
	switch {
	case v.weight != w.weight:
		return v.weight > w.weight
	case v.household != w.household:
		return v.household > w.household
	case v.level != w.level:
		return v.level < w.level
	}
	return v.second < w.second
}

func (n *names) middles(a, b *called) Bits {
	best := Bits(0)
	for _, x := range a.middle {
		for _, y := range b.middle {
			if x == y || name.IsNickname(x, y) || len(x) > 3 && len(y) > 3 && distance(x, y, 1) <= 1 {
				common := max(n.family.of(x), n.family.of(y), n.given.of(x), n.given.of(y))
				best = max(best, min(5*bit, half-common))
			}
		}
	}
	if best > 0 {
		return best
	}
	return -700
}

func isMiddle(c *called, family *word) bool {
	for _, m := range c.middle {
		if m == family.value || len(m) > 4 && len(family.value) > 4 && distance(m, family.value, 1) <= 1 {
			return true
		}
	}
	return false
}

// forbids says whether the two names cannot be one person's, whatever mailbox, phone and address they share.
func (n *names) forbids(v *verdict) bool {
	return v.level >= 0 && n.given.forbids[v.level] || v.level == givenGarbled && v.second == familyDifferent && n.given.forbids[givenDifferent]
}
