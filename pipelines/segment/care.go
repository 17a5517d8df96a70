package segment

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dossier-cdp/dossier/schema"
)

// What was said and what became of it is kept in the tables of care: conversations, cases, answers to surveys, and what was read in texts. A row of theirs is a fact
// like an event, at the time that its kind has, so all that counts events counts them. Both evaluators read the fields by the same expressions: Compile where it counts,
// CareRows for one person.

// The kinds of care's facts. They are no types of events.
const (
	kindsOfCare schema.Type = 60_000

	kindCase         = kindsOfCare
	kindConversation = kindsOfCare + 1
	kindAnswer       = kindsOfCare + 2
	kindText         = kindsOfCare + 3
)

// careKind is a table of care as conditions see it.
type careKind struct {
	name   string // of the condition
	view   string
	at     string // column of its time
	only   string // further condition; "" is none
	fields []careField
}

// careField is a field with the expression over a row that gives it as text, "" where nothing is known.
type careField struct {
	name  string
	sql   string
	sort  fieldSort
	words []string // those that the field has; nil is any
	due   string   // columns of a deadline
	done  string
}

type fieldSort int

const (
	oneText fieldSort = iota
	oneNumber
	manyTexts // separated by separator: a comparison holds if it holds for one of them
	deadline  // "due done" in microseconds: met, late, due or overdue, as of now
)

var deadlineWords = []string{"met", "late", "due", "overdue"}

func plainField(name, column string) careField {
	return careField{name: name, sql: "toString(r." + column + ")"}
}

func flagField(name, column string) careField {
	return careField{name: name, sql: "multiIf(ifNull(toInt16(r." + column + "), -1) < 0, '', r." + column + " = 0, 'false', 'true')", words: []string{"true", "false"}}
}

func countField(name, column string) careField {
	return careField{name: name, sql: "toString(r." + column + ")", sort: oneNumber}
}

func deadlineField(name, due, done string) careField {
	return careField{name: name, sort: deadline, words: deadlineWords, due: due, done: done,
		sql: "if(isNull(r." + due + "), '', concat(toString(toUnixTimestamp64Micro(assumeNotNull(r." + due + "))), ' ', if(isNull(r." + done + "), '', toString(toUnixTimestamp64Micro(assumeNotNull(r." + done + "))))))"}
}

func manyField(name, sql string) careField {
	return careField{name: name, sort: manyTexts, sql: "arrayStringConcat(" + sql + ", '\\0')"}
}

// readFields are what was read in the texts of a conversation, a case or an answer.
var readFields = []careField{
	{name: "polarity", sql: "toString(r.polarity)", words: polarities}, {name: "criticality", sql: "toString(r.verbatim_criticality)", words: criticalities},
	manyField("themes", "arrayMap(x -> toString(x), r.themes)"),
}

var (
	polarities    = []string{"neg", "neu", "pos"}
	criticalities = []string{"none", "low", "medium", "high", "critical"}
)

// placeFields stand in the tables of conversations, cases and answers alike.
var placeFields = []careField{
	plainField("source", "source"), plainField("channel", "channel"), plainField("brand", "brand"), plainField("team", "team"), plainField("store", "store"), plainField("theme", "theme"),
	plainField("language", "language"), plainField("country", "country"),
}

