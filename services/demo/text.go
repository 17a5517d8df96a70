package demo

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// theme is what a contact is about.
type theme string

// The themes of contacts.
const (
	late     theme = "delivery_late"
	lost     theme = "parcel_lost"
	damaged  theme = "item_damaged"
	wrong    theme = "wrong_item"
	exchange theme = "exchange_size"
	refund   theme = "refund_missing"
	stock    theme = "stock_question"
	invoice  theme = "invoice_copy"
	changes  theme = "account_change"
	loyalty  theme = "loyalty_points"
	praise   theme = "praise"
)

// script has what people of one language say about a theme. Words in braces are filled in, see topic.fill.
type script struct {
	subject []string // of an e-mail
	open    []string // the body of an e-mail that opens a conversation
	short   []string // the same in a chat or an SMS
	note    []string // what the agent notes of a call
	reply   []string // an agent's e-mail
	brief   []string // an agent in a chat, an SMS or a private message
	push    []string // the customer again, whom the answer did not help
	public  []string // the same in public; none for what nobody says there
}

// voice is one language.
type voice struct {
	greetings, regards, thanks  []string // of customers
	evening                     string   // the greeting after 18 h; empty if it is no other
	salutation, signature       []string // of agents
	silence                     []string // an agent to a customer whom nobody answered
	pushReply, pushBrief        []string // an agent to a customer whom the first answer did not help
	publicReply                 []string // the brand in public
	botHello, botLost, handover []string
	human                       []string // a customer who is tired of the bot
	scripts                     map[theme]script
	gesture                     map[theme][]string // why a gesture was granted; "" is for the other themes
	opinions                    [3][]string        // a survey's comment: unhappy, so-so, happy
	reviews                     [3][]string        // of a product
	praises                     []string           // in public
	questions                   []string           // in public
	shipped, ready, stop, sale  []string           // SMS of the brand, the customer's stop
}

func (l *life) voice() *voice {
	if l.French {
		return &french
	}
	return &english
}

// topic is what a conversation is about, in the words of both sides.
type topic struct {
	person  *Person
	at      time.Time // of the conversation's begin
	theme   theme
	product *product
	order   string
	ordered time.Time
	due     time.Time
	cents   int
	size    string
	agent   *agent
	card    string
	email   string
	country string
}

// fill puts the topic into a text:
//
//	{order} {date} {due} {days} {amount} {size} {size2} {card} {email} {shop} {city} {street}
//	{agent} {given} {family} {name} {civ} (Madame Moreau, Mrs Whitfield), {e} the customer's feminine ending
//	{f} the agent's; {product} {Product} and, in French, {le} {mon} {un} {du} {au}, the same with a capital {Le} {Mon} {Un}, {x} the product's feminine ending,
//	{il} and {la} its pronouns
func (t *topic) fill(text string) string {
	p := t.person
	home := p.homes.at(t.at)
	pairs := []string{
		"{order}", t.order, "{date}", t.spoken(t.ordered), "{due}", t.spoken(t.due), "{days}", fmt.Sprint(max(2, int(t.at.Sub(t.due).Hours()/24))),
		"{amount}", money(p.French, t.country, t.cents), "{size}", t.size, "{size2}", larger(t.size), "{card}", t.card, "{email}", t.email,
		"{shop}", shopNear(home), "{city}", home.City, "{street}", home.Street,
		"{given}", p.Given, "{family}", p.name(t.at), "{name}", p.Given + " " + p.name(t.at), "{civ}", t.civility(),
		"{e}", ending(p.Woman),
	}
	if t.agent != nil {
		pairs = append(pairs, "{agent}", t.agent.name, "{f}", ending(t.agent.woman))
	}
	if t.product != nil {
		pairs = append(pairs, " a {product}", " "+article(t.product.en), "{product}", t.product.name(p.French), "{Product}", capital(t.product.name(p.French)), "{le}", t.product.le(), "{mon}", t.product.mon(), "{un}", t.product.un(), "{du}", t.product.du(), "{au}", t.product.au(),
			"{Le}", capital(t.product.le()), "{Mon}", capital(t.product.mon()), "{Un}", capital(t.product.un()), "{x}", ending(t.product.feminine),
			"{il}", gendered(t.product.feminine, "elle", "il"), "{la}", gendered(t.product.feminine, "la", "le"))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// article is an English name with a or an.
func article(word string) string {
	if strings.ContainsRune("aeiou", rune(word[0])) {
		return "an " + word
	}
	return "a " + word
}

func ending(feminine bool) string { return gendered(feminine, "e", "") }

func gendered(feminine bool, yes, no string) string {
	if feminine {
		return yes
	}
	return no
}

func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// spoken is a date as people write it.
func (t *topic) spoken(at time.Time) string {
	if !t.person.French {
		return at.Format("2 January")
	}
	if at.Day() == 1 {
		return "1er " + monthsFR[at.Month()-1]
	}
	return fmt.Sprint(at.Day(), " ", monthsFR[at.Month()-1])
}

func (t *topic) civility() string {
	p := t.person
	switch {
	case p.French:
		return gendered(p.Woman, "Madame ", "Monsieur ") + p.name(t.at)
	case p.Woman && p.Maiden == "" && p.Birth.Year() < 1975:
		return "Mrs " + p.name(t.at)
	}
	return gendered(p.Woman, "Ms ", "Mr ") + p.name(t.at)
}

// larger is the next size; of the largest, the one below.
func larger(size string) string {
	for _, list := range [][]string{clothesSizes, beddingSizes} {
		for i, s := range list {
			if s == size && i+1 < len(list) {
				return list[i+1]
			} else if s == size {
				return list[i-1]
			}
		}
	}
	return size
}

// shopNear is the company's store for a home; where there is none, the first one.
func shopNear(home Address) string {
	if s, ok := shops[home.City]; ok {
		return s
	}
	return "London Marylebone"
}

// agent is somebody of the customer service.
type agent struct {
	id, name      string
	french, woman bool
}

var agents = []agent{
	{"ines.b@maison-garance.example", "Inès", true, true}, {"lucas.p@maison-garance.example", "Lucas", true, false}, {"sandra.m@maison-garance.example", "Sandra", true, true}, {"youssef.k@maison-garance.example", "Youssef", true, false},
	{"marion.t@maison-garance.example", "Marion", true, true}, {"gaelle.r@maison-garance.example", "Gaëlle", true, true}, {"adrien.f@maison-garance.example", "Adrien", true, false},
	{"beth.h@maison-garance.example", "Beth", false, true}, {"tariq.a@maison-garance.example", "Tariq", false, false}, {"fiona.d@maison-garance.example", "Fiona", false, true}, {"owen.l@maison-garance.example", "Owen", false, false},
}

// agentFor draws an agent who speaks the customer's language.
func (l *life) agentFor() *agent {
	for {
		if a := &agents[l.IntN(len(agents))]; a.french == l.French {
			return a
		}
	}
}
