package segment

import (
	"slices"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// Evaluator evaluates segments of a set for one person after another. It keeps what does not depend on the person, so it costs a fraction of Set.Evaluate and
// finds the same. It is not safe for concurrent use.
type Evaluator struct {
	run    evaluation
	inputs map[string]Inputs
}

// Inputs are what the answer of a segment depends on, beside time.
type Inputs struct {
	Types  []schema.Type // of events, sorted
	Person bool          // traits, identifiers, consents, worth, suppressions or hold-outs
	Care   bool          // what was said and what became of it: conversations, cases, answers, readings
}

// Change is what changed of a person since an evaluation.
type Change struct {
	Types  []schema.Type // of events that came, or went
	Person bool
	Care   bool
}

// touches says whether a change may change the answer.
func (i *Inputs) touches(c *Change) bool {
	if c.Person && i.Person || c.Care && i.Care {
		return true
	}
	for _, t := range c.Types {
		if slices.Contains(i.Types, t) {
			return true
		}
	}
	return false
}

// NewEvaluator makes one for a set, which must not change any more.
func NewEvaluator(s Set) *Evaluator {
	e := &Evaluator{run: evaluation{set: s, calendars: map[*time.Location]*calendar{}, shared: map[string]bool{}, named: map[string]Outcome{}}, inputs: map[string]Inputs{}}
	for _, name := range s.Names() {
		for _, other := range s[name].References() {
			e.run.shared[other] = true
		}
		e.inputs[name] = s.Inputs(s[name])
	}
	return e
}

// Inputs collects what a segment depends on, itself or by the segments that it names.
func (s Set) Inputs(of *Segment) (in Inputs) {
	event := func(f *Filter) {
		if f.kind >= kindsOfCare {
			in.Care = true
		} else {
			in.Types = append(in.Types, f.kind)
		}
	}
	s.whole(of, func(n *Node) {
		switch {
		case n.event() != nil:
			event(&n.event().Filter)
		case n.Sequence != nil:
			event(n.Sequence.First)
			event(n.Sequence.Then)
		case n.List != nil:
			in.Types = append(in.Types, schema.TypeListJoined, schema.TypeListLeft)
		case n.Trait != nil, n.Identifier != nil, n.Consent != nil, n.Score != nil, n.HoldOut != nil, n.Suppressed != nil:
			in.Person = true
		}
	})
	slices.Sort(in.Types)
	in.Types = slices.Compact(in.Types)
	return in
}

// Evaluate evaluates segments for a person at now; the outcomes stand in their order. before, if it is not nil, has what was found of the same segments at an earlier
// moment, and change what became different of the person since: a segment whose inputs are the same, and whose time has not come, is not evaluated again.
func (e *Evaluator) Evaluate(of []*Segment, p *Person, now schema.Instant, before []Outcome, change Change) []Outcome {
	r := &e.run
	r.begin(p, now)
	out := make([]Outcome, len(of))
	for i, one := range of {
		if before != nil && (before[i].Next == 0 || before[i].Next > now) {
			if in, known := e.inputs[one.Name]; known && !in.touches(&change) {
				out[i] = before[i]
				continue
			}
		}
		out[i] = r.once(one)
	}
	r.person = nil
	return out
}

// begin takes up another person.
func (e *evaluation) begin(p *Person, now schema.Instant) {
	e.person, e.now, e.next = p, now, 0
	for i := range e.kinds {
		clear(e.kinds[i].list)
	}
	for i := range e.picked {
		clear(e.picked[i].list)
	}
	e.kinds, e.picked, e.added = e.kinds[:0], e.picked[:0], e.added[:0]
	clear(e.named)
	for _, c := range e.calendars {
		c.at(now)
	}
}

// in gives the calendar of a zone, at now.
func (e *evaluation) in(zone *time.Location) *calendar {
	c := e.calendars[zone]
	if c == nil {
		c = newCalendar(zone)
		if e.calendars == nil {
			e.calendars = map[*time.Location]*calendar{}
		}
		e.calendars[zone] = c
	}
	c.at(e.now)
	return c
}

// kindFacts are the facts of a type until now, in order; versions of an entity are one.
type kindFacts struct {
	kind   schema.Type
	list   []*Fact
	future schema.Instant // the first that is not in the past yet; 0 is none
}

// pickedFacts are those of a filter, with its fields (whole) or by type and channels alone.
type pickedFacts struct {
	key   string
	whole bool
	list  []*Fact
}

// addedFacts are the numbers of a filter's facts that a sum adds up.
type addedFacts struct {
	filter, field, currency string
	list                    []addend
}

type addend struct {
	fact *Fact
	n    int64
}

// of gives the facts of a type.
func (e *evaluation) of(kind schema.Type) []*Fact {
	for i := range e.kinds {
		if k := &e.kinds[i]; k.kind == kind {
			if k.future != 0 {
				e.at(k.future)
			}
			return k.list
		}
	}
	k := kindFacts{kind: kind}
	if n := len(e.kinds); n < cap(e.kinds) { // its list may be used again
		k.list = e.kinds[:n+1][n].list[:0]
	}
	sorted, entity := true, IsEntity(kind)
	for _, f := range e.person.Events {
		if f.Type != kind {
			continue
		}
		if f.At > e.now {
			if k.future == 0 || f.At < k.future {
				k.future = f.At
			}
			continue
		}
		sorted = sorted && (len(k.list) == 0 || k.list[len(k.list)-1].before(f))
		k.list = append(k.list, f)
	}
	if !sorted {
		slices.SortFunc(k.list, compareFacts)
	}
	if entity {
		k.list = versions(k.list)
	}
	e.kinds = append(e.kinds, k)
	if k.future != 0 {
		e.at(k.future)
	}
	return k.list
}

// picks are the facts of a filter: with its fields, or by type and channels alone.
func (e *evaluation) picks(f *Filter, whole bool) []*Fact {
	list := e.of(f.kind) // noted in any case: what is in the future has its instant
	if len(f.Channels) == 0 && (!whole || len(f.Where) == 0) {
		return list
	}
	if f.timed { // its fields depend on now, and have instants
		var out []*Fact
		for _, x := range list {
			if f.has(x) && (!whole || f.matches(e, x)) {
				out = append(out, x)
			}
		}
		return out
	}
	for i := range e.picked {
		if p := &e.picked[i]; p.whole == whole && p.key == f.key {
			return p.list
		}
	}
	p := pickedFacts{key: f.key, whole: whole}
	if n := len(e.picked); n < cap(e.picked) {
		p.list = e.picked[:n+1][n].list[:0]
	}
	for _, x := range list {
		if f.has(x) && (!whole || f.matches(e, x)) {
			p.list = append(p.list, x)
		}
	}
	e.picked = append(e.picked, p)
	return p.list
}

// addends are the numbers of facts of a filter, in their order; what is no number is left out.
func (e *evaluation) addends(f *Filter, s *Sum, list []*Fact, keep bool) []addend {
	if keep {
		for i := range e.added {
			if a := &e.added[i]; a.filter == f.key && a.field == s.Field && a.currency == s.Currency {
				return a.list
			}
		}
	}
	a := addedFacts{filter: f.key, field: s.Field, currency: s.Currency}
	for _, x := range list {
		if s.Currency != "" && x.text("currency") != s.Currency {
			continue
		}
		if n, ok := NumberOf(x.text(s.Field)); ok {
			a.list = append(a.list, addend{x, n})
		}
	}
	if keep {
		e.added = append(e.added, a)
	}
	return a.list
}

// since is where those of sorted facts begin that occurred at an instant or later.
func since(list []*Fact, at schema.Instant) int {
	low, high := 0, len(list)
	for low < high {
		if mid := (low + high) / 2; list[mid].At < at {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// leaving notes when the first of sorted facts leaves a window. Of those that are out of it by two days or more time says nothing any more.
func (e *evaluation) leaving(w Window, list []*Fact) {
	for _, x := range list[since(list, e.zone.start(w)-2*86_400_000_000):] {
		if t := e.zone.leaves(w, x.At); t > e.now {
			e.at(t)
			return
		}
	}
}
