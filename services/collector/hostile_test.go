package collector

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/channel"
	"github.com/dossier-cdp/dossier/services/internal/shortcut"
)

func gzipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, s) // a buffer takes everything
	z.Close()
	return b.String()
}

func TestHostileInput(t *testing.T) {
	item := func(more string) string {
		return `{"type":"track","event":"x","userId":"u1","timestamp":"2026-03-01T11:00:00Z"` + more + `}`
	}
	deep := strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000)
	many := strings.TrimSuffix(strings.Repeat(item("")+",", 2501), ",")
	properties := &strings.Builder{}
	for i := range 10_001 {
		fmt.Fprintf(properties, `"p%d":1,`, i)
	}
	native := func(text string) string {
		return `{"type":"message.received","userId":"u1","occurredAt":"2026-03-01T11:00:00Z","text":"` + text + `"}`
	}
	megabyte := strings.Repeat("0123456789abcdef", 1<<16)
	for _, c := range []struct {
		name, path, key, body string
		headers               []string
		status                int
		code                  string
		stored, letters       int
	}{
		{"no key", "/v1/track", "", goodTrack, nil, 401, "key_missing", 0, 0},
		{"wrong key", "/v1/track", "nonsense", goodTrack, nil, 401, "key_unknown", 0, 0},
		{"wrong key in the body", "/v1/track", "", item(`,"writeKey":"nonsense"`), nil, 401, "key_unknown", 0, 0},
		{"read token on a write path", "/v1/track", readToken, goodTrack, nil, 403, channel.CodeScopeMissing, 0, 0},
		{"read token on the native path", "/v1/events", readToken, native("a"), nil, 403, channel.CodeScopeMissing, 0, 0},
		{"not JSON", "/v1/batch", serverKey, "hello", nil, 400, "not_json", 0, 0},
		{"empty body", "/v1/batch", serverKey, "", nil, 400, "not_json", 0, 0},
		{"truncated JSON", "/v1/batch", serverKey, `{"batch":[` + goodTrack + `,{"type":"tr`, nil, 400, "not_json", 0, 0},
		{"a bad literal within a good batch's text", "/v1/batch", serverKey, `{"batch":[` + goodTrack + `,` + item(`,"a":tru`) + `]}`, nil, 400, "not_json", 0, 0},
		{"trailing bytes", "/v1/batch", serverKey, `{"batch":[` + goodTrack + `]} x`, nil, 400, "not_json", 0, 0},
		{"brackets that do not match", "/v1/batch", serverKey, `{"batch":[{"a":[1}]}]}`, nil, 400, "not_json", 0, 0},
		{"wrong gzip", "/v1/batch", serverKey, "hello", []string{"Content-Encoding", "gzip"}, 400, "encoding_invalid", 0, 0},
		{"cut gzip", "/v1/batch", serverKey, gzipped(`{"batch":[` + many + `]}`)[:300], []string{"Content-Encoding", "gzip"}, 400, "body_truncated", 0, 0},
		{"unknown encoding", "/v1/batch", serverKey, "x", []string{"Content-Encoding", "lzma"}, 415, "encoding_unknown", 0, 0},
		{"no batch", "/v1/batch", serverKey, `{"items":[]}`, nil, 400, "batch_missing", 0, 0},
		{"empty batch", "/v1/batch", serverKey, `{"batch":[]}`, nil, 400, "empty", 0, 0},
		{"batch that is no array", "/v1/batch", serverKey, `{"batch":{}}`, nil, 400, "field_invalid", 0, 0},
		{"too many events", "/v1/batch", serverKey, `{"batch":[` + many + `]}`, nil, 413, "too_many_events", 0, 0},
		{"20 MB", "/v1/batch", serverKey, strings.Repeat(" ", 20<<20), nil, 413, "body_too_large", 0, 0},
		{"20 MB once unpacked", "/v1/batch", serverKey, gzipped(strings.Repeat(" ", 20<<20)), []string{"Content-Encoding", "gzip"}, 413, "body_too_large", 0, 0},
		{"100,000 events", "/v1/events", serverKey, strings.Repeat("{}\n", 100_000), nil, 413, "too_many_events", 0, 0},
		{"nobody", "/v1/track", serverKey, `{"event":"x"}`, nil, 400, channel.CodeNoIdentity, 0, 1},
		{"nothing happened", "/v1/track", serverKey, `{"userId":"u1"}`, nil, 400, channel.CodeNoEventName, 0, 1},
		{"message id of 300 characters", "/v1/track", serverKey, item(`,"messageId":"` + strings.Repeat("m", 300) + `"`), nil, 400, channel.CodeMessageIDTooLong, 0, 1},
		{"three days ahead", "/v1/track", serverKey, strings.Replace(goodTrack, "03-01", "03-04", 1), nil, 400, channel.CodeTimeInFuture, 0, 1},
		{"23 hours ahead", "/v1/track", serverKey, strings.Replace(goodTrack, "03-01T11", "03-02T11", 1), nil, 200, "", 1, 0},
		{"a time without a zone", "/v1/track", serverKey, strings.Replace(goodTrack, "00Z", "00", 1), nil, 400, channel.CodeTimeInvalid, 0, 1},
		{"the year 1600", "/v1/track", serverKey, strings.Replace(goodTrack, "2026", "1600", 1), nil, 400, channel.CodeTimeInvalid, 0, 1},
		{"a year without key", "/v1/track", serverKey, strings.Replace(goodTrack, "2026", "1950", 1), nil, 400, channel.CodeRetentionUnknown, 0, 1},
		{"10,000 deep", "/v1/track", serverKey, item(`,"properties":` + deep), nil, 400, channel.CodeEventTooLarge, 0, 1},
		{"10,000 deep, native", "/v1/events", serverKey, strings.Replace(native(""), `"text":""`, `"properties":`+deep, 1), nil, 400, channel.CodeTooDeep, 0, 1},
		{"one deep event in a good batch", "/v1/batch", serverKey, `{"batch":[` + goodTrack + `,` + item(`,"properties":`+deep[:70*5]+"1"+strings.Repeat("}", 70)) + `]}`, nil, 200, channel.CodeTooDeep, 1, 1},
		{"10,001 properties", "/v1/events", serverKey, strings.Replace(native(""), `"text":""`, `"properties":{`+strings.TrimSuffix(properties.String(), ",")+`}`, 1), nil, 400, channel.CodeTooManyProperties, 0, 1},
		{"33 KB on Segment's path", "/v1/track", serverKey, item(`,"properties":{"a":"` + megabyte[:33<<10] + `"}`), nil, 400, channel.CodeEventTooLarge, 0, 1},
		{"a batch's context counts with every item", "/v1/batch", serverKey, `{"context":{"a":"` + megabyte[:33<<10] + `"},"batch":[` + goodTrack + `]}`, nil, 400, channel.CodeEventTooLarge, 0, 1},
		{"1 MB string", "/v1/events", serverKey, native(megabyte), nil, 200, "", 1, 0},
		{"2 MB string and more", "/v1/events", serverKey, native(megabyte + megabyte), nil, 400, channel.CodeEventTooLarge, 0, 1},
		{"4 MB string", "/v1/events", serverKey, native(strings.Repeat(megabyte, 4)), nil, 400, channel.CodeEventTooLarge, 0, 0},
		{"emoji, right to left, NUL", "/v1/events", serverKey, native(`👩‍👩‍👧 שלום \u0000 end`), nil, 200, "", 1, 0},
		{"raw NUL", "/v1/events", serverKey, native("a\x00b"), nil, 400, "not_json", 0, 0},
		{"invalid UTF-8", "/v1/events", serverKey, native("a\xff\xfeb"), nil, 400, channel.CodeInvalidUTF8, 0, 1},
		{"invalid UTF-8 in a good batch", "/v1/batch", serverKey, `{"batch":[` + goodTrack + `,` + item(`,"a":"`+"\xff"+`"`) + `]}`, nil, 200, channel.CodeInvalidUTF8, 1, 1},
		{"half a surrogate pair", "/v1/events", serverKey, native(`\ud83d`), nil, 400, channel.CodeLoneSurrogate, 0, 1},
		{"one key twice", "/v1/track", serverKey, item(`,"userId":"u2"`), nil, 400, channel.CodeDuplicateKey, 0, 1},
		{"a number of 2,000 digits", "/v1/track", serverKey, item(`,"n":` + strings.Repeat("7", 2000)), nil, 400, channel.CodeNumberTooLong, 0, 1},
		{"an exponent that explodes", "/v1/track", serverKey, item(`,"n":1e1000000`), nil, 400, channel.CodeNumberTooLong, 0, 1},
		{"an event that is no object", "/v1/batch", serverKey, `{"batch":[` + goodTrack + `,7]}`, nil, 200, channel.CodeNotAnObject, 1, 1},
		{"a line that is no JSON", "/v1/events", serverKey, native("a") + "\nhello\n" + native("b"), []string{"Content-Type", "application/x-ndjson"}, 200, "not_json", 2, 0},
		{"misspelt member", "/v1/events", serverKey, `{"type":"message.received","userId":"u1","occuredAt":"2026-03-01T11:00:00Z"}`, nil, 400, channel.CodeFieldUnknown, 0, 1},
		{"user id that is an object", "/v1/track", serverKey, `{"event":"x","userId":{}}`, nil, 400, channel.CodeFieldInvalid, 0, 1},
		{"unknown type", "/v1/batch", serverKey, `{"batch":[{"type":"dance","userId":"u"}]}`, nil, 400, channel.CodeTypeUnknown, 0, 1},
		{"reserved property", "/v1/track", serverKey, item(`,"properties":{"$context":1}`), nil, 400, channel.CodeReservedProperty, 0, 1},
		{"unknown path", "/v1/dance", serverKey, "{}", nil, 404, "path_unknown", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, Limits{})
			a := r.post(t, c.path, c.key, c.body, c.headers...)
			if a.status != c.status || a.code() != c.code {
				t.Fatalf("answered %d %q, want %d %q: %.300s", a.status, a.code(), c.status, c.code, a.body)
			}
			if r.log.len() != c.stored || r.letters.len() != c.letters {
				t.Fatalf("stored %d events and %d letters, want %d and %d", r.log.len(), r.letters.len(), c.stored, c.letters)
			}
			if c.status >= 400 && a.Error.Code != "" && a.Error.Hint == "" {
				t.Fatalf("no hint: %s", a.body)
			}
			if left := r.budget.left.Load(); left != r.limits.InFlight {
				t.Fatalf("%d bytes of the budget are lost", r.limits.InFlight-left)
			}
		})
	}
}

