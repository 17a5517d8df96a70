package segment

import (
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// Outcome is what Evaluate finds.
type Outcome struct {
	Member bool
	// Next is the first instant after now at which time alone may change the answer; 0 if it cannot. Before it, the answer stays as long as
	// the facts do.
	Next schema.Instant
}

// Evaluate says whether a person is in a segment of the set at now.
func (s Set) Evaluate(of *Segment, p *Person, now schema.Instant) Outcome {
	e := &evaluation{set: s, person: p, now: now, facts: map[schema.Type][]*Fact{}}
	member := e.segment(of)
	return Outcome{member, e.next}
}

// EvaluateAll evaluates several segments over one reading of the person's facts; the outcomes stand in their order.
func (s Set) EvaluateAll(of []*Segment, p *Person, now schema.Instant) []Outcome {
	e := &evaluation{set: s, person: p, now: now, facts: map[schema.Type][]*Fact{}, named: map[string]Outcome{}}
	out := make([]Outcome, len(of))
	for i, one := range of {
		out[i] = e.once(one)
	}
	return out
}

type evaluation struct {
	set    Set
	person *Person
	now    schema.Instant
	zone   *time.Location
	next   schema.Instant
	facts  map[schema.Type][]*Fact // by type, until now, versions as one, in order
	leaf   func(n *Node, met bool, found string, by []schema.EventID)
	named  map[string]Outcome // of segments that were evaluated already; nil is none
	assume *bool              // of every hold-out; nil is what was drawn
}

// at notes an instant at which the answer may change.
func (e *evaluation) at(t schema.Instant) {
	if t > e.now && (e.next == 0 || t < e.next) {
		e.next = t
	}
}

// once evaluates a segment, or says again what was found of it.
func (e *evaluation) once(s *Segment) Outcome {
	if o, known := e.named[s.Name]; known {
		return o
	}
	before := e.next
	e.next = 0
	o := Outcome{Member: e.segment(s)}
	o.Next, e.next = e.next, before
	e.named[s.Name] = o
	return o
}

func (e *evaluation) segment(s *Segment) bool {
	before := e.zone
	e.zone = s.zone
	in := e.node(s.Where)
	if s.Exclude != nil { // evaluated in any case: it has instants of its own
		out := e.node(s.Exclude)
		in = in && !out
	}
	e.zone = before
	return in
}

// node evaluates every condition, also where the answer is known already: each has its instant.
func (e *evaluation) node(n *Node) bool {
	switch {
	case n.All != nil:
		met := true
		for _, x := range n.All {
			one := e.node(x)
			met = met && one
		}
		return met
	case n.Any != nil:
		met := false
		for _, x := range n.Any {
			one := e.node(x)
			met = met || one
		}
		return met
	case n.Not != nil:
		return !e.node(n.Not)
	case n.Segment != "":
		leaf := e.leaf
		e.leaf = nil
		met := false
		if of := e.set[n.Segment]; of != nil {
			if e.named != nil {
				o := e.once(of)
				e.at(o.Next)
				met = o.Member
			} else {
				met = e.segment(of)
			}
		}
		if e.leaf = leaf; leaf != nil {
			leaf(n, met, "", nil)
		}
		return met
	}
	met, found, by := e.condition(n)
	if e.leaf != nil {
		e.leaf(n, met, found, by)
	}
	return met
}

func (e *evaluation) condition(n *Node) (met bool, found string, by []schema.EventID) {
	switch {
	case n.Trait != nil:
		met, found = e.trait(n.Trait)
	case n.Identifier != nil:
		met = slices.Contains(e.person.Identifiers, n.Identifier.Kind)
	case n.Consent != nil:
		met = e.consent(n.Consent)
	case n.Event != nil:
		return e.event(n.Event)
	case n.Sequence != nil:
		return e.sequence(n.Sequence)
	case n.Score != nil:
		x, known := e.person.Worth.of(n.Score.Measure)
		if met = known && n.Score.holds(x); known {
			found = decimalText(x)
		}
	case n.Bucket != nil:
		b := BucketOf(n.Bucket.Salt, e.person.ID)
		met = b >= n.Bucket.From && b < n.Bucket.To
	case n.HoldOut != nil:
		met = e.held(n.HoldOut)
	case n.Suppressed != nil:
		met = e.person.Suppressed == *n.Suppressed
	}
	return met, found, nil
}

func (e *evaluation) held(h *HoldOut) bool {
	if e.assume != nil {
		return *e.assume
	}
	for _, d := range e.person.Drawn {
		if d.Name == h.Name {
			return d.Held
		}
	}
	return h.Draw(e.person.ID)
}

// holdOutSalt is before the name of a hold-out where lots are drawn.
const holdOutSalt = "hold-out "

// Draw says whether a person is held out, by lot.
func (h *HoldOut) Draw(id schema.ProfileID) bool { return BucketOf(holdOutSalt+h.Name, id) < h.Percent }

// whole calls f for every node of a segment and of those that it names.
func (s Set) whole(of *Segment, f func(n *Node)) {
	seen := map[string]bool{}
	var visit func(of *Segment)
	visit = func(of *Segment) {
		if of == nil || seen[of.Name] {
			return
		}
		seen[of.Name] = true
		of.each(func(n *Node) {
			if f(n); n.Segment != "" {
				visit(s[n.Segment])
			}
		})
	}
	visit(of)
}

// Scores says whether a segment asks for a score, itself or by the segments that it names.
func (s Set) Scores(of *Segment) (asks bool) {
	s.whole(of, func(n *Node) { asks = asks || n.Score != nil })
	return asks
}

// HoldOuts are the hold-outs that a segment asks for, itself or by the segments that it names; by name, each once.
func (s Set) HoldOuts(of *Segment) (out []*HoldOut) {
	s.whole(of, func(n *Node) {
		if n.HoldOut != nil {
			out = append(out, n.HoldOut)
		}
	})
	slices.SortStableFunc(out, func(a, b *HoldOut) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(out, func(a, b *HoldOut) bool { return a.Name == b.Name })
}

// Exposed says whether it depends on hold-outs alone that a person is in a segment, or out: then what was drawn is to be recorded.
func (s Set) Exposed(of *Segment, p *Person, now schema.Instant) bool {
	member := func(held bool) bool {
		e := &evaluation{set: s, person: p, now: now, facts: map[schema.Type][]*Fact{}, assume: &held}
		return e.segment(of)
	}
	return member(false) != member(true)
}

// BucketOf is a person's number, 0 to 99, under a salt.
func BucketOf(salt string, id schema.ProfileID) int {
	sum := sha256.Sum256([]byte(salt + "\n" + id.String()))
	return int(binary.LittleEndian.Uint32(sum[:4]) % 100)
}

// holds says whether a number in millionths is within the bounds.
func (r *Range) holds(x int64) bool {
	return (r.low == nil || x >= *r.low) && (r.high == nil || x <= *r.high)
}

func (e *evaluation) trait(t *Trait) (met bool, found string) {
	i, ok := slices.BinarySearchFunc(e.person.Traits, t.Name, func(k Known, name string) int { return strings.Compare(k.Name, name) })
	if !ok {
		return t.Op == "missing" || t.Op == "isNot" || t.Op == "notIn", ""
	}
	k := &e.person.Traits[i]
	if t.Source != "" {
		for _, said := range k.Had {
			if said.Source == t.Source && t.equal(said.Text) {
				return true, said.Text
			}
		}
		return false, ""
	}
	switch t.Op {
	case "everHad":
		for _, said := range k.Had {
			if t.equal(said.Text) {
				return true, said.Text
			}
		}
		return false, k.Text
	case "before":
		return k.HasTime && k.Time < t.instant, k.Text
	case "after":
		return k.HasTime && k.Time >= t.instant, k.Text
	case "within":
		if !k.HasTime {
			return false, k.Text
		}
		e.crossing(t.window, k.Time)
		return k.Time <= e.now && k.Time >= t.window.start(e.now, e.zone), k.Text
	case "olderThan":
		if !k.HasTime {
			return false, k.Text
		}
		e.crossing(t.window, k.Time)
		return k.Time < t.window.start(e.now, e.zone), k.Text
	case "anniversaryWithin":
		if !k.HasTime {
			return false, k.Text
		}
		e.at(nextDay(e.now, e.zone))
		return slices.Contains(anniversaries(t.window, e.now, e.zone), k.Text[5:10]), k.Text
	case "above", "atLeast", "below", "atMost":
		return k.HasNumber && t.compare(k.Number), k.Text
	}
	return t.holds(k.Text), k.Text
}

// anniversaries are the days, as MM-DD, from today on. Who was born on 29 February celebrates on the 28th in other years.
func anniversaries(w Window, now schema.Instant, zone *time.Location) (days []string) {
	y, m, d := now.Time().In(zone).Date()
	for i := range w.N + 1 {
		day := time.Date(y, m, d+i, 0, 0, 0, 0, time.UTC)
		days = append(days, day.Format("01-02"))
		if day.Month() == time.February && day.Day() == 28 && day.AddDate(0, 0, 1).Day() == 1 {
			days = append(days, "02-29")
		}
	}
	return days
}

// crossing notes when a moment enters or leaves a window.
func (e *evaluation) crossing(w Window, t schema.Instant) {
	e.at(t)
	e.at(w.leaves(t, e.now, e.zone))
}

// equal says whether a text is one of those asked for.
func (t *Test) equal(text string) bool {
	if t.Values == nil {
		return text == t.Value.Text
	}
	return slices.ContainsFunc(t.Values, func(v Value) bool { return v.Text == text })
}

// compare is a comparison of numbers.
func (t *Test) compare(x int64) bool {
	switch t.Op {
	case "above":
		return x > t.number
	case "atLeast":
		return x >= t.number
	case "below":
		return x < t.number
	}
	return x <= t.number
}

// holds is a comparison of texts; "" is missing.
func (t *Test) holds(text string) bool {
	switch t.Op {
	case "missing":
		return text == ""
	case "isNot", "notIn":
		return text == "" || !t.equal(text)
	}
	if text == "" {
		return false
	}
	switch t.Op {
	case "is", "in":
		return t.equal(text)
	case "contains":
		return strings.Contains(text, t.Value.Text)
	case "startsWith":
		return strings.HasPrefix(text, t.Value.Text)
	case "endsWith":
		return strings.HasSuffix(text, t.Value.Text)
	case "matches":
		return t.pattern.MatchString(text)
	case "exists":
		return true
	}
	x, ok := NumberOf(text)
	return ok && t.compare(x)
}

func (e *evaluation) consent(c *Consent) bool {
	list, met := e.person.Allowed, false
	if c.State == "refused" {
		list = e.person.Refused
	}
	for _, p := range list {
		if p.Purpose != c.Purpose || c.Channel != "" && p.Channel != c.Channel {
			continue
		}
		if p.Until != 0 {
			e.at(p.Until)
			if p.Until <= e.now {
				continue
			}
		}
		met = true
	}
	return met
}

// of gives the facts of a type until now, in order; versions of an entity are one.
func (e *evaluation) of(kind schema.Type) []*Fact {
	if known, ok := e.facts[kind]; ok {
		for _, f := range e.person.Events {
			if f.Type == kind {
				e.at(f.At) // what is in the future
			}
		}
		return known
	}
	var out []*Fact
	for _, f := range e.person.Events {
		if f.Type != kind {
			continue
		}
		if f.At > e.now {
			e.at(f.At)
			continue
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(f, g *Fact) int {
		switch {
		case f.before(g):
			return -1
		case g.before(f):
			return 1
		}
		return 0
	})
	if IsEntity(kind) {
		out = versions(out)
	}
	e.facts[kind] = out
	return out
}

// versions makes one fact of those of an entity: the latest, at the time of the first.
func versions(facts []*Fact) []*Fact {
	type entity struct{ source, entity string }
	first := map[entity]schema.Instant{}
	latest := map[entity]*Fact{}
	for _, f := range facts {
		if name := f.Texts[factEntity]; name != "" {
			k := entity{f.Texts[factSource], name}
			if _, known := first[k]; !known {
				first[k] = f.At
			}
			latest[k] = f
		}
	}
	var out []*Fact
	for _, f := range facts {
		if name := f.Texts[factEntity]; name != "" {
			k := entity{f.Texts[factSource], name}
			if latest[k] != f {
				continue
			}
			version := *f
			version.At = first[k]
			f = &version
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(f, g *Fact) int {
		if f.before(g) {
			return -1
		}
		return 1
	})
	return out
}

// picks are the facts of a filter's type and channels.
func (e *evaluation) picks(f *Filter) []*Fact {
	var out []*Fact
	for _, x := range e.of(f.kind) {
		if len(f.Channels) == 0 || slices.Contains(f.Channels, x.Texts[factChannel]) {
			out = append(out, x)
		}
	}
	return out
}

// matches says whether the fields of a fact are as asked for.
func (f *Filter) matches(x *Fact) bool {
	for _, field := range f.Where {
		if !field.holds(x.text(field.Name)) {
			return false
		}
	}
	return true
}

func (e *evaluation) event(c *Event) (met bool, found string, by []schema.EventID) {
	picks := e.picks(&c.Filter)
	switch {
	case c.Which == "first" && len(picks) > 0:
		picks = picks[:1]
	case c.Which == "last" && len(picks) > 0:
		picks = picks[len(picks)-1:]
	}
	count, sum := int64(0), new(big.Int)
	groups := map[string][]schema.EventID{}
	var last schema.Instant
	for _, x := range picks {
		if !c.matches(x) {
			continue
		}
		last = x.At
		if c.within != nil {
			e.at(c.within.leaves(x.At, e.now, e.zone))
			if x.At < c.within.start(e.now, e.zone) {
				continue
			}
		}
		if c.From != "" && x.At < c.from || c.To != "" && x.At >= c.to {
			continue
		}
		if c.Sum != nil {
			if c.Sum.Currency != "" && x.text("currency") != c.Sum.Currency {
				continue
			}
			n, ok := NumberOf(x.text(c.Sum.Field))
			if !ok {
				continue
			}
			sum.Add(sum, big.NewInt(n))
		}
		if c.By != "" {
			group := x.text(c.By)
			if group == "" {
				continue
			}
			groups[group] = append(groups[group], x.ID)
			if len(groups[group]) > len(by) {
				by = groups[group]
			}
			continue
		}
		count++
		by = append(by, x.ID)
	}
	switch {
	case c.By != "":
		n := int64(len(by)) * million
		return c.Count.holds(n), decimalText(n), by
	case c.stopped != nil:
		if count == 0 {
			return false, "0", nil
		}
		e.at(c.stopped.leaves(last, e.now, e.zone))
		return last < c.stopped.start(e.now, e.zone), last.String(), by[len(by)-1:]
	case c.Sum != nil:
		low, high := c.Sum.low, c.Sum.high
		met = (low == nil || sum.Cmp(big.NewInt(*low)) >= 0) && (high == nil || sum.Cmp(big.NewInt(*high)) <= 0)
		return met, bigText(sum), by
	case c.Count != nil:
		return c.Count.holds(count * million), decimalText(count * million), by
	}
	return count > 0, decimalText(count * million), by
}

func (e *evaluation) sequence(s *Sequence) (met bool, found string, by []schema.EventID) {
	firsts, thens := e.picks(s.First), e.picks(s.Then)
	seen := 0
	for _, a := range firsts {
		if !s.First.matches(a) {
			continue
		}
		if s.in != nil {
			e.at(s.in.leaves(a.At, e.now, e.zone))
			if a.At < s.in.start(e.now, e.zone) {
				continue
			}
		}
		seen++
		var followed *Fact
		for _, b := range thens {
			if !a.before(b) || !s.Then.matches(b) || s.within != nil && b.At > a.At+s.within.length() {
				continue
			}
			if s.Same != "" && (a.text(s.Same) == "" || a.text(s.Same) != b.text(s.Same)) {
				continue
			}
			followed = b
			break
		}
		if !s.Absent {
			if followed != nil && !met {
				met, by = true, []schema.EventID{a.ID, followed.ID}
			}
			continue
		}
		if s.within != nil {
			e.at(a.At + s.within.length())
			if a.At+s.within.length() > e.now {
				continue
			}
		}
		if followed == nil && !met {
			met, by = true, []schema.EventID{a.ID}
		}
	}
	return met, decimalText(int64(seen) * million), by
}

func decimalText(millionths int64) string { return bigText(big.NewInt(millionths)) }

func bigText(v *big.Int) string {
	sign, digits := "", v.String()
	if v.Sign() < 0 {
		sign, digits = "-", digits[1:]
	}
	if len(digits) <= 6 {
		digits = strings.Repeat("0", 7-len(digits)) + digits
	}
	return sign + strings.TrimSuffix(strings.TrimRight(digits[:len(digits)-6]+"."+digits[len(digits)-6:], "0"), ".")
}

// Reason is one condition of a segment with what was found of a person.
type Reason struct {
	Sentence string // in the language asked for
	Met      bool
	Found    string           // the value, the count or the sum; personal, if the trait is
	Events   []schema.EventID // those that make it
	Exclude  bool             // it is of the exclude group
}

// Explain evaluates every condition.
func (s Set) Explain(of *Segment, p *Person, now schema.Instant, language string) (Outcome, []Reason) {
	e := &evaluation{set: s, person: p, now: now, facts: map[schema.Type][]*Fact{}, zone: of.zone}
	var reasons []Reason
	exclude := false
	e.leaf = func(n *Node, met bool, found string, by []schema.EventID) {
		reasons = append(reasons, Reason{NodeSentence(n, language), met, found, by, exclude})
	}
	in := e.node(of.Where)
	if of.Exclude != nil {
		exclude = true
		in = !e.node(of.Exclude) && in
	}
	return Outcome{in, e.next}, reasons
}

// Needs are what a set asks of events.
type Needs struct {
	// Types has, for each type, for how long its events are needed: the longest window; 0 is for ever.
	Types map[schema.Type]schema.Instant
	Paths []string // of properties, sorted
}

// Needs collects what the live segments ask for, with those that they name.
func (s Set) Needs() Needs {
	n := Needs{Types: map[schema.Type]schema.Instant{}}
	need := func(f *Filter, w *Window) {
		keep := schema.Instant(0)
		if w != nil && !IsEntity(f.kind) { // an early version of an entity says when it began
			keep = w.length() + 3*86_400_000_000
		}
		if known, ok := n.Types[f.kind]; !ok || known != 0 && (keep == 0 || keep > known) {
			n.Types[f.kind] = keep
		}
		for _, field := range f.Where {
			if path, is := strings.CutPrefix(field.Name, "properties."); is {
				n.Paths = append(n.Paths, path)
			}
		}
	}
	seen := map[string]bool{}
	var visit func(of *Segment)
	visit = func(of *Segment) {
		if of == nil || seen[of.Name] {
			return
		}
		seen[of.Name] = true
		of.each(func(x *Node) {
			switch {
			case x.Event != nil:
				w := x.Event.within
				if x.Event.Which != "" {
					w = nil
				}
				need(&x.Event.Filter, w)
				if path, is := strings.CutPrefix(x.Event.By, "properties."); is {
					n.Paths = append(n.Paths, path)
				}
				if x.Event.Sum != nil {
					if path, is := strings.CutPrefix(x.Event.Sum.Field, "properties."); is {
						n.Paths = append(n.Paths, path)
					}
				}
			case x.Sequence != nil:
				need(x.Sequence.First, nil)
				need(x.Sequence.Then, nil)
			case x.Segment != "":
				visit(s[x.Segment])
			}
		})
	}
	for _, of := range s.Live() {
		visit(of)
	}
	slices.Sort(n.Paths)
	n.Paths = slices.Compact(n.Paths)
	return n
}
