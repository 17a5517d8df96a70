package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/envelope"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/api/manage"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/collector"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
	"github.com/dossier-cdp/dossier/services/identity"
	"github.com/dossier-cdp/dossier/services/internal/access"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/control"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/embedded/chdb"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
	"github.com/dossier-cdp/dossier/services/internal/state"
	"github.com/dossier-cdp/dossier/services/keeper"
	"github.com/dossier-cdp/dossier/services/timeline"
	"github.com/dossier-cdp/dossier/services/timeline/personamap"
)

// mainWorkspace is the workspace that a first start makes.
const mainWorkspace = "main"

// generation of the log. A restore and a change of the partition count start the next one.
const generation = 0

// feedBytes is how much of the newest events, opened, is kept for the roles that read at about the same pace.
const feedBytes = 48 << 20

// installation is everything that runs: the engines, the log, and the roles, in one process tree.
type installation struct {
	folder        *folder
	listener      net.Listener
	connections   connections
	partitions    int32
	onlyCollector bool // benchmarks measure it without the other roles
	logger        *slog.Logger
	credentials   credentials

	registry       *prometheus.Registry
	writtenLetters *prometheus.CounterVec // dead letters, by role and code

	engine   *chdb.Engine // nil when ClickHouse is given
	embedded *broker.Broker
	client   *kafka.Client
	house    *clickhouse.Conn
	keeper   *keeper.Keeper
	ring     *seal.Ring
	store    *archive.Folder

	controlLog, eventLog, letterLog *eventlog.Log
	control                         *control.Control
	feed                            *eventlog.Feed
	events, letters                 *kafka.Batcher
	archiver                        *archive.Role
	identity                        *identity.Service
	timeline                        *timeline.Timeline
	people                          *personamap.Writer
	collector                       *collector.Collector
	configuration                   *configurations
	erasures                        *erasures

	server *http.Server
	run    context.Context
	cancel context.CancelFunc
	group  *errgroup.Group
	undo   []func(ctx context.Context) error // what stop does, in the reverse order
}

func (i *installation) onStop(f func(ctx context.Context) error) { i.undo = append(i.undo, f) }

// start brings everything up, in the order in which each stands on the others, and returns when all of it serves. After an
// error stop must still be called.
func (i *installation) start(ctx context.Context) error {
	i.registry, i.writtenLetters = prometheus.NewRegistry(), deadletter.NewCounter()
	running, cancel := context.WithCancel(context.Background())
	i.cancel = cancel
	i.group, i.run = errgroup.WithContext(running)

	master, _, err := keeper.LoadMasterKey(i.folder.dir, os.Getenv)
	if err != nil {
		return err
	}
	if i.keeper, err = keeper.Open(i.folder.dir, master, time.Now(), rand.Reader); err != nil {
		return err
	}
	i.onStop(func(context.Context) error { return i.keeper.Close() })
	if i.ring, err = i.keeper.Ring(mainWorkspace); err != nil {
		return err
	}

	// The two engines do not know each other.
	engines, both := errgroup.WithContext(ctx)
	if !i.onlyCollector {
		engines.Go(func() error { return i.startTimelineEngine(both) })
	}
	engines.Go(func() error { return i.startLog(both) })
	if err := engines.Wait(); err != nil {
		return err
	}
	if err := i.startControl(ctx); err != nil {
		return err
	}
	if err := i.startRoles(ctx); err != nil {
		return err
	}
	i.registerMetrics()
	i.group.Go(func() error { return i.rest(i.run) })
	i.serve()
	return i.ready(ctx)
}

// startTimelineEngine opens ClickHouse, embedded unless an address was given, and brings its tables up to date.
func (i *installation) startTimelineEngine(ctx context.Context) (err error) {
	config, err := i.connections.ClickHouse()
	if err != nil {
		return err
	}
	if i.connections.embeddedTimeline() {
		if i.engine, err = chdb.Start(ctx, chdb.Config{DataDir: i.folder.path("clickhouse"), Logger: i.logger}); err != nil {
			return err
		}
		config = clickhouse.Config{URL: i.engine.URL(), User: i.engine.User(), Password: i.engine.Password(), Database: "dossier"}
	}
	if i.house, err = clickhouse.Open(ctx, config); err != nil {
		return err
	}
	return i.house.Migrate(ctx, schema.Migrations())
}

