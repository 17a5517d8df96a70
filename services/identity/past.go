package identity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/pipelines/identifier"
	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/persona"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// Past says as of when people are told. The zero value is now.
//
// KnownAt is what we knew: the function of the events that the log had recorded by then, under the configuration of then. AsOf is what had happened: who is who as
// it is known, and of each persona what occurred until then. Both are inclusive. What was erased since is in neither.
type Past struct {
	KnownAt schema.Instant // RecordedAt; 0: all that the log holds
	AsOf    schema.Instant // OccurredAt; 0: all
}

// IsZero says whether it is no past at all.
func (p Past) IsZero() bool { return p == Past{} }

// Recalled is an event as it was kept for reading, with all that identity reads of one but the persona, whose public id is Node.
type Recalled struct {
	Node     schema.ProfileID
	Event    *schema.Event
	Recorded schema.Instant
}

// Recall reads back the events of personas in a past, in any order; decisions about two personas need not be among them.
type Recall func(ctx context.Context, personas []schema.ProfileID, p Past, yield func(Recalled) error) error

// What a look into the past may cost before it is refused.
const (
	mostRecalled      = 4_000     // personas that may bear on one answer
	mostRecalledWhole = 2_000_000 // records that are folded for one answer, where that of a few is not enough
)

// errTooWide refuses a look around a value that too many carry.
var errTooWide error = schema.Refuse("past_too_wide", "too many personas bear on who this was then", "ask by an account or an id, or read 'dossier export profiles --known-at TIME'")

// then is what a view of the past has beside its rows.
type then struct {
	ctx    context.Context
	past   Past
	recall Recall
	kinds  persona.Kinds
	close  func() error                    // lets the state go that was made for the view; nil: there is none
	states map[schema.ProfileID]*kept      // as of past.AsOf
	of     map[schema.ProfileID][]Recalled // what was recalled already, up to past.KnownAt; nil: nothing
}

// kept is the state of a persona as of then; nil in it if nothing had happened.
type kept struct{ state *persona.State }

// Past is what the view tells of; zero is now.
func (v *View) Past() Past {
	if v.then == nil {
		return Past{}
	}
	return v.then.past
}

// Asked is the time at which what depends on the time of asking is told: that of the past, or now.
func (v *View) Asked(now schema.Instant) schema.Instant {
	p := v.Past()
	switch {
	case p.AsOf != 0:
		return p.AsOf
	case p.KnownAt != 0:
		return p.KnownAt
	}
	return now
}

// ViewOf takes a view of the past around whoever an identifier may name: it answers of its owners and of nobody else. settings are those in force at p.KnownAt.
// It reads the events of those who bear on the answer, no others, unless another model or other rules were in force then, or a model is: then it folds the log
// up to then, and refuses a long one. The view may be used until ctx ends. Close it.
func (s *Service) ViewOf(ctx context.Context, p Past, settings Settings, recall Recall, kind, value, country string) (v *View, err error) {
	if p.KnownAt == 0 {
		return s.AsOf(ctx, p, recall)
	}
	now, err := s.View()
	if err != nil {
		return nil, err
	}
	if settings.Rules == nil {
		settings.Rules = identity.DefaultRules()
	}
	same, err := now.sameForm(&settings)
	if err != nil || !same || settings.Model != nil {
		if err = errors.Join(err, now.Close()); err != nil {
			return nil, err
		}
		return s.WholeView(ctx, p, settings, recall, mostRecalledWhole)
	}
	defer func() { err = errors.Join(err, now.Close()) }()
	c := &closure{now: now, at: p.KnownAt, places: map[identity.NodeID]int{}, hubs: map[identity.Key]bool{}}
	asked := *now
	asked.settings = settings
	seeds, err := asked.seeds(kind, value, country)
	if err != nil {
		return nil, err
	}
	for _, id := range seeds {
		c.add(id, true)
	}
	for {
		if err := c.grow(); err != nil {
			return nil, err
		}
		v, err := s.fewView(ctx, p, settings, recall, c)
		if err != nil {
			return nil, err
		}
		complete, err := c.covers(v)
		if err == nil && complete {
			return v, nil
		}
		if err = errors.Join(err, v.Close()); err != nil {
			return nil, err
		}
	}
}

