package kafka

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"pgregory.net/rapid"

	"github.com/dossier-cdp/dossier/schema"
)

// fault is what the log does with one request.
type fault int

const (
	works   fault = iota
	fails         // nothing written, a transient error
	lost          // written, then a transient error
	slow          // written after 200 ms
	hangs         // nothing written, no answer until the request's own timeout
	refuses       // nothing written, and never will be
)

// scripted is a log in memory that misbehaves as it is told.
type scripted struct {
	t       interface{ Fatalf(string, ...any) }
	mu      sync.Mutex
	logs    [][]Record
	script  []fault // for the next requests
	always  fault   // after the script
	last    schema.Instant
	calls   int
	flying  map[int32]int
	overlap bool
}

func newScripted(t interface{ Fatalf(string, ...any) }, partitions int) *scripted {
	return &scripted{t: t, logs: make([][]Record, partitions), flying: map[int32]int{}}
}

func (s *scripted) patience() time.Duration { return 5 * time.Second }

func (s *scripted) name(topic string) string { return topic }

func (s *scripted) lastTime(context.Context, string, int32) (schema.Instant, error) {
	return s.last, nil
}

func (s *scripted) produce(ctx context.Context, topic string, partition int32, frame []byte) (int64, error) {
	s.mu.Lock()
	s.calls++
	do := s.always
	if len(s.script) > 0 {
		do, s.script = s.script[0], s.script[1:]
	}
	s.flying[partition]++
	s.overlap = s.overlap || s.flying[partition] > 1
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.flying[partition]--
		s.mu.Unlock()
	}()
	switch do {
	case fails:
		return 0, io.ErrUnexpectedEOF
	case refuses:
		return 0, kafkago.InvalidRecord
	case hangs:
		ctx, cancel := context.WithTimeout(ctx, s.patience())
		defer cancel()
		<-ctx.Done()
		return 0, ctx.Err()
	case slow:
		time.Sleep(200 * time.Millisecond)
	}
	at := bytes.Index(frame, []byte(topic)) + len(topic) + 12
	s.mu.Lock()
	defer s.mu.Unlock()
	base := int64(len(s.logs[partition]))
	records, _, _, err := decodeBatches(nil, bytes.Clone(frame[at:]), 0)
	if err != nil || len(records) == 0 {
		s.t.Fatalf("the batcher sent a batch that cannot be read: %d records, %v", len(records), err)
	}
	s.logs[partition] = append(s.logs[partition], records...)
	if do == lost {
		return 0, io.ErrUnexpectedEOF
	}
	return base, nil
}

// numbered makes messages that carry their own number.
func numbered(from, n int) []Message {
	messages := make([]Message, n)
	for i := range messages {
		v := binary.BigEndian.AppendUint32(nil, uint32(from+i))
		messages[i] = Message{Key: fmt.Appendf(nil, "key %d", (from+i)%17), Value: v}
	}
	return messages
}

// check looks for what every run must keep: each acknowledged message is there, first copies in order of their numbers where one
// caller submitted them one after the other, record times never fall, and no two requests were in flight for one partition.
func (s *scripted) check(acknowledged map[int]bool, ordered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.overlap {
		s.t.Fatalf("two requests were in flight for one partition")
	}
	found := map[int]schema.Instant{}
	for p, log := range s.logs {
		latest := -1
		var at schema.Instant
		for _, r := range log {
			n := int(binary.BigEndian.Uint32(r.Value))
			if want := Partition(r.Key, int32(len(s.logs))); int(want) != p {
				s.t.Fatalf("message %d is in partition %d, not %d", n, p, want)
			}
			if r.Time < at {
				s.t.Fatalf("partition %d: the record time falls from %v to %v", p, at, r.Time)
			}
			at = r.Time
			first, copied := found[n]
			if copied && first != r.Time {
				s.t.Fatalf("message %d was recorded at %v and, again, at %v", n, first, r.Time)
			}
			if !copied && ordered && n < latest {
				s.t.Fatalf("partition %d: message %d was written after %d", p, n, latest)
			}
			found[n] = r.Time
			latest = max(latest, n)
		}
	}
	for n := range acknowledged {
		if _, ok := found[n]; !ok {
			s.t.Fatalf("message %d was acknowledged and is not in the log", n)
		}
	}
}

