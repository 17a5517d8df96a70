package segment

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dossier-cdp/dossier/schema"
)

// Statement is a ClickHouse query with its {name:Type} parameters. What people wrote is in the parameters alone, never in the text.
type Statement struct {
	SQL    string
	Params map[string]any
}

// Compile makes the statement that gives the profile of every member at now, in no order: one column, profile.
//
// It reads the view current_people, the table events and the view persona_map; a persona that the map does not know is a profile of its own.
func (s Set) Compile(of *Segment, workspace string, now schema.Instant) Statement {
	c := s.compiler(workspace, now)
	condition := c.segment(of)
	return c.statement("SELECT p.profile AS profile FROM current_people AS p WHERE p.workspace = {workspace:String} AND " + condition)
}

// CompileOr makes the statement that compares two definitions: before and after say of each profile that is in either whether it is in which.
func (s Set) CompileOr(was, is *Segment, workspace string, now schema.Instant) Statement {
	c := s.compiler(workspace, now)
	first := c.segment(was)
	second := c.segment(is)
	return c.statement("SELECT p.profile AS profile, " + first + " AS before, " + second + " AS after FROM current_people AS p WHERE p.workspace = {workspace:String} AND (before OR after)")
}

func (s Set) compiler(workspace string, now schema.Instant) *compiler {
	return &compiler{set: s, now: now, params: map[string]any{"workspace": workspace, "now": now}}
}

type compiler struct {
	set    Set
	now    schema.Instant
	zone   *time.Location
	params map[string]any
}

func (c *compiler) statement(sql string) Statement { return Statement{sql, c.params} }

// param names a value.
func (c *compiler) param(value any, kind string) string {
	name := fmt.Sprintf("p%d", len(c.params))
	c.params[name] = value
	return "{" + name + ":" + kind + "}"
}

func (c *compiler) text(s string) string { return c.param(s, "String") }

func (c *compiler) texts(s []string) string { return c.param(s, "Array(String)") }

func (c *compiler) int(n int64) string { return c.param(n, "Int64") }

func (c *compiler) segment(s *Segment) string {
	before := c.zone
	c.zone = s.zone
	sql := c.node(s.Where)
	if s.Exclude != nil {
		sql = "(" + sql + " AND NOT " + c.node(s.Exclude) + ")"
	}
	c.zone = before
	return sql
}

// node gives a truth over the columns of p. It is always in brackets, or a call.
func (c *compiler) node(n *Node) string {
	group := func(nodes []*Node, word string) string {
		var parts []string
		for _, x := range nodes {
			parts = append(parts, c.node(x))
		}
		return "(" + strings.Join(parts, word) + ")"
	}
	switch {
	case n.All != nil:
		return group(n.All, " AND ")
	case n.Any != nil:
		return group(n.Any, " OR ")
	case n.Not != nil:
		return "(NOT " + c.node(n.Not) + ")"
	case n.Segment != "":
		return c.segment(c.set[n.Segment])
	case n.Trait != nil:
		return "(" + c.trait(n.Trait) + ")"
	case n.Identifier != nil:
		return "has(p.identifiers, " + c.text(n.Identifier.Kind) + ")"
	case n.Consent != nil:
		return "(" + c.consent(n.Consent) + ")"
	case n.event() != nil:
		return "(" + c.event(n.event()) + ")"
	case n.Sequence != nil:
		return "(" + c.sequence(n.Sequence) + ")"
	case n.Score != nil:
		column := "p." + n.Score.Measure
		return "(isNotNull(" + column + ") AND ifNull(" + c.within(column, &n.Score.Range) + ", 0))"
	}
	if n.List != nil {
		return "(" + c.list(n.List) + ")"
	}
	bucketOf := func(salt string) string {
		return "(reinterpretAsUInt32(substring(SHA256(concat(" + c.text(salt+"\n") + ", toString(p.profile))), 1, 4)) % 100)"
	}
	if h := n.HoldOut; h != nil {
		name := c.text(h.Name)
		return "if(has(p.drawn, " + name + "), has(p.held, " + name + "), " + bucketOf(holdOutSalt+h.Name) + " < " + c.int(int64(h.Percent)) + ")"
	}
	if n.Suppressed != nil {
		if *n.Suppressed {
			return "(p.suppressed = 1)"
		}
		return "(p.suppressed = 0)"
	}
	b := n.Bucket
	bucket := bucketOf(b.Salt)
	return "(" + bucket + " >= " + c.int(int64(b.From)) + " AND " + bucket + " < " + c.int(int64(b.To)) + ")"
}

