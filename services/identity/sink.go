package identity

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// Sink is told who is who: the profiles topic and the timeline's persona map are sinks. Each has a cursor of its own in the state, so one that
// is slow or gone holds back nothing but itself. It may be told the same again, after a crash or a failure.
type Sink interface {
	// Name names the cursor: never rename a sink.
	Name() string
	// Changed tells what one commit changed. version only grows.
	Changed(ctx context.Context, version uint64, changes []Change) error
	// Rebuilt tells the whole, when the state was built from the log and nothing is known of what the sink was told before.
	Rebuilt(ctx context.Context, version uint64, places iter.Seq2[Placed, error]) error
}

// Flusher is a Sink that may keep what Changed tells it until Flush, so that many small commits become one write. The cursor moves after Flush.
type Flusher interface {
	Flush(ctx context.Context) error
}

// Placed is who one persona is.
type Placed struct {
	Moved
	Profile schema.ProfileID
}

// tell brings a sink up to date whenever something was committed, until ctx ends.
func (s *Service) tell(ctx context.Context, p *projection, sink Sink) {
	const shortest, longest = 100 * time.Millisecond, 10 * time.Second
	backOff := shortest
	for ctx.Err() == nil {
		_, changed := p.progress.get()
		more, err := p.handSome(ctx, sink)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			s.logger.Warn("identity: changes cannot be handed out", "sink", sink.Name(), "error", err, "retry_in", backOff)
			if !pause(ctx, backOff) {
				return
			}
			backOff = min(2*backOff, longest)
			continue
		}
		backOff = shortest
		if more {
			continue
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}

// handSome tells a sink of the next commits, or of everything if it has no cursor. more says that there may be more to tell.
func (p *projection) handSome(ctx context.Context, sink Sink) (more bool, err error) {
	p.telling.RLock()
	defer p.telling.RUnlock()
	snapshot := p.store.Snapshot()
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	last, _, err := counter(snapshot, "sequence")
	if err != nil {
		return false, err
	}
	name := "sink " + sink.Name()
	cursor, known, err := counter(snapshot, name)
	if err != nil || known && cursor >= last {
		return false, err
	}
	// What a crash could take back must not be told: its numbers would be given to other changes.
	if err := p.store.Sync(); err != nil {
		return false, err
	}
	const some = 64
	told := cursor
	if !known {
		version, _, err := counter(snapshot, "built")
		if err != nil {
			return false, err
		}
		at, err := lastVersion(snapshot, last)
		if err != nil {
			return false, err
		}
		if err := sink.Rebuilt(ctx, max(version, at), placements(snapshot, p.weigher != nil)); err != nil {
			return false, err
		}
		told = last
	} else {
		err := snapshot.Scan(sequenceKey(cursor+1), sequenceKey(min(last, cursor+some)+1), func(key, value []byte) error {
			version, changes, err := decodeChanges(value)
			if err != nil {
				return err
			}
			told = binary.BigEndian.Uint64(key[1:])
			return sink.Changed(ctx, version, changes)
		})
		if err != nil {
			return false, err
		}
		if f, ok := sink.(Flusher); ok {
			if err := f.Flush(ctx); err != nil {
				return false, err
			}
		}
		if told == cursor {
			return false, schema.Classify(schema.Fatal, fmt.Errorf("changes after %d are missing: %w", cursor, errDamaged))
		}
	}
	b := p.store.NewBatch()
	if err := setCounter(b, name, told); err != nil {
		return false, err
	}
	return told < last, b.Commit()
}

func lastVersion(r state.Reader, sequence uint64) (uint64, error) {
	value, found, err := r.Get(nil, sequenceKey(sequence))
	if err != nil || !found {
		return 0, err
	}
	version, _, err := decodeChanges(value)
	return version, err
}

// placements lists all personas in the order of their nodes.
func placements(r *state.Snapshot, weighed bool) iter.Seq2[Placed, error] {
	return func(yield func(Placed, error) bool) {
		err := r.Scan([]byte{'p'}, []byte{'p' + 1}, func(key, value []byte) error {
			n, err := decodeNode(identity.NodeID(key[1:]), value)
			if err != nil {
				return err
			}
			holder := n.place.profile
			if weighed {
				if holder, err = heldIn(r, holder); err != nil {
					return err
				}
			}
			if !yield(Placed{Moved{n.id, n.evidence.Of}, holder}, nil) {
				return state.ErrStop
			}
			return nil
		})
		if err != nil {
			yield(Placed{}, err)
		}
	}
}

// forget removes changes that every sink was told of. While they are told by another process all go, and with them the cursors, which they would leave behind:
// the sinks will be told everything.
func (p *projection) forget(sinks []Sink, leading bool) error {
	if !leading {
		if !p.telling.TryLock() { // what was told last is being noted
			return nil
		}
		defer p.telling.Unlock()
	}
	upTo := p.sequence
	b := p.store.NewBatch()
	for _, sink := range sinks {
		if !leading {
			if err := b.Delete(counterKey("sink " + sink.Name())); err != nil {
				return errors.Join(err, b.Discard())
			}
			continue
		}
		cursor, _, err := counter(p.store, "sink "+sink.Name())
		if err != nil {
			return errors.Join(err, b.Discard())
		}
		upTo = min(upTo, cursor)
	}
	if upTo == 0 {
		return b.Discard()
	}
	if err := b.DeleteRange(sequenceKey(0), sequenceKey(upTo)); err != nil { // the last one stays: it tells the version
		return err
	}
	return b.Commit()
}

// Producer appends to a topic and returns when all in-sync replicas have it; *kafka.Client is one.
type Producer interface {
	Produce(ctx context.Context, topic string, partition int32, messages []kafka.Message, at time.Time) (base int64, err error)
}

// ProfilesTopic is the sink that publishes changes to the profiles topic: one JSON record for each, keyed by the profile that it leads to.
//
//	{"kind":"created|merged|split|canonical","workspace":…,"from":…,"to":…,"personas":[…],"version":…}
//
// and {"kind":"rebuilt","workspace":…,"version":…} when the state was built anew: whoever follows the topic reads the persona map again. Records hold ids only.
// The same record may come twice; version only grows.
type ProfilesTopic struct {
	Workspace string
	Producer  Producer
	Now       func() time.Time

	// Promotion is the position of the decision that had this state take the place of another; 0 is none. What the topic was told before is of that
	// other one, so the cursor is another and everything is told anew.
	Promotion int64
}

type profilesRecord struct {
	Kind      string   `json:"kind"`
	Workspace string   `json:"workspace"`
	From      string   `json:"from,omitempty"`
	To        string   `json:"to,omitempty"`
	Personas  []string `json:"personas,omitempty"`
	Version   uint64   `json:"version"`
}

// Name is the cursor's name.
func (t *ProfilesTopic) Name() string {
	if t.Promotion != 0 {
		return fmt.Sprintf("%s since %d", schema.TopicProfiles, t.Promotion)
	}
	return schema.TopicProfiles
}

// Changed publishes one record for each change.
func (t *ProfilesTopic) Changed(ctx context.Context, version uint64, changes []Change) error {
	for len(changes) > 0 {
		n := min(len(changes), 500)
		messages := make([]kafka.Message, n)
		for i := range changes[:n] {
			c := &changes[i]
			r := profilesRecord{Kind: c.Kind.String(), Workspace: t.Workspace, To: c.To.String(), Version: version}
			if !c.From.IsZero() {
				r.From = c.From.String()
			}
			for _, m := range c.Personas {
				r.Personas = append(r.Personas, m.Node.String())
			}
			value, err := json.Marshal(r)
			if err != nil {
				return fmt.Errorf("write change of profile %s: %w", c.To, err)
			}
			messages[i] = kafka.Message{Key: c.To[:], Value: value}
		}
		if _, err := t.Producer.Produce(ctx, schema.TopicProfiles, 0, messages, t.Now()); err != nil {
			return fmt.Errorf("publish changes of profiles: %w", err)
		}
		changes = changes[n:]
	}
	return nil
}

// Rebuilt publishes that everything has to be read again.
func (t *ProfilesTopic) Rebuilt(ctx context.Context, version uint64, _ iter.Seq2[Placed, error]) error {
	value, err := json.Marshal(profilesRecord{Kind: "rebuilt", Workspace: t.Workspace, Version: version})
	if err != nil {
		return err
	}
	if _, err := t.Producer.Produce(ctx, schema.TopicProfiles, 0, []kafka.Message{{Key: []byte(t.Workspace), Value: value}}, t.Now()); err != nil {
		return fmt.Errorf("publish that profiles were built anew: %w", err)
	}
	return nil
}