// The fault table: whatever happens to the n-th request, all submits that succeed are written, in order, with one time each, and
// the batcher is well afterwards.
func TestBatcherFaultTable(t *testing.T) {
	for _, f := range []struct {
		name   string
		fault  fault
		failed bool // the submit in question fails
	}{{"failed", fails, false}, {"failed but applied", lost, false}, {"slow", slow, false}, {"hung", hangs, true}, {"refused", refuses, true}} {
		for nth := range 4 {
			t.Run(fmt.Sprintf("%s, request %d", f.name, nth), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					log := newScripted(t, 2)
					log.script = append(make([]fault, nth), f.fault)
					b := newBatcher(log, "events", 2, BatcherConfig{MaxRecords: 7, Patience: 3 * time.Second})
					acknowledged := map[int]bool{}
					failures := 0
					for from := 0; from < 200; from += 20 {
						err := b.Submit(t.Context(), numbered(from, 20))
						if err != nil {
							failures++
							if want := f.fault == hangs; errors.Is(err, ErrUnavailable) != want {
								t.Fatalf("got %v", err)
							}
							time.Sleep(6 * time.Second)
							continue
						}
						for n := from; n < from+20; n++ {
							acknowledged[n] = true
						}
					}
					if f.failed != (failures > 0) || failures > 1 {
						t.Fatalf("%d submits failed", failures)
					}
					if err := b.Close(t.Context()); err != nil {
						t.Fatal(err)
					}
					log.check(acknowledged, true)
					if s := b.Stats(); s.Buffered != 0 || int(s.Records) < len(acknowledged) {
						t.Fatalf("got %+v for %d acknowledged", s, len(acknowledged))
					}
				})
			})
		}
	}
}

// Many callers and random faults: what was acknowledged is there.
func TestBatcherUnderRandomFaults(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		script := rapid.SliceOfN(rapid.SampledFrom([]fault{works, works, fails, lost, slow, hangs}), 0, 40).Draw(r, "script")
		callers := rapid.IntRange(1, 6).Draw(r, "callers")
		sizes := rapid.SliceOfN(rapid.IntRange(1, 30), 1, 20).Draw(r, "submits")
		cfg := BatcherConfig{
			MaxRecords: rapid.IntRange(1, 40).Draw(r, "max records"), MaxBytes: rapid.IntRange(100, 5000).Draw(r, "max bytes"),
			MaxBuffered: int64(rapid.IntRange(500, 100_000).Draw(r, "max buffered")),
		}
		synctest.Test(t, func(t *testing.T) {
			log := newScripted(r, 3)
			log.script = script
			b := newBatcher(log, "events", 3, cfg)
			acknowledged := map[int]bool{}
			var mu sync.Mutex
			var group sync.WaitGroup
			for c := range callers {
				group.Go(func() {
					for i, n := range sizes {
						from := (c*len(sizes) + i) * 100
						err := b.Submit(t.Context(), numbered(from, n))
						if b.buffered.Load() > cfg.MaxBuffered+int64(callers*30*200) {
							r.Fatalf("%d bytes are buffered", b.buffered.Load())
						}
						if err != nil {
							after, ok := RetryAfter(err)
							if !ok {
								r.Fatalf("got %v", err)
							}
							time.Sleep(after)
							continue
						}
						mu.Lock()
						for m := from; m < from+n; m++ {
							acknowledged[m] = true
						}
						mu.Unlock()
					}
				})
			}
			group.Wait()
			if err := b.Close(t.Context()); err != nil {
				r.Fatalf("%v", err)
			}
			log.check(acknowledged, false)
			if s := b.Stats(); s.Buffered != 0 {
				r.Fatalf("got %+v", s)
			}
		})
	})
}

