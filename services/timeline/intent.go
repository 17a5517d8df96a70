package timeline

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// Incarnation tells one life of an index from the next, so that no deduplication token of a lost index is ever used again.
type Incarnation [8]byte

func (i Incarnation) String() string { return hex.EncodeToString(i[:]) }

// Range is what a batch takes of one partition: [From, To).
type Range struct {
	Partition int32
	From, To  int64
}

// Intent says which ranges of the log are about to be inserted at once. It names every partition, ascending; where it takes nothing,
// From is To. It is open until all partitions are written up to To.
type Intent struct {
	Incarnation Incarnation
	Table       string // identity of the table: of another one the intent says nothing
	Ranges      []Range
}

// Stored form of the intents that are open, in the state store and in the coordination topic: for each its length (uvarint) and
//
//	version(1) = 2, incarnation(8), table (uvarint length, bytes), then for each partition from 0 on: from (uvarint), to − from (uvarint)
const intentVersion = 2

func appendIntent(dst []byte, i Intent) []byte {
	dst = append(dst, intentVersion)
	dst = append(dst, i.Incarnation[:]...)
	dst = binary.AppendUvarint(dst, uint64(len(i.Table)))
	dst = append(dst, i.Table...)
	for _, r := range i.Ranges {
		dst = binary.AppendUvarint(dst, uint64(r.From))
		dst = binary.AppendUvarint(dst, uint64(r.To-r.From))
	}
	return dst
}

var errIntent = schema.Classify(schema.Fatal, errors.New("a batch intent cannot be read: it is damaged, or of a later release; start that one"))

func readIntent(b []byte) (i Intent, err error) {
	if len(b) < 1+len(i.Incarnation) || b[0] != intentVersion {
		return Intent{}, errIntent
	}
	b = b[1+copy(i.Incarnation[:], b[1:]):]
	length, n := binary.Uvarint(b)
	if n <= 0 || length > uint64(len(b)-n) {
		return Intent{}, errIntent
	}
	i.Table = string(b[n : n+int(length)])
	for b = b[n+int(length):]; len(b) > 0; {
		from, n := binary.Uvarint(b)
		if n <= 0 {
			return Intent{}, errIntent
		}
		b = b[n:]
		length, n := binary.Uvarint(b)
		if n <= 0 || from > 1<<62 || length > 1<<31 {
			return Intent{}, errIntent
		}
		b = b[n:]
		i.Ranges = append(i.Ranges, Range{int32(len(i.Ranges)), int64(from), int64(from + length)})
	}
	return i, nil
}

func appendIntents(dst []byte, open []Intent) []byte {
	for _, i := range open {
		encoded := appendIntent(nil, i)
		dst = binary.AppendUvarint(dst, uint64(len(encoded)))
		dst = append(dst, encoded...)
	}
	return dst
}

func readIntents(b []byte) (open []Intent, err error) {
	for len(b) > 0 {
		length, n := binary.Uvarint(b)
		if n <= 0 || length > uint64(len(b)-n) {
			return nil, errIntent
		}
		i, err := readIntent(b[n : n+int(length)])
		if err != nil {
			return nil, err
		}
		open, b = append(open, i), b[n+int(length):]
	}
	return open, nil
}

// digest names the intent in its tokens.
func (i Intent) digest() string {
	sum := sha256.Sum256(appendIntent(nil, i))
	return hex.EncodeToString(sum[:16])
}

// token names one insert: the rows of one year bucket in a part of an intent's ranges. It depends on nothing that may differ when the
// insert is repeated, whoever repeats it, but on how many tokens before it were found without their rows.
func token(digest string, bucket int, part span, torn int) string {
	name := fmt.Sprintf("%s/%s/y%d/p%d@%d-p%d@%d", schema.TableEvents, digest, bucket, part.from.partition, part.from.offset, part.to.partition, part.to.offset)
	if torn > 0 {
		name += fmt.Sprintf("/t%d", torn)
	}
	return name
}

