package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// moment is what an installation told when it had read no more.
type moment struct {
	at       string
	exports  map[string]string
	dossiers map[string]map[string]any // by profile
}

var pastExports = []string{"events", "personas", "profiles", "timeline"}

// told gives a dossier as it is shown, but for what is told of now alone or of the past alone.
func (i *installation) told(t *testing.T, profile string, past ...string) (d, history map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(i.must(t, append([]string{"show", "profile:" + profile, "--json"}, past...)...)), &d); err != nil {
		t.Fatal(err)
	}
	history, _ = d["History"].(map[string]any)
	delete(d, "History")
	delete(d, "Household")
	return d, history
}

// TestKnownAt: what was known at an instant is, to the byte, what the installation told then, when it had read only the events recorded by then, under the
// configuration of then; for everybody by export and for some by their dossiers. The whole demo workspace at 50 instants under DOSSIER_PROVE.
func TestKnownAt(t *testing.T) {
	besideOthers(t)
	i := install(t)
	steps := counted(3, 50)
	inputs := workspace(t, counted(600, 1<<30))
	var moments []moment
	for step := range steps {
		i.deliver(t, inputs[step*len(inputs)/steps:(step+1)*len(inputs)/steps], 100, 2)
		if step == steps/2 {
			file := filepath.Join(t.TempDir(), "configuration.json")
			if err := os.WriteFile(file, []byte(`{"survivorship":{"default":{"order":"earliest"}}}`), 0o600); err != nil {
				t.Fatal(err)
			}
			i.must(t, "config", "apply", file, "--reason", "the first value counts")
		}
		i.wait(t)
		m := moment{at: time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"), exports: map[string]string{}, dossiers: map[string]map[string]any{}}
		for _, name := range pastExports {
			m.exports[name] = i.must(t, "export", name, "--clocks")
		}
		lines := strings.Split(strings.TrimSpace(m.exports["profiles"]), "\n")
		for n := range 4 {
			var p struct{ ID string }
			if err := json.Unmarshal([]byte(lines[n*(len(lines)-1)/3]), &p); err != nil {
				t.Fatal(err)
			}
			m.dossiers[p.ID], _ = i.told(t, p.ID)
		}
		moments = append(moments, m)
		time.Sleep(5 * time.Millisecond)
	}
	for n, m := range moments {
		for _, name := range pastExports {
			if got := i.must(t, "export", name, "--clocks", "--known-at", m.at); got != m.exports[name] {
				t.Errorf("instant %d: %s had %d lines and %d bytes, and %d lines and %d bytes are told%s", n, name,
					strings.Count(m.exports[name], "\n"), len(m.exports[name]), strings.Count(got, "\n"), len(got), firstDifference(m.exports[name], got))
			}
		}
		for profile, want := range m.dossiers {
			got, history := i.told(t, profile, "--known-at", m.at)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("instant %d: %s was\n%v\nand is told\n%v", n, profile, want, got)
			}
			if history["KnownAt"] == nil || history["ReachesBack"] == nil || history["ErasedSince"] != 0.0 {
				t.Errorf("instant %d: the history is %v", n, history)
			}
		}
	}
	if o := i.dossier(t, "show", "profile:00000000-0000-8000-8000-000000000000", "--known-at", moments[0].at); o.code != 1 {
		t.Errorf("nobody: %d %s", o.code, o.stderr)
	}

	// As of a time: what had happened.
	middle := occurrences(t, moments[len(moments)-1].exports["events"])
	asOf := middle[len(middle)/2]
	var earlier []string
	for line := range strings.Lines(i.must(t, "export", "events")) {
		var e struct{ OccurredAt string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if instantOf(t, e.OccurredAt).Compare(instantOf(t, asOf)) <= 0 {
			earlier = append(earlier, line)
		}
	}
	if got := i.must(t, "export", "events", "--as-of", asOf); got != strings.Join(earlier, "") || len(earlier) == 0 {
		t.Errorf("%d events had happened by %s, %d are told", len(earlier), asOf, strings.Count(got, "\n"))
	}
	people, known := 0, i.must(t, "export", "profiles", "--as-of", asOf)
	for line := range strings.Lines(known) {
		var p struct{ FirstOccurredAt, LastOccurredAt string }
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		if people++; instantOf(t, p.LastOccurredAt).After(instantOf(t, asOf)) {
			t.Errorf("somebody's last contact is after %s: %s", asOf, line)
		}
	}
	if people == 0 || known == i.must(t, "export", "profiles") {
		t.Errorf("%d profiles as of %s, as now", people, asOf)
	}

	// What was erased since is in no past, and the answer says that somebody was.
	last := moments[len(moments)-1]
	gone := ""
	for gone = range last.dossiers {
		break
	}
	i.must(t, "erase", gone, "--reason", "asked for it")
	if o := i.dossier(t, "show", "profile:"+gone, "--known-at", last.at); o.code != 1 {
		t.Errorf("the erased is in the past: %d %s", o.code, o.stdout)
	}
	if strings.Contains(i.must(t, "export", "profiles", "--known-at", last.at), gone) {
		t.Error("the erased is in the past's export")
	}
	for profile := range last.dossiers {
		if profile == gone {
			continue
		}
		if _, history := i.told(t, profile, "--known-at", last.at); history["ErasedSince"] != 1.0 {
			t.Errorf("the history does not tell of the erasure: %v", history)
		}
		break
	}
	for _, wrong := range [][]string{{"export", "cases", "--known-at", last.at}, {"export", "profiles", "--known-at", "yesterday"}} {
		if o := i.dossier(t, wrong...); o.code == 0 || o.stderr == "" {
			t.Errorf("%v: %d %s", wrong, o.code, o.stderr)
		}
	}
}

func firstDifference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for n := range a {
		if n >= len(b) || a[n] != b[n] {
			return fmt.Sprintf("; line %d was\n%s\nand is\n%s", n, a[n], b[min(n, len(b)-1)])
		}
	}
	return ""
}

func occurrences(t *testing.T, events string) (times []string) {
	t.Helper()
	for line := range strings.Lines(events) { // which are in the order of time
		var e struct{ OccurredAt string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		times = append(times, e.OccurredAt)
	}
	return times
}

func instantOf(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
