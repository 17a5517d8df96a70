package timeline

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
)

// partition is the loop of one log partition. Only visible and writing are shared.
type partition struct {
	role   *Timeline
	number int32

	next    int64 // the offset after the last record that is written
	visible atomic.Int64
	writing chan struct{} // held from the choice of rows until their ids are marked

	read  eventlog.OpenedBatch      // the last one
	ahead []eventlog.Opened         // what is left of it
	seen  map[schema.EventID]uint32 // ids of the batch, with their epoch
	key   []byte
}

// idleWait is how long a read waits at the end of the log. Nothing depends on it.
const idleWait = 10 * time.Second

func (p *partition) run(ctx context.Context) error {
	t := p.role
	intent, found, err := t.Intents.Last(ctx, p.number)
	if err != nil {
		return fmt.Errorf("read the last intent: %w", err)
	}
	if found && intent.Generation == t.Generation && intent.From == p.next {
		t.Logger.Info("timeline: repeating an open intent", "partition", p.number, "from", intent.From, "to", intent.To)
		batch, err := p.collect(ctx, intent.To)
		if err == nil {
			err = p.write(ctx, batch, intent, true)
		}
		if err != nil {
			return err
		}
	}
	for {
		batch, err := p.collect(ctx, 0)
		if err != nil {
			return err
		}
		to := batch[len(batch)-1].Offset + 1
		intent := Intent{Incarnation: t.index.incarnation, Generation: t.Generation, Partition: p.number, From: p.next, To: to}
		if err := p.write(ctx, batch, intent, false); err != nil {
			return err
		}
	}
}

// Where records come fast, a batch may grow for longer: an insert costs the engine some 20 ms however few its rows are, so at the same
// rate a third as many inserts leave it the time that it needs. A slow partition stays as fresh as Linger says.
const (
	busyRecords = 500 // in one Linger
	busyLingers = 3
)

// collect reads the next batch: up to the offset to if it is given, else until the batch is full or old. It has at least one record.
func (p *partition) collect(ctx context.Context, to int64) ([]eventlog.Opened, error) {
	t := p.role
	var batch []eventlog.Opened
	var bytes int
	var due time.Time
	at := p.next
	for {
		for len(p.ahead) > 0 {
			if to > 0 && at == to || to == 0 && (len(batch) >= t.BatchRecords || bytes >= t.BatchBytes && len(batch) > 0) {
				return batch, nil
			}
			o := p.ahead[0]
			p.ahead = p.ahead[1:]
			if o.Event != nil {
				bytes += size(o.Event)
			}
			batch, at = append(batch, o), o.Offset+1
		}
		if to > 0 && at >= to {
			return batch, nil
		}
		wait := idleWait
		if to == 0 && len(batch) > 0 {
			if due.IsZero() {
				due = time.Now().Add(t.Linger)
			}
			wait = time.Until(due)
			if wait <= 0 && len(batch) >= busyRecords {
				wait += t.Linger * (busyLingers - 1)
			}
			if wait <= 0 || len(batch) >= t.BatchRecords || bytes >= t.BatchBytes {
				return batch, nil
			}
		}
		if err := p.fetch(ctx, at, wait); err != nil {
			return nil, err
		}
	}
}

// fetch reads records from offset on into ahead.
func (p *partition) fetch(ctx context.Context, offset int64, wait time.Duration) error {
	return p.role.retry(ctx, "read the log", func() error {
		got, err := p.role.Feed.Read(ctx, p.number, offset, wait)
		if err != nil {
			return err
		}
		if got.From != offset || got.Next-offset != int64(len(got.Events)) {
			return schema.Classify(schema.Fatal, fmt.Errorf("the log gave %d events of [%d, %d) where offset %d was asked", len(got.Events), got.From, got.Next, offset))
		}
		if got.Next > offset { // an empty read has no digest of the record before it
			p.read, p.ahead = got, got.Events
		}
		return nil
	})
}

