package coordination

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/embedded/broker"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// fakeLog is the topic in memory. Every process has its own way to it, which can be broken.
type fakeLog struct {
	mu      sync.Mutex
	first   int64
	records []kafka.Record
	grown   chan struct{}
}

func newFakeLog() *fakeLog { return &fakeLog{grown: make(chan struct{})} }

// way is one process's connection.
type way struct {
	*fakeLog
	mu     sync.Mutex
	random *rand.Rand
	broken bool // nothing gets through
	flaky  bool // now and then a write is lost, or only its answer
}

func (w *way) set(broken, flaky bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken, w.flaky = broken, flaky
}

func (w *way) dice() (broken, lost, unanswered bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 9
	if w.flaky {
		n = w.random.IntN(6)
	}
	return w.broken, n == 0, n == 1
}

func (w *way) Offsets(context.Context, string) ([]kafka.Range, error) {
	if broken, _, _ := w.dice(); broken {
		return nil, kafkago.RequestTimedOut
	}
	w.fakeLog.mu.Lock()
	defer w.fakeLog.mu.Unlock()
	return []kafka.Range{{First: w.first, Next: w.first + int64(len(w.records))}}, nil
}

func (w *way) Fetch(ctx context.Context, _ string, _ int32, offset int64, _ int, wait time.Duration) (kafka.Fetched, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		broken, _, _ := w.dice()
		w.fakeLog.mu.Lock()
		first, end, grown := w.first, w.first+int64(len(w.records)), w.grown
		if offset < first || offset > end {
			w.fakeLog.mu.Unlock()
			return kafka.Fetched{}, schema.Classify(schema.Fatal, kafka.ErrOutOfRange)
		}
		if !broken && offset < end {
			got := kafka.Fetched{Records: append([]kafka.Record(nil), w.records[offset-first:]...), Next: end, HighWater: end, First: first}
			w.fakeLog.mu.Unlock()
			return got, nil
		}
		w.fakeLog.mu.Unlock()
		select {
		case <-ctx.Done():
			return kafka.Fetched{}, ctx.Err()
		case <-timer.C:
			if broken {
				return kafka.Fetched{}, kafkago.RequestTimedOut
			}
			return kafka.Fetched{Next: offset, HighWater: end, First: first}, nil
		case <-grown:
		}
	}
}

func (w *way) Produce(ctx context.Context, _ string, _ int32, messages []kafka.Message, _ time.Time) (int64, error) {
	broken, lost, unanswered := w.dice()
	if broken || lost {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(100 * time.Millisecond):
			return 0, kafkago.RequestTimedOut
		}
	}
	w.fakeLog.mu.Lock()
	defer w.fakeLog.mu.Unlock()
	base := w.first + int64(len(w.records))
	for i, m := range messages {
		w.records = append(w.records, kafka.Record{Offset: base + int64(i), Value: m.Value})
	}
	close(w.grown)
	w.grown = make(chan struct{})
	if unanswered {
		return 0, io.ErrUnexpectedEOF
	}
	return base, nil
}

func (w *way) DeleteRecords(_ context.Context, _ string, _ int32, before int64) error {
	w.fakeLog.mu.Lock()
	defer w.fakeLog.mu.Unlock()
	if before > w.first {
		w.records = append([]kafka.Record(nil), w.records[before-w.first:]...)
		w.first = before
	}
	return nil
}

// process is one that runs.
type process struct {
	*Coordination
	way  *way
	kill func()
}

var starts int

func start(t *testing.T, log *fakeLog, flaky bool) *process {
	t.Helper()
	starts++
	w := &way{fakeLog: log, random: rand.New(rand.NewPCG(uint64(starts), 7)), flaky: flaky}
	c, err := Open(t.Context(), w, Config{Instance: fmt.Sprintf("instance-%d", starts), Address: fmt.Sprintf("127.0.0.1:%d", starts), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	return &process{c, w, sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})}
}

