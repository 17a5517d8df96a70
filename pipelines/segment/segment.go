package segment

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// Limits of a definition. What is past them is refused.
const (
	MaxBytes  = 256 << 10
	MaxNodes  = 500 // conditions and groups of one segment
	MaxDepth  = 12  // levels of groups
	MaxValues = 1_000
	MaxText   = 500  // bytes of a pattern or a value
	MaxDays   = 3660 // of a window
)

// Segment describes people. Where says who is in, Exclude who is out all the same.
type Segment struct {
	Name        string `json:"-"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Owner       string `json:"owner,omitempty"`
	Zone        string `json:"zone,omitempty"` // IANA time zone of its days; "" is UTC
	Archived    bool   `json:"archived,omitempty"`
	Where       *Node  `json:"where"`
	Exclude     *Node  `json:"exclude,omitempty"`

	Version string          `json:"-"` // hex SHA-256 of the definition
	Source  json.RawMessage `json:"-"` // the definition as it was read, canonical
	zone    *time.Location
}

// Node is a group or one condition: exactly one member is set.
type Node struct {
	All []*Node `json:"all,omitempty"`
	Any []*Node `json:"any,omitempty"`
	Not *Node   `json:"not,omitempty"`

	Trait      *Trait      `json:"trait,omitempty"`
	Identifier *Identifier `json:"identifier,omitempty"`
	Consent    *Consent    `json:"consent,omitempty"`
	Event      *Event      `json:"event,omitempty"`
	Sequence   *Sequence   `json:"sequence,omitempty"`
	List       *List       `json:"list,omitempty"`

	// What was said and what became of it: as Event, without a type, and with the fields of their kind.
	Conversation *Event `json:"conversation,omitempty"`
	Case         *Event `json:"case,omitempty"`
	Satisfaction *Event `json:"satisfaction,omitempty"` // an answer to a survey
	Verbatim     *Event `json:"verbatim,omitempty"`     // what was read in a text

	Score      *Score   `json:"score,omitempty"`
	Segment    string   `json:"segment,omitempty"` // the name of another one
	Bucket     *Bucket  `json:"bucket,omitempty"`
	HoldOut    *HoldOut `json:"holdOut,omitempty"`
	Suppressed *bool    `json:"suppressed,omitempty"` // whether the person is on the suppression list
}

// Trait compares a trait of the golden record.
type Trait struct {
	Name string `json:"name"`
	Test
	Source string `json:"source,omitempty"` // with is and in: what this source said, whether or not it survives
	Unseen bool   `json:"unseen,omitempty"` // the name is right although nobody has the trait yet
}

// Test is an operator with what it compares to.
type Test struct {
	Op     string `json:"op"`
	Value  Value  `json:"value,omitzero"`
	Values Values `json:"values,omitempty"`

	pattern *regexp.Regexp
	number  int64
	instant schema.Instant
	window  Window
}

// Value is a text, a number or a truth, as text.
type Value struct {
	Text string
	Set  bool
}

// IsZero says whether nothing was given.
func (v Value) IsZero() bool { return !v.Set }

// UnmarshalJSON takes a text, a number or a truth.
func (v *Value) UnmarshalJSON(b []byte) error {
	v.Set = true
	switch {
	case len(b) > 0 && b[0] == '"':
		return json.Unmarshal(b, &v.Text)
	case len(b) > 0 && (b[0] == '[' || b[0] == '{'), string(b) == "null":
		return errors.New("a value is a text, a number, true or false; several stand in values")
	}
	v.Text = string(b)
	return nil
}

// MarshalJSON writes a text.
func (v Value) MarshalJSON() ([]byte, error) { return json.Marshal(v.Text) }

// Values are several.
type Values []Value

// Identifier asks for an identifier of a kind.
type Identifier struct {
	Kind string `json:"kind"`
}

// Consent asks whether somebody may be contacted now, for a purpose, on one channel or on any.
type Consent struct {
	Purpose string `json:"purpose"`
	Channel string `json:"channel,omitempty"`
	State   string `json:"state,omitempty"` // allowed (also ""), refused
}

// Filter chooses events.
type Filter struct {
	Type     string   `json:"type,omitempty"`
	Channels []string `json:"channels,omitempty"`
	Where    []*Field `json:"where,omitempty"`

	kind  schema.Type
	key   string // the same for filters that choose the same
	timed bool   // a field depends on now
}

// Field compares a field of an event: source, channel, actor, name, entity, conversation, case, language, currency, ratingScale, amount, rating, or properties.NAME.
type Field struct {
	Name string `json:"field"`
	Test

	sort fieldSort
}

// Event counts events, or looks at one of them.
type Event struct {
	Filter
	Which      string `json:"which,omitempty"`      // first or last: only that one of its type and channels is looked at
	Within     string `json:"within,omitempty"`     // such as 30d, 12h, today
	From       string `json:"from,omitempty"`       // RFC 3339, or a day
	To         string `json:"to,omitempty"`         // exclusive
	StoppedFor string `json:"stoppedFor,omitempty"` // there were some, and none for so long
	Count      *Range `json:"count,omitempty"`      // absent: at least 1
	By         string `json:"by,omitempty"`         // with count and atLeast: a field; so many events have one and the same value of it
	Sum        *Sum   `json:"sum,omitempty"`

	within, stopped *Window
	from, to        schema.Instant
}

// Range is a number with bounds; both are inclusive.
type Range struct {
	AtLeast *json.Number `json:"atLeast,omitempty"`
	AtMost  *json.Number `json:"atMost,omitempty"`

	low, high *int64
}

// Sum adds up a field of the events.
type Sum struct {
	Field    string `json:"field"`              // amount, rating, or properties.NAME
	Currency string `json:"currency,omitempty"` // of amounts
	Range
}

// Sequence is an event that is followed by another, or is not.
type Sequence struct {
	First  *Filter `json:"first"`
	Then   *Filter `json:"then"`
	Absent bool    `json:"absent,omitempty"` // the second did not come
	Within string  `json:"within,omitempty"` // of the second, after the first; days have 24 hours here
	In     string  `json:"in,omitempty"`     // of the first, before now
	Same   string  `json:"same,omitempty"`   // both have the same entity, conversation or case

	within, in *Window
}

// Score compares what somebody is worth by the value snapshot in force.
type Score struct {
	Measure string `json:"measure"` // recency, frequency, monetary (1 to 5), alive (0 to 1), lifetime
	Range
}

// List asks whether somebody is in a list that was sent: what the last of list.joined and list.left says.
type List struct {
	Name string `json:"name"`

	since schema.Instant // when the list was replaced last: what came before it does not count
}

// Bucket chooses people by lot, always the same: those whose number, 0 to 99, is at least From and below To.
type Bucket struct {
	Salt string `json:"salt"`
	From int    `json:"from"`
	To   int    `json:"to"`
}

// HoldOut chooses who is kept out of a test: a part of the people by lot. What was drawn is recorded when it first matters, and stays, whatever merges:
// of several draws for one person the earliest counts.
type HoldOut struct {
	Name    string `json:"name"`
	Percent int    `json:"percent"`
}

// Window is a stretch of time that ends now.
type Window struct {
	N    int
	Unit byte // d: calendar days; h, m: hours and minutes
}

// Parse reads and validates one definition. zones finds time zones (time.LoadLocation is one). What is wrong is a *schema.Refusal.
func Parse(name string, text []byte, zones func(string) (*time.Location, error)) (*Segment, error) {
	if !isName(name) {
		return nil, refuse(fmt.Sprintf("the name %q is no word of a-z, 0-9, - and _, of 1 to 64", clip(name)), "rename it, such as at-risk-champions")
	}
	if len(text) > MaxBytes {
		return nil, refuse(fmt.Sprintf("%s: the definition has %d bytes", name, len(text)), "keep it under 256 KiB; a long list of values is better a trait")
	}
	document, err := canonical.Parse(text, canonical.Limits{Depth: 64})
	if err != nil {
		return nil, err
	}
	s := &Segment{Name: name, Source: document.Root().AppendCanonical(nil, nil)}
	document.Release()
	decoder := json.NewDecoder(bytes.NewReader(s.Source))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(s); err != nil {
		return nil, refuse(name+": "+unknownMember(err), "see deploy/segments.md")
	}
	sum := sha256.Sum256(s.Source)
	s.Version = hex.EncodeToString(sum[:])
	s.zone = time.UTC
	if s.Zone != "" {
		zone, err := zones(s.Zone)
		if err != nil || s.Zone == "Local" {
			return nil, refuse(fmt.Sprintf("%s: there is no time zone %q", name, clip(s.Zone)), "use an IANA name such as Europe/Paris")
		}
		s.zone = zone
	}
	v := validator{segment: name}
	if s.Where == nil {
		return nil, refuse(name+": where is missing or empty", "say who is in: where: {trait: {name: city, op: is, value: Paris}}")
	}
	v.node("where", s.Where, 1)
	if s.Exclude != nil {
		v.node("exclude", s.Exclude, 1)
	}
	if v.err != nil {
		return nil, v.err
	}
	return s, nil
}

func refuse(reason, hint string) error { return schema.Refuse("segment_invalid", reason, hint) }

// unknownMember names the nearest known member of a typing error.
func unknownMember(err error) string {
	text := strings.TrimPrefix(err.Error(), "json: ")
	if name, is := strings.CutPrefix(text, "unknown field "); is {
		return "there is no member " + name + nearest(strings.Trim(name, `"`), members)
	}
	return text
}

