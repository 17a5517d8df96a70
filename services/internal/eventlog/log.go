package eventlog

import (
	"context"
	"errors"
	"fmt"
	"math"
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

// Log is one topic through all its generations. It is safe for concurrent use.
//
// Offsets count on: a partition's record has as its offset the number of records before it in that partition, over all
// generations. So a position says in which generation a record was written, but partition and offset alone name it, and a reader
// that follows a partition passes from one generation to the next without noticing. A partition that the current generation does
// not have any more has an end for ever.
type Log struct {
	live    Live
	topic   string
	current Generation
	cluster string
	parts   []*partition
}

// Generation is a topic of the log between two changes of the partition count, or up to a restore.
type Generation struct {
	Number uint32
	Live   string  // the topic's name in the log; empty if it is in the archive alone
	Ends   []int64 // how many records each partition has; nil while it is the one that is written
}

// partition is a partition's stretches, one for each generation that has it, ascending.
type partition struct{ stretches []*stretch }

// stretch is the part of a partition that one generation holds: offsets [from, to) of the sequence.
type stretch struct {
	generation uint32
	live       string
	partition  int32
	from, to   int64
	first      atomic.Int64 // the live log's first offset of its own, as far as is known: it only grows, but for a crash of the embedded log
	archive    *archive.Partition
	open       openSegments
}

const noEnd = math.MaxInt64

// Open finds the topic's partitions and reads the archive's manifests. A nil store is a topic that is not archived.
func Open(ctx context.Context, live Live, store archive.Store, topic string, generation uint32) (*Log, error) {
	return OpenGenerations(ctx, live, store, topic, []Generation{{Number: generation, Live: topic}})
}

// OpenGenerations is Open for a topic of several generations, ascending, of which the last is the one that is written.
func OpenGenerations(ctx context.Context, live Live, store archive.Store, topic string, generations []Generation) (*Log, error) {
	cluster, err := live.ClusterID(ctx)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", topic, err)
	}
	l := &Log{live: live, topic: topic, current: generations[len(generations)-1], cluster: cluster}
	for _, g := range generations {
		if err := l.add(ctx, store, g); err != nil {
			return nil, fmt.Errorf("open %s: %w", topic, err)
		}
	}
	return l, nil
}

// add appends a generation's stretches.
func (l *Log) add(ctx context.Context, store archive.Store, g Generation) error {
	ranges := make([]kafka.Range, len(g.Ends)) // of a generation in the archive alone: nothing is live
	for i, end := range g.Ends {
		ranges[i] = kafka.Range{First: end, Next: end}
	}
	if g.Live != "" {
		var err error
		if ranges, err = l.live.Offsets(ctx, g.Live); err != nil {
			return err
		}
	}
	if g.Ends != nil && len(g.Ends) != len(ranges) {
		return schema.Classify(schema.Fatal, fmt.Errorf("generation %d has %d partitions, it was closed with %d: it is another log", g.Number, len(ranges), len(g.Ends)))
	}
	for i, r := range ranges {
		if i == len(l.parts) {
			l.parts = append(l.parts, &partition{})
		}
		p := l.parts[i]
		s := &stretch{generation: g.Number, live: g.Live, partition: int32(i), from: p.end(), to: noEnd}
		if g.Ends != nil {
			if r.Next < g.Ends[i] {
				return schema.Classify(schema.Fatal, fmt.Errorf("generation %d, partition %d ends at %d, it was closed at %d: the log lost its end, or it is another log", g.Number, i, r.Next, g.Ends[i]))
			}
			s.to = s.from + g.Ends[i]
		}
		s.first.Store(r.First)
		if store != nil {
			var err error
			if s.archive, err = archive.OpenPartition(ctx, store, archive.Part{Topic: l.topic, Generation: g.Number, Partition: int32(i)}); err != nil {
				return err
			}
		}
		p.stretches = append(p.stretches, s)
	}
	return nil
}

// end is where the partition ends, noEnd if it is still written.
func (p *partition) end() int64 {
	if n := len(p.stretches); n > 0 {
		return p.stretches[n-1].to
	}
	return 0
}

// at finds the stretch that holds the offset; nil if that is at or beyond the end of a partition that is closed.
func (p *partition) at(offset int64) *stretch {
	for _, s := range p.stretches {
		if offset < s.to {
			return s
		}
	}
	return nil
}

// last is the stretch that is still written, nil if the partition is closed.
func (p *partition) last() *stretch {
	if s := p.stretches[len(p.stretches)-1]; s.to == noEnd {
		return s
	}
	return nil
}

