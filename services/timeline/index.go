package timeline

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// Stored form, in the role's state store:
//
//	'e' occurred_at(8, big endian, sign bit flipped) id(16)  →  epoch (uvarint; nothing for 0)   an event whose row is in the table
//	'b'                                                      →  intents (see appendIntents)      the last that were open
//	'N'                                                      →  version(1) = 2 incarnation(8) table identity    set last, when the index is complete
//	offsets of the topic                                     →  package state
//
// An event's key begins with its time, so that what is written together lies together: live events touch the newest blocks alone.
//
// Version 1 had an intent for each partition ('i' partition(4, big endian)) and 'n' → incarnation(8) table identity; see upgrade. A
// release of version 1 does not find 'n' in an index of version 2 and rebuilds it.
var (
	prefixEvent     = []byte{'e'}
	keyIntents      = []byte{'b'}
	keyIncarnation  = []byte{'N'}
	prefixIntent1   = []byte{'i'}
	keyIncarnation1 = []byte{'n'}
	errDamagedIndex = schema.Classify(schema.Fatal, errors.New("damaged timeline index: delete its folder, it is rebuilt at the next start"))
	errLaterIndex   = schema.Classify(schema.Fatal, errors.New("the timeline index is of a later release: start that one, or delete its folder, it is rebuilt"))
)

const (
	indexVersion   = 2
	eventKeyLength = 1 + 8 + 16
)

func appendEventKey(dst []byte, at schema.Instant, id schema.EventID) []byte {
	dst = append(dst, prefixEvent...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(at)^1<<63)
	return append(dst, id[:]...)
}

func appendEpoch(dst []byte, epoch uint32) []byte {
	if epoch == 0 {
		return dst
	}
	return binary.AppendUvarint(dst, uint64(epoch))
}

func readEpoch(value []byte) (uint32, error) {
	if len(value) == 0 {
		return 0, nil
	}
	epoch, n := binary.Uvarint(value)
	if n != len(value) || epoch > 1<<32-1 {
		return 0, errDamagedIndex
	}
	return uint32(epoch), nil
}

// index knows which events are in the table and how far each partition is written.
type index struct {
	store       *state.Store
	topic       string
	generation  uint32 // noted with offsets, which count on over generations
	incarnation Incarnation
	filter      *filter
	filtered    atomic.Bool // the filter has every id of the store
}

// known says under which epoch an event is in the table. scratch is for the key and may be nil.
func (x *index) known(scratch []byte, at schema.Instant, id schema.EventID) (epoch uint32, found bool, err error) {
	if x.filtered.Load() && !x.filter.may(id) {
		return 0, false, nil
	}
	key := appendEventKey(scratch[:0], at, id)
	value, found, err := x.store.Get(key, key)
	if err != nil || !found {
		return 0, false, err
	}
	epoch, err = readEpoch(value[len(key):])
	return epoch, true, err
}

// mark notes in one commit that the rows of a batch are in the table and that its partitions are written up to its end. The commit
// need not be durable: if it is lost, the intent before it, which is durable, is open again.
func (x *index) mark(rows []Row, taken *batch) error {
	b := x.store.NewBatch()
	var key [eventKeyLength]byte
	var value [8]byte
	for _, r := range rows {
		e := r.Event
		if err := b.Set(appendEventKey(key[:0], e.OccurredAt, e.ID), appendEpoch(value[:0], e.Key.Epoch)); err != nil {
			return errors.Join(err, b.Discard())
		}
		x.filter.add(e.ID)
	}
	for p, r := range taken.ranges {
		if r.From == r.To {
			continue
		}
		if err := b.SetOffset(x.topic, r.Partition, state.Offset{Generation: x.generation, Next: r.To, Mark: taken.marks[p]}); err != nil {
			return errors.Join(err, b.Discard())
		}
	}
	return b.Commit()
}

