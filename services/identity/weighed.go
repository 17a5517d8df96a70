package identity

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	models "github.com/dossier-cdp/dossier/pipelines/identity/match" // match is a row (row.go)
	"github.com/dossier-cdp/dossier/schema"
)

// What a view tells of stratum 2. Under rules without a model there is nothing of it: households, matches and joints are none, and Weigh gives nil.

// weights is what a view weighs with.
type weights struct {
	places *models.Index // reads who is where
	index  *models.Index // weighs; nil until it is asked for
	scale  *models.Set
	from   *sync.Pool
}

func (v *View) weighs() bool { return v.worker.projection.weigher != nil }

func (v *View) below() *below { return &below{graph: v.graph, members: v.coreMembers} }

// coreMembers lists the personas of a core; none if there is no such core.
func (v *View) coreMembers(core identity.NodeID) ([]identity.NodeID, error) {
	r, err := v.graph.profile(core)
	if err != nil || r == nil {
		return nil, err
	}
	return r.members, nil
}

// placed reads who is where.
func (v *View) placed() *models.Index {
	if v.weights == nil {
		v.weights = &weights{}
	}
	if v.weights.places == nil || v.weights.places.Large() {
		v.weights.places = models.NewIndex(nil, &weighedRows{graph: v.graph}, nil)
	}
	return v.weights.places
}

// weighing is an index that weighs.
func (v *View) weighing() *models.Index {
	v.placed()
	if v.weights.index == nil {
		v.weights.from = &v.worker.projection.weigher.scales
		v.weights.scale = v.weights.from.Get().(*models.Set)
		v.weights.index = models.NewIndex(v.weights.scale, &weighedRows{graph: v.graph}, v.below())
	}
	return v.weights.index
}

// lay gives the scale back.
func (v *View) lay() {
	if v.weights != nil && v.weights.scale != nil && !v.weights.scale.Worn() {
		v.weights.from.Put(v.weights.scale)
	}
	v.weights = nil
}

// holder is the profile that holds an id now; zero if nobody has it.
func (v *View) holder(id identity.NodeID) (identity.NodeID, error) {
	at, err := v.graph.place(id)
	if err != nil || at.profile.IsZero() || !v.weighs() {
		return at.profile, err
	}
	return heldIn(v.snapshot, at.profile)
}

// whole reads the profile that holds an id; nil if nobody has it.
func (v *View) whole(id identity.NodeID) (holder identity.NodeID, r *profile, err error) {
	if holder, err = v.holder(id); err != nil || holder.IsZero() {
		return holder, nil, err
	}
	cores, err := v.cores(holder)
	if err != nil {
		return holder, nil, err
	}
	for _, core := range cores {
		part, err := v.graph.profile(core)
		if err != nil {
			return holder, nil, err
		}
		if part == nil {
			return holder, nil, errors.Join(errDamaged, errors.New("persona "+id.String()+" is in profile "+core.String()+", which does not exist"))
		}
		if len(cores) == 1 {
			return holder, part, nil
		}
		if r == nil {
			r = &profile{hold: part.hold}
		}
		r.members, r.possible = append(r.members, part.members...), append(r.possible, part.possible...)
	}
	slices.SortFunc(r.members, identity.NodeID.Compare)
	return holder, r, nil
}

// cores lists the cores of a profile.
func (v *View) cores(profile identity.NodeID) ([]identity.NodeID, error) {
	if !v.weighs() {
		return []identity.NodeID{profile}, nil
	}
	return v.placed().Cores(profile)
}

// tidied puts the possible matches of a profile of several cores in order, each once.
func tidied(list []Possible) []Possible {
	slices.SortFunc(list, func(a, b Possible) int {
		if c := a.Profile.Compare(b.Profile); c != 0 {
			return c
		}
		return strings.Compare(string(a.Reason), string(b.Reason))
	})
	var out []Possible
	for _, p := range list {
		if n := len(out); n > 0 && out[n-1].Profile == p.Profile && out[n-1].Reason == p.Reason {
			kinds := slices.Concat(out[n-1].Kinds, p.Kinds)
			slices.Sort(kinds)
			out[n-1].Kinds = slices.Compact(kinds)
			continue
		}
		out = append(out, p)
	}
	return out
}

// ModelVersion is the content address of the model in force, "" if there is none.
func (v *View) ModelVersion() string {
	if !v.weighs() {
		return ""
	}
	return v.worker.projection.weigher.by.model.Version()
}

