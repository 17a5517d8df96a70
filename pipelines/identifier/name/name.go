// Package name reads and compares names of people: which part is the given name, which names are known given names, how a name
// sounds in French, and whether two names can be one person's.
//
// Everything is a pure function of its input and of the lists of package given.
package name

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Name is a person's name in folded form. Unsplit is set if the parts of a full name could not be told apart, so that they
// may be the wrong way round.
type Name struct {
	Given, Family string
	Unsplit       bool
}

var titles = set("m mr mme mlle mrs ms miss dr pr prof docteur professeur monsieur madame mademoiselle sir rev me maitre herr frau senor senora sig signora jr sr mm")

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// Of makes a name of its parts as a source gave them. Titles are dropped.
func Of(given, family string) Name {
	return Name{Given: clean(given), Family: clean(family)}
}

func clean(s string) string {
	s = Fold(s)
	if !strings.Contains(s, " ") {
		if titles[s] {
			return ""
		}
		return s
	}
	words := strings.Fields(s)
	for len(words) > 1 && titles[words[0]] {
		words = words[1:]
	}
	return strings.Join(words, " ")
}

var particles = set("de da du des del della di d le la les van von der den dos el al ben bin ould ait saint st")

// Split reads a full name. Words in capitals among others are the family name; before a comma stands the family name; else known
// given names decide; else the first word is taken as given, and the name is Unsplit.
func Split(full string) Name {
	if before, after, ok := strings.Cut(full, ","); ok && strings.TrimSpace(after) != "" {
		if n := Of(after, before); n.Given != "" && n.Family != "" {
			return n
		}
	}
	type word struct {
		folded  string
		capital bool
	}
	var words []word
	capitals := 0
	for _, w := range strings.Fields(full) {
		f := Fold(w)
		if f == "" || titles[f] {
			continue
		}
		capital := utf8.RuneCountInString(w) > 1 && strings.ToUpper(w) == w && !strings.ContainsFunc(w, unicode.IsLower) && strings.ContainsFunc(w, unicode.IsUpper)
		if strings.HasSuffix(w, ".") {
			capital = false
		}
		if capital {
			capitals++
		}
		words = append(words, word{f, capital})
	}
	join := func(pick func(i int) bool) string {
		var parts []string
		for i, w := range words {
			if pick(i) {
				parts = append(parts, w.folded)
			}
		}
		return strings.Join(parts, " ")
	}
	switch {
	case len(words) == 0:
		return Name{}
	case len(words) == 1:
		if Known(words[0].folded) {
			return Name{Given: words[0].folded, Unsplit: true}
		}
		return Name{Family: words[0].folded, Unsplit: true}
	case capitals > 0 && capitals < len(words):
		return Name{Given: join(func(i int) bool { return !words[i].capital }), Family: join(func(i int) bool { return words[i].capital })}
	}
	first, last := knownWord(words[0].folded), knownWord(words[len(words)-1].folded)
	n := Name{Unsplit: first == last}
	if last && !first {
		n.Given = words[len(words)-1].folded
		n.Family = join(func(i int) bool { return i < len(words)-1 })
		return n
	}
	// Given names go on as long as known ones follow, but the last word, and what a particle starts, is family.
	split := 1
	for split < len(words)-1 && knownWord(words[split].folded) && !particles[words[split].folded] {
		split++
	}
	n.Given = join(func(i int) bool { return i < split })
	n.Family = join(func(i int) bool { return i >= split })
	return n
}

// knownWord says whether every part of a hyphened word is a known given name.
func knownWord(folded string) bool {
	for part := range strings.SplitSeq(folded, " ") {
		if !Known(part) {
			return false
		}
	}
	return true
}
