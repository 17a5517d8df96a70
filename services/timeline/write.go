package timeline

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/dossier-cdp/dossier/schema"
)

// writer takes batches from choice to mark. Up to Config.Flights of them are under way at a time; they are declared and marked in order.
type writer struct {
	role    *Timeline
	intents Intents
	table   string    // its identity
	flights []*flight // not seen to have landed, oldest first
	key     []byte
}

// flight is a batch between choice and mark.
type flight struct {
	*batch
	intent Intent
	rows   []Row
	ids    map[schema.EventID]uint32 // of its rows, with their epoch
	landed chan struct{}             // closed when it is marked
}

// run writes batch after batch.
func (w *writer) run(ctx context.Context, batches <-chan *batch) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		for {
			select {
			case b := <-batches:
				if err := w.launch(ctx, group, b); err != nil {
					return err
				}
			case <-w.landing(): // what has landed keeps its events alive
				w.flights[0], w.flights = nil, w.flights[1:]
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	return group.Wait()
}

// landing is closed when the oldest flight has landed; nil if there is none.
func (w *writer) landing() <-chan struct{} {
	if len(w.flights) == 0 {
		return nil
	}
	return w.flights[0].landed
}

// launch chooses and declares a batch, and leaves the rest to a goroutine of the group.
func (w *writer) launch(ctx context.Context, group *errgroup.Group, b *batch) error {
	f, before, err := w.prepare(ctx, b)
	if err != nil {
		return err
	}
	if len(f.rows) > 0 {
		var open []Intent
		for _, f := range w.flights {
			open = append(open, f.intent)
		}
		err := w.role.retry(ctx, "declare an intent", func() error { return w.intents.Declare(ctx, open) })
		if err != nil {
			<-w.role.flying
			return fmt.Errorf("declare an intent: %w", err)
		}
	}
	// At this point the intent is durable.
	group.Go(func() error { return w.land(ctx, f, before, false) })
	return nil
}

// prepare waits for one of the places and chooses the rows. before is the flight before it, nil if that has landed.
func (w *writer) prepare(ctx context.Context, b *batch) (f, before *flight, err error) {
	t := w.role
	select {
	case t.flying <- struct{}{}: // until it has landed
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	f = &flight{
		batch: b, intent: Intent{Incarnation: t.index.incarnation, Table: w.table, Ranges: b.ranges},
		ids: make(map[schema.EventID]uint32, b.records), landed: make(chan struct{}),
	}
	for len(w.flights) > 0 && w.flights[0].down() {
		w.flights[0], w.flights = nil, w.flights[1:]
	}
	if f.rows, err = w.choose(ctx, f); err != nil {
		<-t.flying
		return nil, nil, err
	}
	if n := len(w.flights); n > 0 {
		before = w.flights[n-1]
	}
	w.flights = append(w.flights, f)
	return f, before, nil
}

func (f *flight) down() bool {
	select {
	case <-f.landed:
		return true
	default:
		return false
	}
}

// land inserts and marks what was chosen. repeated says that its inserts may have been applied before.
func (w *writer) land(ctx context.Context, f, before *flight, repeated bool) error {
	t := w.role
	defer func() { <-t.flying }()
	rows := f.rows
	if len(rows) > 0 {
		var err error
		if rows, err = w.insertAll(ctx, f.intent, rows, repeated); err != nil {
			return err
		}
		// At this point the rows are visible.
	}
	if before != nil {
		select {
		case <-before.landed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := t.index.mark(rows, f.batch); err != nil {
		return fmt.Errorf("mark %d rows: %w", len(rows), err)
	}
	t.advance(f.batch)
	close(f.landed)
	t.metrics.observe(t.Now(), f.records, rows)
	if t.Trace != nil && len(rows) > 0 {
		t.Trace(f.begun, f.events...)
	}
	return nil
}

// repeat writes a batch whose intent was declared by a former life or owner.
func (w *writer) repeat(ctx context.Context, b *batch, intent Intent) error {
	f, before, err := w.prepare(ctx, b)
	if err != nil {
		return err
	}
	f.intent = intent
	return w.land(ctx, f, before, true)
}

// choose gives the events of a batch that become rows, in the order of the log. What cannot be a row is put to the dead letters.
func (w *writer) choose(ctx context.Context, f *flight) ([]Row, error) {
	t := w.role
	rows := make([]Row, 0, f.records)
	for _, events := range f.events {
		for _, o := range events {
			switch {
			case o.Bad != nil:
				if err := t.bury(ctx, Letter{Position: o.Position, RecordedAt: o.RecordedAt, Record: o.Record, Reason: o.Bad}); err != nil {
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
				if err := t.bury(ctx, Letter{Position: o.Position, RecordedAt: o.RecordedAt, Event: e, Reason: reason}); err != nil {
					return nil, err
				}
				continue
			}
			known, err := w.known(ctx, f, e)
			if err != nil {
				return nil, err
			}
			if known {
				t.metrics.duplicates.Inc()
				continue
			}
			f.ids[e.ID] = e.Key.Epoch
			public := t.Public(e.Workspace, schema.PersonaEpoch{Persona: e.Persona, Epoch: e.Key.Epoch})
			rows = append(rows, Row{Position: o.Position, RecordedAt: o.RecordedAt, Persona: public, Event: e})
		}
	}
	return rows, nil
}

// known says whether a row stands for the event already. A copy under a later epoch is another row: the collector seals in it only
// after the earlier one was closed, so the row that is there is void and on its way out.
//
// Of an event whose copy is in a flight nobody knows yet whether it becomes a row: it waits for the flight. So a batch has the same rows
// whenever it is chosen.
func (w *writer) known(ctx context.Context, f *flight, e *schema.Event) (bool, error) {
	if epoch, found := f.ids[e.ID]; found {
		return epoch >= e.Key.Epoch, nil
	}
	for _, other := range w.flights {
		if _, found := other.ids[e.ID]; !found {
			continue
		}
		select {
		case <-other.landed:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	if w.key == nil {
		w.key = make([]byte, 0, 2*eventKeyLength)
	}
	epoch, found, err := w.role.index.known(w.key, e.OccurredAt, e.ID)
	return found && epoch >= e.Key.Epoch, err
}

// bury puts a letter to the dead letters, however long that takes.
func (t *Timeline) bury(ctx context.Context, l Letter) error {
	err := t.retry(ctx, "write a dead letter", func() error { return t.DeadLetters.Put(ctx, l) })
	if err != nil {
		return fmt.Errorf("write the dead letter of partition %d, offset %d: %w", l.Position.Partition, l.Position.Offset, err)
	}
	t.metrics.letters.Inc()
	t.Logger.Warn("timeline: an event cannot be a row", "partition", l.Position.Partition, "offset", l.Position.Offset, "reason", l.Reason)
	return nil
}