func TestKeepsStringsExactly(t *testing.T) {
	r := newRig(t, Limits{})
	text := "👩‍👩‍👧 שלום \x00 " + strings.Repeat("é", 1<<19)
	body := `{"type":"message.received","userId":"u1","text":"` + strings.ReplaceAll(text, "\x00", `\u0000`) + `"}`
	if a := r.post(t, "/v1/events", serverKey, body); a.status != 200 {
		t.Fatalf("%d %.200s", a.status, a.body)
	}
	if got := r.events(t)[0].Text; got != text {
		t.Fatalf("%d bytes came back of %d", len(got), len(text))
	}
}

func TestPositionOfWhatIsNotJSON(t *testing.T) {
	r := newRig(t, Limits{})
	a := r.post(t, "/v1/batch", serverKey, `{"batch":[{"type":"track","a":tru}]}`)
	if !strings.Contains(a.Error.Reason, "at byte 30") {
		t.Fatalf("%q", a.Error.Reason)
	}
	a = r.post(t, "/v1/batch", serverKey, gzipped(`{"batch":[]}`)[:15], "Content-Encoding", "gzip")
	if !strings.Contains(a.Error.Reason, "at byte 15") {
		t.Fatalf("%q", a.Error.Reason)
	}
}

// serveReal runs the collector on a loopback connection, as an installation does.
func serveReal(t *testing.T, r *rig) string {
	t.Helper()
	server := httptest.NewUnstartedServer(r.Handler())
	server.Listener = shortcut.Listen(server.Listener, shortcut.Config{
		Paths: PlainPaths(), MaxBody: 1 << 20, Handler: r.ServePlain, HeadWithin: 10 * time.Second, IdleFor: time.Minute, Logger: r.logger,
	})
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// TestPlainAnswers: what comes without net/http is answered, stored and counted as what comes by it.
func TestPlainAnswers(t *testing.T) {
	for _, c := range []struct{ name, path, authorization, body string }{
		{"one call", "/v1/track", "Basic c2VydmVyLWtleTo=", goodTrack},
		{"a short path", "/v1/t", "Basic c2VydmVyLWtleTo=", goodTrack},
		{"a call by its path", "/v1/identify", "basic c2VydmVyLWtleTo=", `{"userId":"u1","messageId":"m1","timestamp":"2026-03-01T11:00:00Z","traits":{"plan":"a"}}`},
		{"a key as a password", "/v1/track", "Basic OnNlcnZlci1rZXk=", goodTrack},
		{"a bearer", "/v1/track", "Bearer  " + serverKey, goodTrack},
		{"a token", "/v1/track", "Bearer " + readToken, goodTrack},
		{"a batch", "/v1/batch", "Basic c2VydmVyLWtleTo=", `{"batch":[` + goodTrack + `,{"type":"track","userId":"u"},7]}`},
		{"a short batch", "/v1/b", "Basic c2VydmVyLWtleTo=", `{"batch":[` + goodTrack + `]}`},
		{"a key in the body", "/v1/track", "", `{"event":"x","userId":"u1","timestamp":"2026-03-01T11:00:00Z","writeKey":"client-key"}`},
		{"no key", "/v1/track", "", goodTrack},
		{"a wrong key", "/v1/track", "Basic bm9uc2Vuc2U6", goodTrack},
		{"no base64", "/v1/track", "Basic !!!", goodTrack},
		{"no pair", "/v1/track", "Basic c2VydmVyLWtleQ==", goodTrack},
		{"packed without saying so", "/v1/batch", "Basic c2VydmVyLWtleTo=", gzipped(`{"batch":[` + goodTrack + `]}`)},
		{"a packed body that breaks off", "/v1/batch", "Basic c2VydmVyLWtleTo=", gzipped(`{"batch":[` + goodTrack + `]}`)[:40]},
		{"no JSON", "/v1/batch", "Basic c2VydmVyLWtleTo=", "hello"},
		{"nothing", "/v1/batch", "Basic c2VydmVyLWtleTo=", ""},
		{"refused", "/v1/track", "Basic c2VydmVyLWtleTo=", `{"event":"x"}`},
		{"a body beyond the bound", "/v1/batch", "Basic c2VydmVyLWtleTo=", strings.Repeat(" ", 300_000)},
	} {
		t.Run(c.name, func(t *testing.T) {
			var seen []string
			for _, plainly := range []bool{false, true} {
				r := newRig(t, Limits{Body: 200_000})
				var a answer
				if plainly {
					w := httptest.NewRecorder()
					r.ServePlain(w, &shortcut.Request{
						Path: c.path, Authorization: c.authorization, ContentType: "application/json", Length: int64(len(c.body)), Body: strings.NewReader(c.body), Whole: true,
					})
					a = answer{status: w.Code, header: w.Header(), body: w.Body.String()}
				} else {
					request := httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(c.body))
					request.Header.Set("Authorization", c.authorization)
					request.Header.Set("Content-Type", "application/json")
					a = r.do(t, request)
				}
				said := r.Metrics().Read()
				said.Seconds, said.Latency = 0, nil
				text := fmt.Sprintf("%d %v %s\n%+v\n", a.status, a.header, a.body, said)
				for _, e := range r.events(t) {
					text += fmt.Sprintf("%s %s\n", e.ID, e.Provenance.MessageID)
				}
				for _, l := range r.refusedLetters(t) {
					l.ID = "" // random
					text += fmt.Sprintf("%+v %s\n", l.Clear, l.Raw)
				}
				seen = append(seen, text)
				if left := r.budget.left.Load(); left != r.limits.InFlight {
					t.Fatalf("%d bytes of the budget are lost", r.limits.InFlight-left)
				}
			}
			if seen[0] != seen[1] {
				t.Fatalf("by net/http\n%s\nplainly\n%s", seen[0], seen[1])
			}
		})
	}
}

