package identity_test

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/identity/accuracy"
	"github.com/dossier-cdp/dossier/schema"
)

// clientsRow is one row of a clients_fr file.
type clientsRow struct {
	record, person string
	event          schema.Event
}

// sharedFile finds a file of the data folder, and skips the test if there is none, except under CI.
func sharedFile(t testing.TB, path string) string {
	root := os.Getenv("DOSSIER_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	file := filepath.Join(root, "data", path)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing: set DOSSIER_SHARED", path)
		}
		t.Skipf("%s is missing: set DOSSIER_SHARED to the folder that holds data/", path)
	}
	return file
}

// clients reads a clients_fr file the way its mapping does: server trust, each source with its own account kind.
func clients(t testing.TB, file string) []clientsRow {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []clientsRow
	for _, fields := range rows[1:] {
		row := map[string]string{}
		for i, name := range rows[0] {
			row[name] = fields[i]
		}
		out = append(out, clientsRow{row["record_id"], row["person_id"], clientsEvent(t, row)})
	}
	return out
}

func clientsEvent(t testing.TB, row map[string]string) schema.Event {
	source := row["source"]
	account := schema.Account{Kind: "record_id", Value: row["record_id"]}
	switch {
	case source == "crm":
		account = schema.Account{Kind: "crm_id", Value: row["record_id"]}
	case source == "store":
		account = schema.Account{Kind: "card", Value: row["loyalty_card"]}
	case source == "social":
		account = schema.Account{Kind: "handle", Value: row["handle"]}
	case row["user_id"] != "":
		account = schema.Account{Kind: "user_id", Value: row["user_id"]}
	case row["cookie"] != "":
		account = schema.Account{Kind: "cookie", Value: row["cookie"]}
	}
	var e schema.Event
	e.ID = schema.EventID(personaOf("event", schema.TrustServer, schema.Account{Value: row["record_id"]}))
	e.Source, e.Account = source, account
	e.Persona = personaOf(source, schema.TrustServer, account)
	e.Type = schema.TypeProfileIdentified
	e.Provenance = schema.Provenance{Trust: schema.TrustServer, Country: "FR"}
	at, err := time.Parse(time.RFC3339, row["seen_at"])
	if err != nil {
		t.Fatal(err)
	}
	e.OccurredAt = schema.InstantOf(at)
	assurance := schema.AssuranceVerified
	if source == "survey" {
		assurance = schema.AssuranceDeclared
	}
	for kind, column := range map[string]string{"email": "email", "phone": "phone", "card": "loyalty_card", "user_id": "user_id", "cookie": "cookie", "handle": "handle"} {
		if v := row[column]; v != "" {
			e.Identifiers = append(e.Identifiers, schema.Identifier{Kind: kind, Value: v, Assurance: assurance})
		}
	}
	for _, trait := range []string{"first_name", "last_name", "full_name", "birth_date", "street", "postcode", "city"} {
		if v := row[trait]; v != "" {
			quoted, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			e.Traits = append(e.Traits, schema.Trait{Name: trait, Value: quoted})
		}
	}
	return e
}

// resolveClients streams the rows, in the given order, through the graph, and gives each row's profile.
func resolveClients(t testing.TB, rows []clientsRow, order []int, rules *identity.Rules) []string {
	m := identity.NewMemory(plainHasher{}, rules)
	for _, i := range order {
		m.Add(&rows[i].event, 0)
	}
	if err := m.Resolve(); err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(rows))
	for i := range rows {
		id, ok := m.Profile(rows[i].event.Persona)
		if !ok {
			t.Fatalf("row %s has no profile", rows[i].record)
		}
		out[i] = id.String()
	}
	return out
}

func labels(rows []clientsRow) []string {
	out := make([]string, len(rows))
	for i := range rows {
		out[i] = rows[i].person
	}
	return out
}

func inOrder(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func TestAccuracyOnClients(t *testing.T) {
	rows := clients(t, sharedFile(t, "identity/clients_fr.csv"))
	first := resolveClients(t, rows, inOrder(len(rows)), identity.DefaultRules())
	s := accuracy.Of(labels(rows), first)
	t.Log(s)
	if s.Precision < .88 || s.Recall < .70 || s.Largest > 12 {
		t.Errorf("want P ≥ .88, R ≥ .70, largest ≤ 12, got %s", s)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2 {
		again := resolveClients(t, rows, rng.Perm(len(rows)), identity.DefaultRules())
		for i := range rows {
			if again[i] != first[i] {
				t.Fatalf("row %s is in profile %s in file order and in %s when shuffled", rows[i].record, first[i], again[i])
			}
		}
	}
}

// TestEveryRuleEarnsItsPlace takes one rule away at a time: each buys precision or recall. A third of the rows is enough to see it;
// DOSSIER_PROVE=1 takes all.
func TestEveryRuleEarnsItsPlace(t *testing.T) {
	rows := clients(t, sharedFile(t, "identity/clients_fr.csv"))
	if os.Getenv("DOSSIER_PROVE") != "1" {
		rows = rows[:len(rows)/3]
	}
	with := func(change func(*identity.Rules)) accuracy.Score {
		rules := identity.DefaultRules()
		change(rules)
		if err := rules.Prepare(); err != nil {
			t.Fatal(err)
		}
		return accuracy.Of(labels(rows), resolveClients(t, rows, inOrder(len(rows)), rules))
	}
	kind := func(name string, change func(*identity.KindRule)) func(*identity.Rules) {
		return func(r *identity.Rules) {
			for i := range r.Kinds {
				if r.Kinds[i].Kind == name {
					change(&r.Kinds[i])
				}
			}
		}
	}
	full := with(func(*identity.Rules) {})
	t.Log("all rules:", full)
	for _, c := range []struct {
		without string
		change  func(*identity.Rules)
		worse   func(accuracy.Score) bool
	}{
		{"given names", func(r *identity.Rules) { r.GivenNames = false }, func(s accuracy.Score) bool { return s.Precision < full.Precision-.005 }},
		{"birth dates", func(r *identity.Rules) { r.BirthDates = false }, func(s accuracy.Score) bool { return s.Precision < full.Precision-.002 }},
		{"addresses", kind("address", func(k *identity.KindRule) { k.Strength = identity.None }), func(s accuracy.Score) bool { return s.Recall < full.Recall-.03 }},
		{"name with birth date", kind("name_and_birth_date", func(k *identity.KindRule) { k.Strength = identity.None }), func(s accuracy.Score) bool { return s.Recall < full.Recall-.005 }},
		{"yielding to a full name", func(r *identity.Rules) {
			for i := range r.Kinds {
				r.Kinds[i].UnlessNamed = false
			}
		}, func(s accuracy.Score) bool { return s.Recall < full.Recall-.01 }},
	} {
		s := with(c.change)
		t.Logf("without %s: %s", c.without, s)
		if !c.worse(s) {
			t.Errorf("without %s it is no worse: %s, with it %s", c.without, s, full)
		}
	}
}
