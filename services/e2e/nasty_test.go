package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// by says with what an event is sent.
type by int

const (
	server by = iota
	browser
	token
)

// input is one event to send.
type input struct {
	by    by
	event json.RawMessage
}

// nasty makes events in which as much as possible goes wrong: shared devices and mailboxes, placeholders, given names that differ,
// cards that are replaced, claims of a public key, values that tie in time, retractions, consents that contradict each other, one
// message id with several contents, and assertions that contradict each other or name nobody. It is a pure function of its seed.
type nasty struct {
	*rand.Rand
	inputs []input
}

func nastyEvents(seed uint64) []input {
	n := &nasty{Rand: rand.New(rand.NewPCG(seed, 7))}
	n.shared()
	n.strangers(220)
	n.assertions(25)
	return n.inputs
}

// at is one of few times, so that many tie; some are before 1970.
func (n *nasty) at() string {
	return [...]string{
		"1969-12-31T23:59:59.999999Z", "2024-02-29T12:00:00Z", "2025-01-01T00:00:00Z", "2025-01-01T00:00:00.000001Z", "2025-06-15T10:00:00.5Z",
		"2025-10-26T02:30:00+02:00", "2026-01-01T00:00:00Z",
	}[n.IntN(7)]
}

func (n *nasty) add(by by, event map[string]any) {
	if event["messageId"] == nil {
		event["messageId"] = fmt.Sprintf("n%d", len(n.inputs))
	}
	if event["occurredAt"] == nil {
		event["occurredAt"] = n.at()
	}
	text, err := json.Marshal(event)
	if err != nil {
		panic(err)
	}
	n.inputs = append(n.inputs, input{by, text})
}

// shared is what many people share.
func (n *nasty) shared() {
	for who := range 25 { // an information desk's mailbox, a call centre's default number, a birthday that means nothing
		n.add(server, map[string]any{"type": "profile.identified", "source": "crm", "account": account("crm_id", fmt.Sprintf("desk%d", who)),
			"identifiers": map[string]any{"email": "info@example.com", "phone": "+33600000000"},
			"traits":      map[string]any{"first_name": given[who%len(given)], "last_name": fmt.Sprintf("Famille%d", who), "birth_date": "1900-01-01"}})
	}
	for who := range 6 { // a kiosk
		n.add(server, map[string]any{"type": "page.viewed", "source": "shop", "userId": fmt.Sprintf("k%d", who), "anonymousId": "kiosk", "name": "Home"})
	}
	n.add(browser, map[string]any{"type": "page.viewed", "anonymousId": "kiosk", "name": "Home"})
	for who := range 2 { // Segment's example of a demotion: the second login takes the device away from the first
		n.add(server, map[string]any{"type": "profile.identified", "source": "shop", "userId": fmt.Sprintf("d%d", who), "anonymousId": "laptop",
			"occurredAt": fmt.Sprintf("2025-03-0%dT00:00:00Z", who+1), "identifiers": map[string]any{"email": "couple@example.com"}, "traits": map[string]any{"firstName": given[who]}})
	}
	for _, content := range []string{"one", "two"} { // one message id, two contents
		n.add(server, map[string]any{"type": "message.received", "channel": "email", "source": "desk", "messageId": "same", "occurredAt": "2025-01-01T00:00:00Z",
			"account": account("crm_id", "c1"), "text": content})
	}
	n.add(server, map[string]any{"type": "message.received", "channel": "web_form", "source": "desk", "text": "nobody says who this is"})
}

var given = []string{"Anne", "Paul", "Zoé", "Jean-Marie", "MARIE", "Mohamed"}

func account(kind, value string) map[string]any { return map[string]any{"kind": kind, "value": value} }

// strangers are people who collide by chance.
func (n *nasty) strangers(count int) {
	for range count {
		event := map[string]any{"source": [...]string{"shop", "crm", "desk"}[n.IntN(3)]}
		key := server
		switch n.IntN(4) {
		case 0:
			event["userId"] = fmt.Sprintf("u%d", n.IntN(12))
		case 1:
			event["account"] = account("crm_id", fmt.Sprintf("c%d", n.IntN(12)))
		case 2:
			event["account"] = account("card", fmt.Sprintf("99%d", n.IntN(12)))
		case 3:
			key = browser
			delete(event, "source")
			event["anonymousId"] = fmt.Sprintf("a%d", n.IntN(8))
			if n.IntN(2) == 0 {
				event["userId"] = fmt.Sprintf("u%d", n.IntN(12))
			}
		}
		if key == server && n.IntN(3) == 0 {
			event["anonymousId"] = fmt.Sprintf("a%d", n.IntN(8))
		}
		identifiers := map[string]any{}
		if n.IntN(2) == 0 {
			identifiers["email"] = [...]string{"Ann@Example.com", "ann+tag@example.com", "paul@example.com", "z.o.e@gmail.com", "zoe@gmail.com", "family@example.com"}[n.IntN(6)]
		}
		if n.IntN(3) == 0 {
			identifiers["phone"] = []string{fmt.Sprintf("+3361234567%d", n.IntN(4)), "+33612345670"}
		}
		if key == server && n.IntN(5) == 0 {
			identifiers["card"] = fmt.Sprintf("99%d", n.IntN(12))
		}
		if len(identifiers) > 0 {
			event["identifiers"] = identifiers
		}
		if n.IntN(2) == 0 {
			event["traits"] = map[string]any{"first_name": given[n.IntN(len(given))], "visits": n.IntN(3), "city": []any{"Lyon", nil, 1.5}[n.IntN(3)]}
		}
		if key == server && n.IntN(4) == 0 {
			event["consents"] = []any{map[string]any{"kind": "email", "value": "family@example.com", "channel": "email", "purpose": "news",
				"state": [...]string{"granted", "denied", "withdrawn"}[n.IntN(3)], "proof": "form 7"}}
		}
		switch event["type"] = [...]string{"profile.identified", "message.received", "order.placed", "track.performed", "review.published"}[n.IntN(5)]; event["type"] {
		case "message.received":
			event["text"], event["channel"] = "Où est mon colis ? 🎁 \u202eעברית", "chat"
		case "order.placed":
			event["entity"], event["amount"], event["currency"] = fmt.Sprintf("o%d", n.IntN(20)), fmt.Sprintf("%d.50", n.IntN(90)), "EUR"
		case "track.performed":
			event["name"], event["properties"] = "Compared", map[string]any{"price": 12.5, "list": []int{3, 1, 2}, "deep": map[string]any{"b": 1, "a": nil}}
		case "review.published":
			event["rating"], event["ratingScale"] = n.IntN(6), "0-5"
		}
		n.add(key, event)
	}
}

