package destination

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Message is one thing that leaves. Its id is the same in every attempt.
type Message struct {
	ID          string
	Type        string // audience.entered, audience.left, alert.raised, profile.merged …
	At          string // RFC 3339: when it was decided
	Workspace   string
	Destination string

	// Of an audience.
	Segment, Definition, Profile string
	Cause                        json.RawMessage
	Points                       []Point
	Traits                       map[string]json.RawMessage

	Record json.RawMessage // of alerts and of the feed of who is who: the record as it is in its topic
}

// Key is what messages are ordered by: the person, else the message itself.
func (m *Message) Key() string {
	if m.Profile != "" {
		return m.Profile
	}
	return m.ID
}

// Removes says whether the message takes a person out.
func (m *Message) Removes() bool { return m.Type == "audience.left" }

// Told is what a message says, as webhooks and topics carry it.
type told struct {
	Workspace   string                     `json:"workspace"`
	Destination string                     `json:"destination"`
	Segment     string                     `json:"segment,omitempty"`
	Definition  string                     `json:"definition,omitempty"`
	Profile     string                     `json:"profile,omitempty"`
	Cause       json.RawMessage            `json:"cause,omitempty"`
	Identifiers []Point                    `json:"identifiers,omitempty"`
	Traits      map[string]json.RawMessage `json:"traits,omitempty"`
	Record      json.RawMessage            `json:"record,omitempty"`
}

func (m *Message) told() told {
	return told{m.Workspace, m.Destination, m.Segment, m.Definition, m.Profile, m.Cause, m.Points, m.Traits, m.Record}
}

// Body is a webhook's: type, timestamp and data, as Standard Webhooks proposes.
func (m *Message) Body() ([]byte, error) {
	return json.Marshal(struct {
		Type      string `json:"type"`
		Timestamp string `json:"timestamp"`
		Data      told   `json:"data"`
	}{m.Type, m.At, m.told()})
}

// CloudEvent is a CloudEvents 1.0 event in JSON (structured mode).
func (m *Message) CloudEvent() ([]byte, error) {
	return json.Marshal(struct {
		Version string `json:"specversion"`
		ID      string `json:"id"`
		Source  string `json:"source"`
		Type    string `json:"type"`
		Subject string `json:"subject,omitempty"`
		Time    string `json:"time,omitempty"`
		Media   string `json:"datacontenttype"`
		Data    told   `json:"data"`
	}{"1.0", m.ID, "/dossier/" + m.Workspace + "/destinations/" + m.Destination, m.Type, m.Profile, m.At, "application/json", m.told()})
}

// Columns are those of a destination's files.
func (d *Destination) Columns() []string {
	out := []string{"id", "type", "at", "segment", "profile"}
	for _, kind := range d.Include.Identifiers {
		out = append(out, "identifier_"+kind)
	}
	for _, name := range d.Include.Traits {
		out = append(out, "trait_"+name)
	}
	if d.Takes(Alerts) || d.Takes(Profiles) {
		out = append(out, "record")
	}
	return out
}

// Row is a message in a file, by Columns. Of several identifiers of a kind the first stands there.
func (d *Destination) Row(m *Message) []string {
	out := []string{m.ID, m.Type, m.At, m.Segment, m.Profile}
	for _, kind := range d.Include.Identifiers {
		out = append(out, m.point(kind))
	}
	for _, name := range d.Include.Traits {
		out = append(out, plain(m.Traits[name]))
	}
	if d.Takes(Alerts) || d.Takes(Profiles) {
		out = append(out, string(m.Record))
	}
	return out
}

func (m *Message) point(kind string) string {
	for _, p := range m.Points {
		if p.Kind == kind {
			return p.Value
		}
	}
	return ""
}

// plain is a JSON text as what it says, and every other value as it is written.
func plain(value json.RawMessage) string {
	var s string
	if json.Unmarshal(value, &s) == nil {
		return s
	}
	return string(value)
}

// Upsert is the request of a message: its method, address and body. A message that removes has no body where the method is DELETE. What is not known of a
// person is left out of the body.
func (d *Destination) Upsert(m *Message) (method, address string, body []byte, err error) {
	address = strings.NewReplacer("{profile}", url.PathEscape(m.Profile), "{segment}", url.PathEscape(m.Segment)).Replace(d.URL)
	method = d.Method
	if m.Removes() {
		if method = d.RemoveMethod; method == "DELETE" {
			return method, address, nil, nil
		}
	}
	whole := map[string]any{}
	for _, member := range slices.Sorted(maps.Keys(d.Body)) {
		path := d.Body[member]
		var value any
		kind, name, _ := strings.Cut(path, ".")
		switch {
		case strings.HasPrefix(path, "="):
			value = path[1:]
		case kind == "identifier":
			if p := m.point(name); p != "" {
				value = p
			}
		case kind == "trait":
			if t := m.Traits[name]; t != nil {
				value = t
			}
		default:
			value = map[string]string{"profile": m.Profile, "segment": m.Segment, "change": strings.TrimPrefix(m.Type, "audience."), "at": m.At, "id": m.ID}[path]
		}
		if value != nil {
			put(whole, strings.Split(member, "."), value)
		}
	}
	body, err = json.Marshal(whole)
	return method, address, body, err
}

func put(object map[string]any, path []string, value any) {
	for _, part := range path[:len(path)-1] {
		inner, is := object[part].(map[string]any)
		if !is {
			inner = map[string]any{}
			object[part] = inner
		}
		object = inner
	}
	object[path[len(path)-1]] = value
}