// Household is people who share a mailbox, a phone or an address and are not one person.
type Household struct {
	ID      schema.ProfileID // the smallest of Members
	Members []Resident       // sorted by profile; at least two
}

// Resident is a member of a household.
type Resident struct {
	Profile schema.ProfileID
	Shares  []string // fields of which a value is shared with another member: address, email, phone; decision, where somebody said so; sorted
}

// maxResidents is how many people are a household at most.
const maxResidents = 24

// Household gives the household of the profile that holds an id; nil if it has none, or so many are tied together that it is no household. Two
// are of one household if they give different given names, or birth dates that cannot be one person's, and share a mailbox, a phone, or an address and a family name, or if somebody
// said so; and so is who is of one household with either. It looks at whom blocking keys bring together, of at most 24 people.
func (v *View) Household(id schema.ProfileID) (*Household, error) {
	if !v.weighs() {
		return nil, nil
	}
	start, err := v.holder(id)
	if err != nil || start.IsZero() {
		return nil, err
	}
	shares := map[schema.ProfileID][]string{start: nil}
	queue := []schema.ProfileID{start}
	for i := 0; i < len(queue); i++ {
		cores, err := v.cores(queue[i])
		if err != nil {
			return nil, err
		}
		beside := func(profile schema.ProfileID, fields ...string) {
			if profile == queue[i] || profile.IsZero() {
				return
			}
			if _, known := shares[profile]; !known {
				queue = append(queue, profile)
			}
			shares[profile] = append(shares[profile], fields...)
			shares[queue[i]] = append(shares[queue[i]], fields...)
		}
		for _, core := range cores {
			if err := v.housed(core, func(profile schema.ProfileID) { beside(profile, "decision") }); err != nil {
				return nil, err
			}
			kin, err := v.weighing().Kin(core)
			if err != nil {
				return nil, err
			}
			for other, fields := range kin {
				profile, err := heldIn(v.snapshot, other)
				if err != nil {
					return nil, err
				}
				beside(profile, fields...)
			}
		}
		if len(queue) > maxResidents {
			return nil, nil
		}
	}
	if len(queue) < 2 {
		return nil, nil
	}
	slices.SortFunc(queue, schema.ProfileID.Compare)
	h := &Household{ID: queue[0]}
	for _, profile := range queue {
		fields := shares[profile]
		slices.Sort(fields)
		h.Members = append(h.Members, Resident{profile, slices.Compact(fields)})
	}
	return h, nil
}

// housed calls f for the profiles of whom somebody said that they are of one household with a persona of a core.
func (v *View) housed(core identity.NodeID, f func(schema.ProfileID)) error {
	members, err := v.coreMembers(core)
	if err != nil {
		return err
	}
	for _, m := range members {
		said, err := v.graph.Assertions(m)
		if err != nil {
			return err
		}
		for i := range said {
			if said[i].Kind != identity.Housed {
				continue
			}
			other := said[i].A
			if other == m {
				other = said[i].B
			}
			profile, err := v.holder(other)
			if err != nil {
				return err
			}
			f(profile)
		}
	}
	return nil
}

// PossibleMatch is two profiles that may be one person, as the model weighs them, and why they are two.
type PossibleMatch struct {
	A, B        schema.ProfileID // A < B
	Reason      models.Reason
	Weight      models.Bits // log2 of the odds that they are one person
	Probability float64     // the same, from 0 to 1
	// Worth orders the queue: how uncertain the match is (0 to 1,000 at even odds) times the pairs of different sayings that an answer decides.
	Worth int64
}

func (v *View) possibleMatches(list []models.Maybe) []PossibleMatch {
	model := v.worker.projection.weigher.by.model
	var out []PossibleMatch
	for _, m := range list {
		out = append(out, PossibleMatch{m.A, m.B, m.Reason, m.Weight, model.Probability(m.Weight), m.Worth})
	}
	return out
}

// PossibleMatches lists the possible matches of the profile that holds an id, most worth first.
func (v *View) PossibleMatches(id schema.ProfileID) ([]PossibleMatch, error) {
	if !v.weighs() {
		return nil, nil
	}
	at, err := v.graph.place(id)
	if err != nil || at.profile.IsZero() {
		return nil, err
	}
	list, err := v.placed().Possible(at.profile)
	return v.possibleMatches(list), err
}

// Matches lists all possible matches, those of most worth first, at most limit. Begin with a nil cursor; next is nil at the end.
func (v *View) Matches(after []byte, limit int) (matches []PossibleMatch, next []byte, err error) {
	if !v.weighs() || limit <= 0 {
		return nil, nil, nil
	}
	list, next, err := v.placed().Queue(after, limit)
	return v.possibleMatches(list), next, err
}