// startLog opens the log, embedded unless addresses were given, and declares its topics.
func (i *installation) startLog(ctx context.Context) (err error) {
	config, err := i.connections.Kafka()
	if err != nil {
		return err
	}
	replication := i.connections.KafkaReplication
	if i.connections.embeddedLog() {
		i.embedded, err = broker.Start(ctx, broker.Config{
			Dir: i.folder.path("log"), Topics: schema.Topics(), Partitions: i.partitions, SyncWrites: true, Logger: i.logger,
		})
		if err != nil {
			return err
		}
		config.Brokers, replication = []string{i.embedded.Addr()}, 1
	}
	if i.client, err = kafka.Open(ctx, config); err != nil {
		return err
	}
	cluster, err := i.client.ClusterID(ctx)
	if err != nil {
		return err
	}
	if err := i.folder.sameLog(logIdentity{cluster, i.connections.TopicPrefix}); err != nil {
		return err
	}
	if err := i.client.EnsureTopics(ctx, schema.Topics(), i.partitions, replication); err != nil {
		return err
	}
	if i.store, err = archive.OpenFolder(i.folder.path("archive")); err != nil {
		return err
	}
	for topic, log := range map[string]**eventlog.Log{
		schema.TopicControl: &i.controlLog, schema.TopicEvents: &i.eventLog, schema.TopicDeadLetters: &i.letterLog,
	} {
		if *log, err = eventlog.Open(ctx, i.client, i.store, topic, generation); err != nil {
			return err
		}
	}
	return nil
}

// startControl reads the control topic to its end, makes the first workspace, and gives up the keys of every erased epoch again.
func (i *installation) startControl(ctx context.Context) (err error) {
	if i.control, err = control.Open(ctx, i.controlLog, i.client, i.logger, time.Now); err != nil {
		return err
	}
	i.group.Go(func() error { return i.control.Run(i.run) })
	if err := belongs(ctx, i.control, i.ring, i.connections.TopicPrefix); err != nil {
		return err
	}

	url := reachable(i.listener.Addr())
	known := false
	if i.credentials, known, err = i.folder.readCredentials(); err != nil {
		return err
	}
	if len(i.control.State().Workspaces()) == 0 || !known {
		if err := i.firstStart(ctx, url); err != nil {
			return err
		}
	}
	if i.credentials.URL != url {
		i.credentials.URL = url
		if err := i.folder.writeCredentials(i.credentials); err != nil {
			return err
		}
	}
	i.configuration = &configurations{control: i.control}
	if err := i.configuration.refresh(); err != nil {
		return err
	}
	i.erasures = newErasures(i.control, i.keeper, mainWorkspace)
	return i.erasures.apply()
}

// reachable is the address under which this machine reaches a listener: one that listens everywhere is reached over loopback.
func reachable(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("http://127.0.0.1:%d", tcp.Port)
	}
	return "http://" + addr.String()
}

// firstStart makes the workspace main with its keys. The credentials are written first: a crash in between makes new ones at the
// next start, and never keys that nobody has.
func (i *installation) firstStart(ctx context.Context, url string) error {
	c := credentials{
		Workspace: mainWorkspace, URL: url,
		WriteKey: manage.NewSecret("dk_server_"), ClientKey: manage.NewSecret("dk_client_"), APIToken: manage.NewSecret("dt_"),
	}
	if err := i.folder.writeCredentials(c); err != nil {
		return err
	}
	i.credentials = c
	decide := func(kind schema.ControlKind) *schema.Control {
		return &schema.Control{ID: uuid.NewString(), Kind: kind, Workspace: mainWorkspace, Actor: "dossier up", Reason: "first start"}
	}
	workspace, server, client, token := decide(schema.ControlWorkspaceCreated), decide(schema.ControlKeyCreated), decide(schema.ControlKeyCreated), decide(schema.ControlTokenCreated)
	server.Key = &schema.ControlAccess{ID: uuid.NewString(), Name: "first server key", Hash: control.HashSecret(c.WriteKey), Source: "server", Trust: schema.TrustServer.String()}
	client.Key = &schema.ControlAccess{ID: uuid.NewString(), Name: "first browser key", Hash: control.HashSecret(c.ClientKey), Source: "web", Trust: schema.TrustClient.String()}
	token.Token = &schema.ControlAccess{ID: uuid.NewString(), Name: "first token", Hash: control.HashSecret(c.APIToken), Actor: "owner", Scopes: access.Scopes()}
	return i.control.Append(ctx, workspace, server, client, token)
}

