// Package encodertest gives tests the encoder that make models has made.
package encodertest

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/verbatim/encoder"
)

// folder is where make models puts the encoder.
func folder() string {
	cache := os.Getenv("DOSSIER_CACHE")
	if cache == "" {
		if user, err := os.UserCacheDir(); err == nil {
			cache = filepath.Join(user, "dossier")
		}
	}
	return filepath.Join(cache, "models")
}

var opened = sync.OnceValues(fresh)

func fresh() (*encoder.Encoder, error) {
	path := os.Getenv("DOSSIER_ENCODER")
	if path == "" {
		path = filepath.Join(folder(), encoder.File)
	}
	stored, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return encoder.Parse(stored)
}

// Open gives the encoder, or nil where make models could not have it, for want of Python or of the network, and has said so.
func Open(t testing.TB) *encoder.Encoder {
	t.Helper()
	return of(t, opened)
}

// Fresh is Open with an encoder that nobody else holds.
func Fresh(t testing.TB) *encoder.Encoder {
	t.Helper()
	return of(t, fresh)
}

func of(t testing.TB, open func() (*encoder.Encoder, error)) *encoder.Encoder {
	t.Helper()
	e, err := open()
	if err == nil {
		return e
	}
	if !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if why, err := os.ReadFile(filepath.Join(folder(), "without")); err == nil {
		t.Logf("there is no encoder to hold: %s", why)
		return nil
	}
	if os.Getenv("CI") != "" {
		t.Fatal("there is no encoder: make models makes it, or says why it cannot")
	}
	t.Skip("there is no encoder: make models makes it")
	return nil
}
