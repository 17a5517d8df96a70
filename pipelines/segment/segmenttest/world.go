// Package segmenttest invents people, their events, and segments over them, for tests that hold two evaluations against each other.
package segmenttest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/dossier-cdp/dossier/pipelines/segment"
	"github.com/dossier-cdp/dossier/schema"
)

// World is people of one or several personas each, with the events of each persona.
type World struct {
	R      *rand.Rand
	Now    schema.Instant
	Since  schema.Instant // when the list partners was replaced last
	People []*segment.Person
	Events map[schema.ProfileID][]*schema.Event  // by persona
	Of     map[schema.ProfileID]schema.ProfileID // persona → profile
}

// Paths are the properties that conditions of a world ask for.
var Paths = []string{"plan", "n", "deep.x"}

// New invents a world of so many people.
func New(r *rand.Rand, people int) *World {
	w := &World{R: r, Events: map[schema.ProfileID][]*schema.Event{}, Of: map[schema.ProfileID]schema.ProfileID{}}
	w.Now = schema.InstantOf(time.Date(2026, 3, 20+r.IntN(20), r.IntN(24), r.IntN(60), 0, 0, time.UTC))
	w.Since = w.Now - 4*86_400_000_000
	for n := range people {
		w.person(n)
	}
	return w
}

func id(a, b, c int) (out [16]byte) {
	return [16]byte{byte(a), byte(a >> 8), byte(b), 6: 0x80, 8: 0x80, 14: byte(c >> 8), 15: byte(c)}
}

func pick[T any](w *World, of ...T) T { return of[w.R.IntN(len(of))] }

func (w *World) person(n int) {
	p := &segment.Person{ID: id(n, 1, 0)}
	trait := func(name string, values ...string) {
		if w.R.IntN(3) == 0 {
			return
		}
		k := segment.TraitOf(name, []byte(pick(w, values...)))
		k.Had = append(k.Had, segment.Said{Source: pick(w, "crm", "shop"), Text: k.Text})
		if w.R.IntN(2) == 0 {
			k.Had = append(k.Had, segment.Said{Source: pick(w, "crm", "shop"), Text: segment.TextOf([]byte(pick(w, values...)))})
		}
		p.Traits = append(p.Traits, k)
	}
	trait("age", `17`, `18`, `42`, `"42"`, `42.5`, `"old"`, `-3`, `1e3`)
	trait("born", `"1990-03-25"`, `"1988-02-29"`, `"2026-03-21"`, `"2026-03-19T22:30:00Z"`, `"never"`, `"1960-12-31"`)
	trait("city", `"Paris"`, `"paris"`, `"Lyon"`, `"Évreux"`, `""`, `"Saint-\"Denis\""`, `"a\\b"`, `["x"]`)
	trait("vip", `true`, `false`)
	for _, kind := range []string{"card", "email", "phone"} {
		if w.R.IntN(2) == 0 {
			p.Identifiers = append(p.Identifiers, kind)
		}
	}
	for _, purpose := range []string{"marketing", "survey"} {
		for _, channel := range []string{"email", "sms"} {
			switch w.R.IntN(4) {
			case 0:
				p.Allowed = append(p.Allowed, segment.Permission{Purpose: purpose, Channel: channel, Until: pick(w, 0, w.Now-1, w.Now, w.Now+1, w.Now+86_400_000_000)})
			case 1:
				p.Refused = append(p.Refused, segment.Permission{Purpose: purpose, Channel: channel})
			}
		}
	}
	p.Suppressed = w.R.IntN(5) == 0
	for _, name := range []string{"spring", "winter"} {
		if w.R.IntN(2) == 0 {
			p.Drawn = append(p.Drawn, segment.Drawn{Name: name, Held: w.R.IntN(2) == 0})
		}
	}
	if w.R.IntN(2) == 0 {
		p.Worth = &segment.Worth{Recency: int64(1 + w.R.IntN(5)), Frequency: int64(1 + w.R.IntN(5)), Monetary: int64(w.R.IntN(6)), Alive: int64(w.R.IntN(1_000_001)), HasAlive: w.R.IntN(2) == 0,
			Lifetime: int64(w.R.IntN(500)) * 1_000_000, HasLifetime: w.R.IntN(2) == 0}
	}
	for persona := range 1 + w.R.IntN(3) {
		of := schema.ProfileID(id(n, 1+persona, 0))
		w.Of[of] = p.ID
		for k := range w.R.IntN(6) {
			e := w.event(schema.EventID(id(n, 100+persona, k+1)))
			e.Persona = of
			w.Events[of] = append(w.Events[of], e)
			p.Events = append(p.Events, segment.FactOf(e, Paths))
		}
	}
	w.People = append(w.People, p)
}

