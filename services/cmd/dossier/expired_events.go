package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/configuration"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/envelope"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
)

// expiredAtOnce bounds how many events a role is told of at once.
const expiredAtOnce = 20_000

// expiredEvents gives the events of classes and years that have ended, of which the log has the clear part alone: what they are called, and whose they
// are. It reads the whole log without opening anything.
func (i *installation) expiredEvents(ctx context.Context, of []schema.ExpiredYear, yield func([]schema.Clear) error) error {
	starts, err := i.eventLog.Starts(ctx)
	if err != nil {
		return fmt.Errorf("find the beginning of the log: %w", err)
	}
	ends, err := i.eventLog.Ends(ctx)
	if err != nil {
		return fmt.Errorf("find the end of the log: %w", err)
	}
	var some []schema.Clear
	for partition, end := range ends {
		for at := starts[partition]; at < end; {
			b, err := i.eventLog.Read(ctx, int32(partition), at, time.Second)
			if err != nil {
				return fmt.Errorf("read partition %d from offset %d: %w", partition, at, err)
			}
			for k := range b.Records {
				var c schema.Clear
				if envelope.ReadClear(b.Records[k].Value, &c) != nil || !slices.Contains(of, schema.ExpiredYear{Class: c.Key.Class, Year: c.Key.Year}) {
					continue // what cannot be read is no event of anybody's
				}
				some = append(some, schema.Clear{ID: c.ID, Workspace: c.Workspace, Persona: c.Persona, Key: c.Key, OccurredAt: c.OccurredAt})
			}
			at = b.Next
			if len(some) >= expiredAtOnce {
				if err := yield(some); err != nil {
					return err
				}
				some = some[:0]
			}
		}
	}
	if len(some) == 0 {
		return nil
	}
	return yield(some)
}

// expireSegments takes out what segments keep of events, and has everybody weighed by what the other roles hold then.
func (i *installation) expireSegments(ctx context.Context, of []schema.ExpiredYear) error {
	if err := i.expiredEvents(ctx, of, i.segments.Expire); err != nil {
		return err
	}
	now, err := i.now(ctx)
	if err != nil {
		return err
	}
	if err := i.shows(ctx, now); err != nil {
		return err
	}
	return i.segments.Reconsider(ctx)
}

// lettersEnded tells whether a dead letter that names somebody may be of a class that has ended for the year of its receipt. What is in it nobody could
// read as an event, so it counts as being of every class that its source sends.
func (i *installation) lettersEnded() func(c *deadletter.Clear) bool {
	state := i.control.State()
	ended := state.Expired(mainWorkspace)
	inForce, err := configuration.Parse(state.Configuration(mainWorkspace).Document, time.LoadLocation)
	if len(ended) == 0 || err != nil { // one of a newer version: whoever runs under it gives them up
		return func(*deadletter.Clear) bool { return false }
	}
	return func(c *deadletter.Clear) bool {
		received, err := schema.ParseInstant(c.ReceivedAt)
		return err == nil && slices.ContainsFunc(inForce.Retention.ClassesOf(inForce.Source(c.Source)), func(class string) bool {
			return slices.Contains(ended, schema.ExpiredYear{Class: class, Year: received.Year()})
		})
	}
}
