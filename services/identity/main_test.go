package identity

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
)

const workspace = "main"

var (
	prf     = seal.NewPRF(seal.Key{1, 2, 3})
	deriver = ids.New(prf)
	quiet   = slog.New(slog.DiscardHandler)
)

// seeds gives the random worlds of a property test: few in a quick run, many under DOSSIER_PROVE=1, one under DOSSIER_SEED=n.
func seeds(t *testing.T, quick, prove uint64) (first, last uint64) {
	if s := os.Getenv("DOSSIER_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		must(t, err)
		return n, n
	}
	if os.Getenv("DOSSIER_PROVE") == "1" {
		return 1, prove
	}
	return 1, quick
}

// logged is one record of a log in memory.
type logged struct {
	event schema.Event
	at    schema.Instant
	void  bool
}

// fakeLog is a log in memory: Log and Feed in one.
type fakeLog struct {
	cluster string
	mu      sync.Mutex
	parts   [][]logged
	grown   chan struct{}
	most    int           // records in one read; 0 is any number
	down    int           // reads that fail before the next one succeeds
	stop    map[int32]int // offset at which a partition ends for readers; absent is its end
}

func newLog(cluster string, partitions int) *fakeLog {
	return &fakeLog{cluster: cluster, parts: make([][]logged, partitions), grown: make(chan struct{}), stop: map[int32]int{}}
}

func (l *fakeLog) add(partition int, records ...logged) schema.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.parts[partition] = append(l.parts[partition], records...)
	close(l.grown)
	l.grown = make(chan struct{})
	return schema.Position{Generation: 1, Partition: int32(partition), Offset: int64(len(l.parts[partition]) - 1)}
}

// addEvents writes events with a RecordedAt that says how often the log was written to.
func (l *fakeLog) addEvents(partition int, events ...schema.Event) (last schema.Position) {
	for _, e := range events {
		last = l.add(partition, logged{event: e, at: schema.Instant(len(l.parts[partition]) + 1)})
	}
	return last
}

func (l *fakeLog) Partitions() int32  { return int32(len(l.parts)) }
func (l *fakeLog) Generation() uint32 { return 1 }

func (l *fakeLog) Ends(context.Context) ([]int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ends := make([]int64, len(l.parts))
	for i, p := range l.parts {
		ends[i] = int64(len(p))
		if stop, found := l.stop[int32(i)]; found {
			ends[i] = min(ends[i], int64(stop))
		}
	}
	return ends, nil
}

func (l *fakeLog) Start(partition int32) eventlog.Checkpoint {
	return eventlog.Checkpoint{Cluster: l.cluster, Position: schema.Position{Generation: 1, Partition: partition}}
}

func (l *fakeLog) After(partition int32, next int64, last [16]byte) eventlog.Checkpoint {
	c := l.Start(partition)
	c.Position.Offset, c.Last = next, last
	return c
}

func (l *fakeLog) digest(partition int32, offset int64) (d [16]byte) {
	r := &l.parts[partition][offset]
	h := sha256.Sum256(fmt.Append(nil, r.event.ID, r.at))
	copy(d[:], h[:])
	return d
}

func (l *fakeLog) Check(_ context.Context, c eventlog.Checkpoint) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.Position.Offset > 0 && (int(c.Position.Offset) > len(l.parts[c.Position.Partition]) || l.digest(c.Position.Partition, c.Position.Offset-1) != c.Last) || c.Cluster != l.cluster {
		return schema.Classify(schema.Fatal, eventlog.ErrOtherLog)
	}
	return nil
}

func (l *fakeLog) Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (eventlog.OpenedBatch, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		l.mu.Lock()
		if l.down > 0 {
			l.down--
			l.mu.Unlock()
			return eventlog.OpenedBatch{}, schema.Classify(schema.Transient, errors.New("the log is down"))
		}
		p, grown := l.parts[partition], l.grown
		if stop, found := l.stop[partition]; found {
			p = p[:min(len(p), stop)]
		}
		b := eventlog.OpenedBatch{Partition: partition, From: offset, Next: offset}
		for b.Next < int64(len(p)) && (l.most == 0 || len(b.Events) < l.most) {
			r := &p[b.Next]
			o := eventlog.Opened{Position: schema.Position{Generation: 1, Partition: partition, Offset: b.Next}, RecordedAt: r.at}
			if o.Event = &r.event; r.void {
				o.Event, o.Void = nil, errors.New("void")
			}
			b.Events = append(b.Events, o)
			b.Last = l.digest(partition, b.Next)
			b.Next++
		}
		l.mu.Unlock()
		if b.Next > offset {
			return b, nil
		}
		select {
		case <-ctx.Done():
			return b, schema.Classify(schema.Transient, ctx.Err())
		case <-timer.C:
			return b, nil
		case <-grown:
		}
	}
}

func personaOf(source string, trust schema.Trust, a schema.Account) schema.PersonaID {
	return deriver.Persona(workspace, source, trust, a)
}

