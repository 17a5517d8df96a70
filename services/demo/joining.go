package demo

import (
	"fmt"
	"time"
)

// The sources of the workspace. The browser key's is web; the server key names the others.
const (
	web        = "web"
	shop       = "shop"
	tills      = "tills"
	app        = "app"
	crm        = "crm"
	callCentre = "callcentre"
	mailbox    = "mailbox"
	chat       = "chat"
	sms        = "sms"
	social     = "social"
	reviews    = "reviews"
	surveys    = "surveys"
)

// defaultNumber is what agents type where the form asks for a number and the customer gives none.
const defaultNumber = "01 99 00 00 01"

// join makes the person known: a record in the CRM, a card in a store, an account in the shop; and it tells each of them what
// changes in the person's life.
func (l *life) join() {
	l.enrol()
	if len(l.cards) > 0 {
		l.takeCard()
	}
	if l.userID != "" {
		l.openAccount()
	}
	l.update()
	if l.of(5) {
		l.duplicate()
	}
}

func (l *life) crm() account { return account{"crm_id", l.crmID} }

// enrol makes the CRM's record.
func (l *life) enrol() {
	at := l.since
	e := event{Type: "profile.identified", Source: crm, Channel: "crm", Country: l.country(at), Actor: &actor{Kind: "system"}, Account: l.crm(), Traits: l.traits(at)}
	e.Identifiers = append(e.Identifiers, identifier{Kind: "email", Value: l.reached(at)})
	switch n := l.IntN(100); {
	case n < 3 && l.country(at) == "FR" && !l.cast:
		e.Identifiers = append(e.Identifiers, identifier{Kind: "phone", Value: defaultNumber})
	case n < 76 || l.cast:
		e.Identifiers = append(e.Identifiers, identifier{Kind: "phone", Value: l.written(l.mobiles.at(at))})
	}
	if l.landline != "" && l.of(60) {
		e.Identifiers = append(e.Identifiers, identifier{Kind: "phone", Value: l.written(l.landline)})
	}
	if l.userID != "" && l.sure(45) {
		e.Identifiers = append(e.Identifiers, identifier{Kind: "user_id", Value: l.userID})
	}
	if len(l.cards) > 0 && l.of(35) {
		e.Identifiers = append(e.Identifiers, identifier{Kind: "card", Value: l.cards.at(at)})
	}
	l.tell(at, e)
}

// traits are what the CRM knows at a time.
func (l *life) traits(at time.Time) map[string]any {
	home := l.homes.at(at)
	t := map[string]any{
		"first_name": l.Given, "last_name": l.name(at), "title": l.title(), "language": l.language(),
		"street": home.Street, "postcode": home.Postcode, "city": home.City, "country": home.Country,
	}
	switch n := l.IntN(100); {
	case n < 3 && !l.asked:
		t["birth_date"] = "1900-01-01" // the form did not let the agent leave it out
	case n < 78 || l.asked:
		t["birth_date"] = l.Birth.Format(time.DateOnly)
	}
	if l.Maiden != "" && !at.Before(l.married) {
		t["birth_name"] = l.Maiden
	}
	return t
}

func (l *life) title() string {
	if l.French {
		return gendered(l.Woman, "Mme", "M.")
	}
	return gendered(l.Woman, "Ms", "Mr")
}

// takeCard signs up for the loyalty card in a store, and gets another one for a lost one.
func (l *life) takeCard() {
	at := l.since.Add(time.Duration(l.between(1, 40*24)) * time.Hour)
	if l.old {
		at = l.since.Add(time.Duration(l.between(1, 300)) * time.Minute)
	}
	at = opened(at)
	e := event{
		Type: "profile.identified", Source: tills, Channel: "store", Country: l.country(at), Account: account{"card", l.cards[0].value},
		Traits:     map[string]any{"first_name": l.Given, "last_name": l.name(at), "loyalty_tier": pick(l.chance, []string{"bronze", "bronze", "silver", "gold"})},
		Properties: map[string]any{"store": shopNear(l.homes.at(at)), "form": "paper"},
	}
	if l.sure(62) {
		e.Identifiers = append(e.Identifiers, identifier{Kind: "email", Value: l.reached(at)})
	}
	if l.of(55) {
		e.Identifiers = append(e.Identifiers, identifier{Kind: "phone", Value: l.written(l.mobiles.at(at))})
	}
	l.tell(at, e)
	for i := 1; i < len(l.cards); i++ {
		on, lost := l.cards[i].from, l.cards[i-1].value
		l.tell(on, event{
			Type: "profile.identified", Source: tills, Channel: "store", Country: l.country(on), Account: account{"card", l.cards[i].value}, Actor: &actor{Kind: "agent", ID: "till-04"},
			Identifiers: []identifier{{Kind: "card", Value: lost, SupersededBy: l.cards[i].value}},
			Traits:      map[string]any{"first_name": l.Given, "last_name": l.name(on)},
			Properties:  map[string]any{"store": shopNear(l.homes.at(on)), "reason": pick(l.chance, []string{"lost", "lost", "worn", "stolen"})},
		})
	}
}