// within holds a whole number of millionths to bounds.
func (c *compiler) within(sql string, r *Range) string {
	var parts []string
	if r.low != nil {
		parts = append(parts, sql+" >= "+c.int(*r.low))
	}
	if r.high != nil {
		parts = append(parts, sql+" <= "+c.int(*r.high))
	}
	return strings.Join(parts, " AND ")
}

// Bits of the column trait_kinds.
const (
	KindNumber = 1 // trait_numbers has the trait's number
	KindTime   = 2 // trait_times has its time
)

// Said of the columns had and said: name, and source, and text.
const separator = "\x00"

// HadKey is how the column had has a value of a trait.
func HadKey(trait, text string) string { return trait + separator + text }

// SaidKey is how the column said has a value of a trait by a source.
func SaidKey(trait, source, text string) string { return trait + separator + source + separator + text }

// ConsentKey is how the columns allowed and refused have a purpose on a channel.
func ConsentKey(purpose, channel string) string { return purpose + separator + channel }

func (t *Test) all() []string {
	if t.Values == nil {
		return []string{t.Value.Text}
	}
	var out []string
	for _, v := range t.Values {
		out = append(out, v.Text)
	}
	return out
}

func (c *compiler) trait(t *Trait) string {
	keys := func(key func(text string) string) string {
		var out []string
		for _, text := range t.all() {
			out = append(out, key(text))
		}
		return c.texts(out)
	}
	if t.Source != "" {
		return "hasAny(p.said, " + keys(func(text string) string { return SaidKey(t.Name, t.Source, text) }) + ")"
	}
	at := "indexOf(p.trait_names, " + c.text(t.Name) + ")"
	text := "p.trait_texts[" + at + "]"
	kind := func(bit int, sql string) string {
		return fmt.Sprintf("bitAnd(p.trait_kinds[%s], %d) != 0 AND %s", at, bit, sql)
	}
	moment := "p.trait_times[" + at + "]"
	switch t.Op {
	case "everHad":
		return "hasAny(p.had, " + keys(func(text string) string { return HadKey(t.Name, text) }) + ")"
	case "before":
		return kind(KindTime, moment+" < "+c.int(int64(t.instant)))
	case "after":
		return kind(KindTime, moment+" >= "+c.int(int64(t.instant)))
	case "within":
		return kind(KindTime, moment+" <= "+c.int(int64(c.now))+" AND "+moment+" >= "+c.int(int64(t.window.start(c.now, c.zone))))
	case "olderThan":
		return kind(KindTime, moment+" < "+c.int(int64(t.window.start(c.now, c.zone))))
	case "anniversaryWithin":
		return kind(KindTime, "has("+c.texts(anniversaries(t.window, c.now, c.zone))+", substring("+text+", 6, 5))")
	case "above", "atLeast", "below", "atMost":
		return kind(KindNumber, "p.trait_numbers["+at+"] "+signs[t.Op]+" "+c.int(t.number))
	}
	return c.test(text, &t.Test)
}

var signs = map[string]string{"above": ">", "atLeast": ">=", "below": "<", "atMost": "<="}

// test compares a text; "" is missing.
func (c *compiler) test(text string, t *Test) string {
	switch t.Op {
	case "missing":
		return text + " = ''"
	case "exists":
		return text + " != ''"
	case "is", "in":
		return "(" + text + " != '' AND has(" + c.texts(t.all()) + ", " + text + "))"
	case "isNot", "notIn":
		return "(" + text + " = '' OR NOT has(" + c.texts(t.all()) + ", " + text + "))"
	case "contains":
		return "(" + text + " != '' AND position(" + text + ", " + c.text(t.Value.Text) + ") > 0)"
	case "startsWith":
		return "(" + text + " != '' AND startsWith(" + text + ", " + c.text(t.Value.Text) + "))"
	case "endsWith":
		return "(" + text + " != '' AND endsWith(" + text + ", " + c.text(t.Value.Text) + "))"
	case "matches":
		return "(" + text + " != '' AND match(" + text + ", " + c.text("(?s)"+t.Value.Text) + "))"
	}
	return "ifNull(" + number(text) + " " + signs[t.Op] + " " + c.int(t.number) + ", 0)"
}

