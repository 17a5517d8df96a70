package demo

import (
	"fmt"
	"time"
)

// plot is a contact of the cast that is meant to happen.
type plot struct {
	at      time.Time
	theme   theme
	channel string
	again   bool // the first answer does not help
	public  bool // there is no first answer, and that is said in public
}

// severity says how much a theme weighs: 0 a question, 3 money or goods are gone.
var severity = map[theme]int{late: 2, lost: 3, damaged: 2, wrong: 2, exchange: 1, refund: 3, loyalty: 1, changes: 1}

// react lets an order go wrong or well: the contacts about it, then what the customer thinks of it.
func (l *life) react(o *order) {
	what, at := l.trouble(o)
	if what == late || what == lost {
		o.delivered = o.delivered.AddDate(0, 0, l.between(6, 13))
	}
	l.deliver(o)
	happy := 2
	if what != "" {
		happy = l.contact(o, what, "", at, plot{})
	} else if l.of(20) {
		happy = 1
	}
	l.judge(o, happy)
}

// trouble draws what an order leads to, if anything, and when.
func (l *life) trouble(o *order) (what theme, at time.Time) {
	if !l.of(27 + 3*(4-l.mood)) {
		return "", time.Time{}
	}
	hours := func(from, to int) time.Duration { return time.Duration(l.between(from*60, to*60)) * time.Minute }
	for {
		what = pick(l.chance, []theme{late, late, late, lost, damaged, damaged, wrong, exchange, exchange, refund, refund, invoice, invoice, loyalty, praise})
		switch {
		case o.channel == "store" && (what == late || what == lost || what == wrong || what == refund),
			what == damaged && !o.first.breaks, (what == exchange || what == loyalty || what == praise) && l.country(o.at) == "US",
			what == exchange && !o.first.sized, what == loyalty && len(l.cards) == 0:
			continue
		}
		break
	}
	switch what {
	case late:
		at = o.due.Add(hours(50, 130))
	case lost:
		at = o.due.Add(hours(24, 80))
	case damaged, wrong:
		at = o.delivered.Add(hours(2, 60))
	case exchange:
		at = o.delivered.Add(hours(20, 200))
	case refund:
		at = o.delivered.Add(hours(30*24, 45*24))
	case praise:
		at = o.delivered.Add(hours(4, 70))
	default:
		at = o.at.Add(hours(30, 400))
	}
	return what, waking(at)
}

// waking moves a time out of the night.
func waking(at time.Time) time.Time {
	if at.Hour() < 7 {
		at = at.Add(time.Duration(8-at.Hour()) * time.Hour)
	}
	return at
}

// follow makes a plot happen: the order that it is about, then the contact.
func (l *life) follow(p plot) {
	var wanted *product
	for i := range catalogue {
		if c := &catalogue[(i+l.Index*5)%len(catalogue)]; p.theme != damaged && p.theme != exchange || p.theme == damaged && c.breaks || p.theme == exchange && c.sized {
			wanted = c
			break
		}
	}
	before := map[theme]int{late: 9, lost: 7, refund: 45, stock: 3}[p.theme]
	if before == 0 {
		before = 8
	}
	o := l.buy(p.at.AddDate(0, 0, -before), "web", wanted)
	switch p.theme {
	case late, lost:
		o.due = o.at.AddDate(0, 0, 4).Truncate(24 * time.Hour)
		o.delivered = p.at.AddDate(0, 0, 7)
	default:
		o.due = o.at.AddDate(0, 0, 4).Truncate(24 * time.Hour)
		o.delivered = o.due.Add(11 * time.Hour)
	}
	l.deliver(o)
	l.judge(o, l.contact(o, p.theme, p.channel, p.at, p))
}

// speak is what people ask and say without an order.
func (l *life) speak() {
	if !l.moved.IsZero() && l.of(45) {
		l.ask(changes, l.moved.AddDate(0, 0, l.between(2, 25)))
	}
	if l.of(16) && l.country(l.since) != "US" {
		l.ask(stock, l.season(l.since))
	}
	if l.twitter != "" || l.instagram != "" {
		for range l.between(0, 3) {
			l.post()
		}
	}
}

// ask is a contact about no order; the topic still needs a product.
func (l *life) ask(what theme, at time.Time) {
	o := &order{at: at.AddDate(0, 0, -6), first: &catalogue[l.IntN(len(catalogue))]}
	o.cents = o.first.price(l.country(at))
	l.contact(o, what, "", at, plot{})
}

