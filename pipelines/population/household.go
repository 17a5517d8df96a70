package population

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// slots are the places of a household; a person's number is household*slots + place.
const slots = 8

// address is where a household lives.
type address struct {
	number   int
	kind     string // of street
	street   string
	postcode string
	city     string
	area     string
}

// person is the truth about one customer.
type person struct {
	number int64
	woman  bool
	birth  time.Time
	given  string
	family string
	// other is a second family name: the maiden name, or the one taken at a marriage.
	other   string
	marries time.Time // when other takes family's place; zero: both are in use, as it happens
	phone   []dated   // own mobiles; empty if there is none
	mailbox []dated   // own mailboxes; empty if there is none
	only    bool      // has no mailbox in use but the household's
	lodged  bool      // shares the first one's mobile
	card    []dated
	account []dated
	// familyShare is the share of people with the family name; nameRate how many in a million carry the whole name, roughly.
	familyShare, nameRate float64
}

// dated is a value that holds from a time on; the first of several holds from ever.
type dated struct {
	from  time.Time
	value string
}

func at(values []dated, t time.Time) string {
	value := ""
	for i, v := range values {
		if i == 0 || !v.from.After(t) {
			value = v.value
		}
	}
	return value
}

// household is the truth about people who live together.
type household struct {
	number   int64
	homes    []address
	moves    time.Time
	landline string
	mailbox  bool // the first one's mailbox is everybody's
	members  []person
}

func (h *household) home(t time.Time) address {
	if len(h.homes) > 1 && !h.moves.After(t) {
		return h.homes[1]
	}
	return h.homes[0]
}

// household invents a household, and what it has from an earlier one: a namesake's name and town, a number, a mailbox.
func (p *Population) household(n int64) household {
	c := p.chance(n, streamWho)
	h := p.alone(n, c)
	if n == 0 {
		return h
	}
	if c.is(namesakeInTown) {
		other := c.Int64N(n)
		earlier := p.alone(other, p.chance(other, streamWho))
		p.namesake(c, &h, &earlier)
	}
	for i := range h.members {
		m := &h.members[i]
		if c.is(phonePassedOn) && len(m.phone) > 0 {
			if passed, free := p.given(c, n, func(m *person) []dated { return m.phone }); passed != "" {
				m.phone[len(m.phone)-1].value = passed
				p.since(m.phone, free)
			}
		}
		if c.is(mailboxPassedOn) && len(m.mailbox) > 0 {
			if passed, free := p.given(c, n, func(m *person) []dated { return m.mailbox }); passed != "" {
				m.mailbox[len(m.mailbox)-1].value = passed
				p.since(m.mailbox, free)
			}
		}
	}
	return h
}

// since lets the last value begin no earlier than it is free. Whoever had only that one had nothing before.
func (p *Population) since(values []dated, free time.Time) {
	last := &values[len(values)-1]
	if last.from.Before(free) {
		last.from = free
	}
}

// given looks through earlier households for a value that somebody gave up, and says when it may be another's: three months later.
func (p *Population) given(c chance, n int64, of func(*person) []dated) (value string, free time.Time) {
	for range 200 {
		earlier := c.Int64N(n)
		h := p.alone(earlier, p.chance(earlier, streamWho))
		for i := range h.members {
			values := of(&h.members[i])
			if len(values) < 2 {
				continue
			}
			if free = values[1].from.AddDate(0, 3, 0); free.Before(p.plan.To.AddDate(0, -2, 0)) {
				return values[0].value, free
			}
		}
	}
	return "", free
}

// namesake gives the household's first member the name of an earlier household's, and the household its town.
func (p *Population) namesake(c chance, h, earlier *household) {
	m, of := &h.members[0], &earlier.members[0]
	m.given, m.family, m.woman, m.other, m.nameRate = of.given, of.family, of.woman, of.other, max(of.nameRate, 2)
	for i := range m.mailbox {
		m.mailbox[i].value = p.mailboxName(c, m)
	}
	street := h.homes[0]
	h.homes[0] = earlier.homes[0]
	h.homes[0].number, h.homes[0].kind, h.homes[0].street = street.number, street.kind, street.street
}

