package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// Live is the log that still grows; *kafka.Client is one.
type Live interface {
	ClusterID(ctx context.Context) (string, error)
	Offsets(ctx context.Context, topic string) ([]kafka.Range, error)
	Fetch(ctx context.Context, topic string, partition int32, offset int64, maxBytes int, maxWait time.Duration) (kafka.Fetched, error)
}

// Record is one record with its place. Key, Value and Headers are read-only and keep the batch alive.
type Record struct {
	schema.Position
	RecordedAt schema.Instant
	Key, Value []byte
	Headers    []kafka.Header
}

// Batch is what one read returns: the records of [From, Next). Both are equal if nothing came in time.
type Batch struct {
	Partition  int32
	From, Next int64
	Records    []Record
	Last       [16]byte // archive.RecordDigest of the record at Next−1, for a Checkpoint; zero if there are no records
}

// fetchBytes is how much one fetch asks for. Larger ones stall producers of the embedded log.
const fetchBytes = 1 << 20

// Log is one generation of one topic. It is safe for concurrent use.
type Log struct {
	live       Live
	topic      string
	generation uint32
	cluster    string
	parts      []*part
}

type part struct {
	first   atomic.Int64 // the live log's first offset, as far as is known: it only grows, but for a crash of the embedded log
	archive *archive.Partition
	open    openSegments
}

// Open finds the topic's partitions and reads the archive's manifests. A nil store is a topic that is not archived.
func Open(ctx context.Context, live Live, store archive.Store, topic string, generation uint32) (*Log, error) {
	cluster, err := live.ClusterID(ctx)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", topic, err)
	}
	ranges, err := live.Offsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", topic, err)
	}
	l := &Log{live: live, topic: topic, generation: generation, cluster: cluster}
	for i, r := range ranges {
		p := &part{}
		p.first.Store(r.First)
		if store != nil {
			if p.archive, err = archive.OpenPartition(ctx, store, archive.Part{Topic: topic, Generation: generation, Partition: int32(i)}); err != nil {
				return nil, fmt.Errorf("open %s: %w", topic, err)
			}
		}
		l.parts = append(l.parts, p)
	}
	return l, nil
}

// Topic names the topic.
func (l *Log) Topic() string { return l.topic }

// Generation is the generation that is read.
func (l *Log) Generation() uint32 { return l.generation }

// Partitions is the number of partitions.
func (l *Log) Partitions() int32 { return int32(len(l.parts)) }

// Ends tells the next offset of each partition: a reader that has read up to it has read everything as of this call.
func (l *Log) Ends(ctx context.Context) ([]int64, error) {
	ranges, err := l.offsets(ctx)
	if err != nil {
		return nil, err
	}
	ends := make([]int64, len(ranges))
	for i, r := range ranges {
		ends[i] = r.Next
	}
	return ends, nil
}

// Starts tells the first offset of each partition that can be read: 0 unless the topic is not archived and was cut.
func (l *Log) Starts(ctx context.Context) ([]int64, error) {
	ranges, err := l.offsets(ctx)
	if err != nil {
		return nil, err
	}
	starts := make([]int64, len(ranges))
	for i, r := range ranges {
		starts[i] = r.First
		if a := l.parts[i].archive; a != nil {
			if err := a.Refresh(ctx); err != nil {
				return nil, err
			}
			if first, next := a.Range(); next > 0 {
				starts[i] = min(first, r.First)
			}
		}
	}
	return starts, nil
}

func (l *Log) offsets(ctx context.Context) ([]kafka.Range, error) {
	ranges, err := l.live.Offsets(ctx, l.topic)
	if err != nil {
		return nil, fmt.Errorf("read the ends of %s: %w", l.topic, err)
	}
	if len(ranges) != len(l.parts) {
		return nil, schema.Classify(schema.Fatal, fmt.Errorf("%s has %d partitions now, it had %d: a change of the partition count needs a new generation", l.topic, len(ranges), len(l.parts)))
	}
	for i, r := range ranges {
		l.parts[i].first.Store(r.First)
	}
	return ranges, nil
}

// Read returns records from offset on, as many as come in one piece. At the end of the log it waits up to wait, and then returns
// none. An offset beyond the end is fatal: somebody read records that this log does not have.
func (l *Log) Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (Batch, error) {
	p := l.parts[partition]
	for attempt := 0; ; attempt++ {
		var records []kafka.Record
		var next int64
		var err error
		if offset >= p.first.Load() {
			records, next, err = l.readLive(ctx, partition, offset, wait)
		} else {
			records, next, err = l.readArchive(ctx, partition, offset)
		}
		if err == nil {
			return l.batch(partition, offset, next, records)
		}
		// The log's start moved under us: it is known now, so the next attempt goes to the right side. More than a few times in a
		// row means that something is wrong with the log, and the caller backs off.
		if !errors.Is(err, errMoved) {
			return Batch{}, err
		}
		if attempt == 4 {
			return Batch{}, schema.Classify(schema.Transient, fmt.Errorf("read %s/%d from offset %d: %w", l.topic, partition, offset, err))
		}
	}
}