// assertions are people's decisions, which contradict each other, and name some whom nobody has seen.
func (n *nasty) assertions(count int) {
	side := func() any {
		switch n.IntN(3) {
		case 0:
			return map[string]any{"source": "shop", "account": account("user_id", fmt.Sprintf("u%d", n.IntN(13)))}
		case 1:
			return map[string]any{"source": [...]string{"crm", "desk"}[n.IntN(2)], "account": account("crm_id", fmt.Sprintf("c%d", n.IntN(13)))}
		}
		return map[string]any{"source": "web", "trust": "client", "account": account("anonymous_id", fmt.Sprintf("a%d", n.IntN(9)))}
	}
	for range count {
		a, b := side(), side()
		n.add(token, map[string]any{"type": "identity.linked", "a": a, "b": b, "reason": "they said so"})
		if n.IntN(2) == 0 {
			n.add(token, map[string]any{"type": "identity.separated", "a": b, "b": a, "reason": "they did not"})
		}
	}
}

// permuted gives the inputs in another order, some of them several times, and each copy written in another way.
func permuted(random *rand.Rand, inputs []input) []input {
	var out []input
	for _, in := range inputs {
		for copies := 1 + max(0, random.IntN(6)-3); copies > 0; copies-- {
			out = append(out, input{in.by, rewritten(random, in.event)})
		}
	}
	random.Shuffle(len(out), func(a, b int) { out[a], out[b] = out[b], out[a] })
	return out
}

// rewritten gives the same event as another sender would write it: members in another order, numbers in another form, blanks between,
// and another time of sending.
func rewritten(random *rand.Rand, event json.RawMessage) json.RawMessage {
	decoder := json.NewDecoder(bytes.NewReader(event))
	decoder.UseNumber()
	var value map[string]any
	if err := decoder.Decode(&value); err != nil {
		panic(err)
	}
	if random.IntN(2) == 0 {
		value["sentAt"] = time.Date(2026, 3, 4, 5, random.IntN(60), 0, 0, time.UTC).Format(time.RFC3339)
	}
	var out bytes.Buffer
	var write func(value any)
	write = func(value any) {
		switch v := value.(type) {
		case map[string]any:
			names := make([]string, 0, len(v))
			for name := range v {
				names = append(names, name)
			}
			slices.Sort(names)
			random.Shuffle(len(names), func(a, b int) { names[a], names[b] = names[b], names[a] })
			for k, name := range names {
				out.WriteByte("{,"[min(k, 1)])
				out.WriteString(strings.Repeat(" ", random.IntN(2)))
				write(name)
				out.WriteByte(':')
				write(v[name])
			}
			if len(names) == 0 {
				out.WriteByte('{')
			}
			out.WriteByte('}')
		case []any:
			for k, item := range v {
				out.WriteByte("[,"[min(k, 1)])
				write(item)
			}
			if len(v) == 0 {
				out.WriteByte('[')
			}
			out.WriteByte(']')
		case json.Number:
			out.WriteString(v.String())
			switch text := v.String(); {
			case strings.ContainsAny(text, "eE"): // rewritten before
			case strings.Contains(text, "."):
				out.WriteString([...]string{"", "0", "e0"}[random.IntN(3)])
			default:
				out.WriteString([...]string{"", ".0", "e0", ".00E+0"}[random.IntN(4)])
			}
		default:
			text, err := json.Marshal(v)
			if err != nil {
				panic(err)
			}
			out.Write(text)
		}
	}
	write(value)
	return out.Bytes()
}

// give sends inputs in requests of random sizes, in their order, and gives the event ids.
func (i *installation) give(t *testing.T, random *rand.Rand, inputs []input) []string {
	t.Helper()
	authorization := map[by]string{server: basic(i.WriteKey), browser: basic(i.ClientKey), token: "Bearer " + i.APIToken}
	var ids []string
	for len(inputs) > 0 {
		size := 1 + random.IntN(40)
		n := 1
		for n < len(inputs) && n < size && inputs[n].by == inputs[0].by {
			n++
		}
		events := make([]json.RawMessage, n)
		for k := range n {
			events[k] = inputs[k].event
		}
		ids = append(ids, i.send(t, authorization[inputs[0].by], events...)...)
		inputs = inputs[n:]
	}
	return ids
}
