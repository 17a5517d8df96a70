package destinations

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/destination"
	"github.com/dossier-cdp/dossier/schema"
)

// lane sends to one destination.
type lane struct {
	d    *Destinations
	of   *destination.Destination
	sink Sink

	failing int // attempts in a row that failed
}

// lanePause is how long a lane that fails pauses at most. Then one message tries whether the destination is well again.
const lanePause = 30 * time.Second

func (l *lane) run(ctx context.Context) error {
	if l.sink == nil {
		return schema.Classify(schema.Fatal, fmt.Errorf("nothing sends to the kind %s", l.of.Kind))
	}
	for {
		told := l.d.told()
		wait := time.Hour
		if l.d.caught.Load() {
			sent, next, err := l.turn(ctx)
			if err != nil || ctx.Err() != nil {
				return errors.Join(err, ctx.Err())
			}
			now := schema.InstantOf(l.d.Now())
			switch {
			case l.failing > 0:
				wait = min(10*l.d.BackOff<<min(l.failing-1, 10), lanePause)
				told = nil
			case sent > 0:
				wait = time.Duration(float64(sent) / l.of.Rate * float64(time.Second))
				told = nil
			case next != 0:
				wait = min(max(time.Duration(next-now)*time.Microsecond, time.Millisecond), l.d.Look)
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-told:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// turn sends what is due; sent is how many attempts were made.
func (l *lane) turn(ctx context.Context) (sent int, next schema.Instant, err error) {
	limit := min(l.sink.AtOnce(), max(1, int(l.of.Rate/5)))
	if l.failing > 0 {
		limit = 1
	}
	now := schema.InstantOf(l.d.Now())
	list, next, err := l.d.due(l.of.Name, limit, now)
	if err != nil || len(list) == 0 {
		return 0, next, err
	}
	recipients, err := l.recipients(ctx, list)
	if err != nil {
		return 0, 0, err
	}
	var receipts []*Receipt
	var messages []*destination.Message
	var going, ended []*entry
	var people []string
	for _, e := range list {
		m := &destination.Message{ID: e.ID, Type: e.Type, At: e.At, Workspace: l.d.Workspace, Destination: l.of.Name, Segment: e.Segment, Definition: e.Definition, Profile: e.Profile, Cause: e.Cause, Record: e.Record}
		if e.Profile != "" && !e.removes() {
			points, reason := l.of.May(recipients[e.Profile], now)
			if reason != "" {
				receipts, ended = append(receipts, l.receipt(Withheld, e, e.Failed, reason)), append(ended, e)
				continue
			}
			m.Points, m.Traits = points, recipients[e.Profile].Traits
		}
		if e.Profile != "" {
			people = append(people, e.Profile)
		}
		messages, going = append(messages, m), append(going, e)
	}
	var retry []*entry
	if len(messages) > 0 {
		if l.d.Audit != nil && len(people) > 0 {
			if err := l.d.retry(ctx, "record in the audit log", func() error { return l.d.Audit(ctx, l.of, people) }); err != nil {
				return 0, 0, err
			}
		}
		errs := l.sink.Send(ctx, l.of, messages)
		if ctx.Err() != nil {
			return 0, 0, ctx.Err()
		}
		failed := 0
		for i, e := range going {
			if errs[i] == nil {
				receipts, ended = append(receipts, l.receipt(Sent, e, e.Failed+1, "")), append(ended, e)
				continue
			}
			failed++
			e.Failed++
			e.Reason = errs[i].Error()
			pause, again := l.d.Pause(e.Failed, errs[i])
			if !again {
				receipts, ended = append(receipts, l.receipt(Dead, e, e.Failed, e.Reason)), append(ended, e)
				continue
			}
			e.Next = schema.InstantOf(l.d.Now()) + schema.Instant(pause/time.Microsecond)
			retry = append(retry, e)
		}
		l.d.metrics.retries.WithLabelValues(l.of.Name).Add(float64(failed))
		if failed == len(going) && len(retry) > 0 {
			if l.failing++; l.failing == 1 || l.failing%20 == 0 {
				l.d.Logger.Warn("destinations: a destination takes nothing", "destination", l.of.Name, "error", retry[0].Reason, "attempts", l.failing)
			}
		} else if l.failing > 0 {
			l.d.Logger.Info("destinations: a destination takes again", "destination", l.of.Name)
			l.failing = 0
		}
	}
	// At this point the destination has them, or a receipt says why not. What crashes from here on is found in the topic.
	if err := l.d.append(ctx, receipts); err != nil {
		return 0, 0, err
	}
	if err := l.finish(ended, retry, receipts, now); err != nil {
		return 0, 0, fmt.Errorf("take off the line: %w", err)
	}
	return len(messages), 0, nil
}

func (l *lane) receipt(kind string, e *entry, attempts int, reason string) *Receipt {
	return &Receipt{Kind: kind, Workspace: l.d.Workspace, At: schema.InstantOf(l.d.Now()).String(), Destination: l.of.Name, ID: e.ID, Type: e.Type, Segment: e.Segment, Profile: e.Profile, Attempts: attempts, Reason: reason}
}

// recipients says what is known now of whom the entries put in, by profile.
func (l *lane) recipients(ctx context.Context, list []*entry) (map[string]*destination.Recipient, error) {
	var ids []schema.ProfileID
	for _, e := range list {
		if e.Profile == "" || e.removes() {
			continue
		}
		id, err := schema.ParsePersonaID(e.Profile)
		if err != nil {
			return nil, errors.Join(errDamaged, err)
		}
		ids = append(ids, id)
	}
	out := map[string]*destination.Recipient{}
	if len(ids) == 0 {
		return out, nil
	}
	var people []*graphql.Person
	err := l.d.retry(ctx, "ask who is who", func() (err error) {
		people, err = l.d.People(ctx, l.d.Workspace, ids)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i, p := range people {
		if p == nil || p.ID != ids[i] { // erased, or with somebody else, who was told of apart
			continue
		}
		r, err := l.recipient(p)
		if err != nil {
			return nil, err
		}
		out[ids[i].String()] = r
	}
	return out, nil
}

func (l *lane) recipient(p *graphql.Person) (*destination.Recipient, error) {
	r := &destination.Recipient{Suppressed: l.d.Suppressed(p), Traits: map[string]json.RawMessage{}}
	for i := range p.Consents {
		c := &p.Consents[i]
		r.Consents = append(r.Consents, destination.Consent{Kind: c.Kind, Value: c.Value, Purpose: c.Purpose, Channel: c.Channel.String(), Allowed: c.Allowed, Until: c.Expiry})
	}
	for i := range p.Identifiers {
		if h := &p.Identifiers[i]; h.Confirmed {
			r.Identifiers = append(r.Identifiers, destination.Point{Kind: h.Kind, Value: h.Value})
		}
	}
	for i := range p.Traits {
		if slices.Contains(l.of.Include.Traits, p.Traits[i].Name) {
			r.Traits[p.Traits[i].Name] = p.Traits[i].Value
		}
	}
	if l.of.Cap == nil {
		return r, nil
	}
	times, _, err := l.d.Store.Get(nil, key('c', l.of.Name, p.ID.String()))
	for ; len(times) >= 8; times = times[8:] {
		r.Sent = append(r.Sent, schema.Instant(binary.BigEndian.Uint64(times)))
	}
	return r, err
}

// finish takes off the line what has ended, and notes what is tried again. What was taken off meanwhile, since the person left, stays off.
func (l *lane) finish(ended, retry []*entry, receipts []*Receipt, now schema.Instant) error {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	next := l.d.position
	w := &writing{d: l.d, b: l.d.Store.NewBatch(), next: &next, pending: map[string]*entry{}, gone: map[string]bool{}}
	err := func() error {
		for i, e := range ended {
			r := receipts[i]
			l.d.metrics.ended.WithLabelValues(l.of.Name, r.Kind).Inc()
			if r.Kind == Sent && !e.removes() {
				if err := l.count(w, e, now); err != nil {
					return err
				}
			}
			w.pending[string(key('k', l.of.Name, e.ID))] = e
			if err := w.ended(&decided{Destination: l.of.Name, ID: e.ID}, r.Kind == Dead); err != nil {
				return err
			}
		}
		for _, e := range retry {
			place, known, err := l.d.Store.Get(nil, key('k', l.of.Name, e.ID))
			if err != nil {
				return err
			}
			if !known || string(place) != string(placeOf(e.class, e.seq)) {
				continue
			}
			text, err := json.Marshal(e)
			if err != nil {
				return err
			}
			if err := w.b.Set(lineKey(l.of.Name, place), text); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		return errors.Join(err, w.b.Discard())
	}
	return l.d.commit(w.b, next)
}

// count notes that a person was told of, for the cap.
func (l *lane) count(w *writing, e *entry, now schema.Instant) error {
	window := l.of.Window()
	if window == 0 || e.Profile == "" {
		return nil
	}
	k := key('c', l.of.Name, e.Profile)
	before, _, err := l.d.Store.Get(nil, k)
	if err != nil {
		return err
	}
	var kept []byte
	for ; len(before) >= 8; before = before[8:] {
		if at := schema.Instant(binary.BigEndian.Uint64(before)); at > now-window {
			kept = append(kept, before[:8]...)
		}
	}
	return w.b.Set(k, binary.BigEndian.AppendUint64(kept, uint64(now)))
}
