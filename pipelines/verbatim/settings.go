package verbatim

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	_ "embed"

	"github.com/dossier-cdp/dossier/schema"
)

//go:embed themes/care.yaml
var careTree []byte

// Settings are the section verbatim of a configuration, ready for use: a tree of themes of the workspace's own. They are read-only.
type Settings struct {
	Tree    *Tree
	Tier    Tier
	Version string // the first 8 hexadecimal digits of the SHA-256 of the section
}

// Tier is how deep texts are read.
type Tier string

// The tiers. The base tier is always there; the encoder tier needs weights beside the binary.
const (
	TierBase    Tier = "base"
	TierEncoder Tier = "encoder"
)

// DefaultSettings are those of a workspace that has configured none: a tree of what customers of shops and services write about.
var DefaultSettings = sync.OnceValue(func() *Settings {
	s, _, err := parseSettings(careTree)
	if err != nil {
		panic("verbatim: the tree that ships: " + err.Error()) // a build with it is no build
	}
	return s
})

// ParseSettings reads the section: {tier: base|encoder, themes: […], only: BOOL}. Without themes it has those of DefaultSettings.
func ParseSettings(text []byte) (*Settings, error) {
	s, bare, err := parseSettings(text)
	if err == nil && bare {
		s.Tree = DefaultSettings().Tree
	}
	return s, err
}

// parseSettings reads the section; bare: it says nothing of themes.
func parseSettings(text []byte) (s *Settings, bare bool, err error) {
	var in struct {
		Tier   Tier    `yaml:"tier"`
		Only   bool    `yaml:"only"`
		Themes []Theme `yaml:"themes"`
	}
	if err := yaml.UnmarshalWithOptions(text, &in, yaml.Strict()); err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
		return nil, false, treeFault(first)
	}
	if in.Tier == "" {
		in.Tier = TierBase
	}
	if in.Tier != TierBase && in.Tier != TierEncoder {
		return nil, false, schema.Refuse("tier_unknown", "verbatim has a tier that is neither base nor encoder", "tier: base, or tier: encoder with the weights that make models fetches")
	}
	tree := &Tree{Themes: in.Themes, Only: in.Only}
	if err := tree.check(); err != nil {
		return nil, false, err
	}
	sum := sha256.Sum256(text)
	return &Settings{tree, in.Tier, hex.EncodeToString(sum[:4])}, in.Themes == nil && !in.Only, nil
}
