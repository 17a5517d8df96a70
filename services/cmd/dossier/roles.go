package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dossier-cdp/dossier/services/timeline"
)

// role is a part of the work that a process of its own may do.
type role string

// The roles, in the order in which they start.
const (
	keeperRole    role = "keeper"    // the one writer of the key ring, and of the first workspace
	archiveRole   role = "archive"   // copies closed ranges of the log to files; one at a time
	identityRole  role = "identity"  // who is who; one answers, others stand by
	timelineRole  role = "timeline"  // writes contacts to ClickHouse; one at a time
	careRole      role = "care"      // keeps conversations, cases and surveys in ClickHouse; one at a time
	segmentsRole  role = "segments"  // decides who is in which segment; one at a time
	collectorRole role = "collector" // takes events; any number
	apiRole       role = "api"       // answers GraphQL and the management paths; any number
)

// roles are those of one process.
type roles []role

// allRoles is what `up` runs.
func allRoles() roles {
	return roles{keeperRole, archiveRole, identityRole, timelineRole, careRole, segmentsRole, collectorRole, apiRole}
}

// parseRoles reads the names of --roles.
func parseRoles(names []string) (roles, error) {
	var out roles
	for _, name := range names {
		r := role(strings.TrimSpace(name))
		if !slices.Contains(allRoles(), r) {
			return nil, fmt.Errorf("there is no role %q: choose of keeper, archive, identity, timeline, care, segments, collector, api", name)
		}
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("--roles names no role: choose of keeper, archive, identity, timeline, care, segments, collector, api")
	}
	return out, nil
}

func (r roles) has(any ...role) bool {
	return slices.ContainsFunc(any, func(one role) bool { return slices.Contains(r, one) })
}

// lease is the right to act as the only one of a role. Its context ends the moment it can no longer be trusted; Valid looks at the clock,
// for what cannot be taken back.
type lease interface {
	timeline.Notes
	Context() context.Context
	Valid() bool
	Epoch() int64
	Release(ctx context.Context) error
}

// leases hands out leases, one at a time of each name in the whole installation.
type leases interface {
	acquire(ctx context.Context, name string) (lease, error)
}

// alone has the data folder and the log to itself: it holds every lease at once, until the process ends.
type alone struct{}

type always struct {
	timeline.Notes
	ctx context.Context
}

func (alone) acquire(ctx context.Context, _ string) (lease, error) { return always{nil, ctx}, nil }

func (a always) Context() context.Context      { return a.ctx }
func (a always) Valid() bool                   { return a.ctx.Err() == nil }
func (a always) Epoch() int64                  { return 0 }
func (a always) Release(context.Context) error { return nil }

// hold has act run whenever this process holds the lease of a name, and standBy (which may be nil) while it waits for it, until the process
// ends. Both must end with their context; act's ends with the lease, too. An error of either that is not the end of its context ends the
// process.
func (i *installation) hold(name string, standBy func(ctx context.Context) error, act func(ctx context.Context, l lease) error) {
	i.holding.Add(1)
	i.group.Go(func() error {
		defer i.holding.Done()
		for {
			l, err := i.await(name, standBy)
			if i.run.Err() != nil {
				return nil
			}
			if err != nil {
				return fmt.Errorf("wait for the lease %s: %w", name, err)
			}
			i.held.Store(name, l)
			ctx, cancel := context.WithCancel(l.Context())
			stop := context.AfterFunc(i.run, cancel)
			err = act(ctx, l)
			stop()
			cancel()
			i.held.Delete(name)
			switch {
			case i.run.Err() != nil: // a clean end: the next owner need not wait
				releasing, done := context.WithTimeout(context.Background(), 5*time.Second)
				defer done()
				return errors.Join(err, l.Release(releasing))
			case l.Context().Err() == nil:
				return err // the role failed
			}
			i.logger.Warn("a lease was lost: this process stands by", "lease", name, "error", err)
		}
	})
}

// await returns the lease once it is held, and standBy has ended.
func (i *installation) await(name string, standBy func(ctx context.Context) error) (l lease, err error) {
	if standBy == nil {
		return i.leases.acquire(i.run, name)
	}
	waiting, held := context.WithCancel(i.run)
	defer held()
	group, ctx := errgroup.WithContext(waiting)
	group.Go(func() error { return ended(waiting, standBy(waiting)) })
	group.Go(func() error {
		defer held()
		l, err = i.leases.acquire(ctx, name)
		return nil
	})
	if failed := group.Wait(); failed != nil {
		return nil, failed
	}
	return l, err
}
