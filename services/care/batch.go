package care

import (
	"context"
	"fmt"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/schema"
)

// chunk is what one read of a partition gave.
type chunk struct {
	partition  int32
	from, next int64
	mark       []byte // checkpoint after it
	contacts   []care.Contact
	again      bool // it was folded before, and its texts are read anew
	last       bool // of those of its partition
}

// idleWait is how long a read waits at the end of the log. Nothing depends on it.
const idleWait = 10 * time.Second

// follow reads one partition from an offset on, until ctx ends, and keeps what concerns care.
func (c *Care) follow(ctx context.Context, partition int32, at int64, out chan<- chunk) error {
	for {
		k := chunk{partition: partition, from: at}
		err := c.retry(ctx, "read the log", func() error {
			got, err := c.Feed.Read(ctx, partition, at, idleWait)
			if err != nil {
				return err
			}
			if got.From != at || got.Next-at != int64(len(got.Events)) {
				return schema.Classify(schema.Fatal, fmt.Errorf("the log gave %d events of [%d, %d) where offset %d was asked", len(got.Events), got.From, got.Next, at))
			}
			k.next = got.Next
			if got.Next == at {
				return nil
			}
			for _, o := range got.Events {
				if o.Event == nil || o.Event.Workspace != c.Workspace || !care.Concerns(o.Event.Type) {
					continue
				}
				persona := c.Public(schema.PersonaEpoch{Persona: o.Event.Persona, Epoch: o.Event.Key.Epoch})
				if contact, ok := care.Of(o.Event, persona); ok {
					c.read(&contact, o.Event)
					k.contacts = append(k.contacts, contact)
				}
			}
			k.mark, err = c.Log.After(partition, got.Next, got.Last).AppendBinary(nil)
			return err
		})
		if err != nil {
			return fmt.Errorf("read partition %d: %w", partition, err)
		}
		if k.next == at {
			continue
		}
		at = k.next
		select {
		case out <- k:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// work makes batches of what the partitions' readers give, and folds one after the other.
func (c *Care) work(ctx context.Context, next, overlap []int64, in <-chan chunk) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	rules := time.NewTicker(c.Tick)
	defer rules.Stop()
	var batch []chunk
	var watching watch
	records := int64(0)
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := c.write(ctx, batch, overlap)
		batch, records = nil, 0
		return err
	}
	for {
		select {
		case k := <-in:
			if len(batch) == 0 {
				timer.Reset(c.Linger)
			}
			batch = append(batch, k)
			if records += k.next - k.from; records < int64(c.BatchRecords) {
				continue
			}
			if err := flush(); err != nil {
				return err
			}
		case <-timer.C:
			if err := flush(); err != nil {
				return err
			}
		case <-rules.C:
			if c.Rules().Version != c.rules.Version || c.reading() != c.reads {
				return errRulesChanged
			}
			if err := c.tick(ctx, &watching); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
