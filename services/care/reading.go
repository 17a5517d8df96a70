package care

import (
	"context"
	"errors"
	"fmt"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/schema"
)

// reading is the version of what reads texts now.
func (c *Care) reading() string {
	if c.Texts == nil {
		return ""
	}
	return c.Texts.Version()
}

// read reads the text of a contact, if it has one that is a customer's word.
func (c *Care) read(contact *care.Contact, e *schema.Event) {
	if c.Texts != nil && contact.Voiced(e) {
		contact.Said = c.Texts.Read(e)
	}
}

// readAgain goes through a partition that was folded already, up to until, and gives the contacts that have a text: they take the place of those before. What
// comes meanwhile is folded beside it. After a crash it begins again, which changes nothing.
func (c *Care) readAgain(ctx context.Context, partition int32, until int64, out chan<- chunk) error {
	for at := int64(0); at < until; {
		k := chunk{partition: partition, from: at, again: true}
		err := c.retry(ctx, "read the log", func() error {
			got, err := c.Feed.Read(ctx, partition, at, idleWait)
			if err != nil {
				return err
			}
			k.contacts, k.next = k.contacts[:0], got.Next
			for _, o := range got.Events {
				if o.Offset >= until || o.Event == nil || o.Event.Workspace != c.Workspace || !care.Concerns(o.Event.Type) {
					continue
				}
				persona := c.Public(schema.PersonaEpoch{Persona: o.Event.Persona, Epoch: o.Event.Key.Epoch})
				contact, ok := care.Of(o.Event, persona)
				if !ok {
					continue
				}
				// A correction that an earlier release has passed over is folded, too.
				if c.read(&contact, o.Event); contact.Said != nil || contact.Correction != nil {
					k.contacts = append(k.contacts, contact)
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read the texts of partition %d anew: %w", partition, err)
		}
		if k.next <= at {
			return schema.Classify(schema.Fatal, fmt.Errorf("read the texts of partition %d anew: the log ends at offset %d, before %d", partition, at, until))
		}
		at = k.next
		k.last = at >= until
		select {
		case out <- k:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// readAnew notes that the texts of so many more partitions are read anew; at the last one, durably, by what.
func (c *Care) readAnew(ended int) error {
	if ended == 0 {
		return nil
	}
	if c.left -= ended; c.left > 0 {
		return nil
	}
	value, found, err := c.Store.Get(nil, keyMeta)
	if err != nil || !found {
		return errors.Join(err, errDamaged)
	}
	m, err := readMeta(value)
	if err != nil {
		return err
	}
	m.reads = c.reads
	return c.keep(m)
}

// Restated says whether every text is read by the version in force.
func (c *Care) Restated() bool {
	c.working.Lock()
	defer c.working.Unlock()
	return c.opened.Load() && c.left == 0 && c.reading() == c.reads
}
