package collector

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/schema/envelope"
	"github.com/dossier-cdp/dossier/schema/ids"
	"github.com/dossier-cdp/dossier/schema/seal"
	"github.com/dossier-cdp/dossier/services/collector/deadletter"
	"github.com/dossier-cdp/dossier/services/internal/access"
	"github.com/dossier-cdp/dossier/services/internal/kafka"
)

// fakeLog keeps what is submitted, and fails when told to.
type fakeLog struct {
	mu       sync.Mutex
	messages []kafka.Message
	fail     error
	wait     chan struct{} // nil: answers at once
}

func (l *fakeLog) Submit(ctx context.Context, messages []kafka.Message) error {
	l.mu.Lock()
	fail, wait := l.fail, l.wait
	l.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if fail != nil {
		return fail
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range messages {
		l.messages = append(l.messages, kafka.Message{Key: bytes.Clone(m.Key), Value: bytes.Clone(m.Value)})
	}
	return nil
}

func (l *fakeLog) setFail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = err
}

func (l *fakeLog) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.messages)
}

var errFull = schema.Classify(schema.Transient, &kafka.UnavailableError{RetryAfter: time.Second, Reason: "full"})

// fakeAccess has one key of each trust and one token of each kind.
type fakeAccess struct{}

const (
	serverKey   = "server-key"
	clientKey   = "client-key"
	decideToken = "decide-token"
	readToken   = "read-token"
)

func (fakeAccess) WriteKey(secret string) (access.WriteKey, bool) {
	switch secret {
	case serverKey:
		return access.WriteKey{ID: "k1", Workspace: "main", Source: "shop", Trust: schema.TrustServer}, true
	case clientKey:
		return access.WriteKey{ID: "k2", Workspace: "main", Source: "site", Trust: schema.TrustClient}, true
	}
	return access.WriteKey{}, false
}

func (fakeAccess) Token(secret string) (access.Token, bool) {
	switch secret {
	case decideToken:
		return access.Token{ID: "t1", Name: "desk", Actor: "ann", Workspace: "main", Scopes: []string{access.ScopeRead, access.ScopeDecide}}, true
	case readToken:
		return access.Token{ID: "t2", Name: "crm", Actor: "crm", Workspace: "main", Scopes: []string{access.ScopeRead}}, true
	}
	return access.Token{}, false
}

// rig is a collector over fakes, with everything a test looks at.
type rig struct {
	*Collector
	log     *fakeLog
	letters *fakeLog
	ring    *seal.Ring
	ids     *ids.Deriver
	sources map[string]*channel.Source
	cutOffs map[schema.PersonaID]schema.Instant
	now     time.Time
}

var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newRig(t testing.TB, limits Limits) *rig {
	t.Helper()
	master := seal.Key{1, 2, 3}
	ring, err := seal.NewRing("main", master, []string{"standard"}, 1990, 2030, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{
		log: &fakeLog{}, letters: &fakeLog{}, ring: ring, ids: ids.New(ring.PRF()), now: testNow,
		sources: map[string]*channel.Source{}, cutOffs: map[schema.PersonaID]schema.Instant{},
	}
	workspace := &Workspace{
		Name: "main", Ids: r.ids, Sealer: &envelope.Sealer{Keys: ring, Nonces: rand.Reader},
		Letters: &deadletter.Box{Keys: ring, Log: r.letters, Random: rand.Reader},
		Epoch: func(id schema.PersonaID) (uint32, schema.Instant) {
			cutOff, erased := r.cutOffs[id]
			if !erased {
				cutOff = NoCutOff
			}
			return ring.CurrentEpoch(id), cutOff
		},
		Source: func(name string) *channel.Source {
			if s, ok := r.sources[name]; ok {
				return s
			}
			return &channel.Source{Name: name}
		},
	}
	r.Collector = New(Config{
		Access: fakeAccess{}, Log: r.log, Limits: limits, Now: func() time.Time { return r.now },
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Workspace: func(name string) (*Workspace, bool) {
			return workspace, name == "main"
		},
	})
	return r
}

// answer is what a request was answered.
type answer struct {
	status   int
	header   http.Header
	Success  bool      `json:"success"`
	Accepted int       `json:"accepted"`
	Refused  []Refused `json:"refused"`
	IDs      []*string `json:"ids"`
	Error    struct{ Code, Reason, Hint string }
	body     string
}

func (a answer) code() string {
	if a.Error.Code != "" {
		return a.Error.Code
	}
	if len(a.Refused) > 0 {
		return a.Refused[0].Code
	}
	return ""
}

func (r *rig) post(t testing.TB, path, secret, body string, headers ...string) answer {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	switch {
	case strings.HasSuffix(secret, "token"):
		req.Header.Set("Authorization", "Bearer "+secret)
	case secret != "":
		req.SetBasicAuth(secret, "")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return r.do(t, req)
}

func (r *rig) do(t testing.TB, req *http.Request) answer {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, req)
	a := answer{status: w.Code, header: w.Header(), body: w.Body.String()}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
			t.Fatalf("answer %q is no JSON: %v", w.Body, err)
		}
	}
	return a
}

