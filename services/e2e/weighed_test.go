package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestWithAModel: invented customers of eight systems, a model that is tried by a simulation and then put in force, the queue of possible matches with its waterfall,
// answers of all three kinds and their withdrawal, a crash and a state built anew: the same digest throughout.
func TestWithAModel(t *testing.T) {
	besideOthers(t)
	i := install(t)
	dir := t.TempDir()
	customers, model := filepath.Join(dir, "customers.csv"), filepath.Join(dir, "model.yaml")
	if o := command(t, nil, "generate", "--people", "150", "--seed", "5", "--out", customers); o.code != 0 {
		t.Fatal(o.stderr)
	}
	i.must(t, "import", customers, "--map", root(t, "deploy", "mappings", "clients_fr.yaml"), "--wait")
	exact := i.digest(t)
	if strings.Contains(exact, "matches") {
		t.Errorf("possible matches without a model: %s", exact)
	}

	var tried struct {
		Profiles, ProfilesAfter, Merged, Split float64
		Whole                                  bool
		Merges                                 []json.RawMessage
	}
	if err := json.Unmarshal([]byte(i.must(t, "matches", "simulate", "--model", "fr", "--json")), &tried); err != nil {
		t.Fatal(err)
	}
	if int(tried.Profiles) != counts(t, exact)["profiles"] || tried.Merged == 0 || len(tried.Merges) == 0 || !tried.Whole {
		t.Errorf("simulated: %+v, of %s", tried, exact)
	}
	i.sameDigest(t, exact, nil)

	if err := os.WriteFile(model, []byte("identity:\n  model: fr\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	i.must(t, "config", "apply", model)
	type match struct {
		A, B   struct{ ID string }
		Reason string
	}
	var queue []match
	for begun := time.Now(); len(queue) < 2; time.Sleep(50 * time.Millisecond) {
		if err := json.Unmarshal([]byte(i.must(t, "matches", "list", "--json")), &queue); err != nil {
			t.Fatal(err)
		}
		if time.Since(begun) > patience {
			t.Fatalf("%d possible matches under a model", len(queue))
		}
	}
	i.wait(t)
	weighed := i.digest(t)
	came := counts(t, weighed)
	if far := float64(came["profiles"]) - tried.ProfilesAfter; far*far > .0004*tried.ProfilesAfter*tried.ProfilesAfter || came["matches"] < 2 {
		t.Errorf("simulated %.0f profiles, came %s", tried.ProfilesAfter, weighed)
	}
	if again := i.must(t, "matches", "simulate", "--json"); !strings.Contains(strings.Join(strings.Fields(again), ""), `"Merged":0,"Split":0`) {
		t.Errorf("what is in force changes something: %s", again)
	}

	a, b := queue[0].A.ID, queue[0].B.ID
	var why struct {
		WhyNot struct {
			Same     bool
			Weighing *struct {
				Reason *string
				Model  string
				Fields []struct {
					Field  string
					Weight float64
					A      []struct{ Value string }
				}
				Keys []struct{ Recipe string }
			}
		}
	}
	asked := map[string]any{"a": a, "b": b}
	i.query(t, `query($a: String!, $b: String!) { whyNot(a: {kind: "profile", value: $a}, b: {kind: "profile", value: $b}) { same weighing { reason model fields { field weight a { value } } keys { recipe } } } }`, asked, &why)
	w := why.WhyNot.Weighing
	if why.WhyNot.Same || w == nil || w.Model != "fr" || len(w.Fields) == 0 || len(w.Keys) == 0 || w.Reason == nil || *w.Reason != queue[0].Reason {
		t.Errorf("why not %s and %s: %+v", a, b, why)
	}
	if shown := i.must(t, "matches", "show", a, b); !strings.Contains(shown, "two people: "+queue[0].Reason) || !strings.Contains(shown, "(prior)") {
		t.Errorf("shown: %s", shown)
	}

	without := func(digest string) string { // but for the events, which have the decisions
		var out []string
		for line := range strings.Lines(digest) {
			if !strings.Contains(line, "  events  ") {
				out = append(out, line)
			}
		}
		return strings.Join(out, "")
	}
	for _, answer := range []string{"link", "separate", "household"} {
		event := strings.TrimSpace(i.must(t, "matches", "decide", a, b, "--answer", answer, "--reason", "elle a téléphoné"))
		if same := i.holder(t, a) == i.holder(t, b); same != (answer == "link") {
			t.Errorf("answered %s: one person %v", answer, same)
		}
		var home struct {
			Dossier struct {
				Household *struct {
					Residents []struct{ Profile struct{ ID string } }
				}
			}
		}
		if answer == "household" {
			i.query(t, `query($a: String!) { dossier(identifier: {kind: "profile", value: $a}) { household { residents { profile { id } } } } }`, map[string]any{"a": a}, &home)
			found := false
			if h := home.Dossier.Household; h != nil {
				for _, r := range h.Residents {
					found = found || r.Profile.ID == i.holder(t, b)
				}
			}
			if !found {
				t.Errorf("no household of %s and %s: %+v", a, b, home)
			}
		}
		if answer != "link" && strings.Contains(i.must(t, "export", "matches"), `"a":"`+a+`","b":"`+b+`"`) {
			t.Errorf("answered %s, and proposed again", answer)
		}
		i.must(t, "release", event, "--reason", "une erreur")
		if got := without(i.digest(t)); got != without(weighed) {
			t.Errorf("%s and release: got\n%swant\n%s", answer, got, without(weighed))
		}
	}
	if n := strings.Count(i.must(t, "export", "events", "--type", "household.joined"), "\n"); n != 1 {
		t.Errorf("%d events household.joined", n)
	}
	last := i.digest(t)
	i.kill(t)
	i.up(t)
	i.sameDigest(t, last, nil)
	i.down(t)
	if err := os.RemoveAll(filepath.Join(i.data, "state", "identity")); err != nil {
		t.Fatal(err)
	}
	i.up(t)
	i.sameDigest(t, last, nil)
}
