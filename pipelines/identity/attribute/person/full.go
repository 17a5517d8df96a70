package person

import (
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/given"
)

// full reads a full name in one field. Which part is the family name is decided by, in this order: a comma after it ("Dupont, Jean"), words in
// capitals among others ("DUPONT Jean"), particles ("Jean de la Tour"), initials ("J. Dupont"), and known given names. If these leave it open, the
// given name is taken to come first unless the other is the commoner given name, and the name is Unsplit.
func (n *Name) full(s string, english bool) (gender Gender) {
	if len(s) > longestField {
		s = s[:longestField] // cut to whole characters when it is read
	}
	s = n.aside(s)
	var head, tail sentence
	before, after, comma := strings.Cut(s, ",")
	if comma {
		tail.cut(after)
		if tail.n > 0 && honour(tail.words[0]) {
			// What follows is an honour: "Elizabeth Wilmot, Countess of Rochester".
			words, g := untitled(tail.words[:tail.n], true, !english)
			gender = g
			if len(words) > 0 && suffixes[words[0].text] != "" {
				n.Suffix, words = suffixes[words[0].text], words[1:]
			}
			n.Further = strings.TrimSpace(n.Further + " " + join(words))
			tail.n = 0
		}
	}
	head.cut(before)
	words, g := untitled(head.words[:head.n], false, !english)
	gender = max(gender, g)
	if tail.n > 0 {
		givens, g := untitled(tail.words[:tail.n], false, !english)
		gender = max(gender, g)
		if len(givens) > 0 && len(words) > 0 {
			givens = n.takeSuffix(givens)
			n.family(n.takeSuffix(words))
			n.givens(givens)
			return gender
		}
		words = append(words, givens...)
	}
	words = n.takeSuffix(words)
	// A name at birth or by marriage is the end of a full name.
	for i := 1; i+1 < len(words); i++ {
		w := words[i].text
		switch {
		case birth[w] || w == "ne":
			n.Maiden = join(words[i+1:])
			words = words[:i]
		case marriage[w] && i > 1:
			at := n.split(words[:i], english)
			n.Maiden, n.Family = n.Family, join(words[i+1:])
			n.Unsplit = n.Unsplit && at
			return gender
		}
	}
	n.split(words, english)
	return gender
}

// aside takes what stands in parentheses out of a full name: a name at birth, or further names.
func (n *Name) aside(s string) string {
	open := strings.IndexByte(s, '(')
	if open < 0 {
		return s
	}
	inside, after, _ := strings.Cut(s[open+1:], ")")
	var t sentence
	t.cut(inside)
	words, _ := untitled(t.words[:t.n], false, false)
	if len(words) > 1 && (birth[words[0].text] || words[0].text == "ne") {
		n.Maiden = join(words[1:])
	} else {
		n.Further = strings.TrimSpace(n.Further + " " + join(words))
	}
	return s[:open] + " " + after
}

// honour says whether what follows a comma is a title, not a given name.
func honour(w word) bool {
	_, title := titles[w.text]
	return w.ordinal || title && w.text != "m" || ranks[w.text] || suffixes[w.text] != ""
}

// givens takes given names: the first, and the further ones.
func (n *Name) givens(words []word) {
	first := leading(words)
	n.Given = join(words[:first])
	if rest := join(words[first:]); rest != "" {
		n.Further = strings.TrimSpace(rest + " " + n.Further)
	}
}

