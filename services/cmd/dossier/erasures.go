package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/collector"
	"github.com/dossier-cdp/dossier/services/identity"
	"github.com/dossier-cdp/dossier/services/internal/control"
	"github.com/dossier-cdp/dossier/services/keeper"
	"github.com/dossier-cdp/dossier/services/timeline"
)

// erasures follows the erasures of the control topic and has each honoured: the collector seals in the next epoch, the keeper gives
// up the key, identity and timeline delete what they hold.
type erasures struct {
	control   *control.Control
	keeper    *keeper.Keeper
	workspace string
	closed    atomic.Pointer[map[schema.PersonaID]closing]
	done      atomic.Int64 // how many of the control topic's erasures every role has honoured
}

// closing is the highest epoch that any erasure of a persona closes, and the latest cut-off.
type closing struct {
	epoch  uint32
	cutOff schema.Instant
}

func newErasures(c *control.Control, k *keeper.Keeper, workspace string) *erasures {
	e := &erasures{control: c, keeper: k, workspace: workspace}
	e.closed.Store(&map[schema.PersonaID]closing{})
	return e
}

// apply makes collector and keeper honour every erasure that the control topic has. It is repeated at every start, which changes
// nothing that was done.
func (e *erasures) apply() error {
	all := e.control.State().Erasures(e.workspace)
	closed := make(map[schema.PersonaID]closing, len(all))
	epochs := make([]schema.PersonaEpoch, len(all))
	for n, erasure := range all {
		c, known := closed[erasure.Persona]
		if !known {
			c.cutOff = collector.NoCutOff
		}
		closed[erasure.Persona] = closing{max(c.epoch, erasure.Epoch), max(c.cutOff, erasure.CutOff)}
		epochs[n] = erasure.PersonaEpoch
	}
	e.closed.Store(&closed)
	if len(epochs) == 0 {
		return nil
	}
	if err := e.keeper.Punch(e.workspace, epochs); err != nil {
		return fmt.Errorf("give up the keys of erased people: %w", err)
	}
	return nil
}

// run honours erasures and changes of the configuration as they come, until ctx ends.
func (e *erasures) run(ctx context.Context, i *installation) error {
	configured := i.configuration.settings().Hash
	for {
		changed := e.control.Changed()
		all := e.control.State().Erasures(e.workspace)
		if done := int(e.done.Load()); len(all) > done {
			if err := e.apply(); err != nil {
				return err
			}
			i.feed.Forget()
			for _, erasure := range all[done:] {
				err := persist(ctx, i.logger, 50*time.Millisecond, func() error {
					return i.identity.Erase(ctx, identity.Erasure{Of: erasure.PersonaEpoch, CutOff: erasure.CutOff})
				})
				if err != nil {
					return ended(ctx, fmt.Errorf("erase from identity: %w", err))
				}
				err = persist(ctx, i.logger, 50*time.Millisecond, func() error {
					return i.timeline.Erase(ctx, e.workspace, timeline.Erasure{PersonaEpoch: erasure.PersonaEpoch, CutOff: erasure.CutOff})
				})
				if err != nil {
					return ended(ctx, fmt.Errorf("erase from the timeline: %w", err))
				}
				e.done.Add(1)
			}
		}
		if err := i.configuration.refresh(); err != nil {
			return err
		}
		if settings := i.configuration.settings(); settings.Hash != configured {
			if err := i.identity.Reconfigure(ctx, settings); err != nil {
				return ended(ctx, err)
			}
			configured = settings.Hash
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

// honoured says whether every role has honoured the erasures that the control topic has now.
func (e *erasures) honoured() bool { return e.pending() == 0 }

// pending is how many of them not every role has honoured yet.
func (e *erasures) pending() int64 {
	return max(0, int64(len(e.control.State().Erasures(e.workspace)))-e.done.Load())
}

// wait returns when they are honoured.
func (e *erasures) wait(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !e.honoured() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until the erased are gone: %w", ctx.Err())
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

// epoch is the epoch that new events of a persona are sealed in, and the cut-off below which they are refused.
func (e *erasures) epoch(persona schema.PersonaID) (uint32, schema.Instant) {
	c, erased := (*e.closed.Load())[persona]
	if !erased {
		return 0, collector.NoCutOff
	}
	return c.epoch + 1, c.cutOff
}

// void says whether an event that is in the log is no event any more.
func (e *erasures) void(c *schema.Clear) bool {
	closing, erased := (*e.closed.Load())[c.Persona]
	return erased && (c.Key.Epoch <= closing.epoch || c.OccurredAt <= closing.cutOff)
}
