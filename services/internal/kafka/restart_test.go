package kafka_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// A batcher outlives its broker: while it is gone submits are refused in time, and when it is back, at another port, the same
// batcher and client go on. Every acknowledged message is there.
func TestBatcherOutlivesBroker(t *testing.T) {
	ctx := t.Context()
	topic := schema.Topic{Name: "events", Partitions: 2}
	cfg := broker.Config{Dir: t.TempDir(), Topics: []schema.Topic{topic}, SyncWrites: true}
	b, err := broker.Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { b.Close() }()
	var at atomic.Value // where the broker is now
	at.Store(b.Addr())
	client, err := kafka.Open(ctx, kafka.Config{
		Brokers: []string{b.Addr()}, Timeout: time.Second, MetadataTTL: 50 * time.Millisecond,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, at.Load().(string))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	batcher := kafka.NewBatcher(client, topic.Name, topic.Partitions, kafka.BatcherConfig{Patience: 500 * time.Millisecond, RetryAfter: 50 * time.Millisecond})

	var acknowledged, refused atomic.Int64
	var mu sync.Mutex
	wanted := map[uint32]bool{}
	running, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	for caller := range uint32(3) {
		group.Go(func() {
			for n := caller << 24; running.Err() == nil; n += 10 {
				messages := make([]kafka.Message, 10)
				for i := range messages {
					messages[i].Key = binary.BigEndian.AppendUint32(nil, n+uint32(i))
					messages[i].Value = messages[i].Key
				}
				err := batcher.Submit(ctx, messages)
				switch {
				case err == nil:
					acknowledged.Add(1)
					mu.Lock()
					for i := range uint32(10) {
						wanted[n+i] = true
					}
					mu.Unlock()
				case errors.Is(err, kafka.ErrUnavailable):
					refused.Add(1)
					wait, _ := kafka.RetryAfter(err)
					time.Sleep(wait)
				default:
					t.Errorf("got %v", err)
					return
				}
			}
		})
	}
	until := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(15 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("not in 15 s: %s", what)
			}
		}
	}
	until("some acknowledgements", func() bool { return acknowledged.Load() > 20 })
	for range 2 {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		before := refused.Load()
		until("refusals while the broker is gone", func() bool { return refused.Load() > before+10 })
		if b, err = broker.Start(ctx, cfg); err != nil {
			t.Fatal(err)
		}
		at.Store(b.Addr())
		after := acknowledged.Load()
		until("acknowledgements when the broker is back", func() bool { return acknowledged.Load() > after+20 })
	}
	stop()
	group.Wait()
	if err := batcher.Close(ctx); err != nil {
		t.Fatal(err)
	}
	ranges, err := client.Offsets(ctx, topic.Name)
	if err != nil {
		t.Fatal(err)
	}
	for p, r := range ranges {
		for offset := r.First; offset < r.Next; {
			f, err := client.Fetch(ctx, topic.Name, int32(p), offset, 1<<20, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, record := range f.Records {
				delete(wanted, binary.BigEndian.Uint32(record.Value))
			}
			offset = f.Next
		}
	}
	if len(wanted) > 0 {
		t.Fatalf("%d acknowledged messages are not in the log", len(wanted))
	}
}
