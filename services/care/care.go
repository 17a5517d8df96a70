package care

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/pipelines/reputation"
	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/retry"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// Feed reads the log: archive and live log as one sequence, without gap or overlap. *eventlog.Feed is one.
type Feed interface {
	// Read gives the events from offset on. At the end of the partition it waits up to wait, then gives an empty batch.
	Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (eventlog.OpenedBatch, error)
}

// Log tells where the log ends, and whether it is the one that a state was made of. *eventlog.Log is one.
type Log interface {
	After(partition int32, next int64, last [16]byte) eventlog.Checkpoint
	Check(ctx context.Context, c eventlog.Checkpoint) error
	Ends(ctx context.Context) ([]int64, error)
}

// Notes is what the owner of a lease tells the next one. *coordination.Lease is one.
type Notes interface {
	Note(ctx context.Context, key string, value []byte) error
	Noted(key string) (value []byte, found bool)
}

// Texts reads texts of customers. A reading is a function of the event and of what Version names.
type Texts interface {
	Version() string
	Read(e *schema.Event) *verbatim.Kept
}

// NoteKey is the key of the rank among the notes of care's lease.
const NoteKey = "rank"

// Config of the role. Workspace, Feed, Log, Partitions, Tables, Store, Public and Rules are needed; the zero value of the others is good.
type Config struct {
	Workspace  string
	Feed       Feed
	Log        Log
	Partitions int32
	Generation uint32 // of the log; the one that is written
	Tables     Tables
	Store      *state.Store // the role's own; closed by the caller after Run

	// Public gives the public id of a persona and epoch (ids.Deriver.Public of the workspace).
	Public func(p schema.PersonaEpoch) schema.ProfileID

	// Rules gives the rules in force. When their Version is another, every row is folded anew.
	Rules func() *care.Rules

	// Texts reads what customers write; nil reads nothing. When its Version is another, every text is read anew, from the log, beside what comes.
	Texts Texts

	// Reputation says which brands are watched for crises, and how; nil watches none.
	Reputation func() *reputation.Settings

	// Void says whether an event is void by an erasure; nil is never.
	Void func(c *schema.Clear) bool

	// Decided is the topic decisions, where alerts are recorded; nil raises none. Silent, then, notes all the same when each could come due: whoever goes on with the
	// state and has Decided raises what was not. Sender sends them to webhooks, Secrets resolves these' secret:NAME.
	Decided Decided
	Silent  bool
	Sender  Sender
	Secrets func(names []string) ([]string, error)

	BatchRecords int           // records a batch, over all partitions, at least one read; 0 is 20,000
	Linger       time.Duration // age of a batch's first record at which it is folded; 0 is 300 ms
	Tick         time.Duration // between looks at what is due, and at the rules; 0 is 1 s
	BackOff      time.Duration // before the first retry; doubles up to 64 times; 0 is 100 ms
	InsertLimit  time.Duration // after which an insert is given up and tried again; 0 is one minute
	MemoryBytes  int64         // of what is kept in memory of conversations that go on, about; 0 is 64 MiB

	Now      func() time.Time // for alerts, which deadlines raise with no event; nil is time.Now
	Logger   *slog.Logger     // nil is slog.Default()
	Registry prometheus.Registerer
}

