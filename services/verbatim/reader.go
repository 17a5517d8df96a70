package verbatim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/pipelines/verbatim/encoder"
	"github.com/dossier-cdp/dossier/schema"
)

// Reader reads the texts of events by the model, the themes and the corrections in force, and remembers the latest of them: the same text comes again in copies, in templates
// and where the log is read again. It is safe for concurrent use.
//
// It remembers a hash under a key of the process and what was read, in memory alone, so nothing of it outlives the process, and Forget empties it.
type Reader struct {
	Config
	current atomic.Pointer[inForce]
	mu      sync.Mutex // guards the change of current
	base    *verbatim.Analyzer
	seed    maphash.Seed
	shards  [cacheShards]cacheShard
}

// Config is what a reader follows.
type Config struct {
	// Settings gives the section verbatim of the configuration in force: the same pointer until it changes.
	Settings func() *verbatim.Settings
	// Decided gives what was decided of how texts are read, oldest first, after the first so many. nil: nothing ever is.
	Decided func(after int) []Decision
	// Encoder opens the weights of the encoder tier, once; nil: there are none.
	Encoder func() (*encoder.Encoder, error)
	// Logger is told once of what cannot be read as the configuration says; nil: nobody is.
	Logger *slog.Logger
}

// Decision is a model refitted by corrections, or a restatement.
type Decision struct {
	At         schema.Instant
	Adjustment []byte // empty: all texts before At are read by what is in force at At
}

// inForce is what reads now.
type inForce struct {
	settings *verbatim.Settings
	decided  int // decisions that are in it
	version  string
	spans    []span // ascending; the first has no beginning
	err      error
}

// span is what reads the texts that occurred from an instant on.
type span struct {
	from     schema.Instant
	version  string
	analyzer *verbatim.Analyzer
}

// Bounds of what is remembered: some 10 MB.
const (
	cacheShards  = 16
	cacheEntries = 1024 // of a shard
)

// cacheShard has two generations: what is not asked for while the younger one fills is forgotten.
type cacheShard struct {
	mu       sync.Mutex
	new, old map[cacheKey]*verbatim.Kept
}

type cacheKey struct {
	hash, length uint64
	version      string
}

// NewReader makes a reader.
func NewReader(c Config) *Reader {
	return &Reader{Config: c, seed: maphash.MakeSeed()}
}

