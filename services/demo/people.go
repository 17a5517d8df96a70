package demo

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Person is the truth about one customer.
type Person struct {
	Index     int
	Household int
	Given     string
	Family    string // at the end of the workspace
	Maiden    string // before a marriage in the workspace's time; else empty
	Birth     time.Time
	Woman     bool
	French    bool // speaks French; else English

	names     dated[string] // family name
	emails    dated[string] // address of one's own
	homes     dated[Address]
	mobiles   dated[string]
	cards     dated[string] // loyalty card
	landline  string        // of the household; empty if it has none
	mailbox   string        // shared by the household; empty if it has none
	work      string        // second address, for surveys; empty if none
	userID    string        // of the shop's account; empty if none
	crmID     string
	device    string // the app's; empty if the person does not use it
	tablet    string // anonymous id of a tablet that the household shares; empty if none
	twitter   string
	instagram string
	since     time.Time // first contact in the workspace
	old       bool      // was a customer before
	zeal      int       // orders to place
	mood      int       // 0 grumpy to 4 delighted
	moved     time.Time
	married   time.Time
	asked     bool // for the birth date, always
	cast      bool // in the examples: what they show is left to no chance
	plots     []plot
}

// dated is a value that changes: each entry holds from its time on.
type dated[T any] []entry[T]

type entry[T any] struct {
	from  time.Time
	value T
}

// at is the value at a time; before the first entry, the first.
func (d dated[T]) at(t time.Time) (value T) {
	for i, e := range d {
		if i == 0 || !e.from.After(t) {
			value = e.value
		}
	}
	return value
}

func once[T any](value T) dated[T] { return dated[T]{{Begin, value}} }

// settle is the making of households.
type settle struct {
	*world
	chance
	numbers
	household int
	home      Address
	french    bool
}

// populate makes the people: the cast first, then households until there are People.
func (w *world) populate() {
	s := &settle{world: w, chance: chance{rand.New(rand.NewPCG(w.seed, 0))}, numbers: numbers{map[string]int{}, map[string]bool{}}}
	w.people = make([]Person, 0, People) // never grown, so pointers to people hold
	s.cast()
	for len(w.people) < People {
		s.move("")
		switch n := s.IntN(100); {
		case n < 34 || len(w.people) > People-4:
			s.person(s.of(52), s.between(1942, 2006), familyName(s.chance, s.french))
		case n < 62:
			s.couple(true)
		case n < 78:
			s.couple(false)
		case n < 81:
			s.namesake()
		case n < 88:
			s.twins()
		default:
			s.flatmates()
		}
		s.share()
	}
}

// move begins a household at an address; an empty town draws one.
func (s *settle) move(city string) {
	s.household++
	if city == "" {
		s.home = s.address("")
	} else {
		s.home = s.addressIn(cityNamed(city))
	}
	// One household in twelve lives in the other's country.
	s.french = s.home.Country == "FR" != s.of(8)
}

// person adds somebody to the household, of a name that nobody in it has.
func (s *settle) person(woman bool, birthYear int, family string) *Person {
	name := givenName(s.chance, s.french, woman, birthYear)
	for slices.ContainsFunc(s.members(), func(p *Person) bool { return p.Given == name && p.Family == family }) {
		name = givenName(s.chance, s.french, woman, birthYear)
	}
	return s.named(name, family, woman, birthYear)
}

