package person

import (
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/given"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/script"
)

// Parts are the fields in which a source gives one name, each possibly empty, as it gave them.
type Parts struct {
	Given, Further, Family, Maiden, Suffix string
	// Full is a full name in one field, in any order. Where given or family name is stated too, it only adds what they leave out.
	Full string
	// English is set if the source's country speaks English: an M. is an initial there, and a name in the middle a second given name.
	English bool
	// Unsplit is set if Given and Family are themselves a guess.
	Unsplit bool
}

// Of reads a name of its parts, and the gender that titles in it say.
func Of(p Parts) (n Name, gender Gender) {
	n.Maiden = familyWords(p.Maiden)
	n.Further = furtherWords(p.Further)
	if s := script.Fold(p.Suffix); s != "" {
		n.Suffix = suffixOf(s)
	}
	n.Unsplit = p.Unsplit
	if p.Given != "" || p.Family != "" {
		gender = max(n.givenField(p.Given), n.familyField(p.Family))
	}
	switch {
	case p.Full == "":
	case n.Given == "" && n.Family == "":
		gender = max(gender, n.full(p.Full, p.English))
	default:
		gender = max(gender, n.more(p.Full, p.English))
	}
	return n.tidy(), gender
}

// tidy drops what says nothing and what is said twice.
func (n Name) tidy() Name {
	if compact(n.Given) {
		n.Given = n.Given[:1] + " " + n.Given[1:]
	}
	n.Further = furtherWords(n.Further)
	if n.Maiden == n.Family {
		n.Maiden = ""
	}
	if n.Given == "" && n.Family == "" {
		n.Unsplit = false
	}
	return n
}

func suffixOf(folded string) string {
	if s, ok := suffixes[folded]; ok {
		return s
	}
	switch folded {
	case "2", "3", "4":
		return folded
	}
	return ""
}

// untitled drops titles, ordinals and joints from words that are beside others, and says the gender of the titles. What follows a comma
// or an ordinal may have ranks too.
func untitled(words []word, ranked, monsieur bool) (kept []word, gender Gender) {
	kept = words[:0]
	for i, w := range words {
		g, title := titles[w.text]
		switch {
		case w.ordinal:
			continue
		case w.hyphen || i+1 < len(words) && words[i+1].hyphen: // part of a compound
		case w.text == "m" && (!monsieur || i > 0):
		case title:
			gender = max(gender, g)
			continue
		case joints[w.text]:
			continue
		case ranks[w.text] && (ranked || i > 0 && words[i-1].ordinal || i+1 < len(words) && words[i+1].text == "of"):
			continue
		}
		kept = append(kept, w)
	}
	return kept, gender
}

// givenField reads a field of given names.
func (n *Name) givenField(s string) (gender Gender) {
	if simple(s) && !strings.Contains(s, "-") {
		folded := script.Fold(s)
		if g, title := titles[folded]; title && folded != "m" {
			return g
		}
		if w := trim(folded); len(w) == len(folded) {
			n.Given = w
			return 0
		}
	}
	var t sentence
	t.cut(s)
	words, gender := untitled(t.words[:t.n], false, false)
	words = n.takeSuffix(words)
	first := leading(words)
	n.Given = join(words[:first])
	if rest := join(words[first:]); rest != "" {
		n.Further = strings.TrimSpace(rest + " " + n.Further)
	}
	return gender
}

// simple says whether a field is one plain word.
func simple(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-':
		case c >= 0xc3 && c <= 0xc5, c >= 0x80 && c < 0xc0: // accented Latin letters in UTF-8
		default:
			return false
		}
	}
	return len(s) <= longestWord
}

// compact says whether a word is a compound of two initials, as Jean-Pierre is JP for short.
func compact(w string) bool {
	return len(w) == 2 && (w[0] == 'j' || w[0] == 'm') && strings.IndexByte("aeiouyr", w[1]) < 0
}

// leading says how many words the first given name has: all that hyphens join, or a compound written without.
func leading(words []word) int {
	if len(words) == 0 {
		return 0
	}
	k := 1
	for k < len(words) && words[k].hyphen {
		k++
	}
	if k == 1 && len(words) > 1 && compound(words[0].text, words[1].text) {
		k = 2
		for k < len(words) && words[k].hyphen {
			k++
		}
	}
	return k
}

// compound says whether two words are one given name without its hyphen: a known one, or what starts with Jean or Marie, or with Anne or
// Pierre before another given name, as most of them do.
func compound(a, b string) bool {
	if len(b) < 2 {
		return false
	}
	switch a {
	case "jean", "marie":
		return true
	case "anne", "pierre":
		return given.Known(b)
	}
	if len(a)+len(b) > longestWord {
		return false
	}
	_, ok := given.Find(a + " " + b)
	return ok
}

