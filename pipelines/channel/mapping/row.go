package mapping

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// Row is one row of a file. Its values are UTF-8.
type Row struct {
	Number  int            // from 1, the header not counted
	Names   []string       // of the columns, in the file's order
	Columns map[string]int // where each column stands in Values
	Values  []string

	Record string            // the message id where the mapping names no record column; empty: the number
	About  map[string]string // columns about the payload that the row came in, named with @; they never become properties
}

// Table finds rows of a lookup. false: there is none with this key.
type Table func(key, column string) (value string, found bool)

// Rows maps the rows of one file.
type Rows struct {
	m      *Mapping
	tables map[string]Table
	source string // overrides the mapping's
}

// Rows prepares to map rows. tables has every lookup that Tables lists. source, if not empty, is the source of every event in
// place of the mapping's.
func (m *Mapping) Rows(tables map[string]Table, source string) (*Rows, error) {
	for name := range m.Lookups {
		if tables[name] == nil {
			return nil, errors.New("the lookup " + name + " has no table")
		}
	}
	if source != "" && !channel.IsSourceName(source) {
		return nil, errors.New("a source is a word of a-z, 0-9, _, - and . that begins with a letter")
	}
	return &Rows{m: m, tables: tables, source: source}, nil
}

func (r *Rows) lookup(table, key, column string) (string, bool) { return r.tables[table](key, column) }

// Fault is why a row, or one of its events, cannot be mapped.
type Fault struct {
	Column  string // as the mapping names it; several separated by commas
	Refusal *schema.Refusal
}

// Event is one event of a row, as native JSON.
type Event struct {
	Key   string // which of the mapping's events it is; empty if there is one only
	JSON  []byte // one line, without a line break
	Fault *Fault // then there is no JSON
}

// reading is one row with its computed columns.
type reading struct {
	rows *Rows
	row  *Row
	lets []string // by the order of the mapping's lets; only those computed so far
}

func (r *reading) column(name string) string {
	for i := range r.lets {
		if r.rows.m.lets[i].name == name {
			return r.lets[i]
		}
	}
	if i, there := r.row.Columns[name]; there && i < len(r.row.Values) {
		return r.row.Values[i]
	}
	return r.row.About[name]
}

// Map maps one row to its events, in the order of the mapping. A row may have none.
func (r *Rows) Map(row *Row) []Event {
	at := &reading{rows: r, row: row, lets: make([]string, 0, len(r.m.lets))}
	for _, l := range r.m.lets {
		s, fault := l.value.of(at)
		if fault != nil {
			return []Event{{Fault: fault}}
		}
		at.lets = append(at.lets, s)
	}
	source := r.source
	if source == "" {
		var fault *Fault
		if source, fault = r.m.Source.of(at); fault != nil {
			return []Event{{Fault: fault}}
		}
	}
	events := make([]Event, 0, len(r.m.Events))
	for _, e := range r.m.Events {
		holds, fault := e.When.hold(at)
		if fault == nil && !holds {
			continue
		}
		w := writer{at: at, e: e, fault: fault}
		if fault == nil {
			w.event(source)
		}
		if w.fault != nil {
			events = append(events, Event{Key: e.Key, Fault: w.fault})
			continue
		}
		events = append(events, Event{Key: e.Key, JSON: w.out})
	}
	return events
}

// writer writes one event as canonical-looking JSON: members in a fixed order, so that a row is the same bytes every time.
type writer struct {
	at    *reading
	e     *event
	out   []byte
	fault *Fault

	account *account // the one that was chosen, or nil
}

func (w *writer) event(source string) {
	e, row := w.e, w.at.row
	w.out = append(w.out, '{')
	w.text("type", w.of(e.Type))
	w.text("mapping", w.at.rows.m.Name)
	w.text("routing", e.routing)
	w.text("source", source)
	w.text("country", w.at.rows.m.Country)
	record := w.of(e.Record)
	if record == "" {
		record = row.Record
	}
	if record == "" {
		record = "row " + strconv.Itoa(row.Number)
	}
	if e.Key != "" {
		record += "/" + e.Key
	}
	w.text("messageId", record)
	at, fault := e.Time.at(w.at)
	w.failed(fault)
	if at == "" && row.Record != "" && e.Time != nil {
		w.failed(e.Time.fault(schema.Refuse(channel.CodeTimeInvalid, e.Time.label()+" has no time, without which a copy would be another event", "send the time, or give the mapping's time a default")))
	}
	w.text("occurredAt", at)
	w.text("channel", w.of(e.Channel))
	w.actor()
	w.accounts()
	w.identifiers()
	w.object("traits", e.Traits)
	w.consents()
	for _, member := range [...]namedValue{
		{"conversation", e.Conversation}, {"case", e.Case}, {"parent", e.Parent}, {"mention", e.Mention}, {"entity", e.Entity}, {"text", e.Text},
		{"language", e.Language}, {"rating", e.Rating}, {"ratingScale", e.RatingScale}, {"amount", e.Amount}, {"currency", e.Currency}, {"name", e.Event},
	} {
		w.text(member.name, w.of(member.value))
	}
	if e.rest {
		w.rest()
	} else {
		w.object("properties", e.Properties)
	}
	w.out = append(w.out, '}')
}