// events opens everything that was written.
func (r *rig) events(t testing.TB) []schema.Event {
	t.Helper()
	events := make([]schema.Event, len(r.log.messages))
	for i, m := range r.log.messages {
		if err := envelope.Open(r.ring, m.Value, &events[i]); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(m.Key, events[i].Persona[:]) {
			t.Fatalf("record %d is keyed by %x, its persona is %s", i, m.Key, events[i].Persona)
		}
	}
	return events
}

// refusedLetters opens every dead letter.
func (r *rig) refusedLetters(t testing.TB) []*deadletter.Opened {
	t.Helper()
	var letters []*deadletter.Opened
	for _, m := range r.letters.messages {
		letter, err := deadletter.Open(m.Value, r.ring)
		if err != nil {
			t.Fatal(err)
		}
		letters = append(letters, letter)
	}
	return letters
}

const goodTrack = `{"type":"track","event":"Product Viewed","userId":"u1","messageId":"m1","timestamp":"2026-03-01T11:00:00Z","properties":{"price":9.50}}`

func TestAcceptsWhatSDKsSend(t *testing.T) {
	batch := `{"batch":[` + goodTrack + `],"sentAt":"2026-03-01T11:59:58Z","context":{"library":{"name":"analytics-go","version":"3.0.0"}}}`
	inBody := strings.Replace(batch, `{"batch"`, `{"writeKey":"server-key","batch"`, 1)
	for _, c := range []struct {
		name, path, key, body string
		headers               []string
	}{
		{"batch", "/v1/batch", serverKey, batch, nil},
		{"short form", "/v1/b", serverKey, batch, nil},
		{"trailing slash", "/v1/batch/", serverKey, batch, nil},
		{"key in the body", "/v1/batch", "", inBody, nil},
		{"OAuth bearer beside the key in the body", "/v1/batch", "", inBody, []string{"Authorization", "Bearer something.signed"}},
		{"plain text", "/v1/batch", "", inBody, []string{"Content-Type", "text/plain"}},
		{"form content type around gzip", "/v1/batch", serverKey, gzipped(batch), []string{"Content-Type", "application/x-www-form-urlencoded", "Content-Encoding", "gzip"}},
		{"gzip without its header", "/v1/batch", serverKey, gzipped(batch), nil},
		{"one call", "/v1/track", serverKey, goodTrack, nil},
		{"one call, short", "/v1/t/", serverKey, goodTrack, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, Limits{})
			a := r.post(t, c.path, c.key, c.body, c.headers...)
			if a.status != 200 || a.body != `{"success":true}` {
				t.Fatalf("%d %s", a.status, a.body)
			}
			events := r.events(t)
			if len(events) != 1 || events[0].Name != "Product Viewed" || events[0].Source != "shop" || events[0].Account.Value != "u1" {
				t.Fatalf("%+v", events)
			}
			if events[0].ReceivedAt != schema.InstantOf(testNow) || events[0].OccurredAt.String() != "2026-03-01T11:00:00Z" {
				t.Fatalf("clocks %s %s", events[0].ReceivedAt, events[0].OccurredAt)
			}
		})
	}
}

