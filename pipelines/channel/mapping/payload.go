package mapping

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// MaxRows is how many rows one payload may have.
const MaxRows = 10_000

// Object makes a row of a JSON object: members of objects within it are columns named a.b, arrays are JSON, null is nothing.
func (row *Row) Object(n canonical.Node) {
	row.Names, row.Values, row.Columns = nil, nil, map[string]int{}
	row.flatten("", n, "")
}

// flatten adds the members of an object as columns, but for one of them.
func (row *Row) flatten(prefix string, n canonical.Node, without string) {
	n.Each(func(key string, v canonical.Node) bool {
		name, value := prefix+key, ""
		switch {
		case key == without && without != "":
			return true
		case v.Kind() == canonical.Object:
			row.flatten(name+".", v, "")
			return true
		case v.Kind() == canonical.String:
			value, _ = v.Str()
		case v.Kind() == canonical.Null:
			return true
		default:
			value = string(v.AppendCanonical(nil, nil))
		}
		row.add(name, value)
		return true
	})
}

// add adds a column, unless there is one of this name: of "a.b" beside {"a":{"b":…}} the first in the order of keys stays.
func (row *Row) add(name, value string) {
	if _, taken := row.Columns[name]; taken {
		return
	}
	row.Columns[name] = len(row.Names)
	row.Names = append(row.Names, name)
	row.Values = append(row.Values, value)
}

// Part is one row of a payload with the bytes that it was made of.
type Part struct {
	Row Row
	Raw []byte // canonical JSON of the row alone; nil if the row is the whole payload
}

// Payload takes a JSON payload apart into rows: the objects at the mapping's path, or the payload itself. Arrays on the way, and at
// its end, give a row for each of their elements. Members that stand around a row are columns of it too, named from the payload's
// top with $. before them, such as $.account.id.
func (m *Mapping) Payload(root canonical.Node) ([]Part, *schema.Refusal) {
	p := payload{}
	var path []string
	if m.Path != "" {
		path = strings.Split(m.Path, ".")
	}
	p.walk(root, path, "$.", nil)
	if p.refusal != nil {
		return nil, p.refusal
	}
	if len(p.parts) == 1 && len(path) == 0 {
		p.parts[0].Raw = nil
	}
	return p.parts, nil
}

type payload struct {
	parts   []Part
	refusal *schema.Refusal
}

// around is an object on the way to a row, without the member that leads there.
type around struct {
	prefix, without string
	object          canonical.Node
}

func (p *payload) walk(n canonical.Node, path []string, prefix string, outer []around) {
	switch {
	case p.refusal != nil:
	case n.Kind() == canonical.Array:
		n.Each(func(_ string, element canonical.Node) bool {
			p.walk(element, path, prefix, outer)
			return p.refusal == nil
		})
	case n.Kind() == canonical.Null && prefix != "$.": // nothing there
	case n.Kind() != canonical.Object:
		p.refusal = schema.Refuse(channel.CodeNotAnObject, "where the mapping expects a row there is no JSON object", "correct the mapping's path, or send objects")
	case len(path) > 0:
		next := n.Get(path[0])
		if !next.Exists() {
			p.refusal = schema.Refuse(channel.CodeFieldInvalid, "the payload has nothing at the mapping's path", "correct the mapping's path, or what the source sends")
			return
		}
		p.walk(next, path[1:], prefix+path[0]+".", append(slices.Clip(outer), around{prefix, path[0], n}))
	case len(p.parts) == MaxRows:
		p.refusal = schema.Refuse(channel.CodeFieldInvalid, fmt.Sprintf("a payload has at most %d rows", MaxRows), "send less at once")
	default:
		part := Part{Raw: n.AppendCanonical(nil, nil)}
		part.Row.Number = len(p.parts) + 1
		part.Row.Object(n)
		for _, o := range outer {
			part.Row.flatten(o.prefix, o.object, o.without)
		}
		p.parts = append(p.parts, part)
	}
}

// Form makes the one row of a payload of form values. A name that is there more than once has its values as lines.
func Form(values url.Values) Part {
	part := Part{Row: Row{Number: 1, Columns: map[string]int{}}}
	for _, name := range sorted(values) {
		part.Row.add(name, strings.Join(values[name], "\n"))
	}
	return part
}

// Numbered is the message id of one of several rows of a payload.
func Numbered(id string, row int) string { return id + "#" + strconv.Itoa(row) }

// Piece is one row of a payload and its events, or why there are none.
type Piece struct {
	Events  []Event // none: the row says nothing under the mapping's conditions
	Refusal *schema.Refusal
	Raw     []byte        // the row's bytes, as they came or in canonical form
	Context func() []byte // what the mapping reads beside them, as JSON; nil: nothing
	Place   string        // where the row came from, such as topic, partition and offset; empty: nowhere of a name
}

// Refused is why the piece is not taken: a row is taken whole or not at all.
func (p *Piece) Refused() *schema.Refusal {
	if p.Refusal != nil {
		return p.Refusal
	}
	for i := range p.Events {
		if f := p.Events[i].Fault; f != nil {
			return f.Refusal
		}
	}
	return nil
}

// Context writes the columns about a payload that the mapping names, as JSON; nil if there are none.
func (m *Mapping) Context(about map[string]string) []byte {
	var out []byte
	for _, name := range sorted(about) {
		if !m.Names(name) || about[name] == "" {
			continue
		}
		if out = append(out, ','); len(out) == 1 {
			out[0] = '{'
		}
		out = canonical.AppendString(append(canonical.AppendString(out, name), ':'), about[name])
	}
	if out == nil {
		return nil
	}
	return append(out, '}')
}
