package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/services/archive/archivetest"
)

// restored makes an installation of a backup and a copy of the ring, and starts it.
func restored(t *testing.T, dir, ring string, args ...string) *installation {
	t.Helper()
	i := prepare(t, args...)
	o := command(t, i.env, append([]string{"restore", dir, "--ring", ring, "--data", i.data}, args...)...)
	if o.code != 0 {
		t.Fatalf("restore ended with %d: %s", o.code, o.stderr)
	}
	i.up(t)
	return i
}

// TestBackupUnderLoad: a backup made while events come in holds everything that was acknowledged before it, a later one into the same
// folder brings it up to date, and what is restored has the same digest; it takes the same events again without counting them twice, and
// can be backed up and restored in its turn.
func TestBackupUnderLoad(t *testing.T) {
	besideOthers(t)
	events := someEvents(counted(6_000, 60_000))
	i := install(t)
	dir, ring := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "dossier.ring")
	i.must(t, "config", "show")
	i.must(t, "keys", "create", "--source", "till", "--trust", "server")
	i.must(t, "ring", "copy", "--name", "safe", ring)

	var l load
	l.start(t, i, events)
	l.reached(t, len(events)/4)
	before := l.acknowledged.Load()
	i.must(t, "backup", dir)
	during := l.acknowledged.Load()
	l.reached(t, len(events)/2)
	first := filepath.Join(t.TempDir(), "first")
	if err := os.CopyFS(first, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	i.must(t, "backup", dir)
	l.end(t)
	i.must(t, "backup", dir)
	i.must(t, "backup", dir, "--check")
	i.wait(t)
	want := i.digest(t)
	keys := i.must(t, "keys", "list")
	i.kill(t)
	t.Logf("%d events were acknowledged before the first backup, %d when it ended, of %d", before, during, len(events))

	partial := restored(t, first, ring)
	if n := int64(counts(t, partial.digest(t))["events"]); n < before {
		t.Errorf("the first backup holds %d events, %d were acknowledged before it", n, before)
	}
	l = load{}
	l.start(t, partial, events)
	l.end(t)
	partial.wait(t)
	partial.sameDigest(t, want, nil)
	partial.kill(t)

	whole := restored(t, dir, ring)
	whole.sameDigest(t, want, nil)
	for line := range strings.Lines(keys) {
		if !strings.Contains(whole.must(t, "keys", "list"), line) {
			t.Errorf("a key is missing: %s", line)
		}
	}
	if t.Failed() {
		return
	}
	again := filepath.Join(t.TempDir(), "again")
	whole.must(t, "backup", again)
	whole.kill(t)
	i = restored(t, again, ring, "--partitions", "6")
	i.sameDigest(t, want, nil)
}