func (w *World) event(id schema.EventID) *schema.Event {
	e := &schema.Event{}
	e.ID, e.Workspace, e.Source = id, "main", pick(w, "crm", "shop")
	e.OccurredAt = w.moment()
	e.Type = pick(w, schema.TypeOrderPlaced, schema.TypeMessageReceived, schema.TypeMessageSent, schema.TypeSurveyAnswered, schema.TypeTrackPerformed, schema.TypePageViewed,
		schema.TypeListJoined, schema.TypeListLeft)
	e.Channel, e.Actor = pick(w, schema.ChannelEmail, schema.ChannelPhone, schema.ChannelWeb), pick(w, schema.ActorCustomer, schema.ActorAgent)
	e.Name, e.Entity, e.Conversation = pick(w, "", "Order Completed", "signup"), pick(w, "", "o1", "o2"), pick(w, "", "c1", "c2")
	e.Amount, e.Currency = pick(w, "", "10", "99.99", "100", "-5", "1e2", "100.0000004"), pick(w, "EUR", "USD")
	e.Rating, e.RatingScale = pick(w, "", "0", "6", "6.5", "10"), "0-10"
	if e.Type == schema.TypeListJoined || e.Type == schema.TypeListLeft {
		e.Name = "partners"
	}
	e.Properties = []byte(pick(w, "", `{"n":3,"plan":"gold"}`, `{"n":-2.5,"plan":"silver"}`, `{"deep":{"x":true},"n":"7"}`, `{"deep":{"x":"é'\"\\"},"plan":null}`, `{"n":[1],"plan":{"a":1}}`))
	return e
}

// moment is somewhere around now, often at the edge of a day of Paris.
func (w *World) moment() schema.Instant {
	const day, hour = 86_400_000_000, 3_600_000_000
	at := w.Now - schema.Instant(w.R.IntN(12))*day + pick(w, schema.Instant(0), 1, -1, hour, -hour)
	if w.R.IntN(3) == 0 {
		at = at/day*day - pick(w, schema.Instant(hour), 2*hour, hour+1, hour-1)
	}
	return at
}

// Segment invents a definition; others are names that it may refer to.
func (w *World) Segment(name string, others ...string) *segment.Segment {
	definition := map[string]any{"zone": pick(w, "Europe/Paris", "UTC", "America/New_York"), "where": w.node(3, others)}
	if w.R.IntN(4) == 0 {
		definition["exclude"] = w.node(2, others)
	}
	text, err := json.Marshal(definition)
	if err != nil {
		panic(err)
	}
	s, err := segment.Parse(name, text, time.LoadLocation)
	if err == nil {
		err = s.Rest(segment.Ground{Lists: map[string]schema.Instant{"partners": w.Since, "empty": 0}})
	}
	if err != nil {
		panic(fmt.Errorf("%s: %w", text, err))
	}
	return s
}

type object = map[string]any

