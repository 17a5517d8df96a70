package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
	"github.com/dossier-cdp/dossier/pipelines/channel/record"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/collector"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// The bounds of one step.
const (
	fetchBytes    = 1 << 20
	fetchWait     = 5 * time.Second
	deliverEvents = 1000
)

// reader reads one partition.
type reader struct {
	i         *Intake
	t         *record.Topic
	cluster   Cluster
	partition int32
	reached   *progress
	logger    *slog.Logger
	back      backOff
}

// run reads from an offset on until ctx ends.
func (r *reader) run(ctx context.Context, at int64) {
	for ctx.Err() == nil {
		f, err := r.cluster.FetchCommitted(ctx, r.t.Topic, r.partition, at, fetchBytes, fetchWait)
		if err == nil {
			err = r.take(ctx, f.Records)
		}
		switch {
		case err == nil: // what is durable is noted, also at the end
		case ctx.Err() != nil:
			return
		case errors.Is(err, kafka.ErrOutOfRange):
			if at, err = r.outOfRange(ctx, at); err == nil {
				continue
			}
			fallthrough
		default:
			if r.back.worthTelling(err) {
				r.logger.Warn("a partition cannot be read on, and is tried again", "offset", at, "error", err)
			}
			r.i.cfg.Metrics.failures(r.t.Source)
			r.back.wait(ctx)
			continue
		}
		r.back.reset()
		at = f.Next
		if len(f.Records) > 0 {
			r.reached.reached(r.partition, at)
		}
		r.i.cfg.Metrics.behind(r.t.Source, r.partition, f.HighWater-at)
	}
}

// outOfRange finds where reading goes on when the topic does not hold the next offset: records were removed before they were read, or the topic
// was made anew.
func (r *reader) outOfRange(ctx context.Context, at int64) (int64, error) {
	ranges, err := r.cluster.Offsets(ctx, r.t.Topic)
	if err != nil || int(r.partition) >= len(ranges) {
		return at, errors.Join(err, errors.New("the topic does not hold the next offset"))
	}
	now := ranges[r.partition]
	switch {
	case at < now.First:
		r.logger.Error("records were removed from the topic before they were read", "records", now.First-at, "first_lost", at)
		r.i.cfg.Metrics.lost(r.t.Source, now.First-at)
	case at > now.Next:
		r.logger.Error("the topic ends before what was read of it: it was made anew, and is read from its beginning", "read_up_to", at, "ends_at", now.Next)
	default:
		return at, errors.New("the topic says that it does not hold an offset which it holds")
	}
	r.reached.reached(r.partition, now.First)
	return now.First, nil
}

// read is one record with what it became.
type read struct {
	offset int64
	pieces []mapping.Piece
	events int
}

// take maps records and delivers them, in parts of a bounded number of events. When it returns nil all of it is durable.
func (r *reader) take(ctx context.Context, records []kafka.Record) error {
	if err := r.learn(ctx, records); err != nil {
		return err
	}
	var waiting []read
	events := 0
	flush := func() error {
		err := r.deliver(ctx, waiting)
		waiting, events = waiting[:0], 0
		return err
	}
	for n := range records {
		one := read{offset: records[n].Offset, pieces: r.t.Read(r.record(&records[n]))}
		for p := range one.pieces {
			one.events += max(1, len(one.pieces[p].Events))
		}
		if events+one.events > deliverEvents && len(waiting) > 0 {
			if err := flush(); err != nil {
				return err
			}
		}
		waiting = append(waiting, one)
		events += one.events
	}
	r.i.cfg.Metrics.records(r.t.Source, int64(len(records)))
	return flush()
}

func (r *reader) record(k *kafka.Record) *record.Record {
	headers := make([]record.Header, len(k.Headers))
	for n := range k.Headers {
		headers[n] = record.Header{Key: k.Headers[n].Key, Value: string(k.Headers[n].Value)}
	}
	return &record.Record{Partition: r.partition, Offset: k.Offset, Key: k.Key, Value: k.Value, Headers: headers, Time: k.Time}
}

// deliver hands records to the collector. What the log takes under no circumstances must not hold the rest up: the records are then
// delivered one by one, and the one that is refused becomes a dead letter, without its events.
func (r *reader) deliver(ctx context.Context, reads []read) error {
	var pieces []mapping.Piece
	for n := range reads {
		pieces = append(pieces, reads[n].pieces...)
	}
	if len(pieces) == 0 {
		return nil
	}
	receipt, err := r.i.cfg.Deliver(ctx, collector.Delivery{
		Workspace: r.i.cfg.Workspace, Source: r.t.Source, Endpoint: "kafka " + r.t.Topic, Mapping: r.t.MappingName(), Pieces: pieces,
	})
	refusal := (*schema.Refusal)(nil)
	switch {
	case err == nil:
		r.account(reads, &receipt)
		return nil
	case schema.ClassOf(err) != schema.Rejected || !errors.As(err, &refusal):
		return fmt.Errorf("deliver %d records: %w", len(reads), err)
	case len(reads) > 1:
		for n := range reads {
			if err := r.deliver(ctx, reads[n:n+1]); err != nil {
				return err
			}
		}
		return nil
	}
	whole := false // a refused record that is refused again as a dead letter is larger than the log takes
	for _, p := range reads[0].pieces {
		whole = whole || p.Refusal == nil
	}
	if !whole {
		r.logger.Error("a record is larger than the log takes, and is left in its topic", "offset", reads[0].offset, "code", refusal.Code)
		r.i.cfg.Metrics.refused(r.t.Source, 1)
		return nil
	}
	refused := mapping.Piece{Refusal: refusal, Raw: reads[0].pieces[0].Raw, Place: reads[0].pieces[0].Place}
	return r.deliver(ctx, []read{{offset: reads[0].offset, pieces: []mapping.Piece{refused}, events: 1}})
}

// account counts a receipt, and tells of what is stored nowhere.
func (r *reader) account(reads []read, receipt *collector.Receipt) {
	r.i.cfg.Metrics.accepted(r.t.Source, int64(receipt.Accepted))
	r.i.cfg.Metrics.refused(r.t.Source, int64(len(receipt.Refused)))
	for _, refused := range receipt.Refused {
		one, before := &reads[len(reads)-1], 0
		for n := range reads {
			if before += reads[n].events; refused.Index < before {
				one = &reads[n]
				break
			}
		}
		switch {
		case channel.Forbidden(refused.Code):
			r.logger.Error("a record holds what no source may send, and is stored nowhere", "offset", one.offset, "code", refused.Code, "reason", refused.Reason)
		case !channel.Unwanted(refused.Code) && one.bytes() > deadletter.MaxBytes:
			r.logger.Error("a refused record is larger than a dead letter may be, and is left in its topic", "offset", one.offset, "code", refused.Code, "reason", refused.Reason)
		}
	}
}

// bytes is the size of the largest piece.
func (r *read) bytes() (n int) {
	for i := range r.pieces {
		n = max(n, len(r.pieces[i].Raw))
	}
	return n
}
