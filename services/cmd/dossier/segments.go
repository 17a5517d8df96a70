package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/pipelines/value"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/services/api/backend"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/internal/control"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/rpc"
	"github.com/dossier-cdp/dossier/services/internal/state"
	"github.com/dossier-cdp/dossier/services/replay"
	"github.com/dossier-cdp/dossier/services/segments"
	"github.com/dossier-cdp/dossier/services/timeline/query"
)

// segmentsLease is held by the role that decides who is in the segments of a workspace.
func segmentsLease(workspace string) string { return "segments/" + workspace }

// startSegments decides who is in which segment whenever this process holds the lease.
func (i *installation) startSegments(ctx context.Context) error {
	store, err := state.Open(i.state("segments"), state.Options{CacheBytes: 8 << 20, Logger: i.logger})
	if err != nil {
		return err
	}
	i.onStop(func(context.Context) error { return store.Close() })
	decisions, producer, err := i.decides(ctx)
	if err != nil {
		return err
	}
	public := ids.New(i.ring.PRF())
	worth := &assessing{i: i, values: &backend.Values{Control: i.control}}
	i.segments = segments.New(segments.Config{
		Workspace: mainWorkspace, Feed: i.reads(), Log: i.eventLog, Partitions: i.eventLog.Partitions(), Generation: i.eventLog.Generation(),
		Profiles: i.profilesLog, Decisions: decisions, Producer: producer, People: lateIdentity{i},
		Known: func(ctx context.Context, next []int64) error {
			return i.identityPeer.WaitFor(ctx, reached{i.eventLog.Generation(), next, i.erasures.known()})
		},
		Assess: worth.assess, Snapshot: worth.version,
		Care: func(ctx context.Context, next []int64, kinds []schema.Type, personas []schema.ProfileID) (map[schema.ProfileID][]*segment.Fact, error) {
			if err := i.caresNow(ctx, reached{i.eventLog.Generation(), next, i.erasures.known()}); err != nil {
				return nil, err
			}
			return segments.Tables{Conn: i.house}.Care(ctx, mainWorkspace, kinds, personas)
		},
		Tables: segments.Tables{Conn: i.house}, Store: store, Public: public.Public, Segments: i.audienced,
		Suppressed: i.suppressedPerson, Suppressions: func() int { return len(i.control.State().Suppressions(mainWorkspace)) },
		Void: i.erasures.void, Silent: i.shadow != nil, Now: time.Now, Logger: i.logger, Registry: i.registry,
	})
	if i.shadow == nil { // which sends nothing to anybody
		if err := i.newDestinations(store, decisions, producer); err != nil {
			return err
		}
	}
	i.onRest(i.segments.Rest)
	i.segmentsErased = &eraser{
		erasures: i.erasures, ring: i.ring, forget: i.feed.Forget, logger: i.logger, seeded: i.seeded,
		erase: func(ctx context.Context, some []control.Erasure) error {
			for _, e := range some {
				if err := i.segments.Erase(ctx, e.PersonaEpoch); err != nil {
					return err
				}
			}
			return nil
		},
		expire: i.expireSegments,
		purger: i.newPurger("segments", store.Name, purgeBoth(store, i.house, schema.TablePeople, schema.TableSegmentChanges)),
	}
	i.hold(segmentsLease(mainWorkspace), nil, i.keepSegments)
	return nil
}

// decides opens the change feed of who is who, and gives the topic of what is decided and who writes it.
func (i *installation) decides(ctx context.Context) (segments.Topic, segments.Producer, error) {
	decisions, err := eventlog.Open(ctx, i.client, i.store, schema.TopicDecisions, 0)
	if err != nil {
		return nil, nil, err
	}
	if i.shadow != nil {
		decided := &replay.Decided{From: decisions}
		i.profilesLog = i.shadow.changes
		return decided, decided, decided.Open(ctx)
	}
	i.profilesLog, err = eventlog.Open(ctx, i.client, i.store, schema.TopicProfiles, 0)
	return decisions, i.client, err
}

// lateIdentity asks identity wherever it runs, which is found after the roles are started.
type lateIdentity struct{ i *installation }

func (l lateIdentity) People(ctx context.Context, workspace string, ids []schema.ProfileID) ([]*graphql.Person, error) {
	return l.i.identityPeer.People(ctx, workspace, ids)
}

func (l lateIdentity) Page(ctx context.Context, workspace string, after schema.ProfileID, limit int) ([]schema.ProfileID, error) {
	return l.i.identityPeer.Page(ctx, workspace, after, limit)
}

// assessing says what people are worth by the value snapshot in force.
type assessing struct {
	i      *installation
	values *backend.Values
}

func (a *assessing) latest() (*graphql.Snapshot, error) {
	all, err := a.values.Snapshots(mainWorkspace)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[len(all)-1], nil
}

func (a *assessing) version() string {
	s, err := a.latest()
	if err != nil || s == nil {
		return ""
	}
	return s.Version
}

