package address_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/address"
)

func TestStreet(t *testing.T) {
	type A = address.Address
	for _, c := range []struct {
		in, country string
		want        A
	}{
		{"12 rue de la Gare", "FR", A{Number: "12", Type: "rue", Street: "gare"}},
		{"12 RUE DE LA GARE", "FR", A{Number: "12", Type: "rue", Street: "gare"}}, {"12, r. de la Gare", "FR", A{Number: "12", Type: "rue", Street: "gare"}},
		{"12 bis, av. du Général de Gaulle", "FR", A{Number: "12", Repeat: "bis", Type: "avenue", Street: "general gaulle"}}, {"12BIS AV GAL DE GAULLE", "FR", A{Number: "12", Repeat: "bis", Type: "avenue", Street: "general gaulle"}},
		{"3 ter bd St Michel", "FR", A{Number: "3", Repeat: "ter", Type: "boulevard", Street: "saint michel"}}, {"3 B boulevard Saint-Michel", "FR", A{Number: "3", Repeat: "b", Type: "boulevard", Street: "saint michel"}},
		{"8oallée de Bretagne", "FR", A{Number: "80", Type: "allee", Street: "bretagne"}}, {"12rue Pasteur", "FR", A{Number: "12", Type: "rue", Street: "pasteur"}},
		{"12-14 rue Pasteur", "FR", A{Number: "12", Type: "rue", Street: "pasteur"}}, {"007 rue Pasteur", "FR", A{Number: "7", Type: "rue", Street: "pasteur"}},
		{"rue de l’Église", "FR", A{Type: "rue", Street: "eglise"}}, {"5 rue du 8 Mai 1945", "FR", A{Number: "5", Type: "rue", Street: "8 mai 1945"}}, {"place du 11-Novembre", "FR", A{Type: "place", Street: "11 novembre"}},
		{"107 boulevrd des Roses", "FR", A{Number: "107", Type: "boulevard", Street: "roses"}}, {"143 PLAC DE LA LIBERTÉ", "FR", A{Number: "143", Type: "place", Street: "liberte"}}, {"7 alléee du Moulin", "FR", A{Number: "7", Type: "allee", Street: "moulin"}}, {"7 imapsse Zola", "FR", A{Number: "7", Type: "impasse", Street: "zola"}},
		{"Résidence les Lilas 12 rue des Fleurs", "FR", A{Type: "residence", Street: "lilas 12 rue fleurs"}},
		{"Bât B 12 rue des Fleurs", "FR", A{Number: "12", Type: "rue", Street: "fleurs", Box: "bat b"}}, {"12 rue des Fleurs, Bât. B, Apt 4", "FR", A{Number: "12", Type: "rue", Street: "fleurs", Box: "bat b apt 4"}}, {"Apt 5 12 rue des Fleurs", "FR", A{Number: "12", Type: "rue", Street: "fleurs", Box: "apt 5"}},
		{"BP 123", "FR", A{Street: "bp 123"}}, {"Lieu-dit Kerbihan", "FR", A{Street: "lieu dit kerbihan"}}, {"Le Bourg", "FR", A{Street: "bourg"}},
		{"12 chemin du Moulin 75012 Paris", "FR", A{Number: "12", Type: "chemin", Street: "moulin", Postcode: "75012", Commune: "paris", Borough: 12, Department: "75"}},
		{"12 rue de la Gare, 13100 Aix-en-Provence", "FR", A{Number: "12", Type: "rue", Street: "gare", Postcode: "13100", Commune: "aix en provence", Department: "13"}},
		{"rond-point des Champs", "FR", A{Type: "rond point", Street: "champs"}},
		{"12 Kent Street", "GB", A{Number: "12", Type: "street", Street: "kent"}}, {"12A St John's Rd", "GB", A{Number: "12", Repeat: "a", Type: "road", Street: "saint john s"}}, {"mountain creek road", "AU", A{Type: "road", Street: "mountain creek"}},
		{"Unit 5 12 Kent St", "AU", A{Number: "12", Type: "street", Street: "kent", Box: "unit 5"}}, {"Hauptstr. 5a", "DE", A{Number: "5", Repeat: "a", Type: "strasse", Street: "haupt"}}, {"Hauptstraße 5", "DE", A{Number: "5", Type: "strasse", Street: "haupt"}}, {"16 hainesstreet", "AU", A{Number: "16", Type: "street", Street: "haines"}}, {"7 wallaby place", "AU", A{Number: "7", Type: "place", Street: "wallaby"}},
		{"", "FR", A{}}, {"🏠", "FR", A{}}, {"12", "FR", A{Street: "12"}}, {",", "FR", A{}},
	} {
		if got := address.Of(address.Parts{Street: c.in, Country: c.country}); got != c.want {
			t.Errorf("%q:\n got %+v\nwant %+v", c.in, got, c.want)
		}
		again := c.want.Parts(c.country)
		again.Exact = false
		if c.want.Type != "" && c.country == "FR" {
			again.Number, again.Street = c.want.Number+" "+c.want.Repeat, c.want.Type+" "+c.want.Street
			if got := address.Of(again); got != c.want {
				t.Errorf("%q, written anew:\n got %+v\nwant %+v", c.in, got, c.want)
			}
		}
	}
}

