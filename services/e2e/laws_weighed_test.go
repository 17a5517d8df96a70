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
)

// weighedEvents are invented customers as eight systems know them, in events: with traits that change late and long before, a mailbox that stands beside more and
// more people until it is nobody's, and decisions that contradict what is weighed.
func weighedEvents(t *testing.T, people int) (path string, inputs []input) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "customers.csv")
	if o := command(t, nil, "generate", "--people", fmt.Sprint(people), "--seed", "11", "--out", path); o.code != 0 {
		t.Fatal(o.stderr)
	}
	n := &nasty{Rand: rand.New(rand.NewPCG(uint64(people), 8))}
	var of []map[string]any // each row's source and account
	for k, row := range rows(t, path) {
		who := map[string]any{"source": row["source"], "account": account("record_id", row["record_id"])}
		switch {
		case row["user_id"] != "":
			who["account"] = account("user_id", row["user_id"])
		case row["loyalty_card"] != "":
			who["account"] = account("card", row["loyalty_card"])
		case row["cookie"] != "":
			who["account"] = account("cookie", row["cookie"])
		}
		of = append(of, who)
		identifiers, traits := map[string]any{}, map[string]any{}
		for column, kind := range map[string]string{"email": "email", "phone": "phone", "loyalty_card": "card", "user_id": "user_id", "cookie": "cookie"} {
			if row[column] != "" {
				identifiers[kind] = row[column]
			}
		}
		for _, trait := range []string{"full_name", "first_name", "last_name", "birth_date", "street", "postcode", "city"} {
			if row[trait] != "" {
				traits[trait] = row[trait]
			}
		}
		event := func(at string, identifiers, traits map[string]any) {
			n.add(server, map[string]any{"type": "profile.identified", "source": who["source"], "account": who["account"], "occurredAt": at, "identifiers": identifiers, "traits": traits})
		}
		event(row["seen_at"], identifiers, traits)
		switch {
		case k%11 == 0: // married since, and moved
			event("2026-01-05T00:00:00Z", map[string]any{"email": fmt.Sprintf("n%d@courriel.example", k)}, map[string]any{"last_name": "Nouveaunom", "postcode": "29200", "city": "Brest"})
		case k%13 == 0: // what was true before, told late
			event("1999-01-01T00:00:00Z", nil, map[string]any{"last_name": "Jadis", "city": "Nevers"})
		case k%7 == 0: // the tool's own mailbox
			event("2025-06-01T00:00:00Z", map[string]any{"email": "contact@sondage.example"}, nil)
		}
	}
	for range 20 {
		a, b := of[n.IntN(len(of))], of[n.IntN(len(of))]
		n.add(token, map[string]any{"type": "identity.linked", "a": a, "b": b, "reason": "they said so"})
		if n.IntN(2) == 0 {
			n.add(token, map[string]any{"type": "identity.separated", "a": b, "b": a, "reason": "they did not"})
		}
		n.add(token, map[string]any{"type": "identity.separated", "a": a, "b": of[n.IntN(len(of))], "reason": "another"})
	}
	return path, n.inputs
}

// TestWeighedPermutations: under a model, too, an installation comes to one digest in every order and with any duplicates, batches and restarts, with traits that
// change, values that become generic, decisions and releases. At least a fifth of what is joined is joined by weights.
func TestWeighedPermutations(t *testing.T) {
	besideOthers(t)
	path, inputs := weighedEvents(t, counted(40, 120))
	model := filepath.Join(t.TempDir(), "model.yaml")
	if err := os.WriteFile(model, []byte("identity:\n  model: fr\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	first := install(t)
	first.must(t, "config", "apply", model)
	ids := first.give(t, rand.New(rand.NewPCG(0, 0)), inputs)
	inputs = append(inputs, releases(inputs, ids)...)
	first.give(t, rand.New(rand.NewPCG(0, 0)), inputs) // the releases, and everything a second time
	want := ""
	for begun := time.Now(); !strings.Contains(want, "  matches  ") && time.Since(begun) < patience; time.Sleep(100 * time.Millisecond) {
		first.wait(t)
		want = first.digest(t)
	}
	n := counts(t, want)
	if n["events"] < len(inputs) || n["matches"] == 0 || n["profiles"] >= n["personas"] {
		t.Fatalf("%d inputs, digest\n%s", len(inputs), want)
	}
	var offline struct{ Personas, Cores, Profiles int } // the rows alone
	o := command(t, nil, "resolve", path, "--map", root(t, "deploy", "mappings", "clients_fr.yaml"), "--model", "fr", "--out", filepath.Join(t.TempDir(), "who.csv"), "--json")
	if err := json.Unmarshal([]byte(o.stdout), &offline); o.code != 0 || err != nil {
		t.Fatalf("resolve: %+v, %v", o, err)
	}
	if joined, weighed := offline.Personas-offline.Profiles, offline.Cores-offline.Profiles; 5*weighed < joined || joined == 0 {
		t.Errorf("of %d joints %d are by weights, want a fifth at least", joined, weighed)
	} else {
		t.Logf("%d inputs; of %d joints among the rows %d are by weights; digest\n%s", len(inputs), joined, weighed, want)
	}
	random := seeded(t)
	for k := range counted(1, 100) {
		i := install(t, "--partitions", fmt.Sprint([]int{3, 1, 8}[k%3]))
		i.args = nil
		all := permuted(random, inputs)
		cut := random.IntN(len(all))
		before := random.IntN(2) == 0 // the model may come into force in the middle, too
		if before {
			i.must(t, "config", "apply", model)
		}
		i.give(t, random, all[:cut])
		if random.IntN(2) == 0 {
			i.kill(t)
		} else {
			i.down(t)
		}
		i.up(t)
		if !before {
			i.must(t, "config", "apply", model)
		}
		i.give(t, random, all[cut:])
		i.wait(t)
		for begun := time.Now(); i.digest(t) != want && time.Since(begun) < 30*time.Second; { // the state under the model is built beside, and switched to
			time.Sleep(200 * time.Millisecond)
		}
		i.sameDigest(t, want, first)
		i.kill(t)
		if t.Failed() {
			return
		}
	}
}
