package importer

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
)

// The size of one part of a file. All rows of a part are in memory at once.
const (
	partRows  = 1000
	partBytes = 1 << 20
)

// aheadParts is how many parts may be under way or wait for an earlier one. It bounds memory while one request is stuck.
const aheadParts = 16

// part is some rows in a row, on their way from the file to the collector.
type part struct {
	number  int
	lines   []line
	bytes   int // of their values
	last    int64
	outcome partOutcome
}

// partOutcome is what became of a part.
type partOutcome struct {
	read, accepted, refused, empty, events int64
	refusals                               []refusal // in the order of the rows
}

// run is the import of one file under way. One goroutine reads, several map and send, and the tracker puts what became of the parts back into the
// file's order.
type run struct {
	cfg     Config
	in      *input
	started time.Time
	tracker *tracker
	rows    atomic.Int64 // read, those of an earlier import too

	mu       sync.Mutex
	reported time.Time
	fresh    time.Time // when the first row was read that is sent now
	before   int64     // bytes read until then
}

// all reads, maps and sends every row.
func (r *run) all(ctx context.Context, rows rowReader, mapper *mapping.Rows) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	parts := make(chan *part)
	var workers sync.WaitGroup
	for range r.cfg.Parallel {
		workers.Go(func() {
			w := worker{run: r, mapper: mapper, sender: &sender{client: r.cfg.Client, url: r.cfg.URL, key: r.cfg.Key, slots: r.cfg.slots, wait: pause}}
			for p := range parts {
				err := w.work(ctx, p)
				if err == nil {
					err = r.tracker.done(p)
				}
				if err != nil {
					cancel(err)
					return
				}
				r.report(false)
			}
		})
	}
	err := r.read(ctx, rows, parts)
	close(parts)
	workers.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// read cuts the file into parts. Rows that an earlier import has sent are passed over.
func (r *run) read(ctx context.Context, rows rowReader, parts chan<- *part) error {
	number := 0
	p := &part{}
	flush := func() error {
		if len(p.lines) == 0 {
			return nil
		}
		if err := r.tracker.room(ctx); err != nil {
			return err
		}
		p.number = number
		select {
		case parts <- p:
			number++
			p = &part{}
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
			r.tracker.cut(err.Error())
			return nil
		}
		if r.rows.Add(1) <= r.tracker.skip {
			if r.rows.Load()%100_000 == 0 && ctx.Err() != nil {
				return context.Cause(ctx)
			}
			continue
		}
		if len(p.lines) == 0 && number == 0 {
			r.begin()
		}
		kept := *l
		kept.row.Values = slices.Clone(l.row.Values)
		p.lines, p.last = append(p.lines, kept), r.rows.Load()
		for _, value := range kept.row.Values {
			p.bytes += len(value)
		}
		if len(p.lines) == partRows || p.bytes >= partBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
}

// begin notes when the first row is read that is sent now.
func (r *run) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fresh, r.before = time.Now(), r.in.read.Load()
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
	p := r.tracker.progress()
	p.Rows, p.Bytes, p.Total, p.Elapsed, p.Done = r.rows.Load(), r.in.read.Load(), r.in.size, now.Sub(r.started), done
	if came := p.Bytes - r.before; !r.fresh.IsZero() && came > 0 && p.Total > p.Bytes {
		p.Left = time.Duration(float64(now.Sub(r.fresh)) * float64(p.Total-p.Bytes) / float64(came))
	}
	r.cfg.Progress(p)
}

// worker maps the rows of parts and sends their events.
type worker struct {
	run    *run
	mapper *mapping.Rows
	sender *sender
}

func (w *worker) work(ctx context.Context, p *part) error {
	b := &batch{}
	o := &p.outcome
	flush := func() error {
		if len(b.events) == 0 {
			return nil
		}
		err := w.sender.send(ctx, b, func(b *batch, answer *outcome) { o.take(b, answer) })
		b.body, b.events = b.body[:0], b.events[:0]
		return err
	}
	for n := range p.lines {
		o.read++
		w.row(&p.lines[n], b, o)
		if b.full() {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	p.lines = nil
	slices.SortStableFunc(o.refusals, func(a, b refusal) int { return a.Row - b.Row })
	return nil
}

// row maps one row into the batch.
func (w *worker) row(l *line, b *batch, o *partOutcome) {
	if l.fault != nil {
		column := ""
		if at := l.fault.column; at > 0 {
			column = fmt.Sprintf("column %d", at)
			if at <= len(l.row.Names) {
				column = l.row.Names[at-1]
			}
		}
		o.refusals = append(o.refusals, refusal{Row: l.row.Number, Line: l.line, Column: column, Code: l.fault.code, Reason: l.fault.reason, Hint: l.fault.hint, Values: values(l)})
		o.refused++
		return
	}
	mapped := w.mapper.Map(&l.row)
	if len(mapped) == 0 {
		o.empty++
		return
	}
	faults := 0
	for _, e := range mapped {
		if e.Fault == nil {
			continue
		}
		faults++
		f := e.Fault.Refusal
		o.refusals = append(o.refusals, refusal{Row: l.row.Number, Line: l.line, Column: e.Fault.Column, Event: e.Key, Code: f.Code, Reason: f.Reason, Hint: f.Hint, Values: values(l)})
	}
	if faults > 0 {
		// A row is imported whole or not at all: once corrected, it can be imported again.
		o.refused++
		return
	}
	for _, e := range mapped {
		from := len(b.body)
		b.body = append(append(b.body, e.JSON...), '\n')
		b.events = append(b.events, sent{from: from, to: len(b.body), key: e.Key, line: l})
	}
}

// values shows a row with its refusal.
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

// take counts what the collector said of a batch.
func (o *partOutcome) take(b *batch, answer *outcome) {
	refusedRows := map[int]bool{}
	for _, one := range answer.Refused {
		if one.Index < 0 || one.Index >= len(b.events) {
			continue
		}
		e := &b.events[one.Index]
		refusedRows[e.line.row.Number] = true
		o.refusals = append(o.refusals, refusal{Row: e.line.row.Number, Line: e.line.line, Event: e.key, Code: one.Code, Reason: one.Reason, Hint: one.Hint, Values: values(e.line)})
	}
	rows, last := int64(0), 0
	for i := range b.events {
		if row := b.events[i].line.row.Number; row != last {
			rows++
			last = row
		}
	}
	o.events += int64(answer.Accepted)
	o.refused += int64(len(refusedRows))
	o.accepted += rows - int64(len(refusedRows))
}
