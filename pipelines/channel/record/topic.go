package record

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
	"github.com/dossier-cdp/dossier/pipelines/channel/native"
	"github.com/dossier-cdp/dossier/pipelines/channel/webhook"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

// The formats of a record's value.
const (
	FormatJSON        = "json"
	FormatCloudEvents = "cloudevents"
	FormatAvro        = "avro"
	FormatProtobuf    = "protobuf"
)

// framingConfluent is the wire format of schema registries.
const framingConfluent = "confluent"

// Settings are the member kafka of a source in the configuration.
type Settings struct {
	Cluster    string            `json:"cluster"`    // a name under clusters in dossier.yaml; empty: the installation's own
	Topic      string            `json:"topic"`      // the company's
	Partitions []int32           `json:"partitions"` // those that are read; empty: all
	From       string            `json:"from"`       // beginning (default), end, or a time in RFC 3339: where reading starts the first time
	Format     string            `json:"format"`     // json (default), cloudevents, avro, protobuf
	Framing    string            `json:"framing"`    // confluent: a value begins with the id of its schema
	Schema     string            `json:"schema"`     // the text of an Avro schema or a .proto file
	Schemas    map[string]string `json:"schemas"`    // or several, by the id in the framing
	Registry   bool              `json:"registry"`   // or the schemas of the cluster's registry; framing is then confluent
	Message    string            `json:"message"`    // of protobuf: the full name of the records' message
}

// Topic is a company's topic that a source reads, ready for use. It is safe for concurrent use, and read-only but for Learn.
type Topic struct {
	Settings
	Source string
	Hash   string // of settings and mapping: with another one the topic is read by other rules

	mapping *mapping.Mapping
	rows    *mapping.Rows // nil: the records are events already
	all     decoder       // nil: by id, or the value is JSON as it is
	byID    map[string]decoder
	learned *learned
	prefix  string // of message ids
}

// decoder turns a value into JSON.
type decoder interface {
	json(value []byte) ([]byte, error)
}

func invalid(reason, hint string) error { return schema.Refuse("configuration_invalid", reason, hint) }

// New makes a topic ready. text is the mapping; it may be empty for JSON, whose records are then native events, and for CloudEvents.
func New(source string, text []byte, s Settings, zone func(string) (*time.Location, error)) (*Topic, error) {
	t := &Topic{Settings: s, Source: source, prefix: s.Topic}
	if s.Topic == "" || len(s.Topic) > 249 {
		return nil, invalid("kafka needs a topic", "name the topic that is read")
	}
	if len(t.prefix) > 40 { // a message id is short
		sum := sha256.Sum256([]byte(s.Topic))
		t.prefix = hex.EncodeToString(sum[:10])
	}
	settings, err := json.Marshal(s)
	if err != nil {
		return nil, invalid("its settings cannot be written", "correct them") // Unreachable: plain fields
	}
	sum := sha256.Sum256(append(append(settings, 0), text...))
	t.Hash = hex.EncodeToString(sum[:])
	if t.Format == "" {
		t.Format = FormatJSON
	}
	if t.Registry {
		t.Framing, t.learned = framingConfluent, &learned{byID: map[string]decoder{}}
	}
	if s.Framing != "" && s.Framing != framingConfluent {
		return nil, invalid("framing is none", "write confluent, or leave it out")
	}
	if _, _, err := t.Start(); err != nil {
		return nil, err
	}
	for _, p := range s.Partitions {
		if p < 0 {
			return nil, invalid("a partition is negative", "count them from 0")
		}
	}
	if err := t.prepareSchemas(); err != nil {
		return nil, err
	}
	switch {
	case len(text) > 0:
		var err error
		if t.mapping, t.rows, err = webhook.Mapping(source, text, zone); err != nil {
			return nil, err
		}
	case t.Format == FormatAvro || t.Format == FormatProtobuf:
		return nil, invalid("a topic of "+t.Format+" needs a mapping", "say what its records mean; see deploy/mappings/README.md")
	}
	return t, nil
}

