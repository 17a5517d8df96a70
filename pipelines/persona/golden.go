package persona

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// Order says which of several candidates of a trait survives.
type Order string

// The orders. Ties go to the later OccurredAt, then the larger event id.
const (
	Assured  Order = "assured"  // the most assured first, then the latest: the default
	Latest   Order = "latest"   // the latest, whatever its assurance
	Earliest Order = "earliest" // the earliest: what was said first
)

// Survivorship is the rule of one trait.
type Survivorship struct {
	Sources []string `json:"sources,omitempty" yaml:"sources,omitempty"` // first the first one's candidates, and so on; then those of all others
	Order   Order    `json:"order,omitempty" yaml:"order,omitempty"`     // within that
}

// Rules are the survivorship rules of a workspace. The zero value is good: Assured for every trait.
type Rules struct {
	Default Survivorship `json:"default,omitzero" yaml:"default,omitempty"`
	// Traits has the rules of single traits, by name; a rule for address is one for address.city too, unless that has its own.
	Traits map[string]Survivorship `json:"traits,omitempty" yaml:"traits,omitempty"`
}

// Validate finds the first thing that is wrong with the rules, in an order that never changes.
func (r *Rules) Validate() error {
	check := func(where string, s Survivorship) error {
		switch s.Order {
		case "", Assured, Latest, Earliest:
			return nil
		}
		return schema.Refuse("survivorship_invalid", fmt.Sprintf("%s: order %q is not known", where, s.Order), "use assured, latest or earliest")
	}
	if err := check("default", r.Default); err != nil {
		return err
	}
	names := make([]string, 0, len(r.Traits))
	for name := range r.Traits {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := check("trait "+name, r.Traits[name]); err != nil {
			return err
		}
	}
	return nil
}

func (r *Rules) of(name string) Survivorship {
	if len(r.Traits) == 0 {
		return r.Default
	}
	for {
		if s, found := r.Traits[name]; found {
			return s
		}
		dot := lastDot(name)
		if dot < 0 {
			return r.Default
		}
		name = name[:dot]
	}
}

