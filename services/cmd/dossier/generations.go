package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/archive"
	"github.com/dossier-cdp/dossier/services/internal/control"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// firstPartitions is the number of partitions of the embedded log's topics if this is its first start, else 0.
func (i *installation) firstPartitions() int32 {
	if _, err := os.Stat(i.folder.path("log", "broker.json")); err == nil {
		return 0
	}
	return i.partitions
}

// openEventLog opens the events in all their generations, after starting a new one if another number of partitions is wanted. Nobody
// may write events yet. replication is that of new topics.
func (i *installation) openEventLog(ctx context.Context, replication int) (err error) {
	generations, err := control.Generations(ctx, i.controlLog, schema.TopicEvents)
	if err != nil {
		return err
	}
	for _, g := range generations {
		if g.Number > 0 && g.Live != "" {
			if err := i.ensureTopic(ctx, schema.Topic{Name: g.Live, Archived: true}, replication); err != nil {
				return err
			}
		}
	}
	if i.eventLog, err = eventlog.OpenGenerations(ctx, i.client, i.store, schema.TopicEvents, generations); err != nil {
		return err
	}
	if _, now := i.eventLog.Written(); i.partitions != 0 && i.partitions != now {
		if i.sharing != nil { // others may be writing
			return fmt.Errorf("the events topic has %d partitions, and --partitions says %d: leave it out, or stop every process of the installation and change their number with 'dossier partitions %d'", now, i.partitions, i.partitions)
		}
		if generations, err = i.startGeneration(ctx, generations, replication); err != nil {
			return fmt.Errorf("change the events topic from %d to %d partitions: %w", now, i.partitions, err)
		}
		if i.eventLog, err = eventlog.OpenGenerations(ctx, i.client, i.store, schema.TopicEvents, generations); err != nil {
			return err
		}
	}
	i.generations = generations
	return nil
}

// ensureTopic makes a topic, or checks the one that is there, and returns when the client knows it.
func (i *installation) ensureTopic(ctx context.Context, t schema.Topic, replication int) error {
	if i.embedded != nil {
		if err := i.embedded.Ensure(t); err != nil {
			return err
		}
	} else if err := i.client.EnsureTopics(ctx, []schema.Topic{t}, 0, replication); err != nil {
		return err
	}
	known, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		_, err := i.client.Offsets(known, t.Name)
		if err == nil || kafka.Class(err) != schema.Transient {
			return err
		}
		select {
		case <-known.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// startGeneration closes the generation that is written and starts the next. The record in the control topic is what counts: a start
// that ends before it leaves an empty topic, which the next start takes.
func (i *installation) startGeneration(ctx context.Context, generations []eventlog.Generation, replication int) ([]eventlog.Generation, error) {
	last := &generations[len(generations)-1]
	next := last.Number + 1
	topic := schema.Topic{Name: schema.GenerationTopic(schema.TopicEvents, next), Partitions: i.partitions, Archived: true}
	if err := i.ensureTopic(ctx, topic, replication); err != nil {
		return nil, err
	}
	ranges, err := i.client.Offsets(ctx, last.Live)
	if err != nil {
		return nil, err
	}
	ends := make([]int64, len(ranges))
	for p, r := range ranges {
		ends[p] = r.Next
	}
	record := &schema.Control{
		ID: uuid.NewString(), Kind: schema.ControlGenerationStarted, Actor: "dossier up", Reason: fmt.Sprintf("%d partitions instead of %d", i.partitions, len(ends)),
		Generation: &schema.ControlGeneration{Topic: schema.TopicEvents, Generation: next, Partitions: i.partitions, Ends: ends},
	}
	value, err := record.Encode()
	if err != nil {
		return nil, err
	}
	if _, err := i.client.Produce(ctx, schema.TopicControl, 0, []kafka.Message{{Value: value}}, time.Now()); err != nil {
		return nil, errors.Join(errors.New("the new generation may have been started or not: start again"), err)
	}
	last.Ends = ends
	return append(generations, eventlog.Generation{Number: next, Live: topic.Name}), nil
}

// archivedSequences is what the archive role copies: every generation of the events that the log still has, and the other topics.
func (i *installation) archivedSequences() []archive.Sequence {
	var all []archive.Sequence
	for _, s := range archive.Sequences(schema.Topics(), 0) {
		if s.Topic != schema.TopicEvents {
			all = append(all, s)
		}
	}
	for _, g := range i.generations {
		if g.Live != "" {
			all = append(all, archive.Sequence{Topic: schema.TopicEvents, Generation: g.Number, Live: g.Live, Ends: g.Ends})
		}
	}
	return all
}

// followGenerations ends the process when another one has started a generation: it would go on reading the topic that takes no events
// any more. Whoever supervises it starts it again.
func (i *installation) followGenerations() error {
	for {
		changed := i.control.Changed()
		if now := i.control.State().Generations(schema.TopicEvents); len(now) != len(i.generations) {
			return schema.Classify(schema.Fatal, fmt.Errorf("the events topic was given another number of partitions, generation %d: start this process again", now[len(now)-1].Number))
		}
		select {
		case <-i.run.Done():
			return nil
		case <-changed:
		}
	}
}
