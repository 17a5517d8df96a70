package identity

import (
	"slices"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute"
	models "github.com/dossier-cdp/dossier/pipelines/identity/match"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/state"
)

// Who would be one person under a model if separations had not been said: the index takes what would be other cores, decides the parts that they are in, and writes
// nothing. It costs what a commit of as many cores costs.

// separationsAround notes the separations of all personas whom the exact strata, or weights, tie to a profile.
func (v *View) separationsAround(w *without, p *Profile) error {
	any := false
	err := v.snapshot.Scan([]byte{'a'}, []byte{'a' + 1}, func(_, _ []byte) error {
		any = true
		return state.ErrStop
	})
	if err != nil || !any {
		return err
	}
	members := make([]identity.NodeID, len(p.Members))
	for i := range p.Members {
		members[i] = p.Members[i].ID
	}
	if _, err := identity.Expand(w, v.graph.rules, members); err != nil {
		return err
	}
	cores, err := v.cores(p.ID)
	if err != nil {
		return err
	}
	together, err := v.placed().Together(cores[0])
	if err != nil {
		return err
	}
	for _, core := range together {
		members, err := v.coreMembers(core)
		if err != nil {
			return err
		}
		for _, m := range members {
			if _, err := w.Assertions(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// supposed is what the exact strata would make of personas under a graph that says something else.
type supposed struct {
	view    *View
	graph   identity.Graph
	members map[identity.NodeID][]identity.NodeID // of cores that would be others; nil: the core would not be
	core    map[identity.NodeID]identity.NodeID   // of the personas that were looked at
}

func (s *supposed) place(id identity.NodeID) (identity.NodeID, error) {
	if core, found := s.core[id]; found {
		return core, nil
	}
	at, err := s.view.graph.place(id)
	return at.profile, err
}

func (s *supposed) of(core identity.NodeID) ([]identity.NodeID, error) {
	if members, found := s.members[core]; found {
		return members, nil
	}
	return s.view.coreMembers(core)
}

// resolve asks the exact strata about a persona, and lists the cores that may be others than in the view.
func (s *supposed) resolve(id identity.NodeID) (stirred []identity.NodeID, err error) {
	if _, done := s.core[id]; done {
		return nil, nil
	}
	r, err := identity.Expand(s.graph, s.view.graph.rules, []identity.NodeID{id})
	if err != nil {
		return nil, err
	}
	partition := r.Resolve()
	if err := r.Err(); err != nil {
		return nil, err
	}
	for i := range partition.Profiles {
		x := &partition.Profiles[i]
		for _, m := range x.Members {
			was, err := s.view.graph.place(m)
			if err != nil {
				return nil, err
			}
			if !was.profile.IsZero() {
				if _, told := s.members[was.profile]; !told {
					s.members[was.profile] = nil
				}
				stirred = append(stirred, was.profile)
			}
			s.core[m] = x.ID
		}
		if x.Quarantined() == identity.Free {
			s.members[x.ID] = x.Members
			stirred = append(stirred, x.ID)
		}
	}
	return stirred, nil
}

// reweighed lists who would be in a profile under w and the model, its own members too.
func (v *View) reweighed(w *without, p *Profile) (out []identity.NodeID, err error) {
	v.weighing()
	s := &supposed{view: v, graph: w, members: map[identity.NodeID][]identity.NodeID{}, core: map[identity.NodeID]identity.NodeID{}}
	world := &below{graph: v.graph, members: s.of, said: w.Assertions, place: s.place}
	x := models.NewIndex(v.weights.scale, &weighedRows{graph: v.graph}, world)
	attributes := func(id identity.NodeID) (*attribute.Attributes, error) { return readSaid(v.graph, id) }
	asked := map[schema.EventID]bool{}
	for again := true; again; {
		again = false
		var stirred []identity.NodeID
		ask := func(id identity.NodeID) error {
			more, err := s.resolve(id)
			stirred = append(stirred, more...)
			return err
		}
		if len(asked) == 0 {
			for i := range p.Members {
				if err := ask(p.Members[i].ID); err != nil {
					return nil, err
				}
			}
		}
		// Deciding meets separations of others, which are not said either.
		for _, id := range w.noted() {
			if a := w.said[id]; !asked[id] {
				asked[id], again = true, true
				for _, end := range []identity.NodeID{a.A, a.B} {
					if err := ask(end); err != nil {
						return nil, err
					}
				}
			}
		}
		slices.SortFunc(stirred, identity.NodeID.Compare)
		for _, core := range slices.Compact(stirred) {
			is, asserted, err := world.weighed(core, attributes)
			if err != nil {
				return nil, err
			}
			if len(is.Records) == 0 {
				err = x.Remove(core)
			} else {
				err = x.Put(is, asserted)
			}
			if err != nil {
				return nil, err
			}
		}
		if _, err := x.Resolve(); err != nil {
			return nil, err
		}
	}
	seen := map[identity.NodeID]bool{}
	for i := range p.Members {
		core, err := s.place(p.Members[i].ID)
		if err != nil {
			return nil, err
		}
		cores, err := x.Cores(core)
		if err != nil {
			return nil, err
		}
		for _, core := range cores {
			if seen[core] {
				continue
			}
			seen[core] = true
			members, err := s.of(core)
			if err != nil {
				return nil, err
			}
			out = append(out, members...)
		}
	}
	return out, nil
}

// noted lists the separations that were met, sorted.
func (w *without) noted() []schema.EventID {
	out := make([]schema.EventID, 0, len(w.said))
	for id := range w.said {
		out = append(out, id)
	}
	slices.SortFunc(out, schema.EventID.Compare)
	return out
}
