package timeline

import (
	"context"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// Opened is one record of the log, decoded and opened.
type Opened struct {
	schema.Position
	RecordedAt schema.Instant
	Event      *schema.Event // shared: read only
	Void       error         // the key is gone: a reader carries on
	Bad        error         // cannot be decoded
}

// OpenedBatch is a range of one partition.
type OpenedBatch struct {
	From, Next int64
	Events     []Opened
}

// Feed reads the log: archive and live log as one sequence, without gap or overlap.
type Feed interface {
	// Read gives the records from offset on. At the end of the partition it waits up to wait, then gives an empty batch.
	Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (OpenedBatch, error)
}
