package e2e

import (
	"encoding/pem"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestCustomerIOTrack: customerio-node, unmodified, sends people, events, devices and merges to the Track API; all of it is one dossier, and what
// states its time and id is there once.
func TestCustomerIOTrack(t *testing.T) {
	besideOthers(t)
	installedIn(t, sdks, "node")
	i := install(t)
	target, err := url.Parse(i.URL)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(target)) // the client speaks TLS alone
	defer server.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	runWith(t, []string{"NODE_EXTRA_CA_CERTS=" + authority}, sdks, "node", "customerio_track.mjs", address.Hostname(), address.Port(), "site", i.WriteKey)
	i.wait(t)
	got := i.contacts(t, "tio-1")
	want := []string{"identity.aliased", "order.placed Order Completed", "page.viewed /où êtes-vous ? 🎁", "profile.identified", "profile.identified", "profile.identified", "track.performed Seen"}
	if !slices.Equal(names(got), want) {
		t.Errorf("got %v, want %v", names(got), want)
	}
	for _, c := range got {
		if stated := c.Name == "Order Completed" || c.Name == "Seen"; stated && c.OccurredAt != "2026-02-03T04:04:05.000Z" && c.OccurredAt != "2026-02-03T04:04:05Z" {
			t.Errorf("%s occurred at %s", c.Name, c.OccurredAt)
		}
	}
	if again := i.contacts(t, "tio-2"); len(again) != len(got) {
		t.Errorf("the merged customer has %d contacts, want %d", len(again), len(got))
	}
}
