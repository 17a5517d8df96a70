package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/archive"
)

// Plan is what a shadow is made of. It is kept in the shadow's folder (shadow.json) and never changes, but for Paused.
type Plan struct {
	Name          string          `json:"name"`
	Place         string          `json:"-"`       // where it has its folder and tables, which holds the plan; "" is the first projections'
	Created       string          `json:"created"` // RFC 3339
	Actor         string          `json:"actor"`
	Configuration json.RawMessage `json:"configuration,omitempty"` // the whole document that it runs under
	Base          string          `json:"base"`                    // hash of the document that was in force by then; "" before the first one
	Follow        []int64         `json:"follow,omitempty"`        // positions of the configurations whose rules of care measure what began under them
	Own           bool            `json:"own,omitempty"`           // the document is not the one that was in force: its rules of care hold for everything

	// Which events it is made of; what is empty filters nothing.
	From    string   `json:"from,omitempty"`
	To      string   `json:"to,omitempty"`
	Types   []string `json:"types,omitempty"`
	Sources []string `json:"sources,omitempty"`

	Key    string `json:"key,omitempty"` // of who asked for it
	Paused bool   `json:"paused,omitempty"`
}

const planName = "shadow.json"

// CheckName refuses what cannot be the name of a shadow: it names a folder and a database.
func CheckName(name string) error {
	valid := len(name) > 0 && len(name) <= 40
	for n, r := range name {
		valid = valid && (r >= 'a' && r <= 'z' || n > 0 && (r >= '0' && r <= '9' || r == '_'))
	}
	if !valid {
		return schema.Refuse("shadow_name", "a shadow's name is made of at most 40 small letters, digits and underscores, and begins with a letter", "choose another one")
	}
	return nil
}

// Filter is which events the shadow is made of.
func (p *Plan) Filter() (f archive.Filter, err error) {
	for _, name := range p.Types {
		kind, ok := schema.ParseType(name)
		if !ok {
			return f, schema.Refuse("type_unknown", fmt.Sprintf("there is no event type %q", name), "take one as events show it, such as order.placed")
		}
		f.Types = append(f.Types, kind)
	}
	f.Sources = slices.Clone(p.Sources)
	for _, bound := range []struct {
		name, text string
		to         *schema.Instant
	}{{"from", p.From, &f.From}, {"to", p.To, &f.To}} {
		if bound.text == "" {
			continue
		}
		if *bound.to, err = schema.ParseInstant(bound.text); err != nil || *bound.to == 0 {
			return f, schema.Refuse(bound.name+"_invalid", bound.name+" is no time", "write it as 2026-02-28T09:30:00Z")
		}
	}
	if f.From != 0 && f.To != 0 && f.From >= f.To {
		return f, schema.Refuse("range_empty", "from is not before to: there is nothing between them", "give the earlier time as from")
	}
	return f, nil
}

// Save writes the plan into a folder, durably.
func (p *Plan) Save(folder string) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err // Unreachable: the document is JSON
	}
	return replace(filepath.Join(folder, planName), text)
}

// LoadPlan reads what Save wrote. found is false where there is none: a shadow whose beginning was cut, or whose end.
func LoadPlan(folder string) (p Plan, found bool, err error) {
	text, err := os.ReadFile(filepath.Join(folder, planName))
	if errors.Is(err, fs.ErrNotExist) {
		return p, false, nil
	}
	if err != nil {
		return p, false, fmt.Errorf("read what the shadow is made of: %w", err)
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, false, fmt.Errorf("%s does not say what the shadow is made of: discard it", filepath.Join(folder, planName))
	}
	return p, true, nil
}

// ForgetPlan makes a folder one of no shadow: what is left of it is removed at the latest at the next start.
func ForgetPlan(folder string) error {
	if err := os.Remove(filepath.Join(folder, planName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncFolder(folder)
}