// When the log is gone, a submit is told so in time, then at once; nothing piles up; and when the log is back, so is the batcher.
func TestBatcherLogGone(t *testing.T) {
	for _, how := range []fault{fails, hangs} {
		synctest.Test(t, func(t *testing.T) {
			log := newScripted(t, 1)
			log.always = how
			b := newBatcher(log, "events", 1, BatcherConfig{Patience: 3 * time.Second})
			begun := time.Now()
			err := b.Submit(t.Context(), numbered(0, 10))
			if took := time.Since(begun); !errors.Is(err, ErrUnavailable) || took > 4*time.Second {
				t.Fatalf("after %v: %v", took, err)
			}
			if schema.ClassOf(err) != schema.Transient {
				t.Fatalf("class %v", schema.ClassOf(err))
			}
			for i := range 10_000 {
				begun = time.Now()
				err = b.Submit(t.Context(), numbered(i, 10))
				if time.Since(begun) == 0 && errors.Is(err, ErrUnavailable) {
					continue
				}
				// Once in a while a submit is let through to try the log.
				if !errors.Is(err, ErrUnavailable) {
					t.Fatal(err)
				}
			}
			if s := b.Stats(); s.Buffered > 10_000 {
				t.Fatalf("%d bytes are buffered", s.Buffered)
			}
			log.mu.Lock()
			log.always = works
			log.mu.Unlock()
			time.Sleep(10 * time.Second)
			if err := b.Submit(t.Context(), numbered(0, 10)); err != nil {
				t.Fatalf("the log is back: %v", err)
			}
			if err := b.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if s := b.Stats(); s.Buffered != 0 {
				t.Fatalf("%d bytes are still buffered", s.Buffered)
			}
		})
	}
}

// The bound on memory answers at once, whatever the log does.
func TestBatcherBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newScripted(t, 1)
		log.always = hangs
		b := newBatcher(log, "events", 1, BatcherConfig{MaxBuffered: 50_000, Patience: 3 * time.Second})
		var group sync.WaitGroup
		var refused int
		var mu sync.Mutex
		for i := range 1000 {
			group.Go(func() {
				begun := time.Now()
				err := b.Submit(t.Context(), []Message{{Key: []byte{byte(i)}, Value: make([]byte, 1000)}})
				if !errors.Is(err, ErrUnavailable) {
					t.Errorf("got %v", err)
				}
				if time.Since(begun) == 0 {
					mu.Lock()
					refused++
					mu.Unlock()
				}
			})
		}
		group.Wait()
		if refused < 950 {
			t.Fatalf("%d of 1000 were refused at once", refused)
		}
		if err := b.Submit(t.Context(), []Message{{Value: make([]byte, 5<<20)}}); schema.ClassOf(err) != schema.Rejected {
			t.Fatalf("an event of 5 MiB: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Close(ctx); err == nil {
			t.Fatal("closed although nothing could be written")
		}
		if s := b.Stats(); s.Buffered != 0 {
			t.Fatalf("%d bytes are still buffered", s.Buffered)
		}
		if err := b.Submit(t.Context(), numbered(0, 1)); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("after Close: %v", err)
		}
	})
}

// A submit over several partitions fails if one of them does; the caller's messages are its own again in any case.
func TestBatcherPartialFailureAndGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newScripted(t, 2)
		log.script = []fault{refuses}
		b := newBatcher(log, "events", 2, BatcherConfig{})
		if err := b.Submit(t.Context(), numbered(0, 50)); err == nil || Class(err) != schema.Rejected {
			t.Fatalf("one of two partitions refused: %v", err)
		}
		log.mu.Lock()
		log.script = []fault{slow, slow}
		log.mu.Unlock()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		messages := numbered(100, 50)
		err := b.Submit(ctx, messages)
		if !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("the caller gave up: %v", err)
		}
		for i := range messages {
			clear(messages[i].Value) // the caller reuses its memory
		}
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := map[int]bool{}
		for n := 100; n < 150; n++ {
			want[n] = true // given up and written all the same
		}
		log.check(want, true)
	})
}

// Record times start from the log's last record and never fall, even if the clock does.
func TestBatcherTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newScripted(t, 1)
		now := time.Now()
		log.last = schema.InstantOf(now.Add(time.Hour))
		b := newBatcher(log, "events", 1, BatcherConfig{Now: func() time.Time { return now }})
		submit := func(n int, want time.Time) {
			if err := b.Submit(t.Context(), numbered(n, 1)); err != nil {
				t.Fatal(err)
			}
			if got := log.logs[0][n].Time; got != schema.InstantOf(want.Truncate(time.Millisecond)) {
				t.Fatalf("record %d: got %v, want %v", n, got, want)
			}
		}
		submit(0, now.Add(time.Hour))
		now = now.Add(2 * time.Hour)
		later := now
		submit(1, later)
		now = now.Add(-time.Minute)
		submit(2, later)
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