// conversation is one contact from its first word to its last.
type conversation struct {
	l          *life
	t          *topic
	script     script
	id         string
	at         time.Time // of what comes next
	again      bool      // the first answer does not help
	public     bool      // there is no first answer, and the customer says so in public
	opened     bool      // the case is
	identified bool      // the agent finds the customer's record
	number     string    // of the case; empty if none is opened
	channel    string
	parent     string // the message before
}

// contact has a conversation on a channel, or on one that suits the customer, and returns how happy it leaves: 0 to 2.
func (l *life) contact(o *order, what theme, channel string, at time.Time, p plot) (happy int) {
	if !at.Before(End.AddDate(0, 0, -3)) {
		return 1
	}
	t := l.topic(o, what, at)
	l.threads++
	c := &conversation{
		l: l, t: t, script: l.voice().scripts[what], at: at, channel: channel,
		again:  p.again || l.of(11*severity[what]),
		public: p.public, identified: p.theme != "" || l.of(85),
	}
	if c.channel == "" {
		c.channel = l.medium(c)
	}
	c.id = fmt.Sprintf("%s-%04d%02d", c.channel, l.Index, l.threads)
	if p.public || severity[what] > 1 && l.of(72) || severity[what] == 1 && l.of(20) {
		l.cases++
		c.number = fmt.Sprintf("CASE-%04d-%d", l.Index, l.cases)
	}
	switch c.channel {
	case "email":
		c.write()
	case "phone":
		c.ring()
	case "chat":
		c.chat()
	case "sms":
		c.exchangeTexts()
	default:
		c.complain()
	}
	return c.end(p.theme != "")
}

// medium draws a channel that suits the customer and what there is to say.
func (l *life) medium(c *conversation) string {
	young := generation(l.Birth.Year())
	switch n := l.IntN(100); {
	case n < 30:
		return "email"
	case n < 62-10*young:
		return "phone"
	case n < 84:
		return "chat"
	case n < 90:
		return "sms"
	case len(c.script.public) > 0 && (l.twitter != "" || l.instagram != ""):
		return "social"
	}
	return "email"
}

// later moves on by some minutes.
func (c *conversation) later(from, to int) {
	c.at = c.at.Add(time.Duration(c.l.between(from*60, to*60)) * time.Second)
}

// office moves on by some hours, into those of the customer service.
func (c *conversation) office(from, to int) {
	c.later(from*60, to*60)
	c.at = office(c.at)
}

// known are the identifiers of an agent's part: the customer's record, if the agent found it.
func (c *conversation) known(others ...identifier) []identifier {
	if c.identified {
		return append(others, identifier{Kind: "crm_id", Value: c.l.crmID})
	}
	return others
}

func (c *conversation) agent() *actor { return &actor{Kind: "agent", ID: c.t.agent.id} }

// say sends a part of the conversation; base has account and identifiers.
func (c *conversation) say(base event, by *actor, text string) {
	base.Type, base.Actor = "message.received", &actor{Kind: "customer"}
	if by != nil {
		base.Type, base.Actor = "message.sent", by
	}
	base.Conversation, base.Parent, base.Text, base.Language = c.id, c.parent, c.t.fill(text), c.l.language()
	if c.opened {
		base.Case = c.number
	}
	base.Country = c.t.country
	c.parent = c.l.tell(c.at, base)
}

// letter is the text of a customer's e-mail, answer of an agent's.
func (c *conversation) letter(body string) string {
	v := c.l.voice()
	greeting := pick(c.l.chance, v.greetings)
	if v.evening != "" && c.at.Hour() >= 18 {
		greeting = v.evening
	}
	return greeting + "\n\n" + body + "\n\n" + pick(c.l.chance, v.regards)
}

func (c *conversation) answer(body string) string {
	v := c.l.voice()
	return pick(c.l.chance, v.salutation) + "\n\n" + body + "\n\n" + pick(c.l.chance, v.signature)
}

