package population_test

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"github.com/dossier-cdp/dossier/pipelines/population"
)

// likeness are statistics of a file of customers, by name. Shares, but for those that end in "per person".
type likeness map[string]float64

// rows reads a file of customers.
func rows(t *testing.T, text string) (out []map[string]string) {
	all, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, fields := range all[1:] {
		row := map[string]string{}
		for i, name := range all[0] {
			row[name] = fields[i]
		}
		out = append(out, row)
	}
	return out
}

func folded(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 0x300 && r < 0x370 {
			return -1
		}
		return r
	}, norm.NFD.String(strings.ToLower(s)))
}

func likenessOf(rows []map[string]string) likeness {
	out := likeness{}
	bySource := map[string]float64{}
	people := map[string]float64{}
	for _, r := range rows {
		bySource[r["source"]]++
		if r["person_id"] != "" {
			people[r["person_id"]]++
		}
	}
	records := 0.
	size := map[float64]float64{}
	for _, n := range people {
		records += n
		size[min(n, 6)]++
	}
	out["records per person"] = records / float64(len(people))
	for n, count := range size {
		out[fmt.Sprintf("people with %.0f records", n)] = count / float64(len(people))
	}
	for source, n := range bySource {
		out[source+" of all records"] = n / float64(len(rows))
	}
	for _, column := range []string{"full_name", "first_name", "birth_date", "email", "phone", "street", "postcode", "city", "loyalty_card", "user_id", "handle", "cookie", "person_id"} {
		for _, r := range rows {
			if r[column] != "" {
				out[r["source"]+" with "+column] += 1 / bySource[r["source"]]
			}
		}
	}
	of := func(what string, value func(map[string]string) string) {
		owners, values := map[string]map[string]bool{}, map[string]map[string]bool{}
		for _, r := range rows {
			v, person := value(r), r["person_id"]
			if v == "" || person == "" {
				continue
			}
			if owners[v] == nil {
				owners[v] = map[string]bool{}
			}
			if values[person] == nil {
				values[person] = map[string]bool{}
			}
			owners[v][person], values[person][v] = true, true
		}
		for _, o := range owners {
			if len(o) > 1 {
				out[what+" of several people"] += 1 / float64(len(owners))
			}
		}
		for _, v := range values {
			if len(v) > 1 {
				out["people with several "+what] += 1 / float64(len(values))
			}
		}
	}
	of("mailboxes", func(r map[string]string) string { return folded(r["email"]) })
	of("phone numbers", func(r map[string]string) string {
		if digits(r["phone"]) == "000000000" {
			return ""
		}
		return digits(r["phone"])
	})
	of("cards", func(r map[string]string) string { return r["loyalty_card"] })
	of("accounts", func(r map[string]string) string { return r["user_id"] })
	of("cookies", func(r map[string]string) string { return r["cookie"] })
	of("addresses", func(r map[string]string) string {
		if r["street"] == "" {
			return ""
		}
		return folded(r["street"]) + r["postcode"]
	})
	of("full names", func(r map[string]string) string {
		if r["first_name"] == "" {
			return ""
		}
		return folded(r["first_name"]) + " " + folded(r["last_name"])
	})
	for _, r := range rows {
		switch {
		case r["source"] == "callcenter" && r["phone"] == "0000000000":
			out["calls from 0000000000"] += 1 / bySource["callcenter"]
		case r["source"] == "crm" && r["birth_date"] == "1900-01-01":
			out["CRM records born on 1900-01-01"] += 1 / bySource["crm"]
		case r["source"] == "crm" && strings.HasSuffix(r["birth_date"], "-01-01"):
			out["CRM records born on another 1 January"] += 1 / bySource["crm"]
		case r["source"] == "survey" && strings.HasPrefix(r["email"], "contact@"):
			out["surveys with the robot's mailbox"] += 1 / bySource["survey"]
		}
		if r["last_name"] != "" && r["last_name"] == strings.ToUpper(r["last_name"]) {
			out["family names in capitals"] += 1 / (bySource["crm"] + bySource["ecommerce"] + bySource["store"])
		}
	}
	return out
}

// TestLikeness prints the statistics of the labelled file beside those of as many invented people, and holds the invented ones to them: shares
// within .06, or a third of small ones; what the invented population deliberately does differently is named.
func TestLikeness(t *testing.T) {
	root := os.Getenv("DOSSIER_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	raw, err := os.ReadFile(filepath.Join(root, "data", "identity", "clients_fr.csv"))
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") == "" {
		t.Skip("clients_fr.csv is missing: set DOSSIER_SHARED to the folder that holds data/")
	}
	if err != nil {
		t.Fatal(err)
	}
	want := likenessOf(rows(t, string(raw)))
	_, lines := file(t, population.Plan{People: 6000, Seed: 1})
	got := likenessOf(rows(t, population.Columns+"\n"+strings.Join(lines, "")))
	// A row that shares nothing with any other, in a file of which the label is not given to every row with a name and a town.
	apart := map[string]float64{"people with 1 records": .08, "support_email with person_id": .1}
	names := slices.Sorted(maps.Keys(want))
	for name := range got {
		if _, ok := want[name]; !ok {
			names = append(names, name)
		}
	}
	var table strings.Builder
	for _, name := range names {
		w, g := want[name], got[name]
		allowed := max(.012, min(.06, .34*w))
		if strings.HasSuffix(name, "per person") {
			allowed = .3
		}
		allowed = max(allowed, apart[name])
		mark := ""
		if g < w-allowed || g > w+allowed {
			mark = "  <-- too far"
			t.Errorf("%s: clients_fr %.4f, invented %.4f", name, w, g)
		}
		fmt.Fprintf(&table, "%-42s %.4f  %.4f%s\n", name, w, g, mark)
	}
	t.Logf("%-42s %s  %s\n%s", "", "clients_fr", "invented", table.String())
}
