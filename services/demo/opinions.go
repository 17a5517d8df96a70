package demo

import (
	"fmt"
	"strconv"
	"time"
)

// brandName is what people mention in public.
const brandName = "MaisonGarance"

// judge is what the customer thinks of an order: a survey, a review, each from time to time.
func (l *life) judge(o *order, happy int) {
	if o.delivered.IsZero() || !o.delivered.Before(End.AddDate(0, 0, -8)) {
		return
	}
	t := l.topic(o, praise, o.delivered)
	if l.of(16) {
		l.survey(o.delivered.Add(time.Duration(l.between(20*60, 90*60))*time.Minute), "nps", t, "", happy)
	}
	share := 13
	if happy == 0 {
		share = 30 // who is angry writes
	}
	if o.channel != "store" && l.of(share) {
		l.review(waking(o.delivered.AddDate(0, 0, l.between(2, 20))), o, t, happy)
	}
}

// survey is an answer. It comes from the address that the invitation went to, or from another one that the customer prefers.
func (l *life) survey(at time.Time, kind string, t *topic, conversation string, happy int) {
	l.threads++
	id := fmt.Sprintf("%s-%04d%02d", kind, l.Index, l.threads)
	e := event{
		Type: "survey.answered", Source: surveys, Channel: "survey", Country: t.country, Account: account{"survey_id", id}, Entity: id, Conversation: conversation, Language: l.language(),
		Properties: map[string]any{"survey": kind},
	}
	switch kind {
	case "nps":
		e.RatingScale, e.Rating = "0-10", strconv.Itoa([]int{l.between(0, 6), l.between(7, 8), l.between(9, 10)}[happy])
	default:
		e.RatingScale, e.Rating = "1-5", strconv.Itoa([]int{l.between(1, 2), 3, l.between(4, 5)}[happy])
	}
	if l.of(55) {
		e.Text = t.fill(pick(l.chance, l.voice().opinions[happy]))
	}
	address := l.emails.at(at)
	if l.work != "" && l.of(60) {
		address = l.work
	}
	e.Identifiers = []identifier{{Kind: "email", Value: address, Assurance: "declared"}}
	if t.order != "" && kind == "nps" && l.of(70) {
		e.Identifiers = append(e.Identifiers, identifier{Kind: "order_id", Value: t.order})
	}
	l.tell(waking(at), e)
}

// review is a product's review on a site that knows the order, or the customer's account with a search engine, or neither.
func (l *life) review(at time.Time, o *order, t *topic, happy int) {
	l.threads++
	id := fmt.Sprintf("review-%04d%02d", l.Index, l.threads)
	e := event{
		Type: "review.published", Source: reviews, Channel: "review", Country: t.country, Account: account{"review_id", id}, Entity: id, Language: l.language(),
		Rating: strconv.Itoa([]int{l.between(1, 2), 3, l.between(4, 5)}[happy]), RatingScale: "1-5", Text: t.fill(pick(l.chance, l.voice().reviews[happy])),
		Properties: map[string]any{"product_id": o.first.sku, "author": l.Given + " " + l.name(at)[:1] + "."},
	}
	switch n := l.IntN(100); {
	case n < 60:
		e.Identifiers = []identifier{{Kind: "order_id", Value: o.id}}
		e.Properties["verified_purchase"] = true
	case n < 80:
		address := l.emails.at(at)
		if l.work != "" {
			address = l.work
		}
		e.Identifiers = []identifier{{Kind: "email", Value: address, Assurance: "declared"}}
	}
	l.tell(at, e)
	if happy == 0 && l.of(60) {
		answer := e
		answer.Type, answer.Actor, answer.Parent, answer.Rating, answer.RatingScale = "message.sent", &actor{Kind: "brand", ID: "Maison Garance"}, id, "", ""
		answer.Text = t.fill(pick(l.chance, l.voice().publicReply))
		answer.Conversation, answer.Entity, answer.Properties = id, "", nil
		l.tell(office(at.Add(time.Duration(l.between(3, 50))*time.Hour)), answer)
	}
}

