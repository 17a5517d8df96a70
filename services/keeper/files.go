package keeper

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// files are the steps that a write is made of. Each is durable when it returns nil, except Rename and Remove, which are durable
// after SyncDir. Tests make them fail.
type files interface {
	// Read gives a whole file, or an error that is fs.ErrNotExist.
	Read(path string) ([]byte, error)
	// Create writes and syncs a file that must not exist, readable by its owner only.
	Create(path string, content []byte) error
	Rename(from, to string) error
	// Overwrite puts zeros in place of the file's bytes and syncs them.
	Overwrite(path string) error
	Remove(path string) error
	SyncDir(dir string) error
}

type diskFiles struct{}

func (diskFiles) Read(path string) ([]byte, error) { return os.ReadFile(path) }

func (diskFiles) Create(path string, content []byte) error {
	return writeSynced(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, func(f *os.File) error {
		_, err := f.Write(content)
		return err
	})
}

func (diskFiles) Rename(from, to string) error { return os.Rename(from, to) }

func (diskFiles) Overwrite(path string) error {
	return writeSynced(path, os.O_WRONLY, func(f *os.File) error {
		stat, err := f.Stat()
		if err != nil {
			return err
		}
		zeros := make([]byte, 1<<16)
		for left := stat.Size(); left > 0; {
			n, err := f.Write(zeros[:min(left, int64(len(zeros)))])
			if err != nil {
				return err
			}
			left -= int64(n)
		}
		return nil
	})
}

func (diskFiles) Remove(path string) error { return os.Remove(path) }

func (diskFiles) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func writeSynced(path string, flag int, write func(*os.File) error) error {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

// A slot is a file with the two names that it passes through: .new on its way in, .old on its way out.
type slot struct{ dir, name string }

type suffix string

const (
	inPlace suffix = ""
	coming  suffix = ".new"
	leaving suffix = ".old"
)

var suffixes = []suffix{inPlace, coming, leaving}

func (s slot) path(at suffix) string { return filepath.Join(s.dir, s.name+string(at)) }

// read gives what is there under each of the three names.
func (s slot) read(fsys files) (map[suffix][]byte, error) {
	found := map[suffix][]byte{}
	for _, at := range suffixes {
		content, err := fsys.Read(s.path(at))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", s.path(at), err)
		default:
			found[at] = content
		}
	}
	return found, nil
}

// create puts a new file beside the one in place.
func (s slot) create(fsys files, content []byte) error {
	if err := fsys.Create(s.path(coming), content); err != nil {
		return fmt.Errorf("write %s: %w", s.path(coming), err)
	}
	return s.sync(fsys)
}

// install brings the file under one of the names into place; held says which names are in use. What was in place moves aside.
func (s slot) install(fsys files, chosen suffix, held map[suffix]bool) error {
	if chosen == inPlace {
		return nil
	}
	if held[inPlace] {
		aside := leaving
		if held[leaving] {
			// Of .old and the one in place only the chosen is needed.
			lost := leaving
			if chosen == leaving {
				lost = inPlace
			}
			if err := s.scrub(fsys, lost); err != nil {
				return err
			}
			held[lost] = false
		}
		if held[inPlace] {
			if err := s.rename(fsys, inPlace, aside); err != nil {
				return err
			}
			held[inPlace], held[aside] = false, true
		}
	}
	if err := s.rename(fsys, chosen, inPlace); err != nil {
		return err
	}
	held[chosen], held[inPlace] = false, true
	return s.sync(fsys)
}

// clear overwrites and removes all but the file in place.
func (s slot) clear(fsys files, held map[suffix]bool) error {
	for _, at := range []suffix{coming, leaving} {
		if !held[at] {
			continue
		}
		if err := s.scrub(fsys, at); err != nil {
			return err
		}
		held[at] = false
	}
	return s.sync(fsys)
}

func (s slot) scrub(fsys files, at suffix) error {
	if err := fsys.Overwrite(s.path(at)); err != nil {
		return fmt.Errorf("overwrite %s: %w", s.path(at), err)
	}
	if err := fsys.Remove(s.path(at)); err != nil {
		return fmt.Errorf("remove %s: %w", s.path(at), err)
	}
	return nil
}

func (s slot) rename(fsys files, from, to suffix) error {
	if err := fsys.Rename(s.path(from), s.path(to)); err != nil {
		return fmt.Errorf("rename %s: %w", s.path(from), err)
	}
	return nil
}

func (s slot) sync(fsys files) error {
	if err := fsys.SyncDir(s.dir); err != nil {
		return fmt.Errorf("sync %s: %w", s.dir, err)
	}
	return nil
}
