package verbatim

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// Correction is what a person says of a text instead of what was read in it. What is nil stays as it was read.
type Correction struct {
	Language    *Language
	Polarity    *Polarity // Abstained: it says nothing that can be called good or bad
	Themes      *[]string
	Criticality *Criticality
}

// MaxThemesCorrected bounds how many themes a correction may name.
const MaxThemesCorrected = maxThemesTold

var criticalities = []string{"none", "low", "medium", "high", "critical"}

// ParsePolarity reads a polarity as Polarity.String gives it; nothing is Abstained.
func ParsePolarity(s string) (Polarity, bool) {
	if s == "" {
		return Abstained, true
	}
	at := slices.Index([]string{"neg", "neu", "pos"}, s)
	return Polarity(at), at >= 0
}

// ParseCriticality reads a level as Criticality.String gives it.
func ParseCriticality(s string) (Criticality, bool) {
	at := slices.Index(criticalities, s)
	return Criticality(at), at >= 0
}

func correctionFault(reason, hint string) *schema.Refusal {
	return schema.Refuse("correction_invalid", "a correction: "+reason, hint)
}

// ParseCorrection reads the properties of verbatim.corrected: language, polarity, themes and criticality, at least one of them. Other members are passed
// over.
func ParseCorrection(properties []byte) (Correction, *schema.Refusal) {
	var c Correction
	var in struct {
		Language    *string   `json:"language"`
		Polarity    *string   `json:"polarity"`
		Themes      *[]string `json:"themes"`
		Criticality *string   `json:"criticality"`
	}
	if len(properties) > 0 {
		if err := json.Unmarshal(properties, &in); err != nil {
			return c, correctionFault("its properties cannot be read", "send polarity (neg, neu, pos), themes (a list of ids), criticality (none to critical), language (de en es fr it nl pt)")
		}
	}
	if in.Language == nil && in.Polarity == nil && in.Themes == nil && in.Criticality == nil {
		return c, correctionFault("it says nothing", "send at least one of polarity, themes, criticality and language")
	}
	if in.Language != nil {
		l, ok := ParseLanguage(*in.Language)
		if !ok {
			return c, correctionFault("there is no such language", "take one of de en es fr it nl pt")
		}
		c.Language = &l
	}
	if in.Polarity != nil {
		p, ok := ParsePolarity(*in.Polarity)
		if !ok {
			return c, correctionFault("there is no such polarity", "take neg, neu or pos; nothing, if it is none of them")
		}
		c.Polarity = &p
	}
	if in.Criticality != nil {
		level, ok := ParseCriticality(*in.Criticality)
		if !ok {
			return c, correctionFault("there is no such criticality", "take none, low, medium, high or critical")
		}
		c.Criticality = &level
	}
	if in.Themes != nil {
		if len(*in.Themes) > MaxThemesCorrected {
			return c, correctionFault(fmt.Sprintf("it names more than %d themes", MaxThemesCorrected), "keep the weightiest")
		}
		themes := []string{}
		for _, id := range *in.Themes {
			if !validTheme(id) {
				return c, correctionFault("a theme has an impossible id", "take the ids that readings and the tree of themes have")
			}
			if !slices.Contains(themes, id) {
				themes = append(themes, id)
			}
		}
		c.Themes = &themes
	}
	return c, nil
}

// Apply gives a reading as corrected. What a person said is sure. Themes that the reading had keep the polarity of their clause, unless the text's polarity is
// corrected, too; new ones have that of the text. A corrected criticality keeps the reasons that are no graver than it.
func (c *Correction) Apply(k *Kept) *Kept {
	out := *k
	out.Unsure = false
	if c.Language != nil {
		out.Language = *c.Language
	}
	if c.Polarity != nil {
		out.Polarity, out.Confidence = *c.Polarity, 1000
		if out.Polarity == Abstained {
			out.Confidence = 0
		}
	}
	switch {
	case c.Themes != nil:
		out.Themes = nil
		for _, id := range *c.Themes {
			t := KeptTheme{ID: id, Polarity: out.Polarity, Confidence: 1000}
			if at := slices.IndexFunc(k.Themes, func(had KeptTheme) bool { return had.ID == id }); at >= 0 && c.Polarity == nil {
				t.Polarity = k.Themes[at].Polarity
			}
			out.Themes = append(out.Themes, t)
		}
	case c.Polarity != nil && len(k.Themes) == 1: // one theme: the text is about it
		out.Themes = []KeptTheme{k.Themes[0]}
		out.Themes[0].Polarity = out.Polarity
	}
	if c.Criticality != nil {
		out.Criticality, out.Reasons = *c.Criticality, nil
		for _, r := range k.Reasons {
			if LevelOf(r.Code) <= out.Criticality {
				out.Reasons = append(out.Reasons, r)
			}
		}
	}
	return &out
}

// LevelOf is how critical a reason makes a text.
func LevelOf(reason string) Criticality { return ruleCodes[reason].level }
