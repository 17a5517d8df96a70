package eventlog_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// Through any changes of the partition count, archived or not, and with the live log of a closed generation there or gone, readers see
// every record once, in its partition's order, at offsets that count on; and a checkpoint made under one generation holds under the
// later ones.
func TestGenerationsAreOneSequence(t *testing.T) {
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		testGenerations(t, filepath.Join(dir, fmt.Sprint(run)))
	})
}

func testGenerations(t *rapid.T, dir string) {
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	store, err := archive.OpenFolder(filepath.Join(dir, "archive"))
	must(err)
	count := rapid.IntRange(1, 4).Draw(t, "generations")
	var topics []schema.Topic
	partitions := make([]int32, count)
	for g := range count {
		partitions[g] = int32(rapid.IntRange(1, 5).Draw(t, "partitions"))
		topics = append(topics, schema.Topic{Name: fmt.Sprintf("events.g%d", g), Partitions: partitions[g]})
	}
	b, err := broker.Start(ctx, broker.Config{Topics: topics})
	must(err)
	defer b.Close()
	client, err := kafka.Open(ctx, kafka.Config{Brokers: []string{b.Addr()}})
	must(err)
	defer client.Close()

	type record struct {
		value      string
		generation uint32
	}
	var want [][]record
	var all []eventlog.Generation
	var log *eventlog.Log
	var marks []eventlog.Checkpoint
	check := func() {
		t.Helper()
		reopened, err := eventlog.OpenGenerations(ctx, client, store, "events", all)
		must(err)
		log = reopened
		for _, m := range marks {
			must(log.Check(ctx, m))
		}
		ends, err := log.Ends(ctx)
		must(err)
		if len(ends) != len(want) || int(log.Partitions()) != len(want) {
			t.Fatalf("%d partitions, want %d", len(ends), len(want))
		}
		for p, end := range ends {
			if end != int64(len(want[p])) {
				t.Fatalf("partition %d ends at %d, want %d", p, end, len(want[p]))
			}
			from := int64(rapid.IntRange(0, len(want[p])).Draw(t, "from"))
			for at := from; at < end; {
				batch, err := log.Read(ctx, int32(p), at, 0)
				must(err)
				if batch.From != at || batch.Next <= at || batch.Next > end {
					t.Fatalf("partition %d at %d: [%d,%d)", p, at, batch.From, batch.Next)
				}
				for _, r := range batch.Records {
					w := want[p][r.Offset]
					if string(r.Value) != w.value || r.Generation != w.generation || r.Partition != int32(p) {
						t.Fatalf("partition %d, offset %d: %q of %+v, want %+v", p, r.Offset, r.Value, r.Position, w)
					}
				}
				at = batch.Next
				marks = append(marks, log.After(int32(p), at, batch.Last))
			}
			batch, err := log.Read(ctx, int32(p), end, time.Millisecond)
			if err != nil || batch.Next != end || len(batch.Records) > 0 {
				t.Fatalf("partition %d at its end: %+v %v", p, batch, err)
			}
			if _, err := log.Read(ctx, int32(p), end+1, 0); schema.ClassOf(err) != schema.Fatal {
				t.Fatalf("partition %d beyond its end: %v", p, err)
			}
		}
	}
	for g := range count {
		live := fmt.Sprintf("events.g%d", g)
		all = append(all, eventlog.Generation{Number: uint32(g), Live: live})
		for len(want) < int(partitions[g]) {
			want = append(want, nil)
		}
		ends := make([]int64, partitions[g])
		for p := range partitions[g] {
			n := rapid.IntRange(0, 30).Draw(t, "records")
			messages := make([]kafka.Message, n)
			for i := range messages {
				value := fmt.Sprintf("generation %d partition %d record %d", g, p, i)
				messages[i] = kafka.Message{Key: []byte("k"), Value: []byte(value)}
				want[p] = append(want[p], record{value, uint32(g)})
			}
			if ends[p] = int64(n); n > 0 {
				_, err := client.Produce(ctx, live, p, messages, time.UnixMilli(int64(g)))
				must(err)
			}
		}
		check()
		if topic, n := log.Written(); topic != live || n != partitions[g] {
			t.Fatalf("written is %s with %d partitions", topic, n)
		}
		if g == count-1 {
			break
		}
		all[g].Ends = ends
		if rapid.Bool().Draw(t, "archived") {
			role := archive.New(archive.Config{
				Source: client, Store: store, CutBytes: func(int32) int64 { return 300 },
				Sequences: []archive.Sequence{{Topic: "events", Generation: uint32(g), Live: live, Ends: ends}},
			})
			must(role.Run(ctx)) // ends by itself: the generation is closed
			if rapid.Bool().Draw(t, "gone from the log") {
				all[g].Live = ""
			}
		}
	}
}

// A checkpoint of a generation that the log does not have yet belongs to another log.
func TestCheckpointOfLaterGeneration(t *testing.T) {
	_, c := newLog(t, "", 1)
	produce(t, c, 0, 0, 5)
	log, err := eventlog.Open(t.Context(), c, nil, "events", 1)
	if err != nil {
		t.Fatal(err)
	}
	later := log.After(0, 5, mustRead(t, log, 0, 0).Last)
	if err := log.Check(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	later.Position.Generation = 2
	if err := log.Check(t.Context(), later); !errors.Is(err, eventlog.ErrOtherLog) {
		t.Fatalf("got %v", err)
	}
}
