package state

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// crowded is a file system that somebody else fills.
type crowded struct {
	vfs.FS
	full    *atomic.Bool
	refused *atomic.Int64
}

func (c crowded) fails() error {
	if !c.full.Load() {
		return nil
	}
	c.refused.Add(1)
	return syscall.ENOSPC
}

func (c crowded) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := c.fails(); err != nil {
		return nil, err
	}
	f, err := c.FS.Create(name, category)
	return crowdedFile{f, c}, err
}

func (c crowded) GetDiskUsage(string) (vfs.DiskUsage, error) {
	if c.full.Load() {
		return vfs.DiskUsage{}, nil
	}
	return vfs.DiskUsage{AvailBytes: roomNeeded}, nil
}

type crowdedFile struct {
	vfs.File
	fs crowded
}

// Write writes half before it finds the disk full.
func (f crowdedFile) Write(b []byte) (int, error) {
	if err := f.fs.fails(); err != nil {
		n, _ := f.File.Write(b[:len(b)/2]) //nolint:errcheck // in memory
		return n, err
	}
	return f.File.Write(b)
}

func (f crowdedFile) Sync() error {
	if err := f.fs.fails(); err != nil {
		return err
	}
	return f.File.Sync()
}

// TestFullDisk: a disk that is full in the middle of any write holds commits up and breaks nothing; reads go on.
func TestFullDisk(t *testing.T) {
	fs := crowded{vfs.NewMem(), new(atomic.Bool), new(atomic.Int64)}
	s := open(t, "s", Options{FS: fs, MemTableBytes: 256 << 10, SyncEvery: time.Millisecond})
	const keys = 2000
	value := make([]byte, 1000)
	var committed atomic.Int64
	done := make(chan error, 1)
	go func() {
		for k := range keys {
			b := s.NewBatch()
			if err := b.Set(fmt.Appendf(nil, "k%05d", k), value); err != nil {
				done <- err
				return
			}
			if err := b.CommitDurable(); err != nil {
				done <- err
				return
			}
			committed.Add(1)
		}
		done <- nil
	}()
	until := func(what string, f func() bool) {
		t.Helper()
		for begun := time.Now(); !f(); time.Sleep(time.Millisecond) {
			if time.Since(begun) > time.Minute {
				t.Fatalf("waited a minute: %s", what)
			}
		}
	}
	for range 3 {
		from := committed.Load()
		until("commits go on", func() bool { return committed.Load() >= from+200 })
		before := fs.refused.Load()
		fs.full.Store(true)
		until("a write finds the disk full", func() bool { return fs.refused.Load() > before })
		at := committed.Load()
		if _, found, err := s.Get(nil, []byte("k00000")); !found || err != nil {
			t.Errorf("a read while the disk is full: %v, %v", found, err)
		}
		time.Sleep(50 * time.Millisecond)
		if now := committed.Load(); now > at+1 { // one was acknowledged before the disk was full, and not counted yet
			t.Errorf("%d durable commits on a full disk", now-at)
		}
		fs.full.Store(false)
	}
	must(t, <-done)
	must(t, s.Close())
	if got := count(t, open(t, "s", Options{FS: fs}), "k"); got != keys {
		t.Errorf("%d keys are there, %d were committed", got, keys)
	}
}
