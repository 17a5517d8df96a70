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

// refusals writes the refused rows beside the file. The file is made with the first of them; one of an earlier import is removed.
type refusals struct {
	path string

	mu   sync.Mutex
	file *os.File
	out  *bufio.Writer
	err  error
}

func newRefusals(path string) (*refusals, error) {
	r := &refusals{path: path + ".refused.ndjson"}
	if err := os.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove the refused rows of an earlier import: %w", err)
	}
	return r, nil
}

func (r *refusals) add(one refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return
	}
	if r.file == nil {
		if r.file, r.err = os.OpenFile(r.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600); r.err != nil {
			return
		}
		r.out = bufio.NewWriter(r.file)
	}
	text, err := json.Marshal(one)
	if err == nil {
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