// AsOf takes a view of who is who as it is known, and of what had happened by p.AsOf. It may be used until ctx ends. Close it.
func (s *Service) AsOf(ctx context.Context, p Past, recall Recall) (*View, error) {
	v, err := s.View()
	if err == nil {
		v.then = newThen(ctx, p, recall, v)
	}
	return v, err
}

func newThen(ctx context.Context, p Past, recall Recall, v *View) *then {
	of := v.worker.projection
	return &then{ctx: ctx, past: p, recall: recall, kinds: identity.NewReader(of.hash, of.rules), states: map[schema.ProfileID]*kept{}}
}

// sameForm says whether settings make the same rows as those that the view's state was built by.
func (v *View) sameForm(s *Settings) (bool, error) {
	of := v.worker.projection
	was, err := formOf(of.workspace, of.asked, of.by())
	if err != nil {
		return false, err
	}
	is, err := formOf(of.workspace, s.Rules, s.weighing())
	return bytes.Equal(was, is), err
}

// seeds are the personas that carry a value now, or that an id names.
func (v *View) seeds(kind, value, country string) (out []identity.NodeID, err error) {
	if kind == "profile" || kind == "persona" {
		id, err := schema.ParsePersonaID(value)
		if err != nil {
			return nil, schema.Classify(schema.Rejected, err)
		}
		return []identity.NodeID{id}, nil
	}
	for _, key := range v.keys(kind, value, country) {
		h, err := v.graph.hub(key)
		if err != nil {
			return nil, err
		}
		for _, trust := range []schema.Trust{schema.TrustServer, schema.TrustClient} {
			err := v.graph.eachCarrier(h, trust, func(id identity.NodeID) error {
				if len(out) == maxCarriers {
					return state.ErrStop
				}
				out = append(out, id)
				return nil
			})
			if err != nil && !errors.Is(err, state.ErrStop) {
				return nil, err
			}
		}
	}
	return out, nil
}

// closure is the personas that bear on an answer about the past: whoever shared a value with one of them by then, or was named by a decision with one. It is
// collected from what is known now, which is more: evidence keeps when it was first recorded. Of a value that was generic by then only as many carriers are in it
// as make it so.
type closure struct {
	now    *View
	at     schema.Instant
	places map[identity.NodeID]int // in list
	list   []recalling
	next   int // the first of list that was not looked at
	hubs   map[identity.Key]bool
}

type recalling struct {
	id     identity.NodeID
	member bool // else it only stands beside a generic value, and who shares what with it does not matter
}

// add takes a persona in, if anything was known of it then, and says whether that is new.
func (c *closure) add(id identity.NodeID, member bool) bool {
	at, found := c.places[id]
	if !found {
		n, err := c.now.graph.node(id)
		if err == nil && (n.evidence == nil || n.evidence.Recorded > c.at) {
			return false
		} // a failed read fails again, where it is told
		c.places[id] = len(c.list)
		c.list = append(c.list, recalling{id, member})
		return true
	}
	if !member || c.list[at].member {
		return false
	}
	c.list[at].member = true
	c.next = min(c.next, at)
	return true
}

// grow looks at everybody who was taken in since.
func (c *closure) grow() error {
	for ; c.next < len(c.list); c.next++ {
		if len(c.list) > mostRecalled {
			return errTooWide
		}
		if !c.list[c.next].member {
			continue
		}
		if err := c.around(c.list[c.next].id); err != nil {
			return err
		}
		c.now.graph.age()
	}
	return nil
}

