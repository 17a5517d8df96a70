package segments

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
	"github.com/dossier-cdp/dossier/services/internal/retry"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// Feed reads the log opened; *eventlog.Feed is one.
type Feed interface {
	Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (eventlog.OpenedBatch, error)
}

// Log tells where the log ends, and whether it is the one that a state was made of. *eventlog.Log is one.
type Log interface {
	After(partition int32, next int64, last [16]byte) eventlog.Checkpoint
	Check(ctx context.Context, c eventlog.Checkpoint) error
	Ends(ctx context.Context) ([]int64, error)
}

// Topic reads a topic of one partition; *eventlog.Log is one.
type Topic interface {
	Ends(ctx context.Context) ([]int64, error)
	Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (eventlog.Batch, error)
}

// Producer appends to a topic and returns when all in-sync replicas have it.
type Producer interface {
	Produce(ctx context.Context, topic string, partition int32, messages []kafka.Message, at time.Time) (base int64, err error)
}

// People answers who is who; graphql.Profiles has both.
type People interface {
	People(ctx context.Context, workspace string, ids []schema.ProfileID) ([]*graphql.Person, error)
	Page(ctx context.Context, workspace string, after schema.ProfileID, limit int) ([]schema.ProfileID, error)
}

// Config of the role. Everything is needed but what says otherwise.
type Config struct {
	Workspace  string
	Feed       Feed
	Log        Log
	Partitions int32
	Generation uint32
	Profiles   Topic // the change feed of who is who
	Decisions  Topic
	Producer   Producer
	People     People

	// Known returns when People answers with what the log holds up to these offsets.
	Known func(ctx context.Context, next []int64) error

	// Assess says what people are worth by the value snapshot in force, nil for those of whom nothing is known, and Snapshot which it is,
	// "" where there is none. Both may be nil.
	// Suppressed says whether somebody is on the suppression list, and Suppressions how many decisions that list is made of. Both may be nil.
	Suppressed   func(p *graphql.Person) bool
	Suppressions func() int

	Assess   func(ctx context.Context, people []*graphql.Person) ([]*segment.Worth, error)
	Snapshot func() string

	// Care gives what care made of what personas said, once care has seen the log up to these offsets: facts of these kinds, by persona. nil is that nobody keeps it.
	Care func(ctx context.Context, next []int64, kinds []schema.Type, personas []schema.ProfileID) (map[schema.ProfileID][]*segment.Fact, error)

	// Silent decides without telling: what it comes to is its own, as of a shadow. When the state goes on without it, memberships are those of the topic, and
	// everybody is weighed again, so that what really differs is decided, and nothing twice.
	Silent bool

	Tables   Rows
	Store    *state.Store // the role's own; closed by the caller after Run
	Public   func(p schema.PersonaEpoch) schema.ProfileID
	Segments func() segment.Set // in force
	Void     func(c *schema.Clear) bool

	Linger   time.Duration // age of what was read at which it is committed; 0 is 50 ms
	BackOff  time.Duration // before the first retry; doubles up to 64 times; 0 is 100 ms
	Now      func() time.Time
	Logger   *slog.Logger
	Registry prometheus.Registerer // nil is none
}

// Segments is the role. Run does the work, once at a time; the other methods may be called from any goroutine.
type Segments struct {
	Config

	working sync.Mutex // held by whatever writes: a step of the work, an erasure
	settings
	epoch     int64
	set       segment.Set
	live      []*segment.Segment
	evaluator *segment.Evaluator            // of set
	holdOuts  map[string][]*segment.HoldOut // of live segments that ask for some
	needs     segment.Needs
	ofCare    []schema.Type // kinds of care's facts that live segments ask for
	kinds     kinds
	next      []int64 // committed
	feed      int64   // committed offset of the change feed
	ends      []int64 // the log's as of the start, or when facts began to be gathered anew
	busy      bool    // the last read was a full one

	waiting  []schema.ProfileID         // marked, in the order in which they will be weighed
	causes   map[schema.ProfileID]cause // theirs
	unlisted bool                       // the store may hold marks of others
	round    schema.ProfileID           // up to whom the store was looked through

	opened  atomic.Bool
	mu      sync.Mutex    // guards what follows
	read    []int64       // up to here the log is read and committed: next, for others
	settled []int64       // up to here everybody was weighed
	by      string        // the segments and the snapshot by which everybody was
	fed     int64         // the same of the change feed
	change  chan struct{} // closed and replaced when settled moves

	metrics *metrics
}