func TestPlaces(t *testing.T) {
	type A = address.Address
	for _, c := range []struct {
		in   address.Parts
		want A
	}{
		{address.Parts{Postcode: "75012", City: "Paris", Country: "FR"}, A{Postcode: "75012", Commune: "paris", Borough: 12, Department: "75"}},
		{address.Parts{Postcode: "75012", Country: "FR"}, A{Postcode: "75012", Commune: "paris", Borough: 12, Department: "75"}}, {address.Parts{Postcode: "75116", City: "PARIS", Country: "FR"}, A{Postcode: "75116", Commune: "paris", Borough: 16, Department: "75"}},
		{address.Parts{City: "Paris 12e", Country: "FR"}, A{Commune: "paris", Borough: 12}}, {address.Parts{City: "PARIS CEDEX 12", Country: "FR"}, A{Commune: "paris"}}, {address.Parts{City: "Lyon 3ème arrondissement", Country: "FR"}, A{Commune: "lyon", Borough: 3}}, {address.Parts{City: "Marseille 08", Country: "FR"}, A{Commune: "marseille", Borough: 8}},
		{address.Parts{City: "75012 Paris", Country: "FR"}, A{Postcode: "75012", Commune: "paris", Borough: 12, Department: "75"}},
		{address.Parts{Postcode: "6600", City: "Antibes", Country: "FR"}, A{Postcode: "06600", Commune: "antibes", Department: "06"}}, {address.Parts{Postcode: "F-33000", City: "BORDEAUX CEDEX", Country: "FR"}, A{Postcode: "33000", Commune: "bordeaux", Department: "33"}},
		{address.Parts{Postcode: "20000", City: "Ajaccio", Country: "FR"}, A{Postcode: "20000", Commune: "ajaccio", Department: "2a"}}, {address.Parts{Postcode: "20200", City: "Bastia", Country: "FR"}, A{Postcode: "20200", Commune: "bastia", Department: "2b"}}, {address.Parts{Postcode: "97400", City: "St-Denis", Country: "FR"}, A{Postcode: "97400", Commune: "saint denis", Department: "974"}},
		{address.Parts{City: "St Étienne", Country: "FR"}, A{Commune: "saint etienne"}}, {address.Parts{City: "Boulogne s/ Mer", Country: "FR"}, A{Commune: "boulogne sur mer"}}, {address.Parts{City: "Le Havre (76)", Country: "FR"}, A{Commune: "le havre", Department: "76"}},
		{address.Parts{Postcode: "SW1A 1AA", City: "London", Country: "GB"}, A{Postcode: "sw1a1aa", Commune: "london"}}, {address.Parts{Postcode: "800", City: "Darwin", State: "NT", Country: "AU"}, A{Postcode: "0800", Commune: "darwin", Department: "nt"}}, {address.Parts{Postcode: "02139-4307", City: "Cambridge", Country: "US"}, A{Postcode: "02139", Commune: "cambridge"}},
		{address.Parts{Postcode: "1000", City: "Bruxelles", Land: "Belgique", Country: "FR"}, A{Postcode: "1000", Commune: "bruxelles", Country: "BE"}},
		{address.Parts{Number: "12 bis", Street: "rue Pasteur", Country: "FR"}, A{Number: "12", Repeat: "bis", Type: "rue", Street: "pasteur"}}, {address.Parts{Number: "12", Street: "12 rue Pasteur", Country: "FR"}, A{Number: "12", Type: "rue", Street: "pasteur"}},
		{address.Parts{Number: "7", Street: "wallaby place", More: "delmar", Country: "AU"}, A{Number: "7", Type: "place", Street: "wallaby", Box: "delmar"}},
		{address.Parts{Number: "23", Street: "allunga", More: "woollum street", Country: "AU"}, A{Number: "23", Type: "street", Street: "woollum", Box: "allunga"}},
		{address.Parts{Postcode: "00000", City: "-", Country: "FR"}, A{}}, {address.Parts{}, A{}},
	} {
		if got := address.Of(c.in); got != c.want {
			t.Errorf("%+v:\n got %+v\nwant %+v", c.in, got, c.want)
		}
	}
	for in, want := range map[string]address.Place{
		"Lyon 3e (69)": {Commune: "lyon", Borough: 3, Department: "69"}, "75012 Paris": {Commune: "paris", Borough: 12, Department: "75"}, "Alger, Algérie": {Commune: "alger", Country: "DZ"}, "Casablanca (Maroc)": {Commune: "casablanca", Country: "MA"}, "Bastia, 2B": {Commune: "bastia", Department: "2b"}, "": {},
	} {
		if got := address.PlaceOf(in, "FR"); got != want {
			t.Errorf("%q: got %+v, want %+v", in, got, want)
		}
	}
	if !(address.Address{Country: "FR"}).IsZero() || (address.Address{Commune: "paris"}).IsZero() {
		t.Error("a country alone is no address, a commune is")
	}
}

