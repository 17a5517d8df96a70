package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// logLimit is how many records a second the log acknowledges by itself: 32 writers of batches of 100 records of 400 bytes.
func (c *benchCommand) logLimit(ctx context.Context) (perSecond float64, err error) {
	dir, err := os.MkdirTemp(c.Dir, "dossier-bench-log-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	config := kafka.Config{Brokers: c.Kafka, TopicPrefix: filepath.Base(dir) + "."}
	if len(c.Kafka) == 0 {
		b, failure := broker.Start(ctx, broker.Config{Dir: dir, Topics: schema.Topics(), SyncWrites: true, Logger: slog.New(slog.DiscardHandler)})
		if failure != nil {
			return 0, failure
		}
		defer func() { err = errors.Join(err, b.Close()) }()
		config = kafka.Config{Brokers: []string{b.Addr()}}
	}
	client, err := kafka.Open(ctx, config)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	if len(c.Kafka) > 0 {
		if err := client.EnsureTopics(ctx, schema.Topics(), 0, 0); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, client.DeleteTopics(ctx, schema.Topics())) }()
	}
	batcher := kafka.NewBatcher(client, schema.TopicEvents, schema.DefaultPartitions, kafka.BatcherConfig{})
	defer func() { err = errors.Join(err, batcher.Close(ctx)) }()
	const seconds = 5
	value := make([]byte, 400)
	var n atomic.Int64
	var wait sync.WaitGroup
	until := time.Now().Add(seconds * time.Second)
	for w := range 32 {
		wait.Go(func() {
			for i := 0; time.Now().Before(until) && ctx.Err() == nil; i++ {
				messages := make([]kafka.Message, 100)
				for m := range messages {
					messages[m] = kafka.Message{Key: []byte{byte(w), byte(i), byte(m), byte(i >> 8)}, Value: value}
				}
				if batcher.Submit(ctx, messages) == nil {
					n.Add(100)
				}
			}
		})
	}
	wait.Wait()
	return float64(n.Load()) / seconds, nil
}

// removeTopics removes what a benchmark made in the cluster.
func (c *benchCommand) removeTopics(ctx context.Context, prefix string) error {
	client, err := kafka.Open(ctx, kafka.Config{Brokers: c.Kafka, TopicPrefix: prefix})
	if err != nil {
		return err
	}
	defer client.Close()
	return client.DeleteTopics(ctx, schema.Topics())
}
