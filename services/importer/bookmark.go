package importer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// bookmark is how far an import came: that many rows from the start of the file are acknowledged or refused. It lies in Config.Folder, named by what
// is imported, how, and into what; another mapping or another installation is another import.
//
// It saves work and no more: importing rows again adds nothing.
type bookmark struct {
	File         string `json:"file"`
	Size         int64  `json:"size"`
	Modified     int64  `json:"modified"` // nanoseconds since 1970
	Rows         int64  `json:"rows"`
	Accepted     int64  `json:"accepted"`
	Refused      int64  `json:"refused"`
	Empty        int64  `json:"empty"`
	Events       int64  `json:"events"`
	RefusedBytes int64  `json:"refusedBytes"` // of FILE.refused.ndjson

	path string // empty: nothing is kept
}

// findBookmark gives what an import of the same file left, or an empty bookmark.
func findBookmark(cfg *Config, file string) (*bookmark, error) {
	if cfg.Folder == "" {
		return &bookmark{}, nil
	}
	absolute, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("name the file %s: %w", file, err)
	}
	stat, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("open the file: %w", err)
	}
	if err := os.MkdirAll(cfg.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for how far imports came: %w", err)
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{absolute, cfg.Mapping.Hash(), cfg.Source, cfg.URL, cfg.Key}, "\x00")))
	fresh := &bookmark{File: absolute, Size: stat.Size(), Modified: stat.ModTime().UnixNano(), path: filepath.Join(cfg.Folder, hex.EncodeToString(sum[:16])+".json")}
	text, err := os.ReadFile(fresh.path)
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read how far the import came: %w", err)
	}
	left := &bookmark{}
	if json.Unmarshal(text, left) != nil || left.Size != fresh.Size || left.Modified != fresh.Modified || left.Rows <= 0 {
		return fresh, nil // the file has changed, or this is no bookmark: everything is sent again, which adds nothing
	}
	if refused, err := os.Stat(refusedPath(file)); left.RefusedBytes > 0 && (err != nil || refused.Size() < left.RefusedBytes) {
		return fresh, nil // the refused rows were moved away: only a whole import gives all of them
	}
	left.path = fresh.path
	return left, nil
}

// restore begins a summary with what was done before.
func (b *bookmark) restore(s *Summary) {
	s.Read, s.Resumed, s.Accepted, s.Refused, s.Empty, s.Events = b.Rows, b.Rows, b.Accepted, b.Refused, b.Empty, b.Events
}

func (b *bookmark) take(s *Summary) {
	b.Accepted, b.Refused, b.Empty, b.Events = s.Accepted, s.Refused, s.Empty, s.Events
}

// write replaces the file whole, durably.
func (b *bookmark) write() error {
	text, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("note how far the import is: %w", err)
	}
	file, err := os.OpenFile(b.path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("note how far the import is: %w", err)
	}
	_, err = file.Write(append(text, '\n'))
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(b.path+".new", b.path)
	}
	if err != nil {
		return fmt.Errorf("note how far the import is: %w", err)
	}
	return nil
}

func (b *bookmark) remove() error {
	if b.path == "" {
		return nil
	}
	if err := os.Remove(b.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget how far the import was: %w", err)
	}
	return nil
}
