package webhook

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestPeers: the JavaScript libraries that receivers use take what is sent, and nothing that was changed.
func TestPeers(t *testing.T) {
	const folder = "testdata/peers"
	_, installed := os.Stat(filepath.Join(folder, "node_modules"))
	if _, err := exec.LookPath("node"); err != nil || installed != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("node or the packages of services/internal/webhook/testdata/peers are missing: run npm ci there")
		}
		t.Skip("node or the packages of services/internal/webhook/testdata/peers are missing: run npm ci there")
	}
	var headers []byte
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			t.Error(err)
		}
		sent := map[string]string{}
		for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
			sent[name] = r.Header.Get(name)
		}
		if headers, err = json.Marshal(sent); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	m := Message{"0f1e2d3c-0000-8000-8000-000000000001", []byte(`{"type":"audience.entered","data":{"profile":"é"}}`)}
	if err := New().Send(t.Context(), Destination{URL: server.URL, Secrets: []string{secret}, Private: true}, m); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ name, body, want string }{
		{"as it was sent", string(body), "standardwebhooks ok\nsvix ok\n"}, {"changed", string(body) + " ", "standardwebhooks refused\nsvix refused\n"},
	} {
		out, err := exec.CommandContext(t.Context(), "node", filepath.Join(folder, "verify.mjs"), secret, string(headers), x.body).CombinedOutput()
		if err != nil || string(out) != x.want {
			t.Errorf("%s: %s %v", x.name, out, err)
		}
	}
}
