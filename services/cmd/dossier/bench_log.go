package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// logLimit is how many records a second the embedded log acknowledges by itself: 32 writers of batches of 100 records of 400 bytes.
func (c *benchCommand) logLimit(ctx context.Context) (perSecond float64, err error) {
	dir, err := os.MkdirTemp(c.Dir, "dossier-bench-log-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b, err := broker.Start(ctx, broker.Config{Dir: dir, Topics: schema.Topics(), SyncWrites: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	client, err := kafka.Open(ctx, kafka.Config{Brokers: []string{b.Addr()}})
	if err != nil {
		return 0, err
	}
	defer client.Close()
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