func (t *Topic) prepareSchemas() error {
	compile := func(text string) (decoder, error) { return t.compile(SchemaText{Text: text}) }
	switch t.Format {
	case FormatJSON, FormatCloudEvents:
		if t.Schema != "" || len(t.Schemas) > 0 || t.Message != "" {
			return invalid("a topic of "+t.Format+" has no schema", "leave schema, schemas and message out, or correct the format")
		}
		return nil
	case FormatAvro, FormatProtobuf:
	default:
		return invalid("format is none of json, cloudevents, avro, protobuf", "correct it")
	}
	given := 0
	for _, is := range []bool{t.Schema != "", len(t.Schemas) > 0, t.Registry} {
		if is {
			given++
		}
	}
	if given != 1 {
		return invalid("a topic of "+t.Format+" needs one of schema, schemas and registry", "give the schema's text, several by their ids, or registry: true")
	}
	if t.Registry {
		return nil
	}
	if t.Schema != "" {
		var err error
		if t.all, err = compile(t.Schema); err != nil {
			return invalid(err.Error(), "correct the schema")
		}
		return nil
	}
	if t.Framing == "" {
		return invalid("schemas by id need framing: confluent", "or give one schema")
	}
	t.byID = map[string]decoder{}
	for _, id := range sortedKeys(t.Schemas) {
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return invalid("the id of a schema is no number", "write the id that the registry gave it")
		}
		if t.byID[strconv.FormatUint(n, 10)], err = compile(t.Schemas[id]); err != nil {
			return invalid(fmt.Sprintf("schema %d: %v", n, err), "correct the schema")
		}
	}
	return nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// Start tells where reading begins the first time: at the first record, at the end, or at the first record from a time on.
func (t *Topic) Start() (from time.Time, end bool, err error) {
	switch t.From {
	case "", "beginning":
		return time.Time{}, false, nil
	case "end":
		return time.Time{}, true, nil
	}
	from, err = time.Parse(time.RFC3339, t.From)
	if err != nil {
		return time.Time{}, false, invalid("from is none of beginning, end, or a time in RFC 3339", "such as 2026-01-01T00:00:00Z")
	}
	return from, false, nil
}

// Key names what is read, and from where on: with another key reading starts anew.
func (t *Topic) Key() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{t.Source, t.Cluster, t.Topic, t.From}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// MappingName names the mapper of the topic's records.
func (t *Topic) MappingName() string {
	if t.mapping == nil {
		return native.Mapping
	}
	return t.mapping.Name
}

// Header is one header of a record.
type Header struct{ Key, Value string }

// Record is one record of the topic.
type Record struct {
	Partition int32
	Offset    int64
	Key       []byte
	Value     []byte // nil: a tombstone
	Headers   []Header
	Time      schema.Instant
}

func (r *Record) header(name string) string {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Key, name) {
			return h.Value
		}
	}
	return ""
}

// Read makes events of a record. A tombstone has none.
func (t *Topic) Read(r *Record) []mapping.Piece {
	if r.Value == nil {
		return nil
	}
	about := t.about(r)
	place := "kafka " + t.Topic + "/" + strconv.Itoa(int(r.Partition)) + "/" + strconv.FormatInt(r.Offset, 10)
	context := func() []byte { return t.mapping.Context(about) }
	if t.mapping == nil {
		context = nil
	}
	refused := func(refusal *schema.Refusal) []mapping.Piece {
		return []mapping.Piece{{Refusal: refusal, Raw: r.Value, Context: context, Place: place}}
	}
	text, refusal := t.json(r)
	if refusal != nil {
		return refused(refusal)
	}
	doc, err := canonical.Parse(text, canonical.Limits{Depth: maxDepth})
	if err != nil {
		if !errors.As(err, &refusal) {
			refusal = schema.Refuse(channel.CodeRecordInvalid, "the value cannot be read", "correct the source's format")
		} else if refusal.Code == channel.CodeNotJSON { // such bytes are no dead letter elsewhere, where the sender still has them
			refusal = schema.Refuse(channel.CodeRecordInvalid, refusal.Reason, "correct the source's format, or what is written to the topic")
		}
		return refused(refusal)
	}
	defer doc.Release()
	id := t.prefix + "/" + strconv.Itoa(int(r.Partition)) + "/" + strconv.FormatInt(r.Offset, 10)
	if t.rows == nil {
		pieces := t.events(doc.Root(), id, r)
		for i := range pieces {
			pieces[i].Place = place
		}
		return pieces
	}
	parts, refusal := t.mapping.Payload(doc.Root())
	if refusal != nil {
		return refused(refusal)
	}
	pieces := make([]mapping.Piece, len(parts))
	for i := range parts {
		row := &parts[i].Row
		row.About, row.Record = about, id
		if len(parts) > 1 {
			row.Record = mapping.Numbered(id, i+1)
		}
		if pieces[i].Raw = parts[i].Raw; pieces[i].Raw == nil {
			pieces[i].Raw = r.Value
		}
		pieces[i].Events, pieces[i].Context, pieces[i].Place = t.rows.Map(row), context, place
	}
	return pieces
}

