package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
)

// TestConformance holds the embedded broker to what this package promises. TestCluster holds Apache Kafka to the same.
func TestConformance(t *testing.T) {
	b, err := broker.Start(t.Context(), broker.Config{Dir: t.TempDir(), SyncWrites: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	Conform(t, Config{Brokers: []string{b.Addr()}})
}

// Conform is what every broker that we run on must do.
func Conform(t *testing.T, cfg Config) {
	ctx := t.Context()
	c, err := Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if id, err := c.ClusterID(ctx); err != nil || id == "" {
		t.Fatalf("cluster id %q, %v", id, err)
	}
	topic := fmt.Sprintf("conformance-%d", time.Now().UnixNano())
	topics := []schema.Topic{{Name: topic, Partitions: 3}}
	if err := c.EnsureTopics(ctx, topics, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := c.EnsureTopics(ctx, topics, 0, 0); err != nil {
		t.Fatalf("again: %v", err)
	}

	// A new topic's leaders may not be known everywhere yet: that is transient.
	sent := []Message{{Key: []byte("k"), Value: []byte("v"), Headers: []Header{{"a", []byte("b")}, {"null", nil}}}, {}, {Key: []byte{}, Value: []byte{}}}
	at := time.UnixMilli(1_700_000_000_456)
	deadline := time.Now().Add(15 * time.Second)
	base, err := c.Produce(ctx, topic, 1, sent, at)
	for err != nil && Class(err) == schema.Transient && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
		base, err = c.Produce(ctx, topic, 1, sent, at)
	}
	if err != nil {
		t.Fatal(err)
	}
	f, err := c.Fetch(ctx, topic, 1, base, 1<<20, time.Second)
	if err != nil || len(f.Records) != len(sent) || f.Next != base+3 || f.HighWater != base+3 {
		t.Fatalf("%+v %v", f, err)
	}
	for i, r := range f.Records {
		m := sent[i]
		if r.Offset != base+int64(i) || r.Time != schema.InstantOf(at) || !bytes.Equal(r.Key, m.Key) || (r.Key == nil) != (m.Key == nil) ||
			!bytes.Equal(r.Value, m.Value) || (r.Value == nil) != (m.Value == nil) || len(r.Headers) != len(m.Headers) {
			t.Fatalf("record %d: %+v, sent %+v", i, r, m)
		}
	}
	if f, err = c.Fetch(ctx, topic, 1, base+1, 1<<20, time.Second); err != nil || len(f.Records) != 2 || f.Records[0].Offset != base+1 {
		t.Fatalf("from the middle of a batch: %+v %v", f, err)
	}
	begun := time.Now()
	if f, err = c.Fetch(ctx, topic, 1, base+3, 1<<20, 300*time.Millisecond); err != nil || len(f.Records) != 0 || f.Next != base+3 || time.Since(begun) < 250*time.Millisecond {
		t.Fatalf("at the end: %+v %v after %v", f, err, time.Since(begun))
	}
	begun = time.Now()
	if f, err = c.FetchAtLeast(ctx, topic, 1, base, 1000, 1<<20, 300*time.Millisecond); err != nil || len(f.Records) != 3 || time.Since(begun) < 250*time.Millisecond {
		t.Fatalf("less than enough: %+v %v after %v", f, err, time.Since(begun))
	}
	begun = time.Now()
	if f, err = c.FetchAtLeast(ctx, topic, 1, base, 20, 1<<20, 20*time.Second); err != nil || len(f.Records) != 3 || time.Since(begun) > 10*time.Second {
		t.Fatalf("enough: %+v %v after %v", f, err, time.Since(begun))
	}
	if _, err = c.Fetch(ctx, topic, 1, base+4, 1<<20, 0); !errors.Is(err, ErrOutOfRange) {
		t.Fatalf("beyond the end: %v", err)
	}

	conformBatcher(t, c, topic)

	ranges, err := c.Offsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	before := ranges[1].Next - 1
	if err := c.DeleteRecords(ctx, topic, 1, before); err != nil {
		t.Fatal(err)
	}
	after, err := c.Offsets(ctx, topic)
	if err != nil || after[1] != (Range{before, before + 1}) || after[0] != ranges[0] {
		t.Fatalf("after a drop: %+v %v, before %+v", after, err, ranges)
	}
	if _, err = c.Fetch(ctx, topic, 1, before-1, 1<<20, 0); !errors.Is(err, ErrOutOfRange) {
		t.Fatalf("below the start: %v", err)
	}
	if err = c.DeleteRecords(ctx, topic, 1, before+2); !errors.Is(err, ErrOutOfRange) {
		t.Fatalf("a drop beyond the end: %v", err)
	}
	if _, err := c.Produce(ctx, topic, 1, []Message{{Value: make([]byte, MaxBatchBytes)}}, at); Class(err) != schema.Rejected {
		t.Fatalf("too large: %v", err)
	}
	if _, err := c.Produce(ctx, topic, 1, []Message{{Value: make([]byte, 5<<20)}}, at); err != nil {
		t.Fatalf("5 MiB: %v", err)
	}
}

func conformBatcher(t *testing.T, c *Client, topic string) {
	t.Helper()
	b := NewBatcher(c, topic, 3, BatcherConfig{})
	var group sync.WaitGroup
	const callers, submits = 4, 20
	for caller := range callers {
		group.Go(func() {
			for i := range submits {
				if err := b.Submit(t.Context(), numbered((caller*submits+i)*10, 10)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	ranges, err := c.Offsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]int{}
	for p, r := range ranges {
		var last schema.Instant
		for at := r.First; at < r.Next; {
			f, err := c.Fetch(t.Context(), topic, int32(p), at, 1<<20, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, record := range f.Records {
				if record.Time < last {
					t.Fatalf("partition %d: the record time falls at offset %d", p, record.Offset)
				}
				last = record.Time
				if len(record.Value) == 4 {
					found[int(binary.BigEndian.Uint32(record.Value))]++
				}
			}
			at = f.Next
		}
	}
	for n := range callers * submits * 10 {
		if found[n] != 1 {
			t.Fatalf("message %d is there %d times", n, found[n])
		}
	}
}
