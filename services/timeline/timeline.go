package timeline

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// MaxBatchRecords bounds the records that one intent covers, over all partitions. It is part of the stored format: a rebuilt index reads
// on this far before the newest row of each partition. Never raise it on existing tables.
const MaxBatchRecords = 20_000

// Config of the role. Feed, Partitions, Table, Store, DeadLetters and Public are needed; the zero value of the others is good.
type Config struct {
	Feed        Feed
	Partitions  int32
	Generation  uint32 // of the log; the one that is written
	Table       Table
	Store       *state.Store // the role's own; closed by the caller after Run
	DeadLetters DeadLetters
	// Public gives the public id of a persona and epoch (ids.Deriver.Public of the workspace).
	Public  func(workspace string, p schema.PersonaEpoch) schema.ProfileID
	Intents Intents // nil keeps them in Store

	// Log refuses a log that is not the one of the index; nil trusts.
	Log Log

	// Void says whether an event is void by an erasure. It is asked again just before an insert, so an erasure that it knows of
	// reaches what was read before. nil is never.
	Void func(c *schema.Clear) bool

	BatchRecords int           // records a batch, over all partitions; 0 is MaxBatchRecords, which is also the most
	BatchBytes   int           // bytes of a batch's events, roughly; 0 is 16 MiB. A batch has at least one event
	Flights      int           // batches under way at the same time; 0 is 2
	Linger       time.Duration // age of a batch's first row at which it is inserted; 0 is 300 ms
	Inserts      int           // inserts at the same time; 0 is 2
	InsertLimit  time.Duration // after which an insert is given up and tried again; 0 is one minute
	BackOff      time.Duration // before the first retry; doubles up to 64 times; 0 is 100 ms

	// Trace is told of each batch that was written: when its first record came, and its events. nil is nobody.
	Trace func(begun time.Time, batch ...[]eventlog.Opened)

	Now      func() time.Time // for figures only; nil is time.Now
	Logger   *slog.Logger     // nil is slog.Default()
	Registry prometheus.Registerer
}

