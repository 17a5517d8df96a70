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

// startTimeline writes the events table whenever this process holds the lease, and keeps its index up with the writer's while it does not.
func (i *installation) startTimeline() error {
	store, err := state.Open(i.state("timeline"), state.Options{CacheBytes: 32 << 20, Logger: i.logger})
	if err != nil {
		return err
	}
	i.onStop(func(context.Context) error { return store.Close() })
	i.timeline = timeline.New(timeline.Config{
		Feed: i.reads(), Log: i.eventLog, Partitions: i.eventLog.Partitions(), Generation: i.eventLog.Generation(),
		Table: timeline.ClickHouse{Conn: i.house}, Store: store, DeadLetters: i.timelineLetters(),
		Public: func(_ string, p schema.PersonaEpoch) schema.ProfileID { return ids.New(i.ring.PRF()).Public(p) },
		Void:   i.erasures.void, Trace: i.tracer.Fold("timeline insert"), Logger: i.logger, Registry: i.registry,
	})
	i.onRest(i.timeline.Rest)
	i.timelineErased = &eraser{
		erasures: i.erasures, ring: i.ring, forget: i.feed.Forget, logger: i.logger, seeded: i.seeded,
		erase: func(ctx context.Context, some []control.Erasure) error {
			personas := make([]schema.PersonaEpoch, len(some))
			for n := range some {
				personas[n] = some[n].PersonaEpoch
			}
			return i.timeline.Erase(ctx, mainWorkspace, timeline.Erasure{Personas: personas, CutOff: some[0].CutOff})
		},
		expire: func(ctx context.Context, of []schema.ExpiredYear) error {
			return i.timeline.Expire(ctx, mainWorkspace, of)
		},
		purger: i.newPurger("timeline", store.Name, purgeBoth(store, i.house, schema.TableEvents, schema.TablePersonaProfile)),
	}
	name := timelineLease(mainWorkspace)
	var standBy func(ctx context.Context) error
	if i.coordination != nil {
		standBy = func(ctx context.Context) error {
			return i.timeline.Follow(ctx, func() (value []byte, found bool) { return i.coordination.Noted(name, timeline.NoteKey) })
		}
	}
	i.hold(name, standBy, i.writeTimeline)
	return nil
}

var errStandsBy = schema.Classify(schema.Transient, errors.New("this process stands by: another one has the lease"))

// writeTimeline is the timeline role until ctx ends. Its erasures are repeated by each owner: a former one may have written rows of the erased
// in its last moments.
func (i *installation) writeTimeline(ctx context.Context, l lease) error {
	i.timelineLead.Store(&l)
	defer i.timelineLead.Store(nil)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if i.coordination == nil {
			return i.timeline.Run(ctx)
		}
		return i.timeline.Lead(ctx, timeline.LeasedIntents(l))
	})
	group.Go(func() error {
		if err := i.timelineErased.run(ctx); err != nil {
			return fmt.Errorf("erase from the timeline: %w", err)
		}
		return nil
	})
	return group.Wait()
}

// timelineWrites refuses while another process is the one to ask.
func (i *installation) timelineWrites() error {
	if l := i.timelineLead.Load(); l == nil || !(*l).Valid() {
		return errStandsBy
	}
	return nil
}

// ownTimeline is the timeline role of this process.
type ownTimeline struct{ i *installation }

func (o ownTimeline) WaitFor(ctx context.Context, r reached) error {
	if err := o.i.timelineWrites(); err != nil {
		return err
	}
	if err := o.i.timeline.WaitFor(ctx, r.Ends); err != nil {
		return waiting("the timeline", err)
	}
	return o.i.timelineErased.wait(ctx, r.Erasures)
}

func (o ownTimeline) Status(context.Context) (s timelineStatus, err error) {
	if err := o.i.timelineWrites(); err != nil {
		return s, err
	}
	s.Visible, s.Ready = o.i.timeline.Visible()
	if !s.Ready {
		s.Reason = "timeline: the index is being rebuilt"
	}
	r := o.i.timeline.Freshness()
	s.Freshness = graphql.Freshness{N: int64(r.N), P50: r.P50, P90: r.P90, P99: r.P99}
	s.Pending = o.i.timelineErased.pending()
	return s, nil
}