// Weighing is how two profiles, or two cores of one, are weighed, and what decided.
type Weighing struct {
	A, B schema.ProfileID // what was weighed: the profiles, or, if both ids are in one, the cores that the exact strata made of each
	Same bool             // both ids are one person
	models.Waterfall
	Thresholds models.Thresholds
	// Reason is what keeps two apart: a reason of package match, or a stronger one of package identity (separated, unique_conflict, limit,
	// quarantined). "" if they are one.
	Reason string
}

// The reasons of a Weighing beside those of packages match and identity.
const (
	ReasonUnproposed = "unproposed"  // they share no blocking key that proposes
	ReasonUnweighed  = "not_weighed" // one of them has nothing that is weighed: only public keys speak of it, or nobody says a name or contact point
)

// Weigh gives the waterfall of two ids; nil if there is no model, or nobody has one of the ids. Of two ids in one core the exact strata decided: the
// waterfall is empty then.
func (v *View) Weigh(a, b schema.ProfileID) (*Weighing, error) {
	if !v.weighs() {
		return nil, nil
	}
	p, err := v.graph.place(a)
	if err != nil || p.profile.IsZero() {
		return nil, err
	}
	q, err := v.graph.place(b)
	if err != nil || q.profile.IsZero() {
		return nil, err
	}
	w := &Weighing{Thresholds: v.worker.projection.weigher.by.model.Thresholds}
	if w.A, err = heldIn(v.snapshot, p.profile); err != nil {
		return nil, err
	}
	if w.B, err = heldIn(v.snapshot, q.profile); err != nil {
		return nil, err
	}
	w.Same = w.A == w.B
	var left, right []identity.NodeID
	if w.Same {
		w.A, w.B = p.profile, q.profile
		left, right = []identity.NodeID{w.A}, []identity.NodeID{w.B}
	} else {
		if left, err = v.cores(w.A); err != nil {
			return nil, err
		}
		if right, err = v.cores(w.B); err != nil {
			return nil, err
		}
	}
	if w.A == w.B {
		return w, nil
	}
	shown, err := v.weighing().Waterfall(left, right)
	if err != nil {
		return nil, err
	}
	if shown != nil {
		w.Waterfall = *shown
	}
	if !w.Same {
		w.Reason, err = v.keptApart(w, p, q, left, right, shown != nil)
	}
	return w, err
}

// keptApart names what keeps two profiles apart, the strongest first.
func (v *View) keptApart(w *Weighing, p, q place, left, right []identity.NodeID, weighed bool) (string, error) {
	for _, core := range left {
		separated, err := v.separated(core, right)
		if err != nil {
			return "", err
		}
		if separated {
			return string(identity.ReasonSeparated), nil
		}
	}
	conflict, err := v.below().Conflict(left, right)
	switch {
	case err != nil:
		return "", err
	case conflict != "":
		return string(conflict), nil
	case p.hold != identity.Free && !weighed || q.hold != identity.Free && !weighed:
		return string(identity.ReasonQuarantined), nil
	case !weighed:
		return ReasonUnweighed, nil
	case w.Forbidden:
		return string(v.weighing().Conflict(left, right)), nil
	}
	matches, err := v.placed().Possible(p.profile)
	if err != nil {
		return "", err
	}
	for _, m := range matches {
		if m.A == w.A && m.B == w.B || m.A == w.B && m.B == w.A {
			return string(m.Reason), nil
		}
	}
	if !slices.ContainsFunc(w.Keys, func(k models.SharedKey) bool { return !k.Closed }) {
		return ReasonUnproposed, nil
	}
	return string(models.ReasonUnsure), nil
}

// separated says whether somebody separated a persona of a core from one of others, whether they are weighed or not.
func (v *View) separated(core identity.NodeID, others []identity.NodeID) (bool, error) {
	members, err := v.coreMembers(core)
	if err != nil {
		return false, err
	}
	for _, m := range members {
		said, err := v.graph.Assertions(m)
		if err != nil {
			return false, err
		}
		for i := range said {
			other := said[i].A
			if other == m {
				other = said[i].B
			}
			at, err := v.graph.place(other)
			if err != nil {
				return false, err
			}
			if said[i].Apart() && slices.Contains(others, at.profile) {
				return true, nil
			}
		}
	}
	return false, nil
}

