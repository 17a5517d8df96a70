package destinations

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/pipelines/destination"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// Prefix begins every key of this package. Stored form; names end with a zero byte, times are 8 bytes as package segments has them:
//
//	'x' 'p'                                  →  position, JSON
//	'x' 'q' destination 0 class(1) seq(8)    →  entry, JSON: in line. Class 0 takes somebody out and goes first, 1 is everything else
//	'x' 'k' destination 0 message id         →  class(1) seq(8): where it is in line
//	'x' 'i' destination 0 profile 0 segment  →  class(1) seq(8) of what puts a person in, and was not sent yet
//	'x' 'c' destination 0 profile            →  times(8 each) at which the person was told of there
//	'x' 'd' destination 0 message id         →  entry, JSON: a dead letter
//	'x' 's' destination 0                    →  status, JSON
const Prefix = 'x'

var errDamaged = schema.Classify(schema.Fatal, errors.New("damaged line of destinations: delete the folder of the role segments, it is rebuilt at the next start"))

// position is how far the topics are read.
type position struct {
	Decisions int64  `json:"decisions"`
	Profiles  int64  `json:"profiles"`
	Sequence  uint64 `json:"sequence"`
}

// entry is a message in line.
type entry struct {
	ID         string          `json:"id"`
	Type       string          `json:"type"`
	At         string          `json:"at"`
	Segment    string          `json:"segment,omitempty"`
	Definition string          `json:"definition,omitempty"`
	Profile    string          `json:"profile,omitempty"`
	Cause      json.RawMessage `json:"cause,omitempty"`
	Record     json.RawMessage `json:"record,omitempty"`
	Failed     int             `json:"failed,omitempty"`
	Next       schema.Instant  `json:"next,omitempty"` // not before
	Reason     string          `json:"reason,omitempty"`

	class byte
	seq   uint64
}

func (e *entry) removes() bool { return e.Type == "audience.left" }

// about is what must stay in order.
func (e *entry) about() string {
	if e.Profile != "" {
		return e.Profile
	}
	return e.ID
}

func key(kind byte, parts ...string) []byte {
	out := []byte{Prefix, kind}
	for i, p := range parts {
		if i > 0 {
			out = append(out, 0)
		}
		out = append(out, p...)
	}
	return out
}

func placeOf(class byte, seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{class}, seq)
}

func lineKey(name string, place []byte) []byte { return append(key('q', name, ""), place...) }

func (d *Destinations) open(ctx context.Context) error {
	value, found, err := d.Store.Get(nil, key('p'))
	if err != nil {
		return err
	}
	d.position = position{}
	if found && json.Unmarshal(value, &d.position) != nil {
		return errDamaged
	}
	// A crash may have taken the end of a topic, which then tells something else.
	decisions, profiles, err := d.ends(ctx)
	if err != nil {
		return err
	}
	d.position.Decisions, d.position.Profiles = min(d.position.Decisions, decisions), min(d.position.Profiles, profiles)
	d.caught.Store(false)
	return nil
}

// commit makes a batch visible together with the position.
func (d *Destinations) commit(b *state.Batch, p position) error {
	text, err := json.Marshal(p)
	if err == nil {
		err = b.Set(key('p'), text)
	}
	if err != nil {
		return errors.Join(err, b.Discard())
	}
	if err := b.Commit(); err != nil {
		return err
	}
	d.position = p
	return nil
}

// stale is how old an alert, or a change of who is who, may be to be put into a line: one that is new, or whose state was lost, is not told the whole past.
const stale = schema.Instant(24 * time.Hour / time.Microsecond)

// decided is what this package reads of the topic decisions.
type decided struct {
	Kind, Workspace, ID, At, Destination, Segment, Definition, Profile string
	Cause                                                              json.RawMessage
	Alert                                                              *struct {
		ID string `json:"id"`
	}
}

