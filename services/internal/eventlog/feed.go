package eventlog

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/envelope"
)

// Opened is one event of the log. Exactly one of Event, Void and Bad is set.
type Opened struct {
	schema.Position
	RecordedAt schema.Instant
	Event      *schema.Event // read-only, shared
	Void       error         // the key is gone: carry on
	Bad        error         // it can never be decoded: a dead letter, carry on
	Record     *Record       // the record as it is in the log, with Bad only

	Trace *trace.SpanContext // of the span that wrote it; nil where nothing is traced
}

// OpenedBatch is what one read of a feed returns: the events of [From, Next).
type OpenedBatch struct {
	Partition  int32
	From, Next int64
	Events     []Opened // read-only, shared
	Last       [16]byte // for Log.After
}

// Feed decodes and opens each event once for all roles of the process that keep about the same pace: it remembers the latest
// batches. A role that lags further behind reads and opens for itself. It is safe for concurrent use.
type Feed struct {
	log  *Log
	open func(value []byte, e *schema.Event) error
	room int64

	mu     sync.Mutex
	parts  []feedPart
	bytes  int64
	ticks  uint64
	epoch  uint64 // counts Forget
	opened uint64
	shared uint64
}

type feedPart struct {
	kept     []*keptBatch // ascending, not always adjoining
	underway map[int64]*reading
}

type keptBatch struct {
	batch OpenedBatch
	bytes int64
	tick  uint64 // of the last use
}

// reading is a read that somebody else has begun.
type reading struct {
	done  chan struct{}
	batch OpenedBatch
	err   error
}

// NewFeed makes a feed that keeps about cacheBytes of opened events. open is envelope.Open with the keys of the day: an error that
// wraps envelope.ErrVoid marks the event void, a rejected one marks it bad, any other one fails the read.
func NewFeed(log *Log, open func(value []byte, e *schema.Event) error, cacheBytes int64) *Feed {
	f := &Feed{log: log, open: open, room: cacheBytes, parts: make([]feedPart, log.Partitions())}
	for i := range f.parts {
		f.parts[i].underway = map[int64]*reading{}
	}
	return f
}

// Log is the log under the feed.
func (f *Feed) Log() *Log { return f.log }

// Read returns the events from offset on. It behaves as Log.Read does.
func (f *Feed) Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (OpenedBatch, error) {
	deadline := time.Now().Add(wait)
	for {
		f.mu.Lock()
		p := &f.parts[partition]
		if b, ok := f.recall(p, offset); ok {
			f.mu.Unlock()
			return b, nil
		}
		r, others := p.underway[offset]
		if !others {
			r = &reading{done: make(chan struct{})}
			p.underway[offset] = r
		}
		f.mu.Unlock()

		if !others {
			r.batch, r.err = f.load(ctx, partition, offset, max(0, time.Until(deadline)))
			f.mu.Lock()
			delete(p.underway, offset)
			f.mu.Unlock()
			close(r.done)
			return r.batch, r.err
		}
		timer := time.NewTimer(max(0, time.Until(deadline)))
		select {
		case <-r.done:
			timer.Stop()
			if r.err == nil && r.batch.Next > offset {
				f.mu.Lock()
				f.shared += uint64(len(r.batch.Events))
				f.mu.Unlock()
				return r.batch, nil
			}
			// The other reader gave up or waited less than we want to: read ourselves, if there is time left.
			if r.err == nil && !time.Now().Before(deadline) {
				return r.batch, nil
			}
		case <-timer.C:
			return OpenedBatch{Partition: partition, From: offset, Next: offset}, nil
		case <-ctx.Done():
			timer.Stop()
			return OpenedBatch{}, schema.Classify(schema.Transient, ctx.Err())
		}
	}
}

// recall finds a kept batch that holds the offset and returns its part from there on.
func (f *Feed) recall(p *feedPart, offset int64) (OpenedBatch, bool) {
	for _, k := range p.kept {
		if k.batch.From <= offset && offset < k.batch.Next {
			f.ticks++
			k.tick = f.ticks
			b := k.batch
			b.Events = b.Events[offset-b.From:]
			b.From = offset
			f.shared += uint64(len(b.Events))
			return b, true
		}
	}
	return OpenedBatch{}, false
}

func (f *Feed) load(ctx context.Context, partition int32, offset int64, wait time.Duration) (OpenedBatch, error) {
	raw, err := f.log.Read(ctx, partition, offset, wait)
	if err != nil {
		return OpenedBatch{}, err
	}
	f.mu.Lock()
	epoch := f.epoch
	f.mu.Unlock()
	b := OpenedBatch{Partition: partition, From: raw.From, Next: raw.Next, Last: raw.Last, Events: make([]Opened, len(raw.Records))}
	events := make([]schema.Event, len(raw.Records))
	size := int64(0)
	for i := range raw.Records {
		r := &raw.Records[i]
		o := &b.Events[i]
		o.Position, o.RecordedAt = r.Position, r.RecordedAt
		if len(r.Headers) > 0 {
			o.Trace = traceOf(r.Headers)
		}
		// Opened events are about twice as large as sealed ones, plus the struct.
		size += 2*int64(len(r.Value)) + 768
		err := f.open(r.Value, &events[i])
		switch {
		case err == nil:
			o.Event = &events[i]
		case errors.Is(err, envelope.ErrVoid):
			o.Void = err
		case schema.ClassOf(err) == schema.Rejected:
			o.Bad = err
			kept := *r
			kept.Key, kept.Value = append([]byte(nil), r.Key...), append([]byte(nil), r.Value...)
			o.Record = &kept
		default:
			return OpenedBatch{}, err
		}
	}
	if len(b.Events) > 0 {
		f.keep(b, size, epoch)
	}
	return b, nil
}

// keep remembers a batch and forgets those that were used longest ago, until the room suffices. What was opened before the last
// Forget is not kept.
func (f *Feed) keep(b OpenedBatch, size int64, epoch uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened += uint64(len(b.Events))
	if epoch != f.epoch || size > f.room {
		return
	}
	f.ticks++
	p := &f.parts[b.Partition]
	p.kept = append(p.kept, &keptBatch{b, size, f.ticks})
	f.bytes += size
	for f.bytes > f.room {
		f.forgetOldest()
	}
}

func (f *Feed) forgetOldest() {
	from, at := -1, -1
	var tick uint64
	for i := range f.parts {
		for j, k := range f.parts[i].kept {
			if from < 0 || k.tick < tick {
				from, at, tick = i, j, k.tick
			}
		}
	}
	p := &f.parts[from]
	f.bytes -= p.kept[at].bytes
	p.kept = append(p.kept[:at], p.kept[at+1:]...)
}

// Forget drops everything that is kept: after an erasure no opened event of the person may stay in memory.
func (f *Feed) Forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.parts {
		clear(f.parts[i].kept)
		f.parts[i].kept = f.parts[i].kept[:0]
	}
	f.bytes = 0
	f.epoch++
}

// FeedStats counts since the start.
type FeedStats struct {
	Opened uint64 // events that were read and opened
	Shared uint64 // events that were handed out again
	Bytes  int64  // kept now
}

// Stats counts what happened.
func (f *Feed) Stats() FeedStats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return FeedStats{f.opened, f.shared, f.bytes}
}
