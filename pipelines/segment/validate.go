package segment

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dossier-cdp/dossier/schema"
)

// The operators, by what they compare. Without a value: exists, missing, everHad (any of values, or value).
var (
	textOps   = []string{"is", "isNot", "in", "notIn", "contains", "startsWith", "endsWith", "matches"}
	numberOps = []string{"above", "atLeast", "below", "atMost"}
	timeOps   = []string{"before", "after", "within", "olderThan", "anniversaryWithin"}
	otherOps  = []string{"exists", "missing"}
	traitOps  = slices.Concat(textOps, numberOps, timeOps, otherOps, []string{"everHad"})
	fieldOps  = slices.Concat(textOps, numberOps, otherOps)
	amountOps = slices.Concat(numberOps, otherOps)
)

// fields of events that are texts; amount and rating are numbers, and properties.NAME is either.
var textFields = []string{"source", "channel", "actor", "name", "entity", "conversation", "case", "language", "currency", "ratingScale"}

var fieldNames = append(slices.Clone(textFields), "amount", "rating", "properties.NAME")

// measures of worth.
var measures = []string{"recency", "frequency", "monetary", "alive", "lifetime"}

type validator struct {
	segment string
	nodes   int
	err     error // the first
}

func (v *validator) fail(where, reason, hint string) {
	if v.err == nil {
		v.err = refuse(v.segment+", "+where+": "+reason, hint)
	}
}

func (v *validator) node(where string, n *Node, depth int) {
	if v.err != nil {
		return
	}
	if n == nil {
		v.fail(where, "is empty", "write one condition")
		return
	}
	if v.nodes++; v.nodes > MaxNodes {
		v.fail(where, fmt.Sprintf("there are more than %d conditions", MaxNodes), "put a long list of values into one condition with op in, or split the segment")
		return
	}
	if depth > MaxDepth {
		v.fail(where, fmt.Sprintf("groups are nested more than %d levels deep", MaxDepth), "name a part as a segment of its own")
		return
	}
	set := 0
	for _, is := range []bool{n.All != nil, n.Any != nil, n.Not != nil, n.Trait != nil, n.Identifier != nil, n.Consent != nil, n.Event != nil, n.Sequence != nil, n.Score != nil, n.Segment != "", n.Bucket != nil, n.HoldOut != nil, n.Suppressed != nil, n.List != nil, n.Conversation != nil, n.Case != nil, n.Satisfaction != nil, n.Verbatim != nil} {
		if is {
			set++
		}
	}
	if set != 1 {
		v.fail(where, fmt.Sprintf("has %d conditions", set), "write exactly one of all, any, not, trait, identifier, consent, event, sequence, conversation, case, satisfaction, verbatim, list, score, segment, bucket, holdOut, suppressed")
		return
	}
	switch {
	case n.All != nil:
		v.group(where+".all", n.All, depth)
	case n.Any != nil:
		v.group(where+".any", n.Any, depth)
	case n.Not != nil:
		v.node(where+".not", n.Not, depth+1)
	case n.Trait != nil:
		v.trait(where+".trait", n.Trait)
	case n.Identifier != nil:
		if k := n.Identifier.Kind; k == "" || len(k) > 100 {
			v.fail(where+".identifier", "has no kind", "say kind: email")
		}
	case n.Consent != nil:
		v.consent(where+".consent", n.Consent)
	case n.Event != nil:
		v.event(where+".event", n.Event, 0)
	case n.Conversation != nil:
		v.event(where+".conversation", n.Conversation, kindConversation)
	case n.Case != nil:
		v.event(where+".case", n.Case, kindCase)
	case n.Satisfaction != nil:
		v.event(where+".satisfaction", n.Satisfaction, kindAnswer)
	case n.Verbatim != nil:
		v.event(where+".verbatim", n.Verbatim, kindText)
	case n.List != nil:
		if !isName(n.List.Name) {
			v.fail(where+".list", fmt.Sprintf("%q is no name of a list", clip(n.List.Name)), "write {name: partners}: one of the section lists of the configuration")
		}
	case n.Sequence != nil:
		v.sequence(where+".sequence", n.Sequence)
	case n.Score != nil:
		if !slices.Contains(measures, n.Score.Measure) {
			v.fail(where+".score", fmt.Sprintf("there is no measure %q%s", clip(n.Score.Measure), nearest(n.Score.Measure, measures)), "use one of "+strings.Join(measures, ", "))
		}
		v.bounds(where+".score", &n.Score.Range, true, false)
	case n.Segment != "":
		if !isName(n.Segment) {
			v.fail(where+".segment", fmt.Sprintf("%q is no name of a segment", clip(n.Segment)), "name one that there is")
		}
	case n.Bucket != nil:
		if b := n.Bucket; b.From < 0 || b.To > 100 || b.From >= b.To || b.Salt == "" || len(b.Salt) > 100 {
			v.fail(where+".bucket", "is not a salt with from and to within 0 to 100", "write {salt: spring, from: 0, to: 10} for a tenth")
		}
	case n.HoldOut != nil:
		if h := n.HoldOut; !isName(h.Name) || h.Percent < 1 || h.Percent > 99 {
			v.fail(where+".holdOut", "is not a name with a percent of 1 to 99", "write {name: spring, percent: 10} for a tenth")
		}
	}
}

