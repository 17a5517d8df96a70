package verbatim

import (
	"fmt"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// Label is the polarity that a labelled file gives a text.
type Label uint8

// The labels. Mixed texts are measured by no polarity and learnt from by none.
const (
	Unlabelled Label = iota
	LabelNegative
	LabelNeutral
	LabelPositive
	LabelMixed
	LabelNone // no opinion at all: neutral
)

// ParseLabel reads a polarity as files write it, in English and French.
func ParseLabel(s string) (Label, bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "":
		return Unlabelled, true
	case "neg", "negative", "négatif", "negatif", "-1":
		return LabelNegative, true
	case "neu", "neutral", "neutre", "0":
		return LabelNeutral, true
	case "pos", "positive", "positif", "1":
		return LabelPositive, true
	case "mix", "mixed", "mixte":
		return LabelMixed, true
	case "none":
		return LabelNone, true
	}
	return Unlabelled, false
}

// Class is the polarity that a label stands for; false where it stands for none.
func (l Label) Class() (Polarity, bool) {
	switch l {
	case LabelNegative:
		return Negative, true
	case LabelNeutral, LabelNone:
		return Neutral, true
	case LabelPositive:
		return Positive, true
	}
	return Abstained, false
}

// Labelled is a text and what people said of it.
type Labelled struct {
	Text     string
	Language Language // Unknown where nobody said
	Polarity Label
	Themes   []string
	// Group is where the text comes from: groups weigh by the root of their size, and themes are learnt from groups that have any.
	Group string
}

// Check says what was left out of labelled texts before learning.
type Check struct {
	Texts     int `json:"texts"`
	Empty     int `json:"empty"`
	Repeated  int `json:"repeated"`  // the same text with the same labels, once more
	Conflicts int `json:"conflicts"` // the same text with other polarities: none of them is used
}

// minLabelled is how many texts each polarity needs.
const minLabelled = 30

func labelFault(format string, args ...any) error {
	return schema.Refuse("labels_invalid", fmt.Sprintf(format, args...), "correct the labelled file")
}

// checked leaves out what would teach nonsense, and refuses what cannot be learnt from.
func checked(texts []Labelled) ([]Labelled, Check, error) {
	c := Check{Texts: len(texts)}
	type id struct{ a, b uint64 }
	first := make(map[id]int, len(texts))
	bad := map[int]bool{}
	var kept []Labelled
	for _, t := range texts {
		trimmed := strings.TrimSpace(t.Text)
		if trimmed == "" {
			c.Empty++
			continue
		}
		for _, theme := range t.Themes {
			if !validTheme(theme) {
				return nil, c, labelFault("text %d has a theme whose name is empty, longer than %d bytes, or has | or control characters", len(kept)+1, maxThemeName)
			}
		}
		k := id{hash(uint64(t.Language), []byte(trimmed)), hash(uint64(t.Language)+77, []byte(trimmed))}
		if at, ok := first[k]; ok {
			if kept[at].Polarity != t.Polarity && !bad[at] {
				bad[at] = true
				c.Conflicts++
			}
			c.Repeated++
			continue
		}
		first[k] = len(kept)
		kept = append(kept, t)
	}
	n := 0
	var counts [polarities]int
	for i, t := range kept {
		if bad[i] {
			continue
		}
		if class, ok := t.Polarity.Class(); ok {
			counts[class]++
		}
		kept[n] = t
		n++
	}
	kept = kept[:n]
	for p, n := range counts {
		if n < minLabelled {
			return nil, c, labelFault("%d texts are labelled %s; each polarity (neg, neu or none, pos) needs at least %d", n, Polarity(p), minLabelled)
		}
	}
	return kept, c, nil
}
