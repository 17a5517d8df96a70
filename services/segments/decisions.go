package segments

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// The kinds of changes. An audience is who of a segment may be told of to a destination: consent, suppressions and hold-outs decide, too.
const (
	Entered         = "segment.entered"
	Left            = "segment.left"
	AudienceEntered = "audience.entered"
	AudienceLeft    = "audience.left"
	Drawn           = "holdout.drawn" // Segment is the hold-out's name
)

// Change is a record of the topic decisions: somebody entered or left a segment. It holds ids only. The same id twice is one change.
type Change struct {
	ID        string `json:"id"`
	Kind      string `json:"kind"`
	Workspace string `json:"workspace"`
	Segment   string `json:"segment"`
	// Destination is the one that an audience is of.
	Destination string `json:"destination,omitempty"`
	Held        *bool  `json:"held,omitempty"`       // of what was drawn: whether the person is held out
	Definition  string `json:"definition,omitempty"` // hex SHA-256 of the definition that decided; empty: it is no more in force
	Profile     string `json:"profile"`
	At          string `json:"at"` // when it was decided, RFC 3339
	Cause       Cause  `json:"cause"`
}

// Cause is why: an event, time alone, a change of who is who, a change of the segment, or an erasure.
type Cause struct {
	Kind    string `json:"kind"` // event, time, identity, rule, erasure
	At      string `json:"at"`   // when it occurred, or was due
	Event   string `json:"event,omitempty"`
	Profile string `json:"profile,omitempty"` // identity: who the person is now
}

// decide notes a change, to be sent once it is committed.
func (w *weighing) decide(name, definition string, id schema.ProfileID, entered bool, why cause, into schema.ProfileID) error {
	s := w.s
	s.Sequence++
	c := Change{Kind: Left, Workspace: s.Workspace, Segment: name, Definition: definition, Profile: id.String(), At: w.now.String(), Cause: Cause{Kind: why.kind.String(), At: why.at.String()}}
	if entered {
		c.Kind = Entered
	}
	if of, destination, is := segment.AudienceOf(name); is {
		c.Segment, c.Destination, c.Kind = of, destination, AudienceLeft
		if entered {
			c.Kind = AudienceEntered
		}
	}
	if !why.event.IsZero() {
		c.Cause.Event = why.event.String()
	}
	if !into.IsZero() {
		c.Cause.Profile = into.String()
	}
	err := w.tell(&c)
	member := key('m', id[:], []byte(name))
	if entered {
		return errors.Join(err, w.b.Set(member, sortable(w.now)))
	}
	return errors.Join(err, w.b.Delete(member))
}

// tell puts a change on its way.
func (w *weighing) tell(c *Change) error {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %q %d", c.Workspace, c.name(), c.Profile, c.Kind, c.At, w.s.Sequence))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	c.ID = uuid.UUID(sum[:16]).String()
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return w.b.Set(key('o', binary.BigEndian.AppendUint64(nil, w.s.Sequence)), text)
}

// name is how the state and the history call what somebody entered or left.
func (c *Change) name() string {
	if c.Destination != "" {
		return segment.AudienceName(c.Segment, c.Destination)
	}
	return c.Segment
}

func (c *Change) entered() bool { return c.Kind == Entered || c.Kind == AudienceEntered }

// ours says whether this role appended a record of the topic.
func (c *Change) ours() bool {
	switch c.Kind {
	case Entered, Left, AudienceEntered, AudienceLeft, Drawn:
		return true
	}
	return false
}

// changesAtOnce is how many changes are sent in one batch.
const changesAtOnce = 1_000

