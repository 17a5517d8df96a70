package e2e

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/keeper"
)

// TestOldRing: a key ring of before an erasure, put in the place of the present one by hand or restored from a registered copy, forgets the erased before
// anything serves. One that lacks keys which the log was written under is refused and left as it is. Rotated keys change nothing that is answered.
func TestOldRing(t *testing.T) {
	besideOthers(t)
	i := install(t)
	master, err := hex.DecodeString(strings.TrimPrefix(masterKey, "DOSSIER_MASTER_KEY="))
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"gone", "stays"} {
		i.send(t, basic(i.WriteKey), json.RawMessage(fmt.Sprintf(
			`{"type":"profile.identified","source":"crm","messageId":"%s","occurredAt":"2026-01-01T00:00:00Z","userId":"%[1]s","identifiers":[{"kind":"email","value":"%[1]s@example.com"}]}`, who)))
		if a := i.raw(t, "/v1/events", basic(i.WriteKey), strings.NewReader(`{"type":"call.exploded","messageId":"x","text":"write to `+who+`@example.com"}`)); a.status != 400 {
			t.Fatalf("a bad event: %+v", a)
		}
	}
	i.wait(t)
	gone := i.persona(t, "crm", "gone")
	copied, backup := filepath.Join(t.TempDir(), "dossier.ring"), filepath.Join(t.TempDir(), "backup")
	i.must(t, "ring", "copy", "--name", "safe", copied)
	before := t.TempDir()
	keep := func(into string) {
		t.Helper()
		for _, part := range []string{"keys", "keeper"} {
			if err := os.CopyFS(filepath.Join(into, part), os.DirFS(filepath.Join(i.data, part))); err != nil {
				t.Fatal(err)
			}
		}
	}
	put := func(from string) {
		t.Helper()
		for _, file := range []string{"keys/ring", "keeper/ring.key"} {
			content, err := os.ReadFile(filepath.Join(from, file))
			if err == nil {
				err = os.WriteFile(filepath.Join(i.data, file), content, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	closed := func(dir string) (is bool, version uint64) {
		t.Helper()
		rings, err := keeper.Read(dir, [32]byte(master))
		if err != nil {
			t.Fatal(err)
		}
		ring := rings["main"]
		defer ring.Destroy()
		id, err := schema.ParsePersonaID(gone)
		if err != nil {
			t.Fatal(err)
		}
		return ring.Closed(id, 0), ring.Version()
	}
	keep(before)
	if o := i.dossier(t, "erase", "user_id:gone", "--reason", "asked for it"); o.code != 3 || !strings.Contains(o.stderr, "ring copy") { // the copy has her keys
		t.Fatalf("erase ended with %d: %s", o.code, o.stderr)
	}
	i.must(t, "backup", backup)
	want := i.digest(t)
	check := func(what string, i *installation) {
		t.Helper()
		i.sameDigest(t, want, nil)
		if o := i.dossier(t, "show", "user_id:gone"); o.code != 1 {
			t.Errorf("%s: the erased is known: %d %s", what, o.code, o.stdout)
		}
		if list := i.fewLetters(t, 1); strings.Count(list, "\n") != 2 {
			t.Errorf("%s: the letters are %s", what, list)
		}
	}
	i.down(t)
	_, version := closed(i.data)
	put(before)
	if is, old := closed(i.data); is || old >= version {
		t.Fatal("the ring from before is none")
	}
	i.up(t)
	if !strings.Contains(i.log.String(), "an older key ring is in place") {
		t.Errorf("nothing is said of the old ring: %s", i.log.String())
	}
	check("put in place by hand", i)
	if is, now := closed(i.data); !is || now < version {
		t.Errorf("the old ring in place: closed %v, version %d, was %d", is, now, version)
	}
	other := restored(t, backup, copied)
	check("restored from a copy", other)
	if is, now := closed(other.data); !is || now < version {
		t.Errorf("the restored ring: closed %v, version %d, was %d", is, now, version)
	}
	other.kill(t)

	// Rotated, everything is as it was, and the former key opens nothing.
	i.down(t)
	rotate := func(args ...string) outcome {
		return command(t, i.env, append([]string{"ring", "rotate", "--data", i.data}, args...)...)
	}
	if o := rotate(); o.code != 0 {
		t.Fatalf("rotate ended with %d: %s", o.code, o.stderr)
	}
	next := filepath.Join(t.TempDir(), "next")
	if err := os.WriteFile(next, []byte(strings.Repeat("5c", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	if o := rotate("--master"); o.code != 1 || !strings.Contains(o.stderr, "make a new one") {
		t.Errorf("without the new key: %d %s", o.code, o.stderr)
	}
	if o := rotate("--master", "--new", next); o.code != 0 || !strings.Contains(o.stderr, "registered copies") {
		t.Fatalf("rotate --master ended with %d: %s", o.code, o.stderr)
	}
	if o := command(t, i.env, "up", "--data", i.data, "--listen", "127.0.0.1:0"); o.code == 0 || !strings.Contains(o.stderr, "master key is not the one") {
		t.Errorf("under the former master key: %d %s", o.code, o.stderr)
	}
	for n, v := range i.env {
		if v == masterKey {
			i.env[n] = "DOSSIER_MASTER_KEY=" + strings.Repeat("5c", 32)
		}
	}
	i.up(t)
	check("rotated", i)

	// A class that the log may have been written under since is no matter of erasures.
	path := filepath.Join(t.TempDir(), "class.yaml")
	if err := os.WriteFile(path, []byte("sources: {till: {class: shops}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lacking := t.TempDir()
	keep(lacking)
	i.must(t, "config", "apply", path)
	i.send(t, basic(i.WriteKey), json.RawMessage(`{"type":"note.added","source":"till","messageId":"n","occurredAt":"2026-01-01T00:00:00Z","userId":"stays","text":"hello"}`))
	i.down(t)
	put(lacking)
	left := listing(t, filepath.Join(i.data, "keys"))
	if o := command(t, i.env, "up", "--data", i.data, "--listen", "127.0.0.1:0"); o.code != 1 || !strings.Contains(o.stderr, "lacks keys that the log was written under") {
		t.Errorf("a ring that lacks keys: %d %s", o.code, o.stderr)
	}
	sameFiles(t, left, listing(t, filepath.Join(i.data, "keys")))
}