// Topic names the topic, whatever its generations are called in the log.
func (l *Log) Topic() string { return l.topic }

// Generation is the generation that is written.
func (l *Log) Generation() uint32 { return l.current.Number }

// Partitions is the number of partitions that readers follow: the largest that any generation had.
func (l *Log) Partitions() int32 { return int32(len(l.parts)) }

// Written names the log's topic that takes new records, and how many partitions it has.
func (l *Log) Written() (topic string, partitions int32) {
	for _, p := range l.parts {
		if p.last() != nil {
			partitions++
		}
	}
	return l.current.Live, partitions
}

// Ends tells the next offset of each partition: a reader that has read up to it has read everything as of this call.
func (l *Log) Ends(ctx context.Context) ([]int64, error) {
	ranges, err := l.offsets(ctx)
	if err != nil {
		return nil, err
	}
	ends := make([]int64, len(l.parts))
	for i, p := range l.parts {
		if s := p.last(); s != nil {
			ends[i] = s.from + ranges[i].Next
		} else {
			ends[i] = p.end()
		}
	}
	return ends, nil
}

// Starts tells the first offset of each partition that can be read: 0 unless the topic is not archived and was cut.
func (l *Log) Starts(ctx context.Context) ([]int64, error) {
	if _, err := l.offsets(ctx); err != nil {
		return nil, err
	}
	starts := make([]int64, len(l.parts))
	for i, p := range l.parts {
		s := p.stretches[0]
		starts[i] = s.first.Load()
		if s.archive != nil {
			if err := s.archive.Refresh(ctx); err != nil {
				return nil, err
			}
			if first, next := s.archive.Range(); next > 0 {
				starts[i] = min(first, starts[i])
			}
		}
	}
	return starts, nil
}

// offsets asks for the ranges of the topic that is written, in its own offsets.
func (l *Log) offsets(ctx context.Context) ([]kafka.Range, error) {
	ranges, err := l.live.Offsets(ctx, l.current.Live)
	if err != nil {
		return nil, fmt.Errorf("read the ends of %s: %w", l.topic, err)
	}
	if _, written := l.Written(); int32(len(ranges)) != written {
		return nil, schema.Classify(schema.Fatal, fmt.Errorf("%s has %d partitions now, it had %d: a change of the partition count needs a new generation", l.topic, len(ranges), written))
	}
	for i, r := range ranges {
		l.parts[i].last().first.Store(r.First)
	}
	return ranges, nil
}

// rangeOf asks for the range of one stretch, in its own offsets.
func (l *Log) rangeOf(ctx context.Context, s *stretch) (kafka.Range, error) {
	if s.live == "" {
		return kafka.Range{First: s.to - s.from, Next: s.to - s.from}, nil
	}
	ranges, err := l.live.Offsets(ctx, s.live)
	if err != nil {
		return kafka.Range{}, fmt.Errorf("read the ends of %s: %w", l.topic, err)
	}
	if int(s.partition) >= len(ranges) {
		return kafka.Range{}, schema.Classify(schema.Fatal, fmt.Errorf("%s has %d partitions now: it is another log", s.live, len(ranges)))
	}
	s.first.Store(ranges[s.partition].First)
	return ranges[s.partition], nil
}

