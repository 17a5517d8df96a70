package intake

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/linkedin/goavro/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/record"
	"github.com/dossier-cdp/dossier/pipelines/configuration"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/envelope"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/collector"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// patience bounds every wait here; a slow machine needs some.
const patience = time.Minute

// written is a log in memory: what was acknowledged, opened, and how often.
type written struct {
	mu      sync.Mutex
	ring    *seal.Ring
	events  map[schema.EventID]*schema.Event
	copies  int
	letters []*deadletter.Opened
	fail    func() error
}

func (w *written) Submit(_ context.Context, messages []kafka.Message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var err error
	if w.fail != nil {
		err = w.fail()
	}
	if err != nil && schema.ClassOf(err) == schema.Rejected {
		return err
	}
	for _, m := range messages { // a failure may come after the write
		e := &schema.Event{}
		if err := envelope.Open(w.ring, m.Value, e); err != nil {
			return err
		}
		w.events[e.ID] = e
		w.copies++
	}
	return err
}

type letterLog struct{ *written }

func (l letterLog) Submit(_ context.Context, messages []kafka.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range messages {
		letter, err := deadletter.Open(m.Value, l.ring)
		if err != nil {
			return err
		}
		l.letters = append(l.letters, letter)
	}
	return nil
}

// set is what projections see of it: each event once, without what depends on when it came.
func (w *written) set() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var lines []string
	for id, e := range w.events {
		lines = append(lines, fmt.Sprintf("%s %s %s %s %s", id, e.Type, e.OccurredAt, e.Account.Value, e.Properties))
	}
	slices.Sort(lines)
	return lines
}

func (w *written) counts() (events, copies, letters int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.events), w.copies, len(w.letters)
}

// rig is an intake between an embedded broker and a collector over memory.
type rig struct {
	*written
	broker    *broker.Broker
	producer  *kgo.Client
	collector *collector.Collector
	store     *state.Store
	topics    atomic.Pointer[map[string]*record.Topic]
	changed   atomic.Pointer[chan struct{}]
	metrics   *Metrics
	notes     Notes // instead of store
	registry  Registry
	connects  atomic.Int32
	digest    atomic.Pointer[string] // of the clusters
}