// Joined is one joint of stratum 2: two sets of cores became one profile.
type Joined struct {
	A, B     schema.ProfileID // a core of either, as the exact strata made them
	Weight   models.Bits      // log2 of the odds, both wholes compared
	Attached bool             // a small profile joined the one that it fits best; else two profiles agreed
}

// Joints tells how stratum 2 made the profile that holds an id, in the order in which it did.
func (v *View) Joints(id schema.ProfileID) (out []Joined, err error) {
	if !v.weighs() {
		return nil, nil
	}
	at, err := v.graph.place(id)
	if err != nil || at.profile.IsZero() {
		return nil, err
	}
	cores, err := v.cores(at.profile)
	if err != nil || len(cores) < 2 {
		return nil, err
	}
	joints, err := v.weighing().Joints(at.profile)
	for _, j := range joints {
		out = append(out, Joined(j))
	}
	return out, err
}

// steps are the joints of a profile as the exact strata tell theirs.
func (v *View) steps(id schema.ProfileID) (out []identity.Step, err error) {
	joints, err := v.Joints(id)
	if err != nil {
		return nil, err
	}
	for _, j := range joints {
		a, err := v.graph.node(j.A)
		if err != nil {
			return nil, err
		}
		b, err := v.graph.node(j.B)
		if err != nil {
			return nil, err
		}
		if a.evidence == nil || b.evidence == nil {
			return nil, errDamaged
		}
		out = append(out, identity.Step{
			A: j.A, B: j.B, SourceA: a.evidence.Source, SourceB: b.evidence.Source, Stratum: identity.RuleWeigh.Stratum(), Rule: identity.RuleWeigh,
		})
	}
	return out, nil
}

// weighed completes what the exact strata say of two personas by what stratum 2 joined.
func (v *View) weighed(r *identity.Region, e identity.Explanation) (identity.Explanation, error) {
	if !v.weighs() || !e.Known {
		return e, nil
	}
	from, to := e.ProfileA, e.ProfileB
	var err error
	if e.ProfileA, err = heldIn(v.snapshot, from); err != nil {
		return e, err
	}
	if e.ProfileB, err = heldIn(v.snapshot, to); err != nil || e.ProfileA != e.ProfileB {
		return e, err
	}
	steps, err := v.steps(from)
	if err != nil {
		return e, err
	}
	path := e.Path
	if !e.Same {
		path = slices.Concat(r.Why(e.A, from).Path, between(steps, from, to), r.Why(to, e.B).Path)
	}
	// Where the region says that stratum 2 joined two cores, the joints say how.
	e.Same, e.Reason, e.Obstacle, e.Path = true, "", nil, nil
	for _, s := range path {
		if way := between(steps, s.A, s.B); s.Rule == identity.RuleWeigh && way != nil {
			e.Path = append(e.Path, way...)
		} else {
			e.Path = append(e.Path, s)
		}
	}
	return e, r.Err()
}

// between finds the steps that lead from one core to another, each turned to point that way. Joints make a tree, so there is one way.
func between(steps []identity.Step, from, to identity.NodeID) []identity.Step {
	ways := map[identity.NodeID][]identity.Step{from: {}}
	for again := true; again && ways[to] == nil; {
		again = false
		for _, s := range steps {
			a, b := ways[s.A], ways[s.B]
			if a != nil && b == nil {
				ways[s.B], again = append(slices.Clone(a), s), true
			} else if b != nil && a == nil {
				s.A, s.B, s.SourceA, s.SourceB = s.B, s.A, s.SourceB, s.SourceA
				ways[s.B], again = append(slices.Clone(b), s), true
			}
		}
	}
	return ways[to]
}

// joined completes how a profile came together: the other cores' own steps, then what joined them.
func (v *View) joined(id schema.ProfileID, steps []identity.Step) ([]identity.Step, error) {
	if !v.weighs() {
		return steps, nil
	}
	at, err := v.graph.place(id)
	if err != nil || at.profile.IsZero() {
		return steps, err
	}
	cores, err := v.cores(at.profile)
	if err != nil || len(cores) < 2 {
		return steps, err
	}
	for _, core := range cores {
		if core == at.profile {
			continue
		}
		r, err := identity.Expand(v.graph, v.graph.rules, []identity.NodeID{core})
		if err != nil {
			return nil, err
		}
		steps = append(steps, r.How(core)...)
		if err := r.Err(); err != nil {
			return nil, err
		}
	}
	weighed, err := v.steps(id)
	return append(steps, weighed...), err
}
