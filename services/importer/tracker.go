package importer

import (
	"context"
	"sync"
	"time"
)

// markEvery is how often it is noted how far an import is.
const markEvery = time.Second

// tracker puts the parts of a file, which end in any order, back into the file's order: it counts them, writes their refusals, and notes how far
// everything before is acknowledged. So the file of refused rows is the same however many requests are under way, and after a crash as well.
type tracker struct {
	skip    int64 // rows that an earlier import has sent
	ahead   chan struct{}
	refused *refusals

	mu      sync.Mutex
	summary *Summary
	next    int           // number of the first part that is not counted
	waiting map[int]*part // those that ended before an earlier one
	mark    *bookmark
	marked  time.Time
}

func newTracker(summary *Summary, refused *refusals, mark *bookmark) *tracker {
	return &tracker{
		skip: mark.Rows, ahead: make(chan struct{}, aheadParts), refused: refused, summary: summary, waiting: map[int]*part{}, mark: mark, marked: time.Now(),
	}
}

// room waits until another part may begin.
func (t *tracker) room(ctx context.Context) error {
	select {
	case t.ahead <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// done takes a part of which every event is acknowledged or refused.
func (t *tracker) done(p *part) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting[p.number] = p
	for {
		p, ended := t.waiting[t.next]
		if !ended {
			break
		}
		delete(t.waiting, t.next)
		t.next++
		<-t.ahead
		o := &p.outcome
		for _, one := range o.refusals {
			t.refused.add(one)
		}
		s := t.summary
		s.Read, s.Accepted, s.Refused, s.Empty, s.Events = s.Read+o.read, s.Accepted+o.accepted, s.Refused+o.refused, s.Empty+o.empty, s.Events+o.events
		t.mark.Rows = p.last
	}
	if time.Since(t.marked) < markEvery {
		return nil
	}
	return t.note()
}

// note makes durable how far the import is: first the refused rows, then the number of rows.
func (t *tracker) note() error {
	t.marked = time.Now()
	if t.mark.path == "" {
		return nil
	}
	bytes, err := t.refused.sync()
	if err != nil {
		return err
	}
	t.mark.take(t.summary)
	t.mark.RefusedBytes = bytes
	return t.mark.write()
}

// cut notes why the file was not read to its end.
func (t *tracker) cut(reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.summary.Cut = reason
}

func (t *tracker) progress() Progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Progress{File: t.summary.File, Accepted: t.summary.Accepted, Refused: t.summary.Refused}
}

// close ends the file of refused rows. An import that came to its end is forgotten, another one is noted.
func (t *tracker) close(complete bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var noted error
	if complete {
		noted = t.mark.remove()
	} else {
		noted = t.note()
	}
	if err := t.refused.close(); err != nil {
		return err
	}
	return noted
}
