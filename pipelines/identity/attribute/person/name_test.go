package person_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/given"
	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/person"
)

func TestOf(t *testing.T) {
	type Name = person.Name
	for _, c := range []struct {
		in   person.Parts
		want Name
	}{
		// Fields of their own.
		{person.Parts{Given: "Jean-Irénée", Family: "de L’Isle"}, Name{Given: "jean irenee", Family: "de lisle"}},
		{person.Parts{Given: "Jean Pierre", Family: "DUPONT"}, Name{Given: "jean pierre", Family: "dupont"}},
		{person.Parts{Given: "Jean-Pierre Marie", Family: "Dupont"}, Name{Given: "jean pierre", Further: "marie", Family: "dupont"}},
		{person.Parts{Given: "Pierre Louis Émile", Family: "Dupont"}, Name{Given: "pierre louis", Further: "emile", Family: "dupont"}},
		{person.Parts{Given: "Thomas Evans", Family: "Mitton"}, Name{Given: "thomas", Further: "evans", Family: "mitton"}},
		{person.Parts{Given: "JP", Family: "Dupont"}, Name{Given: "j p", Family: "dupont"}},
		{person.Parts{Given: "J.-P.", Family: "Dupont"}, Name{Given: "j p", Family: "dupont"}},
		{person.Parts{Given: "Marie Bas", Family: "Slezak"}, Name{Given: "marie bas", Family: "slezak"}},
		{person.Parts{Given: "Mme Claire", Family: "Durand née Martin"}, Name{Given: "claire", Family: "durand", Maiden: "martin"}},
		{person.Parts{Given: "Claire", Family: "MARTIN épouse DURAND"}, Name{Given: "claire", Family: "durand", Maiden: "martin"}},
		{person.Parts{Given: "Claire", Family: "Durand", Maiden: "Martin"}, Name{Given: "claire", Family: "durand", Maiden: "martin"}},
		{person.Parts{Given: "Claire", Family: "Martin", Maiden: "MARTIN"}, Name{Given: "claire", Family: "martin"}},
		{person.Parts{Given: "John", Family: "Smith Jr."}, Name{Given: "john", Family: "smith", Suffix: "jr"}},
		{person.Parts{Given: "John", Family: "Smith", Suffix: "III"}, Name{Given: "john", Family: "smith", Suffix: "3"}},
		{person.Parts{Given: "Sir", Family: "Porter", Full: "sir robert porter"}, Name{Given: "robert", Family: "porter"}},
		{person.Parts{Given: "ted", Family: "elgar", Full: "ted wiliam elgar"}, Name{Given: "ted", Further: "wiliam", Family: "elgar"}},
		{person.Parts{Given: "elizabeth", Family: "rochester", Full: "elizabeth wilmot, countess of rochester"}, Name{Given: "elizabeth", Further: "wilmot", Family: "rochester"}},
		{person.Parts{Given: "alexander", Family: "saltoun", Full: "alexander fraser, 19th lord saltoun"}, Name{Given: "alexander", Further: "fraser", Family: "saltoun"}},
		{person.Parts{Family: "Baron"}, Name{Family: "baron"}}, {person.Parts{Family: "Lord"}, Name{Family: "lord"}}, {person.Parts{Given: "Earl", Family: "King"}, Name{Given: "earl", Family: "king"}},
		{person.Parts{Given: "edwa4d", Family: "d3nch"}, Name{Given: "edwa4d", Family: "d3nch"}},
		{person.Parts{Given: "Marie 2", Family: "Dupont2"}, Name{Given: "marie", Family: "dupont"}},
		{person.Parts{Given: "🌸🌸", Family: "💀"}, Name{}}, {person.Parts{Given: "🌸Marie🌸", Family: "𝓓𝓾𝓹𝓸𝓷𝓽"}, Name{Given: "marie", Family: "dupont"}}, {person.Parts{}, Name{}}, {person.Parts{Given: "-", Family: "."}, Name{}},
		{person.Parts{Given: "Дмитрий", Family: "Щукин"}, Name{Given: "dmitriy", Family: "shchukin"}}, {person.Parts{Given: "محمد", Family: "بن علي"}, Name{Given: "mohamed", Family: "ben ali"}},
		{person.Parts{Given: "小龙", Family: "李"}, Name{Given: "小龙", Family: "李"}},

		// One field.
		{person.Parts{Full: "Dupont, Jean"}, Name{Given: "jean", Family: "dupont"}},
		{person.Parts{Full: "DUPONT Jean"}, Name{Given: "jean", Family: "dupont"}},
		{person.Parts{Full: "Jean DUPONT"}, Name{Given: "jean", Family: "dupont"}},
		{person.Parts{Full: "Mme Jeanne DE LA TOUR"}, Name{Given: "jeanne", Family: "de la tour"}},
		{person.Parts{Full: "M. Jean Pierre de la Tour"}, Name{Given: "jean pierre", Family: "de la tour"}},
		{person.Parts{Full: "Jean-Pierre Xqzrt"}, Name{Given: "jean pierre", Family: "xqzrt"}},
		{person.Parts{Full: "Xqzrt Jean-Pierre"}, Name{Given: "jean pierre", Family: "xqzrt"}},
		{person.Parts{Full: "J.P. Dupont"}, Name{Given: "j p", Family: "dupont"}}, {person.Parts{Full: "JP Dupont"}, Name{Given: "j p", Family: "dupont"}},
		{person.Parts{Full: "J. MARTIN"}, Name{Given: "j", Family: "martin"}}, {person.Parts{Full: "Xqzrt J."}, Name{Given: "j", Family: "xqzrt"}},
		{person.Parts{Full: "Van Melkebeke Claude"}, Name{Given: "claude", Family: "van melkebeke"}},
		{person.Parts{Full: "Claude Van Melkebeke"}, Name{Given: "claude", Family: "van melkebeke"}},
		{person.Parts{Full: "Mohamed Ben Ali"}, Name{Given: "mohamed", Family: "ben ali"}},
		{person.Parts{Full: "Martine Larribere-Piolat"}, Name{Given: "martine", Family: "larribere piolat"}},
		{person.Parts{Full: "HANSSART Jean-Hassane"}, Name{Given: "jean hassane", Family: "hanssart"}},
		{person.Parts{Full: "Jaureguiberry Cindy"}, Name{Given: "cindy", Family: "jaureguiberry"}},
		{person.Parts{Full: "Jeanne Martin"}, Name{Given: "jeanne", Family: "martin", Unsplit: true}},
		{person.Parts{Full: "Martin Jeanne"}, Name{Given: "jeanne", Family: "martin", Unsplit: true}},
		{person.Parts{Full: "Gillaume Giraudeir"}, Name{Given: "gillaume", Family: "giraudeir", Unsplit: true}},
		{person.Parts{Full: "Giraudeir Gillaume"}, Name{Given: "gillaume", Family: "giraudeir", Unsplit: true}},
		{person.Parts{Full: "Xqzrt Bvlgt"}, Name{Given: "xqzrt", Family: "bvlgt", Unsplit: true}},
		{person.Parts{Full: "Jeanne"}, Name{Given: "jeanne", Unsplit: true}}, {person.Parts{Full: "Xqzrt"}, Name{Family: "xqzrt", Unsplit: true}},
		{person.Parts{Full: "Marie Durand née Martin"}, Name{Given: "marie", Family: "durand", Maiden: "martin"}},
		{person.Parts{Full: "Durand Xavière (née Martin)"}, Name{Given: "xaviere", Family: "durand", Maiden: "martin"}},
		{person.Parts{Full: "sir edmund turton, baronet"}, Name{Given: "edmund", Family: "turton"}},
		{person.Parts{Full: "John Q. Xqzrt, Jr."}, Name{Given: "john", Further: "q", Family: "xqzrt", Suffix: "jr"}},
		{person.Parts{Full: "William Xavier Bvlgt", English: true}, Name{Given: "william", Further: "xavier", Family: "bvlgt"}},
		{person.Parts{Full: "M. Bvlgt", English: true}, Name{Given: "m", Family: "bvlgt"}},
		{person.Parts{Full: "M. Bvlgt"}, Name{Family: "bvlgt", Unsplit: true}},
		{person.Parts{Full: "1st baronet"}, Name{}}, {person.Parts{Full: "M."}, Name{}}, {person.Parts{Full: ""}, Name{}}, {person.Parts{Full: "--"}, Name{}}, {person.Parts{Full: ", ,"}, Name{}}, {person.Parts{Full: "Mme"}, Name{}},
	} {
		if got, _ := person.Of(c.in); got != c.want {
			t.Errorf("%+v:\n got %#v\nwant %#v", c.in, got, c.want)
		}
	}
}

