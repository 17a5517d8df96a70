package demo

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// collector is a server that counts what it is sent.
type collector struct {
	mu     sync.Mutex
	bodies map[[32]byte]int
	events map[string]int // by path
	wrong  []string
	answer func(n int, w http.ResponseWriter) bool // answers request n itself; false: as usual
	n      int
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.wrong = append(c.wrong, err.Error())
		return
	}
	c.n++
	if c.answer != nil && c.answer(c.n, w) {
		return
	}
	var items []json.RawMessage
	key, _, _ := r.BasicAuth()
	switch r.URL.Path {
	case "/v1/events":
		err = json.Unmarshal(body, &items)
		if key != "server" {
			c.wrong = append(c.wrong, "key "+key)
		}
	case "/v1/batch":
		var whole struct{ Batch []json.RawMessage }
		err = json.Unmarshal(body, &whole)
		items = whole.Batch
		if key != "client" {
			c.wrong = append(c.wrong, "key "+key)
		}
	default:
		c.wrong = append(c.wrong, r.URL.Path)
	}
	if err != nil || len(items) == 0 || len(items) > 500 {
		c.wrong = append(c.wrong, "a body of another form")
	}
	c.bodies[sha256.Sum256(body)]++
	c.events[r.URL.Path] += len(items)
	if r.URL.Path == "/v1/batch" {
		io.WriteString(w, `{"success":true}`) //nolint:errcheck // a test's server
		return
	}
	io.WriteString(w, `{"accepted":1,"refused":[]}`) //nolint:errcheck // a test's server
}

func serve(t *testing.T, answer func(n int, w http.ResponseWriter) bool) (*collector, Config) {
	c := &collector{bodies: map[[32]byte]int{}, events: map[string]int{}, answer: answer}
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	return c, Config{URL: s.URL + "/", ServerKey: "server", ClientKey: "client"}
}

// TestLoad sends everything, twice, by the two keys, over a collector that is busy now and then: the same bodies both times.
func TestLoad(t *testing.T) {
	c, cfg := serve(t, func(n int, w http.ResponseWriter) bool {
		if n%40 == 7 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	})
	summary := workspace().summary
	var last, total int64
	cfg.Progress = func(n, of int64) {
		if n <= last || n > of {
			t.Errorf("progress from %d to %d of %d", last, n, of)
		}
		last, total = n, of
	}
	for round := 1; round <= 2; round++ {
		last = 0
		if err := Load(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		if len(c.wrong) > 0 {
			t.Fatal(c.wrong)
		}
		if c.events["/v1/events"] != round*(summary.Events-summary.Client) || c.events["/v1/batch"] != round*summary.Client {
			t.Errorf("round %d: sent %v", round, c.events)
		}
		if last != int64(summary.Events) || total != last {
			t.Errorf("progress ended at %d of %d, want %d", last, total, summary.Events)
		}
		for _, n := range slices.Collect(maps.Values(c.bodies)) {
			if n != round {
				t.Fatalf("round %d: a body came %d times", round, n)
			}
		}
	}
}

func TestLoadFails(t *testing.T) {
	batches := []batch{{class: Server, events: 1, body: []byte(`[{}]`)}, {class: Client, events: 1, body: []byte(`{"batch":[{}]}`)}, {class: Server, events: 1, body: []byte(`[{}]`)}}
	for _, c := range []struct {
		name, body, want string
		status           int
	}{
		{"refused", `{"accepted":0,"refused":[{"index":0,"code":"time_in_future","reason":"too early","hint":"mend the clock"}]}`, "time_in_future", 200},
		{"unknown key", `{"success":false,"error":{"code":"key_unknown","reason":"no such key","hint":"make one"}}`, "key_unknown", 401},
		{"no collector", `<html>`, "is this a collector?", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, cfg := serve(t, func(_ int, w http.ResponseWriter) bool {
				w.WriteHeader(c.status)
				io.WriteString(w, c.body) //nolint:errcheck // a test's server
				return true
			})
			if err := deliver(t.Context(), cfg, batches, 3); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		_, cfg := serve(t, func(_ int, w http.ResponseWriter) bool {
			cancel()
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		})
		if err := deliver(ctx, cfg, batches, 3); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}
