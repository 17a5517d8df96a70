package envelope

import (
	"fmt"
	"math/rand"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// corpus makes typical events of a French and English retailer, on every channel. One seed gives one corpus, for ever: the
// dictionary was trained on it, and is measured on another seed's.
type corpus struct{ r *rand.Rand }

func newCorpus(seed int64) *corpus { return &corpus{rand.New(rand.NewSource(seed))} }

func (c *corpus) pick(words ...string) string { return words[c.r.Intn(len(words))] }

func (c *corpus) list(words string) string { return c.pick(strings.Split(words, "|")...) }

func (c *corpus) digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + c.r.Intn(10))
	}
	return string(b)
}

func (c *corpus) hex(n int) string {
	const digits = "0123456789abcdef"
	b := make([]byte, n)
	for i := range b {
		b[i] = digits[c.r.Intn(16)]
	}
	return string(b)
}

func (c *corpus) uuid() string {
	return c.hex(8) + "-" + c.hex(4) + "-4" + c.hex(3) + "-" + c.pick("8", "9", "a", "b") + c.hex(3) + "-" + c.hex(12)
}

func (c *corpus) money() string { return fmt.Sprintf("%d.%02d", 1+c.r.Intn(400), c.r.Intn(100)) }

func (c *corpus) time() string {
	return fmt.Sprintf("20%02d-%02d-%02dT%02d:%02d:%02d.%03dZ", 24+c.r.Intn(4), 1+c.r.Intn(12), 1+c.r.Intn(28), c.r.Intn(24), c.r.Intn(60), c.r.Intn(60), c.r.Intn(1000))
}

const (
	firstNames = "Marie|Jean|Camille|Thomas|Léa|Nicolas|Chloé|Julien|Manon|Antoine|Sophie|Pierre|Inès|Mehdi|Emma|James|Olivia|Harry|Amelia|George|Emily|Jack|Charlotte|William|Fatima|Nguyen"
	lastNames  = "Martin|Bernard|Dubois|Thomas|Robert|Richard|Petit|Durand|Leroy|Moreau|Simon|Laurent|Lefebvre|Michel|Garcia|Smith|Jones|Taylor|Brown|Williams|Wilson|Johnson|Davies|Patel|Wright"
	mailHosts  = "gmail.com|orange.fr|free.fr|wanadoo.fr|hotmail.fr|hotmail.com|outlook.com|yahoo.fr|yahoo.com|laposte.net|sfr.fr|icloud.com|live.fr|btinternet.com|example.org"
	cities     = "Paris|Lyon|Marseille|Toulouse|Nantes|Bordeaux|Lille|Rennes|Strasbourg|Montpellier|London|Manchester|Birmingham|Leeds|Bristol|Edinburgh"
	categories = "Games|Kitchen|Garden|Books|Audio|Outdoor|Jeux|Cuisine|Jardin|Livres|Maison|Mode|Chaussures|Électroménager|Beauté|Sport|Bricolage|Literie"
	brands     = "Hasbro|Lodge|Fiskars|Penguin|Sennheiser|Patagonia|Moulinex|Le Creuset|Petit Bateau|Lego|Bosch|Philips|Samsung|Sony|Quechua"
	products   = "Monopoly: 3rd Edition|Cast Iron Skillet 26cm|Bypass Pruner|Dune, hardcover|HD 560S Headphones|Nano Puff Jacket|Cocotte en fonte 24 cm|Robot pâtissier|Aspirateur sans fil|Veste imperméable|Chaussures de randonnée|Cafetière à piston|Couette 220x240|Perceuse visseuse 18V"
	agents     = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36|Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36|Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15|Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36|Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0|Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0|Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36|Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36|Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1|analytics-node/3.1.0|analytics-go (version: 3.0.0)|okhttp/4.12.0|python-requests/2.32.3"
	libraries  = "analytics.js 2.11.1|npm:next-1.81.0|@segment/analytics-node 3.1.0|analytics-go 3.3.0|RudderLabs JavaScript SDK 3.7.1|analytics-android 4.11.3|analytics-swift 1.6.2"
)

