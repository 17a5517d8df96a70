package identity

import (
	"errors"
	"fmt"
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/identifier"
	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/persona"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// View answers questions from one commit: whatever is asked of one View fits together. It belongs to one goroutine. Close it soon: it holds back
// the store's compaction.
type View struct {
	worker   *worker
	snapshot *state.Snapshot
	graph    *graph
	settings Settings
	weights  *weights // nil until they are asked for
	then     *then    // of a view of the past; nil is now
}

// View takes a view of the latest commit. It fails with ErrNotReady while an answer could be stale.
func (s *Service) View() (*View, error) {
	var w *worker
	var settings Settings
	for {
		s.mu.Lock()
		var ended error
		w, settings, ended = s.current, s.settings, s.ended
		s.mu.Unlock()
		if ended != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotReady, ended)
		}
		select {
		case <-w.caught:
		default:
			return nil, ErrNotReady
		}
		if w.readers.RLock(); !w.gone {
			break
		}
		w.readers.RUnlock() // replaced by another one in this very moment
	}
	snapshot := w.projection.store.Snapshot()
	lookup, err := snapshot.Lookup()
	if err != nil {
		w.readers.RUnlock()
		return nil, errors.Join(err, snapshot.Close())
	}
	v := &View{worker: w, snapshot: snapshot, graph: newGraph(snapshot, lookup, w.projection.rules), settings: settings}
	if v.weighs() {
		v.graph.wholes = func(core identity.NodeID) (identity.NodeID, error) { return heldIn(snapshot, core) }
	}
	return v, nil
}

// Close lets the view go.
func (v *View) Close() error {
	v.lay()
	err := errors.Join(v.graph.lookup.Close(), v.snapshot.Close())
	v.worker.readers.RUnlock()
	if v.then != nil && v.then.close != nil {
		err = errors.Join(err, v.then.close())
	}
	return err
}

// Configuration is the hash of the configuration that the answers follow.
func (v *View) Configuration() string { return v.settings.Hash }

// Owners are the profiles that own an identifier.
type Owners struct {
	Profiles []schema.ProfileID // sorted; at most MaxOwners
	Personas int                // that carry the value
	More     bool               // there may be more profiles than are listed: those of server personas are listed first
	Generic  bool               // so many different people carry the value that it says nothing of any; client keys do not make it so for server personas
}

// MaxOwners is how many owners of one value are listed. A call centre's default number has more.
const MaxOwners = 100

// maxCarriers is how many carriers of a value are looked at to find them.
const maxCarriers = 10_000

// Owners finds the profiles that own a value, however it is written. The country, if any, reads a national phone number; else those of the settings do. The kinds
// profile and persona find an id.
func (v *View) Owners(kind, value, country string) (Owners, error) {
	if kind == "profile" || kind == "persona" {
		id, err := schema.ParsePersonaID(value)
		if err != nil {
			return Owners{}, schema.Classify(schema.Rejected, err)
		}
		at, err := v.holder(id)
		if err != nil || at.IsZero() {
			return Owners{}, err
		}
		return Owners{Profiles: []schema.ProfileID{at}, Personas: 1}, nil
	}
	out := Owners{}
	err := v.carriers(kind, value, country, true, &out, func(id identity.NodeID) error {
		at, err := v.holder(id)
		if err != nil || at.IsZero() {
			return err
		}
		i, found := slices.BinarySearchFunc(out.Profiles, at, schema.ProfileID.Compare)
		switch {
		case found:
		case len(out.Profiles) >= MaxOwners:
			out.More = true
			return state.ErrStop
		default:
			out.Profiles = slices.Insert(out.Profiles, i, at)
		}
		return nil
	})
	return out, err
}

