package kafka

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// acksAll asks for an answer after all in-sync replicas have the batch.
const acksAll = -1

// batchFrame is a produce request that is built in place: header, one topic, one partition, record batch.
type batchFrame struct {
	b     []byte
	batch int // where the record batch starts
	n     int // records
}

// start makes the frame empty, keeping its memory.
func (f *batchFrame) start(topic string, partition int32, timeout time.Duration) {
	b := appendHeader(f.b[:0], keyProduce, versionProduce)
	b = append(b, 0xff, 0xff) // no transactional id
	b = binary.BigEndian.AppendUint16(b, uint16(0xffff&acksAll))
	b = appendInt32(b, int32(timeout.Milliseconds()))
	b = appendInt32(b, 1)
	b = appendString(b, topic)
	b = appendInt32(b, 1)
	b = appendInt32(b, partition)
	b = appendInt32(b, 0) // size of the batch
	f.batch = len(b)
	f.b = append(b, make([]byte, batchHeader)...)
	f.n = 0
}

func (f *batchFrame) add(m *Message) {
	f.b = appendRecord(f.b, f.n, m)
	f.n++
}

// size is that of the record batch.
func (f *batchFrame) size() int { return len(f.b) - f.batch }

// finish makes the frame ready to be sent, any number of times.
func (f *batchFrame) finish(at time.Time) {
	binary.BigEndian.PutUint32(f.b[f.batch-4:], uint32(f.size()))
	finishBatch(f.b[f.batch:], f.n, at.UnixMilli())
	finishFrame(f.b)
}

// Produce writes one batch to a partition and returns the offset of its first record, once all in-sync replicas have it. It
// tries once. After a transient error the batch may be in the log: writing it again may store it twice. All records are recorded
// at the given time, cut to milliseconds.
func (c *Client) Produce(ctx context.Context, topic string, partition int32, messages []Message, at time.Time) (int64, error) {
	if len(messages) == 0 {
		return 0, schema.Classify(schema.Rejected, fmt.Errorf("produce to %s/%d: no messages", topic, partition))
	}
	var f batchFrame
	f.start(c.name(topic), partition, c.timeout)
	for i := range messages {
		f.add(&messages[i])
	}
	if f.size() > MaxBatchBytes {
		return 0, tooLarge(f.size())
	}
	f.finish(at)
	return c.produce(ctx, topic, partition, f.b)
}

func tooLarge(size int) error {
	return schema.Refuse("too_large", fmt.Sprintf("%d bytes are more than the %d that the log takes at once", size, MaxBatchBytes), "send less at once")
}

func (c *Client) produce(ctx context.Context, topic string, partition int32, frame []byte) (int64, error) {
	r, err := c.exchange(ctx, &exchange{keyProduce, c.name(topic), partition, frame})
	base := int64(0)
	if err == nil {
		r.count(6)
		r.string()
		r.count(30)
		r.int32() // partition
		code := r.int16()
		base = r.int64()
		err = codeError(code, r)
	}
	if err != nil {
		return 0, failed(err, "produce to %s/%d", c.name(topic), partition)
	}
	return base, nil
}