func TestOneEventIsOneWhateverTheTransport(t *testing.T) {
	r := newRig(t, Limits{})
	reordered := `{"properties":{"price":95e-1},"timestamp":"2026-03-01T11:00:00Z","messageId":"m1","userId":"u1","event":"Product\u0020Viewed","type":"track"}`
	r.post(t, "/v1/track", serverKey, goodTrack)
	r.now = r.now.Add(7 * time.Hour)
	r.post(t, "/v1/batch", serverKey, `{"batch":[`+reordered+`],"sentAt":"2001-01-01T00:00:00Z"}`)
	r.post(t, "/v1/t", serverKey, reordered, "Content-Type", "text/plain")
	r.post(t, "/v1/track", serverKey, strings.Replace(goodTrack, `"type":"track",`, "", 1)) // the path says it
	events := r.events(t)
	for i := range events {
		if events[i].ID != events[0].ID || events[i].Persona != events[0].Persona || events[i].OccurredAt != events[0].OccurredAt {
			t.Fatalf("copy %d differs: %+v", i, events[i].Clear)
		}
	}
	if len(events) != 4 {
		t.Fatal(len(events))
	}
	r.post(t, "/v1/track", clientKey, goodTrack)
	if e := r.events(t)[4]; e.ID == events[0].ID || e.Persona == events[0].Persona {
		t.Fatal("a client's event has the id of a server's")
	}
}

func TestEventsWithoutATimeAreToldApart(t *testing.T) {
	r := newRig(t, Limits{})
	item := `{"type":"track","event":"x","userId":"u1"}`
	r.post(t, "/v1/batch", serverKey, `{"batch":[`+item+`,`+item+`]}`)
	r.post(t, "/v1/batch", serverKey, `{"batch":[`+item+`]}`)
	seen := map[schema.EventID]bool{}
	for _, e := range r.events(t) {
		seen[e.ID] = true
		if !e.Provenance.ReceiptTimed || e.OccurredAt != e.ReceivedAt {
			t.Fatalf("%+v", e.Clear)
		}
	}
	if len(seen) != 3 {
		t.Fatalf("%d ids of 3 events", len(seen))
	}
}

func TestOneBadEventDoesNotSpoilItsBatch(t *testing.T) {
	r := newRig(t, Limits{})
	bad := `{"type":"track","messageId":"m2","userId":"u2","traits":{"email":"Ann@Example.com"}}`
	a := r.post(t, "/v1/batch", serverKey, `{"batch":[`+goodTrack+`,`+bad+`,`+goodTrack+`],"context":{"ip":"203.0.113.7"}}`)
	if a.status != 200 || !a.Success || a.Accepted != 2 || len(a.Refused) != 1 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if got := a.Refused[0]; got.Index != 1 || got.ID != "m2" || got.Code != channel.CodeNoEventName || got.Hint == "" {
		t.Fatalf("%+v", got)
	}
	letters := r.refusedLetters(t)
	if len(letters) != 1 || string(letters[0].Raw) != bad || string(letters[0].Context) != `{"ip":"203.0.113.7"}` || letters[0].Code != channel.CodeNoEventName {
		t.Fatalf("%+v", letters)
	}
	for _, value := range []string{"u2", "ann@example.com", "m2"} {
		form := deadletter.Trace(value)[0]
		want := deadletter.HashTrace(r.ring.PRF(), form)
		if found := strings.Contains(strings.Join(letters[0].Hashes, " "), want); found != (len(value) >= 3) {
			t.Errorf("trace of %q found: %v", value, found)
		}
	}
	if r.log.len() != 2 {
		t.Fatal(r.log.len())
	}
}

