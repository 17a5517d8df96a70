package replay

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
)

// Source reads opened events; *eventlog.Feed is one.
type Source interface {
	Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (eventlog.OpenedBatch, error)
}

// Live is how the live projections are doing.
type Live struct {
	Busy bool          // events have come within the last second
	Lag  time.Duration // how long the oldest event has waited that cannot be seen yet
}

// Gate holds back what reads for a shadow: while it is paused, while live events wait longer than MostLag, and, where live events come at all, for as long as
// the reader has worked on what it got before, so that a shadow takes at most about half of what one reader could. All methods may be called from any goroutine.
type Gate struct {
	Live    func() Live   // nil: nobody else is there
	MostLag time.Duration // 0 is 500 ms

	mu      sync.Mutex
	paused  bool
	changed chan struct{} // closed and replaced by Pause
}

// Pause holds every reader back, or lets them go on.
func (g *Gate) Pause(paused bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.paused = paused; g.changed != nil {
		close(g.changed)
		g.changed = nil
	}
}

// Paused says whether readers are held back.
func (g *Gate) Paused() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.paused
}

// lookEvery is how often a reader that is held back looks again.
const lookEvery = 50 * time.Millisecond

// longestRest bounds how long one reader rests before one read.
const longestRest = 250 * time.Millisecond

// pass returns when a reader may go on that has worked for so long since its last read.
func (g *Gate) pass(ctx context.Context, worked time.Duration) error {
	most := g.MostLag
	if most == 0 {
		most = 500 * time.Millisecond
	}
	rested := false
	for {
		g.mu.Lock()
		paused := g.paused
		if g.changed == nil {
			g.changed = make(chan struct{})
		}
		changed := g.changed
		g.mu.Unlock()
		var live Live
		if g.Live != nil && !paused {
			live = g.Live()
		}
		rest := time.Duration(0)
		switch {
		case paused:
			rest = time.Hour
		case live.Lag > most:
			rest = lookEvery
		case live.Busy && !rested:
			rest, rested = min(worked, longestRest), true
		}
		if rest <= 0 {
			return nil
		}
		timer := time.NewTimer(rest)
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
			timer.Stop()
			return schema.Classify(schema.Transient, ctx.Err())
		}
		timer.Stop()
	}
}

// Feed is what one role of a shadow reads: the events that the filter wants, as the gate lets it. An event that is not wanted is void to the role. What
// comes at the end of the log passes without a rest, so that a shadow that has caught up stays so.
type Feed struct {
	from   Source
	gate   *Gate
	filter archive.Filter
	all    bool

	mu    sync.Mutex
	given map[int32]time.Time // when a partition's reader got its last batch
}

// NewFeed makes the feed of one role.
func NewFeed(from Source, gate *Gate, filter archive.Filter) *Feed {
	return &Feed{from: from, gate: gate, filter: filter, all: filter.Empty(), given: map[int32]time.Time{}}
}

var errNotWanted = errors.New("the shadow is made without this event")

// Read behaves as Source.Read does.
func (f *Feed) Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (eventlog.OpenedBatch, error) {
	f.mu.Lock()
	last, known := f.given[partition]
	f.mu.Unlock()
	worked := time.Duration(0)
	if known {
		worked = time.Since(last)
	}
	if err := f.gate.pass(ctx, worked); err != nil {
		return eventlog.OpenedBatch{}, err
	}
	b, err := f.from.Read(ctx, partition, offset, wait)
	f.mu.Lock()
	if err == nil && len(b.Events) > 0 {
		f.given[partition] = time.Now()
	} else {
		delete(f.given, partition) // it waited for the log, which is no work
	}
	f.mu.Unlock()
	if err != nil || f.all {
		return b, err
	}
	events := make([]eventlog.Opened, len(b.Events)) // the batch is shared
	for n := range b.Events {
		if events[n] = b.Events[n]; events[n].Event != nil && !f.filter.Match(&events[n].Event.Clear) {
			events[n].Event, events[n].Void = nil, errNotWanted
		}
	}
	b.Events = events
	return b, nil
}
