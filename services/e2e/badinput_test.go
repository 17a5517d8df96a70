package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// answer is what a bad request gets.
type answer struct {
	status int
	body   string
	receipt
	Error struct{ Code, Message, Reason, Hint string }
}

// raw sends a request as it is.
func (i *installation) raw(t *testing.T, path, authorization string, body io.Reader, headers ...string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, i.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	for n := 0; n < len(headers); n += 2 {
		request.Header.Set(headers[n], headers[n+1])
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it is read to its end
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: response.StatusCode, body: string(text)}
	json.Unmarshal(text, &a) //nolint:errcheck // what is no JSON is compared as text
	return a
}

// letters gives the codes of the dead letters, newest first.
func (i *installation) letters(t *testing.T) (codes []string) {
	t.Helper()
	var lines []struct{ ID, Code, Reason, Hint string }
	if err := json.Unmarshal([]byte(i.must(t, "deadletters", "list", "--json")), &lines); err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		codes = append(codes, l.Code)
	}
	return codes
}

const good = `{"type":"message.received","channel":"email","messageId":"good","occurredAt":"2026-01-01T00:00:00Z","account":{"kind":"crm_id","value":"1"},"text":"hello"}`

// TestBadInput sends what must be refused to one installation; what is stored at the end is what was good.
func TestBadInput(t *testing.T) {
	besideOthers(t)
	i := install(t)
	slow := make(chan string, 1)
	go func() { slow <- i.dribble(basic(i.WriteKey)) }() // it takes 15 s, so beside the others
	reader := i.newToken(t, "read")
	server, browser := basic(i.WriteKey), basic(i.ClientKey)
	bearer := func(token string) string { return "Bearer " + token }

	t.Run("keys", func(t *testing.T) {
		link := `{"type":"identity.linked","messageId":"l","occurredAt":"2026-01-01T00:00:00Z","a":{"source":"crm","account":{"kind":"crm_id","value":"1"}},"b":{"source":"crm","account":{"kind":"crm_id","value":"2"}},"reason":"x"}`
		for _, c := range []struct {
			name, authorization, body string
			status                    int
		}{
			{"no key", "", good, 401},
			{"wrong key", basic("dk_server_0000"), good, 401},
			{"a token in place of a key, with read alone", bearer(reader), good, 403},
			{"a client key for a server's event", browser, strings.Replace(good, "message.received", "call.ended", 1), 403},
			{"a client key as an agent", browser, strings.Replace(good, `"text"`, `"actor":"agent","text"`, 1), 403},
			{"a client key that links", browser, link, 403},
			{"a server key that links", server, link, 403},
			{"a token that may not link", bearer(reader), link, 403},
		} {
			a := i.raw(t, "/v1/events", c.authorization, strings.NewReader(c.body))
			if a.status != c.status || a.Accepted != 0 || strings.Contains(a.body, "\n\n") || len(a.body) > 600 {
				t.Errorf("%s: %d %s", c.name, a.status, a.body)
			}
		}
		for _, path := range []string{"/v1/export/events", "/v1/keys", "/v1/tokens"} {
			response, err := client.Get(i.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close() //nolint:errcheck // the status is what counts
			if response.StatusCode != 401 {
				t.Errorf("%s without a token: %d", path, response.StatusCode)
			}
		}
	})

	t.Run("bodies", func(t *testing.T) {
		var zipped bytes.Buffer
		z := gzip.NewWriter(&zipped)
		io.WriteString(z, good) //nolint:errcheck // into memory
		z.Close()               //nolint:errcheck // into memory
		for _, c := range []struct {
			name    string
			body    []byte
			headers []string
		}{
			{"not JSON", []byte(`{"type": message}`), nil},
			{"cut", []byte(good[:len(good)-9]), nil},
			{"no gzip", []byte(good), []string{"Content-Encoding", "gzip"}},
			{"cut gzip", zipped.Bytes()[:zipped.Len()/2], []string{"Content-Encoding", "gzip"}},
		} {
			a := i.raw(t, "/v1/events", server, bytes.NewReader(c.body), c.headers...)
			if a.status != 400 || a.Accepted != 0 {
				t.Errorf("%s: %d %s", c.name, a.status, a.body)
			}
			if !strings.ContainsAny(a.body, "0123456789") {
				t.Errorf("%s: no position: %s", c.name, a.body)
			}
		}
	})

	t.Run("sizes", func(t *testing.T) {
		if a := i.raw(t, "/v1/events", server, strings.NewReader(strings.Replace(good, "hello", strings.Repeat("x", 20<<20), 1))); a.status != 413 {
			t.Errorf("20 MB: %d %s", a.status, a.body)
		}
		small := `{"type":"page.viewed","userId":"1"}`
		if a := i.raw(t, "/v1/events", server, strings.NewReader("["+strings.Repeat(small+",", 99_999)+small+"]")); a.status != 413 {
			t.Errorf("100,000 events: %d %.300s", a.status, a.body)
		}
		deep := strings.Replace(good, `"hello"`, `"hello","properties":{"a":`+strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)+"}", 1)
		if a := i.raw(t, "/v1/events", server, strings.NewReader(deep)); a.status != 400 || len(a.Refused) != 1 || a.Refused[0].Code != "too_deep" {
			t.Errorf("nested 10,000 deep: %d %.300s", a.status, a.body)
		}
		i.endless(t, server)
		if kilobytes := i.resident(t); kilobytes > 1<<20 {
			t.Errorf("%d kB are resident after large bodies", kilobytes)
		}
	})

	t.Run("events", func(t *testing.T) {
		before := len(i.letters(t))
		ahead := time.Now().Add(72 * time.Hour).UTC().Format(time.RFC3339)
		for _, c := range []struct{ path, event, code string }{
			{"/v1/track", `{"event":"X","messageId":"b1"}`, "no_identity"},
			{"/v1/track", `{"userId":"1","messageId":"b2"}`, "no_event_name"},
			{"/v1/track", `{"userId":"1","event":"X","messageId":"` + strings.Repeat("m", 300) + `"}`, "message_id_too_long"},
			{"/v1/track", `{"userId":"1","event":"X","messageId":"b3","timestamp":"` + ahead + `"}`, "time_in_future"},
			{"/v1/events", strings.Replace(good, "2026-01-01T00:00:00Z", ahead, 1), "time_in_future"},
			{"/v1/events", strings.Replace(good, "occurredAt", "occuredAt", 1), "field_unknown"},
			{"/v1/events", strings.Replace(good, "hello", `\ud83d`, 1), "lone_surrogate"},
			{"/v1/events", strings.Replace(good, "hello", "\xff\xfe", 1), "invalid_utf8"},
		} {
			a := i.raw(t, c.path, server, strings.NewReader(c.event))
			if a.status != 400 || len(a.Refused) != 1 || a.Refused[0].Code != c.code || a.Refused[0].Hint == "" || a.Refused[0].Reason == "" {
				t.Errorf("%s: %d %s", c.code, a.status, a.body)
			}
		}
		// One bad event does not spoil the others.
		batch := "[" + strings.Replace(good, `"good"`, `"good-1"`, 1) + `,{"type":"call.exploded","messageId":"bad"},` + strings.Replace(good, `"good"`, `"good-2"`, 1) + "]"
		a := i.raw(t, "/v1/events", server, strings.NewReader(batch))
		if a.status != 200 || a.Accepted != 2 || len(a.Refused) != 1 || a.Refused[0].Index != 1 || a.Refused[0].ID != "bad" || a.Refused[0].Code != "type_unknown" || a.Refused[0].Hint == "" {
			t.Errorf("a bad one among good ones: %d %s", a.status, a.body)
		}
		codes := i.letters(t)
		if len(codes) != before+9 || codes[0] != "type_unknown" {
			t.Errorf("%d dead letters before, and now %v", before, codes)
		}
		id := strings.Fields(strings.Split(i.must(t, "deadletters", "list", "--limit", "1"), "\n")[1])[0]
		if whole := i.must(t, "deadletters", "show", id); !strings.Contains(whole, "call.exploded") {
			t.Errorf("the dead letter is not whole: %s", whole)
		}
	})

	t.Run("texts", func(t *testing.T) {
		for n, text := range []string{"🎁 👩‍👩‍👧‍👦 é é", "\u202eעברית العربية", "before\x00after", "<b>&amp;\u2028</b>", strings.Repeat("é", 500_000)} {
			event, err := json.Marshal(map[string]any{"type": "message.received", "channel": "chat", "messageId": fmt.Sprintf("text-%d", n), "occurredAt": "2026-01-01T00:00:00Z",
				"account": account("crm_id", fmt.Sprintf("text-%d", n)), "text": text})
			if err != nil {
				t.Fatal(err)
			}
			i.send(t, server, event)
			i.wait(t)
			var d struct {
				Dossier struct {
					Timeline struct {
						Edges []struct{ Node struct{ Text string } }
					}
				}
			}
			i.query(t, `query($value: String!) { dossier(identifier: {kind: "crm_id", value: $value}) { timeline(first: 1) { edges { node { text } } } } }`, map[string]any{"value": fmt.Sprintf("text-%d", n)}, &d)
			if e := d.Dossier.Timeline.Edges; len(e) != 1 || e[0].Node.Text != text {
				t.Errorf("text %d is not kept exactly", n)
			}
		}
	})

	t.Run("graphql", func(t *testing.T) {
		dossier := `dossier(identifier: {kind: "email", value: "nobody@example.com"}) { id }`
		for _, c := range []struct{ name, document string }{
			{"syntax error", `{ dossier(`},
			{"unknown field", `{ dossiers(identifier: {kind: "email", value: "x"}) { shoeSize } }`},
			{"depth 1,000", `{ ` + strings.Repeat("node(id: \"x\") { ... on Dossier { profile { dossier { ", 250) + "id" + strings.Repeat(" } } } }", 250) + ` }`},
			{"10,000 aliases", "{" + strings.Join(repeated(10_000, "a%d: "+dossier), " ") + "}"},
		} {
			errs := i.ask(t, i.APIToken, c.document, nil, nil)
			if len(errs) == 0 || errs[0].Extensions.Code == "" || errs[0].Message == "" {
				t.Errorf("%s: %+v", c.name, errs)
			}
		}
		var none struct{ Dossier *struct{ ID string } }
		if errs := i.ask(t, i.APIToken, "{ "+dossier+" }", nil, &none); len(errs) != 0 || none.Dossier != nil {
			t.Errorf("nobody: %+v", errs)
		}
		if errs := i.ask(t, reader, `mutation { link(a: "x", b: "y", reason: "r", idempotencyKey: "k") { event } }`, nil, nil); len(errs) == 0 || errs[0].Extensions.Code != "FORBIDDEN" {
			t.Errorf("a link with a token that may only read: %+v", errs)
		}
		if a := i.raw(t, "/graphql", "", strings.NewReader(`{"query":"{ metrics { events } }"}`), "Content-Type", "application/json"); a.status != 401 {
			t.Errorf("no token: %d %s", a.status, a.body)
		}
		if o := i.dossier(t, "show", "email:nobody@example.com"); o.code != 1 || o.stdout != "" || !oneLine(o.stderr) {
			t.Errorf("show nobody: %+v", o)
		}
	})

	if status := <-slow; !strings.HasPrefix(status, "HTTP/1.1 408") {
		t.Errorf("a body that comes a byte a second: %q", status)
	}
	want := 2 + 5 // the good ones of the batch and the texts
	if n := counts(t, i.digest(t)); n["events"] != want || n["timeline"] != want {
		t.Errorf("%v are stored, want %d", n, want)
	}
}

