package main

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/services/internal/control"
	"github.com/dossier-cdp/dossier/services/internal/state"
	"github.com/dossier-cdp/dossier/services/timeline"
)

// timelineLease is held by the timeline role that writes for a workspace.
func timelineLease(workspace string) string { return "timeline/" + workspace }

// startTimeline writes the events table whenever this process holds the lease.
func (i *installation) startTimeline() {
	i.timelineErased = &eraser{
		erasures: i.erasures, ring: i.ring, forget: i.feed.Forget, logger: i.logger,
		erase: func(ctx context.Context, e control.Erasure) error {
			t := i.timeline.Load()
			if t == nil {
				return errStandsBy
			}
			return t.Erase(ctx, mainWorkspace, timeline.Erasure{PersonaEpoch: e.PersonaEpoch, CutOff: e.CutOff})
		},
	}
	i.hold(timelineLease(mainWorkspace), i.writeTimeline)
}

var errStandsBy = schema.Classify(schema.Transient, errors.New("this process stands by: another one has the lease"))

// writeTimeline is the timeline role until ctx ends.
func (i *installation) writeTimeline(ctx context.Context, l lease) (err error) {
	store, err := state.Open(i.folder.path("state", "timeline"), state.Options{CacheBytes: 32 << 20, Logger: i.logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	metrics := &scopedRegistry{Registerer: i.registry}
	defer metrics.unregister()
	t := timeline.New(timeline.Config{
		Feed: i.feed, Log: i.eventLog, Partitions: i.eventLog.Partitions(), Generation: i.eventLog.Generation(),
		Table: timeline.ClickHouse{Conn: i.house}, Store: store, DeadLetters: timelineLetters{i.letterBox("timeline")},
		Public: func(_ string, p schema.PersonaEpoch) schema.ProfileID { return ids.New(i.ring.PRF()).Public(p) },
		Void:   i.erasures.void, Trace: i.tracer.Fold("timeline insert"), Logger: i.logger, Registry: metrics,
	})
	i.timeline.Store(t)
	defer i.timeline.Store(nil)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return t.Run(ctx) })
	group.Go(func() error {
		if err := i.timelineErased.run(ctx); err != nil {
			return fmt.Errorf("erase from the timeline: %w", err)
		}
		return nil
	})
	return group.Wait()
}

// ownTimeline is the timeline role of this process.
type ownTimeline struct{ i *installation }

func (o ownTimeline) WaitFor(ctx context.Context, r reached) error {
	t := o.i.timeline.Load()
	if t == nil {
		return errStandsBy
	}
	if err := t.WaitFor(ctx, r.Ends); err != nil {
		return waiting("the timeline", err)
	}
	return o.i.timelineErased.wait(ctx, r.Erasures)
}

func (o ownTimeline) Status(context.Context) (s timelineStatus, err error) {
	t := o.i.timeline.Load()
	if t == nil {
		s.Reason = "timeline: standing by"
		return s, nil
	}
	s.Visible, s.Ready = t.Visible()
	if !s.Ready {
		s.Reason = "timeline: the index is being rebuilt"
	}
	r := t.Freshness()
	s.Freshness = graphql.Freshness{N: int64(r.N), P50: r.P50, P90: r.P90, P99: r.P99}
	s.Pending = o.i.timelineErased.pending()
	return s, nil
}