// errMoved means that the offset is on the other side of the log's start now.
var errMoved = errors.New("the log's start keeps moving")

func (l *Log) readLive(ctx context.Context, partition int32, offset int64, wait time.Duration) ([]kafka.Record, int64, error) {
	f, err := l.live.Fetch(ctx, l.topic, partition, offset, fetchBytes, wait)
	switch {
	case err == nil:
		l.parts[partition].open.release()
		return f.Records, f.Next, nil
	case !errors.Is(err, kafka.ErrOutOfRange):
		return nil, 0, err
	}
	ranges, err := l.offsets(ctx)
	if err != nil {
		return nil, 0, err
	}
	if end := ranges[partition].Next; offset > end {
		return nil, 0, schema.Classify(schema.Fatal, fmt.Errorf("%s/%d ends at offset %d, but records up to %d were read: the log lost its end, or it is another log", l.topic, partition, end, offset))
	}
	return nil, 0, errMoved
}

func (l *Log) readArchive(ctx context.Context, partition int32, offset int64) ([]kafka.Record, int64, error) {
	p := l.parts[partition]
	if p.archive == nil {
		return nil, 0, l.gap(partition, offset, p.first.Load())
	}
	e, ok := p.archive.Find(offset)
	if !ok {
		if err := p.archive.Refresh(ctx); err != nil {
			return nil, 0, err
		}
		if e, ok = p.archive.Find(offset); !ok {
			ranges, err := l.offsets(ctx)
			if err != nil {
				return nil, 0, err
			}
			if offset >= ranges[partition].First {
				return nil, 0, errMoved
			}
			return nil, 0, l.gap(partition, offset, ranges[partition].First)
		}
	}
	s, err := p.open.get(ctx, p.archive, e)
	if err != nil {
		return nil, 0, err
	}
	records, err := s.Read(offset)
	if err != nil {
		return nil, 0, schema.Classify(schema.Fatal, fmt.Errorf("read %s/%d from offset %d: archive file %s: %w", l.topic, partition, offset, e.Name(), err))
	}
	return records, offset + int64(len(records)), nil
}

func (l *Log) gap(partition int32, from, next int64) error {
	return schema.Classify(schema.Fatal, &archive.GapError{Topic: l.topic, Partition: partition, From: from, Next: next})
}

// batch checks that every offset is there, and gives the records their place.
func (l *Log) batch(partition int32, from, next int64, records []kafka.Record) (Batch, error) {
	b := Batch{Partition: partition, From: from, Next: from, Records: make([]Record, len(records))}
	for i := range records {
		r := &records[i]
		if r.Offset != b.Next {
			return Batch{}, l.gap(partition, b.Next, r.Offset)
		}
		b.Next++
		b.Records[i] = Record{
			Position:   schema.Position{Generation: l.generation, Partition: partition, Offset: r.Offset},
			RecordedAt: r.Time, Key: r.Key, Value: r.Value, Headers: r.Headers,
		}
	}
	if next != b.Next {
		return Batch{}, l.gap(partition, b.Next, next)
	}
	if n := len(records); n > 0 {
		b.Last = archive.RecordDigest(partition, &records[n-1])
	}
	return b, nil
}

// openSegments holds the segments of one partition that readers are in: two, for a role that follows and one that lags.
type openSegments struct {
	mu   sync.Mutex
	segs [2]usedSegment
}

type usedSegment struct {
	segment *archive.Segment
	at      time.Time
}

// keepOpen is how long an unused segment stays in memory.
const keepOpen = 5 * time.Second

func (o *openSegments) get(ctx context.Context, p *archive.Partition, e archive.Entry) (*archive.Segment, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	oldest := &o.segs[0]
	for i := range o.segs {
		u := &o.segs[i]
		if u.segment != nil && u.segment.Digest == e.Digest {
			u.at = now
			return u.segment, nil
		}
		if u.at.Before(oldest.at) {
			oldest = u
		}
	}
	s, err := p.Open(ctx, e)
	if err != nil {
		return nil, err
	}
	*oldest = usedSegment{s, now}
	return s, nil
}

// release forgets what nobody has read for a while; readers of the live log call it.
func (o *openSegments) release() {
	if !o.mu.TryLock() {
		return
	}
	defer o.mu.Unlock()
	for i := range o.segs {
		if o.segs[i].segment != nil && time.Since(o.segs[i].at) > keepOpen {
			o.segs[i] = usedSegment{}
		}
	}
}

// readOne returns the digest of one record.
func (l *Log) readOne(ctx context.Context, partition int32, offset int64) ([16]byte, error) {
	b, err := l.Read(ctx, partition, offset, 0)
	if err != nil {
		return [16]byte{}, err
	}
	if len(b.Records) == 0 {
		return [16]byte{}, l.gap(partition, offset, offset+1)
	}
	r := &b.Records[0]
	return archive.RecordDigest(partition, &kafka.Record{Offset: r.Offset, Time: r.RecordedAt, Key: r.Key, Value: r.Value, Headers: r.Headers}), nil
}