func (v *validator) group(where string, nodes []*Node, depth int) {
	if len(nodes) == 0 {
		v.fail(where, "is an empty group", "add a condition, or take the group out")
	}
	for i, n := range nodes {
		v.node(fmt.Sprintf("%s[%d]", where, i), n, depth+1)
	}
}

func (v *validator) consent(where string, c *Consent) {
	if c.Purpose == "" || len(c.Purpose) > 100 {
		v.fail(where, "has no purpose", "say purpose: marketing")
	}
	if c.Channel != "" {
		if _, ok := schema.ParseChannel(c.Channel); !ok {
			v.fail(where, "there is no channel "+strconv.Quote(clip(c.Channel))+nearest(c.Channel, channelNames()), "use one of "+strings.Join(channelNames(), ", "))
		}
	}
	if c.State != "" && c.State != "allowed" && c.State != "refused" {
		v.fail(where, fmt.Sprintf("there is no state %q%s", clip(c.State), nearest(c.State, []string{"allowed", "refused"})), "use allowed or refused")
	}
}

func channelNames() []string {
	var out []string
	for _, c := range schema.Channels() {
		out = append(out, c.String())
	}
	return out
}

func typeNames() []string {
	var out []string
	for _, t := range schema.Types() {
		out = append(out, t.String())
	}
	return out
}

func (v *validator) trait(where string, t *Trait) {
	if t.Name == "" || len(t.Name) > MaxText || !utf8.ValidString(t.Name) || strings.ContainsRune(t.Name, 0) {
		v.fail(where, "has no name", "name a trait, such as city")
		return
	}
	v.test(where+" "+t.Name, &t.Test, traitOps, true)
	if t.Source != "" && t.Op != "is" && t.Op != "in" {
		v.fail(where+" "+t.Name, "source goes with op is or in alone", "leave source out")
	}
}

// test checks an operator and reads what it compares to.
func (v *validator) test(where string, t *Test, ops []string, folded bool) {
	if !slices.Contains(ops, t.Op) {
		v.fail(where, fmt.Sprintf("there is no operator %q%s here", clip(t.Op), nearest(t.Op, ops)), "use one of "+strings.Join(ops, ", "))
		return
	}
	several := t.Op == "in" || t.Op == "notIn" || t.Op == "everHad"
	none := t.Op == "exists" || t.Op == "missing"
	switch {
	case none && (t.Value.Set || t.Values != nil):
		v.fail(where, t.Op+" takes no value", "leave it out")
	case several && len(t.Values) == 0 && t.Value.Set:
		t.Values, t.Value = Values{t.Value}, Value{}
	case several && (len(t.Values) == 0 || t.Value.Set):
		v.fail(where, t.Op+" takes values", "write values: [a, b]")
	case !several && !none && (!t.Value.Set || t.Values != nil):
		v.fail(where, t.Op+" takes one value", "write value: something")
	}
	if len(t.Values) > MaxValues {
		v.fail(where, fmt.Sprintf("has %d values", len(t.Values)), fmt.Sprintf("give at most %d", MaxValues))
	}
	for _, x := range append(slices.Clone(t.Values), t.Value) {
		if len(x.Text) > MaxText || !utf8.ValidString(x.Text) || strings.ContainsRune(x.Text, 0) {
			v.fail(where, "a value is too long, or no text", fmt.Sprintf("give at most %d bytes", MaxText))
		}
	}
	if v.err != nil {
		return
	}
	var ok bool
	switch {
	case slices.Contains(numberOps, t.Op):
		if t.number, ok = NumberOf(t.Value.Text); !ok {
			v.fail(where, fmt.Sprintf("%s compares numbers, and %q is none", t.Op, clip(t.Value.Text)), "write a plain number of at most 12 digits, such as 100 or 12.5")
		}
	case t.Op == "before" || t.Op == "after":
		if t.instant, ok = TimeOf(t.Value.Text); !ok {
			v.fail(where, fmt.Sprintf("%s compares times, and %q is none", t.Op, clip(t.Value.Text)), "write 2026-02-28 or 2026-02-28T09:30:00Z")
		}
	case slices.Contains(timeOps, t.Op):
		w := v.window(where, t.Value.Text)
		if w != nil {
			t.window = *w
			if t.Op == "anniversaryWithin" && (w.Unit != 'd' || w.N > 366) {
				v.fail(where, "an anniversary is within 0d to 366d", "write 7d")
			}
		}
	case t.Op == "matches":
		pattern, err := regexp.Compile("(?s)" + fold(t.Value.Text, folded))
		if err != nil {
			v.fail(where, "the pattern cannot be read: "+strings.TrimPrefix(err.Error(), "error parsing regexp: "), "write RE2 syntax, such as ^par")
			return
		}
		t.pattern = pattern
	}
	t.Value.Text = fold(t.Value.Text, folded)
	for i := range t.Values {
		t.Values[i].Text = fold(t.Values[i].Text, folded)
	}
}

