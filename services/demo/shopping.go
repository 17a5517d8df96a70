package demo

import (
	"fmt"
	"time"
)

// order is one purchase.
type order struct {
	id        string
	at, due   time.Time
	delivered time.Time // zero if it was not by the end of the workspace
	first     *product
	size      string
	cents     int
	channel   string // web, app, store
}

// season draws a moment from a day on: more often before Christmas and in the sales of January and June.
func (l *life) season(from time.Time) time.Time {
	days := int(End.Sub(from).Hours()/24) - 1
	if days < 1 {
		return End.Add(-time.Hour)
	}
	for {
		at := from.Truncate(24*time.Hour).AddDate(0, 0, 1+l.IntN(days)).Add(l.opening())
		weight := 55
		switch at.Month() {
		case time.November, time.December:
			weight = 100
		case time.January, time.June:
			weight = 80
		case time.August:
			weight = 38
		}
		if l.of(weight) {
			return at
		}
	}
}

// shop places the person's orders, on whatever channel they come, and lets what goes wrong go wrong.
func (l *life) shop() {
	for range l.zeal {
		at := l.season(l.since)
		channel := "web"
		_, near := shops[l.homes.at(at).City]
		switch n := l.IntN(100); {
		case near && n < 32:
			channel, at = "store", opened(at)
		case l.device != "" && n < 60:
			channel = "app"
		}
		o := l.buy(at, channel, nil)
		l.react(o)
	}
	for _, p := range l.plots {
		l.follow(p)
	}
}

// number is that of the next order: unique, and no counter that tells how many there are.
func (l *life) number() string {
	l.orders++
	return fmt.Sprintf("MG1%05d", ((l.Index*48+l.orders)*7919)%99_991)
}

// buy places an order. A product other than nil is its first.
func (l *life) buy(at time.Time, channel string, wanted *product) *order {
	o := &order{id: l.number(), at: at, channel: channel, first: wanted}
	if o.first == nil {
		o.first = &catalogue[l.IntN(len(catalogue))]
	}
	country := l.country(at)
	var lines []map[string]any
	add := func(p *product) {
		quantity := 1
		if l.of(14) {
			quantity = 2
		}
		line := map[string]any{"sku": p.sku, "name": p.name(l.French), "quantity": quantity, "price": decimal(p.price(country))}
		if p.sized {
			size := pick(l.chance, sizesOf(p))
			line["size"] = size
			if o.size == "" {
				o.size = size
			}
		}
		lines = append(lines, line)
		o.cents += quantity * p.price(country)
	}
	add(o.first)
	for l.of(28) && len(lines) < 4 {
		add(&catalogue[l.IntN(len(catalogue))])
	}
	properties := map[string]any{"items": lines}
	if at.Month() == time.January || at.Month() == time.June {
		o.cents = o.cents * 8 / 10
		properties["promotion"] = map[time.Month]string{time.January: "SOLDES-HIVER", time.June: "SOLDES-ETE"}[at.Month()]
	}
	e := event{Type: "order.placed", Country: country, Entity: o.id, Amount: decimal(o.cents), Currency: currency(country), Properties: properties}
	if channel == "store" {
		l.pay(o, e)
		return o
	}
	l.checkout(o, e)
	return o
}

func sizesOf(p *product) []string {
	if p.category == "bedding" {
		return beddingSizes
	}
	return clothesSizes
}

// pay is a purchase at a till: with the card, or with the address for the receipt, or with neither.
func (l *life) pay(o *order, e event) {
	o.delivered = o.at
	e.Source, e.Channel = tills, "store"
	e.Properties["store"] = shopNear(l.homes.at(o.at))
	switch {
	case len(l.cards) > 0 && l.of(88):
		e.Account = account{"card", l.cards.at(o.at)}
	default:
		e.Account = account{"record_id", "receipt-" + o.id}
		if l.of(55) {
			e.Identifiers = []identifier{{Kind: "email", Value: l.reached(o.at), Assurance: "declared"}}
		}
	}
	l.tell(o.at, e)
}

// checkout is an order on the web or in the app: the visit before it, the order, and its delivery.
func (l *life) checkout(o *order, e event) {
	e.Source, e.Channel = shop, o.channel
	e.Identifiers = []identifier{{Kind: "email", Value: l.reached(o.at)}, {Kind: "order_id", Value: o.id}}
	if l.of(35) {
		e.Identifiers = append(e.Identifiers, identifier{Kind: "phone", Value: l.written(l.mobiles.at(o.at))})
	}
	home := l.homes.at(o.at)
	e.Properties["delivery"] = pick(l.chance, []string{"home", "home", "home", "relay", "store"})
	e.Properties["city"] = home.City
	if l.userID != "" {
		e.Account = account{"user_id", l.userID}
	} else {
		e.Account = account{"record_id", "guest-" + o.id}
		e.Traits = map[string]any{"first_name": l.Given, "last_name": l.name(o.at), "street": home.Street, "postcode": home.Postcode, "city": home.City}
	}
	if o.channel == "app" {
		l.tap(o.at.Add(-4*time.Minute), o.first)
	} else {
		l.visit(o.at.Add(-time.Duration(l.between(8, 25))*time.Minute), o.first, true)
	}
	l.tell(o.at, e)
	o.due = o.at.AddDate(0, 0, l.between(3, 6)).Truncate(24 * time.Hour)
	o.delivered = o.due.Add(time.Duration(l.between(8*60, 18*60)) * time.Minute)
}

// deliver ends an order, with a message the day before.
func (l *life) deliver(o *order) {
	if o.channel == "store" || !o.delivered.Before(End) {
		return
	}
	t := l.topic(o, praise, o.at)
	t.due = o.delivered // the carrier knows by then
	if l.of(30) {
		l.text(o.delivered.Add(-20*time.Hour), &actor{Kind: "brand", ID: "Maison Garance"}, t.fill(pick(l.chance, l.voice().shipped)))
	}
	who := account{"user_id", l.userID}
	if l.userID == "" {
		who = account{"record_id", "guest-" + o.id}
	}
	l.tell(o.delivered, event{
		Type: "order.delivered", Source: shop, Channel: o.channel, Country: l.country(o.at), Actor: &actor{Kind: "brand", ID: pick(l.chance, []string{"colis-rapide", "postal", "relais-plus"})}, Account: who,
		Identifiers: []identifier{{Kind: "order_id", Value: o.id}}, Entity: o.id,
	})
}

// topic is what a contact about an order is about.
func (l *life) topic(o *order, what theme, at time.Time) *topic {
	t := &topic{person: l.Person, theme: what, at: at, product: o.first, order: o.id, ordered: o.at, due: o.due, cents: o.cents, size: o.size, agent: l.agentFor(), email: l.emails.at(at), country: l.country(o.at)}
	if o.due.IsZero() {
		t.due = o.at
	}
	if len(l.cards) > 0 {
		t.card = l.cards.at(at)
	}
	return t
}