// forget takes ids out, durably, but not where a copy under another epoch stands for the event by now. Nothing may be marked meanwhile.
func (x *index) forget(rows []Indexed) error {
	b := x.store.NewBatch()
	var key [eventKeyLength]byte
	for _, row := range rows {
		epoch, found, err := x.known(nil, row.OccurredAt, row.ID)
		if err == nil && found && epoch == row.Epoch {
			err = b.Delete(appendEventKey(key[:0], row.OccurredAt, row.ID))
		}
		if err != nil {
			return errors.Join(err, b.Discard())
		}
	}
	return b.CommitDurable()
}

// fill reads all ids of the store into the filter. Ids that are marked meanwhile are added by mark.
func (x *index) fill(ctx context.Context) error {
	if x.filtered.Load() {
		return nil
	}
	n := 0
	err := x.store.Scan(prefixEvent, state.After(prefixEvent), func(key, _ []byte) error {
		if len(key) != eventKeyLength {
			return errDamagedIndex
		}
		x.filter.add(schema.EventID(key[9:]))
		if n++; n%10_000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the ids of the index: %w", err)
	}
	x.filtered.Store(true)
	return nil
}

// next gives the offset from which each partition is to be read, and the checkpoints that were noted with them. Offsets count on over
// the generations of the log, so one of an earlier generation holds.
func (x *index) next(partitions int32) (next []int64, checkpoints [][]byte, err error) {
	offsets, err := state.Offsets(x.store, x.topic)
	if err != nil {
		return nil, nil, err
	}
	for p := range partitions {
		next = append(next, offsets[p].Next)
		checkpoints = append(checkpoints, offsets[p].Mark)
	}
	return next, checkpoints, nil
}

// open reads the incarnation; found is false if the index was never completed, or is of another table: one that was lost, say.
func (x *index) open(table string) (found bool, err error) {
	if err := x.upgrade(); err != nil {
		return false, err
	}
	v, found, err := x.store.Get(nil, keyIncarnation)
	switch {
	case err != nil || !found:
		return false, err
	case len(v) < 1+len(x.incarnation):
		return false, errDamagedIndex
	case v[0] != indexVersion:
		return false, errLaterIndex
	}
	copy(x.incarnation[:], v[1:])
	return string(v[1+len(x.incarnation):]) == table, nil
}

func incarnationValue(i Incarnation, table string) []byte {
	return append(append([]byte{indexVersion}, i[:]...), table...)
}

// upgrade makes an index of version 1 one of version 2, if there is one: the intents that are open become one.
func (x *index) upgrade() error {
	old, found, err := x.store.Get(nil, keyIncarnation1)
	if err != nil || !found {
		return err
	}
	if len(old) < len(x.incarnation) {
		return errDamagedIndex
	}
	offsets, err := state.Offsets(x.store, x.topic)
	if err != nil {
		return err
	}
	intent := Intent{Incarnation: Incarnation(old[:8]), Table: string(old[8:])}
	for p := range offsets {
		for len(intent.Ranges) <= int(p) {
			intent.Ranges = append(intent.Ranges, Range{Partition: int32(len(intent.Ranges))})
		}
	}
	open := map[int32]Range{}
	err = x.store.Scan(prefixIntent1, state.After(prefixIntent1), func(key, value []byte) error {
		if len(key) != 5 || len(value) != 28 {
			return errDamagedIndex
		}
		r := Range{int32(binary.BigEndian.Uint32(key[1:])), int64(binary.BigEndian.Uint64(value[12:])), int64(binary.BigEndian.Uint64(value[20:]))}
		open[r.Partition] = r
		for len(intent.Ranges) <= int(r.Partition) {
			intent.Ranges = append(intent.Ranges, Range{Partition: int32(len(intent.Ranges))})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for p := range intent.Ranges {
		r := &intent.Ranges[p]
		r.From = offsets[r.Partition].Next
		if r.To = r.From; open[r.Partition].From == r.From {
			r.To = max(r.To, open[r.Partition].To)
		}
	}
	b := x.store.NewBatch()
	err = errors.Join(b.Delete(keyIncarnation1), b.DeleteRange(prefixIntent1, state.After(prefixIntent1)),
		b.Set(keyIncarnation, incarnationValue(intent.Incarnation, intent.Table)))
	if len(intent.Ranges) > 0 {
		err = errors.Join(err, b.Set(keyIntents, appendIntents(nil, []Intent{intent})))
	}
	if err != nil {
		return errors.Join(err, b.Discard())
	}
	return b.CommitDurable()
}

// rebuildBatch is how many rows of the table one commit of a rebuild takes.
const rebuildBatch = 10_000

// rebuild fills the index from the table: every row's id and time, and for each partition where to read on. The incarnation comes
// last, so a rebuild that was cut off starts again. What an index of another table left goes first.
func (x *index) rebuild(ctx context.Context, table Table, identity string, random io.Reader, progress func(rows int64)) error {
	left, err := state.Offsets(x.store, x.topic)
	if err != nil {
		return err
	}
	b := x.store.NewBatch()
	if err := errors.Join(b.Delete(keyIncarnation), b.DeleteRange(prefixEvent, state.After(prefixEvent)), b.Delete(keyIntents)); err != nil {
		return errors.Join(err, b.Discard())
	}
	for partition := range left {
		if err := b.SetOffset(x.topic, partition, state.Offset{Generation: x.generation}); err != nil {
			return errors.Join(err, b.Discard())
		}
	}
	if err := b.Commit(); err != nil {
		return err
	}
	newest, rows, err := x.take(ctx, func(yield func(Indexed) error) error { return table.Index(ctx, yield) }, progress)
	if err != nil {
		return err
	}
	b = x.store.NewBatch()
	for partition, offset := range newest {
		// The newest rows may belong to an insert whose other year buckets never came.
		if err := b.SetOffset(x.topic, partition, state.Offset{Generation: x.generation, Next: max(0, offset+1-MaxBatchRecords)}); err != nil {
			return errors.Join(err, b.Discard())
		}
	}
	if _, err := io.ReadFull(random, x.incarnation[:]); err != nil {
		return errors.Join(fmt.Errorf("choose an incarnation: %w", err), b.Discard())
	}
	if err := b.Set(keyIncarnation, incarnationValue(x.incarnation, identity)); err != nil {
		return errors.Join(err, b.Discard())
	}
	progress(rows)
	if err := b.CommitDurable(); err != nil {
		return err
	}
	x.filtered.Store(true)
	return nil
}

// take puts rows of the table into the index, and gives the newest offset of each partition among them.
func (x *index) take(ctx context.Context, rows func(yield func(Indexed) error) error, progress func(rows int64)) (newest map[int32]int64, n int64, err error) {
	newest = map[int32]int64{}
	b := x.store.NewBatch()
	var key [eventKeyLength]byte
	err = rows(func(e Indexed) error {
		if err := b.Set(appendEventKey(key[:0], e.OccurredAt, e.ID), appendEpoch(nil, e.Epoch)); err != nil {
			return err
		}
		x.filter.add(e.ID)
		newest[e.Position.Partition] = max(newest[e.Position.Partition], e.Position.Offset)
		if n++; n%rebuildBatch == 0 {
			full := b
			b = x.store.NewBatch()
			if err := full.Commit(); err != nil {
				return err
			}
			progress(n)
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("read the ids of table %s: %w", schema.TableEvents, err), b.Discard())
	}
	return newest, n, b.Commit()
}

// catchUp takes the rows that others have written from next on, up to an intent of theirs, before which all is written.
func (x *index) catchUp(ctx context.Context, table Table, next []int64, i Intent) (rows int64, err error) {
	_, rows, err = x.take(ctx, func(yield func(Indexed) error) error { return table.Since(ctx, next, yield) }, func(int64) {})
	if err != nil {
		return 0, err
	}
	b := x.store.NewBatch()
	for _, r := range i.Ranges {
		if int(r.Partition) >= len(next) || next[r.Partition] >= r.From {
			continue
		}
		if err := b.SetOffset(x.topic, r.Partition, state.Offset{Generation: x.generation, Next: r.From}); err != nil {
			return 0, errors.Join(err, b.Discard())
		}
	}
	return rows, b.Commit()
}