// send appends the changes that are on their way to the topic, and to the history, and takes them off the way.
func (s *Segments) send(ctx context.Context) error {
	for {
		var keys [][]byte
		var changes []*Change
		var messages []kafka.Message
		err := s.Store.Scan([]byte{'o'}, []byte{'o' + 1}, func(k, v []byte) error {
			c := &Change{}
			if err := json.Unmarshal(v, c); err != nil {
				return errors.Join(errDamaged, err)
			}
			keys, changes = append(keys, append([]byte(nil), k...)), append(changes, c)
			messages = append(messages, kafka.Message{Key: []byte(c.Profile), Value: append([]byte(nil), v...)})
			if len(keys) >= changesAtOnce {
				return state.ErrStop
			}
			return nil
		})
		if err != nil || len(keys) == 0 {
			return err
		}
		// What a crash could take back must not be told: somebody else could be decided in its place.
		if err := s.Store.Sync(); err != nil {
			return err
		}
		last, err := s.append(ctx, changes, messages)
		if err != nil {
			return err
		}
		if err := s.retry(ctx, "write the history of segments", func() error { return s.Tables.record(ctx, changes) }); err != nil {
			return err
		}
		b := s.Store.NewBatch()
		for _, k := range keys {
			if err := b.Delete(k); err != nil {
				return errors.Join(err, b.Discard())
			}
		}
		if err := b.SetOffset(schema.TopicDecisions, 0, state.Offset{Next: last}); err != nil {
			return errors.Join(err, b.Discard())
		}
		if err := b.Commit(); err != nil {
			return err
		}
		s.metrics.changes.Add(float64(len(changes)))
	}
}

// append produces changes. After an error that leaves open whether they are in the topic, it looks.
func (s *Segments) append(ctx context.Context, changes []*Change, messages []kafka.Message) (next int64, err error) {
	err = s.retry(ctx, "append to the topic decisions", func() error {
		base, err := s.Producer.Produce(ctx, schema.TopicDecisions, 0, messages, s.Now())
		if err == nil {
			next = base + int64(len(messages))
			return nil
		}
		there, end, looked := s.there(ctx)
		if looked != nil {
			return errors.Join(err, looked)
		}
		if there[changes[len(changes)-1].ID] { // a batch is there as a whole, or not at all
			next = end
			return nil
		}
		return err
	})
	return next, err
}

// there gives the ids of the changes in the topic since the last ones that were taken off the way, and where it ends.
func (s *Segments) there(ctx context.Context) (map[string]bool, int64, error) {
	offsets, err := state.Offsets(s.Store, schema.TopicDecisions)
	if err != nil {
		return nil, 0, err
	}
	ids := map[string]bool{}
	end, err := s.history(ctx, offsets[0].Next, func(c *Change) error {
		ids[c.ID] = true
		return nil
	})
	return ids, end, err
}

// history reads the changes of the topic from an offset to its end, and says where that is.
func (s *Segments) history(ctx context.Context, at int64, f func(c *Change) error) (int64, error) {
	ends, err := s.Decisions.Ends(ctx)
	if err != nil {
		return 0, err
	}
	for at < ends[0] {
		got, err := s.Decisions.Read(ctx, 0, at, time.Second)
		if err != nil {
			return 0, err
		}
		for i := range got.Records {
			c := &Change{}
			if json.Unmarshal(got.Records[i].Value, c) != nil || c.Workspace != s.Workspace || !c.ours() {
				continue // another decision
			}
			if err := f(c); err != nil {
				return 0, err
			}
		}
		at = got.Next
	}
	return at, nil
}

// follows takes over what another owner decided since the state was left, and what this one decided and lost: memberships are what the topic comes to, and then what is still
// on its way. Everything decided since is put into the history again, since who appended it may have ended before that.
func (s *Segments) follows(ctx context.Context) error {
	offsets, err := state.Offsets(s.Store, schema.TopicDecisions)
	if err != nil {
		return err
	}
	var decided []*Change
	var end int64
	err = s.retry(ctx, "read the topic decisions", func() (err error) {
		decided = decided[:0]
		end, err = s.history(ctx, offsets[0].Next, func(c *Change) error {
			decided = append(decided, c)
			return nil
		})
		return err
	})
	if err != nil || len(decided) == 0 {
		return err
	}
	for from := 0; from < len(decided); from += changesAtOnce {
		some := decided[from:min(len(decided), from+changesAtOnce)]
		if err := s.retry(ctx, "write the history of segments", func() error { return s.Tables.record(ctx, some) }); err != nil {
			return err
		}
	}
	there := map[string]bool{}
	for _, c := range decided {
		there[c.ID] = true
	}
	b := s.Store.NewBatch()
	var gone [][]byte
	err = s.Store.Scan([]byte{'o'}, []byte{'o' + 1}, func(k, v []byte) error {
		c := &Change{}
		if err := json.Unmarshal(v, c); err != nil {
			return errors.Join(errDamaged, err)
		}
		if there[c.ID] {
			gone = append(gone, append([]byte(nil), k...))
		} else {
			decided = append(decided, c)
		}
		return nil
	})
	for _, c := range decided {
		err = errors.Join(err, s.took(b, c))
	}
	for _, k := range gone {
		err = errors.Join(err, b.Delete(k))
	}
	if err = errors.Join(err, b.SetOffset(schema.TopicDecisions, 0, state.Offset{Next: end})); err != nil {
		return errors.Join(err, b.Discard())
	}
	return b.Commit()
}