func fold(s string, folded bool) string {
	if folded {
		return strings.ToLower(s)
	}
	return s
}

// window reads 30d, 2w, 12h, 45m or today. "" is nil.
func (v *validator) window(where, text string) *Window {
	if text == "" {
		return nil
	}
	w, reason := ParseWindow(text)
	if reason != "" {
		v.fail(where, fmt.Sprintf("%q %s", clip(text), reason), "write 30d, 2w, 12h, 45m or today; at most ten years")
		return nil
	}
	return &w
}

// ParseWindow reads a stretch of time; reason says why it is none.
func ParseWindow(text string) (w Window, reason string) {
	if text == "today" {
		return Window{0, 'd'}, ""
	}
	if len(text) < 2 {
		return w, "is no stretch of time"
	}
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	if err != nil || text[0] == '+' {
		return w, "is no stretch of time"
	}
	days := n
	switch unit := text[len(text)-1]; unit {
	case 'd':
		w = Window{int(n), 'd'}
	case 'w':
		days = 7 * n
		w = Window{int(days), 'd'}
	case 'h':
		days = n / 24
		w = Window{int(n), 'h'}
	case 'm':
		days = n / (24 * 60)
		w = Window{int(n), 'm'}
	default:
		return w, "is no stretch of time"
	}
	if days > MaxDays {
		return w, "is longer than ten years"
	}
	if w.N == 0 && w.Unit != 'd' {
		return w, "is no time at all"
	}
	return w, ""
}

func (v *validator) filter(where string, f *Filter, care schema.Type) {
	if f == nil {
		v.fail(where, "is missing", "say type: order.placed")
		return
	}
	k := careOf(care)
	if k == nil {
		var ok bool
		if f.kind, ok = schema.ParseType(f.Type); !ok {
			v.fail(where, fmt.Sprintf("there is no event type %q%s", clip(f.Type), nearest(f.Type, typeNames())), "use one of those that deploy/events.md lists; a custom name is track.performed with a field name")
		}
	} else if f.kind = care; f.Type != "" {
		v.fail(where, "type goes with event alone", "leave it out")
	}
	defer func() { f.key = keyOf(f) }()
	for _, c := range f.Channels {
		if _, ok := schema.ParseChannel(c); !ok {
			v.fail(where, "there is no channel "+strconv.Quote(clip(c))+nearest(c, channelNames()), "use one of "+strings.Join(channelNames(), ", "))
		}
	}
	if len(f.Where) > 20 {
		v.fail(where, "has more than 20 fields", "say less")
	}
	for i, field := range f.Where {
		at := fmt.Sprintf("%s.where[%d]", where, i)
		if field == nil {
			v.fail(at, "is empty", "write {field: amount, op: atLeast, value: 100}")
			return
		}
		ops := fieldOps
		switch path, is := strings.CutPrefix(field.Name, "properties."); {
		case k != nil:
			known := k.field(field.Name)
			if known == nil {
				v.fail(at, fmt.Sprintf("a %s has no field %q%s", k.name, clip(field.Name), nearest(field.Name, k.names())), "use one of "+strings.Join(k.names(), ", "))
				return
			}
			if field.sort = known.sort; known.sort == oneNumber {
				ops = amountOps
			} else if ops = slices.Concat(textOps, otherOps); known.words != nil {
				ops = slices.Concat([]string{"is", "isNot", "in", "notIn"}, otherOps)
			}
			f.timed = f.timed || known.sort == deadline
			v.words(at+" "+field.Name, &field.Test, known.words)
		case is:
			if !isPath(path) {
				v.fail(at, "has no name of a property", "write properties.NAME")
			}
		case field.Name == "amount" || field.Name == "rating":
			ops = amountOps
		case !slices.Contains(textFields, field.Name):
			v.fail(at, fmt.Sprintf("events have no field %q%s", clip(field.Name), nearest(field.Name, fieldNames)), "use one of "+strings.Join(fieldNames, ", "))
			return
		}
		v.test(at+" "+field.Name, &field.Test, ops, false)
	}
}

