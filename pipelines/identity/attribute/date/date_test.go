package date_test

import (
	"strings"
	"testing"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/date"
)

func TestParse(t *testing.T) {
	type D = date.Date
	day := D{Year: 1984, Month: 5, Day: 31}
	for _, c := range []struct {
		in, country string
		want        D
	}{
		{"1984-05-31", "FR", day}, {"1984-05-31T00:00:00Z", "FR", day}, {"1984-05-31 00:00:00.000", "", day}, {"1984/05/31", "FR", day}, {"31/05/1984", "FR", day}, {"31.05.1984", "DE", day}, {"31-5-84", "FR", day}, {"31 05 1984", "FR", day},
		{"05/31/1984", "US", day}, {"31/05/1984", "US", day}, {"05/31/1984", "FR", day}, {"1984-31-05", "FR", day},
		{"19840531", "FR", day}, {"31051984", "FR", day}, {"05311984", "US", day}, {" 19840531", "AU", day},
		{"31 mai 1984", "FR", day}, {"31 MAI 84", "FR", day}, {"May 31, 1984", "US", day}, {"31. Mai 1984", "DE", day}, {"31 de mayo de 1984", "ES", day}, {"31st May 1984", "GB", day}, {"né le 31 mai 1984", "FR", day}, {"31-MAY-84", "GB", day}, {"1984 May 31", "", day},
		{"1er août 1950", "FR", D{Year: 1950, Month: 8, Day: 1}}, {"2 févr. 1950", "FR", D{Year: 1950, Month: 2, Day: 2}}, {"März 1950", "DE", D{Year: 1950, Month: 3}},
		{"03/04/1980", "FR", D{Year: 1980, Month: 4, Day: 3}}, {"03/04/1980", "US", D{Year: 1980, Month: 3, Day: 4}}, {"03/04/1980", "", D{Year: 1980, Month: 4, Day: 3, Ambiguous: true}}, {"04/04/1980", "", D{Year: 1980, Month: 4, Day: 4}}, {"1980-04-03", "", D{Year: 1980, Month: 4, Day: 3}},
		{"1984", "FR", D{Year: 1984}}, {"1984-05", "FR", D{Year: 1984, Month: 5}}, {"05/1984", "FR", D{Year: 1984, Month: 5}}, {"mai 1984", "FR", D{Year: 1984, Month: 5}}, {"31 mai", "FR", D{Month: 5, Day: 31}}, {"31/05", "FR", D{Month: 5, Day: 31}},
		{"00/00/1984", "FR", D{Year: 1984}}, {"1984-00-00", "FR", D{Year: 1984}}, {"XX/05/1984", "FR", D{Year: 1984, Month: 5}}, {"??/??/1984", "FR", D{Year: 1984}}, {"xx/xx/1984", "FR", D{Year: 1984}},
		{"1900-01-01", "FR", D{Year: 1900, Month: 1, Day: 1}}, {"1984-02-30", "FR", D{Year: 1984, Month: 2, Day: 30}}, {"1984-13-45", "FR", D{Year: 1984}}, {"19561309", "AU", D{Year: 1956, Month: 9, Day: 13}}, {"19565109", "AU", D{Year: 1956, Day: 9}},
		{"12/05/24", "FR", D{Year: 2024, Month: 5, Day: 12}}, {"12/05/26", "FR", D{Year: 1926, Month: 5, Day: 12}}, {"1651-01-01", "GB", D{Year: 1651, Month: 1, Day: 1}},
		{"", "FR", D{}}, {"unknown", "FR", D{}}, {"9999-12-31", "FR", D{Month: 12, Day: 31}}, {"0000-00-00", "FR", D{}}, {"0", "FR", D{}}, {"123456789012345678901234567890", "FR", D{}}, {"🎂", "FR", D{}},
	} {
		if got := date.Parse(c.in, c.country); got != c.want {
			t.Errorf("%q of %s: got %+v %t, want %+v", c.in, c.country, got, got.Ambiguous, c.want)
		}
	}
}

func TestSwapped(t *testing.T) {
	if got, ok := (date.Date{Year: 1980, Month: 4, Day: 3}).Swapped(); !ok || got != (date.Date{Year: 1980, Month: 3, Day: 4}) {
		t.Errorf("got %s %t", got, ok)
	}
	for _, d := range []date.Date{{Year: 1980, Month: 4, Day: 4}, {Year: 1980, Month: 4, Day: 13}, {Year: 1980, Month: 4}, {Year: 1980}} {
		if got, ok := d.Swapped(); ok || got != d {
			t.Errorf("%s: got %s", d, got)
		}
	}
	if !(date.Date{Year: 1900, Month: 1, Day: 1}).Placeholder() || (date.Date{Year: 1900}).Placeholder() {
		t.Error("a first of January is a placeholder, a year is not")
	}
}

// FuzzParse: what is read reads as itself, and is within what a date can have.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"31/05/1984", "1984-05-31T10:00", "31 mai 84", "XX/05/1984", "19840531", "May\x00", "??", "1er", strings.Repeat("1 ", 10_000)} {
		f.Add(s, "FR")
	}
	f.Fuzz(func(t *testing.T, s, country string) {
		d := date.Parse(s, country)
		if d.Month > 12 || d.Day > 31 || d.Year != 0 && (d.Year < 1000 || d.Year > 2100) {
			t.Fatalf("%q: %s", s, d)
		}
		plain := d
		plain.Ambiguous = false
		if again := date.Parse(d.String(), country); again != plain {
			t.Fatalf("%q reads as %s, that as %s", s, d, again)
		}
		if other, ok := d.Swapped(); ok {
			if back, _ := other.Swapped(); back != d {
				t.Fatalf("%s swapped twice is %s", d, back)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, s := range []string{"1984-05-31", "31 mai 1984"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				date.Parse(s, "FR")
			}
		})
	}
}