func (s *settle) named(givenName, family string, woman bool, birthYear int) *Person {
	i := len(s.people)
	p := Person{
		Index: i, Household: s.household, Given: givenName, Family: family, Woman: woman, French: s.french,
		Birth: time.Date(birthYear, time.Month(s.between(1, 12)), s.between(1, 28), 0, 0, 0, 0, time.UTC),
		names: once(family), homes: once(s.home), mobiles: once(s.mobile(s.home)),
		emails: once(s.email(s.chance, s.french, givenName, family, birthYear)),
		crmID:  fmt.Sprintf("C-%06d", 204_800+i*7), mood: s.IntN(5),
		old: s.of(60),
	}
	p.since = Begin.AddDate(0, 0, s.IntN(430)).Add(s.opening())
	if p.old {
		p.since = Begin.Add(time.Duration(s.IntN(3*24*3600)) * time.Second)
	}
	if s.of(82) {
		p.userID = fmt.Sprintf("%d", 7_310_000+i*13)
	}
	if s.home.Country != "US" && s.of(58) {
		p.cards = once(card(i))
	}
	if p.userID != "" && s.of(birthShare(birthYear)) {
		p.device = s.uuid()
	}
	if s.of(25) {
		p.work = s.free(plain(givenName)+"."+plain(family), pick(s.chance, []string{"cabinet-orsel.example", "northgate-partners.example", "mairie-exemple.example", "studio-lumen.example", "harbour-logistics.example"}))
	}
	if s.of(birthShare(birthYear) / 2) {
		p.twitter = handle(s.chance, givenName, family, birthYear)
	}
	if s.of(birthShare(birthYear) / 3) {
		p.instagram = handle(s.chance, givenName, family, birthYear)
	}
	switch n := s.IntN(100); {
	case n < 34:
		p.zeal = s.between(0, 1)
	case n < 76:
		p.zeal = s.between(2, 4)
	case n < 95:
		p.zeal = s.between(5, 8)
	default:
		p.zeal = s.between(9, 16)
	}
	s.people = append(s.people, p)
	return &s.people[i]
}

// birthShare is the share, in per cent, of people who live by their phone.
func birthShare(birthYear int) int { return 18 + 17*generation(birthYear) }

func card(i int) string { return fmt.Sprintf("29%08d", 10_040_000+i*37) }

func handle(c chance, givenName, family string, birthYear int) string {
	g, f := plain(givenName), plain(family)
	switch c.IntN(4) {
	case 0:
		return g + "_" + f[:min(3, len(f))] + fmt.Sprint(birthYear%100)
	case 1:
		return g + f[:1] + fmt.Sprint(c.between(10, 999))
	case 2:
		return "le_" + f + fmt.Sprint(c.between(1, 99))
	}
	return f + "." + g + fmt.Sprint(c.between(1, 99))
}

// couple adds two partners, of one family name or of two, and sometimes a grown child. One in nine of two names marries.
func (s *settle) couple(oneName bool) {
	family := familyName(s.chance, s.french)
	year := s.between(1945, 2000)
	first := s.person(false, year, family).Index
	other := family
	if !oneName {
		other = s.otherName(family)
	}
	second := s.person(s.of(92), year+s.between(-6, 6), other).Index
	if !oneName && s.people[second].Woman && s.of(35) {
		s.marry(&s.people[first], &s.people[second], s.date(200, 480))
	}
	if oneName && year < 1978 && s.of(40) && len(s.people) < People-2 {
		s.person(s.of(50), year+s.between(24, 31), family)
	}
}

func (s *settle) otherName(than string) string {
	for {
		if name := familyName(s.chance, s.french); name != than {
			return name
		}
	}
}

// date draws a day of the workspace's time by its number.
func (s *settle) date(from, to int) time.Time {
	return Begin.AddDate(0, 0, s.between(from, to)).Add(s.opening())
}

// opening draws a time of day at which people are awake.
func (c chance) opening() time.Duration {
	return time.Duration(c.between(8*3600, 21*3600))*time.Second + time.Duration(c.IntN(1000))*time.Millisecond
}

// marry gives the second the first one's name, and mostly a new address of that name.
func (s *settle) marry(first, second *Person, on time.Time) {
	second.Maiden, second.Family, second.married = second.Family, first.Family, on
	second.names = append(second.names, entry[string]{on, first.Family})
	if s.of(70) {
		address := s.email(s.chance, s.french, second.Given, first.Family, second.Birth.Year())
		second.emails = append(second.emails, entry[string]{on.AddDate(0, 0, 20), address})
	}
}