// number is NumberOf in SQL: millionths, NULL for what is no number.
func number(text string) string {
	return `if(match(` + text + `, '^-?[0-9]{1,12}([.][0-9]+)?$'), toInt64OrNull(concat(extract(` + text + `, '^-?[0-9]+'), substring(concat(extract(` + text + `, '[.]([0-9]+)'), '000000'), 1, 6))), NULL)`
}

func (c *compiler) consent(t *Consent) string {
	one := func(column, key string) string {
		if t.Channel != "" {
			return key + " = " + c.text(ConsentKey(t.Purpose, t.Channel))
		}
		return "startsWith(" + key + ", " + c.text(ConsentKey(t.Purpose, "")) + ")"
	}
	if t.State == "refused" {
		return "arrayExists(k -> " + one("refused", "k") + ", p.refused)"
	}
	return "arrayExists((k, u) -> " + one("allowed", "k") + " AND (u = 0 OR u > " + c.int(int64(c.now)) + "), p.allowed, p.allowed_until)"
}

// column of events that holds a text field.
func columnOf(field string) string { return factTexts[textIndex(field)].column }

// textOf gives a field of an event as text, over a row that has the column or the properties.
func (c *compiler) textOf(field, row string) string {
	path, is := strings.CutPrefix(field, "properties.")
	if !is {
		return "toString(" + row + columnOf(field) + ")"
	}
	var parts []string
	for _, part := range strings.Split(path, ".") {
		parts = append(parts, c.text(part))
	}
	arguments := row + "properties, " + strings.Join(parts, ", ")
	return "multiIf(JSONType(" + arguments + ") = 'String', JSONExtractString(" + arguments + "), JSONType(" + arguments + ") IN ('Array', 'Object', 'Null'), '', JSONExtractRaw(" + arguments + "))"
}

// personaOfRow joins the map of personas to a row; profileOfEvent and profileOfRow are whom it belongs to then.
func personaOfRow(row string) string {
	return `LEFT JOIN (SELECT persona AS other, profile AS holder FROM persona_map WHERE workspace = {workspace:String} AND persona != profile) AS m ON m.other = ` + row + `.persona`
}

const (
	profileOfEvent = "if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), e.persona, m.holder)"
	profileOfRow   = "if(m.holder = toUUID('00000000-0000-0000-0000-000000000000'), r.persona, m.holder)"
)

// rows gives the events of a filter's type and channels until now: profile, at (microseconds), row (the id as text), and the fields f0, f1 … in the
// order asked for. Versions of an entity are one row. since, if it is not 0, leaves out what is earlier.
func (c *compiler) rows(f *Filter, fields []string, since schema.Instant) string {
	if k := careOf(f.kind); k != nil {
		return k.rows(c, f, fields, since)
	}
	var columns []string
	entity := IsEntity(f.kind)
	for i, field := range fields {
		sql := c.textOf(field, "e.")
		if entity {
			sql = "argMax(" + sql + ", (e.occurred_at, toString(e.id)))"
		}
		columns = append(columns, fmt.Sprintf("%s AS f%d", sql, i))
	}
	channel := ""
	if len(f.Channels) > 0 && !entity {
		channel = " AND e.channel IN " + c.texts(f.Channels)
	}
	if since != 0 && !entity {
		channel += " AND e.occurred_at >= " + c.param(since, "DateTime64(6)")
	}
	from := ` FROM events AS e ` + personaOfRow("e") + `
WHERE e.workspace = {workspace:String} AND e.type = ` + c.text(f.Type) + ` AND e.occurred_at <= {now:DateTime64(6)}` + channel
	if !entity {
		head := []string{profileOfEvent + " AS profile", "toUnixTimestamp64Micro(e.occurred_at) AS ts", "toString(e.id) AS rid"}
		return "SELECT " + strings.Join(append(head, columns...), ", ") + from
	}
	head := []string{profileOfEvent + " AS profile", "toUnixTimestamp64Micro(min(e.occurred_at)) AS ts", "argMax(toString(e.id), (e.occurred_at, toString(e.id))) AS rid"}
	sql := "SELECT " + strings.Join(append(head, columns...), ", ")
	if len(f.Channels) > 0 {
		sql += ", argMax(toString(e.channel), (e.occurred_at, toString(e.id))) AS channel"
	}
	sql += from + "\nGROUP BY profile, e.source, if(e.entity = '', toString(e.id), e.entity)"
	if len(f.Channels) > 0 {
		return "SELECT * FROM (" + sql + ") WHERE has(" + c.texts(f.Channels) + ", channel)"
	}
	return sql
}