// sentences of customers and agents; a message is a few of them.
var sentences = []string{
	"Bonjour, je n'ai toujours pas reçu ma commande.", "Bonjour, où en est ma livraison ?", "Je souhaite annuler ma commande.",
	"Le colis est arrivé endommagé.", "J'attends un remboursement depuis trois semaines.", "C'est inadmissible, je ne commanderai plus chez vous.",
	"Pouvez-vous me rappeler au plus vite ?", "Le service client ne répond jamais au téléphone.", "Merci pour votre réponse rapide !",
	"Très satisfaite de mon achat, je recommande.", "La taille ne correspond pas, comment faire un échange ?", "Votre site affiche une erreur au moment du paiement.",
	"Je vous remercie de votre retour.", "Nous sommes désolés pour ce désagrément.", "Votre demande a bien été prise en compte.",
	"Un conseiller va vous répondre dans les meilleurs délais.", "Pourriez-vous nous communiquer votre numéro de commande ?", "Cordialement, le service client",
	"Bonne journée,", "Je vous prie d'agréer, Madame, Monsieur, mes salutations distinguées.", "J'ai été débité deux fois.", "Le produit ne fonctionne plus après deux jours d'utilisation.",
	"Hello, I still haven't received my order.", "Where is my parcel?", "I would like to cancel my order please.", "The item arrived damaged.",
	"I have been waiting for a refund for three weeks.", "This is unacceptable, I want to speak to a manager.", "Can someone call me back as soon as possible?",
	"Nobody answers the phone.", "Thank you for your quick reply!", "Very happy with my purchase, would recommend.", "The size does not fit, how can I exchange it?",
	"Your website shows an error at checkout.", "We are sorry for the inconvenience.", "Your request has been received and a member of our team will reply shortly.",
	"Could you please give us your order number?", "Kind regards, Customer Service", "Have a nice day,", "I was charged twice.", "It stopped working after two days.",
	"Great product, fast delivery.", "Worst customer service ever.", "Please DM us your order number and we will look into it.",
}

func (c *corpus) text() string {
	n := 1 + c.r.Intn(4)
	out := make([]string, n)
	for i := range out {
		out[i] = sentences[c.r.Intn(len(sentences))]
	}
	return strings.Join(out, " ")
}

func (c *corpus) base(channel schema.Channel, typ schema.Type, actor schema.Actor, mapping string) schema.Event {
	var e schema.Event
	e.Version, e.Workspace, e.Source = 1, "main", c.pick("shop", "site", "crm", "callcenter", "mailbox")
	c.r.Read(e.ID[:])
	c.r.Read(e.Persona[:])
	e.Key = schema.KeyID{Class: "standard", Year: 2026}
	e.OccurredAt = schema.Instant(1_780_000_000_000_000 + c.r.Int63n(1e12))
	e.ReceivedAt = e.OccurredAt + schema.Instant(c.r.Int63n(1e7))
	e.Channel, e.Type, e.Actor = channel, typ, actor
	e.Provenance = schema.Provenance{
		Trust: schema.Trust(1 + c.r.Intn(2)), MessageID: c.uuid(), Mapping: mapping, Country: c.pick("FR", "FR", "GB", "US", "BE"), TimeStatement: c.time(),
	}
	return e
}

func (c *corpus) person() (first, last, email, phone string) {
	first, last = c.list(firstNames), c.list(lastNames)
	plain := strings.NewReplacer("é", "e", "è", "e", " ", "").Replace(strings.ToLower(first + c.pick(".", "", "-", "_") + last))
	email = plain + c.pick("", "", c.digits(2)) + "@" + c.list(mailHosts)
	phone = c.pick("06"+c.digits(8), "+336"+c.digits(8), "+447"+c.digits(9), "01"+c.digits(8))
	return first, last, email, phone
}

