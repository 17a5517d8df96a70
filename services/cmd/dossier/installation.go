package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/envelope"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/api/backend"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/audit"
	"github.com/dossier-cdp/dossier/services/care"
	"github.com/dossier-cdp/dossier/services/collector"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
	"github.com/dossier-cdp/dossier/services/destinations"
	"github.com/dossier-cdp/dossier/services/identity"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/control"
	"github.com/dossier-cdp/dossier/services/internal/coordination"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/embedded/chdb"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
	"github.com/dossier-cdp/dossier/services/internal/shortcut"
	"github.com/dossier-cdp/dossier/services/internal/tracing"
	"github.com/dossier-cdp/dossier/services/keeper"
	"github.com/dossier-cdp/dossier/services/segments"
	"github.com/dossier-cdp/dossier/services/timeline"
	"github.com/dossier-cdp/dossier/services/timeline/personamap"
)

// mainWorkspace is the workspace that a first start makes.
const mainWorkspace = "main"

// feedBytes is how much of the newest events, opened, is kept for the roles that read at about the same pace.
const feedBytes = 48 << 20

// installation is what runs in this process: the roles that were asked for, and what they stand on. With all roles it is everything; else
// the other roles run in other processes, and what of theirs is kept here is nil.
type installation struct {
	// What was asked for.
	folder      *folder
	listener    net.Listener
	connections connections
	limits      limits
	partitions  int32
	publicURL   string // what credentials.json names; empty: the address of listener
	roles       roles
	sharing     *sharing // how other processes with other roles reach this one; nil if it has everything to itself
	logger      *slog.Logger
	tracer      *tracing.Tracer // nil where nothing is traced

	// What every role stands on.
	registry                        *prometheus.Registry
	writtenLetters                  *prometheus.CounterVec // dead letters, by role and code
	embedded                        *broker.Broker         // nil when brokers are given
	client                          *kafka.Client
	store                           archive.Store
	controlLog, eventLog, letterLog *eventlog.Log
	auditLog                        *eventlog.Log         // nil where nothing is answered
	audit                           *audit.Writer         // nil where nothing is answered
	generations                     []eventlog.Generation // of the events
	control                         *control.Control
	credentials                     credentials // of the first start; empty but where the keeper runs
	leases                          leases
	held                            sync.Map       // of the leases that this process holds, name → lease
	holding                         sync.WaitGroup // what holds leases, or is known to the others for a role
	coordination                    *coordinated   // nil if this process has everything to itself
	ring                            *seal.Ring
	configuration                   *configurations
	erasures                        *erasures

	// What some roles share.
	engine          *chdb.Engine // nil when ClickHouse is given
	houseAt         clickhouse.Config
	house           *clickhouse.Conn
	feed            *eventlog.Feed
	events, letters *kafka.Batcher

	// The roles.
	keeper         *keeper.Keeper
	keeping        atomic.Pointer[lease] // nil while this process does not keep the ring
	archiver       *archive.Role
	identity       *identity.Service
	identityLead   atomic.Pointer[lease] // nil while this process does not answer for the others
	identityErased *eraser
	reconfiguring  sync.Mutex // of identity
	profiles       backend.Profiles
	people         *personamap.Writer
	timeline       *timeline.Timeline
	timelineLead   atomic.Pointer[lease] // nil while this process does not write
	timelineErased *eraser
	care           *care.Care
	careLead       atomic.Pointer[lease] // nil while this process does not write
	careErased     *eraser
	segments       *segments.Segments
	destinations   *destinations.Destinations
	segmentsLead   atomic.Pointer[lease] // nil while this process does not decide
	segmentsErased *eraser
	profilesLog    segments.Topic // the change feed of who is who
	collector      *collector.Collector
	presence       atomic.Pointer[coordination.Presence] // nil while this process may be overlooked by an erasure

	shadow   *shadow // what these projections are beside; nil: they are the live ones
	shadows  *shadows
	stateDir string                       // holds the states of the roles
	base     *installation                // what these projections stand on; nil: they are part of it
	live     atomic.Pointer[installation] // the projections that are read, where they may be switched; nil: they are part of this
	promoted int64                        // position of the decision that made these projections the live ones; 0 is none
	seeded   int64                        // how many erasures these projections have honoured when they are opened; of those that stand alone, what they are opened with
	leaving  atomic.Bool                  // they are closed on purpose
	crossing *crossing                    // to the live projections; nil: always open

	// Identity and timeline, wherever they run.
	identityPeer identityPeer
	timelinePeer timelinePeer
	carePeer     carePeer
	segmentsPeer segmentsPeer

	server   *http.Server
	shortcut *shortcut.Listener // nil where nothing is collected, or every request is traced
	run      context.Context
	cancel   context.CancelFunc
	group    *errgroup.Group
	undo     []func(ctx context.Context) error // what stop does, in the reverse order
	atRest   []func()                          // what lets go of memory when nothing comes
	asked    atomic.Int64                      // questions to GraphQL so far
}