// TestRestoreRefuses: nothing is overwritten, a damaged backup is named, and a ring of another master key opens nothing.
func TestRestoreRefuses(t *testing.T) {
	besideOthers(t)
	i := install(t)
	i.give(t, rand.New(rand.NewPCG(0, 0)), nastyEvents(4)[:50])
	dir, ring := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "dossier.ring")
	i.must(t, "ring", "copy", "--name", "safe", ring)
	i.must(t, "backup", dir)
	refused := func(what, says string, env []string, args ...string) {
		t.Helper()
		o := command(t, env, args...)
		if o.code == 0 || !strings.Contains(o.stderr, says) || strings.Count(strings.TrimSpace(o.stderr), "\n") > 0 && !strings.Contains(o.stderr, "--help") {
			t.Errorf("%s: ended with %d: %s", what, o.code, o.stderr)
		}
	}
	fresh := func() string { return filepath.Join(t.TempDir(), "new") }
	before := listing(t, filepath.Join(i.data, "keys"))
	env := prepare(t).env // with a log that is as new as the folder
	refused("over an installation", "not empty", i.env, "restore", dir, "--ring", ring, "--data", i.data)
	sameFiles(t, before, listing(t, filepath.Join(i.data, "keys")))
	refused("no master key", "DOSSIER_MASTER_KEY", nil, "restore", dir, "--ring", ring, "--data", fresh())
	refused("another master key", "another master key", []string{"DOSSIER_MASTER_KEY=" + strings.Repeat("ab", 32)}, "restore", dir, "--ring", ring, "--data", fresh())
	refused("no ring", "ring copy", env, "restore", dir, "--ring", filepath.Join(dir, "backup.json"), "--data", fresh())
	refused("no backup", "holds no backup", env, "restore", t.TempDir(), "--ring", ring, "--data", fresh())
	refused("into something else", "no backup", nil, "backup", "--data", i.data, filepath.Dir(ring))

	other := install(t)
	refused("over another installation's backup", "another installation", nil, "backup", "--data", other.data, dir)
	other.kill(t)

	segments, err := filepath.Glob(filepath.Join(dir, "archive", "events", "0", "*", "*.segment"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("%v %v", segments, err)
	}
	content, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(segments[0], content, 0o600); err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(segments[0])
	refused("an altered file", name, nil, "backup", dir, "--check")
	target := fresh()
	refused("an altered file", name, env, "restore", dir, "--ring", ring, "--data", target)
	if _, err := os.Stat(target); !os.IsNotExist(err) {
		t.Errorf("a data folder appeared of a damaged backup: %v", err)
	}
	refused("what is left of it", ".restoring", env, "restore", dir, "--ring", ring, "--data", target)
	if err := os.Remove(segments[0]); err != nil {
		t.Fatal(err)
	}
	refused("a missing file", name, nil, "backup", dir, "--check")
	manifest := filepath.Join(dir, "backup.json")
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(manifest, []byte(strings.Replace(string(text), `"format": 1`, `"format": 2`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	refused("a later form", "newer dossier", nil, "backup", dir, "--check")
}

// TestRingCopies: an erasure makes the copies of the key ring that were made before it stale until they are replaced or destroyed, and
// a ring from before an erasure does not bring the erased back.
func TestRingCopies(t *testing.T) {
	besideOthers(t)
	i, log := outside(t)
	i.give(t, rand.New(rand.NewPCG(0, 0)), []input{
		{server, json.RawMessage(`{"type":"message.received","channel":"email","source":"shop","messageId":"m1","occurredAt":"2025-01-01T00:00:00Z","userId":"u1","text":"` + unforgettable + `"}`)},
		{server, json.RawMessage(`{"type":"message.received","channel":"email","source":"shop","messageId":"m2","occurredAt":"2025-01-01T00:00:00Z","userId":"u2","text":"something else"}`)},
	})
	i.wait(t)
	persona := i.persona(t, "shop", "u1")
	dir, old, later := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "old.ring"), filepath.Join(t.TempDir(), "later.ring")
	i.must(t, "ring", "copy", "--name", "safe", old)
	i.must(t, "ring", "copy", "--name", "bank", later)
	current := func() map[string]bool {
		var lines []struct {
			Name    string
			Current bool
		}
		if err := json.Unmarshal([]byte(i.must(t, "ring", "list", "--json")), &lines); err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for _, l := range lines {
			found[l.Name] = l.Current
		}
		return found
	}
	if got := current(); len(got) != 2 || !got["safe"] || !got["bank"] {
		t.Fatalf("copies: %v", got)
	}
	erase(t, log, map[string]bool{persona: true})
	for begun := time.Now(); current()["safe"] || current()["bank"]; time.Sleep(20 * time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatalf("an erasure leaves the copies current: %v", current())
		}
	}
	i.must(t, "ring", "copy", "--name", "bank", later)
	if got := current(); got["safe"] || !got["bank"] {
		t.Errorf("after one was replaced: %v", got)
	}
	i.must(t, "ring", "destroyed", "safe")
	if got := current(); len(got) != 1 {
		t.Errorf("after one was destroyed: %v", got)
	}
	i.must(t, "backup", dir)
	want := i.digest(t)
	i.kill(t)
	for _, ring := range []string{old, later} {
		back := restored(t, dir, ring)
		back.sameDigest(t, want, nil)
		if text := back.must(t, "export", "events", "--clocks"); strings.Contains(text, unforgettable) {
			t.Errorf("the erased are back with %s", filepath.Base(ring))
		}
		back.kill(t)
	}
}

// TestGenerations: another number of partitions starts a generation of the log. Through several of them, with restarts, crashes and a
// rebuilt state, the digest is that of an installation that had one.
func TestGenerations(t *testing.T) {
	besideOthers(t)
	events := someEvents(counted(3_000, 30_000))
	third := len(events) / 3
	give := func(i *installation, some []json.RawMessage) {
		var l load
		l.start(t, i, some)
		l.end(t)
		i.wait(t)
	}
	i := install(t, "--partitions", "2")
	give(i, events[:third])
	early := i.digest(t)
	i.down(t)
	i.args = []string{"--partitions", "5"}
	i.up(t)
	i.sameDigest(t, early, nil)
	give(i, events[third:2*third])
	i.kill(t)
	i.args = nil // the count that it has
	i.up(t)
	middle := i.digest(t)
	dir, ring := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "dossier.ring")
	i.must(t, "ring", "copy", "--name", "safe", ring)
	i.must(t, "backup", dir)
	if o := i.dossier(t, "partitions", "1"); o.code != 1 || !strings.Contains(o.stderr, "in use") {
		t.Errorf("while it runs: %d: %s", o.code, o.stderr)
	}
	i.down(t)
	for range 2 { // the second time there is nothing to do
		if text := i.must(t, "partitions", "1"); !strings.Contains(text, "generation 2") {
			t.Errorf("partitions: %s", text)
		}
	}
	i.up(t)
	i.sameDigest(t, middle, nil)
	give(i, events[2*third:])
	give(i, events[:third]) // again
	want := i.digest(t)
	i.down(t)
	if err := os.RemoveAll(filepath.Join(i.data, "state")); err != nil {
		t.Fatal(err)
	}
	i.up(t)
	i.sameDigest(t, want, nil)
	i.kill(t)

	quiet := install(t)
	give(quiet, events)
	quiet.sameDigest(t, want, nil)
	quiet.kill(t)

	back := restored(t, dir, ring)
	back.sameDigest(t, middle, nil)
	give(back, events)
	back.sameDigest(t, want, nil)
}