func (d *Destinations) takeDecisions(got *eventlog.Batch) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := d.position
	next.Decisions = got.Next
	w := &writing{d: d, b: d.Store.NewBatch(), next: &next, pending: map[string]*entry{}, gone: map[string]bool{}}
	now := schema.InstantOf(d.Now())
	byName := map[string]*destination.Destination{}
	for _, of := range d.Destinations() {
		byName[of.Name] = of
	}
	for i := range got.Records {
		var r decided
		if json.Unmarshal(got.Records[i].Value, &r) != nil || r.Workspace != d.Workspace {
			continue // of another kind, or of a later release
		}
		var err error
		switch r.Kind {
		case "audience.entered", "audience.left":
			if byName[r.Destination] != nil {
				err = w.put(r.Destination, &entry{ID: r.ID, Type: r.Kind, At: r.At, Segment: r.Segment, Definition: r.Definition, Profile: r.Profile, Cause: r.Cause})
			}
		case "alert.raised":
			if got.Records[i].RecordedAt < now-stale {
				continue
			}
			value := append(json.RawMessage(nil), got.Records[i].Value...)
			id := named("alert", value)
			for _, of := range d.Destinations() {
				if of.Takes(destination.Alerts) {
					err = errors.Join(err, w.put(of.Name, &entry{ID: id, Type: r.Kind, At: r.At, Record: value}))
				}
			}
		case Sent, Withheld, Dead:
			err = w.ended(&r, r.Kind == Dead)
		}
		if err != nil {
			return errors.Join(err, w.b.Discard())
		}
	}
	if err := d.commit(w.b, next); err != nil {
		return err
	}
	if w.put0 {
		d.tell()
	}
	return nil
}

func (d *Destinations) takeProfiles(got *eventlog.Batch) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := d.position
	next.Profiles = got.Next
	w := &writing{d: d, b: d.Store.NewBatch(), next: &next, pending: map[string]*entry{}, gone: map[string]bool{}}
	now := schema.InstantOf(d.Now())
	for i := range got.Records {
		var r struct{ Kind, Workspace, To string }
		if json.Unmarshal(got.Records[i].Value, &r) != nil || r.Workspace != d.Workspace || got.Records[i].RecordedAt < now-stale {
			continue
		}
		value := append(json.RawMessage(nil), got.Records[i].Value...)
		for _, of := range d.Destinations() {
			if !of.Takes(destination.Profiles) {
				continue
			}
			if err := w.put(of.Name, &entry{ID: named("profiles", value), Type: "profile." + r.Kind, At: got.Records[i].RecordedAt.String(), Record: value}); err != nil {
				return errors.Join(err, w.b.Discard())
			}
		}
	}
	if err := d.commit(w.b, next); err != nil {
		return err
	}
	if w.put0 {
		d.tell()
	}
	return nil
}

// named makes an id of what a record says: told again, it is the same.
func named(topic string, value []byte) string {
	sum := sha256.Sum256(append(append([]byte(topic), 0), value...))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	return uuid.UUID(sum[:16]).String()
}

// writing is a batch that puts entries into lines and takes them off.
type writing struct {
	d       *Destinations
	b       *state.Batch
	next    *position
	pending map[string]*entry // that this batch puts into a line, by the key of their index of people, and of ids
	gone    map[string]bool   // message ids, with their destination, that this batch takes off
	put0    bool
}

