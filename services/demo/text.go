package demo

import (
	"fmt"
	"strconv"
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
//
// What is none of these stays as it is; a test looks for it.
func (t *topic) fill(text string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{")
		word, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			out.WriteString(text)
			return out.String()
		}
		value := t.word(word)
		if word == "product" && strings.HasSuffix(before, " a ") && strings.ContainsRune("aeiou", rune(value[0])) {
			before = before[:len(before)-1] + "n "
		}
		out.WriteString(before)
		out.WriteString(value)
		text = after
	}
}

// word is what one of fill's words stands for.
func (t *topic) word(word string) string {
	p := t.person
	switch word {
	case "order":
		return t.order
	case "date":
		return t.spoken(t.ordered)
	case "due":
		return t.spoken(t.due)
	case "days":
		return strconv.Itoa(max(2, int(t.at.Sub(t.due).Hours()/24)))
	case "amount":
		return money(p.French, t.country, t.cents)
	case "size":
		return t.size
	case "size2":
		return larger(t.size)
	case "card":
		return t.card
	case "email":
		return t.email
	case "shop":
		return shopNear(p.homes.at(t.at))
	case "city":
		return p.homes.at(t.at).City
	case "street":
		return p.homes.at(t.at).Street
	case "given":
		return p.Given
	case "family":
		return p.name(t.at)
	case "name":
		return p.Given + " " + p.name(t.at)
	case "civ":
		return t.civility()
	case "agent":
		return t.agent.name
	case "e":
		return ending(p.Woman)
	case "f":
		return ending(t.agent.woman)
	case "x":
		return ending(t.product.feminine)
	case "il":
		return gendered(t.product.feminine, "elle", "il")
	case "la":
		return gendered(t.product.feminine, "la", "le")
	case "product":
		return t.product.name(p.French)
	case "Product":
		return capital(t.product.name(p.French))
	case "le":
		return t.product.le()
	case "Le":
		return capital(t.product.le())
	case "mon":
		return t.product.mon()
	case "Mon":
		return capital(t.product.mon())
	case "un":
		return t.product.un()
	case "Un":
		return capital(t.product.un())
	case "du":
		return t.product.du()
	case "au":
		return t.product.au()
	}
	return "{" + word + "}"
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
