package state

import (
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// roomNeeded is what must be free again before a write that found the disk full is repeated: a memtable's file and its log.
	roomNeeded = 32 << 20
	// roomEvery is how often that is looked for.
	roomEvery = 200 * time.Millisecond
)

// room waits for a disk that is full. Pebble ends the process when a write to its own log fails, so such a write must not fail for that.
type room struct {
	fs     vfs.FS
	dir    string
	logger *slog.Logger
	once   sync.Once
	given  chan struct{} // closed when nobody waits any more
}

// wait returns when there is room, or when the store is being closed. The write that found none is tried once more then.
func (r *room) wait() {
	select {
	case <-r.given:
		return
	default:
	}
	r.logger.Error("state: the disk is full; nothing is folded until there is room", "folder", r.dir, "wanted_bytes", roomNeeded)
	tick := time.NewTicker(roomEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.given:
			return
		case <-tick.C:
		}
		// What the file system cannot tell is found out by trying.
		if left, err := r.fs.GetDiskUsage(r.dir); err != nil || left.AvailBytes >= roomNeeded {
			r.logger.Info("state: going on", "folder", r.dir)
			return
		}
	}
}

// giveUp ends every wait.
func (r *room) giveUp() { r.once.Do(func() { close(r.given) }) }