func repeated(n int, format string) []string {
	out := make([]string, n)
	for k := range out {
		out[k] = fmt.Sprintf(format, k)
	}
	return out
}

// newToken makes a token with one scope.
func (i *installation) newToken(t *testing.T, scope string) string {
	t.Helper()
	var line struct{ Secret, Token string }
	text := i.must(t, "tokens", "create", "--name", "test", "--actor", "test", "--scope", scope)
	if err := json.Unmarshal([]byte(text), &line); err != nil || line.Secret == "" {
		t.Fatalf("no secret: %v: %s", err, text)
	}
	return line.Secret
}

// endless sends a body without an end, as chunks, until the collector cuts it off.
func (i *installation) endless(t *testing.T, authorization string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(i.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the other side has ended it
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nTransfer-Encoding: chunked\r\n\r\n", authorization) //nolint:errcheck // the write below fails then
	chunk := []byte(fmt.Sprintf("%x\r\n%s\r\n", 1<<16, strings.Repeat(" ", 1<<16)))
	go func() {
		for {
			if _, err := conn.Write(chunk); err != nil {
				return
			}
		}
	}()
	line := make([]byte, 64)
	n, err := io.ReadAtLeast(conn, line, 12)
	if n >= 12 && !strings.HasPrefix(string(line[:n]), "HTTP/1.1 413") && !strings.HasPrefix(string(line[:n]), "HTTP/1.1 408") {
		t.Errorf("an endless body: %q, %v", line[:n], err)
	}
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Error("an endless body is not cut off")
	}
}

