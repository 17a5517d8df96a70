package population

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// Plan says whom to invent. The zero value of a field means its default.
type Plan struct {
	Country string             // "fr" (the default) or "gb"
	People  int                // how many; at most MostPeople
	Seed    uint64             // another seed, other people
	Rates   map[string]float64 // rates that differ from the published ones, by name
	From    time.Time          // the period in which sources see people; 1 January 2024
	To      time.Time          // until 1 December 2025
}

// MostPeople bounds a population: beyond it the eight digits of national telephone numbers run out.
const MostPeople = 8_000_000

// Population is a plan made ready. It is read-only and may be used concurrently.
type Population struct {
	plan    Plan
	country *country
	rates   [rateCount]float64
}

// New makes a plan ready. A plan that cannot be meant is a *schema.Refusal.
func New(plan Plan) (*Population, error) {
	if plan.Country == "" {
		plan.Country = "fr"
	}
	if plan.Country != "fr" && plan.Country != "gb" {
		return nil, schema.Refuse("country_unknown", fmt.Sprintf("country %q has no lists of names", plan.Country), "use fr or gb")
	}
	if plan.People < 0 || plan.People > MostPeople {
		return nil, schema.Refuse("people_invalid", fmt.Sprintf("%d people", plan.People), fmt.Sprintf("ask for 0 to %d", MostPeople))
	}
	if plan.From.IsZero() {
		plan.From = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if plan.To.IsZero() {
		plan.To = time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC)
	}
	if plan.To.Sub(plan.From) < 24*time.Hour {
		return nil, schema.Refuse("period_invalid", "the period is shorter than a day", "let it end later")
	}
	rates, err := ratesOf(plan.Country, plan.Rates)
	if err != nil {
		return nil, err
	}
	c, err := countryOf(plan.Country)
	if err != nil {
		return nil, err
	}
	return &Population{plan, c, rates}, nil
}

// People is how many people the population has.
func (p *Population) People() int { return p.plan.People }

// Each gives the records of all people, household by household, until yield returns an error, which it returns. A Record is the caller's
// to keep.
func (p *Population) Each(yield func(*Record) error) error {
	people := 0
	for n := int64(0); people < p.plan.People; n++ {
		h := p.household(n)
		for _, records := range p.records(&h) {
			if people == p.plan.People {
				break
			}
			people++
			for i := range records {
				if err := yield(&records[i]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// The streams of random numbers of a household: who they are, and what is recorded of them.
const (
	streamWho = iota
	streamRecords
)

func (p *Population) chance(household int64, stream uint64) chance {
	return chance{rand.New(rand.NewPCG(p.plan.Seed, mix(uint64(household)<<2|stream))), &p.rates}
}

// instant draws a time of the period between two shares of it.
func (p *Population) instant(c chance, from, to float64) time.Time {
	share := from + float64(c.Float64()*(to-from)) // no fused operation: the same on every machine
	return p.plan.From.Add(time.Duration(share * float64(p.plan.To.Sub(p.plan.From)))).Truncate(time.Second)
}

// key makes a permutation's key: each kind of number has its own.
func (p *Population) key(kind string) uint64 {
	k := p.plan.Seed
	for _, b := range []byte(kind) {
		k = mix(k ^ uint64(b))
	}
	return k
}