// New makes the role. It reads and writes nothing yet.
func New(config Config) *Segments {
	config.Linger = cmp.Or(config.Linger, 50*time.Millisecond)
	config.BackOff = cmp.Or(config.BackOff, 100*time.Millisecond)
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Void == nil {
		config.Void = func(*schema.Clear) bool { return false }
	}
	if config.Suppressed == nil || config.Suppressions == nil {
		config.Suppressed, config.Suppressions = func(*graphql.Person) bool { return false }, func() int { return 0 }
	}
	if config.Snapshot == nil {
		config.Snapshot = func() string { return "" }
	}
	return &Segments{Config: config, change: make(chan struct{}), read: make([]int64, config.Partitions), settled: make([]int64, config.Partitions), metrics: newMetrics(config.Registry)}
}

// Rest gives memory back that nobody needs while nothing comes.
func (s *Segments) Rest() {
	s.Store.Rest()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kinds = kinds{}
}

// errAgain says that the facts are gathered anew.
var errAgain = errors.New("facts are gathered anew")

// Run decides until ctx ends, and then returns nil. epoch only grows from one owner of the role to the next. Any other return is a failure after which a
// new start recovers.
func (s *Segments) Run(ctx context.Context, epoch int64) error {
	defer s.opened.Store(false)
	s.epoch = epoch
	for {
		err := s.run(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if !errors.Is(err, errAgain) {
			if err == nil {
				return nil
			}
			return fmt.Errorf("follow segments: %w", err)
		}
	}
}

func (s *Segments) run(ctx context.Context) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	s.opened.Store(true)
	group, ctx := errgroup.WithContext(ctx)
	chunks := make(chan chunk)
	for p := range s.Partitions {
		group.Go(func() error { return s.follow(ctx, p, s.next[p], chunks) })
	}
	feed := s.feed
	group.Go(func() error { return s.followProfiles(ctx, feed, chunks) })
	group.Go(func() error { return s.work(ctx, chunks) })
	return group.Wait()
}

// open makes the state fit the tables and the segments, and sends what was on its way.
func (s *Segments) open(ctx context.Context) error {
	s.working.Lock()
	defer s.working.Unlock()
	s.kinds = kinds{}
	s.waiting, s.causes, s.unlisted = nil, map[schema.ProfileID]cause{}, true
	var table string
	var newest uint64
	err := s.retry(ctx, "read the tables of segments", func() (err error) {
		if table, err = s.Tables.Identity(ctx); err == nil {
			newest, err = s.Tables.Newest(ctx)
		}
		return err
	})
	if err != nil {
		return err
	}
	stored, found, err := s.load()
	if err != nil {
		return err
	}
	s.settings = stored
	if !found {
		s.settings = settings{Silent: s.Config.Silent, Table: table, Sweep: "-", Live: map[string]string{}, Types: map[schema.Type]schema.Instant{}}
		if err := s.recall(ctx); err != nil {
			return fmt.Errorf("read the memberships of the topic decisions: %w", err)
		}
		// Rows of a former life may be of profiles that are none any more, and nobody knows which.
		err := s.retry(ctx, "empty the table of people", func() error { return s.Tables.empty(ctx, s.Workspace) })
		if err != nil {
			return err
		}
	}
	switch {
	case found && s.settings.Silent && !s.Config.Silent:
		if err := s.adopt(ctx); err != nil {
			return fmt.Errorf("take the memberships of the topic decisions over: %w", err)
		}
	case found:
		if err := s.follows(ctx); err != nil {
			return fmt.Errorf("read what was decided meanwhile: %w", err)
		}
	}
	s.settings.Silent = s.Config.Silent // stored with what follows: until then a crash has it adopted again
	known := s.Clock
	s.Clock = max(s.Clock, newest, uint64(s.epoch)<<32)
	b := s.Store.NewBatch()
	if s.Table != table { // every row is sent anew
		if err := b.DeleteRange([]byte{'k'}, []byte{'k' + 1}); err != nil {
			return errors.Join(err, b.Discard())
		}
		s.Table, s.Sweep, known = table, "", 0
	}
	if found && newest > known {
		if err := s.learn(ctx, b, known); err != nil {
			return errors.Join(fmt.Errorf("look for rows of people that the state does not know of: %w", err), b.Discard())
		}
	}
	if err := errors.Join(s.take(b), save(b, s.settings)); err != nil {
		return errors.Join(err, b.Discard())
	}
	if err := b.CommitDurable(); err != nil {
		return err
	}
	if err := s.position(ctx); err != nil {
		return err
	}
	return s.send(ctx)
}

