package demo

import (
	"time"
)

// page is one of the web shop.
type page struct{ path, fr, en string }

var (
	entrances = []page{{"/", "Accueil", "Home"}, {"/nouveautes", "Nouveautés", "New in"}, {"/soldes", "Soldes", "Sale"}, {"/guides/linge-de-lit", "Bien choisir son linge de lit", "Choosing bed linen"}}
	sections  = map[string]page{
		"home": {"/decoration", "Décoration", "Decoration"}, "lighting": {"/luminaires", "Luminaires", "Lighting"}, "bedding": {"/linge-de-lit", "Linge de lit", "Bed linen"}, "table": {"/table", "Art de la table", "Tableware"},
		"furniture": {"/meubles", "Meubles", "Furniture"}, "clothes": {"/vetements", "Vêtements", "Clothes"}, "accessories": {"/accessoires", "Accessoires", "Accessories"},
	}
	userAgents = []string{
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Linux; Android 15; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/136.0.0.0 Mobile Safari/537.36",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15",
	}
	referrers = []string{"https://search.example/", "https://search.example/", "https://social.example/", "https://magazine-deco.example/selection", ""}
)

func (p page) title(french bool) string { return gendered(french, p.fr, p.en) }

// browser is an anonymous id: one of the person's own, or the household's tablet.
func (l *life) browser() (id string, shared bool) {
	if l.tablet != "" && l.of(25) {
		return l.tablet, true
	}
	if len(l.browsers) == 0 || len(l.browsers) < 3 && l.of(15) {
		l.browsers = append(l.browsers, l.uuid())
	}
	return pick(l.chance, l.browsers), false
}

// visit is one visit to the web shop: anonymous, and known from where the customer signs in. Who buys mostly does.
func (l *life) visit(at time.Time, p *product, buys bool) {
	device, _ := l.browser()
	agent := userAgents[(l.Index+len(device)+int(device[0]))%len(userAgents)]
	locale := gendered(l.French, "fr-FR", "en-GB")
	referrer, user := pick(l.chance, referrers), ""
	context := func(where page) map[string]any {
		c := map[string]any{
			"locale": locale, "userAgent": agent, "library": map[string]string{"name": "analytics.js", "version": "next-1.76.0"},
			"page": map[string]string{"path": where.path, "title": where.title(l.French) + " – Maison Garance", "url": "https://www.maison-garance.example" + where.path, "referrer": referrer},
		}
		referrer = "https://www.maison-garance.example" + where.path
		return c
	}
	next := func() time.Time {
		at = at.Add(time.Duration(l.between(9_000, 70_000)) * time.Millisecond)
		return at
	}
	view := func(where page) {
		l.browse(next(), call{Type: "page", AnonymousID: device, UserID: user, Name: where.title(l.French), Properties: map[string]any{"path": where.path}, Context: context(where)})
	}
	if l.of(20) {
		view(pick(l.chance, entrances))
	}
	section := sections[p.category]
	if l.of(30) {
		view(section)
	}
	item := page{section.path + "/" + p.sku, capital(p.fr), capital(p.en)}
	view(item)
	if buys || l.of(16) {
		l.browse(next(), call{
			Type: "track", AnonymousID: device, UserID: user, Event: "Product Added",
			Properties: map[string]any{"product_id": p.sku, "name": p.name(l.French), "category": p.category, "price": decimal(p.price(l.country(at))), "currency": currency(l.country(at))}, Context: context(item),
		})
	}
	if l.userID != "" && l.of(map[bool]int{true: 72, false: 12}[buys]) {
		user = l.userID
		l.browse(next(), call{
			Type: "identify", AnonymousID: device, UserID: user, Traits: map[string]any{"email": l.emails.at(at), "firstName": l.Given, "lastName": l.name(at)},
			Context: context(page{"/compte/connexion", "Connexion", "Sign in"}),
		})
	}
	if buys && l.of(60) {
		view(page{"/panier", "Panier", "Basket"})
	}
}

// stroll looks around without buying, on the web and in the app.
func (l *life) stroll() {
	visits := l.between(0, 2) + l.zeal/4
	for range visits {
		l.visit(l.season(l.since), &catalogue[l.IntN(len(catalogue))], false)
	}
	if l.device == "" {
		return
	}
	for range l.between(0, 3) {
		l.tap(l.season(l.since), &catalogue[l.IntN(len(catalogue))])
	}
}

// tap is a visit in the app, which hands its events to its own server.
func (l *life) tap(at time.Time, p *product) {
	who, signedIn := account{"device_id", l.device}, l.of(80)
	if signedIn {
		who = account{"user_id", l.userID}
	}
	e := event{Source: app, Channel: "app", Country: l.country(at), Account: who, Identifiers: []identifier{{Kind: "device_id", Value: l.device}}}
	open := e
	open.Type, open.Name, open.Properties = "track.performed", "Application Opened", map[string]any{"version": pick(l.chance, []string{"4.2.0", "4.3.1", "4.4.0"}), "os": pick(l.chance, []string{"ios", "android"})}
	l.tell(at, open)
	look := e
	look.Type, look.Name, look.Properties = "page.viewed", capital(p.name(l.French)), map[string]any{"product_id": p.sku, "category": p.category}
	l.tell(at.Add(time.Duration(l.between(15, 90))*time.Second), look)
	if signedIn && l.of(20) {
		like := e
		like.Type, like.Name, like.Properties = "track.performed", "Product Added to Wishlist", map[string]any{"product_id": p.sku}
		l.tell(at.Add(time.Duration(l.between(95, 180))*time.Second), like)
	}
}
