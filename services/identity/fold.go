package identity

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
)

// pollWait is how long one read waits at the end of the log.
const pollWait = 2 * time.Second

// commitRecords is how many records are folded into one commit at most. A commit takes what has come while the one before it was made, so it has so many only when more
// comes than can be folded: then a person whose evidence comes in several records is decided once, and a row that changes several times is written once.
const commitRecords = 16 << 10

// buildCommit is how many times as many records are folded into one commit while a state is being built.
const buildCommit = 2

// restAfter is how long nothing must come until the memory of what came lately is given back.
const restAfter = 10 * time.Second

// start folds the log into w until ctx ends. What makes it impossible to go on ends Run.
func (s *Service) start(ctx context.Context, w *worker) error {
	ends, err := s.config.Log.Ends(ctx)
	if err != nil {
		return fmt.Errorf("find the end of the log: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, end := range ends {
		w.total.Add(end)
		w.folded.Add(w.projection.marks[i].Position.Offset)
	}
	erasures := slices.Collect(maps.Values(s.erasures)) // some may have come since the state was opened
	ctx, w.cancel = context.WithCancel(ctx)
	if err := w.projection.widen(w.total.Load() - w.folded.Load()); err != nil {
		return err
	}
	if total := w.total.Load(); !w.projection.built && total > 0 {
		s.logger.Info("identity: building the state from the log", "records", total, "folded", w.folded.Load())
	}
	go func() {
		defer close(w.done)
		for _, e := range erasures {
			if err := w.projection.erase(e.Of, e.CutOff); err != nil {
				s.fail(fmt.Errorf("identity: erase persona %s: %w", e.Of.Persona, err))
				return
			}
		}
		if err := s.foldAll(ctx, w, ends); err != nil && ctx.Err() == nil {
			s.fail(fmt.Errorf("identity: %w", err))
		}
	}()
	return nil
}

// foldAll runs the readers, the fold and the sinks.
func (s *Service) foldAll(ctx context.Context, w *worker, ends []int64) error {
	p := w.projection
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	batches, fault := make(chan eventlog.OpenedBatch), make(chan error, len(p.marks))
	for i := range p.marks {
		at := p.marks[i].Position
		running.Go(func() {
			if err := s.readAll(ctx, at.Partition, at.Offset, batches); err != nil {
				fault <- err
			}
		})
	}
	serving := w.serving // nil once the sinks run
	idle := time.NewTimer(restAfter)
	defer idle.Stop()
	logged := time.Now()
	var decided decision
	for {
		more, err := w.catchUp(ends, &decided)
		if err != nil {
			return err
		}
		var mayServe <-chan struct{}
		if p.built {
			mayServe = serving
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-fault:
			return err
		case <-mayServe:
			serving = nil
			s.swaps.Go(func() { // beside, since it waits for an exchange that may wait for this loop
				if err := s.tidy(); err != nil {
					s.fail(err)
				}
			})
			for _, sink := range s.config.Sinks {
				running.Go(func() { s.handOut(ctx, p, sink) })
			}
		case c := <-w.commands:
			err := c.do(p)
			c.done <- err
			if err != nil && schema.ClassOf(err) == schema.Fatal {
				return err
			}
		case <-idle.C:
			p.rest()
		case b := <-batches:
			if err := s.foldSome(w, b, batches); err != nil {
				return err
			}
			idle.Reset(restAfter)
		case <-more:
		}
		if !p.built && time.Since(logged) > 5*time.Second {
			logged = time.Now()
			s.logger.Info("identity: building the state from the log", "done", fmt.Sprintf("%.1f %%", 100*w.share()))
		}
	}
}

// alwaysReady is a channel that can be received from at any time.
var alwaysReady = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// catchUp notes when the log was read to its end as of the start. If the state is being built it then goes on with deciding who is who, a step at a time; more can
// be received from while there is another step to do.
func (w *worker) catchUp(ends []int64, d *decision) (more <-chan struct{}, err error) {
	select {
	case <-w.caught:
		return nil, nil
	default:
	}
	for i, end := range ends {
		if w.projection.marks[i].Position.Offset < end {
			return nil, nil
		}
	}
	if !w.projection.built {
		if done, err := w.projection.decideSome(d); err != nil || !done {
			return alwaysReady, err
		}
		if err := w.projection.finishBuilding(); err != nil {
			return nil, err
		}
	}
	close(w.caught)
	return nil, nil
}

// foldSome folds a batch, and those that wait behind it, into one commit.
func (s *Service) foldSome(w *worker, b eventlog.OpenedBatch, more <-chan eventlog.OpenedBatch) error {
	traced := s.traced(w)
	most := s.config.CommitRecords
	if !w.projection.built { // nobody waits to see it, and a row that changes twice is written once
		most *= buildCommit
	}
	for records := 0; ; {
		if err := s.foldBatch(w, &b); err != nil {
			return err
		}
		traced.add(b.Events)
		if records += len(b.Events); records < most {
			select {
			case b = <-more:
				continue
			default:
			}
		}
		if err := w.projection.commit(); err != nil {
			return err
		}
		traced.end()
		if s.metrics.Commits.Add(1)%256 == 0 {
			if s.standsBy() {
				return w.projection.forget(s.config.Sinks, false)
			}
			return w.projection.forget(s.config.Sinks, true)
		}
		return nil
	}
}

// commitTrace gathers what Config.Trace is told of a commit. A nil one gathers nothing.
type commitTrace struct {
	tell    func(begun time.Time, batches ...[]eventlog.Opened)
	begun   time.Time
	batches [][]eventlog.Opened
}

func (s *Service) traced(w *worker) *commitTrace {
	if s.config.Trace == nil || !w.projection.built { // what is read again was traced when it came
		return nil
	}
	return &commitTrace{tell: s.config.Trace, begun: time.Now()}
}

func (t *commitTrace) add(events []eventlog.Opened) {
	if t != nil {
		t.batches = append(t.batches, events)
	}
}

func (t *commitTrace) end() {
	if t != nil {
		t.tell(t.begun, t.batches...)
	}
}

func (s *Service) foldBatch(w *worker, b *eventlog.OpenedBatch) error {
	p := w.projection
	if at := p.marks[b.Partition].Position.Offset; b.From != at {
		return schema.Classify(schema.Fatal, fmt.Errorf("partition %d: read from offset %d, wanted %d", b.Partition, b.From, at))
	}
	for i := range b.Events {
		o := &b.Events[i]
		switch {
		case o.Event != nil:
			if err := p.fold(o.Event, o.RecordedAt); err != nil {
				return fmt.Errorf("fold event at partition %d, offset %d: %w", b.Partition, o.Offset, err)
			}
			s.metrics.Folded.Add(1)
		case o.Void != nil:
			s.metrics.Void.Add(1)
		default:
			s.metrics.Bad.Add(1)
		}
	}
	p.marks[b.Partition] = p.log.After(b.Partition, b.Next, b.Last)
	w.folded.Add(int64(len(b.Events)))
	s.metrics.Records.Add(int64(len(b.Events)))
	return nil
}

// readAll brings one partition's batches. Transient failures are tried again; any other one ends it.
func (s *Service) readAll(ctx context.Context, partition int32, offset int64, batches chan<- eventlog.OpenedBatch) error {
	const shortest, longest = 50 * time.Millisecond, 5 * time.Second
	backOff := shortest
	for ctx.Err() == nil {
		b, err := s.config.Feed.Read(ctx, partition, offset, pollWait)
		switch {
		case err == nil:
			backOff = shortest
		case ctx.Err() != nil:
			return nil
		case schema.ClassOf(err) != schema.Transient:
			return fmt.Errorf("read partition %d from offset %d: %w", partition, offset, err)
		default:
			s.logger.Warn("identity: the log cannot be read", "partition", partition, "offset", offset, "error", err, "retry_in", backOff)
			if !pause(ctx, backOff) {
				return nil
			}
			backOff = min(2*backOff, longest)
			continue
		}
		if b.Next == offset {
			continue
		}
		select {
		case batches <- b:
			offset = b.Next
		case <-ctx.Done():
		}
	}
	return nil
}

// pause waits, and says whether ctx is still running.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