// list is who is in a list. What was said last counts.
func (c *compiler) list(l *List) string {
	where := ""
	if l.since != 0 {
		where = " AND e.occurred_at >= " + c.param(l.since, "DateTime64(6)")
	}
	return "p.profile IN (SELECT " + profileOfEvent + " AS profile FROM events AS e " + personaOfRow("e") + " WHERE e.workspace = {workspace:String} AND e.type IN ('list.joined', 'list.left') AND e.name = " + c.text(l.Name) +
		" AND e.occurred_at <= {now:DateTime64(6)}" + where + " GROUP BY profile HAVING argMax(e.type, (e.occurred_at, toString(e.id))) = 'list.joined')"
}

// fieldsOf are the fields that a filter compares, with others, each once.
func fieldsOf(f *Filter, more ...string) []string {
	var out []string
	for _, x := range f.Where {
		out = append(out, x.Name)
	}
	for _, x := range more {
		if x != "" {
			out = append(out, x)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// matching is a filter's fields as a condition over rows.
func (c *compiler) matching(f *Filter, fields []string) []string {
	var parts []string
	for _, x := range f.Where {
		text := fmt.Sprintf("f%d", slices.Index(fields, x.Name))
		switch {
		case x.sort != manyTexts:
			parts = append(parts, c.test(text, &x.Test))
		case x.Op == "isNot" || x.Op == "notIn":
			parts = append(parts, "arrayAll(x -> "+c.test("x", &x.Test)+", splitByChar('\\0', "+text+"))")
		default:
			parts = append(parts, "arrayExists(x -> "+c.test("x", &x.Test)+", splitByChar('\\0', "+text+"))")
		}
	}
	return parts
}

func (c *compiler) event(e *Event) string {
	summed, currency := "", ""
	if e.Sum != nil {
		summed = e.Sum.Field
		if e.Sum.Currency != "" {
			currency = "currency"
		}
	}
	fields := fieldsOf(&e.Filter, summed, currency, e.By)
	since := schema.Instant(0)
	if e.Which == "" {
		switch {
		case e.within != nil:
			since = e.within.start(c.now, c.zone)
		case e.From != "":
			since = e.from
		}
	}
	rows := c.rows(&e.Filter, fields, since)
	switch e.Which {
	case "first":
		rows = "SELECT * FROM (" + rows + ") ORDER BY ts, rid LIMIT 1 BY profile"
	case "last":
		rows = "SELECT * FROM (" + rows + ") ORDER BY ts DESC, rid DESC LIMIT 1 BY profile"
	}
	where := c.matching(&e.Filter, fields)
	if e.within != nil {
		where = append(where, "ts >= "+c.int(int64(e.within.start(c.now, c.zone))))
	}
	if e.From != "" {
		where = append(where, "ts >= "+c.int(int64(e.from)))
	}
	if e.To != "" {
		where = append(where, "ts < "+c.int(int64(e.to)))
	}
	amount := ""
	if e.Sum != nil {
		amount = number(fmt.Sprintf("f%d", slices.Index(fields, e.Sum.Field)))
		where = append(where, "isNotNull("+amount+")")
		if e.Sum.Currency != "" {
			where = append(where, fmt.Sprintf("f%d = %s", slices.Index(fields, "currency"), c.text(e.Sum.Currency)))
		}
	}
	people := "SELECT profile FROM (" + rows + ")"
	if len(where) > 0 {
		people += " WHERE " + strings.Join(where, " AND ")
	}
	if e.By != "" {
		group := fmt.Sprintf("f%d", slices.Index(fields, e.By))
		return "p.profile IN (SELECT profile FROM (" + people + " GROUP BY profile, " + group + " HAVING " + group + " != '' AND " + c.within("(toInt64(count()) * 1000000)", e.Count) + "))"
	}
	people += " GROUP BY profile"
	switch {
	case e.stopped != nil:
		return "p.profile IN (" + people + " HAVING max(ts) < " + c.int(int64(e.stopped.start(c.now, c.zone))) + ")"
	case e.Sum != nil:
		return c.members(people, "sum(toInt128(assumeNotNull("+amount+")))", &e.Sum.Range)
	case e.Count != nil:
		return c.members(people, "(toInt64(count()) * 1000000)", e.Count)
	}
	return "p.profile IN (" + people + ")"
}

// members are those whose measure is within bounds. Who has no row has 0.
func (c *compiler) members(people, measure string, r *Range) string {
	if r.holds(0) {
		return "p.profile NOT IN (" + people + " HAVING NOT (" + c.within(measure, r) + "))"
	}
	return "p.profile IN (" + people + " HAVING " + c.within(measure, r) + ")"
}

func (c *compiler) sequence(s *Sequence) string {
	side := func(f *Filter, first bool, since schema.Instant) string {
		fields := fieldsOf(f, s.Same)
		rows := c.rows(f, fields, since)
		same := "''"
		if s.Same != "" {
			same = fmt.Sprintf("f%d", slices.Index(fields, s.Same))
		}
		where := c.matching(f, fields)
		if since != 0 {
			where = append(where, "ts >= "+c.int(int64(since)))
		}
		condition := ""
		if len(where) > 0 {
			condition = " WHERE " + strings.Join(where, " AND ")
		}
		number := 0
		if first {
			number = 1
		}
		return fmt.Sprintf("SELECT profile, ts, rid, %s AS same, %d AS side FROM (%s)%s", same, number, rows, condition)
	}
	since := schema.Instant(0)
	if s.in != nil {
		since = s.in.start(c.now, c.zone)
	}
	follows := "(b.1, b.2) > (a.1, a.2)"
	if s.within != nil {
		follows += " AND b.1 <= a.1 + " + c.int(int64(s.within.length()))
	}
	if s.Same != "" {
		follows += " AND a.3 != '' AND a.3 = b.3"
	}
	condition := "arrayExists(b -> " + follows + ", thens)"
	if s.Absent {
		condition = "NOT " + condition
		if s.within != nil {
			condition += " AND a.1 + " + c.int(int64(s.within.length())) + " <= " + c.int(int64(c.now))
		}
	}
	return "p.profile IN (SELECT profile FROM (SELECT profile, groupArrayIf((ts, rid, same), side = 1) AS firsts, groupArrayIf((ts, rid, same), side = 0) AS thens FROM (" +
		side(s.First, true, since) + " UNION ALL " + side(s.Then, false, since) + ") GROUP BY profile) WHERE arrayExists(a -> " + condition + ", firsts))"
}

// CompileReach makes the statement that counts, of a segment's members, how many may be contacted now for each purpose on each channel: columns
// purpose, channel, people.
func (s Set) CompileReach(of *Segment, workspace string, now schema.Instant) Statement {
	c := s.compiler(workspace, now)
	condition := c.segment(of)
	return c.statement("SELECT splitByChar('\\0', toString(k))[1] AS purpose, splitByChar('\\0', toString(k))[2] AS channel, uniqExact(profile) AS people FROM (SELECT p.profile AS profile, p.allowed AS allowed, p.allowed_until AS until FROM current_people AS p WHERE p.workspace = {workspace:String} AND p.suppressed = 0 AND " +
		condition + ") ARRAY JOIN allowed AS k, until AS u WHERE u = 0 OR u > " + c.int(int64(now)) + " GROUP BY purpose, channel ORDER BY purpose, channel")
}

// CompileOverlap makes the statement that counts the members of a segment, and of these the members of each of others: one row, a column members and
// the columns o0, o1 …
func (s Set) CompileOverlap(of *Segment, others []*Segment, workspace string, now schema.Instant) Statement {
	c := s.compiler(workspace, now)
	condition := c.segment(of)
	columns := []string{"count() AS members"}
	for i, other := range others {
		columns = append(columns, fmt.Sprintf("countIf(%s) AS o%d", c.segment(other), i))
	}
	return c.statement("SELECT " + strings.Join(columns, ", ") + " FROM current_people AS p WHERE p.workspace = {workspace:String} AND " + condition)
}