func (c Config) withDefaults() Config {
	if c.BatchRecords <= 0 || c.BatchRecords > MaxBatchRecords {
		c.BatchRecords = MaxBatchRecords
	}
	if c.BatchBytes <= 0 {
		c.BatchBytes = 16 << 20
	}
	if c.Linger <= 0 {
		c.Linger = 300 * time.Millisecond
	}
	if c.Flights <= 0 {
		c.Flights = 2
	}
	if c.Inserts <= 0 {
		c.Inserts = 2
	}
	if c.InsertLimit <= 0 {
		c.InsertLimit = time.Minute
	}
	if c.BackOff <= 0 {
		c.BackOff = 100 * time.Millisecond
	}
	if c.Void == nil {
		c.Void = func(*schema.Clear) bool { return false }
	}
	if c.Intents == nil {
		c.Intents = storedIntents{c.Store}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// Timeline is the role. Run does the work; the other methods may be called from any goroutine, before and while it runs.
//
// Where several processes may write, each calls Follow while it does not hold the lease of the timeline, so that its index keeps up, and
// Lead while it does. One of the three runs at a time.
type Timeline struct {
	Config
	index   *index
	table   string        // identity of the table that the index is of; empty before it is open
	inserts chan *builder // one for each insert at the same time
	flying  chan struct{} // has an entry for each batch from the choice of its rows until they are marked
	erasing chan struct{} // held by one erasure at a time
	metrics *metrics

	opened   atomic.Bool // the index is complete, the offsets are known, and no intent is open
	visible  []atomic.Int64
	mu       sync.Mutex    // guards advanced
	advanced chan struct{} // closed and replaced when any partition advances
}

// New makes the role. It reads and writes nothing yet.
func New(config Config) *Timeline {
	c := config.withDefaults()
	t := &Timeline{
		Config:   c,
		index:    &index{store: c.Store, topic: schema.TopicEvents, generation: c.Generation, filter: newFilter()},
		inserts:  make(chan *builder, c.Inserts),
		flying:   make(chan struct{}, c.Flights),
		erasing:  make(chan struct{}, 1),
		metrics:  newMetrics(c.Registry),
		visible:  make([]atomic.Int64, c.Partitions),
		advanced: make(chan struct{}),
	}
	for range c.Inserts {
		t.inserts <- &builder{}
	}
	return t
}

// Run writes the timeline until ctx ends, and then returns nil. Any other return is a failure after which a new start recovers. No other
// process writes the table: intents are kept in Config.Intents, or beside the index.
func (t *Timeline) Run(ctx context.Context) error { return t.Lead(ctx, t.Intents) }

// Lead is Run under a lease, whose context ctx is, with the intents that its owners leave each other.
func (t *Timeline) Lead(ctx context.Context, intents Intents) error {
	defer t.opened.Store(false)
	w := &writer{role: t, intents: intents}
	next, err := w.open(ctx)
	if err != nil {
		return ignoreEnd(ctx, fmt.Errorf("open the timeline: %w", err))
	}
	group, ctx2 := errgroup.WithContext(ctx)
	group.Go(func() error { return t.index.fill(ctx2) }) // until then the store answers
	chunks, batches := make(chan chunk), make(chan *batch)
	for p := range t.Partitions {
		group.Go(func() error { return t.follow(ctx2, p, next[p], chunks) }) // it ends with an error only, as the next two
	}
	group.Go(func() error { return t.gather(ctx2, next, chunks, batches) })
	group.Go(func() error { return w.run(ctx2, batches) })
	if err := group.Wait(); err != nil {
		return ignoreEnd(ctx, fmt.Errorf("write the timeline: %w", err))
	}
	return nil
}

// ignoreEnd takes an error that came of the end of ctx for the end that it is.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// open makes the index complete, repeats the intent that a former life or a former owner has left open, and gives the offsets from
// which to go on.
func (w *writer) open(ctx context.Context) (next []int64, err error) {
	t := w.role
	if err := t.openIndex(ctx); err != nil {
		return nil, err
	}
	w.table = t.table
	last, err := w.intents.Last(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the last intents: %w", err)
	}
	if err := t.catchUp(ctx, last); err != nil {
		return nil, err
	}
	next, marks, err := t.index.next(t.Partitions)
	if err != nil {
		return nil, err
	}
	for p, mark := range marks {
		if t.Log != nil && len(mark) > 0 {
			if err := t.check(ctx, mark); err != nil {
				return nil, fmt.Errorf("partition %d: %w", p, err)
			}
		}
		t.visible[p].Store(next[p])
	}
	for _, intent := range last {
		if intent.Table != t.table || !intent.open(next) {
			continue
		}
		t.Logger.Info("timeline: repeating an open intent", "ranges", intent.Ranges)
		batch, err := t.collect(ctx, intent)
		if err == nil {
			err = w.repeat(ctx, batch, intent)
		}
		if err != nil {
			return nil, err
		}
		next = batch.ends()
	}
	t.opened.Store(true)
	t.announce()
	return next, nil
}

// openIndex reads the index, or rebuilds it, waiting for ClickHouse where needed.
func (t *Timeline) openIndex(ctx context.Context) error {
	var table string
	err := t.retry(ctx, "read the table's identity", func() (err error) {
		table, err = t.Table.Identity(ctx)
		return err
	})
	if err != nil {
		return err
	}
	found, err := t.index.open(table)
	if err != nil {
		return err
	}
	if !found {
		started := t.Now()
		err := t.retry(ctx, "rebuild the timeline index", func() error {
			return t.index.rebuild(ctx, t.Table, table, rand.Reader, func(rows int64) {
				t.Logger.Info("timeline: reading the ids of the table", "rows", rows)
			})
		})
		if err != nil {
			return err
		}
		t.Logger.Info("timeline: new index", "incarnation", t.index.incarnation, "took", t.Now().Sub(started))
	}
	t.table = table
	return nil
}

// catchUp takes over what others have written, if the last intents tell of any.
func (t *Timeline) catchUp(ctx context.Context, last []Intent) error {
	if len(last) == 0 || last[0].Table != t.table {
		return nil
	}
	return t.retry(ctx, "read what others have written", func() error {
		next, _, err := t.index.next(t.Partitions)
		if err != nil || !last[0].behind(next) {
			return err
		}
		rows, err := t.index.catchUp(ctx, t.Table, next, last[0])
		if err == nil {
			t.Logger.Info("timeline: caught up with another writer", "rows", rows)
		}
		return err
	})
}

// followEvery is how often a process that does not write looks for what others have written.
const followEvery = 2 * time.Second

// Follow keeps the index up with what another process writes, until ctx ends; then it returns nil. noted gives the writer's last note
// under NoteKey. What is written is not shown by Visible: the writer knows.
func (t *Timeline) Follow(ctx context.Context, noted func() (value []byte, found bool)) error {
	if err := t.openIndex(ctx); err != nil {
		return ignoreEnd(ctx, fmt.Errorf("open the timeline index: %w", err))
	}
	if err := t.index.fill(ctx); err != nil {
		return ignoreEnd(ctx, err)
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		if value, found := noted(); found {
			last, err := readIntents(value)
			if err == nil {
				err = t.catchUp(ctx, last)
			}
			if err != nil {
				return ignoreEnd(ctx, fmt.Errorf("follow the timeline: %w", err))
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// check makes sure that the log is the one that a mark was made of.
func (t *Timeline) check(ctx context.Context, mark []byte) error {
	var c eventlog.Checkpoint
	if err := c.UnmarshalBinary(mark); err != nil {
		return errors.Join(errDamagedIndex, err)
	}
	return t.retry(ctx, "read the log", func() error { return t.Log.Check(ctx, c) })
}

// Rest lets go of the memory that batches are built in. It is for when nothing comes; the next batch costs a little more.
func (t *Timeline) Rest() {
	for range cap(t.inserts) {
		select {
		case <-t.inserts:
			t.inserts <- &builder{}
		default: // it is in use
		}
	}
}

// retry runs f until it succeeds, fails for another reason than a transient one, or ctx ends.
func (t *Timeline) retry(ctx context.Context, what string, f func() error) error {
	for attempt := 0; ; attempt++ {
		err := f()
		if err == nil || schema.ClassOf(err) != schema.Transient || ctx.Err() != nil {
			return err
		}
		if err := t.wait(ctx, what, attempt, err); err != nil {
			return err
		}
	}
}

// wait backs off before the next attempt.
func (t *Timeline) wait(ctx context.Context, what string, attempt int, cause error) error {
	pause := t.BackOff << min(attempt, 6)
	t.metrics.retries.Inc()
	t.Logger.Warn("timeline: cannot "+what+" now", "error", cause, "attempt", attempt+1, "retry_in", pause)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause):
		return nil
	}
}

// Visible gives, for each partition, the offset up to which every event can be read in the table. ok is false before the role has
// opened its index and after it has stopped.
func (t *Timeline) Visible() (next []int64, ok bool) {
	for p := range t.visible {
		next = append(next, t.visible[p].Load())
	}
	return next, t.opened.Load()
}

// WaitFor returns when every partition is visible up to the offset that ends names for it, or when ctx ends.
func (t *Timeline) WaitFor(ctx context.Context, ends []int64) error {
	for {
		t.mu.Lock()
		advanced := t.advanced
		t.mu.Unlock()
		if next, ok := t.Visible(); ok && t.lag(next, ends) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-advanced:
		}
	}
}

// advance shows a batch that is written, all of its partitions together.
func (t *Timeline) advance(b *batch) {
	for _, r := range b.ranges {
		t.visible[r.Partition].Store(r.To)
	}
	t.announce()
}

func (t *Timeline) announce() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.advanced)
	t.advanced = make(chan struct{})
}

// Erase makes the table forget what an erasure voids. Void must know of the erasure before; then no row of it can come after. Erase
// returns when the rows can no longer be read. It may be repeated, and must be after an error.
//
// The ids leave the index before the rows leave the table, so that an event that was sent again, sealed in the next epoch, is a new
// row whatever happens in between.
func (t *Timeline) Erase(ctx context.Context, workspace string, e Erasure) error {
	if !t.opened.Load() {
		return schema.Classify(schema.Transient, errors.New("erase: the timeline index is not open yet"))
	}
	if err := t.betweenFlights(ctx, func() error { return nil }); err != nil {
		return fmt.Errorf("erase: wait for the writes under way: %w", err)
	}
	void := Voided{Workspace: workspace, CutOff: e.CutOff}
	for _, of := range e.Personas {
		void.Current = append(void.Current, t.Public(workspace, schema.PersonaEpoch{Persona: of.Persona, Epoch: of.Epoch + 1}))
		for epoch := range of.Epoch + 1 {
			void.Closed = append(void.Closed, t.Public(workspace, schema.PersonaEpoch{Persona: of.Persona, Epoch: epoch}))
		}
	}
	var rows []Indexed
	err := t.Table.Erased(ctx, void, func(row Indexed) error {
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		return fmt.Errorf("erase: find the rows: %w", err)
	}
	if err := t.betweenFlights(ctx, func() error { return t.index.forget(rows) }); err != nil {
		return fmt.Errorf("erase: forget the ids: %w", err)
	}
	if err := t.Table.Erase(ctx, void); err != nil {
		return fmt.Errorf("erase: delete the rows: %w", err)
	}
	return nil
}

// forgetAtOnce bounds how many ids leave the index in one commit: years may hold millions.
const forgetAtOnce = 50_000

// Expire makes the table forget retention classes and years, as Erase does an erasure.
func (t *Timeline) Expire(ctx context.Context, workspace string, of []schema.ExpiredYear) error {
	if !t.opened.Load() {
		return schema.Classify(schema.Transient, errors.New("expire: the timeline index is not open yet"))
	}
	if err := t.betweenFlights(ctx, func() error { return nil }); err != nil {
		return fmt.Errorf("expire: wait for the writes under way: %w", err)
	}
	var rows []Indexed
	forget := func() error {
		err := t.betweenFlights(ctx, func() error { return t.index.forget(rows) })
		rows = rows[:0]
		return err
	}
	err := t.Table.Expired(ctx, workspace, of, func(row Indexed) error {
		if rows = append(rows, row); len(rows) < forgetAtOnce {
			return nil
		}
		return forget()
	})
	if err == nil {
		err = forget()
	}
	if err != nil {
		return fmt.Errorf("expire: forget the ids: %w", err)
	}
	if err := t.Table.Expire(ctx, workspace, of); err != nil {
		return fmt.Errorf("expire: delete the rows: %w", err)
	}
	return nil
}

// betweenFlights calls f when whatever was chosen before the call has been written, and nothing else is under way.
func (t *Timeline) betweenFlights(ctx context.Context, f func() error) error {
	select {
	case t.erasing <- struct{}{}:
		defer func() { <-t.erasing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for range cap(t.flying) {
		select {
		case t.flying <- struct{}{}:
			defer func() { <-t.flying }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return f()
}

// Lag is how many records of the partitions are not visible yet, given the ends of the log.
func (t *Timeline) Lag(ends []int64) (records int64) {
	next, _ := t.Visible()
	return t.lag(next, ends)
}

func (t *Timeline) lag(next, ends []int64) (records int64) {
	for i, n := range next {
		if i < len(ends) {
			records += max(0, ends[i]-n)
		}
	}
	return records
}

// size is roughly what an event keeps in memory.
func size(e *schema.Event) int {
	const fixed = 1024
	n := fixed + len(e.Text) + len(e.Properties)
	for _, t := range e.Traits {
		n += len(t.Name) + len(t.Value)
	}
	return min(n, math.MaxInt32)
}
