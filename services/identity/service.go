// Package identity is the role that folds the log into who is who, keeps what is known of each persona, and answers lookups.
//
// # What it guarantees
//
// What it answers is a function of the set of events folded, of the erasures, and of the identity rules: order, duplicates, batches and restarts
// change nothing. Every persona is in exactly one profile. Persona, hubs, profiles and offsets change together, in one batch of the state store, so a crash leaves
// what some earlier commit left, and the log is read on from there. A reader sees one commit, whole.
//
// It answers nothing before it has read to the end of the log as that was at its start (ErrNotReady). A lookup that must see an event waits for its position
// (WaitFor).
//
// The state folder can be removed: it is built anew from the log. It is also built anew if the log is not the one that it was built from, if an
// earlier version of this package wrote it in another form, and when the identity rules change: then beside the old state, which goes on answering until the new one has caught up.
//
// # How
//
// One goroutine per partition reads the feed; one folds what they bring, decides, commits. Pure packages decide (pipelines/identity,
// pipelines/persona); this one only keeps their rows. Changes of profiles are noted in the same batch and handed to the sinks afterwards, once that batch is durable:
// at least once, in order, with ids only.
//
// # What it deliberately does not do
//
// It does not store golden records: they are joined from the states of the personas when they are asked for. It keeps no history: what was
// known at a time is computed from the evidence.
package identity

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	models "github.com/dossier-cdp/dossier/pipelines/identity/match"
	"github.com/dossier-cdp/dossier/pipelines/persona"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// Feed reads opened events; *eventlog.Feed is one.
type Feed interface {
	Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (eventlog.OpenedBatch, error)
}

// Log is what a reader must know of the log beside its events; *eventlog.Log is one.
type Log interface {
	Partitions() int32
	Generation() uint32
	Ends(ctx context.Context) ([]int64, error)
	Start(partition int32) eventlog.Checkpoint
	After(partition int32, next int64, last [16]byte) eventlog.Checkpoint
	Check(ctx context.Context, c eventlog.Checkpoint) error
}

// Settings are the parts of a workspace's configuration that bear on who is who.
type Settings struct {
	Hash         string          // of the whole document, named in answers
	Rules        *identity.Rules // prepared; nil is identity.DefaultRules()
	Survivorship persona.Rules
	Countries    []string // ISO 3166 alpha-2, by which a looked-up national phone number may be read

	// Model is what stratum 2 weighs by; nil is no stratum 2. People is for how many records its prior is meant; 0 is the number that it was estimated on.
	Model  *models.Model
	People int

	// Expired names the retention classes and years that have ended, sorted. What their events said cannot be taken out of what was joined, so that others mean
	// another state, which the feed gives none of those events.
	Expired []string
}

func (s *Settings) weighing() weighing {
	if s.Model == nil {
		return weighing{}
	}
	return weighing{s.Model, cmp.Or(s.People, s.Model.Records)}
}

// Erasure closes a persona's epochs up to Of.Epoch. Events of those, and events of the persona that occurred at or before CutOff, are void.
type Erasure struct {
	Of     schema.PersonaEpoch
	CutOff schema.Instant
}

// Config of a Service. Workspace, Folder, Feed, Log and Hash are needed; the zero value of the others is good.
type Config struct {
	Workspace string
	Folder    string // holds one folder per set of identity rules
	Feed      Feed
	Log       Log
	Hash      identity.Hasher
	Settings  Settings
	Erasures  []Erasure // all that the control topic has at the start
	Sinks     []Sink
	StandBy   bool // the sinks are told only while Lead runs: another process may be telling them
	Store     state.Options
	Logger    *slog.Logger // nil is slog.Default()

	// Trace is told of each commit: when its first batch came, and the events of its batches. nil is nobody.
	Trace func(begun time.Time, batches ...[]eventlog.Opened)

	// CommitRecords is how many records are folded into one commit at most; 0 is 16,384. It changes nothing but speed and memory: what a
	// commit touches is in memory until then, about 4 kB for a new persona.
	CommitRecords int
}

// Service answers who is who in one workspace. All methods may be called from any goroutine.
type Service struct {
	config  Config
	logger  *slog.Logger
	metrics Metrics

	mu       sync.Mutex // guards what follows
	settings Settings
	current  *worker // answers
	next     *worker // is being built under other rules; nil if none
	erasures map[schema.PersonaID]Erasure
	wake     chan struct{} // tells Run that next changed
	ended    error         // why Run ended

	simulating sync.Mutex
	past       chan struct{} // holds one while the log is folded up to a time (past.go)
	leavePast  func()        // ends that; guarded by mu

	lead   lead
	failed chan error     // ends Run
	swaps  sync.WaitGroup // exchanges of workers, and what they leave behind
}

