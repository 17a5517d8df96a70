package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
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
	Parallel int            // requests at once; default 4
	Progress func(Progress) // called about five times a second, and at the end; may be nil
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
	LastIDs  []string // of the events that were accepted last: when they can be queried, all can
}

// Complete says whether everything in the file was imported.
func (s *Summary) Complete() bool { return s.Refused == 0 && len(s.Missing) == 0 && s.Cut == "" }

// File imports one file. An error means that nothing, or not all, of it was sent; the summary says how far it came. Sending it
// again changes nothing.
func File(ctx context.Context, cfg Config, path string) (*Summary, error) {
	summary := &Summary{File: path}
	if reason, skip := cfg.Mapping.Skip(); skip {
		summary.Skipped = reason
		if reason == "" {
			summary.Skipped = "its rows are no events"
		}
		return summary, nil
	}
	layout := cfg.Mapping.Layout()
	in, err := open(path, layout.Encoding)
	if err != nil {
		return summary, err
	}
	defer in.Close()
	wanted := map[string]bool{}
	for _, missing := range cfg.Mapping.Check(nil) {
		wanted[missing.Column] = true
	}
	rows, err := readRows(path, in, layout, wanted)
	if fault := (*rowError)(nil); errors.As(err, &fault) {
		return summary, fmt.Errorf("%s, row 0 (the header): %s; %s", path, fault.reason, fault.hint)
	}
	if err != nil {
		return summary, fmt.Errorf("read %s: %w", path, err)
	}
	if err := checkColumns(cfg.Mapping, rows.header(), summary); err != nil {
		return summary, err
	}
	tables, err := loadTables(cfg.Mapping, path)
	if err != nil {
		return summary, err
	}
	mapper, err := cfg.Mapping.Rows(tables, cfg.Source)
	if err != nil {
		return summary, err
	}
	refused, err := newRefusals(path)
	if err != nil {
		return summary, err
	}
	run := &run{cfg: cfg, summary: summary, refused: refused, in: in, started: time.Now()}
	err = run.all(ctx, rows, mapper)
	if closeErr := refused.close(); err == nil {
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
		return fmt.Errorf("%s, row 0 (the header): there is no column %s; the columns are: %s", summary.File, strings.Join(essential, ", "), strings.Join(header, ", "))
	}
	return nil
}

// run is the import of one file under way.
type run struct {
	cfg     Config
	refused *refusals
	in      *input
	started time.Time

	mu       sync.Mutex
	summary  *Summary
	reported time.Time
}

// all reads, maps and sends every row.
func (r *run) all(ctx context.Context, rows rowReader, mapper *mapping.Rows) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	client := r.cfg.Client
	if client == nil {
		client = http.DefaultClient
	}
	parallel := r.cfg.Parallel
	if parallel <= 0 {
		parallel = 4
	}
	s := &sender{client: client, url: r.cfg.URL, key: r.cfg.Key, wait: pause}
	batches := make(chan *batch)
	var senders sync.WaitGroup
	for range parallel {
		senders.Go(func() {
			for b := range batches {
				if err := s.send(ctx, b, r.done); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	err := r.read(ctx, rows, mapper, batches)
	close(batches)
	senders.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// read maps rows into batches until the end of the file.
func (r *run) read(ctx context.Context, rows rowReader, mapper *mapping.Rows, batches chan<- *batch) error {
	b := &batch{}
	flush := func() error {
		if len(b.events) == 0 {
			return nil
		}
		select {
		case batches <- b:
			b = &batch{body: make([]byte, 0, cap(b.body))}
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for {
		l, err := rows.next()
		if err == io.EOF {
			return flush()
		}
		if err != nil {
			if flushErr := flush(); flushErr != nil {
				return flushErr
			}
			r.mu.Lock()
			r.summary.Cut = err.Error()
			r.mu.Unlock()
			return nil
		}
		r.row(l, mapper, b)
		if b.full() {
			if err := flush(); err != nil {
				return err
			}
		}
	}
}

// row maps one row into the batch.
func (r *run) row(l *line, mapper *mapping.Rows, b *batch) {
	count := func(field *int64) {
		r.mu.Lock()
		*field++
		r.mu.Unlock()
	}
	count(&r.summary.Read)
	defer r.report(false)
	if l.fault != nil {
		column := ""
		if at := l.fault.column; at > 0 {
			column = fmt.Sprintf("column %d", at)
			if at <= len(l.row.Names) {
				column = l.row.Names[at-1]
			}
		}
		r.refused.add(refusal{Row: l.row.Number, Line: l.line, Column: column, Code: l.fault.code, Reason: l.fault.reason, Hint: l.fault.hint, Values: values(l)})
		count(&r.summary.Refused)
		return
	}
	mapped := mapper.Map(&l.row)
	if len(mapped) == 0 {
		count(&r.summary.Empty)
		return
	}
	faults := 0
	for _, e := range mapped {
		if e.Fault == nil {
			continue
		}
		faults++
		f := e.Fault.Refusal
		r.refused.add(refusal{Row: l.row.Number, Line: l.line, Column: e.Fault.Column, Event: e.Key, Code: f.Code, Reason: f.Reason, Hint: f.Hint, Values: values(l)})
	}
	if faults > 0 {
		// A row is imported whole or not at all: once corrected, it can be imported again.
		count(&r.summary.Refused)
		return
	}
	kept := values(l)
	for _, e := range mapped {
		from := len(b.body)
		b.body = append(append(b.body, e.JSON...), '\n')
		b.events = append(b.events, sent{from: from, to: len(b.body), row: l.row.Number, line: l.line, key: e.Key, values: kept})
	}
}

// values keeps a row for its refusal.
func values(l *line) map[string]string {
	if len(l.row.Values) == 0 {
		return nil
	}
	kept := make(map[string]string, len(l.row.Values))
	for name, i := range l.row.Columns {
		if i < len(l.row.Values) && l.row.Values[i] != "" {
			kept[name] = l.row.Values[i]
		}
	}
	return kept
}

// done counts what the collector said of a batch.
func (r *run) done(b *batch, o *outcome) {
	refusedRows := map[int]bool{}
	for _, one := range o.Refused {
		if one.Index < 0 || one.Index >= len(b.events) {
			continue
		}
		e := &b.events[one.Index]
		refusedRows[e.row] = true
		r.refused.add(refusal{Row: e.row, Line: e.line, Event: e.key, Code: one.Code, Reason: one.Reason, Hint: one.Hint, Values: e.values})
	}
	rows, last := int64(0), 0
	for i := range b.events {
		if b.events[i].row != last {
			rows++
			last = b.events[i].row
		}
	}
	r.mu.Lock()
	r.summary.Events += int64(o.Accepted)
	r.summary.Refused += int64(len(refusedRows))
	r.summary.Accepted += rows - int64(len(refusedRows))
	r.summary.LastIDs = r.summary.LastIDs[:0]
	for _, id := range o.IDs {
		if id != nil {
			r.summary.LastIDs = append(r.summary.LastIDs, *id)
		}
	}
	r.mu.Unlock()
	r.report(false)
}

// report tells how far the import is, if it is time to.
func (r *run) report(done bool) {
	if r.cfg.Progress == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if !done && now.Sub(r.reported) < 200*time.Millisecond {
		return
	}
	r.reported = now
	r.cfg.Progress(Progress{
		File: r.summary.File, Rows: r.summary.Read, Accepted: r.summary.Accepted, Refused: r.summary.Refused,
		Bytes: r.in.read.Load(), Total: r.in.size, Elapsed: now.Sub(r.started), Done: done,
	})
}
