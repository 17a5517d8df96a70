package population

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// beside are the keys next to each letter of a French keyboard.
var beside = map[rune]string{
	'a': "zq", 'b': "vn", 'c': "xv", 'd': "sfe", 'e': "zrd", 'f': "dgr", 'g': "fht", 'h': "gjy", 'i': "uok", 'j': "hku", 'k': "jli", 'l': "kmo", 'm': "lp", 'n': "bj",
	'o': "ipl", 'p': "om", 'q': "as", 'r': "etf", 's': "qdz", 't': "ryg", 'u': "yij", 'v': "cb", 'w': "xq", 'x': "wc", 'y': "tuh", 'z': "aes",
}

// slip makes one slip of the fingers in a word: two letters swapped, one left out, doubled, or hit beside. Words of one or two letters
// stay.
func (c chance) slip(word string) string {
	r := []rune(word)
	if len(r) < 3 {
		return word
	}
	switch i := c.IntN(len(r) - 1); c.IntN(5) {
	case 0, 1:
		if r[i] == r[i+1] || r[i] == ' ' || r[i+1] == ' ' {
			return word
		}
		return string(r[:i]) + string([]rune{matched(r[i+1], r[i]), matched(r[i], r[i+1])}) + string(r[i+2:])
	case 2:
		return string(r[:i+1]) + string(r[i+2:])
	case 3:
		return string(r[:i+1]) + string(unicode.ToLower(r[i])) + string(r[i+1:])
	default:
		near := beside[unicode.ToLower(r[i+1])]
		if near == "" {
			return word
		}
		return string(r[:i+1]) + string(matched(rune(near[c.IntN(len(near))]), r[i+1])) + string(r[i+2:])
	}
}

// matched gives a letter the case of another.
func matched(r, like rune) rune {
	if unicode.IsUpper(like) {
		return unicode.ToUpper(r)
	}
	return unicode.ToLower(r)
}

// ears are pairs of spellings that sound alike, which who writes a name by ear confuses.
var ears = [][2]string{
	{"eau", "o"}, {"au", "o"}, {"ph", "f"}, {"th", "t"}, {"ll", "l"}, {"ss", "c"}, {"nn", "n"}, {"tt", "t"}, {"rr", "r"}, {"ck", "k"}, {"ch", "sh"}, {"ai", "é"}, {"ei", "é"}, {"ain", "in"}, {"an", "en"},
	{"qu", "k"}, {"y", "i"}, {"gn", "ni"}, {"oi", "wa"}, {"ier", "ié"}, {"et", "é"}, {"ez", "é"}, {"h", ""}, {"e", ""}, {"l", "ll"}, {"n", "nn"}, {"z", "s"}, {"c", "k"}, {"m", "n"}, {"d", "t"}, {"b", "p"}, {"g", "j"},
}

// hear writes a word as it sounds, in one place.
func (c chance) hear(word string) string {
	for range 6 {
		pair := ears[c.IntN(len(ears))]
		if c.of(.3) && pair[1] != "" {
			pair[0], pair[1] = pair[1], pair[0]
		}
		if i := strings.Index(word[min(1, len(word)):], pair[0]); i >= 0 {
			i += min(1, len(word))
			return word[:i] + pair[1] + word[i+len(pair[0]):]
		}
	}
	return c.slip(word)
}

// given is the given name as it is written down, before slips of names that are typed.
func (s *scribe) givenName() string {
	name := s.m.given
	if strings.Contains(name, "-") && s.is(partOfCompound) {
		front, back, _ := strings.Cut(name, "-")
		name = pick(s.chance, []string{front, front, back, front + " " + back, front + back})
	} else if short := s.country.short[name]; len(short) > 0 && s.is(nickname) {
		name = pick(s.chance, short)
	}
	if s.is(accentsLostGiven) {
		name = unaccented(name)
	}
	return name
}

// familyName is the family name in use at a time.
func (s *scribe) familyName(t time.Time) string {
	name := s.m.family
	switch {
	case s.m.other == "":
	case !s.m.marries.IsZero():
		if !s.m.marries.After(t) {
			name = s.m.other
		}
	default:
		switch u := s.Float64(); {
		case u < .3:
			name = s.m.other
		case u < .42:
			name = s.m.other + "-" + s.m.family
		}
	}
	if s.is(accentsLostFamily) {
		name = unaccented(name)
	}
	return name
}

func (s *scribe) typed(given, family string) (string, string) {
	if s.is(typoGiven) {
		given = s.slip(given)
	}
	if s.is(typoFamily) {
		family = s.slip(family)
	}
	if s.is(upperFamily) {
		family = strings.ToUpper(family)
	}
	return given, family
}

func (s *scribe) named(r *Record) {
	r.FirstName, r.LastName = s.typed(s.givenName(), s.familyName(r.SeenAt))
}

func (s *scribe) fullName(t time.Time) string {
	given, family := s.typed(s.givenName(), s.familyName(t))
	return given + " " + family
}