// contact makes an event of an account. Options are Identifier, Trait, Consent, Instant (OccurredAt), Trust and Type.
func contact(source, kind, account string, options ...any) schema.Event {
	e := schema.Event{}
	e.Workspace, e.Source, e.Type, e.Channel, e.Actor = workspace, source, schema.TypeProfileIdentified, schema.ChannelWeb, schema.ActorCustomer
	e.Account = schema.Account{Kind: kind, Value: account}
	e.Provenance = schema.Provenance{Trust: schema.TrustServer, Country: "FR"}
	for _, o := range options {
		switch o := o.(type) {
		case schema.Identifier:
			e.Identifiers = append(e.Identifiers, o)
		case schema.Trait:
			e.Traits = append(e.Traits, o)
		case schema.Consent:
			e.Consents = append(e.Consents, o)
		case schema.Instant:
			e.OccurredAt = o
		case schema.Trust:
			e.Provenance.Trust = o
		case schema.Type:
			e.Type = o
		case schema.KeyID:
			e.Key = o
		case schema.Channel:
			e.Channel = o
		default:
			panic(fmt.Sprintf("%T", o))
		}
	}
	e.Persona = personaOf(source, e.Provenance.Trust, e.Account)
	return named(e)
}

// named gives an event the id of its content.
func named(e schema.Event) schema.Event {
	h := sha256.Sum256(fmt.Appendf(nil, "%s %s %d %d %v %v %v %v %+v", e.Source, e.Persona, e.Type, e.OccurredAt, e.Identifiers, e.Traits, e.Consents, e.Provenance, e.Assertion))
	copy(e.ID[:], h[:])
	return e
}

func decided(kind schema.Type, at schema.Instant, a, b schema.PersonaEpoch) schema.Event {
	e := schema.Event{}
	e.Workspace, e.Source, e.Type, e.OccurredAt, e.Persona = workspace, "dossier", kind, at, a.Persona
	e.Provenance.Trust, e.ActorID = schema.TrustServer, "agent-1"
	e.Assertion = &schema.Assertion{A: a, B: b, Reason: "called back"}
	return named(e)
}

func released(at schema.Instant, of schema.EventID) schema.Event {
	e := decided(schema.TypeIdentityReleased, at, schema.PersonaEpoch{}, schema.PersonaEpoch{})
	e.Assertion = &schema.Assertion{Of: of}
	return named(e)
}

func email(value string) schema.Identifier {
	return schema.Identifier{Kind: "email", Value: value, Assurance: schema.AssuranceVerified}
}

func trait(name, value string) schema.Trait {
	return schema.Trait{Name: name, Value: []byte(strconv.Quote(value))}
}

// running is a service under test.
type running struct {
	*Service
	t    *testing.T
	stop func() // ends Run and closes
}

// start opens and runs a service, and waits until it is ready.
func start(t *testing.T, c Config) *running {
	t.Helper()
	r := launch(t, c)
	r.await(func() bool { ready, _, _ := r.Ready(); return ready })
	return r
}

// launch opens and runs a service.
func launch(t *testing.T, c Config) *running {
	t.Helper()
	c.Workspace, c.Logger, c.Store.Logger = workspace, quiet, quiet
	if c.Hash == nil {
		c.Hash = NewHasher(prf)
	}
	s, err := Open(t.Context(), c)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	r := &running{Service: s, t: t}
	r.stop = sync.OnceFunc(func() {
		cancel()
		must(t, <-ended)
		must(t, s.Close())
	})
	t.Cleanup(r.stop)
	return r
}

func (r *running) await(done func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(200 * time.Microsecond) {
		if time.Now().After(deadline) {
			r.t.Fatal("nothing came within 20 s")
		}
	}
}

func (r *running) view(f func(*View)) {
	r.t.Helper()
	v, err := r.View()
	must(r.t, err)
	f(v)
	must(r.t, v.Close())
}

// export gives both exports, without what depends on the installation.
func (r *running) export() (out string) {
	r.t.Helper()
	r.view(func(v *View) {
		var b bytes.Buffer
		personas, err := v.ExportPersonas(&b, ExportOptions{})
		must(r.t, err)
		profiles, err := v.ExportProfiles(&b, ExportOptions{At: 100 * day})
		must(r.t, err)
		if f, p, err := v.Count(); err != nil || int(f) != profiles || int(p) != personas {
			r.t.Errorf("counted %d profiles and %d personas, exported %d and %d (%v)", f, p, profiles, personas, err)
		}
		_, err = v.ExportMatches(&b)
		must(r.t, err)
		_, err = v.ExportHouseholds(&b)
		must(r.t, err)
		out = b.String()
	})
	return out
}

const day = schema.Instant(86_400_000_000)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world makes nasty events: few values shared by many, names that clash, values that turn generic, decisions that contradict each other and are
// withdrawn, aliases, replaced cards, client keys that claim what is not theirs, consents.
type world struct {
	rng    *rand.Rand
	events []schema.Event
}

