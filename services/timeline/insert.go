package timeline

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// maxRefusedRows is how many single rows of one batch ClickHouse may refuse while it takes none. Beyond it the fault is not in the
// rows, and burying the whole log would be wrong.
const maxRefusedRows = 64

// insertion is the insert of one batch.
type insertion struct {
	*partition
	intent   Intent
	present  map[int64]bool // offsets whose rows are in the table; nil if none can be
	unsure   bool           // an insert may have been applied without our knowing: read present before the next one
	taken    int
	refused  int
	buried   map[int64]bool
	bucketOf int
}

// insertAll inserts rows, one block per year bucket, and gives those that are in the table now: all but the ones that were refused
// and buried.
func (p *partition) insertAll(ctx context.Context, intent Intent, rows []Row, repeated bool) ([]Row, error) {
	in := &insertion{partition: p, intent: intent, unsure: repeated}
	byBucket := map[int][]Row{}
	for _, r := range rows {
		byBucket[r.bucket()] = append(byBucket[r.bucket()], r)
	}
	buckets := make([]int, 0, len(byBucket))
	for bucket := range byBucket {
		buckets = append(buckets, bucket)
	}
	slices.Sort(buckets)
	for _, bucket := range buckets {
		in.bucketOf = bucket
		if err := in.insert(ctx, byBucket[bucket], intent.From, intent.To); err != nil {
			return nil, err
		}
	}
	if len(in.buried) == 0 {
		return rows, nil
	}
	return slices.DeleteFunc(rows, func(r Row) bool { return in.buried[r.Position.Offset] }), nil
}

// insert brings the rows of [from, to) and of one bucket into the table, however long that takes.
func (in *insertion) insert(ctx context.Context, rows []Row, from, to int64) error {
	for attempt := 0; ; attempt++ {
		rest, err := in.try(ctx, rows, from, to)
		switch {
		case err == nil:
			in.taken += len(rows)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case schema.ClassOf(err) == schema.Rejected:
			return in.divide(ctx, rest, from, to, err)
		case schema.ClassOf(err) == schema.Fatal:
			return fmt.Errorf("insert %d rows of year bucket %d: %w", len(rows), in.bucketOf, err)
		}
		in.unsure = true
		if err := in.role.wait(ctx, "insert into the timeline", attempt, err); err != nil {
			return err
		}
	}
}

// try makes one attempt. It leaves out the rows that are there already, and gives the others.
func (in *insertion) try(ctx context.Context, rows []Row, from, to int64) ([]Row, error) {
	t := in.role
	var columns *builder
	select {
	case columns = <-t.inserts:
		defer func() { columns.reset(); t.inserts <- columns }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	limited, cancel := context.WithTimeout(ctx, t.InsertLimit)
	defer cancel()
	if in.unsure {
		present, err := t.Table.Present(limited, in.intent.Generation, in.intent.Partition, in.intent.From, in.intent.To)
		if err != nil {
			return nil, in.classed(ctx, fmt.Errorf("look for rows of an earlier attempt: %w", err), schema.Fatal)
		}
		in.present, in.unsure = present, false
	}
	if len(in.present) > 0 {
		rows = slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return in.present[r.Position.Offset] })
	}
	if len(rows) == 0 {
		return nil, nil
	}
	err := t.Table.Insert(limited, in.intent.token(in.bucketOf, from, to), columns.block(rows))
	return rows, in.classed(ctx, err, schema.Rejected)
}

// classed takes the end of our own time limit, and not that of ctx, as transient: the server may be slow. What was rejected is of the
// class that is given, since only an insert says anything about its rows.
func (in *insertion) classed(ctx context.Context, err error, rejected schema.ErrorClass) error {
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

// divide finds the rows that ClickHouse refuses by halving the range, and buries them. The halves depend on the range alone, so a
// repetition uses the same tokens.
func (in *insertion) divide(ctx context.Context, rows []Row, from, to int64, cause error) error {
	if len(rows) == 1 {
		if in.refused++; in.refused > maxRefusedRows && in.taken == 0 {
			return schema.Classify(schema.Fatal, fmt.Errorf("the table refuses every row, the fault is not theirs: %w", cause))
		}
		r := rows[0]
		if err := in.bury(ctx, Letter{Position: r.Position, RecordedAt: r.RecordedAt, Event: r.Event, Reason: cause}); err != nil {
			return err
		}
		if in.buried == nil {
			in.buried = map[int64]bool{}
		}
		in.buried[r.Position.Offset] = true
		return nil
	}
	middle := from + (to-from)/2
	first := slices.IndexFunc(rows, func(r Row) bool { return r.Position.Offset >= middle })
	if first < 0 {
		first = len(rows)
	}
	for _, half := range []struct {
		rows     []Row
		from, to int64
	}{{rows[:first], from, middle}, {rows[first:], middle, to}} {
		if len(half.rows) == 0 {
			continue
		}
		if err := in.insert(ctx, half.rows, half.from, half.to); err != nil {
			return err
		}
	}
	return nil
}
