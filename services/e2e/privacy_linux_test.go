package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The markers stand for personal values. No form of them may be found where others than their sender look.
const (
	markedWord   = "zqx7"
	markedDigits = "611223399"
)

// markedValues is one of each kind of personal value.
var markedValues = map[string]string{
	"mail": "Zqx7.Mail@zqx7.example", "phone": "+33 6 11 22 33 99", "name": "Zqx7Givenname Zqx7family", "text": "Ma commande zqx7 n'est pas arrivée, appelez le 06 11 22 33 99",
}

// exposed gives the first line of a text in which a marker is.
func exposed(text string) (line string, found bool) {
	for line := range strings.Lines(text) {
		digits := strings.Map(func(r rune) rune {
			if strings.ContainsRune(" .-()", r) {
				return -1
			}
			return r
		}, line)
		if strings.Contains(strings.ToLower(line), markedWord) || strings.Contains(digits, markedDigits) {
			return line, true
		}
	}
	return "", false
}

// markedVariants gives a document with each of its values in turn replaced by a marker, each of its names, and with a marked member
// too many in each of its objects.
func markedVariants(t *testing.T, document string) (variants []json.RawMessage) {
	t.Helper()
	var root any
	if err := json.Unmarshal([]byte(document), &root); err != nil {
		t.Fatal(err)
	}
	keep := func() {
		text, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		variants = append(variants, text)
	}
	values := slices.Sorted(maps.Values(markedValues))
	var walk func(node any, replace func(any))
	walk = func(node any, replace func(any)) {
		if replace != nil {
			for _, value := range values {
				replace(value)
				keep()
			}
			replace(map[string]any{"zqx7 member": values})
			keep()
			replace(node)
		}
		switch n := node.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(n)) {
				child := n[name]
				walk(child, func(v any) { n[name] = v })
				delete(n, name)
				n["zqx7 "+name] = child
				keep()
				delete(n, "zqx7 "+name)
				n[name] = child
			}
			n["zqx7 too many"] = values
			keep()
			delete(n, "zqx7 too many")
		case []any:
			for k := range n {
				walk(n[k], func(v any) { n[k] = v })
			}
		}
	}
	walk(root, nil)
	return variants
}

// markedDocuments are good events by the path that takes them.
var markedDocuments = map[string]string{
	"/v1/events": `{"type":"message.received","channel":"email","messageId":"m","occurredAt":"2026-01-01T00:00:00Z","sentAt":"2026-01-01T00:00:01Z","actor":{"kind":"agent","id":"a7"},
		"account":{"kind":"crm_id","value":"1"},"userId":"u1","anonymousId":"n1","identifiers":[{"kind":"email","value":"a@b.example","assurance":"verified"},{"kind":"phone","value":"+33612345678"}],
		"country":"FR","traits":{"firstName":"Ann","lastName":"Lee","birthDate":"1990-01-01","address":{"street":"1 rue X","city":"Paris"}},
		"consents":[{"kind":"email","value":"a@b.example","channel":"email","purpose":"newsletter","state":"granted","proof":"p","legalBasis":"consent","textVersion":"1"}],
		"conversation":"c","case":"k","parent":"p","mention":"@brand","entity":"e","text":"hello","language":"fr","rating":"4","ratingScale":"1-5","amount":"12.50","currency":"EUR",
		"properties":{"a":"b","list":[{"c":"d"}]},"library":"l/1","userAgent":"ua"}`,
	"/v1/identify": `{"userId":"u1","anonymousId":"n1","messageId":"m","timestamp":"2026-01-01T00:00:00Z","traits":{"email":"a@b.example","phone":"+33612345678","firstName":"Ann","address":{"city":"Paris"}},"context":{"ip":"192.0.2.1","page":{"url":"https://shop.example/?a=b"},"userAgent":"ua","traits":{"email":"a@b.example"}},"integrations":{"All":true}}`,
	"/v1/track":    `{"userId":"u1","event":"Order Completed","messageId":"m","timestamp":"2026-01-01T00:00:00Z","properties":{"order_id":"o1","total":12.5,"currency":"EUR","products":[{"name":"x"}]}}`,
	"/v1/group":    `{"userId":"u1","groupId":"g","messageId":"m","timestamp":"2026-01-01T00:00:00Z","traits":{"name":"x"}}`,
	"/v1/alias":    `{"userId":"u1","previousId":"n1","messageId":"m","timestamp":"2026-01-01T00:00:00Z"}`,
	"/v1/page":     `{"anonymousId":"n1","name":"home","category":"c","messageId":"m","timestamp":"2026-01-01T00:00:00Z","properties":{"url":"https://shop.example/"}}`,
}

