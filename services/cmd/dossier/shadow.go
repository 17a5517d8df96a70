package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
	"github.com/dossier-cdp/dossier/services/identity"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/replay"
)

// A shadow is a whole set of projections beside the live one, by the same code: an installation of the roles identity, timeline, care and segments
// over the same log, control topic and key ring, with
//
//   - a place of its own (live.go): a folder, which holds the states of the roles and shadow.json, what it is made of (replay.Plan), and a database with all tables;
//   - a configuration of its own, which no later change touches;
//   - a feed of its own (replay.Feed), which leaves out what the plan does not want, and holds the roles back while live events wait.
//
// It reads the log from its beginning and follows it. It tells nobody: changes of who is who go to its own segments alone (replay.Changes), what segments
// decide (replay.Decided), alerts and dead letters go nowhere. Whoever is erased is erased in it too, and the proof waits for it.
// Every role keeps its offsets with its state, so that a crash costs what it costs the live ones. A shadow that fails is told as failed and stops;
// nothing else does.
type shadow struct {
	plan    replay.Plan // but for Paused, which the gate knows
	filter  archive.Filter
	gate    *replay.Gate
	changes *replay.Changes
	own     *installation
	meter   replay.Meter
	failed  atomic.Pointer[error] // why it stopped
	working sync.WaitGroup
	closed  sync.Once
}

// shadowRole is what a role of a shadow is called in the proof of an erasure.
func shadowRole(role, name string) string { return role + "/" + name }

// shadowRoles are the roles that a shadow has.
func shadowRoles() roles { return roles{identityRole, timelineRole, careRole, segmentsRole} }

// reads is what a role of these projections reads.
func (i *installation) reads() replay.Source {
	if i.shadow != nil {
		return replay.NewFeed(i.feed, i.shadow.gate, i.shadow.filter)
	}
	return i.feed
}

// changeFeed is where identity tells of who is who.
func (i *installation) changeFeed() identity.Producer {
	if i.shadow != nil {
		return i.shadow.changes
	}
	return i.client
}

// shadowFeedBytes is how much of what was opened last a shadow keeps for its roles.
const shadowFeedBytes = 16 << 20

// openShadow starts the roles of a shadow.
func (i *installation) openShadow(ctx context.Context, plan replay.Plan) (*shadow, error) {
	s := &shadow{plan: plan, gate: &replay.Gate{Live: i.liveness()}}
	s.gate.Pause(plan.Paused)
	var err error
	if s.filter, err = plan.Filter(); err != nil {
		return nil, err
	}
	if s.changes, err = replay.NewChanges(mainWorkspace, time.Now()); err != nil {
		return nil, err
	}
	s.own = &installation{
		base: i, shadow: s, folder: i.folder, stateDir: filepath.Join(i.placeFolder(plan.Place), "state"), connections: i.connections, logger: i.logger.With("shadow", plan.Name),
		roles: shadowRoles(), leases: alone{}, registry: prometheus.NewRegistry(), writtenLetters: deadletter.NewCounter(), houseAt: i.houseAt,
		client: i.client, store: i.store, controlLog: i.controlLog, generations: i.generations, control: i.control, ring: i.ring, erasures: i.erasures,
		configuration: &configurations{control: i.control, pinned: &s.plan},
	}
	if err := s.open(ctx, i); err != nil {
		return nil, errors.Join(fmt.Errorf("open the shadow %s: %w", plan.Name, err), s.close(context.WithoutCancel(ctx)))
	}
	s.working.Go(func() { s.measure(s.own.run) })
	return s, nil
}

func (s *shadow) open(ctx context.Context, live *installation) (err error) {
	i := s.own
	running, cancel := context.WithCancel(live.run)
	i.cancel = cancel
	i.group, i.run = errgroup.WithContext(running)
	if err := os.MkdirAll(i.stateDir, 0o700); err != nil {
		return err
	}
	if err := i.configuration.refresh(); err != nil {
		return err
	}
	// A log of its own: the live roles' keeps open what they read.
	if i.eventLog, err = eventlog.OpenGenerations(ctx, i.client, i.store, schema.TopicEvents, i.generations); err != nil {
		return err
	}
	i.feed = eventlog.NewFeed(i.eventLog, i.openEvent, shadowFeedBytes)
	return i.openRoles(ctx)
}

