package demo

import "time"

// cast makes the people whom the example queries and the documentation speak of.
func (s *settle) cast() {
	s.lefevre()
	s.marchand()
	s.fontaine()
	s.whitfield()
	// Three of one name who have nothing to do with each other, in two languages.
	for _, city := range []string{"Paris", "Lille", "Marseille"} {
		s.move(city)
		s.french = true
		s.named("Marie", "Martin", true, 1961+s.IntN(30)).old = true
	}
	for _, city := range []string{"London", "Manchester"} {
		s.move(city)
		s.french = false
		s.named("John", "Taylor", false, 1955+s.IntN(30)).old = true
	}
	s.residence()
	s.atelier()
}

// only sets the one address that somebody has from the beginning.
func (s *settle) only(p *Person, address string) {
	s.taken[address] = true
	p.emails = once(address)
}

// lefevre is a couple from Paris. Camille Moreau moves to Lyon with Thomas Lefèvre and takes his name; they share a mailbox. She
// loses her card, complains about a parcel, and tells us what she thinks.
func (s *settle) lefevre() {
	s.move("Paris")
	s.french = true
	camille, thomas := s.named("Camille", "Moreau", true, 1991), s.named("Thomas", "Lefèvre", false, 1989)
	s.only(camille, "camille.moreau@courriel.example")
	s.only(thomas, "thomas.lefevre@courriel.example")
	s.taken["camille.lefevre@courriel.example"] = true
	wedding := time.Date(2026, 6, 20, 14, 30, 0, 0, time.UTC)
	camille.Maiden, camille.Family, camille.married = "Moreau", "Lefèvre", wedding
	camille.names = append(camille.names, entry[string]{wedding, "Lefèvre"})
	camille.emails = append(camille.emails, entry[string]{wedding.AddDate(0, 0, 16), "camille.lefevre@courriel.example"})
	home := s.addressIn(cityNamed("Lyon"))
	for _, p := range []*Person{camille, thomas} {
		p.old, p.cast, p.asked, p.zeal, p.mood = true, true, true, 7, 2
		p.since = Begin.Add(26 * time.Hour).Add(time.Duration(p.Index) * 7 * time.Minute)
		p.userID = map[bool]string{true: "7309001", false: "7309002"}[p == camille]
		p.cards = once(card(p.Index))
		p.work, p.twitter = "", ""
		p.move(time.Date(2026, 4, 3, 9, 0, 0, 0, time.UTC), home)
	}
	camille.device, camille.twitter = s.uuid(), "camille_mrl"
	camille.replaceCard(time.Date(2026, 2, 11, 16, 12, 0, 0, time.UTC))
	s.shareMailbox([]*Person{camille, thomas}, "famille.lefevre@courriel.example")
	s.taken["famille.lefevre@courriel.example"] = true
	camille.plots = []plot{
		{day(2025, 11, 21), late, "email", true, true}, {day(2026, 4, 9), changes, "phone", false, false}, {day(2026, 7, 22), exchange, "chat", false, false}, {day(2026, 9, 15), praise, "email", false, false},
	}
	thomas.plots = []plot{{day(2026, 1, 12), damaged, "email", true, false}, {day(2026, 3, 17), invoice, "chat", false, false}, {day(2026, 8, 26), refund, "phone", true, false}}
}

func day(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 9, 24, 36, 120_000_000, time.UTC)
}

// marchand is a father and a son of one name in one house.
func (s *settle) marchand() {
	s.move("Bordeaux")
	s.french = true
	s.named("Philippe", "Marchand", false, 1958)
	s.named("Philippe", "Marchand", false, 1987)
	s.named("Martine", "Marchand", true, 1960)
	line := s.landline(s.home)
	for _, p := range s.members() {
		p.old, p.cast, p.asked, p.landline = true, true, true, line
	}
}

// fontaine are twins and their mother.
func (s *settle) fontaine() {
	s.move("Nantes")
	s.french = true
	birth := s.named("Léa", "Fontaine", true, 2001).Birth
	s.named("Zoé", "Fontaine", true, 2001).Birth = birth
	s.named("Nathalie", "Fontaine", true, 1970)
	s.shareMailbox(s.members(), "")
	for _, p := range s.members() {
		p.old, p.cast, p.asked = true, true, true
	}
}

// whitfield is a couple from London with a shared mailbox and a replaced card.
func (s *settle) whitfield() {
	s.move("London")
	s.french = false
	s.named("James", "Whitfield", false, 1978)
	s.named("Emma", "Whitfield", true, 1980)
	members := s.members()
	s.only(members[0], "james.whitfield@inbox.example")
	s.only(members[1], "emma.whitfield@inbox.example")
	s.shareMailbox(members, "the.whitfields@inbox.example")
	for _, p := range members {
		p.old, p.cast, p.asked, p.zeal = true, true, true, 5
		p.cards = once(card(p.Index))
		if p.userID == "" {
			p.userID = map[bool]string{true: "7309004", false: "7309003"}[p.Woman]
		}
	}
	members[0].replaceCard(time.Date(2026, 1, 19, 11, 40, 0, 0, time.UTC))
	members[0].plots = []plot{{day(2026, 1, 23), loyalty, "email", false, false}}
	members[1].plots = []plot{{day(2025, 12, 11), lost, "phone", true, true}, {day(2026, 5, 6), stock, "chat", false, false}}
}

// residence is a retirement home whose 40 residents all give the reception's address and telephone number: values that are of no use
// to tell who is who.
func (s *settle) residence() {
	const address = "accueil@residence-les-tilleuls.example"
	s.move("Rennes")
	s.french = true
	line := s.landline(s.home)
	home := s.home
	for i := range 40 {
		if i > 0 {
			s.household++
		}
		p := s.named(givenName(s.chance, true, i%3 != 0, 1938), common(s.chance, familyFR), i%3 != 0, 1931+s.IntN(18))
		p.emails, p.landline, p.mailbox = once(address), line, ""
		p.homes = once(home)
		p.userID, p.device, p.tablet, p.work, p.twitter, p.instagram = "", "", "", "", "", ""
		p.zeal = min(p.zeal, 3)
	}
	s.taken[address] = true
}

// atelier is a workshop whose six people order under one address.
func (s *settle) atelier() {
	s.move("Lyon")
	s.french = true
	first := len(s.people)
	for i := range 6 {
		if i > 0 {
			s.household++
		}
		s.person(i%2 == 0, 1968+s.IntN(30), familyName(s.chance, true))
	}
	for i := first; i < len(s.people); i++ {
		s.people[i].mailbox = "contact@atelier-vasseur.example"
	}
	s.taken["contact@atelier-vasseur.example"] = true
}
