package verbatim

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"

	_ "embed"
)

//go:embed themes/care.yaml
var careTree []byte

// Settings are the section verbatim of a configuration, ready for use: a tree of themes of the workspace's own. They are read-only.
type Settings struct {
	Tree    *Tree
	Version string // the first 8 hexadecimal digits of the SHA-256 of the section
}

// DefaultSettings are those of a workspace that has configured none: a tree of what customers of shops and services write about.
var DefaultSettings = sync.OnceValue(func() *Settings {
	s, err := ParseSettings(careTree)
	if err != nil {
		panic("verbatim: the tree that ships: " + err.Error()) // a build with it is no build
	}
	return s
})

// ParseSettings reads the section: {themes: […], only: BOOL}, as ParseTree does.
func ParseSettings(text []byte) (*Settings, error) {
	tree, err := ParseTree(text)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	return &Settings{tree, hex.EncodeToString(sum[:4])}, nil
}
