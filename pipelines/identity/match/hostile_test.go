package match_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity"
	"github.com/dossier-cdp/dossier/pipelines/identity/identitytest"
	"github.com/dossier-cdp/dossier/pipelines/identity/match"
	"github.com/dossier-cdp/dossier/schema"
)

// said is a record of a CRM, each of its own account.
func said(n int, traits ...string) schema.Event {
	var e schema.Event
	e.ID[0], e.ID[1], e.ID[2] = byte(n), byte(n>>8), 7
	e.Type, e.Source, e.OccurredAt = schema.TypeProfileIdentified, "crm", schema.Instant(n)
	e.Provenance = schema.Provenance{Trust: schema.TrustServer, Country: "FR"}
	e.Account = schema.Account{Kind: "crm_id", Value: strconv.Itoa(n)}
	e.Persona[0], e.Persona[1], e.Persona[2], e.Persona[15] = byte(n>>8), byte(n), 7, 1
	for i := 0; i < len(traits); i += 2 {
		e.Traits = append(e.Traits, schema.Trait{Name: traits[i], Value: []byte(strconv.Quote(traits[i+1]))})
	}
	return e
}

func frenchPeople(t *testing.T) *match.People {
	t.Helper()
	model, err := match.Shipped("fr")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := match.CoreRules(identity.DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	return match.NewPeople(identitytest.Hasher{}, rules, model)
}

// largest is the size of the largest profile.
func largest(p *match.People) (most int) {
	for _, person := range p.Profiles() {
		most = max(most, len(person.Members))
	}
	return most
}

// TestOneNameFiveThousandTimes: five thousand personas with one name and nothing else are compared a bounded number of times, and are not one person.
func TestOneNameFiveThousandTimes(t *testing.T) {
	p := frenchPeople(t)
	const people = 5000
	for n := range people {
		e := said(n, "first_name", "Jean", "last_name", "Martin")
		p.Add(&e)
		if n%10 == 0 {
			if err := p.Resolve(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := p.Resolve(); err != nil {
		t.Fatal(err)
	}
	w := p.Set().Work
	t.Logf("%+v, largest profile %d of %d personas", w, largest(p), p.Personas())
	if w.Compared > 200*people {
		t.Errorf("%d comparisons of %d personas", w.Compared, people)
	}
	if n := largest(p); n > 1 {
		t.Errorf("a name alone made %d personas one person", n)
	}
}

// TestLongAndStrangeNames: names of ten thousand characters, of emoji, of nothing: bounded work, and strangers stay strangers.
func TestLongAndStrangeNames(t *testing.T) {
	p := frenchPeople(t)
	began := processor()
	n := 0
	add := func(traits ...string) {
		e := said(n, append(traits, "postcode", "31000", "city", "Toulouse")...)
		p.Add(&e)
		n++
	}
	for i := range 30 {
		long := strings.Repeat(string([]rune{rune('a' + i%26), rune('a' + (i%26+5+5*(i/26))%26)}), 2500) + strings.Repeat(fmt.Sprintf(" w%d", i), 1000)
		add("first_name", long, "last_name", long)
		add("full_name", long)
	}
	emoji := []string{"😀", "🎉🎉", "👨‍👩‍👧", "🇫🇷", "❤️", "🦄 🦄", "\u200b", "   ", "-", "'", "…", "\u202e"}
	for _, first := range emoji {
		add("first_name", first, "last_name", first)
		add("full_name", first+" "+first)
	}
	if err := p.Resolve(); err != nil {
		t.Fatal(err)
	}
	took := processor() - began
	t.Logf("%d personas in %s, largest profile %d", p.Personas(), took, largest(p))
	if took.Seconds() > 5 {
		t.Errorf("%d records took %s", n, took)
	}
	if most := largest(p); most > 2 {
		t.Errorf("%d strangers are one person", most)
	}
}

// TestModelOfAnotherVersion: a model that this program cannot read is refused with a reason and a hint.
func TestModelOfAnotherVersion(t *testing.T) {
	shippedText := func() string {
		model, err := match.Shipped("fr")
		if err != nil {
			t.Fatal(err)
		}
		text, err := model.Text()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}()
	for _, text := range []string{
		strings.Replace(shippedText, `"format": 1`, `"format": 99`, 1), "", "{}", "[]", "not JSON", shippedText[:len(shippedText)/2],
	} {
		if text == shippedText {
			continue
		}
		if _, err := match.Parse([]byte(text)); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.40q…: %v", text, err)
		}
	}
}
