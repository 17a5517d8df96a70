package identity

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// lead says whether this process is the one that tells the sinks.
type lead struct {
	mu      sync.Mutex
	ctx     context.Context // nil: it stands by
	notes   Notes
	changed chan struct{} // closed and replaced when ctx is set
}

// Notes are what the leaders leave for each other, such as the notes of a lease: Note is durable, and counts, when it returns.
type Notes interface {
	Note(ctx context.Context, key string, value []byte) error
	Noted(key string) (value []byte, found bool)
}

// Lead has the sinks told until ctx ends, and returns then. A Service with Config.StandBy tells them nothing otherwise: it folds and
// keeps up, so that it can take over at once. Each leader notes for each sink which state it tells from. Where the note says that nobody
// told the sink since this very state did, the sink is told what it was not told yet; else everything anew (Sink.Rebuilt), since another state
// may have told what this one never knew. Versions must not be lower than what was told: call Lead when everything is folded that the log held after
// the leader before ended. One call at a time.
func (s *Service) Lead(ctx context.Context, notes Notes) {
	s.lead.mu.Lock()
	s.lead.ctx, s.lead.notes = ctx, notes
	close(s.lead.changed)
	s.lead.changed = make(chan struct{})
	s.lead.mu.Unlock()
	<-ctx.Done()
	s.lead.mu.Lock()
	s.lead.ctx = nil
	s.lead.mu.Unlock()
}

// standsBy says that another process tells the sinks.
func (s *Service) standsBy() bool {
	s.lead.mu.Lock()
	defer s.lead.mu.Unlock()
	return s.config.StandBy && s.lead.ctx == nil
}

// handOut brings a sink up to date whenever something was committed, until ctx ends; while another process leads it waits.
func (s *Service) handOut(ctx context.Context, p *projection, sink Sink) {
	if !s.config.StandBy {
		s.tell(ctx, p, sink)
		return
	}
	for ctx.Err() == nil {
		s.lead.mu.Lock()
		leading, notes, changed := s.lead.ctx, s.lead.notes, s.lead.changed
		s.lead.mu.Unlock()
		if leading == nil || leading.Err() != nil {
			select {
			case <-ctx.Done():
			case <-changed:
			}
			continue
		}
		both, cancel := context.WithCancel(leading)
		stop := context.AfterFunc(ctx, cancel)
		err := p.takeOver(both, sink, notes)
		switch {
		case err == nil:
			s.tell(both, p, sink)
		case both.Err() != nil:
		case schema.ClassOf(err) == schema.Fatal:
			s.fail(err)
		default:
			s.logger.Warn("identity: who tells a sink cannot be noted", "sink", sink.Name(), "error", err)
			pause(both, time.Second)
		}
		stop()
		cancel()
	}
}

// takeOver notes that a sink is told from this state, and lets it be told everything again unless it was before.
func (p *projection) takeOver(ctx context.Context, sink Sink, notes Notes) error {
	key := "told " + sink.Name()
	if last, found := notes.Noted(key); found && bytes.Equal(last, p.id) {
		return nil
	}
	// In this order: a note of this state stands for the cursor that it has.
	b := p.store.NewBatch()
	if err := b.Delete(counterKey("sink " + sink.Name())); err != nil {
		return errors.Join(err, b.Discard())
	}
	if err := b.CommitDurable(); err != nil {
		return schema.Classify(schema.Fatal, err)
	}
	return notes.Note(ctx, key, p.id)
}