// place is a place in the log, in the order (partition, offset).
type place struct {
	partition int32
	offset    int64
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.partition, q.partition), cmp.Compare(p.offset, q.offset))
}

// span is the part [from, to) of an intent's ranges.
type span struct{ from, to place }

func (i Intent) span() span {
	last := i.Ranges[len(i.Ranges)-1]
	return span{place{0, i.Ranges[0].From}, place{last.Partition, last.To}}
}

// halve cuts a span that has more than one place in two that are about equal. It depends on the intent and the span alone.
func (i Intent) halve(s span) (span, span) {
	within := func(r Range) (from, to int64) {
		from, to = r.From, r.To
		if r.Partition < s.from.partition || r.Partition > s.to.partition {
			return from, from
		}
		if r.Partition == s.from.partition {
			from = s.from.offset
		}
		if r.Partition == s.to.partition {
			to = s.to.offset
		}
		return from, to
	}
	var places int64
	for _, r := range i.Ranges {
		from, to := within(r)
		places += to - from
	}
	left := places / 2
	for _, r := range i.Ranges {
		from, to := within(r)
		if left < to-from {
			middle := place{r.Partition, from + left}
			return span{s.from, middle}, span{middle, s.to}
		}
		left -= to - from
	}
	return s, span{s.to, s.to}
}

// Intents keeps what is open. Where one process writes the timeline for ever, its state store does; where several may, the coordination
// topic, under the epoch of the writer's lease.
type Intents interface {
	// Declare returns when the intents, oldest first, are durable. All before the first of them is written. They replace the last ones.
	Declare(ctx context.Context, open []Intent) error
	// Last gives the last declaration, of this writer or a former one; none if there never was any.
	Last(ctx context.Context) (open []Intent, err error)
}

// storedIntents keeps the intents beside the index.
type storedIntents struct{ store *state.Store }

func (s storedIntents) Declare(_ context.Context, open []Intent) error {
	b := s.store.NewBatch()
	if err := b.Set(keyIntents, appendIntents(nil, open)); err != nil {
		return errors.Join(err, b.Discard())
	}
	return b.CommitDurable()
}

func (s storedIntents) Last(context.Context) ([]Intent, error) {
	v, found, err := s.store.Get(nil, keyIntents)
	if err != nil || !found {
		return nil, err
	}
	return readIntents(v)
}

// Notes is what the owner of a lease tells the next one. *coordination.Lease is one.
type Notes interface {
	// Note returns when the note is durable and counts: the lease is still held, and whoever holds it next will read the note.
	Note(ctx context.Context, key string, value []byte) error
	// Noted gives the last note, of this owner or a former one.
	Noted(key string) (value []byte, found bool)
}

// NoteKey is the key of the intents among the notes of the timeline's lease.
const NoteKey = "intents"

// LeasedIntents keeps the intents in the notes of a lease.
func LeasedIntents(n Notes) Intents { return leasedIntents{n} }

type leasedIntents struct{ notes Notes }

func (l leasedIntents) Declare(ctx context.Context, open []Intent) error {
	return l.notes.Note(ctx, NoteKey, appendIntents(nil, open))
}

func (l leasedIntents) Last(context.Context) ([]Intent, error) {
	v, found := l.notes.Noted(NoteKey)
	if !found {
		return nil, nil
	}
	return readIntents(v)
}

// open says whether something of the intent may not be written, given how far each partition is.
func (i Intent) open(next []int64) bool {
	return slices.ContainsFunc(i.Ranges, func(r Range) bool { return int(r.Partition) < len(next) && next[r.Partition] < r.To })
}

// behind says whether somebody else has written what comes before the intent.
func (i Intent) behind(next []int64) bool {
	return slices.ContainsFunc(i.Ranges, func(r Range) bool { return int(r.Partition) < len(next) && next[r.Partition] < r.From })
}
