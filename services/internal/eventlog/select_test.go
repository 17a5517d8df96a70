package eventlog_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/envelope"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// sealer writes real events.
func sealer(t testing.TB) *envelope.Sealer {
	t.Helper()
	ring, err := seal.NewRing("main", seal.Key{1}, []string{"standard"}, 2025, 2026, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &envelope.Sealer{Keys: ring, Nonces: rand.Reader}
}

func eventOf(t interface{ Fatal(...any) }, s *envelope.Sealer, n, source, persona int, kind schema.Type, at schema.Instant) kafka.Message {
	e := &schema.Event{}
	e.ID[0], e.ID[1], e.ID[2] = 8, byte(n), byte(n>>8)
	e.Persona[0], e.Persona[1] = 7, byte(persona)
	e.Workspace, e.Source, e.Type, e.OccurredAt = "main", fmt.Sprintf("source%d", source), kind, at
	e.Key = schema.KeyID{Class: "standard", Year: 2025}
	e.Text = "something that nobody must read"
	value, err := s.Seal(nil, e)
	if err != nil {
		t.Fatal(err)
	}
	return kafka.Message{Key: e.Persona[:], Value: value}
}

var (
	kinds   = []schema.Type{schema.TypeOrderPlaced, schema.TypePageViewed, schema.TypeMessageReceived}
	year    = schema.InstantOf(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC))
	aMinute = schema.Instant(time.Minute / time.Microsecond)
)

// A selective read gives what a full read and the filter give, in the same order, whatever is archived, live, of an earlier generation,
// or without its index.
func TestSelectEqualsFullRead(t *testing.T) {
	s := sealer(t)
	dir := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		testSelect(t, s, filepath.Join(dir, fmt.Sprint(run)))
	})
}