// write is a conversation by e-mail.
func (c *conversation) write() {
	l, v := c.l, c.l.voice()
	address := identifier{Kind: "email", Value: l.reached(c.at)}
	base := event{Source: mailbox, Channel: "email", Account: account{"conversation_id", c.id}, Identifiers: []identifier{address}, Properties: map[string]any{"subject": c.t.fill(pick(l.chance, c.script.subject)), "to": "bonjour@maison-garance.example"}}
	c.say(base, nil, c.letter(pick(l.chance, c.script.open)))
	answer := base
	answer.Identifiers = c.known(address)
	answer.Properties = map[string]any{"subject": "Re: " + base.Properties["subject"].(string)}
	reply := pick(l.chance, c.script.reply)
	if c.public {
		c.later(2*24*60, 4*24*60)
		c.shout()
		c.office(3, 8)
		reply = pick(l.chance, v.silence) + "\n\n" + reply
	} else {
		c.office(2, 44)
	}
	c.open(c.at.Add(-3 * time.Minute))
	c.say(answer, c.agent(), c.answer(reply))
	if c.again && !c.public {
		c.later(3*24*60, 7*24*60)
		c.at = waking(c.at)
		c.say(base, nil, c.letter(pick(l.chance, c.script.push)))
		c.office(2, 20)
		c.say(answer, c.agent(), c.answer(pick(l.chance, v.pushReply)))
	}
	if l.of(42) {
		c.later(20, 900)
		c.at = waking(c.at)
		answer.Identifiers = []identifier{address}
		c.say(answer, nil, pick(l.chance, v.thanks))
	}
}

// ring is a telephone call, and the one before it that the customer gave up.
func (c *conversation) ring() {
	l := c.l
	c.at = office(c.at)
	number := l.mobiles.at(c.at)
	withheld := l.of(7)
	if l.landline != "" && l.of(35) {
		number = l.landline
	}
	begin := func(id string) event {
		c.id = id
		e := event{Source: callCentre, Channel: "phone", Country: c.t.country, Account: account{"call_id", id}, Conversation: id, Language: l.language(), Properties: map[string]any{"queue": "care-" + l.language(), "line": gendered(l.French, "09 99 00 12 12", "0808 157 0042")}}
		if !withheld {
			e.Identifiers = []identifier{{Kind: "phone", Value: l.written(number)}}
		} else {
			e.Properties["withheld"] = true
		}
		return e
	}
	id := c.id
	if l.of(15) || c.again {
		e := begin(id + "a")
		e.Type = "call.offered"
		l.tell(c.at, e)
		wait := l.between(70, 900)
		e.Type, e.Properties = "call.abandoned", map[string]any{"wait_seconds": wait}
		l.tell(c.at.Add(time.Duration(wait)*time.Second), e)
		c.later(25, 300)
		c.at = office(c.at)
	}
	if c.public {
		c.shout()
		c.later(60, 200)
		c.at = office(c.at)
	}
	e := begin(id)
	e.Type = "call.offered"
	l.tell(c.at, e)
	wait := l.between(4, 240)
	c.at = c.at.Add(time.Duration(wait) * time.Second)
	e.Type, e.Actor, e.Properties = "call.answered", c.agent(), map[string]any{"wait_seconds": wait}
	e.Identifiers = c.known(e.Identifiers...)
	l.tell(c.at, e)
	talk := l.between(80, 900)
	c.open(c.at.Add(time.Duration(talk/2) * time.Second))
	e.Case = c.number
	c.at = c.at.Add(time.Duration(talk) * time.Second)
	e.Type, e.Text, e.Properties = "call.ended", c.t.fill(pick(l.chance, c.script.note)), map[string]any{"talk_seconds": talk, "wrap_up_seconds": l.between(10, 120)}
	l.tell(c.at, e)
}

// chat begins with the bot, and mostly ends with an agent.
func (c *conversation) chat() {
	l, v := c.l, c.l.voice()
	device, _ := l.browser()
	base := event{Source: chat, Channel: "bot", Account: account{"anonymous_id", device}}
	signedIn := l.userID != "" && l.of(55)
	if signedIn {
		base.Account = account{"user_id", l.userID}
	}
	bot := &actor{Kind: "bot", ID: "garance"}
	c.say(base, bot, pick(l.chance, v.botHello))
	c.later(1, 2)
	c.say(base, nil, pick(l.chance, c.script.short))
	c.at = c.at.Add(2 * time.Second)
	lost := pick(l.chance, v.botLost[1:])
	if c.t.order != "" {
		lost = pick(l.chance, v.botLost)
	}
	c.say(base, bot, lost)
	if severity[c.t.theme] == 0 && l.of(45) {
		return
	}
	c.later(1, 3)
	c.say(base, nil, pick(l.chance, v.human))
	c.at = office(c.at.Add(time.Duration(l.between(20, 600)) * time.Second))
	base.Channel = "chat"
	if !signedIn && l.of(50) { // the agent asks for it
		base.Identifiers = []identifier{{Kind: "email", Value: l.reached(c.at), Assurance: "declared"}}
	}
	customer := base
	base.Identifiers = c.known(base.Identifiers...)
	c.open(c.at)
	c.say(base, c.agent(), pick(l.chance, v.handover))
	c.later(2, 6)
	c.say(base, c.agent(), pick(l.chance, c.script.brief))
	if c.again { // days later, in the same window
		c.later(3*24*60, 7*24*60)
		c.at = office(c.at)
		c.say(customer, nil, pick(l.chance, c.script.push))
		c.later(2, 6)
		c.say(base, c.agent(), pick(l.chance, v.pushBrief))
	}
	if l.of(62) {
		c.later(1, 4)
		c.say(customer, nil, pick(l.chance, v.thanks))
	}
}

