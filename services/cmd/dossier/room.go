package main

import (
	"fmt"
	"sync/atomic"
	"time"
)

const (
	// diskReserve is what must be left on the disk of the embedded log for events to be accepted. It is there for what stands on events that were
	// accepted before: state, timeline and archive catch up in it, and compact, which makes room.
	diskReserve = 64 << 20
	// startReserve is what a start takes: files of the engines and of the state are written anew.
	startReserve = 32 << 20
	// roomEvery is how often the disk is looked at.
	roomEvery = 250 * time.Millisecond
)

// room says whether the disk of the embedded log has room for more events, as it was seen last; nil where the log is elsewhere, and refuses by
// itself. A disk that somebody else fills faster than it is looked at is no danger to what was acknowledged: a failed write is one, to the
// sender, and the state waits for room.
func (i *installation) room() func() bool {
	if i.embedded == nil {
		return nil
	}
	var full atomic.Bool
	look := func() {
		free, _, err := diskSpace(i.folder.dir)
		if err != nil {
			i.logger.Warn("the room left for the data folder cannot be read", "error", err)
			return
		}
		switch now := free < diskReserve; {
		case now && !full.Swap(true):
			i.logger.Error("the disk is full: nothing more is accepted until there is room", "folder", i.folder.dir, "left", size(free), "wanted", size(diskReserve))
		case !now && full.Swap(false):
			i.logger.Info("there is room again: events are accepted", "folder", i.folder.dir, "left", size(free))
		}
	}
	look()
	i.group.Go(func() error {
		tick := time.NewTicker(roomEvery)
		defer tick.Stop()
		for {
			select {
			case <-i.run.Done():
				return nil
			case <-tick.C:
				look()
			}
		}
	})
	return func() bool { return !full.Load() }
}

// roomToStart refuses a start on a full disk, before anything is written.
func (i *installation) roomToStart() error {
	free, _, err := diskSpace(i.folder.dir)
	if err != nil {
		return fmt.Errorf("read the room left for %s: %w", i.folder.dir, err)
	}
	if free < startReserve {
		return fmt.Errorf("the disk of %s is full: %s are left, a start takes %s; make room or enlarge the volume, nothing in the folder was changed", i.folder.dir, size(free), size(startReserve))
	}
	return nil
}