var careKinds = []careKind{
	{"case", "cases", "opened_at", "r.state != 'merged'", join(placeFields, readFields, []careField{
		{name: "state", sql: "toString(r.state)", words: []string{"open", "waiting", "answered", "resolved", "reopened"}}, flagField("complaint", "complaint"), flagField("explained", "explained"),
		plainField("priority", "priority"), plainField("tier", "tier"), plainField("queue", "queue"), plainField("resolution", "resolution"),
		countField("contacts", "contacts"), countField("reopens", "reopens"), countField("transfers", "transfers"), countField("promisesBroken", "promises_broken"), countField("gestures", "gestures"),
		deadlineField("firstReply", "first_reply_due", "first_reply_at"), deadlineField("resolved", "resolution_due", "last_resolved_at"),
	})},
	{"conversation", "conversations", "opened_at", "", join(placeFields, readFields, []careField{
		plainField("kind", "kind"), plainField("initiator", "initiator"), plainField("outcome", "outcome"), plainField("priority", "priority"), plainField("tier", "tier"), plainField("queue", "queue"),
		{name: "waiting", sql: "if(isNull(r.waiting_since), 'false', 'true')", words: []string{"true", "false"}},
		countField("inbound", "inbound"), countField("outbound", "outbound"), countField("transfers", "transfers"),
		deadlineField("firstReply", "first_reply_due", "first_reply_at"),
	})},
	{"satisfaction", "surveys", "answered_at", "isNotNull(r.answered_at)", join(placeFields, readFields, []careField{
		plainField("instrument", "instrument"), plainField("survey", "survey"), plainField("touchpoint", "touchpoint"), flagField("explained", "explained"),
		{name: "rating", sql: "ifNull(toString(r.rating), '')", sort: oneNumber},
		{name: "band", words: []string{"detractor", "passive", "promoter"}, sql: "multiIf(r.instrument NOT IN ('nps', 'enps') OR isNull(r.rating), '', r.rating >= 9, 'promoter', r.rating >= 7, 'passive', 'detractor')"},
	})},
	{"verbatim", "verbatims", "occurred_at", "", []careField{
		plainField("source", "source"), plainField("channel", "channel"), plainField("brand", "brand"), plainField("team", "team"), plainField("store", "store"), plainField("language", "language"),
		plainField("country", "country"), plainField("product", "product"), plainField("type", "type"), plainField("act", "act"), plainField("emotion", "emotion"),
		{name: "polarity", sql: "toString(r.polarity)", words: polarities}, {name: "criticality", sql: "toString(r.criticality)", words: criticalities},
		manyField("themes", "arrayMap(x -> toString(x), r.themes)"), manyField("reasons", "arrayMap(x -> toString(x), r.reasons)"),
		manyField("negativeThemes", "arrayMap(x -> toString(x), arrayFilter((x, p) -> p = 'neg', r.themes, r.theme_polarities))"),
		manyField("positiveThemes", "arrayMap(x -> toString(x), arrayFilter((x, p) -> p = 'pos', r.themes, r.theme_polarities))"),
	}},
}