// alone invents a household as if there were no other.
func (p *Population) alone(n int64, c chance) household {
	h := household{number: n, homes: []address{p.address(c)}}
	size := 1
	switch u := c.Float64(); {
	case u < c.rates[householdOfFive]:
		size = 5
	case u < c.rates[householdOfFive]+c.rates[householdOfFour]:
		size = 4
	case u < c.rates[householdOfFive]+c.rates[householdOfFour]+c.rates[householdOfThree]:
		size = 3
	case u < c.rates[householdOfFive]+c.rates[householdOfFour]+c.rates[householdOfThree]+c.rates[householdOfTwo]:
		size = 2
	}
	of := &p.country.native
	if c.is(foreignOrigin) {
		i, _ := p.country.originUpTo.draw(c)
		of = &p.country.origins[i]
	}
	family, share := p.familyName(c, of)
	year := p.birthYear(c)
	alike := size > 1 && c.is(fatherAndSon)
	couple := size > 1 && !alike && (size > 2 || c.of(.75))
	if size > 1 && !couple || size > 2 {
		for year > 1984 { // the old have children
			year = p.birthYear(c)
		}
	}
	h.members = make([]person, 0, size)
	add := func(woman bool, year int, family string, share float64) *person {
		h.members = append(h.members, p.person(c, &h, of, woman, year, family, share))
		return &h.members[len(h.members)-1]
	}
	first := add(!alike && c.of(.52), year, family, share)
	switch {
	case alike:
		son := add(false, childYear(c, year), family, share)
		son.given, son.nameRate = first.given, max(first.nameRate, 2)
	case couple:
		other, otherShare := family, share
		if c.is(ownFamilyName) {
			other, otherShare = p.familyName(c, of)
		}
		partner := add(!first.woman || c.of(.02), min(2007, year-6+c.IntN(13)), other, otherShare)
		for partner.given == first.given {
			p.call(c, of, partner)
		}
	}
	for len(h.members) < size {
		child := add(c.of(.5), childYear(c, year), family, share)
		for slices.ContainsFunc(h.members[:len(h.members)-1], func(m person) bool { return m.given == child.given }) {
			p.call(c, of, child)
		}
	}
	if size > 2 && c.is(twins) {
		h.members[size-1].birth = h.members[size-2].birth
	}
	for i := range h.members {
		p.equip(c, &h.members[i])
	}
	if c.is(landline) {
		h.landline = p.fixed(&h)
	}
	if size > 1 {
		h.share(c)
	}
	if c.is(move) {
		h.moves = p.instant(c, .1, .9)
		next := p.address(c)
		if !c.of(1. / 3) {
			next.postcode, next.city, next.area = h.homes[0].postcode, h.homes[0].city, h.homes[0].area
		}
		h.homes = append(h.homes, next)
	}
	return h
}

// share lets the household's members use what the first one has.
func (h *household) share(c chance) {
	h.mailbox = len(h.members[0].mailbox) > 0 && c.is(sharedMailbox)
	lodged := c.is(sharedPhone)
	for i := 1; i < len(h.members); i++ {
		if h.mailbox {
			h.members[i].only = c.of(.6)
		}
		h.members[i].lodged = lodged && c.of(.6)
	}
}

func (p *Population) address(c chance) address {
	i, _ := p.country.communeUpTo.draw(c)
	commune := p.country.communes[i]
	s, _ := p.country.streets.draw(c)
	a := address{1 + c.IntN(180), pick(c, p.country.kinds), p.country.streets.words[s], commune.postcode, commune.city, commune.area}
	if p.country.code == "gb" {
		// A postcode of a street: the letters that are not used in one are left out.
		const letters = "ABDEFGHJLNPQRSTUWXYZ"
		a.postcode += fmt.Sprintf(" %d%c%c", 1+c.IntN(9), letters[c.IntN(len(letters))], letters[c.IntN(len(letters))])
	}
	return a
}

func (p *Population) birthYear(c chance) int {
	decade, _ := births.draw(c)
	years := 10
	if decade == 7 {
		years = 8
	}
	return 1930 + 10*decade + c.IntN(years)
}

