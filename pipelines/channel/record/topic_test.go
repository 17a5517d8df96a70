package record

import (
	"encoding/binary"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/pipelines/channel/mapping"
	"github.com/dossier-cdp/dossier/pipelines/channel/native"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/canonical"
)

func topic(t testing.TB, text string, s Settings) *Topic {
	t.Helper()
	if s.Topic == "" {
		s.Topic = "crm.orders"
	}
	made, err := New("crm", []byte(text), s, time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

var recorded = schema.InstantOf(time.Date(2026, 3, 1, 11, 0, 0, 5000, time.UTC))

// taken checks that the native mapper takes what a record became, and shows it.
func taken(t testing.TB, pieces []mapping.Piece) string {
	t.Helper()
	var lines []string
	for i := range pieces {
		if r := pieces[i].Refused(); r != nil {
			lines = append(lines, "refused "+r.Code)
			continue
		}
		for _, e := range pieces[i].Events {
			doc, err := canonical.Parse(e.JSON, canonical.Limits{})
			if err != nil {
				t.Fatalf("%v: %s", err, e.JSON)
			}
			s := channel.Sender{
				Workspace: "main", Source: &channel.Source{Name: "crm"}, Trust: schema.TrustServer, Limits: channel.NativeLimits(), ReceivedAt: recorded + 1,
			}
			var m channel.Mapped
			if r := native.Map(doc.Root(), &s, &m); r != nil {
				lines = append(lines, "refused "+r.Code)
				continue
			}
			v := &m.Event
			lines = append(lines, strings.Join([]string{v.Type.String(), v.Name, v.Source, v.Provenance.MessageID, v.OccurredAt.String(), v.Account.Value, string(v.Properties)}, "|"))
		}
	}
	return strings.Join(lines, "\n")
}

const orderMap = `
name: orders
events:
  - {type: order.placed, time: "@timestamp", account: {kind: customer_id, value: customer}, entity: id, properties: {key: "@key", from: "@header.app"}}
`

func TestRead(t *testing.T) {
	plain := Settings{}
	events := Settings{Format: FormatCloudEvents}
	for _, c := range []struct {
		name, text string
		s          Settings
		r          Record
		want       string
	}{
		{"JSON by a mapping", orderMap, plain, Record{Value: []byte(`{"id":"o1","customer":"c1"}`), Key: []byte("k"), Headers: []Header{{"App", "till"}}},
			`order.placed||crm|crm.orders/3/42|2026-03-01T11:00:00.000005Z|c1|{"from":"till","key":"k"}`},
		{"rows at a path", "name: o\npath: orders\nevents: [{type: order.placed, time: at, record: id, account: {kind: customer_id, value: $.who}, properties: {}}]", plain,
			Record{Value: []byte(`{"who":"c1","orders":[{"id":"o1","at":"2026-01-01T00:00:00Z"},{"id":"o2"}]}`)},
			"order.placed||crm|o1|2026-01-01T00:00:00Z|c1|\nrefused time_invalid"},
		{"several rows without a record", "name: o\nevents: [{type: order.placed, time: '@timestamp', account: {kind: customer_id, value: who}, properties: {}}]", plain,
			Record{Value: []byte(`[{"who":"c1"},{"who":"c2"}]`)},
			"order.placed||crm|crm.orders/3/42#1|2026-03-01T11:00:00.000005Z|c1|\norder.placed||crm|crm.orders/3/42#2|2026-03-01T11:00:00.000005Z|c2|"},
		{"a native event", "", plain, Record{Value: []byte(`{"type":"message.received","userId":"u1","source":"other","messageId":null}`)},
			"message.received||crm|crm.orders/3/42|2026-03-01T11:00:00.000005Z|u1|"},
		{"a native event that says all", "", plain, Record{Value: []byte(`{"type":"message.received","userId":"u1","messageId":"m1","occurredAt":"2026-01-01T00:00:00Z"}`)},
			"message.received||crm|m1|2026-01-01T00:00:00Z|u1|"},
		{"an array of native events", "", plain, Record{Value: []byte(`[{"type":"message.received","userId":"u1"},{"typ":"x"}, 7]`)},
			"message.received||crm|crm.orders/3/42#1|2026-03-01T11:00:00.000005Z|u1|\nrefused field_unknown\nrefused not_an_object"},
		{"a structured CloudEvent", "", events, Record{Value: []byte(`{"specversion":"1.0","id":"e1","source":"/s","type":"com.shop.viewed","subject":"u1","data":{"a":1}}`), Headers: []Header{{"content-type", "application/cloudevents+json"}}},
			`track.performed|com.shop.viewed|crm|e1|2026-03-01T11:00:00.000005Z|u1|{"a":1}`},
		{"a binary CloudEvent", "", events, Record{Value: []byte(`{"userId":"u1"}`), Headers: []Header{{"ce_specversion", "1.0"}, {"ce_id", "e1"}, {"ce_source", "/s"}, {"ce_type", "shop.order.placed"}, {"ce_time", "2026-01-01T00:00:00Z"}, {"ce_region", "eu"}, {"content-type", "application/json"}}},
			`order.placed||crm|e1|2026-01-01T00:00:00Z|u1|{"$attributes":{"region":"eu"}}`},
		{"a binary CloudEvent of text", "", events, Record{Value: []byte(`où ?`), Headers: []Header{{"ce_specversion", "1.0"}, {"ce_id", "e1"}, {"ce_source", "/s"}, {"ce_type", "said"}, {"ce_subject", "u1"}, {"content-type", "text/plain"}}},
			`track.performed|said|crm|e1|2026-03-01T11:00:00.000005Z|u1|{"$data":"où ?"}`},
		{"a CloudEvent by a mapping", "name: c\nevents: [{type: order.placed, time: time, record: id, account: {kind: customer_id, value: data.who}, properties: {}}]", events,
			Record{Value: []byte(`{"who":"c1"}`), Headers: []Header{{"ce_specversion", "1.0"}, {"ce_id", "e1"}, {"ce_source", "/s"}, {"ce_type", "x"}, {"ce_time", "2026-01-01T00:00:00Z"}}},
			"order.placed||crm|e1|2026-01-01T00:00:00Z|c1|"},
		{"a tombstone", orderMap, plain, Record{}, ""},
		{"an empty value", orderMap, plain, Record{Value: []byte{}}, "refused record_invalid"},
		{"no JSON", orderMap, plain, Record{Value: []byte("\x00\x00\x00\x00\x07{}")}, "refused record_invalid"},
		{"a schema's frame", orderMap, Settings{Framing: "confluent"}, Record{Value: []byte("\x00\x00\x00\x00\x07{\"customer\":\"c1\"}")}, `order.placed||crm|crm.orders/3/42|2026-03-01T11:00:00.000005Z|c1|`},
		{"a long topic", orderMap, Settings{Topic: strings.Repeat("t", 249)}, Record{Value: []byte(`{"customer":"c1"}`)}, `order.placed||crm|6ed80e3e1be9a1d4d8f9/3/42|2026-03-01T11:00:00.000005Z|c1|`},
	} {
		t.Run(c.name, func(t *testing.T) {
			made := topic(t, c.text, c.s)
			r := c.r
			r.Partition, r.Offset, r.Time = 3, 42, recorded
			got := taken(t, made.Read(&r))
			if c.name == "a long topic" { // what stands for its name is a hash
				if id := strings.Split(got, "|")[3]; len(id) != 20+len("/3/42") {
					t.Fatal(got)
				}
				return
			}
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func frame(id uint32, rest ...byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, id), rest...)
}

func TestSchemasByID(t *testing.T) {
	first := `{"type":"record","name":"c","fields":[{"name":"id","type":"string"}]}`
	second := `{"type":"record","name":"c","fields":[{"name":"age","type":"int"},{"name":"id","type":"string"}]}`
	m := "name: c\nevents: [{type: profile.identified, time: '@timestamp', account: {kind: customer_id, value: id}, properties: {age: age}}]"
	made := topic(t, m, Settings{Format: FormatAvro, Framing: "confluent", Schemas: map[string]string{"7": first, "300": second}})
	for _, c := range []struct {
		value []byte
		want  string
	}{
		{frame(7, 4, 'c', '1'), "|c1|"}, {frame(300, 80, 4, 'c', '1'), `|c1|{"age":"40"}`}, {frame(8, 4, 'c', '1'), "refused schema_unknown"},
		{frame(7, 4, 'c'), "refused record_invalid"}, {[]byte{0, 0, 0}, "refused record_invalid"}, {[]byte{1, 0, 0, 0, 7, 4, 'c', '1'}, "refused record_invalid"},
	} {
		if got := taken(t, made.Read(&Record{Value: c.value, Time: recorded})); !strings.HasSuffix(got, c.want) {
			t.Errorf("%x: %s, want %s", c.value, got, c.want)
		}
	}
	proto := `syntax = "proto3"; package p; message A { string a = 1; message In { string id = 1; } } message B { string id = 1; }`
	m = "name: c\nevents: [{type: profile.identified, time: '@timestamp', account: {kind: customer_id, value: id}, properties: {}}]"
	made = topic(t, m, Settings{Format: FormatProtobuf, Framing: "confluent", Schema: proto})
	for _, c := range []struct {
		value []byte
		want  string
	}{
		{frame(7, 2, 2, 0x0a, 2, 'c', '1'), "|c1|"},    // [1]: B
		{frame(7, 4, 0, 0, 0x0a, 2, 'c', '1'), "|c1|"}, // [0, 0]: A.In
		{frame(7, 2, 8, 0x0a, 2, 'c', '1'), "refused record_invalid"},
		{frame(7), "refused record_invalid"},
	} {
		if got := taken(t, made.Read(&Record{Value: c.value, Time: recorded})); !strings.HasSuffix(got, c.want) {
			t.Errorf("%x: %s, want %s", c.value, got, c.want)
		}
	}
	only := topic(t, m, Settings{Format: FormatProtobuf, Framing: "confluent", Schema: proto, Message: "p.B"})
	if got := taken(t, only.Read(&Record{Value: frame(7, 0, 0x0a, 2, 'c', '1')})); got != "refused record_invalid" {
		t.Error("a record of message A is", got)
	}
}

// TestLearn: schemas of a registry, by number and by GUID, in the value and in the header, with what they refer to.
func TestLearn(t *testing.T) {
	m := "name: c\nevents: [{type: profile.identified, time: '@timestamp', account: {kind: customer_id, value: id}, properties: {city: home.city}}]"
	made := topic(t, m, Settings{Format: FormatAvro, Registry: true})
	value := []byte{4, 'c', '1', 8, 'L', 'y', 'o', 'n'}
	guid := append([]byte{1}, "0123456789abcdef"...)
	inHeader := func(b []byte) []Header { return []Header{{schemaHeader, string(b)}} }
	address := SchemaText{Text: `{"type":"record","name":"c","fields":[{"name":"id","type":"string"},{"name":"home","type":"Home"}]}`, References: []Reference{
		{"City", `{"type":"record","name":"Empty","fields":[]}`}, {"Home", `{"type":"record","name":"Home","fields":[{"name":"city","type":"string"}]}`},
	}}
	for _, c := range []struct {
		record Record
		id     string
	}{
		{Record{Value: append(frame(7), value...)}, "7"},
		{Record{Value: append(guid[:17:17], value...)}, "30313233-3435-3637-3839-616263646566"},
		{Record{Value: value, Headers: inHeader(frame(9))}, "9"},
		{Record{Value: value, Headers: inHeader(guid)}, "30313233-3435-3637-3839-616263646566"},
	} {
		c.record.Time = recorded
		id, unknown := made.Unknown(&c.record)
		if unknown {
			if got := taken(t, made.Read(&c.record)); got != "refused schema_unknown" {
				t.Errorf("before it is learned: %s", got)
			}
			made.Learn(id, address)
		}
		if _, still := made.Unknown(&c.record); id != c.id || still {
			t.Errorf("%q %t, want %q", id, still, c.id)
		}
		if got := taken(t, made.Read(&c.record)); !strings.HasSuffix(got, `|c1|{"city":"Lyon"}`) {
			t.Errorf("%x: %s", c.record.Value, got)
		}
	}
	for id, s := range map[string]SchemaText{"20": {Type: "PROTOBUF", Text: `syntax = "proto3";`}, "21": {Text: "{"}, "22": {Text: `{"type":"record","name":"c","fields":[{"name":"home","type":"Nowhere"}]}`}} {
		made.Learn(id, s)
		n, err := strconv.Atoi(id)
		if err != nil {
			t.Fatal(err)
		}
		r := Record{Value: frame(uint32(n), 0), Time: recorded}
		if got := taken(t, made.Read(&r)); got != "refused schema_unknown" {
			t.Errorf("schema %s: %s", id, got)
		}
	}
	if _, unknown := made.Unknown(&Record{Value: []byte("short")}); unknown {
		t.Error("a record without a schema names one")
	}

	m = "name: c\nevents: [{type: profile.identified, time: '@timestamp', account: {kind: customer_id, value: id}, properties: {}}]"
	nested := topic(t, strings.Replace(m, "value: id", "value: id.id", 1), Settings{Format: FormatProtobuf, Registry: true})
	nested.Learn("7", SchemaText{Type: "PROTOBUF", Text: `syntax = "proto3"; import "shop/id.proto"; message B { shop.Id id = 1; }`, References: []Reference{{"shop/id.proto", `syntax = "proto3"; package shop; message Id { string id = 1; }`}}})
	if got := taken(t, nested.Read(&Record{Value: frame(7, 0, 0x0a, 4, 0x0a, 2, 'c', '1'), Time: recorded})); !strings.HasSuffix(got, "|c1|") {
		t.Errorf("protobuf with an import: %s", got)
	}
	made = topic(t, m, Settings{Format: FormatProtobuf, Registry: true})
	made.Learn("8", SchemaText{Type: "PROTOBUF", Text: `syntax = "proto3"; message A {} message B { string id = 1; }`})
	for _, r := range []Record{{Value: frame(8, 2, 2, 0x0a, 2, 'c', '1')}, {Value: []byte{0x0a, 2, 'c', '1'}, Headers: inHeader(frame(8, 2, 2))}} {
		r.Time = recorded
		if got := taken(t, made.Read(&r)); !strings.HasSuffix(got, "|c1|") {
			t.Errorf("%x: %s", r.Value, got)
		}
	}

	made = topic(t, m, Settings{Format: FormatJSON, Registry: true})
	r := Record{Value: append(frame(7), `{"id":"c1"}`...), Time: recorded}
	if got := taken(t, made.Read(&r)); !strings.HasSuffix(got, "|c1|") {
		t.Errorf("JSON: %s", got)
	}
}

func TestNewRefuses(t *testing.T) {
	avroSchema := `{"type":"record","name":"c","fields":[]}`
	for _, c := range []struct {
		text string
		s    Settings
		want string
	}{
		{orderMap, Settings{}, "needs a topic"},
		{orderMap, Settings{Topic: "t", Format: "xml"}, "format"},
		{orderMap, Settings{Topic: "t", Framing: "glue"}, "framing"},
		{orderMap, Settings{Topic: "t", From: "tomorrow"}, "from"},
		{orderMap, Settings{Topic: "t", Partitions: []int32{-1}}, "partition"},
		{orderMap, Settings{Topic: "t", Schema: avroSchema}, "has no schema"},
		{orderMap, Settings{Topic: "t", Format: "avro"}, "needs one of"},
		{orderMap, Settings{Topic: "t", Format: "avro", Schema: "{"}, "Avro"},
		{orderMap, Settings{Topic: "t", Format: "protobuf", Schema: "message A {"}, "Protobuf"},
		{orderMap, Settings{Topic: "t", Format: "avro", Schemas: map[string]string{"1": avroSchema}}, "framing"},
		{orderMap, Settings{Topic: "t", Format: "avro", Framing: "confluent", Schemas: map[string]string{"x": avroSchema}}, "id"},
		{orderMap, Settings{Topic: "t", Format: "avro", Registry: true, Schema: avroSchema}, "needs one of"},
		{"", Settings{Topic: "t", Format: "avro", Schema: avroSchema}, "mapping"},
		{"name: x\nevents: [{type: order.placed}]", Settings{Topic: "t"}, "no time"},
	} {
		if _, err := New("crm", []byte(c.text), c.s, time.LoadLocation); err == nil || !strings.Contains(err.Error(), c.want) || schema.ClassOf(err) != schema.Rejected {
			t.Errorf("%+v: %v, want %q", c.s, err, c.want)
		}
	}
}
