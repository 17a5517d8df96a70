package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/collector"
	"github.com/dossier-cdp/dossier/services/identity"
	"github.com/dossier-cdp/dossier/services/internal/control"
)

// erasures are those of the control topic as this process knows them. An erasure goes its way through all processes:
//
//  1. It is appended to the control topic.
//  2. Every collector notices it: from then on it seals in the next epoch, and refuses what occurred until the cut-off.
//  3. The keeper, once every collector has, gives up the keys and makes that durable (keeper.go).
//  4. Every other role sees the keys closed in its ring, forgets what it has opened, deletes what it holds, and counts it as done.
//  5. It rewrites its files until no byte of the erased is left in them, and says so in the control topic (purges.go): that is the proof.
type erasures struct {
	control   *control.Control
	workspace string
	closed    atomic.Pointer[map[schema.PersonaID]closing]
	expired   atomic.Pointer[map[schema.ExpiredYear]bool]
	noticed   atomic.Int64 // how many of the control topic's erasures closed has
}

// closing is the highest epoch that any erasure of a persona closes, and the latest cut-off.
type closing struct {
	epoch  uint32
	cutOff schema.Instant
}

func newErasures(c *control.Control, workspace string) *erasures {
	e := &erasures{control: c, workspace: workspace}
	e.notice()
	return e
}

// notice takes over the erasures that the control topic has now.
func (e *erasures) notice() {
	all := e.control.State().Erasures(e.workspace)
	if e.closed.Load() != nil && int64(len(all)) == e.noticed.Load() {
		return
	}
	closed, expired := make(map[schema.PersonaID]closing, len(all)), map[schema.ExpiredYear]bool{}
	for _, erasure := range all {
		if erasure.Expired != nil {
			expired[*erasure.Expired] = true
			continue
		}
		c, known := closed[erasure.Persona]
		if !known {
			c.cutOff = collector.NoCutOff
		}
		closed[erasure.Persona] = closing{max(c.epoch, erasure.Epoch), max(c.cutOff, erasure.CutOff)}
	}
	e.expired.Store(&expired)
	e.closed.Store(&closed)
	e.noticed.Store(int64(len(all)))
}