// event makes the next event.
func (c *corpus) event() schema.Event {
	kind := c.r.Intn(100)
	switch {
	case kind < 45:
		return c.tracked()
	case kind < 55:
		return c.viewed()
	case kind < 65:
		return c.identified()
	case kind < 78:
		return c.message()
	case kind < 84:
		return c.call()
	case kind < 92:
		return c.order()
	case kind < 96:
		return c.review()
	default:
		return c.consent()
	}
}

func (c *corpus) web(e *schema.Event) {
	anonymous := c.uuid()
	e.Account = schema.Account{Kind: "anonymous_id", Value: anonymous}
	if c.r.Intn(2) == 0 {
		id := c.pick("user-", "u_", "", "C") + c.digits(6)
		e.Account = schema.Account{Kind: "user_id", Value: id}
		e.Identifiers = append(e.Identifiers, schema.Identifier{Kind: "user_id", Value: id, Assurance: schema.AssuranceVerified})
	}
	e.Identifiers = append(e.Identifiers, schema.Identifier{Kind: "anonymous_id", Value: anonymous, Assurance: schema.AssuranceDeclared})
	e.Provenance.Library, e.Provenance.UserAgent = c.list(libraries), c.list(agents)
}

// context is a member "$context" as SDKs for browsers, servers and phones send it, with the comma after it.
func (c *corpus) context() string {
	path := c.pick("/p/", "/produit/", "/product/", "/c/") + strings.ToLower(c.hex(1)) + "-" + c.digits(3)
	locale, agent := c.pick("fr-FR", "en-GB", "en-US", "fr-BE", "de-DE", "ja-JP"), c.list(agents)
	switch c.r.Intn(5) {
	case 0:
		return fmt.Sprintf(`"$context":{"library":{"name":%q,"version":"3.1.0"}},`, c.pick("@segment/analytics-node", "analytics-go", "analytics-python"))
	case 1:
		return fmt.Sprintf(`"$context":{"app":{"build":"%s","name":"Shop","namespace":"com.example.shop","version":"5.%d.0"},"device":{"id":%q,"manufacturer":%q,"model":%q,"type":%q},"library":{"name":%q,"version":"4.11.3"},"locale":%q,"network":{"carrier":"Orange F","cellular":true,"wifi":false},"os":{"name":%q,"version":"%d"},"screen":{"height":2340,"width":1080},"timezone":"Europe/Paris"},`,
			c.digits(4), c.r.Intn(20), c.uuid(), c.pick("Apple", "Samsung", "Google"), c.pick("iPhone16,1", "SM-S911B", "Pixel 9"), c.pick("ios", "android"), c.pick("analytics-android", "analytics-swift"), locale, c.pick("iOS", "Android"), 13+c.r.Intn(6))
	case 2, 3:
		return fmt.Sprintf(`"$context":{"ip":"203.0.113.%d","library":{"name":"RudderLabs JavaScript SDK","version":"3.7.1"},"locale":%q,"page":{"path":%q},"userAgent":%q},"$event":{"channel":"web"},`,
			c.r.Intn(256), locale, path, agent)
	}
	return fmt.Sprintf(`"$context":{"campaign":{"medium":%q,"name":%q,"source":%q},"ip":"203.0.113.%d","library":{"name":"analytics.js","version":"npm:next-1.81.0"},"locale":%q,"page":{"path":%q,"referrer":%q,"search":"","title":%q,"url":"https://www.example.com%s"},"timezone":%q,"userAgent":%q,"userAgentData":{"brands":[{"brand":"Chromium","version":"142"},{"brand":"Google Chrome","version":"142"},{"brand":"Not_A Brand","version":"99"}],"mobile":false,"platform":%q}},`,
		c.pick("cpc", "email", "social"), c.pick("soldes", "noel", "black_friday"), c.pick("google", "newsletter", "facebook"), c.r.Intn(256), locale, path,
		c.pick("", "https://www.google.com/", "https://www.google.fr/", "https://www.facebook.com/"), c.list(products), path, c.pick("Europe/Paris", "Europe/London", "America/New_York"), agent, c.pick("Windows", "macOS", "Android", "Linux"))
}

