package replay

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// Changes is a shadow's own change feed of who is who, in memory, in the place of the topic profiles: identity writes it, segments read it. It begins with the
// record that everything was built anew, behind whatever an earlier life of the shadow has read, so that nothing is missed; and it forgets what was
// read.
type Changes struct {
	workspace string

	mu      sync.Mutex
	first   int64 // offset of records[0]
	records []eventlog.Record
	changed chan struct{} // closed and replaced when a record comes
}

// What is kept.
const (
	mostChanges = 100_000 // records; beyond it everything is to be read anew, which says as much
	readChanges = 10_000  // of which were read: the reader may go back as far as it has committed
)

// NewChanges makes the feed of a workspace. begun is when this life began: later than those before it.
func NewChanges(workspace string, begun time.Time) (*Changes, error) {
	c := &Changes{workspace: workspace, first: begun.UnixMicro() << 8, changed: make(chan struct{})}
	return c, c.rebuilt(workspace, begun)
}

// rebuilt puts one record that says that everything is to be read anew in the place of all that wait.
func (c *Changes) rebuilt(workspace string, at time.Time) error {
	value, err := json.Marshal(map[string]string{"kind": "rebuilt", "workspace": workspace})
	if err != nil {
		return err // Unreachable: strings
	}
	c.first += int64(len(c.records))
	c.records = []eventlog.Record{{Position: schema.Position{Offset: c.first}, RecordedAt: schema.InstantOf(at), Value: value}}
	return nil
}

// Produce takes records of identity.ProfilesTopic.
func (c *Changes) Produce(_ context.Context, _ string, _ int32, messages []kafka.Message, at time.Time) (base int64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	base = c.first + int64(len(c.records))
	for n, m := range messages {
		c.records = append(c.records, eventlog.Record{
			Position: schema.Position{Offset: base + int64(n)}, RecordedAt: schema.InstantOf(at), Key: m.Key, Value: m.Value,
		})
	}
	if len(c.records) > mostChanges {
		if err := c.rebuilt(c.workspace, at); err != nil {
			return 0, err
		}
	}
	close(c.changed)
	c.changed = make(chan struct{})
	return base, nil
}

// Ends tells where the feed ends.
func (c *Changes) Ends(context.Context) ([]int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return []int64{c.first + int64(len(c.records))}, nil
}

// Read gives what there is from offset on. What is below the first record is read.
func (c *Changes) Read(ctx context.Context, _ int32, offset int64, wait time.Duration) (eventlog.Batch, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		c.mu.Lock()
		if read := offset - c.first; read > 2*readChanges && read <= int64(len(c.records)) {
			c.first, c.records = offset-readChanges, slices.Clone(c.records[read-readChanges:])
		}
		skip := min(max(0, offset-c.first), int64(len(c.records)))
		from, there, changed := c.first+skip, c.records[skip:], c.changed
		c.mu.Unlock()
		if len(there) > 0 {
			return eventlog.Batch{From: from, Next: from + int64(len(there)), Records: there[:len(there):len(there)]}, nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return eventlog.Batch{From: offset, Next: offset}, nil
		case <-ctx.Done():
			return eventlog.Batch{}, schema.Classify(schema.Transient, ctx.Err())
		}
	}
}

// Decided is the topic decisions as a shadow sees it: what had been decided when it was opened. What the shadow decides goes nowhere.
type Decided struct {
	From interface {
		Ends(ctx context.Context) ([]int64, error)
		Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (eventlog.Batch, error)
	}
	end int64
}

// Open notes where the topic ends now.
func (d *Decided) Open(ctx context.Context) error {
	ends, err := d.From.Ends(ctx)
	if err == nil {
		d.end = ends[0]
	}
	return err
}

// Ends tells where it ended.
func (d *Decided) Ends(context.Context) ([]int64, error) { return []int64{d.end}, nil }

// Read reads what had been decided.
func (d *Decided) Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (eventlog.Batch, error) {
	return d.From.Read(ctx, partition, offset, wait)
}

// Produce drops what a shadow decides.
func (d *Decided) Produce(context.Context, string, int32, []kafka.Message, time.Time) (base int64, err error) {
	return d.end, nil
}