// learn marks the people of whom a former life, or another owner, sent rows that the state does not know of: what was inserted and then not committed. Their rows are sent
// anew, or deleted if they are nobody any more.
func (s *Segments) learn(ctx context.Context, b *state.Batch, known uint64) error {
	var people []schema.ProfileID
	err := s.retry(ctx, "read the tables of segments", func() (err error) {
		people, err = s.Tables.since(ctx, s.Workspace, known)
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range people {
		err = errors.Join(err, b.Set(key('k', id[:]), nil)) // the digest of no row
		err = errors.Join(err, s.markOnce(b, id, cause{byRule, schema.InstantOf(s.Now()), schema.EventID{}}))
	}
	return err
}

// markOnce marks somebody who is not marked yet.
func (s *Segments) markOnce(b *state.Batch, id schema.ProfileID, why cause) error {
	_, marked, err := s.Store.Get(nil, key('d', id[:]))
	if err != nil || marked {
		return err
	}
	return b.Set(key('d', id[:]), why.append(nil))
}

// take takes over the segments in force: which facts are needed, and whether everybody is to be weighed anew.
func (s *Segments) take(b *state.Batch) error {
	s.set = s.Segments()
	s.live, s.evaluator = s.set.Live(), segment.NewEvaluator(s.set)
	s.needs, s.ofCare = s.set.Needs(), s.set.CareNeeds()
	now := map[string]string{}
	s.holdOuts = map[string][]*segment.HoldOut{}
	for _, of := range s.live {
		now[of.Name] = of.Version
		if some := s.set.HoldOuts(of); some != nil {
			s.holdOuts[of.Name] = some
		}
	}
	grown := false
	for kind, keep := range s.needs.Types {
		had, known := s.Types[kind]
		grown = grown || !known || had != 0 && (keep == 0 || keep > had)
	}
	for _, path := range s.needs.Paths {
		grown = grown || !contains(s.Paths, path)
	}
	if grown {
		s.Logger.Info("segments: a segment asks for events that were not kept: the log is read from its beginning")
		for p := range s.Partitions {
			if err := b.SetOffset(schema.TopicEvents, p, state.Offset{Generation: s.Generation}); err != nil {
				return err
			}
		}
		if err := b.DeleteRange([]byte{'e'}, []byte{'e' + 1}); err != nil {
			return err
		}
		s.Facts++
		s.Gather = true
		s.Types, s.Paths = s.needs.Types, s.needs.Paths
	}
	if n := s.Config.Suppressions(); !maps.Equal(now, s.settings.Live) || s.Snapshot() != s.settings.Worth || n != s.settings.Suppressions {
		s.settings.Live, s.settings.Worth, s.settings.Suppressions, s.Sweep = now, s.Snapshot(), n, ""
	}
	return nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// position finds how far the state is, and how far it has to be before anybody is weighed.
func (s *Segments) position(ctx context.Context) error {
	offsets, err := state.Offsets(s.Store, schema.TopicEvents)
	if err != nil {
		return err
	}
	s.next = make([]int64, s.Partitions)
	for p, o := range offsets {
		if p >= s.Partitions {
			continue
		}
		s.next[p] = o.Next
		if len(o.Mark) > 0 {
			var at eventlog.Checkpoint
			if err := at.UnmarshalBinary(o.Mark); err != nil {
				return errors.Join(errDamaged, err)
			}
			if err := s.retry(ctx, "read the log", func() error { return s.Log.Check(ctx, at) }); err != nil {
				return fmt.Errorf("partition %d: %w", p, err)
			}
		}
	}
	feed, err := state.Offsets(s.Store, schema.TopicProfiles)
	if err != nil {
		return err
	}
	var end []int64
	err = s.retry(ctx, "read the end of the topic profiles", func() (err error) {
		end, err = s.Profiles.Ends(ctx)
		return err
	})
	if err != nil {
		return err
	}
	s.advance()
	// Who reads the log from its beginning asks identity of everybody; and a crash may have taken the end of the feed, which then told something else.
	at, known := feed[0]
	if s.feed = at.Next; !known || s.feed > end[0] {
		if s.feed = end[0]; known {
			s.Sweep = ""
		}
		b := s.Store.NewBatch()
		if err := b.SetOffset(schema.TopicProfiles, 0, state.Offset{Next: s.feed}); err != nil {
			return errors.Join(err, b.Discard())
		}
		if err := b.CommitDurable(); err != nil {
			return err
		}
	}
	return s.retry(ctx, "read the log's ends", func() (err error) {
		s.ends, err = s.Log.Ends(ctx)
		return err
	})
}

// retry runs f until it succeeds, fails for another reason than a transient one, or ctx ends.
func (s *Segments) retry(ctx context.Context, what string, f func() error) error {
	return retry.Policy{Role: "segments", BackOff: s.BackOff, Logger: s.Logger, Waits: graphql.NotReady}.Do(ctx, what, f)
}

// Ready says whether the role has opened its state.
func (s *Segments) Ready() bool { return s.opened.Load() }

// Progress is how far the role is: for each partition the first offset that it has not read yet, and the one up to which everybody was weighed.
type Progress struct{ Read, Settled []int64 }

// Progress tells how far the role is. ok is false before it has opened its state and after it has stopped.
func (s *Segments) Progress() (p Progress, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Progress{slices.Clone(s.read), slices.Clone(s.settled)}, s.opened.Load()
}

// advance notes for others how far the log is read.
func (s *Segments) advance() {
	s.mu.Lock()
	defer s.mu.Unlock()
	copy(s.read, s.next)
}

// inForce names the live segments in force, and the snapshot of what customers are worth.
func (s *Segments) inForce() string {
	versions := map[string]string{}
	for _, of := range s.Segments().Live() {
		versions[of.Name] = of.Version
	}
	return namesOf(versions, s.Snapshot())
}

func namesOf(live map[string]string, worth string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(live)) {
		fmt.Fprintf(&b, "%q %q\n", name, live[name])
	}
	return b.String() + worth
}

// WaitFor returns when everybody was weighed, by the segments and the snapshot in force, and by what the log held up to these offsets and the change
// feed of who is who up to feed, or when ctx ends.
func (s *Segments) WaitFor(ctx context.Context, ends []int64, feed int64) error {
	for {
		s.mu.Lock()
		change, behind := s.change, !s.opened.Load() || s.fed < feed || s.by != s.inForce()
		for p, n := range s.settled {
			behind = behind || p < len(ends) && n < ends[p]
		}
		s.mu.Unlock()
		if !behind {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-change:
		case <-time.After(time.Second):
		}
	}
}

// settle notes that nobody is marked any more.
func (s *Segments) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	copy(s.settled, s.next)
	s.by = namesOf(s.settings.Live, s.settings.Worth)
	s.fed = s.feed
	close(s.change)
	s.change = make(chan struct{})
}
