package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStart: a first start makes a workspace with keys; an event comes back as a dossier; a stop and a second start keep it all.
func TestStart(t *testing.T) {
	besideOthers(t)
	i := install(t)
	file, err := os.Stat(filepath.Join(i.data, "credentials.json"))
	if err != nil {
		t.Fatal(err)
	}
	if file.Mode().Perm() != 0o600 || i.Workspace != "main" || i.WriteKey == "" || i.ClientKey == "" || i.APIToken == "" {
		t.Fatalf("mode %v, %+v", file.Mode(), i.credentials)
	}
	i.send(t, basic(i.WriteKey), json.RawMessage(`{"type":"message.received","channel":"email","messageId":"m1","occurredAt":"2026-03-01T11:00:00Z",
		"account":{"kind":"crm_id","value":"7"},"identifiers":{"email":"ann@example.com"},"text":"Where is my parcel?"}`))
	i.wait(t)
	show := i.must(t, "show", "email:Ann@Example.com")
	if !strings.Contains(show, "Where is my parcel?") || !strings.Contains(show, "crm_id 7") {
		t.Fatal(show)
	}
	digest, was := i.digest(t), i.credentials
	i.down(t)
	if o := command(t, nil, "digest", "--data", i.data); o.code != 1 || o.stdout != "" || !oneLine(o.stderr) {
		t.Fatalf("an installation that is down: %+v", o)
	}
	i.up(t)
	if i.credentials != was {
		t.Fatalf("%+v, before %+v", i.credentials, was)
	}
	i.sameDigest(t, digest, nil)
	if again := i.must(t, "show", "email:ann@example.com"); again != show {
		t.Fatalf("got\n%s\nwant\n%s", again, show)
	}
	doctor := i.must(t, "doctor")
	for line := range strings.Lines(doctor) {
		if !strings.HasPrefix(line, "ok") {
			t.Errorf("doctor: %s", line)
		}
	}
}

// oneLine says whether a text is one line of a reasonable length.
func oneLine(text string) bool {
	return strings.Count(text, "\n") == 1 && strings.HasSuffix(text, "\n") && len(text) < 500
}
