package control

import (
	"maps"
	"slices"

	"github.com/dossier-cdp/dossier/schema"
)

// rights is what people asked for: to be forgotten, to be left alone; and what forbids it.
type rights struct {
	erased      []Erased
	honoured    []Honoured
	holds       []Hold
	suppressed  map[schema.PersonaID]bool
	identifiers map[string]bool // hashes
	traces      map[string]bool // hashes, as dead letters list them
	suppressing []Suppressed
}

// Erased is one decision to erase. The decisions of a workspace are numbered from 1 in the order of the log.
type Erased struct {
	ID, Actor, Reason string
	At                schema.Instant // RecordedAt
	Personas          []schema.PersonaEpoch
	CutOff            schema.Instant
	Traces            []string
	Held              map[string]int64
	Expired           []schema.ExpiredYear      // of a decision about retention
	Regulation        *schema.ControlRegulation // nil: it was asked for alone
	Number            int
	Through           int // how many of Erasures there are up to and with this one's
}

// Honoured is a store's word that it holds nothing of the erased any more.
type Honoured struct {
	schema.ControlHonoured
	At schema.Instant // RecordedAt
}

// Hold forbids to erase personas.
type Hold struct {
	ID, Actor, Reason string
	At                schema.Instant // RecordedAt
	Personas          []schema.PersonaEpoch
}

// Suppressed is one decision to suppress somebody, or no longer to.
type Suppressed struct {
	ID, Actor, Reason string
	At                schema.Instant // RecordedAt
	Ended             bool           // it withdraws
	schema.ControlSuppression
	Regulation *schema.ControlRegulation
}

func (r rights) clone() rights {
	return rights{
		slices.Clone(r.erased), slices.Clone(r.honoured), slices.Clone(r.holds), maps.Clone(r.suppressed), maps.Clone(r.identifiers), maps.Clone(r.traces),
		slices.Clone(r.suppressing),
	}
}

// erase folds a decision to erase, after which there are so many erasures of personas.
func (r *rights) erase(c *schema.Control, at schema.Instant, through int) {
	r.erased = append(r.erased, Erased{
		ID: c.ID, Actor: c.Actor, Reason: c.Reason, At: at, Personas: epochs(c.Erasure.Personas), CutOff: c.Erasure.CutOff, Traces: c.Erasure.Traces,
		Held: c.Erasure.Held, Expired: c.Erasure.Expired, Regulation: c.Regulation, Number: len(r.erased) + 1, Through: through,
	})
}

// epochs reads the personas that a record names. What is no id names nobody.
func epochs(named []schema.ErasedPersona) []schema.PersonaEpoch {
	var out []schema.PersonaEpoch
	for _, p := range named {
		if id, err := schema.ParsePersonaID(p.Persona); err == nil {
			out = append(out, schema.PersonaEpoch{Persona: id, Epoch: p.Epoch})
		}
	}
	return out
}

func (r *rights) apply(c *schema.Control, at schema.Instant) {
	switch c.Kind {
	case schema.ControlErasureHonoured:
		// Of one store the latest word counts for all before it; the first one that covered a decision says when.
		r.honoured = append(r.honoured, Honoured{*c.Honoured, at})
	case schema.ControlHoldPlaced:
		r.holds = append(r.holds, Hold{c.Hold.ID, c.Actor, c.Reason, at, epochs(c.Hold.Personas)})
	case schema.ControlHoldLifted:
		r.holds = slices.DeleteFunc(r.holds, func(h Hold) bool { return h.ID == c.Hold.ID })
	case schema.ControlSuppressed, schema.ControlUnsuppressed:
		ended := c.Kind == schema.ControlUnsuppressed
		r.suppressing = append(r.suppressing, Suppressed{c.ID, c.Actor, c.Reason, at, ended, *c.Suppression, c.Regulation})
		if r.suppressed == nil {
			r.suppressed, r.identifiers, r.traces = map[schema.PersonaID]bool{}, map[string]bool{}, map[string]bool{}
		}
		for _, text := range c.Suppression.Personas {
			id, err := schema.ParsePersonaID(text)
			switch {
			case err != nil:
			case ended:
				delete(r.suppressed, id)
			default:
				r.suppressed[id] = true
			}
		}
		for set, hashes := range map[*map[string]bool][]string{&r.identifiers: c.Suppression.Identifiers, &r.traces: c.Suppression.Traces} {
			for _, hash := range hashes {
				if ended {
					delete(*set, hash)
				} else {
					(*set)[hash] = true
				}
			}
		}
	}
}

// Erased lists the decisions to erase of a workspace, in the order of the log. What they hold is read-only.
func (s *State) Erased(workspace string) []Erased {
	if w := s.workspaces[workspace]; w != nil {
		return slices.Clone(w.rights.erased)
	}
	return nil
}

// Honoured lists what the stores of a workspace have said, in the order of the log.
func (s *State) Honoured(workspace string) []Honoured {
	if w := s.workspaces[workspace]; w != nil {
		return slices.Clone(w.rights.honoured)
	}
	return nil
}

// HonouredBy is up to which decision to erase a store has said that it holds nothing any more; 0 if it has said nothing.
func (s *State) HonouredBy(workspace, role, store string) (through int) {
	if w := s.workspaces[workspace]; w != nil {
		for i := range w.rights.honoured {
			if h := &w.rights.honoured[i]; h.Role == role && h.Store == store {
				through = max(through, h.Through)
			}
		}
	}
	return through
}

// Holds lists the holds of a workspace that are not lifted, oldest first.
func (s *State) Holds(workspace string) []Hold {
	if w := s.workspaces[workspace]; w != nil {
		return slices.Clone(w.rights.holds)
	}
	return nil
}

// Suppressions lists the decisions to suppress of a workspace, and their withdrawals, in the order of the log.
func (s *State) Suppressions(workspace string) []Suppressed {
	if w := s.workspaces[workspace]; w != nil {
		return slices.Clone(w.rights.suppressing)
	}
	return nil
}

// SuppressedTrace says whether one of the hashes that a dead letter lists is of somebody who is suppressed.
func (s *State) SuppressedTrace(workspace string, hashes []string) bool {
	w := s.workspaces[workspace]
	return w != nil && len(w.rights.traces) > 0 && slices.ContainsFunc(hashes, func(hash string) bool { return w.rights.traces[hash] })
}

// Suppressed says whether a persona, or whoever has an identifier with one of the hashes, is suppressed. hashes is called only where somebody is.
func (s *State) Suppressed(workspace string, persona schema.PersonaID, hashes func(yield func(hash string) bool)) bool {
	w := s.workspaces[workspace]
	if w == nil || len(w.rights.suppressed) == 0 && len(w.rights.identifiers) == 0 {
		return false
	}
	if w.rights.suppressed[persona] {
		return true
	}
	if len(w.rights.identifiers) == 0 {
		return false
	}
	for hash := range hashes {
		if w.rights.identifiers[hash] {
			return true
		}
	}
	return false
}
