package control

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
)

// house is what concerns the installation as a whole, no single workspace.
type house struct {
	generations []schema.ControlGeneration
	copies      map[string]RingCopy // by name
}

// RingCopy is a copy of the key ring that somebody keeps outside.
type RingCopy struct {
	schema.ControlRingCopy
	Actor string
	At    schema.Instant // RecordedAt
}

func (h *house) clone() house {
	return house{generations: slices.Clip(h.generations), copies: maps.Clone(h.copies)}
}

// apply folds a record that concerns the whole installation; whole is false for all others. why is set when it has no effect.
func (h *house) apply(c *schema.Control, at schema.Instant) (whole bool, why string) {
	switch c.Kind {
	case schema.ControlGenerationStarted:
		before := uint32(0)
		for _, g := range h.generations {
			if g.Topic == c.Generation.Topic {
				before = g.Generation
			}
		}
		if err := c.Generation.Check(before); err != nil {
			return true, err.Error()
		}
		h.generations = append(h.generations, *c.Generation)
	case schema.ControlRingCopied:
		if len(c.RingCopy.Versions) == 0 {
			delete(h.copies, c.RingCopy.Name)
			break
		}
		if h.copies == nil {
			h.copies = map[string]RingCopy{}
		}
		h.copies[c.RingCopy.Name] = RingCopy{*c.RingCopy, c.Actor, at}
	default:
		return false, ""
	}
	return true, ""
}

// RingCopies lists the registered copies of the key ring by name.
func (s *State) RingCopies() []RingCopy {
	all := slices.Collect(maps.Values(s.house.copies))
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// Generations lists the generations of a topic, ascending, as the log's reader takes them.
func (s *State) Generations(topic string) []eventlog.Generation {
	all := []eventlog.Generation{{Live: topic}}
	for _, g := range s.house.generations {
		if g.Topic != topic {
			continue
		}
		all[len(all)-1].Ends = g.Ends
		if g.Restored {
			for i := range all {
				all[i].Live = ""
			}
		}
		all = append(all, eventlog.Generation{Number: g.Generation, Live: schema.GenerationTopic(topic, g.Generation)})
	}
	return all
}

// Generations reads the control topic to its end, for a process that must know the generations of a topic before it opens its log.
func Generations(ctx context.Context, reader Reader, topic string) ([]eventlog.Generation, error) {
	ends, err := reader.Ends(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the end of the control topic: %w", err)
	}
	state := newState()
	for state.Next < ends[0] {
		batch, err := reader.Read(ctx, 0, state.Next, time.Second)
		if err != nil {
			return nil, fmt.Errorf("read the control topic at %d: %w", state.Next, err)
		}
		for _, r := range batch.Records {
			if record, err := schema.ParseControl(r.Value); err == nil && valid(record) && record.Kind == schema.ControlGenerationStarted {
				state.house.apply(record, r.RecordedAt)
			}
		}
		state.Next = batch.Next
	}
	return state.Generations(topic), nil
}
