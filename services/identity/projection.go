package identity

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/persona"
	"github.com/dossier-cdp/dossier/pipelines/sighting"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/eventlog"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// projection is the state under one set of rules, in one folder. Its writing methods belong to one goroutine, the one that folds; view
// and progress may be used by any.
type projection struct {
	workspace string
	topic     string
	rules     *identity.Rules
	asked     *identity.Rules // as they were given: rules may be as a model has them (identity.Rules.Weighing)
	hash      identity.Hasher
	store     *state.Store
	options   state.Options
	wide      bool // the store is open as for a build
	dir       string
	id        []byte // tells this state from every other one of the same log
	log       Log

	graph     *graph
	reader    *identity.Reader
	sightings *sighting.Reader
	heard     *sighting.Heard
	weigher   *weigher // stratum 2; nil without a model

	// What was changed since the last commit.
	nodes    []*node
	hubs     []*hub
	said     map[identity.NodeID]*decisions
	naming   map[schema.EventID][2]identity.NodeID // assertions that came since
	touched  map[identity.NodeID]struct{}
	spoke    map[identity.NodeID]*node // personas that consented or refused
	moved    moves
	walked   func(*identity.Region)       // told of each region that is resolved; nil is nobody
	records  map[identity.NodeID]*profile // written anew
	before   map[identity.NodeID]*profile // as of the last commit, of those that were asked for
	vacated  map[identity.NodeID]struct{} // profiles that lost a member
	erased   []identity.NodeID
	silenced [][]byte // other rows that go with erased personas
	closing  map[schema.PersonaID]erasure

	marks    []eventlog.Checkpoint // how far each partition is folded
	erasures map[schema.PersonaID]erasure
	expired  int    // retention classes and years whose events the feed leaves out
	sequence uint64 // of the last changes that were noted for the sinks
	profiles uint64
	personas uint64
	deciding bool // who is who of what was gathered is being decided: see build.go
	built    bool // read once to the end of the log, so changes are handed out one by one

	telling  sync.RWMutex // held for reading while a sink is told; for writing to take cursors and the changes after them away
	progress progress
	scratch  [2][]byte
}

// erasure is what is void of a persona.
type erasure struct {
	open   uint32 // the first epoch that is not closed
	cutOff schema.Instant
}

func (x erasure) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, x.open)
	return binary.BigEndian.AppendUint64(dst, uint64(x.cutOff))
}

// memTableBytes is how much of what was committed last is in memory before it goes to a file. Rows of personas are spread over the whole store, so what is written in
// half as many files costs half as many compactions. It is given back when nothing comes.
const memTableBytes = 32 << 20

