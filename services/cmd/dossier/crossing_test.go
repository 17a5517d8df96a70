package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestCrossing: while it is shut requests wait, those inside may end, who takes too long is cut, and who closes it does not wait for itself.
func TestCrossing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrossing()
		var mu sync.Mutex
		var seen []string
		note := func(what string) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, what)
		}
		front := func(name string) http.Handler {
			return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/slow":
					time.Sleep(time.Second)
					note(name + " slow")
				case "/endless":
					<-r.Context().Done()
					if context.Cause(r.Context()) != (errExchanged{}) {
						t.Errorf("cut for %v", context.Cause(r.Context()))
					}
					note(name + " cut")
				case "/exchange":
					stepOut(r.Context())
					c.shut(3 * time.Second)
					note("shut")
					c.unlock(nil)
				default:
					note(name)
				}
			})
		}
		var asked sync.WaitGroup
		ask := func(path string) {
			asked.Go(func() { c.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil)) })
			synctest.Wait()
		}
		ask("/waits") // it is not open yet
		c.unlock(front("old"))
		asked.Wait()
		ask("/slow")
		ask("/endless")
		asked.Go(func() {
			c.shut(3 * time.Second)
			note("shut")
		})
		synctest.Wait()
		ask("/during")
		time.Sleep(5 * time.Second)
		c.unlock(front("new"))
		asked.Wait()
		ask("/exchange")
		asked.Wait()
		want := []string{"old", "old slow", "old cut", "shut", "new", "shut"}
		if len(seen) != len(want) {
			t.Fatalf("%q, want %q", seen, want)
		}
		for n := range want {
			if seen[n] != want[n] {
				t.Fatalf("%q, want %q", seen, want)
			}
		}
	})
}

// TestLaterSections: what was changed of segments and destinations since a shadow was made stays; another change makes it stale.
func TestLaterSections(t *testing.T) {
	for _, c := range []struct{ base, inForce, own, want string }{
		{`{"identity":1}`, `{"identity":1,"segments":{"a":1}}`, `{"identity":2}`, `{"identity":2,"segments":{"a":1}}`},
		{`{"identity":1,"segments":{"a":1}}`, `{"identity":1}`, `{"identity":2,"segments":{"a":1}}`, `{"identity":2}`},
		{`{"identity":1}`, `{"identity":1,"destinations":5}`, `{"identity":1}`, `{"destinations":5,"identity":1}`},
		{`{"identity":1}`, `{"identity":3}`, `{"identity":2}`, ""},
		{`{"identity":1}`, `{"identity":1,"care":3}`, `{"identity":2}`, ""},
		{`{"segments":1}`, `{"segments":2}`, `{"segments":3}`, ""},
	} {
		got, err := laterSections([]byte(c.base), []byte(c.inForce), []byte(c.own))
		if (err != nil) != (c.want == "") || err == nil && string(got) != c.want {
			t.Errorf("%s to %s, %s: %s, %v", c.base, c.inForce, c.own, got, err)
		}
	}
}
