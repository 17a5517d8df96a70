package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// BatcherConfig bounds a batcher. The zero value of a field is its default.
type BatcherConfig struct {
	MaxRecords     int           // in one batch; 1,000
	MaxBytes       int           // of one batch; 900,000. A single record may be larger, up to MaxRecordBytes
	MaxRecordBytes int           // 4 MiB; a larger one is refused
	Linger         time.Duration // how long a batch waits for company; 5 ms
	MaxBuffered    int64         // bytes accepted and not yet acknowledged, over all partitions; 64 MiB
	Patience       time.Duration // how long a submit waits for its acknowledgement at most; 5 s
	RetryAfter     time.Duration // what a refused submit is told, and the pace at which a dead log is tried; 1 s
	Now            func() time.Time
}

func (c *BatcherConfig) setDefaults() {
	set(&c.MaxRecords, 1000)
	set(&c.MaxBytes, 900_000)
	set(&c.MaxRecordBytes, 4<<20)
	set(&c.Linger, 5*time.Millisecond)
	set(&c.MaxBuffered, 64<<20)
	set(&c.Patience, 5*time.Second)
	set(&c.RetryAfter, time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
}

func set[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// BatcherStats counts since the start.
type BatcherStats struct {
	Records  uint64 // acknowledged
	Bytes    uint64 // acknowledged, as record batches
	Batches  uint64 // acknowledged
	Retries  uint64 // attempts after the first
	Refused  uint64 // submits that got ErrUnavailable
	Failed   uint64 // batches given up
	Buffered int64  // bytes now
}

// Batcher gathers the messages of many callers into one batch at a time for each partition, with one request in flight for each.
//
// A submit is acknowledged when all in-sync replicas have all of its messages. Within a partition, messages are written in the
// order in which they were submitted; a retry may write a batch twice. The record time of a batch is that of its first attempt,
// kept on retries, and never lower than that of an earlier record of the partition: the log's last record is read before the first
// write. (A batch whose connection broke may still be written by the broker after a later one; it then carries its earlier time.)
//
// When the log is slow or gone, memory stays within MaxBuffered and a submit fails with ErrUnavailable: at once if the bound is
// reached or the partition is stalled or down, else after Patience. It recovers by itself: one batch tries a dead partition
// each RetryAfter.
type Batcher struct {
	topic     string
	cfg       BatcherConfig
	log       producer
	queues    []*queue
	buffered  atomic.Int64
	closed    atomic.Bool
	running   sync.WaitGroup
	stop      context.CancelFunc
	frames    sync.Pool
	submits   sync.Pool
	records   atomic.Uint64
	bytes     atomic.Uint64
	batches   atomic.Uint64
	retries   atomic.Uint64
	refused   atomic.Uint64
	abandoned atomic.Uint64
	figures   figures
}

// producer is what a batcher needs of a log; *Client is one.
type producer interface {
	produce(ctx context.Context, topic string, partition int32, frame []byte) (int64, error)
	name(topic string) string // in the cluster
	lastTime(ctx context.Context, topic string, partition int32) (schema.Instant, error)
	patience() time.Duration
}

// NewBatcher starts a batcher for the partitions of a topic. It takes the topic's partition count; Close ends it.
func NewBatcher(client *Client, topic string, partitions int32, cfg BatcherConfig) *Batcher {
	return newBatcher(client, topic, partitions, cfg)
}

func newBatcher(log producer, topic string, partitions int32, cfg BatcherConfig) *Batcher {
	cfg.setDefaults()
	ctx, stop := context.WithCancel(context.Background())
	b := &Batcher{topic: topic, cfg: cfg, log: log, stop: stop, figures: newFigures(topic)}
	b.frames.New = func() any { return &batch{} }
	b.submits.New = func() any {
		p := &plan{patience: time.NewTimer(time.Hour)}
		p.patience.Stop()
		return p
	}
	for p := range partitions {
		q := newQueue(b, p)
		b.queues = append(b.queues, q)
		b.running.Go(func() { q.run(ctx) })
	}
	return b
}

// Close refuses new submits, writes what is queued, and gives up what is not acknowledged when ctx ends.
func (b *Batcher) Close(ctx context.Context) error {
	b.closed.Store(true)
	for _, q := range b.queues {
		q.close()
	}
	done := make(chan struct{})
	go func() {
		b.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		b.stop()
		return nil
	case <-ctx.Done():
		b.stop()
		<-done
		return fmt.Errorf("close the batcher of %s: %w", b.topic, ctx.Err())
	}
}

// Stats counts what happened.
func (b *Batcher) Stats() BatcherStats {
	return BatcherStats{
		Records: b.records.Load(), Bytes: b.bytes.Load(), Batches: b.batches.Load(), Retries: b.retries.Load(),
		Refused: b.refused.Load(), Failed: b.abandoned.Load(), Buffered: b.buffered.Load(),
	}
}

// plan is the scratch memory of one submit.
type plan struct {
	partition []int32
	count     []int
	patience  *time.Timer // stopped between submits
	receipt   *receipt    // nil if the last submit's is in use yet
}

// receipt is what a submit waits for: all batches that hold its messages.
type receipt struct {
	pending atomic.Int32
	failure atomic.Pointer[error]
	done    chan struct{} // gets one entry
}

func (r *receipt) settle(err error) {
	if err != nil {
		if failure := err; r.failure.CompareAndSwap(nil, &failure) {
			r.done <- struct{}{} // a submit fails as soon as one of its batches has
		}
	}
	if r.pending.Add(-1) == 0 && r.failure.CompareAndSwap(nil, &noFailure) {
		r.done <- struct{}{}
	}
}

var noFailure error

// Submit writes the messages, each to the partition of its key, and returns when all of them are acknowledged by all in-sync
// replicas. The messages may be reused once it returns. An error says that at least one is not known to be written; others,
// and even that one, may be. It is ErrUnavailable if the same submit may succeed later, a Refusal if it never will.
func (b *Batcher) Submit(ctx context.Context, messages []Message) error {
	if len(messages) == 0 {
		return nil
	}
	p := b.submits.Get().(*plan)
	defer b.submits.Put(p)
	size, err := p.assign(messages, len(b.queues), b.cfg.MaxRecordBytes)
	if err != nil {
		return err
	}
	if err := b.admit(p, size); err != nil {
		b.refused.Add(1)
		return err
	}
	r := p.receipt
	if r == nil {
		r = &receipt{done: make(chan struct{}, 1)}
	}
	p.receipt = nil
	r.pending.Store(1)
	for i, n := range p.count {
		if n > 0 {
			b.queues[i].add(messages, p.partition, r)
		}
	}
	r.settle(nil)

	p.patience.Reset(b.cfg.Patience)
	defer p.patience.Stop()
	select {
	case <-r.done:
		if err = *r.failure.Load(); err == nil { // nobody has it any more
			r.failure.Store(nil)
			p.receipt = r
		}
	case <-p.patience.C:
		err = unavailable(b.cfg.RetryAfter, fmt.Sprintf("no acknowledgement in %v", b.cfg.Patience), nil)
	case <-ctx.Done():
		err = unavailable(b.cfg.RetryAfter, "the caller gave up", ctx.Err())
	}
	if errors.Is(err, ErrUnavailable) {
		b.refused.Add(1)
	}
	return err
}

// assign finds the partition of each message and the number of bytes that they will take.
func (p *plan) assign(messages []Message, partitions, largest int) (size int64, err error) {
	p.partition = p.partition[:0]
	p.count = slices.Grow(p.count[:0], partitions)[:partitions]
	clear(p.count)
	for i := range messages {
		m := &messages[i]
		n := m.encodedSize()
		if n > largest {
			return 0, schema.Refuse("too_large", fmt.Sprintf("an event of %d bytes is larger than %d", n, largest), "send less in one event")
		}
		size += int64(n)
		to := Partition(m.Key, int32(partitions))
		p.partition = append(p.partition, to)
		p.count[to]++
	}
	return size, nil
}

// admit refuses at once what cannot be written soon, and reserves the memory of the rest: to look at the bound first and to add
// later would let any number of callers through together.
func (b *Batcher) admit(p *plan, size int64) error {
	if b.closed.Load() {
		return unavailable(b.cfg.RetryAfter, "it is shutting down", nil)
	}
	now := b.cfg.Now()
	for i, n := range p.count {
		if n > 0 {
			if err := b.queues[i].ready(now); err != nil {
				return err
			}
		}
	}
	if held := b.buffered.Add(size); held > b.cfg.MaxBuffered {
		b.buffered.Add(-size)
		return unavailable(b.cfg.RetryAfter, fmt.Sprintf("%d bytes wait to be written already", held-size), nil)
	}
	return nil
}

// lastTime is the record time of the partition's last record, 0 if it has none.
func (c *Client) lastTime(ctx context.Context, topic string, partition int32) (schema.Instant, error) {
	ranges, err := c.Offsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	if int(partition) >= len(ranges) {
		return 0, schema.Classify(schema.Fatal, fmt.Errorf("%s has %d partitions, %d is not one", topic, len(ranges), partition))
	}
	r := ranges[partition]
	if r.Next == r.First {
		return 0, nil
	}
	f, err := c.Fetch(ctx, topic, partition, r.Next-1, 1, 0)
	if err != nil {
		return 0, err
	}
	var last schema.Instant
	for i := range f.Records {
		last = max(last, f.Records[i].Time)
	}
	return last, nil
}

func (c *Client) patience() time.Duration { return c.timeout }