// startRoles starts collector, identity, timeline and archive over one feed.
func (i *installation) startRoles(ctx context.Context) (err error) {
	batcher := func(topic string, partitions int32) *kafka.Batcher {
		b := kafka.NewBatcher(i.client, topic, partitions, kafka.BatcherConfig{})
		i.onStop(b.Close)
		return b
	}
	i.events = batcher(schema.TopicEvents, i.eventLog.Partitions())
	i.letters = batcher(schema.TopicDeadLetters, 1)
	i.feed = eventlog.NewFeed(i.eventLog, func(value []byte, e *schema.Event) error { return envelope.Open(i.ring, value, e) }, feedBytes)

	i.archiver = archive.New(archive.Config{Source: i.dropper(), Store: i.store, Sequences: archive.Sequences(schema.Topics(), generation), Logger: i.logger})
	if !i.onlyCollector {
		i.group.Go(func() error { return i.archiver.Run(i.run) })
		if err := i.startIdentity(ctx); err != nil {
			return err
		}
		if err := i.startTimeline(); err != nil {
			return err
		}
		i.group.Go(func() error { return i.erasures.run(i.run, i) })
	}
	i.collector = collector.New(collector.Config{
		Access: i.control, Log: i.events, Workspace: i.workspace(), Now: time.Now, Logger: i.logger,
	})
	return nil
}

// dropping is the log of the archive role: the embedded broker drops ranges by itself.
type dropping struct {
	*kafka.Client
	broker *broker.Broker
}

func (d dropping) DeleteRecords(ctx context.Context, topic string, partition int32, before int64) error {
	if d.broker == nil {
		return d.Client.DeleteRecords(ctx, topic, partition, before)
	}
	return d.broker.DeleteRecords(topic, partition, before)
}

func (i *installation) dropper() archive.Source { return dropping{i.client, i.embedded} }

// workspace gives the collector what it needs of a workspace. All of it is made once.
func (i *installation) workspace() func(name string) (*collector.Workspace, bool) {
	w := &collector.Workspace{
		Name: mainWorkspace, Ids: ids.New(i.ring.PRF()), Sealer: &envelope.Sealer{Keys: i.ring, Nonces: rand.Reader},
		Letters: i.letterBox("collector"), Epoch: i.erasures.epoch, Source: i.configuration.source,
	}
	return func(name string) (*collector.Workspace, bool) { return w, name == mainWorkspace }
}

func (i *installation) startTimeline() error {
	store, err := state.Open(i.folder.path("state", "timeline"), state.Options{CacheBytes: 32 << 20, Logger: i.logger})
	if err != nil {
		return err
	}
	i.onStop(func(context.Context) error { return store.Close() })
	i.timeline = timeline.New(timeline.Config{
		Feed: i.feed, Log: i.eventLog, Partitions: i.eventLog.Partitions(), Generation: generation,
		Table: timeline.ClickHouse{Conn: i.house}, Store: store, DeadLetters: timelineLetters{i.letterBox("timeline")},
		Public: func(_ string, p schema.PersonaEpoch) schema.ProfileID { return ids.New(i.ring.PRF()).Public(p) },
		Void:   i.erasures.void, Logger: i.logger, Registry: i.registry,
	})
	i.group.Go(func() error { return i.timeline.Run(i.run) })
	return nil
}

// stop ends everything in the reverse order of start: no new requests, then the roles, then the engines.
func (i *installation) stop(ctx context.Context) error {
	var failures []error
	if i.server != nil {
		if err := i.server.Shutdown(ctx); err != nil {
			failures = append(failures, fmt.Errorf("end the open requests: %w", err))
		}
	} else {
		failures = append(failures, i.listener.Close())
	}
	if i.cancel != nil {
		i.cancel()
		if err := i.group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
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
	failed := make(chan error, 1)
	go func() { failed <- i.group.Wait() }()
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}