// worker folds the log into one projection.
type worker struct {
	projection *projection
	commands   chan command
	caught     chan struct{}      // closed when the log was read to its end as of the start
	serving    chan struct{}      // closed when lookups are answered from it, and the sinks told
	cancel     context.CancelFunc // nil before the start; guarded by Service.mu
	done       chan struct{}
	readers    sync.RWMutex // held for reading by every view; for writing to close the store
	gone       bool         // guarded by readers

	total  atomic.Int64 // records in the log as of the start
	folded atomic.Int64 // of which are folded; more, when others have come
}

type command struct {
	do   func(*projection) error
	done chan error
}

// ErrNotReady says that the log has not been read to the end as of the start, so that an answer could be stale.
var ErrNotReady = schema.Classify(schema.Transient, errors.New("identity is still reading the log"))

// InForce are the settings that answers follow.
func (s *Service) InForce() Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings
}

// Open opens the state, or begins a new one. Nothing is read before Run.
func Open(ctx context.Context, c Config) (*Service, error) {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Settings.Rules == nil {
		c.Settings.Rules = identity.DefaultRules()
	}
	if c.CommitRecords == 0 {
		c.CommitRecords = commitRecords
	}
	s := &Service{config: c, logger: c.Logger, settings: c.Settings, wake: make(chan struct{}, 1), failed: make(chan error, 1), erasures: map[schema.PersonaID]Erasure{}, lead: lead{changed: make(chan struct{})}, past: make(chan struct{}, 1)}
	for _, e := range c.Erasures {
		s.noteErasure(e)
	}
	if err := s.removeLeftovers(); err != nil {
		return nil, err
	}
	w, err := s.open(ctx, &c.Settings)
	if err != nil {
		return nil, err
	}
	s.current = w
	close(w.serving)
	return s, nil
}

// folderOf names the folder of a set of rules. Whatever would make other rows of the same log has another folder (formOf): what was built otherwise is never
// read, and a build that was interrupted goes on.
func folderOf(workspace string, rules *identity.Rules, by weighing, expired []string) (string, error) {
	form, err := formOf(workspace, rules, by)
	if len(expired) > 0 {
		sum := sha256.Sum256(fmt.Appendf(form, "%q", expired))
		form = sum[:]
	}
	return hex.EncodeToString(form[:min(len(form), 8)]), err
}

// files is where the folders are.
func (c *Config) files() vfs.FS {
	if c.Store.FS != nil {
		return c.Store.FS
	}
	return vfs.Default
}

// tidy removes the folders of rules that are not in force any more, such as those of a configuration that changed while nothing ran.
func (s *Service) tidy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	files := s.config.files()
	names, err := files.List(s.config.Folder)
	if err != nil {
		return fmt.Errorf("list identity states: %w", err)
	}
	for _, name := range names {
		used := filepath.Base(s.current.projection.dir) == name || s.next != nil && filepath.Base(s.next.projection.dir) == name
		if used || !isState(name) {
			continue
		}
		if err := files.RemoveAll(filepath.Join(s.config.Folder, name)); err != nil {
			return fmt.Errorf("remove a former identity state: %w", err)
		}
	}
	return nil
}

func (s *Service) open(ctx context.Context, settings *Settings) (*worker, error) {
	rules, by := settings.Rules, settings.weighing()
	name, err := folderOf(s.config.Workspace, rules, by, settings.Expired)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.config.Folder, name)
	p, err := openProjection(ctx, dir, &s.config, rules, by)
	if errors.Is(err, eventlog.ErrOtherLog) || errors.Is(err, errEarlierForm) {
		s.logger.Warn("identity: the state belongs to another log or an earlier version and is built anew", "folder", dir, "reason", err)
		if err := s.config.files().RemoveAll(dir); err != nil {
			return nil, fmt.Errorf("remove identity state: %w", err)
		}
		p, err = openProjection(ctx, dir, &s.config, rules, by)
	}
	if err != nil {
		return nil, err
	}
	p.expired = len(settings.Expired)
	for _, e := range s.erasures {
		if err := p.erase(e.Of, e.CutOff); err != nil {
			return nil, errors.Join(err, p.close())
		}
	}
	return &worker{projection: p, commands: make(chan command), caught: make(chan struct{}), serving: make(chan struct{}), done: make(chan struct{})}, nil
}

func (s *Service) noteErasure(e Erasure) {
	had, found := s.erasures[e.Of.Persona]
	if found {
		e.Of.Epoch, e.CutOff = max(e.Of.Epoch, had.Of.Epoch), max(e.CutOff, had.CutOff)
	}
	s.erasures[e.Of.Persona] = e
}

