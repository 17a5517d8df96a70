package verbatim

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/dossier-cdp/dossier/schema"
)

// Theme is one entry of a tree: what a text can be about.
type Theme struct {
	// ID is what readings, tables and corrections name. Where the model has a label of that name, the model finds the theme too.
	ID string `yaml:"id"`
	// Parent is the ID of the theme above, or nothing.
	Parent string `yaml:"parent"`
	// Title is the name for people, by language code.
	Title map[string]string `yaml:"title"`
	// Keywords are phrases that give the theme, by language code, or * for any (rule.go tells how they are written).
	Keywords map[string][]string `yaml:"keywords"`
	// Label is the model's label, if it is not the ID; several themes may not share one.
	Label string `yaml:"label"`
	// Off leaves the model's label out: what it finds is not told.
	Off bool `yaml:"off"`
}

// TitleIn is the theme's name in a language, else in English, else in French, else its id.
func (t *Theme) TitleIn(code string) string {
	for _, c := range []string{code, "en", "fr"} {
		if title := t.Title[c]; title != "" {
			return title
		}
	}
	return t.ID
}

// Tree is a workspace's themes: an editable document, in force from the moment that it is applied.
type Tree struct {
	Themes []Theme `yaml:"themes"`
	// Only leaves out every label of the model that the tree does not name.
	Only bool `yaml:"only"`

	ids   []string
	label map[string]int // model's label → theme; off: -1
	rules [languages]*ruleSet
}

// maxTreeThemes bounds a tree.
const maxTreeThemes = 2000

// ParseTree reads a tree in YAML or JSON: {themes: [{id, parent, title: {fr, en}, keywords: {fr: [phrase], en: [phrase]}, label, off}]}. Labels of the
// model that it does not name stay as they are, unless only is set.
func ParseTree(text []byte) (*Tree, error) {
	t := &Tree{}
	if err := yaml.UnmarshalWithOptions(text, t, yaml.Strict()); err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
		return nil, treeFault(first)
	}
	return t, t.check()
}

// check makes a tree ready for use, or says what is wrong with it.
func (t *Tree) check() error {
	if len(t.Themes) > maxTreeThemes {
		return treeFault(fmt.Sprintf("it has %d themes; at most %d may be", len(t.Themes), maxTreeThemes))
	}
	return t.prepare()
}

func treeFault(reason string) error {
	return schema.Refuse("themes_invalid", "the tree of themes: "+reason, "themes: [{id, parent, title: {fr, en}, keywords: {fr: [phrase, …]}}]")
}

func (t *Tree) prepare() error {
	t.label = map[string]int{}
	at := map[string]int{}
	for i, theme := range t.Themes {
		if !validTheme(theme.ID) {
			return treeFault(fmt.Sprintf("theme %d has an impossible id", i+1))
		}
		if _, ok := at[theme.ID]; ok {
			return treeFault("there are two themes " + theme.ID)
		}
		at[theme.ID] = i
		t.ids = append(t.ids, theme.ID)
		label := theme.Label
		if label == "" {
			label = theme.ID
		}
		if _, ok := t.label[label]; ok {
			return treeFault("two themes have the label " + label)
		}
		t.label[label] = i
		if theme.Off {
			t.label[label] = -1
		}
	}
	for _, theme := range t.Themes {
		up := theme
		for steps := 0; up.Parent != ""; steps++ {
			next, ok := at[up.Parent]
			if !ok {
				return treeFault(up.ID + " has the parent " + up.Parent + ", which is not there")
			}
			if steps > len(t.Themes) {
				return treeFault(theme.ID + " is its own ancestor")
			}
			up = t.Themes[next]
		}
		for code := range theme.Keywords {
			if _, ok := ParseLanguage(code); !ok && code != "*" {
				return treeFault(theme.ID + " has keywords in " + code + "; the languages are de en es fr it nl pt, or * for any")
			}
		}
	}
	for l := range t.rules {
		set := &ruleSet{codes: t.ids, byWord: map[string][]*phrase{}, byStart: map[string][]*phrase{}}
		some := false
		for i, theme := range t.Themes {
			for _, code := range []string{languageCodes[l], "*"} {
				for _, text := range theme.Keywords[code] {
					p, err := compilePhrase(text)
					if err != nil {
						return treeFault(theme.ID + ": " + err.Error())
					}
					p.code = i
					set.add(p)
					some = true
				}
			}
		}
		if some {
			t.rules[l] = set
		}
	}
	return nil
}