// openAccount signs up on the web shop; the address is confirmed by a link.
func (l *life) openAccount() {
	at := l.since.Add(time.Duration(l.between(1, 50)) * time.Hour)
	l.tell(at, event{
		Type: "profile.identified", Source: shop, Channel: "web", Country: l.country(at), Account: account{"user_id", l.userID},
		Identifiers: []identifier{{Kind: "email", Value: l.emails.at(at)}},
		Traits:      map[string]any{"first_name": l.Given, "last_name": l.name(at), "language": l.language()},
	})
}

// update tells the CRM, and of a new address the shop too, what changed.
func (l *life) update() {
	changed := func(on time.Time, reason string, identifiers ...identifier) {
		l.tell(on, event{
			Type: "profile.identified", Source: crm, Channel: "crm", Country: l.country(on), Actor: &actor{Kind: "agent", ID: l.agentFor().id}, Account: l.crm(),
			Identifiers: identifiers, Traits: l.traits(on), Properties: map[string]any{"reason": reason},
		})
	}
	if l.Maiden != "" {
		changed(l.married.Add(time.Duration(l.between(3, 30))*24*time.Hour), "marriage")
	}
	if !l.moved.IsZero() {
		changed(l.moved.Add(time.Duration(l.between(1, 20))*24*time.Hour), "move")
	}
	for _, e := range l.emails[1:] {
		changed(e.from, "new e-mail", identifier{Kind: "email", Value: e.value})
		if l.userID != "" {
			l.tell(e.from.Add(9*time.Minute), event{
				Type: "profile.identified", Source: shop, Channel: "web", Country: l.country(e.from), Account: account{"user_id", l.userID},
				Identifiers: []identifier{{Kind: "email", Value: e.value}}, Traits: map[string]any{"first_name": l.Given, "last_name": l.name(e.from)},
			})
		}
	}
	for _, e := range l.mobiles[1:] {
		changed(e.from, "new mobile", identifier{Kind: "phone", Value: l.written(e.value)})
	}
}

// duplicate is a second record: an agent did not find the first one, and typed in a hurry.
func (l *life) duplicate() {
	at := office(l.since.AddDate(0, 0, l.between(30, 200)))
	home := l.homes.at(at)
	e := event{
		Type: "profile.identified", Source: crm, Channel: "crm", Country: home.Country, Actor: &actor{Kind: "agent", ID: l.agentFor().id},
		Account:     account{"crm_id", fmt.Sprintf("C-9%05d", l.Index*7)},
		Identifiers: []identifier{{Kind: "phone", Value: l.written(l.mobiles.at(at))}},
		Traits: map[string]any{
			"first_name": l.Given, "last_name": l.mistyped(l.name(at)), "street": home.typed(), "postcode": home.Postcode, "city": capital(home.City),
		},
	}
	if l.of(40) {
		e.Identifiers = append(e.Identifiers, identifier{Kind: "email", Value: l.mistypedAddress(l.emails.at(at))})
	}
	l.tell(at, e)
}

