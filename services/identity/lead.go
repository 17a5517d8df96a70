package identity

import (
	"context"
	"sync"
)

// lead says whether this process is the one that tells the sinks.
type lead struct {
	mu      sync.Mutex
	ctx     context.Context // nil: it stands by
	changed chan struct{}   // closed and replaced when ctx is set
}

// Lead has the sinks told until ctx ends, and returns then. A Service with Config.StandBy tells them nothing otherwise: it folds and
// keeps up, so that it can take over at once. What the leader before told is not known here, so each sink is told everything anew
// (Sink.Rebuilt) first. Its versions must not be lower than what was told: call Lead when everything is folded that the log held after
// the leader before ended. One call at a time.
func (s *Service) Lead(ctx context.Context) {
	s.lead.mu.Lock()
	s.lead.ctx = ctx
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
		leading, changed := s.lead.ctx, s.lead.changed
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
		if err := p.forgetTold(sink); err != nil {
			s.fail(err)
		} else {
			s.tell(both, p, sink)
		}
		stop()
		cancel()
	}
}

// forgetTold lets a sink be told everything again.
func (p *projection) forgetTold(sink Sink) error {
	b := p.store.NewBatch()
	if err := b.Delete(counterKey("sink " + sink.Name())); err != nil {
		return err
	}
	return b.Commit()
}