func TestNativeReceipts(t *testing.T) {
	r := newRig(t, Limits{})
	one := `{"type":"message.received","messageId":"a","occurredAt":"2026-02-01T10:00:00Z","userId":"u1","text":"où est mon colis ? 🎁"}`
	two := `{"type":"message.received","messageId":"b","occurredAt":"yesterday","userId":"u1"}`
	for name, body := range map[string]string{
		"array": "[" + one + "," + two + "]", "NDJSON": one + "\n\n" + two + "\n", "NDJSON with CRLF": one + "\r\n" + two + "\r\n",
	} {
		a := r.post(t, "/v1/events", serverKey, body)
		if a.status != 200 || a.Accepted != 1 || len(a.Refused) != 1 || a.Refused[0].Index != 1 || a.Refused[0].ID != "b" || a.Refused[0].Code != channel.CodeTimeInvalid {
			t.Fatalf("%s: %d %s", name, a.status, a.body)
		}
		if len(a.IDs) != 2 || a.IDs[0] == nil || a.IDs[1] != nil {
			t.Fatalf("%s: ids %v", name, a.IDs)
		}
	}
	if e := r.events(t)[0]; e.Text != "où est mon colis ? 🎁" || e.Type != schema.TypeMessageReceived {
		t.Fatalf("%+v", e)
	}
	pretty := "{\n  \"type\": \"message.received\",\n  \"userId\": \"u1\"\n}\n"
	if a := r.post(t, "/v1/events", serverKey, pretty); a.status != 200 || a.Accepted != 1 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := r.post(t, "/v1/events", serverKey, two); a.status != 400 || len(a.Refused) != 1 {
		t.Fatalf("%d %s", a.status, a.body)
	}
}