// namesake adds a parent and a grown child of one name under one roof, and mostly the other parent.
func (s *settle) namesake() {
	family := familyName(s.chance, s.french)
	year := s.between(1946, 1972)
	father := s.person(false, year, family)
	name := father.Given
	son := s.named(name, family, false, year+s.between(22, 33))
	// Shops learn to ask who has a namesake for the birth date, mostly.
	father.asked, son.asked = s.of(90), s.of(90)
	if s.of(70) {
		s.person(true, year+s.between(-5, 6), family)
	}
}

// twins adds two of one birth date, and a parent.
func (s *settle) twins() {
	family := familyName(s.chance, s.french)
	year := s.between(1996, 2006)
	first := s.person(s.of(50), year, family)
	birth, woman := first.Birth, s.of(50)
	s.person(woman, year, family).Birth = birth
	s.person(true, year-s.between(22, 36), family)
}

// flatmates adds people who share nothing but a home.
func (s *settle) flatmates() {
	for n := s.between(2, 3); n > 0; n-- {
		s.person(s.of(50), s.between(1988, 2006), familyName(s.chance, s.french))
	}
}

// share gives the household what its members have in common, and lets it move.
func (s *settle) share() {
	members := s.members()
	if len(members) > 1 {
		if s.of(38) {
			s.shareMailbox(members, "")
		}
		if s.of(45) {
			tablet := s.uuid()
			for _, p := range members {
				p.tablet = tablet
			}
		}
	}
	if s.of(48) {
		line := s.landline(s.home)
		for _, p := range members {
			p.landline = line
		}
	}
	if s.of(9) {
		on, home := s.date(90, 470), s.address(s.home.Country)
		for _, p := range members {
			p.move(on, home)
		}
	}
	for _, p := range members {
		if s.of(5) {
			p.mobiles = append(p.mobiles, entry[string]{s.date(60, 480), s.mobile(s.home)})
		}
		if s.of(6) {
			p.emails = append(p.emails, entry[string]{s.date(60, 480), s.email(s.chance, p.French, p.Given, p.Family, p.Birth.Year())})
			slices.SortFunc(p.emails, func(a, b entry[string]) int { return a.from.Compare(b.from) })
		}
		if len(p.cards) > 0 && s.of(9) {
			p.replaceCard(s.date(120, 500))
		}
	}
}

func (s *settle) members() (members []*Person) {
	for i := len(s.people) - 1; i >= 0 && s.people[i].Household == s.household; i-- {
		members = append(members, &s.people[i])
	}
	slices.Reverse(members)
	return members
}

// shareMailbox gives the members one address beside their own.
func (s *settle) shareMailbox(members []*Person, address string) {
	f := plain(members[0].Family)
	if address == "" && s.french {
		address = s.free(pick(s.chance, []string{"famille.", "les.", "chez."})+f, pick(s.chance, domainsFR))
	} else if address == "" {
		address = s.free(pick(s.chance, []string{"the." + f + "s", f + ".family", f + ".home"}), pick(s.chance, domainsEN))
	}
	for _, p := range members {
		p.mailbox = address
	}
}

func (p *Person) move(on time.Time, home Address) {
	p.moved = on
	p.homes = append(p.homes, entry[Address]{on, home})
}

// replaceCard loses the card and gets another one.
func (p *Person) replaceCard(on time.Time) {
	p.cards = append(p.cards, entry[string]{on, card(People + p.Index)})
}

func (p *Person) name(at time.Time) string { return p.names.at(at) }

// reached is the address that the person gives at a time: mostly the own one, else the household's.
func (l *life) reached(at time.Time) string {
	if l.mailbox != "" && l.of(30) {
		return l.mailbox
	}
	return l.emails.at(at)
}

// sure says yes with a probability in per cent, and to the cast always.
func (l *life) sure(percent int) bool { return l.of(percent) || l.cast }

// country is where the person lives at a time.
func (p *Person) country(at time.Time) string { return p.homes.at(at).Country }

func (p *Person) language() string {
	if p.French {
		return "fr"
	}
	return "en"
}

// uuid draws a UUID of version 4.
func (c chance) uuid() string {
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", c.Uint32(), c.IntN(1<<16), c.IntN(1<<12), 0x8000+c.IntN(0x4000), c.Uint64N(1<<48))
}