// TestGenerationsOnKafka: on brokers that others run, too, and a process that follows the log when somebody else starts a generation ends
// with a line that says to start it again.
func TestGenerationsOnKafka(t *testing.T) {
	besideOthers(t)
	i, _ := outside(t)
	i.give(t, rand.New(rand.NewPCG(0, 0)), nastyEvents(6)[:60])
	want := i.digest(t)
	i.down(t)
	partitions := func(data string) outcome {
		return command(t, i.env, append([]string{"partitions", "5", "--data", data}, i.args...)...)
	}
	if o := partitions(t.TempDir()); o.code != 1 || !strings.Contains(o.stderr, "no key ring") {
		t.Errorf("of another data folder: %d: %s", o.code, o.stderr)
	}
	aside := filepath.Join(t.TempDir(), "aside") // the same ring, and a lock of its own
	if err := os.CopyFS(aside, os.DirFS(i.data)); err != nil {
		t.Fatal(err)
	}
	i.up(t)
	if o := partitions(aside); o.code != 0 || !strings.Contains(o.stdout, "5 partitions, generation 1") {
		t.Fatalf("%d: %s", o.code, o.stderr)
	}
	select {
	case <-i.ended:
		i.cmd = nil
	case <-time.After(patience):
		t.Fatal("a process goes on in a generation that is closed")
	}
	if text := i.log.String(); !strings.Contains(text, "start this process again") {
		t.Errorf("it says %s", text)
	}
	i.up(t)
	i.sameDigest(t, want, nil)
	i.give(t, rand.New(rand.NewPCG(0, 0)), nastyEvents(6)[:90])
	after := i.digest(t)
	i.kill(t)
	quiet := install(t)
	quiet.give(t, rand.New(rand.NewPCG(0, 0)), nastyEvents(6)[:90])
	quiet.sameDigest(t, after, nil)
}

// TestArchiveOnS3: an installation whose archive is on S3-compatible storage loses nothing when the storage goes away under load, and
// what it archived can be backed up and restored to other storage.
func TestArchiveOnS3(t *testing.T) {
	g := archivetest.StartGateway(t, "dossier")
	g.Credentials(t)
	events := someEvents(counted(3_000, 60_000))
	i := install(t, "--archive", g.Location("dossier", "first", ""))
	var l load
	l.start(t, i, events)
	l.reached(t, len(events)/3)
	g.Kill()
	l.reached(t, 2*len(events)/3)
	g.Start()
	l.end(t)
	i.wait(t)
	want := i.digest(t)
	dir, ring := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "dossier.ring")
	i.must(t, "ring", "copy", "--name", "safe", ring)
	i.must(t, "backup", dir)
	i.kill(t)
	back := restored(t, dir, ring, "--archive", g.Location("dossier", "second", ""))
	back.sameDigest(t, want, nil)
	if _, err := os.Stat(filepath.Join(back.data, "archive")); !os.IsNotExist(err) {
		t.Errorf("an archive lies in the data folder: %v", err)
	}
	back.kill(t)
	refused := command(t, back.env, "restore", dir, "--ring", ring, "--data", filepath.Join(t.TempDir(), "new"), "--archive", g.Location("dossier", "second", ""))
	if refused.code == 0 || !strings.Contains(refused.stderr, "not empty") {
		t.Errorf("over an archive: %d: %s", refused.code, refused.stderr)
	}
	wrong := prepare(t, "--archive", fmt.Sprintf("s3://dossier/x?endpoint=%s&lookup=path&region=us-east-1&secret=1", g.URL))
	o := command(t, wrong.env, "up", "--data", wrong.data, "--listen", "127.0.0.1:0", wrong.args[0], wrong.args[1])
	if o.code != 1 || !strings.Contains(o.stderr, `"secret"`) {
		t.Errorf("a wrong location: %d: %s", o.code, o.stderr)
	}
}
