package identity

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/envelope"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// The same from the embedded log: sealed events in four partitions, one event that nobody can decode, and a person whose key is punched.
func TestFromTheRealLog(t *testing.T) {
	ctx := t.Context()
	b, err := broker.Start(ctx, broker.Config{Topics: []schema.Topic{{Name: schema.TopicEvents, Partitions: 4}}, Logger: quiet})
	must(t, err)
	defer b.Close()
	client, err := kafka.Open(ctx, kafka.Config{Brokers: []string{b.Addr()}})
	must(t, err)
	defer client.Close()
	ring, err := seal.NewRing(workspace, seal.Key{7}, []string{"standard"}, 1969, 1972, rand.Reader)
	must(t, err)
	derive := ids.New(ring.PRF())

	w := newWorld(11, 200)
	for i := range w.events { // under the ring's own pseudonym key
		e := &w.events[i]
		e.Version, e.Key = schema.EnvelopeVersion, schema.KeyID{Class: "standard", Year: e.OccurredAt.Year()}
		if e.Assertion == nil {
			e.Persona = derive.Persona(workspace, e.Source, e.Provenance.Trust, e.Account)
		} else {
			*e = contact("shop", "user_id", "u1", e.OccurredAt, e.Key)
			e.Version, e.Persona = schema.EnvelopeVersion, derive.Persona(workspace, "shop", schema.TrustServer, e.Account)
		}
	}
	erased := w.events[0].Persona
	sealer := envelope.Sealer{Keys: ring, Nonces: rand.Reader}
	write := func(partition int32, value []byte, key []byte) {
		t.Helper()
		_, err := client.Produce(ctx, schema.TopicEvents, partition, []kafka.Message{{Key: key, Value: value}}, time.UnixMilli(1_700_000_000_000))
		must(t, err)
	}
	for i := range w.events {
		value, err := sealer.Seal(nil, &w.events[i])
		must(t, err)
		write(kafka.Partition(w.events[i].Persona[:], 4), value, w.events[i].Persona[:])
	}
	write(2, []byte("no event"), []byte("k"))
	ring.Punch(erased, 0)

	log, err := eventlog.Open(ctx, client, nil, schema.TopicEvents, 1)
	must(t, err)
	feed := eventlog.NewFeed(log, func(value []byte, e *schema.Event) error { return envelope.Open(ring, value, e) }, 1<<20)
	c := Config{Folder: t.TempDir(), Log: log, Feed: feed, Hash: NewHasher(ring.PRF())}
	r := start(t, c)
	if m := r.Metrics(); m.Bad.Load() != 1 || m.Void.Load() == 0 || m.Records.Load() != int64(len(w.events))+1 {
		t.Errorf("%d bad, %d void of %d records", m.Bad.Load(), m.Void.Load(), m.Records.Load())
	}
	got := r.export()

	model := newLog("c", 1)
	model.addEvents(0, slices.DeleteFunc(w.events, func(e schema.Event) bool { return e.Persona == erased })...)
	modelConfig := inMemory(model)
	modelConfig.Hash = c.Hash
	if want := start(t, modelConfig).export(); got != want {
		t.Errorf("from the log\n%s\nwant\n%s", got, want)
	}
	r.stop()
	r = start(t, c) // the checkpoints fit the log
	if r.Metrics().Records.Load() != 0 {
		t.Errorf("%d records were read again after a restart", r.Metrics().Records.Load())
	}
	if r.export() != got {
		t.Error("another export after a restart")
	}
}