// took makes a change that was decided a membership, or a draw, and has the person weighed: the state may not know yet what decided it.
func (s *Segments) took(b *state.Batch, c *Change) error {
	at, err := schema.ParseInstant(c.At)
	if err != nil {
		return schema.Classify(schema.Fatal, fmt.Errorf("a change of %s has no time: %w", c.Segment, err))
	}
	id, err := schema.ParsePersonaID(c.Profile)
	if err != nil {
		return errors.Join(errDamaged, err) // Unreachable: we wrote it
	}
	member := key('m', id[:], []byte(c.name()))
	switch {
	case c.Kind == Drawn:
		var known bool
		if _, known, err = s.Store.Get(nil, drawKey(id, c.Segment)); err == nil && !known && c.Held != nil {
			err = b.Set(drawKey(id, c.Segment), appendDraw(at, *c.Held))
		}
	case c.entered():
		err = b.Set(member, sortable(at))
	default:
		err = b.Delete(member)
	}
	return errors.Join(err, s.markOnce(b, id, cause{byRule, at, schema.EventID{}}))
}

// adopt has memberships, draws and history be those of the topic, in the place of those of a silent life. Facts, rows and times stay: they are of the same events.
func (s *Segments) adopt(ctx context.Context) error {
	b := s.Store.NewBatch()
	for _, kind := range []byte{'m', 'o', 'a'} {
		if err := b.DeleteRange([]byte{kind}, []byte{kind + 1}); err != nil {
			return errors.Join(err, b.Discard())
		}
	}
	if err := b.Commit(); err != nil {
		return err
	}
	if err := s.retry(ctx, "empty the history of segments", func() error { return s.Tables.emptyHistory(ctx, s.Workspace) }); err != nil {
		return err
	}
	s.Sweep = ""
	return s.recall(ctx)
}

// recall reads memberships from the topic, for a state that is made from nothing. The history in ClickHouse is written anew.
func (s *Segments) recall(ctx context.Context) error {
	b := s.Store.NewBatch()
	since := map[[2]string]schema.Instant{}
	var some []*Change
	flush := func() error {
		if len(some) == 0 {
			return nil
		}
		err := s.retry(ctx, "write the history of segments", func() error { return s.Tables.record(ctx, some) })
		some = nil
		return err
	}
	var end int64
	err := s.retry(ctx, "read the topic decisions", func() (err error) {
		end, err = s.history(ctx, 0, func(c *Change) error {
			at, err := schema.ParseInstant(c.At)
			if err != nil {
				return schema.Classify(schema.Fatal, fmt.Errorf("a change of %s has no time: %w", c.Segment, err))
			}
			s.Sequence++
			switch {
			case c.Kind == Drawn:
				if id, bad := schema.ParsePersonaID(c.Profile); bad == nil && c.Held != nil {
					if err := b.Set(drawKey(id, c.Segment), appendDraw(at, *c.Held)); err != nil {
						return err
					}
				}
			case c.entered():
				since[[2]string{c.Profile, c.name()}] = at
			default:
				delete(since, [2]string{c.Profile, c.name()})
			}
			if some = append(some, c); len(some) >= changesAtOnce {
				return flush()
			}
			return nil
		})
		return err
	})
	if err == nil {
		err = flush()
	}
	for who, at := range since {
		id, bad := schema.ParsePersonaID(who[0])
		if bad != nil {
			continue // Unreachable: we wrote it
		}
		// Who is in is marked: whoever is a profile no more must leave.
		err = errors.Join(err, b.Set(key('m', id[:], []byte(who[1])), sortable(at)), b.Set(key('d', id[:]), cause{byRule, at, schema.EventID{}}.append(nil)))
	}
	if err = errors.Join(err, b.SetOffset(schema.TopicDecisions, 0, state.Offset{Next: end})); err != nil {
		return errors.Join(err, b.Discard())
	}
	return b.Commit()
}
