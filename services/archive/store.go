package archive

import (
	"bytes"
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
	"sync"
	"time"
)

// Store keeps the files of an archive. Every write is durable when it returns nil; after an error it may have happened or not.
// A partition has one writer at a time, and one that was replaced while it did not run, and goes on, does no harm: a file is named after
// what it holds, and a line's place in the manifest is taken once.
type Store interface {
	// Put writes a segment file. Writing the same name again is harmless: the name is the content's digest.
	Put(ctx context.Context, part Part, name string, file []byte) error
	// Get reads a segment file; a missing one is fs.ErrNotExist.
	Get(ctx context.Context, part Part, name string) ([]byte, error)
	// Manifest reads the manifest from a byte on; one that does not exist yet is empty.
	Manifest(ctx context.Context, part Part, from int64) ([]byte, error)
	// Append adds a line to the manifest, which must then be at bytes long, not counting a torn line. Of several writers at one place
	// one succeeds; the others get an error, start over, and find its line.
	Append(ctx context.Context, part Part, at int64, line []byte) error
	// Parts lists the partitions that have a manifest.
	Parts(ctx context.Context) ([]Part, error)
	// Names lists the segment files of a partition, also those that no manifest names.
	Names(ctx context.Context, part Part) ([]string, error)
	// Locate tells a person where a file is.
	Locate(part Part, name string) string
}

const manifestName = "manifest.ndjson"

// Folder is a Store in a folder, on a file system with hard links.
type Folder struct {
	dir      string
	swept    sync.Map          // folders in which nothing is left of earlier crashes
	boundary func(step string) // called between the steps of a write, by tests
}

// OpenFolder uses a folder, which it creates if it does not exist.
func OpenFolder(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the archive: %w", err)
	}
	return &Folder{dir: dir, boundary: func(string) {}}, nil
}

func (f *Folder) folder(p Part) string {
	return filepath.Join(f.dir, p.Topic, strconv.FormatUint(uint64(p.Generation), 10), strconv.Itoa(int(p.Partition)))
}

// Locate is the file's path.
func (f *Folder) Locate(p Part, name string) string { return filepath.Join(f.folder(p), name) }

// Put writes the file under a name of its own, syncs it, renames it and syncs the folder, so that a name never shows half a file.
func (f *Folder) Put(_ context.Context, p Part, name string, file []byte) error {
	if err := f.ensure(p); err != nil {
		return err
	}
	path := f.Locate(p, name)
	aside, err := writeAside(path, file)
	if err != nil {
		return fmt.Errorf("write archive file %s: %w", path, err)
	}
	f.boundary("file aside")
	if err := os.Rename(aside, path); err != nil {
		return errors.Join(fmt.Errorf("write archive file %s: %w", path, err), os.Remove(aside))
	}
	f.boundary("file named")
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

// errTaken says that another writer's line has the place.
var errTaken = errors.New("another writer has added a line there")

// Append takes the place of the line first: a hard link, which fails if there is one already, gives the whole line the name of its place
// (manifest.at-BYTES). From then on the line is decided, and whoever comes upon it writes it into the manifest file, where the same bytes
// at the same place do no harm however often and however late. Then the name goes. A writer that takes the name after that finds a whole
// line in the manifest at its place, and has lost.
func (f *Folder) Append(_ context.Context, p Part, at int64, line []byte) error {
	if err := f.ensure(p); err != nil {
		return err
	}
	path := f.Locate(p, manifestName)
	if err := f.take(path, at, line); err != nil {
		return fmt.Errorf("append to manifest %s: %w", path, err)
	}
	return nil
}

func (f *Folder) take(path string, at int64, line []byte) error {
	if info, err := os.Stat(path); at > 0 && (err != nil || info.Size() < at) {
		return errors.Join(err, fmt.Errorf("it does not have the %d bytes that were read: it was cut off", at))
	}
	aside, err := writeAside(path, line)
	if err != nil {
		return err
	}
	f.boundary("line aside")
	claim := fmt.Sprintf("%s.at-%d", strings.TrimSuffix(path, filepath.Ext(path)), at)
	linked := os.Link(aside, claim)
	if err := os.Remove(aside); err != nil {
		return errors.Join(linked, err)
	}
	f.boundary("line decided")
	switch {
	case errors.Is(linked, fs.ErrExist):
		decided, err := os.ReadFile(claim)
		if errors.Is(err, fs.ErrNotExist) {
			return errTaken
		}
		if err != nil {
			return err
		}
		if err := f.settle(path, at, decided, claim); err != nil {
			return err
		}
		if !bytes.Equal(decided, line) {
			return errTaken
		}
		return nil
	case errors.Is(linked, errors.ErrUnsupported), errors.Is(linked, fs.ErrPermission):
		return fmt.Errorf("%w: an archive needs a file system with hard links, or S3", linked)
	case linked != nil:
		return linked
	}
	return f.settle(path, at, line, claim)
}

// settle writes the line that has the name of its place into the manifest, unless that has a whole line there: then the name was taken too
// late. What lies there and is no whole line is a torn append of a machine that failed.
func (f *Folder) settle(path string, at int64, line []byte, claim string) error {
	late := false
	err := writeSynced(path, os.O_CREATE|os.O_RDWR, func(w *os.File) error {
		there, err := io.ReadAll(io.NewSectionReader(w, at, 1<<62))
		if err != nil {
			return err
		}
		f.boundary("place looked at")
		if bytes.IndexByte(there, '\n') >= 0 {
			late = !bytes.HasPrefix(there, line)
			return nil
		}
		_, err = w.WriteAt(line, at)
		f.boundary("line written")
		return err
	})
	if err != nil {
		return err
	}
	f.boundary("line synced")
	if err := os.Remove(claim); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if late {
		return errTaken
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

// sweepAfter is how old what a crash left must be to be removed: its writer may be paused, and then starts over.
const sweepAfter = time.Hour

// sweep removes what crashes left in a partition's folder, once for each start.
func (f *Folder) sweep(dir string) error {
	if _, swept := f.swept.LoadOrStore(dir, true); swept {
		return nil
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.new"))
	if err != nil {
		return err
	}
	for _, path := range left {
		info, err := os.Stat(path)
		if err == nil && time.Since(info.ModTime()) > sweepAfter {
			err = os.Remove(path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what a crash left in the archive: %w", err)
		}
	}
	return nil
}

// ensure makes the partition's folder and each new level durable.
func (f *Folder) ensure(p Part) error {
	dir := f.folder(p)
	if _, err := os.Stat(dir); err == nil {
		return f.sweep(dir)
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

// writeAside writes a new file beside path, under a name that nobody else has, and syncs it. A crash leaves it there.
func writeAside(path string, content []byte) (name string, err error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new")
	if err != nil {
		return "", err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
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
