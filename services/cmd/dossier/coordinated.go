package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/api/backend"
	"github.com/dossier-cdp/dossier/services/internal/coordination"
	"github.com/dossier-cdp/dossier/services/internal/rpc"
)

// coordinated is what a process needs to be one of several: who does what, and how to call each other. It is nil in `up`, which has the
// data folder and the log to itself.
type coordinated struct {
	*coordination.Coordination
	instance string
	identity *rpc.Identity
	server   *rpc.Server

	mu      sync.Mutex
	clients map[string]*rpc.Client // by role and address
}

// sharing is how a process is reached by those of the other roles.
type sharing struct {
	listener    net.Listener
	advertise   string // host:port
	certificate *rpc.Identity
	leaseTime   time.Duration
}

// startCoordination reads who does what, and offers the calls that the other processes need of this one.
func (i *installation) startCoordination(ctx context.Context) (err error) {
	if i.sharing == nil {
		return nil
	}
	c := &coordinated{
		instance: uuid.NewString(), identity: i.sharing.certificate, clients: map[string]*rpc.Client{},
		server: rpc.NewServer(i.sharing.certificate, backend.Describe, i.logger),
	}
	c.Coordination, err = coordination.Open(ctx, i.client, coordination.Config{
		Instance: c.instance, Address: i.sharing.advertise, LeaseTime: i.sharing.leaseTime, Logger: i.logger,
	})
	if err != nil {
		return err
	}
	i.coordination, i.leases = c, leased{c.Coordination}
	i.offerCalls()
	// It goes on until everything that is held has been given up, so that the next owner need not wait.
	alive, end := context.WithCancel(context.Background())
	i.group.Go(func() error { return c.Run(alive) })
	i.group.Go(func() error {
		defer end()
		<-i.run.Done()
		i.holding.Wait()
		return nil
	})
	i.group.Go(func() error { return c.server.Serve(i.sharing.listener) })
	i.group.Go(func() error {
		<-i.run.Done()
		return c.server.Close()
	})
	return nil
}

// leased hands out the leases of the coordination topic.
type leased struct{ c *coordination.Coordination }

func (l leased) acquire(ctx context.Context, name string) (lease, error) {
	held, err := l.c.Acquire(ctx, name)
	if err != nil {
		return nil, err
	}
	return held, nil
}

// decisionLease is held by the api process that takes a decision of a person, as long as that takes.
func decisionLease(workspace string) string { return "decisions/" + workspace }

// alone gives an api process the right to decide among several; nil where there is but one. It costs two records of the topic, and waits for whoever decides
// now, or for a lease time after that one's end.
func (i *installation) alone() func(ctx context.Context) (context.Context, func(), error) {
	if i.coordination == nil {
		return nil
	}
	return func(ctx context.Context) (context.Context, func(), error) {
		held, err := i.coordination.Acquire(ctx, decisionLease(mainWorkspace))
		if err != nil {
			return nil, nil, err
		}
		under, cancel := context.WithCancel(ctx)
		lost := context.AfterFunc(held.Context(), cancel)
		return under, func() {
			lost()
			cancel()
			// Who asked may have gone meanwhile: the lease is given up all the same.
			ctx, end := context.WithTimeout(context.WithoutCancel(ctx), i.sharing.leaseTime)
			defer end()
			if err := held.Release(ctx); err != nil {
				i.logger.Warn("the right to decide lapses by itself", "error", err)
			}
		}, nil
	}
}

// client gives the calls to a process in a role.
func (c *coordinated) client(role role, address string) *rpc.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := string(role) + " " + address
	if c.clients[key] == nil {
		c.clients[key] = rpc.NewClient(c.identity, string(role), address)
	}
	return c.clients[key]
}

const (
	// ownerWithin bounds how long a call waits for somebody to take a lease over: a lease time, and time to take it.
	ownerWithin = 15 * time.Second
	retryAfter  = 50 * time.Millisecond
)

var errNobody = schema.Classify(schema.Transient, errors.New("no process has this role now"))

// owner calls the process that holds a lease, and whoever holds it next if that one is replaced, or does not answer, until f succeeds, fails
// for another reason, or the time is over. f may run several times.
func (c *coordinated) owner(ctx context.Context, role role, lease string, f func(ctx context.Context, c *rpc.Client) error) error {
	deadline := time.Now().Add(ownerWithin)
	for {
		err := c.once(ctx, role, lease, f)
		if err == nil || schema.ClassOf(err) != schema.Transient || ctx.Err() != nil || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryAfter):
		}
	}
}

