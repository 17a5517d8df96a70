package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Progress is how far a run has come, in a file beside what it writes:
//
//	{"question":"format=ndjson&type=order.placed","end":"120,98","after":"2026-01-02T00:00:00Z/…","events":1000,"bytes":52031,"parts":0}
//
// All that it counts was durable when it was written.
type Progress struct {
	Question string `json:"question"` // which events, in which form: another one is another run
	End      string `json:"end"`      // of the log, End.String
	After    string `json:"after"`    // Cursor.String
	Events   int64  `json:"events"`
	Bytes    int64  `json:"bytes,omitempty"` // of a file of lines
	Parts    int    `json:"parts,omitempty"` // of a folder
}

// resume reads the progress of a run, or begins one. begun says that the run had been begun before.
func resume(path, question string) (p Progress, begun bool, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Progress{Question: question}, false, nil
	}
	if err != nil {
		return p, false, fmt.Errorf("read how far the run has come: %w", err)
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return p, false, fmt.Errorf("%s does not say how far the run has come: remove it with what the run has written, and begin anew", path)
	}
	if p.Question != question {
		return p, false, fmt.Errorf("%s belongs to a run that asked for other events: finish that one with its own flags, or remove what it has written", path)
	}
	return p, true, nil
}

// save replaces the file, durably.
func (p *Progress) save(path string) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err // Unreachable: strings and numbers
	}
	return replace(path, b)
}

// replace writes a small file whole, durably.
func replace(path string, text []byte) error {
	file, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return failed(err)
	}
	if _, err := file.Write(append(text, '\n')); err != nil {
		return errors.Join(failed(err), file.Close())
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return failed(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return failed(err)
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return failed(err)
	}
	if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
		return failed(err)
	}
	return nil
}

// failed says what to do about a file that cannot be written.
func failed(err error) error {
	return fmt.Errorf("%w; when that is mended, the same command carries on", err)
}