// consent records what the person allows: on paper, by a link in an e-mail, on the telephone.
func (l *life) consent() {
	at := l.since.Add(time.Duration(l.between(10, 4000)) * time.Minute)
	version := map[bool]string{true: "2025-03", false: "2025-03-en"}[l.French]
	switch n := l.IntN(100); {
	case n < 52 || l.cast:
		proof := fmt.Sprintf("double opt-in %s, link opened", at.Format(time.DateOnly))
		if len(l.cards) > 0 && l.of(40) {
			proof = fmt.Sprintf("paper form %05d, %s", l.IntN(100_000), shopNear(l.homes.at(at)))
		}
		address := l.emails.at(at)
		l.allow(at, consent{"email", address, "email", "newsletter", "granted", "consent", version, proof})
		if l.of(18) && !l.cast {
			l.allow(at.AddDate(0, 0, l.between(40, 300)), consent{"email", address, "email", "newsletter", "withdrawn", "consent", version, "unsubscribe link"})
		}
		// A grant holds for its address: a new one needs its own.
		for _, e := range l.emails[1:] {
			if again := e.from.AddDate(0, 0, l.between(1, 9)); l.sure(40) && again.After(at) {
				l.allow(again, consent{"email", e.value, "email", "newsletter", "granted", "consent", version, fmt.Sprintf("double opt-in %s, link opened", again.Format(time.DateOnly))})
			}
		}
	case n < 70:
		l.allow(at, consent{"email", l.emails.at(at), "email", "newsletter", "denied", "consent", version, ""})
	}
	if l.of(30) {
		at = at.AddDate(0, 0, l.between(0, 60))
		phone := l.mobiles.at(at)
		l.allow(at, consent{"phone", phone, "sms", "offers", "granted", "consent", version, "ticked at checkout, order form v7"})
		l.offers(at, phone, version)
	}
	if l.of(12) {
		l.allow(at.AddDate(0, 0, 2), consent{"", "", "web", "personalisation", pick(l.chance, []string{"denied", "denied", "withdrawn"}), "consent", version, ""})
	}
}

func (l *life) allow(at time.Time, c consent) {
	who, source, channel := l.crm(), crm, "crm"
	if l.userID != "" && c.Channel != "sms" {
		who, source, channel = account{"user_id", l.userID}, shop, "web"
	}
	l.tell(at, event{Type: "consent.recorded", Source: source, Channel: channel, Country: l.country(at), Account: who, Consents: []consent{c}})
}

// offers are the two sales a year by SMS, until the customer has had enough.
func (l *life) offers(from time.Time, phone, version string) {
	for _, sale := range []time.Time{day(2025, 6, 25), day(2026, 1, 6), day(2026, 6, 23)} {
		at := sale.Add(time.Duration(l.IntN(5400)) * time.Second)
		if at.Before(from) || l.mobiles.at(at) != phone {
			continue
		}
		t := &topic{person: l.Person, at: at}
		l.text(at, &actor{Kind: "brand", ID: "Maison Garance"}, t.fill(pick(l.chance, l.voice().sale)))
		if l.of(20) {
			at = at.Add(time.Duration(l.between(2, 600)) * time.Minute)
			l.text(at, nil, pick(l.chance, l.voice().stop))
			l.allow(at.Add(time.Second), consent{"phone", phone, "sms", "offers", "withdrawn", "consent", version, "STOP by SMS"})
			return
		}
	}
}

// text is an SMS: of the customer, or of whoever acts.
func (l *life) text(at time.Time, by *actor, text string) {
	phone := l.mobiles.at(at)
	thread := "sms-" + phone[len(phone)-9:]
	e := event{
		Type: "message.sent", Source: sms, Channel: "sms", Country: l.country(at), Actor: by, Account: account{"conversation_id", thread},
		Identifiers: []identifier{{Kind: "phone", Value: phone}}, Conversation: thread, Text: text, Language: l.language(),
	}
	if by == nil {
		e.Type, e.Actor = "message.received", &actor{Kind: "customer"}
	}
	l.tell(at, e)
}

// office moves a time into the customer service's hours: Monday to Saturday, 8 to 19.
func office(at time.Time) time.Time {
	switch h := at.Hour(); {
	case h >= 19:
		at = at.Add(time.Duration(24-h+8) * time.Hour)
	case h < 8:
		at = at.Add(time.Duration(8-h) * time.Hour)
	}
	if at.Weekday() == time.Sunday {
		at = at.AddDate(0, 0, 1)
	}
	return at
}

// opened moves a time into a store's hours: Monday to Saturday, 10 to 19.
func opened(at time.Time) time.Time {
	at = office(at)
	if at.Hour() < 10 {
		at = at.Add(2 * time.Hour)
	}
	return at
}