func newWorld(seed uint64, size int) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 1))}
	for len(w.events) < size {
		if w.rng.IntN(6) == 0 && len(w.events) > 2 {
			w.events = append(w.events, w.decision())
		} else {
			w.events = append(w.events, w.contact())
		}
	}
	return w
}

func (w *world) pick(values ...string) string { return values[w.rng.IntN(len(values))] }

func (w *world) contact() schema.Event {
	n := func(most int) string { return strconv.Itoa(w.rng.IntN(most)) }
	options := []any{schema.Instant(w.rng.IntN(40)) * day, schema.TrustServer}
	if w.rng.IntN(3) == 0 {
		options = append(options, schema.TrustClient)
	}
	for range w.rng.IntN(4) {
		id := schema.Identifier{Assurance: schema.Assurance(1 + w.rng.IntN(3))}
		switch w.rng.IntN(6) {
		case 0, 1:
			id.Kind, id.Value = "email", "mail"+n(5)+"@example.com"
		case 2:
			id.Kind, id.Value = "phone", "06 12 34 56 7"+n(5)
		case 3:
			id.Kind, id.Value = "anonymous_id", "a"+n(6)
		case 4:
			id.Kind, id.Value = "card", "c"+n(5)
			if w.rng.IntN(4) == 0 {
				id.SupersededBy = "c" + n(5)
			}
		default:
			id.Kind, id.Value = "user_id", "u"+n(6)
		}
		options = append(options, id)
	}
	if w.rng.IntN(2) == 0 {
		options = append(options, trait("first_name", w.pick("Jean", "Jeanne", "Jena", "Marie", "Paul", "Jean-Paul", "J.", "Xqzrt")), trait("last_name", w.pick("Martin", "Durand")))
	}
	if w.rng.IntN(6) == 0 {
		options = append(options, schema.Trait{Name: "address", Value: []byte(w.pick(`{"city":"Lyon"}`, `{"zip":"69001"}`, `null`))})
	}
	if w.rng.IntN(6) == 0 {
		options = append(options, schema.Consent{Kind: "email", Value: "mail" + n(5) + "@example.com", Channel: schema.ChannelEmail, Purpose: "news", State: schema.ConsentState(1 + w.rng.IntN(3))})
	}
	if w.rng.IntN(10) == 0 {
		options = append(options, schema.TypeIdentityAliased)
	}
	source := w.pick("shop", "crm", "store")
	switch w.rng.IntN(5) {
	case 0:
		return contact(source, "user_id", "u"+n(6), options...)
	case 1:
		return contact(source, "card", "c"+n(5), options...)
	case 2:
		return contact(source, "crm_id", "r"+n(6), options...)
	case 3:
		return contact(source, "anonymous_id", "a"+n(6), options...)
	}
	return contact(source, "conversation_id", n(12), options...)
}

func (w *world) decision() schema.Event {
	at := schema.Instant(w.rng.IntN(40)) * day
	some := func() schema.PersonaEpoch {
		e := &w.events[w.rng.IntN(len(w.events))]
		if e.Assertion != nil || w.rng.IntN(5) == 0 {
			return schema.PersonaEpoch{Persona: w.contact().Persona}
		}
		return schema.PersonaEpoch{Persona: e.Persona}
	}
	switch w.rng.IntN(3) {
	case 0:
		return decided(schema.TypeIdentityLinked, at, some(), some())
	case 1:
		if w.rng.IntN(3) == 0 {
			return decided(schema.TypeHouseholdJoined, at, some(), some())
		}
		return decided(schema.TypeIdentitySeparated, at, some(), some())
	}
	for range 20 {
		if e := &w.events[w.rng.IntN(len(w.events))]; e.Type.Pairs() {
			return released(at, e.ID)
		}
	}
	return decided(schema.TypeIdentityLinked, at, some(), some())
}

// nastyRules turn everything on at sizes that small worlds reach.
func nastyRules(rng *rand.Rand) *identity.Rules {
	r := identity.DefaultRules()
	r.GenericDegree, r.HubSize, r.QuarantineSize = 3+rng.IntN(10), 4+rng.IntN(30), 3+rng.IntN(40)
	if err := r.Prepare(); err != nil {
		panic(err)
	}
	return r
}

// shuffled spreads the events over the partitions of a new log, in any order, some of them again and again. RecordedAt grows within a partition.
func shuffled(rng *rand.Rand, events []schema.Event, partitions int) *fakeLog {
	l := newLog("c", partitions)
	for i := range events {
		for again := true; again; again = rng.IntN(4) == 0 {
			e := events[i]
			p := int(binary.BigEndian.Uint32(e.Persona[:])) % partitions // one partition for each persona, as in the real log
			at := rng.IntN(len(l.parts[p]) + 1)
			l.parts[p] = append(l.parts[p], logged{})
			copy(l.parts[p][at+1:], l.parts[p][at:])
			l.parts[p][at] = logged{event: e}
		}
	}
	for p := range l.parts {
		for i := range l.parts[p] {
			l.parts[p][i].at = schema.Instant(i + 1)
		}
	}
	return l
}
