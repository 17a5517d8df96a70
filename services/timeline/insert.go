package timeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/dossier-cdp/dossier/schema"
)

// maxRefusedRows is how many single rows of one batch ClickHouse may refuse while it takes none. Beyond it the fault is not in the
// rows, and burying the whole log would be wrong.
const maxRefusedRows = 64

// insertion is the insert of one batch.
type insertion struct {
	role   *Timeline
	intent Intent
	digest string // of the intent

	mu      sync.Mutex // guards what follows
	taken   int
	refused int
	buried  map[place]bool
}

// bucketInsertion is the part of an insertion that goes into one year bucket.
type bucketInsertion struct {
	*insertion
	bucket  int
	present map[place]bool // rows that are in the table; nil if none can be
	unsure  bool           // an insert may have been applied without our knowing: read present before the next one
	again   bool           // an earlier attempt may have left its token behind: believe only the rows
	torn    int            // tokens that were found without their rows
}

func (r Row) place() place { return place{r.Position.Partition, r.Position.Offset} }

// insertAll inserts rows, one block per year bucket, some blocks at the same time, and gives those that are in the table now: all but
// the ones that were refused and buried.
func (w *writer) insertAll(ctx context.Context, intent Intent, rows []Row, repeated bool) ([]Row, error) {
	in := &insertion{role: w.role, intent: intent, digest: intent.digest(), buried: map[place]bool{}}
	var present map[place]bool
	if repeated {
		err := w.role.retry(ctx, "look for rows of an earlier attempt", func() (err error) {
			present, err = in.present(ctx)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	byBucket := map[int][]Row{}
	for _, r := range rows {
		byBucket[r.bucket()] = append(byBucket[r.bucket()], r)
	}
	group, ctx2 := errgroup.WithContext(ctx)
	group.SetLimit(w.role.Inserts)
	for bucket, rows := range byBucket {
		group.Go(func() error {
			b := &bucketInsertion{insertion: in, bucket: bucket, present: present, again: repeated}
			return b.insert(ctx2, rows, intent.span())
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if len(in.buried) == 0 {
		return rows, nil
	}
	return slices.DeleteFunc(rows, func(r Row) bool { return in.buried[r.place()] }), nil
}

// insert brings the rows of a span and of one bucket into the table, however long that takes.
//
// ClickHouse notes a token before it makes the rows visible. A server that is killed in between takes the repeated insert for a
// duplicate from then on, and answers that all is well. So after a repetition the rows are looked for: by then no earlier insert of the
// token can be under way, since the server does both under one lock. If they are not there they are sent under the next token.
func (b *bucketInsertion) insert(ctx context.Context, rows []Row, part span) error {
	for attempt := 0; ; attempt++ {
		rest, err := b.try(ctx, rows, part)
		switch {
		case err == nil && b.again:
			whole, err := b.whole(ctx, rest)
			if err != nil && ctx.Err() != nil {
				return ctx.Err()
			}
			if err == nil && whole {
				b.take(len(rows))
				return nil
			}
			if err == nil {
				b.torn++
				continue
			}
			if err := b.role.wait(ctx, "look for the rows of a repeated insert", attempt, err); err != nil {
				return err
			}
			b.unsure = true
			continue
		case err == nil:
			b.take(len(rows))
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case schema.ClassOf(err) == schema.Rejected:
			return b.divide(ctx, rest, part, err)
		case schema.ClassOf(err) == schema.Fatal:
			return fmt.Errorf("insert %d rows of year bucket %d: %w", len(rows), b.bucket, err)
		}
		b.unsure, b.again = true, true
		if err := b.role.wait(ctx, "insert into the timeline", attempt, err); err != nil {
			return err
		}
	}
}

func (b *bucketInsertion) take(rows int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken += rows
}

// whole says whether all rows are in the table.
func (b *bucketInsertion) whole(ctx context.Context, rows []Row) (bool, error) {
	if len(rows) == 0 {
		return true, nil
	}
	present, err := b.insertion.present(ctx)
	if err != nil {
		return false, err
	}
	b.present = present
	return !slices.ContainsFunc(rows, func(r Row) bool { return !present[r.place()] }), nil
}

// try makes one attempt. It leaves out the rows that are there already, and gives the others.
func (b *bucketInsertion) try(ctx context.Context, rows []Row, part span) ([]Row, error) {
	t := b.role
	if b.unsure {
		present, err := b.insertion.present(ctx)
		if err != nil {
			return nil, err
		}
		b.present, b.unsure = present, false
	}
	if len(b.present) > 0 {
		rows = slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return b.present[r.place()] })
	}
	if len(rows) == 0 {
		return nil, nil
	}
	var columns *builder
	select {
	case columns = <-t.inserts:
		defer func() { t.inserts <- columns }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	limited, cancel := context.WithTimeout(ctx, t.InsertLimit)
	defer cancel()
	err := t.Table.Insert(limited, token(b.digest, b.bucket, part, b.torn), columns.block(rows))
	return rows, classed(ctx, err, schema.Rejected)
}

// present looks for rows of the intent's ranges.
func (in *insertion) present(ctx context.Context) (map[place]bool, error) {
	limited, cancel := context.WithTimeout(ctx, in.role.InsertLimit)
	defer cancel()
	present := map[place]bool{}
	err := in.role.Table.Present(limited, in.intent.Ranges, func(partition int32, offset int64) { present[place{partition, offset}] = true })
	if err != nil {
		return nil, classed(ctx, fmt.Errorf("look for rows of an earlier attempt: %w", err), schema.Fatal)
	}
	return present, nil
}

// classed takes the end of our own time limit, and not that of ctx, as transient: the server may be slow. What was rejected is of the
// class that is given, since only an insert says anything about its rows.
func classed(ctx context.Context, err error, rejected schema.ErrorClass) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		return schema.Classify(schema.Transient, err)
	case schema.ClassOf(err) == schema.Rejected && rejected != schema.Rejected:
		return &schema.Classed{Class: rejected, Err: errors.New(err.Error())}
	}
	return err
}

// divide finds the rows that ClickHouse refuses by halving the span, and buries them. The halves depend on the intent alone, so a
// repetition uses the same tokens.
func (b *bucketInsertion) divide(ctx context.Context, rows []Row, part span, cause error) error {
	if len(rows) == 1 {
		r := rows[0]
		b.mu.Lock()
		b.refused++
		all := b.refused > maxRefusedRows && b.taken == 0
		b.mu.Unlock()
		if all {
			return schema.Classify(schema.Fatal, fmt.Errorf("the table refuses every row, the fault is not theirs: %w", cause))
		}
		if err := b.role.bury(ctx, Letter{Position: r.Position, RecordedAt: r.RecordedAt, Event: r.Event, Reason: cause}); err != nil {
			return err
		}
		b.mu.Lock()
		b.buried[r.place()] = true
		b.mu.Unlock()
		return nil
	}
	first, second := b.intent.halve(part)
	middle, _ := slices.BinarySearchFunc(rows, second.from, func(r Row, p place) int { return r.place().compare(p) })
	for _, half := range []struct {
		rows []Row
		part span
	}{{rows[:middle], first}, {rows[middle:], second}} {
		if len(half.rows) == 0 {
			continue
		}
		if err := b.insert(ctx, half.rows, half.part); err != nil {
			return err
		}
	}
	return nil
}