// TestNothingPersonalIsLogged plants markers in every position of every kind of payload, good and bad, in headers, paths, queries and
// broken bodies, and ends the engine while it is at work. Neither what up and its children write at the finest level, nor /metrics, nor
// an answer to anybody who may not see personal values has a trace of them.
func TestNothingPersonalIsLogged(t *testing.T) {
	besideOthers(t)
	i := prepare(t, "--log-level", "debug", "--log-format", "json")
	i.log.limit = 64 << 20
	i.up(t)
	server, browser := basic(i.WriteKey), basic(i.ClientKey)
	masked := i.newToken(t, "read")

	accepted := 0
	for _, path := range slices.Sorted(maps.Keys(markedDocuments)) {
		for n, event := range markedVariants(t, markedDocuments[path]) {
			key := server
			if n%3 == 0 {
				key = browser
			}
			a := i.raw(t, path, key, bytes.NewReader(event))
			if a.status == http.StatusOK {
				accepted++
			}
			for _, refused := range a.Refused { // the sender's own values, but a reason is kept and shown to others
				if line, found := exposed(refused.Reason + "\n" + refused.Hint + "\n" + refused.Code); found {
					t.Errorf("%s: a refusal repeats a value: %s", path, line)
				}
			}
			if n%40 == 0 { // with a batch around it
				i.raw(t, "/v1/batch", key, strings.NewReader(`{"batch":[`+string(event)+`],"context":{"zqx7":"`+markedValues["mail"]+`"},"sentAt":"`+markedValues["phone"]+`"}`))
			}
		}
	}
	if accepted < 100 {
		t.Errorf("only %d of the marked events were accepted", accepted)
	}
	i.breakBodies(t, server)
	i.endEngineAtWork(t, server)
	i.wait(t)
	i.askBadly(t, masked)

	for name, text := range map[string]string{
		"/metrics": i.metrics(t), "/readyz": i.page(t, "/readyz", ""), "the doctor": i.page(t, "/v1/doctor", i.APIToken), "the digest": i.page(t, "/v1/digest", masked),
		"exports for a token that may not unmask": i.page(t, "/v1/export/timeline", masked), "dead letters for it": i.page(t, "/v1/deadletters", masked),
		"tokens": i.page(t, "/v1/tokens", i.APIToken), "keys": i.page(t, "/v1/keys", i.APIToken),
	} {
		if line, found := exposed(text); found || text == "" {
			t.Errorf("%s shows %q", name, line)
		}
	}
	i.down(t)
	i.up(t)
	i.down(t)
	written := i.log.String()
	if line, found := exposed(written); found {
		t.Errorf("up wrote: %s", line)
	}
	lines := 0
	for line := range strings.Lines(written) {
		lines++
		var record struct{ Time, Level, Msg string }
		if err := json.Unmarshal([]byte(line), &record); err != nil || record.Time == "" || record.Level == "" || record.Msg == "" {
			t.Errorf("not a JSON record: %s", line)
		}
	}
	if !strings.Contains(written, "engine") || lines < 3 {
		t.Errorf("the end of the engine is not among the %d lines that were written:\n%s", lines, written)
	}
}

// page reads a path with a token.
func (i *installation) page(t *testing.T, path, token string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
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
	return string(text)
}