func (c *corpus) tracked() schema.Event {
	e := c.base(schema.ChannelWeb, schema.TypeTrackPerformed, schema.ActorCustomer, "segment")
	c.web(&e)
	e.Name = c.list("Product Viewed|Product Added|Product Removed|Product Clicked|Product List Viewed|Checkout Started|Checkout Step Completed|Order Completed|Cart Viewed|Coupon Applied|Products Searched|Payment Info Entered|Signed Up|Email Opened|Promotion Clicked")
	product := fmt.Sprintf(`"brand":%q,"category":%q,"currency":%q,"name":%q,"price":%s,"product_id":"%s","quantity":%d,"sku":"%c-%s"}`,
		c.list(brands), c.list(categories), c.pick("EUR", "EUR", "USD", "GBP"), c.list(products), c.money(), c.hex(12), 1+c.r.Intn(9), 'A'+rune(c.r.Intn(26)), c.digits(3))
	switch c.r.Intn(6) {
	case 0:
		e.Type, e.Name, e.Amount, e.Currency = schema.TypeOrderPlaced, "Order Completed", c.money(), "EUR"
		e.Entity = "CMD-" + c.digits(7)
		e.Properties = fmt.Appendf(nil, `{%s"affiliation":"site","coupon":"","currency":"EUR","discount":0,"order_id":%q,"products":[{%s],"revenue":%s,"shipping":4.9,"tax":%s,"total":%s}`, c.context(), e.Entity, product, e.Amount, c.money(), e.Amount)
	case 1:
		e.Properties = []byte("{" + product)
	default:
		e.Properties = []byte("{" + c.context() + product)
	}
	return e
}

func (c *corpus) viewed() schema.Event {
	e := c.base(schema.ChannelWeb, schema.TypePageViewed, schema.ActorCustomer, "segment")
	c.web(&e)
	e.Name = c.pick("Home", "Accueil", "Produit", "Panier", "Mon compte", "Contact", "Cart", "Checkout")
	e.Properties = fmt.Appendf(nil, `{%s"name":%q,"path":"/%s","referrer":%q,"search":"?utm_source=%s&utm_medium=%s&utm_campaign=%s","title":%q,"url":"https://www.example.com/%s"}`,
		c.context(), e.Name, strings.ToLower(e.Name), c.pick("", "https://www.google.com/", "https://www.bing.com/"), c.pick("google", "newsletter", "facebook"), c.pick("cpc", "email", "social"), c.pick("soldes", "noel", "rentree", "black_friday"), e.Name, strings.ToLower(e.Name))
	return e
}

func (c *corpus) identified() schema.Event {
	e := c.base(schema.ChannelCRM, schema.TypeProfileIdentified, schema.ActorCustomer, c.pick("segment", "events", "crm"))
	first, last, email, phone := c.person()
	id := c.pick("CRM-", "C", "001") + c.digits(7)
	e.Account = schema.Account{Kind: c.pick("crm_id", "user_id", "card", "loyalty_card"), Value: id}
	e.Identifiers = []schema.Identifier{
		{Kind: e.Account.Kind, Value: id, Assurance: schema.AssuranceVerified},
		{Kind: "email", Value: email, Assurance: schema.AssuranceVerified},
		{Kind: "phone", Value: phone, Assurance: schema.AssuranceVerified},
	}
	trait := func(name, value string) {
		e.Traits = append(e.Traits, schema.Trait{Name: name, Value: fmt.Appendf(nil, "%q", value)})
	}
	if c.r.Intn(2) == 0 {
		trait("first_name", first)
		trait("last_name", last)
		trait("birth_date", fmt.Sprintf("19%02d-%02d-%02d", 40+c.r.Intn(60), 1+c.r.Intn(12), 1+c.r.Intn(28)))
		trait("postal_code", c.digits(5))
		trait("city", c.list(cities))
		trait("address", c.digits(2)+c.pick(" rue de la République", " avenue Jean Jaurès", " boulevard Victor Hugo", " High Street", " Station Road", " place de l'Église"))
		trait("country", c.pick("FR", "GB"))
		trait("gender", c.pick("F", "M"))
		trait("language", c.pick("fr", "en"))
		trait("created_at", c.time())
		trait("loyalty_status", c.pick("bronze", "silver", "gold"))
	} else {
		trait("firstName", first)
		trait("lastName", last)
		trait("name", first+" "+last)
		trait("email", email)
		trait("phone", phone)
		trait("createdAt", c.time())
		e.Traits = append(e.Traits, schema.Trait{Name: "address", Value: fmt.Appendf(nil, `{"city":%q,"country":"France","postalCode":%q,"state":"","street":"%s rue Victor Hugo"}`, c.list(cities), c.digits(5), c.digits(2))})
		trait("plan", c.pick("premium", "free", "basic"))
	}
	return e
}

