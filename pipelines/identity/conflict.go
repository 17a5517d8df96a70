package identity

// Conflict says which constraint on unique kinds and limits keeps two people, given as the personas of each, from being one; "" if none does. A kind
// that yields to a full name (KindRule.UnlessNamed) is none here: whoever asks has weighed the names.
func Conflict(rules *Rules, a, b []*Persona) Reason {
	if !mayConflict(rules, a, b) {
		return ""
	}
	r := &Region{rules: rules, nodes: append(append(make([]*Persona, 0, len(a)+len(b)), a...), b...), holds: make([]Hold, len(a)+len(b))}
	s := r.resolver()
	for n := 1; n < len(a); n++ {
		s.join(joint{a: 0, b: int32(n)})
	}
	for n := 1; n < len(b); n++ {
		s.join(joint{a: int32(len(a)), b: int32(len(a) + n)})
	}
	return conflict(&s.comps[s.find(0)], &s.comps[s.find(int32(len(a)))], func() bool { return true })
}

// mayConflict is the cheap half of Conflict: whether there are values enough to conflict in.
func mayConflict(rules *Rules, a, b []*Persona) bool {
	count := func(of []*Persona, kind string) (n int) {
		for _, p := range of {
			start, end := p.span(kind)
			n += end - start
		}
		return n
	}
	for kind, i := range rules.byKind {
		rule := &rules.Kinds[i]
		strict := rule.Unique && !rule.UnlessNamed
		if !strict && rule.Limit == 0 {
			continue
		}
		m, n := count(a, kind), count(b, kind)
		if m > 0 && n > 0 && (strict || m+n > rule.Limit) {
			return true
		}
	}
	return false
}