// around takes in who bears on one persona.
func (c *closure) around(id identity.NodeID) error {
	g := c.now.graph
	n, err := g.node(id)
	if err != nil || n.evidence == nil {
		return err
	}
	for i := range n.evidence.Keys {
		e := &n.evidence.Keys[i]
		if e.Recorded > c.at || c.hubs[e.Key] || !g.rules.Links(n.evidence, e) {
			continue
		}
		c.hubs[e.Key] = true
		if err := c.carriers(e.Key); err != nil {
			return err
		}
	}
	said, err := g.decisions(id)
	if err != nil {
		return err
	}
	for _, a := range said.said {
		if a.Recorded <= c.at {
			c.add(a.A, true)
			c.add(a.B, true)
		}
	}
	return c.refusers(n)
}

// refusers takes in who said no for a contact point of a persona.
func (c *closure) refusers(n *node) error {
	known, err := n.known()
	if err != nil || known == nil {
		return err
	}
	for i := range known.Identifiers {
		x := &known.Identifiers[i]
		if x.Unusable || !identifier.Of(x.Kind).ContactPoint {
			continue
		}
		prefix := hubKey('q', identity.Key{Kind: x.Kind, Hash: c.now.worker.projection.hash.IdentifierHash(x.Kind, x.Normal)})
		err := c.now.snapshot.Scan(prefix, state.After(prefix), func(key, _ []byte) error {
			c.add(identity.NodeID(key[len(prefix):]), false)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// carriers takes in who carried a value by then.
func (c *closure) carriers(key identity.Key) error {
	g := c.now.graph
	h, err := g.hub(key)
	if err != nil {
		return err
	}
	var was identity.HubState // by then, as far as it was looked at
	for _, trust := range []schema.Trust{schema.TrustServer, schema.TrustClient} {
		var carried []identity.NodeID
		looked := 0
		err := g.eachCarrier(h, trust, func(id identity.NodeID) error {
			if looked++; looked > maxCarriers {
				return errTooWide
			}
			n, err := g.node(id)
			if err != nil {
				return err
			}
			then := knownBy(n.evidence, c.at)
			if then == nil || then.Evidence(key) == nil || !g.rules.Links(then, then.Evidence(key)) {
				return nil
			}
			carried = append(carried, id)
			was.Of(trust).Add(identity.BesideKey(then.Beside(g.rules), key), true, g.rules)
			if was.Generic(trust, g.rules) {
				return state.ErrStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, state.ErrStop) {
			return err
		}
		for _, id := range carried {
			c.add(id, !was.Generic(trust, g.rules))
		}
	}
	return nil
}

// knownBy is what was recorded of a persona by a time, as far as its evidence tells; nil if nothing was.
func knownBy(p *identity.Persona, at schema.Instant) *identity.Persona {
	if p == nil || p.Recorded > at {
		return nil
	}
	out := p.Clone()
	out.Keys = slices.DeleteFunc(out.Keys, func(e identity.Evidence) bool { return e.Recorded > at })
	out.Names = slices.DeleteFunc(out.Names, func(n identity.Name) bool { return n.Recorded > at })
	out.Births = slices.DeleteFunc(out.Births, func(b identity.Birth) bool { return b.Recorded > at })
	return out
}

// covers says whether everybody who bears on the members is in the closure, by what the view made of their events. Whoever is missing is taken in.
func (c *closure) covers(v *View) (bool, error) {
	grown := false
	for i := 0; i < len(c.list); i++ {
		if !c.list[i].member {
			continue
		}
		n, err := v.graph.node(c.list[i].id)
		if err != nil {
			return false, err
		}
		if n.evidence == nil {
			continue
		}
		for k := range n.evidence.Keys {
			e := &n.evidence.Keys[k]
			if !v.graph.rules.Links(n.evidence, e) {
				continue
			}
			was, err := v.graph.hub(e.Key)
			if err != nil {
				return false, err
			}
			is, err := c.now.graph.hub(e.Key)
			if err != nil {
				return false, err
			}
			for _, trust := range []schema.Trust{schema.TrustServer, schema.TrustClient} {
				if was.Generic(trust, v.graph.rules) {
					continue
				}
				err := c.now.graph.eachCarrier(is, trust, func(id identity.NodeID) error {
					if other, err := c.now.graph.node(id); err != nil || other.evidence == nil {
						return err
					} else if carried := other.evidence.Evidence(e.Key); carried == nil || carried.Recorded > c.at {
						return nil
					}
					grown = c.add(id, true) || grown
					return nil
				})
				if err != nil {
					return false, err
				}
			}
		}
	}
	return !grown, nil
}

// fewView folds the events of a closure into a state in memory.
func (s *Service) fewView(ctx context.Context, p Past, settings Settings, recall Recall, c *closure) (v *View, err error) {
	config := s.config
	config.Store = state.Options{CacheBytes: 1 << 20, MemTableBytes: 1 << 20, FS: vfs.NewMem(), Logger: s.logger, Unlogged: true}
	of, err := openProjection(ctx, "past", &config, settings.Rules, settings.weighing())
	if err != nil {
		return nil, fmt.Errorf("begin a look into the past: %w", err)
	}
	defer func() {
		if v == nil {
			err = errors.Join(err, of.close())
		}
	}()
	of.graph.written = nil // a filter costs more than it saves
	list := make([]schema.ProfileID, len(c.list))
	for i := range c.list {
		list[i] = c.list[i].id
	}
	recalled := map[schema.ProfileID][]Recalled{}
	err = recall(ctx, list, Past{KnownAt: p.KnownAt}, func(r Recalled) error {
		n, err := c.now.graph.node(r.Node)
		if err != nil || n.evidence == nil {
			return err
		}
		r.Event.Workspace, r.Event.Persona, r.Event.Key.Epoch = s.config.Workspace, n.evidence.Of.Persona, n.evidence.Of.Epoch
		recalled[r.Node] = append(recalled[r.Node], r)
		return of.fold(r.Event, r.Recorded)
	})
	if err != nil {
		return nil, err
	}
	for _, id := range list {
		said, err := c.now.graph.decisions(id)
		if err != nil {
			return nil, err
		}
		for i := range said.said {
			a := &said.said[i]
			if a.Recorded > c.at {
				continue
			}
			if at, withdrawn, err := c.now.graph.withdrawnAt(a.ID); err != nil || withdrawn && at <= c.at {
				if err != nil {
					return nil, err
				}
				continue
			}
			if err := of.assert(a); err != nil {
				return nil, err
			}
		}
	}
	if err := of.decideAll(ctx); err != nil {
		return nil, err
	}
	if v, err = pastView(of, settings); err != nil {
		return nil, err
	}
	v.then = newThen(ctx, p, recall, v)
	v.then.close, v.then.of = of.close, recalled
	return v, nil
}

// decideAll commits what was folded, and decides who is who of it.
func (p *projection) decideAll(ctx context.Context) error {
	if err := p.commit(); err != nil {
		return err
	}
	var d decision
	for done := false; !done; {
		if err := ctx.Err(); err != nil {
			return schema.Classify(schema.Transient, err)
		}
		var err error
		if done, err = p.decideSome(&d); err != nil {
			return err
		}
	}
	return nil
}

// pastView is a view over a state that nobody writes any more.
func pastView(p *projection, settings Settings) (*View, error) {
	snapshot := p.store.Snapshot()
	lookup, err := snapshot.Lookup()
	if err != nil {
		return nil, errors.Join(err, snapshot.Close())
	}
	v := &View{worker: &worker{projection: p}, snapshot: snapshot, graph: newGraph(snapshot, lookup, p.rules), settings: settings}
	v.worker.readers.RLock()
	if v.weighs() {
		v.graph.wholes = func(core identity.NodeID) (identity.NodeID, error) { return heldIn(snapshot, core) }
	}
	return v, nil
}

// pastFolder is how the folders begin in which the log is folded up to a time. They are removed when their view is closed.
const pastFolder = "past-"

// ErrForgotten says that somebody was erased while the past was read.
var ErrForgotten = schema.Classify(schema.Transient, errors.New("somebody was erased while the past was read: ask again"))

// WholeView folds the log up to p.KnownAt into a state of its own, beside the one that answers, and gives a view of it: an installation that had read only that. A
// log of more records than most is refused; 0 is no limit. One at a time; the others wait. An erasure ends it (ErrForgotten). Close it soon.
func (s *Service) WholeView(ctx context.Context, p Past, settings Settings, recall Recall, most int64) (v *View, err error) {
	if settings.Rules == nil {
		settings.Rules = identity.DefaultRules()
	}
	ends, err := s.config.Log.Ends(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the end of the log: %w", err)
	}
	var total int64
	for _, end := range ends {
		total += end
	}
	if most > 0 && total > most {
		return nil, schema.Refuse("past_too_long", fmt.Sprintf("another model or other rules were in force then, so the whole log would have to be read for one answer, and it has %d records", total),
			"read 'dossier export profiles --known-at TIME', which reads it once for everybody")
	}
	ctx, leave, err := s.enterPast(ctx)
	if err != nil {
		return nil, err
	}
	config := s.config
	config.Store.Unlogged = true
	dir := filepath.Join(config.Folder, pastFolder+uuid.NewString())
	of, err := openProjection(ctx, dir, &config, settings.Rules, settings.weighing())
	if err != nil {
		leave()
		return nil, fmt.Errorf("begin a look into the past: %w", err)
	}
	end := func() error {
		defer leave()
		return errors.Join(of.close(), config.files().RemoveAll(dir))
	}
	defer func() {
		if v == nil {
			if forgotten := context.Cause(ctx); errors.Is(forgotten, ErrForgotten) {
				err = ErrForgotten
			}
			err = errors.Join(err, end())
		}
	}()
	for _, e := range s.allErasures() {
		if err := of.erase(e.Of, e.CutOff); err != nil {
			return nil, err
		}
	}
	for partition, last := range ends {
		if err := s.foldUntil(ctx, of, int32(partition), last, p.KnownAt); err != nil {
			return nil, err
		}
	}
	if err := of.decideAll(ctx); err != nil {
		return nil, err
	}
	if v, err = pastView(of, settings); err != nil {
		return nil, err
	}
	v.then = newThen(ctx, p, recall, v)
	v.then.close = end
	return v, nil
}

// foldUntil folds what a partition had recorded by a time.
func (s *Service) foldUntil(ctx context.Context, of *projection, partition int32, end int64, known schema.Instant) error {
	folded := 0
	for at := int64(0); at < end; {
		b, err := s.config.Feed.Read(ctx, partition, at, time.Second)
		if err != nil {
			return fmt.Errorf("read partition %d from offset %d: %w", partition, at, err)
		}
		for i := range b.Events {
			o := &b.Events[i]
			if known != 0 && o.RecordedAt > known { // it never falls within a partition
				return of.commit()
			}
			if o.Offset >= end || o.Event == nil {
				continue
			}
			if err := of.fold(o.Event, o.RecordedAt); err != nil {
				return fmt.Errorf("fold event at partition %d, offset %d: %w", partition, o.Offset, err)
			}
		}
		at = b.Next
		if folded += len(b.Events); folded >= buildCommit*s.config.CommitRecords {
			folded = 0
			if err := errors.Join(of.commit(), ctx.Err()); err != nil {
				return err
			}
		}
	}
	return of.commit()
}

// enterPast waits until nobody else folds the log up to a time. The context that it gives ends with an erasure.
func (s *Service) enterPast(ctx context.Context) (_ context.Context, leave func(), err error) {
	select {
	case s.past <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, schema.Classify(schema.Transient, ctx.Err())
	}
	ctx, cancel := context.WithCancelCause(ctx)
	s.mu.Lock()
	s.leavePast = func() { cancel(ErrForgotten) }
	s.mu.Unlock()
	return ctx, func() {
		s.mu.Lock()
		s.leavePast = nil
		s.mu.Unlock()
		cancel(nil)
		<-s.past
	}, nil
}

// forgetPast ends a view of the past that has files, and returns when they are gone.
func (s *Service) forgetPast(ctx context.Context) error {
	s.mu.Lock()
	if s.leavePast != nil {
		s.leavePast()
	}
	s.mu.Unlock()
	select {
	case s.past <- struct{}{}:
		<-s.past
		return nil
	case <-ctx.Done():
		return schema.Classify(schema.Transient, ctx.Err())
	}
}

func (s *Service) allErasures() (all []Erasure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.erasures {
		all = append(all, e)
	}
	return all
}

// Reaches is when the log recorded the first event that it still holds; 0 if it holds none.
func (s *Service) Reaches(ctx context.Context) (first schema.Instant, err error) {
	for partition := range s.config.Log.Partitions() {
		b, err := s.config.Feed.Read(ctx, partition, 0, 0)
		if err != nil {
			return 0, fmt.Errorf("read the beginning of partition %d: %w", partition, err)
		}
		if len(b.Events) > 0 && (first == 0 || b.Events[0].RecordedAt < first) {
			first = b.Events[0].RecordedAt
		}
	}
	return first, nil
}

// restated makes a profile what it had been as of the view's past: its personas of which something had happened, and what of them. nil if nothing had.
func (v *View) restated(p *Profile) (*Profile, error) {
	if v.then == nil || v.then.past.AsOf == 0 {
		return p, nil
	}
	if err := v.then.load(p.Members); err != nil {
		return nil, err
	}
	out := *p
	out.Members, out.Known = nil, false
	for _, m := range p.Members {
		if m.State = v.then.states[m.ID].state; m.State == nil {
			continue
		}
		if len(out.Members) == 0 || m.State.First < out.First {
			out.First = m.State.First
		}
		if len(out.Members) == 0 || m.State.Last > out.Last {
			out.Last = m.State.Last
		}
		out.Members = append(out.Members, m)
		out.Known = out.Known || m.Standing == identity.Known
	}
	if len(out.Members) == 0 {
		return nil, nil
	}
	return &out, nil
}

// load makes the states of personas as of then.
func (t *then) load(members []Member) error {
	of := map[schema.ProfileID]schema.PersonaEpoch{}
	var missing []schema.ProfileID
	for i := range members {
		m := &members[i]
		if t.states[m.ID] != nil {
			continue
		}
		t.states[m.ID] = &kept{}
		of[m.ID] = m.State.Of
		if t.of == nil {
			missing = append(missing, m.ID)
			continue
		}
		for _, r := range t.of[m.ID] {
			if err := t.take(r, m.State.Of); err != nil {
				return err
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return t.recall(t.ctx, missing, t.past, func(r Recalled) error { return t.take(r, of[r.Node]) })
}

// take folds an event into its persona's state as of then.
func (t *then) take(r Recalled, of schema.PersonaEpoch) error {
	if r.Event.OccurredAt > t.past.AsOf || t.past.KnownAt != 0 && r.Recorded > t.past.KnownAt {
		return nil
	}
	r.Event.Persona, r.Event.Key.Epoch = of.Persona, of.Epoch
	k := t.states[r.Node]
	if k == nil {
		return errDamaged // Unreachable: only what was asked for is recalled
	}
	if k.state == nil {
		k.state = persona.Begin(r.Node, r.Event)
	}
	k.state.Fold(r.Event, t.kinds)
	return nil
}