// measure notes how far the shadow is, every second, and why it stopped.
func (s *shadow) measure(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
				s.failed.Store(&err)
				s.own.logger.Error("the shadow has failed: resume it when that is mended, or discard it", "error", err)
			}
			return
		case now := <-tick.C:
			s.meter.Sample(now, s.done())
		}
	}
}

// close ends the roles and leaves what they keep. It may be called again.
func (s *shadow) close(ctx context.Context) (err error) {
	s.closed.Do(func() { err = s.end(ctx) })
	return err
}

func (s *shadow) end(ctx context.Context) error {
	i := s.own
	if i.cancel == nil {
		return nil
	}
	i.cancel()
	s.working.Wait()
	err := i.closeSet(ctx)
	if failed := s.failed.Load(); failed != nil && errors.Is(err, *failed) {
		return nil // which was told
	}
	return err
}

// done is how many records every role has behind it.
func (s *shadow) done() int64 {
	var folded, written, kept int64
	for _, p := range s.own.identity.Positions() {
		folded += p.Offset
	}
	visible, _ := s.own.timeline.Visible()
	for _, n := range visible {
		written += n
	}
	visible, _ = s.own.care.Visible()
	for _, n := range visible {
		kept += n
	}
	return min(folded, written, kept)
}

// line tells how the shadow is doing.
func (s *shadow) line(ctx context.Context) (manage.Shadow, error) {
	out := manage.Shadow{Plan: s.plan, State: manage.ShadowReplaying, Hash: s.own.configuration.current.Load().Hash, Done: s.done(), Rate: s.meter.Rate()}
	out.Configuration, out.Follow, out.Key = nil, nil, "" // it may be long; Hash names it
	out.Paused = s.gate.Paused()
	ends, err := s.own.eventLog.Ends(ctx)
	if err != nil {
		return out, err
	}
	for _, end := range ends {
		out.Total += end
	}
	ready, _, _ := s.own.identity.Ready()
	switch failed := s.failed.Load(); {
	case failed != nil:
		out.State, out.Reason = manage.ShadowFailed, (*failed).Error()
	case out.Paused:
		out.State = manage.ShadowPaused
	case ready && out.Done >= out.Total:
		out.State = manage.ShadowFollowing
	case out.Rate > 0:
		out.ETA = float64(out.Total-out.Done) / out.Rate
	}
	return out, nil
}

// liveness tells how the live projections are doing. One goroutine looks, however many ask.
func (i *installation) liveness() func() replay.Live {
	return i.shadows.live.Load
}

// liveWatch knows how long live events wait.
type liveWatch struct {
	busy atomic.Int64 // when events came last, Unix milliseconds
	lag  atomic.Int64 // milliseconds
}

// Load tells what was seen last.
func (w *liveWatch) Load() replay.Live {
	return replay.Live{Busy: time.Since(time.UnixMilli(w.busy.Load())) < time.Second, Lag: time.Duration(w.lag.Load()) * time.Millisecond}
}

// watch looks at the log's ends and at what the timeline shows, ten times a second while a shadow is there.
func (i *installation) watch(ctx context.Context, w *liveWatch, any func() bool) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var probe []int64 // the ends of which not all is visible yet
	var since time.Time
	var last int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !any() {
			continue
		}
		now := time.Now()
		if since.IsZero() {
			since = now
		}
		p := i.projections()
		ends, err := i.eventLog.Ends(ctx)
		if err != nil || p == nil {
			continue // the live roles tell
		}
		total := int64(0)
		for _, end := range ends {
			total += end
		}
		if last != 0 && total > last {
			w.busy.Store(now.UnixMilli())
		}
		last = total
		visible, opened := p.timeline.Visible()
		if seen(visible, probe) && opened {
			probe, since = ends, now
			if seen(visible, ends) {
				w.lag.Store(0)
				continue
			}
		}
		w.lag.Store(now.Sub(since).Milliseconds())
	}
}

// seen says whether everything up to the ends can be read.
func seen(visible, ends []int64) bool {
	for p, end := range ends {
		if p >= len(visible) || visible[p] < end {
			return false
		}
	}
	return true
}
