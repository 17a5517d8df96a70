package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestReady(t *testing.T) {
	answer, text := http.StatusOK, "ready"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(answer)
		w.Write([]byte(text + "\n")) //nolint:errcheck // the test sees what arrived
	}))
	defer server.Close()
	ask := readyCommand{URL: server.URL + "/", Timeout: 30 * time.Second}
	if err := ask.Run(t.Context()); err != nil {
		t.Errorf("a process that is ready: %v", err)
	}
	answer, text = http.StatusServiceUnavailable, "not ready: identity reads the log: 3 %"
	if err := ask.Run(t.Context()); err == nil || err.Error() != text {
		t.Errorf("a process that is not ready: %v", err)
	}
	server.Close()
	if err := ask.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "is it running?") {
		t.Errorf("no process: %v", err)
	}
}