// TestTakeover: a second process waits for the lease and gets it within a lease time and a bit once the first one is gone, at once when
// it was released.
func TestTakeover(t *testing.T) {
	for _, flaky := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			log := newFakeLog()
			a, b := start(t, log, flaky), start(t, log, flaky)
			defer a.kill()
			defer b.kill()
			la, err := a.Acquire(t.Context(), "x")
			if err != nil {
				t.Fatal(err)
			}
			waiting, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if _, err := b.Acquire(waiting, "x"); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("a second owner: %v", err)
			}
			if !la.Valid() || la.Context().Err() != nil {
				t.Fatal("the first owner lost its lease while it was well")
			}
			if owner, ok := b.Owner("x"); !ok || owner.Address != a.cfg.Address || owner.Epoch != la.Epoch() {
				t.Errorf("the other process knows %+v as the owner", owner)
			}
			if err := la.Note(t.Context(), "k", []byte("mine")); err != nil {
				t.Fatal(err)
			}
			a.way.set(true, false) // as good as dead
			begun := time.Now()
			lb, err := b.Acquire(t.Context(), "x")
			if err != nil {
				t.Fatal(err)
			}
			took := time.Since(begun)
			if took < 4*time.Second || took > 8*time.Second {
				t.Errorf("the takeover took %v", took)
			}
			if la.Valid() || !errors.Is(context.Cause(la.Context()), ErrLost) {
				t.Error("the former owner has not noticed")
			}
			if value, _ := lb.Noted("k"); string(value) != "mine" || lb.Epoch() <= la.Epoch() {
				t.Errorf("the new owner of epoch %d finds the note %q", lb.Epoch(), value)
			}
			if err := la.Note(t.Context(), "k", []byte("late")); !errors.Is(err, ErrLost) {
				t.Errorf("a note of the former owner: %v", err)
			}
			a.way.set(false, flaky)
			if err := lb.Note(t.Context(), "k", []byte("new")); err != nil {
				t.Fatal(err)
			}
			if err := lb.Release(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := a.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			begun = time.Now()
			la, err = a.Acquire(t.Context(), "x")
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begun); !flaky && took > 100*time.Millisecond {
				t.Errorf("a released lease took %v", took)
			}
			if value, _ := la.Noted("k"); string(value) != "new" {
				t.Errorf("the note is %q", value)
			}
		})
	}
}

// TestOwnerWithoutLog: an owner that cannot reach the log ends by itself, before anybody else may begin.
func TestOwnerWithoutLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newFakeLog()
		a := start(t, log, false)
		defer a.kill()
		l, err := a.Acquire(t.Context(), "x")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		a.way.set(true, false)
		begun := time.Now()
		<-l.Context().Done()
		if took := time.Since(begun); took > DefaultLeaseTime*9/10 {
			t.Errorf("it went on for %v", took)
		}
		a.way.set(false, false)
		again, err := a.Acquire(t.Context(), "x")
		if err != nil {
			t.Fatal(err)
		}
		if again.Epoch() <= l.Epoch() {
			t.Error("it has the lease back under the old epoch")
		}
		if _, err := a.Acquire(t.Context(), "x"); err == nil {
			t.Error("one process acquired a lease twice")
		}
	})
}

// TestPresence lists who offers a role, until it withdraws or falls silent, in which case it knows first.
func TestPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newFakeLog()
		a, b, keeper := start(t, log, true), start(t, log, true), start(t, log, false)
		defer a.kill()
		defer b.kill()
		defer keeper.kill()
		pa, err := a.Announce(t.Context(), "collector")
		if err != nil {
			t.Fatal(err)
		}
		pb, err := b.Announce(t.Context(), "collector")
		if err != nil {
			t.Fatal(err)
		}
		late := start(t, log, false) // who opens the topic now knows both
		defer late.kill()
		for _, c := range []*process{keeper, late} {
			if err := c.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := c.Present("collector"); len(got) != 2 || got[0].Address == "" || len(c.Present("api")) != 0 {
				t.Fatalf("present are %+v", got)
			}
		}
		time.Sleep(time.Minute)
		if !pa.Valid() || !pb.Valid() {
			t.Fatal("a process that is well is not present")
		}
		changed := keeper.Changed()
		pa.Withdraw()
		<-changed
		if got := keeper.Present("collector"); len(got) != 1 {
			t.Fatalf("after a withdrawal %d are present", len(got))
		}
		b.way.set(true, false)

		for len(keeper.Present("collector")) > 0 {
			synctest.Wait() // what the clock has ended by now has ended
			if !pb.Valid() && pb.Context().Err() == nil {
				t.Error("the context of a presence outlives it")
			}
			time.Sleep(50 * time.Millisecond)
		}
		if pb.Valid() || !errors.Is(context.Cause(pb.Context()), ErrLost) {
			t.Error("others no longer list a process that does not know")
		}
		b.way.set(false, false)
		again, err := b.Announce(t.Context(), "collector")
		if err != nil {
			t.Fatal(err)
		}
		if !again.Valid() {
			t.Error("announced again and not present")
		}
	})
}

