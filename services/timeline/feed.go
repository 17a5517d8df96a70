package timeline

import (
	"context"
	"time"

	"github.com/dossier-cdp/dossier/services/internal/eventlog"
)

// Feed reads the log: archive and live log as one sequence, without gap or overlap. *eventlog.Feed is one.
type Feed interface {
	// Read gives the events from offset on. At the end of the partition it waits up to wait, then gives an empty batch.
	Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (eventlog.OpenedBatch, error)
}

// Log tells whether the log is the one that an index was made of. *eventlog.Log is one.
type Log interface {
	// After makes the checkpoint of a role that has read up to next, the offset after the record whose digest is last.
	After(partition int32, next int64, last [16]byte) eventlog.Checkpoint
	// Check fails, fatally, if the log is not the one that the checkpoint was made by.
	Check(ctx context.Context, c eventlog.Checkpoint) error
}

var (
	_ Feed = (*eventlog.Feed)(nil)
	_ Log  = (*eventlog.Log)(nil)
)
