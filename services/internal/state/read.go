package state

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// Reader reads a store, either as it is at each call (Store) or as it was at one moment (Snapshot).
type Reader interface {
	// Get appends the value of key to dst. found is false, and dst comes back as it was, if there is none.
	Get(dst, key []byte) (value []byte, found bool, err error)
	// Scan calls f for every key in [from, to) in byte order until f fails. ErrStop ends it without an error. Neither key nor
	// value may be kept.
	Scan(from, to []byte, f func(key, value []byte) error) error
	// ScanDown is Scan in falling order.
	ScanDown(from, to []byte, f func(key, value []byte) error) error
}

// ErrStop ends a Scan.
var ErrStop = errors.New("stop")

// view reads whatever Pebble can read from.
type view struct{ r pebble.Reader }

func (v view) Get(dst, key []byte) ([]byte, bool, error) {
	value, closer, err := v.r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return dst, false, nil
	}
	if err != nil {
		return dst, false, fmt.Errorf("read state: %w", err)
	}
	dst = append(dst, value...)
	return dst, true, closer.Close()
}

func (v view) Scan(from, to []byte, f func(key, value []byte) error) error {
	return v.scan(from, to, (*pebble.Iterator).First, (*pebble.Iterator).Next, f)
}

func (v view) ScanDown(from, to []byte, f func(key, value []byte) error) error {
	return v.scan(from, to, (*pebble.Iterator).Last, (*pebble.Iterator).Prev, f)
}

func (v view) scan(from, to []byte, first, next func(*pebble.Iterator) bool, f func(key, value []byte) error) error {
	it, err := v.r.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return fmt.Errorf("scan state: %w", err)
	}
	for ok := first(it); ok; ok = next(it) {
		value, err := it.ValueAndErr()
		if err == nil {
			err = f(it.Key(), value)
		}
		if errors.Is(err, ErrStop) {
			return it.Close()
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return fmt.Errorf("scan state: %w", err)
	}
	return nil
}

// Snapshot reads the store as it was at one moment. It holds back compaction: Close it soon.
type Snapshot struct {
	view
	s    *pebble.Snapshot
	open *atomic.Int64
}

// Snapshot takes a snapshot of everything committed.
func (s *Store) Snapshot() *Snapshot {
	open := &s.readers.Load().open
	open.Add(1)
	p := s.db.NewSnapshot()
	return &Snapshot{view{p}, p, open}
}

// Close lets the snapshot go.
func (s *Snapshot) Close() error {
	defer s.open.Add(-1)
	return s.s.Close()
}

// After gives the first key that is above every key beginning with prefix, for use as the end of a Scan; nil if there is none.
func After(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			end := append([]byte(nil), prefix[:i+1]...)
			end[i]++
			return end
		}
	}
	return nil
}

// Lookup reads single keys of the store as it was when the lookup was made. It is the way to ask for many keys of which most are not there: unlike Get, it
// asks the bloom filters of the lowest level too, where most of the store is. It belongs to one goroutine, and holds back compaction as a Snapshot does.
type Lookup struct{ it *pebble.Iterator }

// Lookup makes a lookup over everything committed.
func (s *Store) Lookup() (*Lookup, error) { return s.view.lookup() }

// Lookup makes a lookup over the snapshot.
func (s *Snapshot) Lookup() (*Lookup, error) { return s.view.lookup() }

func (v view) lookup() (*Lookup, error) {
	it, err := v.r.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	return &Lookup{it}, nil
}

// Get is Reader.Get.
func (l *Lookup) Get(dst, key []byte) ([]byte, bool, error) {
	if !l.it.SeekPrefixGE(key) || !bytes.Equal(l.it.Key(), key) {
		if err := l.it.Error(); err != nil {
			return dst, false, fmt.Errorf("read state: %w", err)
		}
		return dst, false, nil
	}
	value, err := l.it.ValueAndErr()
	if err != nil {
		return dst, false, fmt.Errorf("read state: %w", err)
	}
	return append(dst, value...), true, nil
}

// Close lets the lookup go.
func (l *Lookup) Close() error { return l.it.Close() }