func (i *installation) onStop(f func(ctx context.Context) error) { i.undo = append(i.undo, f) }

func (i *installation) onRest(f func()) { i.atRest = append(i.atRest, f) }

// start brings everything up, in the order in which each stands on the others, and returns when all of it serves. After an
// error stop must still be called.
func (i *installation) start(ctx context.Context) error {
	i.registry, i.writtenLetters, i.stateDir = prometheus.NewRegistry(), deadletter.NewCounter(), i.folder.path("state")
	running, cancel := context.WithCancel(context.Background())
	i.cancel = cancel
	i.group, i.run = errgroup.WithContext(running)
	i.onStop(i.tracer.Close)

	if i.connections.embeddedLog() {
		if err := i.roomToStart(); err != nil {
			return err
		}
	}
	if i.roles.has(keeperRole) {
		if err := i.openKeeper(); err != nil {
			return err
		}
	}
	// The two engines do not know each other.
	engines, both := errgroup.WithContext(ctx)
	if i.roles.has(identityRole, timelineRole, careRole, segmentsRole, apiRole) {
		engines.Go(func() error { return i.startTimelineEngine(both) })
	}
	engines.Go(func() error { return i.startLog(both) })
	if err := engines.Wait(); err != nil {
		return err
	}
	if err := i.startControl(ctx); err != nil {
		return err
	}
	i.shadows = newShadows(i)
	if err := i.startRoles(ctx); err != nil {
		return err
	}
	i.registerMetrics()
	i.onStop(i.shadows.stop)
	i.onRest(i.shadows.rest)
	i.group.Go(func() error { return i.rest(i.run) })
	i.serve()
	i.group.Go(i.shadows.resume)
	if i.crossing != nil {
		i.group.Go(i.shadows.followLive)
	}
	return i.ready(ctx)
}

// startControl reads the control topic to its end and follows it, and finds the key ring.
func (i *installation) startControl(ctx context.Context) (err error) {
	if i.control, err = control.Open(ctx, i.controlLog, i.client, i.logger, time.Now); err != nil {
		return err
	}
	i.group.Go(func() error { return i.control.Run(i.run) })
	i.group.Go(i.followGenerations)
	i.erasures = newErasures(i.control, mainWorkspace)
	i.group.Go(func() error { return i.erasures.run(i.run) })
	if err := i.startCoordination(ctx); err != nil {
		return err
	}
	switch {
	case i.roles.has(keeperRole):
		if i.credentials, err = i.folder.readCredentials(); err != nil {
			return err
		}
		if err := i.startKeeper(ctx); err != nil {
			return err
		}
		if err := i.nameAddress(); err != nil {
			return err
		}
	case i.roles.has(identityRole, timelineRole, careRole, segmentsRole, collectorRole, apiRole): // the others need no keys
		if err := i.fetchRing(ctx); err != nil {
			return err
		}
		if err := belongs(ctx, i.control, i.ring, i.connections.TopicPrefix); err != nil {
			return err
		}
	}
	if i.ring != nil {
		if err := oldRing(i.control.State(), i.ring); err != nil {
			return err
		}
	}
	i.configuration = &configurations{control: i.control}
	return i.configuration.refresh()
}

