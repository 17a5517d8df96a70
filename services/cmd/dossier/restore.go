package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/backup"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

type restoreCommand struct {
	Dir        string `arg:"" type:"existingdir" help:"The folder that 'dossier backup' wrote."`
	Data       string `required:"" type:"path" help:"The data folder to make; it must not exist, or be empty." placeholder:"DIR"`
	Ring       string `required:"" type:"existingfile" help:"The copy of the key ring that 'dossier ring copy' wrote." placeholder:"FILE"`
	Partitions int32  `help:"Partitions of the events topic from now on (default: as many as before)."`
	connections
}

func (restoreCommand) Help() string {
	return `Example: dossier restore /mnt/backup/dossier --ring /mnt/usb/dossier.ring --data ./dossier-data

DOSSIER_MASTER_KEY or DOSSIER_MASTER_KEY_FILE gives the master key. Nothing is overwritten: the data folder, the archive and the topics must
be new or empty. The data folder appears when everything is there. Then start it with 'dossier up', with the same --archive and --kafka; it
makes new credentials, and repeats every erasure before it serves.`
}

// Run restores beside the data folder and renames at the end, so that a data folder is whole or not there.
func (c *restoreCommand) Run(ctx context.Context) (err error) {
	found, err := os.ReadDir(c.Data)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the data folder %s cannot be read: %w", c.Data, reason(err))
	}
	if len(found) > 0 {
		return fmt.Errorf("the data folder %s is not empty: restore into a new one with --data, and move this one away if it is to be replaced", c.Data)
	}
	from, err := backup.Open(c.Dir)
	if err != nil {
		return err
	}
	building := filepath.Clean(c.Data) + ".restoring"
	if _, err := os.Stat(building); err == nil {
		return fmt.Errorf("%s is left of a restore that did not end: remove it, and try again", building)
	}
	folder, err := openFolder(building)
	if err != nil {
		return err
	}
	if err := errors.Join(c.restore(ctx, from, folder), folder.close()); err != nil {
		return fmt.Errorf("%w (what was restored so far is in %s: remove it before the next try)", err, building)
	}
	if err := os.Rename(building, c.Data); err != nil {
		return fmt.Errorf("everything is restored in %s, but it cannot be renamed: %w", building, reason(err))
	}
	m := &from.Manifest
	fmt.Printf("restored the backup of %s: %d events, %d records in all; start it with 'dossier up --data %s'\n", m.Made, m.Records(schema.TopicEvents), m.Records(""), c.Data)
	return nil
}

func (c *restoreCommand) restore(ctx context.Context, from *backup.Folder, folder *folder) (err error) {
	if err := restoreRing(folder.dir, c.Ring); err != nil {
		return err
	}
	config, err := c.Kafka()
	if err != nil {
		return err
	}
	begin := func(context.Context, schema.Topic) error { return nil }
	replication := c.KafkaReplication
	if c.embeddedLog() {
		embedded, err := broker.Start(ctx, broker.Config{Dir: folder.path("log"), Topics: schema.Topics(), SyncWrites: true, Logger: slog.Default()})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, embedded.Close()) }()
		config.Brokers, replication = []string{embedded.Addr()}, 1
		begin = func(_ context.Context, t schema.Topic) error { return embedded.Ensure(t) }
	}
	client, err := kafka.Open(ctx, config)
	if err != nil {
		return err
	}
	defer client.Close()
	if !c.embeddedLog() {
		if err := client.EnsureTopics(ctx, schema.Topics(), 0, replication); err != nil {
			return err
		}
		begin = func(ctx context.Context, t schema.Topic) error {
			return client.EnsureTopics(ctx, []schema.Topic{t}, 0, replication)
		}
	}
	store, err := archive.Open(ctx, cmp.Or(c.Archive, folder.path("archive")), folder.secret)
	if err != nil {
		return err
	}
	shown := newProgress("records")
	err = from.Restore(ctx, backup.Target{Store: store, Log: client, Begin: begin, Partitions: c.Partitions, Now: time.Now},
		func(p backup.Progress) { shown.update(p.Records, p.Total) })
	shown.done()
	return err
}