// FuzzAddress: an address of an address's parts is the address, whatever a source sends, and it is bounded.
func FuzzAddress(f *testing.F) {
	f.Add("12 bis, av. du Général de Gaulle", "Bât B", "6600", "PARIS 12", "2A", "FR")
	f.Add("Unit 5 12A St John's Rd", "flat 3", "SW1A 1AA", "s/ s/", "NSW", "GB")
	f.Add("Hauptstr. 5a 5b", "", "", "", "", "DE")
	f.Add("12 12 bis 8oallée d d d, 75012 x 75012", "", "", "", "", "")
	f.Add(strings.Repeat("12 rue ", 10_000), strings.Repeat("é", 10_000), "\xff1", "(", "1", "US")
	f.Fuzz(func(t *testing.T, street, more, postcode, city, state, country string) {
		a := address.Of(address.Parts{Street: street, More: more, Postcode: postcode, City: city, State: state, Country: country})
		if again := address.Of(a.Parts(country)); again != a {
			t.Fatalf("%.100q reads as\n%#v, its parts %+v as\n%#v", []string{street, more, postcode, city, state}, a, a.Parts(country), again)
		}
		for _, part := range []string{a.Number, a.Repeat, a.Type, a.Street, a.Box, a.Postcode, a.Commune, a.Department} {
			if len(part) > 2000 || part != strings.Join(strings.Fields(part), " ") {
				t.Fatalf("%q", part)
			}
			if utf8.ValidString(street+more+postcode+city+state) && !utf8.ValidString(part) {
				t.Fatalf("%q is no text", part)
			}
		}
		p := address.PlaceOf(city, country)
		if p.Compare(p) != 0 || a.Compare(a) != 0 {
			t.Fatal("is not equal to itself")
		}
	})
}

func BenchmarkOf(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		address.Of(address.Parts{Street: "165 chemin de Bretagne", Postcode: "64000", City: "Saint-Étienne", Country: "FR"})
	}
}