func TestLogFailureIsNeverASuccess(t *testing.T) {
	r := newRig(t, Limits{WriteTimeout: 30 * time.Millisecond})
	r.log.setFail(schema.Classify(schema.Transient, &kafka.UnavailableError{RetryAfter: 2500 * time.Millisecond, Reason: "full"}))
	a := r.post(t, "/v1/track", serverKey, goodTrack)
	if a.status != 503 || a.header.Get("Retry-After") != "3" || a.code() != "log_unavailable" {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	r.log.setFail(io.ErrUnexpectedEOF)
	if a := r.post(t, "/v1/track", serverKey, goodTrack); a.status != 503 || a.header.Get("Retry-After") != "1" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	r.log.setFail(nil)
	r.log.wait = make(chan struct{}) // a log that never answers
	if a := r.post(t, "/v1/track", serverKey, goodTrack); a.status != 503 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	close(r.log.wait)
	if a := r.post(t, "/v1/track", serverKey, goodTrack); a.status != 200 || r.log.len() != 1 {
		t.Fatalf("no recovery: %d %s", a.status, a.body)
	}
	r.letters.setFail(io.ErrUnexpectedEOF) // the refused event would be lost
	if a := r.post(t, "/v1/batch", serverKey, `{"batch":[`+goodTrack+`,{"type":"track","userId":"u"}]}`); a.status != 503 {
		t.Fatalf("a dead letter was lost: %d %s", a.status, a.body)
	}
	reading := r.Metrics().Read()
	if reading.Unavailable != 4 || reading.Requests[503] != 4 || reading.Requests[200] != 1 {
		t.Fatalf("%+v", reading)
	}
	if left := r.budget.left.Load(); left != r.limits.InFlight {
		t.Fatalf("%d bytes of the budget are lost", r.limits.InFlight-left)
	}
}

func TestErasedPersons(t *testing.T) {
	r := newRig(t, Limits{})
	r.post(t, "/v1/track", serverKey, goodTrack)
	persona := r.events(t)[0].Persona
	r.ring.Punch(persona, 0)
	r.cutOffs[persona] = schema.InstantOf(testNow)
	a := r.post(t, "/v1/track", serverKey, goodTrack)
	if a.status != 400 || a.code() != channel.CodeErased {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if r.log.len() != 1 || r.letters.len() != 0 {
		t.Fatalf("stored: %d events, %d letters", r.log.len(), r.letters.len())
	}
	later := strings.Replace(goodTrack, "2026-03-01T11:00:00Z", "2026-03-01T12:00:01Z", 1)
	if a := r.post(t, "/v1/track", serverKey, later); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	var e schema.Event
	if err := envelope.Open(r.ring, r.log.messages[1].Value, &e); err != nil || e.Key.Epoch != 1 {
		t.Fatalf("%v, epoch %d", err, e.Key.Epoch)
	}
}

func TestCloudEvents(t *testing.T) {
	r := newRig(t, Limits{})
	data := `{"account":{"kind":"crm_id","value":"7"},"text":"hello"}`
	structured := `{"specversion":"1.0","id":"e1","source":"/desk","type":"com.example.message.received","time":"2026-03-01T11:00:00Z","data":` + data + `}`
	const contentType = "Content-Type"
	for name, a := range map[string]answer{
		"structured": r.post(t, "/v1/events", serverKey, structured, contentType, "application/cloudevents+json; charset=utf-8"),
		"batch":      r.post(t, "/v1/events", serverKey, "["+structured+"]", contentType, "application/cloudevents-batch+json"),
		"binary": r.post(t, "/v1/events", serverKey, data, contentType, "application/json", "ce-specversion", "1.0", "ce-id", "e1",
			"ce-source", "/desk", "ce-type", "com.example.message.received", "ce-time", "2026-03-01T11:00:00Z"),
	} {
		if a.status != 200 || a.Accepted != 1 {
			t.Fatalf("%s: %d %s", name, a.status, a.body)
		}
	}
	events := r.events(t)
	for _, e := range events {
		if e.ID != events[0].ID || e.Type != schema.TypeMessageReceived || e.Account.Value != "7" || e.OccurredAt.String() != "2026-03-01T11:00:00Z" {
			t.Fatalf("%+v", e)
		}
	}
	own := `{"specversion":"1.0","id":"e2","source":"/shop","type":"com.example.basket.left","subject":"u1","data":{"items":3}}`
	if a := r.post(t, "/v1/events", serverKey, own, contentType, "application/cloudevents+json"); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if e := r.events(t)[3]; e.Type != schema.TypeTrackPerformed || e.Name != "com.example.basket.left" || e.Account.Value != "u1" || string(e.Properties) != `{"items":3}` {
		t.Fatalf("%+v", e)
	}
	for body, code := range map[string]string{
		`{"specversion":"0.3","id":"e2","source":"/shop","type":"a"}`:                                   channel.CodeFieldInvalid,
		`{"specversion":"1.0","source":"/shop","type":"a"}`:                                             channel.CodeFieldInvalid,
		`{"specversion":"1.0","id":"e","source":"/shop","type":"x.message.received","data":"text"}`:     channel.CodeFieldInvalid,
		`{"specversion":"1.0","id":"e","source":"/shop","type":"a","data_base64":"?"}`:                  channel.CodeFieldInvalid,
		`{"specversion":"1.0","id":"e","source":"/shop","type":"a","data":1,"data_base64":"AA=="}`:      channel.CodeFieldInvalid,
		`{"specversion":"1.0","id":"e","source":"/shop","type":"a","x":1,"data":{"$attributes":1}}`:     channel.CodeReservedProperty,
		`{"specversion":"1.0","id":"e","source":"/shop","type":"x.message.received","data":{"mood":1}}`: channel.CodeFieldUnknown,
		`{"specversion":"1.0","id":"e","source":"/shop","type":"x.profile.erased"}`:                     channel.CodeScopeMissing,
		`7`: channel.CodeNotAnObject,
	} {
		if a := r.post(t, "/v1/events", serverKey, body, contentType, "application/cloudevents+json"); a.code() != code {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}
