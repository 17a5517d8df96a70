package timeline

import (
	"context"
	"fmt"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
)

// batch is what is written at once: a range of each partition.
type batch struct {
	ranges  []Range // of every partition
	events  [][]eventlog.Opened
	marks   [][]byte // checkpoint of each partition at the end of its range; nil where the range ends within a read
	records int
	bytes   int
	begun   time.Time // when its first record came
}

// newBatch is an empty one from the given offsets on.
func newBatch(next []int64) *batch {
	b := &batch{ranges: make([]Range, len(next)), events: make([][]eventlog.Opened, len(next)), marks: make([][]byte, len(next))}
	for p, at := range next {
		b.ranges[p] = Range{int32(p), at, at}
	}
	return b
}

// ends are the offsets after the batch.
func (b *batch) ends() []int64 {
	next := make([]int64, len(b.ranges))
	for p, r := range b.ranges {
		next[p] = r.To
	}
	return next
}

// chunk is what one read of a partition gave, or what is left of it.
type chunk struct {
	eventlog.OpenedBatch
	mark []byte // checkpoint after it
}

// add takes of a chunk what fits, and gives the rest; done if there is none. An empty batch takes at least one event.
func (b *batch) add(c chunk, records, bytes int) (rest chunk, done bool) {
	p := c.Partition
	for n, o := range c.Events {
		if b.records >= records || b.bytes >= bytes {
			b.events[p] = append(b.events[p], c.Events[:n]...)
			c.Events, c.From = c.Events[n:], o.Offset
			return c, false
		}
		if b.records == 0 {
			b.begun = time.Now()
		}
		b.records++
		if o.Event != nil {
			b.bytes += size(o.Event)
		}
		b.ranges[p].To, b.marks[p] = o.Offset+1, nil
	}
	b.events[p] = append(b.events[p], c.Events...)
	b.marks[p] = c.mark
	return chunk{}, true
}

// Where records come fast, a batch may grow for longer: an insert costs the engine some 20 ms however few its rows are, so at the same
// rate a third as many inserts leave it the time that it needs. A slow log stays as fresh as Linger says.
const (
	busyRecords = 3000 // in one Linger
	busyLingers = 3
)

// idleWait is how long a read waits at the end of the log. Nothing depends on it.
const idleWait = 10 * time.Second

// follow reads one partition from an offset on, until ctx ends.
func (t *Timeline) follow(ctx context.Context, partition int32, at int64, out chan<- chunk) error {
	for {
		c, err := t.fetch(ctx, partition, at, idleWait)
		if err != nil {
			return fmt.Errorf("read partition %d: %w", partition, err)
		}
		if c.Next == at {
			continue
		}
		at = c.Next
		select {
		case out <- c:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fetch reads records from offset on.
func (t *Timeline) fetch(ctx context.Context, partition int32, offset int64, wait time.Duration) (c chunk, err error) {
	err = t.retry(ctx, "read the log", func() error {
		got, err := t.Feed.Read(ctx, partition, offset, wait)
		if err != nil {
			return err
		}
		if got.From != offset || got.Next-offset != int64(len(got.Events)) {
			return schema.Classify(schema.Fatal, fmt.Errorf("the log gave %d events of [%d, %d) where offset %d was asked", len(got.Events), got.From, got.Next, offset))
		}
		c = chunk{OpenedBatch: got}
		if t.Log != nil && got.Next > offset { // an empty read has no digest of the record before it
			c.mark, err = t.Log.After(partition, got.Next, got.Last).AppendBinary(nil)
		}
		return err
	})
	c.Partition = partition
	return c, err
}

// gather makes batches of what the partitions' readers give, from the given offsets on. A batch is handed over when it is full or old;
// while the writer is busy it goes on growing.
func (t *Timeline) gather(ctx context.Context, next []int64, in <-chan chunk, out chan<- *batch) error {
	b := newBatch(next)
	var rest chunk // of the last chunk, if it did not fit
	more := false
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if more {
			var done bool
			rest, done = b.add(rest, t.BatchRecords, t.BatchBytes)
			more = !done
		}
		take, give := in, out
		if more || b.records >= t.BatchRecords || b.bytes >= t.BatchBytes {
			take = nil
		} else if wait := t.due(b); wait > 0 {
			give = nil
			timer.Reset(wait)
		}
		select {
		case c := <-take:
			rest, more = c, true
		case give <- b:
			b = newBatch(b.ends())
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// due is how long a batch may wait for more.
func (t *Timeline) due(b *batch) time.Duration {
	if b.records == 0 {
		return time.Hour
	}
	linger := t.Linger
	if b.records >= busyRecords {
		linger *= busyLingers
	}
	return linger - time.Since(b.begun)
}

// collect reads exactly the ranges of an intent.
func (t *Timeline) collect(ctx context.Context, i Intent) (*batch, error) {
	from := make([]int64, t.Partitions)
	for _, r := range i.Ranges {
		from[r.Partition] = r.From
	}
	b := newBatch(from)
	for _, r := range i.Ranges {
		for at := r.From; at < r.To; {
			c, err := t.fetch(ctx, r.Partition, at, idleWait)
			if err != nil {
				return nil, fmt.Errorf("read partition %d: %w", r.Partition, err)
			}
			if c.Next > r.To {
				c.Events, c.Next, c.mark = c.Events[:r.To-at], r.To, nil
			}
			at = c.Next
			b.add(c, 1<<62, 1<<62)
		}
	}
	return b, nil
}
