package demo

import (
	"fmt"
	"strings"
)

// Person is the truth about one customer.
type Person struct {
	Index   int
	Given   string
	Family  string
	French  bool // speaks French
	Country string
	UserID  string
	CRM     string
	Email   string
}

func (w *world) populate() {
	for i := range People {
		p := Person{Index: i, French: i%3 != 0, Country: "FR", UserID: fmt.Sprintf("u-%05d", 10_000+i), CRM: fmt.Sprintf("C%06d", 200_000+i)}
		given, family := givenFR, familyFR
		if !p.French {
			given, family, p.Country = givenEN, familyEN, "GB"
		}
		p.Given, p.Family = given[i%len(given)], family[(i/len(given)+i)%len(family)]
		p.Email = fmt.Sprintf("%s.%s%d@courriel.example", plain(p.Given), plain(p.Family), i)
		w.people = append(w.people, p)
	}
	camille, thomas := &w.people[1], &w.people[2]
	camille.Given, camille.Family, camille.Email = "Camille", "Lefèvre", "camille.lefevre@courriel.example"
	thomas.Given, thomas.Family, thomas.Email = "Thomas", "Lefèvre", "thomas.lefevre@courriel.example"
}

var accents = strings.NewReplacer("é", "e", "è", "e", "ê", "e", "ë", "e", "à", "a", "â", "a", "ô", "o", "ö", "o", "î", "i", "ï", "i", "ç", "c", "û", "u", "ü", "u", "ù", "u", "œ", "oe", "É", "e", "'", "", "’", "", " ", "", "-", "-")

// plain is a name as it stands in an e-mail address.
func plain(name string) string { return accents.Replace(strings.ToLower(name)) }

var (
	givenFR  = []string{"Camille", "Thomas", "Léa", "Julien", "Chloé", "Nicolas", "Manon", "Antoine", "Sophie", "Élodie"}
	familyFR = []string{"Martin", "Bernard", "Dubois", "Moreau", "Lefèvre", "Garnier", "Rousseau", "Lambert", "Fontaine", "Chevalier", "Robin"}
	givenEN  = []string{"Emma", "James", "Olivia", "William", "Charlotte", "Henry", "Grace", "Oliver", "Alice", "George"}
	familyEN = []string{"Smith", "Jones", "Taylor", "Brown", "Wilson", "Davies", "Evans", "Walker", "Wright", "Hughes", "Green"}
)
