package eventlog_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// BenchmarkReadLive reads 500-byte records from the embedded log; ns/op is for one record, the broker's share included.
func BenchmarkReadLive(b *testing.B) {
	_, c := newLog(b, "", 1)
	const batches, size = 100, 1000
	messages := make([]kafka.Message, size)
	for i := range messages {
		v := make([]byte, 500)
		rand.Read(v)
		messages[i] = kafka.Message{Key: v[:16], Value: v}
	}
	for i := range batches {
		if _, err := c.Produce(b.Context(), "events", 0, messages, time.UnixMilli(int64(i))); err != nil {
			b.Fatal(err)
		}
	}
	log, err := eventlog.Open(b.Context(), c, nil, "events", 1)
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	n, at := 0, int64(0)
	for n < b.N {
		if at == batches*size {
			at = 0
		}
		batch, err := log.Read(b.Context(), 0, at, 0)
		if err != nil {
			b.Fatal(err)
		}
		at = batch.Next
		n += len(batch.Records)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}
