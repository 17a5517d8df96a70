package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/control"
)

// A set of projections is who is who, the timeline, conversations and cases, and segments: the states of four roles in a folder, and their tables in a
// database. Folder and database are its place: the first set's is the data folder and the database of the installation, a shadow's is DIR/shadows/PLACE and
// DATABASE_shadow_PLACE. Which place is live is a decision in the control topic (control.Live), so it is known before any role starts. Where one process has
// all roles, the live set can be exchanged while the collector goes on (promote.go); where they are in processes of their own each process works on the
// first place.

// placeFolder is where a set of projections has its files.
func (i *installation) placeFolder(place string) string {
	if place == "" {
		return i.folder.dir
	}
	return i.folder.path("shadows", place)
}

// placeDatabase names the tables of a set.
func (i *installation) placeDatabase(place string) string {
	if place == "" {
		return i.house.Database()
	}
	return i.house.Database() + "_shadow_" + place
}

// openTables opens the tables of a set, and brings them up to date.
func (i *installation) openTables(ctx context.Context, place string) (*clickhouse.Conn, error) {
	if place == "" {
		return i.house, nil
	}
	at := i.houseAt
	at.Database = i.placeDatabase(place)
	house, err := clickhouse.Open(ctx, at)
	if err != nil {
		return nil, err
	}
	if err := house.Migrate(ctx, schema.Migrations()); err != nil {
		return nil, errors.Join(err, house.Close())
	}
	return house, nil
}

// state is a path below the folder that holds the states of the roles.
func (i *installation) state(parts ...string) string {
	return filepath.Join(append([]string{i.stateDir}, parts...)...)
}

// switches says whether the live projections can be exchanged: this process has all roles, and everything to itself.
func (i *installation) switches() bool {
	return i.sharing == nil && i.roles.has(identityRole) && i.roles.has(timelineRole) && i.roles.has(careRole) && i.roles.has(segmentsRole) && i.roles.has(apiRole)
}

// projections are those that are read now; nil while they are exchanged.
func (i *installation) projections() *installation {
	if i.crossing == nil {
		return i
	}
	return i.live.Load()
}

// root is what a set of projections stands on.
func (i *installation) root() *installation {
	if i.base != nil {
		return i.base
	}
	return i
}

// startSwitching starts what stays when projections are exchanged, and then the live ones.
func (i *installation) startSwitching(ctx context.Context) error {
	i.crossing = newCrossing()
	if err := i.startAudit(ctx); err != nil {
		return err
	}
	i.startCollector()
	i.onStop(func(ctx context.Context) error {
		if p := i.live.Load(); p != nil {
			return p.closeSet(ctx)
		}
		return nil
	})
	if err := i.openLive(ctx, i.control.State().Live(mainWorkspace)); err != nil {
		return err
	}
	return i.startTaking()
}

// openLive opens the projections of a place as the live ones. Requests are let through by whoever called it, when that is right.
func (i *installation) openLive(ctx context.Context, at control.Live) (err error) {
	p := &installation{
		base: i, stateDir: filepath.Join(i.placeFolder(at.Place), "state"), promoted: at.Position, seeded: i.seeded,
		folder: i.folder, listener: i.listener, connections: i.connections, limits: i.limits, publicURL: i.publicURL, roles: i.roles, leases: alone{}, logger: i.logger, tracer: i.tracer,
		registry: prometheus.NewRegistry(), writtenLetters: i.writtenLetters, embedded: i.embedded, client: i.client, store: i.store,
		controlLog: i.controlLog, eventLog: i.eventLog, letterLog: i.letterLog, auditLog: i.auditLog, audit: i.audit, generations: i.generations, control: i.control,
		ring: i.ring, configuration: i.configuration, erasures: i.erasures, engine: i.engine, houseAt: i.houseAt, feed: i.feed, events: i.events, letters: i.letters,
		keeper: i.keeper, archiver: i.archiver, collector: i.collector, shadows: i.shadows,
	}
	running, cancel := context.WithCancel(i.run)
	p.cancel = cancel
	p.group, p.run = errgroup.WithContext(running)
	i.live.Store(p)
	if err := p.openRoles(ctx); err != nil {
		return err
	}
	p.registry.MustRegister(p.identity.Metrics())
	i.group.Go(func() error {
		<-p.run.Done()
		if i.run.Err() != nil || p.leaving.Load() {
			return nil
		}
		return context.Cause(p.run) // a role has failed
	})
	return nil
}

// openRoles starts the roles of a set of projections over its folder and tables.
func (i *installation) openRoles(ctx context.Context) (err error) {
	if i.house, err = i.root().openTables(ctx, i.place()); err != nil {
		return err
	}
	if err := i.startIdentity(ctx); err != nil {
		return err
	}
	if err := i.startTimeline(); err != nil {
		return err
	}
	if err := i.startCare(ctx); err != nil {
		return err
	}
	i.findPeers()
	return i.startSegments(ctx)
}

// place is where a set of projections is.
func (i *installation) place() string {
	folder := filepath.Dir(i.stateDir)
	if folder == i.root().folder.dir {
		return ""
	}
	return filepath.Base(folder)
}

// closeSet ends the roles of a set of projections, and leaves what they keep.
func (i *installation) closeSet(ctx context.Context) error {
	i.leaving.Store(true)
	i.cancel()
	var failures []error
	if err := i.group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		failures = append(failures, err)
	}
	for n := len(i.undo) - 1; n >= 0; n-- {
		failures = append(failures, i.undo[n](ctx))
	}
	i.undo = nil
	if i.house != nil && i.house != i.base.house {
		failures = append(failures, i.house.Close())
	}
	return errors.Join(failures...)
}