// json is the record's value as JSON.
func (t *Topic) json(r *Record) ([]byte, *schema.Refusal) {
	value := r.Value
	refuse := func(err error) ([]byte, *schema.Refusal) {
		return nil, schema.Refuse(channel.CodeRecordInvalid, "the value is no "+t.Format+" of the source's schema: "+err.Error(), "correct the source's format, framing or schema, or what is written to the topic")
	}
	decode := t.all
	if t.Framing != "" {
		id, framed, err := named(r)
		if err != nil {
			return refuse(err)
		}
		value = framed
		switch {
		case t.byID != nil:
			known := false
			if decode, known = t.byID[id]; !known {
				return nil, schema.Refuse(channel.CodeSchemaUnknown, "the source has no schema "+id, "add it to the source's schemas")
			}
		case t.Registry && t.decodes():
			known := false
			if decode, known = t.learned.find(id); !known {
				return nil, schema.Refuse(channel.CodeSchemaUnknown, "the registry has no schema "+id, "register it, or see whether the cluster's registry is the one that the records were written with")
			}
		}
		if p, isProto := decode.(*protoSchema); isProto {
			framed, rest, err := p.framed(value)
			if err != nil {
				return refuse(err)
			}
			decode, value = framed, rest
		}
	}
	switch {
	case t.Format == FormatCloudEvents:
		return t.cloudEvent(r, value)
	case decode == nil:
		return value, nil
	}
	text, err := decode.json(value)
	if refusal := (*schema.Refusal)(nil); errors.As(err, &refusal) {
		return nil, refusal
	}
	if err != nil {
		return refuse(err)
	}
	return text, nil
}

// cloudEvent is the structured form of a CloudEvent by the Kafka binding: in binary mode its attributes are headers.
func (t *Topic) cloudEvent(r *Record, value []byte) ([]byte, *schema.Refusal) {
	contentType := r.header("content-type")
	if strings.HasPrefix(contentType, "application/cloudevents") || r.header("ce_specversion") == "" {
		return value, nil
	}
	attributes := map[string]string{}
	for _, h := range r.Headers {
		if name, isAttribute := strings.CutPrefix(strings.ToLower(h.Key), "ce_"); isAttribute {
			attributes[name] = h.Value
		}
	}
	return native.StructuredCloudEvent(attributes, contentType, value), nil
}

// about are the columns about the record.
func (t *Topic) about(r *Record) map[string]string {
	about := map[string]string{
		"@topic": t.Topic, "@partition": strconv.Itoa(int(r.Partition)), "@offset": strconv.FormatInt(r.Offset, 10),
		"@timestamp": r.Time.String(), "@key": strings.ToValidUTF8(string(r.Key), "\uFFFD"),
	}
	for _, h := range r.Headers {
		if name := "@header." + strings.ToLower(h.Key); about[name] == "" {
			about[name] = strings.ToValidUTF8(h.Value, "\uFFFD")
		}
	}
	return about
}

// events takes records that are events already: native ones or CloudEvents, one or an array.
func (t *Topic) events(n canonical.Node, id string, r *Record) []mapping.Piece {
	if n.Kind() != canonical.Array {
		return []mapping.Piece{t.event(n, id, r, r.Value)}
	}
	var pieces []mapping.Piece
	n.Each(func(_ string, element canonical.Node) bool {
		pieces = append(pieces, t.event(element, mapping.Numbered(id, len(pieces)+1), r, element.AppendCanonical(nil, nil)))
		return true
	})
	return pieces
}

func (t *Topic) event(n canonical.Node, id string, r *Record, raw []byte) mapping.Piece {
	if t.Format == FormatCloudEvents {
		text, refusal := native.FromCloudEvent(n)
		if refusal != nil {
			return mapping.Piece{Refusal: refusal, Raw: raw}
		}
		doc, err := canonical.Parse(text, canonical.Limits{Depth: maxDepth + 1})
		if err != nil {
			return mapping.Piece{Refusal: schema.Refuse(channel.CodeRecordInvalid, "the CloudEvent cannot be read", "send one JSON object"), Raw: raw}
		}
		defer doc.Release()
		n = doc.Root()
	}
	if n.Kind() != canonical.Object {
		return mapping.Piece{Refusal: schema.Refuse(channel.CodeNotAnObject, "an event is a JSON object", "give the source a mapping, or send objects"), Raw: raw}
	}
	// What the record does not say itself is said for it; a topic is one source, whatever its records say.
	given := [...]struct{ name, value string }{{"messageId", id}, {"occurredAt", r.Time.String()}, {"source", t.Source}}
	absent := func(name string) bool {
		kind := n.Get(name).Kind()
		return name == "source" || kind == canonical.Absent || kind == canonical.Null
	}
	text := n.AppendCanonical(nil, func(depth int, key string) bool {
		return depth == 0 && (key == "messageId" || key == "occurredAt" || key == "source") && absent(key)
	})
	text = text[:len(text)-1]
	for _, member := range given {
		if !absent(member.name) {
			continue
		}
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = canonical.AppendString(append(canonical.AppendString(text, member.name), ':'), member.value)
	}
	return mapping.Piece{Events: []mapping.Event{{JSON: append(text, '}')}}, Raw: raw}
}