func (c *corpus) message() schema.Event {
	inbound := c.r.Intn(2) == 0
	channel := []schema.Channel{schema.ChannelEmail, schema.ChannelChat, schema.ChannelSocial, schema.ChannelMessaging, schema.ChannelSMS, schema.ChannelWebForm}[c.r.Intn(6)]
	e := c.base(channel, schema.TypeMessageReceived, schema.ActorCustomer, c.pick("events", "mailbox", "airline_tweets"))
	_, _, email, phone := c.person()
	if channel == schema.ChannelSocial {
		handle := strings.ToLower(c.list(firstNames)) + c.digits(3)
		e.Account = schema.Account{Kind: "twitter_id", Value: handle}
		e.Identifiers = []schema.Identifier{{Kind: "twitter_id", Value: handle, Assurance: schema.AssuranceVerified}}
		e.Mention = "@" + c.pick("marque", "brand", "VirginAmerica", "united", "SouthwestAir", "AmericanAir")
	} else {
		e.Account = schema.Account{Kind: "conversation_id", Value: c.uuid()}
		e.Identifiers = []schema.Identifier{{Kind: "email", Value: email, Assurance: schema.AssuranceDeclared}, {Kind: "phone", Value: phone, Assurance: schema.AssuranceDeclared}}
	}
	e.Conversation, e.Case, e.Parent = c.pick("conv-", "thread-")+c.digits(8), c.pick("", "CAS-"+c.digits(6)), c.pick("", c.uuid())
	e.Text, e.Language = c.text(), c.pick("fr", "en", "fr-FR", "en-GB", "")
	if !inbound {
		e.Type, e.Actor, e.ActorID = schema.TypeMessageSent, schema.ActorAgent, "agent-"+c.digits(3)
	}
	if c.r.Intn(2) == 0 {
		e.Properties = fmt.Appendf(nil, `{"attachments":[],"from":%q,"message_id":"<%s@mail.example.com>","subject":%q,"to":%q}`, email, c.hex(16),
			c.pick("Ma commande", "Réclamation", "Remboursement", "Demande d'information", "Order issue", "Refund request", "Re: votre demande", "Retard de livraison"), c.pick("contact@example.com", "service-client@example.com", "support@example.com"))
	}
	return e
}

func (c *corpus) call() schema.Event {
	typ := []schema.Type{schema.TypeCallOffered, schema.TypeCallAnswered, schema.TypeCallAbandoned, schema.TypeCallEnded}[c.r.Intn(4)]
	e := c.base(schema.ChannelPhone, typ, schema.ActorCustomer, "events")
	_, _, _, phone := c.person()
	e.Account = schema.Account{Kind: "call_id", Value: c.digits(10)}
	e.Identifiers = []schema.Identifier{{Kind: "phone", Value: phone, Assurance: schema.AssuranceVerified}}
	e.Conversation = e.Account.Value
	e.Properties = fmt.Appendf(nil, `{"direction":"inbound","duration":%d,"hold":%d,"queue":%q,"reason":%q,"skill":%q,"wait":%d}`, c.r.Intn(900), c.r.Intn(60),
		c.pick("service_client", "sav", "sales", "support"), c.pick("livraison", "remboursement", "delivery", "refund", "facture"), c.pick("fr", "en"), c.r.Intn(300))
	return e
}

