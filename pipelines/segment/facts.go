package segment

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// million is one, in the unit of numbers.
const million = 1_000_000

// Person is what one person is known by at a moment. Its slices are sorted as their comments say.
type Person struct {
	ID          schema.ProfileID
	Traits      []Known // by name
	Identifiers []string
	Allowed     []Permission
	Refused     []Permission
	Suppressed  bool    // is on the suppression list
	Drawn       []Drawn // what was recorded of hold-outs, by name
	Worth       *Worth  // nil: nothing is known
	Events      []*Fact // of all personas, in any order, each event once
}

// Drawn is what was recorded of a person in a hold-out.
type Drawn struct {
	Name string
	Held bool
}

// Known is one trait of the golden record.
type Known struct {
	Name      string
	Text      string // lower case
	Number    int64  // millionths
	Time      schema.Instant
	HasNumber bool
	HasTime   bool
	Had       []Said // the value that survives, and the others that are remembered
}

// Said is one value that a source gave.
type Said struct{ Source, Text string }

// Permission is that somebody may be contacted, or must not be, for a purpose on a channel.
type Permission struct {
	Purpose, Channel string
	Until            schema.Instant // of what is allowed; 0 is for ever
}

// Worth is what a person is worth by a value snapshot. Fractions are in millionths; Has says which of alive and lifetime is known.
type Worth struct {
	Recency, Frequency, Monetary int64 // 1 to 5; 0 is not known
	Alive, Lifetime              int64
	HasAlive, HasLifetime        bool
}

// of gives a measure in millionths.
func (w *Worth) of(measure string) (int64, bool) {
	if w == nil {
		return 0, false
	}
	switch measure {
	case "recency":
		return w.Recency * million, w.Recency > 0
	case "frequency":
		return w.Frequency * million, w.Frequency > 0
	case "monetary":
		return w.Monetary * million, w.Monetary > 0
	case "alive":
		return w.Alive, w.HasAlive
	}
	return w.Lifetime, w.HasLifetime
}

// Fact is one event as conditions see it.
type Fact struct {
	ID         schema.EventID
	At         schema.Instant
	Type       schema.Type
	Texts      [len(factTexts)]string // by factTexts
	Properties []Property             // those that some segment asks for, by path
}

// Property is a text, a number or a truth of an event's properties, as text.
type Property struct{ Path, Text string }

// factTexts are the fields of a Fact that are texts, and the columns that hold them.
var factTexts = [...]struct{ field, column string }{
	{"source", "source"}, {"channel", "channel"}, {"actor", "actor"}, {"name", "name"}, {"entity", "entity"}, {"conversation", "conversation"}, {"case", "case_id"},
	{"language", "language"}, {"currency", "currency"}, {"ratingScale", "rating_scale"}, {"amount", "amount"}, {"rating", "rating"},
}

const (
	factSource = iota
	factChannel
	factActor
	factName
	factEntity
)

func textIndex(field string) int {
	for i, t := range factTexts {
		if t.field == field {
			return i
		}
	}
	return -1
}

// FactOf makes a fact of an event, with the properties at some paths.
func FactOf(e *schema.Event, paths []string) *Fact {
	f := &Fact{ID: e.ID, At: e.OccurredAt, Type: e.Type, Texts: [len(factTexts)]string{
		e.Source, e.Channel.String(), e.Actor.String(), e.Name, e.Entity, e.Conversation, e.Case, e.Language, e.Currency, e.RatingScale, e.Amount, e.Rating,
	}}
	for i := range f.Texts {
		if i != factChannel && i != factActor { // words of the schema
			f.Texts[i] = strings.Clone(f.Texts[i])
		}
	}
	if len(paths) > 0 && len(e.Properties) > 0 {
		f.Properties = propertiesOf(e.Properties, paths)
	}
	return f
}

func propertiesOf(object []byte, paths []string) (out []Property) {
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.UseNumber()
	var whole any
	if decoder.Decode(&whole) != nil {
		return nil // Unreachable: an envelope holds canonical JSON
	}
	for _, path := range paths {
		at := whole
		for _, part := range strings.Split(path, ".") {
			members, is := at.(map[string]any)
			if !is {
				at = nil
				break
			}
			at = members[part]
		}
		text := ""
		switch x := at.(type) {
		case string:
			text = x
		case json.Number:
			text = x.String()
		case bool:
			text = "false"
			if x {
				text = "true"
			}
		}
		if text != "" {
			out = append(out, Property{path, text})
		}
	}
	return out
}

