package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// Source is the log that is archived; *kafka.Client is one.
type Source interface {
	Offsets(ctx context.Context, topic string) ([]kafka.Range, error)
	FetchAtLeast(ctx context.Context, topic string, partition int32, offset int64, minBytes, maxBytes int, maxWait time.Duration) (kafka.Fetched, error)
	RecordDropper
}

// RecordDropper drops the records of a partition below an offset.
type RecordDropper interface {
	DeleteRecords(ctx context.Context, topic string, partition int32, before int64) error
}

// Sequence is one generation of a topic.
type Sequence struct {
	Topic      string
	Generation uint32
	Live       string  // the topic's name in the log
	Ends       []int64 // of a closed generation: how many records each partition has. It is archived to the last one; nil: it still grows
}

// Sequences are the topics to be archived, each in one generation under its own name.
func Sequences(topics []schema.Topic, generation uint32) []Sequence {
	var all []Sequence
	for _, t := range topics {
		if t.Archived {
			all = append(all, Sequence{Topic: t.Name, Generation: generation, Live: t.Name})
		}
	}
	return all
}

// Config says what to archive.
type Config struct {
	Source    Source
	Store     Store
	Sequences []Sequence
	CutBytes  func(partitions int32) int64 // raw bytes of a segment of a topic with so many partitions; nil is CutBytes
	MaxAge    time.Duration                // a segment is cut early when its first record waits this long; 0 is an hour
	Now       func() time.Time             // nil is time.Now
	Logger    *slog.Logger                 // nil discards
}

// CutBytes is how much of a partition becomes one segment: a quarter of the log's own segment files, so that what is not archived
// yet and what cannot be dropped yet stay below 96 MB together, over all topics of an embedded log.
func CutBytes(partitions int32) int64 {
	switch {
	case partitions <= 1:
		return 512 << 10
	case partitions <= 4:
		return 4 << 20
	default:
		return max(512<<10, 16<<20/int64(partitions))
	}
}

// Role archives topics. One role at a time may run for a store.
type Role struct {
	cfg     Config
	metrics Metrics
	rests   atomic.Int64 // calls of Rest
}

// Metrics counts since the start. All fields may be read at any time.
type Metrics struct {
	Segments atomic.Int64 // written
	Records  atomic.Int64 // archived
	RawBytes atomic.Int64 // archived, before compression
	Bytes    atomic.Int64 // archived, as files
	Behind   atomic.Int64 // records in the log that are not archived yet, as of the last look
	Waiting  atomic.Int64 // their bytes, as of the last look: exact for what was read, at its average for the rest
	Dropped  atomic.Int64 // ranges that the log dropped
	Failures atomic.Int64 // transient failures, each followed by a fresh start of its partition
}

