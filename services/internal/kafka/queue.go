package kafka

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// batch is a request under construction or in flight.
type batch struct {
	batchFrame
	born     time.Time // by the batcher's clock
	due      time.Time // by the runtime's clock: when its linger ends
	held     int64     // bytes reserved of MaxBuffered
	receipts []*receipt
}

// queue holds one partition's batches, oldest first. All but the last are full.
type queue struct {
	b         *Batcher
	partition int32
	wake      chan struct{} // capacity 1: there may be something to do

	mu      sync.Mutex
	waiting []*batch
	flying  *batch
	until   time.Time // the partition is down until then; zero: it is up
	why     error     // what the log said last
	closed  bool

	last int64 // milliseconds of the latest record; only run touches it
}

func newQueue(b *Batcher, partition int32) *queue {
	return &queue{b: b, partition: partition, wake: make(chan struct{}, 1), last: -1}
}

// ready says whether the partition can be expected to acknowledge soon.
func (q *queue) ready(now time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if wait := q.until.Sub(now); wait > 0 {
		return unavailable(max(wait, q.b.cfg.RetryAfter/10), fmt.Sprintf("partition %d does not answer", q.partition), q.why)
	}
	oldest := q.flying
	if oldest == nil && len(q.waiting) > 0 {
		oldest = q.waiting[0]
	}
	if oldest != nil && now.Sub(oldest.born) > q.b.cfg.Patience {
		return unavailable(q.b.cfg.RetryAfter, fmt.Sprintf("partition %d has been stalled for %v", q.partition, now.Sub(oldest.born).Round(time.Millisecond)), q.why)
	}
	return nil
}

// add appends this partition's messages in order, to the last batch as far as it has room.
func (q *queue) add(messages []Message, to []int32, r *receipt) {
	cfg := &q.b.cfg
	q.mu.Lock()
	defer q.mu.Unlock()
	var last *batch
	if n := len(q.waiting); n > 0 {
		last = q.waiting[n-1]
	}
	joined := (*batch)(nil)
	for i := range messages {
		if to[i] != q.partition {
			continue
		}
		m := &messages[i]
		if last == nil || last.n >= cfg.MaxRecords || last.n > 0 && last.size()+m.encodedSize() > cfg.MaxBytes {
			last = q.fresh()
		}
		if joined != last {
			joined = last
			r.pending.Add(1)
			last.receipts = append(last.receipts, r)
		}
		last.add(m)
		last.held += int64(m.encodedSize())
	}
	q.signal()
}

func (q *queue) fresh() *batch {
	f := q.b.frames.Get().(*batch)
	f.start(q.b.log.name(q.b.topic), q.partition, q.b.log.patience())
	f.born, f.held = q.b.cfg.Now(), 0
	f.due = time.Now().Add(q.b.cfg.Linger)
	q.waiting = append(q.waiting, f)
	return f
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}

// run writes batch after batch until the queue is closed and empty, or ctx ends.
func (q *queue) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		f, wait := q.take()
		switch {
		case f != nil:
			q.deliver(ctx, f)
		case wait < 0:
			return
		default:
			timer.Reset(wait)
			select {
			case <-q.wake:
			case <-timer.C:
			case <-ctx.Done():
				q.abandon(nil, "it is shutting down", ctx.Err())
				return
			}
		}
	}
}

// take removes the oldest batch if it is full or has lingered; else it tells how long to wait, −1 if there is nothing more to come.
func (q *queue) take() (*batch, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		if q.closed {
			return nil, -1
		}
		return nil, time.Hour
	}
	f := q.waiting[0]
	if len(q.waiting) == 1 && !q.closed && f.n < q.b.cfg.MaxRecords && f.size() < q.b.cfg.MaxBytes {
		if wait := time.Until(f.due); wait > 0 {
			return nil, wait
		}
	}
	copy(q.waiting, q.waiting[1:])
	q.waiting[len(q.waiting)-1] = nil
	q.waiting = q.waiting[:len(q.waiting)-1]
	q.flying = f
	return f, 0
}

// deliver writes one batch, again and again after transient errors, until it is acknowledged or its submitters have lost
// patience. Then everything behind it is given up too and the partition counts as down for RetryAfter.
func (q *queue) deliver(ctx context.Context, f *batch) {
	b := q.b
	pause := 20 * time.Millisecond
	for attempt := 0; ; attempt++ {
		if attempt > 0 {
			b.retries.Add(1)
		}
		err := q.attempt(ctx, f, attempt == 0)
		if err == nil {
			q.acknowledge(f)
			return
		}
		if Class(err) != schema.Transient {
			q.drop(f, err)
			return
		}
		if q.givenUp(ctx, f) {
			q.abandon(f, fmt.Sprintf("partition %d does not answer", q.partition), err)
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, 500*time.Millisecond)
	}
}

// attempt writes the batch once. Its record time is fixed the first time that the log can be read.
func (q *queue) attempt(ctx context.Context, f *batch, first bool) error {
	if q.last < 0 {
		last, err := q.b.log.lastTime(ctx, q.b.topic, q.partition)
		if err != nil {
			return err
		}
		q.last = int64(last) / 1000
		first = true
	}
	if first {
		q.last = max(q.last, q.b.cfg.Now().UnixMilli())
		f.finish(time.UnixMilli(q.last))
	}
	_, err := q.b.log.produce(ctx, q.b.topic, q.partition, f.b)
	return err
}

func (q *queue) givenUp(ctx context.Context, f *batch) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return ctx.Err() != nil || !q.until.IsZero() || q.b.cfg.Now().Sub(f.born) > q.b.cfg.Patience
}

func (q *queue) acknowledge(f *batch) {
	q.mu.Lock()
	q.flying, q.until, q.why = nil, time.Time{}, nil
	q.mu.Unlock()
	b := q.b
	b.records.Add(uint64(f.n))
	b.bytes.Add(uint64(f.size()))
	b.batches.Add(1)
	b.figures.sizes.Observe(float64(f.n))
	b.buffered.Add(-f.held)
	for i, r := range f.receipts {
		r.settle(nil)
		f.receipts[i] = nil
	}
	f.receipts = f.receipts[:0]
	if cap(f.b) <= 2<<20 {
		b.frames.Put(f)
	}
}

// drop gives up one batch that the log will never take.
func (q *queue) drop(f *batch, err error) {
	q.mu.Lock()
	q.flying, q.why = nil, err
	q.mu.Unlock()
	q.fail(f, err)
}

// abandon gives up everything and marks the partition as down. cause is what the log said.
func (q *queue) abandon(f *batch, reason string, cause error) {
	err := unavailable(q.b.cfg.RetryAfter, reason, cause)
	q.mu.Lock()
	all := q.waiting
	q.waiting, q.flying, q.why = nil, nil, cause
	q.until = q.b.cfg.Now().Add(q.b.cfg.RetryAfter)
	q.mu.Unlock()
	if f != nil {
		q.fail(f, err)
	}
	for _, f := range all {
		q.fail(f, err)
	}
}

// fail settles a batch's submitters. Its memory is not reused: a connection that was given up may still be sending it.
func (q *queue) fail(f *batch, err error) {
	q.b.abandoned.Add(1)
	q.b.buffered.Add(-f.held)
	for _, r := range f.receipts {
		r.settle(err)
	}
}
