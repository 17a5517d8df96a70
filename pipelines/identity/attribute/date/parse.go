package date

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dossier-cdp/dossier/pipelines/identity/attribute/script"
)

// Years outside are no birth years; two digits are a year from 1926 to 2025.
const (
	firstYear = 1000
	lastYear  = 2100
	pivot     = 25
)

// longest bounds the text that is read.
const longest = 64

// months are the names of months and their usual abbreviations in the languages of Western Europe, folded; names that two languages share
// are the same month in both. Common knowledge.
var months = func() map[string]uint8 {
	m := map[string]uint8{}
	for i, names := range []string{
		"janvier janv jan january januar janner enero ene gennaio gen januari janeiro",
		"fevrier fev fevr feb february februar febrero febbraio februari fevereiro",
		"mars mar march marz maerz mrz marzo maart mrt marco",
		"avril avr apr april abril abr aprile",
		"mai may mayo maggio mag mei maio",
		"juin jun june juni junio giugno giu junho",
		"juillet juil jul july juli julio luglio lug julho",
		"aout aou aug august agosto ago augustus",
		"septembre sept sep september septiembre set settembre setembro",
		"octobre oct october oktober okt octubre ottobre ott outubro out",
		"novembre nov november noviembre novembro",
		"decembre dec december dezember dez diciembre dic dicembre dezembro",
	} {
		for name := range strings.FieldsSeq(names) {
			m[name] = uint8(i + 1)
		}
	}
	return m
}()

// monthFirst are the countries that write the month before the day; unsure those where both are usual.
var (
	monthFirst = map[string]bool{"US": true, "PH": true, "FM": true, "MH": true, "PW": true, "GU": true, "PR": true}
	unsure     = map[string]bool{"": true, "CA": true}
)

// Parse reads a birth date: 1984-05-31 with or without a time after it, 31/05/1984, 31.5.84, 19840531, 31051984, 31 mai 1984, May 31, 1984, and
// partial ones: 1984, 05/1984, mai 1984, 00/00/1984, XX/05/1984. The country (ISO 3166 alpha-2, the source's) decides whether 03/04/1980 is the third
// of April, as nearly everywhere, or the fourth of March; without one, or where both are usual, it is the third of April and Ambiguous.
//
// Dates are not held against the calendar, since a thirtieth of February is a slip that the right date is near to; a part that no date
// can have is not known. What is no date gives the zero value.
func Parse(s, country string) Date {
	if len(s) > longest {
		s = s[:longest]
	}
	var numbers [4]number
	n, month := 0, uint8(0)
	for i := 0; i < len(s) && n < len(numbers); {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			start := i
			value := 0
			for i < len(s) && s[i] >= '0' && s[i] <= '9' {
				value = min(value*10+int(s[i]-'0'), 1<<30)
				i++
			}
			if n == 3 || month > 0 && n == 2 {
				i = len(s) // the time of day
				break
			}
			numbers[n] = number{value, i - start}
			n++
		case c < utf8.RuneSelf && !letter(c):
			i++
			if c == '?' { // ??/05/1984
				for i < len(s) && s[i] == '?' {
					i++
				}
				numbers[n] = number{0, 2}
				n++
			}
		default:
			end := i + strings.IndexFunc(s[i:], func(r rune) bool { return !unicode.IsLetter(r) && !unicode.Is(unicode.M, r) })
			if end < i {
				end = len(s)
			}
			end = max(end, i+1)
			word := script.Fold(s[i:end])
			i = end
			switch m := months[word]; {
			case m > 0 && month == 0:
				month = m
			case strings.Trim(word, "x") == "" && word != "" || word == "jj" || word == "mm" || word == "aaaa":
				numbers[n] = number{0, 2}
				if len(word) > 2 {
					numbers[n].digits = 4
				}
				n++
			}
		}
	}
	if month > 0 {
		return named(numbers[:min(n, 2)], month)
	}
	return numeric(numbers[:min(n, 3)], country)
}

type number struct{ value, digits int }

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// named reads a date whose month has a name: the day is the number beside it that can be one.
func named(numbers []number, month uint8) Date {
	d := Date{Month: month}
	for i, x := range numbers {
		switch {
		case x.digits >= 3 || x.value > 31 || i > 0 && d.Year == 0:
			d.Year = year(x)
		default:
			d.Day = uint8(x.value)
		}
	}
	return d
}

// numeric reads a date of numbers.
func numeric(numbers []number, country string) Date {
	switch len(numbers) {
	case 1:
		return compact(numbers[0], country)
	case 2:
		a, b := numbers[0], numbers[1]
		if a.digits >= 3 {
			return Date{Year: year(a)}.on(b.value, 0)
		}
		if b.digits >= 3 {
			return Date{Year: year(b)}.on(a.value, 0)
		}
		return ordered(a.value, b.value, country, Date{})
	case 3:
		if numbers[0].digits >= 3 {
			return Date{Year: year(numbers[0])}.on(numbers[1].value, numbers[2].value)
		}
		return ordered(numbers[0].value, numbers[1].value, country, Date{Year: year(numbers[2])})
	}
	return Date{}
}

// compact reads a date without signs: 19840531, 31051984, 1984.
func compact(x number, country string) Date {
	switch x.digits {
	case 4:
		return Date{Year: year(x)}
	case 8:
		if y := x.value / 10_000; y >= 1800 && y <= 2050 || x.value/100%100 <= 12 && y >= firstYear && x.value%10_000 < 1300 {
			return Date{Year: year(number{y, 4})}.on(x.value/100%100, x.value%100)
		}
		return ordered(x.value/1_000_000, x.value/10_000%100, country, Date{Year: year(number{x.value % 10_000, 4})})
	}
	return Date{}
}

// ordered sets day and month from two numbers in the order of a country.
func ordered(a, b int, country string, d Date) Date {
	if monthFirst[country] {
		a, b = b, a
	}
	ambiguous := unsure[country] && a >= 1 && a <= 12 && b >= 1 && b <= 12 && a != b
	d = d.on(b, a)
	d.Ambiguous = ambiguous
	return d
}

// on sets month and day, the other way round if only that makes a date. What no date can have is not known.
func (d Date) on(month, day int) Date {
	if month > 12 && month <= 31 && day >= 1 && day <= 12 {
		month, day = day, month
	}
	if month <= 12 {
		d.Month = uint8(month)
	}
	if day <= 31 {
		d.Day = uint8(day)
	}
	return d
}

// OfParts is a date of stated parts, of which 0 is unknown. What no date can have is not known.
func OfParts(y, month, day int) Date {
	d := Date{}
	if y > 0 {
		digits := 4
		if y < 100 {
			digits = 2
		}
		d.Year = year(number{y, digits})
	}
	if month < 0 || day < 0 {
		return d
	}
	return d.on(month, day)
}

func year(x number) uint16 {
	y := x.value
	if x.digits <= 2 {
		if y == 0 && x.digits == 0 {
			return 0
		}
		if y <= pivot {
			y += 100
		}
		y += 1900
	}
	if y < firstYear || y > lastYear {
		return 0
	}
	return uint16(y)
}

// String writes the date as Parse reads it, with zeros for what is not known: "1984-05-00". It is personal and belongs in no log.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }
