package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// folder is the data folder of an installation:
//
//	credentials.json   how the other commands reach it (0600)
//	keys/              master key and key ring: irreplaceable, not in any backup of the rest
//	format             the version of the folder
//	log.json           which log the rest was built from
//	log/               the embedded log
//	archive/           closed ranges of the log: with the log and the ring, all that is irreplaceable
//	clickhouse/        the embedded engine; rebuilt from the log
//	state/             what the roles keep; rebuilt from the log
type folder struct {
	dir  string
	lock *os.File
}

// openFolder makes the folder if needed and locks it for this process.
func openFolder(dir string) (*folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the data folder %s cannot be made: %w; choose another with --data", dir, reason(err))
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the data folder %s is not writable: %w; choose another with --data", dir, reason(err))
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("the data folder %s is in use by another dossier: stop it, or choose another with --data", dir), lock.Close())
	}
	f := &folder{dir, lock}
	if err := errors.Join(f.checkFormat(), f.dropExports()); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return f, nil
}

// dataFormat is the version of the data folder as a whole. Format 1 had no file that says so. What lies in the folder has versions of its
// own, and is brought up to date or built anew by whoever opens it; this one is for what an earlier program would misread unawares, such as
// records of the control topic that it does not know.
const dataFormat = 3

// checkFormat refuses a folder that a newer program wrote, before anything is touched, and notes the format.
func (f *folder) checkFormat() error {
	b, err := os.ReadFile(f.path("format"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read the format of the data folder: %w", reason(err))
	}
	if err == nil {
		format, err := strconv.Atoi(strings.TrimSpace(string(b)))
		switch {
		case err != nil:
			return fmt.Errorf("%s is not the number that dossier wrote: write %d into it if no newer dossier has used the folder", f.path("format"), dataFormat)
		case format > dataFormat:
			return fmt.Errorf("the data folder %s was written by a newer dossier (format %d, this one knows %d): use that one, or restore a backup into another folder", f.dir, format, dataFormat)
		case format == dataFormat:
			return nil
		}
	}
	return writeWhole(f.path("format"), fmt.Appendf(nil, "%d\n", dataFormat))
}

// dropExports removes what an export that was cut has left: events in the clear, which no erasure would find.
func (f *folder) dropExports() error {
	left, err := os.ReadDir(f.path("state"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("look for what a cut export has left: %w", reason(err))
	}
	for _, entry := range left {
		if !strings.HasPrefix(entry.Name(), exportFolders) {
			continue
		}
		if err := os.RemoveAll(f.path("state", entry.Name())); err != nil {
			return fmt.Errorf("remove what a cut export has left: %w", reason(err))
		}
	}
	return nil
}

func reason(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return path.Err
	}
	return err
}

func (f *folder) path(parts ...string) string {
	return filepath.Join(append([]string{f.dir}, parts...)...)
}

func (f *folder) close() error { return f.lock.Close() }

// readCredentials gives the stored credentials, empty if there are none.
func (f *folder) readCredentials() (credentials, error) {
	var c credentials
	b, err := os.ReadFile(f.path("credentials.json"))
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("read credentials.json: %w", err)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, fmt.Errorf("%s is not the JSON that 'dossier up' wrote: put it back, or move it away and create keys anew: %w", f.path("credentials.json"), err)
	}
	return c, nil
}

// writeCredentials replaces the file whole, durably.
func (f *folder) writeCredentials(c credentials) error {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	path := f.path("credentials.json")
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write credentials.json: %w", err)
	}
	if _, err := file.Write(append(b, '\n')); err != nil {
		return errors.Join(fmt.Errorf("write credentials.json: %w", err), file.Close())
	}
	if err := file.Sync(); err != nil {
		return errors.Join(fmt.Errorf("write credentials.json: %w", err), file.Close())
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("write credentials.json: %w", err)
	}
	return os.Rename(path+".new", path)
}

// bytes is what a part of the folder holds. A file that goes away meanwhile does not count.
func (f *folder) bytes(parts ...string) (n int64) {
	walk := func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		if info, err := entry.Info(); err == nil {
			n += info.Size()
		}
		return nil
	}
	if err := filepath.WalkDir(f.path(parts...), walk); err != nil {
		return n // Unreachable: walk returns no error
	}
	return n
}
