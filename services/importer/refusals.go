package importer

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// refusal is one line of FILE.refused.ndjson: why a row, or one of its events, was not imported.
type refusal struct {
	Row    int               `json:"row"`            // from 1, the header not counted
	Line   int               `json:"line,omitempty"` // of the file, from 1
	Column string            `json:"column,omitempty"`
	Event  string            `json:"event,omitempty"` // which of the mapping's events of the row
	Code   string            `json:"code"`
	Reason string            `json:"reason"`
	Hint   string            `json:"hint,omitempty"`
	Values map[string]string `json:"values,omitempty"` // the row as it was read, to be corrected and imported again
}

// refusals writes the refused rows beside the file. The file is made with the first of them; one of an earlier import is removed, unless that is
// carried on.
type refusals struct {
	path string

	mu    sync.Mutex
	file  *os.File
	out   *bufio.Writer
	bytes int64 // written, those of an import that is carried on too
	err   error
}

func refusedPath(file string) string { return file + ".refused.ndjson" }

// newRefusals begins anew, or after the first bytes of what an import left that is carried on.
func newRefusals(file string, carried int64) (*refusals, error) {
	r := &refusals{path: refusedPath(file), bytes: carried}
	if carried == 0 {
		if err := os.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("remove the refused rows of an earlier import: %w", err)
		}
		return r, nil
	}
	if err := os.Truncate(r.path, carried); err != nil {
		return nil, fmt.Errorf("carry on with the refused rows: %w", err)
	}
	return r, nil
}

// sync makes durable what was added, and tells how many bytes that is.
func (r *refusals) sync() (int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil && r.file != nil {
		if r.err = r.out.Flush(); r.err == nil {
			r.err = r.file.Sync()
		}
	}
	return r.bytes, wrapRefused(r.path, r.err)
}

func (r *refusals) add(one refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return
	}
	if r.file == nil {
		if r.file, r.err = os.OpenFile(r.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); r.err != nil {
			return
		}
		r.out = bufio.NewWriter(r.file)
	}
	text, err := json.Marshal(one)
	if err == nil {
		r.bytes += int64(len(text)) + 1
		_, err = r.out.Write(append(text, '\n'))
	}
	r.err = err
}

// close makes the file complete. It returns the first error of any write.
func (r *refusals) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return wrapRefused(r.path, r.err)
	}
	if err := r.out.Flush(); r.err == nil {
		r.err = err
	}
	if err := r.file.Close(); r.err == nil {
		r.err = err
	}
	return wrapRefused(r.path, r.err)
}

func wrapRefused(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write %s: %w", path, err)
}