// nameAddress has the credentials say where this process is reached, which another start may have changed.
func (i *installation) nameAddress() error {
	if i.credentials.URL == i.url() {
		return nil
	}
	i.credentials.URL = i.url()
	return i.folder.writeCredentials(i.credentials)
}

// url is the address that credentials.json names.
func (i *installation) url() string { return cmp.Or(i.publicURL, i.address()) }

// address is where this machine reaches the listener: one that listens everywhere is reached over loopback.
func (i *installation) address() string {
	addr := i.listener.Addr()
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("http://127.0.0.1:%d", tcp.Port)
	}
	return "http://" + addr.String()
}

// startRoles starts the other roles over one feed.
func (i *installation) startRoles(ctx context.Context) error {
	i.feed = eventlog.NewFeed(i.eventLog, i.openEvent, feedBytes)
	batcher := func(topic string, partitions int32) *kafka.Batcher {
		b := kafka.NewBatcher(i.client, topic, partitions, kafka.BatcherConfig{})
		i.onStop(b.Close)
		return b
	}
	if i.roles.has(collectorRole, apiRole) {
		i.events = batcher(i.eventLog.Written())
	}
	if i.roles.has(collectorRole, apiRole, timelineRole) {
		i.letters = batcher(schema.TopicDeadLetters, 1)
	}
	if i.roles.has(archiveRole) {
		i.startArchiving()
	}
	if i.switches() {
		return i.startSwitching(ctx)
	}
	if i.roles.has(identityRole) {
		if err := i.startIdentity(ctx); err != nil {
			return err
		}
	}
	if i.roles.has(timelineRole) {
		if err := i.startTimeline(); err != nil {
			return err
		}
	}
	if i.roles.has(careRole) {
		if err := i.startCare(ctx); err != nil {
			return err
		}
	}
	i.findPeers()
	if i.roles.has(apiRole, segmentsRole) {
		if err := i.startAudit(ctx); err != nil {
			return err
		}
	}
	if i.roles.has(segmentsRole) {
		if err := i.startSegments(ctx); err != nil {
			return err
		}
	}
	if i.roles.has(collectorRole, apiRole) { // decisions are events too
		i.startCollector()
	}
	if i.roles.has(collectorRole) {
		if err := i.startTaking(); err != nil {
			return err
		}
	}
	if !i.roles.has(identityRole) { // which takes over a changed configuration for all
		i.group.Go(func() error { return i.configuration.run(i.run, func() error { return nil }) })
	}
	return nil
}

// openEvent opens a record of the log. What is kept no longer is void from the decision on, whether or not the keeper has given up its secret yet.
func (i *installation) openEvent(value []byte, e *schema.Event) error {
	err := envelope.Open(i.ring, value, e)
	if err == nil && i.erasures.ended(e.Key.Class, e.Key.Year) {
		return fmt.Errorf("open event %s: %w", e.ID, envelope.ErrVoid)
	}
	return err
}

// startTaking takes what comes by other ways than the paths of the tracking API.
func (i *installation) startTaking() error {
	if err := i.checkHooks(i.configuration.current.Load()); err != nil {
		return err
	}
	return i.startIntake()
}

// whyNotReady says what this process still waits for.
func (i *installation) whyNotReady() (bool, string) {
	p := i.projections()
	if p == nil {
		return false, "the projections are being switched"
	}
	if i.roles.has(identityRole) {
		if ok, reason, _ := p.identity.Ready(); !ok {
			return false, reason
		}
	}
	if i.roles.has(timelineRole) {
		// Who stands by is as ready as can be.
		if _, ok := p.timeline.Visible(); !ok && (i.coordination == nil || i.timelineWrites() == nil) {
			return false, "timeline: the index is being rebuilt"
		}
	}
	if i.roles.has(careRole) {
		if _, ok := p.care.Visible(); !ok && (i.coordination == nil || i.careWrites() == nil) {
			return false, "care: its state is being opened"
		}
	}
	if i.roles.has(collectorRole, apiRole) && !i.mayCollect() {
		return false, "the collector: it is not known to the keeper yet, or no longer"
	}
	return true, ""
}

