package e2e

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestOneAddress: where the roles are split, the address of the api answers everything: what collectors answer it hands to one of them, and to
// another one when one is killed.
func TestOneAddress(t *testing.T) {
	besideOthers(t)
	up := install(t)
	inputs := nastyEvents(9)[:200]
	up.give(t, rand.New(rand.NewPCG(0, 0)), inputs)
	want := up.digest(t)
	up.kill(t)

	s, all := divide(t, "keeper,archive,identity,timeline,care", "collector", "api")
	second := s.serve(t, "collector-2", "collector")
	i := s.through(t, all["api"])
	i.give(t, rand.New(rand.NewPCG(0, 0)), inputs)
	if got := s.digestOf(t, all["api"]); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	ask := func(method, path, body string, header ...string) (int, http.Header, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, i.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(header); n += 2 {
			request.Header.Set(header[n], header[n+1])
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close() //nolint:errcheck // it is read to its end
		answer, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, response.Header, string(answer)
	}
	for name, c := range map[string]struct {
		method, path, body string
		header             []string
		status             int
		says               string
	}{
		"a wrong key":               {"POST", "/v1/track", "{}", []string{"Authorization", basic("guessed")}, 401, "key_unknown"},
		"an unknown path":           {"POST", "/v1/nothing", "{}", nil, 404, "path_unknown"},
		"a source without a hook":   {"POST", "/hooks/nobody", "{}", nil, 404, ""},
		"a body that is too large":  {"POST", "/v1/track", strings.Repeat(" ", 6<<20), []string{"Authorization", basic(i.WriteKey)}, 413, ""},
		"the settings of a browser": {"GET", "/v1/projects/" + i.ClientKey + "/settings", "", nil, 200, `"protocol":"http"`},
		"the same behind TLS":       {"GET", "/v1/projects/" + i.ClientKey + "/settings", "", []string{"X-Forwarded-Proto", "https"}, 200, `"protocol":"https"`},
		"a preflight":               {"OPTIONS", "/v1/t", "", []string{"Origin", "https://shop.example", "Access-Control-Request-Method", "POST"}, 204, ""},
		"a management path":         {"GET", "/v1/doctor", "", []string{"Authorization", "Bearer " + i.APIToken}, 200, `"ok":true`},
		"the views":                 {"POST", "/sql", "SELECT count() FROM v_events", []string{"Authorization", "Bearer " + i.APIToken}, 200, ""},
	} {
		if status, header, body := ask(c.method, c.path, c.body, c.header...); status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d %v %.300s, want %d and %q", name, status, header, body, c.status, c.says)
		}
	}

	// Under load, one of the collectors is killed: a request is answered, or may be sent again.
	var senders sync.WaitGroup
	var sent, again atomic.Int64
	stop := make(chan struct{})
	for sender := range 4 {
		senders.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				body := fmt.Appendf(nil, `{"type":"track","event":"Tried","userId":"u%d","messageId":"%d-%d","timestamp":"2026-02-03T04:05:06Z"}`, n%50, sender, n)
				for {
					status, answer, err := i.tryPost(t.Context(), "/v1/track", basic(i.WriteKey), body)
					if err == nil && status == 200 {
						break
					}
					if err != nil || status != 503 || !bytes.Contains(answer, []byte("no_collector")) && !bytes.Contains(answer, []byte("not_ready")) {
						t.Errorf("%d %s %v", status, answer, err)
						return
					}
					again.Add(1)
					time.Sleep(20 * time.Millisecond)
				}
				sent.Add(1)
			}
		})
	}
	time.Sleep(time.Second)
	all["collector"].kill(t)
	time.Sleep(2 * time.Second)
	close(stop)
	senders.Wait()
	t.Logf("%d calls, %d of them sent again", sent.Load(), again.Load())
	if got := counts(t, s.digestOf(t, all["api"]))["events"]; got != counts(t, want)["events"]+int(sent.Load()) {
		t.Errorf("%d events, want %d and %d", got, counts(t, want)["events"], sent.Load())
	}
	second.kill(t)
	if status, header, body := ask("POST", "/v1/track", "{}", "Authorization", basic(i.WriteKey)); status != 503 || header.Get("Retry-After") != "1" || !strings.Contains(body, "no_collector") {
		t.Errorf("without a collector: %d %v %s", status, header, body)
	}
}