// run notices erasures as they come, until ctx ends.
func (e *erasures) run(ctx context.Context) error {
	for {
		changed := e.control.Changed()
		e.notice()
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

// known is how many erasures the control topic has.
func (e *erasures) known() int { return len(e.control.State().Erasures(e.workspace)) }

// epoch is the epoch that new events of a persona are sealed in, and the cut-off below which they are refused.
func (e *erasures) epoch(persona schema.PersonaID) (uint32, schema.Instant) {
	c, erased := (*e.closed.Load())[persona]
	if !erased {
		return 0, collector.NoCutOff
	}
	return c.epoch + 1, c.cutOff
}

// ended says whether a retention class has ended for a year.
func (e *erasures) ended(class string, year int) bool {
	return (*e.expired.Load())[schema.ExpiredYear{Class: class, Year: year}]
}

// void says whether an event that is in the log is no event any more.
func (e *erasures) void(c *schema.Clear) bool {
	if e.ended(c.Key.Class, c.Key.Year) {
		return true
	}
	closing, erased := (*e.closed.Load())[c.Persona]
	return erased && (c.Key.Epoch <= closing.epoch || c.OccurredAt <= closing.cutOff)
}

// eraser has one role delete what it holds of the erased, one erasure after the other. It repeats them all at every start, which
// changes nothing that was done.
type eraser struct {
	erasures *erasures
	ring     *seal.Ring
	forget   func()                                                   // drops what was opened before the keys went
	erase    func(ctx context.Context, some []control.Erasure) error  // of one cut-off, such as all of one decision: together they cost about as much as one
	expire   func(ctx context.Context, of []schema.ExpiredYear) error // takes out what these classes and years held
	after    func(ctx context.Context, all []control.Erasure) error   // once for several erasures, behind the last; nil: nothing
	logger   *slog.Logger
	done     atomic.Int64 // how many of the control topic's erasures are honoured
	purger   *purger      // nil: the role keeps no files
	seeded   int64        // how many were honoured by the role that had the same stores just before
}

// mostErased bounds how many personas are erased together.
const mostErased = 200

// run erases as erasures come, and purges what it has erased from, until ctx ends.
func (r *eraser) run(ctx context.Context) error {
	if r.purger == nil {
		return r.eraseAll(ctx)
	}
	purging, end := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.purger.run(purging, &r.done)
	}()
	defer func() {
		end()
		<-ended
	}()
	return r.eraseAll(ctx)
}

func (r *eraser) eraseAll(ctx context.Context) error {
	r.done.Store(r.seeded)
	for {
		changed := r.erasures.control.Changed()
		all := r.erasures.control.State().Erasures(r.erasures.workspace)
		if done := int(r.done.Load()); len(all) > done {
			var expired []schema.ExpiredYear
			for _, e := range all[done:] {
				if err := r.closed(ctx, e); err != nil {
					return ended(ctx, err)
				}
				if e.Expired != nil {
					expired = append(expired, *e.Expired)
				}
			}
			r.forget()
			if err := r.expireAll(ctx, expired); err != nil {
				return ended(ctx, err)
			}
			for at := done; at < len(all); {
				next := at + 1
				for all[at].Expired == nil && next < len(all) && next-at < mostErased && all[next].Expired == nil && all[next].CutOff == all[at].CutOff {
					next++
				}
				if some := all[at:next]; all[at].Expired == nil {
					if err := persist(ctx, r.logger, 50*time.Millisecond, func() error { return r.erase(ctx, some) }); err != nil {
						return ended(ctx, err)
					}
				}
				if r.after != nil && next == len(all) {
					if err := persist(ctx, r.logger, 50*time.Millisecond, func() error { return r.after(ctx, all[done:]) }); err != nil {
						return ended(ctx, err)
					}
				}
				r.done.Add(int64(next - at))
				at = next
			}
			if r.purger != nil {
				r.purger.wake()
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

// closed waits until the keys that an erasure takes away are gone from the ring.
func (r *eraser) closed(ctx context.Context, e control.Erasure) error {
	r.erasures.notice() // before anything of it can be read again
	return until(ctx, 5*time.Millisecond, func() bool {
		if e.Expired != nil {
			return r.ring.Expired(e.Expired.Class, e.Expired.Year)
		}
		return r.ring.Closed(e.Persona, e.Epoch)
	})
}

// expireAll takes out classes and years together, since that costs about as much as one. A store that has said that it holds nothing of them is not
// looked through again: what is void is not read again.
func (r *eraser) expireAll(ctx context.Context, of []schema.ExpiredYear) error {
	if len(of) == 0 || r.expire == nil {
		return nil
	}
	return persist(ctx, r.logger, 50*time.Millisecond, func() error {
		if r.purger != nil {
			store, err := r.purger.name()
			if err != nil {
				return err
			}
			state := r.erasures.control.State()
			through, left := state.HonouredBy(r.erasures.workspace, r.purger.role, store), of[:0:0]
			for _, e := range state.Erased(r.erasures.workspace) {
				for _, expired := range e.Expired {
					if e.Number > through && slices.Contains(of, expired) && !slices.Contains(left, expired) {
						left = append(left, expired)
					}
				}
			}
			if of = left; len(of) == 0 {
				return nil
			}
		}
		return r.expire(ctx, of)
	})
}

// pending is how many of the control topic's erasures the role has not honoured yet.
func (r *eraser) pending() int64 { return max(0, int64(r.erasures.known())-r.done.Load()) }

// wait returns when the role has honoured so many of them.
func (r *eraser) wait(ctx context.Context, erasures int) error {
	if err := until(ctx, 5*time.Millisecond, func() bool { return r.done.Load() >= int64(erasures) }); err != nil {
		return fmt.Errorf("wait until the erased are gone: %w", err)
	}
	return nil
}

// until asks again and again until the answer is yes.
func until(ctx context.Context, every time.Duration, yes func() bool) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for !yes() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// persist repeats an erasure until it is done: a role that is still opening, or an engine that is gone for a moment, must neither let
// it be forgotten nor end the installation.
func persist(ctx context.Context, logger *slog.Logger, pause time.Duration, erase func() error) error {
	for {
		err := erase()
		if err == nil || schema.ClassOf(err) != schema.Transient && !errors.Is(err, identity.ErrNotReady) {
			return err
		}
		logger.Warn("an erasure waits", "error", err, "retry_in", pause)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, 5*time.Second)
	}
}

func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
