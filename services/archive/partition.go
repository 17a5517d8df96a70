package archive

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"sort"
	"sync"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// GapError says that offsets are in neither the archive nor the log: records are missing.
type GapError struct {
	Topic      string
	Partition  int32
	From, Next int64 // [From, Next) is missing
}

func (e *GapError) Error() string {
	return fmt.Sprintf("%s/%d: offsets %d to %d are missing: restore the archive or the log from a backup", e.Topic, e.Partition, e.From, e.Next)
}

// DamageError says that a file of the archive is not what was written.
type DamageError struct {
	Path string
	Err  error
}

func (e *DamageError) Error() string { return fmt.Sprintf("archive file %s: %v", e.Path, e.Err) }

func (e *DamageError) Unwrap() error { return e.Err }

func damaged(path string, err error) error {
	return schema.Classify(schema.Fatal, &DamageError{path, err})
}

// Partition is what the archive holds of one partition. It keeps the manifest's entries in memory and nothing else. It is safe
// for concurrent use.
type Partition struct {
	store Store
	part  Part

	mu      sync.RWMutex
	entries []Entry
	read    int64 // bytes of whole manifest lines
}

// OpenPartition reads the manifest.
func OpenPartition(ctx context.Context, store Store, part Part) (*Partition, error) {
	p := &Partition{store: store, part: part}
	return p, p.Refresh(ctx)
}

// Refresh reads the lines that were added to the manifest.
func (p *Partition) Refresh(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, err := p.store.Manifest(ctx, p.part, p.read)
	if err != nil {
		if d := (*DamageError)(nil); errors.As(err, &d) {
			return err
		}
		if p.read > 0 && errors.Is(err, fs.ErrNotExist) {
			return damaged(p.store.Locate(p.part, manifestName), err)
		}
		return schema.Classify(schema.Transient, fmt.Errorf("read manifest %s: %w", p.store.Locate(p.part, manifestName), err))
	}
	entries, whole, err := parseManifest(p.entries, b)
	if err != nil {
		return damaged(p.store.Locate(p.part, manifestName), err)
	}
	p.entries = entries
	p.read += int64(whole)
	return nil
}

// Range is what the archive holds: offsets [first, next). Both are 0 if it holds nothing.
func (p *Partition) Range() (first, next int64) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if n := len(p.entries); n > 0 {
		return p.entries[0].From, p.entries[n-1].Next
	}
	return 0, 0
}

// Find returns the entry whose segment holds the offset.
func (p *Partition) Find(offset int64) (Entry, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	i := sort.Search(len(p.entries), func(i int) bool { return p.entries[i].Next > offset })
	if i == len(p.entries) || p.entries[i].From > offset {
		return Entry{}, false
	}
	return p.entries[i], true
}

// Last returns the last entry.
func (p *Partition) Last() (Entry, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if n := len(p.entries); n > 0 {
		return p.entries[n-1], true
	}
	return Entry{}, false
}

// Open reads a segment whole and checks it: against its name, and against what the manifest says of it.
func (p *Partition) Open(ctx context.Context, e Entry) (*Segment, error) {
	file, err := p.get(ctx, &e)
	if err != nil {
		return nil, err
	}
	s, err := openEntry(p.part, &e, file)
	if err != nil {
		return nil, damaged(p.store.Locate(p.part, e.Name()), err)
	}
	return s, nil
}

// get reads a segment's file.
func (p *Partition) get(ctx context.Context, e *Entry) ([]byte, error) {
	path := p.store.Locate(p.part, e.Name())
	file, err := p.store.Get(ctx, p.part, e.Name())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, damaged(path, errors.New("it is missing; restore it from a backup"))
	}
	if err != nil {
		return nil, schema.Classify(schema.Transient, fmt.Errorf("read archive file %s: %w", path, err))
	}
	return file, nil
}

// openEntry opens a file as the segment that an entry of a partition names.
func openEntry(part Part, e *Entry, file []byte) (*Segment, error) {
	s, err := OpenSegment(file, e.Digest)
	if err != nil {
		return nil, err
	}
	if s.Topic != part.Topic || s.Generation != part.Generation || s.Partition != part.Partition || s.From != e.From || s.Next != e.Next {
		return nil, fmt.Errorf("it holds %s/g%d/%d offsets %d to %d, not what the manifest says", s.Topic, s.Generation, s.Partition, s.From, s.Next)
	}
	return s, nil
}

// append adds an entry behind the ones read. Only the writer calls it.
func (p *Partition) append(ctx context.Context, e Entry) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var prev *Entry
	if n := len(p.entries); n > 0 {
		prev = &p.entries[n-1]
	}
	line, err := e.line(prev)
	if err != nil {
		return err
	}
	if err := p.store.Append(ctx, p.part, p.read, line); err != nil {
		return schema.Classify(schema.Transient, err)
	}
	p.entries = append(p.entries, e)
	p.read += int64(len(line))
	return nil
}

// RecordDigest identifies a record with its place: the first half of SHA-256 over partition, offset, record time in
// milliseconds, key, value and headers, each with its length. It tells whether a log still is the log that somebody read.
func RecordDigest(partition int32, r *kafka.Record) (digest [16]byte) {
	h := sha256.New()
	var head [40]byte
	le := binary.LittleEndian
	le.PutUint64(head[:], uint64(partition))
	le.PutUint64(head[8:], uint64(r.Offset))
	le.PutUint64(head[16:], uint64(int64(r.Time)/1000))
	le.PutUint64(head[24:], uint64(len(r.Key)))
	le.PutUint64(head[32:], uint64(len(r.Value)))
	h.Write(head[:])
	h.Write(r.Key)
	h.Write(r.Value)
	for i := range r.Headers {
		le.PutUint64(head[:], uint64(len(r.Headers[i].Key)))
		le.PutUint64(head[8:], uint64(len(r.Headers[i].Value)))
		h.Write(head[:16])
		h.Write([]byte(r.Headers[i].Key))
		h.Write(r.Headers[i].Value)
	}
	var sum [sha256.Size]byte
	copy(digest[:], h.Sum(sum[:0]))
	return digest
}