func newRig(t *testing.T, partitions int32) *rig {
	t.Helper()
	ring, err := seal.NewRing("main", seal.Key{3}, []string{channel.DefaultClass}, 1990, 2040, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{written: &written{ring: ring, events: map[schema.EventID]*schema.Event{}}, metrics: &Metrics{}}
	if r.broker, err = broker.Start(t.Context(), broker.Config{Topics: []schema.Topic{{Name: "crm", Partitions: partitions}}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.broker.Close(); err != nil {
			t.Error(err)
		}
	})
	if r.producer, err = kgo.NewClient(kgo.SeedBrokers(r.broker.Addr()), kgo.DefaultProduceTopic("crm"), kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.producer.Close)
	w := &collector.Workspace{
		Name: "main", Ids: ids.New(ring.PRF()), Sealer: &envelope.Sealer{Keys: ring, Nonces: rand.Reader},
		Letters: &deadletter.Box{Keys: ring, Log: letterLog{r.written}, Random: rand.Reader},
		Epoch:   func(id schema.PersonaID) (uint32, schema.Instant) { return ring.CurrentEpoch(id), collector.NoCutOff },
		Source:  func(name string) *channel.Source { return &channel.Source{Name: name} },
	}
	r.collector = collector.New(collector.Config{
		Log: r.written, Logger: slog.New(slog.DiscardHandler), Workspace: func(name string) (*collector.Workspace, bool) { return w, name == "main" },
	})
	r.forget(t)
	return r
}

// forget loses how far everything was read.
func (r *rig) forget(t *testing.T) {
	t.Helper()
	if r.store != nil {
		if err := r.store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if r.store, err = state.Open("state", state.Options{FS: vfs.NewMem()}); err != nil {
		t.Fatal(err)
	}
	store := r.store
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
}

// configure puts a configuration in force.
func (r *rig) configure(t *testing.T, document string) {
	t.Helper()
	c, err := configuration.Parse([]byte(document), time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	r.topics.Store(&c.Topics)
	next := make(chan struct{})
	if old := r.changed.Swap(&next); old != nil {
		close(*old)
	}
}

// positions are where reading goes on.
func (r *rig) positions() Positions {
	if r.notes != nil {
		return InNotes(r.notes)
	}
	return InStore(r.store)
}

func (r *rig) intake() *Intake {
	return New(Config{
		Workspace: "main", Topics: func() map[string]*record.Topic { return *r.topics.Load() }, Changed: func() <-chan struct{} { return *r.changed.Load() },
		Connect: func(ctx context.Context, name string) (Cluster, error) {
			r.connects.Add(1)
			if name != "company" {
				return nil, errors.New("there is no cluster " + name)
			}
			return kafka.Open(ctx, kafka.Config{Brokers: []string{r.broker.Addr()}})
		},
		Registry: func(string) (Registry, error) { return r.registry, nil },
		Deliver:  r.collector.Deliver, Positions: r.positions(), Metrics: r.metrics, Logger: slog.New(slog.DiscardHandler), Look: 20 * time.Millisecond, Pause: time.Millisecond,
		Keep: 10 * time.Millisecond,
		ClusterDigest: func(string) string {
			if d := r.digest.Load(); d != nil {
				return *d
			}
			return ""
		},
	})
}

// run reads until stop is called.
func (r *rig) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	i := r.intake()
	go func() { done <- i.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

func (r *rig) send(t *testing.T, partition int32, values ...[]byte) {
	t.Helper()
	var records []*kgo.Record
	for n, value := range values {
		records = append(records, &kgo.Record{Partition: partition, Value: value, Timestamp: time.UnixMilli(1_700_000_000_000 + int64(n))})
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := r.producer.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for begun := time.Now(); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatal("it did not come about that", what)
		}
	}
}

func customers(from, n int) (values [][]byte) {
	for k := from; k < from+n; k++ {
		values = append(values, fmt.Appendf(nil, `{"id":"c%d","city":"Lyon"}`, k))
	}
	return values
}

const customerMap = `"mapping":{"name":"customers","events":[{"type":"profile.identified","time":"@timestamp","account":{"kind":"customer_id","value":"id"},"properties":{"city":"city"}}]}`

const customerTopic = `{"sources":{"crm":{"kafka":{"cluster":"company","topic":"crm",` + customerMap + `}}}}`

// TestReadingAgainAddsNothing: a crash at any moment, a lost store and a failing log change nothing of the set of events.
func TestReadingAgainAddsNothing(t *testing.T) {
	r := newRig(t, 3)
	r.configure(t, customerTopic)
	for p := range int32(3) {
		r.send(t, p, customers(1000*int(p), 700)...)
	}
	stop := r.run(t)
	eventually(t, "all are there", func() bool { n, _, _ := r.counts(); return n == 2100 })
	stop()
	want := r.set()
	if _, copies, letters := r.counts(); copies != 2100 || letters != 0 {
		t.Fatalf("%d copies, %d letters", copies, letters)
	}
	// Read on, from where it was.
	stop = r.run(t)
	r.send(t, 1, customers(5000, 1)...)
	eventually(t, "the new one is there", func() bool { n, _, _ := r.counts(); return n == 2101 })
	stop()
	if _, copies, _ := r.counts(); copies != 2101 {
		t.Errorf("%d copies: what was read is read again", copies)
	}
	want2 := r.set()
	// From the beginning, with a log that fails now and then, before and after the write, and stops in between.
	r.forget(t)
	calls := 0
	r.mu.Lock()
	r.events = map[schema.EventID]*schema.Event{}
	r.fail = func() error {
		if calls++; calls%2 == 0 {
			return schema.Classify(schema.Transient, errors.New("gone"))
		}
		return nil
	}
	r.mu.Unlock()
	for range 3 {
		stop = r.run(t)
		time.Sleep(3 * time.Millisecond) // anywhere
		stop()
	}
	stop = r.run(t)
	eventually(t, "all are there again", func() bool { n, _, _ := r.counts(); return n == 2101 })
	stop()
	if got := r.set(); !slices.Equal(got, want2) || len(want) != 2100 {
		t.Error("reading again makes other events")
	}
}

func TestBadRecords(t *testing.T) {
	r := newRig(t, 1)
	r.configure(t, customerTopic)
	r.send(t, 0, []byte(`{"id":"c1"}`), []byte("\xff\xfe"), []byte(`[1]`), nil, []byte(`{"id":"`+strings.Repeat("x", 600)+`"}`), []byte(`{"id":"c2"}`))
	defer r.run(t)()
	eventually(t, "all is taken", func() bool { n, _, l := r.counts(); return n == 2 && l == 3 })
	r.mu.Lock()
	defer r.mu.Unlock()
	for n, want := range []string{"record_invalid 1 \xff\xfe", "not_an_object 2 [1]", "identifier_invalid 4 {"} {
		l := r.letters[n]
		if got := fmt.Sprintf("%s %s %s", l.Code, strings.TrimPrefix(l.Endpoint, "kafka crm/0/"), l.Raw); !strings.HasPrefix(got, want) || l.Source != "crm" || l.Mapping != "customers" {
			t.Errorf("letter %d: %q of %s by %s, want %q", n, got, l.Source, l.Mapping, want)
		}
	}
}

// TestRefusedByTheLog: one record that the log does not take holds no other up.
func TestRefusedByTheLog(t *testing.T) {
	r := newRig(t, 1)
	r.configure(t, customerTopic)
	batches := 0
	r.fail = func() error {
		if batches++; batches <= 4 { // the whole, then the first three one by one
			return schema.Refuse("too_large", "it is too large", "send less")
		}
		return nil
	}
	r.send(t, 0, customers(0, 10)...)
	defer r.run(t)()
	eventually(t, "all is taken", func() bool { n, _, l := r.counts(); return n == 7 && l == 3 })
}

// TestConfigurationChanges: sources come, change and go while it runs; a cluster that is not there holds up nobody else.
func TestConfigurationChanges(t *testing.T) {
	r := newRig(t, 1)
	r.configure(t, `{}`)
	r.send(t, 0, customers(0, 5)...)
	defer r.run(t)()
	r.configure(t, `{"sources":{"lost":{"kafka":{"cluster":"elsewhere","topic":"crm",`+customerMap+`}},"none":{"kafka":{"cluster":"company","topic":"not.there",`+customerMap+`}},
		"crm":{"kafka":{"cluster":"company","topic":"crm",`+customerMap+`}}}}`)
	eventually(t, "the one is read", func() bool { n, _, _ := r.counts(); return n == 5 })
	eventually(t, "the others fail", func() bool { m := r.metrics.Read(); return m["lost"].Failures > 2 && m["none"].Failures > 2 })
	r.configure(t, `{"sources":{"crm":{"kafka":{"cluster":"company","topic":"crm","from":"end",`+customerMap+`}}}}`)
	eventually(t, "it reads anew", func() bool {
		next, err := r.positions().Kept((*r.topics.Load())["crm"].Key())
		return err == nil && next[0] == 5
	})
	r.send(t, 0, customers(5, 1)...)
	eventually(t, "the new one is read", func() bool { n, _, _ := r.counts(); return n == 6 })
	if _, copies, _ := r.counts(); copies != 6 {
		t.Errorf("%d copies: from the end, what was there is not read", copies)
	}
	r.configure(t, `{}`)
	r.send(t, 0, customers(6, 1)...)
	eventually(t, "nothing reads", func() bool { return len(r.metrics.Read()["crm"].Behind) == 0 })
	if n, _, _ := r.counts(); n != 6 {
		t.Errorf("%d events: a source that is gone is read", n)
	}
}

// TestClusterChanges: a cluster that is to be reached in another way is connected to anew, and read on.
func TestClusterChanges(t *testing.T) {
	r := newRig(t, 1)
	r.configure(t, customerTopic)
	r.send(t, 0, customers(0, 5)...)
	defer r.run(t)()
	eventually(t, "they are read", func() bool { n, _, _ := r.counts(); return n == 5 })
	other := "another address"
	r.digest.Store(&other)
	r.configure(t, customerTopic)
	eventually(t, "it connects anew", func() bool { return r.connects.Load() == 2 })
	r.send(t, 0, customers(5, 5)...)
	eventually(t, "the rest is read", func() bool { n, _, _ := r.counts(); return n == 10 })
	if _, copies, _ := r.counts(); copies != 10 {
		t.Errorf("%d copies", copies)
	}
}

func TestFromATime(t *testing.T) {
	r := newRig(t, 1)
	r.send(t, 0, customers(0, 10)...) // a millisecond apart
	at := time.UnixMilli(1_700_000_000_006).UTC().Format(time.RFC3339Nano)
	r.configure(t, `{"sources":{"crm":{"kafka":{"cluster":"company","topic":"crm","from":"`+at+`",`+customerMap+`}}}}`)
	defer r.run(t)()
	eventually(t, "those from then on are there", func() bool { n, _, _ := r.counts(); return n == 4 })
}

// TestRemovedBeforeRead: records that the topic lost are told of, and reading goes on.
func TestRemovedBeforeRead(t *testing.T) {
	r := newRig(t, 1)
	r.configure(t, customerTopic)
	r.send(t, 0, customers(0, 10)...)
	stop := r.run(t)
	eventually(t, "all are there", func() bool { n, _, _ := r.counts(); return n == 10 })
	stop()
	r.send(t, 0, customers(10, 10)...)
	if err := r.broker.DeleteRecords("crm", 0, 15); err != nil {
		t.Fatal(err)
	}
	defer r.run(t)()
	eventually(t, "the rest is there", func() bool { n, _, _ := r.counts(); return n == 15 && r.metrics.Read()["crm"].Lost == 5 })
}

// TestFormats: what real libraries write, in each format.
func TestFormats(t *testing.T) {
	codec, err := goavro.NewCodec(`{"type":"record","name":"c","fields":[{"name":"id","type":"string"},{"name":"city","type":["null","string"]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	avro, err := codec.BinaryFromNative(binary.BigEndian.AppendUint32([]byte{0}, 9), map[string]any{"id": "c1", "city": goavro.Union("string", "Lyon")})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		settings string
		value    []byte
		headers  []kgo.RecordHeader
	}{
		"json":        {`"format":"json",` + customerMap, []byte(`{"id":"c1","city":"Lyon"}`), nil},
		"avro":        {`"format":"avro","framing":"confluent","schemas":{"9":` + fmt.Sprintf("%q", codec.Schema()) + `},` + customerMap, avro, nil},
		"protobuf":    {`"format":"protobuf","schema":"syntax = \"proto3\"; message C { string id = 1; string city = 2; }",` + customerMap, []byte("\x0a\x02c1\x12\x04Lyon"), nil},
		"cloudevents": {`"format":"cloudevents"`, []byte(`{"account":{"kind":"customer_id","value":"c1"},"properties":{"city":"Lyon"}}`), []kgo.RecordHeader{{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "ce_id", Value: []byte("e1")}, {Key: "ce_source", Value: []byte("/crm")}, {Key: "ce_type", Value: []byte("com.shop.profile.identified")}, {Key: "content-type", Value: []byte("application/json")}}},
		"native":      {`"format":"json"`, []byte(`{"type":"profile.identified","account":{"kind":"customer_id","value":"c1"},"properties":{"city":"Lyon"}}`), nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 1)
			r.configure(t, `{"sources":{"crm":{"kafka":{"cluster":"company","topic":"crm",`+c.settings+`}}}}`)
			if err := r.producer.ProduceSync(t.Context(), &kgo.Record{Value: c.value, Headers: c.headers, Timestamp: time.UnixMilli(1_700_000_000_000)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			defer r.run(t)()
			eventually(t, "it is taken", func() bool { n, _, l := r.counts(); return n+l == 1 })
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, l := range r.letters {
				t.Fatalf("refused: %s %s", l.Code, l.Reason)
			}
			for e := range maps.Values(r.events) {
				if e.Account.Value != "c1" || string(e.Properties) != `{"city":"Lyon"}` || e.Source != "crm" || e.OccurredAt.String() != "2023-11-14T22:13:20Z" || e.Provenance.Trust != schema.TrustServer {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}