func TestSlowSenderIsCutOff(t *testing.T) {
	r := newRig(t, Limits{ReadTimeout: 100 * time.Millisecond})
	conn, err := net.Dial("tcp", serveReal(t, r))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Basic c2VydmVyLWtleTo=\r\nContent-Length: 1000\r\n\r\n{\"batch\":[")
	conn.SetReadDeadline(time.Now().Add(10 * time.Second)) // a read that hangs is the failure
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408") || !strings.Contains(string(answer), "body_too_slow") {
		t.Fatalf("%v %q", err, answer)
	}
	if r.log.len() != 0 {
		t.Fatal("stored")
	}
}

// TestSenderThatNeverListensHearsTooLarge: one that writes its whole body before it reads gets the answer, not a broken connection.
func TestSenderThatNeverListensHearsTooLarge(t *testing.T) {
	for _, declared := range []string{"Content-Length: 20000000", "Transfer-Encoding: chunked"} {
		r := newRig(t, Limits{})
		conn, err := net.Dial("tcp", serveReal(t, r))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(20 * time.Second)) // a read that hangs is the failure
		body := strings.Repeat(" ", 20_000_000)
		if strings.HasPrefix(declared, "Transfer") {
			body = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
		}
		if _, err := fmt.Fprintf(conn, "POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Basic c2VydmVyLWtleTo=\r\n%s\r\n\r\n%s", declared, body); err != nil {
			t.Fatalf("%s: the body could not be sent: %v", declared, err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 413") || !strings.Contains(string(answer), "body_too_large") {
			t.Fatalf("%s: %v %.300q", declared, err, answer)
		}
	}
}

