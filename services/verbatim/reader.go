package verbatim

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/dossier-cdp/dossier/pipelines/verbatim"
	"github.com/dossier-cdp/dossier/schema"
)

// Reader reads the texts of events by the model and the themes in force, and remembers the latest of them: the same text comes again in copies, in templates
// and where the log is read again. It is safe for concurrent use.
//
// It remembers a hash under a key of the process and what was read, in memory alone, so nothing of it outlives the process, and Forget empties it.
type Reader struct {
	settings func() *verbatim.Settings
	current  atomic.Pointer[inForce]
	mu       sync.Mutex // guards the change of current
	seed     maphash.Seed
	shards   [cacheShards]cacheShard
}

// inForce is what reads now.
type inForce struct {
	settings *verbatim.Settings
	version  string
	analyzer *verbatim.Analyzer
	err      error
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

// NewReader makes a reader that follows the settings.
func NewReader(settings func() *verbatim.Settings) *Reader {
	return &Reader{settings: settings, seed: maphash.MakeSeed()}
}

// inForce gives what reads now.
func (r *Reader) inForce() *inForce {
	settings := r.settings()
	if f := r.current.Load(); f != nil && f.settings == settings {
		return f
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.current.Load(); f != nil && f.settings == settings {
		return f
	}
	model, err := verbatim.Base()
	f := &inForce{settings: settings, err: err}
	if err == nil { // Unreachable otherwise: the model is part of the binary
		f.version, f.analyzer = model.Version()+"+"+settings.Version, verbatim.New(model, settings.Tree)
	}
	r.current.Store(f)
	return f
}

// Version names the model and the themes that read now.
func (r *Reader) Version() string { return r.inForce().version }

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
	key := cacheKey{h.Sum64(), uint64(len(e.Text)), f.version}
	shard := &r.shards[key.hash%cacheShards]
	if k := shard.get(key); k != nil {
		return k
	}
	reading := f.analyzer.Read(e.Text, hint)
	k := reading.Keep(f.version)
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
