package verbatim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/pipelines/verbatim/encoder"
)

// EncoderPath is where make models puts the encoder; empty where no folder of the user is known.
func EncoderPath() string {
	cache := os.Getenv("DOSSIER_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return ""
		}
		cache = filepath.Join(user, "dossier")
	}
	return filepath.Join(cache, "models", encoder.File)
}

// ErrNoEncoder is an encoder tier without weights.
var ErrNoEncoder = errors.New("the tier encoder has no weights: run make models, or configure verbatim: {tier: base}")

// OpenEncoder reads an encoder; without a path the one that make models has put.
func OpenEncoder(path string) (*encoder.Encoder, error) {
	if path == "" {
		path = EncoderPath()
	}
	stored, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w (looked for %s)", ErrNoEncoder, path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the encoder: %w", err)
	}
	e, err := encoder.Parse(stored)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return e, nil
}

// Deep makes an analyzer of the encoder tier; without a path by the encoder that make models has put.
func Deep(m *verbatim.Model, tree *verbatim.Tree, path string) (*verbatim.Analyzer, error) {
	e, err := OpenEncoder(path)
	if err != nil {
		return nil, err
	}
	h, err := verbatim.BaseHeads(m)
	if err != nil {
		return nil, err
	}
	return verbatim.NewDeep(m, tree, e, h)
}
