package segments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dossier-cdp/dossier/graphql"
	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

const (
	atOnce      = 512    // people weighed in one step
	sweepAtOnce = 2_000  // people marked by one step of a sweep
	maxWaiting  = 65_536 // people of whom is remembered that they are marked
	tick        = 20 * time.Millisecond
	idleTick    = 100 * time.Millisecond // for times that come, and other definitions
	fullRead    = 2_000                  // events of one chunk: who reads so many is behind, or under load
	maxChunks   = 64                     // of one commit
)

// work commits what the readers bring, and weighs who is marked, until ctx ends or the segments in force change.
func (s *Segments) work(ctx context.Context, in <-chan chunk) error {
	var batch []chunk
	var begun, resting time.Time
	ticker, every := time.NewTicker(tick), tick
	defer ticker.Stop()
	pace := func(d time.Duration) {
		if d != every {
			every = d
			ticker.Reset(d)
		}
	}
	looked := time.Now()
	for {
		select {
		case k := <-in:
			if len(batch) == 0 {
				begun = time.Now()
			}
			pace(tick)
			batch = append(batch, k)
			s.busy = k.next-k.from >= fullRead
			if len(batch) < maxChunks && time.Since(begun) < s.Linger {
				continue
			}
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if len(batch) > 0 && (len(batch) >= maxChunks || time.Since(begun) >= s.Linger) {
			if err := s.step(func() error { return s.mark(batch) }); err != nil {
				return err
			}
			batch = nil
		}
		if time.Since(looked) > 200*time.Millisecond {
			looked = time.Now()
			if s.changed() {
				return errAgain
			}
		}
		// Under load, weighing takes a third of the time: the log goes first, and who is marked often is weighed once. While nobody waits for a decision, a tenth.
		if !s.caughtUp() || time.Now().Before(resting) {
			continue
		}
		from := time.Now()
		done, err := s.turn(ctx)
		if err != nil {
			return err
		}
		if s.busy {
			pause := 2 * time.Since(from)
			if len(s.live) == 0 {
				pause *= 5
			}
			resting = time.Now().Add(pause)
		}
		if done {
			s.busy = false
			if len(batch) == 0 {
				s.settle()
				pace(idleTick)
			}
		} else {
			pace(tick)
		}
	}
}

// step runs f while nothing else writes.
func (s *Segments) step(f func() error) error {
	s.working.Lock()
	defer s.working.Unlock()
	return f()
}

// changed says whether other segments, or another snapshot, are in force.
func (s *Segments) changed() bool {
	set := s.Segments()
	if s.Snapshot() != s.settings.Worth || s.Config.Suppressions() != s.settings.Suppressions {
		return true
	}
	live := set.Live()
	if len(live) != len(s.settings.Live) {
		return true
	}
	for _, of := range live {
		if s.settings.Live[of.Name] != of.Version {
			return true
		}
	}
	return false
}

// caughtUp says whether the log is read to where it ended at the start.
func (s *Segments) caughtUp() bool {
	for p, end := range s.ends {
		if p < len(s.next) && s.next[p] < end {
			return false
		}
	}
	return true
}

// turn weighs some of those who are marked, or whose time has come; done says that nobody is left.
func (s *Segments) turn(ctx context.Context) (done bool, err error) {
	s.working.Lock()
	defer s.working.Unlock()
	now := schema.InstantOf(s.Now())
	if err := s.wake(now); err != nil {
		return false, err
	}
	marked, err := s.marked(atOnce)
	if err != nil {
		return false, err
	}
	if len(marked) == 0 {
		if s.Sweep == "-" {
			return true, s.send(ctx)
		}
		return false, s.sweep(ctx, now)
	}
	if err := s.weigh(ctx, marked, now); err != nil {
		return false, err
	}
	return false, s.send(ctx)
}

// wake marks those whose time has come.
func (s *Segments) wake(now schema.Instant) error {
	var due []schema.ProfileID
	var at []schema.Instant
	err := s.Store.Scan([]byte{'t'}, key('t', sortable(now+1)), func(k, _ []byte) error {
		if len(k) != 25 {
			return errDamaged
		}
		due, at = append(due, schema.ProfileID(k[9:])), append(at, sorted(k[1:9]))
		if len(due) >= 4*atOnce {
			return state.ErrStop
		}
		return nil
	})
	if err != nil || len(due) == 0 {
		return err
	}
	b := s.Store.NewBatch()
	var fresh []marked
	for i, id := range due {
		_, is, err := s.Store.Get(nil, key('d', id[:]))
		if err == nil && !is { // an event is the better cause
			fresh = append(fresh, marked{id, cause{byTime, at[i], schema.EventID{}}})
			err = b.Set(key('d', id[:]), fresh[len(fresh)-1].cause.append(nil))
		}
		if err = errors.Join(err, b.Delete(key('t', sortable(at[i]), id[:])), b.Delete(key('n', id[:]))); err != nil {
			return errors.Join(err, b.Discard())
		}
	}
	if err := b.Commit(); err != nil {
		return err
	}
	for _, m := range fresh {
		s.note(m.id, m.cause)
	}
	return nil
}

// mark is somebody who is marked.
type marked struct {
	id    schema.ProfileID
	cause cause
}

// marked lists those who are marked next: those that are known in memory, or else the next of the store. To look into the store for everybody costs more than to weigh
// them: whoever was weighed leaves a trace there until it is compacted, and a fifth of all CPU under load went into walking over those.
func (s *Segments) marked(limit int) (out []marked, err error) {
	if len(s.waiting) == 0 && s.unlisted {
		if err := s.list(); err != nil {
			return nil, err
		}
	}
	n := min(limit, len(s.waiting))
	for _, id := range s.waiting[:n] {
		out = append(out, marked{id, s.causes[id]})
		delete(s.causes, id)
	}
	if s.waiting = s.waiting[n:]; len(s.waiting) == 0 {
		s.waiting, s.causes = nil, map[schema.ProfileID]cause{} // a burst makes them large
	}
	return out, nil
}

// note remembers a mark that is committed.
func (s *Segments) note(id schema.ProfileID, c cause) {
	if _, is := s.causes[id]; !is {
		if s.unlisted = s.unlisted || len(s.waiting) >= maxWaiting; s.unlisted {
			return // list finds them in their turn: whoever came before is weighed before
		}
		s.waiting = append(s.waiting, id)
	}
	s.causes[id] = c
}

// list looks for marks in the store, going round, so that nobody waits for ever for others to be marked no more.
func (s *Segments) list() error {
	first, end := []byte{'d'}, []byte{'d' + 1}
	from := first
	if s.round != (schema.ProfileID{}) {
		from = append(key('d', s.round[:]), 0)
	}
	add := func(k, v []byte) error {
		if len(k) != 17 {
			return errDamaged
		}
		c, err := readCause(v)
		if err != nil {
			return err
		}
		s.round = schema.ProfileID(k[1:])
		s.waiting, s.causes[s.round] = append(s.waiting, s.round), c
		if len(s.waiting) >= maxWaiting {
			return state.ErrStop
		}
		return nil
	}
	err := s.Store.Scan(from, end, add)
	if err == nil && len(s.waiting) < maxWaiting {
		err = s.Store.Scan(first, from, add)
	}
	s.unlisted = len(s.waiting) >= maxWaiting
	return err
}

// sweep marks the next profiles: those that identity has, and those that are known here and may be gone.
func (s *Segments) sweep(ctx context.Context, now schema.Instant) error {
	var after schema.ProfileID
	if s.Sweep != "" {
		id, err := schema.ParsePersonaID(s.Sweep)
		if err != nil {
			return errors.Join(errDamaged, err)
		}
		after = id
	}
	var page []schema.ProfileID
	err := s.retry(ctx, "list people", func() (err error) {
		page, err = s.People.Page(ctx, s.Workspace, after, sweepAtOnce)
		return err
	})
	if err != nil {
		return err
	}
	b := s.Store.NewBatch()
	put := func(id []byte) error {
		_, is, err := s.Store.Get(nil, key('d', id))
		if err != nil || is {
			return err
		}
		return b.Set(key('d', id), cause{byRule, now, schema.EventID{}}.append(nil))
	}
	from, to := key('k', after[:]), []byte{'k' + 1}
	if len(page) == sweepAtOnce {
		to = key('k', page[len(page)-1][:])
		s.Sweep = page[len(page)-1].String()
	} else {
		s.Sweep, s.Gather = "-", false
	}
	s.unlisted = true
	err = s.Store.Scan(from, to, func(k, _ []byte) error { return put(k[1:]) })
	for i := range page {
		err = errors.Join(err, put(page[i][:]))
	}
	if err = errors.Join(err, save(b, s.settings)); err != nil {
		return errors.Join(err, b.Discard())
	}
	return b.Commit()
}

// weigh decides for those who are marked.
func (s *Segments) weigh(ctx context.Context, list []marked, now schema.Instant) (err error) {
	begun := time.Now()
	if err := s.retry(ctx, "wait for identity", func() error { return s.Known(ctx, s.next) }); err != nil {
		return err
	}
	ids := make([]schema.ProfileID, len(list))
	for i := range list {
		ids[i] = list[i].id
	}
	var people []*graphql.Person
	err = s.retry(ctx, "ask who is who", func() (err error) {
		people, err = s.People.People(ctx, s.Workspace, ids)
		return err
	})
	if err != nil {
		return err
	}
	w := &weighing{s: s, now: now, b: s.Store.NewBatch()}
	defer func() {
		if w.b != nil {
			err = errors.Join(err, w.b.Discard())
		}
	}()
	var holders []*graphql.Person
	var why []cause
	place := map[schema.ProfileID]int{}
	for i, p := range people {
		if p == nil || p.ID != ids[i] {
			if err := w.retire(ids[i], p, list[i].cause); err != nil {
				return err
			}
		}
		if p == nil {
			continue
		}
		at, is := place[p.ID]
		if !is {
			place[p.ID] = len(holders)
			holders, why = append(holders, p), append(why, list[i].cause)
		} else if list[i].cause.kind < why[at].kind || list[i].cause.kind == why[at].kind && list[i].cause.at > why[at].at {
			why[at] = list[i].cause // an event says more than time or a rule
		}
	}
	var worth []*segment.Worth
	if s.Assess != nil && s.settings.Worth != "" && len(holders) > 0 {
		err := s.retry(ctx, "say what people are worth", func() (err error) {
			worth, err = s.Assess(ctx, holders)
			return err
		})
		if err != nil {
			return err
		}
	}
	said, err := s.said(ctx, holders)
	if err != nil {
		return err
	}
	for i, p := range holders {
		person := PersonOf(p)
		for j := range p.Personas {
			person.Events = append(person.Events, said[p.Personas[j].ID]...)
		}
		person.Suppressed = s.Suppressed(p)
		if worth != nil {
			person.Worth = worth[i]
		}
		if err := w.person(p, person, why[i]); err != nil {
			return err
		}
	}
	if len(w.rows) > 0 {
		s.Clock++
		if err := s.retry(ctx, "write people", func() error { return s.Tables.put(ctx, s.Workspace, s.Clock, w.rows) }); err != nil {
			return err
		}
	}
	for _, m := range list {
		if err := w.b.Delete(key('d', m.id[:])); err != nil {
			return err
		}
	}
	if err := save(w.b, s.settings); err != nil {
		return err
	}
	commit := w.b
	w.b = nil
	if err := commit.Commit(); err != nil {
		return err
	}
	s.metrics.weighed.Add(float64(len(holders)))
	s.metrics.seconds.Add(time.Since(begun).Seconds())
	return nil
}

// said asks care for what is known of people, where a live segment asks for it.
func (s *Segments) said(ctx context.Context, people []*graphql.Person) (out map[schema.ProfileID][]*segment.Fact, err error) {
	if s.Care == nil || len(s.ofCare) == 0 {
		return nil, nil
	}
	var personas []schema.ProfileID
	for _, p := range people {
		for j := range p.Personas {
			personas = append(personas, p.Personas[j].ID)
		}
	}
	if len(personas) == 0 {
		return nil, nil
	}
	err = s.retry(ctx, "read what care keeps", func() (err error) {
		out, err = s.Care(ctx, s.next, s.ofCare, personas)
		return err
	})
	return out, err
}

// weighing is one step: what it writes becomes visible together.
type weighing struct {
	s    *Segments
	now  schema.Instant
	b    *state.Batch
	rows []*row
}

// person weighs one.
func (w *weighing) person(p *graphql.Person, person *segment.Person, why cause) error {
	s := w.s
	for i := range p.Personas {
		id := p.Personas[i].ID
		if len(s.live) > 0 && len(s.Types) > 0 {
			var err error
			if person.Events, err = s.facts(id, person.Events, w.now, w.b); err != nil {
				return err
			}
		}
		held, known, err := s.Store.Get(nil, key('h', id[:]))
		if err == nil && (!known || schema.ProfileID(held) != p.ID) {
			err = w.b.Set(key('h', id[:]), p.ID[:])
		}
		if err != nil {
			return err
		}
	}
	var err error
	if len(s.holdOuts) > 0 {
		if person.Drawn, err = s.drawn(p); err == nil {
			err = w.draw(person)
		}
		if err != nil {
			return err
		}
	}
	r := rowOf(person)
	digest := r.digest()
	before, known, err := s.Store.Get(nil, key('k', p.ID[:]))
	if err != nil {
		return err
	}
	if !known || string(before) != string(digest[:]) {
		w.rows = append(w.rows, r)
		if err := w.b.Set(key('k', p.ID[:]), digest[:]); err != nil {
			return err
		}
	}
	next := schema.Instant(0)
	sooner := func(t schema.Instant) {
		if t > w.now && (next == 0 || t < next) {
			next = t
		}
	}
	for _, a := range person.Allowed { // the row tells until when
		sooner(a.Until)
	}
	was, err := s.memberships(p.ID)
	if err != nil {
		return err
	}
	for i, outcome := range s.evaluator.Evaluate(s.live, person, w.now, nil, segment.Change{}) {
		of := s.live[i]
		sooner(outcome.Next)
		_, member := was[of.Name]
		delete(was, of.Name)
		if outcome.Member == member {
			continue
		}
		if err := w.decide(of.Name, of.Version, p.ID, outcome.Member, why, schema.ProfileID{}); err != nil {
			return err
		}
	}
	for _, name := range sortedNames(was) { // archived, or taken out
		if err := w.decide(name, "", p.ID, false, cause{byRule, w.now, schema.EventID{}}, schema.ProfileID{}); err != nil {
			return err
		}
	}
	return w.again(p.ID, next)
}

// again has somebody weighed at a time, and at no other that was noted; 0 is never.
func (w *weighing) again(id schema.ProfileID, at schema.Instant) error {
	noted, known, err := w.s.Store.Get(nil, key('n', id[:]))
	if err != nil {
		return err
	}
	if known {
		if len(noted) != 8 {
			return errDamaged
		}
		if at != 0 && sorted(noted) == at {
			return nil
		}
		if err := w.b.Delete(key('t', noted, id[:])); err != nil {
			return err
		}
	}
	if at == 0 {
		return w.b.Delete(key('n', id[:]))
	}
	return errors.Join(w.b.Set(key('t', sortable(at), id[:]), nil), w.b.Set(key('n', id[:]), sortable(at)))
}

// retire ends what is known of a profile that is none any more: its people are with another one (p), or erased (nil).
func (w *weighing) retire(id schema.ProfileID, p *graphql.Person, why cause) error {
	was, err := w.s.memberships(id)
	if err != nil {
		return err
	}
	into := schema.ProfileID{}
	kind := byErasure
	if p != nil {
		into, kind = p.ID, byIdentity
	}
	for _, name := range sortedNames(was) {
		if err := w.decide(name, w.s.settings.Live[name], id, false, cause{kind, why.at, schema.EventID{}}, into); err != nil {
			return err
		}
	}
	_, known, err := w.s.Store.Get(nil, key('k', id[:]))
	if err != nil {
		return err
	}
	if known {
		w.rows = append(w.rows, &row{profile: id, deleted: 1})
		if err := w.b.Delete(key('k', id[:])); err != nil {
			return err
		}
	}
	return w.again(id, 0)
}

// memberships are the segments that a profile is in, with since when.
func (s *Segments) memberships(id schema.ProfileID) (map[string]schema.Instant, error) {
	out := map[string]schema.Instant{}
	prefix := key('m', id[:])
	err := s.Store.Scan(prefix, state.After(prefix), func(k, v []byte) error {
		if len(v) != 8 {
			return errDamaged
		}
		out[string(k[17:])] = sorted(v)
		return nil
	})
	return out, err
}

func sortedNames(m map[string]schema.Instant) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// facts reads the facts of a persona, and lets go of those that no window can hold any more.
func (s *Segments) facts(id schema.ProfileID, out []*segment.Fact, now schema.Instant, b *state.Batch) ([]*segment.Fact, error) {
	prefix := key('e', id[:])
	err := s.Store.Scan(prefix, state.After(prefix), func(k, v []byte) error {
		if len(k) != 41 {
			return errDamaged
		}
		f, err := segment.ReadFact(schema.EventID(k[25:]), sorted(k[17:25]), v)
		if err != nil {
			return errors.Join(errDamaged, err)
		}
		if keep := s.Types[f.Type]; keep != 0 && f.At < now-keep {
			if b == nil {
				return nil
			}
			return b.Delete(k)
		}
		out = append(out, f)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read facts: %w", err)
	}
	return out, nil
}
