package match_test

import (
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/identity/accuracy"
	"github.com/dossier-cdp/dossier/pipelines/identity/match"
	"github.com/dossier-cdp/dossier/schema"
)

// bar is what a file must reach under a model.
type bar struct {
	file, model                string
	f1, precision, recall, bF1 float64
	largest                    int
	// Second values of people who have two: of what share the pairs of values are found to be one person's.
	cards, accounts float64
}

var bars = []bar{
	{file: "clients_fr", model: "fr", f1: .96, precision: .98, bF1: .975, largest: 12, cards: .80, accounts: .85},
	{file: "clients_fr", model: "fr-careful", precision: .995, recall: .80, largest: 12},
	{file: "historical", model: "en", f1: .97, precision: .985, bF1: .965, largest: 25},
	{file: "fake_1000", model: "en", f1: .98, precision: 1, recall: .95, bF1: .97, largest: 12},
	{file: "febrl3", model: "en", f1: .9995, precision: .9995, bF1: .9995, largest: 6},
}

func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// people puts the rows in one at a time, deciding after each, in the given order.
func people(t testing.TB, rows []labelled, order []int, m *match.Model) *match.People {
	rules, err := match.CoreRules(identity.DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	p := match.NewPeople(plainHasher{}, rules, m)
	for _, i := range order {
		p.Add(&rows[i].event)
		if err := p.Resolve(); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// profilesOf gives each row's profile.
func profilesOf(t testing.TB, p *match.People, rows []labelled) []string {
	ids := map[schema.ProfileID]string{}
	for _, profile := range p.Profiles() {
		for _, m := range profile.Members {
			ids[m] = profile.ID.String()
		}
	}
	out := make([]string, len(rows))
	for i := range rows {
		id, ok := ids[rows[i].event.Persona]
		if !ok {
			t.Fatalf("row %s has no profile", rows[i].record)
		}
		out[i] = id
	}
	return out
}

func labelsOf(rows []labelled) []string {
	out := make([]string, len(rows))
	for i := range rows {
		out[i] = rows[i].label
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

func shipped(t testing.TB, name string) *match.Model {
	m, err := match.Shipped(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// seconds counts, over people who have several values of a kind, the pairs of values, and of how many the two lie in one profile.
func seconds(rows []labelled, profiles []string, kind string) (found, all int) {
	values := map[string]map[string]map[string]bool{} // label, value, profiles
	for i := range rows {
		for _, id := range rows[i].event.Identifiers {
			if label := rows[i].label; label != "" && id.Kind == kind {
				if values[label] == nil {
					values[label] = map[string]map[string]bool{}
				}
				if values[label][id.Value] == nil {
					values[label][id.Value] = map[string]bool{}
				}
				values[label][id.Value][profiles[i]] = true
			}
		}
	}
	for _, byValue := range values {
		for v, in := range byValue {
			for w, also := range byValue {
				if v >= w {
					continue
				}
				all++
				for p := range in {
					if also[p] {
						found++
						break
					}
				}
			}
		}
	}
	return found, all
}

// TestAccuracy streams each file, decided after every record, with the model that ships, and holds the result to its bar; in other orders
// the result is the same to the last record. DOSSIER_PROVE=1 takes three other orders instead of one.
func TestAccuracy(t *testing.T) {
	for _, b := range bars {
		t.Run(b.file+" "+b.model, func(t *testing.T) {
			rows := rows(t, b.file)
			m := shipped(t, b.model)
			before := processor()
			p := people(t, rows, inOrder(len(rows)), m)
			took := processor() - before
			first := profilesOf(t, p, rows)
			s := accuracy.Of(labelsOf(rows), first)
			t.Logf("%s; %.0f records/s of one core; %+v", s, float64(len(rows))/took.Seconds(), p.Set().Work)
			if s.F1 < b.f1 || s.Precision < b.precision || s.Recall < b.recall || s.B3F1 < b.bF1 || s.Largest > b.largest {
				t.Errorf("want F1 ≥ %v, P ≥ %v, R ≥ %v, B3 ≥ %v, largest ≤ %d", b.f1, b.precision, b.recall, b.bF1, b.largest)
			}
			for kind, want := range map[string]float64{"card": b.cards, "user_id": b.accounts} {
				if found, all := seconds(rows, first, kind); want > 0 {
					t.Logf("second values of kind %s: %d of %d found", kind, found, all)
					if float64(found) < want*float64(all) || all == 0 {
						t.Errorf("want %v of them", want)
					}
				}
			}
			orders := 1
			if os.Getenv("DOSSIER_PROVE") == "1" {
				orders = 3
			}
			for seed := range orders {
				order := rand.New(rand.NewPCG(uint64(seed), 7)).Perm(len(rows))
				again := profilesOf(t, people(t, rows, order, m), rows)
				for i := range rows {
					if again[i] != first[i] {
						t.Fatalf("row %s is in profile %s in file order and in %s in order %d", rows[i].record, first[i], again[i], seed)
					}
				}
			}
		})
	}
}
