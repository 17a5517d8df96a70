package replay

import (
	"context"
	"fmt"
	"time"

	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// Submitter writes messages, each to the partition of its key, and returns when all in-sync replicas have them; *kafka.Batcher is one.
type Submitter interface {
	Submit(ctx context.Context, messages []kafka.Message) error
}

// together is how many events one submit has.
const together = 1000

// Topic writes events to a topic, keyed by persona, and notes its progress in a file.
type Topic struct {
	ctx      context.Context
	to       Submitter
	path     string
	kind     string
	waiting  []kafka.Message
	progress Progress
	taken    Progress
	saved    time.Time
	pause    time.Duration
}

// OpenTopic begins a run, or carries on with the one that the file at path tells of.
func OpenTopic(ctx context.Context, to Submitter, path, question string, format Format) (*Topic, error) {
	p, _, err := resume(path, question)
	if err != nil {
		return nil, err
	}
	t := &Topic{ctx: ctx, to: to, path: path, kind: "application/json", progress: p, taken: p, saved: time.Now(), pause: time.Second}
	if format == CloudEvents {
		t.kind = "application/cloudevents+json; charset=UTF-8" // the structured mode of CloudEvents' Kafka binding
	}
	return t, nil
}

// Progress is how far the run has come.
func (t *Topic) Progress() *Progress { return &t.taken }

// Take adds an event.
func (t *Topic) Take(l Line) error {
	text := append([]byte(nil), l.Text[:len(l.Text)-1]...)
	t.waiting = append(t.waiting, kafka.Message{
		Key: []byte(l.Persona), Value: text, Headers: []kafka.Header{{Key: "content-type", Value: []byte(t.kind)}},
	})
	t.taken.Events, t.taken.After = t.taken.Events+1, l.At.String()
	if len(t.waiting) < together {
		return nil
	}
	if err := t.submit(); err != nil {
		return err
	}
	if time.Since(t.saved) < saveEvery {
		return nil
	}
	return t.Save()
}

// submit writes what waits. Those of one persona stay in their order: nothing is submitted before what was submitted is acknowledged.
func (t *Topic) submit() error {
	if len(t.waiting) == 0 {
		return nil
	}
	var err error
	for range 5 {
		if err = t.to.Submit(t.ctx, t.waiting); err == nil {
			t.waiting = t.waiting[:0]
			return nil
		}
		select {
		case <-t.ctx.Done():
			return t.ctx.Err()
		case <-time.After(t.pause):
		}
	}
	return fmt.Errorf("the topic does not take events: %w; when that is mended, the same command carries on", err)
}

// Save notes what is acknowledged.
func (t *Topic) Save() error {
	if err := t.submit(); err != nil {
		return err
	}
	if err := t.taken.save(t.path); err != nil {
		return err
	}
	t.progress, t.saved = t.taken, time.Now()
	return nil
}

// Finish writes what is left. The note stays, so that the same command again adds nothing.
func (t *Topic) Finish() error {
	if t.taken == t.progress && len(t.waiting) == 0 {
		return nil
	}
	return t.Save()
}

// Close leaves the topic as it is.
func (t *Topic) Close() error { return nil }