func (c Config) withDefaults() Config {
	if c.BatchRecords <= 0 {
		c.BatchRecords = 20_000
	}
	if c.Linger <= 0 {
		c.Linger = 300 * time.Millisecond
	}
	if c.Tick <= 0 {
		c.Tick = time.Second
	}
	if c.BackOff <= 0 {
		c.BackOff = 100 * time.Millisecond
	}
	if c.InsertLimit <= 0 {
		c.InsertLimit = time.Minute
	}
	if c.MemoryBytes == 0 {
		c.MemoryBytes = 64 << 20
	}
	if c.Void == nil {
		c.Void = func(*schema.Clear) bool { return false }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

// Care is the role. Run or Lead does the work, one of them at a time; the other methods may be called from any goroutine.
type Care struct {
	Config
	metrics *metrics

	working  sync.Mutex // held while clusters are folded: by a batch, by an erasure
	rules    *care.Rules
	folder   *care.Folder
	clusters *clusters
	reads    string  // version of what reads texts
	again    []int64 // of each partition, up to where texts are to be read anew
	left     int     // partitions of which not all are yet
	rank     uint64
	number   uint64 // of the last write under the rank
	toSend   chan struct{}

	opened   atomic.Bool
	visible  []atomic.Int64
	mu       sync.Mutex    // guards advanced
	advanced chan struct{} // closed and replaced when a batch is visible
}

// New makes the role. It reads and writes nothing yet.
func New(config Config) *Care {
	c := config.withDefaults()
	return &Care{Config: c, toSend: make(chan struct{}, 1), metrics: newMetrics(c.Registry), visible: make([]atomic.Int64, c.Partitions), advanced: make(chan struct{})}
}

// Run keeps the tables until ctx ends, and then returns nil. Any other return is a failure after which a new start recovers. No other process
// may write the tables.
func (c *Care) Run(ctx context.Context) error { return c.Lead(ctx, nil) }

// Lead is Run under a lease, whose context ctx is, with the notes that its owners leave each other.
func (c *Care) Lead(ctx context.Context, notes Notes) error {
	defer c.opened.Store(false)
	for {
		again, err := c.lead(ctx, notes)
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("keep conversations and cases: %w", err)
		}
		if !again || ctx.Err() != nil {
			return nil
		}
		c.Logger.Info("care: the rules have changed, or what reads texts: rows are made anew")
	}
}

var errRulesChanged = errors.New("the rules, or what reads texts, have changed")

// lead works under one set of rules; again says that there is another by now.
func (c *Care) lead(ctx context.Context, notes Notes) (again bool, err error) {
	c.working.Lock()
	c.rules, c.reads = c.Rules(), c.reading()
	c.folder, c.clusters = care.NewFolder(c.rules), newClusters(c.Store, c.MemoryBytes)
	next, overlap, err := c.open(ctx, notes)
	c.working.Unlock()
	if err != nil {
		return false, err
	}
	group, ctx := errgroup.WithContext(ctx)
	known, links := &c.clusters.known, c.Store.Snapshot() // what is stored from now on is noted as it is
	group.Go(func() error { return known.learn(ctx, links) })
	chunks := make(chan chunk)
	for p := range c.Partitions {
		group.Go(func() error { return c.follow(ctx, p, next[p], chunks) })
	}
	for p, until := range c.again {
		if until > 0 {
			group.Go(func() error { return c.readAgain(ctx, int32(p), until, chunks) })
		}
	}
	group.Go(func() error { return c.work(ctx, next, overlap, chunks) })
	group.Go(func() error { return c.send(ctx) })
	err = group.Wait()
	return errors.Is(err, errRulesChanged), ignore(err, errRulesChanged)
}

func ignore(err, what error) error {
	if errors.Is(err, what) {
		return nil
	}
	return err
}

// open raises the rank, and makes the state fit the tables and the rules. It gives the offsets from which to go on, and those up to which a
// former life or owner may have written.
func (c *Care) open(ctx context.Context, notes Notes) (next, overlap []int64, err error) {
	var tables string
	var newest uint64
	err = c.retry(ctx, "read the tables of care", func() (err error) {
		if tables, err = c.Tables.Identity(ctx); err == nil {
			newest, err = c.Tables.Newest(ctx)
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	var m meta
	stored, found, err := c.Store.Get(nil, keyMeta)
	if err == nil && found {
		m, err = readMeta(stored)
	}
	if err != nil {
		return nil, nil, err
	}
	if err := c.raise(ctx, notes, m, newest); err != nil {
		return nil, nil, err
	}
	offsets, err := state.Offsets(c.Store, schema.TopicEvents)
	if err != nil {
		return nil, nil, err
	}
	next = make([]int64, c.Partitions)
	for p, o := range offsets {
		if p >= c.Partitions {
			continue
		}
		next[p] = o.Next
		if c.Log != nil && len(o.Mark) > 0 {
			if err := c.check(ctx, o.Mark); err != nil {
				return nil, nil, fmt.Errorf("partition %d: %w", p, err)
			}
		}
	}
	m.rank = c.rank
	c.again, c.left = make([]int64, c.Partitions), 0
	if m.reads != c.reads {
		for p, until := range next {
			if c.again[p] = until; until > 0 {
				c.left++
			}
		}
		if c.left == 0 {
			m.reads = c.reads
		}
	}
	switch {
	case len(offsets) == 0:
		if err := c.begin(meta{c.rank, tables, c.rules.Version, c.reads}); err != nil {
			return nil, nil, err
		}
	case m.tables != tables || m.rules != c.rules.Version:
		if m.tables != tables { // the alerts are written anew, too
			if err := c.forgetOffset(); err != nil {
				return nil, nil, err
			}
		}
		if err := c.refold(ctx, meta{c.rank, tables, c.rules.Version, m.reads}); err != nil {
			return nil, nil, err
		}
	default:
		if err := c.keep(m); err != nil {
			return nil, nil, err
		}
	}
	if c.Decided != nil {
		if err := c.learn(ctx); err != nil {
			return nil, nil, err
		}
	}
	err = c.retry(ctx, "read the log's ends", func() (err error) {
		overlap, err = c.Log.Ends(ctx)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	for p := range c.visible {
		c.visible[p].Store(next[p])
	}
	c.opened.Store(true)
	c.announce()
	return next, overlap, nil
}

// raise takes a rank that no insert was ever made under, durably.
func (c *Care) raise(ctx context.Context, notes Notes, m meta, newest uint64) error {
	rank := max(m.rank, newest>>rankShift)
	if notes != nil {
		if value, found := notes.Noted(NoteKey); found && len(value) == 8 {
			rank = max(rank, binary.BigEndian.Uint64(value))
		}
	}
	c.rank, c.number = rank+1, 0
	if notes != nil {
		value := binary.BigEndian.AppendUint64(nil, c.rank)
		if err := c.retry(ctx, "note the rank", func() error { return notes.Note(ctx, NoteKey, value) }); err != nil {
			return fmt.Errorf("note the rank: %w", err)
		}
	}
	m.rank = c.rank
	return c.keep(m)
}

// keep notes what the state was made with, durably.
func (c *Care) keep(m meta) error {
	b := c.Store.NewBatch()
	if err := b.Set(keyMeta, appendMeta(m)); err != nil {
		return errors.Join(err, b.Discard())
	}
	return b.CommitDurable()
}

// forgetOffset makes learn begin with the first decision.
func (c *Care) forgetOffset() error {
	b := c.Store.NewBatch()
	if err := b.SetOffset(schema.TopicDecisions, 0, state.Offset{}); err != nil {
		return errors.Join(err, b.Discard())
	}
	return b.CommitDurable()
}

// begin notes that the state is built from nothing.
func (c *Care) begin(m meta) error {
	b := c.Store.NewBatch()
	if err := errors.Join(b.Set(keyBuilding, binary.AppendUvarint(nil, m.rank)), b.Set(keyMeta, appendMeta(m))); err != nil {
		return errors.Join(err, b.Discard())
	}
	return b.CommitDurable()
}

// rankShift makes room for the number of the write beneath the rank in a version.
const rankShift = 32

// Rest gives memory back: that of conversations that go on, which are read again as they do.
func (c *Care) Rest() {
	if c.working.TryLock() { // else it works
		if c.clusters != nil {
			c.clusters.shrink(0)
		}
		c.working.Unlock()
	}
	c.Store.Rest()
}

// version is that of the next write.
func (c *Care) version() uint64 {
	c.number++
	return c.rank<<rankShift | c.number
}

func (c *Care) check(ctx context.Context, mark []byte) error {
	var at eventlog.Checkpoint
	if err := at.UnmarshalBinary(mark); err != nil {
		return errors.Join(errDamaged, err)
	}
	return c.retry(ctx, "read the log", func() error { return c.Log.Check(ctx, at) })
}

// retry runs f until it succeeds, fails for another reason than a transient one, or ctx ends.
func (c *Care) retry(ctx context.Context, what string, f func() error) error {
	return retry.Policy{Role: "care", BackOff: c.BackOff, Logger: c.Logger, Failed: c.metrics.retries.Inc}.Do(ctx, what, f)
}

// Visible gives, for each partition, the offset up to which every event is in the rows. ok is false before the role has opened its state and
// after it has stopped.
func (c *Care) Visible() (next []int64, ok bool) {
	for p := range c.visible {
		next = append(next, c.visible[p].Load())
	}
	return next, c.opened.Load()
}

// WaitFor returns when every partition is visible up to the offset that ends names for it, or when ctx ends.
func (c *Care) WaitFor(ctx context.Context, ends []int64) error {
	for {
		c.mu.Lock()
		advanced := c.advanced
		c.mu.Unlock()
		next, ok := c.Visible()
		behind := !ok
		for p, n := range next {
			behind = behind || p < len(ends) && n < ends[p]
		}
		if !behind {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-advanced:
		}
	}
}

func (c *Care) announce() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.advanced)
	c.advanced = make(chan struct{})
}
