package name_test

import (
	"testing"
	"unicode/utf8"

	"github.com/dossier-cdp/dossier/pipelines/identifier/name"
)

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"Jean-Irénée": "jean irenee", "O’Brien": "obrien", "  Dupont  ": "dupont", "ŒUVRARD": "oeuvrard", "Groß": "gross", "Łukasz": "lukasz",
		"": "", "Jean 2": "jean", "İlker": "ilker", "Иван": "иван",
	} {
		if got := name.Fold(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		in   string
		want name.Name
	}{
		{"Jeanne Martin", name.Name{Given: "jeanne", Family: "martin", Unsplit: true}},
		{"Jeanne Vandenbroucke", name.Name{Given: "jeanne", Family: "vandenbroucke"}},
		{"MARTIN Jeanne", name.Name{Given: "jeanne", Family: "martin"}},
		{"Martin, Jeanne", name.Name{Given: "jeanne", Family: "martin"}},
		{"Vandenbroucke Jeanne", name.Name{Given: "jeanne", Family: "vandenbroucke"}},
		{"Mme Jeanne DE LA TOUR", name.Name{Given: "jeanne", Family: "de la tour"}},
		{"Jean Pierre de la Tour", name.Name{Given: "jean pierre", Family: "de la tour"}},
		{"Jean-Pierre Xqzrt", name.Name{Given: "jean pierre", Family: "xqzrt"}},
		{"J. MARTIN", name.Name{Given: "j", Family: "martin"}},
		{"Xqzrt Bvlgt", name.Name{Given: "xqzrt", Family: "bvlgt", Unsplit: true}},
		{"Jeanne", name.Name{Given: "jeanne", Unsplit: true}},
		{"Xqzrt", name.Name{Family: "xqzrt", Unsplit: true}},
		{"M.", name.Name{}}, {"", name.Name{}}, {"--", name.Name{}},
	} {
		if got := name.Split(c.in); got != c.want {
			t.Errorf("%q: got %+v, want %+v", c.in, got, c.want)
		}
	}
}

func TestGiven(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want name.Relation
	}{
		{"jeanne", "jeanne", name.Same}, {"jean pierre", "jeanpierre", name.Same},
		{"robert", "bob", name.Near}, {"frederic", "fred", name.Near}, {"elisabeth", "lise", name.Near},
		{"jean", "jaen", name.Near}, {"brigitte", "brigite", name.Near}, {"mathieu", "matthieu", name.Near}, {"stephane", "stefane", name.Near},
		{"jean", "j", name.Part}, {"jean pierre", "jean", name.Part}, {"marie claude", "claude", name.Part},
		{"jean", "paul", name.Different}, {"jean", "p", name.Different}, {"julie", "julien", name.Different}, {"jean pierre", "jean paul", name.Different},
		{"michel", "michele", name.Different}, {"daniel", "danielle", name.Different}, {"rene", "renee", name.Different}, {"frederic", "frederique", name.Different},
		{"michel", "mickael", name.Different}, {"franck", "francoise", name.Different}, {"andre", "sandrine", name.Different}, {"jean", "jeanne", name.Different},
		{"xqzrt", "paul", name.Different},
		{"bernard", "brnard", name.Near}, {"bernard", "brnrd", name.Apart}, {"bernard", "bnrad", name.Apart},
		{"", "paul", name.Missing},
	} {
		for _, order := range [][2]string{{c.a, c.b}, {c.b, c.a}} {
			if got := name.Given(order[0], order[1]); got != c.want {
				t.Errorf("%s, %s: got %s, want %s", order[0], order[1], got, c.want)
			}
		}
	}
}

