package main

import (
	"cmp"
	"context"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/internal/clickhouse"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/embedded/chdb"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// startTimelineEngine opens ClickHouse, embedded unless an address was given, and brings its tables up to date.
func (i *installation) startTimelineEngine(ctx context.Context) error {
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
	i.houseAt = config
	if i.house, err = clickhouse.Open(ctx, config); err != nil {
		return err
	}
	return i.house.Migrate(ctx, schema.Migrations())
}

// startLog opens the log, embedded unless addresses were given, and declares its topics.
func (i *installation) startLog(ctx context.Context) error {
	config, err := i.connections.Kafka()
	if err != nil {
		return err
	}
	replication := i.connections.KafkaReplication
	if i.connections.embeddedLog() {
		i.embedded, err = broker.Start(ctx, broker.Config{
			Dir: i.folder.path("log"), Topics: schema.Topics(), Partitions: i.firstPartitions(), SyncWrites: true, Logger: i.logger,
		})
		if err != nil {
			return err
		}
		config.Brokers, replication = []string{i.embedded.Addr()}, 1
		config.MetadataTTL = 5 * time.Second // its layout changes only by our own hand
	}
	if i.client, err = kafka.Open(ctx, config); err != nil {
		return err
	}
	cluster, err := i.client.ClusterID(ctx)
	if err != nil {
		return err
	}
	known, err := i.folder.sameLog(logIdentity{cluster, i.connections.TopicPrefix})
	if err != nil {
		return err
	}
	if known && i.embedded == nil {
		if err := topicsKept(ctx, i.folder, i.client, i.connections.TopicPrefix); err != nil {
			return err
		}
	}
	partitions := i.partitions // of new topics; another number of those that are there starts a generation
	if _, err := i.client.Partitions(ctx, schema.TopicEvents); err == nil {
		partitions = 0
	}
	if err := i.client.EnsureTopics(ctx, schema.Topics(), partitions, replication); err != nil {
		return err
	}
	if i.store, err = i.openArchive(ctx); err != nil {
		return err
	}
	for topic, log := range map[string]**eventlog.Log{
		schema.TopicControl: &i.controlLog, schema.TopicDeadLetters: &i.letterLog,
	} {
		if *log, err = eventlog.Open(ctx, i.client, i.store, topic, 0); err != nil {
			return err
		}
	}
	return i.openEventLog(ctx, replication)
}

// openArchive opens the store of the archive, a folder beside the log unless another place was given.
func (i *installation) openArchive(ctx context.Context) (archive.Store, error) {
	return archive.Open(ctx, cmp.Or(i.connections.Archive, i.folder.path("archive")), i.folder.secret)
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

// archiveLease is held by the one writer of the archive.
const archiveLease = "archive"

// startArchiving copies the log to the archive whenever this process holds the lease. A former owner that was paused and goes on writes
// nothing over what the next one wrote: package archive sees to that.
func (i *installation) startArchiving() {
	i.archiver = archive.New(archive.Config{Source: i.dropper(), Store: i.store, Sequences: i.archivedSequences(), Logger: i.logger})
	i.onRest(i.archiver.Rest)
	i.hold(archiveLease, nil, func(ctx context.Context, _ lease) error {
		i.archiver.Metrics().Behind.Store(0) // counted anew
		return i.archiver.Run(ctx)
	})
}