// openProjection opens the state in dir, or begins an empty one. An error that wraps eventlog.ErrOtherLog says that it was built from
// another log.
func openProjection(ctx context.Context, dir string, c *Config, rules *identity.Rules, by weighing) (*projection, error) {
	options := c.Store
	options.MemTableBytes = cmp.Or(options.MemTableBytes, memTableBytes)
	store, err := state.Open(dir, options)
	if err != nil {
		return nil, err
	}
	asked := rules
	if by.model != nil {
		rules = rules.Weighing(by.model.Weighs)
	}
	p := &projection{
		workspace: c.Workspace, topic: schema.TopicEvents, rules: rules, asked: asked, hash: c.Hash, store: store, options: options, dir: dir, log: c.Log,
		erasures: map[schema.PersonaID]erasure{},
	}
	p.remember()
	lookup, err := store.Lookup()
	if err != nil {
		return nil, closing(store, err)
	}
	p.graph = newGraph(store, lookup, rules)
	p.graph.recent = state.NewRecent(recentBytes)
	if by.model != nil {
		p.weigher = newWeigher(p, by)
		p.graph.wholes = p.holder
	}
	p.clear()
	if err := p.restore(ctx); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// by is what stratum 2 weighs by.
func (p *projection) by() weighing {
	if p.weigher == nil {
		return weighing{}
	}
	return p.weigher.by
}

// close lets the store go. What is not committed is lost, and folded again at the next start.
func (p *projection) close() error {
	return errors.Join(p.graph.lookup.Close(), p.store.Close())
}

func closing(store *state.Store, err error) error {
	if failed := store.Close(); failed != nil {
		return fmt.Errorf("%w (and: %w)", err, failed)
	}
	return err
}

// stateFormat is the version of the form of the state. A state of an earlier one is built anew; the first one did not say which it was.
const stateFormat = 2

// errEarlierForm means that the state is of an earlier form.
var errEarlierForm = errors.New("the state is of an earlier form")

// checkFormat refuses a state of a later form, and notes the form of a new one.
func (p *projection) checkFormat(empty bool) error {
	format, found, err := counter(p.store, "format")
	switch {
	case err != nil:
		return err
	case !found && empty:
		id := uuid.New()
		b := p.store.NewBatch()
		if err := errors.Join(setCounter(b, "format", stateFormat), b.Set(counterKey("id"), id[:])); err != nil {
			return errors.Join(err, b.Discard())
		}
		return b.Commit()
	case format > stateFormat:
		return schema.Classify(schema.Fatal, fmt.Errorf("the state in %s has format %d, this program knows %d: use the newer dossier that wrote it, or remove the folder, which is then built anew", p.dir, format, stateFormat))
	case format < stateFormat:
		return errEarlierForm
	}
	return nil
}

func (p *projection) restore(ctx context.Context) error {
	offsets, err := state.Offsets(p.store, p.topic)
	if err != nil {
		return err
	}
	if err := p.checkFormat(len(offsets) == 0); err != nil {
		return err
	}
	if len(offsets) == 0 {
		p.graph.written = state.NewFilter()
	}
	if p.id, _, err = p.store.Get(nil, counterKey("id")); err != nil {
		return err
	}
	p.marks = make([]eventlog.Checkpoint, p.log.Partitions())
	for i := range p.marks {
		p.marks[i] = p.log.Start(int32(i))
	}
	for partition, o := range offsets {
		var mark eventlog.Checkpoint
		if err := mark.UnmarshalBinary(o.Mark); err != nil {
			return schema.Classify(schema.Fatal, err)
		}
		if err := p.log.Check(ctx, mark); err != nil {
			return err
		}
		p.marks[partition] = mark
	}
	err = p.store.Scan([]byte{'x'}, []byte{'x' + 1}, func(key, value []byte) error {
		if len(key) != 17 || len(value) != 12 {
			return errDamaged
		}
		p.erasures[schema.PersonaID(key[1:])] = erasure{binary.BigEndian.Uint32(value), schema.Instant(binary.BigEndian.Uint64(value[4:]))}
		return nil
	})
	if err != nil {
		return err
	}
	p.graph.undecided = true
	err = p.store.Scan([]byte{'a'}, []byte{'a' + 1}, func(_, _ []byte) error {
		p.graph.undecided = false
		return state.ErrStop
	})
	if err != nil {
		return err
	}
	if p.sequence, _, err = counter(p.store, "sequence"); err != nil {
		return err
	}
	if p.profiles, _, err = counter(p.store, "profiles"); err != nil {
		return err
	}
	if p.personas, _, err = counter(p.store, "personas"); err != nil {
		return err
	}
	if _, p.deciding, err = counter(p.store, "deciding"); err != nil {
		return err
	}
	if _, p.built, err = counter(p.store, "built"); err != nil {
		return err
	}
	p.progress.set(p.positions())
	return nil
}

func counter(r state.Reader, name string) (n uint64, found bool, err error) {
	value, found, err := r.Get(nil, counterKey(name))
	if err != nil || !found {
		return 0, false, err
	}
	if len(value) != 8 {
		return 0, false, errDamaged
	}
	return binary.BigEndian.Uint64(value), true, nil
}

func setCounter(b *state.Batch, name string, n uint64) error {
	return b.Set(counterKey(name), binary.BigEndian.AppendUint64(nil, n))
}

func (p *projection) clear() {
	p.graph.done()
	p.nodes, p.hubs, p.erased, p.silenced = p.nodes[:0], p.hubs[:0], nil, nil
	p.said = map[identity.NodeID]*decisions{}
	p.spoke = map[identity.NodeID]*node{}
	p.naming, p.touched = map[schema.EventID][2]identity.NodeID{}, map[identity.NodeID]struct{}{}
	p.records, p.before, p.vacated = map[identity.NodeID]*profile{}, map[identity.NodeID]*profile{}, map[identity.NodeID]struct{}{}
	p.closing = map[schema.PersonaID]erasure{}
	p.moved = moves{}
	if p.weigher != nil {
		p.weigher.clear()
	}
	p.graph.released = map[schema.EventID]schema.Instant{}
}

// rest gives memory back that nobody has used for a while.
func (p *projection) rest() {
	p.graph.forget()
	p.remember()
	if p.weigher != nil {
		p.weigher.forget()
	}
	p.store.Rest()
}

// heardPersonas are the personas of which is remembered what they say again and again.
const heardPersonas = 1 << 18

// remember begins the memories of normal forms, and of what is said again.
func (p *projection) remember() {
	p.reader = identity.NewReader(p.hash, p.rules)
	p.sightings = sighting.NewReader(p.reader)
	p.heard = sighting.NewHeard(heardPersonas, maphash.MakeSeed())
}

// version orders what is handed out: the number of records and erasures that were folded. It only grows, and it is the same whenever the same was
// folded.
func (p *projection) version() uint64 {
	n := uint64(len(p.erasures) + p.expired)
	for i := range p.marks {
		n += uint64(p.marks[i].Position.Offset)
	}
	return uint64(p.log.Generation())<<48 | n
}

func (p *projection) positions() []schema.Position {
	out := make([]schema.Position, len(p.marks))
	for i := range p.marks {
		out[i] = p.marks[i].Position
	}
	return out
}

// void says whether an erasure makes an event as if it had never been.
func (p *projection) void(e *schema.Event) bool {
	return p.closed(schema.PersonaEpoch{Persona: e.Persona, Epoch: e.Key.Epoch}) || len(p.erasures) > 0 && e.OccurredAt <= p.cutOff(e.Persona)
}

func (p *projection) closed(of schema.PersonaEpoch) bool {
	return len(p.erasures) > 0 && of.Epoch < p.erasures[of.Persona].open
}

func (p *projection) cutOff(id schema.PersonaID) schema.Instant {
	if x, found := p.erasures[id]; found {
		return x.cutOff
	}
	return -1 << 63
}

// fold adds one event. Nothing of it is visible before commit.
func (p *projection) fold(e *schema.Event, recordedAt schema.Instant) error {
	if e.Workspace != p.workspace || p.void(e) {
		return nil
	}
	if seen, err := p.foldSighting(e, recordedAt); err != nil || seen {
		return err
	}
	evidence, assertions := p.reader.Read(e, recordedAt)
	if !evidence.IsZero() {
		p.heard.Forget(evidence.Of)
		n, err := p.graph.node(evidence.ID)
		if err != nil {
			return err
		}
		known, err := n.known()
		if err != nil {
			return err
		}
		if err := p.foldEvidence(n, evidence); err != nil {
			return err
		}
		if known == nil {
			known = persona.Begin(evidence.ID, e)
			n.state = known
			p.mark(n)
		}
		if known.Fold(e, p.reader) {
			p.mark(n)
			if len(e.Consents) > 0 {
				p.spoke[n.id] = n
			}
		}
		p.sightings.Link(e, known)
		if p.weigher != nil {
			if err := p.weigher.fold(n.id, e); err != nil {
				return err
			}
		}
	}
	if e.Assertion != nil && (p.closed(e.Assertion.A) || p.closed(e.Assertion.B)) {
		return nil // a decision ends with either persona
	}
	for i := range assertions {
		if err := p.assert(&assertions[i]); err != nil {
			return err
		}
	}
	return nil
}

// foldSighting folds an event that only says when its persona was seen again, and says whether it is one.
func (p *projection) foldSighting(e *schema.Event, recordedAt schema.Instant) (seen bool, err error) {
	if !sighting.May(e) {
		return false, nil
	}
	if seen, err := p.foldAgain(e, recordedAt); err != nil || seen {
		return seen, err
	}
	n, err := p.graph.node(p.reader.Node(schema.PersonaEpoch{Persona: e.Persona, Epoch: e.Key.Epoch}))
	if err != nil || n.evidence == nil {
		return false, err
	}
	known, err := n.known()
	if err != nil {
		return false, err
	}
	x := p.sightings.Read(e, recordedAt, n.evidence, known)
	if x == nil {
		return false, nil
	}
	if err := p.see(n, x, e); err != nil {
		return false, err
	}
	speaker := p.heard.Note(e, recordedAt, x, n.evidence)
	if speaker.Merged = 0; n.merges() {
		speaker.Merged = n.merged + len(n.seen.Bytes)
	}
	if p.weigher != nil {
		return true, p.weigher.fold(n.id, e)
	}
	return true, nil
}

// foldAgain folds an event that says what its persona is remembered to have said before. The persona's row is not read for it.
func (p *projection) foldAgain(e *schema.Event, recordedAt schema.Instant) (seen bool, err error) {
	x, speaker := p.heard.Again(e, recordedAt)
	if x == nil {
		return false, nil
	}
	n, found := p.graph.nodes.get(speaker.Node)
	if !found && len(e.Consents) > 0 {
		if n, err = p.graph.node(speaker.Node); err != nil {
			return false, err
		}
		found = true
	}
	if found {
		if n.evidence == nil {
			return false, nil
		}
		err = p.see(n, x, e)
	} else {
		if speaker.Merged > mergedBytes { // it is time to write the row anew
			return false, nil
		}
		run := &p.graph.wait(speaker.Node).seen
		before := len(run.Bytes)
		run.Add(x, speaker.First)
		speaker.Merged += len(run.Bytes) - before
	}
	if err == nil && p.weigher != nil {
		err = p.weigher.fold(speaker.Node, e)
	}
	return true, err
}

// see joins a sighting, and what its event says of consents, to a node in memory.
func (p *projection) see(n *node, x *sighting.Sighting, e *schema.Event) error {
	changed, err := n.see(x)
	if err != nil {
		return err
	}
	if changed {
		if !n.dirty && len(n.seen.Bytes) == 0 {
			p.nodes = append(p.nodes, n)
		}
		n.seen.Add(x, n.evidence.First)
	}
	if len(e.Consents) == 0 {
		return nil
	}
	known, err := n.known()
	if err != nil {
		return err
	}
	if known.FoldConsents(e, p.reader) {
		p.mark(n)
		p.spoke[n.id] = n
	}
	return nil
}

func (p *projection) foldEvidence(n *node, found *identity.Persona) error {
	if n.evidence == nil {
		n.evidence = found.Clone()
		n.fresh = true
		p.personas++
		p.mark(n)
		p.touch(n.id)
		return p.index(nil, n.evidence)
	}
	if n.evidence.Covers(found) { // the commonest event by far: it costs no copy
		if n.evidence.Join(found) != identity.Unchanged {
			p.mark(n)
		}
		return nil
	}
	before := n.evidence
	n.evidence = before.Clone()
	change := n.evidence.Join(found)
	if change != identity.Unchanged {
		p.mark(n)
	}
	if change != identity.Substance {
		return nil
	}
	if err := p.index(before, n.evidence); err != nil {
		return err
	}
	if identity.Extends(before, n.evidence, p.rules) {
		if sole, err := p.sole(before, n.evidence); err != nil || sole {
			return err
		}
	}
	p.touch(n.id)
	return nil
}

// sole says whether nobody else carries the keys that a persona did not carry before.
func (p *projection) sole(before, after *identity.Persona) (bool, error) {
	for i := range after.Keys {
		k := after.Keys[i].Key
		if before.Place(k) >= 0 {
			continue
		}
		if h, err := p.graph.hub(k); err != nil || h.Carriers() > 1 {
			return false, err
		}
	}
	return true, nil
}

func (p *projection) assert(a *identity.Assertion) error {
	if a.Kind == identity.Released {
		before, withdrawn, err := p.graph.withdrawnAt(a.Of)
		if err != nil || withdrawn && before <= a.Recorded {
			return err
		}
		p.graph.released[a.Of] = a.Recorded
		if withdrawn {
			return nil
		}
		named, err := p.named(a.Of)
		p.touch(named...)
		return err
	}
	p.graph.undecided = false
	for _, id := range []identity.NodeID{a.A, a.B} {
		d, err := p.graph.decisions(id)
		if err != nil {
			return err
		}
		at, found := d.find(a.ID)
		if found {
			if a.Recorded < d.said[at].Recorded { // another copy: the smallest RecordedAt counts
				d.said[at].Recorded = a.Recorded
				p.said[id] = d
			}
			continue
		}
		d.said = slices.Insert(d.said, at, *a)
		p.said[id] = d
		p.naming[a.ID] = [2]identity.NodeID{a.A, a.B}
		p.touch(id)
	}
	return nil
}

// named finds the personas that an assertion names, none if it has not come yet.
func (p *projection) named(id schema.EventID) ([]identity.NodeID, error) {
	if pair, found := p.naming[id]; found {
		return pair[:], nil
	}
	value, found, err := p.graph.read(eventKey('b', id))
	if err != nil || !found {
		return nil, err
	}
	if len(value) != 32 {
		return nil, errDamaged
	}
	return []identity.NodeID{identity.NodeID(value[:16]), identity.NodeID(value[16:])}, nil
}

func (p *projection) touch(ids ...identity.NodeID) {
	for _, id := range ids {
		p.touched[id] = struct{}{}
	}
}

func (p *projection) mark(n *node) {
	if !n.dirty && len(n.seen.Bytes) == 0 {
		p.nodes = append(p.nodes, n)
	}
	n.dirty = true
}

func (p *projection) markHub(h *hub) {
	if !h.dirty {
		h.dirty = true
		p.hubs = append(p.hubs, h)
	}
}

// resolve decides who is who around everything that was touched.
func (p *projection) resolve() error {
	seeds := make([]identity.NodeID, 0, len(p.touched))
	for id := range p.touched {
		alone, err := p.alone(id)
		if err != nil {
			return err
		}
		if !alone {
			seeds = append(seeds, id)
		} else if err := p.apply(&identity.Partition{Profiles: []identity.Profile{{ID: id, Members: []identity.NodeID{id}}}}); err != nil {
			return err
		}
	}
	if err := p.update(seeds); err != nil {
		return err
	}
	if p.weigher == nil {
		return nil
	}
	moved, err := p.weigher.decide()
	if err != nil {
		return err
	}
	if seeds, err = p.weigher.hanging(moved); err != nil {
		return err
	}
	if err := p.update(seeds); err != nil {
		return err
	}
	return p.weigher.follow(moved)
}

// update resolves the regions of personas.
func (p *projection) update(seeds []identity.NodeID) error {
	for len(seeds) > 0 {
		err := identity.Update(p.graph, p.rules, seeds, func(r *identity.Region, partition *identity.Partition) error {
			if p.walked != nil {
				p.walked(r)
			}
			return p.apply(partition)
		})
		if err != nil {
			return err
		}
		if seeds, err = p.leftBehind(); err != nil {
			return err
		}
	}
	// A persona that was resolved more than once is where it was put last.
	for id, r := range p.records {
		var err error
		elsewhere := func(m identity.NodeID) bool {
			at, failed := p.graph.place(m)
			if failed != nil {
				err = failed
			}
			return failed == nil && at.profile != id
		}
		if slices.ContainsFunc(r.members, elsewhere) {
			r.members = slices.DeleteFunc(slices.Clone(r.members), elsewhere)
		}
		if err != nil {
			return err
		}
		if len(r.members) == 0 {
			delete(p.records, id)
			p.vacated[id] = struct{}{}
		}
	}
	return nil
}

// alone says whether a persona is new and shares nothing with anyone: then its region is itself. This is what most personas are when they first
// come, and it costs a tenth of expanding a region.
func (p *projection) alone(id identity.NodeID) (bool, error) {
	n, err := p.graph.node(id)
	if err != nil || n.evidence == nil || !n.fresh {
		return false, err
	}
	for i := range n.evidence.Keys {
		e := &n.evidence.Keys[i]
		if !p.rules.Links(n.evidence, e) {
			continue
		}
		if h, err := p.graph.hub(e.Key); err != nil || !p.rules.Alone(n.evidence.Trust, e.Kind, &h.HubState) {
			return false, err
		}
	}
	d, err := p.graph.decisions(id)
	return err == nil && len(d.said) == 0, err
}

func (p *projection) apply(partition *identity.Partition) error {
	possible := map[identity.NodeID][]match{}
	for _, m := range partition.Possible {
		possible[m.A] = append(possible[m.A], match{m.B, m.Reason, m.Kinds})
		possible[m.B] = append(possible[m.B], match{m.A, m.Reason, m.Kinds})
	}
	for _, x := range partition.Profiles {
		matches := possible[x.ID]
		slices.SortFunc(matches, func(a, b match) int { return a.other.Compare(b.other) })
		p.records[x.ID] = &profile{x.Quarantined(), x.Members, matches}
		for _, id := range x.Members {
			n, err := p.graph.node(id)
			if err != nil {
				return err
			}
			if was := n.place.profile; was != x.ID {
				p.moved.note(id, was)
				if !was.IsZero() {
					p.vacated[was] = struct{}{}
				}
			}
			if n.place.profile != x.ID || n.place.hold != x.Hold {
				n.place.profile, n.place.hold = x.ID, x.Hold
				p.mark(n)
			}
		}
	}
	return nil
}

// recorded reads a profile with a row of its own as of the last commit, nil if there was none of that id.
func (p *projection) recorded(id identity.NodeID) (*profile, error) {
	n, err := p.graph.node(id)
	if err != nil || !n.place.listed {
		return nil, err
	}
	if r, found := p.before[id]; found {
		return r, nil
	}
	r, err := p.graph.listing(id)
	if err == nil {
		p.before[id] = r
	}
	return r, err
}

// leftBehind finds personas whose profile was taken apart without them, and profiles written anew without a member that still believes to be
// in it. By the closure of regions there are none, but for personas at the edge of a quarantined giant; that every persona is in exactly one
// profile must not rest on that.
func (p *projection) leftBehind() (seeds []identity.NodeID, err error) {
	check := func(id identity.NodeID) error {
		before, err := p.recorded(id)
		if err != nil || before == nil {
			return err
		}
		var now []identity.NodeID
		if r := p.records[id]; r != nil {
			now = r.members
		}
		for _, m := range before.members {
			if _, found := slices.BinarySearchFunc(now, m, identity.NodeID.Compare); found {
				continue
			}
			at, err := p.graph.place(m)
			if err != nil {
				return err
			}
			if at.profile == id {
				seeds = append(seeds, m)
			}
		}
		return nil
	}
	for id := range p.vacated {
		if err := check(id); err != nil {
			return nil, err
		}
	}
	for id := range p.records {
		if _, done := p.vacated[id]; !done {
			if err := check(id); err != nil {
				return nil, err
			}
		}
	}
	return seeds, nil
}