// familyField reads a field of the family name: "MARTIN", "de la Tour", "Durand née Martin", "Martin ép. Durand", "Smith Jr".
func (n *Name) familyField(s string) (gender Gender) {
	if simple(s) && !strings.Contains(s, "-") {
		folded := script.Fold(s)
		if w := trim(folded); len(w) == len(folded) {
			n.Family = w
			return 0
		}
	}
	var t sentence
	t.cut(s)
	words := t.words[:t.n]
	if len(words) > 1 {
		var kept []word
		kept, gender = untitled(slices.Clone(words), false, true)
		if len(kept) == 0 { // nothing but titles: one of them is the name
			kept = append(kept, slices.DeleteFunc(words, func(w word) bool { return w.ordinal })...)
			kept = kept[max(0, len(kept)-1):]
		}
		words = kept
	}
	words = slices.DeleteFunc(words, func(w word) bool { return w.ordinal })
	n.family(n.takeSuffix(words))
	return gender
}

// family takes the words of a family name, with what marks names at birth and by marriage.
func (n *Name) family(words []word) {
	for i, w := range words {
		if i+1 == len(words) {
			break
		}
		if w.hyphen || words[i+1].hyphen {
			continue // part of a compound
		}
		switch {
		case birth[w.text] || w.text == "ne" && i > 0:
			n.Family, n.Maiden = join(words[:i]), join(words[i+1:])
			if n.Family == "" {
				n.Family, n.Maiden = n.Maiden, ""
			}
			return
		case i > 0 && marriage[w.text]:
			n.Maiden, n.Family = join(words[:i]), join(words[i+1:])
			return
		case i > 0 && alias[w.text]:
			n.Further = strings.TrimSpace(n.Further + " " + join(words[i+1:]))
			n.Family = join(words[:i])
			return
		}
	}
	n.Family = join(words)
}

// takeSuffix takes a word of generation from the end.
func (n *Name) takeSuffix(words []word) []word {
	if len(words) < 2 {
		return words
	}
	if s, ok := suffixes[words[len(words)-1].text]; ok && !words[len(words)-1].hyphen {
		n.Suffix = s
		return words[:len(words)-1]
	}
	return words
}

func familyWords(s string) string {
	if s == "" {
		return ""
	}
	var n Name
	n.familyField(s)
	return n.Family
}

func furtherWords(s string) string {
	if s == "" {
		return ""
	}
	var t sentence
	t.cut(s)
	words, _ := untitled(t.words[:t.n], false, false)
	return join(words)
}

// more adds what a full name has beside the fields of its parts: the missing one of them, else further names.
func (n *Name) more(full string, english bool) (gender Gender) {
	var t sentence
	t.cut(full)
	words, gender := untitled(t.words[:t.n], false, !english)
	words = n.takeSuffix(words)
	had := n.String() + " " + n.Maiden
	rest := words[:0]
	for _, w := range words {
		if !hasWord(had, w.text) && !birth[w.text] && !marriage[w.text] && !alias[w.text] {
			rest = append(rest, w)
		}
	}
	switch {
	case len(rest) == 0:
	case n.Given == "":
		first := leading(rest)
		n.Given, rest = join(rest[:first]), rest[first:]
	case n.Family == "":
		n.Family, rest = join(rest[len(rest)-1:]), rest[:len(rest)-1]
	}
	n.Further = strings.TrimSpace(n.Further + " " + join(rest))
	return gender
}

func hasWord(words, w string) bool {
	for have := range strings.SplitSeq(words, " ") {
		if have == w {
			return true
		}
	}
	return false
}

// GenderOf reads a gender or a civility in the languages that this package knows; 0 if it is neither.
func GenderOf(s string) Gender {
	folded := script.Fold(s)
	switch folded {
	case "f", "female", "feminin", "feminine", "femme", "fille", "woman", "w", "weiblich", "femenino", "mujer", "femminile", "donna", "vrouw", "feminino", "mulher", "girl", "2":
		return given.Female
	case "m", "male", "masculin", "masculine", "homme", "h", "garcon", "man", "mannlich", "masculino", "hombre", "maschile", "uomo", "homem", "boy", "1":
		return given.Male
	case "other", "autre", "nonbinary", "non binary", "non binaire", "x", "divers", "d":
		return given.Other
	}
	return titles[folded]
}