// Personas lists the personas that carry a value, at most limit: within each way to read it those of server keys first, each sorted.
func (v *View) Personas(kind, value, country string, limit int) ([]schema.ProfileID, error) {
	var out []schema.ProfileID
	err := v.carriers(kind, value, country, false, &Owners{}, func(id identity.NodeID) error {
		if len(out) >= limit {
			return state.ErrStop
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
		return nil
	})
	return out, err
}

// carriers calls f for the personas that carry a value, in any of the forms that it may be meant in. Those of server keys come first.
// Owners are those whose evidence it is: where it is none for client personas and server personas carry it, client personas are passed
// over.
func (v *View) carriers(kind, value, country string, owners bool, o *Owners, f func(identity.NodeID) error) error {
	looked := 0
	give := func(id identity.NodeID) error {
		if looked++; looked > maxCarriers {
			o.More = true
			return state.ErrStop
		}
		return f(id)
	}
	var hubs []*hub
	served := false
	for _, key := range v.keys(kind, value, country) {
		h, err := v.graph.hub(key)
		if err != nil {
			return err
		}
		hubs = append(hubs, h)
		served = served || h.Servers.Carriers > 0
		o.Personas += h.Carriers()
	}
	for _, trust := range []schema.Trust{schema.TrustServer, schema.TrustClient} {
		for _, h := range hubs {
			generic := h.Generic(trust, v.graph.rules)
			if trust == schema.TrustServer || !served {
				o.Generic = o.Generic || generic
			} else if owners && generic {
				o.More = o.More || h.Clients.Carriers > 0
				continue
			}
			if err := v.graph.eachCarrier(h, trust, give); errors.Is(err, state.ErrStop) {
				return nil
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

// keys are the keys that a value may be meant as, read by each country. A value that cannot be read has none.
func (v *View) keys(kind, value, country string) []identity.Key {
	countries := append([]string{""}, v.settings.Countries...)
	if country != "" {
		countries = []string{country}
	}
	name := identifier.Of(kind).Name
	var out []identity.Key
	for _, c := range countries {
		normal, err := identifier.Normalize(name, value, c)
		if err != nil {
			continue
		}
		key := identity.Key{Kind: name, Hash: v.worker.projection.hash.IdentifierHash(name, normal)}
		if !slices.Contains(out, key) {
			out = append(out, key)
		}
	}
	return out
}

// Profile is one person: who belongs to it, what each persona's events say, and what is near.
type Profile struct {
	ID          schema.ProfileID
	Hold        identity.Hold // not Free: quarantined
	Known       bool          // some persona's account names somebody, in server trust
	First, Last schema.Instant
	Members     []Member // sorted by id
	Possible    []Possible

	inherited    []persona.Inherited
	survivorship *persona.Rules
}

// Member is one persona of a profile.
type Member struct {
	ID       schema.ProfileID // the public id of (persona, epoch)
	Standing identity.Standing
	State    *persona.State // read-only
	Recorded schema.Instant // smallest RecordedAt
}

// Possible is a profile that may be the same person and was kept apart.
type Possible struct {
	Profile schema.ProfileID
	Reason  identity.Reason
	Kinds   []string // of the values that both carry, sorted
}

// States are the states of the members, in their order.
func (p *Profile) States() []*persona.State {
	out := make([]*persona.State, len(p.Members))
	for i := range p.Members {
		out[i] = p.Members[i].State
	}
	return out
}

// GoldenRecord is what is believed of the person, under the survivorship rules of the configuration.
func (p *Profile) GoldenRecord() []persona.Golden {
	return persona.GoldenRecord(p.States(), p.survivorship)
}

// Identifiers are the values by which the person is known.
func (p *Profile) Identifiers() []persona.Known { return persona.Identifiers(p.States()) }

// Consents is what the person allows at now.
func (p *Profile) Consents(now schema.Instant) []persona.Consent {
	return persona.Consents(p.States(), p.inherited, now, persona.Registry{})
}

// Profile gives the profile that holds an id now: of a persona and epoch, or of any profile that ever was. nil if the id was never handed out, or its person was
// erased.
func (v *View) Profile(id schema.ProfileID) (*Profile, error) {
	p, err := v.profile(id)
	if err == nil && p != nil {
		p, err = v.restated(p)
	}
	if err != nil || p == nil {
		return nil, err
	}
	p.inherited, err = v.inherited(p)
	return p, err
}

// profile gives all of a profile but what it inherits.
func (v *View) profile(id schema.ProfileID) (*Profile, error) {
	holder, r, err := v.whole(id)
	if err != nil || r == nil {
		return nil, err
	}
	p := &Profile{ID: holder, Hold: r.hold, survivorship: &v.settings.Survivorship}
	for i, m := range r.members {
		n, err := v.graph.node(m)
		if err != nil {
			return nil, err
		}
		known, err := n.known()
		if err != nil {
			return nil, err
		}
		if known == nil {
			return nil, fmt.Errorf("profile %s has persona %s, of which nothing is known: %w", holder, m, errDamaged)
		}
		p.Members = append(p.Members, Member{m, n.evidence.Standing, known, n.evidence.Recorded})
		p.Known = p.Known || n.evidence.Standing == identity.Known
		if i == 0 || known.First < p.First {
			p.First = known.First
		}
		if i == 0 || known.Last > p.Last {
			p.Last = known.Last
		}
	}
	for _, m := range r.possible {
		other, err := v.holder(m.other)
		if err != nil {
			return nil, err
		}
		if !other.IsZero() && other != p.ID {
			p.Possible = append(p.Possible, Possible{other, m.reason, m.kinds})
		}
	}
	if v.weighs() {
		p.Possible = tidied(p.Possible)
	}
	return p, nil
}

// Page lists profile ids above after, in order, at most limit. Begin with the zero id.
func (v *View) Page(after schema.ProfileID, limit int) (ids []schema.ProfileID, err error) {
	err = v.profiles(after, func(id schema.ProfileID) error {
		if len(ids) >= limit {
			return state.ErrStop
		}
		ids = append(ids, id)
		return nil
	})
	return ids, err
}

// profiles calls f for the ids of the profiles above after, in order: the personas that give a profile its id.
func (v *View) profiles(after schema.ProfileID, f func(schema.ProfileID) error) error {
	from := nodeKey('p', after)
	if !after.IsZero() {
		from = append(from, 0)
	}
	return v.snapshot.Scan(from, []byte{'p' + 1}, func(key, value []byte) error {
		id, r := schema.ProfileID(key[1:]), row{b: value}
		at := r.place(id)
		if r.bad {
			return errDamaged
		}
		if at.profile != id {
			return nil
		}
		if v.weighs() {
			if holder, err := heldIn(v.snapshot, id); err != nil || holder != id {
				return err
			}
		}
		return f(id)
	})
}

// Count gives the numbers of profiles and personas.
func (v *View) Count() (profiles, personas uint64, err error) {
	profiles, _, err = counter(v.snapshot, "profiles")
	if err != nil {
		return 0, 0, err
	}
	personas, _, err = counter(v.snapshot, "personas")
	return profiles, personas, err
}

// Why says why two personas, or the profiles of any two ids, are one person, or what keeps them apart.
func (v *View) Why(a, b schema.ProfileID) (identity.Explanation, error) {
	r, err := identity.Expand(v.graph, v.graph.rules, []identity.NodeID{a, b})
	if err != nil {
		return identity.Explanation{}, err
	}
	why := r.Why(a, b)
	if err := r.Err(); err != nil {
		return identity.Explanation{}, err
	}
	return v.weighed(r, why)
}

// How tells how the profile that holds an id came together, and what was refused to it; nil if it stands alone or nobody has the id.
func (v *View) How(id schema.ProfileID) ([]identity.Step, error) {
	r, err := identity.Expand(v.graph, v.graph.rules, []identity.NodeID{id})
	if err != nil {
		return nil, err
	}
	how := r.How(id)
	if err := r.Err(); err != nil {
		return nil, err
	}
	return v.joined(id, how)
}

// ValueOf gives a key's value as a persona's source last gave it; empty if the persona does not show it.
func (v *View) ValueOf(id schema.ProfileID, key identity.Key) (string, error) {
	n, err := v.graph.node(id)
	if err != nil {
		return "", err
	}
	known, err := n.known()
	if err != nil || known == nil {
		return "", err
	}
	for i := range known.Identifiers {
		x := &known.Identifiers[i]
		if x.Kind == key.Kind && !x.Unusable && v.worker.projection.hash.IdentifierHash(x.Kind, x.Normal) == key.Hash {
			return x.Value, nil
		}
	}
	return "", nil
}

// inherited finds the refusals of people outside the profile that reach into it (persona.Consents).
func (v *View) inherited(p *Profile) ([]persona.Inherited, error) {
	inside := func(id identity.NodeID) bool {
		_, found := slices.BinarySearchFunc(p.Members, id, func(m Member, id identity.NodeID) int { return m.ID.Compare(id) })
		return found
	}
	var out []persona.Inherited
	for _, known := range p.Identifiers() {
		if known.Unusable || !identifier.Of(known.Kind).ContactPoint {
			continue
		}
		prefix := hubKey('q', identity.Key{Kind: known.Kind, Hash: v.worker.projection.hash.IdentifierHash(known.Kind, known.Normal)})
		err := v.snapshot.Scan(prefix, state.After(prefix), func(key, _ []byte) error {
			id := identity.NodeID(key[len(prefix):])
			if inside(id) {
				return nil
			}
			said, err := v.saidBy(id, 1<<63-1)
			if err != nil {
				return err
			}
			for _, said := range said {
				if said.Kind == known.Kind && said.Normal == known.Normal && said.Refused() {
					out = append(out, persona.Inherited{Statement: said, From: id, PointOnly: true})
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	split, err := v.inheritedBySplit(p, inside)
	return append(out, split...), err
}

// inheritedBySplit finds the refusals that were in force in one profile with this one when somebody separated them. For every separation around the profile, in the
// order of their times, it asks who would be together if that one and the later ones had not been said.
func (v *View) inheritedBySplit(p *Profile, inside func(identity.NodeID) bool) ([]persona.Inherited, error) {
	w := &without{graph: v.graph, said: map[schema.EventID]identity.Assertion{}, before: 1<<63 - 1}
	if err := v.separations(w, p); err != nil || len(w.said) == 0 {
		return nil, err
	}
	// What lies beyond a separation may have others behind it: look again until no new one shows.
	separations := func() []schema.Instant {
		var times []schema.Instant
		for _, a := range w.said {
			times = append(times, a.OccurredAt)
		}
		slices.Sort(times)
		return slices.Compact(times)
	}
	horizon := map[identity.NodeID]schema.Instant{} // of each former member, the time of the separation that set it apart
	asked := map[schema.Instant]bool{}
	for again := true; again; {
		again = false
		for _, t := range separations() {
			if asked[t] {
				continue
			}
			asked[t], again = true, true
			w.before = t
			with, err := v.reunited(w, p, inside)
			if err != nil {
				return nil, err
			}
			for _, id := range with {
				if !inside(id) {
					if h, found := horizon[id]; !found || t > h {
						horizon[id] = t
					}
				}
			}
		}
	}
	former := make([]identity.NodeID, 0, len(horizon))
	for id := range horizon {
		former = append(former, id)
	}
	slices.SortFunc(former, identity.NodeID.Compare)
	var out []persona.Inherited
	for _, id := range former {
		said, err := v.saidBy(id, horizon[id])
		if err != nil {
			return nil, err
		}
		for _, said := range said {
			if said.Refused() {
				out = append(out, persona.Inherited{Statement: said, From: id})
			}
		}
	}
	return out, nil
}

// separations notes the separations around a profile.
func (v *View) separations(w *without, p *Profile) error {
	if !v.weighs() {
		_, err := identity.Expand(w, v.graph.rules, []identity.NodeID{p.Members[0].ID})
		return err
	}
	return v.separationsAround(w, p)
}

// reunited lists who would be in a profile under w, its own members too.
func (v *View) reunited(w *without, p *Profile, inside func(identity.NodeID) bool) (out []identity.NodeID, err error) {
	if v.weighs() {
		return v.reweighed(w, p)
	}
	r, err := identity.Expand(w, v.graph.rules, []identity.NodeID{p.Members[0].ID})
	if err != nil {
		return nil, err
	}
	for _, x := range r.Resolve().Profiles {
		if slices.ContainsFunc(x.Members, inside) {
			out = append(out, x.Members...)
		}
	}
	return out, nil
}

// saidBy gives what a server persona said of consents that was in force at a time; nothing for a client persona.
func (v *View) saidBy(id identity.NodeID, at schema.Instant) ([]persona.Statement, error) {
	if v.then != nil && v.then.past.AsOf != 0 {
		at = min(at, v.then.past.AsOf)
	}
	n, err := v.graph.node(id)
	if err != nil || n.evidence == nil || n.evidence.Trust != schema.TrustServer {
		return nil, err
	}
	known, err := n.known()
	if err != nil || known == nil {
		return nil, err
	}
	return known.InForceAt(at), nil
}

// without is the graph as if nobody had separated anything at or after a time. It notes every separation that it meets.
type without struct {
	*graph
	before schema.Instant
	said   map[schema.EventID]identity.Assertion
}

// Assertions implements identity.Graph.
func (w *without) Assertions(id identity.NodeID) ([]identity.Assertion, error) {
	all, err := w.graph.Assertions(id)
	if err != nil {
		return nil, err
	}
	out := all[:0]
	for _, a := range all {
		if a.Apart() {
			w.said[a.ID] = a
			if a.OccurredAt >= w.before {
				continue
			}
		}
		out = append(out, a)
	}
	return out, nil
}
