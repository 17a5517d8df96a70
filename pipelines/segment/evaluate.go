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
	e := &evaluation{set: s, person: p, now: now}
	member := e.segment(of)
	return Outcome{member, e.next}
}

type evaluation struct {
	set    Set
	person *Person
	now    schema.Instant
	zone   *calendar
	next   schema.Instant
	kinds  []kindFacts
	picked []pickedFacts
	added  []addedFacts
	leaf   func(n *Node, met bool, found string, by []schema.EventID)
	named  map[string]Outcome // of segments that others name and that were evaluated already; nil is none
	shared map[string]bool    // those that others name
	assume *bool              // of every hold-out; nil is what was drawn

	calendars map[*time.Location]*calendar
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
	if e.shared[s.Name] {
		e.named[s.Name] = o
	}
	return o
}

func (e *evaluation) segment(s *Segment) bool {
	before := e.zone
	e.zone = e.in(s.zone)
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
	case n.event() != nil:
		return e.event(n.event())
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
	case n.List != nil:
		return e.list(n.List)
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
		e := &evaluation{set: s, person: p, now: now, assume: &held}
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
		return k.Time <= e.now && k.Time >= e.zone.start(t.window), k.Text
	case "olderThan":
		if !k.HasTime {
			return false, k.Text
		}
		e.crossing(t.window, k.Time)
		return k.Time < e.zone.start(t.window), k.Text
	case "anniversaryWithin":
		if !k.HasTime {
			return false, k.Text
		}
		e.at(nextDay(e.now, e.zone.zone))
		return slices.Contains(e.zone.anniversaries(t.window), k.Text[5:10]), k.Text
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
	e.at(e.zone.leaves(w, t))
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

// compareFacts orders facts by time, then by the text of their ids.
func compareFacts(f, g *Fact) int {
	switch {
	case f.before(g):
		return -1
	case g.before(f):
		return 1
	}
	return 0
}

type entity struct{ source, name string }

// manyVersions is how many facts make a table of entities cheaper than comparing each with the others.
const manyVersions = 24

// versions makes one fact of those of an entity: the latest, at the time of the first. It uses facts, which are sorted, for the result.
func versions(facts []*Fact) []*Fact {
	var first map[entity]schema.Instant
	var latest map[entity]*Fact
	of := func(f *Fact) entity { return entity{f.Texts[factSource], f.Texts[factEntity]} }
	if len(facts) > manyVersions {
		first, latest = map[entity]schema.Instant{}, map[entity]*Fact{}
		for _, f := range facts {
			if k := of(f); k.name != "" {
				if _, known := first[k]; !known {
					first[k] = f.At
				}
				latest[k] = f
			}
		}
	}
	span := func(i int) (began schema.Instant, last bool) {
		f := facts[i]
		k := of(f)
		if first != nil {
			return first[k], latest[k] == f
		}
		began = f.At
		for j, g := range facts {
			if j != i && g.Texts[factEntity] == k.name && g.Texts[factSource] == k.source {
				if j > i {
					return 0, false
				}
				began = min(began, g.At)
			}
		}
		return began, true
	}
	var out []*Fact // nil as long as nothing has two versions
	moved := false
	for i, f := range facts {
		if f.Texts[factEntity] != "" {
			began, last := span(i)
			if !last || began != f.At {
				if out == nil {
					out = append(make([]*Fact, 0, len(facts)), facts[:i]...)
				}
				if !last {
					continue
				}
				version := *f
				version.At = began
				f, moved = &version, true
			}
		}
		if out != nil {
			out = append(out, f)
		}
	}
	if out == nil {
		return facts
	}
	if moved {
		slices.SortFunc(out, compareFacts)
	}
	return out
}

// has says whether a fact is of the filter's channels.
func (f *Filter) has(x *Fact) bool {
	return len(f.Channels) == 0 || slices.Contains(f.Channels, x.Texts[factChannel])
}

// matches says whether the fields of a fact are as asked for.
func (f *Filter) matches(e *evaluation, x *Fact) bool {
	for _, field := range f.Where {
		if !field.met(e, x) {
			return false
		}
	}
	return true
}

func (e *evaluation) event(c *Event) (met bool, found string, by []schema.EventID) {
	explain := e.leaf != nil
	var list []*Fact
	if c.Which == "" {
		list = e.picks(&c.Filter, true)
	} else if picks := e.picks(&c.Filter, false); len(picks) > 0 {
		if c.Which == "first" {
			list = picks[:1]
		} else {
			list = picks[len(picks)-1:]
		}
		if !c.matches(e, list[0]) {
			list = nil
		}
	}
	if c.stopped != nil {
		if len(list) == 0 {
			return false, "0", nil
		}
		last := list[len(list)-1]
		e.at(e.zone.leaves(*c.stopped, last.At))
		return last.At < e.zone.start(*c.stopped), last.At.String(), []schema.EventID{last.ID}
	}
	whole := list
	if c.within != nil {
		e.leaving(*c.within, list)
		list = list[since(list, e.zone.start(*c.within)):]
	}
	if c.From != "" {
		list = list[since(list, c.from):]
	}
	if c.To != "" {
		list = list[:since(list, c.to)]
	}
	switch {
	case c.Sum != nil:
		var all []addend
		if c.Which == "" && !c.timed {
			all = e.addends(&c.Filter, c.Sum, whole, true)
		} else {
			all = e.addends(&c.Filter, c.Sum, list, false)
		}
		var sum wide
		for _, a := range all {
			if len(list) > 0 && !a.fact.before(list[0]) && !list[len(list)-1].before(a.fact) {
				if sum.add(a.n); explain {
					by = append(by, a.fact.ID)
				}
			}
		}
		low, high := c.Sum.low, c.Sum.high
		met = (low == nil || sum.compare(*low) >= 0) && (high == nil || sum.compare(*high) <= 0)
		if explain {
			found = bigText(sum.big())
		}
		return met, found, by
	case c.By != "":
		groups := map[string]int{}
		most, best := 0, ""
		for _, x := range list {
			group := x.text(c.By)
			if group == "" {
				continue
			}
			if groups[group]++; groups[group] > most {
				most, best = groups[group], group
			}
		}
		if explain && most > 0 {
			for _, x := range list {
				if x.text(c.By) == best {
					by = append(by, x.ID)
				}
			}
		}
		n := int64(most) * million
		return c.Count.holds(n), decimalText(n), by
	}
	n := int64(len(list)) * million
	if explain {
		found = decimalText(n)
		for _, x := range list {
			by = append(by, x.ID)
		}
	}
	if c.Count != nil {
		return c.Count.holds(n), found, by
	}
	return n > 0, found, by
}

func (e *evaluation) sequence(s *Sequence) (met bool, found string, by []schema.EventID) {
	firsts, thens := e.picks(s.First, true), e.picks(s.Then, true)
	if s.in != nil {
		e.leaving(*s.in, firsts)
		firsts = firsts[since(firsts, e.zone.start(*s.in)):]
	}
	for _, a := range firsts {
		var followed *Fact
		for _, b := range thens[since(thens, a.At):] {
			if s.within != nil && b.At > a.At+s.within.length() {
				break
			}
			if !a.before(b) || s.Same != "" && (a.text(s.Same) == "" || a.text(s.Same) != b.text(s.Same)) {
				continue
			}
			followed = b
			break
		}
		if !s.Absent {
			if followed != nil && !met {
				met, by = true, []schema.EventID{a.ID, followed.ID}
				break
			}
			continue
		}
		if s.within != nil {
			e.at(a.At + s.within.length())
			if a.At+s.within.length() > e.now {
				break // so have those after it
			}
		}
		if followed == nil && !met {
			met, by = true, []schema.EventID{a.ID}
		}
	}
	return met, decimalText(int64(len(firsts)) * million), by
}

// list says whether somebody is in a list: what was said of it last, since it was replaced last, counts.
func (e *evaluation) list(l *List) (met bool, found string, by []schema.EventID) {
	var last *Fact
	for _, kind := range [...]schema.Type{schema.TypeListJoined, schema.TypeListLeft} {
		for _, f := range e.of(kind) {
			if f.Texts[factName] == l.Name && f.At >= l.since && (last == nil || last.before(f)) {
				last = f
			}
		}
	}
	if last == nil {
		return false, "", nil
	}
	return last.Type == schema.TypeListJoined, "", []schema.EventID{last.ID}
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
	e := &evaluation{set: s, person: p, now: now}
	e.zone = e.in(of.zone)
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
		if f.kind >= kindsOfCare {
			return // CareNeeds
		}
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
			case x.List != nil:
				n.Types[schema.TypeListJoined], n.Types[schema.TypeListLeft] = 0, 0
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
