package reputation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Settings are what a workspace says of its reputation: the section reputation of its configuration. They are read-only once made.
type Settings struct {
	Own    []string             // its own brands, ascending
	Panels []Panel              // one for each platform, ascending by it
	Errors map[string]Confusion // of the model that reads texts, by language, on a labelled sample
	Watch  Watch
}

// DefaultSettings know no brands. The classifier's errors are those of the model that ships (Measured).
func DefaultSettings() *Settings {
	return &Settings{Errors: maps.Clone(Measured), Watch: DefaultWatch()}
}

// Bounds of the settings.
const (
	maxPanels = 50
	maxBrands = 100 // of one panel, and of one's own
	maxName   = 200 // bytes
)

// RefusedRating is why nobody is rated by what is said of them or by how many follow them.
const RefusedRating = "people are not rated by their standing in public: a rating that reaches price, redress or rank of service is what article 5(1)(c) of the EU AI Act forbids, and GDPR calls profiling. " +
	"Influence may only raise the priority of a public contact about a brand of one's own, capped and explained (deploy/reputation.md)"

// ParseSettings reads the section. An error says in one sentence what to correct.
func ParseSettings(raw []byte) (*Settings, error) {
	var in struct {
		Own    []string `json:"own"`
		Panels []struct {
			Platform string   `json:"platform"`
			Brands   []string `json:"brands"`
			Query    string   `json:"query"`
		} `json:"panels"`
		Errors map[string]struct {
			Favourable   *[3]int64 `json:"favourable"`
			Neutral      *[3]int64 `json:"neutral"`
			Unfavourable *[3]int64 `json:"unfavourable"`
		} `json:"errors"`
		Watch *struct {
			Days         *int     `json:"days"`
			Alert        *float64 `json:"alert"`
			Enter        *int     `json:"enter"`
			Among        *int     `json:"among"`
			Leave        *int     `json:"leave"`
			Unfavourable *float64 `json:"unfavourable"`
		} `json:"watch"`
		SocialRating json.RawMessage `json:"socialRating"`
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	if in.SocialRating != nil && string(in.SocialRating) != "null" && string(in.SocialRating) != "false" {
		return nil, errors.New("socialRating: " + RefusedRating)
	}
	s := DefaultSettings()
	var err error
	if s.Own, err = names("own", in.Own); err != nil {
		return nil, err
	}
	if len(in.Panels) > maxPanels {
		return nil, fmt.Errorf("there are %d panels; keep at most %d", len(in.Panels), maxPanels)
	}
	for i, p := range in.Panels {
		where := fmt.Sprintf("panel %d", i+1)
		platform := strings.ToLower(strings.TrimSpace(p.Platform))
		brands, err := names(where+", brands", p.Brands)
		switch {
		case err != nil:
			return nil, err
		case platform == "":
			return nil, fmt.Errorf("%s: it has no platform; write one as posts name it, or the source's name", where)
		case len(brands) < 2:
			return nil, fmt.Errorf("%s: it compares fewer than two brands", where)
		case slices.ContainsFunc(s.Panels, func(other Panel) bool { return other.Platform == platform }):
			return nil, fmt.Errorf("%s: %s has a panel already; shares of two panels cannot be compared", where, platform)
		}
		s.Panels = append(s.Panels, Panel{platform, brands, strings.TrimSpace(p.Query)})
	}
	slices.SortFunc(s.Panels, func(a, b Panel) int { return strings.Compare(a.Platform, b.Platform) })
	for language, rows := range in.Errors {
		where := fmt.Sprintf("errors, %.10q", language)
		if len(language) != 2 || strings.ToLower(language) != language {
			return nil, fmt.Errorf("%s: a language is two small letters, such as fr", where)
		}
		var c Confusion
		for i, row := range []*[3]int64{rows.Favourable, rows.Neutral, rows.Unfavourable} {
			if row == nil || min(row[0], row[1], row[2]) < 0 {
				return nil, fmt.Errorf("%s: it wants favourable, neutral and unfavourable: of the texts that truly are, how many are read as each of the three", where)
			}
			c[i] = *row
		}
		if _, _, _, err := c.rates(); err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		s.Errors[language] = c
	}
	if w := in.Watch; w != nil {
		if w.Days != nil {
			s.Watch.History = *w.Days * bucketsOfDay
		}
		take(&s.Watch.Alert, w.Alert)
		take(&s.Watch.Enter, w.Enter)
		take(&s.Watch.Among, w.Among)
		take(&s.Watch.Leave, w.Leave)
		take(&s.Watch.Unfavourable, w.Unfavourable)
		if err := s.Watch.check(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func take[T any](into, from *T) {
	if from != nil {
		*into = *from
	}
}

func (w Watch) check() error {
	switch {
	case w.History < bucketsOfDay || w.History > 31*bucketsOfDay:
		return errors.New("watch: days are 1 to 31")
	case !(w.Alert > 0 && w.Alert <= 100):
		return errors.New("watch: alert is a robust z above 0, such as 4")
	case w.Among < 1 || w.Among > bucketsOfDay || w.Enter < 1 || w.Enter > w.Among:
		return errors.New("watch: enter alerts among so many buckets of five minutes begin a crisis; among is 1 to 288, and enter no more")
	case w.Leave < 1 || w.Leave > 7*bucketsOfDay:
		return errors.New("watch: leave is 1 to 2016 buckets of five minutes")
	case !(w.Unfavourable >= 0 && w.Unfavourable <= 1):
		return errors.New("watch: unfavourable is a share, 0 to 1")
	}
	return nil
}

func names(where string, list []string) ([]string, error) {
	var out []string
	for _, name := range list {
		if name = strings.TrimSpace(name); name == "" || len(name) > maxName {
			return nil, fmt.Errorf("%s: a brand has a name of 1 to %d bytes", where, maxName)
		}
		out = append(out, name)
	}
	slices.Sort(out)
	if out = slices.Compact(out); len(out) > maxBrands {
		return nil, fmt.Errorf("%s: there are %d brands; keep at most %d", where, len(out), maxBrands)
	}
	return out, nil
}

// Watches says whether a brand is watched for crises: one's own are, or all where no brand is said to be.
func (s *Settings) Watches(brand string) bool {
	return len(s.Own) == 0 || slices.Contains(s.Own, brand)
}

// Panel finds that of a platform.
func (s *Settings) Panel(platform string) (Panel, bool) {
	for _, p := range s.Panels {
		if p.Platform == platform {
			return p, true
		}
	}
	return Panel{}, false
}

// Languages are those of which the model's errors are known, ascending.
func (s *Settings) Languages() []string { return slices.Sorted(maps.Keys(s.Errors)) }