// write takes a batch from choice to mark. repeated says that its inserts may have been applied before.
func (p *partition) write(ctx context.Context, batch []eventlog.Opened, intent Intent, repeated bool) error {
	t := p.role
	select {
	case p.writing <- struct{}{}:
		defer func() { <-p.writing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	rows, err := p.choose(ctx, batch)
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		if !repeated {
			err := t.retry(ctx, "declare an intent", func() error { return t.Intents.Declare(ctx, intent) })
			if err != nil {
				return fmt.Errorf("declare an intent: %w", err)
			}
		}
		// At this point the intent is durable.
		if rows, err = p.insertAll(ctx, intent, rows, repeated); err != nil {
			return err
		}
		// At this point the rows are visible.
	}
	checkpoint, err := p.checkpoint(intent.To)
	if err != nil {
		return err
	}
	if err := t.index.mark(p.number, rows, intent.To, checkpoint); err != nil {
		return fmt.Errorf("mark the rows up to offset %d: %w", intent.To, err)
	}
	p.next = intent.To
	p.visible.Store(intent.To)
	t.announce()
	t.metrics.observe(t.Now(), len(batch), rows)
	return nil
}

// checkpoint is what the log is checked by at the next start; none if the batch ends within a read.
func (p *partition) checkpoint(next int64) ([]byte, error) {
	if p.role.Log == nil || p.read.Next != next {
		return nil, nil
	}
	return p.role.Log.After(p.number, next, p.read.Last).AppendBinary(nil)
}

// choose gives the events of a batch that become rows. What cannot be a row is put to the dead letters.
func (p *partition) choose(ctx context.Context, batch []eventlog.Opened) ([]Row, error) {
	t := p.role
	if len(p.seen) > keptRows {
		p.seen = nil
	}
	clear(p.seen)
	if p.seen == nil {
		p.seen = make(map[schema.EventID]uint32, len(batch))
	}
	rows := make([]Row, 0, len(batch))
	for _, o := range batch {
		switch {
		case o.Bad != nil:
			if err := p.bury(ctx, Letter{Position: o.Position, RecordedAt: o.RecordedAt, Record: o.Record, Reason: o.Bad}); err != nil {
				return nil, err
			}
			continue
		case o.Void != nil || t.Void(&o.Event.Clear):
			t.metrics.voids.Inc()
			continue
		}
		e := o.Event
		if e.OccurredAt < schema.FirstTimelineInstant || e.OccurredAt >= schema.EndTimelineInstant {
			reason := schema.Refuse("time_out_of_range", "the timeline holds events from 1900 to 2261", "correct the event's time and send it again")
			if err := p.bury(ctx, Letter{Position: o.Position, RecordedAt: o.RecordedAt, Event: e, Reason: reason}); err != nil {
				return nil, err
			}
			continue
		}
		known, err := p.known(e)
		if err != nil {
			return nil, err
		}
		if known {
			t.metrics.duplicates.Inc()
			continue
		}
		p.seen[e.ID] = e.Key.Epoch
		public := t.Public(e.Workspace, schema.PersonaEpoch{Persona: e.Persona, Epoch: e.Key.Epoch})
		rows = append(rows, Row{Position: o.Position, RecordedAt: o.RecordedAt, Persona: public, Event: e})
	}
	return rows, nil
}

// known says whether a row stands for the event already. A copy under a later epoch is another row: the collector seals in it only
// after the earlier one was closed, so the row that is there is void and on its way out.
func (p *partition) known(e *schema.Event) (bool, error) {
	if epoch, found := p.seen[e.ID]; found {
		return epoch >= e.Key.Epoch, nil
	}
	if p.key == nil {
		p.key = make([]byte, 0, 2*eventKeyLength)
	}
	epoch, found, err := p.role.index.known(p.key, e.OccurredAt, e.ID)
	return found && epoch >= e.Key.Epoch, err
}

// bury puts a letter to the dead letters, however long that takes.
func (p *partition) bury(ctx context.Context, l Letter) error {
	t := p.role
	err := t.retry(ctx, "write a dead letter", func() error { return t.DeadLetters.Put(ctx, l) })
	if err != nil {
		return fmt.Errorf("write the dead letter of offset %d: %w", l.Position.Offset, err)
	}
	t.metrics.letters.Inc()
	t.Logger.Warn("timeline: an event cannot be a row", "partition", p.number, "offset", l.Position.Offset, "reason", l.Reason)
	return nil
}
