package state

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
)

// fresh never gives one file's bytes to another one. Pebble writes over the logs that it has done with: what was deleted would stand behind the
// end of a new log for as long as that is short.
type fresh struct{ vfs.FS }

func (f fresh) ReuseForWrite(old, new string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return f.Create(new, category)
}

// Purged is what a store consists of after a Purge.
type Purged struct {
	Files  int64
	Bytes  int64
	Digest string // hex SHA-256 over a line "NAME SIZE" of each file, sorted
}

// The rows of a purge. Nobody else has a key that begins so.
var (
	purgeFirst = []byte("\x00")
	purgeLast  = bytes.Repeat([]byte{0xff}, 16)
)

// purgePause is between two looks at what is left.
const purgePause = 100 * time.Millisecond

// Purge returns when what was deleted or overwritten before the call is in none of the store's files any more: neither in tables, nor in logs. It
// rewrites the tables that held it, and waits for whoever still reads what was before; letGo, if not nil, is called for Lookups that are kept for long to be
// made anew. Repeat it after an error.
func (s *Store) Purge(ctx context.Context, letGo func() error) (Purged, error) {
	s.purging.Lock()
	defer s.purging.Unlock()
	s.earlier = append(s.earlier, s.readers.Swap(new(readers)))
	for {
		done, err := s.purge(ctx, letGo)
		if err != nil {
			return Purged{}, fmt.Errorf("purge %s: %w", s.dir, err)
		}
		if done {
			return s.consists()
		}
		if err := sleep(ctx); err != nil {
			return Purged{}, err
		}
	}
}

// readers counts the snapshots that were taken between two purges.
type readers struct{ open atomic.Int64 }

func sleep(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(purgePause):
		return nil
	}
}

// purge is one round; done is false while something old may be left.
func (s *Store) purge(ctx context.Context, letGo func() error) (done bool, err error) {
	// A snapshot keeps what it sees from being rewritten.
	s.earlier = slices.DeleteFunc(s.earlier, func(r *readers) bool { return r.open.Load() == 0 })
	if len(s.earlier) > 0 {
		return false, nil
	}
	logs, err := s.files(".log")
	if err != nil {
		return false, err
	}
	tables, err := s.files(".sst")
	if err != nil {
		return false, err
	}
	// One row before all others and one behind them: what is flushed with them overlaps every table, so that compacting it rewrites them. A single table would be
	// moved to the last level as it is, deletions and all, and a table there with few deletions is rewritten by nobody.
	for _, edge := range [][]byte{purgeFirst, purgeLast} {
		if err := s.db.Set(edge, nil, pebble.NoSync); err != nil {
			return false, err
		}
	}
	if err := s.db.Flush(); err != nil {
		return false, err
	}
	// At this point nothing needs a log that was there before: Pebble keeps them only to write them over.
	for _, name := range logs {
		if err := s.fs.Remove(path.Join(s.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	// No key begins with so many bytes of 255.
	if err := s.db.Compact(ctx, []byte{0}, bytes.Repeat([]byte{0xff}, 32), false); err != nil {
		return false, err
	}
	for {
		if letGo != nil {
			if err := letGo(); err != nil {
				return false, err
			}
		}
		live, whole, err := s.live()
		if err != nil || !whole {
			return false, err
		}
		there, err := s.files(".sst")
		if err != nil {
			return false, err
		}
		// What an iterator reads goes when that is closed.
		if !slices.ContainsFunc(tables, func(name string) bool { return !live[name] && slices.Contains(there, name) }) {
			return true, nil
		}
		if err := sleep(ctx); err != nil {
			return false, err
		}
	}
}

// live names the files of the tables, and says whether the last level is without deletions, so that it has nothing that one hides, and without tables
// that are parts of a file.
func (s *Store) live() (live map[string]bool, whole bool, err error) {
	levels, err := s.db.SSTables(pebble.WithProperties())
	if err != nil {
		return nil, false, err
	}
	live, whole = map[string]bool{}, true
	for n, tables := range levels {
		for i := range tables {
			t := &tables[i]
			live[t.BackingSSTNum.String()+".sst"] = true
			whole = whole && !t.Virtual && (n < len(levels)-1 || t.Properties == nil || t.Properties.NumDeletions == 0)
		}
	}
	return live, whole, nil
}

func (s *Store) files(suffix string) (names []string, err error) {
	all, err := s.fs.List(s.dir)
	if err != nil {
		return nil, err
	}
	for _, name := range all {
		if strings.HasSuffix(name, suffix) {
			names = append(names, name)
		}
	}
	return names, nil
}

// consists lists the files.
func (s *Store) consists() (p Purged, err error) {
	names, err := s.files("")
	if err != nil {
		return p, err
	}
	slices.Sort(names)
	digest := sha256.New()
	for _, name := range names {
		info, err := s.fs.Stat(path.Join(s.dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // compacted meanwhile
		}
		if err != nil {
			return p, err
		}
		p.Files++
		p.Bytes += info.Size()
		fmt.Fprintf(digest, "%s %d\n", name, info.Size())
	}
	p.Digest = hex.EncodeToString(digest.Sum(nil))
	return p, nil
}

// nameKey is where a store keeps its name.
var nameKey = []byte{0, 'n'}

// Name tells the store from every other one. It is made at the first call, and lasts as long as the store.
func (s *Store) Name() (string, error) {
	s.purging.Lock()
	defer s.purging.Unlock()
	name, found, err := s.Get(nil, nameKey)
	if err != nil || found {
		return string(name), err
	}
	made := uuid.NewString()
	b := s.NewBatch()
	if err := b.Set(nameKey, []byte(made)); err != nil {
		return "", errors.Join(err, b.Discard())
	}
	return made, b.CommitDurable()
}
