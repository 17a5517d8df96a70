package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// newLog starts an embedded log with one topic and a client of it.
func newLog(t testing.TB, dir string, partitions int32) (*broker.Broker, *kafka.Client) {
	t.Helper()
	b, err := broker.Start(t.Context(), broker.Config{Dir: dir, Topics: []schema.Topic{{Name: "events", Partitions: partitions}}, SyncWrites: dir != ""})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	c, err := kafka.Open(t.Context(), kafka.Config{Brokers: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return b, c
}

func produce(t testing.TB, c *kafka.Client, partition int32, from, n int) {
	t.Helper()
	messages := make([]kafka.Message, n)
	for i := range messages {
		messages[i] = kafka.Message{Key: fmt.Appendf(nil, "k%d", from+i), Value: fmt.Appendf(nil, "v%d", from+i)}
	}
	if _, err := c.Produce(t.Context(), "events", partition, messages, time.UnixMilli(int64(1_700_000_000_000+from))); err != nil {
		t.Fatal(err)
	}
}

func TestReadLive(t *testing.T) {
	_, c := newLog(t, "", 2)
	log, err := eventlog.Open(t.Context(), c, nil, "events", 1)
	if err != nil {
		t.Fatal(err)
	}
	produce(t, c, 1, 0, 10)
	produce(t, c, 1, 10, 10)
	b, err := log.Read(t.Context(), 1, 15, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if b.From != 15 || b.Next != 20 || len(b.Records) != 5 {
		t.Fatalf("got [%d,%d) with %d records", b.From, b.Next, len(b.Records))
	}
	if r := b.Records[0]; string(r.Key) != "k15" || string(r.Value) != "v15" || r.Offset != 15 || r.Partition != 1 || r.Generation != 1 || r.RecordedAt != schema.Instant(1_700_000_000_010_000) {
		t.Fatalf("got %+v", r)
	}
	begun := time.Now()
	if b, err = log.Read(t.Context(), 1, 20, 50*time.Millisecond); err != nil || b.Next != 20 || time.Since(begun) < 40*time.Millisecond {
		t.Fatalf("at the end: %+v %v after %v", b, err, time.Since(begun))
	}
	if _, err = log.Read(t.Context(), 1, 21, 0); kafka.Class(err) != schema.Fatal {
		t.Fatalf("beyond the end: %v", err)
	}
	check := log.After(1, 20, mustRead(t, log, 1, 15).Last)
	if err := log.Check(t.Context(), check); err != nil {
		t.Fatal(err)
	}
	check.Last[0]++
	if err := log.Check(t.Context(), check); !errors.Is(err, eventlog.ErrOtherLog) {
		t.Fatalf("another last record: %v", err)
	}
}

func mustRead(t testing.TB, log *eventlog.Log, partition int32, offset int64) eventlog.Batch {
	t.Helper()
	b, err := log.Read(context.Background(), partition, offset, 0)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
