package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/graphql/graphqltest"
)

// When every turn is taken, an operation waits, then is told to come back; decisions do not wait for reads.
func TestOperationsWaitTheirTurn(t *testing.T) {
	release, started := make(chan struct{}), make(chan struct{}, readsAtOnce)
	w := graphqltest.Small()
	w.Fault = func(_ context.Context, read string) error {
		if read == "Owners" {
			started <- struct{}{}
			<-release
		}
		return nil
	}
	a := over(t, w)
	h := a.Handler()
	ask := func(query string) *httptest.ResponseRecorder {
		r := httptest.NewRecorder()
		h.ServeHTTP(r, call{contentType: "application/json", authorization: "Bearer " + allScopes, body: body(query)}.request())
		return r
	}
	const slow = `{ dossier(identifier: {kind: "email", value: "nobody@example.com"}) { id } }`
	var all sync.WaitGroup
	for range readsAtOnce {
		all.Go(func() {
			if r := ask(slow); r.Code != http.StatusOK || codeOf(t, r) != "" {
				t.Errorf("a running operation got %d %s", r.Code, r.Body)
			}
		})
		<-started
	}
	hurried := *a
	hurried.Timeout = 10 * time.Millisecond
	r := httptest.NewRecorder()
	hurried.Handler().ServeHTTP(r, call{contentType: "application/json", authorization: "Bearer " + allScopes, body: body("{ __typename }")}.request())
	if r.Code != http.StatusServiceUnavailable || codeOf(t, r) != "OVERLOADED" || r.Header().Get("Retry-After") == "" {
		t.Errorf("one too many got %d %s", r.Code, r.Body)
	}
	if r := ask(`mutation { release(event: "65000000-0000-8000-8000-000000000001", reason: "x", idempotencyKey: "k") { event } }`); r.Code != http.StatusOK || codeOf(t, r) != "" {
		t.Errorf("a decision got %d %s", r.Code, r.Body)
	}
	close(release)
	all.Wait()
}

// One dossier through the handler, without any engine and without a network.
func BenchmarkHandler(b *testing.B) {
	for name, fields := range map[string]string{
		"header": `profile { id known firstContact lastContact } goldenRecord { name value source time assurance } identifiers { kind value assurance } consents { channel purpose state }`,
		"full50": `profile { id known firstContact lastContact } goldenRecord { name value source time assurance runnersUp { value source time assurance } } identifiers { kind value assurance sources firstSeen lastSeen } personas { id source trust accountKind account } consents { channel purpose state source time } timeline(first: 50) { totalCount edges { node { id type channel actor source occurredAt name text entity conversation case rating amount currency } } } cases { id state } satisfaction { answers } value { orders } possibleMatches { profile reason }`,
	} {
		b.Run(name, func(b *testing.B) {
			h := over(b, graphqltest.Large(100, 50)).Handler()
			text, err := json.Marshal(map[string]any{
				"query":     fmt.Sprintf(`query ($identifier: IdentifierInput!) { dossier(identifier: $identifier) { %s } }`, fields),
				"variables": map[string]any{"identifier": map[string]any{"kind": "email", "value": "person.42@example.com"}},
			})
			if err != nil {
				b.Fatal(err)
			}
			c := call{accept: responseType, contentType: "application/json", authorization: "Bearer " + allScopes, body: string(text)}
			before, size := cpu(b), 0
			for b.Loop() {
				r := httptest.NewRecorder()
				h.ServeHTTP(r, c.request())
				if r.Code != http.StatusOK {
					b.Fatal(r.Body)
				}
				size = r.Body.Len()
			}
			b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(size), "B/answer")
		})
	}
}

// cpu is what this process used so far: unlike the clock, it does not grow while others have the machine.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Whatever the bytes, the answer is of GraphQL's form, with a code, and nothing of a mutation runs by GET.
func FuzzRequest(f *testing.F) {
	f.Add("POST", "/graphql", "application/json", "*/*", body("{ __typename }"))
	f.Add("POST", "/graphql", "application/json; charset=utf-8", responseType, `{"query": "query A { __typename }", "operationName": "A", "variables": null, "extensions": {}}`)
	f.Add("GET", "/graphql?query=%7B__typename%7D&variables=%7B%7D", "", "", "")
	f.Add("GET", "/graphql?query=mutation%7B__typename%7D", "", "application/*;q=0.1", "")
	f.Add("POST", "/graphql", "application/json", "text/csv, */*;q=x", "[[[[")
	f.Add("PUT", "/graphql", "", "", "\xff\xfe")
	w := graphqltest.Small()
	h := over(f, w).Handler()
	f.Fuzz(func(t *testing.T, method, target, contentType, accept, text string) {
		r, err := http.NewRequest(method, "http://localhost/", nil)
		if err != nil || method == http.MethodHead {
			return
		}
		u, err := r.URL.Parse(target)
		if err != nil || u.Path != "/graphql" {
			return
		}
		c := call{method: method, target: "/graphql", accept: accept, contentType: contentType, authorization: "Bearer " + allScopes, body: text}.request()
		c.URL.RawQuery = u.RawQuery
		if toExplorer(c) {
			return
		}
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, c)
		if !json.Valid(answer.Body.Bytes()) {
			t.Fatalf("not JSON: %s", answer.Body)
		}
		if code := codeOf(t, answer); (code == "" || code == "INTERNAL") && answer.Code != http.StatusOK {
			t.Errorf("%d with code %q", answer.Code, code)
		}
		if method == http.MethodGet && w.Reads()["Decide"] > 0 {
			t.Error("a decision was made by GET")
		}
	})
}