// network is where the person speaks in public.
func (l *life) network() account {
	if l.twitter != "" && (l.instagram == "" || l.of(60)) {
		return account{"twitter_id", l.twitter}
	}
	return account{"instagram_id", l.instagram}
}

// post is a public word about the brand without a complaint.
func (l *life) post() {
	at := l.season(l.since)
	o := &order{at: at, first: &catalogue[l.IntN(len(catalogue))]}
	t := l.topic(o, praise, at)
	v := l.voice()
	said, answer := pick(l.chance, v.praises), pick(l.chance, v.scripts[praise].brief)
	if l.of(35) {
		said, answer = pick(l.chance, v.questions), ""
	}
	id := l.mention(at, l.network(), t, said)
	if id != "" && answer != "" && l.of(50) {
		l.engage(office(at.Add(time.Duration(l.between(30, 1200))*time.Minute)), l.network(), t, id, answer)
	}
}

// mention publishes a post that names the brand, and returns its id.
func (l *life) mention(at time.Time, who account, t *topic, text string) string {
	if !at.Before(End) {
		return ""
	}
	l.threads++
	id := fmt.Sprintf("post-%04d%02d", l.Index, l.threads)
	l.tell(at, event{
		Type: "mention.published", Source: social, Channel: "social", Country: t.country, Account: who, Mention: brandName, Entity: id, Conversation: id, Text: t.fill(text), Language: l.language(),
		Properties: map[string]any{"network": who.Kind[:len(who.Kind)-len("_id")], "followers": l.between(12, 2400)},
	})
	return id
}

// engage is the brand's answer in public.
func (l *life) engage(at time.Time, who account, t *topic, post, text string) {
	l.tell(at, event{
		Type: "mention.engaged", Source: social, Channel: "social", Country: t.country, Actor: &actor{Kind: "brand", ID: brandName}, Account: who, Mention: brandName, Parent: post, Conversation: post, Text: t.fill(text), Language: l.language(),
	})
}

// shout says in public what nobody answered in private.
func (c *conversation) shout() {
	l := c.l
	if l.twitter == "" && l.instagram == "" || len(c.script.public) == 0 {
		return
	}
	c.at = waking(c.at)
	id := l.mention(c.at, l.network(), c.t, pick(l.chance, c.script.public))
	if id != "" {
		l.engage(office(c.at.Add(time.Duration(l.between(12, 150))*time.Minute)), l.network(), c.t, id, pick(l.chance, l.voice().publicReply))
	}
}

// complain is a conversation that begins in public and goes on in private, where the customer says which order it is.
func (c *conversation) complain() {
	l, v := c.l, c.l.voice()
	who := l.network()
	c.id = l.mention(c.at, who, c.t, pick(l.chance, c.script.public))
	if c.id == "" {
		return
	}
	c.at = office(c.at)
	c.later(10, 240)
	l.engage(c.at, who, c.t, c.id, pick(l.chance, v.publicReply))
	if l.of(30) {
		return
	}
	c.later(5, 300)
	base := event{Source: social, Channel: "social", Account: who}
	base.Identifiers = []identifier{{Kind: "order_id", Value: c.t.order}}
	if l.of(40) {
		base.Identifiers = append(base.Identifiers, identifier{Kind: "email", Value: l.reached(c.at), Assurance: "declared"})
	}
	c.say(base, nil, pick(l.chance, c.script.short))
	c.office(0, 5)
	answer := base
	answer.Identifiers = c.known(base.Identifiers...)
	c.open(c.at)
	c.say(answer, c.agent(), pick(l.chance, c.script.brief))
	if l.of(50) {
		c.later(5, 200)
		c.say(base, nil, pick(l.chance, v.thanks))
	}
}
