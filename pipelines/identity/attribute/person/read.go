package person

import (
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/identifier/name"
)

// Parts are the fields in which a source gives one name, each possibly empty, as it gave them.
type Parts struct {
	Given, Further, Family, Maiden, Suffix string
	Full                                   string // a full name in one field, in any order
}

// Of reads a name of its parts. Where given or family name is stated, the full name only adds its other words to Further.
func Of(p Parts) Name {
	n := Name{Further: name.Fold(p.Further), Maiden: name.Fold(p.Maiden), Suffix: name.Fold(p.Suffix)}
	full := p.Full
	if p.Given == "" && p.Family == "" {
		s := name.Split(full)
		n.Given, n.Family, n.Unsplit = s.Given, s.Family, s.Unsplit
		return n
	}
	s := name.Of(p.Given, p.Family)
	n.Given, n.Family = s.Given, s.Family
	for w := range strings.FieldsSeq(name.Fold(full)) {
		if !strings.Contains(" "+n.String()+" ", " "+w+" ") {
			n.Further = strings.TrimSpace(n.Further + " " + w)
		}
	}
	return n
}

// GenderOf reads a gender or a civility; Unknown if it is neither.
func GenderOf(s string) Gender {
	switch name.Fold(s) {
	case "f", "female", "femme", "woman", "w", "mme", "madame", "mlle", "mademoiselle", "mrs", "ms", "miss", "frau", "senora", "signora":
		return Female
	case "m", "male", "homme", "h", "man", "mr", "monsieur", "herr", "senor", "signor":
		return Male
	case "other", "autre", "nonbinary", "non binary", "x":
		return Other
	}
	return 0
}
