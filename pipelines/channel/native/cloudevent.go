package native

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// FromCloudEvent turns a CloudEvent of version 1.0 in its structured form into a native event, in canonical form. Attributes fill in
// what data does not say itself: id is the messageId, time is occurredAt.
//
// If the type ends in a built-in one (com.example.order.placed), data is a native event without its type. Any other type is a
// track.performed of that name with data as its properties; the subject, if there is one, is the userId. Data that is no object is the
// property $data; attributes of extensions are the property $attributes.
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
	data, given, r := cloudData(n)
	if r != nil {
		return nil, r
	}
	e := cloudEvent{members: map[string][]byte{}}
	taken := data.Get("$attributes").Exists()
	if kind := builtin(attributes["type"]); kind != "" {
		taken = data.Get("properties").Get("$attributes").Exists()
		if data.Kind() != canonical.Object && data.Exists() {
			return nil, channel.FieldInvalid("data", "a JSON object, as an event of type "+kind+" has it")
		}
		data.Each(func(key string, v canonical.Node) bool {
			e.members[key] = v.AppendCanonical(nil, nil)
			return true
		})
		e.text("type", kind)
	} else {
		e.text("type", schema.TypeTrackPerformed.String())
		e.text("name", attributes["type"])
		e.text("userId", attributes["subject"])
		switch {
		case data.Kind() == canonical.Object:
			e.members["properties"] = data.AppendCanonical(nil, nil)
		case given != nil:
			e.members["properties"] = append(append([]byte(`{"$data":`), given...), '}')
		}
	}
	e.text("messageId", attributes["id"])
	e.text("occurredAt", attributes["time"])
	e.text("library", "cloudevents "+attributes["source"])
	if r := e.extensions(n, taken); r != nil {
		return nil, r
	}
	return e.json(), nil
}

// cloudData is what a CloudEvent carries: a node if it is JSON that is there, and its canonical bytes. What is not JSON is a string, what is not text
// is a string of base64.
func cloudData(n canonical.Node) (data canonical.Node, text []byte, r *schema.Refusal) {
	data = n.Get("data")
	if packed := n.Get("data_base64"); packed.Exists() {
		if data.Exists() {
			return data, nil, channel.FieldInvalid("data", "alone: data_base64 stands in its place")
		}
		encoded, isText := packed.Str()
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || !isText {
			return data, nil, channel.FieldInvalid("data_base64", "base64")
		}
		switch {
		case isJSON(channel.LooseText(n.Get("datacontenttype"))):
			doc, err := canonical.Parse(raw, canonical.Limits{Depth: channel.MaxDepth})
			if err != nil {
				return data, nil, channel.FieldInvalid("data_base64", "JSON, as its datacontenttype says")
			}
			data = doc.Root() // the Doc is left to the collector of garbage
		case utf8.Valid(raw):
			return canonical.Node{}, canonical.AppendString(nil, string(raw)), nil
		default:
			return canonical.Node{}, canonical.AppendString(nil, base64.StdEncoding.EncodeToString(raw)), nil
		}
	}
	if data.Kind() == canonical.Null || !data.Exists() {
		return canonical.Node{}, nil, nil
	}
	return data, data.AppendCanonical(nil, nil), nil
}

// isJSON says whether a media type is JSON. Nothing stated is.
func isJSON(mediaType string) bool {
	mediaType, _, _ = strings.Cut(strings.ToLower(mediaType), ";")
	mediaType = strings.TrimSpace(mediaType)
	return mediaType == "" || strings.HasSuffix(mediaType, "/json") || strings.HasSuffix(mediaType, "+json")
}

// consumed are the attributes that say something of their own. Those of tracing differ each time that an event is sent, and say nothing
// of it.
var consumed = map[string]bool{
	"specversion": true, "id": true, "source": true, "type": true, "time": true, "subject": true, "data": true, "data_base64": true,
	"datacontenttype": true, "traceparent": true, "tracestate": true,
}

// extensions keeps the other attributes, as the property $attributes, unless that is taken.
func (e *cloudEvent) extensions(n canonical.Node, taken bool) *schema.Refusal {
	out := []byte{'{'}
	n.Each(func(name string, v canonical.Node) bool {
		if consumed[name] || v.Kind() == canonical.Null {
			return true
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = v.AppendCanonical(append(canonical.AppendString(out, name), ':'), nil)
		return true
	})
	if len(out) == 1 {
		return nil
	}
	out = append(out, '}')
	properties := e.members["properties"]
	if len(properties) == 0 || string(properties) == "null" {
		properties = []byte("{}")
	}
	if properties[0] != '{' {
		return channel.FieldInvalid("properties", "an object")
	}
	if taken {
		return schema.Refuse(channel.CodeReservedProperty, "data has a member $attributes beside attributes of extensions", "rename it")
	}
	whole := append([]byte(`{"$attributes":`), out...)
	if len(properties) > 2 {
		whole = append(whole, ',')
	}
	e.members["properties"] = append(whole, properties[1:]...)
	return nil
}

// StructuredCloudEvent makes the structured form of a CloudEvent in binary mode: attributes by name, in lower case, and its data as it was sent.
func StructuredCloudEvent(attributes map[string]string, contentType string, data []byte) []byte {
	out := []byte{'{'}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if name == "data" || name == "data_base64" || name == "datacontenttype" {
			continue
		}
		out = append(canonical.AppendString(out, name), ':')
		out = append(canonical.AppendString(out, attributes[name]), ',')
	}
	trimmed := bytes.TrimSpace(data)
	switch {
	case len(trimmed) == 0:
		return append(out, `"data":null}`...)
	case isJSON(contentType) && json.Valid(data):
		return append(append(append(out, `"data":`...), data...), '}')
	}
	if contentType != "" {
		out = append(canonical.AppendString(append(out, `"datacontenttype":`...), contentType), ',')
	}
	return append(append(base64.StdEncoding.AppendEncode(append(out, `"data_base64":"`...), data), '"'), '}')
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
