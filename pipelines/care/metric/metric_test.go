package metric

import (
	"flag"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

var update = flag.Bool("update", false, "rewrite the golden statements; review the difference")

// The statements of a metric of each subject, whole.
func TestGoldenStatements(t *testing.T) {
	q := Query{
		Workspace: "main", From: 1_767_225_600_000_000, To: 1_769_904_000_000_000, Now: 1_780_000_000_000_000, By: []Dimension{Channel, Month}, Zone: "Europe/Paris",
		Where: map[Dimension][]string{Theme: {"late", ""}, Brand: {"garance"}}, Profiles: []schema.ProfileID{{1}},
	}
	for _, c := range []struct {
		name   string
		change func(q *Query)
	}{
		{"nps", func(q *Query) { q.Latest = true }},
		{"nps_complaint", func(q *Query) { q.By = []Dimension{Complaint} }},
		{"firstReply", func(q *Query) { q.Reading = EventDate }},
		{"nextReply", func(q *Query) { q.OpenHours = true }},
		{"resolution", func(q *Query) { q.By = nil; q.Profiles = nil; q.Where = nil }},
		{"fcrNoRepeat", func(q *Query) { q.Window = 10 * day }},
		{"recoveryRate", func(q *Query) { q.By = nil }},
		{"churnAfterComplaint", func(q *Query) {}},
		{"themeSentiment", func(q *Query) { q.By, q.Where = []Dimension{Said, Product}, map[Dimension][]string{Polarity: {"neg"}} }},
		{"gestureSpend", func(q *Query) { q.Profiles = nil; q.Currency = "CHF" }},
		{"churnExcess", func(q *Query) { q.By = q.By[:1] }},
		{"csat", func(q *Query) { q.Profiles, q.Segments = nil, []string{"champions"} }},
		{"complaintRoi", func(q *Query) { q.By = nil; q.Profiles = []schema.ProfileID{} }},
	} {
		asked := q
		c.change(&asked)
		name, _, _ := strings.Cut(c.name, "_")
		d, _ := Find(name)
		count, err := d.Count(asked)
		if err != nil {
			t.Fatal(err)
		}
		asked.Keys = []string{"email", "2026-01"}
		list, err := d.List(asked, &After{At: 5, Skip: 2}, 51)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, s := range []Statement{count, list} {
			fmt.Fprintln(&b, s.SQL)
			for _, name := range slices.Sorted(maps.Keys(s.Params)) {
				fmt.Fprintf(&b, "-- %s = %v\n", name, s.Params[name])
			}
		}
		path := filepath.Join("testdata", c.name+".sql")
		if *update {
			if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("%s:\n%s", path, b.String())
		}
	}
}

// Every entry is whole: sentences in both languages, and a word for each reason.
func TestCatalogueIsWhole(t *testing.T) {
	names := map[string]bool{}
	for _, d := range Catalogue() {
		if names[d.Name] {
			t.Errorf("%s is there twice", d.Name)
		}
		names[d.Name] = true
		for _, text := range []Text{d.Title, d.Is, d.For, d.NotFor} {
			if text.FR == "" || text.EN == "" {
				t.Errorf("%s lacks a sentence: %+v", d.Name, text)
			}
		}
		for _, text := range []Text{d.Is, d.For, d.NotFor} {
			if !strings.HasSuffix(text.FR, ".") || !strings.HasSuffix(text.EN, ".") {
				t.Errorf("%s: no sentence: %+v", d.Name, text)
			}
		}
		if d.Formula == "" || d.Source == "" || d.Version == 0 || d.Unit == "" || d.Statistic == 0 || d.Group == "" {
			t.Errorf("%s is not whole", d.Name)
		}
		for _, e := range d.leave {
			if _, ok := reasons[e.reason]; !ok {
				t.Errorf("%s leaves rows out for %q, which nothing explains", d.Name, e.reason)
			}
		}
	}
}

// A query as a URL is the same query again.
func TestValues(t *testing.T) {
	for _, q := range []Query{
		{},
		{From: 1_767_225_600_000_000, To: 1_769_904_000_123_456, Now: 1_780_000_000_000_000, Reading: Cohort, By: []Dimension{Channel, Month}, Keys: []string{"", "2026-01"}},
		{Reading: EventDate, Where: map[Dimension][]string{Theme: {"late & lost", ""}, Store: {"Lyon"}}, Profiles: []schema.ProfileID{{1}, {2}}, Latest: true},
		{Profiles: []schema.ProfileID{}, OpenHours: true, Zone: "Europe/Paris", Within: 30_000_000, Window: 10 * day},
		{Segments: []string{"champions", "at_risk"}},
		{Currency: "CHF", Budget: 1250.5, Priors: map[string]float64{"years": 2, "kPlus": .5}},
		{KnownAt: 1_769_904_000_123_456, Now: 1_769_904_000_123_456}, {KnownAt: 1_769_904_000_123_456, AsOf: 1_769_000_000_000_000, Now: 1_769_000_000_000_000},
	} {
		got, err := ParseValues(q.Values())
		if err != nil || !reflect.DeepEqual(got, q) {
			t.Errorf("%+v comes back as %+v, %v", q, got, err)
		}
	}
	for _, text := range []string{"from=yesterday", "reading=both", "profile=anna", "answers=some", "within=0", "windowDays=x", "frmo=2026-01-01T00:00:00Z"} {
		name, value, _ := strings.Cut(text, "=")
		if _, err := ParseValues(map[string][]string{name: {value}}); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}

// What was known is read from tables of its own, and of the timeline only what was recorded by then: no metric reads anything of the present.
func TestKnownReadsThePastAlone(t *testing.T) {
	for _, d := range Catalogue() {
		q := Query{Workspace: "main", KnownAt: 1_769_904_000_000_000, Now: 1_769_904_000_000_000, Tables: "known_7_"}
		for _, by := range d.Dimensions() {
			if by == Complaint && !d.Employee { // the wider subject
				q.By = []Dimension{by}
			}
		}
		for _, asOf := range []schema.Instant{0, q.Now} {
			q.AsOf = asOf
			count, err := d.Count(q)
			if err != nil {
				t.Fatal(err)
			}
			statements := []Statement{count}
			if !d.Employee {
				list, err := d.List(q, nil, 5)
				if err != nil {
					t.Fatal(err)
				}
				statements = append(statements, list)
			}
			for _, s := range statements {
				if strings.Contains(s.SQL, "current_") || strings.Contains(s.SQL, "persona_map") || !strings.Contains(s.SQL, "known_7_") && !strings.Contains(s.SQL, "FROM events") {
					t.Errorf("%s reads the present:\n%s", d.Name, s.SQL)
				}
				if strings.Count(s.SQL, "FROM events") != strings.Count(s.SQL, "recorded_at <= {known:DateTime64(6)}") {
					t.Errorf("%s reads events that were not known:\n%s", d.Name, s.SQL)
				}
			}
		}
		q.AsOf = 0
		for _, wrong := range []Query{{KnownAt: 5}, {Tables: "known_7_"}, {KnownAt: 5, Tables: "known_7_", Segments: []string{"champions"}}, {KnownAt: 5, Tables: "known_7_", Profiles: []schema.ProfileID{{1}}}} {
			wrong.Workspace, wrong.Now = "main", 5
			if _, err := d.Count(wrong); err == nil {
				t.Errorf("%s takes %+v", d.Name, wrong)
			}
		}
	}
}

// Every word by which an order says that it does not stand is looked for, and none is passed over for its letters.
func TestCancelledWords(t *testing.T) {
	stems := []string{"cancel", "void", "refund", "annul", "rembours"}
	for _, stem := range stems {
		if !strings.Contains(saysCancelled, "'"+stem+"'") {
			t.Errorf("%s is not looked for", stem)
		}
	}
	for _, word := range schema.CancelledStates() {
		if !strings.Contains(saysCancelled, "'"+word+"'") || !slices.ContainsFunc(stems, func(stem string) bool { return strings.Contains(word, stem) }) {
			t.Errorf("%s is not looked for", word)
		}
	}
	for _, name := range schema.OrderStateProperties() {
		if !strings.Contains(saysCancelled, "'"+name+"'") {
			t.Errorf("the property %s is not read", name)
		}
	}
}

// What is of too few people has no estimate and no part; employees' groups that would give another away go with it.
func TestSuppressed(t *testing.T) {
	tally := func(key string, people int64) Tally {
		return Tally{Keys: []string{key}, N: people, People: people, Up: people, Sum: big.NewInt(0), Squares: big.NewInt(0), Reasons: map[string]int64{}}
	}
	whole := tally("", 17)
	whole.Whole = true
	for name, want := range map[string]string{"nps": "[false true false]", "enps": "[true true false]"} {
		d, _ := Find(name)
		all, groups := d.Figures(Query{}, []Tally{whole, tally("a", 5), tally("b", 4), tally("c", 8)}, nil)
		var hidden []bool
		for _, g := range groups {
			hidden = append(hidden, g.Suppressed)
			if g.Suppressed && (g.Known() || g.Numerator != nil || len(g.Parts) > 0) {
				t.Errorf("%s of %s is hidden and shown: %+v", name, g.Keys, g)
			}
		}
		if fmt.Sprint(hidden) != want || all.Suppressed {
			t.Errorf("%s hides %v, want %v", name, hidden, want)
		}
	}
}

// Places follow intervals, not values alone: groups whose intervals overlap share one, and of too few rows there is none.
func TestRank(t *testing.T) {
	tally := func(key string, up, n int64) Tally {
		return Tally{Keys: []string{key}, N: n, People: n, Up: up, Sum: big.NewInt(0), Squares: big.NewInt(0)}
	}
	// By Wilson: 90 of 100 is .83 to .94, 85 of 100 is .77 to .91, 50 of 100 is .40 to .60.
	groups := []Tally{tally("a", 90, 100), tally("b", 85, 100), tally("c", 50, 100), tally("d", 20, 20)}
	for name, want := range map[string]string{"csat": "[1 1 3 0]", "reopenRate": "[2 2 1 0]"} {
		d, _ := Find(name)
		_, figures := d.Figures(Query{}, groups, nil)
		var places []int
		for _, f := range figures {
			places = append(places, f.Place)
		}
		if fmt.Sprint(places) != want {
			t.Errorf("%s gives the places %v, want %s", name, places, want)
		}
	}
}

// Durations are sorted and summed as by comparing and by big numbers.
func TestComplete(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	d, _ := Find("firstReply")
	for _, size := range []int{0, 1, 300, 5000, 70_000} {
		tallies := []Tally{{Whole: true}, {Keys: []string{"a"}}, {Keys: []string{"b"}}}
		var all []int64
		sum, squares := new(big.Int), new(big.Int)
		for i := range size {
			v := r.Int64N(1 << (1 + r.IntN(53)))
			if r.IntN(9) == 0 {
				v = -v
			}
			t := &tallies[1+i%2]
			t.Over, all = append(t.Over, v), append(all, v)
			sum.Add(sum, big.NewInt(v))
			squares.Add(squares, new(big.Int).Mul(big.NewInt(v), big.NewInt(v)))
		}
		d.Complete(tallies)
		slices.Sort(all)
		if !slices.Equal(all, tallies[0].Over) || tallies[0].Sum.Cmp(sum) != 0 || tallies[0].Squares.Cmp(squares) != 0 {
			t.Errorf("seed %d: %d durations are not sorted and summed", seed, size)
		}
		if !slices.IsSorted(tallies[1].Over) || !slices.IsSorted(tallies[2].Over) || len(tallies[1].Over)+len(tallies[2].Over) != size {
			t.Errorf("seed %d: the groups of %d durations are not sorted", seed, size)
		}
	}
}