func (a *assessing) assess(ctx context.Context, people []*graphql.Person) ([]*segment.Worth, error) {
	out := make([]*segment.Worth, len(people))
	s, err := a.latest()
	if err != nil || s == nil {
		return out, err
	}
	before, err := schema.ParseInstant(s.Settings.At)
	if err != nil {
		return nil, err // Unreachable: a snapshot was checked when it was read
	}
	now, err := a.i.now(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.i.timelinePeer.WaitFor(ctx, now); err != nil {
		return nil, err
	}
	personas := make([][]schema.PersonaID, len(people))
	for n, p := range people {
		for j := range p.Personas {
			personas[n] = append(personas[n], p.Personas[j].Persona)
		}
	}
	var purchases [][]value.Purchase
	if purchases, err = (query.Reader{Conn: a.i.house}).Purchases(ctx, mainWorkspace, personas, before); err != nil {
		return nil, err
	}
	for n := range people {
		out[n] = segments.WorthOf(s.Assess(purchases[n]))
	}
	return out, nil
}

// keepSegments is the role until ctx ends. Its erasures are repeated by each owner.
func (i *installation) keepSegments(ctx context.Context, l lease) error {
	i.segmentsLead.Store(&l)
	defer i.segmentsLead.Store(nil)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return i.segments.Run(ctx, l.Epoch()) })
	if i.destinations != nil {
		group.Go(func() error { return i.destinations.Run(ctx) })
	}
	group.Go(func() error {
		if err := i.segmentsErased.run(ctx); err != nil {
			return fmt.Errorf("erase from segments: %w", err)
		}
		return nil
	})
	return group.Wait()
}

// segmentsDecide refuses while another process is the one to ask.
func (i *installation) segmentsDecide() error {
	if l := i.segmentsLead.Load(); l == nil || !(*l).Valid() {
		return errStandsBy
	}
	return nil
}

// segmentsPeer is the role as the others see it.
type segmentsPeer interface {
	// WaitFor returns when the table of people, and what is decided, show what was reached, and nothing of the erased.
	WaitFor(ctx context.Context, r reached) error
	Status(ctx context.Context) (segmentsStatus, error)
}

// segmentsStatus is how a segments role is doing.
type segmentsStatus struct {
	Ready   bool
	Read    []int64 // of each partition, the first offset that it has not read yet
	Settled []int64 // and the one up to which everybody was weighed
}

// ownSegments is the role of this process.
type ownSegments struct{ i *installation }

func (o ownSegments) WaitFor(ctx context.Context, r reached) error {
	if err := o.i.segmentsDecide(); err != nil {
		return err
	}
	feed, err := o.i.profilesLog.Ends(ctx)
	if err != nil {
		return err
	}
	if err := o.i.segments.WaitFor(ctx, r.Ends, feed[0]); err != nil {
		return waiting("segments", err)
	}
	return o.i.segmentsErased.wait(ctx, r.Erasures)
}

func (o ownSegments) Status(context.Context) (s segmentsStatus, err error) {
	if err := o.i.segmentsDecide(); err != nil {
		return s, err
	}
	progress, ready := o.i.segments.Progress()
	return segmentsStatus{ready, progress.Read, progress.Settled}, nil
}

// remoteSegments is the role of another process.
type remoteSegments struct{ c *coordinated }

func (r remoteSegments) owner(ctx context.Context, f func(ctx context.Context, c *rpc.Client) error) error {
	return r.c.owner(ctx, segmentsRole, segmentsLease(mainWorkspace), f)
}

func (r remoteSegments) WaitFor(ctx context.Context, until reached) error {
	return r.owner(ctx, func(ctx context.Context, c *rpc.Client) error {
		_, err := rpc.Call[reached, nothing](ctx, c, callSegmentsWait, &until)
		return err
	})
}

func (r remoteSegments) Status(ctx context.Context) (segmentsStatus, error) {
	var status segmentsStatus
	err := r.owner(ctx, func(ctx context.Context, c *rpc.Client) error {
		got, err := rpc.Call[nothing, segmentsStatus](ctx, c, callSegmentsStatus, &nothing{})
		if err == nil {
			status = *got
		}
		return err
	})
	return status, err
}

// segmentsNow returns when the table of people and the persona map show what the log holds now.
func (i *installation) segmentsNow(ctx context.Context) error {
	r, err := i.now(ctx)
	if err != nil {
		return err
	}
	if err := i.shows(ctx, r); err != nil {
		return err
	}
	err = until(ctx, 20*time.Millisecond, func() bool { return figures{i}.MapBehind() == 0 })
	if err != nil {
		return waiting("the persona map", err)
	}
	if err := i.segmentsPeer.WaitFor(ctx, r); err != nil {
		if errors.Is(err, errNobody) {
			return fmt.Errorf("%w: start a process with the role segments", err)
		}
		return err
	}
	return nil
}

// segmentReader answers for segments.
func (i *installation) segmentReader() *segments.Reader {
	worth := &assessing{i: i, values: &backend.Values{Control: i.control}}
	return &segments.Reader{
		Conn: i.house, Control: i.control, People: i.identityPeer, Assess: worth.assess, Visible: i.visible, Check: checkConfiguration, Now: time.Now,
	}
}

// exportSegments writes the definitions, and with a time who is in at that time: a line for each member.
func (i *installation) exportSegments(ctx context.Context, workspace string, w io.Writer, o manage.ExportOptions) error {
	if o.At != 0 {
		if err := i.segmentsNow(ctx); err != nil {
			return err
		}
	}
	return i.segmentReader().Export(ctx, workspace, o.At, w)
}