// inForce gives what reads now.
func (r *Reader) inForce() *inForce {
	settings := r.Settings()
	if f := r.current.Load(); f != nil && f.settings == settings && len(r.decided(f.decided)) == 0 {
		return f
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.current.Load()
	decided := r.decided(0)
	if before != nil && before.settings == settings && before.decided == len(decided) {
		return before
	}
	f := &inForce{settings: settings, decided: len(decided)}
	if before == nil || before.settings != settings {
		r.base, f.err = r.analyzer(settings)
	} else {
		f.err = before.err
	}
	if f.err == nil {
		f.follow(r.base, settings.Version, decided, r.warn)
	}
	r.current.Store(f)
	return f
}

func (r *Reader) decided(after int) []Decision {
	if r.Decided == nil {
		return nil
	}
	return r.Decided(after)
}

func (r *Reader) warn(what string, err error) {
	if r.Logger != nil {
		r.Logger.Warn(what, "error", err)
	}
}

// analyzer makes what reads under the settings. Where the weights of the encoder tier are missing the base tier reads, under its own version.
func (r *Reader) analyzer(settings *verbatim.Settings) (*verbatim.Analyzer, error) {
	model, err := verbatim.Base()
	if err != nil {
		return nil, err // Unreachable: the model is part of the binary
	}
	if settings.Tier != verbatim.TierEncoder {
		return verbatim.New(model, settings.Tree), nil
	}
	err = ErrNoEncoder
	if r.Encoder != nil {
		var e *encoder.Encoder
		if e, err = r.Encoder(); err == nil {
			var h *verbatim.Heads
			if h, err = verbatim.BaseHeads(model); err == nil {
				var a *verbatim.Analyzer
				if a, err = verbatim.NewDeep(model, settings.Tree, e, h); err == nil {
					return a, nil
				}
			}
		}
	}
	r.warn("texts are read by the base tier, the configuration asks for the encoder tier", err)
	return verbatim.New(model, settings.Tree), nil
}

// follow lays out which texts are read by which version: by the one in force when they occurred, until a restatement.
func (f *inForce) follow(base *verbatim.Analyzer, themes string, decided []Decision, warn func(string, error)) {
	latest := span{version: base.Version() + "+" + themes, analyzer: base}
	f.spans = []span{latest}
	for _, d := range decided {
		if len(d.Adjustment) == 0 {
			latest.from = 0
			f.spans = []span{latest}
			continue
		}
		adjustment, err := verbatim.ParseAdjustment(d.Adjustment)
		var a *verbatim.Analyzer
		if err == nil {
			a, err = base.Adjusted(adjustment)
		}
		if err != nil { // of another release's model: what it said of that one says nothing of this one
			warn("corrections that were learnt beside another model do not count until dossier verbatim refit", err)
			continue
		}
		latest = span{d.At, a.Version() + "+" + themes, a}
		f.spans = append(f.spans, latest)
	}
	f.version = f.spans[0].version
	for _, s := range f.spans[1:] {
		f.version += fmt.Sprintf(",%d:%s", s.from, s.version)
	}
	if len(f.spans) > 1 {
		sum := sha256.Sum256([]byte(f.version))
		f.version = latest.version + "," + hex.EncodeToString(sum[:4])
	}
}

// of gives what reads a text that occurred at an instant.
func (f *inForce) of(at schema.Instant) *span {
	for i := len(f.spans) - 1; i > 0; i-- {
		if at >= f.spans[i].from {
			return &f.spans[i]
		}
	}
	return &f.spans[0]
}

// Version names everything that reads now: the model, the themes, and which texts are read by which corrections.
func (r *Reader) Version() string { return r.inForce().version }

// Shipped gives what reads without corrections, under the configuration in force: what a refit learns beside.
func (r *Reader) Shipped() (*verbatim.Analyzer, error) {
	if f := r.inForce(); f.err != nil {
		return nil, f.err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.base, nil
}

// Latest names what reads a text that occurs now.
func (r *Reader) Latest() string {
	f := r.inForce()
	if len(f.spans) == 0 {
		return ""
	}
	return f.spans[len(f.spans)-1].version
}

// Read reads the text of an event. nil is no reading: there is no model.
func (r *Reader) Read(e *schema.Event) *verbatim.Kept {
	f := r.inForce()
	if f.err != nil {
		return nil
	}
	hint, known := verbatim.ParseLanguage(e.Language)
	if !known {
		hint = verbatim.Unknown
	}
	var h maphash.Hash
	h.SetSeed(r.seed)
	h.WriteString(e.Text)
	h.WriteByte(byte(hint))
	by := f.of(e.OccurredAt)
	key := cacheKey{h.Sum64(), uint64(len(e.Text)), by.version}
	shard := &r.shards[key.hash%cacheShards]
	if k := shard.get(key); k != nil {
		return k
	}
	reading := by.analyzer.Read(e.Text, hint)
	k := reading.Keep(by.version)
	shard.put(key, k)
	return k
}

// Forget empties what is remembered.
func (r *Reader) Forget() {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		s.new, s.old = nil, nil
		s.mu.Unlock()
	}
}

func (s *cacheShard) get(key cacheKey) *verbatim.Kept {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.new[key]; k != nil {
		return k
	}
	k := s.old[key]
	if k != nil {
		s.keep(key, k)
	}
	return k
}

func (s *cacheShard) put(key cacheKey, k *verbatim.Kept) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(key, k)
}

func (s *cacheShard) keep(key cacheKey, k *verbatim.Kept) {
	if len(s.new) >= cacheEntries {
		s.old, s.new = s.new, nil
	}
	if s.new == nil {
		s.new = map[cacheKey]*verbatim.Kept{}
	}
	s.new[key] = k
}