// endless is a body without end.
type endless struct{ sent int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.sent += int64(len(p))
	return len(p), nil
}

func TestEndlessBodyIsCutOff(t *testing.T) {
	r := newRig(t, Limits{})
	body := &endless{}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+serveReal(t, r)+"/v1/batch", body)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(serverKey, "")
	res, err := http.DefaultClient.Do(req)
	if err == nil {
		defer res.Body.Close()
		if res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Fatal(res.Status)
		}
	}
	if body.sent > 64<<20 {
		t.Fatalf("%d bytes were taken", body.sent)
	}
}

func TestSenderThatHangsUpIsWritten(t *testing.T) {
	r := newRig(t, Limits{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	req := httptest.NewRequest(http.MethodPost, "/v1/track", strings.NewReader(goodTrack)).WithContext(ctx)
	req.SetBasicAuth(clientKey, "")
	if a := r.do(t, req); a.status != 200 || r.log.len() != 1 {
		t.Fatalf("%d, %d written", a.status, r.log.len())
	}
}

func TestBodiesTogetherAreBounded(t *testing.T) {
	r := newRig(t, Limits{InFlight: 1 << 20, ReadTimeout: 5 * time.Second})
	addr := serveReal(t, r)
	var conns []net.Conn
	for range 8 {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Basic c2VydmVyLWtleTo=\r\nContent-Length: 400000\r\n\r\n{")
		conns = append(conns, conn)
	}
	refused := 0
	for _, conn := range conns {
		conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond)) // those within the budget stay silent
		head := make([]byte, 12)
		if _, err := io.ReadFull(conn, head); err == nil && string(head) == "HTTP/1.1 503" {
			refused++
		}
	}
	if refused != 6 {
		t.Fatalf("%d of 8 were refused, want all but the two that fit", refused)
	}
}

func TestHostileBodiesStayInBoundedMemory(t *testing.T) {
	r := newRig(t, Limits{})
	body := gzipped(`{"batch":[` + strings.TrimSuffix(strings.Repeat(`{"type":"track","event":"x","userId":"u","properties":{"a":[[[[[[[[]]]]]]]]}},`, 2500), ",") + `]}`)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 20 {
		if a := r.post(t, "/v1/batch", serverKey, body, "Content-Encoding", "gzip"); a.status != 200 {
			t.Fatalf("%d %.200s", a.status, a.body)
		}
		r.log.messages = nil
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Fatalf("%d bytes stay", grown)
	}
}

func TestBrowserPreflightAndSettings(t *testing.T) {
	r := newRig(t, Limits{})
	req := httptest.NewRequest(http.MethodOptions, "/v1/t", nil)
	req.Header.Set("Origin", "https://shop.example")
	req.Header.Set("Access-Control-Request-Headers", "content-type,x-retry-count")
	a := r.do(t, req)
	if a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "*" || a.header.Get("Access-Control-Allow-Headers") != "content-type,x-retry-count" {
		t.Fatalf("%d %v", a.status, a.header)
	}
	a = r.do(t, httptest.NewRequest(http.MethodGet, "http://collect.example/v1/projects/"+clientKey+"/settings", nil))
	if a.status != 200 || !strings.Contains(a.body, `"apiHost":"collect.example/v1"`) || a.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := r.do(t, httptest.NewRequest(http.MethodGet, "/v1/projects/"+serverKey+"/settings", nil)); a.status != 403 {
		t.Fatalf("a server key is shown to a browser: %d %s", a.status, a.body)
	}
	if a := r.do(t, httptest.NewRequest(http.MethodGet, "/v1/projects/nonsense/settings", nil)); a.status != 404 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := r.do(t, httptest.NewRequest(http.MethodGet, "/v1/track", nil)); a.status != 405 || a.header.Get("Allow") == "" {
		t.Fatalf("%d %v", a.status, a.header)
	}
}
