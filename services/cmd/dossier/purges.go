package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/identity"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/control"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// purger rewrites the files of one role's stores after erasures, and says in the control topic that it has. What is deleted from a store stays in its
// files until they are rewritten.
type purger struct {
	control   *control.Control
	workspace string
	role      string
	name      func() (store string, err error)
	purge     func(ctx context.Context) (purged, error)
	logger    *slog.Logger
	again     chan struct{} // room for one
}

// purged is what a role's stores consist of afterwards.
type purged struct {
	files, bytes int64
	digest       string
}

func (i *installation) newPurger(role string, name func() (string, error), purge func(ctx context.Context) (purged, error)) *purger {
	if i.shadow != nil {
		role = shadowRole(role, i.shadow.plan.Name)
	}
	return &purger{i.control, mainWorkspace, role, name, purge, i.logger, make(chan struct{}, 1)}
}

// wake has the purger look again.
func (p *purger) wake() {
	select {
	case p.again <- struct{}{}:
	default:
	}
}

const (
	purgeRetry    = 100 * time.Millisecond // before the first retry
	purgeRetryMax = 30 * time.Second
	purgeLook     = 5 * time.Minute
)

// run purges whenever erased has passed another decision, until ctx ends. A failure is told and tried again: the erasure is not finished meanwhile, and
// says so.
func (p *purger) run(ctx context.Context, erased *atomic.Int64) {
	pause := purgeRetry
	for {
		err := p.through(ctx, decided(p.control.State(), p.workspace, int(erased.Load())))
		var retry <-chan time.Time
		if err == nil {
			pause = purgeRetry
		} else if ctx.Err() == nil {
			if !errors.Is(err, identity.ErrNotReady) {
				p.logger.Warn("the files of an erasure are not rewritten yet", "role", p.role, "error", err, "retry_in", pause)
			}
			retry = time.After(pause)
			pause = min(2*pause, purgeRetryMax)
		}
		select {
		case <-ctx.Done():
			return
		case <-p.again:
		case <-retry:
		case <-time.After(purgeLook): // for a store that took another one's place
		}
	}
}

// decided is how many decisions to erase are among so many erasures of personas.
func decided(s *control.State, workspace string, erasures int) (number int) {
	for _, e := range s.Erased(workspace) {
		if e.Through <= erasures {
			number = e.Number
		}
	}
	return number
}

// through purges unless the store has been since so many decisions.
func (p *purger) through(ctx context.Context, number int) error {
	if number == 0 {
		return nil
	}
	store, err := p.name()
	if err != nil || p.control.State().HonouredBy(p.workspace, p.role, store) >= number {
		return err
	}
	done, err := p.purge(ctx)
	if err != nil {
		return err
	}
	return tellHonoured(ctx, p.control, &schema.ControlHonoured{
		Role: p.role, Store: store, Through: number, Files: done.files, Bytes: done.bytes, Digest: done.digest,
	})
}

// tellHonoured records that a store holds nothing any more of whom so many decisions name.
func tellHonoured(ctx context.Context, c *control.Control, h *schema.ControlHonoured) error {
	return c.Append(ctx, &schema.Control{
		ID: uuid.NewString(), Kind: schema.ControlErasureHonoured, Workspace: mainWorkspace, Actor: "dossier " + h.Role, Honoured: h,
	})
}

// purgeBoth rewrites a role's own store and its tables.
func purgeBoth(store *state.Store, house *clickhouse.Conn, tables ...string) func(ctx context.Context) (purged, error) {
	return func(ctx context.Context) (purged, error) {
		own, err := store.Purge(ctx, nil)
		if err != nil {
			return purged{}, err
		}
		rows, err := house.Purge(ctx, tables...)
		if err != nil {
			return purged{}, err
		}
		both := sha256.Sum256([]byte(own.Digest + rows.Digest))
		return purged{own.Files + rows.Parts, own.Bytes + rows.Bytes, hex.EncodeToString(both[:])}, nil
	}
}