func testSelect(t *rapid.T, s *envelope.Sealer, dir string) {
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	store, err := archive.OpenFolder(dir)
	must(err)
	b, err := broker.Start(ctx, broker.Config{Topics: []schema.Topic{{Name: "events", Partitions: 2}, {Name: "events.g1", Partitions: 3}}})
	must(err)
	defer b.Close()
	client, err := kafka.Open(ctx, kafka.Config{Brokers: []string{b.Addr()}})
	must(err)
	defer client.Close()
	generations := []eventlog.Generation{{Live: "events", Ends: make([]int64, 2)}, {Number: 1, Live: "events.g1"}}
	n := 0
	for g, partitions := range []int32{2, 3} {
		for p := range partitions {
			var messages []kafka.Message
			for range rapid.IntRange(0, 25).Draw(t, "events") {
				if rapid.IntRange(0, 30).Draw(t, "kind of record") == 0 {
					messages = append(messages, kafka.Message{Value: []byte("no event")})
				} else {
					messages = append(messages, eventOf(t, s, n, rapid.IntRange(0, 3).Draw(t, "source"), rapid.IntRange(0, 9).Draw(t, "persona"),
						rapid.SampledFrom(kinds).Draw(t, "type"), year+aMinute*schema.Instant(rapid.IntRange(0, 50).Draw(t, "minute"))))
				}
				n++
			}
			if len(messages) > 0 {
				_, err := client.Produce(ctx, generations[g].Live, p, messages, time.UnixMilli(int64(n)))
				must(err)
			}
			if g == 0 {
				generations[0].Ends[p] = int64(len(messages))
			}
		}
	}
	if rapid.Bool().Draw(t, "archived") {
		role := archive.New(archive.Config{
			Source: client, Store: store, CutBytes: func(int32) int64 { return 900 },
			Sequences: []archive.Sequence{{Topic: "events", Live: "events", Ends: generations[0].Ends}},
		})
		must(role.Run(ctx))
		indexes, err := filepath.Glob(filepath.Join(dir, "events", "0", "*", "*.index"))
		must(err)
		for _, path := range indexes {
			if rapid.IntRange(0, 4).Draw(t, "lost") == 0 {
				must(os.Remove(path))
			}
		}
	}
	log, err := eventlog.OpenGenerations(ctx, client, store, "events", generations)
	must(err)
	ends, err := log.Ends(ctx)
	must(err)
	f := &archive.Filter{}
	if rapid.Bool().Draw(t, "by type") {
		f.Types = rapid.SliceOfN(rapid.SampledFrom(kinds), 1, 2).Draw(t, "types")
	}
	if rapid.Bool().Draw(t, "by source") {
		f.Sources = []string{fmt.Sprintf("source%d", rapid.IntRange(0, 5).Draw(t, "wanted source"))}
	}
	if rapid.Bool().Draw(t, "by persona") {
		f.Personas = []schema.PersonaID{{7, byte(rapid.IntRange(0, 12).Draw(t, "wanted persona"))}}
	}
	if rapid.Bool().Draw(t, "by time") {
		f.From = year + aMinute*schema.Instant(rapid.IntRange(0, 60).Draw(t, "from"))
		f.To = f.From + aMinute*schema.Instant(rapid.IntRange(0, 20).Draw(t, "minutes"))
	}
	var got, want []schema.Position
	done, err := log.Select(ctx, f, ends, func(r *eventlog.Record, c *schema.Clear) error {
		if !f.Match(c) {
			t.Fatalf("%+v does not match", c)
		}
		got = append(got, r.Position)
		return nil
	})
	must(err)
	total := int64(0)
	for p, end := range ends {
		for at := int64(0); at < end; {
			batch, err := log.Read(ctx, int32(p), at, 0)
			must(err)
			for i := range batch.Records {
				total++
				var c schema.Clear
				if envelope.ReadClear(batch.Records[i].Value, &c) == nil && f.Match(&c) {
					want = append(want, batch.Records[i].Position)
				}
			}
			at = batch.Next
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%+v: got %v, want %v", f, got, want)
	}
	if done.Matched != int64(len(want)) || done.Records > total || done.Skipped > done.Segments || done.Skipped == 0 && done.Records != total {
		t.Fatalf("%+v of %d records", done, total)
	}
}

// Segments that hold nothing of what is wanted are not read: neither they nor, once it is there, anything but their index.
func TestSelectSkips(t *testing.T) {
	s := sealer(t)
	_, c := newLog(t, "", 1)
	dir := t.TempDir()
	store, err := archive.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 100 {
		m := []kafka.Message{eventOf(t, s, n, n/10, n, schema.TypeOrderPlaced, year+schema.Instant(n)*aMinute)}
		if _, err := c.Produce(t.Context(), "events", 0, m, time.UnixMilli(int64(n))); err != nil {
			t.Fatal(err)
		}
	}
	role := archive.New(archive.Config{
		Source: c, Store: store, CutBytes: func(int32) int64 { return 1500 }, Sequences: []archive.Sequence{{Topic: "events", Live: "events", Ends: []int64{100}}},
	})
	if err := role.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	log, err := eventlog.Open(t.Context(), c, store, "events", 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]*archive.Filter{
		"source":  {Sources: []string{"source4"}},
		"time":    {From: year + 40*aMinute, To: year + 50*aMinute},
		"persona": {Personas: []schema.PersonaID{{7, 41}}},
	} {
		done, err := log.Select(t.Context(), f, []int64{100}, func(*eventlog.Record, *schema.Clear) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if done.Matched == 0 || done.Matched > 10 || done.Segments < 8 || done.Segments-done.Skipped > 2 || done.Records > 25 || done.Rebuilt != 0 {
			t.Errorf("%s: %+v", name, done)
		}
	}
	done, err := log.Select(t.Context(), &archive.Filter{Types: []schema.Type{schema.TypeCallEnded}}, []int64{100}, func(*eventlog.Record, *schema.Clear) error { return nil })
	if err != nil || done.Skipped != done.Segments || done.Records != 0 {
		t.Errorf("a type that never came: %+v %v", done, err)
	}
	if done, err = log.Select(t.Context(), &archive.Filter{}, []int64{100}, func(*eventlog.Record, *schema.Clear) error { return nil }); err != nil || done.Matched != 100 {
		t.Errorf("everything: %+v %v", done, err)
	}
}