// put appends an entry to a line. Who leaves needs no longer be told to have come.
func (w *writing) put(name string, e *entry) error {
	id := key('k', name, e.ID)
	if _, known := w.pending[string(id)]; known {
		return nil
	}
	if _, known, err := w.d.Store.Get(nil, id); err != nil || known && !w.gone[string(id)] {
		return err
	}
	person := key('i', name, e.Profile, e.Segment)
	if e.removes() {
		before := w.pending[string(person)]
		if before == nil {
			place, known, err := w.d.Store.Get(nil, person)
			if err != nil {
				return err
			}
			if known {
				value, found, err := w.d.Store.Get(nil, lineKey(name, place))
				if err != nil {
					return err
				}
				if before = new(entry); !found || json.Unmarshal(value, before) != nil {
					return errDamaged
				}
				before.class, before.seq = place[0], binary.BigEndian.Uint64(place[1:])
			}
		}
		if before != nil {
			if err := w.off(name, before); err != nil {
				return err
			}
		}
	}
	w.next.Sequence++
	if e.class, e.seq = 1, w.next.Sequence; e.removes() {
		e.class = 0
	}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	place := placeOf(e.class, e.seq)
	err = errors.Join(w.b.Set(lineKey(name, place), text), w.b.Set(id, place))
	w.pending[string(id)] = e
	if e.Profile != "" && !e.removes() {
		err = errors.Join(err, w.b.Set(person, place))
		w.pending[string(person)] = e
	}
	w.put0 = true
	return err
}

// off takes an entry off a line.
func (w *writing) off(name string, e *entry) error {
	id, person := key('k', name, e.ID), key('i', name, e.Profile, e.Segment)
	delete(w.pending, string(id))
	w.gone[string(id)] = true
	err := errors.Join(w.b.Delete(lineKey(name, placeOf(e.class, e.seq))), w.b.Delete(id))
	if e.Profile != "" && !e.removes() {
		delete(w.pending, string(person))
		err = errors.Join(err, w.b.Delete(person))
	}
	return err
}

// ended takes off what a receipt tells of; dead letters are kept.
func (w *writing) ended(r *decided, dead bool) error {
	id := key('k', r.Destination, r.ID)
	e := w.pending[string(id)]
	if e == nil {
		place, known, err := w.d.Store.Get(nil, id)
		if err != nil || !known || w.gone[string(id)] {
			return err
		}
		value, found, err := w.d.Store.Get(nil, lineKey(r.Destination, place))
		if err != nil {
			return err
		}
		if e = new(entry); !found || json.Unmarshal(value, e) != nil {
			return errDamaged
		}
		e.class, e.seq = place[0], binary.BigEndian.Uint64(place[1:])
	}
	if dead {
		text, err := json.Marshal(e)
		if err == nil {
			err = w.b.Set(key('d', r.Destination, e.ID), text)
		}
		if err != nil {
			return err
		}
	}
	return w.off(r.Destination, e)
}

// scanned bounds how far into a line a look goes for something that may be sent.
const scanned = 10_000

// due gives what may be sent now, at most so many, each about another person, in order; next is when something else is due, 0 if nothing waits for a time.
func (d *Destinations) due(name string, limit int, now schema.Instant) (out []*entry, next schema.Instant, err error) {
	taken := map[string]bool{}
	prefix := key('q', name, "")
	n := 0
	err = d.Store.Scan(prefix, state.After(prefix), func(k, v []byte) error {
		e := &entry{}
		if len(k) != len(prefix)+9 || json.Unmarshal(v, e) != nil {
			return errDamaged
		}
		if n++; n > scanned {
			return state.ErrStop
		}
		e.class, e.seq = k[len(prefix)], binary.BigEndian.Uint64(k[len(prefix)+1:])
		if taken[e.about()] {
			return nil
		}
		taken[e.about()] = true
		if e.Next > now {
			if next == 0 || e.Next < next {
				next = e.Next
			}
			return nil
		}
		if out = append(out, e); len(out) >= limit {
			return state.ErrStop
		}
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("look at the line: %w", err)
	}
	return out, next, nil
}

// Length is how many messages wait for a destination, and how many are dead letters, each at most so many.
func (d *Destinations) Length(name string, most int) (waiting, dead int, err error) {
	count := func(prefix []byte) (n int, err error) {
		err = d.Store.Scan(prefix, state.After(prefix), func(_, _ []byte) error {
			if n++; n >= most {
				return state.ErrStop
			}
			return nil
		})
		return n, err
	}
	if waiting, err = count(key('q', name, "")); err == nil {
		dead, err = count(key('d', name, ""))
	}
	return waiting, dead, err
}