// lastDot finds the last dot that separates names: one that no odd number of backslashes precedes.
func lastDot(name string) int {
	for dot := strings.LastIndexByte(name, '.'); dot >= 0; dot = strings.LastIndexByte(name[:dot], '.') {
		if (dot-len(strings.TrimRight(name[:dot], `\`)))%2 == 0 {
			return dot
		}
	}
	return -1
}

// Golden is one trait of a golden record: the candidate that survives, where it comes from, and what it won against.
type Golden struct {
	Name string
	Attributed
	RunnersUp []Attributed // best first, no value twice
}

// Attributed is a candidate with its origin.
type Attributed struct {
	Candidate
	Persona schema.ProfileID
	Source  string
	Trust   schema.Trust
}

// trusted drops the client personas of a profile that has a server persona: what a public key says adds no contact point, consent or
// trait to somebody who is known. Confirmation (checked login, double opt-in) comes as an event of a server key, whose persona then says it. The result is
// sorted by persona.
func trusted(states []*State) []*State {
	return withoutClients(states, func(*State) bool { return true })
}

// believed is trusted for traits and identifiers. A server persona that says nothing of who somebody is hides no client persona here: an agent who
// records the consent of a person whom only public keys know makes such a persona, and must not take the name out of the golden record.
func believed(states []*State) []*State {
	return withoutClients(states, func(s *State) bool { return !s.consentsAlone() })
}

func withoutClients(states []*State, outweighs func(server *State) bool) []*State {
	out := slices.Clone(states)
	if slices.ContainsFunc(states, func(s *State) bool { return s.Trust == schema.TrustServer && outweighs(s) }) {
		out = slices.DeleteFunc(out, func(s *State) bool { return s.Trust != schema.TrustServer })
	}
	slices.SortFunc(out, func(a, b *State) int { return a.ID.Compare(b.ID) })
	return out
}

// consentsAlone says whether all that is said of the persona is what it consents to, beside its account and what it is said to have declared.
func (s *State) consentsAlone() bool {
	return len(s.Consents) > 0 && len(s.Traits) == 0 && !slices.ContainsFunc(s.Identifiers, func(x Identifier) bool {
		return x.Assurance == schema.AssuranceVerified && (x.Value != s.Account.Value || x.Kind != (Registry{}).Name(s.Account.Kind))
	})
}

// GoldenRecord is what is believed of the person whose personas have the given states: one entry per trait that has a value, sorted by name.
//
// A null takes back what its source said, in any of its personas: every candidate of the source that ranks below it, of the trait and of all below it
// (address takes back address.city). What other sources say stands.
func GoldenRecord(states []*State, rules *Rules) []Golden {
	states = believed(states)
	var names []string
	taken := takenBack{}
	for _, s := range states {
		for i := range s.Traits {
			t := &s.Traits[i]
			names = append(names, t.Name)
			taken.add(s.Source, t)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)

	var out []Golden
	for _, name := range names {
		rule := rules.of(name)
		var all []Attributed
		for _, s := range states {
			i, found := s.findTrait(name)
			if !found {
				continue
			}
			t := &s.Traits[i]
			for j := range t.Best {
				all = append(all, Attributed{t.Best[j], s.ID, s.Source, s.Trust})
			}
			if !t.Earliest.IsZero() {
				all = append(all, Attributed{t.Earliest, s.ID, s.Source, s.Trust})
			}
		}
		all = slices.DeleteFunc(all, func(a Attributed) bool { return taken.has(a.Source, name, &a.Candidate) })
		slices.SortFunc(all, func(a, b Attributed) int { return rule.compare(&b, &a) })
		all = distinctValues(all)
		if len(all) > 0 {
			out = append(out, Golden{name, all[0], all[1:]})
		}
	}
	return out
}

// distinctValues keeps the first of each value.
func distinctValues(all []Attributed) []Attributed {
	kept := all[:0]
	for _, a := range all {
		if !slices.ContainsFunc(kept, func(k Attributed) bool {
			return k.Value == a.Value && a.Value != "" || k.Event == a.Event && k.Value == a.Value
		}) {
			kept = append(kept, a)
		}
	}
	return kept
}

// compare is positive if a survives b. It is total, so the outcome does not depend on the order of the states.
func (s *Survivorship) compare(a, b *Attributed) int {
	c := cmp.Compare(s.priority(b.Source), s.priority(a.Source))
	if c == 0 {
		switch s.Order {
		case Latest:
			c = a.age(&b.Candidate)
		case Earliest:
			c = b.age(&a.Candidate)
		default:
			c = a.rank(&b.Candidate)
		}
	}
	return cmp.Or(c, a.Persona.Compare(b.Persona))
}

func (s *Survivorship) priority(source string) int {
	if i := slices.Index(s.Sources, source); i >= 0 {
		return i
	}
	return len(s.Sources)
}

// takenBack holds the best null of each source and name.
type takenBack map[[2]string]Candidate

func (tb takenBack) add(source string, t *Trait) {
	if t.Taken.IsZero() {
		return
	}
	key := [2]string{source, t.Name}
	if best, found := tb[key]; !found || t.Taken.rank(&best) > 0 {
		tb[key] = t.Taken
	}
}

func (tb takenBack) has(source, name string, c *Candidate) bool {
	for len(tb) > 0 {
		if null, found := tb[[2]string{source, name}]; found && null.rank(c) > 0 {
			return true
		}
		dot := lastDot(name)
		if dot < 0 {
			break
		}
		name = name[:dot]
	}
	return false
}

// Known is an identifier of a profile, over all its personas.
type Known struct {
	Identifier
	Confirmed bool     // said by a server key, or nothing but public keys says who the person is
	Sources   []string // sorted
	Personas  []schema.ProfileID
}

// Identifiers lists the identifiers of a profile by kind and normal form, each once.
func Identifiers(states []*State) []Known {
	unquestioned := believed(states)
	states = slices.Clone(states)
	slices.SortFunc(states, func(a, b *State) int { return a.ID.Compare(b.ID) })
	var out []Known
	for _, s := range states {
		_, confirmed := slices.BinarySearchFunc(unquestioned, s.ID, func(b *State, id schema.ProfileID) int { return b.ID.Compare(id) })
		for i := range s.Identifiers {
			id := &s.Identifiers[i]
			at, found := slices.BinarySearchFunc(out, id, func(k Known, id *Identifier) int { return k.compare(id) })
			if !found {
				out = slices.Insert(out, at, Known{Identifier: *id})
			}
			k := &out[at]
			one := State{Identifiers: []Identifier{k.Identifier}}
			one.identifier(id)
			k.Identifier = one.Identifiers[0]
			k.Confirmed = k.Confirmed || confirmed
			k.Personas = append(k.Personas, s.ID)
			if j, found := slices.BinarySearch(k.Sources, s.Source); !found {
				k.Sources = slices.Insert(k.Sources, j, s.Source)
			}
		}
	}
	return out
}
