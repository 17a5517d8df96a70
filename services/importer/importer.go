package importer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
)

// Config says where rows go and how they become events.
type Config struct {
	URL      string // of the collector, such as http://127.0.0.1:8080
	Key      string // a server write key
	Mapping  *mapping.Mapping
	Source   string         // the source of every event, in place of the mapping's
	Client   *http.Client   // default http.DefaultClient
	Parallel int            // requests at once, of all files together; default 4
	Files    int            // files at once; default 2
	Folder   string         // where it is kept how far an import came, so that it is carried on after a crash; empty: it begins anew
	Progress func(Progress) // called about five times a second, and at the end; may be nil

	slots chan struct{} // one for each request at once
}

// Progress is how far the import of one file is.
type Progress struct {
	File     string
	Rows     int64 // read
	Accepted int64 // rows
	Refused  int64 // rows
	Bytes    int64 // of the file, as stored
	Total    int64
	Elapsed  time.Duration
	Left     time.Duration // how long the rest will take at the pace so far; 0 if that is not known
	Done     bool
}

// Summary is what became of a file. Rows read = accepted + refused + empty.
type Summary struct {
	File     string
	Read     int64
	Accepted int64
	Refused  int64    // rows of which at least one event was refused, or that could not be read or mapped
	Empty    int64    // rows that are no event under the mapping's conditions
	Events   int64    // accepted by the collector
	Skipped  string   // why the whole file was passed over, if its mapping says so
	Missing  []string // columns that the mapping names and the file does not have; what they would say is not imported
	Cut      string   // why the file was not read to its end, if so
	Refusals string   // the file with the refused rows, if there are any
	Resumed  int64    // rows, of those above, that an earlier import had sent before it ended
}

// defaults fills in what was left out.
func (c *Config) defaults() {
	if c.Parallel <= 0 {
		c.Parallel = 4
	}
	if c.Files <= 0 {
		c.Files = 2
	}
	if c.Client == nil {
		c.Client = http.DefaultClient
	}
	if c.slots == nil {
		c.slots = make(chan struct{}, c.Parallel)
	}
}

// Complete says whether everything in the file was imported.
func (s *Summary) Complete() bool { return s.Refused == 0 && len(s.Missing) == 0 && s.Cut == "" }

// WrongFile is an error of an import that began nothing, since the file, or the mapping for it, is wrong: the same import again fails again. It
// names the file, and what to do.
type WrongFile struct{ err error }

func (e *WrongFile) Error() string { return e.err.Error() }
func (e *WrongFile) Unwrap() error { return e.err }

// File imports one file. An error means that nothing, or not all, of it was sent; the summary says how far it came. Sending it
// again changes nothing.
func File(ctx context.Context, cfg Config, path string) (*Summary, error) {
	cfg.defaults()
	summary := &Summary{File: path}
	if reason, skip := cfg.Mapping.Skip(); skip {
		summary.Skipped = reason
		if reason == "" {
			summary.Skipped = "its rows are no events"
		}
		return summary, nil
	}
	if cfg.Mapping.Path != "" {
		return summary, &WrongFile{fmt.Errorf("the mapping %s has a path, which payloads of webhooks and topics have: take it out for a file of rows", cfg.Mapping.Name)}
	}
	layout := cfg.Mapping.Layout()
	in, err := open(path, layout.Encoding)
	if err != nil {
		return summary, &WrongFile{err}
	}
	defer in.Close()
	wanted := map[string]bool{}
	for _, missing := range cfg.Mapping.Check(nil) {
		wanted[missing.Column] = true
	}
	rows, err := readRows(path, in, layout, wanted)
	if fault := (*rowError)(nil); errors.As(err, &fault) {
		return summary, &WrongFile{fmt.Errorf("%s, row 0 (the header): %s; %s", path, fault.reason, fault.hint)}
	}
	if err != nil {
		return summary, fmt.Errorf("read %s: %w", path, err)
	}
	if err := checkColumns(cfg.Mapping, rows.header(), summary); err != nil {
		summary.Missing = nil // the error names them
		return summary, &WrongFile{err}
	}
	tables, err := loadTables(cfg.Mapping, path)
	if err != nil {
		return summary, &WrongFile{err}
	}
	mapper, err := cfg.Mapping.Rows(tables, cfg.Source)
	if err != nil {
		return summary, err
	}
	mark, err := findBookmark(&cfg, path)
	if err != nil {
		return summary, err
	}
	refused, err := newRefusals(path, mark.RefusedBytes)
	if err != nil {
		return summary, err
	}
	mark.restore(summary)
	run := &run{cfg: cfg, in: in, started: time.Now(), tracker: newTracker(summary, refused, mark)}
	err = run.all(ctx, rows, mapper)
	if closeErr := run.tracker.close(err == nil && ctx.Err() == nil); err == nil {
		err = closeErr
	}
	if summary.Refused > 0 {
		summary.Refusals = refused.path
	}
	run.report(true)
	return summary, err
}

// checkColumns notes the columns that are missing, and fails where no row can be mapped without one.
func checkColumns(m *mapping.Mapping, header []string, summary *Summary) error {
	if header == nil {
		return nil
	}
	var essential []string
	for _, missing := range m.Check(header) {
		if missing.Essential {
			essential = append(essential, missing.Column)
		}
		summary.Missing = append(summary.Missing, missing.Column)
	}
	if len(essential) > 0 {
		return fmt.Errorf("%s, row 0 (the header): there is no column %s, which the mapping needs; the columns are: %s: correct the mapping, or the file's first line", summary.File, strings.Join(essential, ", "), strings.Join(header, ", "))
	}
	return nil
}