// text gives a field; "" is none.
func (f *Fact) text(field string) string {
	path, is := strings.CutPrefix(field, "properties.")
	if is || f.Type >= kindsOfCare {
		for i := range f.Properties {
			if f.Properties[i].Path == path {
				return f.Properties[i].Text
			}
		}
		return ""
	}
	return f.Texts[textIndex(field)]
}

// before orders facts by time, then by the text of their ids.
func (f *Fact) before(g *Fact) bool {
	return f.At < g.At || f.At == g.At && bytes.Compare(f.ID[:], g.ID[:]) < 0
}

// entityTypes are those whose events are versions of an entity: an order that is sent again, with another amount, is one order. The latest version
// counts, at the time of the first.
var entityTypes = []schema.Type{
	schema.TypeOrderPlaced, schema.TypeItemOrdered, schema.TypeOrderDelivered, schema.TypeSurveyAnswered, schema.TypeReviewPublished, schema.TypePaymentReceived,
}

// IsEntity says whether events of a type are versions of an entity.
func IsEntity(t schema.Type) bool { return slices.Contains(entityTypes, t) }

// NumberOf reads a plain decimal of at most twelve digits before the point, in millionths. Digits after the sixth are cut.
func NumberOf(text string) (int64, bool) {
	digits, negative := strings.CutPrefix(text, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if whole == "" || len(whole) > 12 || point && fraction == "" {
		return 0, false
	}
	n := int64(0)
	for _, c := range []byte(whole) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	for i := range len(fraction) {
		if fraction[i] < '0' || fraction[i] > '9' {
			return 0, false
		}
	}
	for i := range 6 {
		n *= 10
		if i < len(fraction) {
			n += int64(fraction[i] - '0')
		}
	}
	if negative {
		n = -n
	}
	return n, true
}

// TimeOf reads RFC 3339, or a day, which begins in UTC. Years are 1000 to 9999.
func TimeOf(text string) (schema.Instant, bool) {
	if len(text) == len("2026-02-28") {
		t, err := time.Parse(time.DateOnly, text)
		return schema.InstantOf(t), err == nil && t.Year() >= 1000
	}
	if len(text) < len("2026-02-28T09:30:00Z") {
		return 0, false
	}
	t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text))
	return schema.InstantOf(t), err == nil && t.Year() >= 1000
}

// TraitOf makes a trait of canonical JSON. Texts are folded to lower case.
func TraitOf(name string, value []byte) Known {
	k := Known{Name: name, Text: TextOf(value)}
	k.Number, k.HasNumber = NumberOf(k.Text)
	k.Time, k.HasTime = TimeOf(k.Text)
	return k
}

// TextOf is the text of a JSON value, in lower case: of a text what it says, of everything else how it is written.
func TextOf(value []byte) string {
	var s string
	if len(value) > 0 && value[0] == '"' && json.Unmarshal(value, &s) == nil {
		return strings.ToLower(s)
	}
	return strings.ToLower(string(value))
}

// AppendFact appends the stored form of a fact, without its id and time: type, then the texts and the properties, each with its length.
func AppendFact(dst []byte, f *Fact) []byte {
	dst = binary.AppendUvarint(dst, uint64(f.Type))
	text := func(s string) {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	for _, s := range f.Texts {
		text(s)
	}
	for _, p := range f.Properties {
		text(p.Path)
		text(p.Text)
	}
	return dst
}

// ReadFact reads the stored form.
func ReadFact(id schema.EventID, at schema.Instant, b []byte) (*Fact, error) {
	f := &Fact{ID: id, At: at}
	bad := errors.New("damaged fact")
	kind, n := binary.Uvarint(b)
	if n <= 0 {
		return nil, bad
	}
	f.Type, b = schema.Type(kind), b[n:]
	text := func() (s string, ok bool) {
		length, n := binary.Uvarint(b)
		if n <= 0 || length > uint64(len(b)-n) {
			return "", false
		}
		s, b = string(b[n:n+int(length)]), b[n+int(length):]
		return s, true
	}
	for i := range f.Texts {
		var ok bool
		if f.Texts[i], ok = text(); !ok {
			return nil, bad
		}
	}
	for len(b) > 0 {
		path, ok1 := text()
		value, ok2 := text()
		if !ok1 || !ok2 {
			return nil, bad
		}
		f.Properties = append(f.Properties, Property{path, value})
	}
	return f, nil
}
