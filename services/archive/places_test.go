package archive_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/archive/archivetest"
)

// place is where a store's files can be reached from outside.
type place struct {
	folder  string
	objects bool                     // S3: a manifest is a folder of objects
	path    func(name string) string // of what Locate names
}

// places makes a new, empty store.
type places func(root string) (archive.Store, place, error)

const bucket = "dossier-archive"

// everywhere runs a test over each kind of store.
func everywhere(t *testing.T, test func(t *testing.T, at places)) {
	t.Run("folder", func(t *testing.T) { test(t, inFolder) })
	t.Run("s3", func(t *testing.T) {
		g := archivetest.StartGateway(t, bucket)
		g.Credentials(t)
		test(t, onGateway(g))
	})
}

func inFolder(root string) (archive.Store, place, error) {
	folder := filepath.Join(root, "archive")
	store, err := archive.OpenFolder(folder)
	return store, place{folder: folder, path: func(name string) string { return name }}, err
}

var prefixes atomic.Int64

func onGateway(g *archivetest.Gateway) places {
	return func(string) (archive.Store, place, error) {
		prefix := fmt.Sprintf("installations/%d", prefixes.Add(1))
		store, err := archive.Open(context.Background(), g.Location(bucket, prefix, ""), nil)
		return store, place{
			folder: filepath.Join(g.Folder, bucket, prefix), objects: true,
			path: func(name string) string { return filepath.Join(g.Folder, strings.TrimPrefix(name, "s3://")) },
		}, err
	}
}
