package api

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// browse opens an address in Chromium and gives the page as it is after its script has run.
func browse(t *testing.T, address string, flags ...string) string {
	t.Helper()
	var chromium string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			chromium = path
			break
		}
	}
	if chromium == "" {
		if os.Getenv("CI") == "" {
			t.Skip("Chromium is missing: install it from your system's packages")
		}
		t.Fatal("Chromium is missing: install it from your system's packages")
	}
	flags = append(flags, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(), "--virtual-time-budget=5000", "--dump-dom", address)
	out, err := exec.Command(chromium, flags...).Output()
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	return string(out)
}

// The page runs under its own policy, asks with the token of the link, and shows answers and faults in the reader's language.
func TestExplorerInABrowser(t *testing.T) {
	server := httptest.NewServer(small(t).Handler())
	defer server.Close()
	for _, c := range []struct {
		token, language string
		want            []string
	}{
		{allScopes, "en-GB", []string{`<html lang="en">`, ">Run<", "anna.martin@example.com", "OK · HTTP 200"}},
		{readOnly, "fr-FR", []string{`<html lang="fr">`, ">Exécuter<", "a•••@e•••.com", "OK · HTTP 200"}},
		{"wrong", "fr-FR", []string{"UNAUTHENTICATED", "dossier tokens create", "refusée · HTTP 401"}},
	} {
		page := browse(t, server.URL+"/#token="+c.token, "--lang="+c.language, "--accept-lang="+c.language)
		for _, want := range c.want {
			if !strings.Contains(page, want) {
				t.Errorf("%s, %s: the page lacks %q", c.token, c.language, want)
			}
		}
	}
}
