package population_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/dossier-cdp/dossier/pipelines/population"
	"github.com/dossier-cdp/dossier/schema"
)

var update = flag.Bool("update", false, "rewrite testdata")

// file invents people and gives their lines by record, and all lines in the order of invention.
func file(t testing.TB, plan population.Plan) (byID map[string]string, lines []string) {
	t.Helper()
	p, err := population.New(plan)
	if err != nil {
		t.Fatal(err)
	}
	byID = map[string]string{}
	err = p.Each(func(r *population.Record) error {
		line := string(r.AppendCSV(nil))
		if have, twice := byID[r.ID()]; twice {
			t.Fatalf("two records have the id %s:\n%s%s", r.ID(), have, line)
		}
		byID[r.ID()] = line
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return byID, lines
}

// TestSample holds the first people of each country: the same today, tomorrow and elsewhere, and there for the reader to see.
func TestSample(t *testing.T) {
	for _, country := range []string{"fr", "gb"} {
		_, lines := file(t, population.Plan{Country: country, People: 12, Seed: 1})
		got := population.Columns + "\n" + strings.Join(lines, "")
		name := "testdata/sample_" + country + ".csv"
		if *update {
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", country, got, want)
		}
	}
}

// TestAPersonIsTheSameAtAnySize: the records of a smaller population are among those of a larger one.
func TestAPersonIsTheSameAtAnySize(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		plan := population.Plan{Country: rapid.SampledFrom([]string{"fr", "gb"}).Draw(r, "country"), Seed: rapid.Uint64().Draw(r, "seed")}
		plan.People = rapid.IntRange(0, 60).Draw(r, "people")
		small, _ := file(t, plan)
		plan.People += rapid.IntRange(1, 60).Draw(r, "more")
		large, _ := file(t, plan)
		if len(large) < len(small) {
			r.Fatalf("%d records of more people, %d of fewer", len(large), len(small))
		}
		for id, line := range small {
			if large[id] != line {
				r.Fatalf("of fewer people:\n%sof more:\n%s", line, large[id])
			}
		}
	})
}

// TestSeedsDiffer: another seed makes other people.
func TestSeedsDiffer(t *testing.T) {
	_, one := file(t, population.Plan{People: 50, Seed: 1})
	_, two := file(t, population.Plan{People: 50, Seed: 2})
	same := 0
	for _, line := range one {
		if slices.Contains(two, line) {
			same++
		}
	}
	if same > 0 {
		t.Errorf("%d of %d lines are those of another seed", same, len(one))
	}
}