// New prepares a role.
func New(cfg Config) *Role {
	if cfg.CutBytes == nil {
		cfg.CutBytes = CutBytes
	}
	if cfg.MaxAge == 0 {
		cfg.MaxAge = time.Hour
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Role{cfg: cfg}
}

// Metrics are live.
func (r *Role) Metrics() *Metrics { return &r.metrics }

// Rest has each partition let go of the segment that it is building, at its next look at a log that has nothing new. When something
// comes, the records are read again.
func (r *Role) Rest() { r.rests.Add(1) }

// Run archives until ctx ends, then returns nil: what is in the log and not yet archived stays there. It returns the first error
// that is not transient, such as a *GapError or *DamageError.
func (r *Role) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	for _, s := range r.cfg.Sequences {
		ranges, err := r.offsets(ctx, s.Live)
		if err != nil {
			cancel(err)
			break
		}
		for p := range ranges {
			cut := r.cfg.CutBytes(int32(len(ranges)))
			group.Go(func() {
				if err := r.follow(ctx, s, int32(p), cut); err != nil {
					cancel(fmt.Errorf("archive %s/%d: %w", s.Live, p, err))
				}
			})
		}
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// offsets asks until the log answers.
func (r *Role) offsets(ctx context.Context, topic string) ([]kafka.Range, error) {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		ranges, err := r.cfg.Source.Offsets(ctx, topic)
		if err == nil || kafka.Class(err) != schema.Transient {
			return ranges, err
		}
		if !sleep(ctx, pause) {
			return nil, nil
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// follow archives one partition, to its end if it has one. After any transient failure it starts over from what the store has,
// whether the failed write happened or not.
func (r *Role) follow(ctx context.Context, s Sequence, partition int32, cut int64) error {
	w := newWriter(r, s, partition, cut)
	for pause := 100 * time.Millisecond; ctx.Err() == nil; {
		err := w.recover(ctx)
		for err == nil && ctx.Err() == nil && !w.done() {
			err = w.step(ctx, w.enough())
			pause = 100 * time.Millisecond
		}
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if kafka.Class(err) != schema.Transient {
			return err
		}
		r.metrics.Failures.Add(1)
		r.cfg.Logger.Warn("archiving failed and starts over", "part", w.part.String(), "pause", pause, "error", err)
		if !sleep(ctx, pause) {
			return nil
		}
		pause = min(2*pause, 5*time.Second)
	}
	return nil
}

// writer is the state of one partition's archiving.
type writer struct {
	role    *Role
	part    Part
	live    string // the topic's name in the log
	end     int64  // where a closed partition ends; −1 if it grows
	cut     int64
	builder *builder
	index   *indexer // of the events in the builder
	archive *Partition
	next    int64     // the offset to fetch
	opened  time.Time // when the segment under construction got its first record; zero if it has none
	rests   int64     // of the role, as of the last fetch
	resting bool      // what was read from the builder's start up to next was let go
	last    [16]byte  // digest of the last record that was added
	behind  int64
	waiting int64
}

func newWriter(r *Role, s Sequence, partition int32, cut int64) *writer {
	w := &writer{role: r, part: Part{s.Topic, s.Generation, partition}, live: s.Live, end: -1, cut: cut, builder: newBuilder()}
	if s.Ends != nil && int(partition) < len(s.Ends) {
		w.end = s.Ends[partition]
	}
	return w
}

// done says whether a closed partition is archived whole.
func (w *writer) done() bool {
	_, next := w.archive.Range()
	return w.end >= 0 && next >= w.end
}

// recover reads the manifest, makes sure that the log continues it, and lets the log drop what is archived already: a crash of the
// embedded broker brings dropped records back.
func (w *writer) recover(ctx context.Context) error {
	archive, err := OpenPartition(ctx, w.role.cfg.Store, w.part)
	if err != nil {
		return err
	}
	w.archive = archive
	ranges, err := w.role.cfg.Source.Offsets(ctx, w.live)
	if err != nil {
		return err
	}
	if int(w.part.Partition) >= len(ranges) {
		return schema.Classify(schema.Fatal, fmt.Errorf("the topic has %d partitions", len(ranges)))
	}
	log := ranges[w.part.Partition]
	_, next := archive.Range()
	last, any := archive.Last()
	switch {
	case log.First > next:
		return schema.Classify(schema.Fatal, &GapError{w.live, w.part.Partition, next, log.First})
	case log.Next < next:
		return schema.Classify(schema.Fatal, fmt.Errorf("the log ends at offset %d, the archive at %d: the log lost its end, or it is another log", log.Next, next))
	}
	if any && log.First < next {
		if err := w.sameLog(ctx, last); err != nil {
			return err
		}
		if err := w.drop(ctx, log, next); err != nil {
			return err
		}
	}
	w.begin(next)
	return nil
}

func (w *writer) begin(next int64) {
	w.next = next
	w.open(next)
}

// open begins a segment.
func (w *writer) open(from int64) {
	w.opened, w.resting = time.Time{}, false
	w.builder.start(w.part.Topic, w.part.Generation, w.part.Partition, from)
	w.index = newIndexer()
}

// sameLog compares the last archived record with the log's copy of it.
func (w *writer) sameLog(ctx context.Context, last Entry) error {
	f, err := w.role.cfg.Source.FetchAtLeast(ctx, w.live, w.part.Partition, last.Next-1, 1, 1, 0)
	if err != nil {
		return passed(err)
	}
	if len(f.Records) == 0 || f.Records[0].Offset != last.Next-1 || RecordDigest(w.part.Partition, &f.Records[0]) != last.Last {
		return schema.Classify(schema.Fatal, fmt.Errorf("the log's record at offset %d is not the one that was archived: it is another log", last.Next-1))
	}
	return nil
}

// drop verifies the segments that cover what the log still has below next, and lets it drop that, all but its last record.
func (w *writer) drop(ctx context.Context, log kafka.Range, next int64) error {
	before := min(next, log.Next-1)
	if before <= log.First {
		return nil
	}
	for offset := log.First; offset < before; {
		e, ok := w.archive.Find(offset)
		if !ok {
			return schema.Classify(schema.Fatal, &GapError{w.live, w.part.Partition, offset, before})
		}
		if err := w.verify(ctx, e); err != nil {
			return err
		}
		offset = e.Next
	}
	if err := w.role.cfg.Source.DeleteRecords(ctx, w.live, w.part.Partition, before); err != nil {
		return passed(err)
	}
	w.role.metrics.Dropped.Add(1)
	return nil
}

// verify reads a segment back and decodes every record of it.
func (w *writer) verify(ctx context.Context, e Entry) error {
	s, err := w.archive.Open(ctx, e)
	if err != nil {
		return err
	}
	if err := s.Verify(); err != nil {
		return damaged(w.role.cfg.Store.Locate(w.part, e.Name()), err)
	}
	return nil
}

const (
	stepEnough = 256 << 10 // bytes: nobody waits for the archive, and each answer costs the log and this process some 100 µs
	stepBytes  = 1 << 20
	stepWait   = 5 * time.Second
)

// enough is how much the next step waits for: not for more than fills the segment, and for nothing where no more will come.
func (w *writer) enough() int {
	if w.end >= 0 {
		return 1
	}
	return int(max(1, min(stepEnough, w.cut-w.builder.summary.RawBytes)))
}

// step fetches once, what there is once that is enough or stepWait has passed, and cuts the segment if it is large or old enough.
func (w *writer) step(ctx context.Context, enough int) error {
	f, err := w.role.cfg.Source.FetchAtLeast(ctx, w.live, w.part.Partition, w.next, enough, stepBytes, stepWait)
	if err != nil {
		return passed(err)
	}
	if w.rest(&f) {
		return nil
	}
	s := &w.builder.summary
	for i := range f.Records {
		if w.opened.IsZero() {
			w.opened = w.role.cfg.Now()
		}
		if err := w.builder.add(&f.Records[i]); err != nil {
			return schema.Classify(schema.Fatal, err)
		}
		if w.part.Topic == indexedTopic {
			w.index.add(&f.Records[i])
		}
		if s.RawBytes >= w.cut {
			w.last = RecordDigest(w.part.Partition, &f.Records[i])
			if err := w.write(ctx, f); err != nil {
				return err
			}
		}
	}
	if n := len(f.Records); n > 0 {
		w.last = RecordDigest(w.part.Partition, &f.Records[n-1])
	}
	if f.Next != s.Next {
		return schema.Classify(schema.Fatal, &GapError{w.live, w.part.Partition, s.Next, f.Next})
	}
	w.next = f.Next
	w.look(f.HighWater)
	if s.Next > s.From && (s.Next == w.end || w.old()) {
		return w.write(ctx, f)
	}
	return nil
}

// old says that the segment under construction has waited long enough.
func (w *writer) old() bool { return w.role.cfg.Now().Sub(w.opened) >= w.role.cfg.MaxAge }

// rest lets go of the segment under construction when the role was told to and the fetch brought nothing, and has it read again when
// it is needed. It says whether there is nothing to do with the fetch.
func (w *writer) rest(f *kafka.Fetched) bool {
	told := w.role.rests.Load()
	rest := told != w.rests && len(f.Records) == 0
	w.rests = told
	s := &w.builder.summary
	if !w.resting {
		if rest {
			from, opened, begun := s.From, w.opened, s.Next > s.From
			w.builder = newBuilder()
			w.open(from)
			w.opened, w.resting = opened, begun
		}
		return w.resting
	}
	if len(f.Records) > 0 || w.old() {
		w.resting, w.next = false, s.From
	}
	return true
}

// passed makes an error of a range that the log no longer has a reason to start over: another owner has archived and dropped it while this
// one did not run. Starting over tells whether anything is missing.
func passed(err error) error {
	if errors.Is(err, kafka.ErrOutOfRange) {
		return schema.Classify(schema.Transient, fmt.Errorf("another owner went on meanwhile: %w", err))
	}
	return err
}

// look counts what is not archived yet of a partition that ends at end.
func (w *writer) look(end int64) {
	_, archived := w.archive.Range()
	s := &w.builder.summary
	waiting := s.RawBytes
	if n := s.Records(); n > 0 {
		waiting += (end - s.Next) * s.RawBytes / n
	}
	w.role.metrics.Behind.Add(end - archived - w.behind)
	w.role.metrics.Waiting.Add(waiting - w.waiting)
	w.behind, w.waiting = end-archived, waiting
}

// write makes what was gathered durable, in this order: the segment file; the same file read back and decoded; its index; the
// manifest line; and only then the log may drop it, all but its last record. f is the fetch that brought the segment's end.
func (w *writer) write(ctx context.Context, f kafka.Fetched) error {
	file, s := w.builder.finish()
	e := Entry{
		From: s.From, Next: s.Next, Earliest: s.Earliest, Latest: s.Latest, RawBytes: s.RawBytes, SegmentBytes: s.SegmentBytes,
		Digest: s.Digest, Last: w.last,
	}
	if err := w.role.cfg.Store.Put(ctx, w.part, e.Name(), file); err != nil {
		return schema.Classify(schema.Transient, err)
	}
	if err := w.verify(ctx, e); err != nil {
		return schema.Classify(schema.Transient, err) // nobody refers to the file yet: write it again
	}
	if w.part.Topic == indexedTopic {
		_, index, err := w.index.finish(e.Digest)
		if err != nil {
			return err
		}
		if err := w.role.cfg.Store.Put(ctx, w.part, e.indexName(), index); err != nil {
			return schema.Classify(schema.Transient, err)
		}
	}
	if err := w.archive.append(ctx, e); err != nil {
		return err
	}
	m := &w.role.metrics
	m.Segments.Add(1)
	m.Records.Add(s.Records())
	m.RawBytes.Add(s.RawBytes)
	m.Bytes.Add(s.SegmentBytes)
	w.open(s.Next)
	if before := min(s.Next, f.HighWater-1); before > f.First {
		if err := w.role.cfg.Source.DeleteRecords(ctx, w.live, w.part.Partition, before); err != nil {
			return passed(err)
		}
		m.Dropped.Add(1)
	}
	return nil
}
