package native

import (
	"maps"
	"slices"
	"strings"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// FromCloudEvent turns a CloudEvent of version 1.0 in its structured form into a native event, in canonical form. Attributes fill in
// what data does not say itself: id is the messageId, time is occurredAt.
//
// If the type ends in a built-in one (com.example.order.placed), data is a native event without its type. Any other type is a
// track.performed of that name with data as its properties; the subject, if there is one, is the userId.
func FromCloudEvent(n canonical.Node) ([]byte, *schema.Refusal) {
	if n.Kind() != canonical.Object {
		return nil, schema.Refuse(channel.CodeNotAnObject, "a CloudEvent is a JSON object", "send specversion, id, source, type and data")
	}
	if version := channel.LooseText(n.Get("specversion")); version != "1.0" {
		return nil, channel.FieldInvalid("specversion", "1.0")
	}
	attributes := map[string]string{}
	for _, name := range [...]string{"id", "source", "type", "time", "subject"} {
		s, r := channel.Text(n.Get(name), name)
		if r != nil {
			return nil, r
		}
		if s == "" && name != "time" && name != "subject" {
			return nil, channel.FieldInvalid(name, "a string that is not empty")
		}
		attributes[name] = s
	}
	data := n.Get("data")
	if k := data.Kind(); k != canonical.Object && k != canonical.Absent && k != canonical.Null || n.Get("data_base64").Exists() {
		return nil, channel.FieldInvalid("data", "a JSON object")
	}
	e := cloudEvent{members: map[string][]byte{}}
	if kind := builtin(attributes["type"]); kind != "" {
		data.Each(func(key string, v canonical.Node) bool {
			e.members[key] = v.AppendCanonical(nil, nil)
			return true
		})
		e.text("type", kind)
	} else {
		e.text("type", schema.TypeTrackPerformed.String())
		e.text("name", attributes["type"])
		e.text("userId", attributes["subject"])
		if data.Kind() == canonical.Object {
			e.members["properties"] = data.AppendCanonical(nil, nil)
		}
	}
	e.text("messageId", attributes["id"])
	e.text("occurredAt", attributes["time"])
	e.text("library", "cloudevents "+attributes["source"])
	return e.json(), nil
}

// builtin is the built-in type that a CloudEvent's type ends in, or nothing.
func builtin(name string) string {
	parts := strings.Split(name, ".")
	if len(parts) < 2 {
		return ""
	}
	kind := strings.Join(parts[len(parts)-2:], ".")
	if _, known := schema.ParseType(kind); !known && !reserved[kind] {
		return ""
	}
	return kind
}

// cloudEvent gathers the members of a native event.
type cloudEvent struct{ members map[string][]byte }

// text sets a member unless it is set, or the value is empty.
func (e *cloudEvent) text(name, s string) {
	if _, set := e.members[name]; !set && s != "" {
		e.members[name] = canonical.AppendString(nil, s)
	}
}

func (e *cloudEvent) json() []byte {
	out := []byte{'{'}
	for _, name := range slices.Sorted(maps.Keys(e.members)) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(canonical.AppendString(out, name), ':')
		out = append(out, e.members[name]...)
	}
	return append(out, '}')
}