// words refuses a value that a field never has: most likely it is a typing error.
func (v *validator) words(where string, t *Test, words []string) {
	if words == nil {
		return
	}
	for _, x := range append(slices.Clone(t.Values), t.Value) {
		if x.Set && !slices.Contains(words, x.Text) {
			v.fail(where, fmt.Sprintf("it is never %q%s", clip(x.Text), nearest(x.Text, words)), "use one of "+strings.Join(words, ", "))
		}
	}
}

// keyOf is the same text for filters that choose the same.
func keyOf(f *Filter) string {
	text, err := json.Marshal(struct {
		Kind     schema.Type
		Channels []string
		Where    []*Field
	}{f.kind, f.Channels, f.Where})
	if err != nil {
		return fmt.Sprintf("%p", f) // Unreachable: it was read from JSON
	}
	return string(text)
}

func isPath(path string) bool {
	if path == "" || len(path) > 200 || !utf8.ValidString(path) || strings.ContainsRune(path, 0) {
		return false
	}
	parts := strings.Split(path, ".")
	return len(parts) <= 5 && !slices.Contains(parts, "")
}

func (v *validator) event(where string, e *Event, care schema.Type) {
	v.filter(where, &e.Filter, care)
	if e.Which != "" && e.Which != "first" && e.Which != "last" {
		v.fail(where, fmt.Sprintf("which is first or last, not %q", clip(e.Which)), "leave it out for all")
	}
	e.within, e.stopped = v.window(where+".within", e.Within), v.window(where+".stoppedFor", e.StoppedFor)
	for _, x := range []struct {
		text string
		to   *schema.Instant
	}{{e.From, &e.from}, {e.To, &e.to}} {
		if x.text == "" {
			continue
		}
		at, ok := TimeOf(x.text)
		if !ok || at == 0 {
			v.fail(where, fmt.Sprintf("%q is no time", clip(x.text)), "write 2026-02-28 or 2026-02-28T09:30:00Z")
		}
		*x.to = at
	}
	if e.Within != "" && (e.From != "" || e.To != "") {
		v.fail(where, "has within beside from or to", "use one of them")
	}
	if e.stopped != nil && (e.Within != "" || e.From != "" || e.To != "" || e.Which != "" || e.Count != nil || e.Sum != nil) {
		v.fail(where, "stoppedFor stands beside another measure", "use it alone, with type, channels and where")
	}
	if e.Count != nil && e.Sum != nil {
		v.fail(where, "has count and sum", "write two conditions")
	}
	if e.Count != nil {
		v.bounds(where+".count", e.Count, false, true)
	}
	if k := careOf(care); k != nil && e.By != "" {
		if field := k.field(e.By); field == nil || field.sort != oneText {
			v.fail(where+".by", fmt.Sprintf("a %s has no field %q of one text%s", k.name, clip(e.By), nearest(e.By, k.names())), "use one such as theme or channel")
		}
	} else if e.By != "" {
		if path, is := strings.CutPrefix(e.By, "properties."); !(is && isPath(path)) && !slices.Contains(textFields, e.By) {
			v.fail(where+".by", fmt.Sprintf("events have no field %q%s", clip(e.By), nearest(e.By, fieldNames)), "use one of "+strings.Join(textFields, ", ")+", properties.NAME")
		}
	}
	if e.By != "" {
		if v.err == nil && (e.Count == nil || e.Count.low == nil || *e.Count.low < million || e.Count.high != nil) {
			v.fail(where+".by", "goes with count and atLeast alone", "write count: {atLeast: 3}")
		}
	}
	if s := e.Sum; s != nil {
		switch path, is := strings.CutPrefix(s.Field, "properties."); {
		case careOf(care) != nil:
			k := careOf(care)
			if field := k.field(s.Field); field == nil || field.sort != oneNumber || s.Currency != "" {
				v.fail(where+".sum", fmt.Sprintf("a %s has no number %q%s", k.name, clip(s.Field), nearest(s.Field, k.names())), "add up a field that is a number, without a currency")
			}
		case is && isPath(path), s.Field == "rating":
			if s.Currency != "" {
				v.fail(where+".sum", "a currency goes with amount", "leave it out")
			}
		case s.Field == "amount":
			if len(s.Currency) != 3 {
				v.fail(where+".sum", "amounts of several currencies make no sum", "say currency: EUR")
			}
		default:
			v.fail(where+".sum", fmt.Sprintf("there is no number %q%s", clip(s.Field), nearest(s.Field, []string{"amount", "rating"})), "use amount, rating or properties.NAME")
		}
		v.bounds(where+".sum", &s.Range, true, false)
	}
}