// split tells given names from the family name in words without titles. It says whether it had to guess.
func (n *Name) split(words []word, english bool) (guess bool) {
	// Words joined by hyphens are one unit.
	var units [mostWords + 1]int // where each unit starts, and the end
	count := 0
	for i := range words {
		if !words[i].hyphen || i == 0 {
			units[count] = i
			count++
		}
	}
	units[count] = len(words)
	unit := func(i, j int) []word { return words[units[i]:units[j]] }
	switch {
	case count == 0:
		return false
	case count == 1:
		if known(unit(0, 1)) > 0 {
			n.givens(words)
		} else {
			n.Family = join(words)
		}
		n.Unsplit = true
		return true
	}
	if n.byCapitals(words) {
		return false
	}
	at := func(i int) string { return words[units[i]].text }
	single := func(i int) bool { return units[i+1]-units[i] == 1 }
	// A particle in the middle starts the family name.
	for i := 1; i+1 < count; i++ {
		if single(i) && particles[at(i)] && !(at(i) == "ben" && english) {
			if i == 1 && known(unit(0, 1)) == 0 && known(unit(count-1, count)) > 0 && !particles[at(0)] {
				continue // "Dupont de Nemours Jean"
			}
			for i > 1 && known(unit(i-1, i)) == 0 {
				i-- // "Eliane Correia da Cunha"
			}
			n.givens(unit(0, i))
			n.Family = join(unit(i, count))
			if particles[at(0)] && opening[at(0)] {
				break // "de la Tour Jean": not after all
			}
			return false
		}
	}
	n.Given, n.Family = "", ""
	if single(0) && opening[at(0)] && known(unit(0, 1)) < given.Unranked {
		i := 1
		for i+1 < count && single(i) && particles[at(i)] {
			i++
		}
		i++ // the word that the particles belong to
		for i < count && known(unit(i, count)) == 0 && i+1 < count {
			i++
		}
		n.Family = join(unit(0, i))
		if i < count {
			n.givens(unit(i, count))
			n.Unsplit = known(unit(i, count)) == 0
		}
		return n.Unsplit
	}
	return n.byKnown(words, units[:count+1], english)
}

// byCapitals reads a name whose family name is in capitals and the rest is not. Particles before the capitals belong to them.
func (n *Name) byCapitals(words []word) bool {
	first, last, capitals, others := -1, -1, 0, 0
	for i, w := range words {
		switch {
		case w.capital:
			if first < 0 {
				first = i
			}
			last = i
			capitals++
		case len(w.text) > 1 || w.hyphen:
			others++
		}
	}
	if capitals == 0 || last-first+1 != capitals || capitals == len(words) {
		return false
	}
	if others == 0 && capitals > 1 {
		return false // all in capitals: initials cannot be told from them
	}
	for first > 0 && particles[words[first-1].text] && !words[first-1].hyphen && first > 1 {
		first--
	}
	var rest [mostWords]word
	givens := append(append(rest[:0], words[:first]...), words[last+1:]...)
	if len(givens) == 0 {
		return false
	}
	n.family(words[first : last+1])
	n.givens(givens)
	return true
}

// byKnown reads a name of two units or more by known given names and initials.
func (n *Name) byKnown(words []word, units []int, english bool) (guess bool) {
	count := len(units) - 1
	unit := func(i, j int) []word { return words[units[i]:units[j]] }
	class := func(i int) uint8 { return known(unit(i, i+1)) }
	first, last := class(0), class(count-1)
	turned := false
	// meant is the class of the known given name that a unit may be a slip away from.
	meant := func(i int) uint8 {
		if units[i+1]-units[i] == 1 {
			if name, ok := given.Resolve(words[units[i]].text); ok {
				e, _ := given.Find(name)
				return e.Class() + 1
			}
		}
		return given.Unranked + 1
	}
	switch {
	case first == 0 && last == 0:
		guess = true
		turned = meant(count-1) < meant(0)
	case first > 0 && last > 0:
		guess = true
		turned = last+3 <= first
	default:
		// One of them is a known given name, as some family names are too: "Roand Evrard" is Roland.
		turned = first == 0
		at, other := first, count-1
		if turned {
			at, other = last, 0
		}
		if at > given.Common-2 {
			if m := meant(other); m+2 <= at {
				guess, turned = true, !turned
			}
		}
	}
	n.Unsplit = guess
	if turned {
		i := count - 1
		for !guess && i > 1 && class(i-1) > 0 {
			i--
		}
		n.family(unit(0, i))
		n.givens(unit(i, count))
		return guess
	}
	// Given names go on as long as known ones follow, but the last unit is family.
	i := 1
	for i < count-1 && (class(i) > 0 || english) {
		i++
	}
	n.givens(unit(0, i))
	n.family(unit(i, count))
	return guess
}

// known is the class of a unit as a given name: 0 if it is none, 1 for an initial or the commonest name, up to given.Unranked.
func known(words []word) uint8 {
	worst := uint8(0)
	for _, w := range words {
		if len(w.text) == 1 {
			worst = max(worst, 1)
			continue
		}
		e, ok := given.Find(w.text)
		if !ok {
			if compact(w.text) {
				worst = max(worst, 1)
				continue
			}
			return 0
		}
		worst = max(worst, e.Class())
	}
	return worst
}