var members = []string{
	"title", "description", "owner", "zone", "archived", "where", "exclude", "all", "any", "not", "trait", "identifier", "consent", "event", "sequence", "score", "segment",
	"bucket", "list", "conversation", "case", "satisfaction", "verbatim", "holdOut", "percent", "suppressed", "name", "op", "value", "values", "source", "unseen", "kind", "purpose", "channel", "state", "type", "channels", "field", "which", "within", "from", "to",
	"stoppedFor", "count", "by", "sum", "atLeast", "atMost", "currency", "first", "then", "absent", "in", "same", "measure", "salt", "since", "basis", "note",
}

func isName(name string) bool {
	return len(name) > 0 && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

func clip(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}

// Set is segments that may name each other, by name.
type Set map[string]*Segment

// Check refuses a set in which a segment names one that is not there, or itself, however far round.
func (s Set) Check() error {
	state := map[string]int{} // 1: on the way; 2: done
	var visit func(name string, path []string) error
	visit = func(name string, path []string) error {
		if state[name] == 2 {
			return nil
		}
		path = append(path, name)
		if state[name] == 1 {
			return refuse("segments name each other in a circle: "+strings.Join(path[slices.Index(path, name):], " → "), "take one of these conditions out")
		}
		state[name] = 1
		for _, other := range s[name].References() {
			if s[other] == nil {
				return refuse(fmt.Sprintf("%s: there is no segment %q%s", name, other, nearest(other, s.Names())), "name one that there is")
			}
			if err := visit(other, path); err != nil {
				return err
			}
		}
		state[name] = 2
		return nil
	}
	for _, name := range s.Names() {
		if err := visit(name, nil); err != nil {
			return err
		}
	}
	// What is inlined must stay of a size that an engine takes.
	for _, name := range s.Names() {
		if n := s.size(s[name]); n > 10*MaxNodes {
			return refuse(fmt.Sprintf("%s has %d conditions with those of the segments that it names", name, n), "name fewer")
		}
	}
	return nil
}

func (s Set) size(of *Segment) int {
	n := 0
	of.each(func(x *Node) {
		if n++; x.Segment != "" && s[x.Segment] != nil && n <= 10*MaxNodes {
			n += s.size(s[x.Segment])
		}
	})
	return n
}

// Names lists the segments, sorted.
func (s Set) Names() []string {
	names := make([]string, 0, len(s))
	for name := range s {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Live are those that are not archived, sorted by name.
func (s Set) Live() []*Segment {
	var out []*Segment
	for _, name := range s.Names() {
		if !s[name].Archived {
			out = append(out, s[name])
		}
	}
	return out
}

// References are the segments that this one names, sorted, each once.
func (s *Segment) References() []string {
	var out []string
	s.each(func(n *Node) {
		if n.Segment != "" {
			out = append(out, n.Segment)
		}
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// Traits are the names of the traits that the segment compares, without those marked unseen; sorted, each once.
func (s *Segment) Traits() []string {
	var out []string
	s.each(func(n *Node) {
		if n.Trait != nil && !n.Trait.Unseen {
			out = append(out, n.Trait.Name)
		}
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// CheckTraits refuses a trait that nobody has: most likely it is a typing error.
func (s *Segment) CheckTraits(known []string) error {
	for _, name := range s.Traits() {
		if !slices.Contains(known, name) {
			return refuse(fmt.Sprintf("%s: nobody has a trait %q%s", s.Name, clip(name), nearest(name, known)), "correct the name, or say unseen: true in the condition if it will come")
		}
	}
	return nil
}

// Location is the time zone of its days.
func (s *Segment) Location() *time.Location { return s.zone }

// each calls f for every node.
func (s *Segment) each(f func(*Node)) {
	var walk func(n *Node)
	walk = func(n *Node) {
		if n == nil {
			return
		}
		f(n)
		for _, x := range n.All {
			walk(x)
		}
		for _, x := range n.Any {
			walk(x)
		}
		walk(n.Not)
	}
	walk(s.Where)
	walk(s.Exclude)
}
