package kafka_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// BenchmarkBatcher writes 100-record submits from 32 goroutines into 4 partitions of an embedded log on disk that syncs every
// batch, as the collector does. ns/op is for one record; cpu-ns/record is the whole process: batcher, client, broker.
func BenchmarkBatcher(b *testing.B) {
	ctx := context.Background()
	topic := schema.Topic{Name: "events", Partitions: 4}
	log, err := broker.Start(ctx, broker.Config{Dir: b.TempDir(), Topics: []schema.Topic{topic}, SyncWrites: true})
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	client, err := kafka.Open(ctx, kafka.Config{Brokers: []string{log.Addr()}})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	batcher := kafka.NewBatcher(client, topic.Name, topic.Partitions, kafka.BatcherConfig{})
	defer batcher.Close(ctx)

	const submit, callers, size = 100, 32, 500
	var group sync.WaitGroup
	work := make(chan int, callers)
	cpu := processCPU()
	b.ResetTimer()
	for range callers {
		group.Go(func() {
			messages := make([]kafka.Message, submit)
			for i := range messages {
				messages[i] = kafka.Message{Key: make([]byte, 16), Value: make([]byte, size)}
				rand.Read(messages[i].Value)
			}
			for base := range work {
				for i := range messages {
					binary.BigEndian.PutUint64(messages[i].Key, uint64(base+i)*0x9e3779b97f4a7c15)
				}
				for kafkaErr := batcher.Submit(ctx, messages); kafkaErr != nil; kafkaErr = batcher.Submit(ctx, messages) {
					if _, ok := kafka.RetryAfter(kafkaErr); !ok {
						b.Error(kafkaErr)
						return
					}
				}
			}
		})
	}
	n := 0
	for ; n < b.N; n += submit {
		work <- n
	}
	close(work)
	group.Wait()
	b.StopTimer()
	b.ReportMetric(float64(processCPU()-cpu)/float64(n), "cpu-ns/record")
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(batcher.Stats().Records)/float64(batcher.Stats().Batches), "records/batch")
}

func processCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
