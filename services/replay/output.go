package replay

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Output takes the events of a run. One goroutine uses it.
type Output interface {
	// Progress is how far the run had come when it was opened, and comes.
	Progress() *Progress
	// Take adds an event. What was taken is durable after Save, at the latest.
	Take(l Line) error
	// Save makes durable what was taken, as far as that is possible in the middle, and notes it. Begin notes the end of the log by it.
	Save() error
	// Finish ends a run that has everything. Without it Close leaves what the same command carries on with.
	Finish() error
	Close() error
}

// saveEvery is how long a crash makes a run go back.
const saveEvery = 2 * time.Second

// File writes lines to PATH.part and notes its progress in PATH.replay. When it has all, PATH.part becomes PATH.
type File struct {
	path     string
	part     *os.File
	out      *bufio.Writer
	progress Progress
	taken    Progress // with what is not saved yet
	saved    time.Time
}

// OpenFile begins a file or carries on with one. What is there already by the name is never written over.
func OpenFile(path, question string) (*File, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("%s is there already: remove it, or choose another with --out", path)
	}
	p, begun, err := resume(path+".replay", question)
	if err != nil {
		return nil, err
	}
	part, err := os.OpenFile(path+".part", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, failed(err)
	}
	f := &File{path: path, part: part, out: bufio.NewWriterSize(part, 1<<18), progress: p, taken: p, saved: time.Now()}
	size, err := part.Seek(0, 2)
	if err == nil && begun && size < p.Bytes {
		err = fmt.Errorf("%s.part is shorter than %s.replay says: remove both and begin anew", path, path)
	} else if err == nil { // what came after the last note may be cut in the middle of a line
		err = errors.Join(part.Truncate(p.Bytes), seek(part, p.Bytes))
	}
	if err != nil {
		return nil, errors.Join(err, part.Close())
	}
	return f, nil
}

func seek(f *os.File, to int64) error {
	_, err := f.Seek(to, 0)
	return err
}

// Progress is how far the run has come.
func (f *File) Progress() *Progress { return &f.taken }

// Take adds a line.
func (f *File) Take(l Line) error {
	if _, err := f.out.Write(l.Text); err != nil {
		return failed(err)
	}
	f.taken.Events, f.taken.Bytes, f.taken.After = f.taken.Events+1, f.taken.Bytes+int64(len(l.Text)), l.At.String()
	if time.Since(f.saved) < saveEvery {
		return nil
	}
	return f.Save()
}

// Save makes durable what was taken.
func (f *File) Save() error {
	if err := errors.Join(f.out.Flush(), f.part.Sync()); err != nil {
		return failed(err)
	}
	if err := f.taken.save(f.path + ".replay"); err != nil {
		return err
	}
	f.progress, f.saved = f.taken, time.Now()
	return nil
}

// Finish gives the file its name.
func (f *File) Finish() error {
	if err := f.Save(); err != nil {
		return err
	}
	// In this order: a crash between leaves a note without a file, which the next run sees as finished by the name.
	if err := os.Rename(f.path+".part", f.path); err != nil {
		return failed(err)
	}
	if err := syncFolder(filepath.Dir(f.path)); err != nil {
		return err
	}
	if err := os.Remove(f.path + ".replay"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failed(err)
	}
	return nil
}

// Close leaves the file as it is.
func (f *File) Close() error { return f.part.Close() }