// Read returns records from offset on, as many as come in one piece. At the end of the log it waits up to wait, and then returns
// none. An offset beyond the end is fatal: somebody read records that this log does not have.
func (l *Log) Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (Batch, error) {
	s := l.parts[partition].at(offset)
	if s == nil {
		return l.readEnd(ctx, partition, offset, wait)
	}
	own := offset - s.from
	for attempt := 0; ; attempt++ {
		var records []kafka.Record
		var next int64
		var err error
		if own >= s.first.Load() && s.live != "" {
			records, next, err = l.readLive(ctx, s, own, wait)
		} else {
			records, next, err = l.readArchive(ctx, s, own)
		}
		if err == nil {
			return l.batch(s, own, next, records)
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

// readEnd waits at the end of a partition that is closed.
func (l *Log) readEnd(ctx context.Context, partition int32, offset int64, wait time.Duration) (Batch, error) {
	if end := l.parts[partition].end(); offset > end {
		return Batch{}, l.beyond(partition, end, offset)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return Batch{Partition: partition, From: offset, Next: offset}, nil
	case <-ctx.Done():
		return Batch{}, schema.Classify(schema.Transient, ctx.Err())
	}
}

func (l *Log) beyond(partition int32, end, offset int64) error {
	return schema.Classify(schema.Fatal, fmt.Errorf("%s/%d ends at offset %d, but records up to %d were read: the log lost its end, or it is another log", l.topic, partition, end, offset))
}

// errMoved means that the offset is on the other side of the log's start now.
var errMoved = errors.New("the log's start keeps moving")

func (l *Log) readLive(ctx context.Context, s *stretch, own int64, wait time.Duration) ([]kafka.Record, int64, error) {
	f, err := l.live.Fetch(ctx, s.live, s.partition, own, fetchBytes, wait)
	switch {
	case err == nil:
		s.open.release()
		return f.Records, f.Next, nil
	case !errors.Is(err, kafka.ErrOutOfRange):
		return nil, 0, err
	}
	r, err := l.rangeOf(ctx, s)
	if err != nil {
		return nil, 0, err
	}
	if own > r.Next {
		return nil, 0, l.beyond(s.partition, s.from+r.Next, s.from+own)
	}
	return nil, 0, errMoved
}

func (l *Log) readArchive(ctx context.Context, s *stretch, own int64) ([]kafka.Record, int64, error) {
	if s.archive == nil {
		return nil, 0, l.gap(s, own, s.first.Load())
	}
	e, ok := s.archive.Find(own)
	if !ok {
		if err := s.archive.Refresh(ctx); err != nil {
			return nil, 0, err
		}
		if e, ok = s.archive.Find(own); !ok {
			r, err := l.rangeOf(ctx, s)
			if err != nil {
				return nil, 0, err
			}
			if own >= r.First {
				return nil, 0, errMoved
			}
			return nil, 0, l.gap(s, own, r.First)
		}
	}
	segment, err := s.open.get(ctx, s.archive, e)
	if err != nil {
		return nil, 0, err
	}
	records, err := segment.Read(own)
	if err != nil {
		return nil, 0, schema.Classify(schema.Fatal, fmt.Errorf("read %s/%d from offset %d: archive file %s: %w", l.topic, s.partition, s.from+own, e.Name(), err))
	}
	return records, own + int64(len(records)), nil
}

// gap names the offsets of a generation that are missing.
func (l *Log) gap(s *stretch, from, next int64) error {
	topic := l.topic
	if s.live != "" {
		topic = s.live
	}
	return schema.Classify(schema.Fatal, &archive.GapError{Topic: topic, Partition: s.partition, From: from, Next: next})
}

// batch checks that every offset is there, and gives the records their place. own and next are the generation's own offsets; what a
// closed generation has beyond its end is not of the sequence.
func (l *Log) batch(s *stretch, own, next int64, records []kafka.Record) (Batch, error) {
	for n := len(records); n > 0 && s.from+records[n-1].Offset >= s.to; n-- {
		records = records[:n-1]
	}
	next = min(next, s.to-s.from)
	b := Batch{Partition: s.partition, From: s.from + own, Next: s.from + own, Records: make([]Record, len(records))}
	for i := range records {
		r := &records[i]
		if s.from+r.Offset != b.Next {
			return Batch{}, l.gap(s, b.Next-s.from, r.Offset)
		}
		b.Records[i] = Record{
			Position:   schema.Position{Generation: s.generation, Partition: s.partition, Offset: b.Next},
			RecordedAt: r.Time, Key: r.Key, Value: r.Value, Headers: r.Headers,
		}
		b.Next++
	}
	if s.from+next != b.Next {
		return Batch{}, l.gap(s, b.Next-s.from, next)
	}
	if n := len(records); n > 0 {
		b.Last = archive.RecordDigest(s.partition, &records[n-1])
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
		return [16]byte{}, schema.Classify(schema.Fatal, &archive.GapError{Topic: l.topic, Partition: partition, From: offset, Next: offset + 1})
	}
	r := &b.Records[0]
	own := offset - l.parts[partition].at(offset).from
	return archive.RecordDigest(partition, &kafka.Record{Offset: own, Time: r.RecordedAt, Key: r.Key, Value: r.Value, Headers: r.Headers}), nil
}

// Extent is what one generation holds of one partition: offsets [From, To) of the sequence, which are offsets [0, To−From) of the
// generation's own.
type Extent struct {
	Part     archive.Part
	From, To int64
}

// Extents tells what the log holds as of this call, generation by generation.
func (l *Log) Extents(ctx context.Context) ([]Extent, error) {
	ends, err := l.Ends(ctx)
	if err != nil {
		return nil, err
	}
	var all []Extent
	for i, p := range l.parts {
		for _, s := range p.stretches {
			part := archive.Part{Topic: l.topic, Generation: s.generation, Partition: s.partition}
			all = append(all, Extent{part, s.from, min(s.to, ends[i])})
		}
	}
	return all, nil
}