func TestTitlesSayTheGender(t *testing.T) {
	for in, want := range map[string]person.Gender{"Mme Durand": given.Female, "M. Durand": given.Male, "Mrs Jane Xqzrt": given.Female, "Dr Durand": 0, "Jeanne Durand": 0, "Herr Müller": given.Male} {
		if _, got := person.Of(person.Parts{Full: in}); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]person.Gender{"F": given.Female, "Mme": given.Female, "homme": given.Male, "M.": given.Male, "x": given.Other, "": 0, "?": 0, "Dr": 0, "Weiblich": given.Female} {
		if got := person.GenderOf(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestParticle(t *testing.T) {
	for family, want := range map[string][2]string{"de la tour": {"de la", "tour"}, "van der berg": {"van der", "berg"}, "martin": {"", "martin"}, "de": {"", "de"}, "": {"", ""}, "dupont de ligonnes": {"", "dupont de ligonnes"}} {
		n := person.Name{Family: family}
		if n.Particle() != want[0] || n.Bare() != want[1] {
			t.Errorf("%q: got %q and %q", family, n.Particle(), n.Bare())
		}
	}
}

// FuzzName: the name of a name's parts is the name, whatever a source sends, and it is bounded.
func FuzzName(f *testing.F) {
	f.Add("Jean-Irénée", "", "DUPONT née Martin", "", false)
	f.Add("", "", "", "Mme DE LA TOUR Marie-Ève, 3rd Earl of Ely (J.P.)", true)
	f.Add("李", "J.-P.", "ép. ép. x", strings.Repeat("ab ", 10_000), false)
	f.Add("jean\xff", "2nd", "الله \u0301", "Ben Ali Ben", true)
	f.Fuzz(func(t *testing.T, g, further, family, full string, english bool) {
		n, _ := person.Of(person.Parts{Given: g, Further: further, Family: family, Full: full, English: english})
		p := n.Parts()
		p.English = english
		if again, _ := person.Of(p); again != n {
			t.Fatalf("%.200q\nreads as %#v,\nits parts %+v\nas %#v", []string{g, further, family, full}, n, p, again)
		}
		for _, part := range []string{n.Given, n.Further, n.Family, n.Maiden, n.Suffix} {
			if len(part) > 3*16*41 || part != strings.Join(strings.Fields(part), " ") {
				t.Fatalf("%q", part)
			}
			if utf8.ValidString(g+further+family+full) && !utf8.ValidString(part) {
				t.Fatalf("%q is no text", part)
			}
		}
		if n.Compare(n) != 0 || n.Turned().Turned() != n {
			t.Fatalf("%+v", n)
		}
	})
}

func BenchmarkOf(b *testing.B) {
	for _, c := range []struct {
		name string
		in   person.Parts
	}{
		{"fields", person.Parts{Given: "Jean-Pierre", Family: "DUPONT"}}, {"plain", person.Parts{Given: "jeanne", Family: "martin"}}, {"full", person.Parts{Full: "Mme Jeanne DE LA TOUR"}}, {"guess", person.Parts{Full: "Gillaume Giraudeir"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				person.Of(c.in)
			}
		})
	}
}
