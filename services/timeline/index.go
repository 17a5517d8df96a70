package timeline

import (
	"context"
	"encoding/binary"
	"encoding/hex"
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
//	'i' partition(4, big endian)                             →  intent (see appendIntent)        the last intent of a partition
//	'n'                                                      →  incarnation(8) table identity    set last, when the index is complete
//	offsets of the topic                                     →  package state
//
// An event's key begins with its time, so that what is written together lies together: live events touch the newest blocks alone.
var (
	prefixEvent     = []byte{'e'}
	prefixIntent    = []byte{'i'}
	keyIncarnation  = []byte{'n'}
	errDamagedIndex = schema.Classify(schema.Fatal, errors.New("damaged timeline index: delete its folder, it is rebuilt at the next start"))
)

const eventKeyLength = 1 + 8 + 16

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

// Incarnation tells one life of an index from the next, so that no deduplication token of a lost index is ever used again.
type Incarnation [8]byte

func (i Incarnation) String() string { return hex.EncodeToString(i[:]) }

// Intent says which range of the log is about to be inserted. It is open while the partition's offset is still From.
type Intent struct {
	Incarnation Incarnation
	Generation  uint32
	Partition   int32
	From, To    int64 // [From, To)
}

// token names one insert: a part of an intent's range and one year bucket. It depends on nothing that may differ when the insert is
// repeated.
func (i Intent) token(bucket int, from, to int64) string {
	return fmt.Sprintf("%s/%s/g%d/p%d/%d-%d/y%d/%d-%d", schema.TableEvents, i.Incarnation, i.Generation, i.Partition, i.From, i.To, bucket, from, to)
}

// Intents keeps intents. With one process the state store does; with standby owners, the coordination topic.
type Intents interface {
	// Declare returns when the intent is durable. It replaces the partition's last one.
	Declare(ctx context.Context, i Intent) error
	// Last gives the partition's last intent, if there ever was one.
	Last(ctx context.Context, partition int32) (Intent, bool, error)
}

// storedIntents keeps the intents beside the index.
type storedIntents struct{ store *state.Store }

func intentKey(partition int32) []byte {
	return binary.BigEndian.AppendUint32(prefixIntent[:1:1], uint32(partition))
}

// appendIntent writes incarnation(8) generation(4) from(8) to(8), big endian.
func appendIntent(dst []byte, i Intent) []byte {
	dst = append(dst, i.Incarnation[:]...)
	dst = binary.BigEndian.AppendUint32(dst, i.Generation)
	dst = binary.BigEndian.AppendUint64(dst, uint64(i.From))
	return binary.BigEndian.AppendUint64(dst, uint64(i.To))
}

func (s storedIntents) Declare(_ context.Context, i Intent) error {
	b := s.store.NewBatch()
	if err := b.Set(intentKey(i.Partition), appendIntent(nil, i)); err != nil {
		return errors.Join(err, b.Discard())
	}
	return b.CommitDurable()
}

func (s storedIntents) Last(_ context.Context, partition int32) (Intent, bool, error) {
	v, found, err := s.store.Get(nil, intentKey(partition))
	if err != nil || !found {
		return Intent{}, false, err
	}
	if len(v) != 28 {
		return Intent{}, false, errDamagedIndex
	}
	i := Intent{Partition: partition, Generation: binary.BigEndian.Uint32(v[8:]), From: int64(binary.BigEndian.Uint64(v[12:])), To: int64(binary.BigEndian.Uint64(v[20:]))}
	copy(i.Incarnation[:], v)
	return i, true, nil
}

// index knows which events are in the table and how far each partition is written.
type index struct {
	store       *state.Store
	topic       string
	generation  uint32
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

// mark notes in one commit that rows are in the table and that the partition is written up to next, with the checkpoint of the log
// there, if it is known. The commit need not be durable:
// if it is lost, the intent before it, which is durable, is open again.
func (x *index) mark(partition int32, rows []Row, next int64, checkpoint []byte) error {
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
	if err := b.SetOffset(x.topic, partition, state.Offset{Generation: x.generation, Next: next, Mark: checkpoint}); err != nil {
		return errors.Join(err, b.Discard())
	}
	return b.Commit()
}

// fill reads all ids of the store into the filter. Ids that are marked meanwhile are added by mark.
func (x *index) fill(ctx context.Context) error {
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

// next gives the offset from which a partition is to be read, and the checkpoint that was noted with it.
func (x *index) next(partition int32) (next int64, checkpoint []byte, err error) {
	offsets, err := state.Offsets(x.store, x.topic)
	if err != nil {
		return 0, nil, err
	}
	if o, ok := offsets[partition]; ok && o.Generation == x.generation {
		return o.Next, o.Mark, nil
	}
	return 0, nil, nil
}

// open reads the incarnation; found is false if the index was never completed, or is of another table: one that was lost, say.
func (x *index) open(table string) (found bool, err error) {
	v, found, err := x.store.Get(nil, keyIncarnation)
	if err != nil || !found {
		return false, err
	}
	if len(v) < len(x.incarnation) {
		return false, errDamagedIndex
	}
	copy(x.incarnation[:], v)
	return string(v[len(x.incarnation):]) == table, nil
}

// rebuildBatch is how many rows of the table one commit of a rebuild takes.
const rebuildBatch = 10_000

// rebuild fills the index from the table: every row's id and time, and for each partition of this generation where to read on. The
// incarnation comes last, so a rebuild that was cut off starts again. What an index of another table left goes first.
func (x *index) rebuild(ctx context.Context, table Table, identity string, random io.Reader, progress func(rows int64)) error {
	left, err := state.Offsets(x.store, x.topic)
	if err != nil {
		return err
	}
	b := x.store.NewBatch()
	if err := errors.Join(b.Delete(keyIncarnation), b.DeleteRange(prefixEvent, state.After(prefixEvent)), b.DeleteRange(prefixIntent, state.After(prefixIntent))); err != nil {
		return errors.Join(err, b.Discard())
	}
	for partition := range left {
		if err := b.SetOffset(x.topic, partition, state.Offset{Generation: x.generation}); err != nil {
			return errors.Join(err, b.Discard())
		}
	}
	newest := map[int32]int64{}
	var rows int64
	var key [eventKeyLength]byte
	err = table.Index(ctx, func(e Indexed) error {
		if err := b.Set(appendEventKey(key[:0], e.OccurredAt, e.ID), appendEpoch(nil, e.Epoch)); err != nil {
			return err
		}
		if e.Position.Generation == x.generation {
			newest[e.Position.Partition] = max(newest[e.Position.Partition], e.Position.Offset)
		}
		if rows++; rows%rebuildBatch == 0 {
			full := b
			b = x.store.NewBatch()
			if err := full.Commit(); err != nil {
				return err
			}
			progress(rows)
		}
		return nil
	})
	if err != nil {
		return errors.Join(fmt.Errorf("read the ids of table %s: %w", schema.TableEvents, err), b.Discard())
	}
	for partition, offset := range newest {
		// The newest rows may belong to an insert whose other year buckets never came.
		if err := b.SetOffset(x.topic, partition, state.Offset{Generation: x.generation, Next: max(0, offset+1-MaxBatchRecords)}); err != nil {
			return errors.Join(err, b.Discard())
		}
	}
	if _, err := io.ReadFull(random, x.incarnation[:]); err != nil {
		return errors.Join(fmt.Errorf("choose an incarnation: %w", err), b.Discard())
	}
	if err := b.Set(keyIncarnation, append(x.incarnation[:len(x.incarnation):len(x.incarnation)], identity...)); err != nil {
		return errors.Join(err, b.Discard())
	}
	progress(rows)
	return b.CommitDurable()
}
