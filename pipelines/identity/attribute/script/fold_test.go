package script_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/script"
)

func TestFold(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""}, {"jean dupont", "jean dupont"}, {"  Jean\tDUPONT ", "jean dupont"}, {"Jean-Irénée", "jean irenee"}, {"O’Brien", "obrien"}, {"D'Artagnan", "dartagnan"},
		{"ŒUVRARD", "oeuvrard"}, {"Groß", "gross"}, {"GROẞ", "gross"}, {"Łukasz Żółć", "lukasz zolc"}, {"İlker", "ilker"}, {"Iıİi", "iiii"}, {"Nguyễn Thị Ánh", "nguyen thi anh"}, {"Þórður", "thordur"},
		{"François", "francois"}, {"François", "francois"}, {"12bis", "12bis"}, {"2e étage", "2e etage"}, {"Jean\u200bne", "jeanne"}, {"co\u00adop", "coop"},
		{"𝓙𝓮𝓪𝓷 Ｄｕｐｏｎｔ", "jean dupont"}, {"Marie 🌸🌸 Curie", "marie curie"}, {"🇫🇷", ""}, {"👩‍👩‍👧", ""}, {"Jean🎉", "jean"}, {"ﬁls", "fils"}, {"n° 12", "n 12"},
		{"Иван Петрович Щукин", "ivan petrovich shchukin"}, {"Дмитрий", "dmitriy"}, {"Юлія Їжакевич", "yuliya yizhakevich"}, {"Ђорђе", "djordje"},
		{"Γιώργος Παπαδόπουλος", "giorgos papadopoulos"}, {"Ευάγγελος", "evaggelos"}, {"ΝΙΚΟΣ", "nikos"},
		{"محمد بن سلمان", "mohamed ben slman"}, {"مُحَمَّد", "mohamed"}, {"فاطمة الزهراء", "fatima alzhra"}, {"رشيد", "rachid"}, {"دوريس", "douris"},
		{"דוד כהן", "david cohen"}, {"שרון", "shroun"},
		{"김민수", "gimminsu"}, {"박 지성", "bak jiseong"}, {"たなか ゆうこ", "tanaka yuuko"}, {"きょうこ", "kyouko"}, {"しょうた", "shouta"}, {"サトウ", "satou"}, {"ｻﾄｳ", "satou"}, {"スズキ", "suzuki"},
		{"Արամ Խաչատրյան", "aram khachatryan"}, {"Ոսկանու", "oskanou"}, {"გიორგი", "giorgi"}, {"李小龙", "李小龙"}, {"ไทย", "ไทย"},
	} {
		if got := script.Fold(c.in); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
	if got := script.Split("rue de l’Église d'en haut"); got != "rue de l eglise d en haut" {
		t.Errorf("got %q", got)
	}
	if got := string(script.Append([]byte("rue"), "Élan", false)); got != "rue elan" {
		t.Errorf("got %q", got)
	}
}

func TestFoldedAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { script.Fold("jean de la tour 12") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A long text costs its length, whatever its letters.
func TestFoldIsLinear(t *testing.T) {
	for _, unit := range []string{"a", "é", "’", "п", "م", "김", "李", "e\u0301", "👩", "\u0301"} {
		short, long := strings.Repeat(unit, 1000), strings.Repeat(unit, 10_000)
		allocated := func(s string) float64 { return testing.AllocsPerRun(5, func() { script.Fold(s) }) }
		if a, b := allocated(short), allocated(long); b > 20*a+20 {
			t.Errorf("%q: %v allocations for 1,000, %v for 10,000", unit, a, b)
		}
		if got := len(script.Fold(long)); got > 10*len(long) {
			t.Errorf("%q: %d bytes become %d", unit, len(long), got)
		}
	}
}

// FuzzFold: folding what is folded changes nothing, words are words, and the result is not much longer than the input.
func FuzzFold(f *testing.F) {
	for _, s := range []string{"Jean-Irénée O’Brien", "ǅ ﬁ İ ß ẞ", "김민수 きょうこ ｶﾞ", "محمد دוד", "Ευάγγελος", "👩‍👩‍👧 \u0301é", "ᄀ각", "㎏ ½ ﷺ", "ヷヸヹヺ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, fold := range []func(string) string{script.Fold, script.Split} {
			x := fold(s)
			if again := fold(x); again != x {
				t.Fatalf("%q folds to %q, that to %q", s, x, again)
			}
			if utf8.ValidString(s) && !utf8.ValidString(x) {
				t.Fatalf("%q folds to what is no text: %q", s, x)
			}
			if x != strings.Join(strings.Fields(x), " ") {
				t.Fatalf("%q: blanks in %q", s, x)
			}
			if len(x) > 20*len(s) {
				t.Fatalf("%d bytes become %d", len(s), len(x))
			}
		}
	})
}

func BenchmarkFold(b *testing.B) {
	for _, c := range []struct{ name, in string }{{"ascii", "Jean-Pierre DUPONT"}, {"latin", "Jean-Irénée Béranger"}, {"cyrillic", "Иван Петрович"}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				script.Fold(c.in)
			}
		})
	}
}
