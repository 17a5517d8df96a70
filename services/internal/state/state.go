// Package state is the key-value store that a role keeps beside itself: what it has folded from the log, and how far it has read,
// in one atomic batch.
//
// The log is the truth and a store can be rebuilt from it, so a commit does not wait for the disk. What a crash leaves is always
// the state after some earlier commit, complete, with the offsets of that commit: the role reads on from there. Commits become
// durable at most Options.SyncEvery later; Sync makes all of them durable at once.
//
// On a full disk writes wait, and go on by themselves when there is room again; reads do not wait. A store that is closed meanwhile
// gives up: the process ends, and the next start goes on from the last durable commit.
//
// The package deliberately knows nothing of what is stored. Keys that begin with the byte 0, or with sixteen bytes 255, are its own.
package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrInUse says that another process, or another store of this one, holds the folder.
var ErrInUse = errors.New("folder in use")

// Options of a store. The zero value is good.
type Options struct {
	CacheBytes    int64         // block cache; 0 is 32 MiB
	MemTableBytes uint64        // unflushed writes; at most two of these are in memory; 0 is 8 MiB
	SyncEvery     time.Duration // longest time until a commit is durable; 0 is one second
	MaxOpenFiles  int           // 0 is 256
	FS            vfs.FS        // nil is the disk
	Logger        *slog.Logger  // nil is slog.Default()

	// Unlogged commits become durable when the memory for unflushed writes is full, at Sync, CommitDurable and Close, and not before. Writes cost about half.
	// For a store that is being built from the log: a crash costs what was folded since.
	Unlogged bool
}

