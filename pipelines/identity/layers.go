package identity

import "slices"

// Who is who is decided in two layers. Server personas come first, by what server keys and people say. Then client personas are hung on
// to what stands, or grouped among themselves: they part and join no two server personas, whatever they carry and however many they are.

// reasonSettled keeps the profiles of server personas as they stand while client personas are hung on. Nobody is told: the first layer
// told why they are two.
const reasonSettled Reason = "settled"

// servers is the region as server keys and people make it. A client persona in it is no more than what decisions name.
func (r *Region) servers() *Region {
	out := *r
	out.hubs = r.served
	if r.clients > 0 {
		out.nodes = slices.Clone(r.nodes)
		blank := make([]Persona, 0, r.clients)
		for n, p := range r.nodes {
			if !p.served() {
				blank = append(blank, Persona{ID: p.ID, Of: p.Of, Source: p.Source, Trust: p.Trust})
				out.nodes[n] = &blank[len(blank)-1]
			}
		}
	}
	return &out
}

// hang makes the second layer on top of the first.
func (r *Region) hang(first *resolver) *resolver {
	s := r.resolver()
	s.separated, s.refusals = first.separated, slices.Clone(first.refusals)
	for _, j := range first.joints {
		a, b := s.find(j.a), s.find(j.b)
		if j.rule == RuleLink {
			j.overrides = conflict(&s.comps[a], &s.comps[b], func() bool { return false }) != ""
		}
		s.join(j)
	}
	s.hanging = true
	s.weighed()
	if !slices.ContainsFunc(s.holds, s.resolved) {
		return s
	}
	for i := range s.hubs {
		if s.ties(i) {
			s.alias(&s.hubs[i], s.resolved)
		}
	}
	s.client()
	s.unknown()
	// What client personas were refused makes no match between two who were there before them.
	s.refusals = append(first.refusals, slices.DeleteFunc(s.refusals[len(first.refusals):], func(r refusal) bool {
		return s.settled(s.find(r.a), s.find(r.b))
	})...)
	return s
}

// resolved says whether the layer resolves nodes of a hold in full.
func (s *resolver) resolved(h Hold) bool { return h == Free || h == Apart && !s.hanging }

// settled says whether the first layer has decided already about two components.
func (s *resolver) settled(a, b int32) bool {
	return s.hanging && s.comps[a].served && s.comps[b].served
}