// Run folds the log until ctx ends. It returns nil then, else the error that makes it impossible to go on.
func (s *Service) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err := s.start(ctx, s.serving())
	for err == nil && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case err = <-s.failed:
		case <-s.wake:
			err = s.startNext(ctx)
		}
	}
	cancel()
	s.mu.Lock()
	s.ended = errors.Join(errors.New("identity has stopped"), err)
	var running []*worker
	for _, w := range []*worker{s.current, s.next} {
		if w != nil && w.cancel != nil {
			running = append(running, w)
		}
	}
	s.mu.Unlock()
	for _, w := range running {
		<-w.done
	}
	s.swaps.Wait()
	return err
}

// serving is the worker that answers.
func (s *Service) serving() *worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// Close closes the state. Run must have returned.
func (s *Service) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.current.close()
	if s.next != nil {
		err = errors.Join(err, s.next.close())
	}
	return err
}

func (w *worker) close() error {
	w.readers.Lock()
	defer w.readers.Unlock()
	if w.gone {
		return nil
	}
	w.gone = true
	return w.projection.close()
}

// Reconfigure takes other settings. If the identity rules are others, a new state is built beside the old one, which answers until the new one has
// caught up. It returns at once; Ready tells of the build.
func (s *Service) Reconfigure(ctx context.Context, settings Settings) error {
	if settings.Rules == nil {
		settings.Rules = identity.DefaultRules()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted, err := folderOf(s.config.Workspace, settings.Rules, settings.weighing(), settings.Expired)
	if err != nil {
		return err
	}
	if s.next != nil && filepath.Base(s.next.projection.dir) != wanted { // a build that nobody wants any more
		if err := s.stopNext(); err != nil {
			return err
		}
	}
	if filepath.Base(s.current.projection.dir) == wanted {
		s.settings = settings
		return nil
	}
	s.settings.Survivorship, s.settings.Countries = settings.Survivorship, settings.Countries // read at each answer
	if s.next == nil {
		w, err := s.open(ctx, &settings)
		if err != nil {
			return err
		}
		s.next = w
		s.logger.Info("identity: building the state under other rules", "configuration", settings.Hash, "expired", settings.Expired)
	}
	s.config.Settings = settings
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// Settle returns when answers come from a state under the settings that Reconfigure took last.
func (s *Service) Settle(ctx context.Context) error {
	for {
		s.mu.Lock()
		next := s.next
		s.mu.Unlock()
		if next == nil {
			return nil
		}
		select {
		case <-next.serving:
		case <-next.done: // it was given up for another one, or Run has ended
			return ErrNotReady
		case <-ctx.Done():
			return schema.Classify(schema.Transient, ctx.Err())
		}
	}
}

// stopNext gives a build up.
func (s *Service) stopNext() error {
	w := s.next
	s.next = nil
	if w.cancel != nil {
		w.cancel()
		<-w.done
	}
	return w.close()
}

// startNext folds the log into the next projection, and puts it in the place of the current one when it knows as much.
func (s *Service) startNext(ctx context.Context) error {
	s.mu.Lock()
	next := s.next
	started := next == nil || next.cancel != nil
	s.mu.Unlock()
	if started {
		return nil
	}
	if err := s.start(ctx, next); err != nil {
		return err
	}
	s.swaps.Go(func() {
		select {
		case <-next.caught:
		case <-next.done:
			return
		}
		if err := next.waitFor(ctx, s.Positions()); err != nil {
			return // stopping; the build goes on at the next start
		}
		if err := s.swap(ctx, next); err != nil {
			s.fail(err)
		}
	})
	return nil
}

// swap lets next answer. The old one is stopped first, so that what the sinks are told stays in one order.
func (s *Service) swap(ctx context.Context, next *worker) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != next {
		return nil
	}
	old := s.current
	old.cancel()
	<-old.done
	at, _ := old.projection.progress.get()
	if err := next.waitFor(ctx, at); err != nil {
		return nil // stopping
	}
	s.current, s.next, s.settings = next, nil, s.config.Settings
	close(next.serving)
	s.logger.Info("identity: answers come from the state under the new rules", "configuration", s.settings.Hash)
	if err := errors.Join(old.close(), s.config.files().RemoveAll(old.projection.dir)); err != nil {
		return fmt.Errorf("let go of the state under the old rules: %w", err)
	}
	return nil
}

// fail ends Run.
func (s *Service) fail(err error) {
	select {
	case s.failed <- err:
	default: // Run is ending already
	}
}

// Ready says whether lookups are answered; if not, why, and how far the log is read, from 0 to 1.
func (s *Service) Ready() (ready bool, reason string, progress float64) {
	s.mu.Lock()
	w, ended := s.current, s.ended
	s.mu.Unlock()
	if ended != nil {
		return false, ended.Error(), 0
	}
	select {
	case <-w.caught:
		return true, "", 1
	default:
	}
	progress = w.share()
	return false, fmt.Sprintf("identity reads the log: %.0f %%", 100*progress), progress
}

func (w *worker) share() float64 {
	total := w.total.Load()
	if total == 0 {
		return 0
	}
	return min(1, float64(w.folded.Load())/float64(total))
}

// WaitFor returns when everything up to and including the given positions can be seen by lookups.
func (s *Service) WaitFor(ctx context.Context, positions ...schema.Position) error {
	after := make([]schema.Position, len(positions))
	for i, p := range positions {
		after[i] = p
		after[i].Offset++
	}
	return s.serving().waitFor(ctx, after)
}

// waitFor returns when the log is folded up to, not including, the given positions.
func (w *worker) waitFor(ctx context.Context, positions []schema.Position) error {
	for {
		at, changed := w.projection.progress.get()
		waiting := false
		for _, p := range positions {
			// Offsets count on over generations, so partition and offset say which place it is.
			if int(p.Partition) >= len(at) {
				return schema.Classify(schema.Rejected, fmt.Errorf("no such place in the log: generation %d, partition %d", p.Generation, p.Partition))
			}
			waiting = waiting || at[p.Partition].Offset < p.Offset
		}
		if !waiting {
			return nil
		}
		select {
		case <-ctx.Done():
			return schema.Classify(schema.Transient, ctx.Err())
		case <-w.done:
			return ErrNotReady
		case <-changed:
		}
	}
}

// Rest gives back memory that is kept only because lookups may ask the same again. What folding keeps goes by itself when nothing comes.
func (s *Service) Rest() {
	w := s.serving()
	w.readers.RLock()
	defer w.readers.RUnlock()
	select {
	case <-w.caught: // else its store may be opened anew
		if !w.gone {
			w.projection.store.Rest()
		}
	default:
	}
}

// Positions is how far the log is folded: the next offset of each partition.
func (s *Service) Positions() []schema.Position {
	at, _ := s.serving().projection.progress.get()
	return at
}

// Erase takes out what is known of a persona's closed epochs, and is durable when it returns. Repeating it changes nothing. Run must be running.
func (s *Service) Erase(ctx context.Context, e Erasure) error {
	s.mu.Lock()
	s.noteErasure(e)
	if s.leavePast != nil {
		s.leavePast()
	}
	workers := []*worker{s.current}
	if s.next != nil && s.next.cancel != nil {
		workers = append(workers, s.next)
	}
	s.mu.Unlock()
	for _, w := range workers {
		if err := w.command(ctx, func(p *projection) error { return p.erase(e.Of, e.CutOff) }); err != nil {
			return fmt.Errorf("erase persona %s: %w", e.Of.Persona, err)
		}
	}
	return nil
}

// StoreName tells the state that answers from any other.
func (s *Service) StoreName() (name string, err error) {
	err = s.serving().keep(func(store *state.Store) error {
		name, err = store.Name()
		return err
	})
	return name, err
}

// Purge rewrites the files of the state until nothing that Erase has taken out is in any of them (state.Store.Purge). It fails with ErrNotReady while the
// state is not complete, or another one is being built that will take its place.
func (s *Service) Purge(ctx context.Context) (p state.Purged, err error) {
	s.mu.Lock()
	current, next := s.current, s.next
	s.mu.Unlock()
	select {
	case <-current.caught:
	default:
		return p, ErrNotReady
	}
	if next != nil {
		return p, ErrNotReady
	}
	if err := s.forgetPast(ctx); err != nil {
		return p, err
	}
	letGo := func() error { return current.command(ctx, (*projection).look) }
	err = current.keep(func(store *state.Store) error {
		p, err = store.Purge(ctx, letGo)
		return err
	})
	return p, err
}

// keep has the state not closed while f uses it.
func (w *worker) keep(f func(store *state.Store) error) error {
	w.readers.RLock()
	defer w.readers.RUnlock()
	if w.gone {
		return ErrNotReady
	}
	return f(w.projection.store)
}

// command runs do between two commits.
func (w *worker) command(ctx context.Context, do func(*projection) error) error {
	c := command{do, make(chan error, 1)}
	select {
	case w.commands <- c:
	case <-w.done:
		return ErrNotReady
	case <-ctx.Done():
		return schema.Classify(schema.Transient, ctx.Err())
	}
	return <-c.done
}