func join(lists ...[]careField) (out []careField) {
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// careOf is the table of a kind; nil is none: it is a type of events.
func careOf(kind schema.Type) *careKind {
	if kind < kindsOfCare || int(kind-kindsOfCare) >= len(careKinds) {
		return nil
	}
	return &careKinds[kind-kindsOfCare]
}

func (k *careKind) field(name string) *careField {
	for i := range k.fields {
		if k.fields[i].name == name {
			return &k.fields[i]
		}
	}
	return nil
}

func (k *careKind) names() (out []string) {
	for i := range k.fields {
		out = append(out, k.fields[i].name)
	}
	return out
}

// event gives what counts facts in a node, with whatever name it has there; nil is none.
func (n *Node) event() *Event {
	switch {
	case n.Event != nil:
		return n.Event
	case n.Case != nil:
		return n.Case
	case n.Conversation != nil:
		return n.Conversation
	case n.Satisfaction != nil:
		return n.Satisfaction
	}
	return n.Verbatim
}

// CareKinds are all of them.
func CareKinds() []schema.Type {
	return []schema.Type{kindCase, kindConversation, kindAnswer, kindText}
}

// CareNeeds are the kinds of care's facts that the live segments ask for, with those that they name; sorted, each once. They are passed on to CareRows.
func (s Set) CareNeeds() []schema.Type {
	asked := [4]bool{}
	for _, of := range s.Live() {
		s.careOf(of, &asked)
	}
	var out []schema.Type
	for i, is := range asked {
		if is {
			out = append(out, kindsOfCare+schema.Type(i))
		}
	}
	return out
}

func (s Set) careOf(of *Segment, asked *[4]bool) {
	s.whole(of, func(n *Node) {
		if e := n.event(); e != nil && e.kind >= kindsOfCare {
			asked[e.kind-kindsOfCare] = true
		}
	})
}

// CareRows makes the statement that gives the rows of care of personas: columns persona, id, at (microseconds) and fields (texts), to be read by CareFact. personas is the
// parameter personas, an array of UUID.
func CareRows(kind schema.Type, workspace string) Statement {
	k := careOf(kind)
	var fields []string
	for i := range k.fields {
		fields = append(fields, k.fields[i].sql)
	}
	where := "r.workspace = {workspace:String} AND r.persona IN {personas:Array(UUID)} AND r.deleted = 0"
	if k.only != "" {
		where += " AND " + k.only
	}
	return Statement{"SELECT r.persona, r.id, toUnixTimestamp64Micro(assumeNotNull(r." + k.at + ")) AS at, [" + strings.Join(fields, ", ") + "] AS fields FROM " + k.view + " AS r FINAL WHERE " + where,
		map[string]any{"workspace": workspace}}
}

// CareFact makes a fact of a row of CareRows.
func CareFact(kind schema.Type, id schema.EventID, at schema.Instant, fields []string) *Fact {
	k := careOf(kind)
	f := &Fact{ID: id, At: at, Type: kind}
	for i := range k.fields {
		if i >= len(fields) || fields[i] == "" {
			continue
		}
		if k.fields[i].name == "channel" {
			f.Texts[factChannel] = fields[i]
		}
		f.Properties = append(f.Properties, Property{k.fields[i].name, fields[i]})
	}
	return f
}

// standing says how a deadline stands at now, and when time alone changes that; 0 is never. text is "due done".
func standing(text string, now schema.Instant) (word string, changes schema.Instant) {
	dueText, doneText, _ := strings.Cut(text, " ")
	due, err := strconv.ParseInt(dueText, 10, 64)
	if err != nil {
		return "", 0
	}
	if done, err := strconv.ParseInt(doneText, 10, 64); err == nil && schema.Instant(done) <= now {
		if done <= due {
			return "met", 0
		}
		return "late", 0
	} else if err == nil { // it is done later than now
		changes = schema.Instant(done)
	}
	if now <= schema.Instant(due) {
		if t := schema.Instant(due) + 1; changes == 0 || t < changes {
			changes = t
		}
		return "due", changes
	}
	return "overdue", changes
}

// met says whether a field of a fact is as asked for.
func (x *Field) met(e *evaluation, f *Fact) bool {
	text := f.text(x.Name)
	switch x.sort {
	case deadline:
		word, changes := standing(text, e.now)
		if changes != 0 {
			e.at(changes)
		}
		return x.holds(word)
	case manyTexts:
		return x.holdsAny(text)
	}
	return x.holds(text)
}

// holdsAny compares several texts: isNot and notIn hold where none of them is asked for, others where one is.
func (t *Test) holdsAny(text string) bool {
	if text == "" {
		return t.holds("")
	}
	negative := t.Op == "isNot" || t.Op == "notIn"
	for _, one := range strings.Split(text, separator) {
		if t.holds(one) != negative {
			return !negative
		}
	}
	return negative
}

// rows gives the rows of a table of care as compiler.rows gives those of events.
func (k *careKind) rows(c *compiler, f *Filter, fields []string, since schema.Instant) string {
	head := []string{profileOfRow + " AS profile", "toUnixTimestamp64Micro(assumeNotNull(r." + k.at + ")) AS ts", "toString(r.id) AS rid"}
	for i, name := range fields {
		field := k.field(name)
		sql := field.sql
		if field.sort == deadline {
			now := "{now:DateTime64(6)}"
			done := "r." + field.done
			sql = "multiIf(isNull(r." + field.due + "), '', isNotNull(" + done + ") AND " + done + " <= " + now + ", if(" + done + " <= r." + field.due + ", 'met', 'late'), " + now + " <= r." + field.due + ", 'due', 'overdue')"
		}
		head = append(head, fmt.Sprintf("%s AS f%d", sql, i))
	}
	where := ` WHERE r.workspace = {workspace:String} AND r.deleted = 0 AND isNotNull(r.` + k.at + `) AND r.` + k.at + ` <= {now:DateTime64(6)}`
	if k.only != "" {
		where += " AND " + k.only
	}
	if len(f.Channels) > 0 {
		where += " AND r.channel IN " + c.texts(f.Channels)
	}
	if since != 0 {
		where += " AND r." + k.at + " >= " + c.param(since, "DateTime64(6)")
	}
	return "SELECT " + strings.Join(head, ", ") + " FROM " + k.view + " AS r FINAL " + personaOfRow("r") + where
}