func (w *World) node(depth int, others []string) object {
	if depth > 0 && w.R.IntN(3) == 0 {
		switch w.R.IntN(3) {
		case 0:
			return object{"not": w.node(depth-1, others)}
		case 1:
			return object{"all": []object{w.node(depth-1, others), w.node(depth-1, others)}}
		}
		return object{"any": []object{w.node(depth-1, others), w.node(depth-1, others)}}
	}
	switch w.R.IntN(15) {
	case 0, 1:
		return object{"trait": w.trait()}
	case 12, 13:
		return w.care()
	case 14:
		return object{"list": object{"name": pick(w, "partners", "empty")}}
	case 10:
		return object{"holdOut": object{"name": pick(w, "spring", "winter"), "percent": pick(w, 10, 50, 99)}}
	case 11:
		return object{"suppressed": w.R.IntN(2) == 0}
	case 2:
		return object{"identifier": object{"kind": pick(w, "email", "phone", "card")}}
	case 3:
		c := object{"purpose": pick(w, "marketing", "survey")}
		if w.R.IntN(2) == 0 {
			c["channel"] = pick(w, "email", "sms")
		}
		if w.R.IntN(3) == 0 {
			c["state"] = "refused"
		}
		return object{"consent": c}
	case 4:
		if measure := pick(w, "recency", "frequency", "monetary", "alive", "lifetime"); measure == "alive" {
			return object{"score": object{"measure": measure, "atLeast": 0.5}}
		} else {
			return object{"score": object{"measure": measure, "atLeast": 2, "atMost": pick(w, 3, 4, 300)}}
		}
	case 5:
		if len(others) > 0 {
			return object{"segment": pick(w, others...)}
		}
		return object{"bucket": object{"salt": "s", "from": 0, "to": 50}}
	case 6, 7:
		return object{"sequence": w.sequence()}
	}
	return object{"event": w.counting()}
}

func (w *World) trait() object {
	switch w.R.IntN(4) {
	case 0:
		return object{"name": "age", "op": pick(w, "above", "atLeast", "below", "atMost"), "value": pick(w, 18, 42, -3)}
	case 1:
		return object{"name": "born", "op": pick(w, "within", "olderThan", "anniversaryWithin"), "value": pick(w, "0d", "1d", "5d", "30d")}
	case 2:
		return object{"name": "born", "op": pick(w, "before", "after"), "value": pick(w, "1990-03-25", "2026-03-19T22:30:00Z")}
	}
	op := pick(w, "is", "isNot", "in", "notIn", "contains", "startsWith", "endsWith", "matches", "exists", "missing", "everHad")
	t := object{"name": pick(w, "city", "vip", "none", "age"), "op": op}
	switch op {
	case "exists", "missing":
	case "in", "notIn", "everHad":
		t["values"] = []any{pick[any](w, "PARIS", "a\\b", 42), pick[any](w, "Lyon", true)}
	case "matches":
		t["value"] = pick(w, "^par", "o.*n$", "[0-9]", ".")
	default:
		t["value"] = pick[any](w, "Paris", "is", "é", `"`, "a\\b", true, 42)
	}
	if (op == "is" || op == "in") && w.R.IntN(3) == 0 {
		t["source"] = pick(w, "crm", "shop")
	}
	return t
}

func (w *World) filter() object {
	f := object{"type": pick(w, "order.placed", "message.received", "message.sent", "survey.answered", "track.performed", "page.viewed")}
	if w.R.IntN(4) == 0 {
		f["channels"] = []string{pick(w, "email", "phone")}
	}
	var where []object
	for range w.R.IntN(3) {
		switch w.R.IntN(3) {
		case 0:
			where = append(where, object{"field": pick(w, "amount", "rating", "properties.n"), "op": pick(w, "above", "atLeast", "below", "atMost", "exists", "missing"), "value": pick[any](w, 6, 100, 3, -2.5)})
		case 1:
			where = append(where, object{"field": pick(w, "properties.plan", "properties.deep.x", "properties.n", "name", "source", "entity", "actor"), "op": pick(w, "is", "isNot", "contains", "startsWith"),
				"value": pick[any](w, "gold", "true", "é'\"\\", "7", "crm", "o1", "agent", "Order", 3)})
		default:
			where = append(where, object{"field": pick(w, "name", "properties.plan", "channel"), "op": pick(w, "exists", "missing")})
		}
	}
	for _, x := range where {
		if x["op"] == "exists" || x["op"] == "missing" {
			delete(x, "value")
		}
	}
	if where != nil {
		f["where"] = where
	}
	return f
}

