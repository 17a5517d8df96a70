package kafka

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// FetchCommitted is Fetch for topics that others write, who may use transactions: it gives the records of those that were committed, and of
// none that is still open or was aborted. HighWater may lie beyond what can be read yet.
func (c *Client) FetchCommitted(ctx context.Context, topic string, partition int32, offset int64, maxBytes int, maxWait time.Duration) (Fetched, error) {
	return c.fetch(ctx, topic, partition, offset, 1, maxBytes, maxWait, readCommitted)
}

// abortion is a transaction of a producer that was aborted, by the offset of its first record.
type abortion struct{ producer, first int64 }

// abortions are those that reach into a fetched record set, as the broker lists them.
type abortions []abortion

const (
	attributeTransactional = 1 << 4
	batchProducerAt        = 43
)

// has says whether a batch belongs to one of them. It is asked for each batch in the order of the log: the control batch that ends an
// aborted transaction takes it off the list.
func (a *abortions) has(batch []byte, base, end int64, attributes uint16) bool {
	if len(*a) == 0 || attributes&attributeTransactional == 0 {
		return false
	}
	producer := int64(binary.BigEndian.Uint64(batch[batchProducerAt:]))
	for i, one := range *a {
		if one.producer != producer || one.first >= end {
			continue
		}
		if attributes&attributeControl != 0 {
			*a = append((*a)[:i:i], (*a)[i+1:]...)
		}
		return true
	}
	return false
}

// OffsetsAt tells for each partition of the topic the offset of the first record that was recorded at or after a time; its end, if there is none.
func (c *Client) OffsetsAt(ctx context.Context, topic string, at time.Time) ([]int64, error) {
	ranges, err := c.Offsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	asked := make([]kafkago.OffsetRequest, len(ranges))
	offsets := make([]int64, len(ranges))
	for p := range ranges {
		asked[p] = kafkago.TimeOffsetOf(p, at)
		offsets[p] = ranges[p].Next
	}
	res, err := c.calls.ListOffsets(ctx, &kafkago.ListOffsetsRequest{Topics: map[string][]kafkago.OffsetRequest{c.name(topic): asked}})
	if err != nil {
		return nil, fmt.Errorf("find the offsets of %s at a time: %w", c.name(topic), err)
	}
	for _, p := range res.Topics[c.name(topic)] {
		if p.Error != nil {
			return nil, fmt.Errorf("find the offset of %s/%d at a time: %w", c.name(topic), p.Partition, p.Error)
		}
		for offset := range p.Offsets {
			if p.Partition < len(offsets) && offset >= 0 {
				offsets[p.Partition] = offset
			}
		}
	}
	return offsets, nil
}
