// Package person reads names of people: which part is the given name, which the family name, what is a title and says nothing.
package person

import (
	"cmp"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/given"
)

// Name is a person's name in normal form. Each part is lower-case words of a to z, one blank between two, without titles; words of other
// scripts are transliterated, apostrophes vanish, hyphens part words: "Jean-Irénée de L’Isle" has Given "jean irenee" and Family
// "de lisle". The zero value says nothing.
type Name struct {
	// Given is the first given name; a compound one has several words ("jean pierre").
	Given string
	// Further is what stands between given and family name: second given names, initials ("marie louise", "j"), and words of a
	// full name that are in neither part.
	Further string
	// Family is the family name with its particles ("de la tour"). A double name has all its words ("dupont martin").
	Family string
	// Maiden is the family name at birth, if it was said to be one ("née Martin").
	Maiden string
	// Suffix tells generations: "jr", "sr", "2", "3".
	Suffix string
	// Unsplit is set if the parts of a full name could not be told apart: Given and Family are then a guess, and may be the other way
	// round.
	Unsplit bool
}

// Gender is what a persona said or what its civility says. Unknown is the zero value.
type Gender = given.Gender

// IsZero says whether there is no part.
func (n Name) IsZero() bool { return n == Name{} }

// Compare orders names by their parts.
func (n Name) Compare(m Name) int {
	unsplit := 0
	switch {
	case n.Unsplit && !m.Unsplit:
		unsplit = 1
	case !n.Unsplit && m.Unsplit:
		unsplit = -1
	}
	return cmp.Or(strings.Compare(n.Family, m.Family), strings.Compare(n.Given, m.Given), strings.Compare(n.Further, m.Further),
		strings.Compare(n.Maiden, m.Maiden), strings.Compare(n.Suffix, m.Suffix), unsplit)
}

// Particle is the leading particle of the family name, "de la" of "de la tour", or "".
func (n Name) Particle() string {
	end := 0
	for end < len(n.Family) {
		word, _, more := strings.Cut(n.Family[end:], " ")
		if !more || !particles[word] {
			break
		}
		end += len(word) + 1
	}
	return strings.TrimSuffix(n.Family[:end], " ")
}

// Bare is the family name without its leading particle.
func (n Name) Bare() string { return strings.TrimPrefix(n.Family[len(n.Particle()):], " ") }

// Parts are fields that read as this name again: Of(n.Parts()) is n.
func (n Name) Parts() Parts {
	hyphened := func(words string) string { return strings.ReplaceAll(words, " ", "-") }
	return Parts{Given: hyphened(n.Given), Further: n.Further, Family: hyphened(n.Family), Maiden: hyphened(n.Maiden), Suffix: n.Suffix, Unsplit: n.Unsplit}
}

// Turned is the name read the other way round: given name for family name.
func (n Name) Turned() Name {
	n.Given, n.Family = n.Family, n.Given
	return n
}

// String shows the name in the order given, further, family, for people; it is personal and belongs in no log.
func (n Name) String() string {
	var parts []string
	for _, p := range []string{n.Given, n.Further, n.Family} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, " ")
}
