package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// role is a part of the work that a process of its own may do.
type role string

// The roles, in the order in which they start.
const (
	keeperRole    role = "keeper"    // the one writer of the key ring, and of the first workspace
	archiveRole   role = "archive"   // copies closed ranges of the log to files; one at a time
	identityRole  role = "identity"  // who is who; one answers, others stand by
	timelineRole  role = "timeline"  // writes contacts to ClickHouse; one at a time
	collectorRole role = "collector" // takes events; any number
	apiRole       role = "api"       // answers GraphQL and the management paths; any number
)

// roles are those of one process.
type roles []role

// allRoles is what `up` runs.
func allRoles() roles {
	return roles{keeperRole, archiveRole, identityRole, timelineRole, collectorRole, apiRole}
}

// parseRoles reads the names of --roles.
func parseRoles(names []string) (roles, error) {
	var out roles
	for _, name := range names {
		r := role(strings.TrimSpace(name))
		if !slices.Contains(allRoles(), r) {
			return nil, fmt.Errorf("there is no role %q: choose of keeper, archive, identity, timeline, collector, api", name)
		}
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("--roles names no role: choose of keeper, archive, identity, timeline, collector, api")
	}
	return out, nil
}

func (r roles) has(any ...role) bool {
	return slices.ContainsFunc(any, func(one role) bool { return slices.Contains(r, one) })
}

// lease is the right to act as the only one of a role. Its context ends the moment it can no longer be trusted.
type lease interface {
	Context() context.Context
	Epoch() int64
	Release(ctx context.Context) error
}

// leases hands out leases, one at a time of each name in the whole installation.
type leases interface {
	acquire(ctx context.Context, name string) (lease, error)
}

// alone has the data folder and the log to itself: every lease is its own at once, until the process ends.
type alone struct{}

type always struct{ ctx context.Context }

func (alone) acquire(ctx context.Context, _ string) (lease, error) { return always{ctx}, nil }

func (a always) Context() context.Context      { return a.ctx }
func (a always) Epoch() int64                  { return 0 }
func (a always) Release(context.Context) error { return nil }

// hold has act run whenever this process holds the lease of a name, and stand by otherwise, until the process ends. act must end with its
// context, which ends with the lease. An error of act that is not the end of the lease ends the process.
func (i *installation) hold(name string, act func(ctx context.Context, l lease) error) {
	i.group.Go(func() error {
		for {
			l, err := i.leases.acquire(i.run, name)
			if i.run.Err() != nil {
				return nil
			}
			if err != nil {
				return fmt.Errorf("take the lease %s: %w", name, err)
			}
			i.logger.Info("took a lease", "lease", name, "epoch", l.Epoch())
			err = act(l.Context(), l)
			if i.run.Err() != nil {
				return err
			}
			if l.Context().Err() == nil {
				return err // the role failed, or ended by itself
			}
			i.logger.Warn("lost a lease, and stands by", "lease", name, "error", err)
		}
	})
}
