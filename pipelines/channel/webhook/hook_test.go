package webhook

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

func encode(key []byte) string { return secretPrefix + base64.StdEncoding.EncodeToString(key) }

const ticketMap = `
name: tickets
path: data.tickets
events:
  - type: case.opened
    when: {column: kind, is: new}
    time: at
    case: id
    identifiers: [{kind: email, value: who.email}]
    properties: {account: $.account.id, topic: "@header.x-topic", amount: {column: cents, shift: -2}}
`

func hook(t testing.TB, text string) *Hook {
	t.Helper()
	h, err := New("desk", []byte(text), Signature{Scheme: SchemeStandard, Secrets: []string{"secret:DESK"}}, "", time.LoadLocation)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestRead(t *testing.T) {
	h := hook(t, ticketMap)
	body := `{"account":{"id":7},"data":{"kind":"page","tickets":[
		{"id":"t1","kind":"new","at":"2026-01-02T03:04:05Z","who":{"email":"a@b.fr"},"cents":1999},
		{"id":"t2","kind":"old","at":"2026-01-02T03:04:05Z"},
		{"id":"t3","kind":"new","who":{"email":"c@d.fr"}}]}}`
	parts, refusal := h.Read(headers("webhook-id", "msg_1", "X-Topic", "t/new", "Authorization", "Bearer secret"), []byte(body), nil, schema.Instant(0))
	if refusal != nil || len(parts) != 3 {
		t.Fatal(parts, refusal)
	}
	events := h.Rows.Map(&parts[0].Row)
	want := `"source":"desk","messageId":"msg_1#1","occurredAt":"2026-01-02T03:04:05Z","identifiers":[{"kind":"email","value":"a@b.fr"}],"case":"t1","properties":{"account":"7","amount":"19.99","topic":"t/new"}}`
	if len(events) != 1 || events[0].Fault != nil || !strings.HasSuffix(string(events[0].JSON), want) {
		t.Fatalf("%s, want …%s", events[0].JSON, want)
	}
	if events := h.Rows.Map(&parts[1].Row); len(events) != 0 {
		t.Fatalf("a row outside of the conditions gives %v", events)
	}
	if events := h.Rows.Map(&parts[2].Row); len(events) != 1 || events[0].Fault == nil || events[0].Fault.Refusal.Code != "time_invalid" {
		t.Fatalf("a row without a time gives %v", events)
	}
	if parts[0].Row.About["@header.authorization"] != "" {
		t.Error("a credential is a column")
	}
}

func TestMessageID(t *testing.T) {
	h := hook(t, strings.Replace(ticketMap, "path: data.tickets\n", "", 1))
	read := func(body string, pairs ...string) string {
		t.Helper()
		parts, refusal := h.Read(headers(pairs...), []byte(body), nil, 0)
		if refusal != nil || len(parts) != 1 {
			t.Fatal(parts, refusal)
		}
		return parts[0].Row.Record
	}
	if id := read(`{"kind":"new"}`, "webhook-id", "m1"); id != "m1" {
		t.Error(id)
	}
	if a, b := read(`{"kind":"new"}`), read(`{"kind":"new"}`); a != b || a == read(`{"kind":"old"}`) || a == "" {
		t.Error("without an id the content must stand for it", a, b)
	}
	if id := read(`{}`, "webhook-id", strings.Repeat("x", 300)); len(id) > longestID {
		t.Error("an id of 300 bytes leaves no room", id)
	}
}

func TestForm(t *testing.T) {
	h := hook(t, "name: sms\nevents: [{type: message.received, record: MessageSid, time: '@received', text: Body, identifiers: [{kind: phone, value: From}]}]")
	form := url.Values{"MessageSid": {"SM1"}, "Body": {"où est mon colis ?"}, "From": {"+33612345678"}}
	parts, refusal := h.Read(headers(), []byte(form.Encode()), form, 1_000_000)
	if refusal != nil || len(parts) != 1 {
		t.Fatal(parts, refusal)
	}
	events := h.Rows.Map(&parts[0].Row)
	if len(events) != 1 || !strings.Contains(string(events[0].JSON), `"messageId":"SM1","occurredAt":"1970-01-01T00:00:01Z"`) || !strings.Contains(string(events[0].JSON), "colis") {
		t.Fatalf("%s", events[0].JSON)
	}
	for body, want := range map[string]bool{"a=b": true, `{"a":1}`: false, " [1]": false, "": true} {
		if IsForm("application/x-www-form-urlencoded; charset=utf-8", []byte(body)) != want {
			t.Errorf("%q is a form: %v", body, !want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	h := hook(t, ticketMap)
	for body, want := range map[string]string{
		`{"data":`: "not_json", `{"data":{}}`: "field_invalid", `[1]`: "not_an_object", `{"data":{"tickets":"x"}}`: "not_an_object", "": "not_json",
		`{"data":{"tickets":[` + strings.Repeat(`{},`, 10_000) + `{}]}}`: "field_invalid",
	} {
		if _, refusal := h.Read(headers(), []byte(body), nil, 0); refusal == nil || refusal.Code != want {
			t.Errorf("%.40s: %v, want %s", body, refusal, want)
		}
	}
	for _, body := range []string{`{"data":{"tickets":[]}}`, `{"data":{"tickets":null}}`, `{"data":null}`} {
		if parts, refusal := h.Read(headers(), []byte(body), nil, 0); refusal != nil || len(parts) != 0 {
			t.Errorf("%s: %v %v", body, parts, refusal)
		}
	}
}

func TestMappingRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"name: x\nevents: [{type: message.received}]": "no time",
		"name: x\nlookups: {t: {file: f, key: k}}\nevents: [{type: message.received, time: at, text: {lookup: t, by: a, take: b}}]": "lookups",
		"name: x\nrows: skip": "skip",
		"name: x":             "no events",
		"nam: x":              "nam",
	} {
		_, _, err := Mapping("s", []byte(text), time.LoadLocation)
		if err == nil || !strings.Contains(err.Error(), want) || schema.ClassOf(err) != schema.Rejected {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
