package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Store keeps the files of an archive. Every write is durable when it returns nil; after an error it may have happened or not.
// A partition has one writer at a time.
type Store interface {
	// Put writes a segment file. Writing the same name again is harmless: the name is the content's digest.
	Put(ctx context.Context, part Part, name string, file []byte) error
	// Get reads a segment file; a missing one is fs.ErrNotExist.
	Get(ctx context.Context, part Part, name string) ([]byte, error)
	// Manifest reads the manifest from a byte on; one that does not exist yet is empty.
	Manifest(ctx context.Context, part Part, from int64) ([]byte, error)
	// Append adds a line to the manifest, which must then be at bytes long: what lies beyond is a torn append and goes.
	Append(ctx context.Context, part Part, at int64, line []byte) error
	// Parts lists the partitions that have a manifest.
	Parts(ctx context.Context) ([]Part, error)
	// Names lists the segment files of a partition, also those that no manifest names.
	Names(ctx context.Context, part Part) ([]string, error)
	// Locate tells a person where a file is.
	Locate(part Part, name string) string
}

const manifestName = "manifest.ndjson"

// Folder is a Store in a local folder.
type Folder struct{ dir string }

// OpenFolder uses a folder, which it creates if it does not exist.
func OpenFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the archive: %w", err)
	}
	return &Folder{dir}, nil
}

func (f *Folder) folder(p Part) string {
	return filepath.Join(f.dir, p.Topic, strconv.FormatUint(uint64(p.Generation), 10), strconv.Itoa(int(p.Partition)))
}

// Locate is the file's path.
func (f *Folder) Locate(p Part, name string) string { return filepath.Join(f.folder(p), name) }

// Put writes the file under another name, syncs it, renames it and syncs the folder, so that a name never shows half a file.
func (f *Folder) Put(_ context.Context, p Part, name string, file []byte) error {
	if err := f.ensure(p); err != nil {
		return err
	}
	path := f.Locate(p, name)
	if err := writeSynced(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, func(w *os.File) error {
		_, err := w.Write(file)
		return err
	}); err != nil {
		return fmt.Errorf("write archive file %s: %w", path, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write archive file %s: %w", path, err)
	}
	return syncFolder(filepath.Dir(path))
}

// Get reads the file whole.
func (f *Folder) Get(_ context.Context, p Part, name string) ([]byte, error) {
	return os.ReadFile(f.Locate(p, name))
}

// Manifest reads the manifest file from a byte on.
func (f *Folder) Manifest(_ context.Context, p Part, from int64) (b []byte, err error) {
	file, err := os.Open(f.Locate(p, manifestName))
	if errors.Is(err, fs.ErrNotExist) && from == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return io.ReadAll(io.NewSectionReader(file, from, 1<<62))
}

// Append writes a line at the end of the manifest file and syncs it.
func (f *Folder) Append(_ context.Context, p Part, at int64, line []byte) error {
	if err := f.ensure(p); err != nil {
		return err
	}
	path := f.Locate(p, manifestName)
	err := writeSynced(path, os.O_CREATE|os.O_WRONLY, func(w *os.File) error {
		info, err := w.Stat()
		if err != nil {
			return err
		}
		if info.Size() < at {
			return fmt.Errorf("it has %d bytes where %d were read: it was cut off", info.Size(), at)
		}
		if info.Size() > at {
			if err := w.Truncate(at); err != nil {
				return err
			}
		}
		_, err = w.WriteAt(line, at)
		return err
	})
	if err != nil {
		return fmt.Errorf("append to manifest %s: %w", path, err)
	}
	return syncFolder(filepath.Dir(path))
}

// Parts walks TOPIC/GENERATION/PARTITION.
func (f *Folder) Parts(_ context.Context) ([]Part, error) {
	found, err := filepath.Glob(filepath.Join(f.dir, "*", "*", "*", manifestName))
	if err != nil {
		return nil, fmt.Errorf("list the archive: %w", err)
	}
	var parts []Part
	for _, path := range found {
		at, err := filepath.Rel(f.dir, filepath.Dir(path))
		if err != nil {
			return nil, fmt.Errorf("list the archive: %w", err)
		}
		names := strings.Split(at, string(filepath.Separator))
		generation, err1 := strconv.ParseUint(names[1], 10, 32)
		partition, err2 := strconv.ParseInt(names[2], 10, 32)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("list the archive: %s is not a partition of ours", path)
		}
		parts = append(parts, Part{names[0], uint32(generation), int32(partition)})
	}
	slices.SortFunc(parts, func(a, b Part) int { return strings.Compare(a.String(), b.String()) })
	return parts, nil
}

// Names lists the folder.
func (f *Folder) Names(_ context.Context, p Part) ([]string, error) {
	entries, err := os.ReadDir(f.folder(p))
	if err != nil {
		return nil, fmt.Errorf("list the archive: %w", err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".segment") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// ensure makes the partition's folder and each new level durable.
func (f *Folder) ensure(p Part) error {
	dir := f.folder(p)
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create archive folder: %w", err)
	}
	for level := dir; level != f.dir; {
		level = filepath.Dir(level)
		if err := syncFolder(level); err != nil {
			return err
		}
	}
	return nil
}

func writeSynced(path string, flag int, write func(*os.File) error) error {
	file, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return err
	}
	err = write(file)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync archive folder: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync archive folder %s: %w", dir, err)
	}
	return nil
}
