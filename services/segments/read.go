package segments

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/care"
	"github.com/dossier-cdp/dossier/pipelines/identifier"
	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// chunk is what one read gave: of a partition of the log, or (partition −1) of the change feed of who is who.
type chunk struct {
	partition  int32
	from, next int64
	mark       []byte // checkpoint after it
	touches    []touch
	facts      []owned
	whole      bool // everybody is to be weighed
}

// touch is somebody who is to be weighed.
type touch struct {
	id    schema.ProfileID
	cause cause
}

// owned is a fact of a persona. of tells whether an erasure voids it.
type owned struct {
	persona schema.ProfileID
	clear   schema.Clear
	fact    *segment.Fact
}

// idleWait is how long a read waits at the end of the log. Nothing depends on it.
const idleWait = 10 * time.Second

// follow reads one partition from an offset on, until ctx ends.
func (s *Segments) follow(ctx context.Context, partition int32, at int64, out chan<- chunk) error {
	keep := maps.Clone(s.Types) // of this run
	known := int64(0)           // up to here the log was read before: what it tells now is no news, the segment is
	if s.Gather && int(partition) < len(s.ends) {
		known = s.ends[partition]
	}
	for {
		k := chunk{partition: partition, from: at}
		err := s.retry(ctx, "read the log", func() error {
			got, err := s.Feed.Read(ctx, partition, at, idleWait)
			if err != nil {
				return err
			}
			if got.From != at || got.Next-at != int64(len(got.Events)) {
				return schema.Classify(schema.Fatal, fmt.Errorf("the log gave %d events of [%d, %d) where offset %d was asked", len(got.Events), got.From, got.Next, at))
			}
			if k.next = got.Next; got.Next == at {
				return nil
			}
			now := schema.InstantOf(s.Now())
			for i := range got.Events {
				e := got.Events[i].Event
				if e == nil || e.Workspace != s.Workspace {
					continue
				}
				id := s.Public(schema.PersonaEpoch{Persona: e.Persona, Epoch: e.Key.Epoch})
				window, needed := keep[e.Type]
				if needed && (window == 0 || e.OccurredAt > now-window) {
					k.facts = append(k.facts, owned{id, e.Clear, segment.FactOf(e, s.Paths)})
				} else {
					needed = false
				}
				worth := e.Type == schema.TypeOrderPlaced && s.settings.Worth != ""
				said := len(s.ofCare) > 0 && care.Concerns(e.Type)
				if needed || worth || said || s.news(id, e) {
					why := cause{byEvent, e.OccurredAt, e.ID}
					if at < known {
						why = cause{byRule, now, schema.EventID{}}
					}
					k.touches = append(k.touches, touch{id, why})
				}
			}
			k.mark, err = s.Log.After(partition, got.Next, got.Last).AppendBinary(nil)
			return err
		})
		if err != nil {
			return fmt.Errorf("read partition %d: %w", partition, err)
		}
		if k.next == at {
			if ctx.Err() != nil {
				return ctx.Err()
			}
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

// news says whether an event may change what the table tells of a person. One without traits and consents tells which identifiers there are; said before, they
// are no news.
func (s *Segments) news(id schema.ProfileID, e *schema.Event) bool {
	if len(e.Traits) > 0 || len(e.Consents) > 0 || e.Assertion != nil {
		return true
	}
	names := make([]string, 0, 8)
	for i := range e.Identifiers {
		names = append(names, identifier.Of(e.Identifiers[i].Kind).Name)
	}
	slices.Sort(names)
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.kinds.said(id, names)
}

// kinds remembers which kinds of identifiers personas told, by a hash of 64 bits that nobody outside can foresee. It is of one size, 16 MiB, whoever comes: what was
// said longest ago gives way, and is news again.
type kinds struct {
	seed maphash.Seed
	sums []uint64 // sets of four, the latest first
}

const kindsRemembered = 1 << 21

// said says whether a persona told the same before, and remembers it.
func (k *kinds) said(id schema.ProfileID, names []string) bool {
	if k.sums == nil {
		k.seed, k.sums = maphash.MakeSeed(), make([]uint64, kindsRemembered)
	}
	var h maphash.Hash
	h.SetSeed(k.seed)
	h.Write(id[:]) // it never fails
	for _, n := range names {
		h.WriteString(n)
		h.WriteByte(0)
	}
	sum := h.Sum64() | 1 // 0 is nobody's
	set := k.sums[sum>>1%(kindsRemembered/4)*4:][:4]
	if slices.Contains(set, sum) {
		return true
	}
	copy(set[1:], set)
	set[0] = sum
	return false
}

// followProfiles reads the change feed of who is who.
func (s *Segments) followProfiles(ctx context.Context, at int64, out chan<- chunk) error {
	for {
		k := chunk{partition: -1, from: at}
		err := s.retry(ctx, "read the topic profiles", func() error {
			got, err := s.Profiles.Read(ctx, 0, at, idleWait)
			if err != nil {
				return err
			}
			k.next = got.Next
			for i := range got.Records {
				var r struct {
					Kind, Workspace, From, To string
				}
				if json.Unmarshal(got.Records[i].Value, &r) != nil || r.Workspace != s.Workspace {
					continue // written by Dossier alone; what is not ours says nothing of ours
				}
				switch r.Kind {
				case "created": // its first event marks it
					continue
				case "rebuilt":
					k.whole = true
					continue
				}
				for _, text := range []string{r.From, r.To} {
					if id, err := schema.ParsePersonaID(text); err == nil {
						k.touches = append(k.touches, touch{id, cause{byIdentity, got.Records[i].RecordedAt, schema.EventID{}}})
					}
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read the change feed: %w", err)
		}
		if k.next == at {
			if ctx.Err() != nil {
				return ctx.Err()
			}
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

// mark commits what was read: facts, marks and offsets. At this point it is durable as far as the state store is; else it is read again.
func (s *Segments) mark(batch []chunk) (err error) {
	b := s.Store.NewBatch()
	defer func() {
		if b != nil {
			err = errors.Join(err, b.Discard())
		}
	}()
	for i := range batch {
		k := &batch[i]
		for _, f := range k.facts {
			if s.Void(&f.clear) {
				continue
			}
			if err := b.Set(factKey(f.persona, f.fact), segment.AppendFact(nil, f.fact)); err != nil {
				return err
			}
		}
		for _, t := range k.touches {
			if err := b.Set(key('d', t.id[:]), t.cause.append(nil)); err != nil {
				return err
			}
		}
		if k.whole {
			s.Sweep = ""
			if err := save(b, s.settings); err != nil {
				return err
			}
		}
		topic, partition := schema.TopicEvents, k.partition
		if partition < 0 {
			topic, partition = schema.TopicProfiles, 0
		}
		if err := b.SetOffset(topic, partition, state.Offset{Generation: s.Generation, Next: k.next, Mark: k.mark}); err != nil {
			return err
		}
	}
	commit := b
	b = nil
	if err := commit.Commit(); err != nil {
		return err
	}
	for i := range batch {
		for _, t := range batch[i].touches {
			s.note(t.id, t.cause)
		}
		if k := &batch[i]; k.partition < 0 {
			s.feed = k.next
		} else {
			s.next[k.partition] = k.next
		}
	}
	s.advance()
	return nil
}