// ready returns when everything serves and the erased are gone again, telling every few seconds what it waits for.
func (i *installation) ready(ctx context.Context) error {
	told := time.Now()
	var failed error
	err := until(ctx, 20*time.Millisecond, func() bool {
		if i.run.Err() != nil {
			failed = context.Cause(i.run)
			return true
		}
		ok, reason := i.whyNotReady()
		if ok && i.pendingErasures() > 0 {
			ok, reason = false, "the erasures to be repeated"
		}
		if !ok && time.Since(told) > 2*time.Second {
			told = time.Now()
			i.logger.Warn("not ready yet", "waiting_for", reason)
		}
		return ok
	})
	return errors.Join(failed, err)
}

// pendingErasures is how many erasures some role of this process has not honoured yet.
func (i *installation) pendingErasures() (n int64) {
	if i = i.projections(); i == nil {
		return 0
	}
	if i.identityErased != nil {
		n = max(n, i.identityErased.pending())
	}
	if i.timelineErased != nil && i.timelineWrites() == nil {
		n = max(n, i.timelineErased.pending())
	}
	if i.careErased != nil && i.careWrites() == nil {
		n = max(n, i.careErased.pending())
	}
	if i.segmentsErased != nil && i.segmentsDecide() == nil {
		n = max(n, i.segmentsErased.pending())
	}
	return n
}

// stop ends everything in the reverse order of start: no new requests, then the roles, then the engines. It does not tell again why,
// which is nil when somebody asked for it.
func (i *installation) stop(ctx context.Context, why error) error {
	var failures []error
	if i.server != nil {
		if err := i.server.Shutdown(ctx); err != nil {
			failures = append(failures, fmt.Errorf("end the open requests: %w", err))
		}
		if i.shortcut != nil {
			if err := i.shortcut.Drain(ctx); err != nil {
				failures = append(failures, fmt.Errorf("end the open requests: %w", err))
			}
		}
	} else {
		failures = append(failures, i.listener.Close())
	}
	if i.cancel != nil {
		i.cancel()
		if err := i.group.Wait(); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(why, err) {
			failures = append(failures, err)
		}
	}
	for n := len(i.undo) - 1; n >= 0; n-- {
		failures = append(failures, i.undo[n](ctx))
	}
	if i.house != nil {
		failures = append(failures, i.house.Close())
	}
	if i.client != nil {
		i.client.Close()
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	closing := func(f func() error) {
		wait.Go(func() {
			err := f()
			mu.Lock()
			failures = append(failures, err)
			mu.Unlock()
		})
	}
	if i.engine != nil {
		closing(func() error { return i.engine.Close(ctx) })
	}
	if i.embedded != nil {
		closing(i.embedded.Close)
	}
	wait.Wait()
	return errors.Join(failures...)
}

// wait returns when ctx ends, or when a role fails.
func (i *installation) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-i.run.Done(): // the other roles, and the server, go on until they are stopped
		return context.Cause(i.run)
	}
}

// findPeers finds identity and timeline: in this process, or wherever their leases are held.
func (i *installation) findPeers() {
	if c := i.coordination; c != nil {
		remote := remoteIdentity{c: c}
		remote.Remote = &backend.Remote{Call: remote.owner}
		i.identityPeer, i.timelinePeer, i.carePeer, i.segmentsPeer = remote, remoteTimeline{c}, remoteCare{c}, remoteSegments{c}
		return
	}
	i.identityPeer, i.timelinePeer, i.carePeer, i.segmentsPeer = ownIdentity{&i.profiles, i}, ownTimeline{i}, ownCare{i}, ownSegments{i}
}
