package identity

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
	"github.com/dossier-cdp/dossier/services/internal/mix"
)

// Mixes of events for benchmarks: what the demo retailer's channels send in 18 months, and the labelled file of clients. Either can be had for any number of
// people: copy k is the same events of other people, whose accounts, contact points, family names and streets are their own.

// demoMix is the demo workspace, in the order of time.
func demoMix(t testing.TB) []schema.Event {
	out, err := mix.Demo(workspace)
	must(t, err)
	return out
}

// clientsFile finds the labelled file of clients, and skips the test if there is none, except under CI.
func clientsFile(t testing.TB) string {
	root := os.Getenv("DOSSIER_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	path := filepath.Join(root, "data", "identity", "clients_fr.csv")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if os.Getenv("CI") != "" {
			t.Fatal("clients_fr.csv is missing: set DOSSIER_SHARED")
		}
		t.Skip("clients_fr.csv is missing: set DOSSIER_SHARED to the folder that holds data/")
	}
	return path
}

// clientsMix is the labelled file of clients: nearly every row is a persona of its own.
func clientsMix(t testing.TB) []schema.Event {
	f, err := os.Open(clientsFile(t))
	must(t, err)
	rows, err := csv.NewReader(f).ReadAll()
	must(t, errors.Join(err, f.Close()))
	var out []schema.Event
	for _, fields := range rows[1:] {
		row := map[string]string{}
		for i, name := range rows[0] {
			row[name] = fields[i]
		}
		kind, account := "record_id", row["record_id"]
		switch {
		case row["source"] == "crm":
			kind = "crm_id"
		case row["source"] == "store":
			kind, account = "card", row["loyalty_card"]
		case row["source"] == "social":
			kind, account = "handle", row["handle"]
		case row["user_id"] != "":
			kind, account = "user_id", row["user_id"]
		case row["cookie"] != "":
			kind, account = "cookie", row["cookie"]
		}
		at, err := time.Parse(time.RFC3339, row["seen_at"])
		must(t, err)
		options := []any{schema.InstantOf(at)}
		assurance := schema.AssuranceVerified
		if row["source"] == "survey" {
			assurance = schema.AssuranceDeclared
		}
		for _, of := range [][2]string{{"email", "email"}, {"phone", "phone"}, {"card", "loyalty_card"}, {"user_id", "user_id"}, {"cookie", "cookie"}, {"handle", "handle"}} {
			if v := row[of[1]]; v != "" {
				options = append(options, schema.Identifier{Kind: of[0], Value: v, Assurance: assurance})
			}
		}
		for _, name := range []string{"first_name", "last_name", "full_name", "birth_date", "street", "postcode", "city"} {
			if v := row[name]; v != "" {
				quoted, err := json.Marshal(v)
				must(t, err)
				options = append(options, schema.Trait{Name: name, Value: quoted})
			}
		}
		out = append(out, contact(row["source"], kind, account, options...))
	}
	return out
}
