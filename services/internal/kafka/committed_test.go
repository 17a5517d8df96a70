package kafka

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
)

// TestFetchCommitted: transactions of another client, committed and aborted in turn, two producers at once. What was aborted is not read, from
// wherever reading begins.
func TestFetchCommitted(t *testing.T) {
	b, err := broker.Start(t.Context(), broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c, err := Open(t.Context(), Config{Brokers: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.EnsureTopics(t.Context(), []schema.Topic{{Name: "theirs", Partitions: 1}}, 0, 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var producers []*kgo.Client
	for n := range 2 {
		p, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.TransactionalID(fmt.Sprint("p", n)), kgo.DefaultProduceTopic("theirs"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		producers = append(producers, p)
	}
	send := func(p *kgo.Client, value string) {
		t.Helper()
		if err := p.ProduceSync(ctx, &kgo.Record{Value: []byte(value), Timestamp: time.UnixMilli(1_700_000_000_000)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	for round := range 6 {
		for _, p := range producers {
			if err := p.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 3 {
			for n, p := range producers {
				send(p, fmt.Sprintf("%d/%d/%d", round, n, i))
			}
		}
		for n, p := range producers {
			commit := (round+n)%2 == 0
			if err := p.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 3 {
			want = append(want, fmt.Sprintf("%d/%d/%d", round, round%2, i))
		}
	}
	all, err := c.Offsets(ctx, "theirs")
	if err != nil {
		t.Fatal(err)
	}
	for from := range all[0].Next {
		var got []string
		for at := from; at < all[0].Next; {
			f, err := c.FetchCommitted(ctx, "theirs", 0, at, 300, time.Second)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range f.Records {
				got = append(got, string(r.Value))
			}
			at = f.Next
		}
		if from == 0 && !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		if !slices.Equal(got, want[len(want)-min(len(got), len(want)):]) {
			t.Fatalf("from offset %d: got %v", from, got)
		}
	}
	// What is still open is not read, and the read ends there.
	if err := producers[0].BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	send(producers[0], "open")
	f, err := c.FetchCommitted(ctx, "theirs", 0, all[0].Next, 1<<20, 100*time.Millisecond)
	if err != nil || len(f.Records) != 0 || f.Next != all[0].Next {
		t.Fatalf("of an open transaction: %+v, %v", f, err)
	}
	if err := producers[0].EndTransaction(ctx, kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
}

func TestOffsetsAt(t *testing.T) {
	b, err := broker.Start(t.Context(), broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c, err := Open(t.Context(), Config{Brokers: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.EnsureTopics(t.Context(), []schema.Topic{{Name: "theirs", Partitions: 2}}, 0, 1); err != nil {
		t.Fatal(err)
	}
	for n := range 10 {
		if _, err := c.Produce(t.Context(), "theirs", 1, []Message{{Value: []byte("v")}}, time.UnixMilli(int64(1_700_000_000_000+1000*n))); err != nil {
			t.Fatal(err)
		}
	}
	for millis, want := range map[int64]int64{0: 0, 1_700_000_003_000: 3, 1_700_000_003_001: 4, 1_800_000_000_000: 10} {
		got, err := c.OffsetsAt(t.Context(), "theirs", time.UnixMilli(millis))
		if err != nil || !slices.Equal(got, []int64{0, want}) {
			t.Errorf("at %d: %v, %v, want %d", millis, got, err, want)
		}
	}
}