// childYear draws the birth year of a parent's child who is grown up enough to be a customer.
func childYear(c chance, parent int) int {
	return parent + 20 + c.IntN(min(16, 2007-parent-20)+1)
}

func birthday(c chance, year int) time.Time {
	return time.Date(year, 1, 1+c.IntN(365), 0, 0, 0, 0, time.UTC)
}

// familyName draws a family name, and how large a share of people has it.
func (p *Population) familyName(c chance, of *names) (string, float64) {
	native := of == &p.country.native
	if native && c.of(p.country.tailShare) {
		name := pick(c, p.country.heads) + pick(c, p.country.tails)
		return name, p.country.tailShare / float64(len(p.country.heads)*len(p.country.tails))
	}
	i, share := of.family.draw(c)
	if native {
		return of.family.words[i], share * (1 - p.country.tailShare)
	}
	return of.family.words[i], share * c.rates[foreignOrigin] / 3
}

func (p *Population) person(c chance, h *household, of *names, woman bool, year int, family string, share float64) person {
	m := person{number: h.number*slots + int64(len(h.members)), woman: woman, birth: birthday(c, year), family: family, familyShare: share}
	p.call(c, of, &m)
	if woman && c.is(twoFamilyNames) {
		m.other, _ = p.familyName(c, of)
	} else if woman && c.is(marriage) {
		m.other, _ = p.familyName(c, of)
		m.marries = p.instant(c, .1, .9)
	}
	return m
}

// call gives a person a given name that fits sex and birth.
func (p *Population) call(c chance, of *names, m *person) {
	era := 0
	if len(of.given) > 1 {
		for _, from := range eras {
			if m.birth.Year()+c.IntN(7)-3 >= from || era == 0 {
				era = from
			}
		}
	}
	sex := 1
	if m.woman {
		sex = 0
	}
	list := of.given[era][sex]
	i, share := list.draw(c)
	m.given = list.words[i]
	if of == &p.country.native && !strings.Contains(m.given, "-") && c.is(compoundGiven) {
		// A second name goes behind the usual first ones; some of the pairs are rare.
		front := pick(c, [][]string{{"Marie", "Marie", "Anne", "Jeanne", "Rose"}, {"Jean", "Jean", "Jean", "Pierre", "Paul"}}[sex])
		if p.country.code == "gb" {
			front = pick(c, [][]string{{"Mary", "Anna", "Sarah"}, {"John", "James", "Billy"}}[sex])
		}
		if front != m.given {
			m.given, share = front+"-"+m.given, share*c.rates[compoundGiven]/3
		}
	}
	// Some five eras and two sexes share the people.
	m.nameRate = 1e6 * share / 10 * m.familyShare
}

// equip gives a person numbers, mailboxes, cards and accounts. Whether they are ever used is the records' matter.
func (p *Population) equip(c chance, m *person) {
	if !c.is(noMobile) {
		m.phone = append(m.phone, dated{value: p.mobile(m, 0)})
		if c.is(newPhone) {
			m.phone = append(m.phone, dated{p.instant(c, .05, .8), p.mobile(m, 1)})
		}
	}
	if !c.is(noMailbox) {
		m.mailbox = append(m.mailbox, dated{value: p.mailboxName(c, m)})
		if c.is(newMailbox) {
			m.mailbox = append(m.mailbox, dated{p.instant(c, .05, .8), p.mailboxName(c, m)})
		}
	}
	n := uint64(m.number) * 2
	m.card = append(m.card, dated{value: "26" + p.digits("card", n, 9)})
	if c.is(secondCard) {
		m.card = append(m.card, dated{p.instant(c, .2, .8), "26" + p.digits("card", n+1, 9)})
	}
	m.account = append(m.account, dated{value: fmt.Sprintf("u_%08x", permute(n, 1<<32, p.key("account")))})
	if c.is(secondAccount) {
		m.account = append(m.account, dated{p.instant(c, .2, .8), fmt.Sprintf("u_%08x", permute(n+1, 1<<32, p.key("account")))})
	}
}
