package e2e

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestServeBackup: an installation of several processes is backed up under load, gets another number of partitions after all of them were
// killed, and is restored to another log. Each time it answers as one process does, and takes the same events again without counting them
// twice.
func TestServeBackup(t *testing.T) {
	besideOthers(t)
	events := someEvents(counted(4_000, 40_000))
	want := quietDigest(t, events)
	roles := []string{"keeper", "collector,api", "identity", "timeline,archive,care"}
	s, all := divide(t, roles...)
	through := func(s *split, all map[string]*process) *installation { return s.through(t, all["collector,api"]) }
	begun := time.Now()
	same := func(step string, s *split, all map[string]*process) {
		t.Helper()
		defer func() { t.Logf("%s: %v", step, time.Since(begun).Round(100*time.Millisecond)) }()
		if got := s.digestOf(t, all["collector,api"]); got != want {
			t.Fatalf("%s: got\n%swant\n%s", step, got, want)
		}
	}
	again := func(s *split, all map[string]*process) {
		t.Helper()
		var l load
		l.start(t, through(s, all), events)
		l.end(t)
	}
	keeper := filepath.Join(s.dir, "keeper")
	dir, ring := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "dossier.ring")
	must := func(args ...string) string {
		t.Helper()
		o := command(t, []string{masterKey}, args...)
		if o.code != 0 {
			t.Fatalf("dossier %s ended with %d: %s", strings.Join(args, " "), o.code, o.stderr)
		}
		return o.stdout
	}
	url := all["collector,api"].url
	must("ring", "copy", "--name", "safe", ring, "--data", keeper, "--url", url)

	var l load
	l.start(t, through(s, all), events)
	l.reached(t, len(events)/3)
	before := l.acknowledged.Load()
	must("backup", dir, "--data", keeper, "--url", url)
	t.Logf("%d events were acknowledged before the backup, %d when it ended", before, l.acknowledged.Load())
	l.end(t)
	same("at the end of the load", s, all)

	// What the backup under load holds, in a log of its own, and then everything.
	restored := undivided(t)
	must(append([]string{"restore", dir, "--ring", ring, "--data", filepath.Join(restored.dir, "keeper"), "--partitions", "3"}, restored.logged()...)...)
	others := restored.all(t, roles...)
	if n := int64(counts(t, restored.digestOf(t, others["collector,api"]))["events"]); n < before {
		t.Errorf("the backup holds %d events, %d were acknowledged before it", n, before)
	}
	again(restored, others)
	same("restored", restored, others)
	for _, p := range others {
		p.kill(t)
	}

	// Another number of partitions, when nobody works any more.
	refused := command(t, []string{masterKey}, append([]string{"partitions", "5", "--data", keeper}, s.logged()...)...)
	if refused.code != 1 {
		t.Errorf("another number of partitions while processes run: %+v", refused)
	}
	for _, p := range all {
		p.kill(t)
	}
	if text := must(append([]string{"partitions", "5", "--data", keeper}, s.logged()...)...); !strings.Contains(text, "generation 1") {
		t.Errorf("partitions: %s", text)
	}
	all = s.all(t, roles...)
	same("in another generation", s, all)
	again(s, all)
	same("in another generation, everything again", s, all)
}

// logged are the flags that say where log and archive are.
func (s *split) logged() []string {
	flags := slices.Clone(s.engines)
	if n := slices.Index(flags, "--clickhouse"); n >= 0 {
		flags = slices.Delete(flags, n, n+2)
	}
	return flags
}