func (c *corpus) order() schema.Event {
	typ := []schema.Type{schema.TypeOrderPlaced, schema.TypeItemOrdered, schema.TypePaymentReceived, schema.TypeOrderDelivered}[c.r.Intn(4)]
	e := c.base(schema.ChannelStore, typ, schema.ActorCustomer, c.pick("olist_orders", "olist_order_items", "olist_order_payments", "cdnow", "events"))
	id := c.hex(32)
	e.Account = schema.Account{Kind: "customer_unique_id", Value: id}
	e.Identifiers = []schema.Identifier{{Kind: "customer_unique_id", Value: id, Assurance: schema.AssuranceVerified}, {Kind: "order_id", Value: c.hex(32), Assurance: schema.AssuranceVerified}}
	e.Entity, e.Amount, e.Currency = c.hex(32), c.money(), c.pick("EUR", "BRL", "USD")
	e.Properties = fmt.Appendf(nil, `{"freight_value":"%s","order_item_id":"1","order_status":%q,"payment_installments":"%d","payment_type":%q,"price":"%s","product_category":%q,"product_id":"%s","seller_id":"%s","shipping_limit_date":"2017-09-19 09:45:35","store":%q}`,
		c.money(), c.pick("delivered", "shipped", "canceled", "invoiced"), 1+c.r.Intn(10), c.pick("credit_card", "boleto", "voucher", "debit_card"), c.money(), c.list(categories), c.hex(32), c.hex(32), c.list(cities))
	return e
}

func (c *corpus) review() schema.Event {
	typ := []schema.Type{schema.TypeReviewPublished, schema.TypeSurveyAnswered}[c.r.Intn(2)]
	e := c.base(schema.ChannelReview, typ, schema.ActorCustomer, c.pick("olist_order_reviews", "events"))
	e.Account = schema.Account{Kind: "order_id", Value: c.digits(8)}
	e.Identifiers = []schema.Identifier{{Kind: "order_id", Value: e.Account.Value, Assurance: schema.AssuranceVerified}}
	e.Entity, e.Rating, e.RatingScale = c.hex(32), fmt.Sprint(1+c.r.Intn(5)), c.pick("1-5", "0-10")
	e.Text, e.Language = c.text(), c.pick("fr", "en")
	e.Properties = fmt.Appendf(nil, `{"nps":%d,"question":%q,"score":%d,"survey":%q}`, c.r.Intn(11), c.pick("Recommanderiez-vous notre enseigne à un proche ?", "How likely are you to recommend us?", "Êtes-vous satisfait de votre dernier contact ?"), 1+c.r.Intn(5), c.pick("post_purchase", "satisfaction", "csat", "nps"))
	return e
}

func (c *corpus) consent() schema.Event {
	e := c.base(schema.ChannelWeb, schema.TypeConsentRecorded, schema.ActorCustomer, "events")
	_, _, email, _ := c.person()
	e.Account = schema.Account{Kind: "user_id", Value: "u" + c.digits(6)}
	e.Identifiers = []schema.Identifier{{Kind: "user_id", Value: e.Account.Value, Assurance: schema.AssuranceVerified}, {Kind: "email", Value: email, Assurance: schema.AssuranceVerified}}
	e.Consents = []schema.Consent{{
		Kind: "email", Value: email, Channel: schema.ChannelEmail, Purpose: c.pick("newsletter", "marketing", "advertising", "profiling"),
		State: schema.ConsentState(1 + c.r.Intn(3)), LegalBasis: c.pick("consent", "legitimate_interest", "contract"), TextVersion: c.pick("2026-01", "v3"), Proof: c.pick("double_opt_in ", "form ", "call ") + c.uuid(),
	}}
	return e
}