func (v *validator) sequence(where string, s *Sequence) {
	v.filter(where+".first", s.First, 0)
	v.filter(where+".then", s.Then, 0)
	s.within, s.in = v.window(where+".within", s.Within), v.window(where+".in", s.In)
	if s.Same != "" && s.Same != "entity" && s.Same != "conversation" && s.Same != "case" {
		v.fail(where, fmt.Sprintf("same is entity, conversation or case, not %q", clip(s.Same)), "leave it out for any")
	}
}

// bounds reads a range: a count is whole and not negative.
func (v *validator) bounds(where string, r *Range, fractions, count bool) {
	read := func(n *json.Number) *int64 {
		if n == nil {
			return nil
		}
		x, ok := NumberOf(n.String())
		if !ok || count && (x < 0 || x%million != 0 || x > 1e6*million) || !fractions && x%million != 0 {
			v.fail(where, fmt.Sprintf("%q is no number here", clip(n.String())), "write a plain number; a count is whole")
			return nil
		}
		return &x
	}
	r.low, r.high = read(r.AtLeast), read(r.AtMost)
	if v.err == nil && r.low == nil && r.high == nil {
		v.fail(where, "has neither atLeast nor atMost", "write atLeast: 2")
	}
	if r.low != nil && r.high != nil && *r.low > *r.high {
		v.fail(where, "atLeast is more than atMost: nobody is in", "swap them")
	}
}

// nearest is a half sentence that names the nearest of the known names, if one is near.
func nearest(name string, known []string) string {
	best, at := "", len(name)/2+1
	if len(name) > 64 {
		return ""
	}
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < at && len(k) <= 64 {
			best, at = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// distance is Levenshtein's, with neighbours swapped counted as one (optimal string alignment).
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, now := rows[0], rows[1], rows[2]
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		rows[0], rows[1], rows[2] = last, now, before
	}
	return rows[1][len(b)]
}

// start is the first instant of a window that ends at now.
func (w Window) start(now schema.Instant, zone *time.Location) schema.Instant {
	switch w.Unit {
	case 'h':
		return now - schema.Instant(w.N)*3_600_000_000 + 1
	case 'm':
		return now - schema.Instant(w.N)*60_000_000 + 1
	}
	y, m, d := now.Time().In(zone).Date()
	return dayStart(y, m, d-w.N, zone)
}

// leaves is when an event that occurred at t is no longer in the window, as seen from now: an instant above now at which the answer may
// change, and before which it does not.
func (w Window) leaves(t, now schema.Instant, zone *time.Location) schema.Instant {
	switch w.Unit {
	case 'h':
		return t + schema.Instant(w.N)*3_600_000_000
	case 'm':
		return t + schema.Instant(w.N)*60_000_000
	}
	y, m, d := t.Time().In(zone).Date()
	if at := dayStart(y, m, d+w.N, zone); at > now { // where a day begins twice, the one before counts too
		return at
	}
	return dayStart(y, m, d+w.N+1, zone)
}

// length of a window whose days have 24 hours.
func (w Window) length() schema.Instant {
	switch w.Unit {
	case 'h':
		return schema.Instant(w.N) * 3_600_000_000
	case 'm':
		return schema.Instant(w.N) * 60_000_000
	}
	return schema.Instant(w.N) * 86_400_000_000
}

// Length is how long a window is, with days of 24 hours, in microseconds.
func (w Window) Length() schema.Instant { return w.length() }

// dayStart is the first instant of a day of the zone.
func dayStart(y int, m time.Month, d int, zone *time.Location) schema.Instant {
	t := time.Date(y, m, d, 0, 0, 0, 0, zone)
	want := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	// Where clocks skip midnight, the day begins later than the hour that Date falls back to.
	if _, _, day := t.Date(); day != want.Day() {
		t = t.Add(time.Hour)
	}
	return schema.InstantOf(t)
}

// nextDay is the first instant of the day after now.
func nextDay(now schema.Instant, zone *time.Location) schema.Instant {
	y, m, d := now.Time().In(zone).Date()
	return dayStart(y, m, d+1, zone)
}
