package persona

import (
	"cmp"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// Trait is what the persona's events say about one property. An object is folded member by member, each with its own time and
// event, under the path of its names joined by dots (address.city; a dot or backslash in a name is escaped by a backslash), so that a
// source that sends a part of it leaves the rest as it was. An array is one value.
type Trait struct {
	Name     string
	Best     []Candidate // not null, one per distinct value, best first; the first is the persona's value unless Taken is better
	Earliest Candidate   // not null, the smallest (OccurredAt, id); IsZero if none
	Taken    Candidate   // the best null, which takes back every candidate below it, and those of members below this name; IsZero if none
}

// Candidate is one value that an event gave.
type Candidate struct {
	Value      string // canonical JSON; empty if the value is longer than MaxTraitBytes: then only the timeline has it
	OccurredAt schema.Instant
	Event      schema.EventID
	Assurance  schema.Assurance
}

// The limits of traits. Names beyond MaxTraits leave by a fixed order (longer first, then larger bytes); candidates beyond MaxCandidates, and
// longer than MaxRunnerUpBytes without being the best, leave by their rank. Both orders are such that what leaves a part of a set
// would leave the whole, so the join holds.
const (
	MaxTraits        = 512
	MaxTraitBytes    = 32 << 10
	MaxCandidates    = 8
	MaxRunnerUpBytes = 1 << 10
)

// IsZero says whether there is no candidate.
func (c *Candidate) IsZero() bool { return c.Event.IsZero() }

// rank orders candidates of one source by the law of last-writer-wins: assurance, OccurredAt, event id. The value decides between two of one
// event.
func (c *Candidate) rank(d *Candidate) int {
	return cmp.Or(cmp.Compare(c.Assurance, d.Assurance), later(c.OccurredAt, c.Event, d.OccurredAt, d.Event), strings.Compare(c.Value, d.Value))
}

// age orders candidates by time alone.
func (c *Candidate) age(d *Candidate) int {
	return cmp.Or(later(c.OccurredAt, c.Event, d.OccurredAt, d.Event), cmp.Compare(c.Assurance, d.Assurance), strings.Compare(c.Value, d.Value))
}

func compareNames(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func (s *State) foldTraits(e *schema.Event) (changed bool) {
	if len(e.Traits) == 0 {
		return false
	}
	c := Candidate{OccurredAt: e.OccurredAt, Event: e.ID, Assurance: assuranceOfTraits(e)}
	for i := range e.Traits {
		t := &e.Traits[i]
		if len(t.Value) > 0 && t.Value[0] == '{' {
			doc, err := canonical.Parse(t.Value, canonical.Limits{})
			if err == nil {
				changed = s.foldObject(escapeName(t.Name), doc.Root(), c) || changed
				doc.Release()
				continue
			}
			// Not what an envelope may hold; as one opaque value it is still shown and still a function of the event.
		}
		changed = s.foldValue(escapeName(t.Name), t.Value, c) || changed
	}
	return changed
}

func (s *State) foldObject(name string, object canonical.Node, c Candidate) (changed bool) {
	object.Each(func(key string, v canonical.Node) bool {
		path := name + "." + escapeName(key)
		if v.Kind() == canonical.Object {
			changed = s.foldObject(path, v, c) || changed
		} else {
			changed = s.foldValue(path, v.AppendCanonical(nil, nil), c) || changed
		}
		return true
	})
	return changed
}

// foldValue folds one leaf. It makes no copy of the value unless it is kept.
func (s *State) foldValue(name string, value []byte, c Candidate) bool {
	if len(value) == 0 {
		return false
	}
	i, found := s.findTrait(name)
	if found {
		t := &s.Traits[i]
		if len(t.Best) > 0 && t.Best[0].Value == string(value) && t.Best[0].rank(&Candidate{OccurredAt: c.OccurredAt, Event: c.Event, Assurance: c.Assurance, Value: t.Best[0].Value}) >= 0 &&
			t.Earliest.OccurredAt < c.OccurredAt {
			return false // said before, later or better, and not the earliest: nothing moves
		}
	}
	var t Trait
	t.Name = name
	switch {
	case string(value) == "null":
		t.Taken = c
		t.Taken.Value = "null"
	default:
		if len(value) <= MaxTraitBytes {
			c.Value = string(value)
		}
		t.Best, t.Earliest = []Candidate{c}, c
	}
	return s.joinTrait(&t)
}

// assuranceOfTraits: a trait is believed as far as the event's best identifier; without one, as far as its key.
func assuranceOfTraits(e *schema.Event) schema.Assurance {
	best := schema.Assurance(0)
	for i := range e.Identifiers {
		best = max(best, e.Identifiers[i].Assurance)
	}
	if best == 0 {
		best = schema.AssuranceVerified
	}
	return believable(e.Provenance.Trust, best)
}

func escapeName(name string) string {
	if !strings.ContainsAny(name, `.\`) {
		return name
	}
	return strings.NewReplacer(`\`, `\\`, `.`, `\.`).Replace(name)
}

func (s *State) findTrait(name string) (int, bool) {
	return slices.BinarySearchFunc(s.Traits, name, func(t Trait, name string) int { return compareNames(t.Name, name) })
}

func (s *State) joinTrait(other *Trait) (changed bool) {
	i, found := s.findTrait(other.Name)
	if found {
		return s.Traits[i].join(other)
	}
	if i >= MaxTraits {
		return false
	}
	t := *other
	t.Name, t.Best = strings.Clone(other.Name), slices.Clone(other.Best)
	s.Traits = slices.Insert(s.Traits, i, t)
	if len(s.Traits) > MaxTraits {
		s.Traits = slices.Delete(s.Traits, MaxTraits, len(s.Traits))
	}
	return true
}

func (t *Trait) join(other *Trait) (changed bool) {
	if !other.Earliest.IsZero() && (t.Earliest.IsZero() || other.Earliest.age(&t.Earliest) < 0) {
		t.Earliest, changed = other.Earliest, true
	}
	if !other.Taken.IsZero() && (t.Taken.IsZero() || other.Taken.rank(&t.Taken) > 0) {
		t.Taken, changed = other.Taken, true
	}
	for i := range other.Best {
		changed = t.candidate(&other.Best[i]) || changed
	}
	return changed
}

// candidate puts c in its place: the best of its value, ranked, then cut to the limits.
func (t *Trait) candidate(c *Candidate) (changed bool) {
	if i := slices.IndexFunc(t.Best, func(b Candidate) bool { return b.Value == c.Value }); i >= 0 {
		if c.rank(&t.Best[i]) <= 0 {
			return false
		}
		t.Best = slices.Delete(t.Best, i, i+1)
	}
	at, _ := slices.BinarySearchFunc(t.Best, c, func(b Candidate, c *Candidate) int { return c.rank(&b) })
	if at >= MaxCandidates || at > 0 && len(c.Value) > MaxRunnerUpBytes {
		return false
	}
	t.Best = slices.Insert(t.Best, at, *c)
	if at == 0 && len(t.Best) > 1 && len(t.Best[1].Value) > MaxRunnerUpBytes {
		t.Best = slices.Delete(t.Best, 1, 2)
	}
	t.Best = t.Best[:min(len(t.Best), MaxCandidates)]
	return true
}