// dribble sends a body of a byte a second and gives the first line of the answer.
func (i *installation) dribble(authorization string) string {
	conn, err := net.Dial("tcp", strings.TrimPrefix(i.URL, "http://"))
	if err != nil {
		return err.Error()
	}
	defer conn.Close() //nolint:errcheck // the other side has ended it
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err.Error()
	}
	fmt.Fprintf(conn, "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Length: 100000\r\n\r\n", authorization) //nolint:errcheck // the read below fails then
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Second):
				if _, err := conn.Write([]byte(" ")); err != nil {
					return
				}
			}
		}
	}()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return line
}

// resident is the memory of up in kB, where the system tells.
func (i *installation) resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", i.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	kilobytes, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes
}

// TestBadFiles imports files that are wrong in one place: the row, the column and the form expected are named, and the rest is imported.
func TestBadFiles(t *testing.T) {
	besideOthers(t)
	i := install(t)
	folder := t.TempDir()
	mapping := filepath.Join(folder, "shop.yaml")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(mapping, "name: shop\nevents:\n  - type: order.placed\n    record: id\n    time: at\n    channel: web\n    account: {kind: customer_id, value: who}\n    entity: id\n    amount: {column: price, decimal: point}\n    currency: EUR\n    text: note\n")
	const header = "id,at,who,price,note\n"
	row := func(id, price, note string) string {
		return id + ",2026-01-01T00:00:00Z,c1," + price + "," + note + "\n"
	}
	total := 0
	for _, c := range []struct {
		name, text       string
		accepted, refuse int
		row              int // the first that is refused
		column, code     string
	}{
		{"wrong type", header + row("t1", "5", "") + row("t2", "five", "") + row("t3", "7", ""), 2, 1, 2, "price", ""},
		{"ragged", header + row("r1", "5", "") + "r2,2026-01-01T00:00:00Z,c1\n" + row("r3", "7", ""), 2, 1, 2, "", "row_ragged"},
		{"quote never closed", header + row("q1", "5", "") + row("q2", "6", `"open`) + row("q3", "7", ""), 2, 1, 2, "note", "quote_open"},
		{"wrong delimiter", strings.ReplaceAll(header+row("d1", "5", "")+row("d2", "6", ""), ",", ";"), 2, 0, 0, "", ""},
		{"byte order mark", "\ufeff" + header + row("b1", "5", "é"), 1, 0, 0, "", ""},
		{"Latin-1", header + "l1,2026-01-01T00:00:00Z,c1,5,\xe9t\xe9\n", 1, 0, 0, "", ""},
		{"missing column", "id,at,who,price\nm1,2026-01-01T00:00:00Z,c1,5\n", 1, 0, 0, "", ""},
	} {
		path := filepath.Join(folder, strings.ReplaceAll(c.name, " ", "-")+".csv")
		write(path, c.text)
		o := i.dossier(t, "import", path, "--map", mapping, "--wait")
		want := fmt.Sprintf("accepted %d, refused %d", c.accepted, c.refuse)
		code := 0
		if c.refuse > 0 || c.name == "missing column" {
			code = 3
		}
		if o.code != code || !strings.Contains(o.stdout, want) {
			t.Errorf("%s: %+v; want %s", c.name, o, want)
		}
		if c.name == "missing column" && !strings.Contains(o.stdout, "note") {
			t.Errorf("%s: %s", c.name, o.stdout)
		}
		total += c.accepted
		if c.refuse == 0 {
			continue
		}
		text, err := os.ReadFile(path + ".refused.ndjson")
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var refused struct {
			Row, Line                  int
			Column, Code, Reason, Hint string
		}
		if err := json.Unmarshal(bytes.SplitN(text, []byte("\n"), 2)[0], &refused); err != nil {
			t.Fatal(err)
		}
		if refused.Row != c.row || refused.Line == 0 || refused.Column != c.column || c.code != "" && refused.Code != c.code || refused.Reason == "" || refused.Hint == "" {
			t.Errorf("%s: %s", c.name, text)
		}
	}
	// A file in which the columns that everything stands on are missing, one that is not there, and a mapping that is wrong.
	path := filepath.Join(folder, "other.csv")
	write(path, "a,b\n1,2\n")
	packed := filepath.Join(folder, "packed.csv")
	write(packed, "\x1f\x8bno gzip")
	for _, c := range []struct{ name, file, what, do string }{
		{"another file", path, "there is no column at, id, who", "correct the mapping"},
		{"no file", filepath.Join(folder, "nowhere.csv"), "no such file", "name a file"},
		{"a folder", folder, "is a folder", "name its files"},
		{"broken compression", packed, "gzip", "copy the file again"},
	} {
		o := i.dossier(t, "import", c.file, "--map", mapping)
		if o.code != 1 || o.stdout != "" || !oneLine(o.stderr) || strings.Count(o.stderr, c.file) != 1 || !strings.Contains(o.stderr, c.what) || !strings.Contains(o.stderr, c.do) || strings.Contains(o.stderr, "carries on") {
			t.Errorf("%s: %+v", c.name, o)
		}
	}
	wrong := filepath.Join(folder, "wrong.yaml")
	write(wrong, "name: shop\nevents:\n  - typ: order.placed\n")
	if o := i.dossier(t, "import", path, "--map", wrong); o.code != 2 || !strings.Contains(o.stderr, "typ") {
		t.Errorf("a wrong mapping: %+v", o)
	}
	texts := map[string]bool{}
	n := 0
	export(t, i, "timeline", func(line struct{ Text string }) { n++; texts[line.Text] = true })
	if n != total || !texts["é"] || !texts["été"] {
		t.Errorf("%d rows are there, want %d: %v", n, total, texts)
	}
}