func (w *World) counting() object {
	e := w.filter()
	switch w.R.IntN(7) {
	case 0:
		e["stoppedFor"] = pick(w, "2d", "5d", "30h")
		return e
	case 1:
		e["sum"] = object{"field": pick(w, "rating", "properties.n"), pick(w, "atLeast", "atMost"): pick(w, 0, 6, 10)}
	case 2:
		e["sum"] = object{"field": "amount", "currency": "EUR", pick(w, "atLeast", "atMost"): pick(w, 0, 100, 110)}
	case 3:
		e["count"] = object{pick(w, "atLeast", "atMost"): w.R.IntN(3)}
	case 4:
		e["which"] = pick(w, "first", "last")
	case 5:
		e["count"], e["by"] = object{"atLeast": 1 + w.R.IntN(2)}, pick(w, "properties.plan", "conversation", "entity")
	}
	switch w.R.IntN(3) {
	case 0:
		e["within"] = pick(w, "today", "1d", "3d", "1w", "24h", "90m")
	case 1:
		e["from"] = "2026-03-25"
		if w.R.IntN(2) == 0 {
			e["to"] = "2026-04-02T12:00:00Z"
		}
	}
	return e
}

// care asks for what was said and what became of it.
func (w *World) care() object {
	e, kind := object{}, pick(w, "conversation", "case", "satisfaction", "verbatim")
	fields := map[string][]object{
		"conversation": {{"field": "waiting", "op": "is", "value": "true"}, {"field": "firstReply", "op": pick(w, "is", "isNot"), "value": pick(w, "met", "late", "due", "overdue")}, {"field": "inbound", "op": "atLeast", "value": 2}},
		"case": {{"field": "state", "op": "in", "values": []string{"open", "reopened"}}, {"field": "resolved", "op": pick(w, "is", "isNot"), "value": pick(w, "met", "late", "due", "overdue")}, {"field": "complaint", "op": "is", "value": "true"},
			{"field": "themes", "op": pick(w, "is", "isNot", "contains"), "value": pick(w, "delivery", "price")}, {"field": "criticality", "op": pick(w, "isNot", "is"), "value": "high"}},
		"satisfaction": {{"field": "band", "op": "is", "value": pick(w, "detractor", "passive", "promoter")}, {"field": "rating", "op": pick(w, "below", "above"), "value": pick(w, 7, 8.5)}, {"field": "instrument", "op": "is", "value": "nps"}},
		"verbatim": {{"field": "polarity", "op": pick(w, "is", "isNot"), "value": pick(w, "neg", "pos")}, {"field": "themes", "op": pick(w, "is", "notIn", "missing", "exists", "startsWith"), "value": pick(w, "delivery", "price")},
			{"field": "negativeThemes", "op": "is", "value": pick(w, "delivery", "price")}},
	}[kind]
	for range w.R.IntN(3) {
		f := object{}
		for k, v := range pick(w, fields...) {
			f[k] = v
		}
		switch f["op"] {
		case "notIn":
			f["values"] = []any{f["value"]}
			delete(f, "value")
		case "missing", "exists":
			delete(f, "value")
		}
		where, _ := e["where"].([]object)
		e["where"] = append(where, f)
	}
	switch w.R.IntN(4) {
	case 0:
		e["count"] = object{pick(w, "atLeast", "atMost"): w.R.IntN(3)}
	case 1:
		e["count"], e["by"] = object{"atLeast": 1 + w.R.IntN(2)}, "channel"
	case 2:
		e["which"] = pick(w, "first", "last")
	}
	if w.R.IntN(2) == 0 {
		e["within"] = pick(w, "1d", "5d", "24h")
	}
	if w.R.IntN(4) == 0 {
		e["channels"] = []string{pick(w, "email", "phone")}
	}
	return object{kind: e}
}

func (w *World) sequence() object {
	s := object{"first": w.filter(), "then": w.filter(), "absent": w.R.IntN(2) == 0}
	if w.R.IntN(2) == 0 {
		s["within"] = pick(w, "1d", "3h", "5d")
	}
	if w.R.IntN(2) == 0 {
		s["in"] = pick(w, "3d", "1w", "48h")
	}
	if w.R.IntN(3) == 0 {
		s["same"] = pick(w, "entity", "conversation")
	}
	return s
}
