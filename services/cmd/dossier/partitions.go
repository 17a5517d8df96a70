package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/services/internal/coordination"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

type partitionsCommand struct {
	Number int32  `arg:"" help:"How many partitions the events topic is to have."`
	Data   string `default:"./dossier-data" type:"path" help:"The data folder of the installation, or of its keeper." placeholder:"DIR"`
	connections
	JSON bool `help:"Print JSON."`
}

func (partitionsCommand) Help() string {
	return `Example: dossier partitions 12 --data ./dossier-data
         dossier partitions 12 --data /var/lib/dossier/keeper --kafka kafka1:9092,kafka2:9092

Every process of the installation must be stopped. Another number of partitions starts a generation of the log: the topic that there is takes no
events any more and stays readable, and a new one takes its place. Readers see both as one sequence, and no figure changes. 'dossier up
--partitions N' does the same at its start.`
}

// Run starts a generation, unless the topic has that many partitions already.
func (c *partitionsCommand) Run(ctx context.Context) (err error) {
	if c.Number < 1 || c.Number > 1000 {
		return &exit{exitMisused, fmt.Errorf("%d partitions are not possible: choose from 1 to 1000", c.Number)}
	}
	if _, err := os.Stat(c.Data); err != nil {
		return fmt.Errorf("there is no data folder %s: name the installation's with --data", c.Data)
	}
	folder, err := openFolder(c.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.close()) }()
	if !c.embeddedLog() {
		if _, err := os.Stat(folder.path("keys", "ring")); err != nil {
			return fmt.Errorf("the data folder %s has no key ring: name the keeper's with --data", c.Data)
		}
		if err := c.nobodyRuns(ctx); err != nil {
			return err
		}
	} else if _, err := os.Stat(folder.path("log", "broker.json")); err != nil {
		return fmt.Errorf("the data folder %s has no log yet: say the number of partitions at the first start, 'dossier up --partitions %d'", c.Data, c.Number)
	}
	i := &installation{folder: folder, connections: c.connections, partitions: c.Number, logger: slog.Default()}
	defer func() {
		if i.client != nil {
			i.client.Close()
		}
		if i.embedded != nil {
			err = errors.Join(err, i.embedded.Close())
		}
	}()
	if i.connections.embeddedLog() {
		if err := i.roomToStart(); err != nil {
			return err
		}
	}
	if err := i.startLog(ctx); err != nil {
		return err
	}
	topic, partitions := i.eventLog.Written()
	if c.JSON {
		return printJSON(map[string]any{"topic": topic, "generation": i.eventLog.Generation(), "partitions": partitions})
	}
	fmt.Printf("%s takes events in %d partitions, generation %d\n", topic, partitions, i.eventLog.Generation())
	return nil
}

// nobodyRuns makes sure that no process of the installation gives a sign of life. It listens for longer than a lease time.
func (c *partitionsCommand) nobodyRuns(ctx context.Context) error {
	config, err := c.Kafka()
	if err != nil {
		return err
	}
	client, err := kafka.Open(ctx, config)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	found, err := coordination.Open(ctx, client, coordination.Config{Instance: uuid.NewString()})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- found.Run(ctx) }()
	fmt.Fprintln(os.Stderr, "listening for processes of the installation")
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-ended:
		return err
	case <-time.After(coordination.DefaultLeaseTime * 6 / 5):
	}
	if err := found.Refresh(ctx); err != nil {
		return err
	}
	for _, r := range allRoles() {
		if running := found.Present(string(r)); len(running) > 0 {
			return fmt.Errorf("a process with the role %s still runs at %s: stop every process of the installation first", r, running[0].Address)
		}
	}
	return nil
}
