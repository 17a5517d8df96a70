// Package control reads and writes the control topic: workspaces, access, configuration and erasures.
//
// The topic has one partition and is read to its end before anything else starts, so no role acts on a revoked key or on an
// erased person. A decision takes effect when it is folded, in the order of the log, on every machine alike; Append returns only
// then, and says if the fold refused it (a stale base).
//
// It knows neither who may decide (the api checks scopes) nor what a configuration means (package configuration does).
package control

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/access"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// Reader gives the control topic as one sequence of archive and log.
type Reader interface {
	Ends(ctx context.Context) ([]int64, error)
	Read(ctx context.Context, partition int32, offset int64, wait time.Duration) (eventlog.Batch, error)
}

// Writer appends to a topic and returns when all in-sync replicas have it.
type Writer interface {
	Produce(ctx context.Context, topic string, partition int32, messages []kafka.Message, at time.Time) (base int64, err error)
}

// Control is the folded topic. Its read methods never block and are safe for concurrent use.
type Control struct {
	reader Reader
	writer Writer
	logger *slog.Logger
	now    func() time.Time

	state   atomic.Pointer[State]
	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every new state
}

// Open reads the topic to its end as it is now.
func Open(ctx context.Context, reader Reader, writer Writer, logger *slog.Logger, now func() time.Time) (*Control, error) {
	c := &Control{reader: reader, writer: writer, logger: logger, now: now, changed: make(chan struct{})}
	c.state.Store(newState())
	ends, err := reader.Ends(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the end of the control topic: %w", err)
	}
	for c.State().Next < ends[0] {
		if err := c.step(ctx, time.Second); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Run follows the topic until ctx ends. Transient failures are retried with back-off.
func (c *Control) Run(ctx context.Context) error {
	backOff := 100 * time.Millisecond
	for {
		err := c.step(ctx, 2*time.Second)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			backOff = 100 * time.Millisecond
			continue
		}
		if schema.ClassOf(err) == schema.Fatal {
			return err
		}
		c.logger.Warn("the control topic cannot be read", "error", err, "retry_in", backOff)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(backOff):
		}
		backOff = min(2*backOff, 5*time.Second)
	}
}

func (c *Control) step(ctx context.Context, wait time.Duration) error {
	old := c.State()
	batch, err := c.reader.Read(ctx, 0, old.Next, wait)
	if err != nil {
		return fmt.Errorf("read the control topic at %d: %w", old.Next, err)
	}
	if batch.Next == old.Next {
		return nil
	}
	next := old.clone()
	for _, r := range batch.Records {
		record, err := schema.ParseControl(r.Value)
		if err == nil && !valid(record) {
			err = schema.Refuse("control_invalid", "a control record lacks the part that its kind needs", "")
		}
		if err != nil {
			// A record that nobody can read must not stop the installation; it is loud, and stays in the log.
			c.logger.Error("a control record is ignored", "offset", r.Offset, "error", err)
			continue
		}
		next.apply(record, r.RecordedAt, r.Offset)
	}
	next.Next = batch.Next
	c.state.Store(next)
	c.mu.Lock()
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
	return nil
}

// State is the topic as folded so far.
func (c *Control) State() *State { return c.state.Load() }

// WriteKey finds a write key by its secret.
func (c *Control) WriteKey(secret string) (access.WriteKey, bool) { return c.State().WriteKey(secret) }

// Token finds a token by its secret.
func (c *Control) Token(secret string) (access.Token, bool) { return c.State().Token(secret) }

// Changed is closed at the next change of State.
func (c *Control) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}

// ErrRefused is a decision that was recorded but had no effect.
type ErrRefused struct{ Reason string }

func (e *ErrRefused) Error() string { return "refused: " + e.Reason }

// Append records decisions and returns when they are folded here. An error after the write leaves the outcome open: repeat it
// with the same ids, which changes nothing if it was recorded. Run must be running.
func (c *Control) Append(ctx context.Context, decisions ...*schema.Control) error {
	messages := make([]kafka.Message, len(decisions))
	for i, d := range decisions {
		if !valid(d) {
			return fmt.Errorf("control %s: the part that its kind needs is missing", d.Kind)
		}
		value, err := d.Encode()
		if err != nil {
			return fmt.Errorf("encode control %s: %w", d.Kind, err)
		}
		messages[i] = kafka.Message{Key: []byte(d.Workspace), Value: value}
	}
	if _, err := c.writer.Produce(ctx, schema.TopicControl, 0, messages, c.now()); err != nil {
		return fmt.Errorf("write to the control topic: %w", err)
	}
	for {
		changed := c.Changed()
		state := c.State()
		waiting := false
		for _, d := range decisions {
			if !state.Known(d.ID) {
				waiting = true
			} else if why := state.Refused(d.ID); why != "" {
				return &ErrRefused{why}
			}
		}
		if !waiting {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}