// TestEveryRateCounts sets each rate to nothing, and to a lot: what is written differs.
func TestEveryRateCounts(t *testing.T) {
	for _, country := range []string{"fr", "gb"} {
		plan := population.Plan{Country: country, People: 200, Seed: 3}
		rates := population.Rates(country)
		text := func(set map[string]float64) string {
			plan.Rates = set
			p, err := population.New(plan)
			if err != nil {
				t.Fatal(err)
			}
			var b []byte
			if err := p.Each(func(r *population.Record) error { b = r.AppendCSV(b); return nil }); err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		for _, r := range rates {
			if r.About == "" {
				t.Errorf("%s does not say what it is", r.Name)
			}
			never, often := text(map[string]float64{r.Name: 0}), text(map[string]float64{r.Name: max(.3, r.Value)})
			if never == often && !(country == "gb" && strings.Contains(r.Name, "accents_lost")) {
				t.Errorf("%s: rate %s does nothing", country, r.Name)
			}
		}
	}
}

func TestRatesAreChecked(t *testing.T) {
	for _, c := range []struct {
		plan population.Plan
		code string
	}{
		{population.Plan{Rates: map[string]float64{"typo.givn": .1}}, "rate_unknown"},
		{population.Plan{Rates: map[string]float64{"typo.given": 1.1}}, "rate_invalid"},
		{population.Plan{Rates: map[string]float64{"typo.given": -.1}}, "rate_invalid"},
		{population.Plan{Rates: map[string]float64{"crm.one": .8, "crm.two": .3}}, "rate_invalid"},
		{population.Plan{Country: "de"}, "country_unknown"},
		{population.Plan{People: population.MostPeople + 1}, "people_invalid"},
	} {
		_, err := population.New(c.plan)
		var refusal *schema.Refusal
		if !errors.As(err, &refusal) || refusal.Code != c.code || refusal.Hint == "" {
			t.Errorf("%+v: got %v, want %s with a hint", c.plan, err, c.code)
		}
	}
	if _, err := population.New(population.Plan{Rates: map[string]float64{"typo.given": 1}}); err != nil {
		t.Error(err)
	}
}

// TestNumbersBelongToOne: a card, an account and a record id are one person's but for lent cards; a mobile passes between households, and a
// mailbox is two households', only as often as the rates say.
func TestNumbersBelongToOne(t *testing.T) {
	const people = 20_000
	p, err := population.New(population.Plan{People: people, Seed: 5, Rates: map[string]float64{"phone.typo": 0, "mailbox.typo": 0}})
	if err != nil {
		t.Fatal(err)
	}
	owners := map[string]map[string]bool{} // kind and value → households
	persons := map[string]map[string]bool{}
	err = p.Each(func(r *population.Record) error {
		if r.Person == "" {
			return nil
		}
		var number int
		if _, err := fmt.Sscanf(r.Person, "P%d", &number); err != nil {
			return err
		}
		household := fmt.Sprint(number / 8)
		for kind, v := range map[string]string{"card": r.Card, "account": r.UserID, "phone": digits(r.Phone), "mailbox": strings.ToLower(r.Email)} {
			if v == "" || v == "000000000" || v == "contact@sondage.example" {
				continue
			}
			key := kind + " " + v
			if owners[key] == nil {
				owners[key], persons[key] = map[string]bool{}, map[string]bool{}
			}
			owners[key][household], persons[key][r.Person] = true, true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	strangers, all := map[string]int{}, map[string]int{}
	for key, households := range owners {
		kind, _, _ := strings.Cut(key, " ")
		all[kind]++
		if len(households) > 1 {
			strangers[kind]++
		}
		if kind == "account" && len(persons[key]) > 1 {
			t.Errorf("%s has %d owners", key, len(persons[key]))
		}
	}
	t.Log("values", all, "of which of several households", strangers)
	if strangers["card"] > 0 || strangers["account"] > 0 {
		t.Errorf("strangers share cards or accounts: %v", strangers)
	}
	if share := float64(strangers["phone"]) / float64(all["phone"]); share < .004 || share > .014 {
		t.Errorf("%.4f of the numbers passed to a stranger and were seen with both", share)
	}
	if share := float64(strangers["mailbox"]) / float64(all["mailbox"]); share > .003 {
		t.Errorf("%.4f of the mailboxes are two households'", share)
	}
}

// digits are a number's last nine digits.
func digits(phone string) string {
	d := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, phone)
	return d[max(0, len(d)-9):]
}

// TestLines: fields with commas or quotes are quoted, and a line has the header's columns.
func TestLines(t *testing.T) {
	r := population.Record{Source: "crm", FirstName: `Jean "JP"`, LastName: "Martin, fils"}
	line := r.AppendCSV(nil)
	if !bytes.Contains(line, []byte(`,"Jean ""JP""","Martin, fils",`)) {
		t.Errorf("got %s", line)
	}
	if n := strings.Count(population.Columns, ","); bytes.Count(line, []byte(","))-1 != n {
		t.Errorf("%d commas, the header has %d", bytes.Count(line, []byte(","))-1, n)
	}
}

func BenchmarkEach(b *testing.B) {
	p, err := population.New(population.Plan{People: min(b.N, population.MostPeople), Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var line []byte
	if err := p.Each(func(r *population.Record) error { line = r.AppendCSV(line[:0]); return nil }); err != nil {
		b.Fatal(err)
	}
}