// once calls the owner as it is now. The call ends when the owner is another.
func (c *coordinated) once(ctx context.Context, role role, lease string, f func(ctx context.Context, c *rpc.Client) error) error {
	changed := c.Changed()
	owner, held := c.Owner(lease)
	if !held || owner.Address == "" {
		return errNobody
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
			changed = c.Changed()
			if now, held := c.Owner(lease); !held || now.Epoch != owner.Epoch {
				cancel(errNobody)
			}
		}
	}()
	err := f(ctx, c.client(role, owner.Address))
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errNobody) {
		return errNobody
	}
	return err
}

// leaseWait is how long a start waits for a lease that a dead process may still hold.
func (i *installation) leaseWait() time.Duration {
	if i.sharing == nil {
		return time.Hour // nobody else holds it
	}
	return 3 * max(i.sharing.leaseTime, coordination.DefaultLeaseTime)
}

// anotherKeeper says who keeps the ring already.
func (i *installation) anotherKeeper() error {
	if owner, held := i.coordination.Owner(keeperLease); held {
		return fmt.Errorf("a keeper runs already at %s: an installation has one; leave keeper out of --roles, or stop that one", owner.Address)
	}
	return errors.New("the keeper's lease cannot be had: see whether the log takes writes")
}

// noticedEverywhere returns when every collector there is seals in the epochs after so many erasures of the control topic. A collector that
// does not answer is waited for until the others no longer count it, by which time it has stopped by itself.
func (i *installation) noticedEverywhere(ctx context.Context, erasures int) error {
	i.erasures.notice()
	if i.coordination == nil {
		return nil
	}
	if err := i.coordination.Refresh(ctx); err != nil {
		return err
	}
	done := map[string]bool{i.coordination.instance: true}
	for {
		missing := 0
		for _, role := range []role{collectorRole, apiRole} {
			for _, p := range i.coordination.Present(string(role)) {
				if done[p.Instance] {
					continue
				}
				limited, cancel := context.WithTimeout(ctx, 2*time.Second)
				_, err := rpc.Call[noticedCall, noticedCall](limited, i.coordination.client(role, p.Address), callNoticed, &noticedCall{erasures})
				cancel()
				if err != nil {
					missing++
					i.logger.Warn("a collector has not noticed an erasure yet", "address", p.Address, "error", err)
					continue
				}
				done[p.Instance] = true
			}
		}
		if missing == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// present keeps this process known as one that seals events. It seals nothing while it is not: announced first, then everything read that
// was decided, so that no erasure overlooks it.
func (i *installation) present(role role) {
	i.holding.Add(1)
	i.group.Go(func() error {
		defer i.holding.Done()
		for {
			p, err := i.coordination.Announce(i.run, string(role))
			if err != nil {
				return ended(i.run, err)
			}
			ctx, cancel := context.WithCancel(p.Context())
			stop := context.AfterFunc(i.run, cancel)
			if err := i.readDecisions(ctx); err == nil {
				i.presence.Store(p)
				<-ctx.Done()
			} else if i.run.Err() == nil {
				i.logger.Warn("what was decided cannot be read", "error", err)
			}
			stop()
			cancel()
			i.presence.Store(nil)
			p.Withdraw()
			if i.run.Err() != nil {
				return nil
			}
		}
	})
}

// readDecisions returns when everything is noticed that the control topic holds now.
func (i *installation) readDecisions(ctx context.Context) error {
	for {
		ends, err := i.controlLog.Ends(ctx)
		if err == nil {
			if err = until(ctx, 5*time.Millisecond, func() bool { return i.control.State().Next >= ends[0] }); err == nil {
				i.erasures.notice()
				return nil
			}
		}
		if ctx.Err() != nil || schema.ClassOf(err) == schema.Fatal {
			return err
		}
		time.Sleep(retryAfter)
	}
}

// mayCollect says whether this process may seal events now.
func (i *installation) mayCollect() bool {
	if i.coordination == nil {
		return true
	}
	p := i.presence.Load()
	return p != nil && p.Valid()
}