func (o Options) withDefaults() Options {
	if o.CacheBytes == 0 {
		o.CacheBytes = 32 << 20
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = 8 << 20
	}
	if o.SyncEvery == 0 {
		o.SyncEvery = time.Second
	}
	if o.MaxOpenFiles == 0 {
		o.MaxOpenFiles = 256
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// Store is an open store. All methods may be called from any goroutine; Close must be the last.
type Store struct {
	view
	dir    string
	db     *pebble.DB
	cache  *pebble.Cache
	lock   *pebble.Lock
	logger *slog.Logger
	room   *room
	fs     vfs.FS

	readers atomic.Pointer[readers] // of snapshots that are taken now
	purging sync.Mutex              // guards earlier
	earlier []*readers              // of snapshots from before a purge

	unlogged  bool
	syncEvery time.Duration
	unsynced  atomic.Bool
	syncMu    sync.Mutex // guards timer, failure and closed
	timer     *time.Timer
	failure   error // a sync that failed: every later commit reports it, since its durability is unknown
	closed    bool
}

// Open opens the store in dir and makes it if it does not exist. It fails with an error that wraps ErrInUse if the folder is held by
// somebody else.
func Open(dir string, options Options) (*Store, error) {
	o := options.withDefaults()
	cache := pebble.NewCache(o.CacheBytes) // held by the store, and let go of in Close
	room := &room{fs: o.FS, dir: dir, logger: o.Logger, given: make(chan struct{})}
	p := &pebble.Options{
		Cache:                       cache,
		FS:                          vfs.OnDiskFull(fresh{o.FS}, room.wait),
		FormatMajorVersion:          pebble.FormatNewest,
		Logger:                      quiet{o.Logger},
		MaxOpenFiles:                o.MaxOpenFiles,
		MemTableSize:                o.MemTableBytes,
		MemTableStopWritesThreshold: 2,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		WALBytesPerSync:             1 << 20,
		BytesPerSync:                1 << 20,
		DisableWAL:                  o.Unlogged,
	}
	// One compaction runs at a time, and the next is chosen as one ends. The default looks for more ten times a second, for ever, which is
	// most of what an idle process does.
	p.CompactionConcurrencyRange = func() (int, int) { return 1, 1 }
	p.Experimental.CompactionScheduler = pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest()
	for i := range p.Levels {
		// What is above the last level is little, and rewritten soon: packing it costs more than it saves.
		p.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
		if i == len(p.Levels)-1 {
			p.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
		}
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		p.Levels[i].FilterType = pebble.TableFilter
	}
	// The lock is taken first so that a folder in use is told from every other failure of pebble.Open.
	if err := o.FS.MkdirAll(dir, 0o700); err != nil {
		cache.Unref()
		return nil, fmt.Errorf("make state folder %s: %w", dir, err)
	}
	lock, err := pebble.LockDirectory(dir, o.FS)
	if err != nil {
		cache.Unref()
		return nil, fmt.Errorf("open state folder %s: %w", dir, lockError(err))
	}
	p.Lock = lock
	db, err := pebble.Open(dir, p)
	if err != nil {
		cache.Unref()
		return nil, errors.Join(fmt.Errorf("open state folder %s: %w", dir, err), lock.Close())
	}
	s := &Store{view: view{db}, dir: dir, db: db, cache: cache, lock: lock, logger: o.Logger, room: room, fs: o.FS, unlogged: o.Unlogged, syncEvery: o.SyncEvery}
	s.readers.Store(new(readers))
	return s, nil
}

// Rest gives memory back: that of the block cache, which fills again as the store is read, and that of unflushed writes, which are flushed beside.
func (s *Store) Rest() {
	s.cache.Reserve(int(s.cache.MaxSize()))()
	if s.db.Metrics().MemTable.Size > restMemTable {
		if _, err := s.db.AsyncFlush(); err != nil {
			s.logger.Warn("state: unflushed writes stay in memory", "folder", s.dir, "error", err)
		}
	}
}

// restMemTable is how many bytes of unflushed writes are not worth a file.
const restMemTable = 4 << 20

// lockError tells a folder held by somebody else from one that cannot be written. Pebble gives the first without a type when the
// holder is this process.
func lockError(err error) error {
	if errors.Is(err, syscall.EAGAIN) || err.Error() == "lock held by current process" {
		return fmt.Errorf("%w: another process or store holds it; stop that one or choose another folder", ErrInUse)
	}
	return err
}

// Batch collects writes that become visible together. It belongs to one goroutine and is used up by Commit.
type Batch struct {
	store *Store
	b     *pebble.Batch
}

// NewBatch starts a batch. Either Commit or Discard must follow.
func (s *Store) NewBatch() *Batch { return &Batch{s, s.db.NewBatch()} }

// Set writes a key. Neither key nor value is kept.
func (b *Batch) Set(key, value []byte) error { return b.b.Set(key, value, nil) }

// Merge appends to the value of a key, which is made if it is not there. It costs what it appends, whatever the value has already. Neither key nor value is kept.
func (b *Batch) Merge(key, value []byte) error { return b.b.Merge(key, value, nil) }

// Delete removes a key; one that is not there is fine.
func (b *Batch) Delete(key []byte) error { return b.b.Delete(key, nil) }

// DeleteRange removes all keys in [from, to).
func (b *Batch) DeleteRange(from, to []byte) error { return b.b.DeleteRange(from, to, nil) }

// Len is the size of the batch in bytes.
func (b *Batch) Len() int { return b.b.Len() }

// Count is the number of writes in the batch.
func (b *Batch) Count() int { return int(b.b.Count()) }

// Commit makes the batch visible to every reader. It does not wait for the disk: after a crash the store may come back as it was
// before this batch, or an earlier one, but never with a part of one.
func (b *Batch) Commit() error { return b.commit(pebble.NoSync) }

// CommitDurable is Commit, and returns when this batch and all before it are on the disk.
func (b *Batch) CommitDurable() error { return b.commit(pebble.Sync) }

// Discard drops the batch.
func (b *Batch) Discard() error { return b.b.Close() }

func (b *Batch) commit(how *pebble.WriteOptions) error {
	s := b.store
	if err := s.failed(); err != nil {
		return errors.Join(err, b.b.Close())
	}
	durable := how.Sync
	if s.unlogged {
		how = pebble.NoSync
	}
	if err := s.db.Apply(b.b, how); err != nil {
		return errors.Join(fmt.Errorf("commit to %s: %w", s.dir, err), b.b.Close())
	}
	switch {
	case !s.unlogged && !durable:
		s.scheduleSync()
	case s.unlogged:
		s.unsynced.Store(true)
		if durable {
			return errors.Join(s.Sync(), b.b.Close())
		}
	}
	return b.b.Close()
}

// scheduleSync arms one timer at the first commit after a sync, so an idle store wakes nobody.
func (s *Store) scheduleSync() {
	if s.unsynced.Swap(true) {
		return
	}
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	if s.closed {
		return
	}
	s.timer = time.AfterFunc(s.syncEvery, func() {
		s.syncMu.Lock()
		defer s.syncMu.Unlock()
		if s.closed {
			return
		}
		if err := s.syncLocked(); err != nil {
			s.failure = err
			s.logger.Error("state: sync failed, no more commits are taken", "folder", s.dir, "error", err)
		}
	})
}

// Sync returns when every commit so far is durable.
func (s *Store) Sync() error {
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	return s.syncLocked()
}

func (s *Store) syncLocked() error {
	if !s.unsynced.Swap(false) { // cleared before the sync: a commit during it arms the timer again
		return nil
	}
	var err error
	if s.unlogged {
		err = s.db.Flush()
	} else {
		err = s.db.LogData(nil, pebble.Sync)
	}
	if err != nil {
		return fmt.Errorf("sync %s: %w", s.dir, err)
	}
	return nil
}

func (s *Store) failed() error {
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	return s.failure
}

// Checkpoint writes a consistent copy of the store, as it is now, to dir, which must not exist. Files are shared by hard links
// where the file system can.
func (s *Store) Checkpoint(dir string) error {
	if err := s.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("copy state %s: %w", s.dir, err)
	}
	return nil
}

// Close makes all commits durable and lets go of the folder.
func (s *Store) Close() error {
	s.room.giveUp()
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	err := errors.Join(s.syncLocked(), s.db.Close(), s.lock.Close())
	s.cache.Unref()
	if err != nil {
		return fmt.Errorf("close %s: %w", s.dir, err)
	}
	return nil
}

// Metrics are figures of a store at one moment.
type Metrics struct {
	DiskBytes     uint64
	CacheBytes    int64
	CacheHits     int64
	CacheMisses   int64
	MemTableBytes uint64
	Compactions   int64
	ReadAmp       int
}

// Metrics reads the figures.
func (s *Store) Metrics() Metrics {
	m := s.db.Metrics()
	return Metrics{
		DiskBytes: m.DiskSpaceUsage(), CacheBytes: m.BlockCache.Size, CacheHits: m.BlockCache.Hits, CacheMisses: m.BlockCache.Misses,
		MemTableBytes: m.MemTable.Size, Compactions: m.Compact.Count, ReadAmp: m.ReadAmp(),
	}
}

// quiet passes Pebble's errors on and drops its chatter.
type quiet struct{ *slog.Logger }

func (quiet) Infof(string, ...any) {}

func (q quiet) Errorf(format string, args ...any) {
	q.Log(context.Background(), slog.LevelError, "state: "+fmt.Sprintf(format, args...))
}

// Fatalf must not return: Pebble calls it when a write to its own log failed, after which nothing in memory may be trusted.
func (q quiet) Fatalf(format string, args ...any) {
	q.Log(context.Background(), slog.LevelError, "state: stopping, the store is rebuilt or reopened at the next start: "+fmt.Sprintf(format, args...))
	os.Exit(1)
}