// heard is a name as an agent writes it on the phone.
func (s *scribe) heard(t time.Time) string {
	given, family := s.givenName(), s.familyName(t)
	slips := 0
	switch u := s.Float64(); {
	case u < s.chance.rates[callGarbled]:
		slips = 2 + s.IntN(3)
	case u < s.chance.rates[callGarbled]+s.chance.rates[callTwisted]:
		slips = 1
	}
	for range slips {
		word := &family
		if s.of(.45) {
			word = &given
		}
		if s.of(.5) {
			*word = s.hear(*word)
		} else {
			*word = s.slip(*word)
		}
	}
	if s.is(callInitial) {
		_, n := utf8.DecodeRuneInString(given)
		given = given[:n]
	}
	if s.is(upperFamily) {
		family = strings.ToUpper(family)
	}
	name := given + " " + family
	if s.is(callInverted) {
		name = family + " " + given
	}
	if s.is(callTitled) {
		titles := s.country.titles[1]
		if s.m.woman {
			titles = s.country.titles[0]
		}
		name = pick(s.chance, titles) + " " + name
	}
	return name
}

// born is the birth date as it was asked for.
func (s *scribe) born() string {
	b := s.m.birth
	switch {
	case s.is(placeholderBirth):
		return "1900-01-01"
	case s.is(yearOnly):
		return fmt.Sprintf("%04d-01-01", b.Year())
	case s.is(swappedBirth) && b.Day() <= 12:
		return fmt.Sprintf("%04d-%02d-%02d", b.Year(), b.Day(), b.Month())
	case s.is(typoBirth):
		switch s.IntN(3) {
		case 0:
			b = b.AddDate(pick(s.chance, []int{-10, -1, 1, 10}), 0, 0)
		case 1:
			b = time.Date(b.Year(), 1+time.Month(s.IntN(12)), min(28, b.Day()), 0, 0, 0, 0, time.UTC)
		default:
			b = time.Date(b.Year(), b.Month(), 1+s.IntN(28), 0, 0, 0, 0, time.UTC)
		}
	}
	return b.Format(time.DateOnly)
}

func (s *scribe) slipMailbox(mailbox string) string {
	local, domain, _ := strings.Cut(mailbox, "@")
	if s.of(.25) {
		name, _, _ := strings.Cut(domain, ".")
		return local + "@" + s.slip(name) + ".example"
	}
	return s.slip(local) + "@" + domain
}

func (s *scribe) cased(mailbox string) string {
	switch u := s.Float64(); {
	case mailbox == "":
	case u < s.chance.rates[upperMailbox]:
		return strings.ToUpper(mailbox)
	case u < s.chance.rates[upperMailbox]+s.chance.rates[capitalMailbox]:
		return strings.ToUpper(mailbox[:1]) + mailbox[1:]
	}
	return mailbox
}

// dialled is a number in one of the ways in which people write it.
func (s *scribe) dialled(national string) string {
	n := []byte(national)
	if s.is(typoPhone) {
		i := 3 + s.IntN(len(n)-3)
		n[i] = '0' + (n[i]-'0'+1+byte(s.IntN(9)))%10
	}
	if s.country.code == "gb" {
		switch u := s.Float64(); {
		case u < .4:
			return string(n)
		case u < .65:
			return string(n[:5]) + " " + string(n[5:])
		case u < .85:
			return "+44" + string(n[1:])
		case u < .93:
			return "+44 " + string(n[1:5]) + " " + string(n[5:])
		}
		return "0044 " + string(n[1:])
	}
	pairs := func(between string) string {
		var b strings.Builder
		for i := 0; i < len(n); i += 2 {
			if i > 0 {
				b.WriteString(between)
			}
			b.Write(n[i : i+2])
		}
		return b.String()
	}
	switch u := s.Float64(); {
	case u < .36:
		return string(n)
	case u < .61:
		return pairs(" ")
	case u < .8:
		return "+33" + string(n[1:])
	case u < .9:
		return pairs(".")
	}
	return "0033 " + string(n[1:])
}

func (s *scribe) city(city string) string {
	if s.is(typoCity) {
		return s.slip(city)
	}
	return city
}

// housed writes where the person lives.
func (s *scribe) housed(r *Record) {
	home := s.h.home(r.SeenAt)
	kind, street := home.kind, home.street
	if short := s.country.shortKind[kind]; len(short) > 0 && s.is(shortStreet) {
		kind = pick(s.chance, short)
	}
	if s.is(accentsLostStreet) {
		kind, street = unaccented(kind), strings.ReplaceAll(unaccented(street), "’", "'")
	}
	if s.is(typoStreet) {
		parts := strings.Fields(street)
		i := s.IntN(len(parts))
		parts[i] = s.slip(parts[i])
		street = strings.Join(parts, " ")
	}
	parts := []string{kind, street}
	if s.country.code == "gb" {
		slices.Reverse(parts)
	}
	r.Street = fmt.Sprintf("%d %s", home.number, strings.Join(parts, " "))
	if s.is(upperStreet) {
		r.Street = strings.ToUpper(r.Street)
	}
	r.Postcode, r.City = home.postcode, s.city(home.city)
}