// exchangeTexts is a conversation by SMS.
func (c *conversation) exchangeTexts() {
	l, v := c.l, c.l.voice()
	l.text(c.at, nil, c.t.fill(pick(l.chance, c.script.short)))
	c.office(0, 6)
	c.open(c.at)
	l.text(c.at, c.agent(), c.t.fill(pick(l.chance, c.script.brief)+" "+c.t.agent.name))
	if c.again {
		c.later(3*24*60, 7*24*60)
		c.at = waking(c.at)
		l.text(c.at, nil, c.t.fill(pick(l.chance, c.script.push)))
		c.office(0, 6)
		l.text(c.at, c.agent(), c.t.fill(pick(l.chance, v.pushBrief)+" "+c.t.agent.name))
	}
	if l.of(40) {
		c.later(2, 90)
		l.text(c.at, nil, c.t.fill(pick(l.chance, v.thanks)))
	}
}

// open opens the case, if there is to be one.
func (c *conversation) open(at time.Time) {
	if c.number == "" || c.opened {
		return
	}
	c.opened = true
	about := map[string]any{"theme": string(c.t.theme), "priority": []string{"low", "normal", "normal", "high"}[severity[c.t.theme]]}
	if c.t.order != "" {
		about["order"] = c.t.order
	}
	c.tellCase("case.opened", at, about)
}

func (c *conversation) tellCase(kind string, at time.Time, properties map[string]any) {
	c.l.tell(at, event{
		Type: kind, Source: crm, Channel: c.channel, Country: c.t.country, Actor: c.agent(), Account: c.l.crm(), Case: c.number, Entity: c.number, Conversation: c.id, Properties: properties,
	})
}

// end closes the case, once or twice, makes good, and asks how it was. It returns how happy the customer is.
func (c *conversation) end(plotted bool) (happy int) {
	l, weight := c.l, severity[c.t.theme]
	switch n := l.IntN(100) + 4*(l.mood-2) - 13*weight; {
	case c.again && n < 25, n < 8:
		happy = 0
	case c.again || n < 38:
		happy = 1
	default:
		happy = 2
	}
	reasons := l.voice().gesture[c.t.theme]
	if len(reasons) == 0 {
		reasons = l.voice().gesture[""]
	}
	if weight > 1 && (plotted && c.public || l.of(34)) {
		l.tell(c.at.Add(6*time.Minute), event{
			Type: "gesture.granted", Source: crm, Channel: c.channel, Country: c.t.country, Actor: c.agent(), Account: l.crm(), Case: gendered(c.opened, c.number, ""), Conversation: c.id, Text: c.t.fill(pick(l.chance, reasons)), Language: l.language(),
			Amount: decimal(pick(l.chance, []int{500, 1000, 1000, 1500, 2000, 3000})), Currency: currency(c.t.country), Properties: map[string]any{"kind": pick(l.chance, []string{"voucher", "voucher", "refund", "points"})},
		})
		happy = min(2, happy+1)
	}
	if c.opened {
		c.later(60, 5*24*60)
		c.at = office(c.at)
		c.tellCase("case.resolved", c.at, map[string]any{"resolution": pick(l.chance, []string{"answered", "resent", "refunded", "answered"})})
		if happy == 0 && l.of(45) {
			c.later(24*60, 6*24*60)
			c.at = office(c.at)
			c.tellCase("case.reopened", c.at, map[string]any{"reason": "customer not satisfied"})
			c.office(6, 90)
			c.tellCase("case.resolved", c.at, map[string]any{"resolution": "escalated"})
		}
	}
	if plotted || l.of(38) {
		c.later(90, 3*24*60)
		l.survey(c.at, "csat", c.t, c.id, happy)
	}
	return happy
}