// TestCut: the topic stays small however long it is used; a new reader, and one that was away for long, know what the others know.
func TestCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newFakeLog()
		a, away := start(t, log, false), start(t, log, false)
		defer a.kill()
		defer away.kill()
		l, err := a.Acquire(t.Context(), "x")
		if err != nil {
			t.Fatal(err)
		}
		away.way.set(true, false)
		for i := range 3 * summaryEvery {
			if err := l.Note(t.Context(), "k", fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
			if i%100 == 0 {
				time.Sleep(time.Second) // summaries are made at signs of life
			}
		}
		log.mu.Lock()
		kept, first := len(log.records), log.first
		log.mu.Unlock()
		if kept > 2*summaryEvery || first == 0 {
			t.Errorf("the topic has %d records, from offset %d on", kept, first)
		}
		late := start(t, log, false)
		defer late.kill()
		away.way.set(false, false)
		for _, c := range []*process{late, away} {
			if err := c.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if owner, ok := c.Owner("x"); !ok || owner.Epoch != l.Epoch() {
				t.Errorf("a reader of the cut topic knows %+v, %v as the owner", owner, ok)
			}
		}
		a.kill()
		l2, err := away.Acquire(t.Context(), "x")
		if err != nil {
			t.Fatal(err)
		}
		if value, _ := l2.Noted("k"); string(value) != fmt.Sprint(3*summaryEvery-1) {
			t.Errorf("the last note is %q", value)
		}
	})
}

// TestCutByOthers: a topic that begins without a summary cannot be understood, and nobody guesses.
func TestCutByOthers(t *testing.T) {
	log := newFakeLog()
	log.first = 7
	_, err := Open(t.Context(), &way{fakeLog: log}, Config{Instance: "i", Logger: quiet})
	if err == nil || schema.ClassOf(err) != schema.Fatal {
		t.Fatalf("Open gave %v, want a fatal error", err)
	}
}

// embedded is the embedded broker as its installation uses it.
type embedded struct {
	*kafka.Client
	*broker.Broker
}

func (e embedded) DeleteRecords(_ context.Context, topic string, partition int32, before int64) error {
	return e.Broker.DeleteRecords(topic, partition, before)
}

// TestEmbeddedBroker takes over on a real log, in real time.
func TestEmbeddedBroker(t *testing.T) {
	b, err := broker.Start(t.Context(), broker.Config{Dir: t.TempDir(), Topics: schema.Topics(), SyncWrites: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	open := func(name string) (*Coordination, func()) {
		client, err := kafka.Open(t.Context(), kafka.Config{Brokers: []string{b.Addr()}})
		if err != nil {
			t.Fatal(err)
		}
		c, err := Open(t.Context(), embedded{client, b}, Config{Instance: name, LeaseTime: 2 * time.Second, Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		c.member.summaryEvery = 5
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		return c, sync.OnceFunc(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			client.Close()
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	first, stopFirst := open("first")
	defer stopFirst()
	second, stopSecond := open("second")
	defer stopSecond()
	l, err := first.Acquire(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Announce(ctx, "collector"); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if err := l.Note(ctx, "k", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	for cut := false; !cut; { // both write summaries
		ranges, err := first.log.Offsets(ctx, schema.TopicCoordination)
		if err != nil {
			t.Fatal(err)
		}
		cut = ranges[0].First > 0
	}
	stopFirst()
	<-l.Context().Done()
	l2, err := second.Acquire(ctx, "x")
	if err != nil {
		t.Fatal(err)
	}
	if value, _ := l2.Noted("k"); string(value) != "19" {
		t.Errorf("the last note is %q", value)
	}
	third, stopThird := open("third")
	defer stopThird()
	if owner, _ := third.Owner("x"); owner.Instance != "second" {
		t.Errorf("a new process knows %+v as the owner", owner)
	}
	if present := third.Present("collector"); len(present) != 1 {
		t.Errorf("a new process knows %d collectors", len(present))
	}
}