// breakBodies sends markers in what is no event at all.
func (i *installation) breakBodies(t *testing.T, key string) {
	t.Helper()
	mail := markedValues["mail"]
	for _, c := range []struct {
		path, authorization, body string
		headers                   []string
	}{
		{"/v1/events", key, `{"text": "` + mail, nil},
		{"/v1/events", key, `{"text": ` + mail + `}`, nil},
		{"/v1/events", key, mail, nil},
		{"/v1/events", key, "{\"text\":\"" + mail + "\xff\"}", nil},
		{"/v1/events", key, mail, []string{"Content-Encoding", "gzip"}},
		{"/v1/events", key, mail, []string{"Content-Encoding", mail}},
		{"/v1/events", key, `{}`, []string{"Content-Type", mail, "User-Agent", mail, "X-Forwarded-For", mail, "Referer", "https://shop.example/?" + mail}},
		{"/v1/events", basic(mail), `{}`, nil},
		{"/v1/events", "Bearer " + mail, `{}`, nil},
		{"/v1/events", mail, `{}`, nil},
		{"/v1/" + url.PathEscape(mail), key, `{}`, nil},
		{"/v1/events?mail=" + url.QueryEscape(mail), key, good, nil},
		{"/v1/batch", "", `{"writeKey":"` + mail + `","batch":[{"userId":"` + mail + `"}]}`, nil},
		{"/hooks/" + url.PathEscape(mail), key, mail, nil},
		{"/" + url.PathEscape(mail), "", mail, nil},
	} {
		if a := i.raw(t, c.path, c.authorization, strings.NewReader(c.body), c.headers...); a.status == http.StatusInternalServerError {
			t.Errorf("%s: %d %s", c.path, a.status, a.body)
		}
	}
	for _, request := range []string{
		"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: zqx7\r\n\r\n", "zqx7 " + mail + "\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: " + mail + "\r\nzqx7 header\r\n\r\n", "POST /v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzqx7\r\n",
	} {
		connection, err := net.Dial("tcp", strings.TrimPrefix(i.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(connection, request)        //nolint:errcheck // the server may hang up at any byte
		connection.(*net.TCPConn).CloseWrite() //nolint:errcheck // as above
		io.Copy(io.Discard, connection)        //nolint:errcheck // as above
		connection.Close()                     //nolint:errcheck // as above
	}
}

// askBadly asks GraphQL for marked values in ways that fail, and as somebody who may not see them.
func (i *installation) askBadly(t *testing.T, masked string) {
	t.Helper()
	mail := markedValues["mail"]
	for _, token := range []string{masked, i.APIToken} {
		for _, document := range []string{
			`{ ` + mail, `{ zqx7 }`, `{ dossier(identifier: {kind: "zqx7", value: "` + mail + `"}) { id } }`, `{ dossier(identifier: {kind: "email", value: 7}) { zqx7 } }`,
			`{ why(a: {kind: "email", value: "` + mail + `"}, b: {kind: "email", value: "other@zqx7.example"}) { __typename } }`,
			`{ profiles(first: 100000, search: "` + mail + `") { edges { node { id } } } }`, `{ node(id: "` + mail + `") { id } }`,
			`mutation { link(a: "` + mail + `", b: "zqx7", reason: "zqx7", idempotencyKey: "k") { event } }`,
		} {
			i.ask(t, token, document, map[string]any{"zqx7": mail}, nil)
		}
	}
	body, err := json.Marshal(map[string]any{"query": `query($m: String!) { dossiers(identifier: {kind: "email", value: $m}) { id identifiers { value } goldenRecord { traits { value } } timeline(first: 50) { edges { node { text } } } } }`, "variables": map[string]any{"m": mail}})
	if err != nil {
		t.Fatal(err)
	}
	status, answer := i.post(t, "/graphql", "Bearer "+masked, body)
	if line, found := exposed(string(answer)); found || status != http.StatusOK {
		t.Errorf("a token that may not unmask: %d %s", status, line)
	}
	var found struct{ Dossiers []struct{ ID string } }
	i.query(t, `query($m: String!) { dossiers(identifier: {kind: "email", value: $m}) { id } }`, map[string]any{"m": mail}, &found)
	if len(found.Dossiers) == 0 {
		t.Error("nobody has the marked address: the test asks for nothing")
	}
}

// endEngineAtWork ends the embedded engine with a signal after which it describes what it was doing, and once without warning, while
// marked events are written.
func (i *installation) endEngineAtWork(t *testing.T, key string) {
	t.Helper()
	for round, signal := range []syscall.Signal{syscall.SIGABRT, syscall.SIGKILL} {
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				event := fmt.Sprintf(`{"type":"message.received","channel":"email","messageId":"w%d-%d","occurredAt":"2026-01-01T00:00:00Z","account":{"kind":"crm_id","value":"zqx7-%d"},"identifiers":{"email":%q},"text":%q}`, round, n, n, markedValues["mail"], markedValues["text"])
				if _, err := i.offer(t.Context(), key, json.RawMessage(event)); err != nil {
					time.Sleep(10 * time.Millisecond)
				}
			}
		}()
		restarts := engineRestarts(t, i.metrics(t))
		for _, pid := range childrenOf(t, i.cmd.Process.Pid) {
			if err := syscall.Kill(pid, signal); err != nil {
				t.Fatal(err)
			}
		}
		for deadline := time.Now().Add(patience); engineRestarts(t, i.metrics(t)) == restarts; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the engine was not started again")
			}
		}
		close(stop)
		<-stopped
	}
}

func engineRestarts(t *testing.T, metrics string) int {
	t.Helper()
	_, after, ok := strings.Cut(metrics, "\ndossier_engine_restarts_total ")
	if !ok {
		t.Fatal("/metrics does not count the engine's restarts")
	}
	line, _, _ := strings.Cut(after, "\n")
	n, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// childrenOf gives the processes that a process has started, all of its threads considered.
func childrenOf(t *testing.T, pid int) (children []int) {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		if err != nil {
			continue // the thread has ended
		}
		for _, field := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			children = append(children, child)
		}
	}
	if len(children) == 0 {
		t.Fatal("up has no child: where is the engine?")
	}
	return children
}