func (w *writer) failed(f *Fault) {
	if w.fault == nil {
		w.fault = f
	}
}

func (w *writer) of(v *value) string {
	s, fault := v.of(w.at)
	w.failed(fault)
	return s
}

// key begins a member.
func (w *writer) key(name string) {
	if last := w.out[len(w.out)-1]; last != '{' && last != '[' {
		w.out = append(w.out, ',')
	}
	w.out = append(canonical.AppendString(w.out, name), ':')
}

// text writes a member that is a string, unless it is empty.
func (w *writer) text(name, s string) {
	if s == "" {
		return
	}
	w.key(name)
	w.out = canonical.AppendString(w.out, s)
}

func (w *writer) actor() {
	kind, id := w.of(w.e.Actor), w.of(w.e.ActorID)
	if id == "" {
		w.text("actor", kind)
		return
	}
	w.key("actor")
	w.out = append(w.out, '{')
	w.text("kind", kind)
	w.text("id", id)
	w.out = append(w.out, '}')
}

func (w *writer) accounts() {
	for i := range w.e.Account {
		a := &w.e.Account[i]
		holds, fault := a.When.hold(w.at)
		w.failed(fault)
		s := w.of(a.Value)
		if !holds || s == "" {
			continue
		}
		w.key("account")
		w.out = append(w.out, '{')
		w.text("kind", a.Kind)
		w.text("value", s)
		w.out = append(w.out, '}')
		w.account = a
		return
	}
}

func (w *writer) identifiers() {
	open := false
	for i := range w.e.Identifiers {
		id := &w.e.Identifiers[i]
		holds, fault := id.When.hold(w.at)
		w.failed(fault)
		s := w.of(id.Value)
		if !holds || s == "" {
			continue
		}
		if !open {
			w.key("identifiers")
			w.out = append(w.out, '[')
			open = true
		} else {
			w.out = append(w.out, ',')
		}
		w.out = append(w.out, '{')
		w.text("kind", id.Kind)
		w.text("value", s)
		w.text("assurance", w.of(id.Assurance))
		w.out = append(w.out, '}')
	}
	if open {
		w.out = append(w.out, ']')
	}
}

func (w *writer) consents() {
	open := false
	for i := range w.e.Consents {
		c := &w.e.Consents[i]
		holds, fault := c.When.hold(w.at)
		w.failed(fault)
		if !holds {
			continue
		}
		if !open {
			w.key("consents")
			w.out = append(w.out, '[')
			open = true
		} else {
			w.out = append(w.out, ',')
		}
		w.out = append(w.out, '{')
		for _, member := range c.values() {
			w.text(member.name, w.of(member.value))
		}
		w.out = append(w.out, '}')
	}
	if open {
		w.out = append(w.out, ']')
	}
}

// object writes a member that is an object of values, in the order of their names.
func (w *writer) object(name string, values map[string]*value) {
	open := false
	for _, member := range sorted(values) {
		v := values[member]
		s := w.of(v)
		if s == "" {
			continue
		}
		if !open {
			w.key(name)
			w.out = append(w.out, '{')
			open = true
		}
		w.typed(member, s, v)
	}
	if open {
		w.out = append(w.out, '}')
	}
}

// typed writes a member as a text, a number, a boolean or JSON.
func (w *writer) typed(name, s string, v *value) {
	switch v.As {
	case "number":
		if !json.Valid([]byte(s)) || s[0] == '"' || s[0] == '{' || s[0] == '[' || strings.ContainsAny(s[:1], "tfn") {
			w.failed(v.fault(channel.FieldInvalid(v.label(), "a number")))
			return
		}
		w.key(name)
		w.out = append(w.out, s...)
	case "boolean":
		word := strings.ToLower(s)
		yes := slices.Contains([]string{"true", "1", "yes", "y", "oui", "o", "t"}, word)
		if !yes && !slices.Contains([]string{"false", "0", "no", "n", "non", "f"}, word) {
			w.failed(v.fault(channel.FieldInvalid(v.label(), "yes or no")))
			return
		}
		w.key(name)
		w.out = strconv.AppendBool(w.out, yes)
	case "json":
		if !json.Valid([]byte(s)) {
			w.failed(v.fault(channel.FieldInvalid(v.label(), "JSON")))
			return
		}
		w.key(name)
		w.out = append(w.out, strings.ReplaceAll(s, "\n", " ")...)
	default:
		w.text(name, s)
	}
}

// rest writes as properties every column that no rule of the event uses and that is not to be ignored.
func (w *writer) rest() {
	open := false
	names := slices.Clone(w.at.row.Names)
	slices.Sort(names)
	for _, name := range names {
		s := strings.TrimSpace(w.at.row.Values[w.at.row.Columns[name]])
		if s == "" || w.e.used[name] || w.account != nil && slices.Contains(w.account.Value.columns(), name) || slices.Contains(w.at.rows.m.Ignore, name) {
			continue
		}
		if !open {
			w.key("properties")
			w.out = append(w.out, '{')
			open = true
		}
		w.text(name, s)
	}
	if open {
		w.out = append(w.out, '}')
	}
}