func TestCompare(t *testing.T) {
	of := name.Of
	for _, c := range []struct {
		a, b name.Name
		want name.Relation
	}{
		{of("Jeanne", "Martin"), of("JEANNE", "Durand"), name.Same},
		{of("Roland", "Evrard"), of("Evrard", "Roland"), name.Near},
		{of("Roland", "Evrard"), of("Evrard", "Durand"), name.Different},
		{name.Split("Xqzrt Bvlgt"), of("Bvlgt", "Xqzrt"), name.Near},
		{name.Split("Martin Jeanne"), of("Jeanne", "Leroy"), name.Part},
		{of("", "Martin"), of("Jeanne", "Martin"), name.Missing},
	} {
		if got := name.Compare(c.a, c.b); got != c.want {
			t.Errorf("%+v, %+v: got %s, want %s", c.a, c.b, got, c.want)
		}
		if a, b := name.Compare(c.a, c.b), name.Compare(c.b, c.a); a != b {
			t.Errorf("%+v, %+v: %s one way, %s the other", c.a, c.b, a, b)
		}
	}
}

func TestSound(t *testing.T) {
	for _, same := range [][]string{
		{"beaulac", "bolac", "bolack"}, {"philippe", "filipe"}, {"mathieu", "matthieu"}, {"christophe", "cristofe"}, {"henri", "henry"}, {"stephane", "stefane"},
		{"catherine", "katherine"}, {"guillaume", "guilaume"}, {"martin", "martain"}, {"durand", "durant"},
	} {
		for _, s := range same[1:] {
			if name.Sound(s) != name.Sound(same[0]) {
				t.Errorf("%s is %s, %s is %s", same[0], name.Sound(same[0]), s, name.Sound(s))
			}
		}
	}
	for _, pair := range [][2]string{{"jean", "paul"}, {"marie", "marc"}, {"luc", "lucie"}, {"masson", "mason"}} {
		if name.Sound(pair[0]) == name.Sound(pair[1]) {
			t.Errorf("%s and %s both sound %s", pair[0], pair[1], name.Sound(pair[0]))
		}
	}
}

func TestBirth(t *testing.T) {
	for _, c := range []struct {
		in      string
		y, m, d int
		ok      bool
	}{
		{"1984-05-31", 1984, 5, 31, true}, {"31/05/1984", 1984, 5, 31, true}, {"1984-05-31T00:00:00Z", 1984, 5, 31, true},
		{"1984-01-01", 1984, 0, 0, true}, {"1900-01-01", 0, 0, 0, false}, {"1984-02-30", 0, 0, 0, false}, {"1984", 0, 0, 0, false}, {"", 0, 0, 0, false},
	} {
		if y, m, d, ok := name.Birth(c.in); y != c.y || m != c.m || d != c.d || ok != c.ok {
			t.Errorf("%q: got %d %d %d %t", c.in, y, m, d, ok)
		}
	}
}

func TestListsAreFolded(t *testing.T) {
	for _, n := range []string{"jeanne", "mohamed", "oliver", "siobhan", "giuseppe"} {
		if !name.Known(n) {
			t.Errorf("%s is not known", n)
		}
	}
	if name.Known("xqzrt") || name.Known("") {
		t.Error("knows what is no name")
	}
}

// FuzzName: folding what is folded changes nothing, comparing is symmetric, and nothing panics.
func FuzzName(f *testing.F) {
	f.Add("Jean-Irénée DUPONT", "dupont, jean")
	f.Add("Mme 李 小龙", "J. P. M.")
	f.Add("ǅ ﬁ İ", "ß ẞ")
	f.Fuzz(func(t *testing.T, a, b string) {
		if !utf8.ValidString(a) || !utf8.ValidString(b) {
			t.Skip()
		}
		x := name.Fold(a)
		if again := name.Fold(x); again != x {
			t.Fatalf("%q folds to %q, that to %q", a, x, again)
		}
		p, q := name.Split(a), name.Split(b)
		if r, s := name.Compare(p, q), name.Compare(q, p); r != s {
			t.Fatalf("%q, %q: %s one way, %s the other", a, b, r, s)
		}
		if r := name.Compare(p, p); r != name.Same && r != name.Missing {
			t.Fatalf("%q is %s to itself", a, r)
		}
		name.Sound(x)
		name.Skeleton(x)
		name.Family(p.Family, q.Family)
	})
}
