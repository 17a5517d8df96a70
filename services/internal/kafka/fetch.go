package kafka

import (
	"context"
	"errors"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/dossier-cdp/dossier/schema"
)

// ErrOutOfRange means that the log does not hold the offset: it is below the first, or beyond the end.
var ErrOutOfRange = errors.New("the log does not hold this offset")

// Fetched is one answer of the log.
type Fetched struct {
	Records   []Record
	Next      int64 // where to fetch next: after the last record and any control record
	HighWater int64 // the partition's end
	First     int64 // the partition's start
}

// Fetch reads records from offset on: at least one batch if there is one, else about maxBytes at most; with nothing there it
// waits up to maxWait and returns none. An offset outside of [First, HighWater] is ErrOutOfRange, which is fatal unless the
// caller knows better. A batch that does not match its checksum is a *DamageError.
func (c *Client) Fetch(ctx context.Context, topic string, partition int32, offset int64, maxBytes int, maxWait time.Duration) (Fetched, error) {
	return c.fetch(ctx, topic, partition, offset, 1, maxBytes, maxWait, readUncommitted)
}

// FetchAtLeast is Fetch for a reader that is in no hurry: the log answers when minBytes are there or maxWait has passed, with what there
// is. Such a reader costs the log one answer for many batches.
func (c *Client) FetchAtLeast(ctx context.Context, topic string, partition int32, offset int64, minBytes, maxBytes int, maxWait time.Duration) (Fetched, error) {
	return c.fetch(ctx, topic, partition, offset, minBytes, maxBytes, maxWait, readUncommitted)
}

// The isolation levels of a fetch.
const (
	readUncommitted = 0 // our own topics, where nobody uses transactions
	readCommitted   = 1
)

func (c *Client) fetch(ctx context.Context, topic string, partition int32, offset int64, minBytes, maxBytes int, maxWait time.Duration, isolation byte) (Fetched, error) {
	frame := appendHeader(make([]byte, 0, 128), keyFetch, versionFetch)
	frame = appendInt32(frame, -1) // not a replica
	frame = appendInt32(frame, int32(maxWait.Milliseconds()))
	frame = appendInt32(frame, int32(minBytes))
	// In all twice as many as of the partition, so that the partition's bound is what ends an answer: where the other one does, the embedded
	// broker leaves out which transactions were aborted.
	frame = appendInt32(frame, int32(2*maxBytes))
	frame = append(frame, isolation)
	frame = appendInt32(frame, 0) // no session
	frame = appendInt32(frame, -1)
	frame = appendInt32(frame, 1)
	frame = appendString(frame, c.name(topic))
	frame = appendInt32(frame, 1)
	frame = appendInt32(frame, partition)
	frame = appendInt32(frame, -1) // whatever leader epoch
	frame = appendInt64(frame, offset)
	frame = appendInt64(frame, -1) // log start is for replicas
	frame = appendInt32(frame, int32(maxBytes))
	frame = appendInt32(frame, 0) // nothing to forget
	frame = appendString(frame, "")

	waiting, cancel := context.WithTimeout(ctx, maxWait+c.timeout)
	defer cancel()
	r, err := c.exchangeWithin(waiting, &exchange{keyFetch, c.name(topic), partition, finishFrame(frame)})
	if err == nil {
		var f Fetched
		if f, err = decodeFetch(r, offset); err == nil {
			return f, nil
		}
		if d := (*DamageError)(nil); errors.As(err, &d) {
			d.Topic, d.Partition = c.name(topic), partition
			return Fetched{}, schema.Classify(schema.Fatal, err)
		}
		if errors.Is(err, kafkago.OffsetOutOfRange) {
			err = schema.Classify(schema.Fatal, ErrOutOfRange)
		}
	}
	return Fetched{}, failed(err, "fetch %s/%d from offset %d", c.name(topic), partition, offset)
}

func decodeFetch(r *cursor, offset int64) (Fetched, error) {
	r.int32() // throttle
	if err := codeError(r.int16(), r); err != nil {
		return Fetched{}, err
	}
	r.int32() // session
	r.count(6)
	r.string()
	r.count(42)
	r.int32() // partition
	code := r.int16()
	f := Fetched{HighWater: r.int64(), Next: offset}
	r.int64() // last stable offset
	f.First = r.int64()
	var aborted abortions
	for range r.count(16) {
		aborted = append(aborted, abortion{producer: r.int64(), first: r.int64()})
	}
	r.int32() // preferred replica
	size := r.int32()
	if err := codeError(code, r); err != nil {
		return Fetched{}, err
	}
	set := r.take(max(0, int(size)))
	if err := codeError(0, r); err != nil {
		return Fetched{}, err
	}
	var at int64
	var err error
	f.Records, f.Next, at, err = decodeCommitted(make([]Record, 0, len(set)/512), set, offset, aborted)
	if err != nil {
		return Fetched{}, &DamageError{Offset: at, Reason: err.Error()}
	}
	return f, nil
}
